"""Columns of a plain array or list of rows, read by position."""

from contextlib import suppress

import numpy as np
import pandas as pd
from sklearn.utils import assert_all_finite, check_array

from sklearn_attrec._interactions.time_columns import may_hold_times
from sklearn_attrec._interactions.time_values import sample_rows
from sklearn_attrec._interactions.values import object_types
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["read_array_columns"]


def read_array_columns(X, caller, need_items, allow_empty):
    """Return the user, item and time columns of an array; None if not used."""
    is_list = isinstance(X, (list, tuple))
    # By default NumPy converts the list [1, "a"] to "1" and "a".
    dtype = object if is_list else None
    X = check_array(
        X,
        dtype=dtype,
        ensure_all_finite=False,
        ensure_min_samples=0 if allow_empty else 1,
        input_name="X",
    )
    if X.shape[1] == 1:
        raise InteractionsError(
            f"{caller}: X has 1 feature(s) (shape={X.shape}) while at least 2 are "
            "required: the columns of an array are user, item and optionally time, in "
            "this order."
        )
    _refuse_later_times(X, is_list, caller)
    users, items = X[:, 0], X[:, 1] if need_items else None
    times = _text_to_numbers(X[:, 2]) if X.shape[1] > 2 else None
    if X.dtype.kind == "f":  # check_ids and check_times check other dtypes
        for column in (users, items, times):
            if column is not None:
                assert_all_finite(column, input_name="X")
    return users, items, times


def _refuse_later_times(X, is_list, caller):
    """Refuse an array whose third column holds no times, but a later one does."""
    sample = sample_rows(X)
    if X.shape[1] < 4 or _may_hold_times(sample[:, 2]):
        return
    later = (i for i in range(3, X.shape[1]) if _may_hold_times(sample[:, i]))
    if (place := next(later, None)) is None:
        return
    if is_list:
        chosen = f"[[row[0], row[1], row[{place}]] for row in X]"
        first = "[row[:3] for row in X]"
    else:
        chosen, first = f"X[:, [0, 1, {place}]]", "X[:, :3]"
    raise InteractionsError(
        f"{caller}: column 2 of X would be read as times, but contains values such as "
        f"{short_repr(sample[0, 2])}, and column {place} looks like times, such as "
        f"{short_repr(sample[0, place])}. Pass {chosen}. If column 2 contains the "
        f"times, pass {first}."
    )


def _may_hold_times(values):
    return may_hold_times(pd.Series(values))


def _text_to_numbers(times):
    """Convert times given as strings: in an array of strings, numbers are strings."""
    if times.dtype.kind in "TU":
        times = times.astype(object)
    if times.dtype.kind != "O" or not object_types(times) <= {str}:
        return times
    for dtype in (np.int64, np.uint64, np.float64):
        with suppress(ValueError, OverflowError):
            return times.astype(dtype)
    return times
