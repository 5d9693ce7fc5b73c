"""Refusal of a frame without timestamps whose other columns may be times."""

from sklearn_attrec._interactions.column_calls import (
    drop_call,
    pandas_name,
    rename_call,
)
from sklearn_attrec._interactions.column_names import TIME
from sklearn_attrec._interactions.time_values import (
    are_days,
    are_durations,
)
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["refuse_time_columns", "time_renames"]


def refuse_time_columns(X, found, name, time_of, caller):
    """Raise an error that tells how to make or drop the timestamps.

    Parameters
    ----------
    X : DataFrame
    found : list of TimeColumn
        What `find_time_columns` returned; not empty.
    name, caller : str
        Names of the argument and of the calling method.
    time_of : {'interaction', 'query'}
        What a row of X is.
    """
    best = found[0]
    names = [column.name for column in found]
    place = "the index" if best.name not in X else short_repr(names, 1000)
    make, drop = _make_call(X, found, name), drop_call(X, names, name)
    problem = "may contain the time"
    if_sorted = f"If the rows are already sorted by time, drop it: {drop}."
    if time_of == "query":
        advice = (
            f"If it is the time of the query, make it this column: {make}. If not, "
            f"drop it: {drop}."
        )
    elif best.is_other:
        advice = (
            f"If it is not the time of the interaction, drop it: {drop}. If it is, "
            f"make it this column: {make}."
        )
    elif best.is_clock and not best.is_number:
        problem = f"contains times of day without a date, such as {best.values[0]}"
        frame = pandas_name(X, name)
        times = _joined(f"{frame}['<your date>']", best, frame)
        advice = f"{if_sorted} Otherwise join it to the dates, as in {times}."
    else:
        advice = f"To sort by it, make it this column: {make}. {if_sorted}"
    raise InteractionsError(
        f"{caller}: {name} has no column {TIME!r}, but {place} {problem}. {advice}"
    )


def time_renames(X, found):
    """Return {name: 'timestamp'} of the most likely column.

    It is empty if that column alone is not the time of the interaction.
    """
    best = found[0] if found else None
    if best is None or best.is_other or _parts(X, best):
        return {}
    has_clock = any(column.is_clock and column.is_text for column in found)
    return {} if has_clock or _clock(X, found) else {best.name: TIME}


def _make_call(X, found, name):
    """Return a call that makes the timestamps out of the columns found."""
    best, parts, clock = found[0], _parts(X, found[0]), _clock(X, found)
    argument, name = name, pandas_name(X, name)
    days, is_number = f"{name}[{best.name!r}]", best.is_number
    if parts:
        days, is_number = f"pd.to_datetime({name}[{parts}])", False
    if clock:
        times = _sum(days, is_number, best, clock, name)
    elif parts:
        times = days
    elif best.name in X and are_durations(best.values):
        times = f"{days}.astype('int64')"
    else:
        return rename_call(X, {best.name: TIME}, argument)
    return f"{name}.assign({TIME}={times})"


def _parts(X, best):
    """Return the columns year, month and day, if `best` is the day, or None."""
    names = {str(name).lower(): name for name in reversed(X.columns)}
    parts = [names.get(part) for part in ("year", "month", "day")]
    return None if None in parts or best.name != parts[2] else parts


def _clock(X, found):
    """Return the column of times of day that belongs to the days, or None."""
    if found[0].name not in X or not (_parts(X, found[0]) or _is_day(found[0])):
        return None
    return next((c for c in found[1:] if c.is_clock and c.name in X), None)


def _is_day(column):
    """Return whether a column contains days, without times of day."""
    is_named = {"date", "day"} & set(column.words.split())
    return are_days(column.values) and bool(is_named or not column.is_number)


def _sum(days, is_number, best, clock, name):
    """Return an expression of the sum of days and times of day."""
    is_text = best.is_text and days.startswith(name)
    if is_number and is_text:
        days, is_text = f"{days}.astype('int64')", False
    has_year_first = not is_text or best.values[0][:4].isdigit()
    options = "" if has_year_first else ", format='<your format>'"
    if not clock.is_number:
        if is_number and float(best.values[0]) < 1e7:  # not 20140105
            days = f"pd.to_datetime({days}, unit='D')"
        return _joined(days if is_text else f"{days}.astype(str)", clock, name, options)
    times = f"{name}[{clock.name!r}]" + (".astype('int64')" if clock.is_text else "")
    if is_number:
        return f"{days} * 10_000 + {times}"
    minutes = f"{times} // 100 * 60 + {times} % 100, unit='min'"
    has_hours = max(map(float, clock.values)) < 24
    of_day = f"{times}, unit='h'" if has_hours else minutes
    return f"pd.to_datetime({days}{options}) + pd.to_timedelta({of_day})"


def _joined(days, clock, name, options=""):
    """Return an expression that joins the text of days and of times of day."""
    times = f"{name}[{clock.name!r}]" + ("" if clock.is_text else ".astype(str)")
    return f"pd.to_datetime({days} + ' ' + {times}{options})"
