"""BaseRecommender: everything that is the same for every model."""

import warnings
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_attrec._queries import Queries, missing_id
from sklearn_attrec._ranking import block_size, mask_items, ranks_of, top_k
from sklearn_attrec._sequences import Sequences, count_until, encode
from sklearn_attrec.exceptions import (
    InteractionsError,
    InvalidParameterError,
    LeakageWarning,
    UnknownUserError,
)
from sklearn_attrec.utils._callbacks import CallbackSupportMixin, with_callbacks
from sklearn_attrec.utils._param_validation import (
    Boolean,
    Integer,
    OneOf,
    validate_parameters,
)
from sklearn_attrec.utils._validation import (
    ITEM,
    TIME,
    USER,
    check_history,
    check_ids,
    check_interactions,
)

__all__ = ["BaseRecommender"]


class BaseRecommender(CallbackSupportMixin, BaseEstimator):
    """Base class of every recommender.

    A subclass fills three blanks: `_fit` learns from encoded sequences,
    `_item_matrix` and `_query_matrix` give the two sides of an inner product that is
    larger the better an item suits. Ids, histories, ranking, seen items, fallback and
    scoring are written here, once.

    A user without history cannot be answered personally. One more column of the
    inner product serves them: an item's popularity, which only their queries read.
    """

    _parameter_constraints = {
        "k": Integer(1),
        "exclude_seen": Boolean(),
        "handle_unknown": OneOf("popular", "error"),
    }

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
        return state

    # Blanks for subclasses ------------------------------------------------------

    def _fit(self, sequences, state, task):
        """Learn; return a dict of fitted attributes and change nothing else."""
        raise NotImplementedError

    def _n_epochs(self):
        """How many epochs `_fit` will run at most."""
        return 0

    def _item_matrix(self):
        """Item side of the inner product, (n_items, D) float32."""
        raise NotImplementedError

    def _query_matrix(self, users, histories):
        """Query side, (n, D) float32; rows without history may hold anything."""
        raise NotImplementedError

    def _likeness_matrix(self):
        """Points whose angle tells how alike two items are, (n_items, D)."""
        return self._item_matrix()

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
        """
        validate_parameters(self)
        caller = self._caller("fit")
        interactions = check_interactions(X, caller=caller)
        sequences, users, items = encode(interactions)
        if len(items) < 2:
            raise InteractionsError(
                f"{caller}: the rows (n_samples = {len(sequences.items)}) hold 1 item, "
                f"{items[0]!r}; at least 2 are needed to rank one before another."
            )
        state = _encoded_state(sequences, users, items)
        task = self._init_callback_context(max_subtasks=self._n_epochs())
        task.call_on_fit_task_begin(estimator=self, X=X, y=interactions.items)
        # All that can fail comes before the first attribute is set, so that an error
        # leaves an earlier fit as it was.
        state |= self._fit(sequences, state, task)
        names = [USER, ITEM] if sequences.times is None else [USER, ITEM, TIME]
        features = X[names] if isinstance(X, pd.DataFrame) else X
        validate_data(self, features, reset=True, skip_check_array=True)
        vars(self).update(state, _cache={})
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
        queries, single = self._read_queries(user, history, caller)
        codes, _ = self._top_k(queries, k, self.exclude_seen)
        ids = self.items_[codes]
        ids[codes < 0] = self.missing_item_
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
        users = self.users_.tolist() if users is None else users
        caller = self._caller("recommend")
        k = self._check_k(k, caller)
        if candidates is not None:
            candidates = self._check_candidates(candidates, caller)
        if exclude_seen is None:
            exclude_seen = self.exclude_seen
        users = self.users_ if users is None else users
        queries, _ = self._read_queries(users, history, caller)
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
        return float(np.mean(self.target_ranks(X) <= self.k))

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
        check_is_fitted(self)
        caller = self._caller("score")
        self._check_features(X, reset=False)
        interactions = check_interactions(X, caller=caller)
        targets = self._lookup("items_", interactions.items)
        if not (targets >= 0).any():
            raise InteractionsError(
                f"{caller}: 0 of {len(targets)} rows can be scored, because fit saw "
                f"none of their items, of which {interactions.items[0]!r} is the first. "
                f"Fit saw {_kind(self.items_)} such as {self.items_[0]!r}."
            )
        queries, _ = self._read_queries(X, None, caller)
        self._warn_of_leaks(queries, targets, interactions.times)
        ranks = [
            ranks_of(scores, targets[rows])
            for rows, scores in self._score_blocks(queries, self.exclude_seen)
        ]
        return np.concatenate(ranks)

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
            the embeddings, −1 … 1) and `rank`. An item is not similar to itself.

        Raises
        ------
        InteractionsError
            If an item was not seen in fit.
        """
        check_is_fitted(self)
        caller = self._caller("similar_items")
        k = self._check_k(k, caller)
        items = [items] if pd.api.types.is_scalar(items) else items
        ids = check_ids(items, name="items", caller=caller)
        codes = self._known_items(ids, "items", caller)
        points = self._likeness_matrix()
        norms = np.linalg.norm(points, axis=1, keepdims=True)
        points = points / np.where(norms > 0, norms, 1)
        found, scores = [], []
        size = block_size(len(self.items_))
        for start in range(0, len(codes), size):
            block = codes[start : start + size]
            likeness = points[block] @ points.T
            likeness[np.arange(len(block)), block] = -np.inf
            best, score = top_k(likeness, k)
            found.append(best)
            scores.append(score)
        found, scores = np.concatenate(found), np.concatenate(scores)
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
        """Vectors that ask for items; see `item_vectors`.

        Parameters
        ----------
        users : id, list of ids, DataFrame or 2-D array, default=None
            As in `recommend`.
        history : list of item ids, or list of such lists, default=None
            As in `predict`.

        Returns
        -------
        ndarray of shape (D,) or (n, D), float32
            One row for a single user.
        """
        check_is_fitted(self)
        caller = self._caller("query_vectors")
        users = self.users_ if users is None else users
        queries, single = self._read_queries(users, history, caller)
        blocks = [vectors for _, _, vectors in self._vector_blocks(queries)]
        vectors = np.concatenate(blocks)[: len(queries.users)]
        return vectors[0] if single else vectors

    def item_vectors(self):
        """Vectors of the catalogue, ready for any inner-product index.

        An item's score for a query is the inner product of their vectors, larger is
        better. The last column is the item's popularity (its share of the fitted
        rows), which only queries without history read.

        Returns
        -------
        ndarray of shape (n_items, D), float32
            In the order of `items_`.
        """
        check_is_fitted(self)
        return self._cached("items", self._build_item_vectors)

    # One query from the arguments to its scores ---------------------------------

    def _read_queries(self, users, history, caller):
        """Make queries of `users` and `history`; tell whether one user was given."""
        times, single = None, False
        if self._is_table(users):
            self._check_features(users, reset=False)
            ids, _, times = check_interactions(users, caller=caller, need_items=False)
        else:
            single = pd.api.types.is_scalar(users)
            ids = check_ids([users] if single else users, name="user", caller=caller)
        codes = self._lookup("users_", ids)
        if history is not None:
            source = self._encode_histories(history, ids, single, caller)
            return Queries(ids, codes, source, np.arange(len(ids)), None), single
        self._check_unknown_users(ids, codes, caller)
        fitted = self._sequences()
        ends = None
        if times is not None:
            ends = count_until(fitted, codes, self._comparable(times, caller))
        return Queries(ids, codes, fitted, codes, ends), single

    def _vector_blocks(self, queries):
        """Yield (rows, histories, query vectors) for one block after the other."""
        size = block_size(len(self.items_))
        for start in range(0, len(queries.users), size):
            users, histories = queries.block(start, size)
            personal = np.diff(histories.indptr)[:, None] > 0
            vectors = np.where(personal, self._query_matrix(users, histories), 0)
            vectors = np.hstack([vectors, ~personal]).astype(np.float32)
            if not np.isfinite(vectors).all():
                raise ValueError(
                    f"{type(self).__name__} holds weights that are not finite numbers, "
                    "so nothing can be ranked. Fit it again."
                )
            yield slice(start, start + size), histories, vectors

    def _score_blocks(self, queries, exclude_seen):
        """Yield (rows, scores) for one block after the other; −inf is left out."""
        items = self.item_vectors()
        for rows, histories, vectors in self._vector_blocks(queries):
            scores = vectors @ items.T  # (block, n_items)
            if exclude_seen:
                mask_items(scores, histories)
            yield rows, scores[: len(queries.users[rows])]

    def _top_k(self, queries, k, exclude_seen, candidates=None):
        """Item codes and scores of the k best, (n, k) each; −1 fills short rows."""
        left_out = np.zeros(len(self.items_), dtype=bool)
        if candidates is not None:
            left_out[:] = True
            left_out[candidates] = False
        found = []
        for _, scores in self._score_blocks(queries, exclude_seen):
            scores[:, left_out] = -np.inf
            found.append(top_k(scores, k))
        codes, scores = map(np.concatenate, zip(*found, strict=True))
        empty = np.flatnonzero(codes[:, 0] < 0)
        if len(empty):
            warnings.warn(
                f"{type(self).__name__}: nothing is left to recommend to "
                f"{len(empty)} user(s), the first {queries.ids[empty[0]]!r}, who had "
                "every item before. Pass exclude_seen=False to recommend items again.",
                stacklevel=3,
            )
        return codes, scores

    # Small readers of arguments and state ---------------------------------------

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

    def _build_item_vectors(self):
        popularity = self.item_counts_ / self.item_counts_.sum()
        vectors = np.hstack([self._item_matrix(), popularity[:, None]])
        if not np.isfinite(vectors).all():
            raise ValueError(
                f"{type(self).__name__} holds weights that are not finite numbers, so "
                "nothing can be ranked. Fit it again."
            )
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def _lookup(self, attribute, ids):
        """Codes of ids, −1 where fit did not see one."""
        known = getattr(self, attribute)
        if (ids.dtype.kind == "O") != (known.dtype.kind == "O"):
            return np.full(len(ids), -1)
        index = self._cached(attribute, lambda: pd.Index(known))
        return index.get_indexer(ids)

    def _is_table(self, users):
        """Tell a table of queries from a list of users."""
        if isinstance(users, pd.DataFrame):
            return True
        if not hasattr(self, "feature_names_in_") and isinstance(users, np.ndarray):
            # Fitted on a plain array: a 1-D array is more likely a row of one than
            # users, and gets scikit-learn's advice to reshape it.
            return True
        return np.ndim(users) == 2 if isinstance(users, (np.ndarray, list)) else False

    def _check_features(self, X, reset):
        if isinstance(X, pd.DataFrame) or np.ndim(X) != 2:
            return
        validate_data(self, X, reset=reset, skip_check_array=True)

    def _check_k(self, k, caller):
        k = self.k if k is None else k
        if not Integer(1).allows(k):
            raise InvalidParameterError(
                f"{caller}: 'k' must be {Integer(1)}. Got {k!r} instead."
            )
        return int(k)

    def _comparable(self, times, caller):
        fitted = self.history_times_
        if fitted is None:
            raise InteractionsError(
                f"{caller}: the rows have a {TIME!r}, but fit saw none and cannot tell "
                f"what came before it. Fit with a {TIME!r} too, or drop the column."
            )
        if (times.dtype.kind == "M") != (fitted.dtype.kind == "M"):
            raise InteractionsError(
                f"{caller}: {TIME!r} is {times.dtype}, but was {fitted.dtype} in fit. "
                "Convert one to the other."
            )
        return times

    def _check_unknown_users(self, ids, codes, caller):
        unknown = np.flatnonzero(codes < 0)
        if not len(unknown):
            return
        first = ids[unknown[0]]
        other_type = (ids.dtype.kind == "O") != (self.users_.dtype.kind == "O")
        if self.handle_unknown == "error" or other_type:
            raise UnknownUserError(
                f"{caller}: {len(unknown)} user(s) were not seen in fit, the first is "
                f"{first!r} at row {unknown[0]}. Fit saw {_kind(self.users_)} such as "
                f"{self.users_[0]!r}. Pass a history, ids of that type, or "
                "handle_unknown='popular'."
            )

    def _encode_histories(self, history, ids, single, caller):
        histories = [history] if single else history
        if not single and (
            pd.api.types.is_scalar(histories) or len(histories) != len(ids)
        ):
            raise InteractionsError(
                f"{caller}: 'history' must hold one list of item ids for each of the "
                f"{len(ids)} users. Got {_describe(histories)} instead."
            )
        histories = [
            check_history(items, caller=caller, user=user)
            for items, user in zip(histories, ids, strict=True)
        ]
        codes = [self._lookup("items_", items) for items in histories]
        self._report_unknown_items(histories, codes, ids, caller)
        codes = [found[found >= 0] for found in codes]
        indptr = np.concatenate([[0], np.cumsum([len(found) for found in codes])])
        return Sequences(indptr, np.concatenate(codes), None)

    def _report_unknown_items(self, histories, codes, ids, caller):
        unknown = [items[found < 0] for items, found in zip(histories, codes, strict=True)]
        total = sum(map(len, unknown))
        if not total:
            return
        row = next(row for row, items in enumerate(unknown) if len(items))
        message = (
            f"{caller}: {total} item(s) of 'history' were not seen in fit, the first "
            f"{list(unknown[row][:3])} of user {ids[row]!r}. Fit saw "
            f"{_kind(self.items_)} such as {self.items_[0]!r}."
        )
        if self.handle_unknown == "error":
            raise InteractionsError(
                f"{message} Remove them, or pass handle_unknown='popular' to ignore them."
            )
        warnings.warn(f"{message} They are ignored.", stacklevel=5)

    def _check_candidates(self, candidates, caller):
        ids = check_ids(candidates, name="candidates", caller=caller)
        return np.unique(self._known_items(ids, "candidates", caller))

    def _known_items(self, ids, name, caller):
        codes = self._lookup("items_", ids)
        unknown = np.flatnonzero(codes < 0)
        if len(ids) == 0 or len(unknown):
            what = f"{ids[unknown[0]]!r} at position {unknown[0]}" if len(ids) else "none"
            raise InteractionsError(
                f"{caller}: {name!r} must hold item ids seen in fit. Got {what} "
                f"({len(unknown)} of {len(ids)} unknown). Fit saw {_kind(self.items_)} "
                f"such as {self.items_[0]!r}."
            )
        return codes

    def _warn_of_leaks(self, queries, targets, times):
        """Warn when the fitted rows reach past the rows to be scored."""
        if times is None:
            return
        known = np.flatnonzero((queries.users >= 0) & (queries.ends > 0))
        users, ends = queries.users[known], queries.ends[known]
        later = ends < self.history_indptr_[users + 1]
        last = np.maximum(ends - 1, 0)
        itself = (self.history_items_[last] == targets[known]) & (
            self.history_times_[last] == times[known]
        )
        leaks = known[later | itself]
        if len(leaks):
            warnings.warn(
                f"{len(leaks)} of {len(targets)} rows to be scored are among the "
                f"fitted rows or older than fitted rows of their user, the first is row "
                f"{leaks[0]} (user {queries.ids[leaks[0]]!r}). The model has seen their "
                "future, so the score is too good. Split with LeaveLastOut or "
                "TimeCutoffSplit of sklearn_attrec.model_selection.",
                LeakageWarning,
                stacklevel=4,
            )


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


def _kind(ids):
    return {"O": "strings", "f": "floats"}.get(ids.dtype.kind, "integers")


def _describe(value):
    if hasattr(value, "__len__") and not isinstance(value, str):
        return f"{len(value)} entries"
    return repr(value)[:80]
