"""Early stopping: best validation score, best weights and patience."""

import numpy as np

__all__ = ["EarlyStopping"]

# Minimum improvement over the best validation score that restarts the patience.
TOLERANCE = 1e-4


class EarlyStopping:
    """Monitors the validation score and keeps the weights of the best epoch.

    Parameters
    ----------
    score : callable
        ``score(weights) -> float``; larger is better.
    n_iter_no_change : int
        Number of epochs without improvement after which training stops.
    """

    def __init__(self, score, n_iter_no_change):
        self.score = score
        self.n_iter_no_change = n_iter_no_change
        self.best_score = -np.inf
        self.best_weights = None
        self.n_waited = 0  # epochs since the last improvement

    def update(self, weights):
        """Compute the score of an epoch's weights, record it and return it."""
        score = self.score(weights)
        improved = score > self.best_score + TOLERANCE
        self.n_waited = 0 if improved else self.n_waited + 1
        if score > self.best_score:
            self.best_score, self.best_weights = score, weights
        return score

    def is_exhausted(self):
        """Return whether training stops, after too many epochs without improvement."""
        return self.n_waited >= self.n_iter_no_change

    def restore(self, best_score, n_waited, best_weights):
        """Continue from a saved state; `best_weights` is {} if no epoch was scored."""
        self.best_score, self.n_waited = best_score, n_waited
        self.best_weights = best_weights or None
