"""Ranks of target items, for evaluation."""

import numpy as np

__all__ = ["TargetRanks"]


class TargetRanks:
    """Ranks of target items among all items, counted chunk by chunk; 1 is the best.

    Items with the same score as the target are ranked before it. A model that gives all
    items the same score therefore ranks every target last.

    Parameters
    ----------
    scores : DenseScores or SparseScores
        Scores of a block of queries.
    rows : ndarray of shape (m,), int
        The query of each target.
    targets : ndarray of shape (m,), int
        Item codes that are not excluded.

    Attributes
    ----------
    ranks : ndarray of shape (m,), int64
    """

    def __init__(self, scores, rows, targets):
        self._exact, self._rows = scores.exact, rows
        self._scores = scores.exact(rows, targets)
        # An exact score is at least the target's if the quick one is at least `_high`,
        # and is less if it is at most `_low`; quick scores in between do not tell.
        error = scores.error[rows]
        self._high = (self._scores + error).astype(np.float32)[:, None]
        self._low = (self._scores - error).astype(np.float32)[:, None]
        self.ranks = np.zeros(len(rows), np.int64)

    def add(self, start, scores):
        """Count the items of a chunk that rank before or at the target; see `scan`."""
        n = len(scores)
        for begin in range(0, len(self._rows), n):
            self._add(start, scores, slice(begin, begin + n))

    def _add(self, start, scores, part):
        scores = scores[self._rows[part]]
        is_above = scores >= self._high[part]
        is_near = (scores > self._low[part]) & ~is_above
        near, columns = np.divmod(np.flatnonzero(is_near), scores.shape[1])
        exact = self._exact(self._rows[part][near], start + columns)
        near = near[exact >= self._scores[part][near]]
        self.ranks[part] += is_above.sum(axis=1) + np.bincount(
            near, minlength=len(scores)
        )
