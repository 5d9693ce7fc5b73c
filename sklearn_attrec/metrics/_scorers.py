"""Scorers made from the metrics, for model selection, and one table of them all."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.metrics._arguments import check_argument, check_k
from sklearn_attrec.metrics._lists import catalogue_coverage, novelty
from sklearn_attrec.metrics._ranks import (
    hit_rate,
    mean_average_precision,
    mrr,
    ndcg,
    precision,
    recall,
)
from sklearn_attrec.utils._param_validation import Boolean, OneOf
from sklearn_attrec.utils._validation import check_interactions

__all__ = ["evaluate", "make_multi_ranking_scorer", "make_ranking_scorer"]


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
    """Recommender inside pipelines and searches, and X as that recommender sees it."""
    while not hasattr(estimator, "target_ranks"):
        if isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        elif hasattr(estimator, "estimator"):  # a search, whose best one is refitted
            check_is_fitted(estimator, "best_estimator_")
            estimator = estimator.best_estimator_
        else:
            raise InvalidParameterError(
                "Ranking metrics need a recommender, which has the method "
                f"'target_ranks'. Got {estimator!r} instead."
            )
    return estimator, X


def _rank_targets(estimator, X, caller, *, per_user):
    """Rank the item of each row of X, and say whose it is where users are pooled."""
    recommender, X = _unwrap(estimator, X)
    ranks = recommender.target_ranks(X)
    if not per_user:
        return ranks, None
    users, items, _ = check_interactions(X, caller=caller)
    # Relevant items are a set: a user's second row of an item is not another hit.
    once = ~pd.DataFrame({"user": users, "item": items}).duplicated().to_numpy()
    return ranks[once], users[once]


@dataclass(frozen=True, repr=False)
class _RankingScorer:
    """Scorer of one metric; a class, so that it pickles."""

    metric: str
    k: int | None
    per_user: bool

    def __call__(self, estimator, X, y=None):
        ranks, users = _rank_targets(
            estimator, X, "make_ranking_scorer", per_user=self.per_user
        )
        return _METRICS[self.metric](ranks, self.k, users=users)

    def __repr__(self):
        per_user = ", per_user=True" if self.per_user else ""
        return f"make_ranking_scorer({self.metric!r}, k={self.k!r}{per_user})"


@dataclass(frozen=True, repr=False)
class _MultiRankingScorer:
    """Scorer of several metrics from one ranking."""

    metrics: tuple
    k: tuple
    per_user: bool

    def __call__(self, estimator, X, y=None):
        ranks, users = _rank_targets(
            estimator, X, "make_multi_ranking_scorer", per_user=self.per_user
        )
        return {
            _name(metric, k): _METRICS[metric](ranks, k, users=users)
            for metric in self.metrics
            for k in self.k
        }

    def __repr__(self):
        per_user = ", per_user=True" if self.per_user else ""
        return f"make_multi_ranking_scorer({self.metrics!r}, k={self.k!r}{per_user})"


def _check_scorer(caller, metrics, ks, per_user):
    for metric in metrics:
        check_argument(caller, "metric", metric, OneOf(*_METRICS))
        for k in ks:
            check_k(caller, k, optional=metric != "precision")
    check_argument(caller, "per_user", per_user, Boolean())


def _to_tuple(caller, name, values):
    """Return one value or several as a tuple, none of them twice."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        values = (values,)
    values = tuple(dict.fromkeys(values))
    if not values:
        raise InvalidParameterError(f"The '{name}' argument of {caller} is empty.")
    return values


