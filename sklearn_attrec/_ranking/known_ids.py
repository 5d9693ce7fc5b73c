"""Look-up of ids among the users and items seen in fit."""

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_names import ITEM
from sklearn_attrec._interactions.ids import check_ids
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = [
    "check_like_fitted",
    "check_same_type",
    "describe_ids",
    "find_user",
    "is_text",
    "known_items",
    "lookup",
    "missing_id",
    "read_items",
    "refuse_values_by_id",
]

# Fewer ids than this are looked up one by one, because building an Index of them takes
# longer.
FEW_IDS = 200


def lookup(model, attribute, ids):
    """Return the codes of ids; −1 for an id not seen in fit.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender.
    attribute : {'users_', 'items_'}
    ids : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,), int64
    """
    known = getattr(model, attribute)
    if is_text(ids) != is_text(known):  # 1 and "1" are different ids
        return np.full(len(ids), -1)
    index = _index(model, attribute)
    if len(ids) < FEW_IDS and ids.dtype == known.dtype:
        return np.array([_find(index, id_) for id_ in ids.tolist()], dtype=np.int64)
    return index.get_indexer(pd.Index(ids, dtype=ids.dtype))


def find_user(model, user):
    """Return the code of an integer or string seen in fit; None for other users."""
    if type(user) not in ((str, np.str_) if is_text(model.users_) else (int, np.int64)):
        return None
    code = _find(_index(model, "users_"), user)
    return code if code >= 0 else None


def _index(model, attribute):
    return model._cached(attribute, lambda: _build_index(model, attribute))


def _build_index(model, attribute):
    known = getattr(model, attribute)
    # Without the dtype pandas imports pyarrow and copies strings into its memory.
    index = pd.Index(known, dtype=known.dtype)
    if not index.is_unique:  # in a model file that was not verified
        repeated = short_repr(index[index.duplicated()][0])
        raise pd.errors.InvalidIndexError(
            f"{type(model).__name__}.{attribute} contains {repeated} more than once."
        )
    return index


def _find(index, id_):
    try:
        return index.get_loc(id_)
    except KeyError:
        return -1


def read_items(model, items, name, caller):
    """Return checked ids of items and their codes; −1 for an item not seen in fit."""
    refuse_values_by_id(items, ITEM, name, caller)
    ids = check_like_fitted(model.items_, items, name, caller)
    return ids, lookup(model, "items_", ids)


def known_items(model, items, name, caller):
    """Return the codes of items, all of which must have been seen in fit.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender.
    items : list of ids
    name, caller : str
        Names of the argument and of the calling method, for error messages.

    Returns
    -------
    ids : ndarray of shape (n,)
    codes : ndarray of shape (n,)

    Raises
    ------
    InteractionsError
        If there are no items, or one was not seen in fit.
    """
    ids, codes = read_items(model, items, name, caller)
    unknown = np.flatnonzero(codes < 0)
    if len(ids) == 0 or len(unknown):
        got, remedy = "no ids", "Pass at least one."
        if len(ids):
            position, count = unknown[0], f"{len(unknown)} of {len(ids)} unknown"
            got = f"{short_repr(ids[position])} at position {position} ({count})"
            remedy = "Remove the unknown ids."
        raise InteractionsError(
            f"{caller}: '{name}' must contain item ids seen in fit. Got {got}. The ids "
            f"seen in fit are {describe_ids(model.items_)}. {remedy}"
        )
    return ids, codes


def missing_id(ids):
    """Return the value that stands for "no item" in an array of item ids.

    Parameters
    ----------
    ids : ndarray of shape (n,)
        Ids of all items, unique.

    Returns
    -------
    None, float or int
        NaN for floats, −1 for integers and None for strings. If −1 is the id of an
        item or the dtype is unsigned: the largest integer of the dtype that is not
        an id, or None if there is no such integer.
    """
    if is_text(ids):
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


def check_like_fitted(known, values, name, caller):
    """Check ids of a query.

    A list or tuple of floats is accepted only if the ids seen in fit are floats.
    """
    if known.dtype.kind == "f" and isinstance(values, (list, tuple)):
        values = np.asarray(values)
    return check_ids(values, name=f"'{name}'", caller=caller)


def check_same_type(known, ids, name, source, caller):
    """Check that ids, described by `name`, have the type of those of a source."""
    kinds = {known.dtype.kind, ids.dtype.kind, np.result_type(known, ids).kind}
    if len(kinds) > 1 and not kinds <= {"i", "u"}:  # int64 and uint64 become floats
        raise InteractionsError(
            f"{caller}: {name} contains ids of another type, {describe_ids(ids)}, than "
            f"those of {source}, {describe_ids(known)}. Convert them to the type of "
            "these."
        )


def refuse_values_by_id(values, column, name, caller):
    """Refuse a Series of other values, for example counts, whose index holds the ids.

    `column` is the name of the ids: a Series of this name is read by its values.
    """
    is_by_id = isinstance(values, pd.Series) and values.index.name == column
    if is_by_id and values.name != column and not values.index.equals(pd.Index(values)):
        raise InteractionsError(
            f"{caller}: '{name}' is a Series whose index is '{column}', for example "
            f"{short_repr(values.iloc[0])} for {short_repr(values.index[0])}. Pass its "
            f"labels, {name}.index, or its values, {name}.tolist()."
        )


def is_text(ids):
    """Return whether an array of checked ids contains strings."""
    return ids.dtype.kind == "O"


def describe_ids(ids):
    """Describe ids by their dtype and the first one."""
    return f"{'str' if is_text(ids) else ids.dtype} (e.g. {short_repr(ids[0])})"
