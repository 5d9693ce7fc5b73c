"""The training loop: epochs, one compiled step, optimiser state, early stopping.

Importing this module imports TensorFlow; only `fit` does so.
"""

import logging
from types import SimpleNamespace

import numpy as np

from sklearn_attrec.utils._tensorflow import import_tensorflow

tf = import_tensorflow()

import keras.ops  # noqa: E402

__all__ = ["Trainer"]

# Above this many rows, only rows that a batch touches are updated: a dense Adam step
# over a large table costs more than all else.
LAZY_ROWS = 30_000


class Trainer:
    """Weights and optimiser state in TensorFlow, moved on by one epoch at a time.

    The compiled epoch belongs to the module and takes all that changes between fits
    as an argument of unknown shape, so that every fit of a grid search shares one
    trace and repeated fits leave nothing behind.

    Parameters
    ----------
    batch_loss : callable
        ``batch_loss(ops, random, weights, settings, data, rows)`` -> (batch,) loss.
    weights : dict of ndarray
        Initial weights, float32, 2-D.
    settings : NamedTuple
        Of the network; numbers and arrays become inputs of the step.
    data : dict of ndarray
        Index arrays the batch loss reads.
    clipped : tuple of str
        Weights whose rows are kept in a ball of radius `max_norm`.
    optimizer : {'adam', 'adagrad'}
    learning_rate, alpha, max_norm : float
    n_steps : int or None
        Steps over which the learning rate falls to 0 in a straight line; None keeps
        it as it is.
    """

    def __init__(
        self,
        batch_loss,
        weights,
        settings,
        data,
        *,
        optimizer,
        learning_rate,
        n_steps,
        alpha,
        clipped,
        max_norm,
    ):
        self.batch_loss = batch_loss
        self.weights = {name: _variable(value, True) for name, value in weights.items()}
        for name in clipped:  # rows that no batch touches are never projected again
            self.weights[name].assign(_into_ball(self.weights[name], max_norm))
        initial = 0.1 if optimizer == "adagrad" else 0.0
        self.slots = {
            name: [_variable(np.full_like(value, initial)) for _ in range(2)]
            for name, value in weights.items()
        }
        self.settings = _graph_inputs(settings)
        self.data = {name: _graph_inputs(value) for name, value in data.items()}
        self.options = (optimizer, tuple(clipped), alpha > 0)
        decay = learning_rate / n_steps if n_steps else 0.0
        self.rates = tuple(map(_scalar, (learning_rate, decay, alpha, max_norm)))
        self.steps = 0

    def run_epoch(self, windows, batch_size, seed):
        """Train on every window once.

        Parameters
        ----------
        windows : ndarray of shape (n_windows,), int64
            Windows in the order in which they are trained on.
        batch_size : int
            Windows a step; the last step takes what is left.
        seed : int
            Of this epoch's random numbers.

        Returns
        -------
        float
            Mean loss of a window.
        """
        loss = _run_epoch(
            self.batch_loss,
            self.settings,
            self.options,
            self.weights,
            self.slots,
            self.data,
            self.rates,
            _variable(windows),
            _integer(batch_size),
            _integer(seed),
            _integer(self.steps),
        )
        self.steps += -(-len(windows) // batch_size)
        return float(loss)

    def largest_weight(self):
        """Size of the largest weight; NaN if one is not a number."""
        sizes = [tf.reduce_max(tf.abs(value)) for value in self.weights.values()]
        return float(np.max([size.numpy() for size in sizes]))

    def snapshot(self):
        """Copy the weights out as NumPy arrays."""
        return {name: value.numpy() for name, value in self.weights.items()}


# Networks are plain functions: there is nothing in them for AutoGraph to rewrite.
_plain = tf.autograph.experimental.do_not_convert


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


# What networks are written against: `keras.ops`, and two operations it lacks.
ops = SimpleNamespace(
    **vars(keras.ops), squared_distances=squared_distances, row_products=row_products
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
        quarter of a float each. `x` has three axes, the last any length.
        """
        shape = tf.shape(x)
        words = tf.stack([shape[0], shape[1], (shape[2] + 3) // 4])
        words = tf.random.stateless_uniform(
            words, self._next(), minval=None, maxval=None, dtype=tf.int32
        )
        chance = tf.reshape(tf.bitcast(words, tf.uint8), [shape[0], shape[1], -1])
        dropped = tf.minimum(tf.round(rate * 256), 255)
        keep = chance[:, :, : shape[2]] >= tf.cast(dropped, tf.uint8)
        return x * tf.where(keep, 256 / (256 - dropped), 0.0)


# TensorFlow complains of functions that are traced often. This one is, rightly: once
# for each kind of network, loss and optimiser.
logging.getLogger("tensorflow").addFilter(
    lambda record: "_run_epoch" not in record.getMessage()
)


@tf.function
def _run_epoch(
    batch_loss,
    settings,
    options,
    weights,
    slots,
    data,
    rates,
    windows,
    batch_size,
    seed,
    steps,
):
    """Loop over the batches inside the graph."""
    optimizer, clipped, penalised = options
    learning_rate, decay, alpha, max_norm = rates
    names = sorted(weights)
    n_windows = tf.shape(windows, tf.int64)[0]
    total = 0.0
    for start in tf.range(0, n_windows, batch_size):
        rate = learning_rate - decay * tf.cast(steps, tf.float32)
        steps += 1
        rows = windows[start : start + batch_size]
        with tf.GradientTape() as tape:
            random = BatchRandom(seed, steps)
            losses = _plain(batch_loss)(ops, random, weights, settings, data, rows)
            loss = tf.reduce_mean(losses)
            if penalised:
                loss += alpha * tf.add_n(
                    [tf.reduce_sum(tf.square(weights[name])) for name in names]
                )
        gradients = tape.gradient(loss, [weights[name] for name in names])
        for name, gradient in zip(names, gradients, strict=True):
            radius = max_norm if name in clipped else None
            update = _UPDATES[optimizer]
            update(weights[name], slots[name], gradient, rate, steps, radius)
        total += loss * tf.cast(tf.size(rows), tf.float32)
    return tf.math.divide_no_nan(total, tf.cast(n_windows, tf.float32))


def _adam(weight, slots, gradient, learning_rate, steps, radius):
    """Adam (Kingma, Ba 2015), dense or on the touched rows alone."""
    beta1, beta2, epsilon = 0.9, 0.999, 1e-8
    mean, square = slots
    power = tf.cast(steps, tf.float32)
    if isinstance(gradient, tf.IndexedSlices) and tf.shape(weight)[0] > LAZY_ROWS:
        rows, gradient = _sum_repeated(gradient)
        scale = tf.sqrt(1 - beta2**power) / (1 - beta1**power)
        new_mean = beta1 * tf.gather(mean, rows) + (1 - beta1) * gradient
        new_square = beta2 * tf.gather(square, rows) + (1 - beta2) * gradient**2
        mean.scatter_update(tf.IndexedSlices(new_mean, rows))
        square.scatter_update(tf.IndexedSlices(new_square, rows))
        step = learning_rate * scale * new_mean / (tf.sqrt(new_square) + epsilon)
        moved = _into_ball(tf.gather(weight, rows) - step, radius)
        weight.scatter_update(tf.IndexedSlices(moved, rows))
    else:
        tf.raw_ops.ResourceApplyAdam(
            var=weight.handle,
            m=mean.handle,
            v=square.handle,
            beta1_power=beta1**power,
            beta2_power=beta2**power,
            lr=learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            grad=tf.convert_to_tensor(gradient),  # adds up repeated rows
        )
        if radius is not None:
            weight.assign(_into_ball(weight, radius))


def _adagrad(weight, slots, gradient, learning_rate, steps, radius):
    """Adagrad (Duchi, Hazan, Singer 2011); untouched rows stay as they are."""
    if isinstance(gradient, tf.IndexedSlices):
        rows, gradient = _sum_repeated(gradient)
        total = tf.gather(slots[0], rows) + gradient**2
        slots[0].scatter_update(tf.IndexedSlices(total, rows))
        step = learning_rate * gradient / tf.sqrt(total)
        moved = _into_ball(tf.gather(weight, rows) - step, radius)
        weight.scatter_update(tf.IndexedSlices(moved, rows))
    else:
        slots[0].assign_add(gradient**2)
        moved = weight - learning_rate * gradient / tf.sqrt(slots[0])
        weight.assign(_into_ball(moved, radius))


_UPDATES = {"adam": _adam, "adagrad": _adagrad}


def _sum_repeated(gradient):
    """Add up the gradients of rows that a batch touches more than once.

    Without it a sparse update would square the parts instead of the sum.
    """
    rows, place = tf.unique(gradient.indices)
    return rows, tf.math.unsorted_segment_sum(gradient.values, place, tf.size(rows))


def _into_ball(rows, radius):
    """Project rows into the ball of a radius (equation 8)."""
    if radius is None:
        return rows
    norm = tf.sqrt(tf.reduce_sum(tf.square(rows), axis=1, keepdims=True))
    return rows * tf.minimum(1.0, radius / tf.maximum(norm, 1e-12))


def _graph_inputs(value):
    """Turn the numbers and arrays of a NamedTuple into inputs of unknown shape."""
    if hasattr(value, "_fields"):
        return type(value)(*map(_graph_inputs, value))
    if isinstance(value, np.ndarray):
        return _variable(value)
    if isinstance(value, (str, bool)):
        return value
    return _scalar(value) if isinstance(value, float) else _integer(value)


def _variable(value, trainable=False):
    value = np.asarray(value)
    return tf.Variable(value, trainable=trainable, shape=[None] * value.ndim)


def _scalar(value):
    return tf.constant(value, tf.float32)


def _integer(value):
    return tf.constant(value, tf.int64)
