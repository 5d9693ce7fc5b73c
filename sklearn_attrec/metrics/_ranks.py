"""Metrics of ranks: hit rate, MRR, NDCG, recall, precision and MAP."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_attrec._interactions.factorize import factorize
from sklearn_attrec._interactions.frames import to_pandas
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._param_validation import Integer, Optional, check_arguments

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
    query: np.ndarray  # (n,) number of the query, from 0 to n_queries - 1
    position: np.ndarray  # (n,) rank among the relevant items of its query, from 1
    n_relevant: np.ndarray  # (n_queries,)

    def mean(self, gains):
        """Sum the gains of each query and return the mean over queries."""
        return float(np.sum(gains) / len(self.n_relevant))

    def best(self):
        """Return the best rank of each query, of shape (n_queries,)."""
        return self.ranks[self.position == 1]


def _check_k(caller, k):
    """Return k, or the largest finite float if k is None."""
    check_arguments(caller, k=(k, Optional(Integer(1))))
    return np.finfo(float).max if k is None else k


def _check_ranks(caller, ranks):
    try:
        ranks = np.asarray(ranks, dtype=float)
    except (TypeError, ValueError) as error:
        raise InteractionsError(
            f"The 'ranks' argument of {caller} must contain numbers: {error}. "
            "Use ranks_in_lists to convert lists of items to ranks."
        ) from error
    if ranks.ndim != 1 or not len(ranks):
        raise InteractionsError(
            f"The 'ranks' argument of {caller} must be a non-empty 1-D array. "
            f"Got shape {ranks.shape} instead."
        )
    invalid = np.flatnonzero(~(ranks >= 1))  # NaN too
    if len(invalid):
        raise InteractionsError(
            f"The 'ranks' argument of {caller} must contain numbers from 1 (the first) "
            f"to inf (not ranked). Got {ranks[invalid[0]]} at position {invalid[0]}, "
            f"and {len(invalid)} invalid rank(s) in total."
        )
    return ranks


def _to_queries(caller, ranks, users):
    ranks = _check_ranks(caller, ranks)
    if users is None:
        users = np.arange(len(ranks))
    elif len(users) != len(ranks):
        raise InteractionsError(
            f"The 'users' argument of {caller} must have one user per rank, "
            f"{len(ranks)}. Got {len(users)} instead."
        )
    users = np.asarray(to_pandas(users))
    missing = pd.isna(users)
    if missing.any():
        raise InteractionsError(
            f"The 'users' argument of {caller} has {missing.sum()} missing "
            f"value(s), first at position {missing.argmax()}. Remove these rows from "
            "'ranks' and 'users'."
        )
    query, names = factorize(users)
    order = np.lexsort((ranks, query))
    ranks, query = ranks[order], query[order]
    n_relevant = np.bincount(query)
    position = np.arange(1, len(query) + 1) - (n_relevant.cumsum() - n_relevant)[query]
    # Different items have different ranks. Repeated rows of an item would count twice.
    impossible = np.flatnonzero(ranks < position)
    if len(impossible):
        row = impossible[0]
        raise InteractionsError(
            f"The 'users' argument of {caller} groups ranks that cannot come from one "
            f"ranking: user {names[query[row]]} has {position[row]} items among the "
            f"first {ranks[row]:g}. Remove repeated items of a user, or omit 'users'."
        )
    return _Queries(ranks, query, position, n_relevant)


def hit_rate(
    ranks: npt.ArrayLike, k: int | None = 10, *, users: npt.ArrayLike | None = None
) -> float:
    """Compute the fraction of queries with a relevant item among the first k.

    Also known as HR@k, Hit@k or success at k. A query is a hit if the smallest rank of
    its relevant items is at most k.

    Parameters
    ----------
    ranks : array-like of shape (n,)
        Rank of each relevant item: 1 for the first, `inf` for an item not ranked.
    k : int or None, default=10
        Only the first k positions count; None means all.
    users : array-like of shape (n,), default=None
        User of each rank. The ranks of one user form one query with several relevant
        items, each of which must occur once. None means one query per rank.

    Returns
    -------
    float
        Between 0 and 1; larger is better.

    Raises
    ------
    InteractionsError
        If `ranks` is empty or a rank is NaN or below 1, or if `users` is invalid.
    InvalidParameterError
        If k is not an integer of at least 1.

    Examples
    --------
    >>> from sklearn_attrec.metrics import hit_rate
    >>> hit_rate([1, 4, 20, float("inf")], k=5)
    0.5
    >>> hit_rate([1, 4, 20, float("inf")], k=5, users=["a", "b", "b", "b"])
    1.0
    """
    k = _check_k("hit_rate", k)
    queries = _to_queries("hit_rate", ranks, users)
    return queries.mean(queries.best() <= k)


def mrr(
    ranks: npt.ArrayLike, k: int | None = None, *, users: npt.ArrayLike | None = None
) -> float:
    """Compute the mean reciprocal rank of the best-ranked relevant item.

    The MRR is the mean over queries of 1 / (smallest rank of a relevant item); a query
    without a relevant item among the first k contributes 0.

    Parameters
    ----------
    ranks : array-like of shape (n,)
        Rank of each relevant item: 1 for the first, `inf` for an item not ranked.
    k : int or None, default=None
        Only the first k positions count; None means all.
    users : array-like of shape (n,), default=None
        User of each rank. The ranks of one user form one query with several relevant
        items, each of which must occur once. None means one query per rank.

    Returns
    -------
    float
        Between 0 and 1; larger is better.

    Raises
    ------
    InteractionsError
        If `ranks` is empty or a rank is NaN or below 1, or if `users` is invalid.
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


