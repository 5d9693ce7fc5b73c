"""Checks of timestamps."""

from datetime import date

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_calls import cast_call, pandas_name
from sklearn_attrec._interactions.column_names import TIME
from sklearn_attrec._interactions.date_formats import guess_formats
from sklearn_attrec._interactions.frames import library_of
from sklearn_attrec._interactions.time_values import are_clocks
from sklearn_attrec._interactions.values import (
    INT64,
    UINT64,
    census,
    is_float_type,
    is_integer_type,
    narrow,
    native_copy,
    object_types,
    refuse_values,
    to_array,
)
from sklearn_attrec.exceptions import InteractionsError

__all__ = ["check_times", "in_one_unit", "in_seconds"]


def check_times(values, prefix, name="X"):
    """Check timestamps and return them as int64, uint64, float64 or datetime64.

    `prefix` is the start of the error messages, and `name` that of the argument.
    """
    given = values
    if isinstance(values, pd.Series) and isinstance(values.dtype, pd.PeriodDtype):
        values = values.dt.to_timestamp()
    if isinstance(values, pd.Series) and values.dtype.kind == "M":
        dates = pd.DatetimeIndex(values)
        values = pd.Series(dates if dates.tz is None else dates.tz_convert(None))
        values.attrs = given.attrs
    array = to_array(values, prefix, "time")
    if array.dtype.kind == "O":
        array = narrow(array)
    types = object_types(array) if array.dtype.kind == "O" else set()
    if types and all(issubclass(t, (date, np.datetime64)) for t in types):
        array = _dates_to_utc(array, prefix, given, name)
    elif types and all(is_integer_type(t) or is_float_type(t) for t in types):
        finite = np.array([abs(value) != np.inf for value in array])
        out_of_range = finite & ((array < INT64.min) | (array > UINT64.max))
        remedy = "Times must fit in 64 bits: use a coarser unit."
        refuse_values(out_of_range, array, prefix, "out-of-range time", remedy)
        array = array.astype(np.float64)
    if array.dtype.kind in "iu":
        is_large = array.dtype == np.uint64 and array.max(initial=0) > INT64.max
        return array.astype(np.uint64 if is_large else np.int64)
    if array.dtype.kind == "f":
        remedy = "Times must be finite: drop these rows."
        refuse_values(np.isinf(array), array, prefix, "infinite time", remedy)
        _refuse_rounded(array, prefix, cast_call(given, "floats"))
        return array.astype(np.float64)
    if array.dtype.kind == "M":
        return native_copy(array)
    raise TypeError(
        f"{prefix}: times must be numbers or datetimes, all of one kind; got "
        f"{census(array)}. {_conversion(array, given, name)}"
    )


def _conversion(array, values, name):
    """Return the advice for values that are neither numbers nor datetimes."""
    if array.dtype.kind == "O" and are_clocks(array):
        days = f"{pandas_name(values, name)}['<your date>'].astype(str)"
        joined = _assignment(
            values, name, f"pd.to_datetime({days} + ' ' + %s.astype(str))"
        )
        return f"A time of day has no date. Join it to the dates, as in {joined}."
    advice = "Times are never sorted as text: convert them first, as in"
    if library_of(values) == "polars" and object_types(array) == {str}:
        column = f"polars.col({TIME!r}).cast(polars.String)"  # of categories
        return (
            f"{advice} {name}.with_columns({column}.str.to_datetime()), with format= "
            f"if the dates are not ISO 8601, or with {column}.cast(polars.Int64)."
        )
    formats = guess_formats(pd.Series(array)) if object_types(array) == {str} else []
    if formats:
        given = f"format={formats[0]!r}"
        if "%z" in given.lower():  # offsets may differ
            given += ", utc=True"
        call = f"pd.to_datetime(%s, {given.replace('%', '%%')})"
        example = _assignment(values, name, call)
        if len(formats) > 1:
            example += f" or, if the day comes first, with format={formats[1]!r}"
        return f"{advice} {example}."
    return (
        f"{advice} {_assignment(values, name, 'pd.to_datetime(%s)')}, with format= if "
        "the dates are not ISO 8601, or with .astype('int64')."
    )


def _assignment(values, name, expression):
    """Return a statement that converts the times; %s stands for their column."""
    frame = pandas_name(values, name)
    expression %= f"{frame}[{TIME!r}]"
    if frame == name:
        return f"{name}[{TIME!r}] = {expression}"
    return f"{name} = {frame}.assign({TIME}={expression})"


def _refuse_rounded(array, prefix, to_floats):
    """Refuse times that a float of 16 or 32 bits cannot hold."""
    limit = 2.0 ** (np.finfo(array.dtype).nmant + 1)
    if array.dtype.itemsize < 8:
        remedy = (
            f"{array.dtype} rounds numbers above {limit:.0f}, so that different times "
            "become equal. Read them as int64 or float64. If the rounded times are "
            f"exact enough, convert them with {to_floats}."
        )
        refuse_values(np.abs(array) > limit, array, prefix, "rounded time", remedy)


def _dates_to_utc(array, prefix, values, name):
    """Convert an object array of dates and datetimes to datetime64 in UTC."""
    if len({getattr(value, "tzinfo", None) is None for value in array}) == 2:
        raise TypeError(
            f"{prefix}: datetimes must all have a time zone or all have none; got "
            f"{census(array, _zone_name)}. Convert them first, as in "
            f"{_assignment(values, name, 'pd.to_datetime(%s, utc=True)')}."
        )
    try:
        # Times without a time zone are read as UTC, so their values do not change.
        return pd.to_datetime(array, utc=True).tz_convert(None).to_numpy()
    except pd.errors.OutOfBoundsDatetime as error:
        raise InteractionsError(
            f"{prefix}: {error}. Convert all times to one coarser unit first, as in "
            + _assignment(values, name, "%s.to_numpy('datetime64[us]').")
        ) from error


def _zone_name(value):
    has_zone = getattr(value, "tzinfo", None) is not None
    return "with a time zone" if has_zone else "without a time zone"


def in_one_unit(first, second):
    """Convert two arrays of checked dates to the finer of their units.

    NumPy would overflow: dates that the finer unit cannot represent become its limits.
    Numbers are returned as they are.
    """
    if first.dtype.kind != "M" or first.dtype == second.dtype:
        return first, second
    dtype = np.promote_types(first.dtype, second.dtype)
    return _in_finer_unit(first, dtype), _in_finer_unit(second, dtype)


def _in_finer_unit(dates, dtype):
    if dates.dtype == dtype:
        return dates
    limit = np.array(INT64.max).astype(dtype).astype(dates.dtype).astype(np.int64)
    return (
        np.clip(dates.astype(np.int64), -limit, limit).astype(dates.dtype).astype(dtype)
    )


def in_seconds(times):
    """Return times as float64: dates as seconds since 1970, numbers as they are."""
    if times.dtype.kind == "M":
        if np.datetime_data(times.dtype)[0] in "YM":  # of different lengths
            times = times.astype("datetime64[D]")
        unit, step = np.datetime_data(times.dtype)
        second = np.timedelta64(step, unit) / np.timedelta64(1, "s")
        return times.astype(np.int64) * second
    return times.astype(np.float64)
