"""What is asked of a fitted model: users and histories, read and encoded."""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from sklearn_attrec._sequences import Sequences, count_until
from sklearn_attrec.exceptions import InteractionsError, UnknownUserError
from sklearn_attrec.utils._ids import show
from sklearn_attrec.utils._validation import (
    TIME,
    check_history,
    check_ids,
    check_interactions,
)

__all__ = [
    "EVERYONE",
    "Queries",
    "check_features",
    "known_items",
    "lookup",
    "missing_id",
    "read_queries",
]


EVERYONE = object()  # all users of fit


class Queries(NamedTuple):
    """Who asks, and the history each is answered from.

    Query q is answered from row ``rows[q]`` of `source`, up to position ``ends[q]``.
    """

    ids: np.ndarray  # (n,) user ids as given
    users: np.ndarray  # (n,) user codes, −1 where the user was not seen in fit
    source: Sequences
    rows: np.ndarray  # (n,) rows of source, −1 for no history
    ends: np.ndarray | None  # (n,) None reads each history to its end

    def block(self, start, size):
        """Take `size` queries, filled up with users unknown and without history.

        Parameters
        ----------
        start, size : int

        Returns
        -------
        users : ndarray of shape (size,)
        histories : Sequences
        """
        some = slice(start, start + size)
        users = self.users[some]
        ends = None if self.ends is None else self.ends[some]
        histories = self.source.select(self.rows[some], ends)
        missing = size - len(users)
        return np.pad(users, (0, missing), constant_values=-1), histories.pad(missing)


def read_queries(model, users, history, caller):
    """Make queries of the arguments of `predict` and its siblings.

    Parameters
    ----------
    model : BaseRecommender
        Fitted.
    users : id, list of ids, DataFrame, 2-D array, or EVERYONE
    history : list of item ids, list of such lists, or None
    caller : str
        Begins the messages.

    Returns
    -------
    queries : Queries
    single : bool
        Whether one user was asked for by its id.
    """
    fitted = model._sequences()
    times, single = None, False
    if users is EVERYONE:
        ids, codes = model.users_, np.arange(len(model.users_))
    else:
        if _is_table(model, users):
            check_features(model, users)
            ids, _, times = check_interactions(users, caller=caller, need_items=False)
        else:
            single = users is None or pd.api.types.is_scalar(users)
            users = [users] if single else users
            ids = _read_ids(model.users_, users, "user", caller)
        codes = lookup(model, "users_", ids)
    if history is not None:
        source = _read_histories(model, history, ids, single, caller)
        return Queries(ids, codes, source, np.arange(len(ids)), None), single
    _check_unknown_users(model, ids, codes, caller)
    ends = None
    if times is not None:
        _check_comparable(times, fitted.times, caller)
        ends = count_until(fitted, codes, times)
    return Queries(ids, codes, fitted, codes, ends), single


def check_features(model, X):
    """Compare a plain array's number of columns with fit, in scikit-learn's words."""
    if isinstance(X, (list, tuple)):
        is_table = len({len(row) for row in X if hasattr(row, "__len__")}) == 1
    else:
        is_table = not isinstance(X, pd.DataFrame) and np.ndim(X) == 2
    if is_table:  # what is none gets its own message from check_interactions
        validate_data(model, X, reset=False, skip_check_array=True)


def lookup(model, attribute, ids):
    """Find the codes of ids, −1 where fit did not see one.

    Parameters
    ----------
    model : BaseRecommender
        Fitted.
    attribute : {'users_', 'items_'}
    ids : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,), int64
    """
    known = getattr(model, attribute)
    if _is_text(ids) != _is_text(known):  # 1 and "1" are two ids
        return np.full(len(ids), -1)
    # Left to itself pandas copies text into Arrow's memory, and imports it.
    index = model._cached(attribute, lambda: pd.Index(known, dtype=known.dtype))
    return index.get_indexer(pd.Index(ids, dtype=ids.dtype))