def ndcg(
    ranks: npt.ArrayLike, k: int | None = 10, *, users: npt.ArrayLike | None = None
) -> float:
    """Compute the normalised discounted cumulative gain for relevance 0 or 1.

    NDCG@k is the mean over queries of DCG / IDCG. The DCG is the sum of
    1 / log2(rank + 1) over the relevant items with a rank of at most k. The IDCG is the
    DCG of the best possible ranking, 1 with one relevant item per query.

    Parameters
    ----------
    ranks : array-like of shape (n,)
        Rank of each relevant item: 1 for the first, `inf` for an item not ranked.
    k : int or None, default=10
        Only the first k positions count; None means all.
    users : array-like of shape (n,), default=None
        User of each rank. The ranks of one user form one query with several relevant
        items, each of which must occur once. None means one query per rank.

    Returns
    -------
    float
        Between 0 and 1; larger is better.

    Raises
    ------
    InteractionsError
        If `ranks` is empty or a rank is NaN or below 1, or if `users` is invalid.
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
        queries.query, weights=(queries.position <= k) / np.log2(queries.position + 1)
    )
    return queries.mean(gain / ideal[queries.query])


def recall(
    ranks: npt.ArrayLike, k: int | None = 10, *, users: npt.ArrayLike | None = None
) -> float:
    """Compute the fraction of relevant items that are among the first k.

    Recall@k is the mean over queries of the number of relevant items with a rank of at
    most k, divided by the number of relevant items. With one relevant item per query it
    equals the hit rate.

    Parameters
    ----------
    ranks : array-like of shape (n,)
        Rank of each relevant item: 1 for the first, `inf` for an item not ranked.
    k : int or None, default=10
        Only the first k positions count; None means all.
    users : array-like of shape (n,), default=None
        User of each rank. The ranks of one user form one query with several relevant
        items, each of which must occur once. None means one query per rank.

    Returns
    -------
    float
        Between 0 and 1; larger is better.

    Raises
    ------
    InteractionsError
        If `ranks` is empty or a rank is NaN or below 1, or if `users` is invalid.
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


def precision(
    ranks: npt.ArrayLike, k: int = 10, *, users: npt.ArrayLike | None = None
) -> float:
    """Compute the fraction of relevant items among the first k items.

    Precision@k is the mean over queries of the number of relevant items with a rank of
    at most k, divided by k. The divisor is k even if a list is shorter.

    Parameters
    ----------
    ranks : array-like of shape (n,)
        Rank of each relevant item: 1 for the first, `inf` for an item not ranked.
    k : int, default=10
        Only the first k positions count.
    users : array-like of shape (n,), default=None
        User of each rank. The ranks of one user form one query with several relevant
        items, each of which must occur once. None means one query per rank.

    Returns
    -------
    float
        Between 0 and 1; larger is better. With one relevant item per query the
        best possible value is 1 / k.

    Raises
    ------
    InteractionsError
        If `ranks` is empty or a rank is NaN or below 1, or if `users` is invalid.
    InvalidParameterError
        If k is not an integer of at least 1.

    Examples
    --------
    >>> from sklearn_attrec.metrics import precision
    >>> precision([1, 20, 3, 4], k=5, users=["a", "a", "b", "b"])  # (1/5 + 2/5) / 2
    0.3
    """
    check_arguments("precision", k=(k, Integer(1)))
    queries = _to_queries("precision", ranks, users)
    return queries.mean(queries.ranks <= k) / k


def mean_average_precision(
    ranks: npt.ArrayLike, k: int | None = 10, *, users: npt.ArrayLike | None = None
) -> float:
    """Compute the mean average precision at k (MAP@k).

    The average precision of a query is the sum of P(rank) over its relevant items with
    a rank of at most k, divided by the number of relevant items. P(rank) is the share
    of relevant items among the items up to that rank. MAP@k is the mean over queries.
    The divisor is as in trec_eval; some libraries divide by the smaller of k
    and the number of relevant items. With one relevant item per query MAP@k equals the
    MRR at k.

    Parameters
    ----------
    ranks : array-like of shape (n,)
        Rank of each relevant item: 1 for the first, `inf` for an item not ranked.
    k : int or None, default=10
        Only the first k positions count; None means all.
    users : array-like of shape (n,), default=None
        User of each rank. The ranks of one user form one query with several relevant
        items, each of which must occur once. None means one query per rank.

    Returns
    -------
    float
        Between 0 and 1; larger is better.

    Raises
    ------
    InteractionsError
        If `ranks` is empty or a rank is NaN or below 1, or if `users` is invalid.
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
    precisions = (queries.ranks <= k) * (queries.position / queries.ranks)
    return queries.mean(precisions / queries.n_relevant[queries.query])
