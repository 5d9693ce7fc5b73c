"""Convert a fitted recommender to a manifest and arrays."""

import numpy as np

from sklearn_attrec.persistence._item_features import describe_columns
from sklearn_attrec.persistence._manifest import make_manifest
from sklearn_attrec.utils._packed_ids import pack_ids

__all__ = ["serialize"]


def serialize(model):
    """Convert a fitted model to a manifest and arrays.

    Parameters
    ----------
    model : recommender
        The fitted recommender.

    Returns
    -------
    manifest : dict
    tensors : dict of ndarray

    Raises
    ------
    InvalidParameterError
        If a parameter has a value that a model file cannot contain.
    """
    tensors = pack_ids("users", model.users_) | pack_ids("items", model.items_)
    tensors["item_counts"] = model.item_counts_.astype(np.int64, copy=False)
    tensors["history.indptr"] = model.history_indptr_
    tensors["history.items"] = model.history_items_
    times = model.history_times_
    if times is not None:
        is_dates = times.dtype.kind == "M"
        tensors["history.times"] = times.view(np.int64) if is_dates else times
    if model.history_weights_ is not None:
        tensors["history.weights"] = model.history_weights_
    weights = getattr(model, "weights_", {})
    tensors |= {f"weights.{name}": value for name, value in weights.items()}
    for name in ("loss_curve", "validation_scores"):
        if (curve := getattr(model, f"{name}_", None)) is not None:
            tensors[name] = np.array(curve, dtype=np.float64)
    manifest = make_manifest(model)
    if (features := getattr(model, "item_features_", None)) is not None:
        manifest["item_features"] = describe_columns(features)
        tensors |= features.arrays()
    return manifest, tensors
