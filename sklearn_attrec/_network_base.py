"""BaseNetworkRecommender: sequences → windows → training → weights."""

import copy
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from sklearn_attrec._base import BaseRecommender, UnfinishedFitError
from sklearn_attrec._checkpoints import (
    Checkpoints,
    fingerprint,
    remove_checkpoints,
)
from sklearn_attrec._progress import Progress, Run
from sklearn_attrec._queries import Queries, lookup
from sklearn_attrec._sequences import hold_out_last
from sklearn_attrec.exceptions import (
    InteractionsError,
    InvalidParameterError,
    TrainingDivergedError,
)
from sklearn_attrec.metrics import hit_rate, ndcg
from sklearn_attrec.utils._ids import show
from sklearn_attrec.utils._param_validation import (
    Boolean,
    EpochsOrTime,
    FilePath,
    Integer,
    OneOf,
    Optional,
    RandomState,
    Real,
)
from sklearn_attrec.utils._tensorflow import import_tensorflow, physical_memory

__all__ = ["BaseNetworkRecommender", "TrainingInputs"]

# What early stopping can watch, with the names it is printed under.
SCORES = {"hit_rate": ("HR", hit_rate), "ndcg": ("NDCG", ndcg)}

# Share of the steps over which the cosine schedule rises first.
WARM_UP = 0.05

# Steps that TensorFlow does at one go: Ctrl-C waits for no more than these.
STEPS_A_CALL = 50

# Beyond this size a weight has lost its meaning in float32, finite or not.
LARGEST_WEIGHT = 1e6


class TrainingInputs(NamedTuple):
    """What a network is trained on."""

    batch_loss: Callable  # (ops, random, weights, settings, data, windows) -> losses
    settings: NamedTuple  # what shapes the network besides its weights
    data: dict  # index arrays that the batch loss reads
    draw_windows: Callable  # numpy Generator -> an epoch's windows, in training order
    untrained: np.ndarray  # users without any window


