"""Event weights: the column `weight` of a table of interactions."""

from contextlib import suppress

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_calls import (
    drop_call,
    drop_missing_advice,
    pandas_name,
    rename_call,
    unique_call,
)
from sklearn_attrec._interactions.column_names import WEIGHT
from sklearn_attrec._interactions.values import (
    are_missing,
    census,
    is_float_type,
    is_integer_type,
    object_types,
    refuse_values,
)
from sklearn_attrec.exceptions import InteractionsError

__all__ = ["check_weights", "largest_weight"]

_LARGEST = float(np.finfo(np.float64).max)


def check_weights(X, caller, *, allow_zeros=False):
    """Check the event weights of interactions.

    Parameters
    ----------
    X : DataFrame or array-like
        The columns of an array are read by position, so it contains no weights.
    caller : str
        Name of the calling method; error messages begin with it.
    allow_zeros : bool, default=False
        Whether all weights may be 0, because other rows have others.

    Returns
    -------
    ndarray of shape (n,), float64, or None
        None without a column `weight`.
    """
    if not isinstance(X, pd.DataFrame) or WEIGHT not in X:
        return None
    column, prefix = X[WEIGHT], f"{caller}: column {WEIGHT!r}"
    frame = pandas_name(X, "X")
    if isinstance(column, pd.DataFrame):
        raise InteractionsError(
            f"{prefix} appears {column.shape[1]} times in X, but must appear once. "
            f"Keep the first: {unique_call(X, 'X')}."
        )
    rename = (
        "If the column is not an event weight, rename it: "
        f"{rename_call(X, {WEIGHT: 'other'}, 'X')}."
    )
    remedy = f"{drop_missing_advice(column, [WEIGHT])} {rename}"
    refuse_values(are_missing(column), column, prefix, "missing weight", remedy)
    weights = _to_floats(column, frame, prefix, rename)
    remedy = (
        "Weights must be at least 0. To keep these rows in histories only, set their "
        f"weight to 0: {frame}.assign({WEIGHT}={frame}[{WEIGHT!r}].clip(lower=0)). "
        f"{rename}"
    )
    refuse_values(weights < 0, column, prefix, "negative weight", remedy)
    largest = largest_weight(len(weights))
    remedy = (
        "Weights and their sum must be finite. Limit them: "
        f"{frame}.assign({WEIGHT}={frame}[{WEIGHT!r}].clip(upper=1e6)). {rename}"
    )
    refuse_values(
        weights > largest, column, prefix, "infinite or too large weight", remedy
    )
    if not allow_zeros and not weights.any():
        raise InteractionsError(
            f"{prefix}: all {len(weights)} weights are 0, so nothing "
            "can be learned. Drop the column to weight all rows equally: "
            f"{drop_call(X, [WEIGHT], 'X')}."
        )
    return weights


def largest_weight(n):
    """Return the largest weight with which the sum of n weights is finite."""
    return _LARGEST / n


def _to_floats(column, frame, prefix, rename):
    """Convert weights to float64; raise an error if any is not a number."""
    array = np.asarray(column)
    if array.dtype.kind == "O":
        types = object_types(array)
        is_number = all(is_integer_type(t) or is_float_type(t) for t in types)
    else:
        is_number = array.dtype.kind in "iuf"
    if not is_number:
        remedy = rename
        with suppress(TypeError, ValueError):
            column.astype(np.float64)
            converted = f"{frame}[{WEIGHT!r}].astype('float64')"
            remedy = (
                f"Convert them first: {frame}.assign({WEIGHT}={converted}). {rename}"
            )
        raise InteractionsError(
            f"{prefix}: weights must be numbers; got {census(array)}. {remedy}"
        )
    try:
        return array.astype(np.float64)
    except OverflowError:
        is_huge = [isinstance(w, int) and abs(w) > _LARGEST for w in array]
        return np.where(is_huge, np.inf, array).astype(np.float64)
