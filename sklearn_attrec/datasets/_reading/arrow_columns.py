"""Columns of Parquet files that are larger than memory, read in batches of Arrow."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import dataset

from sklearn_attrec.exceptions import InteractionsError

__all__ = ["Ids", "Numbers", "check_files", "open_files"]

CALLER = "encode_interactions"


def open_files(source, output):
    """Return the data set of a path.

    Parameters
    ----------
    source : str, PathLike or Dataset
    output : str or PathLike
        The file that will be written; it must not be one of the source.

    Returns
    -------
    Dataset
    """
    if not isinstance(source, (str, os.PathLike, dataset.Dataset)):
        raise TypeError(
            f"{CALLER}: 'source' must be the path of a Parquet file or of a folder, or "
            f"a data set of Arrow. Got {type(source).__name__}. Pass a list of files "
            "as pyarrow.dataset.dataset(files)."
        )
    if not isinstance(source, dataset.Dataset):
        source, folder = os.fspath(source), None
        if Path(source).is_dir():
            folder = source
            source = sorted(map(str, Path(folder).rglob("*.parquet")))
            if not source:
                raise InteractionsError(
                    f"{CALLER}: the folder {folder!r} contains no file *.parquet. Pass "
                    "files of other names or formats as a data set of Arrow, "
                    "pyarrow.dataset.dataset(files, format=...)."
                )
        source = dataset.dataset(
            source, format="parquet", partitioning="hive", partition_base_dir=folder
        )
    files = map(Path, getattr(source, "files", ()))
    if Path(output).resolve() in [file.resolve() for file in files]:
        raise InteractionsError(
            f"{CALLER}: {os.fspath(output)!r} is one of the files of 'source' and "
            "would be overwritten. Write to another file."
        )
    return source


def check_files(source, names, optional):
    """Require the same columns in each file, of types of the same kind.

    Parameters
    ----------
    source : Dataset
        Its schema is that of the first file, unless the user gave another.
    names : dict
        New and old name of each column that is read.
    optional : set of str
        Old names that `names` should have if a file has them.
    """
    if not isinstance(source, dataset.FileSystemDataset):
        return
    for part in source.get_fragments():
        schema = part.physical_schema
        known = [*schema.names, *dataset.get_partition_keys(part.partition_expression)]
        for old in names.values():
            if old not in known:
                raise InteractionsError(
                    f"{CALLER}: the file {part.path!r} has no column {old!r}, which "
                    "other files of 'source' have. Correct or remove this file."
                )
            found = _kind(schema.field(old).type) if old in schema.names else None
            expected = _kind(source.schema.field(old).type)
            if found not in (None, expected):
                raise InteractionsError(
                    f"{CALLER}: the column {old!r} contains {found} in the file "
                    f"{part.path!r}, but {expected or 'nothing'} in others. Convert "
                    "one of them."
                )
        if more := optional.intersection(schema.names) - set(names.values()):
            raise InteractionsError(
                f"{CALLER}: the file {part.path!r} has a column {min(more)!r}, but "
                "others of 'source' have none. Correct or remove these files."
            )


def _kind(type_):
    """Describe the type of a column; None if all of its values are missing."""
    type_ = _without_dictionary(type_)
    if pa.types.is_null(type_):
        return None
    if pa.types.is_integer(type_):
        return "integers"
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "text"
    return "dates" if pa.types.is_temporal(type_) else str(type_)


def _without_dictionary(type_):
    """Return the type of the values: lists also have a `value_type`."""
    return type_.value_type if pa.types.is_dictionary(type_) else type_


class Ids:
    """A column of ids, as numbers in the order of their first appearance."""

    def __init__(self, field, n_rows):
        self._name, self._numbers = field.name, {}
        self._codes = np.empty(n_rows, dtype=np.int32)
        kind, self._type = _kind(field.type), pa.large_string()
        if kind == "integers":  # perhaps wider in another file
            self._type = _without_dictionary(field.type)
        elif kind != "text":
            raise InteractionsError(
                f"{CALLER}: the column {field.name!r} of 'source' contains "
                f"{field.type}, but ids must be integers or text. Convert it in the "
                "files."
            )

    def add(self, column, start):
        """Add the ids of a batch, whose first row has the number `start`."""
        # A dictionary may be large and the same in each batch.
        column = column.cast(self._type)
        _refuse_missing(column, self._name, start)
        encoded, numbers = column.dictionary_encode(), self._numbers
        ids = encoded.dictionary.to_pylist()
        known = np.fromiter(
            (numbers.setdefault(x, len(numbers)) for x in ids), np.int32
        )
        codes = known[encoded.indices.to_numpy()]
        self._codes[start : start + len(codes)] = codes

    def column(self):
        """Return all rows."""
        ids = pa.array(list(self._numbers), self._type)
        return pa.DictionaryArray.from_arrays(pa.array(self._codes), ids)


class Numbers:
    """A column of times or weights."""

    def __init__(self, field, n_rows):
        dtype = pa.array([], field.type).to_numpy(zero_copy_only=False).dtype
        if dtype.kind not in "iufM":
            raise InteractionsError(
                f"{CALLER}: the column {field.name!r} of 'source' contains "
                f"{field.type}, but it must contain numbers or dates. Convert it in "
                "the files."
            )
        self._name, self._values = field.name, np.empty(n_rows, dtype)

    def add(self, column, start):
        """Add the values of a batch, whose first row has the number `start`."""
        _refuse_missing(column, self._name, start)
        values = column.to_numpy(zero_copy_only=False)
        self._values[start : start + len(values)] = values

    def column(self):
        """Return all rows."""
        return self._values


def _refuse_missing(column, name, start):
    if column.null_count:
        row = start + int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise InteractionsError(
            f"{CALLER}: column {name!r} has missing values, first at row "
            f"{row}. Drop these rows: pass a data set of Arrow, as in "
            "pyarrow.dataset.dataset(source), and call its method "
            f"filter(pyarrow.compute.field({name!r}).is_valid())."
        )
