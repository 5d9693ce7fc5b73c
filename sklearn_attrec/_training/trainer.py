"""The compiled training step, with the weights and the optimiser state in TensorFlow.

Importing this module imports TensorFlow; only training does so.
"""

import logging

import numpy as np

from sklearn_attrec._networks.keras_ops import ops
from sklearn_attrec._training.batch_random import BatchRandom, draw_pool
from sklearn_attrec.utils._tensorflow import import_tensorflow

tf = import_tensorflow()

__all__ = ["Trainer"]

# For arrays with more rows, a step with a sparse gradient updates only the rows used by
# the batch, because a dense Adam update would take most of the training time. The
# gradients of L2 penalties and of the full softmax are dense.
LAZY_ROWS = 30_000

# Constants of Adam; its beta_2 belongs to the `TrainingPlan`.
BETA_1, EPSILON = 0.9, 1e-8


class Trainer:
    """Weights and optimiser state in TensorFlow, updated several steps per call.

    The compiled loop is a module-level function. Everything that differs between fits
    is an argument, and the graph does not depend on its shape. All fits of a grid
    search therefore share one compiled graph, and repeated fits do not accumulate
    memory.

    Parameters
    ----------
    plan : TrainingPlan
    weights : dict of ndarray
        Initial weights, float32.
    """

    def __init__(self, plan, weights):
        self.batch_loss = plan.batch_loss
        self.weights = {name: _variable(value) for name, value in weights.items()}
        # Project all rows once, because sparse updates project only the batch's rows.
        for name in plan.bounded:
            self.weights[name].assign(_into_ball(self.weights[name], plan.max_norm))
        self.moments = {
            name: [_variable(np.zeros_like(value)) for _ in range(2)]
            for name, value in weights.items()
        }
        self.settings = _graph_inputs(plan.settings)
        self.data = {name: _graph_inputs(value) for name, value in plan.data.items()}
        large = tuple(name for name in weights if len(weights[name]) > LAZY_ROWS)
        self.options = (tuple(plan.bounded), large, plan.alpha > 0)
        self.scalars = tuple(map(_scalar, (plan.beta_2, plan.alpha, plan.max_norm)))
        self.steps = 0

    def run(self, windows, batch_size, learning_rates, seed, total=0.0):
        """Train once on each of the given windows of an epoch.

        The result does not depend on how the batches of an epoch are divided among
        calls.

        Parameters
        ----------
        windows : ndarray of shape (n_windows, ...), int
            Windows in training order.
        batch_size : int
            Windows per step; the last step may have fewer.
        learning_rates : ndarray of shape (n_steps,)
            Learning rate of each step.
        seed : int
            Seed of the random numbers of this epoch.
        total : float, default=0.0
            Sum of the losses of the epoch's previous windows.

        Returns
        -------
        float
            Sum of the losses of the epoch's windows so far. Training stops after the
            step in which it is no longer finite.
        """
        arguments = (
            self.batch_loss,
            self.settings,
            self.options,
            self.weights,
            self.moments,
            self.data,
            self.scalars,
            tf.constant(windows.astype(np.int64, copy=False)),
            _integer(batch_size),
            tf.constant(learning_rates, tf.float32),
            _integer(seed),
            _integer(self.steps),
            _scalar(total),
        )
        try:
            run_steps = _run_steps.get_concrete_function(*_without_shapes(arguments))
            total, steps = run_steps(*arguments)
        except tf.errors.ResourceExhaustedError as error:
            raise MemoryError(str(error).partition("\n")[0]) from error
        self.steps = int(steps)
        return float(total)

    def largest_weight(self):
        """Return the largest absolute weight; NaN if any weight is NaN."""
        extremes = [
            (tf.reduce_max(value).numpy(), -tf.reduce_min(value).numpy())
            for value in self.weights.values()
        ]
        return float(np.max(extremes))

    def has_trained(self):
        """Return whether any step was done: the moments start at 0."""
        return any(
            bool(tf.reduce_any(moment != 0)) for moment, _ in self.moments.values()
        )

    def snapshot(self):
        """Return a copy of the weights as NumPy arrays."""
        return {name: value.numpy() for name, value in self.weights.items()}

    def state(self):
        """Return a copy of the weights and optimiser state as NumPy arrays."""
        return {name: value.numpy() for name, value in self._variables()}

    def restore(self, state, steps):
        """Continue from the state of another trainer of the same kind.

        Parameters
        ----------
        state : dict of ndarray
            The result of `state`; other arrays are ignored.
        steps : int
            Number of steps done by the other trainer.
        """
        for name, variable in self._variables():
            old, new = variable.numpy(), state[name]
            if (old.shape, old.dtype) != (new.shape, new.dtype):
                raise ValueError(
                    f"{name!r} must have shape {old.shape} and dtype {old.dtype}. Got "
                    f"shape {new.shape} and dtype {new.dtype} instead"
                )
            variable.assign(new)
        self.steps = steps

    def _variables(self):
        for name, weight in self.weights.items():
            yield f"weights.{name}", weight
            for number, moment in enumerate(self.moments[name]):
                yield f"optimizer.{number}.{name}", moment


