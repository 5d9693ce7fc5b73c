"""Interactions read from a file, with ids exactly as in the file."""

import os
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Literal

import pandas as pd

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER
from sklearn_attrec._interactions.date_formats import is_time_format
from sklearn_attrec.datasets._reading.blank_ids import without_blank_ids
from sklearn_attrec.datasets._reading.columns import as_integers, convert_columns
from sklearn_attrec.datasets._reading.compression import SUFFIXES, decompress
from sklearn_attrec.datasets._reading.default_names import names_by_position
from sklearn_attrec.datasets._reading.delimited import FORMATS, DelimitedText
from sklearn_attrec.datasets._reading.file_kinds import refuse_other_formats
from sklearn_attrec.datasets._reading.headers import (
    refuse_names_as_record,
    refuse_repeated_header,
    refuse_values_as_header,
)
from sklearn_attrec.datasets._reading.history_lines import read_history_lines
from sklearn_attrec.datasets._reading.json_records import read_json
from sklearn_attrec.datasets._reading.tables import (
    TABLES,
    ExcelSheet,
    find_table,
    read_table,
)
from sklearn_attrec.datasets._reading.text import decode
from sklearn_attrec.datasets._reading.text_kinds import refuse_other_text
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError
from sklearn_attrec.utils._param_validation import (
    Boolean,
    FilePath,
    OneOf,
    Predicate,
    check_arguments,
)
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["read_interactions"]

_JSON = (".jsonl", ".ndjson", ".json")

_SEPARATOR = Predicate(
    "None or a non-empty string without quotation marks, line breaks or NUL",
    lambda sep: (
        sep is None
        or isinstance(sep, str)
        and sep != ""
        and not set(sep) & set('"\r\n\0')
    ),
)
_COLUMNS = Predicate(
    "None, a list of different names, or a dict from old to new names",
    lambda columns: (
        columns is None
        or isinstance(columns, (list, tuple, Mapping))
        and all(isinstance(name, str) for name in columns)
        and (
            all(isinstance(name, str) for name in columns.values())
            if isinstance(columns, Mapping)
            else len(set(columns)) == len(columns)
        )
    ),
)
_STRING = Predicate("a string", lambda name: isinstance(name, str))
_TIME_FORMAT = Predicate(
    "None or a format of pd.to_datetime with a year, for example '%d/%m/%Y %H:%M' or, "
    "with AM or PM, '%d/%m/%Y %I:%M %p' (not %H)",
    lambda value: value is None or isinstance(value, str) and is_time_format(value),
)


