"""Model files put together by hand, with right checksums around anything.

Written from the description of the format, without the code that the tests are about.
"""

import hashlib
import json

import numpy as np

DTYPES = {f"I{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)}
DTYPES |= {f"U{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)}
DTYPES |= {f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def take_apart(content):
    """Return the manifest without checksums, the table of arrays, and the data."""
    end = 8 + int.from_bytes(content[:8], "little")
    table = json.loads(content[8:end])
    manifest = json.loads(table.pop("__metadata__")["sklearn_attrec"])
    del manifest["sha256"]
    return manifest, table, content[end:]


def arrays_of(table, data):
    """Return the arrays by name, each a copy."""
    found = {}
    for name, entry in table.items():
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]])
        found[name] = flat.reshape(entry["shape"]).copy()
    return found


def lay_out(arrays):
    """Return table and data of arrays, the widest first, as they are saved."""
    table, data = {}, b""
    for name in sorted(arrays, key=lambda name: (-arrays[name].itemsize, name)):
        value = arrays[name]
        place = [len(data), len(data) + value.nbytes]
        dtype = NAMES[value.dtype]
        shape = list(value.shape)
        table[name] = {"dtype": dtype, "shape": shape, "data_offsets": place}
        data += value.tobytes()
    return table, data


def put_together(manifest, table, data):
    """Return the bytes of a file; a manifest without checksums is given right ones."""
    if isinstance(manifest, dict) and "sha256" not in manifest:
        hashes = {name: hash_of(data, entry) for name, entry in table.items()}
        manifest = {**manifest, "sha256": hashes}
    return with_header(signed(spelled(manifest), table), data)


def signed(manifest, table):
    """Return the text of a header around the text of a manifest."""
    metadata = {"sklearn_attrec": manifest, "sklearn_attrec_sha256": ""}
    header = {"__metadata__": metadata, **table}
    metadata["sklearn_attrec_sha256"] = hashlib.sha256(
        spelled(header).encode()
    ).hexdigest()
    return spelled(header).encode()


def with_header(text, data):
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def spelled(value):
    """Return the one text that stands for a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def hash_of(data, entry):
    """Return the checksum of the array at an entry's place."""
    try:
        begin, end = entry["data_offsets"]
        return hashlib.sha256(data[begin:end]).hexdigest()
    except (KeyError, TypeError, ValueError):  # an attack on the place itself
        return "0" * 64


def changed(content, change):
    """Return a file with other contents and checksums that are right again.

    `change(manifest, arrays)` changes both in place.
    """
    manifest, table, data = take_apart(content)
    arrays = arrays_of(table, data)
    change(manifest, arrays)
    return put_together(manifest, *lay_out(arrays))


def with_table(content, change):
    """As `changed`, with `change(table)` for the places of the arrays."""
    manifest, table, data = take_apart(content)
    change(table)
    return put_together(manifest, table, data)
