"""The k best items per query."""

import numpy as np

__all__ = ["TopK"]

MANY = 2**13  # items found in a chunk in addition to twice the k best of each query


class TopK:
    """The k best items of each query of a block, found chunk by chunk.

    Among items with equal scores, the item with the lower code comes first, for any k.

    Parameters
    ----------
    scores : DenseScores or SparseScores
    k : int
    """

    def __init__(self, scores, k):
        self._exact, self._error = scores.exact, scores.error
        self._items = np.full((len(self._error), k), -1)
        self._scores = np.full((len(self._error), k), -np.inf, np.float32)
        self._found = []  # rows, items and scores of the chunks since the last merge

    def add(self, start, scores):
        """Add a chunk of items; see `scan`."""
        # An item is added only if its exact score is above that of the last item.
        limits = (self._scores[:, -1] - self._error).astype(np.float32)
        if np.isneginf(limits).any():
            bounds = _lower_bounds(scores, self._items.shape[1]) - 2 * self._error
            below = np.nextafter(bounds.astype(np.float32), np.float32(-np.inf))
            limits = np.maximum(limits, below)
        is_found = scores > limits[:, None]
        width, count = scores.shape[1], np.count_nonzero(is_found)
        if width > 1 and count > 2 * self._items.size + MANY:
            # The first half raises the limits for the second one.
            self.add(start, scores[:, : width // 2])
            self.add(start + width // 2, scores[:, width // 2 :])
        elif count:
            rows, columns = np.divmod(np.flatnonzero(is_found), width)
            items = start + columns
            self._found.append((rows, items, self._exact(rows, items)))
            # Sorting after every chunk would take most of the time for large k.
            if sum(len(rows) for rows, *_ in self._found) >= self._items.size:
                self._merge()

    def best(self):
        """Return the best items so far.

        Returns
        -------
        items : ndarray of shape (n, k), int64
            Item codes, best first, followed by −1 if fewer than k items remain.
        scores : ndarray of shape (n, k), float32
            Exact scores of `items`; −inf for a missing item.
        """
        if self._found:
            self._merge()
        return self._items, self._scores

    def _merge(self):
        n, k = self._items.shape
        best = np.repeat(np.arange(n), k), self._items.ravel(), self._scores.ravel()
        columns = zip(best, *self._found, strict=True)
        rows, items, scores = map(np.concatenate, columns)
        # Stable: among equal scores, lower codes come first, as they were added first.
        order = np.lexsort((-scores, rows))
        starts = np.searchsorted(rows[order], np.arange(n))
        best = order[starts[:, None] + np.arange(k)]
        self._items, self._scores, self._found = items[best], scores[best], []


def _lower_bounds(scores, k):
    """Return a lower bound of the k-th largest score of each row, (n,).

    It is the k-th largest of the maxima of groups of scores: as many as that are at
    least as large. Partitioning the maxima is much faster than partitioning all scores.
    """
    n, n_items = scores.shape
    if k > n_items:
        return np.full(n, -np.inf, np.float32)
    n_groups = min(8 * k, n_items)
    size = n_items // n_groups
    groups = scores[:, : n_groups * size].reshape(n, size, n_groups)
    maxima = groups.max(axis=1)
    return np.partition(maxima, n_groups - k, axis=1)[:, n_groups - k]
