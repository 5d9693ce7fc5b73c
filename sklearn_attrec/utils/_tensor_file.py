"""Files of named arrays and a manifest, with checksums that are verified on reading.

The layout is the safetensors format, so that other programs can read the arrays::

    8 bytes   length of the header, little-endian
    header    JSON, padded with spaces to a multiple of 8 bytes
    data      the arrays, one after the other, without gaps

The header contains dtype, shape and offsets of each array. Its `__metadata__` contains
the manifest, with the SHA-256 of each array, and the SHA-256 of the header itself.
A file contains only text and numbers: reading it never imports or runs code from it.
"""

import contextlib
import hashlib
import json
import math
import mmap as memory_map
import operator
import os
import stat
import warnings

import numpy as np

from sklearn_attrec.exceptions import (
    ModelCorruptError,
    ModelFileError,
    ModelVersionError,
)
from sklearn_attrec.utils._atomic_file import replacing
from sklearn_attrec.utils._short_repr import short_repr

__all__ = [
    "FORMAT",
    "UPGRADE",
    "file_errors",
    "read_manifest",
    "read_tensors",
    "with_prefix",
    "write_tensors",
]

# Major and minor version. Files with a newer minor version are read with a warning,
# unless their model has settings that this version does not know; files with another
# major version raise an error.
FORMAT = (1, 2)

# Maximum size of the header in bytes: it is read before any checksum is verified.
MAX_HEADER = 2**20

DTYPES = {
    **{f"I{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": f"<f{size}" for size in (4, 8)},
}
NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}

# Keys of each array's entry in the header.
ENTRY = {"dtype", "shape", "data_offsets"}

MANIFEST, CHECKSUM = "sklearn_attrec", "sklearn_attrec_sha256"
# Each file has these bytes after the length, because the keys of the header are sorted.
MAGIC = b'{"__metadata__":{"sklearn_attrec":"'
OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive, for example .keras, .npz, .skops or PyTorch's .pt",
    b"\x89HDF": "an HDF5 file, for example Keras's .h5",
    b"\x80": "a pickle, for example of joblib; a pickle can run code and is never read",
}


UPGRADE = (
    "Upgrade with pip install -U sklearn-attrec (without TensorFlow: "
    "sklearn-attrec-core)"
)


def write_tensors(path, manifest, tensors):
    """Write a file; if this fails, an existing file is unchanged.

    Parameters
    ----------
    path : str or PathLike
    manifest : dict
        Values that JSON can represent.
    tensors : dict of ndarray
        Numeric arrays. Their names begin with a lower-case letter.

    Raises
    ------
    OSError
        If the file cannot be written.
    TypeError
        If the format does not support the dtype of an array.
    """
    for name, value in tensors.items():
        if value.dtype.newbyteorder("<") not in NAMES:
            raise TypeError(
                f"a model file cannot contain {name!r} of dtype {value.dtype}"
            )
    tensors = {
        name: np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        for name, value in tensors.items()
    }
    # Largest item size first: each array then starts at a multiple of its item size.
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
            f"the header needs {len(text)} bytes, but at most {MAX_HEADER} are "
            "allowed: the model has too many separate arrays"
        )
    with replacing(path) as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name in order:
            file.write(tensors[name].data)


def read_tensors(path, *, mmap=False, verify="full", expected_sha256=None):
    """Read a file and run the checks common to model files and checkpoints.

    Parameters
    ----------
    path : str or PathLike
    mmap : bool, default=False
        Whether to memory-map the arrays instead of reading them.
    verify : {'full', 'header'}, default='full'
        'full' checks the SHA-256 of the header and of each array, 'header' only that
        of the header.
    expected_sha256 : str, default=None
        SHA-256 of the whole file; None does not check it.

    Returns
    -------
    manifest : dict
    tensors : dict of ndarray
        All arrays are views of one block of memory.

    Raises
    ------
    OSError
        If the file cannot be opened or read.
    ModelFileError
        If the file is damaged or was not written by `write_tensors`.
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
    """Read the manifest and the header of a file, without the arrays.

    Parameters
    ----------
    path : str or PathLike

    Returns
    -------
    manifest : dict
    header : dict of dict
        `dtype`, `shape` and `data_offsets` of each array.
    size : int
        Size of the file in bytes.
    """
    with file_errors(path), _open_regular(path) as file:
        manifest, header, _, size = _read_header(file)
    return manifest, header, size


@contextlib.contextmanager
def file_errors(path):
    """Prepend the path to the message of each `ModelFileError`."""
    try:
        yield
    except ModelFileError as error:
        raise type(error)(f"{os.fspath(path)!r}: {error}") from error.__cause__


def with_prefix(tensors, prefix):
    """Select the arrays whose names begin with a prefix; remove it from the names.

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
    # Opening a pipe can wait forever, and reading a device may never end.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ModelFileError("is not a regular file")
    return os.fdopen(descriptor, "rb")


