"""Names of the columns of a file without a header, checked against their contents."""

import re

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER
from sklearn_attrec.datasets._columns import RATING, as_integers
from sklearn_attrec.datasets._dates import (
    guess_formats,
    parse_dates,
    parse_iso_dates,
)
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = [
    "names_by_position",
    "refuse_names_as_record",
    "refuse_repeated_header",
    "refuse_values_as_header",
]

_BY_POSITION = {
    2: [USER, ITEM],
    3: [USER, ITEM, TIME],
    4: [USER, ITEM, RATING, TIME],
}
# 1973 to 2128 in seconds, milliseconds, microseconds and nanoseconds.
_TIME_RANGES = [(10**digits, 5 * 10 ** (digits + 1)) for digits in (8, 11, 14, 17)]
_SAMPLE = 1000
_VALUE = re.compile(
    r"\s*([+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|\d{4}-\d\d-\d\d([T ].*)?)\s*",
    re.IGNORECASE,
)


def names_by_position(fields, time_format, locate):
    """Return the names of the columns, or raise an error if the values do not fit.

    Ids must not be dates, and the last of three or four columns must be times: dates
    or Unix times. A step number cannot be told from a rating or a count.

    Parameters
    ----------
    fields : DataFrame of str
        The columns as read from the file.
    time_format : str or None
        Format of dates.
    locate : callable
        Maps the position of a row to its location in the file.

    Returns
    -------
    list of str
    """
    frame = fields.iloc[:_SAMPLE].apply(as_integers)
    n_columns = frame.shape[1]
    example = f"columns={_suggest_names(frame, time_format)}"
    if n_columns not in _BY_POSITION:
        raise InteractionsError(
            f"{locate(0)}: {n_columns} columns and no header. Name all columns in "
            f"order, for example {example}, or pass header=True if the first line "
            "names them, or layout='histories' if each line is a user and its items."
        )
    names = _BY_POSITION[n_columns]
    for position, name in enumerate(names):
        column = frame.iloc[:, position]
        times = _are_times(column, time_format)
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


def refuse_names_as_record(fields, locate):
    """Raise an error if the first line looks like a header.

    It does if only the first value of a column is not an integer.

    Parameters
    ----------
    fields : DataFrame of str
        All records.
    locate : callable
        Maps the position of a record to its location in the file.
    """
    for name in fields:
        first, rest = fields[name].iloc[:1], fields[name].iloc[1:_SAMPLE]
        if as_integers(first).dtype == np.int64 or rest.empty:
            continue
        if as_integers(rest).dtype == np.int64:
            raise InteractionsError(
                f"{locate(0)}: {short_repr(first.iloc[0])} is not an integer, but the "
                "later values of its column are. If the line is a header, pass "
                "header=True, otherwise header=False."
            )


def refuse_repeated_header(fields, may_be_record, locate):
    """Raise an error if the header, or one of its names, appears again below it.

    Parameters
    ----------
    fields : DataFrame of str
        All records, the header first.
    may_be_record : bool
        Whether the header can be the first record: then its values may recur in their
        columns.
    locate : callable
        Maps the position of a record to its location in the file.
    """
    names, rows = fields.iloc[0], fields.iloc[1:]
    recurring = np.flatnonzero(rows[0] == names[0])
    equal = (rows.iloc[recurring] == names).all(axis=1).to_numpy()
    if equal.any():
        raise InteractionsError(
            f"{locate(recurring[equal][0] + 1)} repeats the header. Remove the line: "
            "the file seems to be several files, one after the other."
        )
    if may_be_record and not names.isin([USER, ITEM]).any():
        for position, name in enumerate(names):
            row = (rows[position] == name).to_numpy().argmax()
            if len(rows) and rows[position].iloc[row] == name:
                raise InteractionsError(
                    f"{locate(0)}: the header {short_repr(names.to_list(), 200)} looks "
                    f"like the first record, because {short_repr(name)} is also a "
                    f"value of its column ({locate(row + 1)}). If it is, pass "
                    "header=False. If it is the header, pass header=True."
                )


def _suggest_names(frame, time_format=None):
    """Guess the names of all columns from their first values."""
    columns = [frame.iloc[:, position] for position in range(frame.shape[1])]
    times = [i for i, c in enumerate(columns) if _are_times(c, time_format)]
    # The ids come first; of several columns of times, take one that leaves two ids.
    time = min(times, key=lambda i: columns[i].dtype == np.int64, default=None)
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


def refuse_values_as_header(fields, only_if_all, locate):
    """Raise an error if a header contains numbers or dates.

    Parameters
    ----------
    fields : DataFrame of str
        All records, the header first.
    only_if_all : bool
        Whether to raise an error only if all names are numbers or dates.
    locate : callable
        Maps the position of a record to its location in the file.
    """
    names = fields.iloc[0].to_list()
    values = [name for name in names if _VALUE.fullmatch(name)]
    if values and (len(values) == len(names) or not only_if_all):
        only = "only " if len(values) == len(names) else ""
        example = _suggest_names(fields.iloc[:_SAMPLE].apply(as_integers))
        remedy = "" if only else " If it is the header, pass header=True."
        raise InteractionsError(
            f"{locate(0)}: the header {short_repr(names, 200)} contains {only}numbers "
            f"or dates, for example {values[0]!r}. If it is the first record, pass "
            f"header=False, or name the columns, for example columns={example}."
            f"{remedy}"
        )


def _are_times(sample, time_format):
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
    numbers = pd.to_numeric(sample)
    return any(numbers.between(low, high).mean() > 0.5 for low, high in _TIME_RANGES)


def _are_numbers(column):
    numbers = pd.to_numeric(column, errors="coerce")
    return bool(np.isfinite(numbers).all())
