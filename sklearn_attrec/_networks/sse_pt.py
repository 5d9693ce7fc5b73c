"""SSE-PT: a transformer that reads each item together with whose it is.

Wu, Li, Hsieh, Sharpnack: SSE-PT: Sequential Recommendation Via Personalized
Transformer, RecSys 2020. The encoder is that of SASRec over the rows [item; user].
Stochastic shared embeddings (Wu, Li, Hsieh, Sharpnack, NeurIPS 2019, arXiv:1905.10630)
keep the users from being learned by heart: without them it is not SSE-PT. Nothing here
knows TensorFlow: `ops` is `keras.ops` in the compiled training step and NumPy
afterwards.
"""

from typing import NamedTuple

import numpy as np

from sklearn_attrec._networks import losses, sasrec, transformer

__all__ = [
    "Settings",
    "batch_loss",
    "initial_weights",
    "query_vector",
    "setting_layout",
    "weight_layout",
]


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
    signal: np.ndarray  # (L, d + d_user) position vectors that are not trained
    sse_user: float
    sse_item: float


def initial_weights(random, settings, n_users, n_items, d, d_user, n_blocks):
    """Draw the weights.

    Parameters
    ----------
    random : numpy Generator
    settings : Settings
    n_users, n_items, d, d_user, n_blocks : int

    Returns
    -------
    dict of ndarray, float32
        `E` (n_items, d) items; `U` (n_users, d_user) users; `P` (L, d + d_user)
        positions, the last of which belongs to the latest item, if they are learned;
        and those of `transformer.initial_blocks`.
    """
    tables = {"E": (n_items, d), "U": (n_users, d_user)}
    if settings.positions == "learned":
        tables["P"] = settings.signal.shape
    weights = {name: sasrec.small(random, shape) for name, shape in tables.items()}
    return weights | transformer.initial_blocks(random, settings, n_blocks, d + d_user)


def setting_layout():
    """Dtype and names of the sizes of each array among the settings."""
    return sasrec.setting_layout("d+d_user")


def weight_layout(settings, n_blocks):
    """Dtype and names of the sizes of each weight.

    Parameters
    ----------
    settings : Settings
    n_blocks : int

    Returns
    -------
    dict of (dtype, names of sizes)
    """
    layout = sasrec.weight_layout(settings, n_blocks, "d+d_user")
    return layout | {"U": ("f4", ("n_users", "d_user"))}


def embed(ops, weights, settings, items, user_rows, back):
    """Items beside their user, with their positions, (T, d + d_user).

    Parameters
    ----------
    ops : module
    weights : dict
        `E` and `P`.
    settings : Settings
    items : tensor of shape (T,)
        Item codes.
    user_rows : tensor of shape (T, d_user)
        Rows of U.
    back : tensor of shape (T,)
        How far each is from the end of its sequence; 1 is the last one.
    """
    x = ops.concatenate([ops.take(weights["E"], items, axis=0), user_rows], axis=1)
    width = ops.cast(ops.shape(x)[1], "float32")
    return x * ops.sqrt(width) + sasrec.positions(ops, weights, settings, back)


def replace(ops, random, codes, n, chance):
    """Put a random code in the place of each, with some chance (SSE-SE).

    Parameters
    ----------
    ops : module
    random : BatchRandom
    codes : tensor of shape (m,), int64
    n : scalar, int64
        How many codes there are.
    chance : scalar

    Returns
    -------
    tensor of shape (m,), int64
    """
    shape = (ops.shape(codes)[0],)
    replaced = random.uniform(shape) < ops.cast(chance, "float64")
    return ops.where(replaced, random.items(shape, n), codes)


def batch_loss(ops, random, weights, settings, data, windows):
    """Loss of some training windows: each item is asked for the one after it.

    Parameters and result are those of `sasrec.batch_loss`.
    """
    windows, batch = sasrec.read_windows(ops, windows)
    n_items = ops.cast(ops.shape(weights["E"])[0], "int64")
    n_users = ops.cast(ops.shape(weights["U"])[0], "int64")
    items = ops.take(data["items"], batch.places, axis=0)
    targets = ops.take(data["items"], batch.places + 1, axis=0)
    users = ops.take(data["users"], windows[:, 0], axis=0)  # (n,), one a window
    shared = replace(ops, random, users, n_users, settings.sse_user)
    items = replace(ops, random, items, n_items, settings.sse_item)
    targets = replace(ops, random, targets, n_items, settings.sse_item)

    rows = ops.take(weights["U"], ops.take(shared, batch.window, axis=0), axis=0)
    x = embed(ops, weights, settings, items, rows, batch.back)
    x = transformer.encode(ops, weights, settings, x, batch.layout, random)
    d = ops.shape(weights["E"])[1]
    # Scored against [item; user]: the user's half adds the same to every item.
    bias = ops.sum(x[:, d:] * rows, axis=1, keepdims=True)  # (T, 1)
    return losses.next_item(
        ops, random, weights["E"], settings, data, x[:, :d], users, batch, targets, bias
    )


def query_vector(ops, weights, settings, items, user):
    """Query side of the score as an inner product with the rows of E.

    Parameters
    ----------
    ops : module
    weights : dict
    settings : Settings
    items : ndarray of shape (n,)
        A history of at most L items, the latest at the end.
    user : int
        User code; a negative one stands for a user without a row of U, who gets the
        mean of all: training has shown the encoder many users' rows in the place of
        each, so that an average one is nothing strange to it.

    Returns
    -------
    tensor of shape (d,)
    """
    U = weights["U"]
    row = U[user] if user >= 0 else U.mean(axis=0)
    rows = np.broadcast_to(row, (len(items), U.shape[1]))
    layout = transformer.lay_out(ops, np.array([len(items)]))
    x = embed(ops, weights, settings, items, rows, np.arange(len(items), 0, -1))
    x = transformer.encode(ops, weights, settings, x, layout, last=True)
    return x[0, : weights["E"].shape[1]]
