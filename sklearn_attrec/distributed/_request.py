"""Requests: what the workers do with each partition, and the model they use."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER
from sklearn_attrec._ranking.known_ids import describe_ids
from sklearn_attrec.exceptions import InteractionsError, ModelFileError
from sklearn_attrec.persistence import load_model
from sklearn_attrec.utils._tensor_file import read_manifest

__all__ = ["CALLER", "ORDER", "ModelFile", "Request"]

# Rows of equal time are ordered by item: a cluster does not keep the order of rows, and
# a partition that is computed again must give the same recommendations.
ORDER = [USER, TIME, ITEM]

CALLER = "distributed.recommend"

_LOADING = Lock()  # for the threads of a worker


class ModelFile(NamedTuple):
    """A model file, of which a process loads one copy."""

    path: str
    version: str  # digest of the manifest, which has the checksums of all arrays

    @classmethod
    def find(cls, path):
        """Return the file that is at a path now; the workers may use no other."""
        path = str(Path(path).absolute())  # the workers may be in other folders
        return cls(path, _version(path))


def load(model):
    """Return a recommender; the processes of a machine share the arrays of a file."""
    if not isinstance(model, ModelFile):
        return model
    if _version(model.path) != model.version:
        raise ModelFileError(
            f"{model.path!r} was replaced after {CALLER} was called. Call it again, so "
            "that one model answers all users."
        )
    with _LOADING:
        return _load(model)


@lru_cache(maxsize=4)
def _load(file):
    return load_model(file.path, mmap=True)


def _version(path):
    text = json.dumps(read_manifest(path)[0], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Request(NamedTuple):
    """What is recommended to the users of a partition."""

    has_histories: bool  # whether rows are interactions instead of users
    options: dict  # arguments of `recommend`

    def columns(self, names):
        """Return the columns that are read; the workers need no others."""
        if self.has_histories:
            return ORDER
        return [USER, TIME] if TIME in names else [USER]

    def check_kinds(self, model, kinds):
        """Require ids of the type of those in fit.

        Parameters
        ----------
        model : BaseRecommender or ModelFile
        kinds : dict
            For each column that is read "integers", "text" or another type; None if
            it is unknown.
        """
        model = load(model)
        # Users with histories may be unseen, and then have ids of any type.
        name = ITEM if self.has_histories else USER
        ids = model.items_ if self.has_histories else model.users_
        if ids.dtype.kind not in "iuO" or kinds[name] is None:
            return
        expected = "text" if ids.dtype.kind == "O" else "integers"
        if kinds[name] != expected:
            raise InteractionsError(
                f"{CALLER}: the column {name!r} contains {kinds[name]}, but the ids "
                f"seen in fit are {describe_ids(ids)}. Cast it to the type of these."
            )

    def refuse_missing_users(self, count):
        """Raise an error if users of histories are missing."""
        if count:
            raise InteractionsError(
                f"{CALLER}: {count} rows of a partition of 'history' have a missing id "
                f"in the column {USER!r}. Drop these rows."
            )

    def answer(self, model, partition, users=None):
        """Recommend to the users of a partition.

        Parameters
        ----------
        model : BaseRecommender or ModelFile
        partition : DataFrame or Table
            Users; or histories, all rows of each user, in the order `ORDER`.
        users : Series or Array
            The users of the histories.

        Returns
        -------
        DataFrame or Table
        """
        model = load(model)
        if not self.has_histories:
            return model.recommend(partition, **self.options)
        return model.recommend(users, history=partition, **self.options)
