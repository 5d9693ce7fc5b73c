"""Rows to be scored: their queries, and warnings if their scores mean little."""

import warnings
from typing import NamedTuple

import numpy as np

from sklearn_attrec._interactions.column_names import TIME
from sklearn_attrec._interactions.factorize import factorize
from sklearn_attrec._interactions.sequences import Sequences, count_until, find_items
from sklearn_attrec._ranking.known_ids import lookup
from sklearn_attrec._ranking.queries import (
    Queries,
    check_unknown_users,
    fitted_period,
)
from sklearn_attrec._ranking.query_times import comparable_times, warn_of_other_period
from sklearn_attrec.exceptions import (
    InteractionsError,
    LeakageWarning,
    NoHistoryWarning,
    SeenItemWarning,
    TimeTieWarning,
)
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["ScoredRows", "read_rows", "warn_of_rows", "warn_of_seen_items"]


class ScoredRows(NamedTuple):
    """n rows of interactions whose items are to be ranked."""

    queries: Queries
    targets: np.ndarray  # (n,) item codes, −1 for an item not seen in fit
    times: np.ndarray | None  # (n,)
    fitted: Sequences  # the training rows, with times in the same unit
    fitted_ends: np.ndarray | None  # (n,) end of the user's training rows up to times
    context: str


def read_rows(model, interactions, context, caller):
    """Find the query of each row.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender.
    interactions : Interactions
        Checked columns of n rows.
    context : {'fit', 'earlier'}
        'fit' reads the training rows of the user up to the time of the row. 'earlier'
        also reads the user's rows with an earlier time or, without times, the user's
        previous rows.
    caller : str
        Name of the calling method; error messages begin with it.

    Returns
    -------
    ScoredRows
    """
    ids, times = interactions.users, interactions.times
    targets = lookup(model, "items_", interactions.items)
    users = lookup(model, "users_", ids)
    fitted = model._sequences()
    ends = None
    if times is not None:
        times, fitted_times = comparable_times(times, fitted.times, caller)
        fitted = fitted._replace(times=fitted_times)
        warn_of_other_period(
            times[users >= 0],
            fitted_period(model, fitted),
            "fit",
            caller,
            warn_of_early=False,  # LeakageWarning says so
            stacklevel=5,
        )
        ends = count_until(fitted, users, times)
    queries = Queries(ids, users, fitted, users, ends, times)
    if context == "earlier":
        if times is None and model._uses_times():
            raise InteractionsError(
                f"{caller}: context='earlier' adds the rows to the histories, and the "
                f"model, fitted with time_bias, reads the times of histories. Add a "
                f"column {TIME!r}, or pass context='fit'."
            )
        queries = _with_earlier_rows(queries, targets, times)
    is_unknown = (users < 0) & (queries.lengths() == 0)
    check_unknown_users(model, ids, np.where(is_unknown, -1, 0), caller)
    return ScoredRows(queries, targets, times, fitted, ends, context)


def _with_earlier_rows(queries, targets, times):
    """Add the earlier rows of each user, as given by `queries`, to its history.

    All rows are sorted by user and time. Within a user and a time come first the
    training rows, then the queries, then the rows to be scored: what precedes a query
    is its history.
    """
    n, fitted, given_times = len(targets), queries.source, times
    group, ids = factorize(queries.ids)
    user_of_group = np.empty(len(ids), dtype=np.int64)
    user_of_group[group] = queries.users
    selected = fitted.select(user_of_group)
    n_fitted = len(selected.items)
    if times is None:  # training rows, then the rows in their order
        fitted_times, times = np.full(n_fitted, -1), np.arange(n)
    else:
        fitted_times = selected.times
    known = targets >= 0  # other items cannot be part of a history
    fitted_group = np.repeat(np.arange(len(ids)), np.diff(selected.indptr))
    group = np.concatenate([fitted_group, group, group[known]])
    kind = np.repeat([0, 1, 2], [n_fitted, n, known.sum()])
    times = np.concatenate([fitted_times, times, times[known]])
    items = np.concatenate([selected.items, np.full(n, -1), targets[known]])
    order = np.lexsort((kind, times, group))  # stable
    is_item = kind[order] != 1
    n_before = np.cumsum(is_item)
    ends = np.empty(n, dtype=np.int64)
    ends[order[~is_item] - n_fitted] = n_before[~is_item]
    lengths = np.bincount(group[kind != 1], minlength=len(ids))
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    items = items[order][is_item].astype(fitted.items.dtype)
    rows = group[n_fitted : n_fitted + n]
    times = None if given_times is None else times[order][is_item]
    source = Sequences(indptr, items, times)
    return Queries(queries.ids, queries.users, source, rows, ends, given_times)


