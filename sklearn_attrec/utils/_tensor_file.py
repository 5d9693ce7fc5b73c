"""A file of named arrays and a manifest that is checked before it is believed.

The layout is that of safetensors, so that other programs can read the arrays::

    8 bytes   length of the header, little-endian
    header    JSON, padded with spaces to a multiple of 8 bytes
    data      the arrays, one after the other, without holes

The header names dtype, shape and place of each array. Its `__metadata__` holds the
manifest, which has the SHA-256 of each array, and the SHA-256 of the header itself.
What is read is text and numbers: nothing in a file names code to import or to run.
"""

import contextlib
import hashlib
import json
import math
import mmap as memory_map
import os
import stat
import warnings

import numpy as np

from sklearn_attrec.exceptions import (
    ModelCorruptError,
    ModelFileError,
    ModelVersionError,
)
from sklearn_attrec.utils._files import replacing
from sklearn_attrec.utils._ids import show

__all__ = [
    "FORMAT",
    "file_errors",
    "part_of",
    "read_manifest",
    "read_tensors",
    "write_tensors",
]

# Major and minor version. Files of an older minor version, and of the same, are read
# as they are; those of a newer minor version with a warning; of another major not.
FORMAT = (1, 0)

# A header beyond this size is not read: what comes before the checksums costs little.
MAX_HEADER = 2**20

DTYPES = {
    **{f"I{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": f"<f{size}" for size in (4, 8)},
}
NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}

# What the header says of each array.
ENTRY = {"dtype", "shape", "data_offsets"}

MANIFEST, CHECKSUM = "sklearn_attrec", "sklearn_attrec_sha256"
# The first bytes after the length, as the keys of the header are sorted.
MAGIC = b'{"__metadata__":{"sklearn_attrec":"'
OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive, such as .keras, .npz, .skops or PyTorch's .pt",
    b"\x89HDF": "an HDF5 file, such as Keras's .h5",
    b"\x80": "a pickle, such as joblib's; pickles run code and are never read",
}


