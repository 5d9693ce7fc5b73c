"""Ranking metrics over ranks, and the scorers made from them.

A rank is the place of a row's item among all items, 1 for the first and `inf` for an
item that is not ranked at all. `target_ranks` of every recommender gives them, and
`ranks_in_lists` reads them off recommended lists. One row is one relevant item; pass
`users` to the metrics to pool the rows of each user into one query with several.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError
from sklearn_attrec.utils._param_validation import Boolean, Integer, OneOf, Optional
from sklearn_attrec.utils._validation import check_interactions

__all__ = [
    "catalogue_coverage",
    "evaluate",
    "hit_rate",
    "make_multi_ranking_scorer",
    "make_ranking_scorer",
    "mean_average_precision",
    "mrr",
    "ndcg",
    "novelty",
    "precision",
    "ranks_in_lists",
    "recall",
]


class _Queries(NamedTuple):
    """Ranks of relevant items, sorted by query and then by rank."""

    ranks: np.ndarray  # (n,)
    query: np.ndarray  # (n,) number of the row's query, 0 .. n_queries - 1
    place: np.ndarray  # (n,) 1 for the best ranked relevant item of its query
    n_relevant: np.ndarray  # (n_queries,)

    def mean(self, gains):
        """Mean over queries of the sum of a query's gains."""
        return float(np.sum(gains) / len(self.n_relevant))

    def best(self):
        """Rank of each query's best ranked relevant item, of shape (n_queries,)."""
        return self.ranks[self.place == 1]


def _check(caller, name, value, constraint):
    if not constraint.allows(value):
        raise InvalidParameterError(
            f"The '{name}' argument of {caller} must be {constraint}. "
            f"Got {value!r} instead."
        )


def _check_k(caller, k, *, optional=True):
    """Return the cut-off as a number, for None one that only `inf` exceeds."""
    _check(caller, "k", k, Optional(Integer(1)) if optional else Integer(1))
    return np.finfo(float).max if k is None else k


def _check_ranks(caller, ranks):
    try:
        ranks = np.asarray(ranks, dtype=float)
    except (TypeError, ValueError) as error:
        raise InteractionsError(
            f"The 'ranks' argument of {caller} must hold numbers: {error}. "
            "ranks_in_lists turns lists of items into ranks."
        ) from error
    if ranks.ndim != 1 or not len(ranks):
        raise InteractionsError(
            f"The 'ranks' argument of {caller} must be a non-empty 1-D array. "
            f"Got shape {ranks.shape} instead."
        )
    invalid = np.flatnonzero(~(ranks >= 1))  # NaN too
    if len(invalid):
        raise InteractionsError(
            f"The 'ranks' argument of {caller} must hold numbers from 1 (the first) "
            f"to inf (not ranked). Got {ranks[invalid[0]]} at position {invalid[0]}, "
            f"and {len(invalid)} invalid rank(s) in all."
        )
    return ranks


def _to_queries(caller, ranks, users):
    ranks = _check_ranks(caller, ranks)
    if users is None:
        users = np.arange(len(ranks))
    elif len(users) != len(ranks):
        raise InteractionsError(
            f"The 'users' argument of {caller} must have one user a rank, "
            f"{len(ranks)}. Got {len(users)} instead."
        )
    query, names = pd.factorize(np.asarray(users))
    if (query < 0).any():
        raise InteractionsError(
            f"The 'users' argument of {caller} has {np.sum(query < 0)} missing "
            f"value(s), first at position {np.argmin(query)}."
        )
    order = np.lexsort((ranks, query))
    ranks, query = ranks[order], query[order]
    n_relevant = np.bincount(query)
    place = np.arange(1, len(query) + 1) - (n_relevant.cumsum() - n_relevant)[query]
    # Two items cannot both be first. Two rows of one item can, and would count twice.
    crowded = np.flatnonzero(ranks < place)
    if len(crowded):
        at = crowded[0]
        raise InteractionsError(
            f"The 'users' argument of {caller} pools ranks that cannot come from one "
            f"list: user {names[query[at]]} has {place[at]} items among the first "
            f"{ranks[at]:g}. Drop repeated items of a user, or leave 'users' out."
        )
    return _Queries(ranks, query, place, n_relevant)


