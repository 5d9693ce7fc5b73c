"""PopularityRecommender: the most popular items."""

from sklearn_attrec.models._base import BaseRecommender

__all__ = ["PopularityRecommender"]


class PopularityRecommender(BaseRecommender):
    """Recommend the most popular items to every user.

    The score of an item is its fraction of the training interactions; with a column
    `weight`, its fraction of their total weight. This is the baseline: a model whose
    metrics are not better has learned nothing about individual users.

    Parameters
    ----------
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
    ItemKNNRecommender : Nearest neighbours of the items of a history.
    MarkovRecommender : Items that often follow the last item.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec import PopularityRecommender
    >>> interactions = pd.DataFrame(
    ...     {
    ...         "user_id": ["ann", "ann", "bob", "bob", "cat"],
    ...         "item_id": ["tea", "milk", "tea", "jam", "milk"],
    ...     }
    ... )
    >>> model = PopularityRecommender(k=2).fit(interactions)
    >>> model.predict("cat")
    array(['tea', 'jam'], dtype=object)
    """

    _parameter_constraints = {**BaseRecommender._parameter_constraints}

    def __init__(
        self, *, k: int = 10, exclude_seen: bool = True, handle_unknown: str = "popular"
    ):
        self.k = k
        self.exclude_seen = exclude_seen
        self.handle_unknown = handle_unknown

    def _learn(self, sequences, state, task, strict):
        return {}

    def _item_parts(self):
        return ()  # `_ranking.vectors` adds popularity to the parts of every model

    def _query_parts(self, users, histories, times):
        return ()

    def _popularity_weight(self):
        return 1

    def _similarity_vectors(self):
        return self.item_counts_[:, None]
