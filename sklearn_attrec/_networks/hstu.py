"""HSTU: next-item prediction by pointwise attention with gates.

Equations of Zhai et al.: Actions Speak Louder than Words: Trillion-Parameter Sequential
Transducers for Generative Recommendations, ICML 2024 (arXiv:2402.17152), section 3.2.
This module does not import TensorFlow: `ops` is `keras_ops.ops` in the compiled
training step and `numpy_ops` in prediction.
"""

from typing import NamedTuple

import numpy as np

from sklearn_attrec._networks import losses, numpy_ops
from sklearn_attrec._networks.time_buckets import N_BUCKETS
from sklearn_attrec._networks.transformer import (
    block_weights,
    check_heads,
    initial_table,
    join_heads,
    layer_norm,
    split_heads,
    with_features,
)
from sklearn_attrec._networks.transformer_queries import STRIP, time_bias
from sklearn_attrec._networks.window_batches import read_batch

__all__ = [
    "ITEM_TABLES",
    "Settings",
    "batch_loss",
    "initial_weights",
    "make_settings",
    "query_vectors",
    "weight_layout",
]

ITEM_TABLES = ("E",)


class Settings(NamedTuple):
    """Everything that defines the network and its loss except the weights.

    Numbers and arrays are inputs of the compiled step. A step is compiled for each
    combination of strings and booleans.
    """

    loss: str
    time_bias: str  # "" for none
    with_dropout: bool
    dropout: float
    n_heads: int
    n_negatives: int
    calibration: float


def make_settings(
    *, L, d, n_blocks, n_heads, dropout, loss, n_negatives, calibration, time_bias
):
    """Create the settings from the parameters of `HSTURecommender`.

    Returns
    -------
    Settings

    Raises
    ------
    InvalidParameterError
        If `n_heads` does not divide d.
    """
    check_heads(n_heads, d)
    return Settings(
        loss=loss,
        time_bias=time_bias or "",
        with_dropout=dropout > 0,
        dropout=dropout,
        n_heads=n_heads,
        n_negatives=n_negatives,
        calibration=calibration,
    )


def initial_weights(random, parameters, n_users, n_items):
    """Draw the initial weights.

    Parameters
    ----------
    random : numpy Generator
    parameters : dict
        Arguments of `make_settings`.
    n_users, n_items : int

    Returns
    -------
    dict of ndarray, float32
        Item embeddings `E` (n_items, d), gain and bias of the final layer norm, `g_out`
        and `s_out` (d,), and for each block b, with the prefix `b.`: `W_in` (d, 4d) and
        `b_in` (4d,), which project to gate, value, query and key; `W_out` (d, d) and
        `b_out` (d,); gain and bias of the layer norm, `g` and `s` (d,); the position
        bias `b_position` (L,), where the last one belongs to the item itself; and, with
        a time bias, `b_time`.
    """
    d, L = parameters["d"], parameters["L"]
    weights = {"E": initial_table(random, (n_items, d))}
    bound = np.sqrt(6 / (2 * d))  # Glorot, Bengio 2010, for each of the projections
    for b in range(parameters["n_blocks"]):
        block = {
            "W_in": random.uniform(-bound, bound, (d, 4 * d)),
            "b_in": np.zeros(4 * d),
            "W_out": random.uniform(-bound, bound, (d, d)),
            "b_out": np.zeros(d),
            "g": np.ones(d),
            "s": np.zeros(d),
            "b_position": np.zeros(L),
        }
        if parameters["time_bias"]:
            block["b_time"] = np.zeros(N_BUCKETS)
        weights |= {f"{b}.{name}": value for name, value in block.items()}
    weights |= {"g_out": np.ones(d), "s_out": np.zeros(d)}
    return {name: value.astype(np.float32) for name, value in weights.items()}


def weight_layout(parameters):
    """Return the dtype and the symbolic shape of each weight."""
    block = {
        "W_in": ("d", "d+d+d+d"),
        "b_in": ("d+d+d+d",),
        "W_out": ("d", "d"),
        "b_out": ("d",),
        "g": ("d",),
        "s": ("d",),
        "b_position": ("L",),
    }
    if parameters["time_bias"]:
        block["b_time"] = (str(N_BUCKETS),)
    layout = {"E": ("n_items", "d"), "g_out": ("d",), "s_out": ("d",)}
    for b in range(parameters["n_blocks"]):
        layout |= {f"{b}.{name}": shape for name, shape in block.items()}
    return {name: ("f4", shape) for name, shape in layout.items()}