def read_interactions(
    path: str | os.PathLike[str],
    *,
    layout: Literal["rows", "histories"] = "rows",
    columns: list[str] | tuple[str, ...] | Mapping[str, str] | None = None,
    sep: str | None = None,
    header: bool | Literal["infer"] = "infer",
    quotes: bool | Literal["infer"] = "infer",
    encoding: str = "utf-8",
    time_format: str | None = None,
    drop_blank_ids: bool = False,
) -> pd.DataFrame:
    r"""Read interactions from a file, keeping every id exactly as in the file.

    The extension of the file defines its format:

    ===================== ======================================== ======
    extension             format                                   header
    ===================== ======================================== ======
    .csv                  fields separated by commas               yes
    .tsv                  fields separated by tabs                 yes
    .data                 fields separated by tabs, no quotes      no
    .dat                  fields separated by ``::``, no quotes    no
    .txt                  fields separated by one space, no quotes no
    .jsonl .ndjson .json  one JSON object per line, or one array
    .parquet .pq          Parquet, requires pyarrow
    .feather .arrow       Feather, requires pyarrow
    .xlsx                 first sheet of Excel, requires openpyxl  yes
    ===================== ======================================== ======

    Files compressed as `.gz`, `.bz2`, `.xz`, `.zip` (one file) or `.zst` (requires
    pyarrow) are decompressed. A compressed, Parquet or Feather file is recognised even
    if its name does not say so.

    Without a header, the columns are `user_id` and `item_id`; with 3 columns the third
    is `timestamp`; with 4 columns the last two are `rating` and `timestamp`. If the
    values contradict these names, for example because the third column holds ratings,
    an error asks for `columns`. Use `columns` to rename other columns. Blank lines are
    skipped, nothing else. A line that cannot be read without loss of information, or
    that could be read in two ways, raises an error with its number.

    Parameters
    ----------
    path : str or PathLike
        The file.
    layout : {"rows", "histories"}, default="rows"
        What a line of text contains. "rows": one interaction. "histories": a user and
        then the items of that user, oldest first; the result has one row per item and
        no `timestamp`.
    columns : list or dict, default=None
        A list gives the names of all columns in the order of the file; delimited text
        is then read without a header, unless `header=True`. If the file has names and
        all of the list are among them, only these columns are read. A dict renames
        some columns, for example `{"movieId": "item_id"}`. In JSON, the names are keys.
    sep : str, default=None
        Separator of the fields, never a regular expression. If given, the file is read
        as delimited text, regardless of its extension. It has a header, except for
        extensions with "no" in the table. None means the separator in the table, and
        an error if another one fits the lines better. For histories, None means the
        one of tab, comma and space that most lines contain.
    header : "infer" or bool, default="infer"
        Whether the first line of text, or the first row of Excel, names the columns.
        "infer" uses the value of the table ("no" for histories), and raises an error if
        the line looks like the opposite.
    quotes : "infer" or bool, default="infer"
        Whether a field of delimited text may be enclosed in quotation marks, to
        contain separators and line breaks. False reads quotation marks like any other
        character. "infer" uses the value of the table, or False if the separator has
        several characters, for example `"::"`, and raises an error if a quotation mark
        could be meant either way.
    encoding : str, default="utf-8"
        Encoding of the text. A byte order mark is accepted.
    time_format : str, default=None
        Format of the dates in `timestamp`, as in `pandas.to_datetime`, for example
        `"%d/%m/%Y %H:%M"`. None means numbers or ISO 8601 dates.
    drop_blank_ids : bool, default=False
        Whether to drop rows without a user or an item id, and to warn of their number.
        If False, such a row is an error.

    Returns
    -------
    DataFrame
        One row per record, in the order of the file.

        - A column of text becomes int64 if all values are 64-bit integers in canonical
          form, without leading zeros, plus signs or spaces. If one value is for example
          "007", "+5" or "18446744073709551616", all values of the column stay strings.
          "NA" and "null" stay strings too. In JSON, Parquet and Feather, ids that are
          strings stay strings.
        - `rating` and `weight` become int64 or float64.
        - `timestamp` becomes int64, float64, or datetime64 for dates. Dates with UTC
          offsets are converted to UTC.

    Raises
    ------
    InteractionsError
        If the file is damaged or not in the format of its extension, its contents
        could be read in several ways, an id is missing or blank, a rating or weight is
        not a finite number, or a timestamp is neither a number nor a date.
    InvalidParameterError
        If an argument has an invalid value.
    OSError
        If the file cannot be opened.
    ImportError
        If a package is not installed that the format requires.

    Warns
    -----
    UserWarning
        If rows are dropped because of `drop_blank_ids`, or if another sheet of an Excel
        file contains a table.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_attrec.datasets import read_interactions
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "ratings.csv")
    ...     _ = path.write_text("user_id,movieId,timestamp\n007,31,12\nNA,32,15\n")
    ...     read_interactions(path, columns={"movieId": "item_id"})
      user_id  item_id  timestamp
    0     007       31         12
    1      NA       32         15
    """
    check_arguments(
        "read_interactions",
        path=(path, FilePath()),
        layout=(layout, OneOf("rows", "histories")),
        columns=(columns, _COLUMNS),
        sep=(sep, _SEPARATOR),
        header=(header, OneOf("infer"), Boolean()),
        quotes=(quotes, OneOf("infer"), Boolean()),
        encoding=(encoding, _STRING),
        time_format=(time_format, _TIME_FORMAT),
        drop_blank_ids=(drop_blank_ids, Boolean()),
    )
    path = Path(path)
    source = repr(str(path))
    raw, name = decompress(path.read_bytes(), path.name, source)
    # A separator makes the extension irrelevant, but not the first bytes.
    suffix = PurePath(name).suffix.lower() if sep is None else ""
    refuse_other_formats(raw, suffix, source)
    table = find_table(raw, suffix)  # a format, or None
    is_json = suffix in _JSON
    if layout == "histories":
        _check_histories(source, table or is_json, columns, quotes, time_format)
        text = decode(raw, encoding, source)
        refuse_other_text(text, path, header)
        frame, locate = read_history_lines(text, sep, header, quotes, source)
    elif table and table != "Excel":
        frame, locate = read_table(raw, table, source)
    elif is_json:
        text = decode(raw, encoding, source)
        frame, locate = read_json(text, columns, not drop_blank_ids, source)
    else:
        defaults = FORMATS[".csv"] if table else _find_format(source, name, sep)
        if table:
            text = ExcelSheet(source, raw)
        else:
            text = decode(raw, encoding, source)
            refuse_other_text(text, path, header)
            text = DelimitedText(source, text, defaults, sep, quotes)
        frame, locate = _read_fields(
            text, defaults.header, header, columns, time_format
        )
    is_text = not is_json and table in (None, "Excel")
    frame = _rename(frame, columns, source)
    _check_shape(frame, source, is_text)
    if time_format is not None and TIME not in frame:
        raise InvalidParameterError(
            f"read_interactions: 'time_format' is for the column {TIME!r}, but "
            f"{source} has the columns {short_repr([*frame.columns], 200)}. Name the "
            f"column of dates {TIME!r} with columns=, or omit 'time_format'."
        )
    if drop_blank_ids:
        frame, locate = without_blank_ids(frame, locate)
    if is_text:
        # Not before blank ids are dropped: a blank makes the column text.
        frame = frame.apply(as_integers)
    convert_columns(frame, locate, time_format, columns)
    return frame


