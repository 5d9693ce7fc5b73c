"""Queries.

A query is one user and the history from which items are recommended.
"""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from sklearn_attrec._interactions.column_names import TIME
from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.ids import check_history
from sklearn_attrec._interactions.sequences import Sequences, count_until
from sklearn_attrec._interactions.table_types import refuse_other_tables
from sklearn_attrec._ranking.known_ids import (
    check_like_fitted,
    describe_ids,
    is_text,
    lookup,
)
from sklearn_attrec.exceptions import InteractionsError, UnknownUserError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = [
    "ALL_USERS",
    "Queries",
    "check_comparable",
    "check_features",
    "check_unknown_users",
    "read_queries",
]


ALL_USERS = object()  # sentinel for all users seen in fit


class Queries(NamedTuple):
    """n queries, each with a user and the history to use.

    The history of query q is row ``rows[q]`` of `source`, up to position ``ends[q]``.
    """

    ids: np.ndarray  # (n,) user ids as given
    users: np.ndarray  # (n,) user codes, −1 for a user not seen in fit
    source: Sequences
    rows: np.ndarray  # (n,) rows of source, −1 for an empty history
    ends: np.ndarray | None  # (n,) end positions in source.items; None uses all items

    def lengths(self):
        """Return the length of each history, (n,)."""
        known = self.rows >= 0
        ends = self.source.indptr[self.rows + 1] if self.ends is None else self.ends
        return np.where(known, ends - self.source.indptr[self.rows], 0)

    def block(self, start, size):
        """Return a block of queries, padded with unknown users without history.

        Parameters
        ----------
        start, size : int
            Position of the first query, and number of queries after padding.

        Returns
        -------
        users : ndarray of shape (size,)
        histories : Sequences
        """
        block = slice(start, start + size)
        users = self.users[block]
        ends = None if self.ends is None else self.ends[block]
        histories = self.source.select(self.rows[block], ends)
        missing = size - len(users)
        return np.pad(users, (0, missing), constant_values=-1), histories.pad(missing)


def read_queries(model, users, history, caller):
    """Convert the arguments of `predict` and similar methods to queries.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender.
    users : id, list of ids, DataFrame, 2-D array, or ALL_USERS
    history : list of item ids, list of such lists, or None
    caller : str
        Name of the calling method; error messages begin with it.

    Returns
    -------
    queries : Queries
    single : bool
        Whether `users` is a single id instead of a list or table.
    """
    fitted = model._sequences()
    times, single = None, False
    if users is ALL_USERS:
        ids, codes = model.users_, np.arange(len(model.users_))
    else:
        if _is_table(model, users):
            check_features(model, users, caller)
            ids, _, times = check_interactions(users, caller=caller, need_items=False)
        else:
            single = users is None or pd.api.types.is_scalar(users)
            users = [users] if single else users
            ids = check_like_fitted(model.users_, users, "user", caller)
        codes = lookup(model, "users_", ids)
    if history is not None:
        source = _read_histories(model, history, ids, single, caller)
        return Queries(ids, codes, source, np.arange(len(ids)), None), single
    check_unknown_users(model, ids, codes, caller)
    ends = None
    if times is not None:
        check_comparable(times, fitted.times, caller)
        ends = count_until(fitted, codes, times)
    return Queries(ids, codes, fitted, codes, ends), single


def check_features(model, X, caller):
    """Check the number of columns of a plain array, with scikit-learn's message."""
    refuse_other_tables(X, caller)
    if isinstance(X, (list, tuple)):
        is_table = len({len(row) for row in X if hasattr(row, "__len__")}) == 1
    else:
        is_table = not isinstance(X, pd.DataFrame) and np.ndim(X) == 2
    if is_table:  # check_interactions has the messages for other input
        validate_data(model, X, reset=False, skip_check_array=True)


def _is_table(model, users):
    """Return whether `users` is a table of queries rather than a list of users."""
    if isinstance(users, pd.DataFrame):
        return True
    if isinstance(users, np.ndarray):
        # If fit got a plain array, a 1-D array is probably one row of a table: it then
        # gets scikit-learn's advice to reshape it.
        return users.ndim != 1 or not hasattr(model, "feature_names_in_")
    return (
        isinstance(users, (list, tuple))
        and len(users) > 0
        and isinstance(users[0], (list, tuple, np.ndarray))
    )


def _read_histories(model, history, ids, single, caller):
    """Encode one history per query, without items not seen in fit."""
    histories = [history] if single else history
    if not hasattr(histories, "__len__") or isinstance(histories, (str, dict)):
        raise TypeError(
            f"{caller}: 'history' must be a list of lists of item ids, one list per "
            f"user. Got {short_repr(histories)} instead."
        )
    if len(histories) != len(ids):
        raise InteractionsError(
            f"{caller}: 'history' must contain one list of item ids for each of the "
            f"{len(ids)} users. Got {len(histories)} lists instead."
        )
    if model.items_.dtype.kind == "f":
        histories = [np.asarray(items) for items in histories]
    histories = [
        check_history(items, caller=caller, user=user)
        for items, user in zip(histories, ids, strict=True)
    ]
    codes = [lookup(model, "items_", items) for items in histories]
    _report_unknown_items(model, histories, codes, ids, caller)
    codes = [found[found >= 0] for found in codes]
    indptr = np.cumsum([0] + [len(found) for found in codes])
    return Sequences(indptr, np.concatenate([np.empty(0, int), *codes]), None)


def _report_unknown_items(model, histories, codes, ids, caller):
    unknown = [items[found < 0] for items, found in zip(histories, codes, strict=True)]
    total = sum(map(len, unknown))
    if not total:
        return
    row = next(row for row, items in enumerate(unknown) if len(items))
    examples = ", ".join(map(short_repr, unknown[row][:3]))
    message = (
        f"{caller}: the 'history' of user {short_repr(ids[row])} contains item(s) not "
        f"seen in fit: {examples} ({total} in all histories). The item ids seen in fit "
        f"are {describe_ids(model.items_)}."
    )
    if model.handle_unknown == "error":
        raise InteractionsError(
            f"{message} Remove them, or pass handle_unknown='popular' to ignore them."
        )
    warnings.warn(f"{message} They are ignored.", stacklevel=5)


def check_unknown_users(model, ids, codes, caller):
    unknown = np.flatnonzero(codes < 0)
    if not len(unknown):
        return
    has_other_type = is_text(ids) != is_text(model.users_)
    if model.handle_unknown == "error" or has_other_type:
        remedy = "ids of that type" if has_other_type else "handle_unknown='popular'"
        raise UnknownUserError(
            f"{caller}: {len(unknown)} user(s) were not seen in fit; the first is "
            f"{short_repr(ids[unknown[0]])} at row {unknown[0]}. The user ids seen in "
            f"fit are {describe_ids(model.users_)}. Pass a history, or {remedy}."
        )


def check_comparable(times, fitted, caller):
    if fitted is None:
        raise InteractionsError(
            f"{caller}: the rows have a '{TIME}', but the rows in fit had none, so the "
            f"history before each row is unknown. Fit with a '{TIME}' column, or drop "
            f"it here: .drop(columns='{TIME}')."
        )
    if (times.dtype.kind == "M") != (fitted.dtype.kind == "M"):
        raise InteractionsError(
            f"{caller}: '{TIME}' is {times.dtype}, but was {fitted.dtype} in fit. "
            "Convert one dtype to the other."
        )
