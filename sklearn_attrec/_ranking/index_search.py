"""Best items from an approximate index of the item vectors, with exact scores."""

import numpy as np
from scipy.sparse import issparse

from sklearn_attrec._ranking.vectors import item_parts, join_parts
from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.utils._optional_dependencies import import_optional

__all__ = ["build_index", "check_index", "search_index"]

# Number of items that are requested first, relative to k, and how much it grows for
# queries of which too many items are excluded.
FIRST, GROWTH = 2, 4
# Items that a query reads in a graph. With the 16 of faiss, too many are missed.
EF_SEARCH = 128
# A larger part of the catalogue is searched exactly.
LARGEST_PART = 1 / 8


def build_index(model, kind, caller):
    """Add the item vectors of a model to a new index of faiss.

    The largest inner products become the smallest distances: a further number gives all
    vectors the same length (Bachrach et al. 2014). Indexes find more of the best items
    by distance than by inner product.

    Parameters
    ----------
    model : BaseRecommender
    kind : str
        Description for `faiss.index_factory`.
    caller : str
        Name of the calling method; error messages begin with it.

    Returns
    -------
    faiss.Index
    """
    _refuse_sparse_vectors(model, caller)
    faiss = import_optional("faiss", extra="faiss", needed_for=caller)
    vectors = join_parts([*item_parts(model), np.zeros((len(model.items_), 1))])
    vectors = vectors.astype(np.float32, copy=False)
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    vectors[:, -1] = np.sqrt(squares.max() - squares)
    try:
        index = faiss.index_factory(vectors.shape[1], kind, faiss.METRIC_L2)
        index.train(vectors)
        index.add(vectors)
        if hasattr(index, "hnsw"):
            index.hnsw.efSearch = EF_SEARCH
    except (RuntimeError, TypeError) as error:
        raise InvalidParameterError(
            f"The 'kind' argument of {caller} must be a description that "
            f"faiss.index_factory accepts. Got {kind!r}: {error}"
        ) from error
    return index


def check_index(model, index, caller):
    """Require an index of the item vectors of a model."""
    _refuse_sparse_vectors(model, caller)
    width = sum(part.shape[1] for part in item_parts(model)) + 1
    needed = len(model.items_), width
    found = getattr(index, "ntotal", None), getattr(index, "d", None)
    if found != needed:
        got = f"{found[0]} of {found[1]}" if None not in found else type(index).__name__
        raise InvalidParameterError(
            f"The 'index' argument of {caller} must be the faiss index of "
            f"{needed[0]} vectors of {needed[1]} numbers that to_index() returns. Got "
            f"{got}. Build it again after each fit."
        )


def search_index(index, vectors, scores, exclusions, k):
    """Find the best items of a block of queries among those that an index returns.

    Parameters
    ----------
    index : faiss.Index
    vectors : ndarray of shape (n, D), float32
        Query vectors.
    scores : DenseScores
        Their scores.
    exclusions : Exclusions
    k : int
        At most n_items.

    Returns
    -------
    items : ndarray of shape (n, k), int64
        Item codes, best first. Among equal scores, lower codes come first.
    best : ndarray of shape (n, k), float32
        Their exact scores.
    is_full : ndarray of shape (n,), bool
        Whether the index returned k items that are not excluded; rows of other queries
        must not be read.
    """
    n, limit = len(vectors), index.ntotal * LARGEST_PART
    items, best = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    is_full = np.zeros(n, dtype=bool)
    # Popularity alone, of queries without a history, is no use of an index.
    pending, width = np.flatnonzero(vectors[:, :-1].any(axis=1)), FIRST * k
    queries = np.column_stack([vectors, np.zeros(n, np.float32)])
    while len(pending) and width <= limit:
        found = _search(index, queries[pending], width)  # (n_pending, width)
        rows = np.repeat(pending, width)
        is_allowed = found >= 0
        found[~is_allowed] = 0
        is_allowed &= ~exclusions.contain(rows, found.ravel()).reshape(found.shape)
        exact = scores.exact(rows, found.ravel()).reshape(found.shape)
        order = np.lexsort((found, np.where(is_allowed, -exact, np.inf)))[:, :k]
        is_done = np.count_nonzero(is_allowed, axis=1) >= k
        done = pending[is_done]
        items[done] = np.take_along_axis(found, order, axis=1)[is_done]
        best[done] = np.take_along_axis(exact, order, axis=1)[is_done]
        is_full[done] = True
        pending, width = pending[~is_done], width * GROWTH
    return items, best, is_full


def _search(index, queries, width):
    """Return the codes of the nearest items, (n, width); −1 if there are fewer."""
    faiss = import_optional("faiss", extra="faiss", needed_for="index")
    # Blocks of queries have threads already.
    n_threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        return index.search(queries, width)[1]
    finally:
        faiss.omp_set_num_threads(n_threads)


def _refuse_sparse_vectors(model, caller):
    if issparse(item_parts(model)[0]):
        raise TypeError(
            f"{caller}: the vectors of {type(model).__name__} are sparse, but an index "
            "has dense vectors. Its exact search is fast; call recommend() without "
            "index."
        )
