"""Interactions read from a file, with ids exactly as in the file."""

import gzip
import json
import os
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Literal

import pandas as pd

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER
from sklearn_attrec.datasets._columns import RATING, as_integers, convert_columns
from sklearn_attrec.datasets._delimited import FORMATS, DelimitedText
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

_JSON_LINES = (".jsonl", ".ndjson", ".json")
_PARQUET = (".parquet", ".pq")
_BY_POSITION = {
    2: [USER, ITEM],
    3: [USER, ITEM, TIME],
    4: [USER, ITEM, RATING, TIME],
}

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


def read_interactions(
    path: str | os.PathLike[str],
    *,
    columns: list[str] | tuple[str, ...] | Mapping[str, str] | None = None,
    sep: str | None = None,
    header: bool | Literal["infer"] = "infer",
    encoding: str = "utf-8",
) -> pd.DataFrame:
    r"""Read interactions from a file, keeping every id exactly as in the file.

    The extension of the file defines its format. `.gz` may follow each extension:

    ===================== ======================================== ======
    extension             format                                   header
    ===================== ======================================== ======
    .csv                  fields separated by commas               yes
    .tsv                  fields separated by tabs                 yes
    .data                 fields separated by tabs, no quotes      no
    .dat                  fields separated by ``::``, no quotes    no
    .txt                  fields separated by one space, no quotes no
    .jsonl .ndjson .json  one JSON object per line
    .parquet .pq          Parquet, requires pyarrow
    ===================== ======================================== ======

    Without a header, the columns are `user_id` and `item_id`; with 3 columns the third
    is `timestamp`; with 4 columns the last two are `rating` and `timestamp`. Use
    `columns` to rename other columns. Blank lines are skipped; nothing else is skipped
    or repaired. If a line cannot be read without loss of information, an error with its
    number is raised.

    Parameters
    ----------
    path : str or PathLike
        The file.
    columns : list or dict, default=None
        A list gives the names of all columns in the order of the file; delimited text
        is then read without a header, unless `header=True`. A dict renames some
        columns, for example `{"movieId": "item_id"}`.
    sep : str, default=None
        Separator of the fields, never a regular expression. If given, the file is read
        as delimited text, regardless of its extension. It has a header, except for
        extensions with "no" in the table. None means the separator in the table. With a
        separator of several characters, for example `"::"`, quotation marks have no
        special meaning.
    header : "infer" or bool, default="infer"
        Whether the first line of delimited text names the columns. "infer" uses the
        value of the table.
    encoding : str, default="utf-8"
        Encoding of the text. A byte order mark is accepted.

    Returns
    -------
    DataFrame
        One row per record, in the order of the file.

        - A column of text becomes int64 if all values are 64-bit integers in canonical
          form, without leading zeros, plus signs or spaces. If one value is for example
          "007", "+5" or "18446744073709551616", all values of the column stay strings.
          "NA" and "null" stay strings too. In JSON and Parquet, ids that are strings
          stay strings.
        - `rating` becomes int64 or float64.
        - `timestamp` becomes int64, float64, or datetime64 for ISO 8601 dates. Dates
          with UTC offsets are converted to UTC.

    Raises
    ------
    InteractionsError
        If the file is damaged or not in the format of its extension, an id is missing
        or blank, a rating is not a number, or a timestamp is neither a number nor a
        date.
    InvalidParameterError
        If an argument has an invalid value.
    OSError
        If the file cannot be opened.
    ImportError
        If the file is a Parquet file and pyarrow is not installed.

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
        columns=(columns, _COLUMNS),
        sep=(sep, _SEPARATOR),
        header=(header, OneOf("infer"), Boolean()),
        encoding=(
            encoding,
            Predicate("a string", lambda name: isinstance(name, str)),
        ),
    )
    path = Path(path)
    source = repr(str(path))
    raw = path.read_bytes()
    suffix = path.suffix.lower()
    if suffix == ".gz":
        raw, suffix = _gunzip(raw, source), path.with_suffix("").suffix.lower()
    if sep is None and suffix in _PARQUET:
        frame, locate = _read_parquet(raw, source)
    elif sep is None and suffix in _JSON_LINES:
        frame, locate = _read_json_lines(_decode(raw, encoding, source), source)
    else:
        text = _decode(raw, encoding, source)
        frame, locate = _read_fields(text, source, suffix, columns, sep, header)
    frame = _rename(frame, columns, source)
    convert_columns(frame, locate)
    return frame


def _gunzip(raw, source):
    try:
        return gzip.decompress(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InteractionsError(
            f"{source} is not a complete gzip file: {error}. Download or write it "
            "again, or remove .gz from its name if it is not compressed."
        ) from error


def _decode(raw, encoding, source):
    """Return the text; raise an error for NUL characters and blank text."""
    try:
        text = raw.decode(encoding)
    except LookupError as error:
        raise InvalidParameterError(
            "The 'encoding' argument of read_interactions must be the name of a text "
            f"encoding, for example 'utf-8' or 'latin-1'. Got {short_repr(encoding)} "
            "instead."
        ) from error
    except UnicodeError as error:
        line = raw.count(b"\n", 0, getattr(error, "start", 0)) + 1
        raise InteractionsError(
            f"{source}, line {line}: the text is not encoded in {encoding!r}. Pass the "
            "encoding of the file, for example "
            f"encoding={'utf-16' if 0 in raw else 'latin-1'!r}."
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InteractionsError(
            f"{source}, line {line} contains a NUL byte. The file is damaged or has "
            "another encoding. Pass its encoding, for example encoding='utf-16'."
        )
    text = text.removeprefix("\ufeff")
    if not text or text.isspace():
        raise InteractionsError(f"{source}, line 1: the file is empty.")
    return text


def _read_fields(text, source, suffix, columns, sep, header):
    if sep is None and suffix not in FORMATS:
        raise InvalidParameterError(
            f"{source}: the 'path' argument of read_interactions must end in one of "
            f"{', '.join([*FORMATS, *_JSON_LINES, *_PARQUET])}, optionally followed "
            "by .gz. Otherwise pass the separator of the fields, for example sep=','."
        )
    defaults = FORMATS.get(suffix, FORMATS[".csv"])
    names_given = isinstance(columns, (list, tuple))
    has_header = defaults.header and not names_given if header == "infer" else header
    table = DelimitedText(
        source, text, sep or defaults.sep, has_header, defaults.quoting
    )
    fields = table.read()
    # Convert all columns, because `columns` may later rename any of them to an id
    # column.
    frame = fields.apply(as_integers)
    if not has_header:
        if header == "infer":
            _raise_if_header(fields, frame, table.where)
        if not names_given:
            frame.columns = _names_by_position(frame.shape[1], source)
    return frame, table.where


def _raise_if_header(fields, frame, locate):
    """Raise an error if the first line looks like a header.

    It does if only the first value of a column is not an integer.
    """
    for position, dtype in enumerate(frame.dtypes):
        rest = fields.iloc[1:, position]
        if dtype != "int64" and len(rest) and as_integers(rest).dtype == "int64":
            raise InteractionsError(
                f"{locate(0)}: {short_repr(fields.iloc[0, position])} is not an "
                "integer, but all later values of its column are. If the line is a "
                "header, pass header=True, otherwise header=False."
            )


def _names_by_position(n_columns, source):
    if n_columns not in _BY_POSITION:
        raise InteractionsError(
            f"{source} has {n_columns} columns and no header. Name all columns in "
            f"order, for example columns={[USER, ITEM, '...']}, or pass header=True."
        )
    return _BY_POSITION[n_columns]


def _read_json_lines(text, source):
    """Read one JSON object per line.

    The reader of pandas rounds large integers, accepts NaN, and keeps the last of two
    equal keys without an error.
    """
    decode = json.JSONDecoder(
        object_pairs_hook=_unique_keys, parse_constant=_no_constant
    ).decode
    names, rows, lines = None, [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line.isspace():
            continue
        try:
            record = decode(line)
            if "\\u" in line:  # raises an error for a lone surrogate
                json.dumps(record, ensure_ascii=False).encode()
            names = _check_record(record, names)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", error)
            raise InteractionsError(
                f"{source}, line {number}: {reason}. Each line must be one JSON object."
            ) from error
        rows.append([record[name] for name in names])
        lines.append(number)
    columns = map(_to_series, zip(*rows, strict=True))
    frame = pd.DataFrame(dict(zip(names, columns, strict=True)))
    return frame, lambda row: f"{source}, line {lines[row]}"


def _to_series(values):
    """Return a Series that keeps mixed types: a float column rounds large integers."""
    column = pd.Series(values, dtype=object)
    return column.infer_objects() if len(set(map(type, values))) == 1 else column


def _unique_keys(pairs):
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"a key appears twice in {short_repr(keys)}")
    return record


def _no_constant(constant):
    raise ValueError(f"{constant} is not JSON")


def _check_record(record, names):
    """Return the keys of the first record; raise an error if a record has others."""
    if not isinstance(record, dict):
        raise ValueError(f"the line contains {short_repr(record)}")
    if names is not None and record.keys() != names:
        raise ValueError(
            f"its keys are {short_repr([*record])}, but the first record has the keys "
            f"{short_repr([*names])}"
        )
    return names if names is not None else record.keys()


def _read_parquet(raw, source):
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            "Reading Parquet needs pyarrow: pip install sklearn_attrec[parquet]"
        ) from error
    try:
        frame = pd.read_parquet(BytesIO(raw), engine="pyarrow")
        # A named index, for example of user ids, is read as a column.
        frame = frame.reset_index(drop=frame.index.names == [None])
    except (
        ValueError,
        TypeError,
        LookupError,
        OSError,
        pyarrow.ArrowException,
    ) as error:
        reason = str(error).rstrip(".")
        raise InteractionsError(
            f"{source} is not a valid Parquet file: {reason}. Download or write it "
            "again."
        ) from error
    return frame, lambda row: f"{source}, row {row}"


def _rename(frame, columns, source):
    """Rename the columns.

    Raises an error if there are fewer than two columns, repeated names or no rows.
    """
    names = short_repr([*frame.columns], 200)
    found = f"{source} has {frame.shape[1]} column(s), {names}"
    if isinstance(columns, Mapping):
        if missing := [name for name in columns if name not in frame]:
            raise InteractionsError(
                f"{found}, but columns= contains {missing}, which do not exist. Use "
                "the names of existing columns."
            )
        frame = frame.rename(columns=columns)
    elif columns is not None:
        if len(columns) != frame.shape[1]:
            raise InteractionsError(
                f"{found}, but columns= contains {len(columns)} names. Pass one name "
                "per column, or a dict to rename some columns."
            )
        frame.columns = columns
    if frame.shape[1] < 2 or not frame.columns.is_unique:
        raise InteractionsError(
            f"{source} has the columns {short_repr([*frame.columns], 200)}, but at "
            "least 2 with unique names are required, for users and items. To change "
            "the names, pass a list of all names as columns=."
        )
    if frame.empty:
        raise InteractionsError(
            f"{source} has no rows, but at least 1 is required. Check that the file "
            "is complete."
        )
    return frame
