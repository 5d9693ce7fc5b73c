"""Interactions encoded as one array of item codes, sorted by user, then time."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.factorize import factorize
from sklearn_attrec._interactions.ids import CodedIds

__all__ = ["Sequences", "count_until", "encode", "find_items", "hold_out_last"]


class Sequences(NamedTuple):
    """Items of all users, sorted by user, then time.

    The items of user u are ``items[indptr[u]:indptr[u + 1]]``, oldest first.

    Attributes
    ----------
    indptr : ndarray of shape (n_users + 1,), int64
        Start of each user's items in `items`; the last element is the end.
    items : ndarray of shape (n_rows,), int32
        Item codes, 0 .. n_items - 1.
    times : ndarray of shape (n_rows,) or None
        Time of each item, in the original dtype. None without timestamps.
    weights : ndarray of shape (n_rows,), float64, or None
        Event weight of each item. None without weights.
    """

    indptr: np.ndarray
    items: np.ndarray
    times: np.ndarray | None
    weights: np.ndarray | None = None

    @property
    def longest(self):
        """Length of the longest sequence."""
        return int(np.diff(self.indptr).max())

    @property
    def users(self):
        """User code of each item, (n_rows,) int32."""
        lengths = np.diff(self.indptr)
        return np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)

    def select(self, users, end=None):
        """Select the sequences of users, optionally without their last items.

        Parameters
        ----------
        users : ndarray of shape (n,), int
            User codes; −1 selects an empty sequence.
        end : ndarray of shape (n,), int, or None
            For each user the position in `items` before which the selection ends. None
            selects all items.

        Returns
        -------
        Sequences
            n sequences, without weights.
        """
        start = self.indptr[users]
        end = self.indptr[users + 1] if end is None else end
        lengths = np.where(users >= 0, end - start, 0)
        if len(users) == 1:
            indptr = np.array([0, lengths[0]])
            positions = slice(start[0], start[0] + lengths[0])
        else:
            indptr = np.concatenate([[0], np.cumsum(lengths)])
            positions = np.arange(indptr[-1]) + np.repeat(start - indptr[:-1], lengths)
        times = None if self.times is None else self.times[positions]
        return Sequences(indptr, self.items[positions], times)


def encode(interactions, weights=None):
    """Encode ids as integers and sort the rows by user, then time.

    Codes increase with the time of an id's first appearance. The sort is stable: rows
    with equal times keep their order. This order decides which item of a user is the
    last one in data like MovieLens, where many ratings have the same timestamp.

    Parameters
    ----------
    interactions : Interactions
        Checked columns, whose ids may be coded.
    weights : ndarray of shape (n,), default=None
        Event weights of the rows.

    Returns
    -------
    sequences : Sequences
    users : ndarray of shape (n_users,)
        User ids in the order of their codes.
    items : ndarray of shape (n_items,)
        Item ids in the order of their codes.
    """
    users, items, times = interactions
    by_time = None if times is None else np.argsort(times, kind="stable")
    users, user_ids = _number(users, by_time)
    items, item_ids = _number(items, by_time)
    if times is not None:  # one after the other, to save memory
        users = users[by_time]
        items = items[by_time]
        times = times[by_time]
        weights = None if weights is None else weights[by_time]
    del by_time
    indptr = np.concatenate([[0], np.cumsum(np.bincount(users))])
    by_user = np.argsort(users, kind="stable")
    sequences = Sequences(
        indptr.astype(np.int64),
        items[by_user],
        None if times is None else times[by_user],
        None if weights is None else weights[by_user],
    )
    return sequences, user_ids, item_ids


def _number(ids, order):
    """Number ids in the order of their first appearance.

    Parameters
    ----------
    ids : ndarray of shape (n,) or CodedIds
    order : ndarray of shape (n,), int, or None
        The order of the rows; None if they are in order.

    Returns
    -------
    numbers : ndarray of shape (n,), int32
    unique : ndarray of shape (n_unique,)
        The ids in the order of their numbers.
    """
    codes, unique = ids if isinstance(ids, CodedIds) else factorize(ids)
    appearing = pd.unique(codes if order is None else codes[order])
    numbers = np.empty(len(unique), dtype=np.int32)
    numbers[appearing] = np.arange(len(appearing), dtype=np.int32)
    return numbers[codes], unique[appearing]


def count_until(sequences, users, times, *, inclusive=True):
    """Find the end of each user's rows up to a given time.

    Parameters
    ----------
    sequences : Sequences
        Sequences with times.
    users : ndarray of shape (n,), int
        User codes; −1 has no rows.
    times : ndarray of shape (n,)
        One time per user.
    inclusive : bool, default=True
        Whether rows of exactly this time are among them.

    Returns
    -------
    ndarray of shape (n,), int64
        The position in ``sequences.items`` after the last of these rows.
    """
    is_later = np.greater if inclusive else np.greater_equal
    known = users >= 0
    low = np.where(known, sequences.indptr[users], 0)
    high = np.where(known, sequences.indptr[users + 1], 0)
    # Binary search, for all users at once.
    while (searching := low < high).any():
        middle = (low + high) // 2
        later = is_later(sequences.times[np.where(searching, middle, 0)], times)
        high = np.where(searching & later, middle, high)
        low = np.where(searching & ~later, middle + 1, low)
    return low


def find_items(items, starts, ends, targets):
    """Return whether each range of an array contains a given item.

    Parameters
    ----------
    items : ndarray of shape (n_rows,), int
        Item codes, for example those of sequences.
    starts, ends : ndarray of shape (n,), int
        Range q is ``items[starts[q]:ends[q]]``.
    targets : ndarray of shape (n,), int
        Item codes; −1 for an item that is in no range.

    Returns
    -------
    ndarray of shape (n,), bool
    """
    lengths = ends - starts
    rows = np.repeat(np.arange(len(starts)), lengths)
    offsets = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    is_found = items[starts[rows] + offsets] == targets[rows]
    return np.bincount(rows[is_found], minlength=len(starts)) > 0


def hold_out_last(sequences, users):
    """Remove the last item of the sequences of some users.

    Parameters
    ----------
    sequences : Sequences
    users : ndarray of shape (n,), int
        User codes, each with at least one item.

    Returns
    -------
    shorter : Sequences
    items : ndarray of shape (n,)
        The removed items.
    removed_times : ndarray of shape (n,) or None
        Their times.
    """
    last = sequences.indptr[users + 1] - 1
    lengths = np.diff(sequences.indptr)
    lengths[users] -= 1
    times, weights = sequences.times, sequences.weights
    shorter = Sequences(
        np.concatenate([[0], np.cumsum(lengths)]),
        np.delete(sequences.items, last),
        None if times is None else np.delete(times, last),
        None if weights is None else np.delete(weights, last),
    )
    return shorter, sequences.items[last], None if times is None else times[last]
