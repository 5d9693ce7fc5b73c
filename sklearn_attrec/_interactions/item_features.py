"""Read a table of item features and encode it as labels and numbers."""

import re
import warnings
from collections.abc import Mapping
from itertools import chain
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import (
    is_complex_dtype,
    is_list_like,
    is_numeric_dtype,
    is_scalar,
)

from sklearn_attrec._interactions.column_calls import rename_call, unique_call
from sklearn_attrec._interactions.column_names import ITEM, level_names, renames_of
from sklearn_attrec._interactions.frames import to_pandas
from sklearn_attrec._interactions.ids import check_ids
from sklearn_attrec._interactions.sequences import Sequences
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._packed_ids import pack_ids
from sklearn_attrec.utils._short_repr import short_repr

__all__ = [
    "MISSING",
    "OTHER",
    "Column",
    "FeatureTable",
    "ItemFeatures",
    "encode_features",
    "learn_columns",
    "read_features",
]

# A text that a single item has would only be another embedding of this item, from which
# no other item learns.
MIN_ITEMS = 2

# The first labels of a column of texts: of a missing value, and of any other text.
MISSING, OTHER = 0, 1

# Largest absolute number, so that squares are finite; and the limit of scaled numbers,
# because a typing error must not move an item far away.
LARGEST, SCALED_LIMIT = 1e100, 10.0


class FeatureTable(NamedTuple):
    """A checked table of item features.

    A column of texts is a tuple (rows, texts), in which a row may occur several times
    and a missing value is None. A column of numbers is an array (n, n_numbers) of
    float64, with NaN where they are missing.
    """

    items: np.ndarray  # (n,) item ids
    columns: dict


class Column(NamedTuple):
    """How a column becomes features.

    A column of texts has a label for a missing value, one for other texts, and one for
    each known text. A column of numbers has a label for a missing value, and n numbers.
    """

    name: str
    texts: np.ndarray | None  # (n_texts,) known texts, sorted; None for numbers
    means: np.ndarray  # (n,) of the numbers; empty for texts
    scale: float  # by which the centred numbers are divided

    @property
    def n_labels(self):
        """Number of labels of the column."""
        return 1 if self.texts is None else 2 + len(self.texts)

    def missing(self, n):
        """Return n missing values; see `FeatureTable`."""
        if self.texts is None:
            return np.full((n, len(self.means)), np.nan)
        return np.arange(n), np.full(n, None)


class ItemFeatures(NamedTuple):
    """Encoded features: labels, of which an item may have several, and numbers.

    Label 0 belongs to every item with a row in the table. The labels of the columns
    follow, column by column.
    """

    columns: tuple  # of Column
    indptr: np.ndarray  # (n_items + 1,) int64, start of each item's labels
    labels: np.ndarray  # (n,) int64
    numbers: np.ndarray  # (n_items, n_numbers) float32

    @property
    def first_labels(self):
        """First label of each column, and the number of labels."""
        return np.cumsum([1, *(column.n_labels for column in self.columns)])

    @property
    def n_features(self):
        """Number of labels and numbers."""
        return int(self.first_labels[-1]) + self.numbers.shape[1]

    def arrays(self):
        """Return all arrays that are not empty, by name; texts as arrays of bytes."""
        means = np.concatenate([column.means for column in self.columns])
        arrays = {
            "features.indptr": self.indptr,
            "features.labels": self.labels,
            "features.scales": np.array([column.scale for column in self.columns]),
        }
        if len(means):
            arrays |= {"features.means": means, "features.numbers": self.numbers}
        known = [column.texts for column in self.columns if column.texts is not None]
        if known:
            arrays |= pack_ids("features.texts", np.concatenate(known))
        return arrays

    def select(self, items):
        """Return the features of some items, in the given order; none for a code −1."""
        indptr, labels, *_ = Sequences(self.indptr, self.labels, None).select(items)
        numbers = np.where((items < 0)[:, None], np.float32(0), self.numbers[items])
        return self._replace(indptr=indptr, labels=labels, numbers=numbers)

    def updated(self, codes, newer, newer_codes):
        """Return the newer features of items, or these if there are no newer ones.

        Parameters
        ----------
        codes, newer_codes : ndarray of shape (n,), int
            Position of each item in these and in the newer features, −1 for none.
        newer : ItemFeatures
            Features of the same columns.
        """
        both = ItemFeatures(
            self.columns,
            np.concatenate([self.indptr, self.indptr[-1] + newer.indptr[1:]]),
            np.concatenate([self.labels, newer.labels]),
            np.concatenate([self.numbers, newer.numbers]),
        )
        first = len(self.indptr) - 1  # of the newer ones
        return both.select(np.where(newer_codes < 0, codes, first + newer_codes))


