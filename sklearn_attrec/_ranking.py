"""Items ranked by inner product, in blocks of queries bounded in bytes."""

import numpy as np

__all__ = ["block_size", "mask_items", "ranks_of", "top_k"]

BLOCK_ROWS = 64
BLOCK_BYTES = 2**26


def block_size(n_items):
    """How many queries are ranked at once.

    It depends on the catalogue alone. A block is always filled up to this size, so
    that a query's scores do not depend, not even in their last bit, on how many others
    are asked along with it.

    Parameters
    ----------
    n_items : int

    Returns
    -------
    int
    """
    return int(np.clip(BLOCK_BYTES // (4 * max(n_items, 1)), 1, BLOCK_ROWS))


def mask_items(scores, sequences):
    """Take each row's items out of the ranking, in place.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items)
    sequences : Sequences
        n sequences of item codes.
    """
    rows = np.repeat(np.arange(len(scores)), np.diff(sequences.indptr))
    scores[rows, sequences.items] = -np.inf


def top_k(scores, k):
    """Find the k largest scores of each row, best first.

    Ties go to the lower item code, whatever k is.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items)
        −inf marks what must not be recommended.
    k : int

    Returns
    -------
    items : ndarray of shape (n, k), int64
        Item codes; −1 where fewer than k items remain.
    scores : ndarray of shape (n, k)
        Their scores; −inf where an item is missing.
    """
    n, n_items = scores.shape
    depth = min(k, n_items)
    items = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
    best = np.take_along_axis(scores, items, axis=1)
    # Which of several items that tie for the last place were picked is chance: such
    # rows are picked again, lowest code first.
    cut = best.min(axis=1)
    for row in np.flatnonzero((scores >= cut[:, None]).sum(axis=1) > depth):
        if cut[row] == -np.inf:
            continue
        tied = np.flatnonzero(scores[row] >= cut[row])
        items[row] = tied[np.argsort(-scores[row, tied], kind="stable")[:depth]]
    items.sort(axis=1)
    best = np.take_along_axis(scores, items, axis=1)
    order = np.argsort(-best, axis=1, kind="stable")
    items = np.take_along_axis(items, order, axis=1)
    best = np.take_along_axis(best, order, axis=1)
    items = np.where(best == -np.inf, -1, items)
    short = ((0, 0), (0, k - depth))
    return (
        np.pad(items, short, constant_values=-1),
        np.pad(best, short, constant_values=-np.inf),
    )


def ranks_of(scores, targets):
    """Rank each row's target among all items, 1 being the best.

    An item with the target's score counts as better: a model that gives every item
    the same score ranks each target last, not first.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items)
        −inf marks what must not be recommended.
    targets : ndarray of shape (n,), int
        Item codes; −1 for an item not in the catalogue.

    Returns
    -------
    ndarray of shape (n,), float64
        `inf` for a target that is unknown or must not be recommended.
    """
    score = scores[np.arange(len(targets)), targets]
    ranks = (scores >= score[:, None]).sum(axis=1).astype(np.float64)
    return np.where((targets < 0) | (score == -np.inf), np.inf, ranks)
