"""KCoreFilter: a filter of rare users and items."""

import numpy as np

from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.factorize import factorize
from sklearn_attrec.preprocessing._row_filter import InteractionFilter
from sklearn_attrec.utils._param_validation import Integer

__all__ = ["KCoreFilter"]


class KCoreFilter(InteractionFilter):
    """Drop users and items with few interactions.

    Dropping the rows of an item leaves some users with fewer rows, so the filter
    repeats until no row is dropped. The result is the largest set of rows in which all
    users and items have enough interactions.

    Only `fit_transform` drops rows, so a Pipeline drops rows only in its `fit`;
    `transform` returns its input. If it dropped held-out rows too, the difficult test
    rows of rare users and items would be missing, and a grid search would prefer strict
    filters for their higher scores.

    Parameters
    ----------
    min_per_user : int, default=5
        Minimum number of interactions per user, repeats included. 1 keeps all users.
    min_per_item : int, default=5
        Minimum number of interactions per item, repeats included. 1 keeps all items.

    Attributes
    ----------
    n_rows_in_ : int
        Number of rows seen in `fit`.
    n_rows_out_ : int
        Number of rows kept.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of these columns. Defined only if X was a DataFrame whose column names
        are all strings.

    See Also
    --------
    RatingThreshold : Drops low ratings.
    DropRepeats : Drops repeated interactions.

    References
    ----------
    S. B. Seidman. "Network Structure and Minimum Degree". Social Networks 5(3), 1983.

    Examples
    --------
    Item "z" is rare; without it user 3 is rare too:

    >>> import pandas as pd
    >>> from sklearn_attrec.preprocessing import KCoreFilter
    >>> X = pd.DataFrame(
    ...     {"user_id": [1, 1, 2, 2, 3, 3], "item_id": ["x", "y", "x", "y", "x", "z"]}
    ... )
    >>> KCoreFilter(min_per_user=2, min_per_item=2).fit_transform(X)
       user_id item_id
    0        1       x
    1        1       y
    2        2       x
    3        2       y
    """

    _parameter_constraints = {"min_per_user": Integer(1), "min_per_item": Integer(1)}

    def __init__(self, *, min_per_user: int = 5, min_per_item: int = 5):
        self.min_per_user = min_per_user
        self.min_per_item = min_per_item

    def _kept_rows(self, X):
        users, items, _ = check_interactions(X, caller="KCoreFilter")
        user, item = factorize(users)[0], factorize(items)[0]
        kept, n_before = np.arange(len(user)), None
        while len(kept) != n_before:
            n_before = len(kept)
            is_frequent = np.bincount(user[kept])[user[kept]] >= self.min_per_user
            is_frequent &= np.bincount(item[kept])[item[kept]] >= self.min_per_item
            kept = kept[is_frequent]
        return np.isin(np.arange(len(user)), kept)
