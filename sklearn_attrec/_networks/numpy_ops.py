"""NumPy versions of the functions of `keras_ops.ops` that the networks use.

Networks call only these functions. They train with TensorFlow and predict with NumPy.
"""

import numpy as np
from numpy import (
    absolute,
    any,
    arange,
    argsort,
    concatenate,
    cumsum,
    einsum,
    log,
    matmul,
    maximum,
    minimum,
    nonzero,
    repeat,
    reshape,
    searchsorted,
    shape,
    sqrt,
    sum,
    take,
    transpose,
    where,
)
from numpy import amax as max
from numpy import amin as min
from scipy.sparse import csr_array

__all__ = [
    "EPSILON",
    "absolute",
    "any",
    "arange",
    "argsort",
    "cast",
    "concatenate",
    "cumsum",
    "einsum",
    "high_bits",
    "log",
    "logsumexp",
    "logsumexp_products",
    "lookup",
    "matmul",
    "max",
    "maximum",
    "min",
    "minimum",
    "nonzero",
    "ones_like",
    "pad_rows",
    "products_with_rows",
    "project_rows",
    "relu",
    "repeat",
    "reshape",
    "row_products",
    "sampled_softmax_loss",
    "searchsorted",
    "shape",
    "silu",
    "softmax",
    "softmax_loss",
    "softplus",
    "sqrt",
    "squared_norms",
    "standardize",
    "sum",
    "sum_groups",
    "take",
    "transpose",
    "unique",
    "unique_counts",
    "unpad_rows",
    "weighted_rows",
    "where",
]

# Added to the variance by `standardize`, in training too.
EPSILON = np.float32(1e-6)


def cast(x, dtype):
    """Return x converted to a dtype."""
    return np.asarray(x).astype(dtype)


def relu(x):
    """Return max(x, 0)."""
    return np.maximum(x, 0)


def silu(x):
    """Return x / (1 + exp(−x))."""
    return x * (0.5 + 0.5 * np.tanh(0.5 * x))


def softmax(x, axis=-1):
    """Return exp(x), scaled to sum to 1 along an axis; −inf becomes exactly 0."""
    exponentials = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return exponentials / np.sum(exponentials, axis=axis, keepdims=True)


def ones_like(x):
    """Return an array of ones with the shape and dtype of x."""
    return np.ones_like(x)


def softplus(x):
    """Return log(1 + exp(x))."""
    return np.logaddexp(x, 0)


def logsumexp(x, axis=None):
    """Return the logarithm of the sum of exp(x)."""
    return np.logaddexp.reduce(x, axis=axis)


def unique(values):
    """Return the distinct values and the position of each element in them."""
    distinct, codes = np.unique(values, return_inverse=True)
    return distinct, codes.reshape(np.shape(values))


def project_rows(rows, codes, signal, projection, keep=None):
    """Return relu((rows[codes] + signal) @ projection) * keep."""
    projected = relu((rows[codes] + signal) @ projection)
    return projected if keep is None else projected * keep


def weighted_rows(factors, rows, codes):
    """Return the sums of rows[codes] along a window, each row times a factor."""
    return np.sum(factors[:, :, None] * rows[codes], axis=1)


def products_with_rows(vectors, rows, codes):
    """Return the inner products of each vector with its own rows of a table."""
    return np.sum(rows[codes] * vectors[:, None], axis=2)


def logsumexp_products(queries, keys, bias, excluded):
    """Return log Σ exp(score) over the columns of a matrix of scores."""
    scores = queries @ keys.T + bias
    return logsumexp(np.where(excluded, -np.inf, scores), axis=1)


def high_bits(x, n):
    """Return the bits of float32 numbers without the n lowest ones, as int32."""
    return x.view(np.int32) >> n


def lookup(table, codes):
    """Return the numbers of a table, (n,), at the given codes."""
    return table[codes]


def row_products(a, b):
    """Return the inner products of the rows of a and b, (batch, n, m)."""
    return a @ np.swapaxes(b, -1, -2)


def squared_norms(x):
    """Return the squared norm of each row, without a copy of a large table."""
    return np.einsum("ij,ij->i", x, x)


def pad_rows(x, layout):
    """Pad sequences that are stored one after the other, a list of (n, W, d)."""
    return [x[part.places] for part in layout.parts]


def unpad_rows(padded, layout):
    """Remove the padding: the inverse of `pad_rows`, (T, d)."""
    rows = [
        x.reshape(-1, x.shape[2])[part.filled]
        for x, part in zip(padded, layout.parts, strict=True)
    ]
    return np.concatenate(rows)


def standardize(x):
    """Shift and scale each row to mean 0 and variance 1."""
    # Products with a column of 1/d are faster than means.
    average = np.full((x.shape[-1], 1), 1 / x.shape[-1], np.float32)
    centred = x - x @ average
    variance = np.square(centred) @ average
    centred /= np.sqrt(variance + EPSILON)
    return centred


def softmax_loss(queries, table, targets, weights=None):
    """Return the mean cross-entropy of targets against all items, times weights."""
    scores = queries @ table.T
    target_scores = scores[np.arange(len(targets)), targets]
    losses = logsumexp(scores, axis=1) - target_scores
    return np.mean(losses if weights is None else losses * weights)


def sampled_softmax_loss(queries, table, targets, negatives, log_ratios, weights=None):
    """Return the mean cross-entropy of targets against drawn items, times weights."""
    scores = queries @ table[negatives].T + log_ratios  # (T, m)
    scores[targets[:, None] == negatives] = -np.inf
    target_scores = np.sum(queries * table[targets], axis=1)
    losses = np.logaddexp(logsumexp(scores, axis=1), target_scores) - target_scores
    return np.mean(losses if weights is None else losses * weights)


def sum_groups(table, codes, indptr):
    """Return the sums of the rows of a table that belong together, (n, d)."""
    ones, shape = np.ones(len(codes), table.dtype), (len(indptr) - 1, len(table))
    return csr_array((ones, codes, indptr), shape) @ table


def unique_counts(x):
    """Return the sorted different values of x and how often each occurs."""
    return np.unique(x, return_counts=True)
