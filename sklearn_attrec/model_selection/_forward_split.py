"""ForwardSplit: cross-validation in which each fold trains only on earlier rows."""

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import BaseCrossValidator

from sklearn_attrec.utils._param_validation import validate_parameters
from sklearn_attrec.utils._types import Table

__all__ = ["ForwardSplit"]


class ForwardSplit(BaseCrossValidator):
    """Base class of cross-validators in which each fold trains only on earlier rows.

    A subclass assigns a number to each row. Fold s tests on the rows with number s and
    trains on the rows with lower numbers; a row with number -1 is a training row in
    every fold. Rows with higher numbers are in the future of the fold and not used.
    """

    @abstractmethod
    def _fold_of_rows(self, X):
        """Return the fold that tests each row, or -1, of shape (n_rows,)."""

    def split(
        self, X: Table, y: object = None, groups: object = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the row positions of each fold, the earliest fold first.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, 2 or more)
            Interactions: the columns `user_id`, `item_id` and `timestamp`. Without
            `timestamp` the rows must be sorted by time. The first three columns of an
            array are user, item and time.
        y : object, default=None
            Ignored.
        groups : object, default=None
            Ignored.

        Yields
        ------
        train : ndarray of int
            Positions of the training rows, in ascending order.
        test : ndarray of int
            Positions of the test rows, in ascending order.

        Raises
        ------
        InteractionsError
            If X cannot be used, or has too few rows for the folds.
        InvalidParameterError
            If a parameter has an invalid value.
        """
        validate_parameters(self)
        fold = self._fold_of_rows(X)
        for s in range(self.get_n_splits()):
            yield np.flatnonzero(fold < s), np.flatnonzero(fold == s)
