"""Item-based nearest neighbours: people who took this also took that."""

import numpy as np
from scipy.sparse import coo_array, csr_array

from sklearn_attrec._base import BaseRecommender
from sklearn_attrec.utils._csr import SQUARE, check_square
from sklearn_attrec.utils._param_validation import Integer, Real

__all__ = ["ItemKNNRecommender"]

# Pairs of items compared at once; one takes some 80 bytes while they are sorted.
CHUNK_SIZE = 1_000_000


class ItemKNNRecommender(BaseRecommender):
    """Recommend items that the same people took.

    Two items are as similar as the cosine of their columns in the table of users and
    items, which holds a 1 where the user had the item. Every item keeps its nearest
    neighbours, and its score is the sum of similarities to those of them that the
    history holds ([1]_, [2]_). The order of a history and repeats in it do not matter.

    The items that neighbour none of a history follow by popularity, a millionth of
    which is part of every score. If no user had two items, nothing else is left.

    Parameters
    ----------
    n_neighbors : int, default=10
        How many items each is compared with, at least 1. Fewer are sharper and faster;
        more reach further but let items that all people know drown the rest. On
        validation rows of MovieLens 100K the hit rates from 5 to 200 hardly differ.
    shrinkage : float, default=0.0
        Doubt about items that few people had, 0 or more: how much is added to the
        cosine's denominator, which is the number of users for two items that the same
        ones had. 0 is the cosine itself; larger values bring items down that few
        people share. Try 10 to 50 where most items have few users: on validation rows
        of Amazon Beauty 20 raises HR@10 from 0.070 to 0.084.
    k : int, default=10
        How many items `predict` returns and `score` looks at.
    exclude_seen : bool, default=True
        Whether to leave out items that the user had before. Set it to False where
        people buy again.
    handle_unknown : {'popular', 'error'}, default='popular'
        What to do about a user that fit never saw: recommend popular items, or raise
        `UnknownUserError`. Items of a history that fit never saw are ignored with a
        warning, or raise.

    Attributes
    ----------
    weights_ : dict of ndarray
        The similarities as the parts `data` (float32), `indices` and `indptr` of a
        `scipy.sparse.csr_array` of shape (n_items, n_items): row i holds the neighbours
        of item i. Of equally near ones, those with the lower code are kept.
    users_ : ndarray of shape (n_users,)
        User ids, by first appearance in time.
    items_ : ndarray of shape (n_items,)
        Item ids, by first appearance in time.
    item_counts_ : ndarray of shape (n_items,)
        How often each item occurred.
    missing_item_ : object
        What fills a row of `predict` when fewer than k items remain.
    history_indptr_, history_items_, history_times_ : ndarray
        The fitted interactions, encoded and sorted by user and time.
    n_features_in_ : int
        Number of columns read in fit.
    feature_names_in_ : ndarray of str
        Their names, if X was a DataFrame.

    See Also
    --------
    MarkovRecommender : What follows the last item, where order matters.
    PopularityRecommender : The same list for everyone.

    Notes
    -----
    `similar_items` compares an item with all others, by the cosine without shrinkage.
    `item_vectors` and `query_vectors` are sparse. Memory grows with n_items times
    `n_neighbors`; the time of `fit` with the sum of squared lengths of histories.

    References
    ----------
    .. [1] Sarwar, B., Karypis, G., Konstan, J., Riedl, J. "Item-based collaborative
       filtering recommendation algorithms." WWW, 2001.
    .. [2] Deshpande, M., Karypis, G. "Item-based top-N recommendation algorithms."
       ACM Transactions on Information Systems 22(1), 2004.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec import ItemKNNRecommender
    >>> interactions = pd.DataFrame(
    ...     {
    ...         "user_id": ["ann", "ann", "bob", "bob", "bob", "cat"],
    ...         "item_id": ["tea", "milk", "tea", "milk", "jam", "jam"],
    ...     }
    ... )
    >>> model = ItemKNNRecommender(k=2).fit(interactions)

    Tea and milk have the same users, ann and bob. Jam has one of its two users in
    common with either, so the cosine is 1 / √(2 · 2).

    >>> model.recommend("cat").round(2)
      user_id item_id  score  rank
    0     cat     tea    0.5     1
    1     cat    milk    0.5     2
    >>> model.predict("new", history=["tea"])
    array(['milk', 'jam'], dtype=object)
    """

    _parameter_constraints = {
        **BaseRecommender._parameter_constraints,
        "n_neighbors": Integer(1),
        "shrinkage": Real(0),
    }

    def __init__(
        self,
        *,
        n_neighbors=10,
        shrinkage=0.0,
        k=10,
        exclude_seen=True,
        handle_unknown="popular",
    ):
        self.n_neighbors = n_neighbors
        self.shrinkage = shrinkage
        self.k = k
        self.exclude_seen = exclude_seen
        self.handle_unknown = handle_unknown

    def _fit(self, sequences, state, task, strict):
        taken = _taken(sequences, len(state["items_"]))
        found = _neighbours(taken, self.n_neighbors, self.shrinkage)
        weights = {"data": found.data, "indices": found.indices, "indptr": found.indptr}
        return {"weights_": weights}

    def _weight_layout(self, settings, names):
        return SQUARE

    def _check_fitted(self):
        check_square(self.weights_, len(self.items_))

    def _item_parts(self):
        arrays = tuple(self.weights_[name] for name in SQUARE)
        return (csr_array(arrays, shape=(len(self.items_), len(self.items_))),)

    def _likeness_matrix(self):
        return _taken(self._sequences(), len(self.items_)).T

    def _query_parts(self, users, histories):
        return (_taken(histories, len(self.items_)),)

    def _popularity_weight(self):
        return 1e-6  # far below every similarity, so that it only parts what ties


