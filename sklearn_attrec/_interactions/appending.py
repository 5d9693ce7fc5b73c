"""Append interactions to encoded sequences, as if all had been encoded at once."""

from typing import NamedTuple

import numpy as np

from sklearn_attrec._interactions.factorize import factorize
from sklearn_attrec._interactions.sequences import Sequences, count_until

__all__ = ["Appended", "append"]


class Appended(NamedTuple):
    """Sequences with more rows."""

    sequences: Sequences
    users: np.ndarray  # (n_users,) user ids in the order of their codes
    items: np.ndarray  # (n_items,) item ids in the order of their codes
    is_new: np.ndarray  # (n_rows,) whether a row of `sequences` was appended


def append(known, users, items, interactions, weights=None):
    """Append interactions to sequences.

    The result equals `encode` of all interactions, the appended ones last: each row
    comes after the rows of its user up to its time, and codes increase with the time of
    an id's first appearance.

    Parameters
    ----------
    known : Sequences
    users, items : ndarray of shape (n_users,) and (n_items,)
        Ids in the order of their codes in `known`.
    interactions : tuple (users, items, times)
        Checked columns, with times if `known` has times, in the same unit.
    weights : ndarray of shape (n,), default=None
        Event weights of the rows; None if `known` has none.

    Returns
    -------
    Appended
    """
    *given, times = interactions
    order = np.arange(len(given[0]))
    if times is not None:
        order = np.argsort(times, kind="stable")
        times = times[order]
    weights = None if weights is None else weights[order]
    codes, ids = [], []
    for old, new in zip((users, items), given, strict=True):
        all_codes, all_ids = factorize(np.concatenate([old, new[order]]))
        codes.append(all_codes[len(old) :])
        ids.append(all_ids)

    by_user = np.argsort(codes[0], kind="stable")
    owners = codes[0][by_user]
    places = _places(known, owners, None if times is None else times[by_user])

    def insert(old, new):
        if old is None:
            return None
        dtype = np.result_type(old, new)  # `np.insert` would round to that of `old`
        return np.insert(old.astype(dtype, copy=False), places, new[by_user])

    lengths = np.bincount(owners, minlength=len(ids[0]))
    lengths[: len(users)] += np.diff(known.indptr)
    sequences = Sequences(
        np.concatenate([[0], np.cumsum(lengths)]),
        insert(known.items, codes[1].astype(known.items.dtype)),
        insert(known.times, times),
        insert(known.weights, weights),
    )
    is_new = np.insert(np.zeros(len(known.items), bool), places, True)
    appended = Appended(sequences, *ids, is_new)
    if times is None or times[0] >= known.times.max():
        return appended
    return _by_first_appearance(appended, *codes)


def _places(known, users, times):
    """Return the position in `known.items` before which each row is inserted."""
    is_known = users < len(known.indptr) - 1
    users = np.where(is_known, users, -1)
    if times is None:
        ends = known.indptr[users + 1]
    else:
        ends = count_until(known, users, times)
    return np.where(is_known, ends, len(known.items))


def _by_first_appearance(appended, user_codes, item_codes):
    """Order the codes by the time of the first appearance of their ids.

    Ids of the same time keep their order: first those that appeared in a known row,
    then in the order of the appended rows, whose codes are given, sorted by time.
    """
    sequences, users, items, is_new = appended
    times, codes = sequences.times, sequences.items
    user_order = _appearance_order(times, sequences.users, is_new, user_codes)
    item_order = _appearance_order(times, codes, is_new, item_codes)
    new_codes = np.argsort(item_order).astype(codes.dtype)
    places = sequences._replace(items=np.arange(len(codes))).select(user_order)
    rows = places.items
    moved = Sequences(
        places.indptr,
        new_codes[codes[rows]],
        places.times,
        None if sequences.weights is None else sequences.weights[rows],
    )
    return Appended(moved, users[user_order], items[item_order], is_new[rows])


def _appearance_order(times, codes, is_new, appended_codes):
    """Return the codes in the order of their first appearance.

    Parameters
    ----------
    times, codes, is_new : ndarray of shape (n_rows,)
        Time and code of each row, and whether it was appended.
    appended_codes : ndarray of shape (n,)
        Codes of the appended rows, sorted by time.
    """
    n = codes.max() + 1
    by_time = np.lexsort((is_new, times))
    _, first = np.unique(codes[by_time], return_index=True)
    first = by_time[first]  # the earliest row of each code, a known one if equal
    # Among equal times: the order of the known codes, or that of the appended rows.
    rank = np.arange(n)
    appearing, place = np.unique(appended_codes, return_index=True)
    in_appended = np.zeros(n, dtype=np.int64)
    in_appended[appearing] = place
    rank = np.where(is_new[first], in_appended, rank)
    return np.lexsort((rank, is_new[first], times[first]))
