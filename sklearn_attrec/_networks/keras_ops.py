"""The operations of the networks in training: `keras.ops` and additions to it.

This module imports TensorFlow, so only training imports it. Some operations define
their own gradient, because it is faster or needs far less memory than the automatic
one. `numpy_ops` has the same operations for prediction.
"""

from types import SimpleNamespace

from sklearn_attrec._networks.numpy_ops import EPSILON
from sklearn_attrec.utils._tensorflow import import_tensorflow

tf = import_tensorflow()

import keras.ops  # noqa: E402

from sklearn_attrec._networks import attrec_ops  # noqa: E402

__all__ = ["ops"]

# Maximum number of scores that `softmax_loss` keeps in memory (64 MB). It always takes
# at least 64 rows, because smaller matrix products are slow.
SCORES_AT_ONCE = 2**24


def row_products(a, b):
    """Return the inner products of the rows of a and b, for each matrix of a batch.

    Parameters
    ----------
    a : tensor of shape (batch, n, d)
    b : tensor of shape (batch, m, d)

    Returns
    -------
    tensor of shape (batch, n, m)
    """
    # `keras.ops` needs an explicit transpose, which costs as much as the product.
    return tf.matmul(a, b, transpose_b=True)


def high_bits(x, n):
    """Return the bits of float32 numbers without the n lowest ones, as int32."""
    return tf.bitwise.right_shift(tf.bitcast(x, tf.int32), n)


@tf.custom_gradient
def lookup(table, codes):
    """Return the numbers of a table, (n,), at the given codes.

    The gradient of a gather adds up one number at a time, on one thread. Here each
    thread has its own rows: the sum of a single row, divided among threads, would
    differ from run to run in its last bits.
    """

    def gradient(upstream):
        n, shape = tf.shape(table)[0], tf.shape(codes)
        flat = [shape[0], tf.reduce_prod(shape[1:])]  # -1 is refused without rows
        sums = tf.math.bincount(
            tf.reshape(codes, flat), tf.reshape(upstream, flat), n, n, axis=-1
        )
        return tf.reduce_sum(sums, axis=0), None

    return tf.gather(table, codes), gradient


def squared_norms(x):
    """Return the squared norm of each row."""
    return tf.reduce_sum(tf.square(x), axis=1)


def pad_rows(x, layout):
    """Pad sequences that are stored one after the other; see `transformer.Layout`.

    Each row appears exactly once (padding excepted), so its gradient can be gathered
    and need not be accumulated.

    Parameters
    ----------
    x : tensor of shape (T, d)
    layout : Layout

    Returns
    -------
    list of tensor of shape (n, W, d)
        One for each part. The values at padding are arbitrary.
    """

    @tf.custom_gradient
    def padded(x):
        def gradient(*upstream):
            return unpad_rows(upstream, layout)

        return [tf.gather(x, part.places) for part in layout.parts], gradient

    return padded(x)


def unpad_rows(padded, layout):
    """Remove the padding: the inverse of `pad_rows`.

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
            tf.gather(tf.reshape(x, [-1, tf.shape(x)[2]]), part.filled)  # (t, d)
            for x, part in zip(padded, layout.parts, strict=True)
        ]

        def gradient(upstream):
            return [
                tf.where(
                    part.padding_mask[:, :, None], tf.gather(upstream, part.places), 0.0
                )  # (n, W, d)
                for part in layout.parts
            ]

        return tf.concat(rows, axis=0), gradient

    return unpadded(*padded)


def searchsorted(sorted_sequence, values, side):
    """Return where values belong in a sorted sequence, int64.

    Keras 3.0 has no such function, and that of Keras 3.5 to 3.13 refuses variables.
    """
    return tf.searchsorted(sorted_sequence, values, side, out_type=tf.int64)


def shape(x):
    """Return the shape; unlike `keras.ops.shape`, without reading a variable."""
    if isinstance(x, tf.Variable):
        return tf.raw_ops.VariableShape(input=x.handle)
    return keras.ops.shape(x)


def softmax(x, axis=-1):
    """Return exp(x), scaled to sum to 1 along an axis; −inf becomes exactly 0.

    `keras.ops.softmax` warns if the axis has length 1, as for a history of one item.
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
    # The product with a matrix of 1/d is the mean of each row, repeated in all columns.
    # It costs less than a reduction and a broadcast.
    average = tf.fill([d, d], 1 / tf.cast(d, tf.float32))  # (d, d)
    centred = x - tf.matmul(x, average)
    inverse = tf.math.rsqrt(tf.matmul(tf.square(centred), average) + EPSILON)
    standardized = centred * inverse

    def gradient(upstream):
        projection = standardized * tf.matmul(upstream * standardized, average)
        return inverse * (upstream - tf.matmul(upstream, average) - projection)

    return standardized, gradient


def sum_groups(table, codes, indptr):
    """Return the sums of the rows of a table that belong together.

    Parameters
    ----------
    table : tensor of shape (n_rows, d)
    codes : tensor of shape (m,), int64
        Rows of the table, group by group.
    indptr : tensor of shape (n + 1,), int64
        Start of each group in `codes`, and the end of the last one.

    Returns
    -------
    tensor of shape (n, d)
    """
    n = tf.size(indptr) - 1
    return tf.raw_ops.SparseSegmentSumWithNumSegments(
        data=table,
        indices=codes,
        segment_ids=tf.repeat(tf.range(n), indptr[1:] - indptr[:-1]),
        num_segments=n,
    )


def take(x, indices, axis=0):
    """Return slices of x; indices must not be negative.

    Of a variable, only the rows are read. `keras.ops.take` reads the whole variable,
    which costs a copy after an update of single rows.
    """
    return tf.gather(x, indices, axis=axis)


def softmax_loss(queries, table, targets, weights=None):
    """Return the mean cross-entropy of targets against all items.

    The scores of all positions do not fit in memory, so they are computed in chunks of
    positions. The gradient is computed together with the loss, while the scores are in
    memory; the backward pass only scales it.

    Parameters
    ----------
    queries : tensor of shape (T, d)
    table : tensor of shape (n_items, d)
    targets : tensor of shape (T,), int64
    weights : tensor of shape (T,), default=None
        Factors of the cross-entropies; the mean is still over T. None means 1.

    Returns
    -------
    tensor of shape ()
    """
    table = tf.convert_to_tensor(table)
    if weights is None:  # `custom_gradient` does not accept None
        return _softmax_loss(queries, table, targets)
    return _softmax_loss(queries, table, targets, weights)


