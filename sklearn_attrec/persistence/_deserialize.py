"""Convert a manifest and arrays to a fitted recommender, with consistency checks."""

from sklearn_attrec._ranking.known_ids import missing_id
from sklearn_attrec.exceptions import InvalidParameterError, ModelFileError
from sklearn_attrec.persistence._item_features import check_columns, unpack_features
from sklearn_attrec.persistence._manifest import (
    check_manifest,
    read_fitted_values,
    read_settings,
    unfitted_model,
)
from sklearn_attrec.persistence._tensor_checks import check_layout, check_values
from sklearn_attrec.utils._csr import SPARSE_ITEMS, check_csr, check_sparse_items
from sklearn_attrec.utils._packed_ids import unpack_ids
from sklearn_attrec.utils._tensor_file import with_prefix

__all__ = ["deserialize"]


def deserialize(manifest, tensors, thorough=True):
    """Build a fitted model from the contents of a file.

    Parameters
    ----------
    manifest : dict
    tensors : dict of ndarray
    thorough : bool, default=True
        Whether to run also the checks that read every number. The checks that protect
        compiled code from invalid memory access always run.

    Returns
    -------
    recommender
        The fitted recommender.

    Raises
    ------
    ModelFileError
        If anything is inconsistent. The message names it.
    """
    model = unfitted_model(check_manifest(manifest), manifest)
    state = read_fitted_values(model, manifest)
    state["settings_"] = settings = read_settings(model, manifest)
    columns = check_columns(model, manifest.get("item_features"))
    check_layout(model, manifest, settings, tensors)
    times = tensors.get("history.times")
    if manifest["time_unit"]:
        times = times.view(f"M8[{manifest['time_unit']}]")
    try:
        state |= _read_arrays(tensors, thorough)
        if thorough:
            check_values(tensors, times)
        weights = with_prefix(tensors, "weights.")
        if weights.keys() == SPARSE_ITEMS.keys():
            check_sparse_items(weights, len(state["items_"]))
        if hasattr(model, "_network"):
            model._network.make_settings(**settings)
            state["item_features_"] = unpack_features(columns, tensors)
    except (ValueError, InvalidParameterError) as error:
        raise ModelFileError(str(error)) from error
    state["history_times_"] = times
    state["history_weights_"] = tensors.get("history.weights")
    if weights:
        state["weights_"] = weights
    if hasattr(model, "_network"):
        state |= _read_curves(tensors)
    vars(model).update(state, _cache={})
    return model


def _read_arrays(tensors, thorough):
    """Return the fitted attributes that every recommender has."""
    users = unpack_ids("users", tensors, thorough)
    items = unpack_ids("items", tensors, thorough)
    indptr, codes = tensors["history.indptr"], tensors["history.items"]
    check_csr("history", indptr, codes, len(items))
    return {
        "users_": users,
        "items_": items,
        "missing_item_": missing_id(items),
        "item_counts_": tensors["item_counts"],
        "history_indptr_": indptr,
        "history_items_": codes,
    }


def _read_curves(tensors):
    """Return the fitted attributes about the training epochs of a network."""
    curves = {}
    for name in ("loss_curve", "validation_scores"):
        curve = tensors.get(name)
        curves[f"{name}_"] = None if curve is None else curve.tolist()
    return curves | {"n_iter_": len(curves["loss_curve_"])}
