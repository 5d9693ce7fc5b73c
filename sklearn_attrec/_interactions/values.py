"""Conversion of columns to plain arrays, and errors that show the first bad row."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_calls import drop_missing_advice
from sklearn_attrec._interactions.frames import to_pandas
from sklearn_attrec._interactions.table_types import refuse_foreign_table
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = [
    "INT64",
    "UINT64",
    "are_missing",
    "census",
    "is_float_type",
    "is_integer_type",
    "narrow",
    "native_copy",
    "object_types",
    "refuse_values",
    "to_array",
]

INT64, UINT64 = np.iinfo(np.int64), np.iinfo(np.uint64)


def to_array(values, prefix, element):
    """Return 1-D values as an array, possibly a view.

    Raises an error for missing values. `prefix` is the start of the error messages,
    and `element` the name of one value, for example "id".
    """
    values = to_pandas(values)
    refuse_foreign_table(values, prefix)
    if isinstance(values, (str, bytes)):
        raise TypeError(
            f"{prefix}: {short_repr(values)} would be read letter by letter; pass a "
            f"list: [{short_repr(values)}]."
        )
    if isinstance(values, Sequence):
        values = np.fromiter(values, dtype=object, count=len(values))
    accepted = (np.ndarray, pd.Series, pd.Index, pd.api.extensions.ExtensionArray)
    if not isinstance(values, accepted) or isinstance(values, pd.MultiIndex):
        raise TypeError(
            f"{prefix}: must be a list, tuple, array, Series or Index of {element}s; "
            f"got {type(values).__name__}."
        )
    if values.ndim != 1:
        raise InteractionsError(
            f"{prefix}: must be one-dimensional; got shape {values.shape}. Flatten it, "
            "as in .ravel()."
        )
    missing = are_missing(values)
    if missing.any():
        remedy = drop_missing_advice(values)
        refuse_values(missing, values, prefix, f"missing {element}", remedy)
    return np.asarray(values, dtype=_numpy_dtype(values.dtype))


def are_missing(values):
    """Return a mask of the missing values of a Series, Index or array, NaN included."""
    if isinstance(values.dtype, pd.ArrowDtype) and values.dtype.kind == "f":
        # `isna` does not count NaN in columns of Arrow.
        values = values.to_numpy(np.float64, na_value=np.nan)
    return np.asarray(pd.isna(values))


def _numpy_dtype(dtype):
    """Return the dtype that keeps all values, None for the default of the column."""
    # By default sparse columns are converted: int8 to int64, uint64 to inexact float.
    if isinstance(dtype, pd.SparseDtype):
        return dtype.subtype
    # Before pandas 2.2, nullable numbers become objects by default.
    return getattr(dtype, "numpy_dtype", None) if dtype.kind in "iuf" else None


def narrow(array):
    """Convert an object array of integers only, or floats only, to a numeric dtype."""
    types = object_types(array)
    if types and all(map(is_integer_type, types)):
        low, high = min(array), max(array)
        if low >= INT64.min and high <= INT64.max:
            return array.astype(np.int64)
        if low >= 0 and high <= UINT64.max:
            return array.astype(np.uint64)
    if types and all(is_float_type(t) for t in types):
        return array.astype(np.float64)
    return array


def refuse_values(invalid, values, prefix, problem, remedy):
    """Raise an error if any value is invalid, with the count and the first one.

    `prefix` is the start of the message, `problem` what is invalid (in the singular),
    and `remedy` what the user can do.
    """
    if count := int(np.count_nonzero(invalid)):
        row = int(np.argmax(invalid))
        value = values.iloc[row] if isinstance(values, pd.Series) else values[row]
        raise InteractionsError(
            f"{prefix}: {count} {problem}{'s' * (count > 1)}, first at row {row}: "
            f"{short_repr(value)}. {remedy}"
        )


def census(array, label=lambda value: type(value).__name__.rstrip("_")):
    """Describe the types in an array: for each the count and the first occurrence."""
    labels = list(map(label, array))
    rows = {name: labels.index(name) for name in dict.fromkeys(labels)}
    return ", ".join(
        f"{labels.count(name)} {name} (first at row {row}: {short_repr(array[row])})"
        for name, row in rows.items()
    )


def object_types(array):
    """Return the set of the Python types in an array."""
    return set(map(type, array))


def is_integer_type(t):
    """Return whether a type is a Python or NumPy integer, other than bool."""
    # timedelta64 is a subclass of signedinteger, as bool is of int.
    is_number = issubclass(t, (int, np.integer))
    return is_number and not issubclass(t, (bool, np.timedelta64))


def native_copy(array):
    """Return a copy in native byte order: pandas cannot hash any other."""
    return array.astype(array.dtype.newbyteorder("="))


def is_float_type(t):
    """Return whether a type is a Python or NumPy float."""
    return issubclass(t, (float, np.floating))
