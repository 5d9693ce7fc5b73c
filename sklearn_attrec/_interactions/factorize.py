"""Numbers of ids."""

import numpy as np
import pandas as pd

__all__ = ["factorize"]


def factorize(ids):
    """Number ids in the order of their first appearance, as `pd.factorize` does.

    Parameters
    ----------
    ids : ndarray of shape (n,)
        Without missing values.

    Returns
    -------
    codes : ndarray of shape (n,), int64
    unique : ndarray of shape (n_unique,)
    """
    codes, unique = pd.factorize(ids)
    # Before pandas 3, text ends at "\0" here: "a" and "a\0" get the same number.
    if ids.dtype.kind == "O" and (unique[codes] != ids).any():
        numbers = {}
        numbered = (numbers.setdefault(x, len(numbers)) for x in ids)
        codes = np.fromiter(numbered, dtype=np.int64, count=len(ids))
        unique = np.fromiter(numbers, dtype=object, count=len(numbers))
    return codes, unique
