"""Model files assembled by hand, with correct checksums around any contents.

Written from the description of the format, without the code under test.
"""

import hashlib
import json

import numpy as np

DTYPES = {f"I{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)}
DTYPES |= {f"U{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)}
DTYPES |= {f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def split(content):
    """Return the manifest without checksums, the table of arrays, and the data."""
    end = 8 + int.from_bytes(content[:8], "little")
    table = json.loads(content[8:end])
    manifest = json.loads(table.pop("__metadata__")["sklearn_attrec"])
    del manifest["sha256"]
    return manifest, table, content[end:]


def arrays_of(content):
    """Return a copy of each array of a file, by name."""
    _, table, data = split(content)
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
        table[name] = {
            "dtype": NAMES[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [len(data), len(data) + value.nbytes],
        }
        data += value.tobytes()
    return table, data


def assemble(manifest, table, data):
    """Return the bytes of a file, with checksums unless the manifest has them."""
    if isinstance(manifest, dict) and "sha256" not in manifest:
        manifest = manifest | {"sha256": hashes_of(table, data)}
    return with_header(signed(canonical(manifest), table), data)


def signed(manifest, table):
    """Return the text of a header around the text of a manifest."""
    metadata = {"sklearn_attrec": manifest, "sklearn_attrec_sha256": ""}
    header = {"__metadata__": metadata, **table}
    digest = hashlib.sha256(canonical(header).encode()).hexdigest()
    metadata["sklearn_attrec_sha256"] = digest
    return canonical(header).encode()


def with_header(text, data=b""):
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def hashes_of(table, data):
    return {name: _hash_of(entry, data) for name, entry in table.items()}


def _hash_of(entry, data):
    try:
        begin, end = entry["data_offsets"]
        return hashlib.sha256(data[begin:end]).hexdigest()
    except (KeyError, TypeError, ValueError):  # an attack on the place itself
        return "0" * 64


def changed(content, change):
    """Return a file after `change(manifest, arrays)`, with correct checksums."""
    manifest, arrays = split(content)[0], arrays_of(content)
    change(manifest, arrays)
    return assemble(manifest, *lay_out(arrays))
