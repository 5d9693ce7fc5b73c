"""Lossless conversion of the columns of a file to ids, numbers and times."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_datetime64_any_dtype

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER, WEIGHT
from sklearn_attrec._interactions.date_formats import (
    guess_formats,
    parse_dates,
    parse_iso_dates,
)
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["RATING", "as_integers", "convert_columns"]

RATING = "rating"
# Text that stands for a missing time.
_MISSING = ["", "null", "na", "n/a", "nan", "nat", "none", "\\n", "-"]
_MISSING += ["0000-00-00", "0000-00-00 00:00:00"]
_DROP = "or pass drop_blank_ids=True to drop such rows"


def convert_columns(frame, locate, time_format=None, columns=None):
    """Convert the ids, ratings, times and weights of a frame in place.

    Raises an error for invalid values, whose remedy changes `columns`. Without
    `time_format`, times are numbers or ISO 8601 dates.
    """
    converters = {
        USER: _ids,
        ITEM: _ids,
        RATING: partial(_numbers, columns=columns),
        TIME: partial(_times, time_format=time_format, columns=columns),
        WEIGHT: partial(_numbers, columns=columns),
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


def _as_other(name, columns):
    """Return the argument that reads a column under the name 'other'."""
    if isinstance(columns, Mapping):
        new = {k: "other" if v == name else v for k, v in columns.items()}
        return f"columns={new if name in columns.values() else new | {name: 'other'}}"
    if columns is None:
        return f"columns={{{name!r}: 'other'}}"
    return f"columns={['other' if old == name else old for old in columns]}"


def _numbers(column, locate, columns):
    """Return int64 or float64; raise an error if a value is not a finite number."""
    expected = (
        "it must be a finite number; correct it, or give the column another name with "
        + _as_other(column.name, columns)
    )
    numbers = _to_numbers(column)
    _raise_if_invalid(column, ~np.isfinite(numbers), locate, expected)
    return numbers


def _times(column, locate, time_format, columns):
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
            first = int(_is_missing(column).argmin())
            if pd.isna(times[first]):
                times = parse_iso_dates(column, first)
    infinite = np.isinf(times) if times.dtype.kind == "f" else False
    invalid = times.isna() | infinite
    if invalid.any():
        missing = _is_missing(column)
        if missing[invalid].all():
            expected = _drop_missing(times, time_format, columns)
        else:
            expected = _expected_times(column[~missing], times, time_format)
        _raise_if_invalid(column, invalid, locate, expected)
    return times


def _is_missing(column):
    """Return whether the values stand for missing times."""
    text = column.astype("str").str.strip().str.lower()
    return (column.isna() | text.isin(_MISSING)).to_numpy(bool)


def _drop_missing(times, time_format, columns):
    """Return how to drop the rows without a time."""
    call = "pd.to_numeric(frame.pop('other'), errors='coerce')"
    if times.dtype.kind == "M":
        utc = ", utc=True" if times.dt.tz is not None else ""
        call = (
            f"pd.to_datetime(frame.pop('other'), format={time_format or 'ISO8601'!r}, "
            f"errors='coerce'{utc})"
        )
    without = " without time_format=" if time_format else ""
    return (
        f"each row must have a time. To drop such rows, read the column{without} under "
        f"another name: frame = read_interactions(..., {_as_other(TIME, columns)}); "
        f"frame[{TIME!r}] = {call}; frame = frame.dropna(subset={TIME!r})"
    )


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
        "the first one; UTC offsets must be present in all rows or in none"
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
