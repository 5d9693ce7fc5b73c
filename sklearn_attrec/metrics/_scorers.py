"""Scorers for model selection, and a table of the main metrics."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.frames import library_of, make_frame, to_pandas
from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.metrics._lists import catalogue_coverage, novelty
from sklearn_attrec.metrics._ranks import (
    hit_rate,
    mean_average_precision,
    mrr,
    ndcg,
    precision,
    recall,
)
from sklearn_attrec.utils._param_validation import (
    Boolean,
    Integer,
    OneOf,
    Optional,
    check_arguments,
)
from sklearn_attrec.utils._short_repr import short_repr
from sklearn_attrec.utils._types import ResultFrame, Table

__all__ = ["CONTEXTS", "evaluate", "make_multi_ranking_scorer", "make_ranking_scorer"]

CONTEXTS = ("fit", "earlier")  # of `target_ranks`
_METRICS = {
    "hit_rate": hit_rate,
    "mrr": mrr,
    "ndcg": ndcg,
    "recall": recall,
    "precision": precision,
    "map": mean_average_precision,
}


def _name(metric, k):
    return metric if k is None else f"{metric}@{k}"


def _unwrap(estimator, X):
    """Return the recommender in a Pipeline or grid search, and X transformed for it."""
    from sklearn.pipeline import Pipeline  # not part of `import sklearn_attrec`

    while not hasattr(estimator, "target_ranks"):
        if isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        elif hasattr(estimator, "estimator"):  # a search
            check_is_fitted(estimator, "best_estimator_")
            estimator = estimator.best_estimator_
        else:
            raise InvalidParameterError(
                "Ranking metrics need a recommender, with the method 'target_ranks', "
                "or a Pipeline or grid search that contains one. Got "
                f"{short_repr(estimator)} instead."
            )
    return estimator, X


@dataclass(frozen=True)
class _Ranking:
    """The arguments of a scorer that define how it ranks the rows."""

    per_user: bool
    context: str

    def ranks(self, estimator, X, caller):
        """Return the rank of the item of each row, and the users if `per_user`."""
        recommender, X = _unwrap(estimator, X)
        X = to_pandas(X)
        ranks = recommender._rank_rows(X, "target_ranks", self.context).ranks
        if not self.per_user:
            return ranks, None
        interactions = check_interactions(X, caller=caller, time_of=None)
        users, items = interactions.users, interactions.items
        # Relevant items are a set: repeated rows of a user and item count once.
        first = ~pd.DataFrame({"user": users, "item": items}).duplicated().to_numpy()
        return ranks[first], users[first]

    def arguments(self):
        """Return the arguments that differ from their defaults, as in a call."""
        per_user = ", per_user=True" if self.per_user else ""
        context = f", context={self.context!r}" if self.context != "fit" else ""
        return per_user + context


@dataclass(frozen=True, repr=False)
class _RankingScorer:
    """Scorer of one metric. A class, because closures cannot be pickled."""

    metric: str
    k: int | None
    ranking: _Ranking

    def __call__(self, estimator, X, y=None):
        ranks, users = self.ranking.ranks(estimator, X, "make_ranking_scorer")
        return _METRICS[self.metric](ranks, self.k, users=users)

    def __repr__(self):
        arguments = f"{self.metric!r}, k={self.k!r}{self.ranking.arguments()}"
        return f"make_ranking_scorer({arguments})"


@dataclass(frozen=True, repr=False)
class _MultiRankingScorer:
    """Scorer that computes several metrics from one ranking."""

    metrics: tuple
    k: tuple
    ranking: _Ranking

    def __call__(self, estimator, X, y=None):
        ranks, users = self.ranking.ranks(estimator, X, "make_multi_ranking_scorer")
        return {
            _name(metric, k): _METRICS[metric](ranks, k, users=users)
            for metric in self.metrics
            for k in self.k
        }

    def __repr__(self):
        arguments = f"{self.metrics!r}, k={self.k!r}{self.ranking.arguments()}"
        return f"make_multi_ranking_scorer({arguments})"


def _make_ranking(caller, per_user, context):
    check_arguments(
        caller, per_user=(per_user, Boolean()), context=(context, OneOf(*CONTEXTS))
    )
    if per_user and context != "fit":
        raise InvalidParameterError(
            f"The 'per_user' argument of {caller} must be False with "
            f"context={context!r}, because the rows of a user then have different "
            "histories and are not one query. Got per_user=True instead."
        )
    return _Ranking(per_user, context)


def _check_scorer(caller, name, metrics, ks):
    for metric in metrics:
        check_arguments(caller, **{name: (metric, OneOf(*_METRICS))})
        for k in ks:
            needs_k = metric == "precision"
            constraint = Integer(1) if needs_k else Optional(Integer(1))
            check_arguments(caller, k=(k, constraint))


def _to_tuple(caller, name, values):
    """Return one or several values as a tuple without duplicates."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        values = (values,)
    values = tuple(dict.fromkeys(values))
    if not values:
        raise InvalidParameterError(
            f"The '{name}' argument of {caller} is empty. Pass at least one value."
        )
    return values


