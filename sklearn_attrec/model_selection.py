"""Splits of interactions into what came before and what came after."""

from abc import abstractmethod

import numpy as np
import pandas as pd
from sklearn.model_selection import BaseCrossValidator

from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError
from sklearn_attrec.utils._param_validation import (
    Integer,
    Real,
    validate_parameters,
)
from sklearn_attrec.utils._validation import check_interactions

__all__ = ["LeaveLastOut", "TimeCutoffSplit", "leave_last_out_split"]


class _ForwardSplit(BaseCrossValidator):
    """Splits in which every fold trains on the folds before it.

    A subclass numbers the rows: fold s tests on the rows of number s and trains on
    those of lower numbers, -1 for the rows that every fold trains on. The rows of
    higher numbers lie in the future of the fold and go to neither.
    """

    @abstractmethod
    def _fold_of_rows(self, X):
        """Return the number of the fold that tests each row, of shape (n_samples,)."""

    def split(self, X, y=None, groups=None):
        """Generate the row positions of each fold, the earliest fold first.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_columns)
            Interactions: a frame with the columns `user_id`, `item_id` and optionally
            `timestamp`, or an array read by position: user, item, time.
        y : object, default=None
            Ignored.
        groups : object, default=None
            Ignored.

        Yields
        ------
        train : ndarray of int
            Positions of the training rows, ascending.
        test : ndarray of int
            Positions of the held-out rows, ascending.

        Raises
        ------
        InteractionsError
            If the interactions cannot be used, or are too few for the folds.
        InvalidParameterError
            If a parameter has a type or a value that is not allowed.
        """
        validate_parameters(self)
        fold = self._fold_of_rows(X)
        for s in range(self.get_n_splits()):
            yield np.flatnonzero(fold < s), np.flatnonzero(fold == s)


