"""The training loop: one compiled step, repeated, and the state of the optimiser.

Importing this module imports TensorFlow; only `fit` does so.
"""

import logging

import numpy as np

from sklearn_attrec._training_ops import BatchRandom, ops
from sklearn_attrec.utils._tensorflow import import_tensorflow

tf = import_tensorflow()

__all__ = ["Trainer"]

# Above this many rows, only rows that a batch touches are updated: a dense Adam step
# over a large table costs more than all else.
LAZY_ROWS = 30_000


class Trainer:
    """Weights and optimiser state in TensorFlow, moved on by some steps at a time.

    The compiled loop belongs to the module and takes all that changes between fits
    as an argument of unknown shape, so that every fit of a grid search shares one
    trace and repeated fits leave nothing behind.

    Parameters
    ----------
    batch_loss : callable
        ``batch_loss(ops, random, weights, settings, data, windows)`` -> losses, whose
        mean is to be made small.
    weights : dict of ndarray
        Initial weights, float32.
    settings : NamedTuple
        Of the network; numbers and arrays become inputs of the step.
    data : dict of ndarray
        Index arrays the batch loss reads.
    clipped : tuple of str
        Weights whose rows are kept in a ball of radius `max_norm`.
    optimizer : {'adam', 'adagrad'}
    beta_2 : float
        Of Adam: how slowly it forgets how large gradients were.
    alpha, max_norm : float
    """

    def __init__(
        self,
        batch_loss,
        weights,
        settings,
        data,
        *,
        optimizer,
        beta_2,
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
        self.scalars = tuple(map(_scalar, (beta_2, alpha, max_norm)))
        self.steps = 0

    def run(self, windows, batch_size, learning_rates, seed, total=0.0):
        """Train on some windows of an epoch, once each.

        However an epoch is cut into calls, between two batches, it gives the same bits.

        Parameters
        ----------
        windows : ndarray of shape (n_windows, ...), int64
            Windows in the order in which they are trained on.
        batch_size : int
            Windows a step; the last step takes what is left.
        learning_rates : ndarray of shape (n_steps,)
            Of each step.
        seed : int
            Of this epoch's random numbers.
        total : float, default=0.0
            Summed loss of the epoch's windows before these.

        Returns
        -------
        float
            Summed loss of the epoch's windows. If it is not finite, the last of `steps`
            made it so.
        """
        inputs = (
            _variable(windows),
            _integer(batch_size),
            _variable(learning_rates.astype(np.float32)),
            _integer(seed),
            _integer(self.steps),
            _scalar(total),
        )
        try:
            total, steps = _run_steps(
                self.batch_loss,
                self.settings,
                self.options,
                self.weights,
                self.slots,
                self.data,
                self.scalars,
                *inputs,
            )
        except tf.errors.ResourceExhaustedError as error:
            raise MemoryError(str(error).partition("\n")[0]) from error
        self.steps = int(steps)
        return float(total)

    def largest_weight(self):
        """Size of the largest weight; NaN if one is not a number."""
        ends = [
            (tf.reduce_max(value).numpy(), -tf.reduce_min(value).numpy())
            for value in self.weights.values()
        ]
        return float(np.max(ends))

    def snapshot(self):
        """Copy the weights out as NumPy arrays."""
        return {name: value.numpy() for name, value in self.weights.items()}

    def state(self):
        """Copy weights and optimiser state out, under names of their own."""
        return {name: value.numpy() for name, value in self._variables()}

    def restore(self, state, steps):
        """Go on where another trainer of the same kind was.

        Parameters
        ----------
        state : dict of ndarray
            Of `state`; other arrays are ignored.
        steps : int
            Steps done until then.
        """
        for name, variable in self._variables():
            old, new = variable.numpy(), state[name]
            if (old.shape, old.dtype) != (new.shape, new.dtype):
                raise ValueError(f"{name!r} is {new.dtype} {new.shape}")
            variable.assign(new)
        self.steps = steps

    def _variables(self):
        for name, weight in self.weights.items():
            yield f"weights.{name}", weight
            for number, slot in enumerate(self.slots[name]):
                yield f"optimizer.{number}.{name}", slot


# Networks are plain functions: there is nothing in them for AutoGraph to rewrite.
_plain = tf.autograph.experimental.do_not_convert


# TensorFlow complains of functions that are traced often. This one is, rightly: once
# for each kind of network, loss and optimiser.
logging.getLogger("tensorflow").addFilter(
    lambda record: "_run_steps" not in record.getMessage()
)


@tf.function
def _run_steps(
    batch_loss,
    settings,
    options,
    weights,
    slots,
    data,
    scalars,
    windows,
    batch_size,
    learning_rates,
    seed,
    steps,
    total,
):
    """Loop over the batches inside the graph."""
    optimizer, clipped, penalised = options
    beta_2, alpha, max_norm = scalars
    names = sorted(weights)
    n_windows = tf.shape(windows, tf.int64)[0]
    for start in tf.range(0, n_windows, batch_size):
        rate = learning_rates[start // batch_size]
        steps += 1
        batch = windows[start : start + batch_size]
        with tf.GradientTape() as tape:
            random = BatchRandom(seed, steps)
            losses = _plain(batch_loss)(ops, random, weights, settings, data, batch)
            loss = tf.reduce_mean(losses)
            if penalised:
                loss += alpha * tf.add_n(
                    [tf.reduce_sum(tf.square(weights[name])) for name in names]
                )
        gradients = tape.gradient(loss, [weights[name] for name in names])
        for name, gradient in zip(names, gradients, strict=True):
            radius = max_norm if name in clipped else None
            update = _UPDATES[optimizer]
            update(weights[name], slots[name], gradient, rate, beta_2, steps, radius)
        total += loss * tf.cast(tf.shape(batch)[0], tf.float32)
        if not tf.math.is_finite(total):
            break
    return total, steps


def _adam(weight, slots, gradient, learning_rate, beta_2, steps, radius):
    """Adam (Kingma, Ba 2015), dense or on the touched rows alone."""
    beta_1, epsilon = 0.9, 1e-8
    mean, square = slots
    power = tf.cast(steps, tf.float32)
    if isinstance(gradient, tf.IndexedSlices) and tf.shape(weight)[0] > LAZY_ROWS:
        rows, gradient = _sum_repeated(gradient)
        scale = tf.sqrt(1 - beta_2**power) / (1 - beta_1**power)
        new_mean = beta_1 * tf.gather(mean, rows) + (1 - beta_1) * gradient
        new_square = beta_2 * tf.gather(square, rows) + (1 - beta_2) * gradient**2
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
            beta1_power=beta_1**power,
            beta2_power=beta_2**power,
            lr=learning_rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=epsilon,
            grad=tf.convert_to_tensor(gradient),  # adds up repeated rows
        )
        if radius is not None:
            weight.assign(_into_ball(weight, radius))


def _adagrad(weight, slots, gradient, learning_rate, beta_2, steps, radius):
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