@tf.custom_gradient
def _softmax_loss(queries, table, targets, weights=None):
    T, n_items = tf.shape(queries)[0], tf.shape(table)[0]
    n_rows = tf.clip_by_value(SCORES_AT_ONCE // n_items, 64, 1024)

    def add_chunk(start, total, query_gradient, table_gradient):
        stop = start + n_rows
        rows, codes = queries[start:stop], targets[start:stop]  # (n, d), (n,)
        probabilities = tf.nn.softmax(tf.matmul(rows, table, transpose_b=True))
        target_probabilities = tf.gather(probabilities, codes, batch_dims=1)  # (n,)
        # Probabilities below the smallest normal float would give an infinite loss.
        logs = tf.math.log(tf.maximum(target_probabilities, 1.2e-38))  # (n,)
        if weights is not None:
            logs *= weights[start:stop]
            probabilities *= weights[start:stop, None]
        total -= tf.reduce_sum(logs)
        query_gradient = query_gradient.write(
            start // n_rows, tf.matmul(probabilities, table)
        )
        table_gradient += tf.matmul(probabilities, rows, transpose_a=True)
        return stop, total, query_gradient, table_gradient

    query_gradient = tf.TensorArray(
        tf.float32, (T + n_rows - 1) // n_rows, infer_shape=False, element_shape=None
    )
    _, total, query_gradient, table_gradient = tf.while_loop(
        lambda start, *_: start < T,
        add_chunk,
        (0, 0.0, query_gradient, tf.zeros_like(table)),
        parallel_iterations=1,
    )
    n = tf.cast(T, tf.float32)
    target_rows, target_queries = tf.gather(table, targets), queries  # (T, d)
    if weights is not None:
        target_rows *= weights[:, None]
        target_queries *= weights[:, None]
    query_gradient = query_gradient.concat() - target_rows  # (T, d)
    table_gradient -= tf.math.unsorted_segment_sum(target_queries, targets, n_items)

    def gradient(upstream):
        factor = upstream / n
        gradients = query_gradient * factor, table_gradient * factor, None
        return gradients if weights is None else (*gradients, None)

    return total / n, gradient


def sampled_softmax_loss(queries, table, targets, negatives, log_ratios, weights=None):
    """Return the mean cross-entropy of targets against negatives drawn from all items.

    As in `softmax_loss`, the gradient is computed together with the loss, in chunks of
    positions.

    Parameters
    ----------
    queries : tensor of shape (T, d)
    table : tensor of shape (n_items, d)
    targets : tensor of shape (T,), int64
    negatives : tensor of shape (m,), int64
        Different items, sorted. A target among them is not a negative of its position.
    log_ratios : tensor of shape (m,)
        Logarithm of how often an item was drawn, relative to the expectation; added to
        the scores. The sum of their exponentials then estimates the sum over all items
        (Bengio, Senecal 2008; Yi et al.: Sampling-bias-corrected neural modeling,
        RecSys 2019).
    weights : tensor of shape (T,), default=None
        As in `softmax_loss`.

    Returns
    -------
    tensor of shape ()
    """
    table = tf.convert_to_tensor(table)
    given = queries, table, targets, negatives, log_ratios
    if weights is None:  # `custom_gradient` does not accept None
        return _sampled_softmax_loss(*given)
    return _sampled_softmax_loss(*given, weights)


@tf.custom_gradient
def _sampled_softmax_loss(queries, table, targets, negatives, log_ratios, weights=None):
    T, m = tf.shape(queries)[0], tf.shape(negatives)[0]
    n_rows = tf.clip_by_value(SCORES_AT_ONCE // m, 64, 1024)
    # A last column, for the scores of the targets.
    vectors = tf.pad(tf.gather(table, negatives), [[0, 1], [0, 0]])  # (m + 1, d)
    bias = tf.pad(log_ratios, [[0, 1]])  # (m + 1,)
    # Column of each target among the negatives, otherwise the last.
    columns = tf.minimum(tf.searchsorted(negatives, targets), m - 1)  # (T,)
    columns = tf.where(tf.gather(negatives, columns) == targets, columns, m)

    def add_chunk(start, total, query_gradient, target_gradient, negative_gradient):
        stop = tf.minimum(start + n_rows, T)
        rows = queries[start:stop]  # (n, d)
        target_rows = tf.gather(table, targets[start:stop])  # (n, d)
        target_scores = tf.reduce_sum(rows * target_rows, axis=1)  # (n,)
        scores = tf.nn.bias_add(tf.matmul(rows, vectors, transpose_b=True), bias)
        scores = _set_one_per_row(
            scores, columns[start:stop], tf.fill([stop - start], float("-inf"))
        )
        scores = _set_one_per_row(scores, tf.fill([stop - start], m), target_scores)
        probabilities = tf.nn.softmax(scores)  # (n, m + 1)
        target_probabilities = probabilities[:, m]  # (n,)
        # As in `softmax_loss`.
        logs = tf.math.log(tf.maximum(target_probabilities, 1.2e-38))  # (n,)
        error = target_probabilities - 1  # (n,)
        if weights is not None:
            logs *= weights[start:stop]
            error *= weights[start:stop]
            probabilities *= weights[start:stop, None]
        error = error[:, None]
        chunk = start // n_rows
        return (
            stop,
            total - tf.reduce_sum(logs),
            query_gradient.write(
                chunk, tf.matmul(probabilities, vectors) + error * target_rows
            ),
            target_gradient.write(chunk, error * rows),
            negative_gradient + tf.matmul(probabilities, rows, transpose_a=True),
        )

    gradients = [
        tf.TensorArray(
            tf.float32,
            (T + n_rows - 1) // n_rows,
            infer_shape=False,
            element_shape=None,
        )
        for _ in range(2)
    ]
    _, total, *gradients, negative_gradient = tf.while_loop(
        lambda start, *_: start < T,
        add_chunk,
        (0, 0.0, *gradients, tf.zeros_like(vectors)),
        parallel_iterations=1,
    )
    n = tf.cast(T, tf.float32)
    query_gradient, target_gradient = (array.concat() for array in gradients)
    rows = tf.concat([targets, negatives], axis=0)  # (T + m,)
    row_gradient = tf.concat([target_gradient, negative_gradient[:m]], axis=0)

    def gradient(upstream):
        factor = upstream / n
        table_gradient = tf.IndexedSlices(row_gradient * factor, rows, tf.shape(table))
        gradients = query_gradient * factor, table_gradient, None, None, None
        return gradients if weights is None else (*gradients, None)

    return total / n, gradient


def _set_one_per_row(x, columns, values):
    """Set one value in each row of x, (n, m)."""
    places = tf.stack([tf.range(tf.shape(x)[0]), columns], axis=1)
    return tf.tensor_scatter_nd_update(x, places, values)


def unique_counts(x):
    """Return the sorted different values of x and how often each occurs."""
    values, _, counts = tf.unique_with_counts(tf.sort(x))
    return values, counts


ops = SimpleNamespace(
    **vars(keras.ops)
    | {name: getattr(attrec_ops, name) for name in attrec_ops.__all__}
    | {
        function.__name__: function
        for function in (
            high_bits,
            lookup,
            pad_rows,
            row_products,
            sampled_softmax_loss,
            searchsorted,
            shape,
            softmax,
            softmax_loss,
            squared_norms,
            standardize,
            sum_groups,
            take,
            unique_counts,
            unpad_rows,
        )
    }
)
