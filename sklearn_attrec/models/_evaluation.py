"""EvaluationMixin: the ranks of held-out items, and the score."""

from collections.abc import Callable

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.frames import to_pandas
from sklearn_attrec._ranking.known_ids import describe_ids
from sklearn_attrec._ranking.queries import check_features
from sklearn_attrec._ranking.scored_rows import (
    read_rows,
    warn_of_rows,
    warn_of_seen_items,
)
from sklearn_attrec._ranking.search import rank_targets
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.metrics._scorers import CONTEXTS
from sklearn_attrec.utils._param_validation import OneOf, check_arguments
from sklearn_attrec.utils._short_repr import short_repr
from sklearn_attrec.utils._types import Table

__all__ = ["EvaluationMixin"]


class EvaluationMixin:
    """Mixin with `score` and `target_ranks`."""

    # Defined by BaseRecommender.
    k: int
    exclude_seen: bool
    items_: np.ndarray
    _caller: Callable[[str], str]

    def score(self, X: Table, y: object = None) -> float:
        """Return the hit rate at k: the fraction of rows whose item is recommended.

        An item is recommended if it is among the first k items of the ranking. The
        history of a row consists of the training interactions of its user up to the
        time of the row; other rows of X are not used. Every row counts once, whatever
        its `weight`: an item not seen in fit is a miss, and popular items are
        recommended to a user not seen in fit. Among items with equal scores, the item
        of the row is ranked last.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, 2 or more)
            Interactions, as for `fit`.
        y : None
            Ignored.

        Returns
        -------
        float
            HR@k in [0, 1] for the parameter `k`.

        Raises
        ------
        InteractionsError
            If X cannot be used or has no rows, or none of its items was seen in fit.
        UnknownUserError
            As in `predict`.

        Warns
        -----
        LeakageWarning
            If rows of X are also training rows, or are older than a training row of the
            same user. Checked only if X has timestamps.
        TimeTieWarning
            If rows of X have the time of a training row of the same user.
        NoHistoryWarning
            If the user of a row was not seen in fit.
        SeenItemWarning
            If `exclude_seen` excludes the item of a row.
        TimeUnitWarning
            If the timestamps of all rows seem to be in another unit than those seen in
            fit.
        """
        return float(np.mean(self._rank_rows(X, "score").ranks <= self.k))

    def target_ranks(self, X: Table, *, context: str = "fit") -> np.ndarray:
        """Rank the item of each row among all items, as input of ranking metrics.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, 2 or more)
            Interactions; each row is one query, as in `score`.
        context : {'fit', 'earlier'}, default='fit'
            What the history of a row consists of. 'fit' means the training interactions
            of its user up to its time. 'earlier' means these and the user's rows of X
            that have an earlier time or, without `timestamp`, that come before the row.
            Items not seen in fit are left out. Use 'earlier' for sessions and other
            users not seen in fit, and to predict each of a user's test rows from all
            that happened before.

        Returns
        -------
        ndarray of shape (n_rows,), float64
            1 is the best. `inf` for an item that was not seen in fit, or that
            `exclude_seen` leaves out.

        Raises
        ------
        InteractionsError
            If X cannot be used, or none of its items was seen in fit.
        UnknownUserError
            As in `predict`.

        Warns
        -----
        LeakageWarning
            If rows of X are also training rows, or are older than a training row of the
            same user. Checked only if X has timestamps.
        TimeTieWarning
            If rows of X have the time of a training row of the same user.
        NoHistoryWarning
            If the user of a row was not seen in fit and `context` is 'fit'.
        SeenItemWarning
            If `exclude_seen` excludes the item of a row.
        TimeUnitWarning
            If the timestamps of all rows seem to be in another unit than those seen in
            fit.
        """
        return self._rank_rows(X, "target_ranks", context, allow_empty=True).ranks

    def _rank_rows(self, X, method, context="fit", k=0, allow_empty=False):
        """Rank the item of each row; `evaluate` also needs the k best items.

        Returns
        -------
        RankedTargets
        """
        check_is_fitted(self)
        caller = self._caller(method)
        check_arguments(caller, context=(context, OneOf(*CONTEXTS)))
        X = to_pandas(X)
        check_features(self, X, caller)
        # Without times, context='earlier' relies on the order of the rows.
        reads_times = self.history_times_ is not None or context == "earlier"
        time_of = "interaction" if reads_times else None
        interactions = check_interactions(
            X, caller=caller, time_of=time_of, allow_empty=allow_empty
        )
        rows = read_rows(self, interactions, context, caller)
        if len(rows.targets) and not (rows.targets >= 0).any():
            raise InteractionsError(
                f"{caller}: 0 of {len(rows.targets)} rows can be scored, because none "
                "of their items was seen in fit. The first item is "
                f"{short_repr(interactions.items[0])}. The item ids seen in fit are "
                f"{describe_ids(self.items_)}. Pass rows with items of the training "
                "data."
            )
        warn_of_rows(rows)
        ranked = rank_targets(self, rows.queries, rows.targets, self.exclude_seen, k)
        if self.exclude_seen:
            warn_of_seen_items(rows, ranked.is_repeat)
        return ranked