def read_features(frame, caller):
    """Check a table of item features.

    Parameters
    ----------
    frame : DataFrame
        Of pandas, polars or pyarrow, with a column `item_id` and columns of features.
    caller : str
        Name of the calling method. Error messages begin with it.

    Returns
    -------
    FeatureTable

    Raises
    ------
    InteractionsError, TypeError
        If the table cannot be used. The message names column and row.
    """
    prefix = f"{caller}: item_features"
    frame = to_pandas(frame, needed=None)
    if isinstance(frame.columns, pd.MultiIndex):
        raise InteractionsError(
            f"{prefix}: the columns are a MultiIndex of {frame.columns.nlevels} "
            "levels. Give them plain names, as in "
            "item_features.set_axis(map('_'.join, item_features.columns), axis=1)."
        )
    _check_encodable(frame.columns, f"{prefix}: the names of the columns")
    frame = frame.rename(columns=str)
    if ITEM not in frame:
        names = [*frame.columns, *level_names(frame)]
        renames = renames_of(names, [ITEM])
        raise InteractionsError(
            f"{prefix} has no column {ITEM!r}; its columns are "
            f"{short_repr(list(frame.columns), 1000)}. Give the column of the items "
            f"this name: {rename_call(frame, renames, 'item_features')}."
        )
    if not frame.columns.is_unique:
        repeated = frame.columns[frame.columns.duplicated()][0]
        raise InteractionsError(
            f"{prefix}: column {repeated!r} appears more than once. Keep the first: "
            f"{unique_call(frame, 'item_features')}."
        )
    if frame.shape[0] == 0 or frame.shape[1] == 1:
        raise InteractionsError(
            f"{prefix} must have at least one row, and a column beside {ITEM!r}. Got "
            f"{frame.shape[0]} rows of the columns {list(frame.columns)}."
        )
    items = check_ids(frame[ITEM], name=f"column {ITEM!r}", caller=prefix)
    repeats = np.flatnonzero(pd.Series(items).duplicated())
    if len(repeats):
        raise InteractionsError(
            f"{prefix}: row {repeats[0]} repeats the item "
            f"{short_repr(items[repeats[0]])} ({len(repeats)} such rows). Each item "
            "must have one row; several values of an item form a list in it."
        )
    names = [name for name in frame if name != ITEM]
    columns = {
        name: _read_column(frame[name], f"{prefix}: column {name!r}") for name in names
    }
    return FeatureTable(items, columns)


