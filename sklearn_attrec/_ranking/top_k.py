"""The k best items per query."""

import numpy as np

__all__ = ["top_k"]


def top_k(scores, k):
    """Find the k largest scores of each row, best first.

    Among items with equal scores, the item with the lower code comes first, for any k.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items)
        −inf marks excluded items. Modified in place and restored before returning.
    k : int

    Returns
    -------
    items : ndarray of shape (n, k), int64
        Item codes, followed by −1 if fewer than k items remain.
    scores : ndarray of shape (n, k)
        Scores of `items`; −inf for a missing item.
    """
    n, n_items = scores.shape
    depth = min(k, n_items)
    # Negate the scores in place: argpartition is slow if many equal scores (−inf) come
    # before the best ones, and a copy would need much memory. `.copy()` allows the full
    # index array to be freed.
    np.negative(scores, out=scores)
    items = np.argpartition(scores, depth - 1, axis=1)[:, :depth].copy()
    np.negative(scores, out=scores)
    best = np.take_along_axis(scores, items, axis=1)
    # argpartition selects arbitrarily among items tied for the last place: repeat the
    # selection in these rows, lowest code first.
    lowest = best.min(axis=1)
    for row in np.flatnonzero((scores >= lowest[:, None]).sum(axis=1) > depth):
        if lowest[row] == -np.inf:
            continue
        found = np.flatnonzero(scores[row] >= lowest[row])
        items[row] = found[np.argsort(-scores[row, found], kind="stable")[:depth]]
    items.sort(axis=1)
    best = np.take_along_axis(scores, items, axis=1)
    order = np.argsort(-best, axis=1, kind="stable")
    items = np.take_along_axis(items, order, axis=1)
    best = np.take_along_axis(best, order, axis=1)
    items = np.where(best == -np.inf, -1, items)
    padding = ((0, 0), (0, k - depth))
    return (
        np.pad(items, padding, constant_values=-1),
        np.pad(best, padding, constant_values=-np.inf),
    )