# TensorFlow warns about functions that are traced often. `_run_steps` is traced once
# per kind of network, loss and regularisation, as intended.
logging.getLogger("tensorflow").addFilter(
    lambda record: "_run_steps" not in record.getMessage()
)


# Without AutoGraph, which needs the source code and raises warnings on Python 3.13.
@tf.function(autograph=False)
def _run_steps(
    batch_loss,
    settings,
    options,
    weights,
    moments,
    data,
    scalars,
    windows,
    batch_size,
    learning_rates,
    seed,
    steps,
    total,
):
    """Train on all batches of the windows, in a loop inside the graph."""
    bounded, large, penalised = options
    beta_2, alpha, max_norm = scalars
    names = sorted(weights)
    n_windows = tf.shape(windows, tf.int64)[0]

    pool = draw_pool(seed)

    def continues(start, steps, total):
        return (start < n_windows) & tf.math.is_finite(total)

    def take_step(start, steps, total):
        rate = learning_rates[start // batch_size]
        steps += 1
        batch = windows[start : start + batch_size]
        with tf.GradientTape() as tape:
            random = BatchRandom(seed, steps, pool)
            loss = tf.reduce_mean(
                batch_loss(ops, random, weights, settings, data, batch)
            )
            if penalised:
                loss += alpha * tf.add_n(
                    [tf.reduce_sum(tf.square(weights[name])) for name in names]
                )
        gradients = tape.gradient(loss, [weights[name] for name in names])
        for name, gradient in zip(names, gradients, strict=True):
            is_lazy = name in large and isinstance(gradient, tf.IndexedSlices)
            update = _update_used_rows if is_lazy else _update_all_rows
            radius = max_norm if name in bounded else None
            update(weights[name], moments[name], gradient, rate, beta_2, steps, radius)
        total += loss * tf.cast(tf.shape(batch)[0], tf.float32)
        return start + batch_size, steps, total

    start = tf.constant(0, tf.int64)
    _, steps, total = tf.while_loop(continues, take_step, (start, steps, total))
    return total, steps


def _update_all_rows(weight, moments, gradient, learning_rate, beta_2, steps, radius):
    """Apply one step of Adam (Kingma, Ba 2015)."""
    mean, square = moments
    power = tf.cast(steps, tf.float32)
    tf.raw_ops.ResourceApplyAdam(
        var=weight.handle,
        m=mean.handle,
        v=square.handle,
        beta1_power=BETA_1**power,
        beta2_power=beta_2**power,
        lr=learning_rate,
        beta1=BETA_1,
        beta2=beta_2,
        epsilon=EPSILON,
        grad=tf.convert_to_tensor(gradient),  # sums repeated rows
    )
    if radius is not None:
        weight.assign(_into_ball(weight, radius))


def _update_used_rows(weight, moments, gradient, learning_rate, beta_2, steps, radius):
    """Apply one step of Adam to the rows that the batch uses, and to no other row."""
    mean, square = moments
    power = tf.cast(steps, tf.float32)
    rows, summed = _sum_repeated(gradient)
    scale = tf.sqrt(1 - beta_2**power) / (1 - BETA_1**power)
    new_mean = BETA_1 * tf.gather(mean, rows) + (1 - BETA_1) * summed
    new_square = beta_2 * tf.gather(square, rows) + (1 - beta_2) * summed**2
    mean.scatter_update(tf.IndexedSlices(new_mean, rows))
    square.scatter_update(tf.IndexedSlices(new_square, rows))
    step = learning_rate * scale * new_mean / (tf.sqrt(new_square) + EPSILON)
    moved = _into_ball(tf.gather(weight, rows) - step, radius)
    weight.scatter_update(tf.IndexedSlices(moved, rows))


def _sum_repeated(gradient):
    """Sum the gradients of each row that a batch uses more than once.

    Adam needs the square of the sum; a sparse update alone would square each term.
    """
    rows, groups = tf.unique(gradient.indices)
    return rows, tf.math.unsorted_segment_sum(gradient.values, groups, tf.size(rows))


def _into_ball(rows, radius):
    """Project rows into the ball of a given radius (AttRec)."""
    if radius is None:
        return rows
    norm = tf.sqrt(tf.reduce_sum(tf.square(rows), axis=1, keepdims=True))
    return rows * tf.minimum(1.0, radius / tf.maximum(norm, 1e-12))


def _graph_inputs(value):
    """Convert numbers and arrays of a NamedTuple to tensors."""
    if hasattr(value, "_fields"):
        return type(value)(*map(_graph_inputs, value))
    if isinstance(value, np.ndarray):
        return tf.constant(value)
    if isinstance(value, (str, bool)):
        return value
    return _scalar(value) if isinstance(value, float) else _integer(value)


def _without_shapes(arguments):
    """Replace tensors by specifications that fit tensors of any size."""

    def specification(value):
        if isinstance(value, tf.Tensor):
            return tf.TensorSpec([None] * value.ndim, value.dtype)
        return value

    return tf.nest.map_structure(specification, arguments)


def _variable(value):
    return tf.Variable(value, shape=[None] * value.ndim)


def _scalar(value):
    return tf.constant(value, tf.float32)


def _integer(value):
    return tf.constant(value, tf.int64)
