"""Interactions of files that are larger than memory, with ids encoded as integers."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_attrec._interactions.column_names import (
    ITEM,
    TIME,
    USER,
    WEIGHT,
    find_column,
)
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._atomic_file import replacing
from sklearn_attrec.utils._optional_dependencies import import_optional
from sklearn_attrec.utils._param_validation import Predicate, check_arguments
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["encode_interactions"]

_COLUMNS = Predicate(
    "None or a dict from old to new names",
    lambda columns: columns is None or isinstance(columns, Mapping),
)


def encode_interactions(
    source: Any,
    path: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Encode interactions that are larger than memory, for `fit`.

    The rows are read in batches, and each different id is kept once. A row takes 8
    bytes for user and item and 8 for the time, on disk and, while this function runs,
    in memory, however long the ids are. The result is a table that is mapped from the
    file: `fit` gives the same model as for all rows in a DataFrame. docs/scaling.md
    says how much memory `fit` needs.

    Parameters
    ----------
    source : str, PathLike or pyarrow.dataset.Dataset
        A Parquet file, a folder of Parquet files, which are read in the order of their
        names, or any data set of Arrow, for example of CSV files.
    path : str or PathLike
        The file to write, in the IPC format of Arrow; the usual extension is '.arrow'.
        An existing file is replaced when the new one is complete. Later processes
        map it with
        ``pyarrow.ipc.open_file(pyarrow.memory_map(path)).read_all()``.
    columns : dict, default=None
        New names of columns, for example ``{"movieId": "item_id"}``.

    Returns
    -------
    pyarrow.Table
        The columns `user_id`, `item_id`, and `timestamp` and `weight` if `source` has
        them, with the rows in the order of `source`. Ids are dictionaries of Arrow;
        `timestamp` keeps its type.

    Raises
    ------
    ImportError
        If pyarrow is not installed (the extra `parquet`).
    InteractionsError
        If a column or a value is missing, or times are text.
    InvalidParameterError
        If `columns` is not a dict.
    OSError
        If a file cannot be read or written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_attrec import MarkovRecommender
    >>> from sklearn_attrec.datasets import encode_interactions, make_interactions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for month in range(3):
    ...         rows = make_interactions(n_users=50, n_items=20, random_state=month)
    ...         rows.astype({"user_id": str}).to_parquet(f"{folder}/{month}.parquet")
    ...     table = encode_interactions(folder, Path(folder) / "all.arrow")
    ...     model = MarkovRecommender().fit(table)
    >>> len(model.users_), len(model.history_items_) == len(table)
    (50, True)
    """
    check_arguments("encode_interactions", columns=(columns, _COLUMNS))
    dataset = import_optional(
        "pyarrow.dataset", extra="parquet", needed_for="encode_interactions"
    )
    pa = import_optional("pyarrow", extra="parquet", needed_for="encode_interactions")
    if not isinstance(source, dataset.Dataset):
        source = dataset.dataset(os.fspath(source), format="parquet")
    names, numbers = _find_columns(source.schema.names, columns or {}), {}
    n_rows, arrays = source.count_rows(), {}
    for new, old in names.items():
        if new in (USER, ITEM):
            numbers[new], dtype = _Numbers(), np.int32
        else:
            dtype = _dtype(pa, source.schema.field(old))
        arrays[new] = np.empty(n_rows, dtype)
    start = 0
    for batch in source.to_batches(columns=list(names.values())):
        stop = start + batch.num_rows
        for new, old in names.items():
            column = batch.column(old)
            _refuse_missing(column, new, start)
            if new in numbers:
                arrays[new][start:stop] = numbers[new].of(column)
            else:
                arrays[new][start:stop] = column.to_numpy(zero_copy_only=False)
        start = stop
    table = {
        name: numbers[name].dictionary(pa, values) if name in numbers else values
        for name, values in arrays.items()
    }
    table = pa.table(table)
    with replacing(path) as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return pa.ipc.open_file(pa.memory_map(os.fspath(path))).read_all()


class _Numbers:
    """Numbers of different ids, in the order of their first appearance."""

    def __init__(self):
        self._numbers, self._type = {}, None

    def of(self, column):
        """Return the number of each id of a column of a batch, (n_rows,)."""
        if hasattr(column, "dictionary"):  # may be large and the same in each batch
            column = column.dictionary_decode()
        encoded, numbers = column.dictionary_encode(), self._numbers
        ids = encoded.dictionary.to_pylist()
        known = np.fromiter(
            (numbers.setdefault(x, len(numbers)) for x in ids), np.int32
        )
        self._type = column.type
        return known[encoded.indices.to_numpy()]

    def dictionary(self, pa, codes):
        """Return the column of all rows."""
        is_text = pa.types.is_string(self._type)
        ids = pa.array(self._numbers, pa.large_string() if is_text else self._type)
        return pa.DictionaryArray.from_arrays(pa.array(codes), ids)


def _find_columns(found, renames):
    """Return the names in the source of the columns that are read."""
    names = {}
    for new in (USER, ITEM, TIME, WEIGHT):
        named = [name for name in found if renames.get(name, name) == new]
        if len(named) > 1:
            raise InteractionsError(
                f"encode_interactions: the columns {named} of 'source' are all named "
                f"{new!r}. Give all but one another name with 'columns'."
            )
        if named:
            names[new] = named[0]
    missing = [name for name in (USER, ITEM) if name not in names]
    if missing or not renames.keys() <= set(found):
        known = {old: new for old, new in renames.items() if old in found}
        advice = {find_column(found, new) or f"<your {new}>": new for new in missing}
        raise InteractionsError(
            f"encode_interactions: 'source' needs the columns {USER!r} and {ITEM!r}; "
            f"its columns are {short_repr(found, 1000)}. Pass columns={known | advice}."
        )
    return names


def _dtype(pa, field):
    """Return the NumPy dtype of times or weights."""
    dtype = pa.array([], field.type).to_numpy(zero_copy_only=False).dtype
    if dtype.kind not in "iufM":
        raise InteractionsError(
            f"encode_interactions: the column {field.name!r} of 'source' contains "
            f"{field.type}; it must contain numbers or dates. Convert it in the files."
        )
    return dtype


def _refuse_missing(column, name, start):
    if column.null_count:
        row = start + int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise InteractionsError(
            f"encode_interactions: column {name!r} has missing values, first at row "
            f"{row}. Drop these rows: pass pyarrow.dataset.dataset(source).filter("
            f"pyarrow.compute.is_valid(pyarrow.compute.field({name!r})))."
        )
