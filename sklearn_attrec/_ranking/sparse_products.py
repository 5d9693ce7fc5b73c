"""Inner products of sparse vectors."""

import numpy as np

__all__ = ["sparse_products"]

# Time of a product of two sparse matrices, in multiplications of a sparse and a dense
# one: of each of its multiplications, which are scattered, and of the call itself.
TIME_PER_PRODUCT, TIME_PER_CALL = 45, 100_000


def sparse_products(queries, items):
    """Return the inner products of sparse queries and items.

    Parameters
    ----------
    queries : csr_array of shape (n, D)
    items : csc_array of shape (n_items, D)

    Returns
    -------
    ndarray of shape (n, n_items)
    """
    n, D = queries.shape
    n_products = queries.nnz * items.nnz / D  # if all columns are equally long
    # Both ways add up the products of a query and an item in the same order, so the
    # choice changes no bit of a score.
    if n * items.nnz > TIME_PER_CALL + TIME_PER_PRODUCT * n_products:
        return (queries @ items.T).toarray()
    return np.ascontiguousarray((items @ queries.toarray().T).T)
