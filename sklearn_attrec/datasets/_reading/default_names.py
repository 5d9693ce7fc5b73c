"""Names of the columns of a file without a header, checked against their contents."""

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER
from sklearn_attrec._interactions.date_formats import (
    guess_formats,
    parse_dates,
    parse_iso_dates,
)
from sklearn_attrec._interactions.unix_units import UNIX_UNITS
from sklearn_attrec.datasets._reading.columns import RATING, as_integers
from sklearn_attrec.datasets._reading.sample import SAMPLE
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["are_times", "names_by_position", "suggest_names"]

_BY_POSITION = {2: [USER, ITEM], 3: [USER, ITEM, TIME], 4: [USER, ITEM, RATING, TIME]}
# Unix times from 1973 to 2128 in each unit.
_TIME_RANGES = [(1e8 * unit, 5e9 * unit) for unit in UNIX_UNITS.values()]


def names_by_position(fields, time_format, locate):
    """Return the names of the columns, or raise an error if the values do not fit.

    Ids must not be dates, and the last of three or four columns must be times: dates
    or Unix times. A step number cannot be told from a rating or a count.
    """
    frame = fields.iloc[:SAMPLE].apply(as_integers)
    n_columns = frame.shape[1]
    example = f"columns={suggest_names(frame, time_format)}"
    if n_columns not in _BY_POSITION:
        raise InteractionsError(
            f"{locate(0)}: {n_columns} columns and no header. Name all columns in "
            f"order, for example {example}, or pass header=True if the first line "
            "names them, or layout='histories' if each line is a user and its items."
        )
    names = _BY_POSITION[n_columns]
    for position, name in enumerate(names):
        column = frame.iloc[:, position]
        times = are_times(column, time_format)
        if name in (USER, ITEM) and times and column.dtype != np.int64:
            expected = "ids, not times"
        elif name == TIME and not times:
            expected = "times: dates, or Unix times after 1973"
        else:
            continue
        advice = ""
        if name == TIME and column.dtype == np.int64:
            advice = (
                f" If it holds numbers that order the rows of a user, pass "
                f"columns={names}; if each line is a user and its items, pass "
                "layout='histories'."
            )
        raise InteractionsError(
            f"{locate(0)}: there is no header, and column {position + 1} of "
            f"{n_columns} would be {name!r}, which must contain {expected}. It "
            f"contains {short_repr(column.iloc[:3].tolist())}. Name all columns in "
            f"order, for example {example}.{advice}"
        )
    return names


def suggest_names(frame, time_format=None):
    """Guess the names of all columns from their first values, for error messages."""
    columns = [frame.iloc[:, position] for position in range(frame.shape[1])]
    times = [i for i, c in enumerate(columns) if are_times(c, time_format)]
    times = times or [i for i, column in enumerate(columns) if _are_days(column)]
    # The ids come first; of several columns of times, take the last, dates before
    # numbers, which can be ids.
    time = max(times, key=lambda i: (columns[i].dtype != np.int64, i), default=None)
    time = time if len(columns) > 2 else None
    names = [f"column_{i + 1}" for i in range(len(columns))]
    rest = [i for i in range(len(columns)) if i != time]
    for i, name in zip(rest, [USER, ITEM], strict=False):
        names[i] = name
    if len(rest) > 2 and _are_numbers(columns[rest[2]]):
        largest = pd.to_numeric(columns[rest[2]]).max()
        names[rest[2]] = RATING if largest <= 10 else "count"
    if time is not None:
        names[time] = TIME
    return names


def are_times(sample, time_format=None):
    """Return whether most values are dates or Unix times."""
    if sample.dtype != np.int64:
        sample = sample[sample.str.strip() != ""]
    if sample.empty:
        return False
    if time_format is not None:
        return parse_dates(sample, time_format).notna().mean() > 0.5
    if sample.dtype != np.int64 and not _are_numbers(sample):
        if parse_iso_dates(sample).notna().mean() > 0.5:
            return True
        return bool(guess_formats(sample))
    if sample.dtype != np.int64 and sample.str.match(r"0\d").any():
        return False  # leading zeros: an id
    numbers = pd.to_numeric(sample)
    return any(numbers.between(low, high).mean() > 0.5 for low, high in _TIME_RANGES)


def _are_days(sample):
    """Return whether all values are days such as 20140105."""
    days = sample.astype("str")
    is_day = days.str.fullmatch(r"(?:19|20)\d{6}") & parse_dates(days, "%Y%m%d").notna()
    return len(days) > 0 and bool(is_day.all())


def _are_numbers(column):
    numbers = pd.to_numeric(column, errors="coerce")
    return bool(np.isfinite(numbers).all())
