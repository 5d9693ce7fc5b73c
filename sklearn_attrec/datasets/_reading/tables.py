"""Tables with typed columns: Parquet, Feather and Excel."""

import zlib
from io import BytesIO
from zipfile import BadZipFile

import pandas as pd

from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._optional_dependencies import import_optional

__all__ = ["TABLES", "find_table", "read_table"]

TABLES = {
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".feather": "Feather",
    ".arrow": "Feather",
    ".xlsx": "Excel",
}

# Raised by openpyxl for a damaged archive or damaged XML in it (SyntaxError).
_DAMAGED_EXCEL = (
    ValueError,
    TypeError,
    LookupError,
    OSError,
    AttributeError,
    NotImplementedError,
    SyntaxError,
    BadZipFile,
    zlib.error,
)


def find_table(raw, suffix):
    """Return the format of a table by its first bytes or its suffix, or None."""
    if raw[:4] == raw[-4:] == b"PAR1":
        return "Parquet"
    if raw.startswith((b"ARROW1\0\0", b"FEA1")):
        return "Feather"
    return TABLES.get(suffix)


def read_table(raw, kind, source):
    """Return the table of a file of this kind, and its `locate`.

    All cells of an Excel file are strings; "" is a blank cell.
    """
    if kind == "Excel":
        return _read_excel(raw, source)
    pyarrow = import_optional(
        "pyarrow", extra="parquet", needed_for=f"Reading {kind} files"
    )
    read = pd.read_parquet if kind == "Parquet" else pd.read_feather
    try:
        frame = _index_to_columns(read(BytesIO(raw)))
        floats = frame.select_dtypes("float")
        rounded = (floats.abs() >= 2**53).any()
        if rounded.any():  # integers, if values are missing among them
            exact = read(BytesIO(raw), dtype_backend="numpy_nullable")
            exact = _index_to_columns(exact)[floats.columns[rounded]]
            integers = exact.select_dtypes("integer")
            frame[integers.columns] = integers
    except (
        ValueError,
        TypeError,
        LookupError,
        OSError,
        pyarrow.ArrowException,
    ) as error:
        raise _invalid(kind, source, error) from error
    return frame, lambda row: f"{source}, row {row}"


def _index_to_columns(frame):
    # A named index, for example of user ids, is read as a column.
    return frame.reset_index(drop=frame.index.names == [None])


def _read_excel(raw, source):
    """Read the first sheet; its first row names the columns."""
    try:
        frame = pd.read_excel(
            BytesIO(raw), engine="openpyxl", dtype=str, na_filter=False
        )
    except ImportError as error:
        raise ImportError(
            f"{source}: reading Excel files needs openpyxl: pip install "
            "sklearn_attrec[excel]. Or save the sheet as CSV."
        ) from error
    except _DAMAGED_EXCEL as error:
        raise _invalid("Excel", source, error) from error
    frame.columns = frame.columns.map(str)
    return frame, lambda row: f"{source}, row {row + 2}"


def _invalid(kind, source, error):
    reason = str(error).rstrip(".")
    return InteractionsError(
        f"{source} is not a valid {kind} file: {reason}. Download or write it again."
    )
