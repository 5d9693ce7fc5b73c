"""SASRec: next-item prediction by causal self-attention over a user's items.

Equations of Kang, McAuley: Self-Attentive Sequential Recommendation, ICDM 2018
(arXiv:1808.09781). This module does not import TensorFlow: `ops` is `keras_ops.ops` in
the compiled training step and `numpy_ops` in prediction.
"""

import numpy as np

from sklearn_attrec._networks import losses, numpy_ops, transformer
from sklearn_attrec._networks.transformer_queries import last_outputs
from sklearn_attrec._networks.window_batches import read_batch

__all__ = [
    "ITEM_TABLES",
    "batch_loss",
    "initial_weights",
    "make_settings",
    "query_vectors",
    "weight_layout",
]

ITEM_TABLES = ("E",)


def make_settings(*, L, d, n_blocks, **parameters):
    """Create the settings from the parameters of `SASRecRecommender`.

    Returns
    -------
    TransformerSettings
    """
    return transformer.make_transformer_settings(d, L=L, **parameters)


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
        Item embeddings `E` (n_items, d); position vectors `P` (L, d) if they are
        learned, where the last row belongs to the latest item; and the weights of
        `transformer.initial_blocks`.
    """
    d = parameters["d"]
    weights = {"E": transformer.initial_table(random, (n_items, d))}
    if parameters["positions"] == "learned":
        weights["P"] = transformer.initial_table(random, (parameters["L"], d))
    return weights | transformer.initial_blocks(random, parameters, d)


def weight_layout(parameters, width="d"):
    """Return the dtype and the symbolic shape of each weight.

    Parameters
    ----------
    parameters : dict
        Arguments of `make_settings`.
    width : str, default="d"
        Symbol for the embedding size of the encoder.

    Returns
    -------
    dict of (dtype, symbolic shape)
    """
    layout = {"E": ("f4", ("n_items", "d"))}
    if parameters["positions"] == "learned":
        layout["P"] = ("f4", ("L", width))
    return layout | transformer.block_layout(parameters, width)


def embed(ops, weights, settings, items, from_end):
    """Return the input of the encoder: item embeddings plus position vectors.

    Parameters
    ----------
    ops : module
    weights : dict
        With `E` and, if the positions are learned, `P`.
    settings : TransformerSettings
    items : tensor of shape (T,) or (n, W)
        Item codes.
    from_end : tensor of shape (T,) or (W,)
        Position of each item, counted from the end of its sequence; 1 is the last item.

    Returns
    -------
    tensor of shape (T, d) or (n, W, d)
    """
    d = ops.cast(ops.shape(weights["E"])[1], "float32")
    x = ops.take(weights["E"], items, axis=0) * ops.sqrt(d)
    return x + transformer.position_vectors(ops, weights, settings, from_end)


def batch_loss(ops, random, weights, settings, data, windows):
    """Return the losses of a batch: each item of a window predicts the next item.

    Parameters
    ----------
    ops : module
    random : BatchRandom
        Random numbers of this batch.
    weights : dict
        The weights of `initial_weights`.
    settings : TransformerSettings
    data : dict
        The sequences, see `window_batches.read_batch`, the index that the loss draws
        negatives from, and event weights, see `losses.next_item`. Item features, see
        `item_features.item_rows`.
    windows : tensor of shape (n, 2), int64
        Start and end of the inputs of each window, as indices into `items`.

    Returns
    -------
    tensor of shape () or (T, 1)
        Losses; training minimises their mean.
    """
    batch = read_batch(ops, settings, data, windows)
    weights = transformer.with_features(ops, random, weights, data)
    x = embed(ops, weights, settings, batch.items, batch.from_end)  # (T, d)
    x = transformer.encode(ops, weights, settings, x, batch.layout, random)
    return losses.next_item(ops, random, weights["E"], settings, data, x, batch)


def query_vectors(weights, settings, items, users=None, times=None):
    """Return the query vectors of histories; scores are inner products with E.

    Parameters
    ----------
    weights : dict of ndarray
    settings : TransformerSettings
    items : ndarray of shape (n, W)
        n histories of W items, at most L, from oldest to latest.
    users : ndarray of shape (n,), default=None
        Ignored: SASRec has no user embeddings.
    times : ndarray of shape (n, W + 1), float64, default=None
        Times of the items and of the request, in seconds; None without time bias.

    Returns
    -------
    ndarray of shape (n, d)
    """
    from_end = np.arange(items.shape[1], 0, -1)
    x = embed(numpy_ops, weights, settings, items, from_end)  # (n, W, d)
    return last_outputs(weights, settings, x, times)
