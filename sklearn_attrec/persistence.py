"""Model files: fitted recommenders as checked arrays, never as code."""

from sklearn.utils.validation import check_is_fitted

from sklearn_attrec._model_state import (
    CLASSES,
    check_manifest,
    put_together,
    take_apart,
)
from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.utils._ids import show
from sklearn_attrec.utils._param_validation import Boolean, OneOf, validate_parameters
from sklearn_attrec.utils._tensor_file import (
    file_errors,
    read_manifest,
    read_tensors,
    write_tensors,
)

__all__ = ["inspect_model", "load_model", "save_model"]


def save_model(estimator, path):
    """Save a fitted recommender as one file that is safe to load.

    The file holds arrays and text, no code: who loads it need not trust who wrote it.
    Written beside the target, flushed to the disk and renamed, it is there as a whole
    or not at all, and an older file stays until then. The same model gives the same
    bytes: where, when and how fast it was made is no part of it.

    Parameters
    ----------
    estimator : recommender
        Fitted, of one of the classes of this package. Of a pipeline save the last step,
        `pipeline[-1]`: filters of rows do nothing after fit.
    path : str or PathLike
        Where to; '.attrec' is the usual ending. Permissions of a file that is replaced
        are kept.

    Raises
    ------
    TypeError
        If the estimator is of another class.
    InvalidParameterError
        If a parameter has a value that a file cannot hold, such as a RandomState.
    ModelFileError
        If what was fitted cannot be loaded again, such as weights that were set to NaN.
    NotFittedError
        If it is not fitted.
    OSError
        If the file cannot be written.
    ValueError
        If the model has more arrays than a file may name, some thousands.

    See Also
    --------
    load_model : Loads it.

    Notes
    -----
    The layout is that of safetensors [1]_, with a manifest in JSON and the SHA-256 of
    each array. Files stay readable by later versions with the same major number of the
    format; pickles need the version that wrote them. What `fit` keeps is kept, but for
    the seconds of `history_` and the parameters `checkpoint` and `resume`.

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
            f"{cls.__name__} instead.{_way_out(estimator)}"
        )
    check_is_fitted(estimator)
    validate_parameters(estimator)
    manifest, tensors = take_apart(estimator)
    put_together(manifest, tensors)  # what could not be loaded is not written
    write_tensors(path, manifest, tensors)


def load_model(path, *, mmap=False, verify="full", expected_sha256=None):
    """Load a recommender from a file of `save_model`.

    Everything is checked before anything is built, and nothing in the file is run. Only
    NumPy is needed to load and to predict, not TensorFlow.

    Parameters
    ----------
    path : str or PathLike
        A regular file.
    mmap : bool, default=False
        Whether to leave the arrays in the file and read them when they are used, so
        that processes share them. The file must not be changed in place meanwhile: a
        file that is cut short kills the process. `save_model` replaces files and is
        safe.
    verify : {'full', 'header'}, default='full'
        'header' leaves out what needs every byte: the checksums of the arrays, whether
        weights are finite, whether ids repeat, counts are right and times in order.
        Sizes and codes are checked always. For files that were checked before.
    expected_sha256 : str, default=None
        SHA-256 of the whole file, 64 hexadecimal digits, from a source you trust. The
        checksums inside a file tell damage, not forgery.

    Returns
    -------
    recommender
        Fitted; every prediction equals the saved one's, bit for bit.

    Raises
    ------
    ModelFileError
        If the file is no model file, or holds anything unexpected; the message names
        it. `ModelVersionError` for a format of another major version,
        `ModelCorruptError` for a damaged file.
    OSError
        If the file cannot be read.

    See Also
    --------
    save_model : Saves one.

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
    _check_option("mmap", mmap, Boolean())
    _check_option("verify", verify, OneOf("full", "header"))
    _check_digest(expected_sha256)
    manifest, tensors = read_tensors(
        path, mmap=mmap, verify=verify, expected_sha256=expected_sha256
    )
    with file_errors(path):
        return put_together(manifest, tensors, thorough=verify == "full")


def inspect_model(path):
    """Tell what a model file holds, without loading it.

    Parameters
    ----------
    path : str or PathLike
        A file of `save_model`.

    Returns
    -------
    dict
        `class`, `params`, `n_users`, `n_items`, `n_rows` (interactions), `interrupted`
        (whether its fit was cut short), `format`, `written_by` (version of the
        package), `size` (bytes) and `tensors`, from each array's name to its dtype and
        shape. The arrays themselves are not checked.

    Raises
    ------
    ModelFileError
        As of `load_model`, for what can be seen without the arrays.

    See Also
    --------
    load_model : Loads it.

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


def _way_out(estimator):
    if hasattr(estimator, "steps"):
        return " Save its last step, pipeline[-1]; its filters do nothing after fit."
    if hasattr(estimator, "best_estimator_"):
        return " Save its best_estimator_."
    return ""


def _check_option(name, value, constraint):
    if not constraint.allows(value):
        raise InvalidParameterError(
            f"load_model: '{name}' must be {constraint}. Got {value!r} instead."
        )


def _check_digest(value):
    fits = isinstance(value, str) and len(value) == 64
    if value is not None and not (
        fits and set(value.lower()) <= set("0123456789abcdef")
    ):
        raise InvalidParameterError(
            "load_model: 'expected_sha256' must be 64 hexadecimal digits, as sha256sum "
            f"prints them. Got {show(value)} instead."
        )
