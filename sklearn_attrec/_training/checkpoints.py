"""Checkpoints: saved states of an unfinished fit, to continue it later."""

import contextlib
import hashlib
import os
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sklearn_attrec._training.progress import Progress
from sklearn_attrec.exceptions import (
    CheckpointMismatchError,
    InvalidParameterError,
    ModelCorruptError,
    ModelFileError,
    ModelVersionError,
)
from sklearn_attrec.utils._packed_ids import pack_ids
from sklearn_attrec.utils._plain_values import plain_parameters
from sklearn_attrec.utils._short_repr import short_repr
from sklearn_attrec.utils._tensor_file import file_errors, read_tensors, write_tensors
from sklearn_attrec.utils._version import package_version

__all__ = ["Checkpoints", "SavedFit", "fingerprint", "remove_checkpoints"]

# Age of the last checkpoint, in seconds, after which another one is saved within an
# epoch.
MAX_AGE = 600

NOT_OVERWRITTEN = (
    ". It is not overwritten: pass another path as 'checkpoint', or delete the file to "
    "start again."
)

# Parameters that may differ when a fit is continued. The seed and the features that
# were read from the table are compared separately.
NOT_COMPARED = {
    "checkpoint",
    "handle_unknown",
    "item_features",
    "random_state",
    "verbose",
}
# Parameters that training uses only for early stopping. Without it they may differ,
# too.
ONLY_FOR_EARLY_STOPPING = {
    "exclude_seen",
    "k",
    "validation_fraction",
}


class SavedFit(NamedTuple):
    """Content of a checkpoint."""

    progress: Progress
    tensors: dict


class Checkpoints:
    """Saves and loads the state of a fit.

    The previous checkpoint is kept too, in a file whose name ends with '.previous'.

    Parameters
    ----------
    path : str or PathLike
    identity : dict
        Identifies the fit; see `fingerprint`. Loading a checkpoint of another fit
        raises an error.
    """

    def __init__(self, path, identity):
        self.path, self.previous = _paths(path)
        self.identity = {"version": package_version(), **identity}
        self.saved_at = time.monotonic()
        self.is_damaged = False  # a damaged last checkpoint is not kept as previous

    def check_path(self, caller):
        """Raise an error before training if the path cannot be written.

        Parameters
        ----------
        caller : str
            Name of the calling method; the error message begins with it.
        """
        head = f"{caller}: 'checkpoint' is {short_repr(str(self.path), 300)}"
        folder = self.path.parent
        if not os.access(folder, os.W_OK | os.X_OK) or not folder.is_dir():
            raise InvalidParameterError(
                f"{head}, but no file can be created in that folder. Pass another path."
            )
        for path in (self.path, self.previous):
            if path.exists() and not path.is_file():
                raise InvalidParameterError(
                    f"{head}, but {os.fspath(path)!r} is not a file. Pass another path."
                )

    def load(self):
        """Read the last checkpoint, or the previous one if the last is damaged.

        Returns
        -------
        SavedFit or None
            None if there is no checkpoint.

        Raises
        ------
        CheckpointMismatchError
            If the checkpoint was written by another fit. The message says how the fits
            differ.
        ModelFileError
            If the files are not checkpoints, or all are damaged.
        """
        damage = None
        for path in (self.path, self.previous):
            try:
                saved = self._read(path)
            except FileNotFoundError:
                continue
            except ModelVersionError as error:
                raise CheckpointMismatchError(f"checkpoint {error}") from error
            except ModelCorruptError as error:
                damage = damage or error
                continue
            except ModelFileError as error:
                raise ModelFileError(f"checkpoint {error}{NOT_OVERWRITTEN}") from error
            self.is_damaged = damage is not None
            if damage:
                warnings.warn(
                    f"checkpoint {damage}. The previous checkpoint, of epoch "
                    f"{saved.progress.epoch}, is used instead.",
                    stacklevel=6,
                )
            return saved
        if damage:
            raise ModelCorruptError(f"checkpoint {damage}{NOT_OVERWRITTEN}") from damage
        return None

    def _read(self, path):
        manifest, tensors = read_tensors(path)
        with file_errors(path):
            identity = manifest.get("identity")
            if manifest.get("kind") != "checkpoint" or not isinstance(identity, dict):
                raise ModelFileError("is not a checkpoint of a fit")
            self._compare(identity, path)
            return _parse(manifest, tensors)

    def _compare(self, found, path):
        for name in dict.fromkeys([*self.identity, *found]):
            this_fit, saved_fit = self.identity.get(name), found.get(name)
            if this_fit != saved_fit:
                difference = (
                    "other interactions"
                    if name == "data"
                    else f"{name}={short_repr(saved_fit)}, but this fit has "
                    f"{name}={short_repr(this_fit)}"
                )
                raise CheckpointMismatchError(
                    f"checkpoint {os.fspath(path)!r} was written by a fit with "
                    f"{difference}. Use the same data and parameters to continue that "
                    "fit, delete the file to start again, or pass another path as "
                    "'checkpoint'."
                )

    def is_due(self):
        """Return whether to save a checkpoint within an epoch."""
        return time.monotonic() - self.saved_at >= MAX_AGE

    def save(self, progress, tensors):
        """Save a checkpoint and keep the previous one.

        Parameters
        ----------
        progress : Progress
        tensors : dict of ndarray
            Weights and optimiser state.
        """
        manifest = {
            "kind": "checkpoint",
            "identity": self.identity,
            "progress": progress.to_manifest(),
        }
        tensors = tensors | progress.to_tensors()
        if not self.is_damaged:
            with contextlib.suppress(FileNotFoundError):
                self.path.replace(self.previous)
        write_tensors(self.path, manifest, tensors)
        self.saved_at, self.is_damaged = time.monotonic(), False