def write_tensors(path, manifest, tensors):
    """Write a file, or leave the one that is there as it is.

    Parameters
    ----------
    path : str or PathLike
    manifest : dict
        What JSON can hold.
    tensors : dict of ndarray
        Numbers; the names begin with a lower-case letter.

    Raises
    ------
    OSError
        If the file cannot be written.
    TypeError
        If an array has a dtype that the format has not.
    """
    for name, value in tensors.items():
        if value.dtype.newbyteorder("<") not in NAMES:
            raise TypeError(f"a model file cannot hold {name!r}, of {value.dtype}")
    tensors = {
        name: np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        for name, value in tensors.items()
    }
    # The widest first: each array then begins at a multiple of its width.
    order = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    header, begin, hashes = {}, 0, {}
    for name in order:
        value = tensors[name]
        header[name] = {
            "dtype": NAMES[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [begin, begin + value.nbytes],
        }
        hashes[name] = hashlib.sha256(value.data).hexdigest()
        begin += value.nbytes
    manifest = {"format": list(FORMAT), **manifest, "sha256": hashes}
    text = _header_text(header, _json(manifest))
    if len(text) > MAX_HEADER:
        raise ValueError(
            f"the header would have {len(text)} bytes of at most {MAX_HEADER}: the "
            "model has too many separate arrays"
        )
    with replacing(path) as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name in order:
            file.write(tensors[name].data)


def read_tensors(path, *, mmap=False, verify="full", expected_sha256=None):
    """Read a file and check all that can be checked without knowing what it is for.

    Parameters
    ----------
    path : str or PathLike
    mmap : bool, default=False
        Whether the arrays stay in the file and are read when they are used.
    verify : {'full', 'header'}, default='full'
        Whether to check the SHA-256 of each array.
    expected_sha256 : str, default=None
        SHA-256 of the whole file.

    Returns
    -------
    manifest : dict
    tensors : dict of ndarray
        They share one block of memory.

    Raises
    ------
    OSError
        If the file cannot be opened or read.
    ModelFileError
        If it is not what `write_tensors` writes.
    """
    with file_errors(path), _open_regular(path) as file:
        manifest, header, begin, size = _read_header(file)
        if mmap:
            data = memory_map.mmap(file.fileno(), size, access=memory_map.ACCESS_READ)
            data = np.frombuffer(data, dtype=np.uint8)[begin:]
        else:
            data = _read_bytes(file, size - begin)
        if expected_sha256 is not None:
            _check_file_hash(file, begin, data, expected_sha256)
        tensors = {}
        for name, entry in header.items():
            first, last = entry["data_offsets"]
            part = data[first:last]
            if verify == "full":
                _check_hash(name, part, manifest["sha256"][name])
            dtype = np.dtype(DTYPES[entry["dtype"]])
            tensors[name] = part.view(dtype).reshape(entry["shape"])
    return manifest, tensors


def read_manifest(path):
    """Read what a file says of itself, and not its arrays.

    Parameters
    ----------
    path : str or PathLike

    Returns
    -------
    manifest : dict
    header : dict of dict
        `dtype`, `shape` and `data_offsets` of each array.
    size : int
        Of the file, in bytes.
    """
    with file_errors(path), _open_regular(path) as file:
        manifest, header, _, size = _read_header(file)
    return manifest, header, size


@contextlib.contextmanager
def file_errors(path):
    """Let each `ModelFileError` begin with the file it is about."""
    try:
        yield
    except ModelFileError as error:
        raise type(error)(f"{os.fspath(path)!r}: {error}") from error.__cause__


def part_of(tensors, prefix):
    """Take the arrays whose names begin so, under what follows.

    Parameters
    ----------
    tensors : dict of ndarray
    prefix : str

    Returns
    -------
    dict of ndarray
    """
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


# Reading --------------------------------------------------------------------------


def _open_regular(path):
    # A pipe would wait for somebody to write, a device might never end.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ModelFileError("is not a regular file")
    return os.fdopen(descriptor, "rb")


def _read_header(file):
    """Return manifest, table of arrays, where the data begin, and size of the file."""
    size = os.fstat(file.fileno()).st_size
    start = file.read(8 + len(MAGIC))
    if start[8:] != MAGIC:
        # A damaged length may look like another's mark, but not all of the rest.
        ours = b"__metadata__" in start or MANIFEST.encode() in start
        for mark, kind in OTHER_FORMATS.items():
            if start.startswith(mark) and not ours:
                raise ModelFileError(
                    f"is not a model file of sklearn_attrec but {kind}"
                )
        raise ModelCorruptError(
            "is not a model file of sklearn_attrec, or its beginning is damaged"
        )
    length = int.from_bytes(start[:8], "little")
    if length % 8 or not len(MAGIC) < length <= min(MAX_HEADER, size - 8):
        raise ModelCorruptError(
            f"is damaged: {length} bytes of header in a file of {size} bytes"
        )
    file.seek(8)
    text = file.read(length)
    manifest, header = _parse_header(text)
    _check_version(manifest)
    _check_table(header, manifest, size - 8 - length)
    return manifest, header, 8 + length, size


def _parse_header(text):
    """Split the header into manifest and table, if it is intact."""
    try:
        header = json.loads(text.decode())
        metadata = header.pop("__metadata__")
        manifest = json.loads(metadata[MANIFEST])
        # A header has one spelling only, which leaves no room for repeated keys,
        # other numbers than ours, or notes in the margin.
        intact = text == _header_text(header, _json(manifest))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelCorruptError("is damaged: its header is not intact") from error
    if not intact or not isinstance(manifest, dict):
        raise ModelCorruptError("is damaged: its header is not intact")
    return manifest, header


def _header_text(header, manifest):
    """Spell the header out, with its checksum, as bytes."""
    metadata = {MANIFEST: manifest, CHECKSUM: ""}
    text = _json(header | {"__metadata__": metadata})
    metadata[CHECKSUM] = hashlib.sha256(text.encode()).hexdigest()
    text = _json(header | {"__metadata__": metadata}).encode()
    return text + b" " * (-len(text) % 8)


def _json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _check_version(manifest):
    found = manifest.get("format")
    if not (_is_sizes(found) and len(found) == 2):
        raise ModelFileError(f"'format' must be two version numbers, not {show(found)}")
    ours, theirs = ".".join(map(str, FORMAT)), ".".join(map(str, found))
    if found[0] != FORMAT[0]:
        raise ModelVersionError(
            f"has file format {theirs}, and this sklearn_attrec reads {FORMAT[0]}.x. "
            "Upgrade with pip install -U sklearn-attrec, or save the model anew."
        )
    if found[1] > FORMAT[1]:
        warnings.warn(
            f"a model file has format {theirs}, newer than the {ours} of this "
            "sklearn_attrec; what it does not know is ignored. Upgrade with pip "
            "install -U sklearn-attrec.",
            stacklevel=5,
        )


def _check_table(header, manifest, size):
    """Check that the arrays fill the data exactly, and each has a checksum."""
    for name, entry in header.items():
        if not isinstance(entry, dict) or set(entry) != ENTRY:
            raise ModelFileError(
                f"{show(name)} must have dtype, shape and data_offsets"
            )
        shape, place = entry["shape"], entry["data_offsets"]
        if not isinstance(entry["dtype"], str) or entry["dtype"] not in DTYPES:
            raise ModelFileError(
                f"{show(name)} has the unknown dtype {show(entry['dtype'])}"
            )
        # Beside a dimension of 0 another could be of any length.
        if not (
            _is_sizes(shape)
            and (len(shape) == 1 or (len(shape) == 2 and 0 not in shape))
        ):
            raise ModelFileError(f"{show(name)} has the impossible shape {show(shape)}")
        if not (_is_sizes(place) and len(place) == 2):
            raise ModelFileError(f"{show(name)} has the impossible place {show(place)}")
        width = np.dtype(DTYPES[entry["dtype"]]).itemsize
        if place[1] - place[0] != width * math.prod(shape) or place[0] % width:
            raise ModelFileError(
                f"{show(name)} has a place that does not fit its shape"
            )
    end = 0
    for name in sorted(header, key=lambda name: header[name]["data_offsets"]):
        if header[name]["data_offsets"][0] != end:
            raise ModelFileError(
                f"{show(name)} overlaps another array or leaves a hole"
            )
        end = header[name]["data_offsets"][1]
    if end != size:
        raise ModelCorruptError(f"is damaged: {size} bytes of data instead of {end}")
    hashes = manifest.get("sha256")
    if not isinstance(hashes, dict) or set(hashes) != set(header):
        raise ModelFileError("'sha256' must have a checksum for each array")


def _is_sizes(value):
    return isinstance(value, list) and all(
        type(number) is int and 0 <= number < 2**63 for number in value
    )


def _read_bytes(file, size):
    data = np.empty(size, dtype=np.uint8)
    if file.readinto(data.data) != size:
        raise ModelCorruptError("is damaged: it ends early")
    return data


def _check_hash(name, part, expected):
    if hashlib.sha256(part.data).hexdigest() != expected:
        raise ModelCorruptError(f"is damaged: {show(name)} does not match its SHA-256")


def _check_file_hash(file, begin, data, expected):
    file.seek(0)
    digest = hashlib.sha256(file.read(begin))
    digest.update(data.data)
    if digest.hexdigest() != expected.lower():
        raise ModelCorruptError(
            f"has SHA-256 {digest.hexdigest()}, expected was {expected.lower()}"
        )
