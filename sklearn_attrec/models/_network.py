"""BaseNetworkRecommender: the common part of the neural networks."""

import copy
import warnings
from functools import partial
from types import ModuleType

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_names import TIME, WEIGHT
from sklearn_attrec._interactions.frames import is_foreign
from sklearn_attrec._interactions.item_features import ItemFeatures
from sklearn_attrec._interactions.sequences import hold_out_last
from sklearn_attrec._interactions.times import in_seconds
from sklearn_attrec._interactions.windows import training_targets
from sklearn_attrec._networks.item_features import feature_layout, initial_features
from sklearn_attrec._ranking.known_ids import lookup
from sklearn_attrec._ranking.queries import Queries
from sklearn_attrec._ranking.search import rank_targets
from sklearn_attrec._training.checkpoints import (
    Checkpoints,
    fingerprint,
    remove_checkpoints,
)
from sklearn_attrec._training.early_stopping import EarlyStopping
from sklearn_attrec._training.epoch_reports import EpochReports
from sklearn_attrec._training.loop import TrainingRun, train
from sklearn_attrec._training.progress import Progress
from sklearn_attrec._training.updates import (
    UPDATE_EPOCHS,
    UPDATE_RATE,
    start_items,
)
from sklearn_attrec.exceptions import (
    InteractionsError,
    InvalidParameterError,
    TrainingDivergedError,
)
from sklearn_attrec.metrics import ndcg
from sklearn_attrec.models._base import BaseRecommender, InterruptedFit
from sklearn_attrec.models._item_features import (
    add_features,
    feature_inputs,
    features_of_fit,
    features_of_update,
    fill_untrained,
)
from sklearn_attrec.utils._callbacks import FitTask, NoContext
from sklearn_attrec.utils._memory import physical_memory
from sklearn_attrec.utils._param_validation import (
    Boolean,
    FilePath,
    Integer,
    OneOf,
    Optional,
    Predicate,
    RandomState,
    Real,
)
from sklearn_attrec.utils._short_repr import short_repr
from sklearn_attrec.utils._tensorflow import import_tensorflow

__all__ = ["BaseNetworkRecommender"]

# Number of users held out by default. The noise of the validation score depends on it,
# not on their share: on MovieLens 1M, the difference of two epochs has a standard error
# of 0.005.
N_VALIDATION_USERS = 2_000


def _is_frame(value):
    # A LazyFrame would break the display of the estimator, which compares parameters.
    is_foreign_frame = type(value).__name__ in ("DataFrame", "Table")
    return isinstance(value, pd.DataFrame) or (is_foreign(value) and is_foreign_frame)


