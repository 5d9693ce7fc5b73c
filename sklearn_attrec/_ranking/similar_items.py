"""Similar items, by the cosine similarity of their vectors."""

import numpy as np
from scipy.sparse import issparse

from sklearn_attrec._ranking.scores import inner_products
from sklearn_attrec._ranking.top_k import top_k
from sklearn_attrec._ranking.vectors import BLOCK_SIZE

__all__ = ["most_similar"]


def most_similar(vectors, items, k, excluded):
    """Find the items with the largest cosine similarity to each given item.

    Parameters
    ----------
    vectors : ndarray or sparse array of shape (n_items, D), float32
    items : ndarray of shape (n,), int
        Item codes.
    k : int
        Number of similar items per given item, at most n_items.
    excluded : ndarray of shape (n_items,), bool
        Items that are not returned.

    Returns
    -------
    similar : ndarray of shape (n, k), int64
        Item codes, most similar first, without the given item itself; −1 if fewer than
        k other items remain.
    scores : ndarray of shape (n, k), float32
        Cosine similarities.
    """
    vectors = _unit_rows(vectors)
    catalogue = vectors.tocsc() if issparse(vectors) else vectors
    similar = np.empty((len(items), k), dtype=np.int64)
    scores = np.empty((len(items), k), dtype=np.float32)
    for start in range(0, len(items), BLOCK_SIZE):
        rows = slice(start, min(start + BLOCK_SIZE, len(items)))
        block = items[rows]
        cosines = inner_products([vectors[block]], [catalogue])  # (block, n_items)
        cosines[np.arange(len(block)), block] = -np.inf
        cosines[:, excluded] = -np.inf
        similar[rows], scores[rows] = top_k(cosines, k)
    return similar, scores


def _unit_rows(vectors):
    """Scale each row to length 1; rows of zeros are unchanged."""
    if issparse(vectors):
        norms = np.sqrt((vectors * vectors).sum(axis=1))[:, None]
        return (vectors / np.where(norms > 0, norms, 1)).tocsr()
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)
