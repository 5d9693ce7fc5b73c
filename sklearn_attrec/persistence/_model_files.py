"""Save, load and inspect model files."""

import os
import re
from typing import Any, Literal

from sklearn.utils.validation import check_is_fitted

from sklearn_attrec.models._base import BaseRecommender
from sklearn_attrec.persistence._deserialize import deserialize
from sklearn_attrec.persistence._manifest import CLASSES, check_manifest
from sklearn_attrec.persistence._serialize import serialize
from sklearn_attrec.utils._param_validation import (
    Boolean,
    OneOf,
    Optional,
    Predicate,
    check_arguments,
    validate_parameters,
)
from sklearn_attrec.utils._tensor_file import (
    file_errors,
    read_manifest,
    read_tensors,
    write_tensors,
)

__all__ = ["inspect_model", "load_model", "save_model"]

_SHA256 = Predicate(
    "64 hexadecimal digits, as sha256sum prints them",
    lambda value: isinstance(value, str) and re.fullmatch("[0-9a-fA-F]{64}", value),
)


def save_model(estimator: BaseRecommender, path: str | os.PathLike[str]) -> None:
    """Save a fitted recommender to one file that is safe to load.

    The file contains arrays and text, but no code, so it can be loaded even if its
    author is not trusted. An existing file is replaced only after the new file is
    complete; if saving fails, the existing file stays unchanged. The same model always
    gives the same bytes.

    Parameters
    ----------
    estimator : recommender
        Fitted recommender of this package. For a pipeline, save the last step,
        `pipeline[-1]`: the filters before it have no effect after fit.
    path : str or PathLike
        Path of the file; the usual extension is '.attrec'. If the file exists, its
        permissions are kept.

    Raises
    ------
    TypeError
        If the estimator is not a recommender of this package.
    InvalidParameterError
        If a parameter has a value that a file cannot contain, for example a
        RandomState.
    ModelFileError
        If the saved file could not be loaded, for example because of NaN weights.
    NotFittedError
        If the estimator is not fitted.
    OSError
        If the file cannot be written.
    ValueError
        If the model has too many arrays (several thousand).

    See Also
    --------
    load_model : Load a model file.

    Notes
    -----
    The file format is safetensors [1]_, with a manifest in JSON and the SHA-256 of each
    array. Later versions of this package can read the file if the major version of the
    format is the same, with any supported version of NumPy; a pickle needs the version
    of this package that wrote it. The file contains all parameters and fitted
    attributes, except the parameters `checkpoint` and `item_features`; of the table,
    it contains the features that `fit` read, as `item_features_`.

    References
    ----------
    .. [1] Hugging Face, "Safetensors", https://huggingface.co/docs/safetensors.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_attrec import MarkovRecommender, load_model, save_model
    >>> from sklearn_attrec.datasets import make_interactions
    >>> model = MarkovRecommender().fit(make_interactions(random_state=0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "markov.attrec"
    ...     save_model(model, path)
    ...     loaded = load_model(path)
    >>> bool((loaded.predict([0, 1]) == model.predict([0, 1])).all())
    True
    """
    cls = type(estimator)
    if CLASSES.get(cls.__name__) is not cls:
        raise TypeError(
            f"save_model: 'estimator' must be one of {', '.join(CLASSES)}. Got "
            f"{cls.__name__} instead.{_remedy(estimator)}"
        )
    check_is_fitted(estimator)
    validate_parameters(estimator)
    manifest, tensors = serialize(estimator)
    deserialize(manifest, tensors)  # raises an error if the file could not be loaded
    write_tensors(path, manifest, tensors)


