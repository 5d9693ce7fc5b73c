"""Compressed sparse rows (CSR): lists of codes, concatenated in one array."""

import numpy as np

__all__ = ["SPARSE_ITEMS", "check_csr", "check_sparse_items", "row_mates"]

# Dtypes and shapes of the arrays of a sparse matrix of shape (n_items, n_items).
SPARSE_ITEMS = {
    "data": ("f4", ("n_entries",)),
    "indices": ("i4 i8", ("n_entries",)),
    "indptr": ("i4 i8", ("n_items+1",)),
}


def check_csr(name, indptr, codes, n_codes, increasing=False):
    """Check that `indptr` fits the codes and that all codes are in range.

    Otherwise compiled code could access memory outside the arrays.

    Parameters
    ----------
    name : str
        Name of the arrays, for error messages.
    indptr : ndarray of shape (n_rows + 1,)
        Start of each row in `codes`; the last element is the end.
    codes : ndarray of shape (n,)
    n_codes : int
        Codes must be in the range 0 .. n_codes - 1.
    increasing : bool, default=False
        Whether the codes of a row must increase.

    Raises
    ------
    ValueError
        If a check fails. The message names the array.
    """
    if indptr[0] != 0 or indptr[-1] != len(codes) or (indptr[1:] < indptr[:-1]).any():
        raise ValueError(
            f"'{name}.indptr' is not a valid index pointer for {len(codes)} codes"
        )
    if len(codes) and (codes.min() < 0 or codes.max() >= n_codes):
        outside = codes[(codes < 0) | (codes >= n_codes)]
        raise ValueError(
            f"'{name}' contains {len(outside)} codes outside the range 0 to "
            f"{n_codes - 1}; the first is {outside[0]}"
        )
    if increasing and (codes[1:] <= codes[:-1])[row_mates(indptr, len(codes))].any():
        raise ValueError(f"the codes of a row of '{name}' must increase")


def check_sparse_items(weights, n_items):
    """Check the arrays of a sparse matrix of shape (n_items, n_items).

    Parameters
    ----------
    weights : dict of ndarray
        As in `SPARSE_ITEMS`.
    n_items : int

    Raises
    ------
    ValueError
        As in `check_csr`.
    """
    check_csr("weights", weights["indptr"], weights["indices"], n_items, True)


def row_mates(indptr, n):
    """Return a mask: True if the next entry is in the same row.

    The last entry is left out.

    Parameters
    ----------
    indptr : ndarray of shape (n_rows + 1,)
    n : int
        Number of entries.

    Returns
    -------
    ndarray of shape (n - 1,), bool
    """
    mates = np.ones(max(n - 1, 0), dtype=bool)
    ends = indptr[1:-1]
    mates[ends[(ends > 0) & (ends < n)] - 1] = False
    return mates