def _read_column(values, prefix):
    dtype = values.dtype
    if is_numeric_dtype(dtype) and not is_complex_dtype(dtype):  # or boolean
        numbers = values.to_numpy(np.float64, na_value=np.nan)
        return _check_numbers(numbers[:, None], prefix)
    cells = [_plain(cell) for cell in values]
    if isinstance(values.dtype, pd.CategoricalDtype):
        cells = [None if cell is None else _category(cell) for cell in cells]
    present = [cell for cell in cells if cell is not None]
    n_lists = sum(isinstance(cell, list) for cell in present)
    kinds = {_kind(value) for cell in present for value in _values(cell)}
    if kinds == {"number"} and n_lists in (0, len(present)):
        return _check_numbers(_stack(cells, prefix), prefix)
    if not kinds <= {"text"}:
        _refuse_values(cells, kinds, prefix)
    lists = list(map(_values, cells))
    lengths = np.fromiter(map(len, lists), np.int64, len(lists))
    texts = (text or None for text in chain.from_iterable(lists))  # "" is missing
    texts = np.fromiter(texts, object, lengths.sum())
    rows = np.repeat(np.arange(len(lists)), lengths)
    _check_encodable(texts, prefix, rows)
    return rows, texts


def _plain(cell):
    """Return a list as a list, whatever its type, and a missing value as None."""
    if isinstance(cell, (set, frozenset)):  # numbers would have no order
        return list(cell) if all(isinstance(value, str) for value in cell) else cell
    if is_list_like(cell) and not isinstance(cell, Mapping):
        return list(cell)
    return None if is_scalar(cell) and pd.isna(cell) else cell


def _category(value):
    """Return a category as text."""
    # With missing values, pandas turns integers into floats.
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value)


def _check_encodable(texts, prefix, rows=None):
    """Check that texts can be written to a model file."""
    for place, text in enumerate(texts):
        try:
            str(text).encode()
        except UnicodeEncodeError as error:
            where = "" if rows is None else f" in row {rows[place]}"
            raise InteractionsError(
                f"{prefix}: {short_repr(text)}{where} is not valid Unicode: {error}. "
                "Replace it."
            ) from error


def _values(cell):
    return cell if isinstance(cell, list) else [cell]


def _kind(value):
    if isinstance(value, str):
        return "text"
    if isinstance(value, int) and abs(value) > LARGEST:  # perhaps larger than any float
        return "a large int"
    is_number = isinstance(value, (int, float, np.integer, np.floating, np.bool_))
    return "number" if is_number else type(value).__name__


def _refuse_values(cells, kinds, prefix):
    """Raise an error about the first value that does not go with the others."""
    usual = next((kind for kind in ("text", "number") if kind in kinds), None)
    first = next(cell for cell in cells if cell is not None)
    row, value = next(
        (row, value)
        for row, cell in enumerate(cells)
        if cell is not None
        for value in _values(cell)
        if _kind(value) != usual
        or (usual == "number" and isinstance(cell, list) != isinstance(first, list))
    )
    raise InteractionsError(
        f"{prefix} must contain texts or lists of texts, or numbers, or lists of as "
        f"many numbers each. Row {row} has {short_repr(value)} "
        f"({type(value).__name__}). Convert the column: a date to its year, for "
        "example, or other values with .astype(str)."
    )


def _stack(cells, prefix):
    """Return numbers or lists of them as an array, with NaN for missing ones."""
    lists = [None if cell is None else _values(cell) for cell in cells]
    n = next(len(numbers) for numbers in lists if numbers is not None)
    for row, numbers in enumerate(lists):
        if numbers is not None and len(numbers) != n:
            raise InteractionsError(
                f"{prefix} must contain lists of as many numbers each. The first has "
                f"{n}, and row {row} has {len(numbers)}."
            )
    return np.array([numbers or [np.nan] * n for numbers in lists], float)


def _check_numbers(numbers, prefix):
    is_missing = np.isnan(numbers)
    is_partly = is_missing.any(axis=1) & ~is_missing.all(axis=1)
    is_large = (np.abs(numbers) > LARGEST).any(axis=1)
    for what, rows in (
        (f"numbers above {LARGEST:.0e}", np.flatnonzero(is_large)),
        ("lists in which some numbers are missing", np.flatnonzero(is_partly)),
    ):
        if len(rows):
            raise InteractionsError(
                f"{prefix} contains {what} in {len(rows)} rows; the first is row "
                f"{rows[0]}. Replace them, or pass None instead of the whole value."
            )
    return numbers