def make_ranking_scorer(
    metric: str = "hit_rate",
    k: int | None = 10,
    *,
    per_user: bool = False,
    context: str = "fit",
) -> Callable[..., float]:
    """Make a scorer for the `scoring` parameter of scikit-learn's searches.

    Parameters
    ----------
    metric : {'hit_rate', 'mrr', 'ndcg', 'recall', 'precision', 'map'}, \
            default='hit_rate'
        Metric to compute.
    k : int or None, default=10
        Only the first k positions count; None means all. 'precision' needs an int.
    per_user : bool, default=False
        If True, the rows of a user are one query with several relevant items, for
        example a basket. If False, each row is one query, as in the method `score` of
        recommenders.
    context : {'fit', 'earlier'}, default='fit'
        Whether the history of a row consists of the training interactions of its user,
        or of these and the user's earlier rows of X; see `target_ranks`.

    Returns
    -------
    callable
        `scorer(estimator, X, y=None)` returns a float; larger is better. The estimator
        is a fitted recommender, or a Pipeline or grid search that contains one; y is
        ignored, because X contains the items. The scorer can be pickled.

    Raises
    ------
    InvalidParameterError
        If an argument has an invalid value.

    See Also
    --------
    make_multi_ranking_scorer : Several metrics at once.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec import PopularityRecommender
    >>> from sklearn_attrec.metrics import make_ranking_scorer
    >>> train = pd.DataFrame({"user_id": [1, 1, 2], "item_id": ["x", "y", "x"]})
    >>> test = pd.DataFrame({"user_id": [2], "item_id": ["y"]})
    >>> model = PopularityRecommender(exclude_seen=False).fit(train)
    >>> make_ranking_scorer("mrr")(model, test)  # y is the second of two items
    0.5
    """
    caller = "make_ranking_scorer"
    _check_scorer(caller, "metric", [metric], [k])
    return _RankingScorer(metric, k, _make_ranking(caller, per_user, context))


def make_multi_ranking_scorer(
    metrics: str | Sequence[str] = ("hit_rate", "mrr", "ndcg"),
    k: int | None | Sequence[int | None] = (10, 50),
    *,
    per_user: bool = False,
    context: str = "fit",
) -> Callable[..., dict[str, float]]:
    """Make a scorer that computes several metrics from one ranking.

    Parameters
    ----------
    metrics : str or sequence of str, default=('hit_rate', 'mrr', 'ndcg')
        Metrics to compute, from 'hit_rate', 'mrr', 'ndcg', 'recall', 'precision' and
        'map'.
    k : int, None or sequence of int or None, default=(10, 50)
        Each metric is computed for each k: only the first k positions count; None means
        all. 'precision' needs an int.
    per_user : bool, default=False
        If True, the rows of a user are one query with several relevant items, for
        example a basket. If False, each row is one query, as in the method `score` of
        recommenders.
    context : {'fit', 'earlier'}, default='fit'
        Whether the history of a row consists of the training interactions of its user,
        or of these and the user's earlier rows of X; see `target_ranks`.

    Returns
    -------
    callable
        `scorer(estimator, X, y=None)` returns a dict with one float per metric and k.
        The keys are for example ``'hit_rate@10'``, or ``'hit_rate'`` if k is None; pass
        one of them as `refit` to a search. The scorer can be pickled.

    Raises
    ------
    InvalidParameterError
        If an argument has an invalid value.

    See Also
    --------
    make_ranking_scorer : A single metric.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec import PopularityRecommender
    >>> from sklearn_attrec.metrics import make_multi_ranking_scorer
    >>> train = pd.DataFrame({"user_id": [1, 1, 2], "item_id": ["x", "y", "x"]})
    >>> test = pd.DataFrame({"user_id": [2], "item_id": ["y"]})
    >>> model = PopularityRecommender(exclude_seen=False).fit(train)
    >>> make_multi_ranking_scorer("hit_rate", k=(1, 2))(model, test)
    {'hit_rate@1': 0.0, 'hit_rate@2': 1.0}
    """
    caller = "make_multi_ranking_scorer"
    names, ks = _to_tuple(caller, "metrics", metrics), _to_tuple(caller, "k", k)
    _check_scorer(caller, "metrics", names, ks)
    return _MultiRankingScorer(names, ks, _make_ranking(caller, per_user, context))


