"""Items with features: the vector of an item is its own row plus those of its features.

Rows are added up as in LightFM (Kula: Metadata Embeddings for User and Item Cold-start
Recommendations, 2015, arXiv:1507.08439). In training, own rows are left out at random,
so that the features alone learn to represent an item (as in DropoutNet;
Volkovs, Yu, Poutanen, NeurIPS 2017).
"""

from typing import NamedTuple

import numpy as np

__all__ = [
    "FeatureInputs",
    "feature_layout",
    "feature_vectors",
    "initial_features",
    "item_rows",
]


class FeatureInputs(NamedTuple):
    """Features of items: labels, of which an item may have several, and numbers."""

    indptr: np.ndarray  # (n_items + 1,) int64
    labels: np.ndarray  # (n,) int64
    numbers: np.ndarray  # (n_items, n_numbers) float32


def initial_features(tables, n_features, d):
    """Return the initial weights of features: zeros, (n_features, d), for each table.

    Items then start as they do without features.
    """
    return {f"B_{name}": np.zeros((n_features, d), np.float32) for name in tables}


def feature_layout(tables):
    """Return the dtype and the symbolic shape of the weights of features."""
    return {f"B_{name}": ("f4", ("n_features", "d")) for name in tables}


def item_rows(ops, random, weights, data, tables, rate, items=None):
    """Return rows of item tables; with item features, the sum of own and feature rows.

    Parameters
    ----------
    ops : module
        `keras_ops.ops` or `numpy_ops`.
    random : BatchRandom
        Random numbers of this batch.
    weights : dict
    data : dict
        With `features`, FeatureInputs, if there are any.
    tables : tuple of str
        Names of tables, for example "E". The same own rows are left out of all.
    rate : float
        Probability of leaving out the own row of an item.
    items : tensor of shape (n,), int64, default=None
        Item codes; None means all items.

    Returns
    -------
    list of tensor of shape (n, d)
        One for each table.
    """
    own = [weights[name] for name in tables]
    if items is not None:
        own = [ops.take(table, items, axis=0) for table in own]
    if "features" not in data:
        return own
    features = data["features"]
    if items is None:
        items = ops.cast(ops.arange(ops.shape(features.numbers)[0]), "int64")
    inputs = _labels_of(ops, features, items)
    # An item without features has only its own row.
    is_kept = random.uniform(ops.shape(items)) >= rate
    kept = ops.cast(is_kept | (inputs.indptr[1:] == inputs.indptr[:-1]), "float32")
    return [
        kept[:, None] * table + feature_vectors(ops, weights[f"B_{name}"], inputs)
        for name, table in zip(tables, own, strict=True)
    ]


def _labels_of(ops, features, items):
    """Return the features of the given items."""
    start = ops.take(features.indptr, items, axis=0)  # (n,)
    lengths = ops.take(features.indptr, items + 1, axis=0) - start
    stop = ops.cumsum(lengths)
    places = ops.cast(ops.arange(ops.sum(lengths)), "int64")
    places = places + ops.repeat(start - (stop - lengths), lengths)
    return FeatureInputs(
        ops.concatenate([0 * stop[:1], stop], axis=0),
        ops.take(features.labels, places, axis=0),
        ops.take(features.numbers, items, axis=0),
    )


def feature_vectors(ops, table, features):
    """Return the sum of the rows of each item's features.

    Parameters
    ----------
    ops : module
    table : tensor of shape (n_features, d)
        Rows of the labels, then those of the numbers.
    features : FeatureInputs
        Of n items.

    Returns
    -------
    tensor of shape (n, d)
    """
    n_labels = ops.shape(table)[0] - ops.shape(features.numbers)[1]
    sums = ops.sum_groups(table, features.labels, features.indptr)
    return sums + ops.matmul(features.numbers, table[n_labels:])
