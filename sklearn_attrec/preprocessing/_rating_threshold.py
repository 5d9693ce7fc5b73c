"""RatingThreshold: a filter of interactions with low ratings."""

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_calls import drop_missing_advice
from sklearn_attrec._interactions.values import are_missing
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError
from sklearn_attrec.preprocessing._row_filter import RowFilter
from sklearn_attrec.utils._param_validation import Integer, Real
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["RatingThreshold"]


class RatingThreshold(RowFilter):
    """Drop interactions with a rating below a threshold.

    This converts explicit ratings to implicit feedback. Only `fit_transform` drops
    rows, so a Pipeline drops rows only in its `fit`; `transform` returns its input. If
    it dropped held-out rows too, each threshold would have a different test set, and a
    grid search would select the threshold with the easiest one.

    Items of dropped rows are unknown to the history, so a film that somebody disliked
    can be recommended again. A column `weight` that is 0 for low ratings, in `fit` of a
    recommender, keeps them as seen; they are then read as history like the others.

    Parameters
    ----------
    threshold : float, default=4.0
        Lowest rating to keep, on the scale of the ratings. A higher threshold leaves
        fewer interactions, which are stronger signs of interest.
    column : str or int, default='rating'
        Column with the ratings: its name in a DataFrame, or its position in an array.

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
    KCoreFilter : Drops rare users and items.
    DropRepeats : Drops repeated interactions.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec.preprocessing import RatingThreshold
    >>> X = pd.DataFrame({"user_id": [1, 1], "item_id": [7, 8], "rating": [5, 2]})
    >>> RatingThreshold(4).fit_transform(X)
       user_id  item_id  rating
    0        1        7       5
    """

    _parameter_constraints = {"threshold": Real()}

    def __init__(self, threshold: float = 4.0, *, column: str | int = "rating"):
        self.threshold = threshold
        self.column = column

    def _kept_rows(self, X):
        given = self._ratings(X)
        ratings = pd.Series(given).reset_index(drop=True)
        if ratings.dtype.kind in "mM":  # pandas would convert dates to nanoseconds
            ratings = ratings.astype(object)
        try:
            ratings = pd.to_numeric(ratings)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else InteractionsError
            # scikit-learn's checks expect "argument must be ... string ... number".
            raise kind(
                f"RatingThreshold: in column {self.column!r} of X, each rating of this "
                "argument must be a number, or a string that can be converted to a "
                f"number: {error}."
            ) from error
        missing = np.flatnonzero(are_missing(ratings))
        if len(missing):
            raise InteractionsError(
                f"RatingThreshold finds {len(missing)} missing rating(s) in column "
                f"{self.column!r} of X, first at row {missing[0]}. "
                f"{drop_missing_advice(given)}"
            )
        return (ratings >= self.threshold).to_numpy(dtype=bool)

    def _ratings(self, X):
        if isinstance(X, pd.DataFrame):
            if list(X.columns).count(self.column) != 1:
                raise InteractionsError(
                    f"RatingThreshold needs one column {self.column!r} in X, but the "
                    f"columns of X are {short_repr(list(X.columns), 1000)}. Pass the "
                    "name of the column with the ratings as column=."
                )
            return X[self.column]
        low, high = -X.shape[1], X.shape[1] - 1
        if not Integer(low, high).allows(self.column):
            raise InvalidParameterError(
                "The 'column' parameter of RatingThreshold must be the position of the "
                f"ratings if X is not a DataFrame, {Integer(low, high)}. "
                f"Got {self.column!r} instead."
            )
        return X[:, self.column]
