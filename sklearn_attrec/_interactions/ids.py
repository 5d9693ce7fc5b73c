"""Checks of user ids, item ids and histories."""

from contextlib import suppress
from datetime import date, time
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_calls import cast_call
from sklearn_attrec._interactions.frames import is_foreign
from sklearn_attrec._interactions.table_types import refuse_foreign_table
from sklearn_attrec._interactions.values import (
    INT64,
    UINT64,
    census,
    is_integer_type,
    narrow,
    native_copy,
    object_types,
    refuse_values,
    to_array,
)
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["CodedIds", "check_coded_ids", "check_history", "check_ids"]

# Maximum length of a string id, in characters.
MAX_LENGTH = 2**16

# Types that polars and Arrow can cast to text, unlike lists, durations and UUIDs.
_CAST_TO_TEXT = (bool, np.bool_, bytes, date, np.datetime64, time, Decimal)


class CodedIds(NamedTuple):
    """Ids of n rows: that of row r is ``ids[codes[r]]``."""

    codes: np.ndarray  # (n,) int
    ids: np.ndarray  # different ids, perhaps more than there are in the rows


def check_coded_ids(values, *, name, caller):
    """Check ids like `check_ids`, but do not write out the ids of categories.

    A hundred million rows of categories take a tenth of the memory of their texts.

    Returns
    -------
    CodedIds or ndarray of shape (n,)
        CodedIds if the values are categories, all valid.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes = values.array.codes
        with suppress(TypeError, ValueError):  # errors show rows, below
            ids = check_ids(values.cat.categories, name=name, caller=caller)
            if codes.min(initial=0) >= 0:
                return CodedIds(codes, ids)
    return check_ids(values, name=name, caller=caller)


def check_ids(values, *, name, caller):
    """Check ids and return them as a plain array.

    No id has a special meaning: 0, -1, "nan", "None" and "[PAD]" are ordinary ids.
    Strings are kept unchanged: whitespace and Unicode are not normalised.

    Parameters
    ----------
    values : Series, Index, ndarray, list or tuple of shape (n,)
        Integers, or strings of at most 65,536 characters. Floats are accepted only in
        a plain ndarray: elsewhere they usually are integers that pandas converted
        because of a missing value.
    name : str
        Name of the values in error messages, for example "column 'user_id'".
    caller : str
        Name of the calling method, for example "AttRecRecommender.predict". Error
        messages begin with it.

    Returns
    -------
    ndarray of shape (n,)
        A copy: integers in their original dtype (int64, or uint64 if needed, for
        Python integers), or an object array of str.
    """
    prefix = f"{caller}: {name}"
    # The usual lists need no search for missing values, which is slow.
    types = object_types(values) if isinstance(values, (list, tuple)) else set()
    if types == {int} and INT64.min <= min(values) and max(values) <= INT64.max:
        return np.array(values, dtype=np.int64)
    if types == {str}:
        return _check_text_ids(np.fromiter(values, object, len(values)), prefix)
    array = to_array(values, prefix, "id")
    if array.dtype.kind == "O":
        array = narrow(array)
    elif array.dtype.kind in "STU":
        array = array.astype(object)
    if array.dtype.kind in "iu":
        return native_copy(array)
    if len(array) == 0:
        return np.empty(0, dtype=object)
    if array.dtype.kind == "f":
        return _check_float_ids(array, prefix, values)
    types = object_types(array)
    if all(issubclass(t, str) for t in types):
        return _check_text_ids(array, prefix)
    if all(map(is_integer_type, types)):
        high = UINT64.max if min(array) >= 0 else INT64.max
        out_of_range = (array < INT64.min) | (array > high)
        remedy = "Ids must fit in 64 bits: cast them all to str."
        refuse_values(out_of_range, array, prefix, "out-of-range id", remedy)
    refuse_foreign_table(array[0], f"{prefix}: the first value")
    call = cast_call(values, "text")
    if not is_foreign(values):
        call += " (bytes: .str.decode('utf-8'))" if bytes in types else ""
    elif not all(issubclass(t, _CAST_TO_TEXT) for t in types):
        call = ".to_pandas().astype(str)"
    # scikit-learn's checks expect the phrase "argument must be ... string ... number".
    raise TypeError(
        f"{prefix}: each id of this argument must be a string or a whole number, all "
        f"of one type; got {census(array)}. Cast them all, as in {call}."
    )


def check_history(history, *, caller, user=None):
    """Check the history of one user.

    Parameters
    ----------
    history : Series, Index, ndarray, list or tuple of shape (n,)
        Item ids as in `check_ids`, oldest interaction first. It may be empty.
    caller : str
        Name of the calling method, for example "AttRecRecommender.predict". Error
        messages begin with it.
    user : object, default=None
        Id of the user, for error messages.

    Returns
    -------
    ndarray of shape (n,)
        A copy of the ids.
    """
    name = "history" if user is None else f"history of user {short_repr(user)}"
    return check_ids(history, name=name, caller=caller)


def _check_float_ids(array, prefix, values):
    remedy = (
        "Ids must be whole numbers or strings: correct them, or cast them all to str."
    )
    refuse_values(np.isinf(array), array, prefix, "infinite id", remedy)
    if isinstance(values, np.ndarray):
        # pandas cannot look up float16; float32 represents the same values exactly.
        dtype = np.promote_types(array.dtype, np.float32)
        return native_copy(array).astype(dtype, copy=False)
    refuse_values(array != np.floor(array), array, prefix, "fractional id", remedy)
    reason = "pandas converts integers to floats when a value is missing: cast"
    raise TypeError(
        f"{prefix}: {len(array)} float id{'s' * (len(array) > 1)}, first at row 0: "
        f"{short_repr(array[0])}; ids must be integers or strings. "
        f"{'Cast' if is_foreign(values) else reason} them to integers with "
        f"{cast_call(values, 'integers')}, or to strings, preferably when the data is "
        "read."
    )


def _check_text_ids(array, prefix):
    lengths = np.fromiter(map(len, array), dtype=np.int64, count=len(array))
    remedy = "An id needs at least one character: drop these rows or fill in their ids."
    refuse_values(lengths == 0, array, prefix, "empty id", remedy)
    remedy = (
        f"At most {MAX_LENGTH} characters are allowed: use a shorter id, or a hash."
    )
    refuse_values(lengths > MAX_LENGTH, array, prefix, "overlong id", remedy)
    # Convert subclasses of str, for example np.str_ and enumerations, to plain str.
    array = np.fromiter(map(str.__str__, array), dtype=object, count=len(array))
    try:
        "".join(array).encode()
    except UnicodeEncodeError:
        invalid = [any("\ud800" <= c <= "\udfff" for c in text) for text in array]
        remedy = (
            "Lone surrogates cannot be stored as UTF-8: correct the source's encoding."
        )
        refuse_values(np.array(invalid), array, prefix, "invalid id", remedy)
    return array