def hit_rate(ranks, k=10, *, users=None):
    r"""Share of queries with a relevant item among the first k.

    Also known as HR@k, Hit@k or success at k. It is
    :math:`\frac{1}{|Q|} \sum_{q \in Q} [\min_{i \in R_q} r_{qi} \le k]`, with
    :math:`R_q` the relevant items of query :math:`q` and :math:`r_{qi}` their ranks.

    Parameters
    ----------
    ranks : array-like of shape (n,)
        Rank of each relevant item: 1 is first, `inf` is not ranked.
    k : int or None, default=10
        How many places count. None counts them all.
    users : array-like of shape (n,), default=None
        Rows with the same user are one query with several relevant items, each
        listed once. None makes each row its own query.

    Returns
    -------
    float
        Between 0 and 1, larger is better.

    Raises
    ------
    InteractionsError
        If a rank is NaN or below 1, or if there is none.
    InvalidParameterError
        If k is not an integer of at least 1.

    Examples
    --------
    >>> from sklearn_attrec.metrics import hit_rate
    >>> hit_rate([1, 4, 20, float("inf")], k=5)
    0.5
    >>> hit_rate([1, 4, 20, float("inf")], k=5, users=["a", "a", "b", "b"])
    0.5
    """
    k = _check_k("hit_rate", k)
    queries = _to_queries("hit_rate", ranks, users)
    return queries.mean(queries.best() <= k)


def mrr(ranks, k=None, *, users=None):
    r"""Mean reciprocal rank of the best ranked relevant item.

    It is :math:`\frac{1}{|Q|} \sum_{q \in Q} 1 / \min_{i \in R_q} r_{qi}`, where a
    query without a relevant item among the first k contributes 0.

    Parameters
    ----------
    ranks : array-like of shape (n,)
        Rank of each relevant item: 1 is first, `inf` is not ranked.
    k : int or None, default=None
        How many places count. None counts them all.
    users : array-like of shape (n,), default=None
        Rows with the same user are one query with several relevant items, each
        listed once. None makes each row its own query.

    Returns
    -------
    float
        Between 0 and 1, larger is better.

    Raises
    ------
    InteractionsError
        If a rank is NaN or below 1, or if there is none.
    InvalidParameterError
        If k is not an integer of at least 1.

    References
    ----------
    E. M. Voorhees. "The TREC-8 Question Answering Track Report". TREC 1999.

    Examples
    --------
    >>> from sklearn_attrec.metrics import mrr
    >>> mrr([1, 4, 20, float("inf")])
    0.325
    >>> mrr([1, 4, 20, float("inf")], k=5)
    0.3125
    """
    k = _check_k("mrr", k)
    queries = _to_queries("mrr", ranks, users)
    best = queries.best()
    return queries.mean((best <= k) / best)


