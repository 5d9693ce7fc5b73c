"""Negative sampling without rejection: untouched items, or items by popularity.

The untouched items of a user are the items without training interactions of the user.
AttRec's softmax loss draws its negatives uniformly from the catalogue instead, with
`BatchRandom.items` of `_training/batch_random.py`.
"""

from typing import NamedTuple

import numpy as np

__all__ = [
    "Popularity",
    "Untouched",
    "draw_popular",
    "draw_untouched",
    "index_popularity",
    "index_untouched",
]


class Untouched(NamedTuple):
    """Index of every user's items, from which `draw_untouched` draws.

    Let p_0 < p_1 < … be the distinct items of user u. The r-th untouched item is
    r + #{j : p_j − j ≤ r}, because p_j − j untouched items lie below p_j.
    p_j − j never decreases, so the keys u·n_items + (p_j − j) of all users form one
    sorted array, and one binary search finds the count.
    """

    keys: np.ndarray  # (n_distinct,) int64, sorted
    indptr: np.ndarray  # (n_users + 1,) int64, start of each user's keys
    counts: np.ndarray  # (n_users,) int64, number of untouched items


def index_untouched(sequences, n_items):
    """Build the index for `draw_untouched`.

    Parameters
    ----------
    sequences : Sequences
        The training rows.
    n_items : int
        Size of the catalogue.

    Returns
    -------
    Untouched
    """
    n_users = len(sequences.indptr) - 1
    users = np.repeat(np.arange(n_users), np.diff(sequences.indptr))
    pairs = np.unique(users * n_items + sequences.items)  # sorted by user, then item
    users, items = np.divmod(pairs, n_items)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=n_users))])
    rank = np.arange(len(items)) - indptr[users]  # j of p_j
    return Untouched(users * n_items + items - rank, indptr, n_items - np.diff(indptr))


def draw_untouched(ops, untouched, n_items, users, uniforms):
    """Map uniform random numbers to items that the user never interacted with.

    Parameters
    ----------
    ops : module
        `keras_ops.ops` or `numpy_ops`.
    untouched : Untouched
        Result of `index_untouched`, as arrays or tensors.
    n_items : int
        Size of the catalogue.
    users : tensor of shape (batch,), int64
        User codes. Each user must have at least one untouched item.
    uniforms : tensor of shape (batch, n), float64
        Numbers in [0, 1).

    Returns
    -------
    tensor of shape (batch, n), int64
        Item codes, drawn uniformly with replacement from the user's untouched items.
    """
    counts = ops.take(untouched.counts, users, axis=0)[:, None]
    r = ops.cast(uniforms * ops.cast(counts, "float64"), "int64")  # (batch, n)
    keys = ops.reshape(users[:, None] * n_items + r, (-1,))  # (batch · n,)
    n_below = ops.searchsorted(untouched.keys, keys, side="right")
    n_below = ops.reshape(ops.cast(n_below, "int64"), ops.shape(r))  # (batch, n)
    return r + n_below - ops.take(untouched.indptr, users, axis=0)[:, None]


class Popularity(NamedTuple):
    """Probability of each item, from which `draw_popular` draws."""

    probabilities: np.ndarray  # (n_items,) float32
    cumulated: np.ndarray  # (n_items,) float64, cumulative sum of the probabilities


def index_popularity(sequences, n_items):
    """Compute the probability of drawing each item from its number of interactions.

    Parameters
    ----------
    sequences : Sequences
        The training rows.
    n_items : int
        Size of the catalogue. Items without training rows are counted as if they had
        one.

    Returns
    -------
    Popularity
    """
    counts = np.maximum(np.bincount(sequences.items, minlength=n_items), 1)
    probabilities = (counts / counts.sum()).astype(np.float32)
    return Popularity(probabilities, np.cumsum(counts) / counts.sum())


def draw_popular(ops, popularity, uniforms):
    """Map uniform random numbers to items drawn in proportion to popularity.

    Parameters
    ----------
    ops : module
        `keras_ops.ops` or `numpy_ops`.
    popularity : Popularity
        Result of `index_popularity`, as arrays or tensors.
    uniforms : tensor of shape (n,), float64
        Numbers in [0, 1).

    Returns
    -------
    items : tensor of shape (m,), int64
        The different items among n that are drawn with replacement, sorted.
    log_ratios : tensor of shape (m,), float32
        Logarithm of how often an item is drawn, relative to the expectation.
    """
    items = ops.searchsorted(popularity.cumulated, uniforms, side="right")
    items, counts = ops.unique_counts(ops.cast(items, "int64"))
    n = ops.cast(ops.shape(uniforms)[0], "float32")
    expected = n * ops.take(popularity.probabilities, items, axis=0)
    return items, ops.log(ops.cast(counts, "float32") / expected)
