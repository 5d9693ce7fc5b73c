"""BaseRecommender: the common part of all recommenders."""

import warnings
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER
from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.frames import (
    library_of,
    make_frame,
    to_pandas,
)
from sklearn_attrec._interactions.sequences import Sequences, encode
from sklearn_attrec._interactions.weights import check_weights
from sklearn_attrec._ranking.index_search import check_index
from sklearn_attrec._ranking.queries import ALL_USERS, read_queries
from sklearn_attrec._ranking.rules import read_rules
from sklearn_attrec._ranking.search import best_items
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.models._evaluation import EvaluationMixin
from sklearn_attrec.models._explanations import ExplanationsMixin
from sklearn_attrec.models._fitted_state import encoded_state
from sklearn_attrec.models._partial_fit import PartialFitMixin
from sklearn_attrec.models._vectors import VectorsMixin
from sklearn_attrec.utils._callbacks import (
    CallbackSupportMixin,
    FitTask,
    has_callbacks,
    with_callbacks,
)
from sklearn_attrec.utils._doc_link import DocLinkMixin
from sklearn_attrec.utils._param_validation import (
    Boolean,
    Integer,
    OneOf,
    Real,
    check_arguments,
    validate_parameters,
)
from sklearn_attrec.utils._plain_values import plain_parameters
from sklearn_attrec.utils._short_repr import short_repr
from sklearn_attrec.utils._types import (
    History,
    ItemRule,
    ResultFrame,
    Table,
    Users,
)
from sklearn_attrec.utils._version import package_version

__all__ = ["BaseRecommender", "InterruptedFit"]


class InterruptedFit(Exception):
    """Raised by `_learn` when Ctrl-C or divergence stops training.

    Carries the fitted attributes. `__cause__` is the exception that stopped training.
    """

    def __init__(self, attributes):
        super().__init__()
        self.attributes = attributes