def ndcg(ranks, k=10, *, users=None):
    r"""Normalised discounted cumulative gain, with relevance 0 or 1 and base 2.

    It is the mean over queries of :math:`DCG_q / IDCG_q` with
    :math:`DCG_q = \sum_{i \in R_q} [r_{qi} \le k] / \log_2(r_{qi} + 1)` and
    :math:`IDCG_q = \sum_{j=1}^{\min(k, |R_q|)} 1 / \log_2(j + 1)`. With one relevant
    item the denominator is 1.

    Parameters
    ----------
    ranks : array-like of shape (n,)
        Rank of each relevant item: 1 is first, `inf` is not ranked.
    k : int or None, default=10
        How many places count. None counts them all.
    users : array-like of shape (n,), default=None
        Rows with the same user are one query with several relevant items, each
        listed once. None makes each row its own query.

    Returns
    -------
    float
        Between 0 and 1, larger is better.

    Raises
    ------
    InteractionsError
        If a rank is NaN or below 1, or if there is none.
    InvalidParameterError
        If k is not an integer of at least 1.

    References
    ----------
    K. Järvelin and J. Kekäläinen. "Cumulated Gain-Based Evaluation of IR Techniques".
    ACM Transactions on Information Systems 20(4), 2002.

    Examples
    --------
    >>> from sklearn_attrec.metrics import ndcg
    >>> ndcg([1, 3, 7, 20], k=10)  # (1 + 1/2 + 1/3 + 0) / 4
    0.4583333333333333
    """
    k = _check_k("ndcg", k)
    queries = _to_queries("ndcg", ranks, users)
    gain = (queries.ranks <= k) / np.log2(queries.ranks + 1)
    ideal = np.bincount(
        queries.query, weights=(queries.place <= k) / np.log2(queries.place + 1)
    )
    return queries.mean(gain / ideal[queries.query])


def recall(ranks, k=10, *, users=None):
    r"""Share of a query's relevant items that are among the first k.

    It is the mean over queries of
    :math:`\frac{1}{|R_q|} \sum_{i \in R_q} [r_{qi} \le k]`, the hit rate where each
    query has one relevant item.

    Parameters
    ----------
    ranks : array-like of shape (n,)
        Rank of each relevant item: 1 is first, `inf` is not ranked.
    k : int or None, default=10
        How many places count. None counts them all.
    users : array-like of shape (n,), default=None
        Rows with the same user are one query with several relevant items, each
        listed once. None makes each row its own query.

    Returns
    -------
    float
        Between 0 and 1, larger is better.

    Raises
    ------
    InteractionsError
        If a rank is NaN or below 1, or if there is none.
    InvalidParameterError
        If k is not an integer of at least 1.

    Examples
    --------
    >>> from sklearn_attrec.metrics import recall
    >>> recall([1, 20, 3, 4], k=5, users=["a", "a", "b", "b"])
    0.75
    """
    k = _check_k("recall", k)
    queries = _to_queries("recall", ranks, users)
    return queries.mean((queries.ranks <= k) / queries.n_relevant[queries.query])


def precision(ranks, k=10, *, users=None):
    r"""Share of the first k that is relevant.

    It is the mean over queries of :math:`\frac{1}{k} \sum_{i \in R_q} [r_{qi} \le k]`.
    A list shorter than k is divided by k all the same.

    Parameters
    ----------
    ranks : array-like of shape (n,)
        Rank of each relevant item: 1 is first, `inf` is not ranked.
    k : int, default=10
        How many places count.
    users : array-like of shape (n,), default=None
        Rows with the same user are one query with several relevant items, each
        listed once. None makes each row its own query.

    Returns
    -------
    float
        Between 0 and 1, larger is better. With one relevant item a query the best
        possible value is 1 / k.

    Raises
    ------
    InteractionsError
        If a rank is NaN or below 1, or if there is none.
    InvalidParameterError
        If k is not an integer of at least 1.

    Examples
    --------
    >>> from sklearn_attrec.metrics import precision
    >>> precision([1, 20, 3, 4], k=5, users=["a", "a", "b", "b"])  # (1/5 + 2/5) / 2
    0.3
    """
    k = _check_k("precision", k, optional=False)
    queries = _to_queries("precision", ranks, users)
    return queries.mean(queries.ranks <= k) / k


