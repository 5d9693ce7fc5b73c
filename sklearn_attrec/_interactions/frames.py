"""Frames and columns of polars and pyarrow, converted to pandas and back.

All other modules read pandas objects. A converted object records its library in
`attrs`, which selected columns inherit, so that messages show calls of this library.
"""

import importlib
from contextlib import suppress
from functools import cache

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER, WEIGHT
from sklearn_attrec._interactions.time_values import sample_rows

__all__ = [
    "collect",
    "is_foreign",
    "is_lazy",
    "library_of",
    "make_frame",
    "take_rows",
    "to_pandas",
]

_LIBRARY, _IS_LAZY = "sklearn_attrec.library", "sklearn_attrec.is_lazy"  # in `attrs`
_LIBRARIES = ("polars", "pyarrow")
_READ = (USER, ITEM, TIME, WEIGHT)
_FRAMES = ("DataFrame", "LazyFrame", "Table")
_COLUMNS = ("Series", "ChunkedArray", "Array")


def library_of(values):
    """Return the library of a frame or column, also if it was converted, or None."""
    if isinstance(values, (pd.DataFrame, pd.Series)):
        return values.attrs.get(_LIBRARY, "pandas")
    if isinstance(values, pd.Index):
        return "pandas"
    return _foreign_type(type(values))[0]


def is_foreign(values):
    """Return whether a frame or column is of polars or pyarrow, or was converted."""
    return library_of(values) in _LIBRARIES


def is_lazy(X):
    """Return whether a converted frame was a LazyFrame."""
    return X.attrs.get(_IS_LAZY, False)


def collect(X):
    """Return X, as a DataFrame if it is a LazyFrame."""
    return X.collect() if _foreign_type(type(X))[1] == "LazyFrame" else X


def to_pandas(values, *, needed=(USER, ITEM, TIME)):
    """Convert a frame or column of polars or pyarrow; return other values as they are.

    Parameters
    ----------
    values : object
    needed : tuple of str or None, default=('user_id', 'item_id', 'timestamp')
        If a frame has these columns, only those that recommenders read are converted.
        If it has not, the others may be times and are converted too, but lists and
        structs only in the rows of `sample_rows`. None converts all columns.

    Returns
    -------
    object
        A DataFrame or a Series with a default index. Times are in UTC, and integers
        with missing values objects.
    """
    library, kind = _foreign_type(type(values))
    if kind in _FRAMES:
        converted = _to_frame(collect(values), library, needed)
        converted.attrs = {_LIBRARY: library, _IS_LAZY: kind == "LazyFrame"}
        return converted
    if kind not in _COLUMNS:
        return values
    series = _to_series(_wrap(values))
    series.attrs = {_LIBRARY: library}
    return series


def take_rows(X, rows):
    """Return rows of a frame or array, given by position, in its own library."""
    if isinstance(X, pd.DataFrame):
        return X.iloc[rows]
    return X.take(rows) if library_of(X) == "pyarrow" else X[rows]


def make_frame(columns, library, index=None):
    """Make a frame of a library.

    Parameters
    ----------
    columns : dict of ndarray
        Arrays of objects contain text.
    library : {'pandas', 'polars', 'pyarrow', None}
        None means pandas.
    index : pandas.Index, default=None
        Index of a pandas frame.
    """
    if library in (None, "pandas"):
        columns = {key: _with_text_dtype(x) for key, x in columns.items()}
        return pd.DataFrame(columns, index=index)
    for key, values in columns.items():
        if values.dtype.kind == "O":  # an empty array has no other sign of text
            text = nw.new_series(key, values.tolist(), nw.String, backend=library)
            columns = columns | {key: text.to_native()}
    return nw.from_dict(columns, backend=library).to_native()


def _with_text_dtype(values):
    """Return values, with the dtype of text if they are an empty array of objects."""
    is_undefined = values.dtype.kind == "O" and len(values) == 0
    # pandas infers the dtype of text from values only.
    return pd.Series([""]).array[:0] if is_undefined else values


@cache  # for histories, which may be thousands of lists
def _foreign_type(kind):
    """Return library and name of the type that polars or pyarrow define, or None."""
    for base in kind.__mro__:
        library = base.__module__.partition(".")[0]
        if library in _LIBRARIES and base.__name__ in _FRAMES + _COLUMNS:
            return library, base.__name__
    return None, None


def _to_frame(frame, library, needed):
    # narwhals refuses repeated names, which get a message of our own.
    is_table = library == "pyarrow"
    names = frame.column_names if is_table else frame.columns
    columns = frame.columns if is_table else frame.get_columns()
    is_read = [True] * len(names)
    if needed is not None and set(needed) <= set(names):
        is_read = [name in _READ for name in names]
    series = {}
    for i in np.flatnonzero(is_read):
        is_sampled = needed is not None and names[i] not in _READ
        convert = _sampled_if_nested if is_sampled else _to_series
        series[i] = convert(_wrap(columns[i]))
    index = pd.RangeIndex(len(frame))
    converted = pd.DataFrame(series, index=index, copy=False)
    converted.columns = pd.Index([names[i] for i in series], dtype=object)
    return converted


def _sampled_if_nested(column):
    """Convert a column that may contain times; it is slow to convert lists."""
    if not column.dtype.is_nested():
        return _to_series(column)
    values = np.full(len(column), None)
    sample = _to_series(_wrap(sample_rows(column.to_native())))
    sample_rows(values)[:] = sample.to_numpy()
    return pd.Series(values)


def _wrap(column):
    """Return a column as a Series of narwhals."""
    if _foreign_type(type(column))[1] == "Array":
        column = importlib.import_module("pyarrow").chunked_array([column])
    return nw.from_native(column, series_only=True)


def _to_series(column):
    if column.implementation.is_pyarrow() and column.dtype == nw.Categorical:
        with suppress(ValueError):  # repeated or missing values of the dictionary
            return column.to_native().to_pandas()  # categories, not written out
    if _is_exact_in_numpy(column):
        values = column.to_numpy()
    else:
        values = np.fromiter(column.to_list(), dtype=object, count=len(column))
    # By default pandas converts objects that are all text.
    return pd.Series(values, dtype=object if values.dtype.kind == "O" else None)


def _is_exact_in_numpy(column):
    """Return whether `to_numpy` keeps the values of a column and what is missing."""
    dtype = column.dtype
    if dtype.is_float() or dtype.is_temporal():
        return True
    if dtype == nw.String:  # polars pads to the longest text, and drops a final "\0"
        return column.implementation.is_pyarrow()
    if column.null_count():  # integers become floats; dictionaries of Arrow lose nulls
        return False
    if dtype.is_integer():
        return dtype not in (nw.Int128, nw.UInt128)
    return dtype in (nw.Boolean, nw.Categorical, nw.Enum)
