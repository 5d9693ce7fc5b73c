"""DropRepeats: a filter of repeated interactions."""

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.factorize import factorize
from sklearn_attrec.preprocessing._row_filter import InteractionFilter
from sklearn_attrec.utils._param_validation import OneOf

__all__ = ["DropRepeats"]


class DropRepeats(InteractionFilter):
    """Drop interactions in which a user repeats an item.

    Only `fit_transform` drops rows, so a Pipeline drops rows only in its `fit`;
    `transform` returns its input. If it dropped held-out rows too, a grid search would
    compare scores on different test sets.

    Rows with equal times keep their order in X. Without timestamps the rows must be
    sorted by time.

    Parameters
    ----------
    keep : {'first', 'last', 'consecutive'}, default='first'
        Which rows to keep: the first or the last row of each user and item, or the
        first of consecutive rows of a user with the same item. 'consecutive' drops page
        reloads and double clicks, but keeps a row if the user returns to the item after
        other items.

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
    KCoreFilter : Drops rare users and items.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec.preprocessing import DropRepeats
    >>> X = pd.DataFrame({"user_id": [1, 1, 1, 1], "item_id": ["x", "x", "y", "x"]})
    >>> DropRepeats("consecutive").fit_transform(X)
       user_id item_id
    0        1       x
    2        1       y
    3        1       x
    """

    _parameter_constraints = {"keep": OneOf("first", "last", "consecutive")}

    def __init__(self, keep: str = "first"):
        self.keep = keep

    def _kept_rows(self, X):
        users, items, times = check_interactions(X, caller="DropRepeats")
        user, item = factorize(users)[0], factorize(items)[0]
        # lexsort is stable: rows with equal times keep their order.
        order = np.lexsort((user,) if times is None else (times, user))
        ordered = pd.DataFrame({"user": user[order], "item": item[order]})
        if self.keep == "consecutive":
            repeated = (ordered == ordered.shift()).all(axis=1)
        else:
            repeated = ordered.duplicated(keep=self.keep)
        kept = np.empty(len(order), dtype=bool)
        kept[order] = ~repeated.to_numpy()
        return kept
