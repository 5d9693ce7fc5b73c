"""RowFilter: base class of pipeline steps that drop rows of training data only."""

from abc import abstractmethod
from typing import Self

import numpy as np
import pandas as pd
from sklearn import get_config
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_attrec._interactions.frames import (
    collect,
    library_of,
    take_rows,
    to_pandas,
)
from sklearn_attrec._interactions.table_types import refuse_other_tables
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError
from sklearn_attrec.utils._doc_link import DocLinkMixin
from sklearn_attrec.utils._param_validation import validate_parameters
from sklearn_attrec.utils._types import Frame, Table, Users

__all__ = ["InteractionFilter", "RowFilter"]


# scikit-learn does not wrap the methods of this class, because that would rename the
# columns of queries. Its subclasses have scikit-learn's method `set_output`.
class RowFilter(  # type: ignore[call-arg]
    OneToOneFeatureMixin,
    TransformerMixin,
    DocLinkMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,
):
    """Base class of transformers that drop rows in `fit_transform` only."""

    @abstractmethod
    def _kept_rows(self, X):
        """Return a boolean mask of the rows to keep, of shape (n_rows,)."""

    def _validate(self, X, *, reset):
        """Check the number of columns; convert X to an array if it is not a table."""
        refuse_other_tables(X, type(self).__name__)
        # By default NumPy converts the list [1, "a"] to "1" and "a".
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
        X = collect(X)
        checked = self._validate(to_pandas(X, needed=None), reset=True)
        kept = self._kept_rows(checked)
        self.n_rows_in_ = len(kept)
        self.n_rows_out_ = int(kept.sum())
        rows = take_rows(checked if library_of(X) is None else X, np.flatnonzero(kept))
        return self._as_configured(rows)

    def _as_configured(self, X):
        """Return X, as a frame if it is an array and the output is set to 'pandas'."""
        if not isinstance(X, np.ndarray):
            return X
        config = getattr(self, "_sklearn_output_config", {})
        output = config.get("transform", get_config()["transform_output"])
        if output not in ("default", "pandas"):
            raise InvalidParameterError(
                f"The 'transform' output of {type(self).__name__} must be 'default' or "
                "'pandas': only arrays are converted, to frames of pandas. Got "
                f"{output!r} instead."
            )
        # Queries may have other columns than interactions.
        is_table = X.ndim == 2 and X.shape[1] == self.n_features_in_
        if output == "pandas" and is_table:
            return pd.DataFrame(X, columns=self.get_feature_names_out())
        return X

    def fit(self, X: Table, y: object = None) -> Self:
        """Count the rows that `fit_transform` would keep.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            Interactions.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : estimator
            The fitted filter.

        Raises
        ------
        InteractionsError
            If X cannot be used.
        InvalidParameterError
            If a parameter has an invalid value.
        """
        self._fit(X)
        return self

    def fit_transform(self, X: Table, y: object = None) -> Frame | np.ndarray:
        """Fit the filter and drop rows of training data.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            Interactions.
        y : object, default=None
            Ignored; its rows are not dropped.

        Returns
        -------
        DataFrame or ndarray of shape (`n_rows_out_`, n_columns)
            The rows kept, in the order of X and with its index labels. A DataFrame is
            one of the library of X, and not lazy.

        Raises
        ------
        InteractionsError
            If X cannot be used, or all rows are dropped.
        InvalidParameterError
            If a parameter has an invalid value.
        """
        kept = self._fit(X)
        if self.n_rows_out_ == 0:
            raise InteractionsError(
                f"{self!r} drops all {self.n_rows_in_} rows of X, so no row remains to "
                "fit a model on. Change its parameters to drop fewer rows."
            )
        return kept

    def transform(self, X: Users) -> Users:
        """Return X without dropping rows.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n_rows, n_columns) or users
            Queries or held-out interactions: anything that the next step accepts, for
            example a list of users. After `fit` on an array, an array must have as many
            columns.

        Returns
        -------
        object
            X itself; X as an array after `fit` on an array.

        Raises
        ------
        NotFittedError
            If the filter is not fitted.
        """
        check_is_fitted(self)
        # Queries may have fewer columns than interactions, or none.
        fitted_on_frame = hasattr(self, "feature_names_in_")
        is_list_of_ids = isinstance(X, list | tuple) and all(map(np.isscalar, X))
        is_query = library_of(X) is not None or np.isscalar(X) or is_list_of_ids
        if fitted_on_frame or is_query:
            return self._as_configured(X)
        return self._as_configured(self._validate(X, reset=False))


class InteractionFilter(RowFilter):
    """Base class of row filters that read users and items, which may be strings."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags
