"""Query vectors of a transformer: its outputs at the last items of histories, in NumPy.

Histories of equal length are encoded together, as an array (n, W, width) without
padding. NumPy multiplies such arrays one history after the other, so that no bit of a
query vector depends on the other histories.
"""

from functools import partial

import numpy as np

from sklearn_attrec._networks import numpy_ops as ops
from sklearn_attrec._networks.time_buckets import time_buckets
from sklearn_attrec._networks.transformer import (
    apply_block,
    block_weights,
    final_norm,
    split_heads,
)

__all__ = ["STRIP", "last_outputs", "time_bias"]

# Number of rows of the attention matrix that are computed together. Smaller strips
# compute fewer values that the causal mask discards, in smaller matrix products.
STRIP = 64
CAUSAL_BIAS = np.triu(np.full((STRIP, STRIP), -np.inf, np.float32), 1)


def last_outputs(weights, settings, x, times=None):
    """Return the output of the encoder at the last item of each history.

    Parameters
    ----------
    weights : dict
        With the weights of `transformer.initial_blocks`.
    settings : TransformerSettings
    x : ndarray of shape (n, W, width)
        Item embeddings plus position vectors of n histories of W items.
    times : ndarray of shape (n, W + 1), float64, default=None
        Times of the items and of the request, in seconds; None adds no time bias.

    Returns
    -------
    ndarray of shape (n, width)
    """
    *first, last = block_weights(weights)
    for block in first:
        x = apply_block(ops, block, settings, x, partial(_attend, times))
    attend = partial(_attend_from_last, times)
    x = apply_block(ops, last, settings, x, attend, last=True)
    return final_norm(ops, weights, settings, x)[:, 0]


def _attend(times, weights, settings, inputs):
    """Apply causal attention, (n, W, width)."""
    n_heads, scale = settings.n_heads, _scale(settings, inputs)
    query = split_heads(ops, inputs @ (weights["W_Q"] * scale), n_heads)
    key, value = (
        split_heads(ops, inputs @ weights[name], n_heads) for name in ("W_K", "W_V")
    )
    output = np.empty_like(inputs)  # (n, W, width)
    heads = split_heads(ops, output, n_heads)  # a view
    W = inputs.shape[1]
    for start in range(0, W, STRIP):
        stop = min(start + STRIP, W)
        logits = query[:, :, start:stop] @ key[:, :, :stop].swapaxes(2, 3)
        logits[..., start:] += CAUSAL_BIAS[: stop - start, : stop - start]
        if times is not None:
            logits += time_bias(times, weights, settings, start, stop)
        heads[:, :, start:stop] = _average(logits, value[:, :, :stop])
    return output @ weights["W_O"]


def _attend_from_last(times, weights, settings, inputs):
    """Apply attention of the last item to all items, (n, 1, width).

    q · (x W_K) = (W_K q) · x and Σ a (x W_V) = (Σ a x) W_V, so that the other items
    need not be projected.
    """
    n_heads, scale = settings.n_heads, _scale(settings, inputs)
    query = split_heads(ops, inputs[:, -1:] @ (weights["W_Q"] * scale), n_heads)
    W_K, W_V = (
        split_heads(ops, weights[name][None], n_heads)[0] for name in ("W_K", "W_V")
    )
    query = (query @ W_K.swapaxes(1, 2))[:, :, 0]  # (n, n_heads, width)
    logits = query @ inputs.swapaxes(1, 2)  # (n, n_heads, W)
    if times is not None:
        W = inputs.shape[1]
        logits += time_bias(times, weights, settings, W - 1, W)[:, :, 0]
    average = _average(logits, inputs)  # (n, n_heads, width)
    output = average[:, :, None] @ W_V  # (n, n_heads, 1, size)
    return output.reshape(len(inputs), 1, -1) @ weights["W_O"]


def time_bias(times, weights, settings, start, stop):
    """Return the bias of attention by time, for some of its rows.

    Parameters
    ----------
    times : ndarray of shape (n, W + 1), float64
        Times of the items and of the request, in seconds.
    weights : dict
        Weights of the block, with `b_time`.
    settings : NamedTuple
        With `time_bias`.
    start, stop : int
        The rows; none of them attends to an item after `stop`.

    Returns
    -------
    ndarray of shape (n, 1, stop - start, stop)
    """
    later = settings.time_bias == "request"
    references = times[:, start + later : stop + later]
    buckets = time_buckets(ops, references, times[:, :stop])
    return weights["b_time"][buckets][:, None]


def _scale(settings, inputs):
    return np.float32((inputs.shape[2] // settings.n_heads) ** -0.5)


def _average(logits, values):
    """Average values with the softmax of logits as weights; overwrites the logits."""
    logits -= logits.max(axis=-1, keepdims=True)
    np.exp(logits, out=logits)
    total = logits @ np.ones((logits.shape[-1], 1), np.float32)
    return (logits @ values) / total
