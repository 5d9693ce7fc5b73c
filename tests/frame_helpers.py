"""The same frames and columns in pandas, pyarrow and polars."""

import functools

import pandas as pd
import polars as pl
import pyarrow as pa

from sklearn_attrec._interactions.frames import library_of

LIBRARIES = ["pandas", "pyarrow", "polars"]

# A column of pandas in which NaN is not null.
ARROW_FLOATS = pd.arrays.ArrowExtensionArray(pa.array([1.0, None, float("nan")]))

# What messages about frames of other libraries show instead of calls of pandas.
WORDS = {
    "polars": {
        "dropna": ".drop_nulls(",
        "fillna": ".fill_null",
        ".astype(str)": "Cast them all, as in .",
        ".astype('Int64')": ".cast(polars.Int64)",
        ".astype('float64')": ".cast(polars.Float64)",
        ".decode('utf-8')": ".cast(",
        "is missing": "Cast them",
        "rename(columns=": "rename(",
        "drop(columns=": "drop(",
        "pd.to_datetime(X['timestamp'])": "to_datetime(",
        "1 Timestamp": "1 datetime64",
        "1 UUID": "1 bytes",
        "UUID(": "b'",
    },
    "pyarrow": {
        "dropna": ".",
        "fillna": "fill them in, as in",
        ".astype(str)": "Cast them all, as in .",
        ".astype('Int64')": ".cast('int64')",
        ".astype('float64')": ".cast('float64')",
        ".decode('utf-8')": ".cast(",
        "is missing": "Cast them",
        "rename(columns=": "rename_columns(",
        "drop(columns=": "drop_columns(",
        "pd.to_datetime(X['timestamp'])": "pd.to_datetime(X.to_pandas()['timestamp'])",
        "X.columns.duplicated()": "X.select(",
        "1 Timestamp": "1 datetime64",
    },
}


def columns_of(frame):
    return [frame.iloc[:, i] for i in range(frame.shape[1])]


def in_library(values, library):
    """Convert a frame or Series of pandas."""
    if library == "pandas":
        return values
    if isinstance(values, pd.Series):
        column = pa.chunked_array([pa.Array.from_pandas(values)])
        return column if library == "pyarrow" else pl.Series(values.name, column)
    columns = map(pa.Array.from_pandas, columns_of(values))
    table = pa.table([*columns], names=[*values.columns])
    if library == "pyarrow":
        return table
    # `from_arrow` of old versions drops repeated names.
    return pl.DataFrame([*map(pl.Series, values.columns, table.columns)])


def in_each_library(values):
    """Return a frame or Series of pandas, and it in other libraries if they can."""
    try:
        table = in_library(values, "pyarrow")
    except (pa.ArrowException, ValueError, OverflowError, TypeError):
        return [values]  # for example objects of several types
    is_series = isinstance(values, pd.Series)
    columns = [values] if is_series else columns_of(values)
    if not all(map(have_equal_types, columns, [table] if is_series else table.columns)):
        return [values]
    try:
        return [values, table, in_library(values, "polars")]
    except pl.exceptions.PolarsError:  # repeated names, dictionaries of numbers
        return [values, table]


def have_equal_types(series, column):
    """Return whether a column of Arrow returns values of the same types."""
    types = set(map(type, series.dropna().tolist()))
    held = tuple(map(type, column.drop_null().to_pylist()))
    return all(issubclass(t, held) for t in types)


def in_words_of(values, parts):
    """Translate the calls of pandas in parts of a message."""
    words = WORDS.get(library_of(values), {}).items()
    return [functools.reduce(lambda text, w: text.replace(*w), words, p) for p in parts]
