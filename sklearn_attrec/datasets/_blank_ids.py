"""Rows whose user or item id is blank, dropped on request and counted."""

import warnings

import numpy as np

from sklearn_attrec._interactions.column_names import ITEM, USER
from sklearn_attrec.exceptions import InteractionsError

__all__ = ["without_blank_ids"]


def without_blank_ids(frame, locate):
    """Return the rows that have both ids, and warn of the others.

    Parameters
    ----------
    frame : DataFrame
    locate : callable
        Maps the position of a row to its location in the file.

    Returns
    -------
    frame : DataFrame
    locate : callable
        Maps the position of a remaining row to its location in the file.
    """
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
        # Missing values turned integers into floats or objects.
        column = frame[name] = frame[name].infer_objects()
        if column.dtype.kind == "f" and (column == column.round()).all():
            frame[name] = column.astype(np.int64)
    return frame, lambda row: locate(kept[row])


def _is_blank(column):
    blank = column.isna().to_numpy(bool)
    if column.dtype.kind in "iuf":
        return blank
    return blank | (column.astype("str").str.strip() == "").to_numpy(bool)
