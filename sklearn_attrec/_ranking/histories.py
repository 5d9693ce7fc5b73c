"""Histories passed to `predict` and similar methods."""

import warnings
from collections.abc import Mapping, Set

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_calls import (
    drop_call,
    pandas_name,
    rename_call,
)
from sklearn_attrec._interactions.column_names import ITEM, USER, find_column
from sklearn_attrec._interactions.frames import is_foreign
from sklearn_attrec._interactions.ids import check_history
from sklearn_attrec._interactions.sequences import Sequences
from sklearn_attrec._interactions.table_types import refuse_foreign_table
from sklearn_attrec._ranking.item_lists import (
    ItemLists,
    encode_lists,
    has_default_index,
    holds_lists,
    lists_by_user,
    refuse_misshapen_frame,
    refuse_single_items_by_user,
)
from sklearn_attrec._ranking.known_ids import describe_ids, refuse_values_by_id
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["read_histories"]


def read_histories(model, history, ids, index, single, caller):
    """Encode the history of each query, without items not seen in fit.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender.
    history : list of item ids, list of such lists, dict, Series or DataFrame
        As in `predict`.
    ids : ndarray of shape (n,)
        Checked user ids of the queries.
    index : pandas.Index or None
        Index of the DataFrame or Series of users; None for other users.
    single : bool
        Whether there is one query, given as a single id.
    caller : str
        Name of the calling method; error messages begin with it.

    Returns
    -------
    source : Sequences
        With times if `history` is a DataFrame with timestamps.
    rows : ndarray of shape (n,)
        The row of `source` of each query.
    """
    refuse_foreign_table(history, f"{caller}: 'history'")
    owners, lists, rows, times = _find_lists(model, history, ids, index, single, caller)
    if model.items_.dtype.kind == "f":
        lists = [np.asarray(items) for items in lists]
    lists = [
        check_history(items, caller=caller, user=user)
        for items, user in zip(lists, owners, strict=True)
    ]
    indptr, codes = encode_lists(model, lists)
    known = codes >= 0
    if not known.all():
        _report_unknown_items(model, lists, indptr, known, owners, caller)
        indptr = np.concatenate([[0], np.cumsum(known)])[indptr]
        codes, times = codes[known], None if times is None else times[known]
    return Sequences(indptr, codes, times), rows


def _find_lists(model, history, ids, index, single, caller):
    """Return the lists of items of the queries, by user or by position."""
    if isinstance(history, pd.DataFrame):
        refuse_misshapen_frame(history, "history", caller)
    if single and isinstance(history, pd.DataFrame) and USER not in history:
        history = _add_user(history, ids[0], caller)
        if len(history) == 0:
            return _one_per_query([[]], ids)
    is_series = isinstance(history, pd.Series) and holds_lists(history)
    if is_series and is_foreign(history):  # without labels
        history, is_series, single = history.tolist(), False, False
    if is_series and _has_labels_of_queries(history, index):
        history = history.loc[index]
    if is_series and _is_positional(history, ids, index, caller):
        history, single = history.tolist(), False
    elif is_series or isinstance(history, (pd.DataFrame, Mapping)):
        found = lists_by_user(model, history, ids, "history", caller)
        _refuse_missing_users(history, found, ids, single, caller)
        return found
    if single:
        _check_one_list(history, ids, caller)
        return _one_per_query([history], ids)
    refuse_single_items_by_user(history, [], "history", caller)
    is_groupby = hasattr(history, "groups")
    is_sized = hasattr(history, "__len__") and not is_groupby
    if not is_sized or isinstance(history, (str, Set)):
        raise TypeError(
            f"{caller}: 'history' must be a list of lists of item ids, one list per "
            f"user, a dict {{user: list}}, or a Series of lists indexed by user, as in "
            f"X.groupby('{USER}')['{ITEM}'].agg(list). Got {short_repr(history)} "
            "instead."
        )
    if len(history) != len(ids):
        if len(history) and not holds_lists(history):
            raise InteractionsError(
                f"{caller}: 'history' is one list of item ids, but there are "
                f"{len(ids)} user(s), in a list or table. Pass the id of the user it "
                "belongs to; for an unseen user any other id, such as 'visitor'."
            )
        raise InteractionsError(
            f"{caller}: 'history' must contain one list of item ids for each of the "
            f"{len(ids)} users. Got {len(history)} lists instead. If the lists belong "
            "to other users too, pass a dict {user: list}, or name the index of a "
            f"Series: history.rename_axis('{USER}')."
        )
    return _one_per_query(history, ids)


