"""Rows whose user or item id is blank, dropped on request and counted."""

import warnings

import numpy as np

from sklearn_attrec._interactions.column_names import ITEM, USER
from sklearn_attrec.exceptions import InteractionsError

__all__ = ["without_blank_ids"]


def without_blank_ids(frame, locate):
    """Return the rows that have both ids, and their `locate`; warn of the others."""
    names = [name for name in (USER, ITEM) if name in frame]
    blank = np.zeros(len(frame), bool)
    for name in names:
        blank |= _is_blank(frame[name])
    if not blank.any():
        return frame, locate
    rows = np.flatnonzero(blank)
    if blank.all():
        raise InteractionsError(
            f"{locate(0)}: each of the {len(rows)} row(s) has a blank user or item id, "
            "so drop_blank_ids=True leaves none. Check which columns hold the ids, "
            "and name them with columns=."
        )
    warnings.warn(
        f"{locate(rows[0])}: dropped, because its user or item id is blank. This "
        f"holds for {len(rows):,} of {len(frame):,} rows ({blank.mean():.2%}).",
        stacklevel=3,
    )
    kept = np.flatnonzero(~blank)
    frame = frame.iloc[kept].reset_index(drop=True)
    for name in names:
        frame[name] = _as_integers(frame[name].infer_objects())
    return frame, lambda row: locate(kept[row])


def _as_integers(column):
    """Return integers which missing values had turned into floats or nullable ones."""
    dtype = column.dtype
    if dtype.kind in "iu":
        return column.astype(dtype.type)
    if dtype.kind == "f":
        exact = column.abs() < 2 ** (np.finfo(dtype.type).nmant + 1)
        if (exact & (column == column.round())).all():
            return column.astype(np.int64)
    return column


def _is_blank(column):
    blank = column.isna().to_numpy(bool)
    if column.dtype.kind in "iuf":
        return blank
    return blank | (column.astype("str").str.strip() == "").to_numpy(bool)