def load_model(
    path: str | os.PathLike[str],
    *,
    mmap: bool = False,
    verify: Literal["full", "header"] = "full",
    expected_sha256: str | None = None,
) -> BaseRecommender:
    """Load a recommender from a file written by `save_model`.

    The contents are checked before the model is built, and no code from the file is
    run. Loading and prediction use NumPy and do not import TensorFlow.

    Parameters
    ----------
    path : str or PathLike
        Path of a regular file.
    mmap : bool, default=False
        Whether to memory-map the arrays, so that several processes share them. Do not
        change the file in place while it is mapped: the process crashes if the file
        gets shorter. `save_model` replaces the file as a whole and is safe.
    verify : {'full', 'header'}, default='full'
        Which checks to run. 'header' skips the checks that read every byte: checksums
        of the arrays, finite weights, unique ids, correct item counts and sorted
        timestamps. Use it for files that were verified before. Sizes and codes are
        always checked.
    expected_sha256 : str, default=None
        Expected SHA-256 of the whole file, 64 hexadecimal digits, from a source you
        trust. The checksums inside the file detect accidental damage, but not
        deliberate changes.

    Returns
    -------
    recommender
        The fitted recommender. Its predictions are bit-identical to those of the saved
        model.

    Raises
    ------
    ModelFileError
        If the file is not a model file or has invalid contents. The message names the
        problem. The subclass `ModelVersionError` means another major version of the
        format, `ModelCorruptError` a damaged file.
    InvalidParameterError
        If `mmap`, `verify` or `expected_sha256` is invalid.
    OSError
        If the file cannot be read.

    See Also
    --------
    save_model : Save a model file.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_attrec import PopularityRecommender, load_model, save_model
    >>> from sklearn_attrec.datasets import make_interactions
    >>> model = PopularityRecommender(k=3).fit(make_interactions(random_state=0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/popular.attrec")
    ...     loaded = load_model(f"{folder}/popular.attrec")
    >>> loaded
    PopularityRecommender(k=3)
    """
    check_arguments(
        "load_model",
        mmap=(mmap, Boolean()),
        verify=(verify, OneOf("full", "header")),
        expected_sha256=(expected_sha256, Optional(_SHA256)),
    )
    manifest, tensors = read_tensors(
        path, mmap=mmap, verify=verify, expected_sha256=expected_sha256
    )
    with file_errors(path):
        return deserialize(manifest, tensors, thorough=verify == "full")


def inspect_model(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Describe the contents of a model file without loading the model.

    Parameters
    ----------
    path : str or PathLike
        Path of a file written by `save_model`.

    Returns
    -------
    dict
        `class`, `params`, `n_users`, `n_items`, `n_rows` (number of interactions),
        `interrupted` (whether fit was interrupted), `format` (version of the file
        format), `written_by` (version of the package), `size` (in bytes) and `tensors`
        (dtype and shape of each array). The arrays themselves are not checked.

    Raises
    ------
    ModelFileError
        If the file is not a model file or its header is invalid; see `load_model`.
    OSError
        If the file cannot be read.

    See Also
    --------
    load_model : Load a model file.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_attrec import PopularityRecommender, save_model
    >>> from sklearn_attrec.datasets import make_interactions
    >>> from sklearn_attrec.persistence import inspect_model
    >>> model = PopularityRecommender().fit(make_interactions(random_state=0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/popular.attrec")
    ...     found = inspect_model(f"{folder}/popular.attrec")
    >>> found["class"], found["n_users"], found["n_items"]
    ('PopularityRecommender', 200, 50)
    """
    manifest, header, size = read_manifest(path)
    with file_errors(path):
        check_manifest(manifest)
        shapes = {name: entry["shape"] for name, entry in header.items()}
        counts = {
            "n_users": _count(shapes, "users"),
            "n_items": _count(shapes, "items"),
            "n_rows": shapes.get("history.items", [0])[0],
        }
    return {
        "class": manifest["class"],
        "params": manifest["params"],
        **counts,
        "interrupted": bool(manifest["fitted"].get("interrupted_", False)),
        "format": ".".join(map(str, manifest["format"])),
        "written_by": manifest["written_by"],
        "size": size,
        "tensors": {
            name: (entry["dtype"], tuple(entry["shape"]))
            for name, entry in header.items()
        },
    }


def _count(shapes, name):
    if name in shapes:
        return shapes[name][0]
    return shapes.get(f"{name}.offsets", [1])[0] - 1


def _remedy(estimator):
    if hasattr(estimator, "steps"):
        return " Save its last step, pipeline[-1]: filters have no effect after fit."
    if hasattr(estimator, "best_estimator_"):
        return " Save its best_estimator_."
    return ""
