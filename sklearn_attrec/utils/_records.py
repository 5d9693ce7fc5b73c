"""The records of `history_`, one an epoch, as columns of numbers, and back."""

import numpy as np

__all__ = ["pack_records", "unpack_records"]

# In the order of a record; not every fit has a score.
COLUMNS = ("loss", "seconds", "validation_score")


def pack_records(records, names=COLUMNS):
    """Turn records into columns.

    Parameters
    ----------
    records : sequence of dict
        All with the same keys.
    names : tuple of str
        The columns wanted; those that the records lack are left out.

    Returns
    -------
    dict of ndarray of shape (n_epochs,), float64
    """
    first = records[0] if records else {}
    return {
        f"epochs.{name}": np.array([record[name] for record in records], np.float64)
        for name in names
        if name in first
    }


def unpack_records(columns):
    """Turn columns into records, numbered from 1.

    Parameters
    ----------
    columns : dict of ndarray
        May hold other arrays, too.

    Returns
    -------
    list of dict
    """
    found = {
        name: columns[f"epochs.{name}"].tolist()
        for name in COLUMNS
        if f"epochs.{name}" in columns
    }
    rows = zip(*found.values(), strict=True)
    return [
        {"epoch": epoch, **dict(zip(found, row, strict=True))}
        for epoch, row in enumerate(rows, 1)
    ]
