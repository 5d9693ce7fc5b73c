"""Fitted recommenders as a manifest and arrays, and back."""

from types import SimpleNamespace

import numpy as np

from sklearn_attrec._attrec import AttRecRecommender
from sklearn_attrec._item_knn import ItemKNNRecommender
from sklearn_attrec._markov import MarkovRecommender
from sklearn_attrec._popularity import PopularityRecommender
from sklearn_attrec._queries import missing_id
from sklearn_attrec._sasrec import SASRecRecommender
from sklearn_attrec._sse_pt import SSEPTRecommender
from sklearn_attrec.exceptions import InvalidParameterError, ModelFileError
from sklearn_attrec.utils._csr import check_csr, row_mates
from sklearn_attrec.utils._ids import show
from sklearn_attrec.utils._packed_ids import pack_ids, unpack_ids
from sklearn_attrec.utils._param_validation import (
    Integer,
    plain_parameters,
    validate_parameters,
)
from sklearn_attrec.utils._records import pack_records, unpack_records
from sklearn_attrec.utils._tensor_file import FORMAT, part_of
from sklearn_attrec.utils._validation import ITEM, TIME, USER
from sklearn_attrec.utils._version import package_version

__all__ = ["CLASSES", "check_manifest", "put_together", "take_apart"]

# The classes that a file may name. Nothing a file says is ever imported.
CLASSES = {
    cls.__name__: cls
    for cls in (
        AttRecRecommender,
        ItemKNNRecommender,
        MarkovRecommender,
        PopularityRecommender,
        SASRecRecommender,
        SSEPTRecommender,
    )
}

# Where and how a fit ran is not part of the model.
LEFT_OUT = ("checkpoint", "resume")

UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns")


# From a model to manifest and arrays ----------------------------------------------


def take_apart(model):
    """Take a fitted model apart.

    Parameters
    ----------
    model : recommender

    Returns
    -------
    manifest : dict
    tensors : dict of ndarray

    Raises
    ------
    InvalidParameterError
        If a parameter is no plain value.
    """
    manifest = {
        "kind": "model",
        "class": type(model).__name__,
        "written_by": package_version(),
        "params": _params(model),
        "n_features": int(model.n_features_in_),
        "from_frame": hasattr(model, "feature_names_in_"),
        "time_unit": None,
        "fitted": {name: getattr(model, name) for name in model._fitted_scalars},
        "settings": None,
    }
    tensors = pack_ids("users", model.users_) | pack_ids("items", model.items_)
    tensors["item_counts"] = model.item_counts_.astype(np.int64, copy=False)
    tensors["history.indptr"] = model.history_indptr_
    tensors["history.items"] = model.history_items_
    times = model.history_times_
    if times is not None:
        if times.dtype.kind == "M":
            manifest["time_unit"] = np.datetime_data(times.dtype)[0]
            times = times.view(np.int64)
        tensors["history.times"] = times
    weights = getattr(model, "weights_", {})
    tensors |= {f"weights.{name}": value for name, value in weights.items()}
    if model._network is not None:
        arrays = model._network.setting_layout()
        settings = model.settings_
        tensors |= {f"settings.{name}": settings[name] for name in arrays}
        manifest["settings"] = {k: v for k, v in settings.items() if k not in arrays}
        # How long an epoch took would make the same fit another file.
        tensors |= pack_records(model.history_, ("loss", "validation_score"))
    return manifest, tensors


def _params(model):
    """Take the parameters as what JSON can hold."""
    params = plain_parameters(model, without=LEFT_OUT)
    for name, value in params.items():
        if not isinstance(value, (bool, int, float, str, type(None))):
            raise InvalidParameterError(
                f"save_model: the '{name}' parameter of {type(model).__name__} is a "
                f"{type(value).__name__}, which a model file cannot hold. Set a plain "
                f"value first{_none_will_do(name)}."
            )
    return params


def _none_will_do(name):
    return f": estimator.set_params({name}=None)" if name == "random_state" else ""


# From manifest and arrays to a model ----------------------------------------------


