"""Refusal of tables that are neither frames nor arrays, with their conversion."""

from collections.abc import Mapping, Set

import numpy as np
import pandas as pd
from sklearn.utils import check_array

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["refuse_foreign_table", "refuse_other_tables"]

# How tables of each library are converted to pandas.
_CONVERSIONS = {
    "bigframes": "to_pandas",
    "cudf": "to_pandas",
    "dask": "compute",
    "dask_expr": "compute",
    "datasets": "to_pandas",
    "duckdb": "df",
    "ibis": "to_pandas",
    "narwhals": "to_pandas",
    "polars": "to_pandas",
    "pyarrow": "to_pandas",
    "pyspark": "toPandas",
}
_DISTRIBUTED = ("dask", "dask_expr", "pyspark")

_ACCEPTED = (
    "a DataFrame of pandas or polars or a Table of pyarrow with the columns "
    f"{USER!r}, {ITEM!r} and optionally {TIME!r}, or a 2-D array read by position: "
    "user, item, time"
)


def refuse_foreign_table(values, prefix):
    """Raise an error for tables of other libraries, with the way to convert them.

    The libraries need not be installed. `to_pandas` has converted frames and columns of
    polars and pyarrow; this refuses their other objects.
    """
    library, name = type(values).__module__.partition(".")[0], type(values).__name__
    if library in _CONVERSIONS:
        collect = "collect()." if name == "LazyFrame" else ""
        method = "as_py" if name.endswith("Scalar") else _CONVERSIONS[library]
        distributed = (
            " sklearn_attrec.distributed.recommend answers all users of a DataFrame."
            if library in _DISTRIBUTED
            else ""
        )
        raise TypeError(
            f"{prefix} is a {library} {name}, which is not supported; convert it "
            f"first with .{collect}{method}().{distributed}"
        )


def refuse_other_tables(X, caller):
    """Raise an error if X is neither a frame nor an array-like read by position.

    `caller` is the name of the calling method, with which the message begins.
    """
    refuse_foreign_table(X, f"{caller}: X")
    if isinstance(X, pd.DataFrame):
        return
    # Sparse input (dok_matrix is a dict) gets scikit-learn's own error message.
    if hasattr(X, "toarray"):
        check_array(X, input_name="X")
    names = _column_names(X)
    if names is not None:
        raise TypeError(
            f"{caller}: X is a {_describe(X)} with the names "
            f"{short_repr(list(names), 200)}, but only a DataFrame is read by "
            "name. Convert it: pd.DataFrame(X)."
        )
    refused = (str, bytes, Mapping, Set, pd.Series, pd.Index)
    is_array_like = hasattr(X, "__len__") or hasattr(X, "__array__")
    if isinstance(X, refused) or not is_array_like or hasattr(type(X), "columns"):
        raise TypeError(f"{caller}: X must be {_ACCEPTED}; got {type(X).__name__}.")


def _column_names(X):
    """Return the names of the columns of a table that has names, otherwise None."""
    if isinstance(X, np.ndarray):
        return X.dtype.names
    if isinstance(X, Mapping):
        return X.keys()
    if not isinstance(X, (list, tuple)) or not X:
        return None
    row = X[0]
    if isinstance(row, Mapping):
        return row.keys()
    names = row.index if isinstance(row, pd.Series) else getattr(row, "_fields", ())
    # Rows whose names are in the order of an array can be read by position.
    places = dict(zip(names, range(len(names)), strict=True))
    order = enumerate((USER, ITEM, TIME))
    return names if any(places.get(name, i) != i for i, name in order) else None


def _describe(X):
    kind = type(X).__name__
    is_list = isinstance(X, (list, tuple))
    return f"{kind} of {type(X[0]).__name__} records" if is_list else kind
