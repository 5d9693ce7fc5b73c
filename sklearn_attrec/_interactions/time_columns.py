"""Columns and index levels that may contain the times of interactions."""

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_names import (
    ITEM,
    USER,
    WEIGHT,
    level_names,
)
from sklearn_attrec._interactions.time_names import (
    is_duration,
    is_id,
    is_of_other_time,
    is_ordinal,
    may_be_unix,
    names_event,
    names_time,
    names_time_of_day,
    time_rank,
    words_of,
)
from sklearn_attrec._interactions.time_values import (
    are_clock_numbers,
    are_clocks,
    are_dates,
    are_durations,
    are_spread_unix,
    are_unix,
    numbers_of,
    sample_rows,
    sample_values,
)

__all__ = ["TimeColumn", "find_time_columns", "may_hold_times"]


class TimeColumn(NamedTuple):
    """A column or index level that may contain times.

    An index level has the name that it gets by `X.reset_index()`.
    """

    name: Hashable
    words: str
    values: list | np.ndarray  # about 1,000, evenly spaced
    is_text: bool  # str, not categories of str
    is_number: bool  # numbers, also as text
    is_clock: bool  # a time of day without a date
    is_other: bool  # the time of a user or item rather than of the interaction

    def rank(self):
        """Return a sort key: the most likely time of the interaction comes first."""
        return self.is_other, self.is_clock, time_rank(self.words)


def find_time_columns(X):
    """Return columns and index levels that may contain times, the most likely first."""
    sample = sample_rows(X)
    index = sample.index
    columns = [sample.iloc[:, i] for i in range(sample.shape[1])]
    columns += [index.get_level_values(i).to_series() for i in range(index.nlevels)]
    names = [*X.columns, *level_names(X)]
    found = []
    for name, column in zip(names, columns, strict=True):
        words, kind = words_of(name), column.dtype.kind
        if kind == "b" or name in {USER, ITEM, WEIGHT}:
            continue
        values = sample_values(column)
        if kind == "M" or _may_be_time(words, values):
            found.append(_time_column(name, words, values, column.dtype))
    return sorted(found, key=TimeColumn.rank)


def _time_column(name, words, values, dtype):
    """Describe a column that may contain times."""
    numbers = numbers_of(values)
    is_clock = are_clocks(values) if numbers is None else are_clock_numbers(numbers)
    is_plain = not isinstance(dtype, pd.CategoricalDtype)
    return TimeColumn(
        name,
        words,
        values,
        is_text=is_plain and isinstance(next(iter(values), None), str),
        is_number=numbers is not None,
        is_clock=is_clock and names_time_of_day(words),
        is_other=is_of_other_time(words),
    )


def may_hold_times(column):
    """Return whether a Series without a name has the values of times."""
    values = sample_values(column)
    numbers = numbers_of(values)
    if numbers is None:
        return column.dtype.kind == "M" or are_dates(values)
    return are_unix(numbers)


def _may_be_time(words, values):
    """Return whether a column may contain times, by its name and values."""
    if are_durations(values):
        return not is_duration(words)
    numbers = numbers_of(values)
    has_dates = are_dates(values) and (numbers is None or not is_id(words))
    if names_time(words) or has_dates:
        return True
    if numbers is None:
        has_digit = any(map(str.isdigit, "".join(map(str, values[:10]))))
        return names_event(words) and has_digit
    if not len(numbers):
        return False
    is_likely = may_be_unix(words) and are_unix(numbers)
    is_likely |= not is_id(words) and are_spread_unix(numbers)
    is_likely |= is_ordinal(words) and (numbers % 1 == 0).all()
    return is_likely or names_event(words)