def mean_average_precision(ranks, k=10, *, users=None):
    r"""Mean over queries of the average precision, known as MAP@k.

    The average precision of a query is
    :math:`\frac{1}{|R_q|} \sum_{i \in R_q} [r_{qi} \le k] \, P_q(r_{qi})`, with
    :math:`P_q(r)` the share of relevant items among the first :math:`r`. The divisor is
    the number of relevant items, as in trec_eval; some libraries divide by
    :math:`\min(k, |R_q|)`. With one relevant item it is the MRR cut at k.

    Parameters
    ----------
    ranks : array-like of shape (n,)
        Rank of each relevant item: 1 is first, `inf` is not ranked.
    k : int or None, default=10
        How many places count. None counts them all.
    users : array-like of shape (n,), default=None
        Rows with the same user are one query with several relevant items, each
        listed once. None makes each row its own query.

    Returns
    -------
    float
        Between 0 and 1, larger is better.

    Raises
    ------
    InteractionsError
        If a rank is NaN or below 1, or if there is none.
    InvalidParameterError
        If k is not an integer of at least 1.

    References
    ----------
    C. D. Manning, P. Raghavan and H. Schütze. "Introduction to Information Retrieval",
    section 8.4. Cambridge University Press, 2008.

    Examples
    --------
    >>> from sklearn_attrec.metrics import mean_average_precision
    >>> mean_average_precision([1, 4], k=5, users=["a", "a"])  # (1/1 + 2/4) / 2
    0.75
    """
    k = _check_k("mean_average_precision", k)
    queries = _to_queries("mean_average_precision", ranks, users)
    precision_there = (queries.ranks <= k) * (queries.place / queries.ranks)
    return queries.mean(precision_there / queries.n_relevant[queries.query])


def _to_lists(y_pred):
    """Return lists of any lengths as one 2-D array, the short ones filled with None."""
    if isinstance(y_pred, pd.DataFrame | np.ndarray):
        return np.asarray(y_pred)
    columns = list(zip_longest(*y_pred))
    lists = np.empty((len(y_pred), len(columns)), dtype=object)
    for place, column in enumerate(columns):  # a list of tuples would become 3-D
        lists[:, place] = column
    return lists


def _kind(ids):
    """Say 'text' or 'numbers', or None where ids are mixed or of another kind."""
    kind = pd.api.types.infer_dtype(ids, skipna=True)
    return {"string": "text", "integer": "numbers", "floating": "numbers"}.get(kind)


def ranks_in_lists(y_true, y_pred):
    """Rank of each relevant item in the list recommended for its row.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        The relevant item of each row. Where a query has several, give each a row.
    y_pred : array-like of shape (n, k) or sequence of n sequences
        The items recommended for each row, best first, such as `predict` returns.

    Returns
    -------
    ndarray of shape (n,)
        Place of the item in its list from 1 on, and `inf` where it is not listed. Of
        an item listed twice the first place counts.

    Raises
    ------
    InteractionsError
        If the two differ in length, or one holds text and the other numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec.metrics import ranks_in_lists, recall
    >>> ranks_in_lists(["x", "y"], [["x", "z"], ["z", "x"]])
    array([ 1., inf])

    Sets of relevant items have a row an item after `explode`:

    >>> relevant = pd.Series([{"x"}, {"y", "z"}]).explode()
    >>> recommended = pd.Series([["x", "z"], ["z", "x"]]).loc[relevant.index]
    >>> recall(ranks_in_lists(relevant, recommended), k=2, users=relevant.index)
    0.75
    """
    y_true, lists = np.asarray(y_true), _to_lists(y_pred)
    if y_true.ndim != 1 or lists.ndim != 2 or len(y_true) != len(lists):
        raise InteractionsError(
            "ranks_in_lists needs a relevant item and a list of items a row: 'y_true' "
            "of shape (n,) and 'y_pred' of shape (n, k). "
            f"Got {y_true.shape} and {lists.shape} instead."
        )
    kinds = _kind(y_true), _kind(lists.ravel())
    if None not in kinds and kinds[0] != kinds[1]:
        raise InteractionsError(
            f"The items of 'y_true' are {kinds[0]} and those of 'y_pred' {kinds[1]}, "
            "so none can ever be found. Convert one with astype."
        )
    listed = lists == y_true[:, None]  # (n, k)
    return np.where(listed.any(axis=1), listed.argmax(axis=1) + 1, np.inf)


