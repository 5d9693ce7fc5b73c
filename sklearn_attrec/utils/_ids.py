"""Checks of ids, histories and timestamps, each one column of plain values."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from sklearn_attrec.exceptions import InteractionsError

__all__ = ["check_history", "check_ids", "check_times"]

_FOREIGN_TABLES = {
    "cudf": "to_pandas",
    "dask": "compute",
    "dask_expr": "compute",
    "polars": "to_pandas",
    "pyarrow": "to_pandas",
    "pyspark": "toPandas",
}
_INT64, _UINT64 = np.iinfo(np.int64), np.iinfo(np.uint64)
_FLOATS, _DATES = (float, np.floating), (date, np.datetime64)
_MAX_LENGTH = 2**16


def check_ids(values, *, name, caller):
    """Check ids and return them as a plain array.

    No id is special: 0, -1, "nan", "None" and "[PAD]" are ordinary, and text is kept
    to the letter, spaces and composition of accents included.

    Parameters
    ----------
    values : Series, Index, ndarray, list or tuple of shape (n,)
        Integers, or strings of at most 65,536 characters. Floats are refused, as they
        usually stand for integers that met a missing value, except in a plain ndarray.
    name : str
        What the messages call these values, such as "column 'user_id'".
    caller : str
        Who asks, such as "AttRecRecommender.predict"; messages begin with it.

    Returns
    -------
    ndarray of shape (n,)
        A copy: integers in the dtype given (int64, or uint64 where needed, for Python
        integers), or an object array of str.
    """
    head = f"{caller}: {name}"
    array = _to_array(values, head, "id")
    if array.dtype.kind == "O":
        array = _narrow(array)
    elif array.dtype.kind in "STU":
        array = array.astype(object)
    if array.dtype.kind in "iu":
        return _native_copy(array)
    if len(array) == 0:
        return np.empty(0, dtype=object)
    if array.dtype.kind == "f":
        return _check_float_ids(array, head, allowed=isinstance(values, np.ndarray))
    types = object_types(array)
    if all(issubclass(t, str) for t in types):
        return _check_text_ids(array, head)
    if all(map(_is_integer, types)):
        high = _UINT64.max if min(array) >= 0 else _INT64.max
        too_wide = (array < _INT64.min) | (array > high)
        fix = "Ids must fit 64 bits: cast them all to str."
        _refuse(too_wide, array, head, "too wide id", fix)
    # "argument must be ... string ... number" is what scikit-learn's checks look for.
    raise TypeError(
        f"{head}: each id of this argument must be a string or a whole number, all of "
        f"one type; got {_census(array)}. Cast them all, as in .astype(str)"
        + (" (bytes: .str.decode('utf-8'))." if bytes in types else ".")
    )


def check_history(history, *, caller, user=None):
    """Check one history: the ids of the items a user touched, oldest first.

    Parameters
    ----------
    history : Series, Index, ndarray, list or tuple of shape (n,)
        Item ids as in `check_ids`; it may be empty.
    caller : str
        Who asks, such as "AttRecRecommender.predict"; messages begin with it.
    user : object, default=None
        Whose history it is, for the messages.

    Returns
    -------
    ndarray of shape (n,)
        A copy of the ids.
    """
    name = "history" if user is None else f"history of user {show(user)}"
    return check_ids(history, name=name, caller=caller)


def check_times(values, head):
    """Check timestamps and return them as int64, uint64, float64 or datetime64."""
    if isinstance(values, pd.Series) and values.dtype.kind == "M":
        values = pd.DatetimeIndex(values)
        values = values if values.tz is None else values.tz_convert(None)
    array = _to_array(values, head, "time")
    if array.dtype.kind == "O":
        array = _narrow(array)
    types = object_types(array) if array.dtype.kind == "O" else set()
    if types and all(issubclass(t, _DATES) for t in types):
        array = _dates_to_utc(array, head)
    elif types and all(_is_integer(t) or issubclass(t, _FLOATS) for t in types):
        finite = np.array([abs(value) != np.inf for value in array])
        too_wide = finite & ((array < _INT64.min) | (array > _UINT64.max))
        _refuse(too_wide, array, head, "too wide time", "Times must fit 64 bits.")
        array = array.astype(np.float64)
    if array.dtype.kind in "iu":
        fits = np.can_cast(array.dtype, np.int64)
        return array.astype(np.int64 if fits else np.uint64)
    if array.dtype.kind == "f":
        fix = "Times must be finite: drop those rows."
        _refuse(np.isinf(array), array, head, "infinite time", fix)
        return array.astype(np.float64)
    if array.dtype.kind == "M":
        return _native_copy(array)
    raise TypeError(
        f"{head}: times must be numbers or datetimes, all of one kind; got "
        f"{_census(array)}. Times are never sorted as text: convert them first, as in "
        "X['timestamp'] = pd.to_datetime(X['timestamp']), or with .astype('int64')."
    )


def _to_array(values, head, noun):
    """Return 1-D values as a NumPy array, perhaps a view, with none of them missing."""
    refuse_other_tables(values, head)
    if isinstance(values, (str, bytes)):
        raise TypeError(
            f"{head}: {show(values)} would be read letter by letter; pass a list: "
            f"[{show(values)}]."
        )
    if isinstance(values, Sequence):
        values = np.fromiter(values, dtype=object, count=len(values))
    accepted = (np.ndarray, pd.Series, pd.Index, pd.api.extensions.ExtensionArray)
    if not isinstance(values, accepted) or isinstance(values, pd.MultiIndex):
        raise TypeError(
            f"{head}: must be a list, tuple, array, Series or Index of {noun}s; got "
            f"{type(values).__name__}."
        )
    if values.ndim != 1:
        raise InteractionsError(
            f"{head}: must be one-dimensional; got shape {values.shape}. Flatten it, "
            "as in .ravel()."
        )
    missing = np.asarray(pd.isna(values))
    fix = "Drop those rows, as in .dropna(subset=...), or fill them in, as in .fillna."
    _refuse(missing, values, head, f"missing {noun}", fix)
    # Left to itself a sparse column widens: int8 to int64, uint64 to an inexact float.
    is_sparse = isinstance(values.dtype, pd.SparseDtype)
    return np.asarray(values, dtype=values.dtype.subtype if is_sparse else None)


def _narrow(array):
    """Turn objects that are all integers, or all floats, into a numeric array."""
    types = object_types(array)
    if types and all(map(_is_integer, types)):
        low, high = min(array), max(array)
        if low >= _INT64.min and high <= _INT64.max:
            return array.astype(np.int64)
        if low >= 0 and high <= _UINT64.max:
            return array.astype(np.uint64)
    if types and all(issubclass(t, _FLOATS) for t in types):
        return array.astype(np.float64)
    return array


def _check_float_ids(array, head, allowed):
    fix = "Ids must be whole numbers or strings: mend these, or cast to str."
    _refuse(np.isinf(array), array, head, "infinite id", fix)
    if allowed:
        # pandas finds nothing among halves; singles hold them exactly.
        wide = np.promote_types(array.dtype, np.float32)
        return _native_copy(array).astype(wide, copy=False)
    _refuse(array != np.floor(array), array, head, "fractional id", fix)
    raise TypeError(
        f"{head}: {len(array)} float id{'s' * (len(array) > 1)}, first at row 0: "
        f"{show(array[0])}; ids must be integers or strings. Float ids usually mean a "
        "missing value; cast them to integers, .astype('Int64'), or to strings, best "
        "where the data is read."
    )


def _check_text_ids(array, head):
    lengths = np.fromiter(map(len, array), dtype=np.int64, count=len(array))
    fix = "An id needs at least one character: drop those rows or name them."
    _refuse(lengths == 0, array, head, "empty id", fix)
    fix = f"At most {_MAX_LENGTH} characters are allowed: use a shorter id, or a hash."
    _refuse(lengths > _MAX_LENGTH, array, head, "overlong id", fix)
    # Subclasses, np.str_ and enumerations among them, become the plain str they hold.
    array = np.fromiter(map(str.__str__, array), dtype=object, count=len(array))
    try:
        "".join(array).encode()
    except UnicodeEncodeError:
        broken = [any("\ud800" <= c <= "\udfff" for c in text) for text in array]
        fix = "Lone surrogates cannot be stored as UTF-8: mend the source's encoding."
        _refuse(np.array(broken), array, head, "broken id", fix)
    return array


def _dates_to_utc(array, head):
    """Turn an object array of dates and datetimes into datetime64 in UTC."""
    if len({getattr(value, "tzinfo", None) is None for value in array}) == 2:
        raise TypeError(
            f"{head}: datetimes must all have a time zone or all have none; got "
            f"{_census(array, _zone_name)}. Convert them first, as in "
            "X['timestamp'] = pd.to_datetime(X['timestamp'], utc=True)."
        )
    try:
        # Naive times are taken for UTC, and so come back as they were.
        return pd.to_datetime(array, utc=True).tz_convert(None).to_numpy()
    except pd.errors.OutOfBoundsDatetime as error:
        raise InteractionsError(
            f"{head}: {error}. Bring all times to one coarser unit first, as in "
            "X['timestamp'] = X['timestamp'].astype('datetime64[us]')."
        ) from error


def refuse_other_tables(values, head):
    """Point the tables of other libraries, which are not imported, to pandas."""
    library = type(values).__module__.partition(".")[0]
    if library in _FOREIGN_TABLES:
        raise TypeError(
            f"{head} is a {library} {type(values).__name__}, which is not read; "
            f"convert it to pandas first with .{_FOREIGN_TABLES[library]}()."
        )


def _refuse(bad, values, head, kind, fix):
    """Raise if any of `bad` is set, with the count and the first of the bad values."""
    if count := int(np.count_nonzero(bad)):
        row = int(np.argmax(bad))
        value = values.iloc[row] if isinstance(values, pd.Series) else values[row]
        raise InteractionsError(
            f"{head}: {count} {kind}{'s' * (count > 1)}, first at row {row}: "
            f"{show(value)}. {fix}"
        )


def _census(array, label=lambda value: type(value).__name__.rstrip("_")):
    """Describe what an array holds: of each type the count and the first row."""
    labels = list(map(label, array))
    rows = {name: labels.index(name) for name in dict.fromkeys(labels)}
    return ", ".join(
        f"{labels.count(name)} {name} (first at row {row}: {show(array[row])})"
        for name, row in rows.items()
    )


def _zone_name(value):
    has_zone = getattr(value, "tzinfo", None) is not None
    return "with a time zone" if has_zone else "without a time zone"


def show(value, limit=80):
    """Return the repr of a value, cut to `limit` characters."""
    try:
        is_numpy = isinstance(value, (np.bool_, np.number))
        text = str(value) if is_numpy else repr(value)  # 1.0, not np.float64(1.0)
    except Exception:  # such as an int of more digits than Python prints
        text = object.__repr__(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def object_types(array):
    """Return the set of the Python types in an array."""
    return set(map(type, array))


def _is_integer(t):
    # NumPy's timedelta64 is a signedinteger, as Python's bool is an int.
    is_number = issubclass(t, (int, np.integer))
    return is_number and not issubclass(t, (bool, np.timedelta64))


def _native_copy(array):
    # pandas cannot hash the other byte order.
    return array.astype(array.dtype.newbyteorder("="))