def put_together(manifest, tensors, thorough=True):
    """Put a model together from what a file holds, if all of it fits.

    Parameters
    ----------
    manifest : dict
    tensors : dict of ndarray
    thorough : bool, default=True
        Whether to make the checks that read every number, too. Those that keep
        compiled code within its memory are made always.

    Returns
    -------
    recommender

    Raises
    ------
    ModelFileError
        Naming what does not fit.
    """
    cls = check_manifest(manifest)
    model = _make(cls, manifest)
    state = _read_scalars(model, manifest)
    settings = _read_settings(model, manifest)
    _check_tensors(model, manifest, settings, tensors)
    try:
        users = unpack_ids("users", tensors, thorough)
        items = unpack_ids("items", tensors, thorough)
        indptr, codes = tensors["history.indptr"], tensors["history.items"]
        check_csr("history", indptr, codes, len(items))
    except ValueError as error:
        raise ModelFileError(str(error)) from error
    counts, times = tensors["item_counts"], tensors.get("history.times")
    if manifest["time_unit"]:
        times = times.view(f"M8[{manifest['time_unit']}]")
    weights = part_of(tensors, "weights.")
    if thorough:
        _check_values(tensors, times)
    state |= {
        "users_": users,
        "items_": items,
        "missing_item_": missing_id(items),
        "item_counts_": counts,
        "history_indptr_": indptr,
        "history_items_": codes,
        "history_times_": times,
    }
    if weights:
        state["weights_"] = weights
    if model._network is not None:
        state["settings_"] = settings
        state["history_"] = unpack_records(tensors)
        state["n_iter_"] = len(state["history_"])
    vars(model).update(state, _cache={})
    try:
        model._check_fitted()
    except ValueError as error:
        raise ModelFileError(str(error)) from error
    return model


def check_manifest(manifest):
    """Check what a manifest must have.

    Parameters
    ----------
    manifest : dict

    Returns
    -------
    class
        The one that it names.
    """
    if (kind := manifest.get("kind")) != "model":
        raise ModelFileError(
            f"is not a model but a {show(kind)}. A checkpoint is read by fit, with "
            "resume=True."
        )
    expected = {
        "class": str,
        "fitted": dict,
        "from_frame": bool,
        "kind": str,
        "n_features": int,
        "params": dict,
        "settings": (dict, type(None)),
        "time_unit": (str, type(None)),
        "written_by": str,
    }
    layout = {"format", "sha256"}  # checked, and written, with the file
    if unknown := sorted(set(manifest) - set(expected) - layout):
        _unless_newer(manifest, f"there are unknown entries: {show(unknown)}")
    for name, kind in expected.items():
        if not isinstance(manifest.get(name, ...), kind):
            raise ModelFileError(
                f"'{name}' is missing or of a wrong type: {show(manifest.get(name))}"
            )
    if manifest["class"] not in CLASSES:
        raise ModelFileError(
            f"'class' must be one of {', '.join(CLASSES)}. Got "
            f"{show(manifest['class'])} instead."
        )
    if manifest["time_unit"] not in (None, *UNITS):
        raise ModelFileError(f"'time_unit' is unknown: {show(manifest['time_unit'])}")
    return CLASSES[manifest["class"]]


def _unless_newer(manifest, message):
    """Refuse what is unknown, but for files of a later minor version."""
    if manifest.get("format", FORMAT)[1] <= FORMAT[1]:
        raise ModelFileError(message)


def _make(cls, manifest):
    """Make the unfitted estimator."""
    model, params = cls(), manifest["params"]
    known = set(model.get_params(deep=False)) - set(LEFT_OUT)
    if unknown := sorted(set(params) - known):
        _unless_newer(manifest, f"'params': {cls.__name__} has no {show(unknown)}")
    params = {name: params[name] for name in known & set(params)}
    for name, value in params.items():
        if not isinstance(value, (bool, int, float, str, type(None))):
            raise ModelFileError(f"'params': '{name}' is {show(value)}")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ModelFileError(f"'params': '{name}' is beyond 64 bits")
    model.set_params(**params)
    try:
        validate_parameters(model)
    except InvalidParameterError as error:
        raise ModelFileError(f"'params': {error}") from error
    return model


def _read_scalars(model, manifest):
    """Check the fitted attributes that are single values."""
    fitted = manifest["fitted"]
    if set(fitted) != set(model._fitted_scalars):
        raise ModelFileError(f"'fitted' must have {[*model._fitted_scalars]}")
    for name, constraint in model._fitted_scalars.items():
        if not constraint.allows(fitted[name]):
            raise ModelFileError(
                f"'fitted': {name} must be {constraint}. Got {show(fitted[name])}."
            )
    names = [USER, ITEM] if manifest["from_frame"] else []
    if manifest["from_frame"] and manifest["n_features"] == 3:
        names.append(TIME)
    fits = Integer(2, 2**31).allows(manifest["n_features"])
    if not fits or (names and len(names) != manifest["n_features"]):
        raise ModelFileError(f"'n_features' is {show(manifest['n_features'])}")
    state = {**fitted, "n_features_in_": manifest["n_features"]}
    if names:
        state["feature_names_in_"] = np.array(names, dtype=object)
    return state


