"""First-order Markov chain: what comes after the last item."""

import numpy as np
from scipy.sparse import coo_array, csr_array

from sklearn_attrec._base import BaseRecommender
from sklearn_attrec._sequences import last_items, training_windows
from sklearn_attrec.utils._csr import SQUARE, check_square
from sklearn_attrec.utils._param_validation import Real

__all__ = ["MarkovRecommender"]


class MarkovRecommender(BaseRecommender):
    """Recommend what most often came next after the user's last item.

    The share of each item among all that followed the last one directly, in any
    user's history, makes the transition probabilities of a Markov chain, the same for
    all users ([1]_). They are interpolated with popularity [2]_, so that what never
    followed the last item comes after what did, the popular ones first ::

        score(i) = (1 - smoothing) · P(i | last item) + smoothing · popularity(i)

    Popularity is an item's share of the fitted rows. After an item that nothing ever
    followed, popularity alone decides.

    Parameters
    ----------
    smoothing : float, default=0.5
        Weight of popularity against the transitions, above 0 and up to 1. Popularity is
        spread over the whole catalogue and transitions over few items, so that up to
        about 0.5 it decides between ties and what was never seen to follow, and little
        else. Larger values distrust transitions that were seen once or twice; 1 is
        popularity alone. On validation rows of MovieLens 100K, MovieLens 1M and Amazon
        Beauty values up to 0.6 can hardly be told apart; 0.9 is worse on MovieLens.
    k : int, default=10
        How many items `predict` returns and `score` looks at.
    exclude_seen : bool, default=True
        Whether to leave out items that the user had before. Set it to False where
        people buy again: an item that follows itself counts as a transition too.
    handle_unknown : {'popular', 'error'}, default='popular'
        What to do about a user that fit never saw: recommend popular items, or raise
        `UnknownUserError`. Items of a history that fit never saw are ignored with a
        warning, or raise.

    Attributes
    ----------
    weights_ : dict of ndarray
        The transition probabilities as the parts `data` (float32), `indices` and
        `indptr` of a `scipy.sparse.csr_array` of shape (n_items, n_items): row i holds
        the items that followed item i. Rows add up to 1, or are empty.
    smoothing_ : float
        The parameter as fit read it.
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
    ItemKNNRecommender : What goes with the whole history, where order does not matter.
    PopularityRecommender : The same list for everyone.

    Notes
    -----
    To `similar_items`, two items are alike when they follow the same items.
    `item_vectors` and `query_vectors` are sparse.

    References
    ----------
    .. [1] Rendle, S., Freudenthaler, C., Schmidt-Thieme, L. "Factorizing personalized
       Markov chains for next-basket recommendation." WWW, 2010. Section 3: the chain
       before it is factorised and made personal.
    .. [2] Jelinek, F., Mercer, R. L. "Interpolated estimation of Markov source
       parameters from sparse data." Pattern Recognition in Practice, 1980.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec import MarkovRecommender
    >>> interactions = pd.DataFrame(
    ...     {
    ...         "user_id": ["ann", "ann", "ann", "bob", "bob", "cat"],
    ...         "item_id": ["tea", "milk", "jam", "milk", "jam", "tea"],
    ...     }
    ... )
    >>> model = MarkovRecommender(smoothing=0.1, k=2).fit(interactions)

    Milk, a third of the rows, is all that ever followed tea, cat's last item: its
    score is 0.9 · 1 + 0.1 · 1/3. Jam, which never did, has 0.1 · 1/3.

    >>> model.recommend("cat").round(3)
      user_id item_id  score  rank
    0     cat    milk  0.933     1
    1     cat     jam  0.033     2
    >>> model.predict("new", history=["tea", "milk"], k=1)
    array(['jam'], dtype=object)
    """

    _parameter_constraints = {
        **BaseRecommender._parameter_constraints,
        "smoothing": Real(0, 1, low_open=True),
    }
    _fitted_scalars = {"smoothing_": Real(0, 1, low_open=True)}

    def __init__(
        self, *, smoothing=0.5, k=10, exclude_seen=True, handle_unknown="popular"
    ):
        self.smoothing = smoothing
        self.k = k
        self.exclude_seen = exclude_seen
        self.handle_unknown = handle_unknown

    def _fit(self, sequences, state, task, strict):
        n_items = len(state["items_"])
        positions = training_windows(sequences).positions
        pairs = sequences.items[positions - 1], sequences.items[positions]
        counts = coo_array((np.ones(len(positions)), pairs), shape=(n_items, n_items))
        counts = counts.tocsr()
        totals = np.repeat(counts.sum(axis=1), np.diff(counts.indptr))
        weights = {
            "data": (counts.data / totals).astype(np.float32),
            "indices": counts.indices,
            "indptr": counts.indptr,
        }
        return {"weights_": weights, "smoothing_": float(self.smoothing)}

    def _weight_layout(self, settings, names):
        return SQUARE

    def _check_fitted(self):
        check_square(self.weights_, len(self.items_))

    def _item_parts(self):
        arrays = tuple(self.weights_[name] for name in SQUARE)
        return (csr_array(arrays, shape=(len(self.items_), len(self.items_))).T,)

    def _query_parts(self, users, histories):
        last, real = (column[:, 0] for column in last_items(histories, 1))
        rows = np.flatnonzero(real).astype(np.int32)
        weight = np.full(len(rows), 1 - self.smoothing_, dtype=np.float32)
        where = rows, last[rows].astype(np.int32)
        shape = len(last), len(self.items_)
        return (coo_array((weight, where), shape=shape).tocsr(),)

    def _popularity_weight(self):
        return self.smoothing_