def make_ranking_scorer(metric="hit_rate", k=10, *, per_user=False):
    """Make a scorer for `scoring=` in scikit-learn's searches and cross-validation.

    Parameters
    ----------
    metric : {'hit_rate', 'mrr', 'ndcg', 'recall', 'precision', 'map'}, \
            default='hit_rate'
        What to compute from the ranks.
    k : int or None, default=10
        How many places count. None counts them all, which 'precision' cannot.
    per_user : bool, default=False
        Whether the rows of a user are one query with several relevant items. Otherwise
        each row is a query with one, as in the `score` of the recommenders.

    Returns
    -------
    callable
        Called as `scorer(estimator, X, y=None)`, it returns a float, larger is better.
        The estimator is a fitted recommender, or a Pipeline or search around one; `y`
        is ignored, since X holds the items. It can be pickled.

    Raises
    ------
    InvalidParameterError
        If an argument is not one of the values above.

    See Also
    --------
    make_multi_ranking_scorer : Several metrics from one ranking.

    Examples
    --------
    >>> from sklearn_attrec.metrics import make_ranking_scorer
    >>> make_ranking_scorer("ndcg", k=50)
    make_ranking_scorer('ndcg', k=50)
    """
    _check_scorer("make_ranking_scorer", [metric], [k], per_user)
    return _RankingScorer(metric, k, per_user)


def make_multi_ranking_scorer(
    metrics=("hit_rate", "mrr", "ndcg"), k=(10, 50), *, per_user=False
):
    """Make a scorer of several metrics that ranks once.

    Parameters
    ----------
    metrics : str or sequence of str, default=('hit_rate', 'mrr', 'ndcg')
        Any of 'hit_rate', 'mrr', 'ndcg', 'recall', 'precision' and 'map'.
    k : int, None or sequence of them, default=(10, 50)
        How many places count. None counts them all, which 'precision' cannot.
    per_user : bool, default=False
        Whether the rows of a user are one query with several relevant items. Otherwise
        each row is a query with one, as in the `score` of the recommenders.

    Returns
    -------
    callable
        Called as `scorer(estimator, X, y=None)`, it returns a dict with a float for
        each metric and k under the name 'hit_rate@10', or 'hit_rate' where k is None.
        Pass one of the names as `refit=` to a search. It can be pickled.

    Raises
    ------
    InvalidParameterError
        If an argument is not one of the values above.

    See Also
    --------
    make_ranking_scorer : One metric.

    Examples
    --------
    >>> from sklearn_attrec.metrics import make_multi_ranking_scorer
    >>> make_multi_ranking_scorer("hit_rate", k=(10, 50))
    make_multi_ranking_scorer(('hit_rate',), k=(10, 50))
    """
    caller = "make_multi_ranking_scorer"
    metrics, k = _to_tuple(caller, "metrics", metrics), _to_tuple(caller, "k", k)
    _check_scorer(caller, metrics, k, per_user)
    return _MultiRankingScorer(metrics, k, per_user)


def evaluate(estimator, X, k=(10, 50)):
    """Evaluate a recommender on held-out interactions, with each row as a query.

    Parameters
    ----------
    estimator : recommender, Pipeline or search
        A fitted recommender, or a Pipeline or search around one.
    X : DataFrame or array-like of shape (n, 3)
        Held-out interactions.
    k : int or sequence of int, default=(10, 50)
        How many places count.

    Returns
    -------
    DataFrame
        One row, named for the recommender's class, with hit rate, NDCG, catalogue
        coverage and novelty at each k, and the MRR of the whole ranking. Rows of
        several recommenders go below each other with `pandas.concat`.

    Raises
    ------
    InteractionsError
        If X has no rows or cannot be used.
    InvalidParameterError
        If k is not made of integers of at least 1.

    See Also
    --------
    make_multi_ranking_scorer : The same ranks in a grid search.

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
    for one in ks:
        check_k("evaluate", one, optional=False)
    recommender, X = _unwrap(estimator, X)
    ranks = recommender.target_ranks(X)
    lists = recommender.predict(X, k=max(ks))  # (n, k)
    items, counts = recommender.items_, recommender.item_counts_
    values = (
        {f"hit_rate@{k}": hit_rate(ranks, k) for k in ks}
        | {f"ndcg@{k}": ndcg(ranks, k) for k in ks}
        | {"mrr": mrr(ranks)}
        | {f"coverage@{k}": catalogue_coverage(lists[:, :k], items) for k in ks}
        | {f"novelty@{k}": novelty(lists[:, :k], items, counts) for k in ks}
    )
    return pd.DataFrame(values, index=[type(recommender).__name__])