def _taken(sequences, n_items):
    """Mark which items each sequence holds.

    Parameters
    ----------
    sequences : Sequences
        n sequences of item codes.
    n_items : int

    Returns
    -------
    csr_array of shape (n, n_items), float32
        1 for an item that is there, however often.
    """
    n = len(sequences.indptr) - 1
    rows = np.repeat(np.arange(n, dtype=np.int32), np.diff(sequences.indptr))
    columns = sequences.items.astype(np.int32)
    ones = np.ones(len(columns), dtype=np.float32)
    taken = coo_array((ones, (rows, columns)), shape=(n, n_items)).tocsr()
    taken.data[:] = 1  # where repeats were added up
    return taken


def _neighbours(taken, n_neighbors, shrinkage):
    """Find the nearest items of each item, chunk by chunk.

    Parameters
    ----------
    taken : csr_array of shape (n_users, n_items)
    n_neighbors : int
    shrinkage : float

    Returns
    -------
    csr_array of shape (n_items, n_items), float32
        Similarities, `n_neighbors` a row at most.
    """
    n_items = taken.shape[1]
    by_item = taken.T.tocsr()
    # No more items than the histories of its users hold can occur with an item.
    n_pairs = np.minimum(by_item @ np.diff(taken.indptr), n_items)
    chunks = np.cumsum(n_pairs) // CHUNK_SIZE
    starts = np.flatnonzero(np.diff(chunks, prepend=-1))
    found = [
        _nearest(by_item, taken, start, stop, n_neighbors, shrinkage)
        for start, stop in zip(starts, [*starts[1:], n_items], strict=True)
    ]
    likeness, items, others = map(np.concatenate, zip(*found, strict=True))
    return coo_array((likeness, (items, others)), shape=(n_items, n_items)).tocsr()


def _nearest(by_item, taken, start, stop, n_neighbors, shrinkage):
    """Find the neighbours of items start … stop − 1: similarities, items, others."""
    together = by_item[start:stop] @ taken  # users that had both, (chunk, n_items)
    n_found, others = np.diff(together.indptr), together.indices
    items = np.repeat(np.arange(start, stop, dtype=others.dtype), n_found)
    counts = np.diff(by_item.indptr).astype(np.float64)
    likeness = together.data / (np.sqrt(counts[items] * counts[others]) + shrinkage)
    likeness = likeness.astype(np.float32)
    likeness[items == others] = np.inf  # comes first, and is left out
    order = np.lexsort((others, -likeness, items))  # ties to the lower code
    place = np.arange(len(order)) - np.repeat(together.indptr[:-1], n_found)
    kept = order[(place > 0) & (place <= n_neighbors)]
    return likeness[kept], items[kept], others[kept]