def evaluate(
    estimator: BaseEstimator,
    X: Table,
    k: int | Sequence[int] = (10, 50),
    *,
    context: str = "fit",
) -> ResultFrame:
    """Evaluate a recommender on held-out interactions; each row is one query.

    Parameters
    ----------
    estimator : recommender, Pipeline or search
        A fitted recommender, or a Pipeline or grid search that contains one.
    X : DataFrame or array-like of shape (n_rows, 2 or more)
        Held-out interactions, as for `target_ranks`.
    k : int or sequence of int, default=(10, 50)
        Number of recommended items to evaluate; one value or several.
    context : {'fit', 'earlier'}, default='fit'
        Whether the history of a row consists of the training interactions of its user,
        or of these and the user's earlier rows of X; see `target_ranks`.

    Returns
    -------
    DataFrame
        One row, labelled with the class of the recommender. The columns are hit rate,
        NDCG, catalogue coverage and novelty at each k, and the MRR of the whole
        ranking. If the recommender has exclude_seen=False, the hit rate at each k is
        also given as the sum of two parts: `repeat_hits`, the fraction of rows that are
        hits with an item of the row's history, and `new_hits`, the fraction that are
        hits with another item. Use `pandas.concat` to compare several recommenders.
        The DataFrame belongs to the library of X, to pandas if it has none. In polars
        and pyarrow, which have no labels, the class of the recommender is the first
        column, `recommender`.

    Raises
    ------
    InteractionsError
        If X has no rows or cannot be used.
    UnknownUserError
        As in `predict`.
    InvalidParameterError
        If k is not one or several integers of at least 1, `context` is not one of its
        values, or the estimator is not a recommender.

    Warns
    -----
    LeakageWarning, TimeTieWarning, NoHistoryWarning, SeenItemWarning, TimeUnitWarning
        As in `target_ranks`.

    See Also
    --------
    make_multi_ranking_scorer : Several metrics in a grid search.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec import PopularityRecommender
    >>> from sklearn_attrec.metrics import evaluate
    >>> train = pd.DataFrame({"user_id": [1, 1, 2], "item_id": ["x", "y", "x"]})
    >>> test = pd.DataFrame({"user_id": [2], "item_id": ["y"]})
    >>> evaluate(PopularityRecommender().fit(train), test, k=1).T
                PopularityRecommender
    hit_rate@1               1.000000
    ndcg@1                   1.000000
    mrr                      1.000000
    coverage@1               0.500000
    novelty@1                1.584963
    """
    ks = _to_tuple("evaluate", "k", k)
    for value in ks:
        check_arguments("evaluate", k=(value, Integer(1)))
    check_arguments("evaluate", context=(context, OneOf(*CONTEXTS)))
    library = library_of(X)
    recommender, X = _unwrap(estimator, X)
    ranks, is_repeat, lists = recommender._rank_rows(
        X, "target_ranks", context, max(ks)
    )
    items, counts = np.arange(len(recommender.items_)), recommender.item_counts_
    values = {f"hit_rate@{k}": hit_rate(ranks, k) for k in ks}
    if not recommender.exclude_seen:
        for k in ks:
            values[f"repeat_hits@{k}"] = np.mean((ranks <= k) & is_repeat)
            values[f"new_hits@{k}"] = np.mean((ranks <= k) & ~is_repeat)
    values |= (
        {f"ndcg@{k}": ndcg(ranks, k) for k in ks}
        | {"mrr": mrr(ranks)}
        | {f"coverage@{k}": catalogue_coverage(lists[:, :k], items) for k in ks}
        | {f"novelty@{k}": novelty(lists[:, :k], items, counts) for k in ks}
    )
    name = type(recommender).__name__
    if library in (None, "pandas"):
        return pd.DataFrame(values, index=[name])
    table = {"recommender": np.array([name], dtype=object)}
    table |= {name: np.array([value]) for name, value in values.items()}
    return make_frame(table, library)
