"""Random numbers of one training batch, in TensorFlow.

Importing this module imports TensorFlow; only training does so.
"""

from sklearn_attrec.utils._tensorflow import import_tensorflow

tf = import_tensorflow()

__all__ = ["BatchRandom", "draw_pool"]

# Bytes of the pool of dropout masks, and of one of its rows: TensorFlow does not copy a
# slice of rows of 64 bytes.
POOL_SIZE, ROW = 2**21, 64


class BatchRandom:
    """Random numbers of one batch; each draw uses a new stream.

    `pool` is the result of `draw_pool`, needed only for `dropout_mask`.
    """

    def __init__(self, seed, step, pool=None):
        self._seed, self._step, self._streams = seed, step, 0
        self._pool = pool

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
        dropped = _dropped(rate)
        keep = tf.reshape(random_bytes >= tf.cast(dropped, tf.uint8), tf.shape(x))
        return x * tf.where(keep, 256 / (256 - dropped), 0.0)

    def dropout_mask(self, shape, rate):
        """Return a mask of zeros and ones, and the factor for the values it keeps.

        The mask is read from the pool at a random place. New random numbers would cost
        as much as the matrix product whose result they mask.
        """
        size = tf.reduce_prod(tf.stack(shape))
        n_rows = (size + ROW - 1) // ROW
        # The pool itself, unless a mask is longer than half of it.
        pool = tf.tile(self._pool, [1 + 2 * size // POOL_SIZE, 1])
        start = tf.random.stateless_uniform(
            [], self._next(), 0, tf.shape(pool)[0] - n_rows + 1, tf.int32
        )
        random_bytes = tf.reshape(pool[start : start + n_rows], [-1])[:size]
        dropped = _dropped(rate)
        keep = tf.cast(random_bytes >= tf.cast(dropped, tf.uint8), tf.float32)
        return tf.reshape(keep, shape), 256 / (256 - dropped)


def draw_pool(seed):
    """Draw the random bytes from which the batches of an epoch read dropout masks.

    Returns
    -------
    tensor of shape (POOL_SIZE / ROW, ROW), uint8
    """
    shape = [POOL_SIZE // ROW, ROW // 4]
    seed = tf.stack([seed * 64, 0])  # the streams of batches begin at 1
    words = tf.random.stateless_uniform(shape, seed, None, None, tf.int32)
    return tf.reshape(tf.bitcast(words, tf.uint8), [-1, ROW])


def _dropped(rate):
    """Return how many of the 256 values of a random byte mean 0."""
    return tf.minimum(tf.round(rate * 256), 255)
