"""How far a fit has come, and what it would leave were it to end now."""

import os
from typing import NamedTuple

import numpy as np

from sklearn_attrec.exceptions import ModelFileError
from sklearn_attrec.utils._tensor_file import part_of

__all__ = ["Progress", "Run"]


class Progress(NamedTuple):
    """How far a fit has come, besides weights and optimiser state."""

    entropy: int  # seed of the fit's generator
    epoch: int = 0  # complete epochs
    step: int = 0  # steps done in the epoch after them
    steps: int = 0  # steps done in all
    loss: float = 0.0  # summed over the windows of these steps
    random: dict | None = None  # state of the generator where this epoch begins
    best: float = -np.inf  # validation score
    waited: int = 0  # epochs since it grew
    history: tuple = ()  # one record an epoch


class Run:
    """A fit on its way: the trainer, how far it has come, and what it would leave.

    Parameters
    ----------
    trainer : Trainer
    progress : Progress
    random : numpy Generator
        Draws the windows of each epoch.
    unlearned : ndarray
        Users without a window, but for those a warm start knew before.
    finish : callable
        ``finish(weights, unlearned)`` gives these a sensible row.
    """

    def __init__(self, trainer, progress, random, unlearned, finish):
        self.trainer = trainer
        if progress.random:
            random.bit_generator.state = progress.random
        self.progress = progress._replace(random=random.bit_generator.state)
        self.random = random
        self.unlearned = unlearned
        self.finish = finish
        self.best_weights = None  # by the validation score
        self.last = None  # what was fitted after the last complete epoch, if asked for

    def advance(self, windows, batch_size, rates, seed):
        """Train on some more windows of an epoch."""
        loss = self.trainer.run(windows, batch_size, rates, seed, self.progress.loss)
        steps = self.trainer.steps
        step = self.progress.step + steps - self.progress.steps
        self.progress = self.progress._replace(step=step, steps=steps, loss=loss)

    def end_epoch(self, record):
        """Count a complete epoch."""
        self.progress = self.progress._replace(
            epoch=self.progress.epoch + 1,
            step=0,
            loss=0.0,
            random=self.random.bit_generator.state,
            history=(*self.progress.history, record),
        )

    def weights(self):
        """Copy the weights as they are now."""
        weights = self.trainer.snapshot()
        self.finish(weights, self.unlearned)
        return weights

    def fitted(self):
        """Fitted attributes, were the fit to end now."""
        return {
            "weights_": self.best_weights or self.weights(),
            "history_": list(self.progress.history),
            "n_iter_": self.progress.epoch,
        }

    def state(self):
        """Arrays of a checkpoint."""
        best = {f"best.{k}": value for k, value in (self.best_weights or {}).items()}
        return self.trainer.state() | best | {"unlearned": self.unlearned}

    def restore(self, found, path):
        """Go on from the arrays of a checkpoint."""
        try:
            self.trainer.restore(found, self.progress.steps)
            # Copies, as the rest of the file's block of memory is not needed.
            self.unlearned = found["unlearned"].copy()
            best = part_of(found, "best.")
            self.best_weights = {name: value.copy() for name, value in best.items()}
            weights = self.weights()
            if best:
                _check_alike(best, weights)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"checkpoint {os.fspath(path)!r} does not fit this network: {error}. "
                "Delete it to start anew."
            ) from error


def _check_alike(found, expected):
    kinds = [
        {name: (value.shape, value.dtype) for name, value in weights.items()}
        for weights in (found, expected)
    ]
    if kinds[0] != kinds[1]:
        raise ValueError("the best weights are of another kind")
    if not all(np.isfinite(value).all() for value in found.values()):
        raise ValueError("a weight is not a finite number")
