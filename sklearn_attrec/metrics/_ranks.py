"""Metrics over ranks: hit rate, MRR, NDCG, recall, precision and MAP."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.metrics._arguments import check_k

__all__ = [
    "hit_rate",
    "mean_average_precision",
    "mrr",
    "ndcg",
    "precision",
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
    k = check_k("hit_rate", k)
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
    k = check_k("mrr", k)
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
    k = check_k("ndcg", k)
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
    k = check_k("recall", k)
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
    k = check_k("precision", k, optional=False)
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
    k = check_k("mean_average_precision", k)
    queries = _to_queries("mean_average_precision", ranks, users)
    precision_there = (queries.ranks <= k) * (queries.place / queries.ranks)
    return queries.mean(precision_there / queries.n_relevant[queries.query])
