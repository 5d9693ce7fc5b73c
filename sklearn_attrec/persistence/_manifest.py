"""The manifest of a model file: all data of a model that are not arrays."""

import numpy as np

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER
from sklearn_attrec.exceptions import (
    InvalidParameterError,
    ModelFileError,
    ModelVersionError,
)
from sklearn_attrec.models import RECOMMENDERS
from sklearn_attrec.utils._param_validation import Integer, validate_parameters
from sklearn_attrec.utils._plain_values import plain_parameters
from sklearn_attrec.utils._short_repr import short_repr
from sklearn_attrec.utils._tensor_file import FORMAT, UPGRADE
from sklearn_attrec.utils._version import package_version

__all__ = [
    "CLASSES",
    "check_manifest",
    "make_manifest",
    "read_fitted_values",
    "read_settings",
    "unfitted_model",
]

# The classes that a model file may contain. Loading never imports a class by name.
CLASSES = {cls.__name__: cls for cls in RECOMMENDERS.values()}

# Parameters that are not saved: the path of a checkpoint is not part of the model, and
# of `item_features` the features that `fit` has read are saved.
UNSAVED = ("checkpoint", "item_features")

# Parameters of networks in earlier formats that no longer exist. Only `fit` used them.
REMOVED = {"n_iter_no_change", "warm_start"}

TIME_UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns")
PLAIN = (bool, int, float, str, type(None))

# Position vectors (L, embedding size) are computed from `settings`, not read from the
# file. Without this limit, loading a small file could allocate an arbitrary amount of
# memory. It allows 64 MB (about 500 MB while they are computed), for example L = 16,384
# with d = 1,024.
MAX_POSITION_NUMBERS = 2**24


def make_manifest(model):
    """Create the manifest of a fitted model.

    Parameters
    ----------
    model : recommender
        The fitted recommender.

    Returns
    -------
    dict
        Can be written as JSON.

    Raises
    ------
    InvalidParameterError
        If a parameter has a value that a model file cannot contain.
    """
    times = model.history_times_
    is_dates = times is not None and times.dtype.kind == "M"
    return {
        "kind": "model",
        "class": type(model).__name__,
        "written_by": package_version(),
        "params": _plain_parameters(model),
        "n_features": int(model.n_features_in_),
        "from_frame": hasattr(model, "feature_names_in_"),
        "time_unit": np.datetime_data(times.dtype)[0] if is_dates else None,
        "fitted": {name: getattr(model, name) for name in model._fitted_scalars},
        "settings": model.settings_,
    }


def _plain_parameters(model):
    params = plain_parameters(model, without=UNSAVED)
    for name, value in params.items():
        if not isinstance(value, PLAIN):
            is_seed = name == "random_state"
            remedy = f": estimator.set_params({name}=None)" if is_seed else ""
            raise InvalidParameterError(
                f"save_model: the '{name}' parameter of {type(model).__name__} is a "
                f"{type(value).__name__}, which a model file cannot contain. First set "
                f"it to a number, a string, a boolean or None{remedy}."
            )
    return params


def check_manifest(manifest):
    """Check the entries of a manifest and their types.

    Parameters
    ----------
    manifest : dict

    Returns
    -------
    class
        The class of the model.

    Raises
    ------
    ModelFileError
        If an entry is missing or invalid. The message names it.
    """
    if (kind := manifest.get("kind")) != "model":
        raise ModelFileError(
            f"is not a model but a {short_repr(kind)}. To continue from a checkpoint, "
            "pass checkpoint=path to the estimator and call fit."
        )
    expected = {
        "class": str,
        "fitted": dict,
        "from_frame": bool,
        "kind": str,
        "n_features": int,
        "params": dict,
        "settings": dict,
        "time_unit": (str, type(None)),
        "written_by": str,
    }
    checked = {"format", "sha256"}  # by `read_tensors`
    optional = {"item_features"}  # see `check_columns`
    if unknown := sorted(set(manifest) - set(expected) - checked - optional):
        _raise_unless_newer(manifest, f"unknown entries: {short_repr(unknown)}")
    for name, types in expected.items():
        if not isinstance(manifest.get(name, ...), types):
            raise ModelFileError(
                f"'{name}' is missing or has the wrong type. Got "
                f"{short_repr(manifest.get(name))}."
            )
    if manifest["class"] not in CLASSES:
        raise ModelFileError(
            f"'class' must be one of {', '.join(CLASSES)}. Got "
            f"{short_repr(manifest['class'])} instead."
        )
    if manifest["time_unit"] not in (None, *TIME_UNITS):
        raise ModelFileError(
            f"'time_unit' must be None or one of {', '.join(TIME_UNITS)}. Got "
            f"{short_repr(manifest['time_unit'])}."
        )
    return CLASSES[manifest["class"]]