def _one_per_query(lists, ids):
    return ItemLists(ids, list(lists), np.arange(len(ids)), None)


def _add_user(history, user, caller):
    """Add the user to a table of a single history."""
    column = find_column(history.columns, USER)
    if column is not None and len(history[column].unique()) > 1:
        raise InteractionsError(
            f"{caller}: 'history' has no column '{USER}', but {column!r} may contain "
            "the users of its rows. Rename it: "
            f"{rename_call(history, {column: USER}, 'history')}. If all rows belong to "
            f"user {short_repr(user)}, drop it: "
            f"{drop_call(history, [column], 'history')}."
        )
    return history.assign(**{USER: user})


def _has_labels_of_queries(history, index):
    """Return whether a Series has the labels of a frame of users, in another order."""
    labels = history.index
    if index is None or labels.name == USER or labels.equals(index):
        return False
    is_same_size = len(labels) == len(index) and labels.is_unique and index.is_unique
    return is_same_size and labels.nlevels == index.nlevels and labels.isin(index).all()


def _is_positional(history, ids, index, caller):
    """Return whether a Series of lists is in the order of the queries.

    Otherwise its index holds the users. A default index, 0 .. n-1, and an index equal
    to that of the queries mean positions, unless they could as well be users.
    """
    labels, n = history.index, len(ids)
    if index is not None and labels.is_(index):
        return True
    is_like_queries = index is not None and labels.equals(index)
    if labels.name == USER or not (is_like_queries or has_default_index(history)):
        return False
    if not labels.is_unique or labels.nlevels > 1 or len(labels) != n:
        return True
    positions = labels.get_indexer(ids)
    if (positions >= 0).all() and (positions != np.arange(n)).any():
        raise InteractionsError(
            f"{caller}: the index of the Series 'history' contains all queried users, "
            f"and numbers its rows too: {short_repr(labels)}. If it holds the users, "
            f"pass history.rename_axis('{USER}'); if the lists are in the order of "
            "the users, pass history.tolist()."
        )
    return True


def _refuse_missing_users(history, found, ids, single, caller):
    """Require a history for each query."""
    missing = np.flatnonzero(found.rows < 0)
    if not len(missing):
        return
    user, is_frame = short_repr(ids[missing[0]]), isinstance(history, pd.DataFrame)
    if is_frame:
        frame = pandas_name(history, "history")
        remedy = (
            f"Query only users of its rows, as in {frame}['{USER}'].unique(), or pass "
            f"a dict: dict.fromkeys(users, []) | {frame}.groupby('{USER}')['{ITEM}']"
            ".agg(list).to_dict()."
        )
    elif single:
        remedy = f"For an empty history pass history.get({user}, [])."
    else:
        remedy = "For empty histories pass [history.get(user, []) for user in users]."
    if isinstance(history, pd.Series):
        remedy += " If it is in the order of the users, pass history.tolist()."
    users = pd.Index(history.get(USER, []) if is_frame else history.keys()).unique()
    raise InteractionsError(
        f"{caller}: 'history' has no entry for {len(missing)} of {len(ids)} user(s), "
        f"for example {user} at row {missing[0]}. It has entries for {len(users)} "
        f"user(s), for example {short_repr(users[:5].tolist())}. {remedy}"
    )


def _check_one_list(history, ids, caller):
    """Check that the history of a single user is one list of items."""
    refuse_single_items_by_user(history, ids, "history", caller)
    refuse_values_by_id(history, ITEM, "history", caller)
    if holds_lists(history):
        raise InteractionsError(
            f"{caller}: 'history' must be one list of item ids for a single user. Got "
            f"{len(history)} lists: {short_repr(history)}. Pass one of them, as in "
            "history[0], or a list of users."
        )


def _report_unknown_items(model, lists, indptr, known, owners, caller):
    first = np.argmin(known)
    row = np.searchsorted(indptr, first, side="right") - 1
    unknown = lists[row][~known[indptr[row] : indptr[row + 1]]]
    examples = ", ".join(map(short_repr, unknown[:3]))
    message = (
        f"{caller}: the 'history' of user {short_repr(owners[row])} contains item(s) "
        f"not seen in fit: {examples} ({(~known).sum()} in all histories). The item "
        f"ids seen in fit are {describe_ids(model.items_)}."
    )
    if model.handle_unknown == "error":
        raise InteractionsError(
            f"{message} Remove them, or pass handle_unknown='popular' to ignore them."
        )
    warnings.warn(f"{message} They are ignored.", stacklevel=5)
