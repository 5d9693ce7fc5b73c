"""UserKFold: all interactions of some users are the test set."""

from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import GroupKFold

from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec.utils._types import Table

__all__ = ["UserKFold"]


class UserKFold(GroupKFold):
    """Hold out whole users or sessions.

    This is scikit-learn's `GroupKFold` with the column `user_id` as groups: each fold
    tests on all rows of some users and trains on all rows of the others, so that each
    user is tested in exactly one fold. The folds have about as many rows each.

    The test users have no history in fit. Score them with ``context='earlier'``, which
    predicts each row from the user's earlier test rows, for example with
    ``make_ranking_scorer(context='earlier')``. Time is not respected across users: if
    trends matter, use `TimeCutoffSplit`.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2 and at most the number of users.
    shuffle : bool, default=False
        Whether to assign users to folds at random instead of by their number of rows.
    random_state : int, RandomState or None, default=None
        Seed of the assignment if `shuffle` is True.

    See Also
    --------
    LeaveLastOut : Test on the last interactions of each user.
    TimeCutoffSplit : Test on all interactions from a point in time on.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec.model_selection import UserKFold
    >>> X = pd.DataFrame({"user_id": list("aabcc"), "item_id": list("uvwxy")})
    >>> for train, test in UserKFold(n_splits=3).split(X):
    ...     print(train, test)
    [0 1 2] [3 4]
    [2 3 4] [0 1]
    [0 1 3 4] [2]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(n_splits, shuffle=shuffle, random_state=random_state)

    def split(
        self, X: Table, y: object = None, groups: object = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the row positions of each fold.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, 2 or more)
            Interactions, as for `fit` of a recommender.
        y : object, default=None
            Ignored.
        groups : object, default=None
            Ignored: the groups are the users.

        Yields
        ------
        train : ndarray of int
            Positions of the training rows, in ascending order.
        test : ndarray of int
            Positions of the test rows, in ascending order.

        Raises
        ------
        InteractionsError
            If X cannot be used.
        ValueError
            If X has fewer users than folds.
        """
        users = check_interactions(X, caller="UserKFold", need_items=False).users
        yield from super().split(users, groups=users)
