"""Best items from an approximate index of the item vectors, with exact scores."""

from contextlib import suppress

import numpy as np
from scipy.sparse import issparse

from sklearn_attrec._ranking.scores import largest_norm
from sklearn_attrec._ranking.vectors import item_parts, join_parts
from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.utils._optional_dependencies import import_optional

__all__ = ["build_index", "check_index", "search_index"]

# Number of items that are requested first, relative to k, and how much it grows for
# queries of which too many items are excluded.
FIRST, GROWTH = 2, 4
# An index is checked with the vectors of so many items, each of which should be among
# so many that it finds.
N_PROBES, PROBE_WIDTH = 8, 10
# Items that a query reads in a graph. With the 16 of faiss, too many are missed.
EF_SEARCH = 128
# If more is needed, the catalogue is searched exactly: a larger part of it, or so many
# items that those of a block of queries take much memory.
LARGEST_PART, LARGEST_WIDTH = 1 / 8, 2**12


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
    vectors = _index_vectors(model, slice(None))
    try:
        index = faiss.index_factory(vectors.shape[1], kind, faiss.METRIC_L2)
        index.train(vectors)
        index.add(vectors)
    except (RuntimeError, TypeError) as error:
        raise InvalidParameterError(
            f"The 'kind' argument of {caller} must be a description of an index that "
            f"faiss can build of {len(vectors)} vectors of {vectors.shape[1]} numbers. "
            f"Got {kind!r}: {error}"
        ) from error
    with suppress(RuntimeError):  # not a graph
        faiss.ParameterSpace().set_index_parameter(index, "efSearch", EF_SEARCH)
    return index


def check_index(model, index, caller):
    """Require an index of the item vectors of a model."""
    _refuse_sparse_vectors(model, caller)
    width = sum(part.shape[1] for part in item_parts(model)) + 1
    needed = len(model.items_), width
    found = getattr(index, "ntotal", None), getattr(index, "d", None)
    if found == needed and _finds_items(model, index):
        return
    got = "one of other vectors"
    if found != needed:
        got = f"{found[0]} of {found[1]}" if None not in found else type(index).__name__
    raise InvalidParameterError(
        f"The 'index' argument of {caller} must be the faiss index of {needed[0]} "
        f"vectors of {needed[1]} numbers that to_index() returns. Got {got}. Build it "
        "again after each fit."
    )


def _finds_items(model, index):
    """Return whether an index finds most of some items by their vectors."""
    items = np.linspace(0, index.ntotal - 1, N_PROBES).astype(np.int64)
    vectors = _index_vectors(model, items)  # (n, D)
    try:
        found = _search(index, vectors, min(PROBE_WIDTH, index.ntotal))  # (n, m)
    except (RuntimeError, TypeError):  # of an index of another kind
        return False
    is_item = (found >= 0) & (found < index.ntotal)
    found = np.where(is_item, found, 0)
    equal = _index_vectors(model, found.ravel()).reshape(*found.shape, -1)
    is_found = is_item & (equal == vectors[:, None]).all(axis=-1)  # (n, m)
    return np.count_nonzero(is_found.any(axis=1)) >= N_PROBES / 2


def _index_vectors(model, items):
    """Return the vectors of some items, all of the same length, (n, D) float32."""
    parts = item_parts(model)
    norm = model._cached("largest norm", lambda: largest_norm(parts))
    vectors = join_parts([part[items] for part in parts])
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    more = np.sqrt(np.maximum(norm**2 - squares, 0))
    return np.column_stack([vectors, more.astype(np.float32)])


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
        Of queries without `candidates` of their own.
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
    n, limit = len(vectors), min(index.ntotal * LARGEST_PART, LARGEST_WIDTH)
    items, best = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    is_full = np.zeros(n, dtype=bool)
    # A query without a history is popularity alone, of which an index knows little.
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
    faiss = import_optional("faiss", extra="faiss", needed_for="recommend(index=...)")
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
