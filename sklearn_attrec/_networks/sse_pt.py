"""SSE-PT: a transformer over item embeddings concatenated with user embeddings.

Wu, Li, Hsieh, Sharpnack: SSE-PT: Sequential Recommendation Via Personalized
Transformer, RecSys 2020. The encoder is that of SASRec, applied to rows [item; user].
Stochastic shared embeddings (SSE; Wu, Li, Hsieh, Sharpnack, NeurIPS 2019,
arXiv:1905.10630) prevent overfitting of the user embeddings and are an essential part
of the model. This module does not import TensorFlow: `ops` is `keras_ops.ops` in the
compiled training step and `numpy_ops` in prediction.
"""

from typing import NamedTuple

import numpy as np

from sklearn_attrec._networks import losses, numpy_ops, sasrec, transformer
from sklearn_attrec._networks.transformer_queries import last_outputs
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
    """Everything that defines the network except its weights."""

    encoder: transformer.TransformerSettings
    sse_user: float
    sse_item: float


def make_settings(*, L, d, d_user, sse_user, sse_item, n_blocks, **parameters):
    """Create the settings from the parameters of `SSEPTRecommender`.

    Returns
    -------
    Settings
    """
    encoder = transformer.make_transformer_settings(d + d_user, L=L, **parameters)
    return Settings(encoder, sse_user, sse_item)


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
        Item embeddings `E` (n_items, d); user embeddings `U` (n_users, d_user);
        position vectors `P` (L, d + d_user) if they are learned, where the last row
        belongs to the latest item; and the weights of `transformer.initial_blocks`.
    """
    d, d_user = parameters["d"], parameters["d_user"]
    tables = {"E": (n_items, d), "U": (n_users, d_user)}
    if parameters["positions"] == "learned":
        tables["P"] = (parameters["L"], d + d_user)
    weights = {
        name: transformer.initial_table(random, shape) for name, shape in tables.items()
    }
    return weights | transformer.initial_blocks(random, parameters, d + d_user)


def weight_layout(parameters):
    """Return the dtype and the symbolic shape of each weight.

    Parameters
    ----------
    parameters : dict
        Arguments of `make_settings`.

    Returns
    -------
    dict of (dtype, symbolic shape)
    """
    layout = sasrec.weight_layout(parameters, "d+d_user")
    return layout | {"U": ("f4", ("n_users", "d_user"))}


def embed(ops, weights, settings, items, user_rows, from_end):
    """Return the input of the encoder: [item; user] plus position vectors.

    Parameters
    ----------
    ops : module
    weights : dict
        With `E` and, if the positions are learned, `P`.
    settings : TransformerSettings
    items : tensor of shape (T,) or (n, W)
        Item codes.
    user_rows : tensor of shape (T, d_user) or (n, W, d_user)
        Row of U for each item.
    from_end : tensor of shape (T,) or (W,)
        Position of each item, counted from the end of its sequence; 1 is the last item.

    Returns
    -------
    tensor of shape (T, d + d_user) or (n, W, d + d_user)
    """
    x = ops.concatenate([ops.take(weights["E"], items, axis=0), user_rows], axis=-1)
    width = ops.cast(ops.shape(x)[-1], "float32")
    positions = transformer.position_vectors(ops, weights, settings, from_end)
    return x * ops.sqrt(width) + positions


def replace(ops, random, codes, n, probability):
    """Replace each code by a random code with a given probability (SSE-SE).

    Parameters
    ----------
    ops : module
    random : BatchRandom
    codes : tensor of shape (m,), int64
    n : scalar, int64
        Number of codes to draw from.
    probability : scalar

    Returns
    -------
    tensor of shape (m,), int64
    """
    shape = (ops.shape(codes)[0],)
    is_replaced = random.uniform(shape) < ops.cast(probability, "float64")
    return ops.where(is_replaced, random.items(shape, n), codes)


def batch_loss(ops, random, weights, settings, data, windows):
    """Return the losses of a batch: each item of a window predicts the next item.

    See `sasrec.batch_loss` for the parameters and the result.
    """
    encoder = settings.encoder
    batch = read_batch(ops, encoder, data, windows)
    weights = transformer.with_features(ops, random, weights, data)
    n_items = ops.cast(ops.shape(weights["E"])[0], "int64")
    n_users = ops.cast(ops.shape(weights["U"])[0], "int64")
    # Negatives are drawn for `batch.users`, the original users.
    users = replace(ops, random, batch.users, n_users, settings.sse_user)
    items = replace(ops, random, batch.items, n_items, settings.sse_item)
    targets = replace(ops, random, batch.targets, n_items, settings.sse_item)
    batch = batch._replace(targets=targets)

    users = ops.take(users, batch.window, axis=0)  # (T,)
    user_rows = ops.take(weights["U"], users, axis=0)  # (T, d_user)
    x = embed(ops, weights, encoder, items, user_rows, batch.from_end)
    x = transformer.encode(ops, weights, encoder, x, batch.layout, random)
    d = ops.shape(weights["E"])[1]
    # The score is x · [item; user]. The user part is the same for all items.
    bias = ops.sum(x[:, d:] * user_rows, axis=1, keepdims=True)  # (T, 1)
    return losses.next_item(
        ops, random, weights["E"], encoder, data, x[:, :d], batch, bias
    )


def query_vectors(weights, settings, items, users, times=None):
    """Return the query vectors of histories; scores are inner products with E.

    Parameters
    ----------
    weights : dict of ndarray
    settings : Settings
    items : ndarray of shape (n, W)
        n histories of W items, at most L, from oldest to latest.
    users : ndarray of shape (n,)
        User codes. A negative code means an unseen user, who gets the mean of all user
        embeddings: SSE trains the encoder with the embeddings of other users too.
    times : ndarray of shape (n, W + 1), float64, default=None
        Times of the items and of the request, in seconds; None without time bias.

    Returns
    -------
    ndarray of shape (n, d)
    """
    U, d = weights["U"], weights["E"].shape[1]
    user_rows = U[users]  # (n, d_user)
    if (users < 0).any():
        user_rows[users < 0] = U.mean(axis=0)
    user_rows = np.broadcast_to(user_rows[:, None], (*items.shape, U.shape[1]))
    from_end = np.arange(items.shape[1], 0, -1)
    x = embed(numpy_ops, weights, settings.encoder, items, user_rows, from_end)
    return last_outputs(weights, settings.encoder, x, times)[:, :d]  # x: (n, W, width)
