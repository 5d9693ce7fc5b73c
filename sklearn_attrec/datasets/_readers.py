"""Interactions read from a file, with ids as they stand there."""

import gzip
import json
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pandas as pd

from sklearn_attrec.datasets._columns import RATING, as_integers, convert_columns
from sklearn_attrec.datasets._delimited import FORMATS, DelimitedText
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError
from sklearn_attrec.utils._param_validation import (
    Boolean,
    FilePath,
    Having,
    OneOf,
    check_arguments,
)
from sklearn_attrec.utils._validation import ITEM, TIME, USER

__all__ = ["read_interactions"]

_JSON_LINES = (".jsonl", ".ndjson", ".json")
_PARQUET = (".parquet", ".pq")
_BY_POSITION = {
    2: [USER, ITEM],
    3: [USER, ITEM, TIME],
    4: [USER, ITEM, RATING, TIME],
}

_SEPARATOR = Having(
    "None or text without quotation marks and line breaks",
    lambda sep: (
        sep is None
        or isinstance(sep, str)
        and sep != ""
        and not set(sep) & set('"\r\n\0')
    ),
)
_COLUMNS = Having(
    "None, a list of different names, or a dict from name to name",
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
    path, *, columns=None, sep=None, header="infer", encoding="utf-8"
):
    r"""Read interactions from a file, keeping every id exactly as it stands there.

    What the file holds follows from the end of its name; after each may come `.gz`:

    ===================== ======================================== ======
    name ends in          holds                                    header
    ===================== ======================================== ======
    .csv                  fields separated by commas               yes
    .tsv                  fields separated by tabs                 yes
    .data                 fields separated by tabs, no quotes      no
    .dat                  fields separated by ``::``, no quotes    no
    .txt                  fields separated by one space, no quotes no
    .jsonl .ndjson .json  a JSON object on each line
    .parquet .pq          Parquet, which needs pyarrow
    ===================== ======================================== ======

    Without a header line, 2 columns are read as `user_id` and `item_id`, 3 as
    `user_id`, `item_id` and `timestamp`, 4 as `user_id`, `item_id`, `rating` and
    `timestamp`. Other names than these are left as they are, and `columns` changes
    them. Nothing is skipped or repaired, except that blank lines are passed over: what
    cannot be read exactly is an error that names the line.

    Parameters
    ----------
    path : str or path-like
        The file.
    columns : list or dict, default=None
        A list names all columns in the order of the file; lines of fields are then
        taken to have no header, unless `header=True`. A dict renames some columns, as
        in `{"movieId": "item_id"}`.
    sep : str, default=None
        What separates fields. None takes it from the name of the file; text is read as
        lines of fields whatever the name, with a header unless the table says no. It
        is never a regular expression. With more than one character, as in `"::"`,
        quotation marks have no meaning.
    header : "infer" or bool, default="infer"
        Whether the first line of fields names the columns. "infer" follows the table.
    encoding : str, default="utf-8"
        Encoding of text. A byte order mark is accepted.

    Returns
    -------
    DataFrame
        One row for each record, in the order of the file.

        - A column of text becomes int64 if each value is an integer that fits and is
          written plainly. Otherwise, as with "007", "+5" or "18446744073709551616", all
          values of the column stay text; so do "NA" and "null". In JSON and Parquet,
          ids that are text stay text.
        - `rating` becomes int64 or float64.
        - `timestamp` becomes int64 or float64, or datetime64 where it holds ISO 8601
          dates; with UTC offsets these are converted to UTC.

    Raises
    ------
    InteractionsError
        If the file is damaged or of another kind than its name says, or an id is
        blank, a rating no number or a timestamp no time.
    OSError
        If the file cannot be opened.
    ImportError
        If the file is Parquet and pyarrow is not installed.

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
        encoding=(encoding, Having("text", lambda value: isinstance(value, str))),
    )
    path = Path(path)
    source = repr(str(path))
    raw = path.read_bytes()
    suffix = path.suffix.lower()
    if suffix == ".gz":
        raw, suffix = _gunzip(raw, source), path.with_suffix("").suffix.lower()
    if sep is None and suffix in _PARQUET:
        frame, where = _read_parquet(raw, source)
    elif sep is None and suffix in _JSON_LINES:
        frame, where = _read_json_lines(_decode(raw, encoding, source), source)
    else:
        text = _decode(raw, encoding, source)
        frame, where = _read_fields(text, source, suffix, columns, sep, header)
    frame = _rename(frame, columns, source)
    convert_columns(frame, where)
    return frame


def _gunzip(raw, source):
    try:
        return gzip.decompress(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InteractionsError(
            f"{source} is not a whole gzip file: {error}. Fetch or write it again, or "
            "take .gz off its name if it is not compressed."
        ) from error


def _decode(raw, encoding, source):
    """Return the text, which has at least one character and no NUL."""
    try:
        text = raw.decode(encoding)
    except LookupError as error:
        raise InvalidParameterError(
            "The 'encoding' argument of read_interactions must be the name of a text "
            f"encoding, such as 'utf-8' or 'latin-1'. Got {encoding!r:.80} instead."
        ) from error
    except UnicodeError as error:
        line = raw.count(b"\n", 0, getattr(error, "start", 0)) + 1
        raise InteractionsError(
            f"{source}, line {line}: not text in the encoding {encoding!r}. Name the "
            f"encoding of the file, as in "
            f"encoding={'utf-16' if 0 in raw else 'latin-1'!r}."
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InteractionsError(
            f"{source}, line {line}: a NUL byte. Either the file is damaged or in "
            "another encoding; name that, as in encoding='utf-16'."
        )
    text = text.removeprefix("\ufeff")
    if not text or text.isspace():
        raise InteractionsError(f"{source}, line 1: the file is empty.")
    return text


def _read_fields(text, source, suffix, columns, sep, header):
    if sep is None and suffix not in FORMATS:
        raise InvalidParameterError(
            f"{source}: the 'path' argument of read_interactions must end in one of "
            f"{', '.join([*FORMATS, *_JSON_LINES, *_PARQUET])}, or any of these and "
            ".gz; else pass the separator of its fields, as in sep=','."
        )
    form = FORMATS.get(suffix, FORMATS[".csv"])
    named = isinstance(columns, (list, tuple))
    has_header = form.header and not named if header == "infer" else header
    table = DelimitedText(source, text, sep or form.sep, has_header, form.quoting)
    fields = table.read()
    # Every column, as one of any name may be renamed and used as ids later.
    frame = fields.apply(as_integers)
    if not has_header:
        if header == "infer":
            _refuse_header(fields, frame, table.where)
        if not named:
            frame.columns = _names_by_position(frame.shape[1], source)
    return frame, table.where


def _refuse_header(fields, frame, where):
    """Refuse a first line that alone keeps a column from being integers."""
    for position, dtype in enumerate(frame.dtypes):
        rest = fields.iloc[1:, position]
        if dtype != "int64" and len(rest) and as_integers(rest).dtype == "int64":
            raise InteractionsError(
                f"{where(0)}: {fields.iloc[0, position]!r:.80} is no integer, and all "
                "below it are. If the line is a header, pass header=True, else False."
            )


def _names_by_position(n_columns, source):
    if n_columns not in _BY_POSITION:
        raise InteractionsError(
            f"{source} has {n_columns} columns and no header. Name them in their "
            f"order, as in columns={[USER, ITEM, '...']}, or pass header=True."
        )
    return _BY_POSITION[n_columns]


def _read_json_lines(text, source):
    """Read one object a line.

    A loop, as the reader of pandas rounds large integers, takes NaN and keeps the last
    of two equal keys.
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
            if "\\u" in line:  # an escape may be half a character, which is no text
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
    """Keep mixed values as they are: integers beside a float would be rounded."""
    column = pd.Series(values, dtype=object)
    return column.infer_objects() if len(set(map(type, values))) == 1 else column


