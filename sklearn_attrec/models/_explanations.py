"""ExplanationsMixin: what the scores of items are made of."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec._interactions.column_names import ITEM, USER
from sklearn_attrec._interactions.frames import library_of, make_frame
from sklearn_attrec._interactions.sequences import Sequences
from sklearn_attrec._ranking.known_ids import known_items
from sklearn_attrec._ranking.queries import read_queries
from sklearn_attrec._ranking.rules import read_rules
from sklearn_attrec._ranking.search import best_items, exact_scores
from sklearn_attrec._ranking.vectors import item_parts, query_parts
from sklearn_attrec.utils._types import History, Id, Ids, ResultFrame, Users

__all__ = ["HISTORY", "POPULARITY", "TASTE", "Causes", "ExplanationsMixin", "left_out"]

HISTORY, TASTE, POPULARITY = "history", "long-term taste", "popularity"

# Number of queries that are explained together, and of histories that are encoded
# together with an item left out.
BLOCK_SIZE, LEFT_OUT_SIZE = 256, 1024


class Causes(NamedTuple):
    """Causes of the scores of m items for each of n queries."""

    kind: str
    queries: np.ndarray  # (n_causes,) position of the query
    items: np.ndarray  # (n_causes,) code of the item of the history; −1 for others
    contributions: np.ndarray  # (n_causes, m)

    @classmethod
    def of_queries(cls, kind, contributions):
        """Return one cause for each query, which is no item of the history."""
        n = len(contributions)
        return cls(kind, np.arange(n), np.full(n, -1), contributions)


class ExplanationsMixin:
    """Mixin with `explain`."""

    # Defined by BaseRecommender.
    items_: np.ndarray
    exclude_seen: bool
    _caller: Callable[[str], str]
    _check_k: Callable[[int | None, str], int]
    _uses_times: Callable[[], bool]
    _popularity_weight: Callable[[], float]
    _ids_or_missing: Callable[[np.ndarray], np.ndarray]

    def explain(
        self,
        user: Users,
        history: History | None = None,
        *,
        items: Id | Ids | None = None,
        k: int | None = None,
    ) -> ResultFrame:
        """Say what made the scores of items: items of the history, taste, popularity.

        - AttRec: the contributions of a score add up to it. Popularity is the score
          that the item has for the average user: the mean of the rows of U, and the
          mean of the rows of X by number of interactions. Long-term taste is what the
          row of U changes. An item of the history contributes what its share of the
          short-term vector m changes, which depends on the attention that it gets.
          Scores that are negative distances make popularity negative: compare it with
          that of other items.
        - SASRec, SSE-PT, HSTU: an item of the history contributes the score minus the
          score without the item; the only item of a history, the whole score. Weights
          of attention would say what was read, not what mattered. The long-term taste
          of SSE-PT is the score minus the score of an unseen user. These contributions
          do not add up to the score.
        - Item kNN and the Markov chain: the contributions are the terms of the sum that
          is the score; items without influence are left out.
        - Popularity is the only cause of `PopularityRecommender`, and of every score
          without a history.

        An item that the history contains several times is one cause.

        Parameters
        ----------
        user : id, list of ids, or DataFrame or 2-D array of shape (n, ...)
            As in `predict`.
        history : list, list of lists, dict, Series or DataFrame, default=None
            As in `predict`.
        items : id or list of ids, default=None
            Items to explain, for every user; None explains the k best.
        k : int, default=None
            Number of recommended items to explain; None means the parameter `k`. Not
            used with `items`.

        Returns
        -------
        DataFrame
            One row per cause: `user_id`, `item_id`, `score`, `cause` ('history',
            'long-term taste' or 'popularity'), `cause_item_id` (an item of the history;
            for other causes `missing_item_`) and `contribution`. The rows of an item
            are sorted by contribution, largest first; the items are in the order of the
            ranking or of `items`. The DataFrame belongs to the library of `user`, to
            pandas if it has none.

        Raises
        ------
        InteractionsError
            As in `predict`, or if one of `items` was not seen in fit.
        InvalidParameterError
            If k is not an integer of at least 1.
        UnknownUserError
            As in `predict`.

        Warns
        -----
        TimeUnitWarning, UserWarning
            As in `predict`.

        See Also
        --------
        sklearn_attrec.inspection.ExplanationDisplay : A plot of one explanation.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn_attrec import MarkovRecommender
        >>> interactions = pd.DataFrame(
        ...     {
        ...         "user_id": ["ann", "ann", "bob", "bob"],
        ...         "item_id": ["tea", "milk", "tea", "milk"],
        ...     }
        ... )
        >>> model = MarkovRecommender(smoothing=0.1).fit(interactions)
        >>> reasons = model.explain("cat", ["tea"], k=1)
        >>> reasons[["item_id", "score", "cause", "cause_item_id", "contribution"]]
          item_id  score       cause cause_item_id  contribution
        0    milk   0.95     history           tea          0.90
        1    milk   0.95  popularity           NaN          0.05
        """
        check_is_fitted(self)
        caller = self._caller("explain")
        k = self._check_k(k, "explain")
        queries, _ = read_queries(self, user, history, caller)
        if items is None:
            rules = read_rules(self, None, None, queries.ids, caller)
            codes, _ = best_items(self, queries, k, self.exclude_seen, rules)
        else:
            listed = [items] if pd.api.types.is_scalar(items) else items
            _, codes = known_items(self, listed, "items", caller)
            codes = pd.unique(codes)
            codes = np.broadcast_to(codes, (len(queries.ids), len(codes)))
        if not self._uses_times():
            queries = queries.without_times()
        tables = []
        for start in range(0, max(len(codes), 1), BLOCK_SIZE):
            rows = slice(start, start + BLOCK_SIZE)
            tables.append(self._explain(queries, rows, codes[rows]))
        table = {
            name: np.concatenate([table[name] for table in tables])
            for name in tables[0]
        }
        return make_frame(table, library_of(user))

    def _explain(self, queries, rows, items):
        """Return the columns of the table of a block of queries."""
        users, histories, times = queries.block(rows)
        present = np.where(items < 0, 0, items)  # where no item was left to recommend
        scores = exact_scores(self, users, histories, times, present)
        causes = self._all_causes(users, histories, times, present, scores)
        kinds = [np.full(len(cause.queries), cause.kind, object) for cause in causes]
        of_query, of_items, parts = (
            np.concatenate(arrays)
            for arrays in zip(*(cause[1:] for cause in causes), strict=True)
        )
        # Items of the history without influence are left out.
        is_shown = (parts != 0) | (of_items < 0)[:, None]
        row, column = np.nonzero(is_shown & (items[of_query] >= 0))
        order = np.lexsort((-parts[row, column], column, of_query[row]))
        row, column = row[order], column[order]
        query = of_query[row]
        return {
            USER: queries.ids[rows][query],
            ITEM: self.items_[items[query, column]],
            "score": scores[query, column],
            "cause": np.concatenate(kinds)[row],
            f"cause_{ITEM}": self._ids_or_missing(of_items[row]),
            "contribution": parts[row, column],
        }

    def _all_causes(self, users, histories, times, items, scores):
        """Return the causes of queries with and without a history."""
        is_empty = np.diff(histories.indptr) == 0
        empty, others = np.flatnonzero(is_empty), np.flatnonzero(~is_empty)
        alone = Causes.of_queries(POPULARITY, scores[empty])
        causes = [alone._replace(queries=empty)]
        if len(others):
            asked = None if times is None else times[others]
            queries = users[others], histories.select(others), asked
            causes += [
                cause._replace(queries=others[cause.queries])
                for cause in self._causes(*queries, items[others])
            ]
        return causes

    def _causes(self, users, histories, times, items):
        """Return the causes of scores, as a list of `Causes`.

        The terms of the inner product of sparse vectors are one for each item of the
        history, and popularity. Models with dense vectors override this method.

        Parameters
        ----------
        users, histories, times
            n queries, each with a history, as in `_query_parts`.
        items : ndarray of shape (n, m), int
            Codes of the items to explain.

        Returns
        -------
        list of Causes
        """
        *sparse, popularity = item_parts(self)
        weighted = self._popularity_weight() * popularity[items, 0].astype(np.float64)
        causes = [Causes.of_queries(POPULARITY, weighted)]
        if not sparse:
            return causes
        if not issparse(sparse[0]):
            raise NotImplementedError(f"{type(self).__name__} needs its own _causes")
        queries = query_parts(self, users, histories, times)[0].tocoo()
        rows, columns = queries.coords
        terms = sparse[0].tocsr()[items[rows], columns[:, None]]
        terms = terms.toarray() * queries.data[:, None].astype(np.float64)
        return [*causes, Causes(HISTORY, rows, columns, terms)]


def left_out(model, users, histories, times, items, window):
    """Return the scores that the items of each history take away when left out.

    Parameters
    ----------
    model : BaseRecommender
    users, histories, times
        n queries, each with a history, as in `_query_parts`.
    items : ndarray of shape (n, m), int
        Codes of the items to score.
    window : int
        Only the last items of each history, as many as this, are left out.

    Returns
    -------
    Causes
    """
    if times is None and histories.times is not None:
        times = histories.times[histories.indptr[1:] - 1]  # as if nothing was left out
    scores = exact_scores(model, users, histories, times, items).astype(np.float64)
    lengths = np.diff(histories.indptr)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    from_end = histories.indptr[owners + 1] - np.arange(len(owners))
    is_read = from_end <= window
    pairs = owners[is_read] * len(model.items_) + histories.items[is_read]
    queries, causes = np.divmod(np.unique(pairs), len(model.items_))
    contributions = np.empty((len(queries), items.shape[1]))
    for start in range(0, len(queries), LEFT_OUT_SIZE):
        block = slice(start, start + LEFT_OUT_SIZE)
        query = queries[block]
        shorter = _without(histories.select(query), causes[block])
        asked = None if times is None else times[query]
        others = exact_scores(model, users[query], shorter, asked, items[query])
        # Without any item, the score would be popularity, on another scale.
        is_empty = np.diff(shorter.indptr) == 0
        contributions[block] = scores[query] - np.where(is_empty[:, None], 0, others)
    return Causes(HISTORY, queries, causes, contributions)


def _without(sequences, items):
    """Leave one item out of each sequence, wherever it is."""
    owners = np.repeat(np.arange(len(items)), np.diff(sequences.indptr))
    kept = sequences.items != items[owners]
    lengths = np.bincount(owners[kept], minlength=len(items))
    times = None if sequences.times is None else sequences.times[kept]
    return Sequences(
        np.concatenate([[0], np.cumsum(lengths)]), sequences.items[kept], times
    )
