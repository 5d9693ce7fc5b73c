"""Compressed rows: many short lists of codes, one after the other."""

import numpy as np

__all__ = ["SQUARE", "check_csr", "check_square", "row_mates"]

# Dtype and names of the sizes of the arrays of a matrix of items by items.
SQUARE = {
    "data": ("f4", ("n_entries",)),
    "indices": ("i4 i8", ("n_entries",)),
    "indptr": ("i4 i8", ("n_items+1",)),
}


def check_csr(name, indptr, codes, n_codes, increasing=False):
    """Check that rows lie within their codes, and codes within a range.

    Compiled code that is handed wrong ones reads memory that is not its own.

    Parameters
    ----------
    name : str
        For the messages.
    indptr : ndarray of shape (n_rows + 1,)
        Where each row begins, and the last one ends.
    codes : ndarray of shape (n,)
    n_codes : int
        Codes must be less, and not negative.
    increasing : bool, default=False
        Whether the codes of a row must increase.

    Raises
    ------
    ValueError
        Naming what is wrong.
    """
    if indptr[0] != 0 or indptr[-1] != len(codes) or (indptr[1:] < indptr[:-1]).any():
        raise ValueError(f"'{name}.indptr' does not cut {len(codes)} codes into rows")
    if len(codes) and (codes.min() < 0 or codes.max() >= n_codes):
        outside = codes[(codes < 0) | (codes >= n_codes)]
        raise ValueError(
            f"'{name}' holds {len(outside)} codes outside 0 … {n_codes - 1}, the first "
            f"is {outside[0]}"
        )
    if increasing and (codes[1:] <= codes[:-1])[row_mates(indptr, len(codes))].any():
        raise ValueError(f"the codes of a row of '{name}' must increase")


def check_square(weights, n_items):
    """Check the arrays of a matrix of items by items.

    Parameters
    ----------
    weights : dict of ndarray
        As in `SQUARE`.
    n_items : int

    Raises
    ------
    ValueError
        As in `check_csr`.
    """
    check_csr("weights", weights["indptr"], weights["indices"], n_items, True)


def row_mates(indptr, n):
    """Tell of each entry but the last whether the next one is in the same row.

    Parameters
    ----------
    indptr : ndarray of shape (n_rows + 1,)
    n : int
        How many entries there are.

    Returns
    -------
    ndarray of shape (n - 1,), bool
    """
    mates = np.ones(max(n - 1, 0), dtype=bool)
    ends = indptr[1:-1]
    mates[ends[(ends > 0) & (ends < n)] - 1] = False
    return mates
