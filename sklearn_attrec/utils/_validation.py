"""Checks of interactions, ids and histories, with errors that finish their sentence."""

from collections.abc import Mapping, Set
from contextlib import suppress
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import assert_all_finite, check_array

from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._ids import (
    check_history,
    check_ids,
    check_times,
    object_types,
    refuse_other_tables,
    show,
)

__all__ = [
    "ITEM",
    "TIME",
    "USER",
    "Interactions",
    "check_history",
    "check_ids",
    "check_interactions",
]

USER, ITEM, TIME = "user_id", "item_id", "timestamp"

# What other data sets call the three columns: lower case, letters and digits only,
# the likeliest first.
_SYNONYMS = {
    USER: "userid user uid users username customerid customer memberid accountid "
    "clientid visitorid buyerid reviewerid listenerid personid userno useridx usernum "
    "msno sessionid session",
    ITEM: "itemid item iid items movieid movie productid product sku asin parentasin "
    "trackid track songid song artistid bookid isbn gameid appid articleid newsid "
    "videoid adid offerid businessid venueid locationid poiid stockcode contentid "
    "itemno itemidx itemnum",
    TIME: "timestamp timestamps time ts datetime date eventtime eventtimestamp "
    "eventdate unixtime unixtimestamp epoch unixreviewtime reviewtime reviewdate "
    "ratingtime ratedat createdat clicktime visittime checkintime playedat playtime "
    "orderdate purchasedate invoicedate transactiondate utctime timems tdat",
}
_ACCEPTED = (
    f"a pandas DataFrame with the columns {USER!r}, {ITEM!r} and optionally {TIME!r}, "
    "or a 2-D array read by position: user, item, time"
)


class Interactions(NamedTuple):
    """The three columns of a set of interactions, in the order of its rows.

    The arrays are copies: what the caller does to its data later changes nothing.

    Parameters
    ----------
    users : ndarray of shape (n,)
        Integers in the dtype given, or an object array of str. Floats only where a
        plain array of floats came in.
    items : ndarray of shape (n,) or None
        Likewise; None where the items were not asked for.
    times : ndarray of shape (n,) or None
        int64, uint64, float64, or datetime64 in UTC and in the unit given. None where
        there are no timestamps: the order of the rows is then the order in time.
    """

    users: np.ndarray
    items: np.ndarray | None
    times: np.ndarray | None


def check_interactions(X, *, caller, need_items=True):
    """Check interactions and take them apart into plain arrays.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, n_columns)
        A frame with the columns `user_id`, `item_id` and optionally `timestamp`, or an
        array whose first columns are, by position, user, item and optionally time.
        Further columns and the index are ignored.
    caller : str
        Who asks, such as "AttRecRecommender.fit"; messages begin with it.
    need_items : bool, default=True
        False for queries: `item_id` is then neither read nor checked.

    Returns
    -------
    Interactions
        Copies of the columns, in the order of the rows.
    """
    refuse_other_tables(X, f"{caller}: X")
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
    """Return the user, item and time columns of a frame, None for those not there."""
    if isinstance(X.columns, pd.MultiIndex):
        raise TypeError(
            f"{caller}: the columns of X are a MultiIndex of {X.columns.nlevels} "
            f"levels; they must be plain names: {USER!r}, {ITEM!r} and optionally "
            f"{TIME!r}. Flatten them, as in X.droplevel(0, axis=1)."
        )
    needed = [USER, ITEM] if need_items else [USER]
    for name in [*needed, TIME]:
        if isinstance(doubled := X.get(name), pd.DataFrame):
            raise InteractionsError(
                f"{caller}: column {name!r} appears {doubled.shape[1]} times in X, but "
                "must appear once. Keep the first: X.loc[:, ~X.columns.duplicated()]."
            )
    times = [] if TIME in X else _time_like_columns(X)
    if missing := [name for name in needed if name not in X]:
        renames = {
            _look_alike(X.columns, name) or f"<your {name}>": name for name in missing
        }
        renames |= {old: TIME for old in times[:1] if old not in renames}
        raise InteractionsError(
            f"{caller}: X has no column {' and no column '.join(map(repr, missing))}; "
            f"its columns are {show(list(X.columns), 1000)}. Rename those that hold "
            f"the users, items and times: X.rename(columns={renames})."
        )
    if times:
        raise InteractionsError(
            f"{caller}: X has no column {TIME!r}, but {show(times, 1000)} may hold the "
            f"time. To sort by it, rename it: X.rename(columns={ {times[0]: TIME} }). "
            f"If the rows are already in time order, drop it: X.drop(columns={times})."
        )
    if len(X) == 0:
        raise InteractionsError(
            f"{caller}: X has 0 rows; at least 1 is needed. Has a filter left nothing?"
        )
    return X[USER], X[ITEM] if need_items else None, X.get(TIME)


def _look_alike(columns, name):
    """Return the column most likely meant by `name`, or None."""
    plain = {_letters(column): column for column in reversed(columns)}
    return next((plain[s] for s in _SYNONYMS[name].split() if s in plain), None)


def _time_like_columns(X):
    """Return the columns named like a time or holding dates, the likeliest first."""
    ranks = {synonym: rank for rank, synonym in enumerate(_SYNONYMS[TIME].split())}
    found = [
        (ranks.get(_letters(column), len(ranks)), position)
        for position, column in enumerate(X.columns)
        if column not in {USER, ITEM}
        and (_letters(column) in ranks or _holds_dates(X.iloc[:, position]))
    ]
    return [X.columns[position] for _, position in sorted(found)]


def _letters(column):
    return "".join(filter(str.isalnum, str(column)[:80].lower()))


def _holds_dates(column):
    if column.dtype.kind != "O":
        return column.dtype.kind == "M"
    present = column[column.notna().to_numpy()]
    return len(present) > 0 and isinstance(present.iloc[0], (date, pd.Period))


def _array_columns(X, caller, need_items):
    """Return the user, item and time columns of an array, None for those not there."""
    refused = (str, bytes, Mapping, Set, pd.Series, pd.Index)
    is_array_like = hasattr(X, "__len__") or hasattr(X, "__array__")
    if isinstance(X, refused) or not is_array_like or hasattr(type(X), "columns"):
        # scikit-learn has its own words for sparse arrays, of which one is a dict.
        if hasattr(X, "toarray"):
            check_array(X, input_name="X")
        raise TypeError(f"{caller}: X must be {_ACCEPTED}; got {type(X).__name__}.")
    # NumPy would turn the list [1, "a"] into "1" and "a"; objects stay what they are.
    dtype = object if isinstance(X, (list, tuple)) else None
    X = check_array(X, dtype=dtype, ensure_all_finite=False, input_name="X")
    if X.shape[1] == 1:
        raise InteractionsError(
            f"{caller}: X has 1 feature(s) (shape={X.shape}) while at least 2 are "
            "required: an array is read by position: user, item and optionally time."
        )
    users, items = X[:, 0], X[:, 1] if need_items else None
    times = _text_to_numbers(X[:, 2]) if X.shape[1] > 2 else None
    if X.dtype.kind == "f":  # as objects the columns are checked one by one
        for column in (users, items, times):
            if column is not None:
                assert_all_finite(column, input_name="X")
    return users, items, times


def _text_to_numbers(times):
    """Read numbers written as text: an array of strings has no other way to say 3."""
    if times.dtype.kind in "TU":
        times = times.astype(object)
    if times.dtype.kind != "O" or not object_types(times) <= {str}:
        return times
    for dtype in (np.int64, np.uint64, np.float64):
        with suppress(ValueError, OverflowError):
            return times.astype(dtype)
    return times