def _recommended_positions(caller, recommended, items):
    """Positions in the catalogue of all the items recommended, padding left out."""
    index = pd.Index(items)
    if not index.is_unique:
        raise InteractionsError(
            f"The 'items' argument of {caller} must name each item once. "
            f"{index[index.duplicated()][0]!r} is there more than once."
        )
    positions = index.get_indexer(_to_lists(recommended).ravel())
    if not (positions >= 0).any():
        raise InteractionsError(
            f"None of the {positions.size} items in the 'recommended' argument of "
            f"{caller} is one of the {len(index)} of the catalogue in 'items'."
        )
    return positions[positions >= 0]


def catalogue_coverage(recommended, items):
    """Share of the catalogue that is recommended at least once.

    Parameters
    ----------
    recommended : array-like of shape (n, k) or sequence of n sequences
        The lists of items, such as `predict` returns. What is not in the catalogue,
        such as the padding of short lists, is left out.
    items : array-like of shape (n_items,)
        The catalogue, each item once: `items_` of a recommender.

    Returns
    -------
    float
        Between 0 and 1. A recommender with the same list for all has k / n_items.

    Raises
    ------
    InteractionsError
        If no recommended item is in the catalogue, or the catalogue repeats one.

    References
    ----------
    M. Ge, C. Delgado-Battenfeld and D. Jannach. "Beyond Accuracy: Evaluating
    Recommender Systems by Coverage and Serendipity". RecSys 2010.

    Examples
    --------
    >>> from sklearn_attrec.metrics import catalogue_coverage
    >>> catalogue_coverage([["x", "y"], ["y", "x"]], items=["w", "x", "y", "z"])
    0.5
    """
    positions = _recommended_positions("catalogue_coverage", recommended, items)
    return len(np.unique(positions)) / len(items)


def novelty(recommended, items, item_counts):
    r"""Mean self-information of the recommended items, in bits.

    It is the mean of :math:`-\log_2 p(i)` over all places of all lists, with
    :math:`p(i)` the share of item :math:`i` among the training interactions. An item
    that is half as frequent is one bit more novel.

    Parameters
    ----------
    recommended : array-like of shape (n, k) or sequence of n sequences
        The lists of items, such as `predict` returns. What is not in the catalogue,
        such as the padding of short lists, is left out.
    items : array-like of shape (n_items,)
        The catalogue, each item once: `items_` of a recommender.
    item_counts : array-like of shape (n_items,)
        How often each item of the catalogue occurs in training, at least once:
        `item_counts_` of a recommender.

    Returns
    -------
    float
        Bits. Low values mean that popular items are recommended.

    Raises
    ------
    InteractionsError
        If no recommended item is in the catalogue, the catalogue repeats one, or the
        counts do not fit it.

    References
    ----------
    T. Zhou, Z. Kuscsik, J.-G. Liu, M. Medo, J. R. Wakeling and Y.-C. Zhang. "Solving
    the Apparent Diversity-Accuracy Dilemma of Recommender Systems". PNAS 107(10), 2010.

    Examples
    --------
    >>> from sklearn_attrec.metrics import novelty
    >>> novelty([["x", "y"]], items=["x", "y", "z"], item_counts=[2, 1, 1])
    1.5
    """
    positions = _recommended_positions("novelty", recommended, items)
    counts = np.asarray(item_counts, dtype=float)
    if counts.shape != (len(items),) or not (counts > 0).all():
        raise InteractionsError(
            "The 'item_counts' argument of novelty must hold a positive count for each "
            f"of the {len(items)} items. Got shape {counts.shape} with "
            f"{np.sum(~(counts > 0))} count(s) not positive instead."
        )
    return float(np.mean(np.log2(counts.sum() / counts[positions])))


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
        _check(caller, "metric", metric, OneOf(*_METRICS))
        for k in ks:
            _check_k(caller, k, optional=metric != "precision")
    _check(caller, "per_user", per_user, Boolean())


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
        _check_k("evaluate", one, optional=False)
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