def batch_loss(ops, random, weights, settings, data, windows):
    """Return the losses of a batch: each item of a window predicts the next item.

    See `sasrec.batch_loss` for the parameters and the result.
    """

    def drop(x):
        return random.dropout(x, settings.dropout) if settings.with_dropout else x

    batch = read_batch(ops, settings, data, windows)
    weights = with_features(ops, random, weights, data)
    x = drop(_embed(ops, weights, batch.items))  # (T, d)
    for block in block_weights(weights):
        gate, value, query, key = _project(ops, block, x)
        attended = _attend(ops, block, settings, batch.layout, query, key, value)
        x = x + drop(_gated(ops, block, gate, attended))
    x = layer_norm(ops, x, weights["g_out"], weights["s_out"])
    return losses.next_item(ops, random, weights["E"], settings, data, x, batch)


def _embed(ops, weights, items):
    d = ops.cast(ops.shape(weights["E"])[1], "float32")
    return ops.take(weights["E"], items, axis=0) * ops.sqrt(d)


def _project(ops, weights, x):
    """Return gate, value, query and key, each with the shape of x (equation 1)."""
    d = ops.shape(x)[-1]
    hidden = ops.matmul(layer_norm(ops, x, weights["g"], weights["s"]), weights["W_in"])
    hidden = ops.silu(hidden + weights["b_in"])
    return [hidden[..., part * d : (part + 1) * d] for part in range(4)]


def _gated(ops, weights, gate, attended):
    """Return the output of a block, before dropout (equation 3)."""
    gated = ops.standardize(attended) * gate
    return ops.matmul(gated, weights["W_out"]) + weights["b_out"]


def _attend(ops, weights, settings, layout, query, key, value):
    """Add up the values of earlier items, each times silu(logit) (equation 2)."""
    n_heads = ops.cast(settings.n_heads, "int32")
    L = ops.cast(ops.shape(weights["b_position"])[0], "int32")
    outputs = []
    padded = (ops.pad_rows(x, layout) for x in (query, key, value))
    for part, *parts in zip(layout.parts, *padded, strict=True):
        q, k, v = (split_heads(ops, x, n_heads) for x in parts)
        places = ops.arange(ops.shape(part.mask_bias)[1])
        distances = ops.maximum(places[:, None] - places[None, :], 0)
        bias = ops.lookup(weights["b_position"], L - 1 - distances)  # (W, W)
        if part.buckets is not None:
            bias = bias + ops.lookup(weights["b_time"], part.buckets)[:, None]
        logits = ops.row_products(q, k) + bias
        may_attend = part.mask_bias[:, None] == 0
        attention_weights = ops.where(may_attend, ops.silu(logits), 0.0)
        output = ops.matmul(attention_weights, v) / ops.cast(L, "float32")
        outputs.append(join_heads(ops, output))
    return ops.unpad_rows(outputs, layout)


def query_vectors(weights, settings, items, users=None, times=None):
    """Return the query vectors of histories; scores are inner products with E.

    Parameters
    ----------
    weights : dict of ndarray
    settings : Settings
    items : ndarray of shape (n, W)
        n histories of W items, at most L, from oldest to latest.
    users : ndarray of shape (n,), default=None
        Ignored: HSTU has no user embeddings.
    times : ndarray of shape (n, W + 1), float64, default=None
        Times of the items and of the request, in seconds; None without time bias.

    Returns
    -------
    ndarray of shape (n, d)
    """
    x = _embed(numpy_ops, weights, items)  # (n, W, d)
    W, blocks = items.shape[1], block_weights(weights)
    for number, block in enumerate(blocks, start=1):
        first = W - 1 if number == len(blocks) else 0  # the last block: the last item
        gate, value, query, key = _project(numpy_ops, block, x)
        attended = [
            _attend_rows(block, settings, query, key, value, times, start, W)
            for start in range(first, W, STRIP)
        ]
        attended = np.concatenate(attended, axis=1)
        x = x[:, first:] + _gated(numpy_ops, block, gate[:, first:], attended)
    return layer_norm(numpy_ops, x, weights["g_out"], weights["s_out"])[:, 0]


def _attend_rows(weights, settings, query, key, value, times, start, W):
    """Return `STRIP` rows of the attention of histories, in NumPy, (n, rows, d)."""
    stop, L = min(start + STRIP, W), len(weights["b_position"])
    query, key, value = (
        split_heads(numpy_ops, x, settings.n_heads)
        for x in (query[:, start:stop], key[:, :stop], value[:, :stop])
    )
    distances = np.arange(start, stop)[:, None] - np.arange(stop)
    logits = query @ key.swapaxes(2, 3)
    logits += weights["b_position"][L - 1 - distances.clip(0)]
    if times is not None:
        logits += time_bias(times, weights, settings, start, stop)
    attention_weights = numpy_ops.silu(logits) * (distances >= 0)
    return join_heads(numpy_ops, attention_weights @ value / np.float32(L))
