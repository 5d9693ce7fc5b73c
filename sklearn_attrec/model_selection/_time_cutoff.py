"""TimeCutoffSplit: the interactions from a point in time on are the test set."""

from collections.abc import Sequence
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.times import in_one_unit
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError
from sklearn_attrec.model_selection._forward_split import ForwardSplit
from sklearn_attrec.utils._param_validation import Integer, Real
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["TimeCutoffSplit"]

_Time: TypeAlias = float | str | date | np.datetime64
_Times: TypeAlias = Sequence[_Time] | npt.NDArray | pd.Series | pd.Index


class TimeCutoffSplit(ForwardSplit):
    """Hold out the interactions of all users from a point in time on.

    Example with three cutoffs, the oldest row first:

    .. code-block:: none

                  c0     c1     c2
        fold 0  x x T T T . . . . .       x  train
        fold 1  x x x x x T T . . .       T  test
        fold 2  x x x x x x x T T T       .  not used

    Fold s trains on the rows before its cutoff, and tests on the rows at or after its
    cutoff and before the next cutoff. Rows with equal times are always in the same set.
    Unlike with `LeaveLastOut`, all training rows are older than all test rows, but the
    test set may contain unseen users, who are answered with popular items unless
    `context='earlier'` adds their earlier test rows as history; see `target_ranks`.

    Without timestamps `cutoffs` must be None and the rows must be sorted by time.

    Parameters
    ----------
    cutoffs : scalar or sequence, default=None
        Points in time in ascending order, one per fold: numbers if the timestamps are
        numbers, otherwise dates, also as ISO 8601 text, in UTC if they have no time
        zone. None means that `n_splits` and `test_size` define the cutoffs.
    n_splits : int, default=1
        Number of folds if `cutoffs` is None.
    test_size : float, default=0.1
        Fraction of the rows in the test set of each fold if `cutoffs` is None; n_splits
        times test_size must be below 1. If the start of a test set would separate rows
        with equal times, the test set also contains the earlier ones.

    See Also
    --------
    LeaveLastOut : Test on the last interactions of each user.
    UserKFold : Test on all interactions of some users.

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

    def __init__(
        self,
        cutoffs: _Time | _Times | None = None,
        *,
        n_splits: int = 1,
        test_size: float = 0.1,
    ):
        self.cutoffs = cutoffs
        self.n_splits = n_splits
        self.test_size = test_size

    def get_n_splits(
        self, X: object = None, y: object = None, groups: object = None
    ) -> int:
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
            The number of cutoffs; the parameter `n_splits` if `cutoffs` is None.
        """
        cutoffs: Any = self.cutoffs
        if cutoffs is None:
            return self.n_splits
        return len(cutoffs) if pd.api.types.is_list_like(cutoffs) else 1

    def _fold_of_rows(self, X):
        interactions = check_interactions(X, caller="TimeCutoffSplit", need_items=False)
        users, times = interactions.users, interactions.times
        if self.cutoffs is not None:
            cutoffs = self._given_cutoffs(times)
        else:
            times = np.arange(len(users)) if times is None else times
            cutoffs = self._chosen_cutoffs(times)
        cutoffs, times = in_one_unit(cutoffs, times)
        fold = np.searchsorted(cutoffs, times, side="right") - 1
        n_rows = np.bincount(fold + 1, minlength=len(cutoffs) + 1)
        if not n_rows.all():
            bounds = ["the first row", *map(str, cutoffs), "the last row"]
            empty = np.flatnonzero(n_rows == 0)[0]
            raise InteractionsError(
                f"{self!r} finds no row from {bounds[empty]} up to "
                f"{bounds[empty + 1]}, but each fold needs training and test rows. "
                f"The times of the {len(times)} rows are between {times.min()} and "
                f"{times.max()}. Change cutoffs, or n_splits and test_size."
            )
        return fold

    def _chosen_cutoffs(self, times):
        size = round(len(times) * self.test_size)
        starts = len(times) - size * np.arange(self.n_splits, 0, -1)
        if size < 1 or starts[0] < 1:
            raise InteractionsError(
                f"{self!r} leaves no rows to train or to test on: {self.n_splits} "
                f"fold(s) of {size} row(s) each out of {len(times)}. Change n_splits "
                "or test_size."
            )
        return np.sort(times)[starts]

    def _given_cutoffs(self, times):
        if times is None:
            raise InteractionsError(
                f"{self!r} needs timestamps to compare with its cutoffs, but X has "
                "none. If the rows are sorted by time, use n_splits and test_size "
                "instead of cutoffs."
            )
        cutoffs = pd.Index(
            self.cutoffs if pd.api.types.is_list_like(self.cutoffs) else [self.cutoffs]
        )
        are_dates = times.dtype.kind == "M"
        if len(cutoffs) and are_dates == pd.api.types.is_numeric_dtype(cutoffs):
            raise InvalidParameterError(
                "The 'cutoffs' parameter of TimeCutoffSplit must be of the same kind "
                f"as the timestamps, {times.dtype}. Got {short_repr(self.cutoffs)} "
                "instead."
            )
        if are_dates:
            cutoffs = self._dates(cutoffs)
        if not (len(cutoffs) and cutoffs.is_monotonic_increasing and cutoffs.is_unique):
            raise InvalidParameterError(
                "The 'cutoffs' parameter of TimeCutoffSplit must be one or more "
                "points in time, each later than the one before. Got "
                f"{short_repr(self.cutoffs)} instead."
            )
        return cutoffs.to_numpy()

    def _dates(self, cutoffs):
        """Convert cutoffs to dates in UTC; text must be unambiguous."""
        if isinstance(cutoffs, pd.PeriodIndex):
            cutoffs = cutoffs.to_timestamp()
        try:
            dates = [
                pd.to_datetime([cutoff], format="ISO8601", utc=True)
                if isinstance(cutoff, str)
                else pd.to_datetime([cutoff], utc=True)
                for cutoff in cutoffs
            ]
        except (ValueError, TypeError) as error:
            raise InvalidParameterError(
                "The 'cutoffs' parameter of TimeCutoffSplit must be dates, as text in "
                f"the form '2024-03-02'. Got {short_repr(self.cutoffs)} instead: "
                f"{error}."
            ) from error
        return dates[0].append(dates[1:]).tz_localize(None)
