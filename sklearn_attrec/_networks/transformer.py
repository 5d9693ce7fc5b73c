"""Causal self-attention over sequences of different lengths.

The encoder of Kang, McAuley: Self-Attentive Sequential Recommendation, ICDM 2018
(arXiv:1808.09781), and its post-norm variant after Vaswani et al.: Attention Is All
You Need, NeurIPS 2017. The sequences of a batch are stored one after the other as rows
of a matrix (T, width). Only attention needs padded sequences: it splits the batch into
a few parts and pads each part to its longest sequence. Sequences are grouped by length
to reduce padding.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from sklearn_attrec._networks.item_features import item_rows
from sklearn_attrec._networks.positions import sinusoids
from sklearn_attrec._networks.time_buckets import N_BUCKETS
from sklearn_attrec.exceptions import InvalidParameterError

__all__ = [
    "Layout",
    "Part",
    "TransformerSettings",
    "apply_block",
    "block_layout",
    "block_weights",
    "check_heads",
    "encode",
    "final_norm",
    "initial_blocks",
    "initial_table",
    "join_heads",
    "lay_out",
    "layer_norm",
    "make_transformer_settings",
    "position_vectors",
    "split_heads",
    "with_features",
]

# Probability that a step leaves out the own row of an item with features. Larger ones
# rank other items worse.
OWN_DROPOUT = 0.01

PROJECTIONS = ("W_Q", "W_K", "W_V", "W_O", "W_1", "W_2")
BIASES = ("b_1", "b_2", "s_att", "s_ff")
GAINS = ("g_att", "g_ff")


class TransformerSettings(NamedTuple):
    """Everything that defines a transformer and its loss except the weights.

    Numbers and arrays are inputs of the compiled step. A step is compiled for each
    combination of strings and booleans.
    """

    loss: str
    positions: str
    norm: str
    with_dropout: bool
    dropout: float
    n_heads: int
    n_negatives: int
    calibration: float
    time_bias: str  # "" for none
    position_vectors: np.ndarray  # (L, width), used if they are not learned


def make_transformer_settings(
    width,
    *,
    L,
    n_heads,
    dropout,
    loss,
    n_negatives,
    calibration,
    positions,
    norm,
    time_bias,
):
    """Create the settings from the parameters of a transformer.

    Parameters
    ----------
    width : int
        Embedding size of the encoder.
    L, n_heads, dropout, loss, n_negatives, calibration, positions, norm, time_bias
        Parameters of the estimator.

    Returns
    -------
    TransformerSettings

    Raises
    ------
    InvalidParameterError
        If `n_heads` does not divide the width.
    """
    check_heads(n_heads, width)
    return TransformerSettings(
        loss=loss,
        positions=positions,
        norm=norm,
        with_dropout=dropout > 0,
        dropout=dropout,
        n_heads=n_heads,
        n_negatives=n_negatives,
        calibration=calibration,
        time_bias=time_bias or "",
        position_vectors=sinusoids(L, width),
    )


def check_heads(n_heads, width):
    """Raise an error if the number of heads does not divide the embedding size."""
    if width % n_heads:
        raise InvalidParameterError(
            f"The 'n_heads' parameter must divide the embedding size {width} of the "
            f"transformer. Got {n_heads} instead. Set n_heads to a divisor of {width}."
        )


def initial_table(random, shape):
    """Draw an embedding table, float32."""
    return (0.02 * random.standard_normal(shape)).astype(np.float32)


def with_features(ops, random, weights, data):
    """Return the weights of a step: with item features, E is the sum of all rows."""
    (E,) = item_rows(ops, random, weights, data, ("E",), OWN_DROPOUT)
    return weights | {"E": E}


class Part(NamedTuple):
    """Sequences of similar length, left-padded to the longest.

    For two sequences of lengths 3 and 1, stored in rows 2 to 4 and in row 5::

        places  2 3 4   padding_mask  T T T   mask_bias of      0  −inf  −inf
                0 0 5                 F F T   the second     −inf     0  −inf
                                                             −inf  −inf     0
    """

    places: object  # (n, W) row of the item at each position; row 0 at padding
    padding_mask: object  # (n, W) False at padding
    filled: object  # (t,) flat indices of the positions that are not padding
    mask_bias: object  # (n, W, W) 0 where i may attend to j, else −inf
    buckets: object = None  # (n, W, W) bucket of the time between positions i and j


class Layout(NamedTuple):
    """Position of each sequence of a batch in the rows and in the padded parts."""

    parts: list
    ends: object  # (n,) index after the last row of each sequence


def lay_out(ops, lengths, n_parts=1):
    """Compute the layout of sequences that are stored one after the other.

    Parameters
    ----------
    ops : module
        `keras_ops.ops` or `numpy_ops`.
    lengths : tensor of shape (n,), int64
        Length of each sequence. Each part takes consecutive sequences, so sort them by
        length to reduce padding.
    n_parts : int, default=1
        Number of parts.

    Returns
    -------
    Layout
    """
    n = ops.shape(lengths)[0]
    ends = ops.cumsum(lengths)
    parts = []
    for part in range(n_parts):
        rows = slice(n * part // n_parts, n * (part + 1) // n_parts)
        length, end = lengths[rows][:, None], ends[rows][:, None]
        offsets = ops.arange(-ops.max(length, initial=0), 0)  # (W,) −W … −1
        padding_mask = offsets >= -length  # (n, W)
        causal = offsets[:, None] >= offsets[None, :]  # (W, W)
        itself = offsets[:, None] == offsets[None, :]  # (W, W)
        attention_mask = causal[None] & padding_mask[:, None, :]  # (n, W, W)
        # Padding attends to itself, because the softmax of a row of −inf is NaN.
        attention_mask = attention_mask | itself[None]
        (filled,) = ops.nonzero(ops.reshape(padding_mask, (-1,)))
        mask_bias = ops.cast(ops.where(attention_mask, 0.0, -np.inf), "float32")
        places = ops.where(padding_mask, end + offsets, 0)  # (n, W)
        parts.append(Part(places, padding_mask, filled, mask_bias))
    return Layout(parts, ends)


def initial_blocks(random, parameters, width):
    """Draw the initial weights of the blocks.

    Parameters
    ----------
    random : numpy Generator
    parameters : dict
        With `n_blocks`, `norm` and `time_bias`.
    width : int
        Embedding size of the encoder.

    Returns
    -------
    dict of ndarray, float32
        For each block b, with the prefix `b.`: `W_Q`, `W_K`, `W_V`, `W_O`, `W_1`, `W_2`
        (width, width); the biases `b_1`, `b_2` (width,); gain and bias of the two layer
        norms, `g_att`, `s_att`, `g_ff`, `s_ff` (width,); with a time bias `b_time`
        (128,). With norm='pre' also `g_out` and `s_out` of the final layer norm.
    """
    weights = {}
    bound = np.sqrt(6 / (2 * width))  # Glorot, Bengio 2010
    for b in range(parameters["n_blocks"]):
        if parameters["time_bias"]:
            weights[f"{b}.b_time"] = np.zeros(N_BUCKETS)
        for name in PROJECTIONS:
            weights[f"{b}.{name}"] = random.uniform(-bound, bound, (width, width))
        for name in BIASES:
            weights[f"{b}.{name}"] = np.zeros(width)
        for name in GAINS:
            weights[f"{b}.{name}"] = np.ones(width)
    if parameters["norm"] == "pre":
        weights |= {"g_out": np.ones(width), "s_out": np.zeros(width)}
    return {name: value.astype(np.float32) for name, value in weights.items()}


def block_layout(parameters, width):
    """Return the dtype and the symbolic shape of each weight of `initial_blocks`.

    Parameters
    ----------
    parameters : dict
        With `n_blocks`, `norm` and `time_bias`.
    width : str
        Symbol for the embedding size of the encoder.

    Returns
    -------
    dict of (dtype, symbolic shape)
    """
    square, row = ("f4", (width, width)), ("f4", (width,))
    layout = {}
    for b in range(parameters["n_blocks"]):
        layout |= {f"{b}.{name}": square for name in PROJECTIONS}
        layout |= {f"{b}.{name}": row for name in BIASES + GAINS}
        if parameters["time_bias"]:
            layout[f"{b}.b_time"] = ("f4", (str(N_BUCKETS),))
    return layout | (
        {"g_out": row, "s_out": row} if parameters["norm"] == "pre" else {}
    )


def encode(ops, weights, settings, x, layout, random=None):
    """Apply the transformer blocks: each item attends to itself and to earlier items.

    Parameters
    ----------
    ops : module
        `keras_ops.ops` or `numpy_ops`.
    weights : dict
        With the weights of `initial_blocks`.
    settings : TransformerSettings
    x : tensor of shape (T, width)
        Item embeddings plus position vectors.
    layout : Layout
    random : BatchRandom, default=None
        Random numbers for dropout; None in prediction.

    Returns
    -------
    tensor of shape (T, width)
    """

    def drop(x):
        if random is None or not settings.with_dropout:
            return x
        return random.dropout(x, settings.dropout)

    attend = partial(_attend, ops, layout, drop)
    x = drop(x)
    for block in block_weights(weights):
        x = apply_block(ops, block, settings, x, attend, drop)
    return final_norm(ops, weights, settings, x)


def block_weights(weights):
    """Return the weights of each block, without their prefixes, as a list of dict."""
    prefixes = {name.partition(".")[0] for name in weights if "." in name}
    return [
        {
            name.removeprefix(f"{b}."): value
            for name, value in weights.items()
            if name.startswith(f"{b}.")
        }
        for b in range(len(prefixes))
    ]


def apply_block(ops, weights, settings, x, attend, drop=lambda x: x, last=False):
    """Apply attention and feed-forward.

    Parameters
    ----------
    ops : module
    weights : dict
        Weights of the block, of `block_weights`.
    settings : TransformerSettings
    x : tensor of shape (T, width) or (n, W, width)
    attend : callable
        Attention layer: maps weights, settings and its inputs to outputs.
    drop : callable, default=identity
        Dropout.
    last : bool, default=False
        Whether `attend` returns the output of the last of W items only, (n, 1, width).

    Returns
    -------
    tensor of the shape of x or, if last, (n, 1, width)
    """
    pre = settings.norm == "pre"
    norms = [(weights["g_att"], weights["s_att"]), (weights["g_ff"], weights["s_ff"])]
    output = attend(weights, settings, layer_norm(ops, x, *norms[0]) if pre else x)
    x = (x[:, -1:] if last else x) + drop(output)
    if not pre:
        x = layer_norm(ops, x, *norms[0])
    hidden = layer_norm(ops, x, *norms[1]) if pre else x
    hidden = drop(ops.relu(ops.matmul(hidden, weights["W_1"]) + weights["b_1"]))
    x = x + drop(ops.matmul(hidden, weights["W_2"]) + weights["b_2"])
    return x if pre else layer_norm(ops, x, *norms[1])


def final_norm(ops, weights, settings, x):
    """Normalise the output of the last block, unless it ends with a layer norm."""
    if settings.norm == "post":
        return x
    return layer_norm(ops, x, weights["g_out"], weights["s_out"])


def _attend(ops, layout, drop, weights, settings, inputs):
    """Apply causal multi-head attention to the sequences of a layout, (T, width)."""
    width = ops.shape(inputs)[1]
    n_heads = ops.cast(settings.n_heads, "int32")
    scale = 1 / ops.sqrt(ops.cast(width // n_heads, "float32"))
    query = ops.matmul(inputs, weights["W_Q"] * scale)
    key, value = (ops.matmul(inputs, weights[name]) for name in ("W_K", "W_V"))
    outputs = []
    padded = (ops.pad_rows(x, layout) for x in (query, key, value))
    for part, *parts in zip(layout.parts, *padded, strict=True):
        q, k, v = (split_heads(ops, x, n_heads) for x in parts)
        logits = ops.row_products(q, k) + part.mask_bias[:, None]
        if part.buckets is not None:
            logits += ops.lookup(weights["b_time"], part.buckets)[:, None]
        attention_weights = drop(ops.softmax(logits, axis=-1))  # (n, n_heads, W, W)
        outputs.append(join_heads(ops, ops.matmul(attention_weights, v)))
    return ops.matmul(ops.unpad_rows(outputs, layout), weights["W_O"])


def split_heads(ops, x, n_heads):
    """Divide the columns of (n, W, width) among heads: (n, n_heads, W, size)."""
    n, W, width = (ops.shape(x)[axis] for axis in range(3))
    x = ops.reshape(x, (n, W, n_heads, width // n_heads))
    return ops.transpose(x, (0, 2, 1, 3))


def join_heads(ops, x):
    """Join the columns of the heads, the inverse of `split_heads`."""
    x = ops.transpose(x, (0, 2, 1, 3))  # (n, W, n_heads, size)
    n, W, n_heads, size = (ops.shape(x)[axis] for axis in range(4))
    return ops.reshape(x, (n, W, n_heads * size))


def layer_norm(ops, x, gain, bias):
    """Apply layer normalisation (Ba, Kiros, Hinton 2016)."""
    return ops.standardize(x) * gain + bias


def position_vectors(ops, weights, settings, from_end):
    """Return the position vector of each item.

    Parameters
    ----------
    ops : module
    weights : dict
        With `P` if the positions are learned.
    settings : TransformerSettings
    from_end : tensor of shape (T,) or (W,)
        Position of each item, counted from the end of its sequence; 1 is the last item.

    Returns
    -------
    tensor of shape (T, width) or (W, width)
    """
    learned = settings.positions == "learned"
    table = weights["P"] if learned else settings.position_vectors
    L = ops.cast(ops.shape(table)[0], "int64")
    return ops.take(table, L - from_end, axis=0)
