"""Check a table of interactions and convert it to three arrays."""

from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import assert_all_finite, check_array

from sklearn_attrec._interactions.column_names import (
    ITEM,
    TIME,
    USER,
    find_column,
)
from sklearn_attrec._interactions.ids import check_ids
from sklearn_attrec._interactions.table_types import refuse_other_tables
from sklearn_attrec._interactions.time_columns import find_time_columns, level_names
from sklearn_attrec._interactions.times import check_times
from sklearn_attrec._interactions.values import object_types
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["Interactions", "check_interactions"]


class Interactions(NamedTuple):
    """Checked columns of interactions, with one element per row of the input.

    The arrays are copies: later changes to the input do not affect them.

    Parameters
    ----------
    users : ndarray of shape (n,)
        Integers in their original dtype, or an object array of str. Floats only if the
        input is a plain array of floats.
    items : ndarray of shape (n,) or None
        Like `users`. None if the items are not needed.
    times : ndarray of shape (n,) or None
        int64, uint64, float64, or datetime64 in UTC and in the original unit. None
        without timestamps: the rows of a user are then assumed to be sorted by time.
    """

    users: np.ndarray
    items: np.ndarray | None
    times: np.ndarray | None


def check_interactions(X, *, caller, need_items=True):
    """Check interactions and return their columns as plain arrays.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, n_columns)
        A frame with the columns `user_id`, `item_id` and optionally `timestamp`, or an
        array whose first columns are user, item and optionally time, in this order.
        Other columns are not read here (`check_weights` reads `weight`), but if there
        is no `timestamp`, neither they nor the index may look like times.
    caller : str
        Name of the calling method, for example "AttRecRecommender.fit". Error messages
        begin with it.
    need_items : bool, default=True
        If False, `item_id` is neither read nor checked. Queries do not need it.

    Returns
    -------
    Interactions
    """
    refuse_other_tables(X, caller)
    if isinstance(X, pd.DataFrame):
        users, items, times = _frame_columns(X, caller, need_items)
        names = [f"column {name!r}" for name in (USER, ITEM, TIME)]
    else:
        users, items, times = _array_columns(X, caller, need_items)
        names = [f"column {i} ({name!r})" for i, name in enumerate((USER, ITEM, TIME))]
    return Interactions(
        check_ids(users, name=names[0], caller=caller),
        None if items is None else check_ids(items, name=names[1], caller=caller),
        None if times is None else check_times(times, f"{caller}: {names[2]}"),
    )


def _frame_columns(X, caller, need_items):
    """Return the user, item and time columns of a frame; None if not used."""
    if isinstance(X.columns, pd.MultiIndex):
        raise TypeError(
            f"{caller}: the columns of X are a MultiIndex of {X.columns.nlevels} "
            f"levels; they must be plain names: {USER!r}, {ITEM!r} and optionally "
            f"{TIME!r}. Flatten them, as in X.droplevel(0, axis=1)."
        )
    needed = [USER, ITEM] if need_items else [USER]
    for name in [*needed, TIME]:
        if isinstance(repeated := X.get(name), pd.DataFrame):
            raise InteractionsError(
                f"{caller}: column {name!r} appears {repeated.shape[1]} times in X, "
                "but must appear once. Keep the first: "
                "X.loc[:, ~X.columns.duplicated()]."
            )
    times = [] if TIME in X else find_time_columns(X)
    if missing := [name for name in needed if name not in X]:
        _refuse_missing_columns(X, missing, times, caller)
    if times:
        place = "the index" if times[0] not in X else short_repr(times, 1000)
        raise InteractionsError(
            f"{caller}: X has no column {TIME!r}, but {place} may contain the time. To "
            f"sort by it, make it this column: {_rename_call(X, {times[0]: TIME})}. If "
            f"the rows are already sorted by time, drop it: {_drop_call(X, times)}."
        )
    if len(X) == 0:
        raise InteractionsError(
            f"{caller}: X has 0 rows, but at least 1 is required. Check whether a "
            "filter removed all rows."
        )
    return X[USER], X[ITEM] if need_items else None, X.get(TIME)


def _refuse_missing_columns(X, missing, times, caller):
    names = [*X.columns, *level_names(X)]
    renames = {find_column(names, name) or f"<your {name}>": name for name in missing}
    renames |= {old: TIME for old in times[:1] if old not in renames}
    raise InteractionsError(
        f"{caller}: X has no column {' and no column '.join(map(repr, missing))}; its "
        f"columns are {short_repr(list(X.columns), 1000)}{_named_levels(X)}. Give the "
        "columns that contain the users, items and times these names: "
        f"{_rename_call(X, renames)}."
    )


def _named_levels(X):
    names = [name for name in X.index.names if name is not None]
    return f" and its index levels are {short_repr(names, 200)}" if names else ""


def _rename_call(X, renames):
    """Return a call that renames columns and index levels of X."""
    in_index = set(level_names(X)) & (set(renames) - set(X.columns))
    renames = {old: new for old, new in renames.items() if old != new}
    call = "X.reset_index()" if in_index else "X"
    return f"{call}.rename(columns={renames})" if renames else call


def _drop_call(X, names):
    """Return a call that drops columns and index levels of X."""
    columns = [name for name in names if name in X.columns]
    call = "X" if len(columns) == len(names) else "X.reset_index(drop=True)"
    return f"{call}.drop(columns={columns})" if columns else call


def _array_columns(X, caller, need_items):
    """Return the user, item and time columns of an array; None if not used."""
    # By default NumPy converts the list [1, "a"] to "1" and "a".
    dtype = object if isinstance(X, (list, tuple)) else None
    X = check_array(X, dtype=dtype, ensure_all_finite=False, input_name="X")
    if X.shape[1] == 1:
        raise InteractionsError(
            f"{caller}: X has 1 feature(s) (shape={X.shape}) while at least 2 are "
            "required: the columns of an array are user, item and optionally time, in "
            "this order."
        )
    users, items = X[:, 0], X[:, 1] if need_items else None
    times = _text_to_numbers(X[:, 2]) if X.shape[1] > 2 else None
    if X.dtype.kind == "f":  # check_ids and check_times check other dtypes
        for column in (users, items, times):
            if column is not None:
                assert_all_finite(column, input_name="X")
    return users, items, times


def _text_to_numbers(times):
    """Convert times given as strings: in an array of strings, numbers are strings."""
    if times.dtype.kind in "TU":
        times = times.astype(object)
    if times.dtype.kind != "O" or not object_types(times) <= {str}:
        return times
    for dtype in (np.int64, np.uint64, np.float64):
        with suppress(ValueError, OverflowError):
            return times.astype(dtype)
    return times
