"""What networks are written against while training: `keras.ops` and what it lacks.

Importing this module imports TensorFlow; only `fit` does so. Operations with a gradient
of their own are faster by it, or need far less memory; NumPy's side is in
`utils/_numpy_ops.py`.
"""

from types import SimpleNamespace

from sklearn_attrec.utils._numpy_ops import EPSILON
from sklearn_attrec.utils._tensorflow import import_tensorflow

tf = import_tensorflow()

import keras.ops  # noqa: E402

__all__ = ["BatchRandom", "ops"]

# Scores that `softmax_loss` holds at a time: 64 MB of them, but never fewer rows than
# keep the matrix products busy.
SCORES_AT_ONCE = 2**24


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
        by_vector = -2 * tf.reduce_sum(upstream[:, :, None] * difference, axis=1)
        return tf.IndexedSlices(change, rows, tf.shape(table)), None, by_vector

    return tf.reduce_sum(tf.square(difference), axis=2), gradient


def row_products(a, b):
    """Inner products of the rows of a with the rows of b, matrix by matrix.

    Parameters
    ----------
    a : tensor of shape (batch, n, d)
    b : tensor of shape (batch, m, d)

    Returns
    -------
    tensor of shape (batch, n, m)
    """
    # `keras.ops` can only transpose first, which costs as much as the product.
    return tf.matmul(a, b, transpose_b=True)


def pad_rows(x, layout):
    """Bring the rows of sequences side by side; see `_networks/transformer.py`.

    Each row has one place, so that the gradient goes back the way the rows came
    instead of adding rows up.

    Parameters
    ----------
    x : tensor of shape (T, d)
    layout : Layout

    Returns
    -------
    list of tensor of shape (n, W, d)
        One for each part; padding holds any row.
    """

    @tf.custom_gradient
    def padded(x):
        def gradient(*upstream):
            return unpad_rows(upstream, layout)

        return [tf.gather(x, part.places) for part in layout.parts], gradient

    return padded(x)


def unpad_rows(padded, layout):
    """Lay the rows of padded sequences out one after the other again.

    Parameters
    ----------
    padded : list of tensor of shape (n, W, d)
    layout : Layout

    Returns
    -------
    tensor of shape (T, d)
    """

    @tf.custom_gradient
    def unpadded(*padded):
        rows = [
            tf.gather(tf.reshape(x, [-1, tf.shape(x)[2]]), part.filled)
            for x, part in zip(padded, layout.parts, strict=True)
        ]

        def gradient(upstream):
            return [
                tf.where(part.real[:, :, None], tf.gather(upstream, part.places), 0.0)
                for part in layout.parts
            ]

        return tf.concat(rows, axis=0), gradient

    return unpadded(*padded)


def softmax(x, axis=-1):
    """Exponentials scaled to sum to 1 along an axis; −inf gets exactly 0.

    That of `keras.ops` warns of an axis with one entry: a history of one item.
    """
    return tf.nn.softmax(x, axis)


@tf.custom_gradient
def standardize(x):
    """Shift and scale each row to mean 0 and variance 1.

    Parameters
    ----------
    x : tensor of shape (T, d)

    Returns
    -------
    tensor of shape (T, d)
    """
    d = tf.shape(x)[1]
    # A product with a matrix of 1/d is a mean that is already in every column, and
    # costs less than a reduction and a broadcast.
    average = tf.fill([d, d], 1 / tf.cast(d, tf.float32))
    centred = x - tf.matmul(x, average)
    inverse = tf.math.rsqrt(tf.matmul(tf.square(centred), average) + EPSILON)
    standard = centred * inverse

    def gradient(upstream):
        along = standard * tf.matmul(upstream * standard, average)
        return inverse * (upstream - tf.matmul(upstream, average) - along)

    return standard, gradient


def softmax_loss(queries, table, targets):
    """Mean cross-entropy of targets against all items.

    The scores of all places would fill the memory, so they are taken some places at a
    time; and as a mean weighs all places alike, its gradient is made at once, while
    they are at hand.

    Parameters
    ----------
    queries : tensor of shape (T, d)
    table : tensor of shape (n_items, d)
    targets : tensor of shape (T,), int64

    Returns
    -------
    tensor of shape ()
    """
    return _softmax_loss(queries, tf.convert_to_tensor(table), targets)


@tf.custom_gradient
def _softmax_loss(queries, table, targets):
    T, n_items = tf.shape(queries)[0], tf.shape(table)[0]
    n_rows = tf.clip_by_value(SCORES_AT_ONCE // n_items, 64, 1024)

    def some_places(start, total, by_query, by_table):
        rows, wanted = queries[start : start + n_rows], targets[start : start + n_rows]
        share = tf.nn.softmax(tf.matmul(rows, table, transpose_b=True))
        of_target = tf.gather(share, wanted, batch_dims=1)
        # Below the smallest number a float can hold, the loss is that number's.
        total -= tf.reduce_sum(tf.math.log(tf.maximum(of_target, 1.2e-38)))
        by_query = by_query.write(start // n_rows, tf.matmul(share, table))
        by_table += tf.matmul(share, rows, transpose_a=True)
        return start + n_rows, total, by_query, by_table

    by_query = tf.TensorArray(
        tf.float32, (T + n_rows - 1) // n_rows, infer_shape=False, element_shape=None
    )
    _, total, by_query, by_table = tf.while_loop(
        lambda start, *_: start < T,
        some_places,
        (0, 0.0, by_query, tf.zeros_like(table)),
        parallel_iterations=1,
    )
    n = tf.cast(T, tf.float32)
    by_query = by_query.concat() - tf.gather(table, targets)
    by_table -= tf.math.unsorted_segment_sum(queries, targets, n_items)

    def gradient(upstream):
        return by_query * (upstream / n), by_table * (upstream / n), None

    return total / n, gradient


# What networks are written against: `keras.ops`, and the operations it lacks.
ops = SimpleNamespace(
    **vars(keras.ops)
    | {
        function.__name__: function
        for function in (
            pad_rows,
            row_products,
            softmax,
            softmax_loss,
            squared_distances,
            standardize,
            unpad_rows,
        )
    }
)


class BatchRandom:
    """Random numbers of one batch, a fresh stream for each thing that is drawn."""

    def __init__(self, seed, step):
        self._seed, self._step, self._streams = seed, step, 0

    def _next(self):
        self._streams += 1  # far fewer than the 64 that a seed has room for
        return tf.stack([self._seed * 64 + self._streams, self._step])

    def uniform(self, shape):
        """Numbers in [0, 1), float64: exact for any catalogue size."""
        shape = tf.stack([tf.cast(size, tf.int64) for size in shape])
        return tf.random.stateless_uniform(shape, self._next(), dtype=tf.float64)

    def items(self, shape, n_items):
        """Item codes, uniform over the catalogue."""
        return tf.cast(self.uniform(shape) * tf.cast(n_items, tf.float64), tf.int64)

    def dropout(self, x, rate):
        """Set a share of x to zero and scale the rest up.

        A byte decides about each number, which rounds the share to 1/256 and costs a
        quarter of a float each.
        """
        size = tf.size(x)
        words = tf.random.stateless_uniform(
            [(size + 3) // 4], self._next(), minval=None, maxval=None, dtype=tf.int32
        )
        chance = tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:size]
        dropped = tf.minimum(tf.round(rate * 256), 255)
        keep = tf.reshape(chance >= tf.cast(dropped, tf.uint8), tf.shape(x))
        return x * tf.where(keep, 256 / (256 - dropped), 0.0)
