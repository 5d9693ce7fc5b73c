"""Lossless conversion of the columns of a file to ids, numbers and times."""

from functools import partial

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_datetime64_any_dtype

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER, WEIGHT
from sklearn_attrec.datasets._reading.dates import (
    guess_formats,
    parse_dates,
    parse_iso_dates,
)
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["RATING", "as_integers", "convert_columns"]

RATING = "rating"
_DROP = "or pass drop_blank_ids=True to drop such rows"


def convert_columns(frame, locate, time_format=None):
    """Convert the ids, ratings, times and weights of a frame in place.

    Raises an error for invalid values. Without `time_format`, times are numbers or ISO
    8601 dates.
    """
    converters = {
        USER: _ids,
        ITEM: _ids,
        RATING: _numbers,
        TIME: partial(_times, time_format=time_format),
        WEIGHT: _numbers,
    }
    for name, convert in converters.items():
        if name in frame:
            frame[name] = convert(frame[name], locate)


def as_integers(column):
    """Convert a column of strings to int64 if this loses no information."""
    # Most text is recognised by its first value.
    if not column.iloc[:1].str.fullmatch("-?[0-9]+").all():
        return column
    try:
        integers = column.astype(np.int64)
    except (ValueError, OverflowError):
        return column
    # "007", "+5", " 5" and "1_000" differ from the string of their integer.
    return integers if (integers.astype(str) == column).all() else column


def _ids(column, locate):
    """Return integers or strings; raise an error for missing, blank or mixed ids."""
    expected = f"each row must have an id; add it, {_DROP}"
    _raise_if_invalid(column, column.isna(), locate, expected)
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
        expected = f"an id must not be blank; fill it in, {_DROP}"
        _raise_if_invalid(column, blank, locate, expected)
    elif column.dtype == object:  # integers of over 64 bits become strings, as in CSV
        column = column.astype(str)
    return column


def _numbers(column, locate):
    """Return int64 or float64; raise an error if a value is not a finite number."""
    expected = (
        "it must be a finite number; correct it, or give the column another name with "
        f"columns={{{column.name!r}: 'other'}}"
    )
    numbers = _to_numbers(column)
    _raise_if_invalid(column, ~np.isfinite(numbers), locate, expected)
    return numbers


def _times(column, locate, time_format):
    """Return the column as numbers or as dates, whichever the first row contains.

    Raises an error for other values.
    """
    if is_datetime64_any_dtype(column):
        times = column
    elif time_format is not None:
        times = parse_dates(column, time_format)
    else:
        times = _to_numbers(column)
        if infer_dtype(column, skipna=True) in ("string", "date") and pd.isna(times[0]):
            times = parse_iso_dates(column)
    infinite = np.isinf(times) if times.dtype.kind == "f" else False
    invalid = times.isna() | infinite
    if invalid.any():
        expected = _expected_times(column, times, time_format)
        _raise_if_invalid(column, invalid, locate, expected)
    return times


def _expected_times(column, times, time_format):
    """Return what invalid timestamps must be, and how to read them."""
    guesses = guess_formats(column)
    remedy = " or ".join(f"time_format={guess!r}" for guess in guesses[:2])
    if len(guesses) > 1:
        remedy += " (the order of day and month is not clear)"
    if time_format is not None:
        expected = f"all timestamps must match time_format={time_format!r}"
        return f"{expected}; pass {remedy}" if guesses else expected
    expected = (
        "all timestamps must be finite numbers, or all must be ISO 8601 dates, like "
        "the first row; UTC offsets must be present in all rows or in none"
    )
    if guesses:
        return f"{expected}. For dates like these, pass {remedy}"
    if times.dtype.kind == "M":
        expected += ". For other dates, pass the format of pd.to_datetime, for example "
        expected += "time_format='%d/%m/%Y %H:%M'"
    return expected


def _to_numbers(column):
    """Return int64 or float64, with NaN for values that are not numbers."""
    if isinstance(column.dtype, pd.StringDtype):
        column = as_integers(column)
    column = pd.Series(column.to_numpy(), name=column.name).infer_objects()
    if column.dtype.kind not in "iuf":
        column = column.astype(object).where(column.map(type).ne(bool))
        column = pd.to_numeric(column, errors="coerce").astype(np.float64)
    return column


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
