"""BaseRecommender: everything that is the same for every model."""

import warnings

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, hstack, issparse, vstack
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_attrec._queries import (
    EVERYONE,
    check_features,
    known_items,
    lookup,
    missing_id,
    read_queries,
)
from sklearn_attrec._ranking import (
    BLOCK_SIZE,
    inner_products,
    mask_items,
    ranks_of,
    top_k,
    unit_rows,
)
from sklearn_attrec._sequences import Sequences, encode
from sklearn_attrec.exceptions import (
    InteractionsError,
    InvalidParameterError,
    LeakageWarning,
)
from sklearn_attrec.utils._callbacks import CallbackSupportMixin, with_callbacks
from sklearn_attrec.utils._ids import show
from sklearn_attrec.utils._param_validation import (
    Boolean,
    Integer,
    OneOf,
    validate_parameters,
)
from sklearn_attrec.utils._validation import ITEM, TIME, USER, check_interactions
from sklearn_attrec.utils._version import package_version

__all__ = ["BaseRecommender", "UnfinishedFitError"]


class UnfinishedFitError(Exception):
    """A fit was stopped and leaves a model; why is the cause."""

    def __init__(self, state):
        super().__init__()
        self.state = state


class BaseRecommender(CallbackSupportMixin, BaseEstimator):
    """Base class of every recommender.

    A subclass fills three blanks: `_fit` learns from encoded sequences,
    `_item_parts` and `_query_parts` give the two sides of a sum of inner products that
    is larger the better an item suits. Ids, histories, ranking, seen items, fallback
    and scoring are written here, once.

    A user without history cannot be answered personally. One more part, a single
    column, serves them: an item's popularity. Other queries read it with the weight
    `_popularity_weight`, which is 0 unless a subclass backs off to it.

    Vectors come in parts so that the tables of a trained model are ranked where they
    lie, be it in a mapped file. The first part may be a sparse array of SciPy on both
    sides: a baseline that counts has vectors as long as the catalogue, nearly all of
    them zeros.
    """

    _parameter_constraints = {
        "k": Integer(1),
        "exclude_seen": Boolean(),
        "handle_unknown": OneOf("popular", "error"),
    }

    # What a model file holds besides ids and histories: fitted attributes that are
    # single values, with a constraint each, and the settings of a network.
    _fitted_scalars = {}
    _network = None

    # `history` belongs to a call by hand; no meta-estimator can split it row by row.
    __metadata_request__predict = {"history": UNUSED, "k": None}

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
                f"a pickled {type(self).__name__} of sklearn_attrec {version} is used "
                f"with {package_version()}, which may not understand it. Only files of "
                "save_model are meant to outlast a version.",
                stacklevel=2,
            )
        super().__setstate__(state)

    # Blanks for subclasses ------------------------------------------------------

    def _fit(self, sequences, state, task, strict):
        """Learn; return a dict of fitted attributes and change nothing else.

        Not strict means that data from which nothing can be learned gets a warning
        instead of an error: a plain array may hold anything, as those of
        scikit-learn's own checks do.
        """
        raise NotImplementedError

    def _end_fit(self):
        """Clean up after a complete fit, when its attributes are set."""

    def _n_epochs(self):
        """How many epochs `_fit` will run at most."""
        return 0

    def _item_parts(self):
        """Item side of the score: matrices of shape (n_items, D_i)."""
        raise NotImplementedError

    def _query_parts(self, users, histories):
        """Query side, matrices of shape (n, D_i), sparse where the item side is.

        Rows without history may hold anything, sparse ones nothing.
        """
        raise NotImplementedError

    def _popularity_weight(self):
        """How much an item's popularity adds to its score for a known history."""
        return 0

    def _weight_layout(self, settings, names):
        """Dtype and names of the sizes of each of `weights_`, for model files.

        `names` are those of a file, for weights of which there may be more or fewer.
        """
        return {}

    def _check_fitted(self):
        """Raise a ValueError if loaded weights contradict each other."""

    def _likeness_matrix(self):
        """Points whose angle tells how alike two items are, (n_items, D).

        A subclass whose item side has not just one part says which they are.
        """
        (points,) = self._item_parts()
        return points

    # Public methods -------------------------------------------------------------

    @with_callbacks
    def fit(self, X, y=None):
        """Learn from interactions.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, 2 or more)
            Interactions: columns `user_id`, `item_id` and, unless the rows are already
            in the order of time, `timestamp`. Rows of equal time keep their order. Of
            a plain array the first three columns are user, item and time.
        y : None
            Ignored.

        Returns
        -------
        self : estimator
            The fitted recommender.

        Raises
        ------
        InteractionsError
            If X cannot be used; the message says which rows and what to do.
        InvalidParameterError
            If a parameter has a value that is not allowed.
        TrainingDivergedError
            If the loss of a network or one of its weights stops being a finite number.
        CheckpointMismatchError, ModelFileError, OSError
            If the file that 'checkpoint' names belongs to another fit, is damaged, or
            cannot be written.
        ForkedTensorFlowError
            If a network shall be trained in a process forked after another training.
        """
        validate_parameters(self)
        caller = self._caller("fit")
        interactions = check_interactions(X, caller=caller)
        sequences, users, items = encode(interactions)
        if len(items) < 2:
            raise InteractionsError(
                f"{caller}: the rows (n_samples = {len(sequences.items)}) hold 1 item, "
                f"{show(items[0])}; at least 2 are needed to rank one before another."
            )
        state = _encoded_state(sequences, users, items)
        names = [USER, ITEM] if sequences.times is None else [USER, ITEM, TIME]
        features = X[names] if isinstance(X, pd.DataFrame) else X
        task = self._init_callback_context(max_subtasks=self._n_epochs())
        task.call_on_fit_task_begin(estimator=self, X=X, y=interactions.items)
        # All that can fail comes before the attributes are set, at one go, so that an
        # error or Ctrl-C leaves an earlier fit as it was.
        strict = isinstance(X, pd.DataFrame)
        stopped = None
        try:
            state |= self._fit(sequences, state, task, strict)
        except UnfinishedFitError as unfinished:
            state |= unfinished.state
            stopped = unfinished.__cause__
        seen = BaseEstimator()
        validate_data(seen, features, reset=True, skip_check_array=True)
        vars(self).update(state, **vars(seen), _cache={})
        if not hasattr(seen, "feature_names_in_"):  # those of an earlier fit
            vars(self).pop("feature_names_in_", None)
        if stopped is not None:
            raise stopped
        self._end_fit()
        task.call_on_fit_task_end(
            estimator=self, X=X, y=interactions.items, reconstruction_attributes={}
        )
        return self

    def predict(self, user, history=None, *, k=None):
        """Recommend item ids, the best first.

        Parameters
        ----------
        user : id, list of ids, or DataFrame or 2-D array of shape (n, ...)
            Whom to recommend to. Of a frame, each row is one query: `user_id` is read
            and, where present, `timestamp`: the user's fitted interactions up to and
            including that time are the history. `item_id` is never read. An estimator
            that was fitted on a plain array reads a 1-D array as neither: pass a list.
        history : list of item ids, or list of such lists, default=None
            What the user did last, the latest at the end, instead of what fit saw. One
            list for one user, else one for each. A user not seen in fit is welcome.
        k : int, default=None
            How many items; None means the parameter `k`.

        Returns
        -------
        ndarray of shape (k,) or (n, k)
            Ids in the dtype that fit saw, one row for a single user. Where fewer than
            k items remain, `missing_item_` fills the row: None among strings, −1 among
            integers (or, where −1 is an item, the largest integer that is none).

        Raises
        ------
        UnknownUserError
            If a user without history was not seen in fit and `handle_unknown` is
            'error', or has an id of another type than the fitted ones.
        """
        check_is_fitted(self)
        caller = self._caller("predict")
        k = self._check_k(k, caller)
        queries, single = read_queries(self, user, history, caller)
        codes, _ = self._top_k(queries, k, self.exclude_seen)
        left = [(0, 0), (0, k - codes.shape[1])]
        codes = np.pad(codes, left, constant_values=-1)
        ids, missing = self.items_[codes], codes < 0
        if missing.any():
            # Only a catalogue of every integer of its dtype has nothing to fill with.
            ids = ids.astype(object) if self.missing_item_ is None else ids
            ids[missing] = self.missing_item_
        return ids[0] if single else ids

    def recommend(
        self, users=None, history=None, *, k=None, candidates=None, exclude_seen=None
    ):
        """Recommend items as a table.

        Parameters
        ----------
        users : id, list of ids, DataFrame or 2-D array, default=None
            As in `predict`; None means every user seen in fit.
        history : list of item ids, or list of such lists, default=None
            As in `predict`.
        k : int, default=None
            How many items for each; None means the parameter `k`.
        candidates : list of item ids, default=None
            Only these may be recommended; None means all. Repeats count once.
        exclude_seen : bool, default=None
            Whether to leave out the items of the history; None means the parameter.

        Returns
        -------
        DataFrame
            Columns `user_id`, `item_id`, `score` (larger is better) and `rank` (from
            1). A user for whom fewer than k items remain has fewer rows.

        Raises
        ------
        InteractionsError
            If a candidate was not seen in fit, or there is none.
        UnknownUserError
            As in `predict`.
        """
        check_is_fitted(self)
        caller = self._caller("recommend")
        k = self._check_k(k, caller)
        exclude_seen = self._check_exclude_seen(exclude_seen, caller)
        if candidates is not None:
            _, candidates = known_items(self, candidates, "candidates", caller)
        users = EVERYONE if users is None else users
        queries, _ = read_queries(self, users, history, caller)
        codes, scores = self._top_k(queries, k, exclude_seen, candidates)
        row, column = np.nonzero(codes >= 0)
        return pd.DataFrame(
            {
                USER: queries.ids[row],
                ITEM: self.items_[codes[row, column]],
                "score": scores[row, column],
                "rank": column + 1,
            }
        )

    def score(self, X, y=None):
        """Hit rate at k: the share of rows whose item is among the k best.

        Each row is answered from what was known of its user at fit, up to the row's
        time, and never from other rows of X. Every row counts: an item that fit never
        saw is a miss, a user that fit never saw is answered with popular items. Ties
        count against the item.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, 2 or more)
            Interactions, as for `fit`.
        y : None
            Ignored.

        Returns
        -------
        float
            HR@k in [0, 1], with k the parameter.

        Raises
        ------
        InteractionsError
            If fit saw none of the items.
        """
        return float(np.mean(self._target_ranks(X, "score") <= self.k))

    def target_ranks(self, X):
        """Rank the item of each row among all items, for metrics of every kind.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, 2 or more)
            Interactions; each row is one query, as in `score`.

        Returns
        -------
        ndarray of shape (n_rows,), float64
            1 is the best. `inf` for an item that fit never saw, or that is left out
            because the user had it before.

        Raises
        ------
        InteractionsError
            If fit saw none of the items.
        """
        return self._target_ranks(X, "target_ranks")

    def similar_items(self, items, k=None):
        """Find the items most alike to some items.

        Parameters
        ----------
        items : id or list of ids
            Items seen in fit.
        k : int, default=None
            How many for each; None means the parameter `k`.

        Returns
        -------
        DataFrame
            Columns `item_id`, `similar_item_id`, `score` (cosine of the angle between
            what the model knows of them, −1 … 1) and `rank`. An item is not similar to
            itself.

        Raises
        ------
        InteractionsError
            If an item was not seen in fit.
        """
        check_is_fitted(self)
        caller = self._caller("similar_items")
        k = min(self._check_k(k, caller), len(self.items_))
        items = [items] if pd.api.types.is_scalar(items) else items
        ids, codes = known_items(self, items, "items", caller)
        (points,) = self._checked([self._likeness_matrix()])
        points = unit_rows(points)
        everything = points.tocsc() if issparse(points) else points
        found = np.empty((len(codes), k), dtype=np.int64)
        scores = np.empty((len(codes), k), dtype=np.float32)
        for start in range(0, len(codes), BLOCK_SIZE):
            rows = slice(start, min(start + BLOCK_SIZE, len(codes)))
            block = codes[rows]
            likeness = inner_products([points[block]], [everything])  # (block, n_items)
            likeness[np.arange(len(block)), block] = -np.inf
            found[rows], scores[rows] = top_k(likeness, k)
        row, column = np.nonzero(found >= 0)
        return pd.DataFrame(
            {
                ITEM: ids[row],
                f"similar_{ITEM}": self.items_[found[row, column]],
                "score": scores[row, column],
                "rank": column + 1,
            }
        )

    def query_vectors(self, users=None, history=None):
        """Compute the vectors that ask for items; see `item_vectors`.

        Parameters
        ----------
        users : id, list of ids, DataFrame or 2-D array, default=None
            As in `recommend`.
        history : list of item ids, or list of such lists, default=None
            As in `predict`.

        Returns
        -------
        ndarray or csr_array of shape (D,) or (n, D), float32
            One row for a single user.
        """
        check_is_fitted(self)
        caller = self._caller("query_vectors")
        users = EVERYONE if users is None else users
        queries, single = read_queries(self, users, history, caller)
        width = sum(part.shape[1] for part in self._items())
        blocks = (
            (rows, _side_by_side(parts)[: rows.stop - rows.start])
            for rows, _, parts in self._query_blocks(queries)
        )
        if any(map(issparse, self._items())):
            nobody = csr_array((0, width), dtype=np.float32)
            found = vstack([nobody, *(vectors for _, vectors in blocks)], format="csr")
            return found[0].tocsr() if single else found
        found = np.empty((len(queries.users), width), dtype=np.float32)
        for rows, vectors in blocks:
            found[rows] = vectors
        return found[0] if single else found

    def item_vectors(self):
        """Compute the vectors of the catalogue, ready for any inner-product index.

        An item's score for a query is the inner product of their vectors, larger is
        better. The last column is the item's popularity (its share of the fitted
        rows). Queries without history read nothing else; the others do not read it,
        unless the recommender backs off to popularity.

        Returns
        -------
        ndarray or csr_array of shape (n_items, D), float32
            In the order of `items_`, a new one at each call. Sparse for recommenders
            that count instead of training: `ItemKNNRecommender`,
            `MarkovRecommender`.
        """
        check_is_fitted(self)
        return _side_by_side(self._items())

    # From queries to scores -----------------------------------------------------

    def _query_blocks(self, queries):
        """Yield (rows, histories, parts of vectors) for one block after the other."""
        for start in range(0, len(queries.users), BLOCK_SIZE):
            users, histories = queries.block(start, BLOCK_SIZE)
            personal = (np.diff(histories.indptr) > 0)[:, None]
            parts = [
                part if issparse(part) else np.where(personal, part, 0)
                for part in self._query_parts(users, histories)
            ]
            parts.append(np.where(personal, self._popularity_weight(), 1))
            rows = slice(start, min(start + BLOCK_SIZE, len(queries.users)))
            yield rows, histories, self._checked(parts)

    def _score_blocks(self, queries, exclude_seen):
        """Yield (rows, scores) for one block after the other; −inf is left out."""
        items = self._items()
        for rows, histories, parts in self._query_blocks(queries):
            scores = inner_products(parts, items)  # (block, n_items)
            if exclude_seen:
                mask_items(scores, histories)
            yield rows, scores[: rows.stop - rows.start]

    def _top_k(self, queries, k, exclude_seen, candidates=None):
        """Item codes and scores of the best, at most k; −1 fills short rows."""
        k = min(k, len(self.items_))
        left_out = np.zeros(len(self.items_), dtype=bool)
        if candidates is not None:
            left_out[:] = True
            left_out[candidates] = False
        n = len(queries.users)
        codes, best = np.empty((n, k), dtype=np.int64), np.empty((n, k), np.float32)
        for rows, scores in self._score_blocks(queries, exclude_seen):
            scores[:, left_out] = -np.inf
            codes[rows], best[rows] = top_k(scores, k)
        empty = np.flatnonzero(codes[:, 0] < 0)
        if len(empty):
            warnings.warn(
                f"{type(self).__name__}: nothing is left to recommend to "
                f"{len(empty)} user(s), the first is {show(queries.ids[empty[0]])}, "
                "who had all of them before. Pass exclude_seen=False to recommend "
                "items again.",
                stacklevel=3,
            )
        return codes, best

    def _target_ranks(self, X, method):
        check_is_fitted(self)
        caller = self._caller(method)
        check_features(self, X)
        interactions = check_interactions(X, caller=caller)
        targets = lookup(self, "items_", interactions.items)
        if not (targets >= 0).any():
            raise InteractionsError(
                f"{caller}: 0 of {len(targets)} rows can be scored, because fit saw "
                f"none of their items, of which {show(interactions.items[0])} is the "
                f"first. Fit saw items such as {show(self.items_[0])}; test on those."
            )
        queries, _ = read_queries(self, X, None, caller)
        self._warn_of_leaks(queries, targets, interactions.times)
        return self._ranks(queries, targets, self.exclude_seen)

    def _ranks(self, queries, targets, exclude_seen):
        """Rank of each query's target, (n,); see `ranks_of`."""
        ranks = np.empty(len(targets))
        for rows, scores in self._score_blocks(queries, exclude_seen):
            ranks[rows] = ranks_of(scores, targets[rows])
        return ranks

    # Small helpers --------------------------------------------------------------

    def _caller(self, method):
        return f"{type(self).__name__}.{method}"

    def _sequences(self):
        return Sequences(self.history_indptr_, self.history_items_, self.history_times_)

    def _cached(self, name, build):
        """Build something once; it is not part of the state and never pickled."""
        cache = self.__dict__.setdefault("_cache", {})
        if name not in cache:
            cache[name] = build()
        return cache[name]

    def _items(self):
        """Parts of the items' vectors, as `inner_products` wants them."""
        return self._cached("items", self._build_items)

    def _build_items(self):
        popularity = self.item_counts_ / self.item_counts_.sum()
        parts = self._checked([*self._item_parts(), popularity[:, None]])
        # Tables are the model's own. Sparse parts are copied, as compiled code follows
        # their indices without looking, and a mapped file may be written to.
        return [part.tocsc(copy=True) if issparse(part) else part for part in parts]

    def _checked(self, parts):
        """Single precision, or an error if something is not finite."""
        parts = [part.astype(np.float32, copy=False) for part in parts]
        for part in parts:
            if not np.isfinite(part.data if issparse(part) else part).all():
                raise ValueError(
                    f"{type(self).__name__} holds weights that are not finite numbers, "
                    "so nothing can be ranked. Fit it again."
                )
        return parts

    def _check_k(self, k, caller):
        k = self.k if k is None else k
        if not Integer(1).allows(k):
            raise InvalidParameterError(
                f"{caller}: 'k' must be {Integer(1)}. Got {show(k)} instead."
            )
        return int(k)

    def _check_exclude_seen(self, exclude_seen, caller):
        if exclude_seen is None:
            return self.exclude_seen
        if not Boolean().allows(exclude_seen):
            raise InvalidParameterError(
                f"{caller}: 'exclude_seen' must be {Boolean()}. Got {exclude_seen!r} "
                "instead."
            )
        return exclude_seen

    def _warn_of_leaks(self, queries, targets, times):
        """Warn when the fitted rows reach past the rows to be scored."""
        if times is None:
            return
        known = np.flatnonzero(queries.users >= 0)
        users, ends = queries.users[known], queries.ends[known]
        later = ends < self.history_indptr_[users + 1]
        last = np.maximum(ends - 1, 0)
        itself = (
            (ends > self.history_indptr_[users])
            & (self.history_items_[last] == targets[known])
            & (self.history_times_[last] == times[known])
        )
        leaks = known[later | itself]
        if len(leaks):
            warnings.warn(
                f"{len(leaks)} of {len(targets)} rows to be scored are among the "
                "fitted rows, or older than fitted rows of their user; the first is "
                f"row {leaks[0]} (user {show(queries.ids[leaks[0]])}). The model has "
                "seen what came after them, so the score is too good. Split with "
                "LeaveLastOut or TimeCutoffSplit of sklearn_attrec.model_selection.",
                LeakageWarning,
                stacklevel=4,
            )


def _side_by_side(parts):
    """Join the parts of vectors, into a csr_array if one of them is sparse."""
    if any(map(issparse, parts)):
        return hstack(list(map(csr_array, parts)), format="csr", dtype=np.float32)
    return np.hstack(parts)


def _encoded_state(sequences, users, items):
    """Fitted attributes that every recommender has."""
    return {
        "users_": users,
        "items_": items,
        "missing_item_": missing_id(items),
        "item_counts_": np.bincount(sequences.items, minlength=len(items)),
        "history_indptr_": sequences.indptr,
        "history_items_": sequences.items,
        "history_times_": sequences.times,
    }