def learn_columns(table, rows, caller):
    """Learn known texts, means and scales from the items that have interactions.

    Parameters
    ----------
    table : FeatureTable
    rows : ndarray of int
        Rows of these items.
    caller : str

    Returns
    -------
    tuple of Column
    """
    is_learned = np.zeros(len(table.items), dtype=bool)
    is_learned[rows] = True
    columns = []
    for name, values in table.columns.items():
        learn = _learn_texts if isinstance(values, tuple) else _learn_numbers
        prefix = f"{caller}: item_features: column {name!r}"
        columns.append(Column(name, *learn(values, is_learned, prefix)))
    return tuple(columns)


def _learn_texts(values, is_learned, prefix):
    """Return the known texts of a column, and no means and the scale 1."""
    rows, texts = values
    pairs = pd.DataFrame({"row": rows, "text": texts})[is_learned[rows]]
    counts = pairs.drop_duplicates()["text"].value_counts()
    known = np.sort(counts.index[counts >= MIN_ITEMS].to_numpy(object))
    if not len(known):
        raise InteractionsError(
            f"{prefix} has no text that {MIN_ITEMS} items with interactions share, so "
            "that one could learn from another. Drop the column, or convert it: "
            "several values in one text to lists, as in .str.split('|'); titles to "
            "vectors, as TfidfVectorizer and TruncatedSVD of scikit-learn do."
        )
    number = re.compile(r"[+-]?\d*([.,]\d+)?")
    matches = [number.fullmatch(text) for text in known]
    if all(matches) and any(match[1] for match in matches):
        warnings.warn(
            f"{prefix}: each text, for example {known[0]!r}, is a category of its own. "
            "If they are numbers, convert them, as in .str.replace(',', '.')"
            ".astype(float).",
            stacklevel=7,
        )
    return known, np.empty(0), 1.0


def _learn_numbers(values, is_learned, prefix):
    """Return no texts, and the means and the scale of a column."""
    known = values[is_learned & ~np.isnan(values).any(axis=1)]
    if not len(known):
        raise InteractionsError(
            f"{prefix} has no value for any item with interactions. Drop it."
        )
    means = known.mean(axis=0)
    length = np.sqrt(np.square(known - means).sum(axis=1).mean())
    is_constant = length <= 1e-12 * np.abs(means).max()  # but for rounding
    return None, means, 1.0 if is_constant else float(length)


def encode_features(columns, table):
    """Encode the rows of a table.

    Parameters
    ----------
    columns : tuple of Column
    table : FeatureTable
        With the same columns.

    Returns
    -------
    ItemFeatures
    """
    n = len(table.items)
    rows, labels = [np.arange(n)], [np.zeros(n, dtype=np.int64)]
    numbers, first = [np.empty((n, 0))], 1
    for column in columns:
        values = table.columns[column.name]
        if column.texts is None:
            owners = np.flatnonzero(np.isnan(values).any(axis=1))
            codes = np.full(len(owners), MISSING)
            scaled = (values - column.means) / column.scale
            scaled = scaled.clip(-SCALED_LIMIT, SCALED_LIMIT)
            scaled[owners] = 0  # the mean
            numbers.append(scaled)
        else:
            owners, texts = values
            # −1 for an unknown text
            codes = pd.Index(column.texts, dtype=object).get_indexer(texts)
            codes = np.where(pd.isna(texts), MISSING, OTHER + 1 + codes)
        rows.append(owners)
        labels.append(first + codes)
        first += column.n_labels
    pairs = np.unique(np.concatenate(rows) * first + np.concatenate(labels))
    rows, labels = np.divmod(pairs, first)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])
    stacked = np.concatenate(numbers, axis=1).astype(np.float32)
    return ItemFeatures(columns, indptr, labels, stacked)
