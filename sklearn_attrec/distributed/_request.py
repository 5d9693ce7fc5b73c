"""Requests: what the workers do with each partition."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER
from sklearn_attrec.models._base import BaseRecommender
from sklearn_attrec.persistence import load_model

__all__ = ["Request", "open_model"]

# Rows of equal time are ordered by item: a cluster does not keep the order of rows, and
# a partition that is computed again must give the same recommendations.
ORDER = [USER, TIME, ITEM]


class Request(NamedTuple):
    """What is recommended to the users of a partition."""

    has_histories: bool  # whether rows are interactions instead of users
    options: dict  # arguments of `recommend`

    def columns(self, names):
        """Return the columns that are read; the workers need no others."""
        if self.has_histories:
            return ORDER
        return [USER, TIME] if TIME in names else [USER]

    def answer(self, model, partition):
        """Recommend to the users of a partition.

        Parameters
        ----------
        model : BaseRecommender or str
            A recommender, or the path of a model file.
        partition : DataFrame or Table
            Users; or their histories, all rows of each user, in the order `ORDER`.

        Returns
        -------
        DataFrame or Table
        """
        model = open_model(model)
        if not self.has_histories:
            return model.recommend(partition, **self.options)
        users = partition[USER].unique()
        return model.recommend(users, history=partition, **self.options)


def open_model(model):
    """Return a recommender, or load the one of a model file.

    A process loads a file once, and the processes of a machine share its arrays.
    """
    if isinstance(model, BaseRecommender):
        return model
    status = Path(model).stat()
    return _load(model, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _load(path, modified, size):
    return load_model(path, mmap=True)
