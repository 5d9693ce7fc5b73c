"""Similar items, by the cosine similarity of their vectors."""

import numpy as np
from scipy.sparse import issparse

from sklearn_attrec._ranking.blocks import map_blocks
from sklearn_attrec._ranking.exclusions import Exclusions, Pairs
from sklearn_attrec._ranking.scores import Catalogue, scan
from sklearn_attrec._ranking.top_k import TopK

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
    catalogue = Catalogue([vectors.tocsc() if issparse(vectors) else vectors])
    similar = np.empty((len(items), k), dtype=np.int64)
    scores = np.empty((len(items), k), dtype=np.float32)

    def rank(rows):
        cosines = catalogue.scores([vectors[items[rows]]])
        itself = Pairs(np.arange(len(items[rows])), items[rows])
        exclusions = Exclusions(excluded, per_query=(itself,))
        top = TopK(cosines, k)
        scan(cosines, exclusions, top)
        similar[rows], scores[rows] = top.best()

    map_blocks(rank, len(items), catalogue, k)
    return similar, scores


def _unit_rows(vectors):
    """Scale each row to length 1; rows of zeros are unchanged."""
    if issparse(vectors):
        norms = np.sqrt((vectors * vectors).sum(axis=1))[:, None]
        return (vectors / np.where(norms > 0, norms, 1)).tocsr()
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)