def remove_checkpoints(path):
    """Remove the last and the previous checkpoint of a finished fit.

    Parameters
    ----------
    path : str or PathLike
    """
    for file in _paths(path):
        file.unlink(missing_ok=True)


def _paths(path):
    """Return the paths of the last and the previous checkpoint, links resolved."""
    path = Path(os.path.realpath(path))
    return path, path.with_name(f"{path.name}.previous")


def _parse(manifest, tensors):
    try:
        progress = Progress.from_file(manifest["progress"], tensors)
    except (KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise ModelFileError(f"'progress' is invalid: {error}") from error
    return SavedFit(progress, tensors)


def fingerprint(model, sequences, users, items, features, seed):
    """Identify a fit by everything that its weights depend on.

    Parameters
    ----------
    model : estimator
    sequences : Sequences
    users, items : ndarray
        Ids in the order of their codes.
    features : dict of ndarray
        Features of the items; empty without features.
    seed : int or None
        None if the fit may continue with any seed.

    Returns
    -------
    dict
        The class, the SHA-256 of the data, the parameters and the seed.
    """
    arrays = pack_ids("users", users) | pack_ids("items", items)
    arrays |= {"indptr": sequences.indptr, "codes": sequences.items}
    if sequences.times is not None:
        arrays["times"] = sequences.times
    if sequences.weights is not None:
        arrays["weights"] = sequences.weights
    arrays |= features
    not_compared = NOT_COMPARED
    if not model.early_stopping:
        not_compared = NOT_COMPARED | ONLY_FOR_EARLY_STOPPING
    digest = hashlib.sha256()
    for name, value in arrays.items():
        digest.update(f"{name} {value.dtype.str} {len(value)} ".encode())
        digest.update(np.ascontiguousarray(value).view(np.uint8).data)
    return {
        "class": type(model).__name__,
        "data": digest.hexdigest(),
        **plain_parameters(model, without=not_compared),
        "random_state": seed,
    }
