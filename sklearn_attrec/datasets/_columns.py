"""Columns of a file turned into ids, numbers and times, losing nothing."""

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_datetime64_any_dtype

from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._validation import ITEM, TIME, USER

__all__ = ["RATING", "as_integers", "convert_columns"]

RATING = "rating"

# Keeps out "now" and "today", for which pandas would put in the present time.
_DATE = r"\d{4}-\d\d-\d\d(?:[T ].*)?"
_OFFSET = r"[T ].*(?:Z|[+-]\d\d(?::?\d\d)?)$"


def convert_columns(frame, where):
    """Convert the columns that have a meaning, and refuse what they must not hold.

    Parameters
    ----------
    frame : DataFrame
        As read; changed in place.
    where : callable
        From the position of a row to its place in the file, for messages.
    """
    converters = {USER: _ids, ITEM: _ids, RATING: _numbers, TIME: _times}
    for name, convert in converters.items():
        if name in frame:
            frame[name] = convert(frame[name], where)


def as_integers(column):
    """Return a column of text as int64 if no text says more than its integer.

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
    # Writing them back shows what would be lost of "007", "+5", " 5" or "1_000".
    return integers if (integers.astype(str) == column).all() else column


def _ids(column, where):
    """Return integers or text; refuse missing, blank, mixed and other ids."""
    _refuse(column, column.isna(), where, "each row must have an id")
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if infer_dtype(column, skipna=False) not in ("integer", "string"):
        types = column.map(type)
        odd = types != types[0] if types[0] in (int, str) else np.ones(len(types), bool)
        _refuse(column, odd, where, "ids must all be integers or all be text")
    if isinstance(column[0], str):
        blank = column.str.strip() == ""
        _refuse(column, blank, where, "an id must not be blank; drop or name such rows")
    elif column.dtype == object:  # integers of more than 64 bits: text, as from a CSV
        column = column.astype(str)
    return column


def _numbers(column, where):
    """Return int64 or float64; refuse what is no finite number."""
    numbers = _to_numbers(column)
    _refuse(column, ~np.isfinite(numbers), where, "it must be a finite number")
    return numbers


def _times(column, where):
    """Return numbers or dates; refuse what is neither, or not like the first row."""
    times = column if is_datetime64_any_dtype(column) else _to_numbers(column)
    if infer_dtype(column, skipna=True) in ("string", "date") and pd.isna(times[0]):
        times = _to_dates(column)
    infinite = np.isinf(times) if times.dtype.kind == "f" else False
    _refuse(
        column,
        times.isna() | infinite,
        where,
        "it must be a finite number, or an ISO 8601 date, and like the first row; UTC "
        "offsets on all or on none",
    )
    return times


def _to_numbers(column):
    """Return int64 or float64, with NaN for what is no number."""
    if isinstance(column.dtype, pd.StringDtype):
        column = as_integers(column)
    column = pd.Series(column.to_numpy(), name=column.name)
    if column.dtype.kind not in "iuf":
        column = column.astype(object).where(column.map(type).ne(bool))
        column = pd.to_numeric(column, errors="coerce").astype(np.float64)
    return column


def _to_dates(column):
    """Return datetimes, in UTC if there are offsets, and NaT for what is no date."""
    text = column.astype("str")
    has_offset = text.str.contains(_OFFSET)
    like_first = text.str.fullmatch(_DATE) & (has_offset == has_offset[0])
    return pd.to_datetime(
        text.where(like_first), format="ISO8601", errors="coerce", utc=has_offset[0]
    )


def _refuse(column, bad, where, expected):
    """Raise an error that names the first bad value, its place and their number."""
    rows = np.flatnonzero(bad)
    if len(rows):
        value = column.iloc[rows[0]]
        value = value.item() if isinstance(value, np.generic) else value
        raise InteractionsError(
            f"{where(rows[0])}: column {column.name!r} holds {value!r:.80}; "
            f"{expected}. {len(rows)} such row(s)."
        )
