"""`keras.ops` and the one operation it lacks, for the compiled training step.

Importing this module imports TensorFlow; only `fit` does so.
"""

import tensorflow as tf
from keras.ops import (
    any,
    arange,
    cast,
    concatenate,
    einsum,
    logsumexp,
    matmul,
    max,
    maximum,
    min,
    minimum,
    ones_like,
    relu,
    reshape,
    searchsorted,
    shape,
    softmax,
    softplus,
    sqrt,
    square,
    sum,
    swapaxes,
    take,
    where,
)

__all__ = [
    "any",
    "arange",
    "cast",
    "concatenate",
    "einsum",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "min",
    "minimum",
    "ones_like",
    "relu",
    "reshape",
    "searchsorted",
    "shape",
    "softmax",
    "softplus",
    "sqrt",
    "square",
    "squared_distances",
    "sum",
    "swapaxes",
    "take",
    "where",
]


def squared_distances(table, indices, vectors):
    """Squared distance of each vector to some rows of a table.

    The gradient touches only rows whose distance has one. A hinge loss leaves most
    pairs alone after the first epochs, and adding up rows is the dearest part of a
    step.

    Parameters
    ----------
    table : tensor of shape (n_rows, d)
    indices : tensor of shape (batch, n), int64
    vectors : tensor of shape (batch, d)

    Returns
    -------
    tensor of shape (batch, n)
    """
    return _squared_distances(tf.convert_to_tensor(table), indices, vectors)


@tf.custom_gradient
def _squared_distances(table, indices, vectors):
    difference = tf.gather(table, indices) - vectors[:, None]  # (batch, n, d)

    def gradient(upstream):
        pulled = tf.where(tf.not_equal(upstream, 0.0))  # (m, 2)
        strength = 2 * tf.gather_nd(upstream, pulled)  # (m,)
        change = strength[:, None] * tf.gather_nd(difference, pulled)  # (m, d)
        rows = tf.gather_nd(indices, pulled)
        by_vector = -2 * tf.matmul(upstream[:, None, :], difference)  # (batch, 1, d)
        return tf.IndexedSlices(change, rows, tf.shape(table)), None, by_vector[:, 0]

    return tf.reduce_sum(tf.square(difference), axis=2), gradient
