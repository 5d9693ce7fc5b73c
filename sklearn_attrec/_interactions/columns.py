"""Check a table of interactions and convert it to three arrays."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.array_columns import read_array_columns
from sklearn_attrec._interactions.column_calls import rename_call, unique_call
from sklearn_attrec._interactions.column_names import (
    ITEM,
    TIME,
    USER,
    level_names,
    renames_of,
)
from sklearn_attrec._interactions.frames import to_pandas
from sklearn_attrec._interactions.ids import check_coded_ids, check_ids
from sklearn_attrec._interactions.table_types import refuse_other_tables
from sklearn_attrec._interactions.time_advice import refuse_time_columns, time_renames
from sklearn_attrec._interactions.time_columns import find_time_columns
from sklearn_attrec._interactions.times import check_times
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


def check_interactions(
    X,
    *,
    caller,
    name="X",
    need_items=True,
    time_of="interaction",
    allow_empty=False,
    coded=False,
):
    """Check interactions and return their columns as plain arrays.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, n_columns)
        A frame of pandas, polars or pyarrow with the columns `user_id`, `item_id` and
        optionally `timestamp`, or an array whose first columns are user, item and
        optionally time, in this order. Other columns are not read here (`check_weights`
        reads `weight`), but if there is no `timestamp`, neither they nor the index may
        look like times.
    caller : str
        Name of the calling method, for example "AttRecRecommender.fit". Error messages
        begin with it.
    name : str, default="X"
        Name of the argument, for error messages.
    need_items : bool, default=True
        If False, `item_id` is neither read nor checked. Queries do not need it.
    time_of : {'interaction', 'query', None}, default='interaction'
        What a row is, for the error message about columns that look like times. None
        ignores them: times are not used.
    allow_empty : bool, default=False
        Whether X may have no rows. The dtypes of its columns are then ignored, so
        `users` and `items` may have any dtype, and there are no times.
    coded : bool, default=False
        Whether `users` and `items` may be `CodedIds`, for `encode`.

    Returns
    -------
    Interactions
    """
    X = to_pandas(X)
    refuse_other_tables(X, caller)
    if isinstance(X, pd.DataFrame):
        users, items, times = _frame_columns(X, caller, name, need_items, time_of)
        if len(X) == 0 and not allow_empty:
            raise InteractionsError(
                f"{caller}: {name} has 0 rows, but at least 1 is required. Check "
                "whether a filter removed all rows."
            )
        owner = "" if name == "X" else f" of {name}"
        names = [f"column {column!r}{owner}" for column in (USER, ITEM, TIME)]
    else:
        users, items, times = read_array_columns(X, caller, need_items, allow_empty)
        names = [f"column {i} ({name!r})" for i, name in enumerate((USER, ITEM, TIME))]
    check = check_coded_ids if coded and isinstance(X, pd.DataFrame) else check_ids
    return Interactions(
        check(users, name=names[0], caller=caller),
        None if items is None else check(items, name=names[1], caller=caller),
        None
        if times is None or len(times) == 0
        else check_times(times, f"{caller}: {names[2]}", name),
    )


def _frame_columns(X, caller, name, need_items, time_of):
    """Return the user, item and time columns of a frame; None if not used."""
    if isinstance(X.columns, pd.MultiIndex):
        raise TypeError(
            f"{caller}: the columns of {name} are a MultiIndex of {X.columns.nlevels} "
            f"levels; they must be plain names: {USER!r}, {ITEM!r} and optionally "
            f"{TIME!r}. Flatten them, as in {name}.droplevel(0, axis=1)."
        )
    needed = [USER, ITEM] if need_items else [USER]
    for column in [*needed, TIME]:
        if isinstance(repeated := X.get(column), pd.DataFrame):
            raise InteractionsError(
                f"{caller}: column {column!r} appears {repeated.shape[1]} times in "
                f"{name}, but must appear once. Keep the first: "
                f"{unique_call(X, name)}."
            )
    found = [] if TIME in X or time_of is None else find_time_columns(X)
    if missing := [column for column in needed if column not in X]:
        _refuse_missing_columns(X, missing, found, name, caller)
    if found:
        refuse_time_columns(X, found, name, time_of, caller)
    return X[USER], X[ITEM] if need_items else None, X.get(TIME)


def _refuse_missing_columns(X, missing, found, name, caller):
    names = [*X.columns, *level_names(X)]
    renames = renames_of(names, missing)
    times = time_renames(X, found)
    renames |= {old: new for old, new in times.items() if old not in renames}
    raise InteractionsError(
        f"{caller}: {name} has no column {' and no column '.join(map(repr, missing))}; "
        f"its columns are {short_repr(list(X.columns), 1000)}{_named_levels(X)}. Give "
        "the columns that contain the users, items and times these names: "
        f"{rename_call(X, renames, name)}."
    )


def _named_levels(X):
    names = [name for name in X.index.names if name is not None]
    return f" and its index levels are {short_repr(names, 200)}" if names else ""
