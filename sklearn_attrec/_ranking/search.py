"""Search of the whole catalogue: best items per query, ranks of target items."""

import warnings
from typing import NamedTuple

import numpy as np

from sklearn_attrec._interactions.sequences import find_items
from sklearn_attrec._ranking.scores import inner_products, mask_items
from sklearn_attrec._ranking.target_ranks import ranks_of
from sklearn_attrec._ranking.top_k import top_k
from sklearn_attrec._ranking.vectors import item_parts, query_blocks
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["RankedTargets", "best_items", "rank_targets"]


class RankedTargets(NamedTuple):
    """Target items of n queries, ranked among all items; see `ranks_of`."""

    ranks: np.ndarray  # (n,) float64
    is_repeat: np.ndarray  # (n,) whether the target is in the query's history
    best: np.ndarray  # (n, k) codes of the best items, best first; −1 if none is left


def best_items(model, queries, k, exclude_seen, rules):
    """Find the best items of each query.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender.
    queries : Queries
        n queries.
    k : int
        Number of items per query. At most the whole catalogue is returned.
    exclude_seen : bool
        Whether to exclude the items of each query's history.
    rules : Rules
        Items that may be recommended to each query.

    Returns
    -------
    items : ndarray of shape (n, min(k, n_items)), int64
        Item codes, best first; −1 if no item remains.
    scores : ndarray of shape (n, min(k, n_items)), float32
    """
    n, k = len(queries.users), min(k, len(model.items_))
    items, best = np.empty((n, k), dtype=np.int64), np.empty((n, k), np.float32)
    for rows, _, scores in _score_blocks(model, queries, exclude_seen):
        rules.apply(scores, rows)
        items[rows], best[rows] = top_k(scores, k)
    empty = np.flatnonzero(items[:, 0] < 0)
    if len(empty):
        example = short_repr(queries.ids[empty[0]])
        _warn_of_no_items(model, len(empty), example, exclude_seen, rules.has_exclude)
    return items, best


def _warn_of_no_items(model, count, example, exclude_seen, has_exclude):
    """Warn that no item is left for some queries, and say what excludes them."""
    causes, remedies = [], []
    if exclude_seen:
        causes.append("the user's history")
        remedies.append("exclude_seen=False to recommend seen items too")
    if has_exclude:
        causes.append("'exclude'")
        remedies.append("fewer items in 'exclude'")
    warnings.warn(
        f"{type(model).__name__}: no item is left to recommend to {count} user(s), for "
        f"example {example}: every candidate item is in {' or '.join(causes)}. Pass "
        f"{' or '.join(remedies)}.",
        stacklevel=4,
    )


def rank_targets(model, queries, targets, exclude_seen, k=0):
    """Rank each query's target item among all items.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender.
    queries : Queries
        n queries.
    targets : ndarray of shape (n,), int
        Item codes; −1 for an item not seen in fit.
    exclude_seen : bool
        Whether to exclude the items of each query's history.
    k : int, default=0
        Number of best items to return with the ranks.

    Returns
    -------
    RankedTargets
    """
    n, k = len(targets), min(k, len(model.items_))
    ranks, is_repeat = np.empty(n), np.empty(n, dtype=bool)
    best = np.empty((n, k), dtype=np.int64)
    queries, numbers = queries.unique()
    order = np.argsort(numbers, kind="stable")
    starts = np.searchsorted(numbers[order], np.arange(len(queries.users) + 1))
    for block, histories, scores in _score_blocks(model, queries, exclude_seen):
        rows = order[starts[block.start] : starts[block.stop]]
        within = numbers[rows] - block.start
        begin, end = histories.indptr[within], histories.indptr[within + 1]
        is_repeat[rows] = find_items(histories.items, begin, end, targets[rows])
        for part in _parts(len(rows), len(scores)):
            ranks[rows[part]] = ranks_of(scores[within[part]], targets[rows[part]])
        if k:
            best[rows] = top_k(scores, k)[0][within]
    return RankedTargets(ranks, is_repeat, best)


def _parts(n, size):
    """Divide n rows into slices of a given size."""
    return [slice(start, start + size) for start in range(0, n, size)]


def _score_blocks(model, queries, exclude_seen):
    """Yield rows, histories and scores of each block; −inf marks excluded items."""
    items = item_parts(model)
    for rows, histories, parts in query_blocks(model, queries):
        scores = inner_products(parts, items)  # (BLOCK_SIZE, n_items)
        if exclude_seen:
            mask_items(scores, histories)
        yield rows, histories, scores[: rows.stop - rows.start]
