"""Interactions encoded as one array of item codes, sorted by user and then time."""

from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = [
    "Sequences",
    "Windows",
    "count_until",
    "cut_windows",
    "encode",
    "hold_out_last",
    "last_items",
    "training_windows",
]


class Sequences(NamedTuple):
    """Every user's items in time order, one user after the other.

    User u's items are ``items[indptr[u]:indptr[u + 1]]``, the oldest first.

    Attributes
    ----------
    indptr : ndarray of shape (n_users + 1,), int64
        Where each user begins.
    items : ndarray of shape (n_rows,), int32
        Item codes, 0 .. n_items - 1.
    times : ndarray of shape (n_rows,) or None
        When, in the dtype given; None without timestamps.
    """

    indptr: np.ndarray
    items: np.ndarray
    times: np.ndarray | None

    def pad(self, n):
        """Append n sequences without items."""
        return self._replace(indptr=np.pad(self.indptr, (0, n), mode="edge"))

    def select(self, users, end=None):
        """Take these users' items, each up to a position of its own.

        Parameters
        ----------
        users : ndarray of shape (n,), int
            User codes; −1 stands for a user without items.
        end : ndarray of shape (n,), int, or None
            One past the last position of `items` to take; None takes all.

        Returns
        -------
        Sequences
            n sequences, without times.
        """
        known = users >= 0
        start = np.where(known, self.indptr[users], 0)
        if end is None:
            end = np.where(known, self.indptr[users + 1], 0)
        indptr = np.concatenate([[0], np.cumsum(end - start)])
        rows = np.repeat(np.arange(len(users)), end - start)
        positions = np.arange(indptr[-1]) - indptr[rows] + start[rows]
        return Sequences(indptr, self.items[positions], None)


class Windows(NamedTuple):
    """The training rows as index arrays: nothing is copied per window.

    Window w of user ``users[w]`` reads the items before ``positions[w]`` and has
    those from ``positions[w]`` on as its targets.
    """

    users: np.ndarray  # (n_windows,) int32
    positions: np.ndarray  # (n_windows,) int64, into Sequences.items


def encode(interactions):
    """Number users and items and sort the rows by user, then time.

    Ids are numbered by first appearance in time. The sort is stable: rows of equal
    time keep the order they came in, which is what defines "the last item" in data
    such as MovieLens, where many ratings share a second.

    Parameters
    ----------
    interactions : Interactions
        Checked columns.

    Returns
    -------
    sequences : Sequences
    users : ndarray of shape (n_users,)
        User ids in the order of their codes.
    items : ndarray of shape (n_items,)
        Item ids in the order of their codes.
    """
    users, items, times = interactions
    if times is not None:
        by_time = np.argsort(times, kind="stable")
        users, items, times = users[by_time], items[by_time], times[by_time]
    user_codes, user_ids = pd.factorize(users)
    item_codes, item_ids = pd.factorize(items)
    by_user = np.argsort(user_codes, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(user_codes))])
    sequences = Sequences(
        indptr.astype(np.int64),
        item_codes[by_user].astype(np.int32),
        None if times is None else times[by_user],
    )
    return sequences, user_ids, item_ids


def count_until(sequences, users, times):
    """Find where each user's rows that are not later than a time end.

    Parameters
    ----------
    sequences : Sequences
        With times.
    users : ndarray of shape (n,), int
        User codes; −1 has no rows.
    times : ndarray of shape (n,)
        Rows at exactly this time are counted in.

    Returns
    -------
    ndarray of shape (n,), int64
        One past the last such position of ``sequences.items``.
    """
    known = users >= 0
    low = np.where(known, sequences.indptr[users], 0)
    high = np.where(known, sequences.indptr[users + 1], 0)
    # One binary search a user, all of them a step at a time.
    while (searching := low < high).any():
        middle = (low + high) // 2
        later = sequences.times[np.where(searching, middle, 0)] > times
        high = np.where(searching & later, middle, high)
        low = np.where(searching & ~later, middle + 1, low)
    return low


def training_windows(sequences):
    """One window for each item that has at least one item of its user before it."""
    lengths = np.diff(sequences.indptr)
    first = np.zeros(len(sequences.items), dtype=bool)
    first[sequences.indptr[:-1][lengths > 0]] = True
    users = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    return Windows(users[~first], np.flatnonzero(~first))


def cut_windows(sequences, users, L, random=None):
    """Cut histories into windows of up to L items, each followed by one more item.

    For L = 4 the history a b c d e f g h gives, without `random`, the window d e f g:
    each item of it is asked for the one after it. With `random` all of the history is
    cut, at a random place first, for example into a, b c d e and f g: so an item meets
    other neighbours, at another position, in every epoch.

    Parameters
    ----------
    sequences : Sequences
    users : ndarray of shape (n,), int
        User codes, each with at least two items.
    L : int
        Longest window.
    random : numpy Generator, default=None
        None takes the last window of each user.

    Returns
    -------
    ndarray of shape (n_windows, 2), int64
        Begin and end, as positions of ``sequences.items``.
    """
    begin, end = sequences.indptr[users], sequences.indptr[users + 1] - 1
    if random is None:
        return np.stack([np.maximum(begin, end - L), end], axis=1)
    # Windows end at `end + shift`, L before that, and so on; the last is cut off.
    shift = np.where(end - begin > L, random.integers(L, size=len(users)), 0)
    count = -(-(end + shift - begin) // L)
    row = np.repeat(np.arange(len(users)), count)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    stop = (end + shift)[row] - nth * L
    return np.stack(
        [np.maximum(begin[row], stop - L), np.minimum(end[row], stop)], axis=1
    )


def last_items(sequences, L):
    """Put each sequence's last L items into a row, left-padded.

    For L = 4 the sequences [5, 6] and [1, 2, 3, 4, 5] become::

        items  0 0 5 6     real  . . x x
               2 3 4 5           x x x x

    Padding holds item 0 but is marked as not real; nothing reads it.

    Parameters
    ----------
    sequences : Sequences
    L : int
        Window length.

    Returns
    -------
    items : ndarray of shape (n, L), int32
    real : ndarray of shape (n, L), bool
    """
    positions = sequences.indptr[1:, None] + np.arange(-L, 0)  # (n, L)
    real = positions >= sequences.indptr[:-1, None]
    if len(sequences.items) == 0:
        return np.zeros(real.shape, np.int32), real
    return np.where(real, sequences.items[np.where(real, positions, 0)], 0), real


def hold_out_last(sequences, users):
    """Take the last item off some users' sequences.

    Parameters
    ----------
    sequences : Sequences
    users : ndarray of shape (n,), int
        User codes, each with at least one item.

    Returns
    -------
    shorter : Sequences
    items : ndarray of shape (n,)
        What was taken off.
    """
    last = sequences.indptr[users + 1] - 1
    lengths = np.diff(sequences.indptr)
    lengths[users] -= 1
    times = sequences.times
    shorter = Sequences(
        np.concatenate([[0], np.cumsum(lengths)]),
        np.delete(sequences.items, last),
        None if times is None else np.delete(times, last),
    )
    return shorter, sequences.items[last]