def warn_of_rows(rows):
    """Warn of rows that were trained on, share a training row's time, or lack history.

    Parameters
    ----------
    rows : ScoredRows
    """
    leaks, ties = _leaks_and_ties(rows)
    _warn(
        LeakageWarning,
        rows,
        leaks,
        "equal training rows, or are older than a training row of the same user",
        "The model was trained on these or later rows, so the score says nothing about "
        "new rows. Split the data with LeaveLastOut or TimeCutoffSplit of "
        "sklearn_attrec.model_selection. If a basket can contain an item twice, pass "
        "unit='time' to LeaveLastOut.",
    )
    _warn(
        TimeTieWarning,
        rows,
        ties,
        "have the time of a training row of the same user",
        "If rows of one time are a basket, its other items reveal the item of the row, "
        "and the score is too high. Hold out whole times with unit='time' of "
        "LeaveLastOut and leave_last_out_split.",
    )
    if rows.context == "fit":
        _warn(
            NoHistoryWarning,
            rows,
            np.flatnonzero(rows.queries.users < 0),
            "belong to users not seen in fit, who have no history",
            "Every model recommends popular items for these rows. To use the user's "
            "earlier rows of X as history, pass context='earlier' to target_ranks, "
            "evaluate or make_ranking_scorer.",
        )


def warn_of_seen_items(rows, is_repeat):
    """Warn of rows whose items `exclude_seen` excludes.

    Parameters
    ----------
    rows : ScoredRows
        n rows.
    is_repeat : ndarray of shape (n,), bool
        Whether the item of each row is in its history.
    """
    _warn(
        SeenItemWarning,
        rows,
        np.flatnonzero(is_repeat),
        "contain an item that is already in the history of their user",
        "exclude_seen=True makes these rows misses. If users want the same items "
        "again, compare with set_params(exclude_seen=False). If a row only repeats "
        "another one, as a purchase does a click, keep one of the two before the "
        "split.",
    )


def _leaks_and_ties(rows):
    """Find rows that are not later than the training rows of their user.

    Returns
    -------
    leaks : ndarray of int
        Rows that are training rows, or older than one.
    ties : ndarray of int
        Other rows that have the time of a training row.
    """
    if rows.times is None:
        return np.empty(0, int), np.empty(0, int)
    known = np.flatnonzero(rows.queries.users >= 0)
    users, fitted, ends = (
        rows.queries.users[known],
        rows.fitted,
        rows.fitted_ends[known],
    )
    starts = count_until(fitted, users, rows.times[known], inclusive=False)
    is_older = ends < fitted.indptr[users + 1]
    is_training_row = find_items(fitted.items, starts, ends, rows.targets[known])
    is_leak = is_older | is_training_row
    return known[is_leak], known[(starts < ends) & ~is_leak]


def _warn(category, rows, chosen, problem, advice):
    """Warn of some rows, if there are any, with their number and the first one."""
    if not len(chosen):
        return
    n, first = len(rows.targets), chosen[0]
    warnings.warn(
        f"{len(chosen)} of {n} rows ({len(chosen) / n:.1%}) of X {problem}; the first "
        f"is row {first} (user {short_repr(rows.queries.ids[first])}). {advice}",
        category,
        stacklevel=5,  # the caller of the public method, which called `_rank_rows`
    )
