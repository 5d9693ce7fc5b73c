"""`recommend` for DataFrames of Dask and Spark."""

import importlib
import os
from copy import deepcopy
from typing import Any

from sklearn.utils.validation import check_is_fitted

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER, renames_of
from sklearn_attrec.distributed._request import CALLER, ModelFile, Request
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.models._base import BaseRecommender
from sklearn_attrec.utils._optional_dependencies import import_optional
from sklearn_attrec.utils._short_repr import short_repr
from sklearn_attrec.utils._types import ItemRule

__all__ = ["recommend"]

# The engine of each library; also the name of its module and of the extra.
_ENGINES = {"dask": "dask", "dask_expr": "dask", "pyspark": "spark"}
_RENAME_CALLS = {"dask": ".rename(columns=%s)", "spark": ".withColumnsRenamed(%s)"}


def recommend(
    model: BaseRecommender | str | os.PathLike[str],
    users: Any = None,
    history: Any = None,
    *,
    k: int | None = None,
    exclude: ItemRule | None = None,
    candidates: ItemRule | None = None,
    exclude_seen: bool | None = None,
) -> Any:
    """Recommend items to all users of a DataFrame of Dask or Spark.

    Each worker answers its partitions with NumPy; it does not import TensorFlow. The
    recommendations are those of ``model.recommend``.

    Parameters
    ----------
    model : recommender or path of a model file
        A fitted recommender, which is sent once to each process of the workers, or the
        path of a file of `save_model` that all workers can read: the processes of a
        machine map it into memory and share it. Use a file for models of more than some
        10 MB. If it is replaced before all recommendations are computed, that raises an
        error.
    users : DataFrame of Dask or Spark, default=None
        One query per row, as in ``model.recommend``: `user_id` is read, and `timestamp`
        if there is one, no other column. The histories are those seen in fit. Spark's
        type TIMESTAMP is read in UTC; ``toPandas()`` converts it to the time zone of
        the session, so set that to UTC before you fit on its result.
    history : DataFrame of Dask or Spark, default=None
        Interactions with `user_id`, `item_id` and `timestamp`, instead of `users`: each
        user gets recommendations from these rows, wherever they are in the DataFrame.
        The users may be unseen. Rows of equal time are ordered by `item_id`.
    k : int, default=None
        Number of items per user; None means the parameter `k` of the model.
    exclude : list, set, dict, Series or DataFrame, default=None
        As in ``model.predict``, of pandas, polars or pyarrow.
    candidates : list, set, dict, Series or DataFrame, default=None
        As in ``model.predict``, of pandas, polars or pyarrow.
    exclude_seen : bool, default=None
        Whether to leave out the items of the history; None means the parameter
        `exclude_seen` of the model.

    Returns
    -------
    DataFrame of Dask or Spark
        Columns `user_id`, `item_id`, `score` and `rank`, computed when the engine needs
        them. If a worker dies, the engine computes its partitions again, so that each
        user is answered once.

    Raises
    ------
    ImportError
        If the package of the engine is not complete.
    InteractionsError
        If columns are missing, or as in ``model.recommend``. Values are only read by
        the workers, so that errors about them are raised by the computation.
    InvalidParameterError
        If k or `exclude_seen` has an invalid value.
    ModelFileError, OSError
        If the model file cannot be loaded.
    NotFittedError
        If the model is not fitted.
    TypeError
        If not exactly one of `users` and `history` is given, it is not a DataFrame of
        Dask or Spark, or the model is not a recommender of this package.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> from sklearn_attrec import MarkovRecommender, distributed
    >>> from sklearn_attrec.datasets import make_interactions
    >>> interactions = make_interactions(n_users=100, random_state=0)
    >>> model = MarkovRecommender().fit(interactions)
    >>> users = interactions[["user_id"]].drop_duplicates()
    >>> table = distributed.recommend(model, dd.from_pandas(users, npartitions=4), k=3)
    >>> len(table.compute())
    300
    """
    if (users is None) == (history is None):
        raise TypeError(f"{CALLER}: pass either 'users' or 'history'.")
    name, frame = ("users", users) if history is None else ("history", history)
    engine = _engine_of(frame, name)
    if not isinstance(model, (BaseRecommender, str, os.PathLike)):
        raise TypeError(
            f"{CALLER}: 'model' must be a recommender of this package or the path of a "
            f"model file. Got {type(model).__name__}. Of a search, pass "
            "search.best_estimator_; of a pipeline, pipeline[-1]."
        )
    if isinstance(model, BaseRecommender):
        check_is_fitted(model)
    else:
        model = ModelFile.find(model)
    needed = [USER] if history is None else [USER, ITEM, TIME]
    _check_columns(frame, engine, needed, name)
    options = {
        "k": k,
        "exclude": deepcopy(exclude),  # later changes have no effect
        "candidates": deepcopy(candidates),
        "exclude_seen": exclude_seen,
    }
    import_optional("pyarrow", extra=engine, needed_for=CALLER)
    module = importlib.import_module(f"sklearn_attrec.distributed._{engine}")
    return module.recommend(model, frame, Request(history is not None, options))


def _engine_of(frame, name):
    """Return the engine of a DataFrame."""
    library, _, module = type(frame).__module__.partition(".")
    is_frame = library in _ENGINES and type(frame).__name__ == "DataFrame"
    if is_frame and not module.startswith("pandas"):
        return _ENGINES[library]
    remedy = (
        "Pass .to_spark()."
        if is_frame
        else "For frames of pandas, polars and pyarrow, call model.recommend."
    )
    raise TypeError(
        f"{CALLER}: {name!r} must be a DataFrame of Dask or Spark. Got "
        f"{type(frame).__name__} of {library}. {remedy}"
    )


def _check_columns(frame, engine, needed, name):
    columns = list(frame.columns)
    index = getattr(getattr(frame, "index", None), "name", None)  # of Dask
    if index in needed and index not in columns:
        raise InteractionsError(
            f"{CALLER}: {name!r} has {index!r} in its index, not as a column. Pass "
            f"{name}.reset_index()."
        )
    for column in needed:
        if (count := columns.count(column)) > 1:
            raise InteractionsError(
                f"{CALLER}: column {column!r} appears {count} times in {name!r}, but "
                "must appear once. Drop or rename the others."
            )
    missing = [column for column in needed if column not in columns]
    if not missing:
        return
    renames = renames_of(columns, missing)
    order = "Dask and Spark do not keep the order of rows. " if TIME in missing else ""
    raise InteractionsError(
        f"{CALLER}: {name!r} has no column {' and no column '.join(map(repr, missing))}"
        f"; its columns are {short_repr(columns, 1000)}. {order}Give the columns these "
        f"names: {name}{_RENAME_CALLS[engine] % renames}."
    )
