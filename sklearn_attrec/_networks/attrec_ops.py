"""Operations of AttRec's training step that define their own gradient.

A batch reads most items several times. Each item is therefore read and multiplied once,
as a row of a small table, and `codes` says which row stands where. The gradients add up
in this table. This module imports TensorFlow, so only training imports it; `numpy_ops`
has the same operations.
"""

from sklearn_attrec.utils._tensorflow import import_tensorflow

tf = import_tensorflow()

__all__ = [
    "logsumexp_products",
    "products_with_rows",
    "project_rows",
    "unique",
    "weighted_rows",
]


def unique(values):
    """Return the distinct values of a tensor and the position of each element in them.

    Returns
    -------
    distinct : tensor of shape (n,)
    codes : tensor of int64, with the shape of `values`
    """
    distinct, codes = tf.unique(tf.reshape(values, [-1]), tf.int64)
    return distinct, tf.reshape(codes, tf.shape(values))


def project_rows(rows, codes, signal, projection, keep=None):
    """Return relu((rows[codes] + signal) @ projection) * keep.

    Parameters
    ----------
    rows : tensor of shape (n, d)
    codes : tensor of shape (batch, L), int64
    signal : tensor of shape (L, d)
        Position vectors.
    projection : tensor of shape (d, d)
    keep : tensor of shape (batch, L, d), default=None
        Dropout mask of zeros and ones.

    Returns
    -------
    tensor of shape (batch, L, d)
    """
    projection = tf.convert_to_tensor(projection)
    if keep is None:  # `custom_gradient` does not accept None
        return _project_rows(rows, codes, signal, projection)
    return _project_rows(rows, codes, signal, projection, keep)


@tf.custom_gradient
def _project_rows(rows, codes, signal, projection, keep=None):
    L, d = tf.shape(codes)[1], tf.shape(rows)[1]
    # (x + signal) W = x W + signal W, and x W is the same wherever an item stands.
    x = tf.gather(tf.matmul(rows, projection), codes)  # (batch, L, d)
    x = tf.reshape(x, [-1, L * d])
    x = tf.nn.bias_add(x, tf.reshape(tf.matmul(signal, projection), [-1]))
    x = tf.reshape(tf.nn.relu(x), [-1, L, d])
    if keep is not None:
        x *= keep

    def gradient(upstream):
        # x > 0 exactly where neither relu nor dropout made it 0.
        upstream = tf.raw_ops.ReluGrad(gradients=upstream, features=x)
        by_row = _sum_rows(upstream, codes, tf.shape(rows)[0])  # (n, d)
        by_position = tf.reduce_sum(upstream, axis=0)  # (L, d)
        gradients = (
            tf.matmul(by_row, projection, transpose_b=True),
            None,
            None,
            tf.matmul(rows, by_row, transpose_a=True)
            + tf.matmul(signal, by_position, transpose_a=True),
        )
        return gradients if keep is None else (*gradients, None)

    return x, gradient


@tf.custom_gradient
def weighted_rows(factors, rows, codes):
    """Return the sums of rows[codes] along a window, each row times a factor.

    Parameters
    ----------
    factors : tensor of shape (batch, L)
    rows : tensor of shape (n, d)
    codes : tensor of shape (batch, L), int64

    Returns
    -------
    tensor of shape (batch, d)
    """
    window = tf.gather(rows, codes)  # (batch, L, d)

    def gradient(upstream):
        repeated = tf.einsum("bl,bd->bld", factors, upstream)
        return (
            tf.reduce_sum(window * upstream[:, None], axis=2),
            _sum_rows(repeated, codes, tf.shape(rows)[0]),
            None,
        )

    return tf.einsum("bl,bld->bd", factors, window), gradient


@tf.custom_gradient
def products_with_rows(vectors, rows, codes):
    """Return the inner products of each vector with its own rows of a table.

    The gradient reads only the pairs with a non-zero gradient. With a hinge loss, most
    pairs have none after the first epochs.

    Parameters
    ----------
    vectors : tensor of shape (batch, d)
    rows : tensor of shape (n_rows, d)
    codes : tensor of shape (batch, n), int64

    Returns
    -------
    tensor of shape (batch, n)
    """
    products = tf.gather(rows, codes) * vectors[:, None]  # (batch, n, d)

    def gradient(upstream):
        nonzero = tf.where(tf.not_equal(upstream, 0.0))  # (m, 2)
        scale = tf.gather_nd(upstream, nonzero)[:, None]  # (m, 1)
        which, used = nonzero[:, 0], tf.gather_nd(codes, nonzero)  # (m,)
        return (
            tf.raw_ops.SparseSegmentSumWithNumSegments(
                data=scale * tf.gather(rows, used),
                indices=tf.range(tf.size(which)),
                segment_ids=which,
                num_segments=tf.shape(vectors)[0],
            ),
            _sum_rows(scale * tf.gather(vectors, which), used, tf.shape(rows)[0]),
            None,
        )

    return tf.reduce_sum(products, axis=2), gradient


@tf.custom_gradient
def logsumexp_products(queries, keys, bias, excluded):
    """Return log Σ exp(score) over the columns of a matrix of scores.

    The scores are ``queries @ keys.T + bias``, without the excluded ones.

    Parameters
    ----------
    queries : tensor of shape (batch, d)
    keys : tensor of shape (n, d)
    bias : tensor of shape (n,)
    excluded : tensor of shape (batch, n), bool

    Returns
    -------
    tensor of shape (batch,)
    """
    scores = tf.nn.bias_add(tf.matmul(queries, keys, transpose_b=True), bias)
    scores = tf.where(excluded, -1e30, scores)  # (batch, n)
    probabilities = tf.nn.softmax(scores)
    # The largest probability is exp(0) / Σ exp(score − largest score).
    result = tf.reduce_max(scores, axis=1) - tf.math.log(
        tf.reduce_max(probabilities, axis=1)
    )

    def gradient(upstream):
        by_row = upstream[:, None] * probabilities  # (batch, n)
        return (
            tf.matmul(by_row, keys),
            tf.matmul(by_row, queries, transpose_a=True),
            tf.reduce_sum(by_row, axis=0),
            None,
        )

    return result, gradient


def _sum_rows(values, codes, n):
    """Sum the rows of values with the same code, (n, d)."""
    codes = tf.reshape(codes, [-1])
    order = tf.argsort(codes)
    return tf.raw_ops.SparseSegmentSumWithNumSegments(
        data=tf.reshape(values, [-1, tf.shape(values)[-1]]),
        indices=order,
        segment_ids=tf.gather(codes, order),
        num_segments=n,
    )