def _is_newer(manifest):
    """Return whether the file has a newer minor version of the format."""
    return manifest.get("format", FORMAT)[1] > FORMAT[1]


def _raise_unless_newer(manifest, message):
    if not _is_newer(manifest):
        raise ModelFileError(message)


def _is_older_network(model, manifest, minor):
    """Return whether a file has a network in a format before a minor version."""
    return hasattr(model, "_network") and manifest.get("format", FORMAT)[1] < minor


def unfitted_model(cls, manifest):
    """Create the unfitted estimator that a manifest describes."""
    model, params = cls(), manifest["params"]
    known = set(model.get_params(deep=False)) - set(UNSAVED)
    removed = REMOVED if _is_older_network(model, manifest, 2) else set()
    if unknown := sorted(set(params) - known - removed):
        message = f"'params': {cls.__name__} has no parameters {short_repr(unknown)}"
        _raise_unless_newer(manifest, message)
    params = {name: params[name] for name in known & set(params)}
    for name, value in params.items():
        if not isinstance(value, PLAIN):
            raise ModelFileError(
                f"'params': '{name}' must be a number, a string, a boolean or None. "
                f"Got {short_repr(value)}."
            )
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ModelFileError(
                f"'params': the value of '{name}' does not fit in 64 bits"
            )
    model.set_params(**params)
    try:
        validate_parameters(model)
    except InvalidParameterError as error:
        raise ModelFileError(f"'params': {error}") from error
    return model


def read_fitted_values(model, manifest):
    """Check and return the fitted attributes that are not arrays."""
    fitted = manifest["fitted"]
    if set(fitted) != set(model._fitted_scalars):
        raise ModelFileError(
            f"'fitted' must have the entries {[*model._fitted_scalars]}. Got "
            f"{short_repr([*fitted])}."
        )
    for name, constraint in model._fitted_scalars.items():
        if not constraint.allows(value := fitted[name]):
            raise ModelFileError(
                f"'fitted': {name} must be {constraint}. Got {short_repr(value)}."
            )
    n_features = manifest["n_features"]
    names = [USER, ITEM] if manifest["from_frame"] else []
    if manifest["from_frame"] and n_features == 3:
        names.append(TIME)
    is_count = Integer(2, 2**31).allows(n_features)
    if not is_count or (names and len(names) != n_features):
        raise ModelFileError(
            "'n_features' must be an int of at least 2, and 2 or 3 if the model was "
            f"fitted on a DataFrame. Got {short_repr(n_features)}."
        )
    state = {**fitted, "n_features_in_": n_features}
    if names:
        state["feature_names_in_"] = np.array(names, dtype=object)
    return state


def read_settings(model, manifest):
    """Check and return the parameters that the model was fitted with."""
    settings = manifest["settings"]
    if _is_older_network(model, manifest, 1):
        settings = {"time_bias": None} | settings
    # Only names and types of these settings are used.
    expected = model._settings(2**31, 2**31)
    unknown = sorted(set(settings) - set(expected))
    if unknown and _is_newer(manifest):
        raise ModelVersionError(
            f"has settings of a later version: {short_repr(unknown)}. {UPGRADE}."
        )
    if set(settings) != set(expected):
        raise ModelFileError(
            f"'settings' must have the entries {[*expected]}. Got "
            f"{short_repr([*settings])}."
        )
    for name, value in settings.items():
        constraint = model._parameter_constraints[name]
        # A network without sampled negatives stores n_negatives=0.
        is_zero = name == "n_negatives" and value == 0
        has_type = type(value) is type(expected[name])
        is_large = isinstance(value, int) and value >= 2**63
        if not has_type or is_large or not (is_zero or constraint.allows(value)):
            raise ModelFileError(
                f"'settings': {name} has an invalid value or type. Got "
                f"{short_repr(value)}."
            )
    L = settings.get("L", 0)
    width = settings.get("d", 0) + settings.get("d_user", 0)
    if L * width > MAX_POSITION_NUMBERS:
        raise ModelFileError(
            f"'settings': L · (embedding size) must be at most {MAX_POSITION_NUMBERS}. "
            f"Got {L} · {width}."
        )
    return dict(settings)
