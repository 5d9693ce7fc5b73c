"""Negatives drawn without rejection: what a user never touched, or what is popular."""

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
    """What `draw_untouched` needs to know of every user's items.

    Let p_0 < p_1 < … be the distinct items that user u touched. The r-th untouched
    item is r + #{j : p_j − j ≤ r}, because p_j − j untouched items lie below p_j.
    p_j − j never decreases, so the keys u·n_items + (p_j − j) of all users form one
    sorted array and the count is one binary search in it.
    """

    keys: np.ndarray  # (n_distinct,) int64, sorted
    indptr: np.ndarray  # (n_users + 1,) int64, where each user's keys begin
    counts: np.ndarray  # (n_users,) int64, how many items each user never touched


def index_untouched(sequences, n_items):
    """Build the sorted keys from which untouched items are drawn.

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
    touched = np.unique(users * n_items + sequences.items)  # by user, then item
    users, items = np.divmod(touched, n_items)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=n_users))])
    rank = np.arange(len(items)) - indptr[users]  # j of p_j
    return Untouched(users * n_items + items - rank, indptr, n_items - np.diff(indptr))


def draw_untouched(ops, untouched, n_items, users, uniforms):
    """Turn uniform numbers into items that each user never touched.

    Written against the names of `keras.ops`, so that the compiled training step and
    NumPy share it.

    Parameters
    ----------
    ops : module
        `keras.ops` or the package's NumPy stand-in.
    untouched : Untouched
        Of `index_untouched`, as arrays or tensors.
    n_items : int
        Size of the catalogue.
    users : tensor of shape (batch,), int64
        User codes. Each must have an untouched item.
    uniforms : tensor of shape (batch, n), float64
        Numbers in [0, 1).

    Returns
    -------
    tensor of shape (batch, n), int64
        Item codes, uniform over what the user never touched, with replacement.
    """
    counts = ops.take(untouched.counts, users, axis=0)[:, None]
    nth = ops.cast(uniforms * ops.cast(counts, "float64"), "int64")  # (batch, n)
    keys = ops.reshape(users[:, None] * n_items + nth, (-1,))
    below = ops.searchsorted(untouched.keys, keys, side="right")
    below = ops.reshape(ops.cast(below, "int64"), ops.shape(nth))
    return nth + below - ops.take(untouched.indptr, users, axis=0)[:, None]


class Popularity(NamedTuple):
    """What `draw_popular` needs to know of the catalogue."""

    chances: np.ndarray  # (n_items,) float32, of each item to be drawn
    cumulated: np.ndarray  # (n_items,) float64, up to and including each item


def index_popularity(sequences, n_items):
    """Give each item its share of the rows as its chance to be drawn.

    Parameters
    ----------
    sequences : Sequences
        The training rows.
    n_items : int
        Size of the catalogue; an item without rows counts as one with a single row.

    Returns
    -------
    Popularity
    """
    counts = np.maximum(np.bincount(sequences.items, minlength=n_items), 1)
    chances = (counts / counts.sum()).astype(np.float32)
    return Popularity(chances, np.cumsum(counts) / counts.sum())


def draw_popular(ops, popularity, uniforms):
    """Turn uniform numbers into items, each as often as it is popular.

    Parameters
    ----------
    ops : module
        `keras.ops` or the package's NumPy stand-in.
    popularity : Popularity
        Of `index_popularity`, as arrays or tensors.
    uniforms : tensor of shape (n,), float64
        Numbers in [0, 1).

    Returns
    -------
    items : tensor of shape (n,), int64
        Item codes, with replacement.
    chances : tensor of shape (n,), float32
        Of each of them.
    """
    items = ops.searchsorted(popularity.cumulated, uniforms, side="right")
    items = ops.cast(items, "int64")
    return items, ops.take(popularity.chances, items, axis=0)
