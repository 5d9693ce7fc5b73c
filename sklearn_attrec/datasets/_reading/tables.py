"""Tables in Parquet, Feather and Excel files."""

import warnings
import zlib
from io import BytesIO
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._optional_dependencies import import_optional

__all__ = ["TABLES", "ExcelSheet", "find_table", "read_table"]

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
    """Return the table of a Parquet or Feather file, and its `locate`."""
    pyarrow = import_optional(
        "pyarrow", extra="parquet", needed_for=f"Reading {kind} files"
    )
    read = pd.read_parquet if kind == "Parquet" else pd.read_feather
    try:
        frame = _index_to_columns(read(BytesIO(raw)), source)
        floats = frame.select_dtypes("float")
        rounded = (floats.abs() >= 2**53).any()
        if rounded.any():  # integers, if values are missing among them
            exact = read(BytesIO(raw), dtype_backend="numpy_nullable")
            exact = _index_to_columns(exact, source)[floats.columns[rounded]]
            integers = exact.select_dtypes("integer")
            frame[integers.columns] = integers
    except InteractionsError:
        raise
    except (
        ValueError,
        TypeError,
        LookupError,
        OSError,
        pyarrow.ArrowException,
    ) as error:
        raise _invalid(kind, source, error) from error
    return frame, lambda row: f"{source}, row {row}"


def _index_to_columns(frame, source):
    """Return the frame with its index as columns, without unnamed row numbers."""
    index = frame.index
    if (
        index.nlevels == 1
        and index.name in frame
        and index.equals(pd.Index(frame[index.name]))
    ):
        return frame.reset_index(drop=True)
    if twice := [name for name in index.names if name in frame]:
        raise InteractionsError(
            f"{source}: both the index and a column are named {twice[0]!r}. Write the "
            "file again without its index: frame.reset_index(drop=True); or rename "
            "the index."
        )
    is_row_number = index.names == [None] and index.dtype.kind in "iu"
    return frame.reset_index(drop=is_row_number)


class ExcelSheet:
    """The first sheet of an Excel file.

    Parameters
    ----------
    source : str
        Name of the file, for error messages.
    raw : bytes
        The contents of the file.
    """

    def __init__(self, source, raw):
        self.source, self._raw, self._rows = source, raw, None

    def read(self):
        """Return all cells as strings; the columns are numbered, a header is row 0.

        Blank rows and columns are skipped.
        """
        (name, first), *others = self._read_sheets().items()
        for other, sheet in others:
            self._check_other_sheet(name, first, other, sheet)
        self._rows = np.flatnonzero((first != "").any(axis=1))
        first = first.iloc[self._rows].reset_index(drop=True)
        return first.set_axis(range(first.shape[1]), axis=1)

    def where(self, record):
        """Return the file name and the row of a record, for error messages."""
        return f"{self.source}, row {self._rows[record] + 1}"

    def _read_sheets(self):
        try:
            sheets = pd.read_excel(
                BytesIO(self._raw),
                engine="openpyxl",
                sheet_name=None,
                header=None,
                dtype=str,
                na_filter=False,
            )
        except ImportError as error:
            raise ImportError(
                f"{self.source}: reading Excel files needs openpyxl: pip install "
                "'sklearn-attrec-core[excel]'. Or save the sheet as CSV."
            ) from error
        except _DAMAGED_EXCEL as error:
            raise _invalid("Excel", self.source, error) from error
        return {k: sheet.loc[:, (sheet != "").any()] for k, sheet in sheets.items()}

    def _check_other_sheet(self, name, first, other, sheet):
        """Raise an error for a sheet that continues the first; warn of other tables."""
        if min(sheet.shape) < 2:
            return
        if not first.empty and [*first.iloc[0]] == [*sheet.iloc[0]]:
            raise InteractionsError(
                f"{self.source}: the sheets {name!r} and {other!r} begin with the same "
                "row, but only one sheet can be read. Join them: pd.concat("
                f"pd.read_excel({self.source}, sheet_name=None, dtype=str).values())"
                ".to_csv('interactions.csv', index=False)."
            )
        warnings.warn(
            f"{self.source}: only the first sheet, {name!r}, is read, but {other!r} "
            f"has {len(sheet)} rows too. If they are needed, move them to the front.",
            stacklevel=5,
        )


def _invalid(kind, source, error):
    reason = str(error).rstrip(".")
    return InteractionsError(
        f"{source} is not a valid {kind} file: {reason}. Download or write it again."
    )
