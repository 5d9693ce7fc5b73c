"""JSON: one object per line, or one array of objects."""

import json
import re
from collections.abc import Mapping

import pandas as pd

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER, WEIGHT
from sklearn_attrec.datasets._reading.columns import RATING
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["read_json"]

_SPACE = re.compile(r"\s*")
_BETWEEN = re.compile(r"\s*([,\]])\s*")


def read_json(text, columns, need_ids, source):
    """Read JSON objects as rows; return a frame with one column per key, and `locate`.

    The text is one object per line, or one array of objects. Each record must have the
    keys that `columns` lists or renames and, if `need_ids`, those of the user and the
    item; a value is None where another key is missing.

    The reader of pandas rounds large integers, accepts NaN, and keeps the last of two
    equal keys without an error.
    """
    records, lines, required = [], [], None
    reader = _Records(text)
    try:
        for line, record in reader:
            if not isinstance(record, dict):
                raise ValueError(f"it contains {short_repr(record)}")
            if required is None:
                required = _required_keys(record, columns, need_ids)
            if missing := [key for key in required if key not in record]:
                raise KeyError(missing[0], [*record])
            records.append(record)
            lines.append(line)
    except KeyError as error:
        key, keys = error.args
        raise InteractionsError(
            f"{source}, line {reader.line}: the record has no key {key!r}; its keys "
            f"are {short_repr(keys, 200)}. {_key_remedy(key, keys, columns, text)}"
        ) from None
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", error)
        raise InteractionsError(
            f"{source}, line {reader.line}: {reason}. {reader.expected}"
        ) from error
    names = dict.fromkeys(key for record in records for key in record)
    if isinstance(columns, (list, tuple)):
        names = columns
    values = {name: _to_series([r.get(name) for r in records]) for name in names}
    return pd.DataFrame(values), lambda row: f"{source}, line {lines[row]}"


class _Records:
    """Iterate over pairs of a line number and a record; `line` is the current line."""

    def __init__(self, text):
        self.text, self.line = text, 1
        self._decoder = json.JSONDecoder(
            object_pairs_hook=_unique_keys, parse_constant=_no_constant
        )
        self._is_array = text.lstrip().startswith("[")
        self.expected = (
            "The array must contain JSON objects."
            if self._is_array
            else "Each line must be one JSON object, or the file one array of objects."
        )

    def __iter__(self):
        return self._elements() if self._is_array else self._lines()

    def _lines(self):
        for number, line in enumerate(self.text.split("\n"), start=1):
            self.line = number
            if line and not line.isspace():
                record = self._decoder.decode(line)
                _refuse_surrogates(record, "\\u" in line)
                yield number, record

    def _elements(self):
        text, escaped = self.text, "\\u" in self.text
        position = _SPACE.match(text, text.index("[") + 1).end()
        counted = 0
        while True:
            self.line += text.count("\n", counted, position)
            counted = position
            record, position = self._decoder.raw_decode(text, position)
            _refuse_surrogates(record, escaped)
            yield self.line, record
            between = _BETWEEN.match(text, position)
            if between is None:
                raise ValueError("a comma or ']' is missing after an element")
            position = between.end()
            if between[1] == "]":
                break
        if position < len(text):
            raise ValueError("there is more text after the array")


def _required_keys(first, columns, need_ids):
    """Return the keys that each record must have, given the first record."""
    if isinstance(columns, (list, tuple)):
        names = {key: key for key in columns}
    else:
        new = (USER, ITEM, TIME, RATING, WEIGHT)
        names = {k: name for k, name in (columns or {}).items() if name in new}
        new = set((columns or {}).values())
        names |= {k: k for k in (USER, ITEM, TIME) if k in first and k not in new}
    return [key for key, name in names.items() if need_ids or name not in (USER, ITEM)]


def _key_remedy(key, keys, columns, text):
    name = columns.get(key, key) if isinstance(columns, Mapping) else key
    if name in (USER, ITEM):
        if json.dumps(key, ensure_ascii=False) in text:
            return "Add it, or pass drop_blank_ids=True to drop such records."
        missing = [name for name in (USER, ITEM) if name not in keys]
        others = [key for key in keys if key not in (USER, ITEM, TIME)]
        example = dict(zip(others, missing, strict=False)) or {"u": USER}
        return f"Name the keys of users and items, for example columns={example}."
    if columns is None:
        return f"Add it, or pass columns={[USER, ITEM]} to read no other keys."
    return (
        f"Add it, or leave {key!r} out of columns=, a list of the keys to read or a "
        "dict from keys to new names."
    )


def _refuse_surrogates(record, escaped):
    if escaped:  # raises an error for a lone surrogate
        json.dumps(record, ensure_ascii=False).encode()


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
