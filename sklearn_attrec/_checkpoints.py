"""Checkpoints: the state of an unfinished fit, kept to be taken up again."""

import contextlib
import hashlib
import json
import os
import time
import warnings
from pathlib import Path

import numpy as np

from sklearn_attrec._progress import Progress
from sklearn_attrec.exceptions import (
    CheckpointMismatchError,
    InvalidParameterError,
    ModelCorruptError,
    ModelFileError,
    ModelVersionError,
)
from sklearn_attrec.utils._ids import show
from sklearn_attrec.utils._packed_ids import pack_ids
from sklearn_attrec.utils._param_validation import EpochsOrTime, plain_parameters
from sklearn_attrec.utils._records import pack_records, unpack_records
from sklearn_attrec.utils._tensor_file import file_errors, read_tensors, write_tensors
from sklearn_attrec.utils._version import package_version

__all__ = ["Checkpoints", "fingerprint", "remove_checkpoints"]

# The seed is compared by itself; the others may differ between start and resumption.
FREE = {"checkpoint", "checkpoint_every", "keep_interrupted", "random_state", "resume"}
FREE |= {"handle_unknown", "verbose", "warm_start"}


class Checkpoints:
    """Writes the state of a fit from time to time, and finds it again.

    The one before the last is kept, too, under a name that ends in '.previous'.

    Parameters
    ----------
    path : str or PathLike
    every : int or str
        Epochs, or a time such as '10min'.
    identity : dict
        What tells this fit from others: a file with another identity is refused.
    """

    def __init__(self, path, every, identity):
        self.path, self.previous = _paths(path)
        self.identity = {"version": package_version(), **identity}
        self.epochs, self.seconds = EpochsOrTime.split(every)
        self.saved_at = time.monotonic()
        self.damaged = False  # whether the last one is, so that it is not kept

    def check_path(self, caller, free):
        """Refuse a path before training that nothing could be written to.

        Parameters
        ----------
        caller : str
            Begins the message.
        free : bool
            Whether to refuse what is there, too: perhaps an unfinished fit that nobody
            asked to take up.
        """
        head = f"{caller}: 'checkpoint' is {show(str(self.path), 300)}"
        folder = self.path.parent
        if not os.access(folder, os.W_OK | os.X_OK) or not folder.is_dir():
            raise InvalidParameterError(
                f"{head}, and no file can be made in that folder. Pass another path."
            )
        for path in (self.path, self.previous):
            if path.exists() and not path.is_file():
                raise InvalidParameterError(
                    f"{head}, and {os.fspath(path)!r} is no file. Pass another path."
                )
            if path.exists() and free:
                raise InvalidParameterError(
                    f"{head}, and {os.fspath(path)!r} exists. Pass resume=True to go "
                    "on with the unfinished fit it may hold, or pass another path."
                )

    def load(self):
        """Read the last checkpoint, or the one before if the last is damaged.

        Returns
        -------
        progress : Progress, or None without a checkpoint
        tensors : dict of ndarray

        Raises
        ------
        CheckpointMismatchError
            If it belongs to another fit; the message says in what they differ.
        ModelFileError
            If no checkpoint can be read.
        """
        problem = None
        for path in (self.path, self.previous):
            try:
                manifest, tensors = read_tensors(path)
                with file_errors(path):
                    self._compare(_read_identity(manifest), path)
                    progress = _read_progress(manifest, tensors)
            except FileNotFoundError:
                continue
            except ModelVersionError as error:
                raise CheckpointMismatchError(f"checkpoint {error}") from error
            except ModelFileError as error:
                problem = problem or error
                continue
            self.damaged = problem is not None
            if problem:
                warnings.warn(
                    f"checkpoint {problem}. The one before it is used, of epoch "
                    f"{progress.epoch}.",
                    stacklevel=6,
                )
            return progress, tensors
        if problem:
            raise ModelCorruptError(
                f"checkpoint {problem}. There is none before it to go on from: pass "
                "another path, or delete it to start anew."
            ) from problem
        return None, {}

    def _compare(self, found, path):
        for name in dict.fromkeys([*self.identity, *found]):
            ours, theirs = self.identity.get(name), found.get(name)
            if ours != theirs:
                what = {"data": "other interactions"}.get(
                    name, f"{name}={show(theirs)}, and this one has {name}={show(ours)}"
                )
                raise CheckpointMismatchError(
                    f"checkpoint {os.fspath(path)!r} belongs to a fit with {what}. "
                    "Fit the same again, delete the file to start anew, or pass "
                    "another path as 'checkpoint'."
                )

    def due(self, epoch=None):
        """Tell whether to write one now.

        Parameters
        ----------
        epoch : int, default=None
            The epoch that was just completed; None within one.
        """
        if self.seconds is not None:
            return time.monotonic() - self.saved_at >= self.seconds
        return epoch is not None and epoch % self.epochs == 0

    def save(self, progress, tensors):
        """Write a checkpoint, and keep the one before.

        Parameters
        ----------
        progress : Progress
        tensors : dict of ndarray
        """
        manifest = {
            "kind": "checkpoint",
            "identity": self.identity,
            "progress": _as_json(progress),
        }
        if not self.damaged:
            with contextlib.suppress(FileNotFoundError):
                self.path.replace(self.previous)
        write_tensors(self.path, manifest, tensors | pack_records(progress.history))
        self.saved_at, self.damaged = time.monotonic(), False