def known_items(model, items, name, caller):
    """Find the codes of items that fit must have seen.

    Parameters
    ----------
    model : BaseRecommender
        Fitted.
    items : list of ids
    name, caller : str
        Name the argument and the method in messages.

    Returns
    -------
    ids : ndarray of shape (n,)
    codes : ndarray of shape (n,)

    Raises
    ------
    InteractionsError
        If there is none, or one was not seen in fit.
    """
    ids = _read_ids(model.items_, items, name, caller)
    codes = lookup(model, "items_", ids)
    unknown = np.flatnonzero(codes < 0)
    if len(ids) == 0 or len(unknown):
        got, fix = "none", "Pass at least one."
        if len(ids):
            position, count = unknown[0], f"{len(unknown)} of {len(ids)} unknown"
            got = f"{show(ids[position])} at position {position} ({count})"
            fix = "Leave the unknown ones out."
        raise InteractionsError(
            f"{caller}: '{name}' must hold item ids seen in fit. Got {got}. Fit saw "
            f"{_like(model.items_)}. {fix}"
        )
    return ids, codes


def missing_id(ids):
    """Choose a value that stands for "no item" among ids.

    Parameters
    ----------
    ids : ndarray of shape (n,)
        The catalogue, without repeats.

    Returns
    -------
    None, float or int
        NaN among floats and −1 among integers; where −1 is an item, or the dtype
        cannot hold it, the largest integer of the dtype that is no item. None among
        strings, and where every integer is an item.
    """
    if _is_text(ids):
        return None
    if ids.dtype.kind == "f":
        return float("nan")
    limits = np.iinfo(ids.dtype)
    if limits.min < 0 and -1 not in ids:
        return -1
    value, used = limits.max, set(ids.tolist())
    while value in used:
        value -= 1
        if value < limits.min:
            return None
    return value


def _is_table(model, users):
    """Tell a table of queries from a list of users."""
    if isinstance(users, pd.DataFrame):
        return True
    if isinstance(users, np.ndarray):
        # After fitting on a plain array a 1-D array is more likely one row of it than
        # users, and gets scikit-learn's advice to reshape it.
        return users.ndim != 1 or not hasattr(model, "feature_names_in_")
    return (
        isinstance(users, (list, tuple))
        and len(users) > 0
        and isinstance(users[0], (list, tuple, np.ndarray))
    )


def _read_ids(known, values, name, caller):
    """Check ids; floats pass only where fit saw floats, in a plain array."""
    if known.dtype.kind == "f" and isinstance(values, (list, tuple)):
        values = np.asarray(values)
    return check_ids(values, name=f"'{name}'", caller=caller)


def _read_histories(model, history, ids, single, caller):
    """Encode one history a query; items that fit did not see are dropped."""
    histories = [history] if single else history
    if not hasattr(histories, "__len__") or isinstance(histories, (str, dict)):
        raise TypeError(
            f"{caller}: 'history' must be a list of lists of item ids, one for each "
            f"user. Got {show(histories)} instead."
        )
    if len(histories) != len(ids):
        raise InteractionsError(
            f"{caller}: 'history' must hold one list of item ids for each of the "
            f"{len(ids)} users. Got {len(histories)} instead."
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
    some = ", ".join(map(show, unknown[row][:3]))
    message = (
        f"{caller}: the 'history' of user {show(ids[row])} holds item(s) not seen in "
        f"fit: {some} ({total} in all histories). Fit saw {_like(model.items_)}."
    )
    if model.handle_unknown == "error":
        raise InteractionsError(
            f"{message} Remove them, or pass handle_unknown='popular' to ignore them."
        )
    warnings.warn(f"{message} They are ignored.", stacklevel=5)


def _check_unknown_users(model, ids, codes, caller):
    unknown = np.flatnonzero(codes < 0)
    if not len(unknown):
        return
    if model.handle_unknown == "error" or _is_text(ids) != _is_text(model.users_):
        raise UnknownUserError(
            f"{caller}: {len(unknown)} user(s) were not seen in fit, the first is "
            f"{show(ids[unknown[0]])} at row {unknown[0]}. Fit saw "
            f"{_like(model.users_)}. Pass a history, ids of that type, or "
            "handle_unknown='popular'."
        )


def _check_comparable(times, fitted, caller):
    if fitted is None:
        raise InteractionsError(
            f"{caller}: the rows have a '{TIME}', but fit saw none and cannot tell "
            f"what came before them. Fit with a '{TIME}' too, or drop the column."
        )
    if (times.dtype.kind == "M") != (fitted.dtype.kind == "M"):
        raise InteractionsError(
            f"{caller}: '{TIME}' is {times.dtype}, but was {fitted.dtype} in fit. "
            "Convert one to the other."
        )


def _is_text(ids):
    return ids.dtype.kind == "O"


def _like(ids):
    return f"{'str' if _is_text(ids) else ids.dtype} ids such as {show(ids[0])}"