class BaseRecommender(
    PartialFitMixin,
    EvaluationMixin,
    ExplanationsMixin,
    VectorsMixin,
    CallbackSupportMixin,
    DocLinkMixin,
    BaseEstimator,
):
    """Base class of all recommenders.

    The score of an item is the inner product of a query vector and the item's vector.
    This class and `_ranking` read ids and histories, rank items, exclude seen items and
    compute metrics for all models. A subclass implements these hooks:

    - `_learn` returns fitted attributes from encoded sequences;
    - `_item_parts` and `_query_parts` return the vectors of items and queries;
    - `_weight_layout` returns dtypes and sizes of `weights_`, for model files;
    - `_causes` says what made a score, if the first part of the vectors is dense;
    - where needed, `_learn_more`, `_catalogue`, `_popularity_weight`, `_uses_times`,
      `_similarity_vectors`, `_settings`, `_n_epochs` and `_after_fit`.

    A vector is the concatenation of parts. They are stored separately, so that large
    arrays are not copied and memory-mapped arrays are not loaded. The score is the sum
    of the inner products of the parts. Only the first part may be sparse, and then for
    items and queries alike; column i of sparse vectors is item i.

    The last part of the item vectors is popularity, a single column. In the score of a
    query with a history it has the weight `_popularity_weight`. A query without a
    history is scored by popularity alone.
    """

    # Fitted attributes.
    users_: np.ndarray
    items_: np.ndarray
    item_counts_: np.ndarray
    missing_item_: object
    history_indptr_: np.ndarray
    history_items_: np.ndarray
    history_times_: np.ndarray | None
    history_weights_: np.ndarray | None
    settings_: dict[str, Any]
    n_features_in_: int
    feature_names_in_: np.ndarray

    _parameter_constraints = {
        "k": Integer(1),
        "exclude_seen": Boolean(),
        "handle_unknown": OneOf("popular", "error"),
    }

    # Constraints of fitted attributes that are single values, for model files.
    _fitted_scalars: dict = {}

    # With metadata routing, pipelines pass these arguments on without being asked to.
    __metadata_request__predict = {
        "user": UNUSED,
        "history": True,
        "k": True,
        "exclude": True,
        "candidates": True,
    }
    # Pipeline.score routes `sample_weight` even if it is None.
    __metadata_request__score = {"sample_weight": None}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_cache", None)
        return state | {"_sklearn_attrec_version": package_version()}

    def __setstate__(self, state):
        state = dict(state)
        version = state.pop("_sklearn_attrec_version", "older")
        if version != package_version():
            warnings.warn(
                f"{type(self).__name__} was pickled with sklearn_attrec {version} and "
                f"is loaded with {package_version()}, which may not load it correctly. "
                "Use save_model for files that later versions can read.",
                stacklevel=2,
            )
        super().__setstate__(state)

    # Hooks ----------------------------------------------------------------------

    def _learn(self, sequences, state, task, strict):
        """Learn from sequences and return fitted attributes; change nothing else.

        Parameters
        ----------
        sequences : Sequences
        state : dict
            The fitted attributes that do not depend on the model.
        task : FitTask
            For scikit-learn's callbacks.
        strict : bool
            Whether to raise an error if nothing can be learned from the data, instead
            of a warning. False for arrays, because scikit-learn's checks fit such
            arrays.

        Returns
        -------
        dict

        Raises
        ------
        InterruptedFit
            If Ctrl-C or divergence stopped training and usable weights exist.
        """
        raise NotImplementedError

    def _catalogue(self, items, caller, is_update=False):
        """Return the ids of all items, and the fitted attributes about them.

        Parameters
        ----------
        items : ndarray of shape (n,)
            The items with interactions. They keep their places, before all others.
        caller : str
        is_update : bool, default=False
            Whether `partial_fit` is the caller.

        Returns
        -------
        items : ndarray of shape (n_items,)
        attributes : dict
        """
        return items, {}

    def _learn_more(self, appended, state):
        """Learn from appended interactions and return all fitted attributes.

        Parameters
        ----------
        appended : Appended
            All sequences.
        state : dict
            The fitted attributes that do not depend on the model, of all sequences.
        """
        return state | self._learn(appended.sequences, state, task=None, strict=False)

    def _item_parts(self):
        """Return the parts of the item vectors, each of shape (n_items, D_i)."""
        raise NotImplementedError

    def _query_parts(self, users, histories, times):
        """Return the parts of the query vectors, each of shape (n, D_i).

        Rows of queries without a history are not read; in sparse parts they must be
        empty.

        Parameters
        ----------
        users : ndarray of shape (n,), int
            User codes; −1 for users not seen in fit.
        histories : Sequences
            n sequences, with times if the model `_uses_times` and they are known.
        times : ndarray of shape (n,) or None
            Times of the queries, under the same conditions.
        """
        raise NotImplementedError

    def _uses_times(self):
        """Return whether times influence the scores."""
        return False

    def _weight_layout(self, settings):
        """Return the dtype and the names of the dimensions of each weight."""
        return {}

    def _popularity_weight(self):
        """Return the weight of popularity in the scores of queries with a history."""
        return 0

    def _similarity_vectors(self):
        """Return the vectors that `similar_items` compares, (n_items, D)."""
        (vectors,) = self._item_parts()
        return vectors

    def _settings(self, n_items, longest):
        """Return the parameters that define the model, with None and limits resolved.

        Parameters
        ----------
        n_items : int
            Size of the catalogue.
        longest : int
            Length of the longest training sequence.
        """
        settings = plain_parameters(
            self, without=BaseRecommender._parameter_constraints
        )
        for name, value in settings.items():
            if isinstance(self._parameter_constraints.get(name), Real):
                settings[name] = float(value)  # so that model files contain one type
        return settings

    def _n_epochs(self):
        """Return the maximum number of epochs, for progress bars."""
        return 0

    def _after_fit(self):
        """Clean up after a complete fit, once the fitted attributes are set."""

    # Public methods -------------------------------------------------------------

    @with_callbacks
    def fit(self, X: Table, y: object = None) -> Self:
        """Learn from interactions.

        If the training of a network is interrupted with Ctrl-C, the estimator keeps the
        current weights (the best weights with early stopping), `interrupted_` is set to
        True and KeyboardInterrupt is raised again. If training diverges, the estimator
        is not changed, except with early stopping: it then keeps the best weights found
        before, and `interrupted_` is True. Any other error leaves the estimator
        unchanged, unless it occurs after training, in a callback or while checkpoints
        are removed.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, 2 or more)
            Interactions: the columns `user_id`, `item_id` and `timestamp`. Without
            `timestamp` the rows must be sorted by time, and no other column or index
            level may look like a time. Rows with equal times keep their order. The
            first three columns of an array are user, item and time.
            In all methods, a DataFrame is a DataFrame of pandas, a DataFrame or
            LazyFrame of polars, or a Table of pyarrow; a Series is a Series of pandas
            or polars, or an Array or ChunkedArray of pyarrow.
            A DataFrame may have a column `weight`, with numbers of at least 0: how much
            a row counts in popularity, transitions and similarities, and as a target of
            the training loss. Only the ratios of the weights matter. A row of weight 0
            only belongs to its user's history.
        y : None
            Ignored.

        Returns
        -------
        self : estimator
            The fitted recommender.

        Raises
        ------
        InteractionsError
            If X or `item_features` cannot be used; the message says which rows and what
            to do.
        InvalidParameterError
            If a parameter has an invalid value.
        TrainingDivergedError
            If the loss or a weight of a network is not finite, or a weight is very
            large.
        CheckpointMismatchError, ModelFileError, OSError
            If the file `checkpoint` was written by another fit, is damaged, or cannot
            be written.
        ForkedTensorFlowError
            If a network is trained in a process that was forked after TensorFlow ran.
        ImportError
            If a network is trained where TensorFlow or Keras is missing.
        """
        validate_parameters(self)
        caller = self._caller("fit")
        given, X = X, to_pandas(X)
        is_watched = has_callbacks(self)
        interactions = check_interactions(X, caller=caller, coded=not is_watched)
        row_items = interactions.items if is_watched else None
        weights = check_weights(X, caller)
        names = [USER, ITEM] if interactions.times is None else [USER, ITEM, TIME]
        strict = isinstance(X, pd.DataFrame)
        columns = pd.DataFrame(columns=names) if strict else X
        del X  # copied so far: a large part of the memory
        sequences, users, items = encode(interactions, weights)
        del interactions, weights
        if len(items) < 2:
            raise InteractionsError(
                f"{caller}: X must contain at least 2 different items to rank. Got "
                f"only the item {short_repr(items[0])} (n_samples = "
                f"{len(sequences.items)}). Pass interactions with more items."
            )
        parameters = self._settings(len(items), sequences.longest)
        items, features = self._catalogue(items, caller)
        state = encoded_state(sequences, users, items) | features
        state["settings_"] = parameters
        feature_record = BaseEstimator()  # gets n_features_in_ and feature_names_in_
        validate_data(feature_record, columns, reset=True, skip_check_array=True)
        state |= vars(feature_record)
        context = self._init_callback_context(max_subtasks=self._n_epochs())
        task = FitTask(context, self, given, row_items)
        task.begin()
        # Attributes are set at the end, all at once, so that an error leaves an earlier
        # fit unchanged.
        interruption = None
        try:
            state |= self._learn(sequences, state, task, strict)
        except InterruptedFit as interrupted:
            state |= interrupted.attributes
            interruption = interrupted.__cause__
        self.__dict__.update(state, _cache={})
        if "feature_names_in_" not in state:
            self.__dict__.pop("feature_names_in_", None)  # of an earlier fit
        if interruption is not None:
            raise interruption
        self._after_fit()
        task.end({})
        return self

    def predict(
        self,
        user: Users,
        history: History | None = None,
        *,
        k: int | None = None,
        exclude: ItemRule | None = None,
        candidates: ItemRule | None = None,
    ) -> np.ndarray:
        """Recommend item ids, best first.

        Parameters
        ----------
        user : id, list of ids, or DataFrame or 2-D array of shape (n, ...)
            Users to recommend to. Each row of a DataFrame or 2-D array is one query:
            `user_id` is read, and if there is a `timestamp`, the history consists of
            the user's training interactions up to and including that time; models with
            time_bias='request' answer for this time. A `timestamp` is ignored if the
            histories have none. `item_id` is never read. If the estimator was fitted on
            an array, pass ids as a list, not as an array.
        history : list, list of lists, dict, Series or DataFrame, default=None
            Histories to use instead of those seen in fit, oldest item first. The users
            may be unseen.

            - A list of item ids for a single user, or one such list per user.
            - A dict {user: list}, or a Series of lists whose index holds the users,
              with an entry for each user. A Series with the index of `user`, or with
              an unnamed index 0, 1, 2, ..., is read in the order of the users instead.
              If this index could as well hold the users, name it `user_id`.
            - A DataFrame with the columns `user_id`, `item_id` and `timestamp`. Without
              `timestamp` the rows must be sorted by time. If `user` has timestamps too,
              later rows are not read. For a single user, `user_id` can be omitted.
        k : int, default=None
            Number of items; None means the parameter `k`.
        exclude : list, set, dict, Series or DataFrame, default=None
            Items that are not recommended: a list of item ids for all users; or lists
            by user, as a dict, a Series of lists whose index holds the users, or a
            DataFrame with the columns `user_id` and `item_id`. Nothing is excluded for
            users without an entry; items not seen in fit are never recommended.
        candidates : list, set, dict, Series or DataFrame, default=None
            The only items that may be recommended, in the forms of `exclude`. Lists by
            user must contain each user. None means all items.

        Returns
        -------
        ndarray of shape (k,) or (n, k)
            Item ids, with the dtype of the item ids passed to fit. Shape (k,) for a
            single user. If fewer than k items can be recommended, the rest of the row
            is filled with `missing_item_`: None for strings, NaN for floats and −1 for
            integers. If −1 is the id of an item or the dtype is unsigned, the largest
            integer that is not an item id is used, or None if there is no such integer.

        Raises
        ------
        InteractionsError
            If ids, histories or timestamps cannot be used, for example if the number of
            histories is wrong or timestamps cannot be compared with those seen in fit.
            Also if a history contains an item not seen in fit and `handle_unknown` is
            'error', if `candidates` contains an item not seen in fit, or if there is no
            candidate for a user.
        UnknownUserError
            If a user without a history was not seen in fit and `handle_unknown` is
            'error', or the type of its id differs from the ids seen in fit.
        InvalidParameterError
            If k is not an integer of at least 1.

        Warns
        -----
        TimeUnitWarning
            If the timestamps of all queries seem to be in another unit than those of
            the histories, or for models with `time_bias` those of `history` in another
            unit than those seen in fit.
        UserWarning
            If the timestamps of all queries are earlier than all histories, if a
            history contains items not seen in fit, which are ignored, or if no item is
            left to recommend to a user.
        """
        if not hasattr(self, "users_"):  # the check alone would be slow: it makes tags
            check_is_fitted(self)
        caller = self._caller("predict")
        k = self._check_k(k, "predict")
        queries, single = read_queries(self, user, history, caller)
        rules = read_rules(self, candidates, exclude, queries.ids, caller)
        codes, _ = best_items(self, queries, k, self.exclude_seen, rules)
        if k > codes.shape[1]:
            padding = [(0, 0), (0, k - codes.shape[1])]
            codes = np.pad(codes, padding, constant_values=-1)
        ids = self._ids_or_missing(codes)
        return ids[0] if single else ids

    def recommend(
        self,
        users: Users | None = None,
        history: History | None = None,
        *,
        k: int | None = None,
        exclude: ItemRule | None = None,
        candidates: ItemRule | None = None,
        exclude_seen: bool | None = None,
        index: Any = None,
    ) -> ResultFrame:
        """Recommend items as a table.

        Parameters
        ----------
        users : id, list of ids, DataFrame or 2-D array, default=None
            As in `predict`; None means all users seen in fit.
        history : list, list of lists, dict, Series or DataFrame, default=None
            As in `predict`.
        k : int, default=None
            Number of items per user; None means the parameter `k`.
        exclude : list, set, dict, Series or DataFrame, default=None
            As in `predict`.
        candidates : list, set, dict, Series or DataFrame, default=None
            As in `predict`.
        exclude_seen : bool, default=None
            Whether to leave out the items of the history; None means the parameter
            `exclude_seen`.
        index : faiss.Index, default=None
            The result of `to_index` after the last fit: faster for large catalogues,
            but some of the best items may be missed. Queries with `candidates` by user,
            or with less than half of the items, are answered exactly. None means exact
            search.

        Returns
        -------
        DataFrame
            Columns `user_id`, `item_id`, `score` (larger is better) and `rank` (from
            1). A user with fewer than k remaining items has fewer rows. The rows are in
            the order of `users`. If `users` is a DataFrame of pandas, the index of the
            result holds the label of the row of `users` that a row answers; otherwise
            it is 0, 1, 2, ...
            The DataFrame belongs to the library of `users`, to pandas if it has none.
            Titles are joined as any column: ``recommended.merge(titles, on="item_id")``
            for a table of titles, ``recommended["item_id"].map(titles)`` for a Series.

        Raises
        ------
        InteractionsError
            As in `predict`.
        UnknownUserError
            As in `predict`.
        InvalidParameterError
            If k or `exclude_seen` has an invalid value, or `index` contains other
            vectors than those of the items.

        Warns
        -----
        TimeUnitWarning, UserWarning
            As in `predict`.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn_attrec import MarkovRecommender
        >>> interactions = pd.DataFrame(
        ...     {"user_id": [1, 1, 2, 2, 2], "item_id": [5, 6, 5, 6, 7]}
        ... )
        >>> model = MarkovRecommender().fit(interactions)
        >>> queries = pd.DataFrame({"user_id": [1, 1]}, index=["monday", "friday"])
        >>> table = model.recommend(queries, exclude_seen=False, k=1)
        >>> table[["user_id", "item_id", "rank"]]
                user_id  item_id  rank
        monday        1        7     1
        friday        1        7     1
        >>> bought = pd.DataFrame({"user_id": [1, 1], "item_id": [6, 7]})
        >>> model.recommend([1, 2], exclude=bought, exclude_seen=False, k=2)[
        ...     ["user_id", "item_id", "rank"]
        ... ]
           user_id  item_id  rank
        0        1        5     1
        1        2        5     1
        2        2        6     2
        """
        check_is_fitted(self)
        caller = self._caller("recommend")
        k = self._check_k(k, "recommend")
        exclude_seen = self.exclude_seen if exclude_seen is None else exclude_seen
        check_arguments(caller, exclude_seen=(exclude_seen, Boolean()))
        queries, _ = read_queries(
            self, ALL_USERS if users is None else users, history, caller
        )
        rules = read_rules(self, candidates, exclude, queries.ids, caller)
        if index is not None:
            check_index(self, index, caller)
        codes, scores = best_items(self, queries, k, exclude_seen, rules, index)
        row, column = np.nonzero(codes >= 0)
        table = {
            USER: queries.ids[row],
            ITEM: self.items_[codes[row, column]],
            "score": scores[row, column],
            "rank": column + 1,
        }
        index = users.index[row] if isinstance(users, pd.DataFrame) else None
        return make_frame(table, library_of(users), index)

    # Helpers --------------------------------------------------------------------

    def _ids_or_missing(self, codes):
        """Return the ids of items, and `missing_item_` for the code −1."""
        ids, missing = self.items_[codes], codes < 0
        if missing.any():
            # None for integers: every integer of the dtype is an item.
            ids = ids.astype(object) if self.missing_item_ is None else ids
            ids[missing] = self.missing_item_
        return ids

    def _caller(self, method):
        return f"{type(self).__name__}.{method}"

    def _sequences(self):
        return Sequences(
            self.history_indptr_,
            self.history_items_,
            self.history_times_,
            self.history_weights_,
        )

    def _cached(self, name, build):
        """Return a cached value; compute it on first use. The cache is not pickled."""
        cache = self.__dict__.setdefault("_cache", {})
        if name not in cache:
            cache[name] = build()
        return cache[name]

    def _check_k(self, k, method):
        """Return the argument `k` of a method, or the parameter `k` if it is None."""
        k = self.k if k is None else k
        check_arguments(self._caller(method), k=(k, Integer(1)))
        return int(k)
