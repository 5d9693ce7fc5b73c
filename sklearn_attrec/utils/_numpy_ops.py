"""The names of `keras.ops` that the networks use, on NumPy arrays.

A network written against these names trains in TensorFlow and predicts without it.
"""

import numpy as np
from numpy import amax as max
from numpy import amin as min
from numpy import (
    any,
    concatenate,
    einsum,
    matmul,
    maximum,
    minimum,
    reshape,
    searchsorted,
    shape,
    sqrt,
    square,
    sum,
    take,
    where,
)

__all__ = [
    "any",
    "cast",
    "concatenate",
    "einsum",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "min",
    "minimum",
    "ones_like",
    "relu",
    "reshape",
    "row_products",
    "searchsorted",
    "shape",
    "softmax",
    "softplus",
    "sqrt",
    "square",
    "squared_distances",
    "sum",
    "take",
    "where",
]


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
    return a @ np.swapaxes(b, 1, 2)
