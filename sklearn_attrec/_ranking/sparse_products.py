"""Inner products of sparse vectors."""

import numpy as np

__all__ = ["sparse_products"]

# Queries that need fewer products, as a fraction of those of dense queries, are
# multiplied entry by entry, which takes about 40 times as long per product.
FEW_PRODUCTS = 1 / 40


def sparse_products(queries, items):
    """Return the inner products of sparse queries and items.

    Parameters
    ----------
    queries : csr_array of shape (n, D)
        Without repeated entries; those of a row are sorted.
    items : csc_array of shape (n_items, D)

    Returns
    -------
    ndarray of shape (n, n_items)
    """
    starts = items.indptr[queries.indices]
    lengths = items.indptr[queries.indices + 1] - starts
    # Both ways add up the products of a query and an item in the order of the columns,
    # so the choice changes no bit of a score.
    if lengths.sum() < FEW_PRODUCTS * queries.shape[0] * items.nnz:
        return _products_of_entries(queries, items, starts, lengths)
    return np.ascontiguousarray((items @ queries.toarray().T).T)


def _products_of_entries(queries, items, starts, lengths):
    """Multiply each entry of a query by the column of the items that it meets.

    The column of entry e has `lengths[e]` numbers, from position `starts[e]` on.
    """
    n, n_items = queries.shape[0], items.shape[0]
    ends = np.cumsum(lengths)
    places = np.repeat(starts - (ends - lengths), lengths) + np.arange(lengths.sum())
    rows = np.repeat(np.arange(n) * n_items, np.diff(queries.indptr))
    products = np.repeat(queries.data, lengths) * items.data[places]
    scores = np.zeros(n * n_items, dtype=products.dtype)
    np.add.at(scores, np.repeat(rows, lengths) + items.indices[places], products)
    return scores.reshape(n, n_items)
