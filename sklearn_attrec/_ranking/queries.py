"""Queries.

A query is one user and the history from which items are recommended.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER
from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.frames import is_foreign, to_pandas
from sklearn_attrec._interactions.sequences import Sequences, count_until
from sklearn_attrec._interactions.table_types import refuse_other_tables
from sklearn_attrec._ranking.histories import read_histories
from sklearn_attrec._ranking.item_lists import holds_lists
from sklearn_attrec._ranking.known_ids import (
    check_like_fitted,
    describe_ids,
    find_user,
    is_text,
    lookup,
    refuse_values_by_id,
)
from sklearn_attrec._ranking.query_times import comparable_times, warn_of_other_period
from sklearn_attrec.exceptions import InteractionsError, UnknownUserError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = [
    "ALL_USERS",
    "Queries",
    "check_features",
    "check_unknown_users",
    "fitted_period",
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
    times: np.ndarray | None = None  # (n,) times of the queries; None if unknown

    def lengths(self):
        """Return the length of each history, (n,)."""
        known = self.rows >= 0
        ends = self.source.indptr[self.rows + 1] if self.ends is None else self.ends
        return np.where(known, ends - self.source.indptr[self.rows], 0)

    def unique(self):
        """Find equal queries, for example those of the rows of a basket.

        Returns
        -------
        queries : Queries
            m different queries, those with the longest histories first: transformers
            encode histories of equal length together.
        numbers : ndarray of shape (n,)
            Which of them each query equals.
        """
        ends = self.rows if self.ends is None else self.ends
        keys = {"length": -self.lengths(), "user": self.users, "row": self.rows}
        keys = pd.DataFrame(keys | {"end": ends})
        if self.times is not None:
            keys["time"] = self.times
        numbers = keys.groupby([*keys]).ngroup().to_numpy()
        _, first = np.unique(numbers, return_index=True)
        ends = None if self.ends is None else self.ends[first]
        times = None if self.times is None else self.times[first]
        users, rows = self.users[first], self.rows[first]
        unique = Queries(self.ids[first], users, self.source, rows, ends, times)
        return unique, numbers

    def block(self, rows):
        """Return the users, histories and times of a slice of queries.

        Returns
        -------
        users : ndarray of shape (n_block,)
        histories : Sequences
        times : ndarray of shape (n_block,) or None
        """
        ends = None if self.ends is None else self.ends[rows]
        times = None if self.times is None else self.times[rows]
        return self.users[rows], self.source.select(self.rows[rows], ends), times

    def without_times(self):
        """Return the queries for a model that does not use times."""
        return self._replace(source=self.source._replace(times=None), times=None)


def read_queries(model, users, history, caller):
    """Convert the arguments of `predict` and similar methods to queries.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender.
    users : id, list of ids, DataFrame, 2-D array, or ALL_USERS
    history : list of item ids, list of such lists, dict, Series, DataFrame or None
    caller : str
        Name of the calling method; error messages begin with it.

    Returns
    -------
    queries : Queries
    single : bool
        Whether `users` is a single id instead of a list or table.
    """
    if history is None and (code := find_user(model, users)) is not None:
        ids = np.array([users], dtype=object if is_text(model.users_) else None)
        codes = np.array([code])
        return Queries(ids, codes, model._sequences(), codes, None), True
    times, single = None, False
    users, history = to_pandas(users, needed=(USER, TIME)), to_pandas(history)
    # Only pandas has labels.
    has_labels = isinstance(users, (pd.DataFrame, pd.Series)) and not is_foreign(users)
    index = users.index if has_labels else None
    if users is ALL_USERS:
        ids, codes = model.users_, np.arange(len(model.users_))
    else:
        _refuse_rows(users, caller)
        if _is_table(model, users):
            check_features(model, users, caller)
            ids, _, times = check_interactions(
                users,
                caller=caller,
                need_items=False,
                time_of="query" if _reads_times(model, history) else None,
                allow_empty=True,
            )
        else:
            if users is None:
                raise InteractionsError(
                    f"{caller}: 'user' is None. For an unseen user, pass any id that "
                    "fit did not see, such as 'visitor'."
                )
            single = pd.api.types.is_scalar(users)
            users = [users] if single else users
            refuse_values_by_id(users, USER, "user", caller)
            ids = check_like_fitted(model.users_, users, "user", caller)
        if len(ids) == 0 and is_text(ids) != is_text(model.users_):
            ids = np.empty(0, model.users_.dtype)  # no ids have no type
        codes = lookup(model, "users_", ids)
    if history is None:
        check_unknown_users(model, ids, codes, caller)
        source, rows, name = model._sequences(), codes, "fit"
    else:
        source, rows = read_histories(model, history, ids, index, single, caller)
        name = "'history'"
        if model._uses_times() and source.times is not None:
            _check_unit(model, source.times, caller)
        times = None if source.times is None else times
    if times is None:
        return Queries(ids, codes, source, rows, None), single
    times, source_times = comparable_times(times, source.times, caller, name)
    source = source._replace(times=source_times)
    if len(source.times):
        period = fitted_period(model, source) if history is None else _period(source)
        known = times[rows >= 0]
        warn_of_other_period(known, period, name, caller)
    ends = count_until(source, rows, times)
    return Queries(ids, codes, source, rows, ends, times), single


def _check_unit(model, times, caller):
    """Check the times of histories, which the model compares with each other."""
    times, fitted_times = comparable_times(times, model.history_times_, caller)
    fitted = model._sequences()._replace(times=fitted_times)
    warn_of_other_period(
        times,
        fitted_period(model, fitted),
        "fit",
        caller,
        rows="rows of 'history'",
        warn_of_early=False,
        stacklevel=5,
    )


def _reads_times(model, history):
    """Return whether histories have times, with which times of queries are compared."""
    if history is None:
        return model.history_times_ is not None
    return isinstance(history, pd.DataFrame) and TIME in history


def fitted_period(model, fitted):
    """Return the earliest and the latest time seen in fit.

    `fitted` are the fitted sequences, with times in any unit.
    """
    unit = fitted.times.dtype.str
    return model._cached(f"period {unit}", lambda: _period(fitted))


def _period(sequences):
    return sequences.times.min(), sequences.times.max()


def _refuse_rows(users, caller):
    """Refuse rows of a table whose values would be read as users."""
    if isinstance(users, np.ndarray) and users.dtype.names:
        refuse_other_tables(users, caller)
    first = users[0] if isinstance(users, list) and users else None
    if hasattr(first, "_fields") or isinstance(first, (Mapping, pd.Series)):
        raise InteractionsError(
            f"{caller}: 'user' is a list of rows of a table, the first of type "
            f"{type(first).__name__}. Pass a table: pd.DataFrame(users)."
        )
    if isinstance(users, pd.Series) and holds_lists(users):
        hint = "If its index holds the users, pass users.index."
        if is_foreign(users):
            hint = "Pass a column with one user per row."
        raise InteractionsError(
            f"{caller}: 'user' is a Series of lists, not of users. {hint}"
        )
    names = getattr(users, "_fields", ())
    if isinstance(users, (pd.Series, Mapping)):
        names = [name for name in (USER, ITEM) if name in users]
        users = dict(users)
    if not names or list(names) == [USER] and len(users) == 1:
        return
    if hasattr(users, "_fields"):
        remedy = f"row.{USER}" if USER in names else "one of its fields"
    elif USER in names:
        remedy = f"row['{USER}']"
    else:
        remedy = "row.name, if the index holds the users"
    raise InteractionsError(
        f"{caller}: 'user' is one row of a table, whose {len(users)} values would be "
        f"read as users. Got {short_repr(users)}. Pass its user, {remedy}, or a table "
        "of one row, frame.iloc[[i]]."
    )


def check_features(model, X, caller):
    """Check the number of columns of a plain array, with scikit-learn's message."""
    refuse_other_tables(X, caller)
    if isinstance(X, (list, tuple)):
        is_table = len({len(row) for row in X if hasattr(row, "__len__")}) == 1
    else:
        is_table = not isinstance(X, pd.DataFrame) and np.ndim(X) == 2
    if is_table and len(X):  # check_interactions has the messages for other input
        validate_data(model, X, reset=False, skip_check_array=True)


def _is_table(model, users):
    """Return whether `users` is a table of queries rather than a list of users."""
    if isinstance(users, pd.DataFrame):
        return True
    if isinstance(users, np.ndarray):
        # If fit got a plain array, a 1-D array is probably one row of a table: it then
        # gets scikit-learn's advice to reshape it.
        fitted_on_array = not hasattr(model, "feature_names_in_")
        return users.ndim != 1 or (fitted_on_array and len(users) > 0)
    return (
        isinstance(users, (list, tuple))
        and len(users) > 0
        and isinstance(users[0], (list, tuple, np.ndarray))
    )


def check_unknown_users(model, ids, codes, caller):
    """Raise an error for unseen users if `handle_unknown` or their type requires it.

    `codes` is −1 for an unseen user.
    """
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
