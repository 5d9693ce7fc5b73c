"""Ranks of target items, for evaluation."""

import warnings

import numpy as np

from sklearn_attrec.exceptions import LeakageWarning
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["ranks_of", "warn_of_leaks"]


def ranks_of(scores, targets):
    """Return the rank of each row's target among all items; 1 is the best rank.

    Items with the same score as the target are ranked before it. A model that gives all
    items the same score therefore ranks every target last.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items)
        −inf marks excluded items.
    targets : ndarray of shape (n,), int
        Item codes; −1 for an item not in the catalogue.

    Returns
    -------
    ndarray of shape (n,), float64
        `inf` for a target that is unknown or excluded.
    """
    score = scores[np.arange(len(targets)), targets]
    ranks = (scores >= score[:, None]).sum(axis=1).astype(np.float64)
    return np.where((targets < 0) | (score == -np.inf), np.inf, ranks)


def warn_of_leaks(model, queries, targets, times):
    """Warn if rows to be scored are not later than the training rows of their user.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender.
    queries : Queries
        n queries, each limited to the history up to the time of its row.
    targets : ndarray of shape (n,), int
        Item codes.
    times : ndarray of shape (n,) or None
        Timestamps of the rows.
    """
    if times is None:
        return
    known = np.flatnonzero(queries.users >= 0)
    users, ends = queries.users[known], queries.ends[known]
    is_older = ends < model.history_indptr_[users + 1]
    last = np.maximum(ends - 1, 0)
    is_training_row = (
        (ends > model.history_indptr_[users])
        & (model.history_items_[last] == targets[known])
        & (model.history_times_[last] == times[known])
    )
    leaks = known[is_older | is_training_row]
    if len(leaks):
        warnings.warn(
            f"{len(leaks)} of {len(targets)} rows of X are training rows, or are older "
            f"than a training row of the same user; the first is row {leaks[0]} (user "
            f"{short_repr(queries.ids[leaks[0]])}). The model was trained on these or "
            "later rows, so the score is too high. Split the data with LeaveLastOut or "
            "TimeCutoffSplit of sklearn_attrec.model_selection.",
            LeakageWarning,
            stacklevel=4,
        )
