"""Lists of item ids per user, given as a dict, a Series of lists or a DataFrame."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_calls import pandas_name
from sklearn_attrec._interactions.column_names import ITEM, USER
from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.factorize import factorize
from sklearn_attrec._ranking.known_ids import (
    check_like_fitted,
    describe_ids,
    is_text,
    lookup,
)
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = [
    "ItemLists",
    "encode_lists",
    "has_default_index",
    "holds_lists",
    "lists_by_user",
    "refuse_misshapen_frame",
    "refuse_single_items_by_user",
]


class ItemLists(NamedTuple):
    """Lists of item ids, and the list of each of n queries."""

    owners: list  # the user of each list
    lists: list  # one list of item ids per owner, not yet checked
    rows: np.ndarray  # (n,) the list of each query, −1 for a query without one
    times: np.ndarray | None  # times of all items, one list after the other


def holds_lists(values):
    """Return whether elements of a list, array or Series are lists themselves."""
    if isinstance(values, np.ndarray) and values.ndim > 1:
        return True
    if isinstance(values, (pd.Series, np.ndarray)) and values.dtype.kind != "O":
        return False
    is_sequence = isinstance(values, (pd.Series, np.ndarray, list, tuple))
    return is_sequence and any(map(pd.api.types.is_list_like, values))


def has_default_index(series):
    """Return whether the index of a Series is 0 .. n-1 and need not hold users."""
    index = series.index
    is_range = isinstance(index, pd.RangeIndex) and index.name != USER
    return is_range and index.equals(pd.RangeIndex(len(index)))


def refuse_single_items_by_user(values, users, name, caller):
    """Refuse single items in a Series whose index holds other users."""
    is_labelled = isinstance(values, pd.Series) and values.index.name == USER
    if not is_labelled or holds_lists(values):
        return
    others = values.index[~values.index.isin(users)]
    if len(others):
        raise InteractionsError(
            f"{caller}: '{name}' is a Series of single items whose index is "
            f"'{USER}', for example {short_repr(others[0])}. Pass one list per user: "
            f"{name}.groupby(level=0).agg(list)."
        )


def refuse_misshapen_frame(frame, name, caller):
    """Refuse a frame whose users are in the index, or whose items are lists."""
    has_lists = ITEM in frame and holds_lists(frame[ITEM])
    if USER in frame.index.names and USER not in frame:
        remedy = f"{name}['{ITEM}']" if has_lists else f"{name}.reset_index()"
        raise InteractionsError(
            f"{caller}: '{name}' is a DataFrame whose index is '{USER}', which must be "
            f"a column. Pass {remedy}."
        )
    if has_lists:
        raise InteractionsError(
            f"{caller}: column '{ITEM}' of '{name}' contains lists, but needs one item "
            f"per row. Pass {pandas_name(frame, name)}.explode('{ITEM}')."
        )


def lists_by_user(model, values, ids, name, caller):
    """Find the list of the user of each query.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender.
    values : dict, Series of lists indexed by user, or DataFrame
        A DataFrame has the columns `user_id` and `item_id`; it is sorted by
        `timestamp` if it has this column.
    ids : ndarray of shape (n,)
        Checked ids of the users of the queries.
    name, caller : str
        Names of the argument and of the calling method, for error messages.

    Returns
    -------
    ItemLists
        Only lists of users in `ids`.
    """
    codes, queried = factorize(ids)
    if isinstance(values, pd.DataFrame):
        return _lists_of_frame(values, codes, queried, name, caller)
    hint = ""
    if isinstance(values, pd.Series):
        if name == "history":
            hint = " If it is in the order of the users, pass history.tolist()."
        if not values.index.is_unique:
            repeated = values.index[values.index.duplicated()][0]
            raise InteractionsError(
                f"{caller}: the index of '{name}' contains {short_repr(repeated)} more "
                "than once, but needs one list per user. Join the lists of each user: "
                f"{name}.groupby(level=0).sum().{hint}"
            )
        values = dict(zip(values.index, values, strict=True))
    keys = check_like_fitted(model.users_, list(values), f"users of {name}", caller)
    remedy = f"{{%s(user): items for user, items in {name}.items()}}"
    _check_same_type(keys, queried, name, remedy, hint, caller)
    positions = _positions(keys, queried)
    found = np.flatnonzero(positions >= 0)
    all_lists = list(values.values())
    return ItemLists(
        queried[found].tolist(),
        [all_lists[position] for position in positions[found]],
        _number(positions >= 0)[codes],
        None,
    )


def encode_lists(model, lists):
    """Return the codes of the items of all lists, −1 for an item not seen in fit.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender.
    lists : list of ndarray
        Checked ids.

    Returns
    -------
    indptr : ndarray of shape (len(lists) + 1,)
        Start of each list in `codes`; the last element is the end.
    codes : ndarray of int
    """
    indptr = np.array([0, *map(len, lists)]).cumsum()
    lists = [items for items in lists if len(items)]
    if len({items.dtype for items in lists}) == 1:
        return indptr, lookup(model, "items_", np.concatenate(lists))
    codes = [lookup(model, "items_", items) for items in lists]
    return indptr, np.concatenate([np.empty(0, np.int64), *codes])


def _lists_of_frame(frame, codes, queried, name, caller):
    """Group the items of a frame by user, in the order of time."""
    if len(frame) == 0:
        return ItemLists([], [], np.full(len(codes), -1), None)
    users, items, times = check_interactions(frame, caller=caller, name=name)
    remedy = f"{pandas_name(frame, name)}.astype({{'{USER}': %s}})"
    _check_same_type(users, queried, name, remedy, "", caller)
    owners = _positions(queried, users)
    order = np.arange(len(users)) if times is None else np.argsort(times, kind="stable")
    order = order[owners[order] >= 0]
    order = order[np.argsort(owners[order], kind="stable")]
    lengths = np.bincount(owners[order], minlength=len(queried))
    lists = np.split(items[order], np.cumsum(lengths[lengths > 0])[:-1])
    return ItemLists(
        queried[lengths > 0].tolist(),
        lists if len(order) else [],
        _number(lengths > 0)[codes],
        None if times is None else times[order],
    )


def _check_same_type(users, queried, name, remedy, hint, caller):
    """Refuse users that cannot equal a queried user: 1 and "1" are different ids."""
    if not len(users) or not len(queried) or is_text(users) == is_text(queried):
        return
    if is_text(queried):
        hint = f" Convert them: {remedy % 'str'}.{hint}"
    elif all(map(str.isdecimal, users)):
        hint = f" Convert them: {remedy % 'int'}.{hint}"
    raise InteractionsError(
        f"{caller}: the users of '{name}' are {describe_ids(users)}, but the queried "
        f"users are {describe_ids(queried)}.{hint or ' Pass ids of the same users.'}"
    )


def _positions(known, ids):
    """Return the positions of ids among known ids; −1 for others."""
    if len(known) == 0 or len(ids) == 0:
        return np.full(len(ids), -1)
    index = pd.Index(known, dtype=known.dtype)
    return index.get_indexer(pd.Index(ids, dtype=ids.dtype))


def _number(present):
    """Number the True elements; −1 for False."""
    return np.where(present, np.cumsum(present) - 1, -1)
