"""The names of `keras.ops` that the networks use, on NumPy arrays.

A network written against these names trains in TensorFlow and predicts without it.
"""

import numpy as np
from numpy import amax as max
from numpy import amin as min
from numpy import (
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
    square,
    sum,
    take,
    transpose,
    where,
)

__all__ = [
    "EPSILON",
    "any",
    "arange",
    "argsort",
    "cast",
    "concatenate",
    "cumsum",
    "einsum",
    "log",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "min",
    "minimum",
    "nonzero",
    "ones_like",
    "pad_rows",
    "relu",
    "repeat",
    "reshape",
    "row_products",
    "searchsorted",
    "shape",
    "softmax",
    "softmax_loss",
    "softplus",
    "sqrt",
    "square",
    "squared_distances",
    "standardize",
    "sum",
    "take",
    "transpose",
    "unpad_rows",
    "where",
]

# Added to the variance by `standardize`, here and while training.
EPSILON = np.float32(1e-6)


def cast(x, dtype):
    """Return x in another dtype."""
    return np.asarray(x).astype(dtype)


def relu(x):
    """Return max(x, 0)."""
    return np.maximum(x, 0)


def softmax(x, axis=-1):
    """Return exp(x) scaled to sum to 1 along an axis; −inf gets exactly 0."""
    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return powers / np.sum(powers, axis=axis, keepdims=True)


def ones_like(x):
    """Return an array of ones."""
    return np.ones_like(x)


def softplus(x):
    """Return log(1 + exp(x))."""
    return np.logaddexp(x, 0)


def logsumexp(x, axis=None):
    """Return the logarithm of the sum of exp(x)."""
    return np.logaddexp.reduce(x, axis=axis)


def squared_distances(table, indices, vectors):
    """Return the squared distance of each vector to some rows of a table."""
    return np.sum(np.square(table[indices] - vectors[:, None]), axis=2)


def row_products(a, b):
    """Return the inner products of the rows of a with those of b."""
    return a @ np.swapaxes(b, -1, -2)


def pad_rows(x, layout):
    """Bring the rows of sequences side by side, a list of (n, W, d)."""
    return [x[part.places] for part in layout.parts]


def unpad_rows(padded, layout):
    """Lay the rows of padded sequences out one after the other again, (T, d)."""
    rows = [
        x.reshape(-1, x.shape[2])[part.filled]
        for x, part in zip(padded, layout.parts, strict=True)
    ]
    return np.concatenate(rows)


def standardize(x):
    """Shift and scale each row to mean 0 and variance 1."""
    centred = x - np.mean(x, axis=1, keepdims=True)
    variance = np.mean(np.square(centred), axis=1, keepdims=True)
    return centred / np.sqrt(variance + EPSILON)


def softmax_loss(queries, table, targets):
    """Return the mean cross-entropy of targets against all items."""
    scores = queries @ table.T
    of_target = scores[np.arange(len(targets)), targets]
    return np.mean(logsumexp(scores, axis=1) - of_target)
