"""MarkovRecommender: a first-order Markov chain over items."""

import numpy as np
from scipy.sparse import coo_array, csr_array

from sklearn_attrec._interactions.windows import training_targets
from sklearn_attrec.models._base import BaseRecommender
from sklearn_attrec.utils._csr import SPARSE_ITEMS
from sklearn_attrec.utils._param_validation import Real

__all__ = ["MarkovRecommender"]


class MarkovRecommender(BaseRecommender):
    """Recommend the items that most often follow the last item.

    The model is one first-order Markov chain for all users [1]_. P(i | j) is the
    fraction of item i among all items that directly follow item j in a history. It is
    interpolated with popularity [2]_::

        score(i) = (1 - smoothing) · P(i | last item) + smoothing · popularity(i)

    The popularity of an item is its fraction of the training interactions. If no item
    ever followed the last item, only popularity counts. With a column `weight`, both
    are fractions of the total weight: a transition has the weight of its second row.

    Parameters
    ----------
    smoothing : float, default=0.5
        Weight of popularity, above 0 and at most 1. Up to about 0.5, popularity mainly
        breaks ties and ranks the items that never followed the last item, because
        transition probabilities are usually much larger than popularities. Larger
        values give less weight to rare transitions; at 1 only popularity counts. On the
        validation rows of MovieLens 100K, MovieLens 1M and Amazon Beauty, values up to
        0.6 give nearly the same results; 0.9 is worse on MovieLens.
    k : int, default=10
        Number of items that `predict` returns and `score` considers.
    exclude_seen : bool, default=True
        Whether to leave out the items of the user's history. Set it to False if
        users interact with the same items repeatedly.
    handle_unknown : {'popular', 'error'}, default='popular'
        How to handle ids that `fit` did not see. 'popular' recommends popular items
        to an unseen user without a history, and ignores unseen items in a history
        with a warning. 'error' raises an error in both cases.

    Attributes
    ----------
    weights_ : dict of ndarray
        Transition probabilities: the arrays `data` (float32), `indices` and `indptr` of
        a `scipy.sparse.csr_array` of shape (n_items, n_items). Row i contains the
        items that followed item i. A row sums to 1, or is empty.
    users_ : ndarray of shape (n_users,)
        User ids, in the order of their first interaction.
    items_ : ndarray of shape (n_items,)
        Item ids, in the order of their first interaction; those without interactions,
        if there are any, come last.
    item_counts_ : ndarray of shape (n_items,)
        Number of interactions of each item.
    missing_item_ : object
        Value with which `predict` pads a row if it can recommend fewer than k items.
    history_indptr_ : ndarray of shape (n_users + 1,)
        Start of each user's rows in `history_items_`; the last element is the end.
    history_items_ : ndarray of shape (n_rows,)
        Training items as positions in `items_`, sorted by user, then time.
    history_times_ : ndarray of shape (n_rows,) or None
        Timestamps of these rows; None if `fit` saw no timestamps.
    history_weights_ : ndarray of shape (n_rows,) or None
        Weights of these rows; None without a column `weight`.
    settings_ : dict
        Values that `fit` used for the parameters that define the model: None and values
        above a limit are replaced.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of these columns. Defined only if X was a DataFrame.

    See Also
    --------
    ItemKNNRecommender : Nearest neighbours of all items of a history; order does not
        matter.
    PopularityRecommender : The baseline.

    Notes
    -----
    Consecutive interactions with the same item count as a transition. `similar_items`
    compares items by the items that they follow. `item_vectors` and `query_vectors` are
    sparse.

    References
    ----------
    .. [1] Rendle, S., Freudenthaler, C., Schmidt-Thieme, L. "Factorizing personalized
       Markov chains for next-basket recommendation." WWW, 2010. Section 3 describes
       the Markov chain that the paper then personalises and factorises.
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

    The last item of cat is tea. Only milk ever followed tea, and milk is a third of the
    rows: its score is 0.9 · 1 + 0.1 · 1/3. Jam never followed tea: its score is
    0.1 · 1/3.

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

    def __init__(
        self,
        *,
        smoothing: float = 0.5,
        k: int = 10,
        exclude_seen: bool = True,
        handle_unknown: str = "popular",
    ):
        self.smoothing = smoothing
        self.k = k
        self.exclude_seen = exclude_seen
        self.handle_unknown = handle_unknown

    weights_: dict[str, np.ndarray]

    def _learn(self, sequences, state, task, strict):
        n_items = len(state["items_"])
        positions = training_targets(sequences)
        weights = np.ones(len(positions), dtype=np.int32)
        if sequences.weights is not None:
            positions = positions[sequences.weights[positions] > 0]
            weights = sequences.weights[positions]
        pairs = sequences.items[positions - 1], sequences.items[positions]
        counts = coo_array((weights, pairs), shape=(n_items, n_items)).tocsr()
        totals = np.repeat(counts.sum(axis=1), np.diff(counts.indptr))
        weights = {
            "data": (counts.data / totals).astype(np.float32),
            "indices": counts.indices,
            "indptr": counts.indptr,
        }
        return {"weights_": weights}

    def _weight_layout(self, settings):
        return SPARSE_ITEMS

    def _item_parts(self):
        arrays = tuple(self.weights_[name] for name in SPARSE_ITEMS)
        return (csr_array(arrays, shape=(len(self.items_), len(self.items_))).T,)

    def _query_parts(self, users, histories, times):
        starts, ends = histories.indptr[:-1], histories.indptr[1:]
        has_item = ends > starts
        last = histories.items[ends[has_item] - 1].astype(np.int32)
        weights = np.full(len(last), 1 - self.settings_["smoothing"], dtype=np.float32)
        indptr = np.concatenate([[0], np.cumsum(has_item)]).astype(np.int32)
        shape = len(has_item), len(self.items_)
        return (csr_array((weights, last, indptr), shape=shape),)

    def _popularity_weight(self):
        return self.settings_["smoothing"]
