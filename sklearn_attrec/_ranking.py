"""Items ranked by inner product, in blocks of queries bounded in bytes."""

import numpy as np
from scipy.sparse import issparse

__all__ = [
    "BLOCK_SIZE",
    "inner_products",
    "mask_items",
    "ranks_of",
    "top_k",
    "unit_rows",
]

# Queries ranked at once: the memory of a block is that many times the catalogue. Every
# block is filled up to it, so that a query's scores do not depend, not even in their
# last bit, on how many others are asked along with it. 16 columns are one full tile of
# the matrix product of common BLAS kernels: narrower or wider ones round the columns of
# a last, partial tile differently.
BLOCK_SIZE = 16


def unit_rows(vectors):
    """Give every row length 1; rows of zeros stay.

    Parameters
    ----------
    vectors : ndarray or sparse array of shape (n, D)

    Returns
    -------
    ndarray or csr_array of shape (n, D)
    """
    if issparse(vectors):
        norms = np.sqrt((vectors * vectors).sum(axis=1))[:, None]
        return (vectors / np.where(norms > 0, norms, 1)).tocsr()
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)


def inner_products(queries, items):
    """Score items for up to `BLOCK_SIZE` queries, each independent of the others.

    Parameters
    ----------
    queries : sequence of ndarray or csr_array of shape (n, D_i), float32
        The parts of a query's vector.
    items : sequence of ndarray or csc_array of shape (n_items, D_i), float32
        The same parts of an item's. Sparse where those of the queries are: stored by
        column, as the rows of its transpose are what SciPy adds up, one query after
        the other.

    Returns
    -------
    ndarray of shape (n, n_items), float32
        The sum of the inner products of the parts.
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
    # BLAS gains nothing on one column, and few queries weigh popularity.
    for weights, column in columns:
        for row in np.flatnonzero(weights):
            scores[row] += weights[row] * column
    return scores


def _products(queries, items):
    """Inner products of one part, (n, n_items)."""
    if issparse(items):
        return (queries @ items.T).toarray()
    filled = np.zeros((BLOCK_SIZE, queries.shape[1]), dtype=queries.dtype)
    filled[: len(queries)] = queries
    return (items @ filled.T).T[: len(queries)]


def mask_items(scores, sequences):
    """Take each row's items out of the ranking, in place.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items)
    sequences : Sequences
        n sequences of item codes.
    """
    rows = np.repeat(np.arange(len(scores)), np.diff(sequences.indptr))
    scores[rows, sequences.items] = -np.inf


def top_k(scores, k):
    """Find the k largest scores of each row, best first.

    Ties go to the lower item code, whatever k is.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items)
        −inf marks what must not be recommended. Negated while the call lasts, and as
        they were afterwards.
    k : int

    Returns
    -------
    items : ndarray of shape (n, k), int64
        Item codes; −1 where fewer than k items remain.
    scores : ndarray of shape (n, k)
        Their scores; −inf where an item is missing.
    """
    n, n_items = scores.shape
    depth = min(k, n_items)
    # The best first, as it is slow to look for them behind many equal scores, such as
    # −inf; in place, as another such array is large. A slice would keep all places.
    np.negative(scores, out=scores)
    items = np.argpartition(scores, depth - 1, axis=1)[:, :depth].copy()
    np.negative(scores, out=scores)
    best = np.take_along_axis(scores, items, axis=1)
    # Which of several items that tie for the last place were picked is chance: such
    # rows are picked again, lowest code first.
    cut = best.min(axis=1)
    for row in np.flatnonzero((scores >= cut[:, None]).sum(axis=1) > depth):
        if cut[row] == -np.inf:
            continue
        tied = np.flatnonzero(scores[row] >= cut[row])
        items[row] = tied[np.argsort(-scores[row, tied], kind="stable")[:depth]]
    items.sort(axis=1)
    best = np.take_along_axis(scores, items, axis=1)
    order = np.argsort(-best, axis=1, kind="stable")
    items = np.take_along_axis(items, order, axis=1)
    best = np.take_along_axis(best, order, axis=1)
    items = np.where(best == -np.inf, -1, items)
    short = ((0, 0), (0, k - depth))
    return (
        np.pad(items, short, constant_values=-1),
        np.pad(best, short, constant_values=-np.inf),
    )


def ranks_of(scores, targets):
    """Rank each row's target among all items, 1 being the best.

    An item with the target's score counts as better: a model that gives every item
    the same score ranks each target last, not first.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items)
        −inf marks what must not be recommended.
    targets : ndarray of shape (n,), int
        Item codes; −1 for an item not in the catalogue.

    Returns
    -------
    ndarray of shape (n,), float64
        `inf` for a target that is unknown or must not be recommended.
    """
    score = scores[np.arange(len(targets)), targets]
    ranks = (scores >= score[:, None]).sum(axis=1).astype(np.float64)
    return np.where((targets < 0) | (score == -np.inf), np.inf, ranks)