class BaseNetworkRecommender(BaseRecommender):
    """Base class of recommenders that are trained by gradient descent.

    Only `fit` and `partial_fit` import TensorFlow. The fitted attributes are arrays of
    NumPy. A subclass implements these hooks:

    - `_network` is the module in `_networks` that defines the network;
    - `_settings` returns the arguments of the network's `make_settings`;
    - `_training_plan` returns the inputs of the training loop;
    - `_item_parts` and `_query_parts` return the vectors of items and queries.
    """

    # Fitted attributes.
    weights_: dict[str, np.ndarray]
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    n_iter_: int
    n_users_skipped_: int
    interrupted_: bool
    item_features_: ItemFeatures | None

    _parameter_constraints = {
        **BaseRecommender._parameter_constraints,
        "learning_rate": Real(0, low_open=True),
        "batch_size": Integer(1),
        "max_iter": Integer(1),
        "early_stopping": Boolean(),
        "time_bias": Optional(OneOf("history", "request")),
        "item_features": Optional(
            Predicate("a DataFrame of pandas or polars, a Table of pyarrow", _is_frame)
        ),
        "validation_fraction": Optional(Real(0, 1, low_open=True)),
        "checkpoint": Optional(FilePath()),
        "random_state": RandomState(),
        "verbose": Integer(0),
    }

    _fitted_scalars = {"n_users_skipped_": Integer(0), "interrupted_": Boolean()}

    # Hooks ----------------------------------------------------------------------

    _network: ModuleType

    def _training_plan(self, sequences, settings, parameters, n_items, is_new=None):
        """Return the `TrainingPlan`.

        Parameters
        ----------
        sequences : Sequences
            The training rows.
        settings : NamedTuple
            Settings of the network.
        parameters : dict
            The result of `_settings`.
        n_items : int
        is_new : ndarray of shape (n_rows,), bool, default=None
            Rows that were added to a fitted model: an epoch has the windows that
            predict them, and as many others. None trains on all windows.
        """
        raise NotImplementedError

    # Fitting --------------------------------------------------------------------

    def _n_epochs(self):
        return self.max_iter

    def _learn(self, sequences, state, task, strict):
        n_items = np.count_nonzero(state["item_counts_"])
        self._check_memory(state, sequences)
        checkpoints, saved, progress = self._open_checkpoints(sequences, state)
        random = np.random.default_rng(progress.entropy)
        held_out = None
        if self.early_stopping:
            sequences, held_out = self._hold_out(sequences, random)
        self._check_histories(sequences)
        self._check_times(sequences)
        parameters = self._settings(n_items, sequences.longest)
        state = state | {"settings_": parameters}
        plan, weights = self._prepare(sequences, state, random)
        if len(plan.untrained) == len(state["users_"]):
            self._report_missing_negatives(n_items, strict)

        import_tensorflow()  # in a forked process, raises an error before it can hang
        from sklearn_attrec._training.trainer import Trainer

        run = TrainingRun(
            plan,
            Trainer(plan, weights),
            progress,
            partial(self._complete, plan, state, plan.untrained),
            early_stopping=self._make_early_stopping(state, held_out),
            checkpoints=checkpoints,
            random=random,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            max_iter=self.max_iter,
            caller=self._caller("fit"),
        )
        del weights  # so that large tables are not in memory twice
        if saved:
            run.restore(saved, self.checkpoint)
        del saved
        return state | self._train(run, EpochReports(self, task, state), state)

    def _learn_more(self, appended, state):
        caller = self._caller("partial_fit")
        self._check_unchanged(caller)
        sequences, users, items, is_new = appended
        self._check_memory(state, sequences)
        # L + 1 items are the longest history that a transformer of this L trains on.
        state["settings_"] = self._settings(len(items), self.settings_["L"] + 1)
        # Another seed for each call, and the same one after loading.
        entropy = np.random.SeedSequence([_entropy(self.random_state), len(is_new)])
        random = np.random.default_rng(entropy)
        plan, weights = self._prepare(sequences, state, random, is_new)
        self._copy_fitted_rows(weights, users, items)
        new_users = np.flatnonzero(lookup(self, "users_", users) < 0)
        new_items = lookup(self, "items_", items) < 0
        vectors = self._start_items(weights, random, state, sequences, new_items)
        plan.complete(vectors, new_users)  # in place; adds no weight to train
        untrained = np.intersect1d(plan.untrained, new_users)
        complete = partial(self._complete, plan, state, untrained)
        state["n_users_skipped_"] = len(plan.untrained)
        if not is_new[training_targets(sequences)].any():
            complete(weights)
            return state | {"weights_": weights}

        import_tensorflow()
        from sklearn_attrec._training.trainer import Trainer

        run = TrainingRun(
            plan,
            Trainer(plan, weights),
            Progress(0),
            complete,
            early_stopping=None,
            checkpoints=None,
            random=random,
            learning_rate=UPDATE_RATE * self.learning_rate,
            batch_size=self.batch_size,
            max_iter=max(1, round(UPDATE_EPOCHS * self.n_iter_)),
            caller=caller,
        )
        train(run, EpochReports(self, FitTask(NoContext(), self, None, None), state))
        return state | {"weights_": run.weights()}

    def _start_items(self, weights, random, state, sequences, is_new):
        """Set the own rows of new items from which training starts, in place.

        Returns
        -------
        dict of ndarray
            The weights; in the tables of items the sums of own and feature rows.
        """
        features, tables = state["item_features_"], self._network.ITEM_TABLES
        vectors = dict(weights)
        if features is not None:
            features = features.select(np.arange(len(is_new)))
            add_features(vectors, tables, features)
            is_new = is_new & (np.diff(features.indptr) == 0)  # others have a start
        new_items = np.flatnonzero(is_new)
        for name in tables:
            rows = start_items(random, vectors[name], sequences, new_items)
            weights[name][new_items] = vectors[name][new_items] = rows
        return vectors

    def _complete(self, plan, state, users, weights):
        """Turn trained weights into those of the fitted model, in place.

        `users` have not been trained.
        """
        features = state["item_features_"]
        if features is not None:
            tables = self._network.ITEM_TABLES
            n_items = len(weights[tables[0]])
            of_trained = features.select(np.arange(n_items))
            for name in tables:
                fill_untrained(weights[f"B_{name}"], of_trained)
            add_features(weights, tables, features)
        plan.complete(weights, users)

    def _check_unchanged(self, caller):
        """Check that no parameter that defines the model was changed after fit."""
        fitted, n_items = self.settings_, np.count_nonzero(self.item_counts_)
        given = self._settings(n_items, fitted["L"] + 1)
        changed = [name for name in fitted if given[name] != fitted[name]]
        if changed:
            # Others may be None, and follow from those that are not.
            name = min(changed, key=lambda name: getattr(self, name) is None)
            raise InvalidParameterError(
                f"{caller}: the {name!r} parameter of {type(self).__name__} must be "
                f"that of fit, {short_repr(fitted[name])}. Got "
                f"{short_repr(getattr(self, name))}. Set it back, or fit again."
            )

    def _prepare(self, sequences, state, random, is_new=None):
        """Return the plan and the initial weights.

        `is_new` are the rows that `partial_fit` adds.
        """
        n_users, n_items = len(state["users_"]), np.count_nonzero(state["item_counts_"])
        parameters, features = state["settings_"], state["item_features_"]
        try:
            settings = self._network.make_settings(**parameters)
        except InvalidParameterError as error:
            raise InvalidParameterError(f"{self._caller('fit')}: {error}") from error
        plan = self._training_plan(sequences, settings, parameters, n_items, is_new)
        weights = self._network.initial_weights(random, parameters, n_users, n_items)
        if features is not None:
            # Items without interactions, which come last, take no part in training.
            plan.data["features"] = feature_inputs(features.select(np.arange(n_items)))
            tables, d = self._network.ITEM_TABLES, parameters["d"]
            weights |= initial_features(tables, features.n_features, d)
        return plan, weights

    def _train(self, run, reports, state):
        """Train and return the fitted attributes of the network."""
        try:
            train(run, reports)
            return run.attributes()
        except (KeyboardInterrupt, TrainingDivergedError) as error:
            attributes = run.attributes_after(error)
            if attributes is None:
                raise
            raise InterruptedFit(state | attributes) from error
        except MemoryError as error:
            raise MemoryError(
                f"{self._caller('fit')}: out of memory in epoch "
                f"{run.progress.epoch + 1}. Pass a smaller batch_size, n_negatives, d "
                f"or L. {error}"
            ) from error

    def _after_fit(self):
        if self.checkpoint is not None:
            remove_checkpoints(self.checkpoint)

    def _open_checkpoints(self, sequences, state):
        """Find the checkpoint of an unfinished fit.

        Returns
        -------
        checkpoints : Checkpoints or None
            None if the parameter `checkpoint` is None.
        saved : SavedFit or None
            The saved state, if there is one.
        progress : Progress
        """
        entropy = _entropy(self.random_state)
        if self.checkpoint is None:
            return None, None, Progress(entropy)
        seed = None if self.random_state is None else entropy
        users, items = state["users_"], state["items_"]
        given = state["item_features_"]
        features = {} if given is None else given.arrays()
        identity = fingerprint(self, sequences, users, items, features, seed)
        checkpoints = Checkpoints(self.checkpoint, identity)
        checkpoints.check_path(self._caller("fit"))
        saved = checkpoints.load()
        if saved is None:
            return checkpoints, None, Progress(entropy)
        if self.verbose:
            epoch, step = saved.progress.epoch, saved.progress.step
            print(
                f"Continuing after epoch {epoch}, step {step} of the next epoch",
                flush=True,
            )
        return checkpoints, saved, saved.progress

    def _copy_fitted_rows(self, weights, users, items):
        """Copy the fitted weights of known users and items into initial weights."""
        tables = self._network.ITEM_TABLES
        layout = self._weight_layout(self.settings_) | feature_layout(tables)
        fitted = dict(self.weights_)
        codes = {
            "n_users": lookup(self, "users_", users),
            "n_items": lookup(self, "items_", items),
        }
        if self.item_features_ is not None:
            add_features(fitted, tables, self.item_features_, sign=-1)
            for name in tables:  # of new items: their features suffice
                weights[name][:] = 0
        for name in weights:
            rows = layout[name][1][0]
            if rows in codes:
                known = codes[rows] >= 0
                weights[name][known] = fitted[name][codes[rows][known]]
            else:
                weights[name] = fitted[name].copy()

    # Early stopping -------------------------------------------------------------

    def _make_early_stopping(self, state, held_out):
        if held_out is None:
            return None
        score = partial(self._validation_score, state, held_out)
        return EarlyStopping(score, self.max_iter)

    def _hold_out(self, sequences, random):
        """Hold out the last item of some users, for the validation score.

        Returns
        -------
        sequences : Sequences
            The sequences without these items.
        held_out : tuple (sequences, users, items, times)
            Arguments of `_validation_score`.
        """
        lengths = np.diff(sequences.indptr)
        # One item each for the history, the training target and the validation target.
        users = np.flatnonzero(lengths >= 3)
        if not len(users):
            raise InteractionsError(
                f"{self._caller('fit')}: early_stopping=True holds out the last item "
                "of users with 3 or more interactions, but there are none (longest "
                f"history: {lengths.max()}). Pass early_stopping=False."
            )
        count = min(N_VALIDATION_USERS, len(users))
        if self.validation_fraction is not None:
            count = max(1, round(self.validation_fraction * len(users)))
        users = np.sort(random.choice(users, count, replace=False))
        sequences, items, times = hold_out_last(sequences, users)
        return sequences, (sequences, users, items, times)

    def _validation_score(self, state, held_out, weights):
        """Return NDCG@k of the held-out items, ranked among all items."""
        sequences, users, items, times = held_out
        model = copy.copy(self)
        vars(model).update(state, weights_=weights, _cache={})
        queries = Queries(users, users, sequences, users, None, times)
        ranks = rank_targets(model, queries, items, self.exclude_seen).ranks
        return float(ndcg(ranks, self.k))

    # Fitted state ---------------------------------------------------------------

    def _times_in_seconds(self, histories, times):
        """Return the times of histories and of queries in seconds.

        Parameters
        ----------
        histories, times
            As in `_query_parts`.

        Returns
        -------
        of_items : ndarray of shape (n_rows,) or None
            None if the histories have no times.
        of_queries : ndarray of shape (n,) or None
        """
        if histories.times is None:
            return None, None
        seconds = in_seconds(histories.times)
        if times is not None:
            return seconds, in_seconds(times)
        if len(seconds) == 0:
            return seconds, np.zeros(len(histories.indptr) - 1)
        return seconds, seconds[histories.indptr[1:] - 1]

    def _network_settings(self):
        """Return the settings of the fitted network."""
        make = self._network.make_settings
        return self._cached("settings", lambda: make(**self.settings_))

    def _catalogue(self, items, caller, is_update=False):
        given, features = self.item_features, None
        if is_update and self.item_features_ is not None:
            known = self.items_, self.item_features_
            items, features = features_of_update(given, items, *known, caller)
        elif is_update and given is not None:
            raise InvalidParameterError(
                f"{caller}: the 'item_features' parameter of {type(self).__name__} "
                "must be None, as in fit. Set it back, or fit again."
            )
        elif given is not None:
            items, features = features_of_fit(given, items, caller)
        return items, {"item_features_": features}

    def _uses_times(self):
        return self.settings_["time_bias"] is not None

    def _weight_layout(self, settings):
        return self._network.weight_layout(settings)

    # Checks ---------------------------------------------------------------------

    def _check_memory(self, state, sequences):
        """Raise an error if training cannot fit in memory."""
        memory = physical_memory()
        n_users, n_items = len(state["users_"]), np.count_nonzero(state["item_counts_"])
        settings = self._settings(n_items, sequences.longest)
        sizes = {**settings, "n_users": n_users, "n_items": n_items}
        layout, n_weights = self._weight_layout(settings), 0
        if (features := state["item_features_"]) is not None:
            layout = layout | feature_layout(self._network.ITEM_TABLES)
            sizes["n_features"] = features.n_features
        for _, labels in layout.values():
            shape = [
                sum(int(sizes.get(name, name)) for name in label.split("+"))
                for label in labels
            ]
            n_weights += np.prod(shape, dtype=object)  # no overflow
        n_weights += sizes["L"] * sizes["d"]  # position vectors
        # A weight, its gradient and its two moments in Adam take 4 bytes each.
        needed = 16 * int(n_weights)
        if memory and needed > memory:
            raise InvalidParameterError(
                f"The 'd' parameter of {type(self).__name__} must be small enough for "
                f"training to fit in memory. Got {short_repr(self.d)}, which needs, "
                f"with L={short_repr(self.L)}, about {short_repr(needed >> 30)} GiB; "
                f"this machine has {memory >> 30} GiB. Pass a smaller d or L."
            )

    def _check_histories(self, sequences):
        longest = sequences.longest
        if longest < 2:
            raise InteractionsError(
                f"{self._caller('fit')}: no user has 2 or more interactions to learn "
                f"from (n_samples = {len(sequences.items)}, longest history: "
                f"{longest}). Pass interactions with longer histories."
            )
        if sequences.weights is None:
            return
        targets = training_targets(sequences)
        if not sequences.weights[targets].any():
            raise InteractionsError(
                f"{self._caller('fit')}: column {WEIGHT!r}: all {len(targets)} rows "
                "that can be a training target have weight 0. These are all rows but "
                "the first one of each user and those that early_stopping holds out. "
                "Give some of them a positive weight, or drop the column to weight "
                "all rows equally."
            )

    def _check_times(self, sequences):
        if self.time_bias and sequences.times is None:
            raise InteractionsError(
                f"{self._caller('fit')}: time_bias={self.time_bias!r} needs the time "
                f"of each interaction. Add a column {TIME!r}, or pass time_bias=None."
            )

    def _report_missing_negatives(self, n_items, strict):
        """Raise an error or warn because no user can be trained on."""
        message = (
            f"{self._caller('fit')}: no negative item exists, because every user "
            f"with a training example interacted with all {n_items} items. Pass "
            "loss='softmax', or interactions with more items."
        )
        if strict:
            raise InteractionsError(message)
        warnings.warn(f"{message} The weights stay random.", stacklevel=5)


def _entropy(random_state):
    """Return the seed for a fit, without using NumPy's global random state."""
    if random_state is None:
        return np.random.SeedSequence().entropy
    if isinstance(random_state, np.random.RandomState):
        return random_state.randint(2**31)
    return int(random_state)