class BaseNetworkRecommender(BaseRecommender):
    """Base class of the recommenders that are trained by gradient descent.

    A subclass gives the blanks below and the two sides of the inner products. Training
    happens in TensorFlow, imported in `fit` alone; what is kept are NumPy arrays.
    """

    _parameter_constraints = {
        **BaseRecommender._parameter_constraints,
        "alpha": Real(0),
        "optimizer": OneOf("adam", "adagrad"),
        "learning_rate": Real(0, low_open=True),
        "schedule": OneOf("constant", "linear", "cosine"),
        "batch_size": Integer(1),
        "max_iter": Integer(1),
        "early_stopping": Boolean(),
        "scoring": OneOf(*SCORES),
        "validation_fraction": Real(0, 1, low_open=True),
        "n_iter_no_change": Integer(1),
        "tol": Real(0),
        "warm_start": Boolean(),
        "checkpoint": Optional(FilePath()),
        "checkpoint_every": EpochsOrTime(),
        "resume": Boolean(),
        "keep_interrupted": Boolean(),
        "random_state": RandomState(),
        "verbose": Integer(0),
    }

    _fitted_scalars = {"n_users_skipped_": Integer(0), "interrupted_": Boolean()}

    # Blanks for subclasses ------------------------------------------------------

    _network = None  # module of `_networks` with `Settings` and `batch_loss`

    _beta_2 = 0.999  # of Adam

    def _n_weights(self, n_users, n_items, longest):
        """How many numbers the model and its inputs hold, given the longest history."""
        raise NotImplementedError

    def _initial_weights(self, random, settings, n_users, n_items):
        """Draw the weights, a dict of float32 arrays."""
        raise NotImplementedError

    def _training_inputs(self, sequences, n_items, strict):
        """Return `TrainingInputs`."""
        raise NotImplementedError

    def _finish(self, sequences, weights, unlearned):
        """Give users that had nothing to learn from a sensible row, in place."""

    def _clipped_weights(self):
        """Names of the weights whose rows stay in the ball of radius `max_norm`."""
        return ()

    def _row_kind(self, name):
        """What a weight's rows stand for: 'users_', 'items_', 'positions' or None."""
        raise NotImplementedError

    def _fitted(self):
        """Settings of the fit: parameters that were set since change no answer."""
        return self._network.Settings(**self.settings_)

    # The loop -------------------------------------------------------------------

    def _n_epochs(self):
        return self.max_iter

    def _fit(self, sequences, state, task, strict):
        n_users, n_items = len(state["users_"]), len(state["items_"])
        longest = int(np.diff(sequences.indptr).max())
        self._check_memory(n_users, n_items, longest)
        checkpoints, progress, found = self._take_up(sequences, state)
        random = np.random.default_rng(progress.entropy)
        full, held_out = sequences, None
        if self.early_stopping:
            sequences, held_out = self._hold_out(sequences, random)
        self._check_histories(sequences)
        inputs = self._training_inputs(sequences, n_items, strict)
        state["settings_"] = inputs.settings._asdict()
        weights = self._initial_weights(random, inputs.settings, n_users, n_items)
        if self.warm_start and hasattr(self, "weights_"):
            self._carry_over(weights, state)
            new_users = np.flatnonzero(lookup(self, "users_", state["users_"]) < 0)
            unlearned = np.intersect1d(inputs.untrained, new_users)
        else:
            unlearned = inputs.untrained

        import_tensorflow()  # refuses a forked process before it can hang
        from sklearn_attrec._training import Trainer

        trainer = Trainer(
            inputs.batch_loss,
            weights,
            inputs.settings,
            inputs.data,
            optimizer=self.optimizer,
            beta_2=self._beta_2,
            alpha=self.alpha,
            clipped=self._clipped_weights(),
            max_norm=getattr(self, "max_norm", None) or 1.0,
        )
        del weights  # a large catalogue's are too many to keep twice
        run = Run(trainer, progress, random, unlearned, partial(self._finish, full))
        if found:
            run.restore(found, self.checkpoint)
        del found  # four tables as large as the weights
        shared = {"n_users_skipped_": len(inputs.untrained), "interrupted_": False}
        try:
            self._train(run, inputs, held_out, checkpoints, state, task)
            return run.fitted() | shared
        except (KeyboardInterrupt, TrainingDivergedError) as error:
            if run.last is None:
                raise
            left = run.last | shared | {"interrupted_": True}
            raise UnfinishedFitError(left) from error
        except MemoryError as error:
            raise MemoryError(
                f"{self._caller('fit')}: out of memory in epoch "
                f"{run.progress.epoch + 1}. Pass a smaller batch_size, n_negatives, d "
                f"or L. {error}"
            ) from error

    def _end_fit(self):
        if self.checkpoint is not None:
            remove_checkpoints(self.checkpoint)

    def _train(self, run, inputs, held_out, checkpoints, state, task):
        """Train epoch by epoch, from wherever the run is."""
        if self.keep_interrupted and run.progress.epoch and not run.progress.step:
            run.last = run.fitted()
        while not self._is_done(run.progress):
            epoch = run.progress.epoch + 1
            epoch_task = task.subcontext(task_name="epoch")
            epoch_task.call_on_fit_task_begin(estimator=self)
            start = time.perf_counter()
            windows = inputs.draw_windows(run.random)
            rates = self._learning_rates(epoch, len(windows))
            seed = int(run.random.integers(2**31))
            for _ in self._steps(run, windows, rates, seed):
                if checkpoints and checkpoints.due():
                    self._check_weights(run, rates)
                    checkpoints.save(run.progress, run.state())
            self._check_weights(run, rates)
            loss = _mean(run.progress.loss, len(windows))
            seconds = time.perf_counter() - start
            record = {"epoch": epoch, "loss": loss, "seconds": seconds}
            if held_out is not None:
                record["validation_score"] = self._validate(run, state, held_out)
            run.end_epoch(record)
            if checkpoints and checkpoints.due(epoch):
                checkpoints.save(run.progress, run.state())
            if self.keep_interrupted:
                run.last = run.fitted()
            if self.verbose:
                self._print(record, len(windows))
            stopped = epoch_task.call_on_fit_task_end(
                estimator=self,
                reconstruction_attributes=lambda: (
                    state | {"weights_": run.weights(), "_cache": {}}
                ),
            )
            if stopped:
                break

    def _take_up(self, sequences, state):
        """Find where an interrupted fit was, or begin.

        Returns
        -------
        checkpoints : Checkpoints or None
        progress : Progress
        found : dict of ndarray
            Empty at the beginning.
        """
        caller, entropy = self._caller("fit"), _entropy(self.random_state)
        progress = Progress(entropy)
        if self.checkpoint is None:
            if self.resume:
                raise InvalidParameterError(
                    f"{caller}: resume=True goes on from the file that 'checkpoint' "
                    "names. Got checkpoint=None."
                )
            return None, progress, {}
        seed = None if self.random_state is None else entropy
        users, items = state["users_"], state["items_"]
        identity = fingerprint(self, sequences, users, items, seed)
        checkpoints = Checkpoints(self.checkpoint, self.checkpoint_every, identity)
        checkpoints.check_path(caller, free=not self.resume)
        if not self.resume:
            return checkpoints, progress, {}
        last, found = checkpoints.load()
        if last and self.verbose:
            print(f"Going on after epoch {last.epoch}, step {last.step}", flush=True)
        return checkpoints, last or progress, found

    def _is_done(self, progress):
        waited = self.early_stopping and progress.waited >= self.n_iter_no_change
        return waited or progress.epoch >= self.max_iter

    def _steps(self, run, windows, rates, seed):
        """Train on what is left of an epoch, and stop over now and then.

        Python hears Ctrl-C, and checkpoints are written, at these stops only.
        """
        while (step := run.progress.step) < len(rates):
            stop = min(step + STEPS_A_CALL, len(rates))
            some = windows[step * self.batch_size : stop * self.batch_size]
            run.advance(some, self.batch_size, rates[step:stop], seed)
            if not np.isfinite(run.progress.loss):
                self._refuse_weights(run, rates)
            yield

    def _learning_rates(self, epoch, n_windows):
        """Learning rate of each step of an epoch, (n_steps,)."""
        n_steps = -(-n_windows // self.batch_size)
        done = (epoch - 1 + np.arange(n_steps) / max(n_steps, 1)) / self.max_iter
        if self.schedule == "linear":
            return self.learning_rate * (1 - done)
        if self.schedule == "cosine":
            rising = (done + 1 / max(n_steps, 1) / self.max_iter) / WARM_UP
            falling = (1 + np.cos(np.pi * done)) / 2
            return self.learning_rate * np.minimum(rising, falling)
        return np.full(n_steps, self.learning_rate)

    def _hold_out(self, sequences, random):
        """Hold out the last item of some users to watch the score on."""
        lengths = np.diff(sequences.indptr)
        # Three items leave a history, something to train on and something to ask.
        users = np.flatnonzero(lengths >= 3)
        if not len(users):
            raise InteractionsError(
                f"{self._caller('fit')}: early_stopping=True holds out the last item "
                "of users with 3 or more interactions, and there are none (longest "
                f"history: {lengths.max()}). Pass early_stopping=False."
            )
        count = max(1, round(self.validation_fraction * len(users)))
        users = np.sort(random.choice(users, count, replace=False))
        sequences, targets = hold_out_last(sequences, users)
        return sequences, (sequences, users, targets)

    def _validate(self, run, state, held_out):
        """Score the held-out items by full ranking, and keep the best weights."""
        weights = run.weights()
        score = self._validation_score(state | {"weights_": weights}, *held_out)
        best, waited = run.progress.best, run.progress.waited
        waited = 0 if score > best + self.tol else waited + 1
        if score > best:
            best, run.best_weights = score, weights
        run.progress = run.progress._replace(best=best, waited=waited)
        return score

    def _validation_score(self, state, sequences, users, targets):
        model = copy.copy(self)
        vars(model).update(state, _cache={})
        queries = Queries(users, users, sequences, users, None)
        ranks = model._ranks(queries, targets, self.exclude_seen)
        _, score = SCORES[self.scoring]
        return float(score(ranks, self.k))

    def _carry_over(self, weights, state):
        """Start from the fitted rows of users and items that are still there."""
        for name, fitted in self.weights_.items():
            new, kind = weights.get(name), self._row_kind(name)
            if new is None or new.shape[1:] != fitted.shape[1:]:
                continue
            if kind == "positions":  # which count from the last row
                shared = min(len(new), len(fitted))
                new[len(new) - shared :] = fitted[len(fitted) - shared :]
            elif kind is not None:
                codes = lookup(self, kind, state[kind])
                new[codes >= 0] = fitted[codes[codes >= 0]]
            elif new.shape == fitted.shape:
                weights[name] = fitted.copy()

    def _check_histories(self, sequences):
        longest = np.diff(sequences.indptr).max()
        if longest < 2:
            raise InteractionsError(
                f"{self._caller('fit')}: no user has 2 or more interactions to learn "
                f"from (n_samples = {len(sequences.items)}, longest history: "
                f"{longest}). Give longer histories."
            )

    def _check_negatives(self, n_trainable, n_items, strict):
        """Refuse data in which every user touched everything; see `_fit`."""
        if n_trainable:
            return
        message = (
            f"{self._caller('fit')}: no negative item exists, because every user "
            f"touched all {n_items} items. Pass loss='softmax', or give more items."
        )
        if strict:
            raise InteractionsError(message)
        warnings.warn(f"{message} The weights stay random.", stacklevel=6)

    def _check_weights(self, run, rates):
        # Written so that NaN is refused, too.
        if not run.trainer.largest_weight() <= LARGEST_WEIGHT:
            self._refuse_weights(run, rates)

    def _refuse_weights(self, run, rates):
        progress = run.progress
        loss = _mean(progress.loss, progress.step * self.batch_size)
        raise TrainingDivergedError(
            f"{self._caller('fit')}: training diverged in epoch {progress.epoch + 1}, "
            f"step {progress.step} of {len(rates)}: loss {loss:.4g}, largest weight "
            f"{run.trainer.largest_weight():.4g}, learning rate "
            f"{rates[progress.step - 1]:.3g} (learning_rate={self.learning_rate}). "
            "Pass a smaller learning_rate."
        )

    def _print(self, record, n_windows):
        line = f"Epoch {record['epoch']}/{self.max_iter}  loss {record['loss']:.4f}"
        if "validation_score" in record:
            name, _ = SCORES[self.scoring]
            line += f"  {name}@{self.k} {record['validation_score']:.4f}"
        print(f"{line}  {n_windows / record['seconds']:,.0f} windows/s", flush=True)

    def _check_memory(self, n_users, n_items, longest):
        """Refuse a size that cannot fit, before the machine runs out of memory."""
        memory = physical_memory()
        # Every weight has a gradient and two moments beside it.
        needed = 16 * int(self._n_weights(n_users, n_items, longest))
        if memory and needed > memory:
            raise InvalidParameterError(
                f"The 'd' parameter of {type(self).__name__} must be small enough for "
                f"training to fit in memory. Got {show(self.d)}, which needs "
                f"about {show(needed >> 30)} GiB of {memory >> 30} GiB."
            )


def _entropy(random_state):
    """Draw the seed of a fit's one generator; the global ones stay untouched."""
    if random_state is None:
        return np.random.SeedSequence().entropy
    if isinstance(random_state, np.random.RandomState):
        return random_state.randint(2**31)
    return int(random_state)


def _mean(total, n):
    return float(np.float32(total) / np.float32(max(n, 1)))
