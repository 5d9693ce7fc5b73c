"""Checks of the arrays of a model file: names, dtypes, shapes and values."""

import numpy as np

from sklearn_attrec._interactions.weights import largest_weight
from sklearn_attrec._networks.item_features import feature_layout
from sklearn_attrec.exceptions import ModelFileError
from sklearn_attrec.persistence._item_features import feature_tensor_layout
from sklearn_attrec.utils._csr import row_mates
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["check_layout", "check_values"]


def check_layout(model, manifest, settings, tensors):
    """Check names, dtypes and shapes of all arrays.

    A layout gives each array a symbolic shape. A symbol, for example n_items, has the
    same value in all arrays. If a symbol is the name of a setting, for example d, it
    has the value of that setting.

    Parameters
    ----------
    model : recommender
        The unfitted recommender.
    manifest : dict
    settings : dict
    tensors : dict of ndarray

    Raises
    ------
    ModelFileError
        If an array is missing, unknown or inconsistent. The message names it.
    """
    expected = {
        "item_counts": ("i8", ("n_items",)),
        "history.indptr": ("i8", ("n_users+1",)),
        "history.items": ("i4", ("n_rows",)),
    }
    for name in ("users", "items"):
        expected |= _id_layout(name, tensors)
    if "history.weights" in tensors:  # only frames have weights
        if not manifest["from_frame"]:
            raise ModelFileError("'history.weights' belongs to models of DataFrames")
        expected["history.weights"] = ("f8", ("n_rows",))
    if manifest["n_features"] > 2:  # users, items and times
        dtypes = "i8" if manifest["time_unit"] else "i8 u8 f8"
        expected["history.times"] = (dtypes, ("n_rows",))
    elif manifest["time_unit"]:
        raise ModelFileError("'time_unit' must be None for a model without timestamps")
    if hasattr(model, "_network"):
        expected["loss_curve"] = ("f8", ("n_iter",))
        if "validation_scores" in tensors:
            expected["validation_scores"] = ("f8", ("n_iter",))
    weights = model._weight_layout(settings)
    if manifest.get("item_features") is not None:
        weights = weights | feature_layout(model._network.ITEM_TABLES)
        expected |= feature_tensor_layout(tensors)
    expected |= {f"weights.{name}": layout for name, layout in weights.items()}
    if missing := sorted(set(expected) - set(tensors)):
        raise ModelFileError(f"{short_repr(missing[0])} is missing")
    if unknown := sorted(set(tensors) - set(expected)):
        raise ModelFileError(f"{short_repr(unknown[0])} is not an array of this model")
    _check_sizes(expected, tensors, settings)


def _id_layout(name, tensors):
    if name in tensors:
        dtypes = "i1 i2 i4 i8 u1 u2 u4 u8 f4 f8"
        return {name: (dtypes, (f"n_{name}",))}
    return {
        f"{name}.offsets": ("i8", (f"n_{name}+1",)),
        f"{name}.utf8": ("u1", (f"{name}.bytes",)),
    }


def _check_sizes(expected, tensors, settings):
    labels = {label for _, shape in expected.values() for label in shape}
    sizes = {"1": 1} | {label: int(label) for label in labels if label.isdigit()}
    sizes |= {name: value for name, value in settings.items() if type(value) is int}
    # First find the value of each symbol, then check all shapes, sums included.
    for name, (dtypes, shape) in expected.items():
        tensor = tensors[name]
        if tensor.dtype.str[1:] not in dtypes.split():
            raise ModelFileError(f"'{name}' has dtype {tensor.dtype}, not {dtypes}")
        if tensor.ndim != len(shape):
            raise ModelFileError(
                f"'{name}' must have {len(shape)} dimension(s). Got {tensor.ndim}."
            )
        for size, label in zip(tensor.shape, shape, strict=True):
            if label.endswith("+1"):
                sizes.setdefault(label.removesuffix("+1"), size - 1)
            elif "+" not in label:
                sizes.setdefault(label, size)
    for name, (_, shape) in expected.items():
        needed = tuple(sum(sizes[part] for part in label.split("+")) for label in shape)
        if tensors[name].shape != needed:
            raise ModelFileError(
                f"'{name}' must have shape ({', '.join(shape)}) = {needed}. Got "
                f"{tensors[name].shape}."
            )
    for label in ("n_users", "n_items", "n_rows"):
        if sizes.get(label, 1) < 1:
            raise ModelFileError(f"'{label}' must be at least 1")


def check_values(tensors, times):
    """Run the checks that read every number."""
    codes, counts = tensors["history.items"], tensors["item_counts"]
    if (counts != np.bincount(codes, minlength=len(counts))).any():
        raise ModelFileError("'item_counts' does not match 'history.items'")
    if (np.diff(counts > 0) & (counts[1:] > 0)).any():
        raise ModelFileError("'item_counts': items without interactions must be last")
    if times is not None:
        if not np.isfinite(times).all():
            raise ModelFileError("'history.times' contains values that are not finite")
        same_user = row_mates(tensors["history.indptr"], len(times))
        if (times[1:] < times[:-1])[same_user].any():
            raise ModelFileError("'history.times' must not decrease within a user")
    if "history.weights" in tensors:
        weights = tensors["history.weights"]
        largest = largest_weight(len(weights))
        if not ((weights >= 0) & (weights <= largest)).all() or not weights.any():
            raise ModelFileError(
                "'history.weights' must contain numbers of at least 0, one of them "
                "positive, whose sum is finite"
            )
    for name, value in tensors.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ModelFileError(f"'{name}' contains values that are not finite")
