"""PartialFitMixin: learning from more interactions."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from sklearn_attrec._interactions.appending import Appended, append
from sklearn_attrec._interactions.column_names import ITEM, TIME, USER, WEIGHT
from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.frames import to_pandas
from sklearn_attrec._interactions.weights import check_weights
from sklearn_attrec._ranking.known_ids import check_same_type
from sklearn_attrec._ranking.queries import check_features, fitted_period
from sklearn_attrec._ranking.query_times import comparable_times, warn_of_other_period
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.models._fitted_state import encoded_state
from sklearn_attrec.utils._param_validation import validate_parameters
from sklearn_attrec.utils._types import Table

__all__ = ["PartialFitMixin"]


class PartialFitMixin:
    """Mixin with `partial_fit`."""

    # Defined by BaseRecommender.
    fit: Callable[..., Self]
    users_: np.ndarray
    items_: np.ndarray
    item_counts_: np.ndarray
    _caller: Callable[[str], str]
    _sequences: Callable[[], Any]
    _settings: Callable[..., dict]
    _catalogue: Callable[..., tuple]
    _learn_more: Callable[..., dict]

    def partial_fit(self, X: Table, y: object = None) -> Self:
        """Learn from more interactions, without another fit on all of them.

        The rows are added to the histories: each comes after the rows of its user up to
        its time, so that rows older than known ones are inserted where they belong. New
        users and items are added.

        Popularity, the Markov chain and item kNN are then what `fit` on all rows would
        make them, bit for bit. A network trains on the windows that predict the new
        rows and on as many others, so that it does not forget, with 0.1 times the
        learning rate, for 0.4 times as many epochs as in `fit`, at least one. The
        vector of a new item starts near those of the items before and after it, with a
        random part. The `L` of a transformer stays as it is, however long histories
        become, and the moments of the optimiser start from 0. Early stopping,
        checkpoints and callbacks belong to `fit` alone, and `loss_curve_`, `n_iter_`,
        `validation_scores_` and `interrupted_` remain those of `fit`.

        A network with `item_features` reads its table again, also if X has no rows:
        items that only the table has are added, and items without a row in it keep
        their features. Known texts and the scales of numbers remain those of `fit`.
        After loading a model, set `item_features` to a table of the new items.

        New users need no `partial_fit`: pass their `history` to `predict`. Any
        exception, Ctrl-C included, leaves the estimator unchanged.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, 2 or more)
            Interactions, as in `fit`; with `timestamp` and `weight` if the rows of
            `fit` had them, and only then. If X has no rows, only the items that
            `item_features` adds or changes are updated.
        y : None
            Ignored.

        Returns
        -------
        self : estimator
            The updated recommender; if it was not fitted before, the result of `fit`.

        Raises
        ------
        InteractionsError
            If X or `item_features` cannot be used, or does not go with what `fit` has
            seen: types of ids, times, weights, columns.
        InvalidParameterError
            If a parameter has an invalid value, or a parameter that defines a network
            was changed after `fit`.
        TrainingDivergedError
            If the loss or a weight of a network is not finite, or a weight is very
            large.
        ForkedTensorFlowError, ImportError
            As in `fit`.

        Warns
        -----
        TimeUnitWarning
            If the timestamps seem to be in another unit than those seen in fit.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn_attrec import MarkovRecommender
        >>> monday = pd.DataFrame(
        ...     {"user_id": ["ann", "ann", "bob"], "item_id": ["tea", "milk", "tea"]}
        ... )
        >>> model = MarkovRecommender(k=1).fit(monday)
        >>> model.predict("bob")
        array(['milk'], dtype=object)

        On Tuesday cat has jam after tea, twice, which no one had on Monday.

        >>> tuesday = pd.DataFrame(
        ...     {"user_id": ["cat"] * 4, "item_id": ["tea", "jam", "tea", "jam"]}
        ... )
        >>> model.partial_fit(tuesday).predict("bob")
        array(['jam'], dtype=object)
        """
        if not hasattr(self, "users_"):
            return self.fit(X)
        validate_parameters(self)
        caller = self._caller("partial_fit")
        appended = self._append(to_pandas(X), caller)
        has_features = getattr(self, "item_features", None) is not None
        if not appended.is_new.any() and not has_features:
            return self
        sequences, users, items, _ = appended
        parameters = self._settings(len(items), sequences.longest)
        items, features = self._catalogue(items, caller, is_update=True)
        state = encoded_state(sequences, users, items) | features
        state["settings_"] = parameters
        state = self._learn_more(appended, state)
        self.__dict__.update(state, _cache={})
        return self

    def _append(self, X, caller):
        """Read interactions and append them to the fitted sequences."""
        check_features(self, X, caller)
        users, items, times = check_interactions(X, caller=caller, allow_empty=True)
        sequences = self._sequences()
        known_items = self.items_[: np.count_nonzero(self.item_counts_)]
        if len(users) == 0:
            is_new = np.zeros(len(sequences.items), dtype=bool)
            return Appended(sequences, self.users_, known_items, is_new)
        weights = check_weights(X, caller, allow_zeros=True)
        for known, ids, name in (
            (self.users_, users, USER),
            (self.items_, items, ITEM),
        ):
            check_same_type(known, ids, f"column {name!r}", "fit", caller)
        _refuse_missing(times, sequences.times, TIME, caller)
        _refuse_missing(weights, sequences.weights, WEIGHT, caller)
        if times is not None:
            times, known_times = comparable_times(times, sequences.times, caller)
            sequences = sequences._replace(times=known_times)
            warn_of_other_period(
                times,
                fitted_period(self, sequences),
                "fit",
                caller,
                rows="rows",
                warn_of_early=False,
            )
        more = users, items, times
        return append(sequences, self.users_, known_items, more, weights)


def _refuse_missing(given, known, name, caller):
    """Check that a column is given if it was in fit, and only then."""
    if given is None and known is not None:
        raise InteractionsError(
            f"{caller}: X has no column {name!r}, but the rows in fit had one. Add it."
        )
    if given is not None and known is None:
        raise InteractionsError(
            f"{caller}: X has a column {name!r}, but the rows in fit had none. Drop "
            f"it, or fit again, with a column {name!r} in all rows."
        )