def _read_settings(model, manifest):
    """Check what shaped the network besides its weights; its arrays come later."""
    found = manifest["settings"]
    if model._network is None:
        if found is not None:
            raise ModelFileError(f"'settings': {type(model).__name__} has none")
        return None
    kinds = model._network.Settings.__annotations__
    kinds = {k: v for k, v in kinds.items() if v is not np.ndarray}
    if found is None or set(found) != set(kinds):
        raise ModelFileError(f"'settings' must have {[*kinds]}")
    for name, kind in kinds.items():
        value = found[name]
        constraint = model._parameter_constraints.get(name)
        if kind is int:
            constraint = Integer(0, 2**63 - 1)
        right = type(value) is kind
        if not right or not (constraint is None or constraint.allows(value)):
            raise ModelFileError(f"'settings': {name} is {show(value)}")
    return dict(found)


def _check_tensors(model, manifest, settings, tensors):
    """Check names, dtypes and shapes of all arrays, and add those of the settings.

    A layout names the sizes of each array; a name means the same size everywhere.
    """
    expected = {
        "item_counts": ("i8", ("n_items",)),
        "history.indptr": ("i8", ("n_users+1",)),
        "history.items": ("i4", ("n_rows",)),
    }
    for name in ("users", "items"):
        expected |= _id_layout(name, tensors)
    if manifest["n_features"] > 2:  # users, items and times
        dtypes = "i8" if manifest["time_unit"] else "i8 u8 f8"
        expected["history.times"] = (dtypes, ("n_rows",))
    elif manifest["time_unit"]:
        raise ModelFileError("'time_unit' belongs to a model with times")
    if settings is not None:
        arrays = model._network.setting_layout()
        expected |= {f"settings.{name}": layout for name, layout in arrays.items()}
        expected["epochs.loss"] = ("f8", ("n_iter",))
        if "epochs.validation_score" in tensors:
            expected["epochs.validation_score"] = ("f8", ("n_iter",))
    names = part_of(tensors, "weights.")
    weights = model._weight_layout(SimpleNamespace(**settings or {}), names)
    expected |= {f"weights.{name}": layout for name, layout in weights.items()}
    if missing := sorted(set(expected) - set(tensors)):
        raise ModelFileError(f"{show(missing[0])} is missing")
    if unknown := sorted(set(tensors) - set(expected)):
        raise ModelFileError(f"{show(unknown[0])} does not belong here")
    _check_sizes(expected, tensors)
    if settings is not None:
        settings |= {name: tensors[f"settings.{name}"] for name in arrays}


def _id_layout(name, tensors):
    if name in tensors:
        dtypes = "i1 i2 i4 i8 u1 u2 u4 u8 f4 f8"
        return {name: (dtypes, (f"n_{name}",))}
    return {
        f"{name}.offsets": ("i8", (f"n_{name}+1",)),
        f"{name}.utf8": ("u1", (f"{name}.bytes",)),
    }


def _check_sizes(expected, tensors):
    sizes = {"1": 1}
    # A single name stands for what is found; a sum is then computed from names.
    for name, (dtypes, shape) in expected.items():
        found = tensors[name]
        if found.dtype.str[1:] not in dtypes.split():
            raise ModelFileError(f"'{name}' has dtype {found.dtype}, not {dtypes}")
        if found.ndim != len(shape):
            raise ModelFileError(f"'{name}' has {found.ndim} dimensions")
        for size, label in zip(found.shape, shape, strict=True):
            if label.endswith("+1"):
                sizes.setdefault(label.removesuffix("+1"), size - 1)
            elif "+" not in label:
                sizes.setdefault(label, size)
    for name, (_, shape) in expected.items():
        needed = tuple(sum(sizes[part] for part in label.split("+")) for label in shape)
        if tensors[name].shape != needed:
            raise ModelFileError(
                f"'{name}' has shape {tensors[name].shape}; {' × '.join(shape)} is "
                f"{needed}"
            )
    for label in ("n_users", "n_items", "n_rows", "n_iter", "L", "d"):
        if sizes.get(label, 1) < 1:
            raise ModelFileError(f"'{label}' must be at least 1")


def _check_values(tensors, times):
    """Check what needs a look at every number."""
    codes, counts = tensors["history.items"], tensors["item_counts"]
    if (counts != np.bincount(codes, minlength=len(counts))).any():
        raise ModelFileError("'item_counts' does not count 'history.items'")
    if times is not None:
        if not np.isfinite(times).all():
            raise ModelFileError("'history.times' holds what is no time")
        mates = row_mates(tensors["history.indptr"], len(times))
        if (times[1:] < times[:-1])[mates].any():
            raise ModelFileError("'history.times' must not fall within a user")
    for name, value in tensors.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ModelFileError(f"'{name}' holds what is not a finite number")