def _unique_keys(pairs):
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError(f"a key is given twice in {[key for key, _ in pairs]!r:.80}")
    return record


def _no_constant(constant):
    raise ValueError(f"{constant} is not JSON")


def _check_record(record, names):
    """Return the keys that the first record has, and every other must have."""
    if not isinstance(record, dict):
        raise ValueError(f"it holds {record!r:.80}")
    if names is not None and record.keys() != names:
        raise ValueError(f"its keys are {[*record]!r:.80}, not {[*names]!r:.80}")
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
        # An index with a name holds a column, such as the ids of the users.
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
            f"{source} is not a sound Parquet file: {reason}. Fetch or write it again."
        ) from error
    return frame, lambda row: f"{source}, row {row}"


def _rename(frame, columns, source):
    """Name the columns as asked; refuse a table that can hold no interactions."""
    found = f"{source} has {frame.shape[1]} column(s), {[*frame.columns]!r:.200}"
    if isinstance(columns, Mapping):
        if missing := [name for name in columns if name not in frame]:
            raise InteractionsError(
                f"{found}, and none named {missing}. Name those it has in columns=."
            )
        frame = frame.rename(columns=columns)
    elif columns is not None:
        if len(columns) != frame.shape[1]:
            raise InteractionsError(
                f"{found}, but columns= names {len(columns)}. Name each, or pass a "
                "dict to rename some."
            )
        frame.columns = columns
    if frame.shape[1] < 2 or not frame.columns.is_unique:
        raise InteractionsError(
            f"{source} has the columns {[*frame.columns]!r:.200}; there must be at "
            "least 2, for users and items, each with a name of its own."
        )
    if frame.empty:
        raise InteractionsError(f"{source} has columns and no rows.")
    return frame
