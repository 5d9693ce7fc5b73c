"""Item features of a fitted network: the catalogue, and the weights with them."""

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.factorize import factorize
from sklearn_attrec._interactions.item_features import (
    MISSING,
    OTHER,
    FeatureTable,
    encode_features,
    learn_columns,
    read_features,
)
from sklearn_attrec._networks import numpy_ops
from sklearn_attrec._networks.item_features import FeatureInputs, feature_vectors
from sklearn_attrec._ranking.known_ids import check_same_type
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = [
    "add_features",
    "feature_inputs",
    "features_of_fit",
    "features_of_update",
    "fill_untrained",
]

# Length of the own row of an item without interactions, relative to those of others.
TIE_BREAKER = np.float32(1e-3)

ITEM_IDS = "item_features: column 'item_id'"  # in messages


def features_of_fit(frame, items, caller):
    """Read item features for a fit.

    Parameters
    ----------
    frame : DataFrame
        The parameter `item_features`.
    items : ndarray of shape (n,)
        The items that have interactions.
    caller : str

    Returns
    -------
    items : ndarray of shape (n_items,)
        The given items, then those that only the table has.
    features : ItemFeatures
        Of these items.
    """
    table = read_features(frame, caller)
    check_same_type(items, table.items, ITEM_IDS, "X", caller)
    rows = _rows(table, items)
    if (rows < 0).all():
        raise InteractionsError(
            f"{caller}: item_features has a row for none of the {len(items)} items of "
            f"X. Its items are, for example, {short_repr(table.items[0])}; those of X, "
            f"{short_repr(items[0])}. Give both the same ids."
        )
    columns = learn_columns(table, rows[rows >= 0], caller)
    everything = _union(items, table.items)
    features = encode_features(columns, table)
    return everything, features.select(_rows(table, everything))


def features_of_update(frame, items, known_items, known_features, caller):
    """Read item features for `partial_fit`.

    Parameters
    ----------
    frame : DataFrame or None
        The parameter `item_features`. Items without a row keep their features.
    items : ndarray of shape (n,)
        The items that have interactions.
    known_items : ndarray
        The items before the update.
    known_features : ItemFeatures
        Features of `known_items`.
    caller : str

    Returns
    -------
    items : ndarray of shape (n_items,)
    features : ItemFeatures
    """
    columns = known_features.columns
    if frame is None:
        table = FeatureTable(items[:0], {})
        newer = known_features.select(np.empty(0, dtype=np.int64))
    else:
        table = read_features(frame, caller)
        check_same_type(known_items, table.items, ITEM_IDS, "fit", caller)
        table = _with_columns_of_fit(table, columns, caller)
        newer = encode_features(columns, table)
    everything = _union(items, known_items, table.items)
    codes = pd.Index(known_items, dtype=known_items.dtype).get_indexer(everything)
    rows = _rows(table, everything)
    return everything, known_features.updated(codes, newer, rows)


def _rows(table, items):
    """Return the row of each item in a table, −1 without a row."""
    return pd.Index(table.items, dtype=table.items.dtype).get_indexer(items)


def _union(items, *others):
    """Return all items, the given ones first."""
    _, union = factorize(np.concatenate([items, *others]))
    return union


def _with_columns_of_fit(table, columns, caller):
    """Return a table, after checking that it has the columns seen in fit."""
    expected = [column.name for column in columns]
    missing = [name for name in expected if name not in table.columns]
    unknown = [name for name in table.columns if name not in expected]
    if missing or unknown:
        raise InteractionsError(
            f"{caller}: item_features must have the columns that it had in fit, "
            f"{short_repr(expected)}. Missing: {missing}; not known: {unknown}. Change "
            "the table, or fit again."
        )
    kinds = "texts", "a number", "{} numbers"
    read = {}
    for column in columns:
        values, expected = table.columns[column.name], len(column.means)
        found = 0 if isinstance(values, tuple) else values.shape[1]
        if found != expected and _is_missing(values):  # which has no type
            values, found = column.missing(len(table.items)), expected
        if found != expected:
            found, expected = (kinds[min(n, 2)].format(n) for n in (found, expected))
            raise InteractionsError(
                f"{caller}: item_features: column {column.name!r} contains {found}, "
                f"but contained {expected} in fit. Convert it, or fit again."
            )
        read[column.name] = values
    return table._replace(columns=read)


def _is_missing(values):
    """Return whether each item has a missing value."""
    return pd.isna(values[1] if isinstance(values, tuple) else values).all()


def feature_inputs(features):
    """Return the arrays that a network reads."""
    return FeatureInputs(features.indptr, features.labels, features.numbers)


def add_features(weights, tables, features, sign=1):
    """Add to the rows of item tables those of the items' features, in place.

    Parameters
    ----------
    weights : dict of ndarray
    tables : tuple of str
        Names of the tables.
    features : ItemFeatures
        If of more items than a table has rows, the others get `_tie_breakers`.
    sign : {1, -1}, default=1
        −1 subtracts.
    """
    for name in tables:
        own = weights[name]
        rows = feature_vectors(
            numpy_ops, weights[f"B_{name}"], feature_inputs(features)
        )
        rows *= np.float32(sign)
        rows[: len(own)] += own
        rows[len(own) :] += _tie_breakers(own, len(rows) - len(own))
        weights[name] = rows


def _tie_breakers(own, n):
    """Return very small own rows for items that have none, (n, d).

    Many items have the same features. Without a difference, every user would get the
    same few of them, and the others would never be recommended.
    """
    random = np.random.default_rng(0)
    length = np.linalg.norm(own, axis=1).mean()
    rows = random.standard_normal((n, own.shape[1]), dtype=np.float32)
    return TIE_BREAKER * length / np.sqrt(np.float32(own.shape[1])) * rows


def fill_untrained(table, features):
    """Fill in the rows of labels that no item had in training, in place.

    Another text, or a missing one, then counts as the average of the known texts.

    Parameters
    ----------
    table : ndarray of shape (n_features, d)
    features : ItemFeatures
        Of the items in training.
    """
    counts = np.bincount(features.labels, minlength=len(table))
    for column, first in zip(features.columns, features.first_labels, strict=False):
        if column.texts is None:
            continue  # a missing number counts as the average without a label
        rows = slice(first + OTHER, first + column.n_labels)
        if not counts[rows].any():  # only missing values since an update
            continue
        average = np.average(table[rows], axis=0, weights=counts[rows])
        for label in (first + MISSING, first + OTHER):
            if counts[label] == 0:
                table[label] = average
