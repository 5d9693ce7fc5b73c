"""What is asked of a fitted model, block by block."""

from typing import NamedTuple

import numpy as np

from sklearn_attrec._sequences import Sequences

__all__ = ["Queries", "missing_id"]


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


def missing_id(ids):
    """Choose a value that stands for "no item" among ids.

    Parameters
    ----------
    ids : ndarray of shape (n,)
        The catalogue, without repeats.

    Returns
    -------
    None, float or int
        None among strings, NaN among floats, −1 among integers; where −1 is an item,
        or the dtype cannot hold it, the largest integer that is no item.
    """
    if ids.dtype.kind == "O":
        return None
    if ids.dtype.kind == "f":
        return float("nan")
    limits = np.iinfo(ids.dtype)
    if limits.min < 0 and -1 not in ids:
        return -1
    value = limits.max
    while value in ids:
        value -= 1
    return value
