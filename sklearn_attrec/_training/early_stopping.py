"""Early stopping: when a fit ends, and the weights of the best epoch."""

import numpy as np

__all__ = ["EarlyStopping"]

# Number of epochs without improvement after which the learning rate decreases.
PATIENCE = 2

# Minimum improvement over the best validation score that restarts the patience.
TOLERANCE = 1e-4

# Number of epochs of the decay, relative to the epochs before it.
DECAY = 1 / 2


class EarlyStopping:
    """Decides when a fit ends, and keeps the weights of the best epoch.

    When the validation score no longer improves, the learning rate, constant until
    then, decreases to 0 in a few more epochs. With a constant rate the weights keep
    moving around the optimum, and no epoch reaches the score of its centre.

    Parameters
    ----------
    score : callable
        ``score(weights) -> float``; larger is better.
    max_iter : int
        Largest number of epochs, with those of the decay.
    """

    def __init__(self, score, max_iter):
        self.score = score
        self.max_iter = max_iter
        self.best_score = -np.inf
        self.best_weights = None

    def update(self, weights):
        """Compute the score of an epoch's weights, record it and return it."""
        score = self.score(weights)
        if score > self.best_score:
            self.best_score, self.best_weights = score, weights
        return score

    def decay(self, scores):
        """Return when the learning rate decreases.

        Parameters
        ----------
        scores : list of float
            The validation scores of all epochs so far.

        Returns
        -------
        tuple of int or None
            The number of epochs before the decay and with it; None if the score still
            improves.
        """
        best, n_waited = -np.inf, 0
        latest = max(int(self.max_iter / (1 + DECAY)), 1)
        for epoch, score in enumerate(scores, start=1):
            n_waited = 0 if score > best + TOLERANCE else n_waited + 1
            best = max(best, score)
            if n_waited >= PATIENCE or epoch >= latest:
                length = max(round(DECAY * epoch), 1)
                return epoch, min(epoch + length, self.max_iter)
        return None

    def restore(self, scores, best_weights):
        """Continue from a saved state; `best_weights` is {} if no epoch was scored."""
        self.best_score = max(scores, default=-np.inf)
        self.best_weights = best_weights or None
