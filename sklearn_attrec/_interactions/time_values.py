"""What the values of a column tell: dates, Unix times, times of day."""

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from numbers import Real

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.date_text import (
    is_clock,
    is_date,
    is_day,
    mentions_date,
)
from sklearn_attrec._interactions.unix_units import UNIX_UNITS

__all__ = [
    "are_clock_numbers",
    "are_clocks",
    "are_dates",
    "are_days",
    "are_durations",
    "are_spread_unix",
    "are_unix",
    "numbers_of",
    "sample_rows",
    "sample_values",
]

# Number of rows and of texts to look at.
_N_ROWS, _N_TEXTS = 1_000, 10

# Unix times from 1995 to 2036, in seconds.
_FIRST, _LAST = 8e8, 2.1e9
_SECONDS_PER_DAY = 86_400

_NUMBER = re.compile(r"\d{1,20}(?:\.\d*)?")
_PLACEHOLDERS = {
    *("", "-", "--", "?", "n/a", "na", "nan", "nat", "none", "null", "unknown"),
    *("0000-00-00", "0000-00-00 00:00:00"),
}


def sample_rows(X):
    """Return about 1,000 rows of a frame or array, evenly spaced."""
    step = max(1, len(X) // _N_ROWS)
    return X.iloc[::step] if isinstance(X, pd.DataFrame) else X[::step]


def sample_values(column):
    """Return the values of a Series as an array or list, without placeholders."""
    values = column.dropna()
    if values.dtype.kind in "iuf":
        return values.to_numpy()
    return [v for v in values.tolist() if not isinstance(v, str) or _is_given(v)]


def _is_given(text):
    return text.strip().lower() not in _PLACEHOLDERS


def numbers_of(values):
    """Return values as floats if all are numbers, or digits in text; otherwise None."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        return values.astype(float)
    try:
        if all(map(_is_number, values)):
            return np.array(values, dtype=float)
    except OverflowError:  # an int of hundreds of digits
        pass
    return None


def _is_number(value):
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    return isinstance(value, (Real, Decimal)) and not isinstance(value, bool)


def are_unix(numbers):
    """Return whether all numbers are Unix times of one unit.

    Zeros and −1 often stand for missing times.
    """
    return _unix_unit(numbers[numbers > 0]) is not None


def are_spread_unix(numbers):
    """Return whether numbers are very likely Unix times, whatever their name.

    They span more than a day, and are no round numbers such as prices.
    """
    numbers = numbers[numbers > 0]
    unit = _unix_unit(numbers)
    if unit is None or len(np.unique(numbers)) < 3:
        return False
    seconds = np.round(numbers / unit, 3)
    return np.ptp(seconds) > _SECONDS_PER_DAY and (seconds % 1_000 != 0).any()


def _unix_unit(numbers):
    if not len(numbers):
        return None
    low, high = numbers.min(), numbers.max()
    units = UNIX_UNITS.values()
    return next((u for u in units if _FIRST * u <= low and high <= _LAST * u), None)


def are_dates(values):
    """Return whether most of the values are dates, or texts with a date.

    Whole numbers such as 20140105 are dates if all have this form.
    """
    if not len(values):
        return False
    if isinstance(values[0], (date, pd.Period, np.datetime64)):
        return True
    numbers = numbers_of(values)
    if numbers is not None and not isinstance(values[0], str):
        numbers = _few(np.unique(numbers))
        return len(numbers) > 1 and all(is_date(f"{number:.0f}") for number in numbers)
    return _most(values, lambda text: is_date(text) or mentions_date(text))


def are_durations(values):
    """Return whether the values are durations: timedelta objects."""
    return len(values) > 0 and all(isinstance(v, timedelta) for v in _few(values))


def are_clocks(values):
    """Return whether most of the values are times of day, as text or `time`."""
    if not len(values):
        return False
    return isinstance(values[0], time) or _most(values, is_clock)


def are_clock_numbers(numbers):
    """Return whether all numbers are hours, or hours and minutes such as 1259."""
    is_finite = len(numbers) > 0 and np.isfinite(numbers).all()
    if not is_finite or (numbers % 1 != 0).any():
        return False
    low, high = numbers.min(), numbers.max()
    is_in_minutes = 60 <= high < 2_400 and (numbers % 100 < 60).all()
    return low >= 0 and (high < 24 or is_in_minutes)


def are_days(values):
    """Return whether the values are dates or numbers of days, without a time of day."""
    if not len(values):
        return False
    if isinstance(values[0], datetime):
        return all(value == value.normalize() for value in map(pd.Timestamp, values))
    numbers = numbers_of(values)
    if numbers is None:
        return isinstance(values[0], date) or _most(values, is_day)
    return numbers.max(initial=0) < 1e8  # 20140105, or a count of days


def _most(values, predicate):
    texts = [v.strip(" []\"'") for v in _few(values) if isinstance(v, str)]
    return 2 * sum(map(predicate, texts)) > len(_few(values))


def _few(values):
    return values[:: max(1, len(values) // _N_TEXTS)]
