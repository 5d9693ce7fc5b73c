"""VectorsMixin: the vectors of items and queries, and similar items."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, issparse, vstack
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec._interactions.column_names import ITEM
from sklearn_attrec._interactions.frames import library_of, make_frame
from sklearn_attrec._ranking.index_search import build_index
from sklearn_attrec._ranking.known_ids import known_items
from sklearn_attrec._ranking.queries import ALL_USERS, read_queries
from sklearn_attrec._ranking.rules import read_candidates
from sklearn_attrec._ranking.scores import BLOCK_SIZE
from sklearn_attrec._ranking.similar_items import most_similar
from sklearn_attrec._ranking.vectors import (
    finite_parts,
    item_parts,
    join_parts,
    query_parts,
)
from sklearn_attrec.utils._blas_threads import one_blas_thread
from sklearn_attrec.utils._types import (
    History,
    Id,
    Ids,
    Items,
    ResultFrame,
    Users,
)

__all__ = ["VectorsMixin"]


class VectorsMixin:
    """Mixin with `similar_items`, `query_vectors`, `item_vectors` and `to_index`."""

    # Defined by BaseRecommender.
    items_: np.ndarray
    _caller: Callable[[str], str]
    _check_k: Callable[[int | None, str], int]
    _similarity_vectors: Callable[[], Any]
    _uses_times: Callable[[], bool]

    def similar_items(
        self, items: Id | Ids, *, k: int | None = None, candidates: Items | None = None
    ) -> ResultFrame:
        """Find the items that are most similar to each of the given items.

        Parameters
        ----------
        items : id or list of ids
            Items seen in fit.
        k : int, default=None
            Number of similar items per item; None means the parameter `k`.
        candidates : list or set of item ids, default=None
            The only items that may be returned; None means all items.

        Returns
        -------
        DataFrame
            Columns `item_id`, `similar_item_id`, `score` (cosine similarity, −1 to 1)
            and `rank` (from 1). An item is not similar to itself. An item with fewer
            than k other candidates has fewer rows. The DataFrame belongs to the library
            of `items`, to pandas if it has none. Titles are joined as in `recommend`.

        Raises
        ------
        InteractionsError
            If an item was not seen in fit, or `candidates` is empty.
        InvalidParameterError
            If k is not an integer of at least 1.
        """
        check_is_fitted(self)
        caller = self._caller("similar_items")
        k = min(self._check_k(k, "similar_items"), len(self.items_))
        listed = [items] if pd.api.types.is_scalar(items) else items
        ids, codes = known_items(self, listed, "items", caller)
        (vectors,) = finite_parts(self, [self._similarity_vectors()])
        excluded = np.zeros(len(self.items_), dtype=bool)
        if candidates is not None:
            excluded = ~read_candidates(self, candidates, caller)
        similar, scores = most_similar(vectors, codes, k, excluded)
        row, column = np.nonzero(similar >= 0)
        table = {
            ITEM: ids[row],
            f"similar_{ITEM}": self.items_[similar[row, column]],
            "score": scores[row, column],
            "rank": column + 1,
        }
        return make_frame(table, library_of(items))

    def query_vectors(
        self, users: Users | None = None, history: History | None = None
    ) -> np.ndarray | csr_array:
        """Return the vectors of queries; see `item_vectors`.

        Parameters
        ----------
        users : id, list of ids, DataFrame or 2-D array, default=None
            As in `recommend`.
        history : list, list of lists, dict, Series or DataFrame, default=None
            As in `predict`.

        Returns
        -------
        ndarray or csr_array of shape (D,) or (n, D), float32
            One vector per query; (D,) for a single user. Sparse if the result of
            `item_vectors` is sparse.

        Raises
        ------
        InteractionsError
            As in `predict`.
        UnknownUserError
            As in `predict`.

        Warns
        -----
        TimeUnitWarning, UserWarning
            As in `predict`.
        """
        check_is_fitted(self)
        caller = self._caller("query_vectors")
        queries, single = read_queries(
            self, ALL_USERS if users is None else users, history, caller
        )
        if not self._uses_times():
            queries = queries.without_times()
        items = item_parts(self)
        width = sum(part.shape[1] for part in items)
        starts = range(0, len(queries.users), BLOCK_SIZE)
        with one_blas_thread():
            blocks = [
                join_parts(query_parts(self, *queries.block(slice(i, i + BLOCK_SIZE))))
                for i in starts
            ]
        if any(map(issparse, items)):
            no_rows = csr_array((0, width), dtype=np.float32)
            stacked = vstack([no_rows, *blocks], format="csr")
            return stacked[0].tocsr() if single else stacked
        queried = np.concatenate([np.empty((0, width), np.float32), *blocks])
        return queried[0] if single else queried

    def to_index(self, kind: str = "HNSW32") -> Any:
        """Build an index of the item vectors, for ``recommend(index=...)``.

        An approximate index returns most of the best items of a large catalogue without
        computing the scores of all. `recommend` computes exact scores for the items
        that the index returns, applies all rules, and searches the whole catalogue for
        users to whom the index returns fewer than k permitted items. Save an index with
        `faiss.write_index`; build it again after each fit. The page "Scaling out"
        of the documentation says from which size of the catalogue an index is faster,
        and how many of the best items it finds.

        Parameters
        ----------
        kind : str, default='HNSW32'
            Description of the index, as in `faiss.index_factory`, for example:

            - 'HNSW32': a graph (Malkov, Yashunin 2020). Each query reads
              ``index.hnsw.efSearch`` items, here 128: larger values find more.
            - 'IVF4096,Flat': 4,096 cells. Each query reads ``index.nprobe`` of them,
              here 1, which is too few: set it to 16 or more.
            - 'Flat': exact, for comparisons.

        Returns
        -------
        faiss.Index
            Of the vectors of `item_vectors` and a further number that gives all of them
            the same length, so that the largest inner product with a query, whose
            further number is 0, becomes the smallest distance [1]_.

        Raises
        ------
        ImportError
            If faiss is not installed (the extra `faiss`).
        InvalidParameterError
            If faiss does not accept `kind`.
        TypeError
            If the vectors of the model are sparse.

        References
        ----------
        .. [1] Y. Bachrach et al., "Speeding Up the Xbox Recommender System Using a
           Euclidean Transformation for Inner-Product Spaces", RecSys 2014.
        """
        check_is_fitted(self)
        return build_index(self, kind, self._caller("to_index"))

    def item_vectors(self) -> np.ndarray | csr_array:
        """Return the vectors of all items.

        They can be used in an approximate nearest neighbour index with inner product:
        the score of an item for a query is the inner product of their vectors. The last
        column is the item's popularity: its fraction of the training interactions, or
        of their total weight. For a query without a history, only this column has a
        non-zero weight. For other queries its weight is 0 in neural networks, 1e-6 in
        `ItemKNNRecommender`, `smoothing` in `MarkovRecommender` and 1 in
        `PopularityRecommender`.

        Returns
        -------
        ndarray or csr_array of shape (n_items, D), float32
            Rows in the order of `items_`; a new array at each call. Sparse for
            `ItemKNNRecommender` and `MarkovRecommender`.
        """
        check_is_fitted(self)
        return join_parts(item_parts(self))
