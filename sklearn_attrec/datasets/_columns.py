"""Lossless conversion of the columns of a file to ids, numbers and times."""

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_datetime64_any_dtype

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER, WEIGHT
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["RATING", "as_integers", "convert_columns"]

RATING = "rating"

# Excludes "now" and "today", which pandas replaces with the current time.
_DATE = r"\d{4}-\d\d-\d\d(?:[T ].*)?"
_OFFSET = r"[T ].*(?:Z|[+-]\d\d(?::?\d\d)?)$"


def convert_columns(frame, locate):
    """Convert the ids, ratings, times and weights of a frame in place.

    Raises an error for invalid values.

    Parameters
    ----------
    frame : DataFrame
        The table as read from the file. Modified in place.
    locate : callable
        Maps the position of a row to its location in the file, for error messages.
    """
    converters = {
        USER: _ids,
        ITEM: _ids,
        RATING: _numbers,
        TIME: _times,
        WEIGHT: _weights,
    }
    for name, convert in converters.items():
        if name in frame:
            frame[name] = convert(frame[name], locate)


def as_integers(column):
    """Convert a column of strings to int64 if this loses no information.

    Parameters
    ----------
    column : Series of str

    Returns
    -------
    Series of int64 or of str
    """
    try:
        integers = column.astype(np.int64)
    except (ValueError, OverflowError):
        return column
    # "007", "+5", " 5" and "1_000" differ from the string of their integer.
    return integers if (integers.astype(str) == column).all() else column


def _ids(column, locate):
    """Return integers or strings; raise an error for missing, blank or mixed ids."""
    _raise_if_invalid(column, column.isna(), locate, "each row must have an id")
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if infer_dtype(column, skipna=False) not in ("integer", "string"):
        types = column.map(type)
        if types[0] in (int, str):
            invalid = types != types[0]
        else:
            invalid = np.ones(len(types), bool)
        _raise_if_invalid(
            column, invalid, locate, "ids must be all integers or all strings"
        )
    if isinstance(column[0], str):
        blank = column.str.strip() == ""
        expected = "an id must not be blank; drop these rows or fill in their ids"
        _raise_if_invalid(column, blank, locate, expected)
    elif column.dtype == object:  # integers of over 64 bits become strings, as in CSV
        column = column.astype(str)
    return column


def _numbers(column, locate, expected="it must be a finite number"):
    """Return int64 or float64; raise an error if a value is not a finite number."""
    numbers = _to_numbers(column)
    _raise_if_invalid(column, ~np.isfinite(numbers), locate, expected)
    return numbers


def _weights(column, locate):
    """Return event weights as `_numbers` does; the error says how to rename them."""
    rename = f"columns={{{WEIGHT!r}: 'other'}}"
    expected = (
        "it must be a finite number. If the column is not an event weight, rename it: "
        f"pass {rename}"
    )
    return _numbers(column, locate, expected)


def _times(column, locate):
    """Return the column as numbers or as dates, whichever the first row contains.

    Raises an error for other values.
    """
    times = column if is_datetime64_any_dtype(column) else _to_numbers(column)
    if infer_dtype(column, skipna=True) in ("string", "date") and pd.isna(times[0]):
        times = _to_dates(column)
    infinite = np.isinf(times) if times.dtype.kind == "f" else False
    _raise_if_invalid(
        column,
        times.isna() | infinite,
        locate,
        "all timestamps must be finite numbers, or all must be ISO 8601 dates, like "
        "the first row; UTC offsets must be present in all rows or in none",
    )
    return times


def _to_numbers(column):
    """Return int64 or float64, with NaN for values that are not numbers."""
    if isinstance(column.dtype, pd.StringDtype):
        column = as_integers(column)
    column = pd.Series(column.to_numpy(), name=column.name)
    if column.dtype.kind not in "iuf":
        column = column.astype(object).where(column.map(type).ne(bool))
        column = pd.to_numeric(column, errors="coerce").astype(np.float64)
    return column


def _to_dates(column):
    """Return datetimes, in UTC if they have offsets, and NaT for other values."""
    text = column.astype("str")
    has_offset = text.str.contains(_OFFSET)
    like_first = text.str.fullmatch(_DATE) & (has_offset == has_offset[0])
    return pd.to_datetime(
        text.where(like_first), format="ISO8601", errors="coerce", utc=has_offset[0]
    )


def _raise_if_invalid(column, invalid, locate, expected):
    """Raise an error that shows the first invalid value, its location and the count."""
    rows = np.flatnonzero(invalid)
    if len(rows):
        value = column.iloc[rows[0]]
        value = value.item() if isinstance(value, np.generic) else value
        raise InteractionsError(
            f"{locate(rows[0])}: column {column.name!r} contains {short_repr(value)}; "
            f"{expected}. There are {len(rows)} such row(s)."
        )
