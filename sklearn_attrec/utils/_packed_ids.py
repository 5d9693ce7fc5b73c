"""Conversion of ids to numeric arrays, and back."""

import numpy as np
import pandas as pd

__all__ = ["pack_ids", "unpack_ids"]


def pack_ids(name, ids):
    """Convert ids to numeric arrays.

    Parameters
    ----------
    name : str
        Prefix of the names of the arrays.
    ids : ndarray of shape (n,)
        Numbers, or an object array of str.

    Returns
    -------
    dict of ndarray
        Numbers are unchanged, with the key `name`. Strings become two arrays, as in
        Arrow: `name.utf8` contains all strings, concatenated and encoded as UTF-8;
        `name.offsets`, (n + 1,) int64, contains the start of each string and the end of
        the last one.
    """
    if ids.dtype.kind != "O":
        return {name: ids}
    encoded = [text.encode() for text in ids]
    offsets = np.zeros(len(ids) + 1, dtype=np.int64)
    offsets[1:] = np.cumsum([len(text) for text in encoded])
    utf8 = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    return {f"{name}.offsets": offsets, f"{name}.utf8": utf8}


def unpack_ids(name, arrays, thorough=True):
    """Convert the arrays of `pack_ids` back to ids.

    Parameters
    ----------
    name : str
    arrays : dict of ndarray
        Contains the arrays of this name. They may come from an untrusted file.
    thorough : bool, default=True
        Whether to check for repeated ids, too.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError
        If the arrays do not contain valid ids. The message names the array.
    """
    if name in arrays:
        ids = arrays[name]
        if ids.dtype.kind == "f" and not np.isfinite(ids).all():
            raise ValueError(f"'{name}' contains ids that are not finite numbers")
    else:
        ids = _texts(name, arrays[f"{name}.offsets"], arrays[f"{name}.utf8"])
    # Without the dtype pandas imports pyarrow and copies strings into its memory.
    if thorough and not pd.Index(ids, dtype=ids.dtype).is_unique:
        raise ValueError(f"'{name}' contains an id more than once")
    return ids


def _texts(name, offsets, utf8):
    lengths = np.diff(offsets)
    is_complete = len(offsets) and offsets[0] == 0 and offsets[-1] == len(utf8)
    if not is_complete or (lengths <= 0).any() or (offsets < 0).any():
        raise ValueError(f"'{name}.offsets' does not divide '{name}.utf8' into ids")
    text, bounds = utf8.tobytes(), offsets.tolist()
    ids = np.empty(len(lengths), dtype=object)
    try:
        ids[:] = [
            text[begin:end].decode()
            for begin, end in zip(bounds[:-1], bounds[1:], strict=True)
        ]
    except UnicodeDecodeError as error:
        raise ValueError(f"'{name}.utf8' is not valid UTF-8: {error}") from error
    return ids
