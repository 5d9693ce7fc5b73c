"""Vectors of items and of queries."""

from math import isfinite

import numpy as np
from scipy.sparse import csr_array, hstack, issparse

__all__ = ["finite_parts", "item_parts", "join_parts", "query_parts"]


def item_parts(model):
    """Return the parts of the item vectors; the last part is popularity.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender. The parts are computed once and cached in it.

    Returns
    -------
    list of ndarray or csc_array of shape (n_items, D_i), float32
    """
    return model._cached("item_parts", lambda: _build_item_parts(model))


def _build_item_parts(model):
    totals = model.item_counts_
    if (weights := model.history_weights_) is not None:
        totals = np.bincount(model.history_items_, weights, len(totals))
    popularity = totals / totals.sum()
    parts = finite_parts(model, [*model._item_parts(), popularity[:, None]])
    # Dense parts may be the model's own arrays. Sparse parts are copied: compiled code
    # does not check their indices, which may change in a memory-mapped file.
    return [part.tocsc(copy=True) if issparse(part) else part for part in parts]


def query_parts(model, users, histories, times):
    """Compute the vectors of queries.

    The vector of a query does not depend on the other queries, bit for bit.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender.
    users : ndarray of shape (n,), int
        User codes; −1 for users not seen in fit.
    histories : Sequences
        n sequences.
    times : ndarray of shape (n,) or None
        Times of the queries.

    Returns
    -------
    list of ndarray or csr_array, float32
        One dense array, (n, D), or a sparse one, (n, D − 1), and the last column. The
        last column is the weight of popularity. For a query without history, all other
        columns are 0.
    """
    is_empty = np.diff(histories.indptr) == 0
    popularity = np.where(is_empty, 1, model._popularity_weight())
    # With AVX-512, OpenBLAS reads registers it has not set when it multiplies five
    # columns by a vector: the product is right, a warning of an invalid value is not.
    # Vectors that are not finite are an error below.
    with np.errstate(invalid="ignore"):
        parts = [*model._query_parts(users, histories, times), popularity[:, None]]
    if not issparse(parts[0]):
        vectors = np.concatenate(parts, axis=1, dtype=np.float32)
        vectors[is_empty, :-1] = 0
        parts = [vectors]
    return finite_parts(model, parts)


def join_parts(parts):
    """Join the parts of vectors; the result is sparse if a part is sparse.

    Parameters
    ----------
    parts : list of ndarray or sparse array of shape (n, D_i)

    Returns
    -------
    ndarray or csr_array of shape (n, D), float32
    """
    if any(map(issparse, parts)):
        return hstack(list(map(csr_array, parts)), format="csr", dtype=np.float32)
    return np.hstack(parts)


def finite_parts(model, parts):
    """Convert the parts of vectors to float32 and check that they are finite.

    Parameters
    ----------
    model : BaseRecommender
        Named in the error message.
    parts : list of ndarray or sparse array of shape (n, D_i)

    Returns
    -------
    list of ndarray or sparse array of shape (n, D_i), float32

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    parts = [part.astype(np.float32, copy=False) for part in parts]
    for part in parts:
        numbers = part.data if issparse(part) else part
        # Extremes, unlike `np.isfinite(numbers)`, need no memory; NaN is propagated.
        if not isfinite(numbers.min(initial=0)) or not isfinite(numbers.max(initial=0)):
            raise ValueError(
                f"{type(model).__name__} has weights that are not finite numbers, so "
                "no item can be ranked. Fit it again."
            )
    return parts