def _check_histories(source, has_columns, columns, quotes, time_format):
    if has_columns:
        raise InteractionsError(
            f"{source} has named columns, so layout='histories' does not apply. Omit "
            "layout=, or turn a column of lists into rows with pandas: "
            "frame.explode('item_id')."
        )
    if columns is not None or time_format is not None or quotes is True:
        raise InvalidParameterError(
            "read_interactions: layout='histories' reads users and items only: omit "
            "'columns', 'time_format' and 'quotes'."
        )


def _find_format(source, name, sep):
    suffix = PurePath(name).suffix.lower()
    if sep is None and suffix not in FORMATS:
        member = "" if name in source else f" contains {name!r}"
        raise InvalidParameterError(
            f"{source}{member}: the 'path' argument of read_interactions must end in "
            f"one of {', '.join([*FORMATS, *_JSON, *TABLES])}, optionally followed by "
            f"one of {', '.join(SUFFIXES)}. Otherwise pass the separator of the "
            "fields, for example sep=','."
        )
    return FORMATS.get(suffix, FORMATS[".csv"])


def _read_fields(text, header_by_default, header, columns, time_format):
    """Return the fields of text or of a sheet as strings, with names of the columns."""
    fields = text.read()
    if fields.empty:
        return fields, text.where
    infer = header == "infer"
    names_given = isinstance(columns, (list, tuple))
    has_header = header_by_default and not names_given if infer else header
    if has_header:
        is_named = columns is not None or fields.iloc[0].isin([USER, ITEM]).any()
        may_be_record = infer and not is_named
        refuse_values_as_header(fields, not may_be_record, text.where)
        names = fields.iloc[0].to_list()
        if len(fields) == 1:
            raise InteractionsError(
                f"{text.where(0)}: the file has no rows after the header."
            )
        refuse_repeated_header(fields, may_be_record, text.where)
        fields = fields.iloc[1:].reset_index(drop=True)
        fields.columns = names
        return fields, lambda row: text.where(row + 1)
    if infer:
        refuse_names_as_record(fields, columns or (), text.where)
    if not names_given:
        fields.columns = names_by_position(fields, time_format, text.where)
    return fields, text.where


def _rename(frame, columns, source):
    """Rename or select the columns."""
    names = short_repr([*frame.columns], 200)
    found = f"{source} has {frame.shape[1]} column(s), {names}"
    if isinstance(columns, Mapping):
        if missing := [name for name in columns if name not in frame]:
            raise InteractionsError(
                f"{found}, but columns= contains {missing}, which do not exist. Use "
                "the names of existing columns."
            )
        frame = frame.rename(columns=columns)
    elif columns is not None and set(columns) <= set(frame.columns):
        frame = frame[[*columns]]
    elif columns is not None:
        moved = [
            new
            for new, old in zip(columns, frame.columns, strict=False)
            if new != old and new in frame
        ]
        if moved:
            raise InteractionsError(
                f"{found}, but columns= names {short_repr(moved)} at other positions. "
                "To read some columns, list existing names only; to rename some, pass "
                "a dict from old to new names."
            )
        if len(columns) != frame.shape[1]:
            header = ", or pass header=True if the first line names them"
            raise InteractionsError(
                f"{found}, but columns= contains {len(columns)} names. Pass one name "
                "per column, or a dict to rename some columns"
                f"{header if 0 in frame else ''}."
            )
        frame.columns = columns
    return frame


def _unique_names(frame):
    """Return the names of the columns, with numbers after repeated ones."""
    counts = frame.columns.to_series().groupby(level=0).cumcount()
    return [
        f"{name}_{count + 1}" if count else str(name)
        for name, count in zip(frame.columns, counts, strict=True)
    ]


def _check_shape(frame, source, is_text):
    """Raise an error for fewer than two columns, repeated names or no rows."""
    found = f"{source} has the columns {short_repr([*frame.columns], 200)}, but"
    if frame.shape[1] < 2:
        raise InteractionsError(
            f"{found} at least 2 are required, for users and items."
        )
    if not frame.columns.is_unique:
        header = ", header=True" if is_text else ""
        raise InteractionsError(
            f"{found} their names must be unique. Pass a list of all names, for "
            f"example columns={_unique_names(frame)}{header}."
        )
    if frame.empty:
        raise InteractionsError(
            f"{source} has no rows, but at least 1 is required. Check that the file "
            "is complete."
        )
