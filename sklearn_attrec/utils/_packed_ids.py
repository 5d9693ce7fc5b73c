"""Ids as plain arrays, and back."""

import numpy as np
import pandas as pd

__all__ = ["pack_ids", "unpack_ids"]


def pack_ids(name, ids):
    """Turn ids into arrays without objects.

    Parameters
    ----------
    name : str
        Begins the names of the arrays.
    ids : ndarray of shape (n,)
        Numbers, or an object array of str.

    Returns
    -------
    dict of ndarray
        Numbers as they are, under `name`. Of text, all letters one after the other,
        encoded as UTF-8, `name.utf8`, and where each id begins and the last one ends,
        `name.offsets`, (n + 1,) int64: the layout of Arrow's strings.
    """
    if ids.dtype.kind != "O":
        return {name: ids}
    encoded = [text.encode() for text in ids]
    offsets = np.zeros(len(ids) + 1, dtype=np.int64)
    offsets[1:] = np.cumsum([len(text) for text in encoded])
    letters = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    return {f"{name}.offsets": offsets, f"{name}.utf8": letters}


def unpack_ids(name, arrays, thorough=True):
    """Turn the arrays of `pack_ids` into ids again.

    Parameters
    ----------
    name : str
    arrays : dict of ndarray
        Holds the arrays of this name, from a source that is not trusted.
    thorough : bool, default=True
        Whether to look for repeated ids, too.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError
        Naming the array, if no ids can have been packed this way.
    """
    if name in arrays:
        ids = arrays[name]
        if ids.dtype.kind == "f" and not np.isfinite(ids).all():
            raise ValueError(f"'{name}' holds ids that are not finite numbers")
    else:
        ids = _texts(name, arrays[f"{name}.offsets"], arrays[f"{name}.utf8"])
    # Left to itself pandas copies text into Arrow's memory, and imports that first.
    if thorough and not pd.Index(ids, dtype=ids.dtype).is_unique:
        raise ValueError(f"'{name}' holds an id twice")
    return ids


def _texts(name, offsets, letters):
    lengths = np.diff(offsets)
    whole = offsets[0] == 0 and offsets[-1] == len(letters)
    if not whole or (lengths <= 0).any() or (offsets < 0).any():
        raise ValueError(f"'{name}.offsets' does not cut '{name}.utf8' into ids")
    text, bounds = letters.tobytes(), offsets.tolist()
    ids = np.empty(len(lengths), dtype=object)
    try:
        ids[:] = [
            text[begin:end].decode()
            for begin, end in zip(bounds[:-1], bounds[1:], strict=True)
        ]
    except UnicodeDecodeError as error:
        raise ValueError(f"'{name}.utf8' is not valid UTF-8: {error}") from error
    return ids
