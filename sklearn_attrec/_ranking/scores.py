"""Scores of all items for a block of queries: sums of inner products."""

import numpy as np
from scipy.sparse import issparse

from sklearn_attrec._ranking.sparse_products import sparse_products
from sklearn_attrec._ranking.vectors import BLOCK_SIZE

__all__ = ["inner_products", "keep_items", "mask_items"]


def inner_products(queries, items):
    """Score all items for up to `BLOCK_SIZE` queries.

    The scores of a query do not depend on the other queries, bit for bit.

    Parameters
    ----------
    queries : sequence of ndarray or csr_array of shape (n, D_i), float32
        Parts of the query vectors.
    items : sequence of ndarray or csc_array of shape (n_items, D_i), float32
        Parts of the item vectors. A sparse part must be sparse in queries and items.
        Sparse item parts are CSC, so their transpose is CSR, and SciPy then computes
        each row of the product independently.

    Returns
    -------
    ndarray of shape (n, n_items), float32
        Sums of the inner products of the parts.
    """
    scores, columns = None, []
    for query, item in zip(queries, items, strict=True):
        if item.shape[1] == 1 and not issparse(item):
            columns.append((query[:, 0], item[:, 0]))
        elif scores is None:
            scores = _products(query, item)
        else:
            scores += _products(query, item)
    if scores is None:
        scores = np.zeros((len(queries[0]), len(items[0])), dtype=np.float32)
    scores = np.ascontiguousarray(scores)
    # A single column (popularity) is added in NumPy: BLAS would not be faster, and the
    # weight is 0 for most queries.
    for weights, column in columns:
        for row in np.flatnonzero(weights):
            scores[row] += weights[row] * column
    return scores


def _products(queries, items):
    """Return the inner products of one part, (n, n_items)."""
    if issparse(items):
        return sparse_products(queries, items)
    padded = np.zeros((BLOCK_SIZE, queries.shape[1]), dtype=queries.dtype)
    padded[: len(queries)] = queries
    return (items @ padded.T).T[: len(queries)]


def mask_items(scores, sequences):
    """Exclude the items of each sequence from its row of the ranking, in place.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items)
    sequences : Sequences
        n sequences, one per row of `scores`.
    """
    rows = np.repeat(np.arange(len(scores)), np.diff(sequences.indptr))
    scores[rows, sequences.items] = -np.inf


def keep_items(scores, sequences):
    """Exclude all items but those of each sequence from its row, in place.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items)
    sequences : Sequences
        n sequences, one per row of `scores`.
    """
    rows = np.repeat(np.arange(len(scores)), np.diff(sequences.indptr))
    kept = scores[rows, sequences.items]
    scores[:] = -np.inf
    scores[rows, sequences.items] = kept
