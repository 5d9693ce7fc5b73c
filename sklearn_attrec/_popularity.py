"""Popularity: the baseline every model must beat, and the fallback of them all."""

from sklearn_attrec._base import BaseRecommender

__all__ = ["PopularityRecommender"]


class PopularityRecommender(BaseRecommender):
    """Recommend to everyone what most people took.

    The most frequent items of the fitted interactions, less what the user had
    before. A model that does not beat it has learned nothing about its users.

    Parameters
    ----------
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

    def __init__(self, *, k=10, exclude_seen=True, handle_unknown="popular"):
        self.k = k
        self.exclude_seen = exclude_seen
        self.handle_unknown = handle_unknown

    def _fit(self, sequences, state, task, strict):
        return {}

    def _item_parts(self):
        return ()  # popularity is a part of every recommender's

    def _query_parts(self, users, histories):
        return ()

    def _popularity_weight(self):
        return 1

    def _likeness_matrix(self):
        return self.item_counts_[:, None]