class LeaveLastOut(_ForwardSplit):
    """Hold out the last interactions of every user.

    With n_last=1 and n_splits=2 the rows of four users, oldest first, are::

                   fold 0     fold 1       x  train
        user a     x x T .    x x x T      T  test
        user b       x T .      x x T      .  in neither
        user c         x .        x T
        user d           x          x

    The last fold holds out the final n_last rows of each user; the fold before it
    the n_last rows before those, and so on. Rows held out by a later fold are in the
    future, and go to neither side of an earlier one. A user's rows are held out only
    where an older row is left to train on; otherwise they stay in train.

    Rows of equal time keep the order they have in X. Without timestamps the order of
    the rows is the order in time. With n_splits=1, train and test are all of X.

    Parameters
    ----------
    n_last : int, default=1
        How many interactions a fold holds out per user. More rows make a steadier
        estimate from fewer users.
    n_splits : int, default=1
        Number of folds. One is the usual protocol; more average over more rows, from
        ever shorter histories.

    See Also
    --------
    TimeCutoffSplit : The same point in time for all users.
    leave_last_out_split : One split, as two frames.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec.model_selection import LeaveLastOut
    >>> X = pd.DataFrame({"user_id": list("aabaab"), "item_id": list("uvwxyz")})
    >>> for train, test in LeaveLastOut(n_splits=2).split(X):
    ...     print(train, test)
    [0 1 2] [3]
    [0 1 2 3] [4 5]
    """

    _parameter_constraints = {"n_last": Integer(1), "n_splits": Integer(1)}

    def __init__(self, n_last=1, n_splits=1):
        self.n_last = n_last
        self.n_splits = n_splits

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds.

        Parameters
        ----------
        X : object, default=None
            Ignored.
        y : object, default=None
            Ignored.
        groups : object, default=None
            Ignored.

        Returns
        -------
        int
            The parameter `n_splits`.
        """
        return self.n_splits

    def _fold_of_rows(self, X):
        users, _, times = check_interactions(X, caller="LeaveLastOut", need_items=False)
        user = pd.factorize(users)[0]
        # lexsort is stable: rows of equal time keep their order.
        order = np.lexsort((user,) if times is None else (times, user))
        length = np.bincount(user)
        needed = self.n_last * self.n_splits + 1
        if length.max() < needed:
            raise InteractionsError(
                f"{self!r} needs a user with at least {needed} interactions, "
                f"{needed - 1} to hold out and one to train on; the longest history "
                f"has {length.max()}. Lower n_last or n_splits."
            )
        from_end = np.empty(len(user), dtype=np.intp)  # 0 for a user's last row
        from_end[order] = length.cumsum()[user[order]] - 1 - np.arange(len(user))
        block = from_end // self.n_last
        held_out = (block < self.n_splits) & ((block + 1) * self.n_last < length[user])
        return np.where(held_out, self.n_splits - 1 - block, -1)


class TimeCutoffSplit(_ForwardSplit):
    """Hold out what all users did from a point in time on.

    With three cutoffs the rows, oldest first, are::

                  c0     c1     c2
        fold 0  x x T T T . . . . .       x  train
        fold 1  x x x x x T T . . .       T  test
        fold 2  x x x x x x x T T T       .  in neither

    Fold s tests on the rows at or after its cutoff and before the next one, and trains
    on the rows before its cutoff. Rows of equal time are never divided. Unlike with
    `LeaveLastOut`, no model is trained on anything later than what it is tested on; on
    the other hand, test users may be new.

    Without timestamps the order of the rows is the order in time.

    Parameters
    ----------
    cutoffs : scalar or sequence, default=None
        Ascending points in time, one a fold: numbers where the timestamps are numbers,
        otherwise whatever `pandas.to_datetime` reads, taken as UTC where no time zone
        is given. None chooses them by `n_splits` and `test_size`.
    n_splits : int, default=1
        Number of folds where `cutoffs` is None.
    test_size : float, default=0.1
        Share of the rows that a fold tests on where `cutoffs` is None, so that
        n_splits · test_size is below 1. A fold begins earlier where rows of equal time
        would be divided.

    See Also
    --------
    LeaveLastOut : The last interactions of every user.

    References
    ----------
    Y. Ji, A. Sun, J. Zhang and C. Li. "A Critical Study on Data Leakage in Recommender
    System Offline Evaluation". ACM Transactions on Information Systems 41(3), 2023.

    Examples
    --------
    >>> from sklearn_attrec.model_selection import TimeCutoffSplit
    >>> X = [[1, 7, 10], [1, 8, 30], [2, 7, 20], [2, 9, 40]]  # user, item, time
    >>> for train, test in TimeCutoffSplit(cutoffs=[20, 40]).split(X):
    ...     print(train, test)
    [0] [1 2]
    [0 1 2] [3]
    """

    _parameter_constraints = {
        "n_splits": Integer(1),
        "test_size": Real(0, 1, low_open=True, high_open=True),
    }

    def __init__(self, cutoffs=None, *, n_splits=1, test_size=0.1):
        self.cutoffs = cutoffs
        self.n_splits = n_splits
        self.test_size = test_size

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds.

        Parameters
        ----------
        X : object, default=None
            Ignored.
        y : object, default=None
            Ignored.
        groups : object, default=None
            Ignored.

        Returns
        -------
        int
            The number of cutoffs, or the parameter `n_splits` without them.
        """
        if self.cutoffs is None:
            return self.n_splits
        return len(self.cutoffs) if pd.api.types.is_list_like(self.cutoffs) else 1

    def _fold_of_rows(self, X):
        users, _, times = check_interactions(
            X, caller="TimeCutoffSplit", need_items=False
        )
        if self.cutoffs is not None:
            cutoffs = self._given_cutoffs(times)
        else:
            times = np.arange(len(users)) if times is None else times
            cutoffs = self._chosen_cutoffs(times)
        fold = np.searchsorted(cutoffs, times, side="right") - 1
        n_rows = np.bincount(fold + 1, minlength=len(cutoffs) + 1)
        if not n_rows.all():
            bounds = ["the first row", *map(str, cutoffs), "the last row"]
            empty = np.flatnonzero(n_rows == 0)[0]
            raise InteractionsError(
                f"{self!r} finds no row from {bounds[empty]} up to "
                f"{bounds[empty + 1]}: every fold needs rows to train and to test on. "
                f"The {len(times)} rows lie between {times.min()} and {times.max()}."
            )
        return fold

    def _chosen_cutoffs(self, times):
        size = round(len(times) * self.test_size)
        starts = len(times) - size * np.arange(self.n_splits, 0, -1)
        if size < 1 or starts[0] < 1:
            raise InteractionsError(
                f"{self!r} leaves nothing to train or to test on: {self.n_splits} "
                f"fold(s) of {size} row(s) each out of {len(times)}."
            )
        return np.sort(times)[starts]

    def _given_cutoffs(self, times):
        if times is None:
            raise InteractionsError(
                f"{self!r} needs timestamps to compare its cutoffs with, and X has "
                "none. Use n_splits and test_size to cut by the order of the rows."
            )
        cutoffs = pd.Index(
            self.cutoffs if pd.api.types.is_list_like(self.cutoffs) else [self.cutoffs]
        )
        are_dates = times.dtype.kind == "M"
        if len(cutoffs) and are_dates == pd.api.types.is_numeric_dtype(cutoffs):
            raise InvalidParameterError(
                "The 'cutoffs' parameter of TimeCutoffSplit must be of the same kind "
                f"as the timestamps, which are {times.dtype}. Got {self.cutoffs!r} "
                "instead."
            )
        if are_dates:
            cutoffs = pd.to_datetime(cutoffs, utc=True).tz_localize(None)
        if not (len(cutoffs) and cutoffs.is_monotonic_increasing and cutoffs.is_unique):
            raise InvalidParameterError(
                "The 'cutoffs' parameter of TimeCutoffSplit must be one or more "
                "points in time, each later than the one before. Got "
                f"{self.cutoffs!r} instead."
            )
        return cutoffs.to_numpy()


def leave_last_out_split(X, n_last=1):
    """Split interactions into all but the last of every user, and the last.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_samples, n_columns)
        Interactions: a frame with the columns `user_id`, `item_id` and optionally
        `timestamp`, or an array read by position: user, item, time.
    n_last : int, default=1
        How many interactions to hold out per user. Users with no more than that stay
        in train entirely.

    Returns
    -------
    train : DataFrame or ndarray
        The earlier rows, in the order and with the index labels of X.
    test : DataFrame or ndarray
        The held-out rows, likewise.

    Raises
    ------
    InteractionsError
        If the interactions cannot be used, or no user has more than n_last of them.
    InvalidParameterError
        If n_last is not an integer of at least 1.

    See Also
    --------
    LeaveLastOut : The same for `cv=` in a search, with several folds.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec.model_selection import leave_last_out_split
    >>> X = pd.DataFrame({"user_id": list("aabab"), "item_id": list("uvwxy")})
    >>> train, test = leave_last_out_split(X)
    >>> test
      user_id item_id
    3       a       x
    4       b       y
    """
    ((train, test),) = LeaveLastOut(n_last).split(X)
    if isinstance(X, pd.DataFrame):
        return X.iloc[train], X.iloc[test]
    # NumPy would turn [1, "a"] into ["1", "a"]; as objects both stay what they are.
    rows = np.asarray(X, dtype=object if isinstance(X, list | tuple) else None)
    return rows[train], rows[test]
