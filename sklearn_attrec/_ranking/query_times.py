"""Checks of the times of queries against those of the histories."""

import warnings

import numpy as np

from sklearn_attrec._interactions.column_names import TIME
from sklearn_attrec._interactions.times import in_one_unit
from sklearn_attrec._interactions.unix_units import UNIX_UNITS
from sklearn_attrec.exceptions import InteractionsError, TimeUnitWarning

__all__ = ["comparable_times", "warn_of_other_period"]

# In seconds: Unix times from 1973. Those of the year 5138 are as large as the first
# ones in milliseconds.
_FIRST = 1e8

_NAMES = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}


def comparable_times(times, others, caller, source="fit"):
    """Return times of queries and histories in a unit in which they can be compared.

    Parameters
    ----------
    times : ndarray of shape (n,)
        Checked times of the queries.
    others : ndarray of shape (m,) or None
        Checked times of the histories.
    caller : str
        Name of the calling method; error messages begin with it.
    source : str, default="fit"
        Where `others` come from, for error messages.

    Returns
    -------
    times : ndarray of shape (n,)
    others : ndarray of shape (m,)
        The times of both; dates in the finer of both units.

    Raises
    ------
    InteractionsError
        If only one side has times, or only one side has dates.
    """
    if others is None:
        raise InteractionsError(
            f"{caller}: the rows have a '{TIME}', but the rows in {source} had none, "
            f"so the history before each row is unknown. Fit with a '{TIME}' column, "
            f"or drop the column '{TIME}' from these rows."
        )
    if (times.dtype.kind == "M") != (others.dtype.kind == "M"):
        raise InteractionsError(
            f"{caller}: '{TIME}' is {times.dtype}, but was {others.dtype} in {source}. "
            "Convert one dtype to the other."
        )
    return in_one_unit(times, others)


def warn_of_other_period(
    times,
    period,
    source,
    caller,
    *,
    rows="queries of users with a history",
    warn_of_early=True,
    stacklevel=4,
):
    """Warn if the times of all queries are in another unit, or before all histories.

    Parameters
    ----------
    times : ndarray of shape (n,)
        Times of the queries whose user has a history, or of other rows.
    period : tuple (earliest, latest)
        Range of the times of all histories.
    source, caller : str
        Where `period` comes from, and the calling method, for messages.
    rows : str
        What has these times, for messages.
    warn_of_early : bool, default=True
        Whether to warn of early times in the same unit.
    stacklevel : int, default=4
        Number of calls from the user's code to `warnings.warn`.
    """
    if not len(times):
        return
    low, high = times.min(), times.max()
    is_early = high < period[0]
    if not is_early and low <= period[1]:
        return
    time, other_time = (high, period[0]) if is_early else (low, period[1])
    unit, other = _unit(time), _unit(other_time)
    if not is_early and times.dtype.kind == "M":
        unit = None  # made-up dates often begin in 1970
    message = (
        f"{caller}: the '{TIME}' of all {len(times)} {rows}, "
        f"{low} to {high}, is {'earlier' if is_early else 'later'} than all times in "
        f"{source}, {period[0]} to {period[1]}."
    )
    if unit and other and unit != other:
        warnings.warn(
            f"{message} {_advice(times, unit, other, source)}",
            TimeUnitWarning,
            stacklevel,
        )
    elif is_early and warn_of_early:
        warnings.warn(
            f"{message} So no history is read, and popular items are recommended. To "
            f"read whole histories, drop the column '{TIME}'.",
            stacklevel=stacklevel,
        )


def _unit(time):
    """Return the unit of a Unix time, judged by its size; None if it is unclear.

    Numbers of a coarser unit that were converted to dates without it count as
    nanoseconds, and become dates of January 1970.
    """
    if isinstance(time, np.datetime64):
        if np.datetime64("1970-02") <= time < np.datetime64("1973-04"):
            return None
        # NumPy 2.5 cannot convert the earliest dates in nanoseconds to another unit.
        time = (time - np.datetime64(0, "s")) / np.timedelta64(1, "s") * 1e9
    units = reversed(UNIX_UNITS)
    return next((unit for unit in units if time >= _FIRST * UNIX_UNITS[unit]), None)


def _advice(times, unit, other, source):
    if times.dtype.kind == "M":
        return (
            f"The numbers seem to be {_NAMES[unit]}, but were converted to dates as "
            f"{_NAMES[other]}. Convert them: pd.to_datetime(numbers, unit='{unit}')."
        )
    factor = UNIX_UNITS[other] / UNIX_UNITS[unit]
    operation = (
        f"multiply it by {factor:.0f}"
        if factor > 1
        else f"divide it by {1 / factor:.0f}"
    )
    return (
        f"Its unit seems to be {_NAMES[unit]}, but the times in {source} are in "
        f"{_NAMES[other]}. To convert it, {operation}."
    )
