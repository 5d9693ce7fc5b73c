"""SASRec: the next item by causal self-attention over a user's items.

Equations of Kang, McAuley: Self-Attentive Sequential Recommendation, ICDM 2018
(arXiv:1808.09781). Nothing here knows TensorFlow: `ops` is `keras.ops` in the compiled
training step and NumPy afterwards.
"""

from typing import NamedTuple

import numpy as np

from sklearn_attrec._networks import losses, transformer

__all__ = [
    "Settings",
    "batch_loss",
    "initial_weights",
    "query_vector",
    "setting_layout",
    "weight_layout",
]

# Into how many parts of like length attention splits a batch.
N_PARTS = 4


class Settings(NamedTuple):
    """What shapes the network besides its weights.

    Numbers and arrays are inputs of the compiled step; strings and booleans choose
    which step is compiled.
    """

    loss: str
    positions: str
    norm: str
    with_dropout: bool
    dropout: float
    n_heads: int
    n_negatives: int
    calibration: float
    signal: np.ndarray  # (L, width) position vectors that are not trained


def initial_weights(random, settings, n_items, d, n_blocks):
    """Draw the weights.

    Parameters
    ----------
    random : numpy Generator
    settings : Settings
    n_items, d, n_blocks : int

    Returns
    -------
    dict of ndarray, float32
        `E` (n_items, d) items; `P` (L, d) positions, the last of which belongs to the
        latest item, if they are learned; and those of `transformer.initial_blocks`.
    """
    weights = {"E": small(random, (n_items, d))}
    if settings.positions == "learned":
        weights["P"] = small(random, settings.signal.shape)
    return weights | transformer.initial_blocks(random, settings, n_blocks, d)


def setting_layout(width="d"):
    """Dtype and names of the sizes of each array among the settings."""
    return {"signal": ("f4", ("L", width))}


def weight_layout(settings, n_blocks, width="d"):
    """Dtype and names of the sizes of each weight.

    Parameters
    ----------
    settings : Settings
    n_blocks : int
    width : str, default="d"
        Name of the length of a row that the encoder reads.

    Returns
    -------
    dict of (dtype, names of sizes)
    """
    layout = {"E": ("f4", ("n_items", "d"))}
    if settings.positions == "learned":
        layout["P"] = ("f4", ("L", width))
    return layout | transformer.block_layout(settings, n_blocks, width)


def small(random, shape):
    """Draw the rows of a table."""
    return (0.02 * random.standard_normal(shape)).astype(np.float32)


def embed(ops, weights, settings, items, back):
    """Items with their positions, the input of the encoder.

    Parameters
    ----------
    ops : module
    weights : dict
        `E` and `P`.
    settings : Settings
    items : tensor of shape (T,)
        Item codes.
    back : tensor of shape (T,)
        How far each is from the end of its sequence; 1 is the last one.

    Returns
    -------
    tensor of shape (T, d)
    """
    d = ops.cast(ops.shape(weights["E"])[1], "float32")
    x = ops.take(weights["E"], items, axis=0) * ops.sqrt(d)
    return x + positions(ops, weights, settings, back)


def positions(ops, weights, settings, back):
    """Vectors of the positions counted from the end, (T, width)."""
    learned = settings.positions == "learned"
    table = weights["P"] if learned else settings.signal
    L = ops.cast(ops.shape(table)[0], "int64")
    return ops.take(table, L - back, axis=0)


class Batch(NamedTuple):
    """The items of some windows, one window after the other."""

    places: object  # (T,) where in the data each item is
    back: object  # (T,) how far from the end of its window
    window: object  # (T,) of which window
    layout: transformer.Layout


def read_windows(ops, windows):
    """Find the items of some windows and lay them out, the longest window first.

    Parameters
    ----------
    ops : module
    windows : tensor of shape (n, 2), int64
        Begin and end, as positions of the data.

    Returns
    -------
    windows : tensor of shape (n, 2), int64
        In the order of the batch.
    batch : Batch
    """
    windows = ops.take(windows, ops.argsort(windows[:, 0] - windows[:, 1]), axis=0)
    lengths = windows[:, 1] - windows[:, 0]
    layout = transformer.lay_out(ops, lengths, N_PARTS)
    window = ops.repeat(ops.arange(ops.shape(lengths)[0]), lengths)  # (T,)
    row = ops.cast(ops.arange(ops.shape(window)[0]), "int64")
    back = ops.take(layout.ends, window, axis=0) - row
    places = ops.take(windows[:, 1], window, axis=0) - back
    return windows, Batch(places, back, window, layout)


def batch_loss(ops, random, weights, settings, data, windows):
    """Loss of some training windows: each item is asked for the one after it.

    Parameters
    ----------
    ops : module
    random : BatchRandom
        Random numbers of this batch.
    weights : dict
        Of `initial_weights`.
    settings : Settings
    data : dict
        `items` (n_rows,) of the sequences, `users` (n_rows,) whose they are, and what
        the losses need to draw negatives.
    windows : tensor of shape (n, 2), int64
        Begin and end of the inputs, as positions of `items`.

    Returns
    -------
    tensor
        Losses, whose mean is to be made small.
    """
    windows, batch = read_windows(ops, windows)
    items = ops.take(data["items"], batch.places, axis=0)
    targets = ops.take(data["items"], batch.places + 1, axis=0)
    users = ops.take(data["users"], windows[:, 0], axis=0)  # (n,)
    x = embed(ops, weights, settings, items, batch.back)
    x = transformer.encode(ops, weights, settings, x, batch.layout, random)
    return losses.next_item(
        ops, random, weights["E"], settings, data, x, users, batch, targets
    )


def query_vector(ops, weights, settings, items, user=None):
    """Query side of the score as an inner product with the rows of E.

    Parameters
    ----------
    ops : module
    weights : dict
    settings : Settings
    items : ndarray of shape (n,)
        A history of at most L items, the latest at the end.
    user : int, default=None
        Not read.

    Returns
    -------
    tensor of shape (d,)
    """
    layout = transformer.lay_out(ops, np.array([len(items)]))
    x = embed(ops, weights, settings, items, np.arange(len(items), 0, -1))
    return transformer.encode(ops, weights, settings, x, layout, last=True)[0]
