"""Pipeline steps that drop interactions, from training data only."""

from abc import abstractmethod

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError
from sklearn_attrec.utils._param_validation import (
    Integer,
    OneOf,
    Real,
    validate_parameters,
)
from sklearn_attrec.utils._validation import check_interactions

__all__ = ["DropRepeats", "KCoreFilter", "RatingThreshold"]


class _RowFilter(TransformerMixin, BaseEstimator):
    """Drops rows in `fit_transform`; a subclass says which to keep."""

    @abstractmethod
    def _kept_rows(self, X):
        """Return a boolean mask of the rows to keep, of shape (n_rows,)."""

    def _validate(self, X, *, reset):
        """Check the number of columns, and turn what is not a table into an array."""
        # NumPy would turn [1, "a"] into ["1", "a"]; as objects both stay the same.
        is_text = isinstance(X, list | tuple) and np.asarray(X).dtype.kind == "U"
        return validate_data(
            self,
            X,
            reset=reset,
            dtype=object if is_text else None,
            skip_check_array=hasattr(X, "columns"),
        )

    def _fit(self, X):
        validate_parameters(self)
        X = self._validate(X, reset=True)
        kept = self._kept_rows(X)
        self.n_rows_in_ = len(kept)
        self.n_rows_out_ = int(kept.sum())
        return X[kept]

    def fit(self, X, y=None):
        """Count the rows that `fit_transform` would keep.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            Interactions.
        y : object, default=None
            Ignored.

        Returns
        -------
        object
            The filter itself, fitted.

        Raises
        ------
        InteractionsError
            If X cannot be used.
        InvalidParameterError
            If a parameter has a type or a value that is not allowed.
        """
        self._fit(X)
        return self

    def fit_transform(self, X, y=None):
        """Drop rows of training data.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            Interactions.
        y : object, default=None
            Ignored; no row of it is dropped.

        Returns
        -------
        DataFrame or ndarray of shape (n_rows_out_, n_columns)
            The rows kept, in the order and with the index labels of X.

        Raises
        ------
        InteractionsError
            If X cannot be used, or none of its rows is kept.
        InvalidParameterError
            If a parameter has a type or a value that is not allowed.
        """
        kept = self._fit(X)
        if self.n_rows_out_ == 0:
            raise InteractionsError(
                f"{self!r} keeps none of the {self.n_rows_in_} rows of X, and no model "
                "can be fitted on nothing. Loosen its parameters."
            )
        return kept

    def transform(self, X):
        """Return X as it is: only training data loses rows.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n_rows, n_columns) or users
            Queries or held-out interactions. After fitting on a frame anything that
            the next step takes is handed on, such as a list of users.

        Returns
        -------
        object
            X itself; after fitting on an array, X as an array.

        Raises
        ------
        NotFittedError
            If `fit` or `fit_transform` was not called before.
        """
        check_is_fitted(self)
        # Queries may have fewer columns than interactions, or none.
        was_frame = hasattr(self, "feature_names_in_")
        if was_frame or isinstance(X, pd.DataFrame) or np.isscalar(X):
            return X
        return self._validate(X, reset=False)


class RatingThreshold(_RowFilter):
    """Keep the interactions with a rating of at least a threshold.

    Turns ratings into likes. Rows are dropped by `fit_transform`, hence where a
    Pipeline is fitted, and never by `transform`. Otherwise the filter would delete the
    low-rated held-out rows too, differently for each threshold, and a grid search
    would choose the threshold that leaves the easiest test.

    Parameters
    ----------
    threshold : float, default=4.0
        The lowest rating kept, in the unit of the ratings. A larger one leaves fewer
        interactions that say more.
    column : str or int, default='rating'
        Name of the column with the ratings in a frame, or its position in an array.

    Attributes
    ----------
    n_rows_in_ : int
        Number of rows seen in fit.
    n_rows_out_ : int
        Number of rows kept.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns seen in fit, if all are strings.

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

    def __init__(self, threshold=4.0, *, column="rating"):
        self.threshold = threshold
        self.column = column

    def _kept_rows(self, X):
        ratings = pd.Series(self._ratings(X)).reset_index(drop=True)
        try:
            ratings = pd.to_numeric(ratings)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else InteractionsError
            raise kind(
                f"RatingThreshold: in column {self.column!r} of X, each rating of this "
                f"argument must be a number, or a string that is one number: {error}."
            ) from error
        missing = np.flatnonzero(ratings.isna())
        if len(missing):
            raise InteractionsError(
                f"RatingThreshold finds {len(missing)} missing rating(s) in column "
                f"{self.column!r} of X, first at row {missing[0]}. Drop those rows, or "
                "fill them in."
            )
        return (ratings >= self.threshold).to_numpy(dtype=bool)

    def _ratings(self, X):
        if isinstance(X, pd.DataFrame):
            if list(X.columns).count(self.column) != 1:
                raise InteractionsError(
                    f"RatingThreshold needs one column {self.column!r} in X; its "
                    f"columns are {list(X.columns)}. Name another with column=."
                )
            return X[self.column]
        low, high = -X.shape[1], X.shape[1] - 1
        if not Integer(low, high).allows(self.column):
            raise InvalidParameterError(
                "The 'column' parameter of RatingThreshold must be the position of the "
                f"ratings where X is not a pandas DataFrame, {Integer(low, high)}. "
                f"Got {self.column!r} instead."
            )
        return X[:, self.column]


class _InteractionFilter(_RowFilter):
    """A row filter that reads users and items, which may be text."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


