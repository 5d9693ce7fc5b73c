"""Random numbers of one training batch, in TensorFlow.

Importing this module imports TensorFlow; only `fit` does so.
"""

from sklearn_attrec.utils._tensorflow import import_tensorflow

tf = import_tensorflow()

__all__ = ["BatchRandom"]


class BatchRandom:
    """Random numbers of one batch; each draw uses a new stream."""

    def __init__(self, seed, step):
        self._seed, self._step, self._streams = seed, step, 0

    def _next(self):
        self._streams += 1  # each seed has 64 streams; a batch uses far fewer
        return tf.stack([self._seed * 64 + self._streams, self._step])

    def uniform(self, shape):
        """Draw numbers from [0, 1); float64 is exact for any catalogue size."""
        shape = tf.stack([tf.cast(size, tf.int64) for size in shape])
        return tf.random.stateless_uniform(shape, self._next(), dtype=tf.float64)

    def items(self, shape, n_items):
        """Draw item codes uniformly from the catalogue."""
        return tf.cast(self.uniform(shape) * tf.cast(n_items, tf.float64), tf.int64)

    def dropout(self, x, rate):
        """Set a random fraction of x to zero and scale up the rest.

        One random byte per number is four times cheaper than a random float. It rounds
        the fraction to a multiple of 1/256.
        """
        size = tf.size(x)
        words = tf.random.stateless_uniform(
            [(size + 3) // 4], self._next(), minval=None, maxval=None, dtype=tf.int32
        )
        random_bytes = tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:size]
        dropped = tf.minimum(tf.round(rate * 256), 255)
        keep = tf.reshape(random_bytes >= tf.cast(dropped, tf.uint8), tf.shape(x))
        return x * tf.where(keep, 256 / (256 - dropped), 0.0)
