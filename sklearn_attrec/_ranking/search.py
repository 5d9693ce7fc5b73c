"""Search of the whole catalogue: best items per query, ranks of target items."""

import warnings
from typing import NamedTuple

import numpy as np

from sklearn_attrec._interactions.sequences import find_items
from sklearn_attrec._ranking.blocks import map_blocks
from sklearn_attrec._ranking.exclusions import Exclusions
from sklearn_attrec._ranking.index_search import search_index
from sklearn_attrec._ranking.scores import Catalogue, scan
from sklearn_attrec._ranking.target_ranks import TargetRanks
from sklearn_attrec._ranking.top_k import TopK
from sklearn_attrec._ranking.vectors import item_parts, query_parts
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["RankedTargets", "best_items", "exact_scores", "rank_targets"]


class RankedTargets(NamedTuple):
    """Target items of n queries, ranked among all items; see `TargetRanks`."""

    ranks: np.ndarray  # (n,) float64
    is_repeat: np.ndarray  # (n,) whether the target is in the query's history
    best: np.ndarray  # (n, k) codes of the best items, best first; −1 if none is left


def best_items(model, queries, k, exclude_seen, rules, index=None):
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
    index : faiss.Index, default=None
        An index in which items are searched first.

    Returns
    -------
    items : ndarray of shape (n, min(k, n_items)), int64
        Item codes, best first; −1 if no item remains.
    scores : ndarray of shape (n, min(k, n_items)), float32
    """
    n, k = len(queries.users), min(k, len(model.items_))
    items, best = np.empty((n, k), dtype=np.int64), np.empty((n, k), np.float32)

    catalogue = _catalogue(model)
    if not model._uses_times():
        queries = queries.without_times()

    def read(rows):
        users, histories, times = queries.block(rows)
        vectors = query_parts(model, users, histories, times)
        exclusions = rules.block(rows)
        if exclude_seen:
            exclusions = exclusions.with_items_of(histories)
        return vectors, catalogue.scores(vectors), exclusions

    def rank(rows):
        _, scores, exclusions = read(rows)
        top = TopK(scores, k)
        scan(scores, exclusions, top)
        items[rows], best[rows] = top.best()

    def rank_by_index(rows):
        (vectors,), scores, exclusions = read(rows)
        found = search_index(index, vectors, scores, exclusions, k)
        items[rows], best[rows], is_full[rows] = found

    if index is None or rules.leave_few():
        map_blocks(rank, n, catalogue, k)
    else:
        is_full = np.empty(n, dtype=bool)
        map_blocks(rank_by_index, n, catalogue, k)
        others = np.flatnonzero(~is_full)
        map_blocks(lambda block: rank(others[block]), len(others), catalogue, k)
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
    ranks, is_repeat = np.full(n, np.inf), np.empty(n, dtype=bool)
    best = np.empty((n, k), dtype=np.int64)
    if not model._uses_times():
        queries = queries.without_times()
    queries, numbers = queries.unique()
    order = np.argsort(numbers, kind="stable")
    starts = np.searchsorted(numbers[order], np.arange(len(queries.users) + 1))

    catalogue = _catalogue(model)

    def rank(block):
        users, histories, times = queries.block(block)
        scores = catalogue.scores(query_parts(model, users, histories, times))
        rows = order[starts[block.start] : starts[block.stop]]
        within = numbers[rows] - block.start
        begin, end = histories.indptr[within], histories.indptr[within + 1]
        is_repeat[rows] = find_items(histories.items, begin, end, targets[rows])
        is_ranked = (targets[rows] >= 0) & ~(is_repeat[rows] & exclude_seen)
        ranked = rows[is_ranked]
        target_ranks = TargetRanks(scores, within[is_ranked], targets[ranked])
        top = TopK(scores, k)
        exclusions = Exclusions()
        if exclude_seen:
            exclusions = exclusions.with_items_of(histories)
        scan(scores, exclusions, target_ranks, *([top] if k else []))
        ranks[ranked], best[rows] = target_ranks.ranks, top.best()[0][within]

    map_blocks(rank, len(queries.users), catalogue, k)
    return RankedTargets(ranks, is_repeat, best)


def exact_scores(model, users, histories, times, items):
    """Return the scores of given items, as `best_items` does.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender.
    users, histories, times
        n queries, as in `query_parts`.
    items : ndarray of shape (n, m), int
        Item codes.

    Returns
    -------
    ndarray of shape (n, m), float32
    """
    scores = _catalogue(model).scores(query_parts(model, users, histories, times))
    rows = np.repeat(np.arange(len(items)), items.shape[1])
    return scores.exact(rows, items.ravel()).reshape(items.shape)


def _catalogue(model):
    return model._cached("catalogue", lambda: Catalogue(item_parts(model)))
