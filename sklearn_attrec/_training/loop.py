"""The training loop: for each epoch, draw windows, take steps, validate, save."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sklearn_attrec._training.schedules import constant_until_decay, linear_decay
from sklearn_attrec.exceptions import ModelFileError, TrainingDivergedError
from sklearn_attrec.utils._tensor_file import with_prefix

__all__ = ["TrainingPlan", "TrainingRun", "train"]

# Number of steps per call of the compiled loop. Ctrl-C and checkpoints take effect only
# between calls.
STEPS_PER_CALL = 50

# Training is considered divergent if the absolute value of a weight is larger than
# this: float32 is then too imprecise for the updates.
LARGEST_WEIGHT = 1e6


class TrainingPlan(NamedTuple):
    """The parts of training that depend on the model."""

    batch_loss: Callable  # (ops, random, weights, settings, data, windows) -> losses
    settings: NamedTuple  # of the network
    data: dict  # arrays that `batch_loss` reads
    draw_windows: Callable  # numpy Generator -> windows of an epoch, in training order
    untrained: np.ndarray  # codes of the users without windows
    # Sets the weights of users without windows, in place.
    complete: Callable = lambda weights, untrained: None
    schedule: Callable = linear_decay
    beta_2: float = 0.999  # of Adam
    alpha: float = 0.0  # L2 regularisation
    bounded: tuple = ()  # names of weights whose rows have a norm of at most `max_norm`
    max_norm: float = 1.0


def train(run, reports):
    """Train epoch by epoch, from the current state of the run.

    Parameters
    ----------
    run : TrainingRun
    reports : EpochReports
        Called for each epoch; its `end_epoch` returns whether to stop.

    Raises
    ------
    TrainingDivergedError
        If the loss or a weight is not finite, or a weight is very large.
    """
    while not run.is_done():
        reports.begin_epoch()
        start, first_step = time.perf_counter(), run.progress.step
        windows, learning_rates, seed = run.begin_epoch()
        while run.progress.step < len(learning_rates):
            run.take_steps(windows, learning_rates, seed)
            run.save_if_due(learning_rates)
        run.check_weights(learning_rates)
        seconds = time.perf_counter() - start
        run.end_epoch(len(windows))
        run.save()
        n_trained = len(windows) - first_step * run.batch_size
        if reports.end_epoch(run, n_trained / seconds):
            break


class TrainingRun:
    """A fit in progress.

    Parameters
    ----------
    plan : TrainingPlan
    trainer : Trainer
        Contains the weights and the optimiser state.
    progress : Progress
    complete : callable
        Turns trained weights into those of the fitted model, in place.
    early_stopping : EarlyStopping or None
    checkpoints : Checkpoints or None
    random : numpy Generator
        Draws the windows of each epoch.
    learning_rate : float
        The largest learning rate of the schedule.
    batch_size, max_iter : int
    caller : str
        Name of the calling method; error messages begin with it.
    """

    def __init__(
        self,
        plan,
        trainer,
        progress,
        complete,
        *,
        early_stopping,
        checkpoints,
        random,
        learning_rate,
        batch_size,
        max_iter,
        caller,
    ):
        self.plan = plan
        self.trainer = trainer
        self.progress = progress
        self.complete = complete
        self.early_stopping = early_stopping
        self.checkpoints = checkpoints
        self.random = random
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.caller = caller
        if progress.random:
            random.bit_generator.state = progress.random
        progress.random = random.bit_generator.state

    # The steps of `train` -------------------------------------------------------

    def is_done(self):
        """Return whether all epochs are done or early stopping ends the fit."""
        decay = self._decay()
        return self.progress.epoch >= (decay[1] if decay else self.max_iter)

    def begin_epoch(self):
        """Draw the windows, learning rates and seed of an epoch."""
        windows = self.plan.draw_windows(self.random)
        seed = int(self.random.integers(2**31))
        return windows, self._learning_rates(len(windows)), seed

    def take_steps(self, windows, learning_rates, seed):
        """Train on the next windows of the epoch."""
        progress, size = self.progress, self.batch_size
        start = progress.step
        stop = min(start + STEPS_PER_CALL, len(learning_rates))
        progress.loss = self.trainer.run(
            windows[start * size : stop * size],
            size,
            learning_rates[start:stop],
            seed,
            progress.loss,
        )
        progress.step += self.trainer.steps - progress.steps
        progress.steps = self.trainer.steps
        if not np.isfinite(progress.loss):
            self._raise_diverged(learning_rates)

    def check_weights(self, learning_rates):
        """Raise an error if a weight is not finite or is very large."""
        if not self._has_valid_weights():
            self._raise_diverged(learning_rates)

    def end_epoch(self, n_windows):
        """Record the loss of the epoch and, for early stopping, the score."""
        progress = self.progress
        loss, scores = _mean(progress.loss, n_windows), progress.validation_scores
        if self.early_stopping:
            scores = [*scores, self.early_stopping.update(self.weights())]
        # A new object, so that Ctrl-C never leaves an epoch that is half recorded.
        self.progress = replace(
            progress,
            epoch=progress.epoch + 1,
            step=0,
            loss=0.0,
            loss_curve=[*progress.loss_curve, loss],
            validation_scores=scores,
            random=self.random.bit_generator.state,
        )

    def save_if_due(self, learning_rates):
        """Save a checkpoint within an epoch if the last one is old."""
        if self.checkpoints and self.checkpoints.is_due():
            self.check_weights(learning_rates)
            self.save()

    def save(self):
        """Save a checkpoint if the fit has checkpoints."""
        if self.checkpoints:
            arrays = self.trainer.state()
            best = (self.early_stopping and self.early_stopping.best_weights) or {}
            arrays |= {f"best.{name}": value for name, value in best.items()}
            self.checkpoints.save(self.progress, arrays)

    # Results --------------------------------------------------------------------

    def weights(self):
        """Return a copy of the current weights, as those of the fitted model."""
        weights = self.trainer.snapshot()
        self.complete(weights)
        return weights

    def attributes(self):
        """Return the fitted attributes after training."""
        best = self.early_stopping and self.early_stopping.best_weights
        return self.attributes_with(best or self.weights())

    def attributes_with(self, weights):
        """Return the fitted attributes with the given weights."""
        scores = self.progress.validation_scores if self.early_stopping else None
        return {
            "weights_": weights,
            "loss_curve_": self.progress.loss_curve,
            "validation_scores_": scores,
            "n_iter_": self.progress.epoch,
            "n_users_skipped_": len(self.plan.untrained),
            "interrupted_": False,
        }

    def attributes_after(self, error):
        """Return the fitted attributes after an exception, or None.

        The weights are the best ones of early stopping, if any. Otherwise they are the
        current weights after Ctrl-C. None means that no usable weights exist.
        """
        has_best = self.early_stopping and self.early_stopping.best_weights
        if not has_best:
            is_interrupted = isinstance(error, KeyboardInterrupt)
            if not (is_interrupted and self.trainer.has_trained()):
                return None
            if not self._has_valid_weights():
                return None
        return self.attributes() | {"interrupted_": True}

    def restore(self, saved, path):
        """Continue from a checkpoint.

        Parameters
        ----------
        saved : SavedFit
        path : str or PathLike
            Path of the checkpoint, for error messages.
        """
        try:
            self.trainer.restore(saved.tensors, self.progress.steps)
            weights = self.weights()
            best = with_prefix(saved.tensors, "best.")
            if best:
                _check_same_kind(best, weights)
            if self.early_stopping:
                # Copied, because a view would keep all tensors in memory.
                best = {name: value.copy() for name, value in best.items()}
                scores = self.progress.validation_scores
                self.early_stopping.restore(scores, best)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"checkpoint {os.fspath(path)!r} does not match this model: {error}. "
                "Delete it to start again."
            ) from error

    # Helpers --------------------------------------------------------------------

    def _learning_rates(self, n_windows):
        """Return the learning rate of each step of the current epoch, (n_steps,)."""
        n_steps = -(-n_windows // self.batch_size)
        step = 1 / max(n_steps, 1)  # share of the epoch
        before = np.arange(n_steps) / max(n_steps, 1)  # share done before each step
        done = self.progress.epoch + before
        if self.early_stopping:
            return self.learning_rate * constant_until_decay(done, step, self._decay())
        done, step = done / self.max_iter, step / self.max_iter
        return self.learning_rate * self.plan.schedule(done, step)

    def _decay(self):
        """Return when the learning rate of early stopping decreases, or None."""
        if self.early_stopping is None:
            return None
        return self.early_stopping.decay(self.progress.validation_scores)

    def _has_valid_weights(self):
        return self.trainer.largest_weight() <= LARGEST_WEIGHT  # False for NaN

    def _raise_diverged(self, learning_rates):
        progress = self.progress
        loss = _mean(progress.loss, progress.step * self.batch_size)
        raise TrainingDivergedError(
            f"{self.caller}: training diverged in epoch {progress.epoch + 1}, step "
            f"{progress.step} of {len(learning_rates)}: loss {loss:.4g}, largest "
            f"weight {self.trainer.largest_weight():.4g}, learning rate "
            f"{learning_rates[progress.step - 1]:.3g} "
            f"(learning_rate={self.learning_rate}). Pass a smaller learning_rate."
        )


def _mean(total, n):
    return float(np.float32(total) / np.float32(max(n, 1)))


def _check_same_kind(found, expected):
    kinds = [
        {name: (value.shape, value.dtype) for name, value in weights.items()}
        for weights in (found, expected)
    ]
    if kinds[0] != kinds[1]:
        raise ValueError("the names, shapes or dtypes of the best weights do not match")
    if not all(np.isfinite(value).all() for value in found.values()):
        raise ValueError("a weight is not a finite number")
