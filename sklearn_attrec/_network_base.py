"""BaseNetworkRecommender: sequences → windows → training → weights."""

import copy
import time

import numpy as np

from sklearn_attrec._base import BaseRecommender
from sklearn_attrec._queries import Queries, lookup
from sklearn_attrec._sequences import hold_out_last
from sklearn_attrec.exceptions import (
    InteractionsError,
    InvalidParameterError,
    TrainingDivergedError,
)
from sklearn_attrec.utils._param_validation import (
    Boolean,
    Integer,
    OneOf,
    RandomState,
    Real,
)
from sklearn_attrec.utils._tensorflow import import_tensorflow, physical_memory

__all__ = ["BaseNetworkRecommender"]

# Beyond this size a weight has lost its meaning in float32, finite or not.
LARGEST_WEIGHT = 1e6


class BaseNetworkRecommender(BaseRecommender):
    """Base class of the recommenders that are trained by gradient descent.

    A subclass gives the blanks below and the two sides of the inner product. Training
    happens in TensorFlow, imported in `fit` alone; what is kept are NumPy arrays.
    """

    _parameter_constraints = {
        **BaseRecommender._parameter_constraints,
        "alpha": Real(0),
        "optimizer": OneOf("adam", "adagrad"),
        "learning_rate": Real(0, low_open=True),
        "schedule": OneOf("constant", "linear"),
        "batch_size": Integer(1),
        "max_iter": Integer(1),
        "early_stopping": Boolean(),
        "validation_fraction": Real(0, 1, low_open=True, high_open=True),
        "n_iter_no_change": Integer(1),
        "tol": Real(0),
        "warm_start": Boolean(),
        "random_state": RandomState(),
        "verbose": Integer(0),
    }

    # Blanks for subclasses ------------------------------------------------------

    def _n_weights(self, n_users, n_items):
        """How many numbers the model and its inputs hold."""
        raise NotImplementedError

    def _initial_weights(self, random, n_users, n_items):
        """Draw the weights, a dict of 2-D float32 arrays."""
        raise NotImplementedError

    def _training_inputs(self, sequences, n_items, strict):
        """Return batch loss, settings, index arrays, windows, users without any."""
        raise NotImplementedError

    def _finish(self, weights, sequences, unlearned):
        """Give users that had nothing to learn from a sensible row, in place."""

    def _clipped_weights(self):
        """Names of the weights whose rows stay in the ball of radius `max_norm`."""
        return ()

    def _row_kind(self, name):
        """What the rows of a weight stand for: 'users_', 'items_' or None."""
        raise NotImplementedError

    # The loop -------------------------------------------------------------------

    def _n_epochs(self):
        return self.max_iter

    def _fit(self, sequences, state, task, strict):
        random = _generator(self.random_state)
        n_users, n_items = len(state["users_"]), len(state["items_"])
        self._check_memory(n_users, n_items)
        full, held_out = sequences, None
        if self.early_stopping:
            sequences, held_out = self._hold_out(sequences, random)
        batch_loss, settings, data, windows, untrained = self._training_inputs(
            sequences, n_items, strict
        )
        state["settings_"] = settings._asdict()
        weights = self._initial_weights(random, n_users, n_items)
        if self.warm_start and hasattr(self, "weights_"):
            self._carry_over(weights, state)
            new_users = np.flatnonzero(lookup(self, "users_", state["users_"]) < 0)
            unlearned = np.intersect1d(untrained, new_users)
        else:
            unlearned = untrained

        import_tensorflow()  # refuses a forked process before it can hang
        from sklearn_attrec._training import Trainer

        trainer = Trainer(
            batch_loss,
            weights,
            settings,
            data,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            n_steps=self._n_steps(len(windows)),
            alpha=self.alpha,
            clipped=self._clipped_weights(),
            max_norm=getattr(self, "max_norm", None) or 1.0,
        )
        history, best, best_weights, waited = [], -np.inf, None, 0
        for epoch in range(1, self.max_iter + 1):
            epoch_task = task.subcontext(task_name="epoch")
            epoch_task.call_on_fit_task_begin(estimator=self)
            start = time.perf_counter()
            shuffled = random.permutation(windows)
            seed = int(random.integers(2**31))
            loss = trainer.run_epoch(shuffled, self.batch_size, seed)
            seconds = time.perf_counter() - start
            self._check_finite(trainer, epoch, loss)
            record = {"epoch": epoch, "loss": loss, "seconds": seconds}
            if held_out is not None:
                weights = trainer.snapshot()
                score = self._validation_score(state | {"weights_": weights}, *held_out)
                record["validation_score"] = score
                waited = 0 if score > best + self.tol else waited + 1
                if score > best:
                    best, best_weights = score, weights
            history.append(record)
            if self.verbose:
                self._print(record, len(windows))
            stopped = epoch_task.call_on_fit_task_end(
                estimator=self,
                reconstruction_attributes=lambda: (
                    state | {"weights_": trainer.snapshot(), "_cache": {}}
                ),
            )
            if stopped or waited >= self.n_iter_no_change:
                break
        weights = best_weights or trainer.snapshot()
        self._finish(weights, full, unlearned)
        return {
            "weights_": weights,
            "history_": history,
            "n_iter_": len(history),
            "n_users_skipped_": len(untrained),
        }

    def _n_steps(self, n_windows):
        """Steps over which the learning rate falls, None where it does not."""
        if self.schedule == "constant":
            return None
        return max(1, self.max_iter * -(-n_windows // self.batch_size))

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

    def _validation_score(self, state, sequences, users, targets):
        """HR@k of the held-out items by full ranking."""
        model = copy.copy(self)
        vars(model).update(state, _cache={})
        queries = Queries(users, users, sequences, users, None)
        ranks = model._ranks(queries, targets, self.exclude_seen)
        return float(np.mean(ranks <= self.k))

    def _carry_over(self, weights, state):
        """Start from the fitted rows of users and items that are still there."""
        for name, fitted in self.weights_.items():
            new = weights.get(name)
            if new is None or new.shape[1] != fitted.shape[1]:
                continue
            kind = self._row_kind(name)
            if kind is None:
                weights[name] = fitted.copy()
            else:
                codes = lookup(self, kind, state[kind])
                new[codes >= 0] = fitted[codes[codes >= 0]]

    def _check_finite(self, trainer, epoch, loss):
        largest = trainer.largest_weight()
        if np.isfinite(loss) and largest <= LARGEST_WEIGHT:
            return
        raise TrainingDivergedError(
            f"{self._caller('fit')}: training diverged in epoch {epoch} (step "
            f"{trainer.steps}): loss {loss:.4g}, largest weight {largest:.4g}, "
            f"learning_rate={self.learning_rate}. Pass a smaller learning_rate."
        )

    def _print(self, record, n_windows):
        line = f"Epoch {record['epoch']}/{self.max_iter}  loss {record['loss']:.4f}"
        if "validation_score" in record:
            line += f"  HR@{self.k} {record['validation_score']:.4f}"
        print(f"{line}  {n_windows / record['seconds']:,.0f} windows/s", flush=True)

    def _check_memory(self, n_users, n_items):
        """Refuse a size that cannot fit, before the machine runs out of memory."""
        memory = physical_memory()
        # Every weight has a gradient and two moments beside it.
        needed = 16.0 * self._n_weights(n_users, n_items)
        if memory and needed > memory:
            raise InvalidParameterError(
                f"The 'd' parameter of {type(self).__name__} must be small enough for "
                f"training to fit in memory. Got {self.d!r}, which needs about "
                f"{needed / 2**30:,.0f} GiB of {memory / 2**30:,.0f} GiB."
            )


def _generator(random_state):
    """Make the one generator of a fit; the global ones stay untouched."""
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31)
    return np.random.default_rng(random_state)
