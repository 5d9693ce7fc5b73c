"""Interactions of files that are larger than memory, with ids encoded as integers."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sklearn_attrec._interactions.column_names import (
    ITEM,
    TIME,
    USER,
    WEIGHT,
    renames_of,
)
from sklearn_attrec._interactions.frames import to_pandas
from sklearn_attrec._interactions.time_columns import find_time_columns
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
    file: `fit` gives the same model as for all rows in a DataFrame. The page
    "Scaling out" of the documentation says how much memory `fit` needs.

    Parameters
    ----------
    source : str, PathLike or pyarrow.dataset.Dataset
        A Parquet file; a folder with files `*.parquet`, which are read in the order of
        their names, and whose folders ``name=value`` are columns; or any data set of
        Arrow, for example of CSV files.
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
        them, with the rows in the order of `source`. Ids are dictionaries of Arrow,
        dates are in UTC.

    Raises
    ------
    ImportError
        If pyarrow is not installed (the extra `parquet`).
    InteractionsError
        If a column or a value is missing, a column has a type that `fit` refuses, or
        there is no `timestamp`, but a column that may contain the times.
    InvalidParameterError
        If `columns` is not a dict.
    OSError
        If a file cannot be read or written.
    TypeError
        If `source` is something else.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_attrec import MarkovRecommender
    >>> from sklearn_attrec.datasets import encode_interactions, make_interactions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for month in range(3):
    ...         rows = make_interactions(n_users=50, n_items=20, random_state=month)
    ...         rows.astype({"user_id": str}).to_parquet(f"{folder}/{month}.parquet")
    ...     with tempfile.TemporaryDirectory() as other:
    ...         table = encode_interactions(folder, f"{other}/encoded.arrow")
    ...     model = MarkovRecommender().fit(table)
    >>> len(model.users_), len(model.history_items_) == len(table)
    (50, True)
    """
    check_arguments("encode_interactions", columns=(columns, _COLUMNS))
    pa = import_optional("pyarrow", extra="parquet", needed_for="encode_interactions")
    from sklearn_attrec.datasets._reading import arrow_columns

    if not Path(path).absolute().parent.is_dir():
        raise FileNotFoundError(f"encode_interactions: no folder for {path!r} exists.")
    source, renames = arrow_columns.open_files(source, path), columns or {}
    names = _find_columns(source.schema.names, renames)
    optional = {old for old, new in renames.items() if new in (TIME, WEIGHT)}
    arrow_columns.check_files(source, names, optional | {TIME, WEIGHT} - set(renames))
    if TIME not in names:  # some rows show what a column contains
        _refuse_time_columns(to_pandas(source.head(1000), needed=None), renames)
    n_rows, start = source.count_rows(), 0
    encoders = {}
    for new, old in names.items():
        kind = arrow_columns.Ids if new in (USER, ITEM) else arrow_columns.Numbers
        encoders[new] = kind(source.schema.field(old), n_rows)
    for batch in source.to_batches(columns=list(names.values())):
        for new, old in names.items():
            encoders[new].add(batch.column(old), start)
        start += batch.num_rows
    table = pa.table({name: encoder.column() for name, encoder in encoders.items()})
    with replacing(path) as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return pa.ipc.open_file(pa.memory_map(os.fspath(path))).read_all()


def _find_columns(found, renames):
    """Return the new and the old names of the columns that are read."""
    if unknown := [name for name in renames if name not in found]:
        raise InteractionsError(
            f"encode_interactions: 'columns' renames {unknown[0]!r}, but 'source' has "
            f"the columns {short_repr(found, 1000)}."
        )
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
    if missing := [name for name in (USER, ITEM) if name not in names]:
        renames = {**renames, **renames_of(found, missing)}
        raise InteractionsError(
            "encode_interactions: 'source' has no column "
            f"{' and no column '.join(map(repr, missing))}; its columns are "
            f"{short_repr(found, 1000)}. Pass columns={renames}."
        )
    return names


def _refuse_time_columns(rows, renames):
    """Refuse rows without timestamps if another column may contain them."""
    found = find_time_columns(rows.drop(columns=list(renames)))
    if found:
        name = found[0].name
        raise InteractionsError(
            f"encode_interactions: 'source' has no column {TIME!r}, but {name!r} may "
            f"contain the time. Pass columns={dict(renames) | {name: TIME}}. If the "
            "rows are already sorted by time, give it another name: "
            f"columns={dict(renames) | {name: 'other'}}."
        )
