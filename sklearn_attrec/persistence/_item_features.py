"""Item features in a model file."""

import numpy as np

from sklearn_attrec._interactions.item_features import Column, ItemFeatures
from sklearn_attrec.exceptions import ModelFileError
from sklearn_attrec.utils._csr import check_csr
from sklearn_attrec.utils._packed_ids import unpack_ids
from sklearn_attrec.utils._param_validation import Integer, Optional
from sklearn_attrec.utils._short_repr import short_repr

__all__ = [
    "check_columns",
    "describe_columns",
    "feature_tensor_layout",
    "unpack_features",
]

_COUNT = Optional(Integer(0, 2**31))


def describe_columns(features):
    """Return name, number of texts (None for numbers) and of numbers of each column."""
    return [
        [name, None if texts is None else len(texts), len(means)]
        for name, texts, means, _ in features.columns
    ]


def feature_tensor_layout(tensors):
    """Return dtypes and symbolic shapes of the arrays, for `check_layout`."""
    layout = {
        "features.indptr": ("i8", ("n_items+1",)),
        "features.labels": ("i8", ("n_item_labels",)),
        "features.scales": ("f8", ("n_columns",)),
    }
    if "features.means" in tensors:
        layout["features.means"] = ("f8", ("n_numbers",))
        layout["features.numbers"] = ("f4", ("n_items", "n_numbers"))
    if "features.texts.utf8" in tensors:
        layout["features.texts.offsets"] = ("i8", ("n_texts+1",))
        layout["features.texts.utf8"] = ("u1", ("texts.bytes",))
    return layout


def check_columns(model, columns):
    """Check what a manifest says about the columns of item features.

    Parameters
    ----------
    model : recommender
    columns : object
        The entry of the manifest; None without features.

    Returns
    -------
    list or None
    """
    if columns is None:
        return None
    is_valid = hasattr(model, "_network") and isinstance(columns, list)
    for column in columns if is_valid else ():
        is_valid &= (
            isinstance(column, list)
            and len(column) == 3
            and isinstance(column[0], str)
            and all(map(_COUNT.allows, column[1:]))
            and (column[1] is None) == bool(column[2])
        )
    if not is_valid or len({column[0] for column in columns}) != len(columns):
        raise ModelFileError(
            "'item_features' must list the name and sizes of each column. Got "
            f"{short_repr(columns)}."
        )
    return columns


def unpack_features(columns, tensors):
    """Return `ItemFeatures`, or None if `columns` is None.

    Raises
    ------
    ValueError
        If the arrays do not fit each other. The message names the array.
    """
    if columns is None:
        return None
    texts = np.empty(0, dtype=object)
    if "features.texts.utf8" in tensors:
        texts = unpack_ids("features.texts", tensors, thorough=False)
    indptr, scales = tensors["features.indptr"], tensors["features.scales"]
    no_numbers = np.empty((len(indptr) - 1, 0), np.float32)
    numbers = tensors.get("features.numbers", no_numbers)
    means = tensors.get("features.means", np.empty(0))
    n_texts = sum(n or 0 for _, n, _ in columns)
    n_numbers = sum(n for _, _, n in columns)
    found = len(texts), len(means), len(scales)
    if found != (n_texts, n_numbers, len(columns)):
        raise ValueError(
            f"'item_features' describes {n_texts} texts, {n_numbers} numbers and "
            f"{len(columns)} columns. Got {found}."
        )
    if not (scales > 0).all():
        raise ValueError("'features.scales' must be positive")
    read, text, number = [], 0, 0
    for (name, n_known, n_means), scale in zip(columns, scales.tolist(), strict=True):
        known = None if n_known is None else texts[text : text + n_known]
        read.append(Column(name, known, means[number : number + n_means], scale))
        text, number = text + (n_known or 0), number + n_means
    labels = tensors["features.labels"]
    features = ItemFeatures(tuple(read), indptr, labels, numbers)
    n_labels = int(features.first_labels[-1])
    check_csr("features", features.indptr, features.labels, n_labels)
    for name, value in tensors.items():
        is_of_features = name.startswith("weights.B_")
        if is_of_features and len(value) != features.n_features:
            raise ValueError(
                f"'{name}' must have {features.n_features} rows. Got {len(value)}."
            )
    return features