def _read_header(file):
    """Return the manifest, the header, the start of the data and the file size."""
    size = os.fstat(file.fileno()).st_size
    start = file.read(8 + len(MAGIC))
    if start[8:] != MAGIC:
        # A file that matches most bytes of MAGIC is a damaged model file. Other
        # safetensors files match only half of them.
        n_equal = sum(map(operator.eq, start[8:], MAGIC))
        is_model = n_equal > 0.75 * len(MAGIC)
        for magic, kind in OTHER_FORMATS.items():
            # The length of a model file may look like the start of another format.
            if start.startswith(magic) and not is_model:
                raise ModelFileError(
                    f"is not a model file of sklearn_attrec but {kind}"
                )
        # Truncated files and files with a few wrong bytes can still be recognised as
        # model files.
        if is_model or MAGIC.startswith(start[8:]):
            raise ModelCorruptError("is damaged: its first bytes are wrong or missing")
        raise ModelFileError("is not a model file of sklearn_attrec")
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
    """Return the manifest and the header; raise an error if they are damaged."""
    try:
        header = json.loads(text.decode())
        metadata = header.pop("__metadata__")
        manifest = json.loads(metadata[MANIFEST])
        # Only the exact text that `write_tensors` writes is accepted: no repeated keys,
        # other number formats or additional content.
        intact = text == _header_text(header, _json(manifest))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelCorruptError(
            "is damaged: its header is invalid or was changed"
        ) from error
    if not intact or not isinstance(manifest, dict):
        raise ModelCorruptError("is damaged: its header is invalid or was changed")
    return manifest, header


def _header_text(header, manifest):
    """Return the header as bytes, with its checksum."""
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
        raise ModelFileError(
            f"'format' must be two version numbers, not {short_repr(found)}"
        )
    file_version, version = ".".join(map(str, found)), ".".join(map(str, FORMAT))
    if found[0] != FORMAT[0]:
        raise ModelVersionError(
            f"has file format {file_version}, but this version of sklearn_attrec reads "
            f"{FORMAT[0]}.x. {UPGRADE}, or fit the model again and save it with this "
            "version."
        )
    if found[1] > FORMAT[1]:
        warnings.warn(
            f"a model file has format {file_version}, newer than the {version} of this "
            f"version of sklearn_attrec; unknown entries are ignored. {UPGRADE}.",
            stacklevel=5,
        )


def _check_table(header, manifest, size):
    """Check that the arrays cover the data exactly and that each has a checksum."""
    for name, entry in header.items():
        if not isinstance(entry, dict) or set(entry) != ENTRY:
            raise ModelFileError(
                f"{short_repr(name)} must have dtype, shape and data_offsets"
            )
        shape, offsets = entry["shape"], entry["data_offsets"]
        if not isinstance(entry["dtype"], str) or entry["dtype"] not in DTYPES:
            raise ModelFileError(
                f"{short_repr(name)} has the unknown dtype {short_repr(entry['dtype'])}"
            )
        # If one dimension is 0, the other one could be any number.
        if not (
            _is_sizes(shape)
            and (len(shape) == 1 or (len(shape) == 2 and 0 not in shape))
        ):
            raise ModelFileError(
                f"{short_repr(name)} has the invalid shape {short_repr(shape)}"
            )
        if not (_is_sizes(offsets) and len(offsets) == 2):
            raise ModelFileError(
                f"{short_repr(name)} has the invalid data_offsets {short_repr(offsets)}"
            )
        size_of_item = np.dtype(DTYPES[entry["dtype"]]).itemsize
        n_bytes = offsets[1] - offsets[0]
        if n_bytes != size_of_item * math.prod(shape) or offsets[0] % size_of_item:
            raise ModelFileError(
                f"{short_repr(name)} has data_offsets that do not fit its shape"
            )
    end = 0
    for name in sorted(header, key=lambda name: header[name]["data_offsets"]):
        if header[name]["data_offsets"][0] != end:
            raise ModelFileError(
                f"{short_repr(name)} overlaps another array or leaves a gap"
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
        raise ModelCorruptError(
            f"is damaged: {short_repr(name)} does not match its SHA-256"
        )


def _check_file_hash(file, begin, data, expected):
    file.seek(0)
    digest = hashlib.sha256(file.read(begin))
    digest.update(data.data)
    if digest.hexdigest() != expected.lower():
        raise ModelCorruptError(
            f"has SHA-256 {digest.hexdigest()}, but expected_sha256 is "
            f"{expected.lower()}"
        )