def remove_checkpoints(path):
    """Remove both checkpoints of a finished fit.

    Parameters
    ----------
    path : str or PathLike
    """
    for each in _paths(path):
        each.unlink(missing_ok=True)


def _paths(path):
    """Paths of the last checkpoint and of the one before; links are followed."""
    path = Path(os.path.realpath(path))
    return path, path.with_name(f"{path.name}.previous")


def _as_json(progress):
    record = progress._asdict()
    del record["history"]
    # As text, integers of any length and floats of any kind come back exactly.
    for name in ("entropy", "best"):
        record[name] = str(record[name])
    return record | {"random": json.dumps(progress.random)}


def _read_identity(manifest):
    identity = manifest.get("identity")
    if manifest.get("kind") != "checkpoint" or not isinstance(identity, dict):
        raise ModelFileError("is no checkpoint of a fit")
    return identity


def _read_progress(manifest, tensors):
    try:
        record = dict(manifest["progress"])
        record["entropy"] = int(record["entropy"])
        record["best"] = float(record["best"])
        record["random"] = json.loads(record["random"])
        np.random.PCG64().state = record["random"]  # raises if it is none
        progress = Progress(**record, history=tuple(unpack_records(tensors)))
        for count in (progress.epoch, progress.step, progress.steps, progress.waited):
            if type(count) is not int or not 0 <= count < 2**63:
                raise ValueError(f"{show(count)} is no count")
        if progress.entropy < 0 or len(progress.history) != progress.epoch:
            raise ValueError("its parts contradict each other")
        return progress._replace(loss=float(progress.loss))
    except (
        KeyError,
        OverflowError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise ModelFileError(f"'progress' cannot be used: {error}") from error


def fingerprint(model, sequences, users, items, seed):
    """Tell fits apart by what decides their weights.

    Parameters
    ----------
    model : estimator
    sequences : Sequences
    users, items : ndarray
        Ids.
    seed : int or None
        None where any will do.

    Returns
    -------
    dict
        Parameters by name, the class, the seed and a SHA-256 of the interactions.
    """
    arrays = pack_ids("users", users) | pack_ids("items", items)
    arrays |= {"indptr": sequences.indptr, "codes": sequences.items}
    if sequences.times is not None:
        arrays["times"] = sequences.times
    digest = hashlib.sha256()
    for name, value in arrays.items():
        digest.update(f"{name} {value.dtype.str} {len(value)} ".encode())
        digest.update(np.ascontiguousarray(value).view(np.uint8).data)
    return {
        "class": type(model).__name__,
        "data": digest.hexdigest(),
        **plain_parameters(model, without=FREE),
        "random_state": seed,
    }
