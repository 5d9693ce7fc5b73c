"""Dates as text: ISO 8601, a given format, or a guess of the format for a message."""

from itertools import product

import pandas as pd

__all__ = [
    "ISO_DATE",
    "guess_formats",
    "is_time_format",
    "parse_dates",
    "parse_iso_dates",
]

# Excludes "now" and "today", which pandas replaces with the current time, as in
# `parse_dates`.
ISO_DATE = r"\d{4}-\d\d-\d\d(?:[T ].*)?"
_OFFSET = r"[T ].*(?:Z|[+-]\d\d(?::?\d\d)?)$"

# If two formats differ in the order of day and month only, the month is first here.
_NUMERIC = ["%m{}%d{}%Y", "%d{}%m{}%Y", "%m{}%d{}%y", "%d{}%m{}%y"]
_DAYS = [day.replace("{}", sep) for sep in "/-." for day in _NUMERIC]
_DAYS += ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日"]
_DAYS += ["%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y"]
_DAYS += ["%d %b %Y", "%d %B %Y", "%a, %d %b %Y", "%m %d, %Y"]
_CLOCKS = ["", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p"]
_CLOCKS += [" %H:%M %z", " %H:%M:%S %z", " %H:%M:%S %Z"]
_FORMATS = [day + clock for day, clock in product(_DAYS, _CLOCKS)]
_FORMATS += [
    "%Y-%m",
    "%a %b %d %H:%M:%S %z %Y",
    "%a %b %d %H:%M:%S %Z %Y",
    "%d/%b/%Y:%H:%M:%S %z",
]


def is_time_format(text):
    """Return whether a text is a format with a year that pandas understands."""
    if "%H" in text and "%p" in text:  # pandas would ignore PM
        return False
    try:
        pd.to_datetime(pd.Series(["2000"]), format=text, errors="coerce")
    except ValueError:
        return False
    return any(year in text for year in ("%Y", "%y", "%G", "%c", "%x"))


def parse_iso_dates(column, first=0):
    """Return datetimes, and NaT for other values.

    If the value of row `first` has an offset from UTC, all must have one, and become
    UTC.
    """
    text = column.astype("str")
    has_offset = text.str.contains(_OFFSET)
    is_aware = has_offset.iloc[first]
    like_first = text.str.fullmatch(ISO_DATE) & (has_offset == is_aware)
    return pd.to_datetime(
        text.where(like_first), format="ISO8601", errors="coerce", utc=is_aware
    )


def parse_dates(column, time_format):
    """Return datetimes, in UTC if the format has offsets, and NaT for other values."""
    has_offset = "%z" in time_format or "%Z" in time_format
    text = column.astype("str")
    text = text.mask(text.isin(["now", "today"]))
    return pd.to_datetime(text, format=time_format, errors="coerce", utc=has_offset)


def guess_formats(column):
    """Return the formats in which all values of a column of text are dates.

    There are two if the order of day and month is unclear.
    """
    first = column.iloc[:1]
    if not first.astype("str").str.contains(r"\d").all():
        return []
    column = column.drop_duplicates()
    guesses, readings = [], []
    for guess in _FORMATS:
        if parse_dates(first, guess).notna().all():
            dates = parse_dates(column, guess)
            # In May, %b and %B give the same dates.
            if dates.notna().all() and not any(map(dates.equals, readings)):
                guesses.append(guess)
                readings.append(dates)
    return guesses
