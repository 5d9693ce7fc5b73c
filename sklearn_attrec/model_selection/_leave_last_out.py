"""LeaveLastOut: the last interactions of each user are the test set."""

from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.factorize import factorize
from sklearn_attrec._interactions.frames import collect, library_of, take_rows
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.model_selection._forward_split import ForwardSplit
from sklearn_attrec.utils._param_validation import Integer, OneOf
from sklearn_attrec.utils._types import Frame, Table

__all__ = ["LeaveLastOut", "leave_last_out_split"]


class LeaveLastOut(ForwardSplit):
    """Hold out the last interactions of each user.

    Example with n_last=1, n_splits=2 and four users, the oldest row first:

    .. code-block:: none

                   fold 0     fold 1       x  train
        user a     x x T .    x x x T      T  test
        user b       x T .      x x T      .  not used
        user c         x .        x T
        user d           x          x

    The last fold holds out the last n_last rows of each user, the fold before it holds
    out the n_last rows before them, and so on. An earlier fold does not use the rows
    that a later fold holds out. Rows of a user are held out only if at least one older
    row of the user remains for training; otherwise they are training rows.

    Rows with equal times keep their order in X. Without timestamps the rows must be
    sorted by time. With n_splits=1, each row of X is in train or in test.

    Parameters
    ----------
    n_last : int, default=1
        Number of interactions, or of times with unit='time', that each fold holds out
        per user. A larger value tests on more rows of fewer users.
    n_splits : int, default=1
        Number of folds. 1 is the usual choice in the literature. More folds give an
        average over more test rows, but the earlier folds have shorter histories.
    unit : {'row', 'time'}, default='row'
        What is held out. 'row' is the protocol of published results: the last rows,
        even if the training rows contain others of the same time. If rows of one time
        belong together, as in a basket, the others reveal the one that is held out.
        'time' holds out all rows of the last times, so that a basket is never cut; it
        requires timestamps.

    See Also
    --------
    TimeCutoffSplit : Test on all interactions from a point in time on.
    UserKFold : Test on all interactions of some users.
    leave_last_out_split : A single split that returns two tables.

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

    _parameter_constraints = {
        "n_last": Integer(1),
        "n_splits": Integer(1),
        "unit": OneOf("row", "time"),
    }

    def __init__(self, n_last: int = 1, n_splits: int = 1, *, unit: str = "row"):
        self.n_last = n_last
        self.n_splits = n_splits
        self.unit = unit

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
            The parameter `n_splits`.
        """
        return self.n_splits

    def _fold_of_rows(self, X):
        interactions = check_interactions(X, caller="LeaveLastOut", need_items=False)
        user, times = factorize(interactions.users)[0], interactions.times
        if self.unit == "time" and times is None:
            raise InteractionsError(
                f"{self!r} needs timestamps, but X has none. Pass X with a column "
                "'timestamp', or unit='row'."
            )
        # lexsort is stable: rows with equal times keep their order.
        order = np.lexsort((user,) if times is None else (times, user))
        starts_unit = np.ones(len(user), dtype=bool)
        if self.unit == "time":
            same_user = np.diff(user[order]) == 0
            starts_unit[1:] = ~same_user | (times[order][1:] != times[order][:-1])
        length = np.bincount(user[order[starts_unit]])  # units per user
        needed = self.n_last * self.n_splits + 1
        if length.max() < needed:
            units = "interactions" if self.unit == "row" else "different times"
            raise InteractionsError(
                f"{self!r} needs a user with at least {needed} {units}, "
                f"{needed - 1} to hold out and 1 to train on, but the longest history "
                f"has {length.max()}. Reduce n_last or n_splits."
            )
        from_end = np.empty(len(user), dtype=np.intp)  # 0 for a user's last unit
        from_end[order] = length.cumsum()[user[order]] - np.cumsum(starts_unit)
        block = from_end // self.n_last
        held_out = (block < self.n_splits) & ((block + 1) * self.n_last < length[user])
        return np.where(held_out, self.n_splits - 1 - block, -1)


@overload
def leave_last_out_split(
    X: pd.DataFrame, n_last: int = 1, *, unit: str = "row"
) -> tuple[pd.DataFrame, pd.DataFrame]: ...
@overload
def leave_last_out_split(
    X: Frame, n_last: int = 1, *, unit: str = "row"
) -> tuple[Any, Any]: ...
@overload
def leave_last_out_split(
    X: npt.ArrayLike, n_last: int = 1, *, unit: str = "row"
) -> tuple[np.ndarray, np.ndarray]: ...
def leave_last_out_split(
    X: Table, n_last: int = 1, *, unit: str = "row"
) -> tuple[Any, Any]:
    """Split interactions into a training and a test set by holding out the last ones.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_rows, 2 or more)
        Interactions: the columns `user_id`, `item_id` and `timestamp`. Without
        `timestamp` the rows must be sorted by time. The first three columns of an array
        are user, item and time.
    n_last : int, default=1
        Number of interactions, or of times with unit='time', to hold out per user. All
        rows of users with at most as many are training rows.
    unit : {'row', 'time'}, default='row'
        Whether to hold out the last rows, which is the protocol of published results,
        or all rows of the last times, for example whole baskets. See `LeaveLastOut`.

    Returns
    -------
    train : DataFrame or ndarray
        The earlier rows, in the order of X and with its index labels. A DataFrame is
        one of the library of X.
    test : DataFrame or ndarray
        The held-out rows, likewise.

    Raises
    ------
    InteractionsError
        If X cannot be used, or no user has more than n_last interactions (or times).
    InvalidParameterError
        If a parameter has an invalid value.

    See Also
    --------
    LeaveLastOut : The same split as a cross-validator, with one or more folds.

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
    X = collect(X)
    ((train, test),) = LeaveLastOut(n_last, unit=unit).split(X)
    if library_of(X) is None:
        # By default NumPy converts the list [1, "a"] to "1" and "a".
        X = np.asarray(X, dtype=object if isinstance(X, list | tuple) else None)
    return take_rows(X, train), take_rows(X, test)