class KCoreFilter(_InteractionFilter):
    """Keep the users and items with enough interactions among each other.

    Dropping a rare item shortens histories, which may make a user rare, and so on: the
    filter repeats until nothing changes. What is left is the largest set of rows in
    which every user and every item is frequent enough.

    Rows are dropped by `fit_transform`, hence where a Pipeline is fitted, and never by
    `transform`. Otherwise the filter would delete the held-out rows of rare users and
    items too, which are the hard ones, and win a grid search with a false score.

    Parameters
    ----------
    min_per_user : int, default=5
        The fewest interactions a user may have, repeats counted. 1 keeps every user.
    min_per_item : int, default=5
        The fewest interactions an item may have, repeats counted. 1 keeps every item.

    Attributes
    ----------
    n_rows_in_ : int
        Number of rows seen in fit.
    n_rows_out_ : int
        Number of rows kept.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns seen in fit, if all are strings.

    See Also
    --------
    RatingThreshold : Drops low ratings.
    DropRepeats : Drops repeated interactions.

    References
    ----------
    S. B. Seidman. "Network Structure and Minimum Degree". Social Networks 5(3), 1983.

    Examples
    --------
    Item "z" is rare, and without it so is user 3:

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

    def __init__(self, *, min_per_user=5, min_per_item=5):
        self.min_per_user = min_per_user
        self.min_per_item = min_per_item

    def _kept_rows(self, X):
        users, items, _ = check_interactions(X, caller="KCoreFilter")
        user, item = pd.factorize(users)[0], pd.factorize(items)[0]
        kept, n_before = np.arange(len(user)), None
        while len(kept) != n_before:
            n_before = len(kept)
            frequent = np.bincount(user[kept])[user[kept]] >= self.min_per_user
            frequent &= np.bincount(item[kept])[item[kept]] >= self.min_per_item
            kept = kept[frequent]
        return np.isin(np.arange(len(user)), kept)


class DropRepeats(_InteractionFilter):
    """Keep one of the interactions in which a user repeats an item.

    Rows are dropped by `fit_transform`, hence where a Pipeline is fitted, and never by
    `transform`. Otherwise the filter would delete held-out rows too, and a grid search
    would compare scores of different tests.

    Rows of equal time keep the order they have in X. Without timestamps the order of
    the rows is the order in time.

    Parameters
    ----------
    keep : {'first', 'last', 'consecutive'}, default='first'
        Which rows stay: the first or the last of each user and item, or the first of
        each run of the same item. A run is unbroken by other items of the user, so
        'consecutive' drops reloads and double clicks, but not later returns.

    Attributes
    ----------
    n_rows_in_ : int
        Number of rows seen in fit.
    n_rows_out_ : int
        Number of rows kept.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns seen in fit, if all are strings.

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

    def __init__(self, keep="first"):
        self.keep = keep

    def _kept_rows(self, X):
        users, items, times = check_interactions(X, caller="DropRepeats")
        user, item = pd.factorize(users)[0], pd.factorize(items)[0]
        # lexsort is stable: rows of equal time keep their order.
        order = np.lexsort((user,) if times is None else (times, user))
        ordered = pd.DataFrame({"user": user[order], "item": item[order]})
        if self.keep == "consecutive":
            repeated = (ordered == ordered.shift()).all(axis=1)
        else:
            repeated = ordered.duplicated(keep=self.keep)
        kept = np.empty(len(order), dtype=bool)
        kept[order] = ~repeated.to_numpy()
        return kept
