"""Checks whether the first line of delimited text is a header."""

import re

import numpy as np

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER, find_column
from sklearn_attrec._interactions.date_text import is_date
from sklearn_attrec.datasets._reading.columns import as_integers
from sklearn_attrec.datasets._reading.default_names import suggest_names
from sklearn_attrec.datasets._reading.sample import SAMPLE
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = [
    "refuse_names_as_record",
    "refuse_repeated_header",
    "refuse_values_as_header",
]

_NUMBER = r"[+-]?(\d+[.,]?\d*|\.\d+)(e[+-]?\d+)?"
_VALUE = re.compile(
    rf"[$€£¥]? ?{_NUMBER} ?[$€£¥%]?"
    r"|\d\d?:\d\d(:\d\d(\.\d+)?)?( ?[ap]m)?"  # 10:20
    "|true|false",
    re.IGNORECASE,
)


def _is_value(text):
    """Return whether a text is a number, a date, a time of day or a boolean."""
    text = text.strip()
    return _VALUE.fullmatch(text) is not None or is_date(text)


def refuse_values_as_header(fields, only_if_all, locate):
    """Raise an error if a header, the first row, contains numbers or dates.

    With `only_if_all`, the error is raised only if all its names are.
    """
    names = fields.iloc[0].to_list()
    values = [name for name in names if _is_value(name)]
    if values and (len(values) == len(names) or not only_if_all):
        only = "only " if len(values) == len(names) else ""
        example = suggest_names(fields.iloc[:SAMPLE].apply(as_integers))
        remedy = "" if only else " If it is the header, pass header=True."
        raise InteractionsError(
            f"{locate(0)}: the header {short_repr(names, 200)} contains {only}values, "
            f"not names, for example {values[0]!r}. If it is the first record, pass "
            f"header=False, or name the columns, for example columns={example}."
            f"{remedy}"
        )


def refuse_names_as_record(fields, names, locate):
    """Raise an error if the first row looks like a header.

    It does if it contains one of `names` or a usual name, the names of users and of
    items in other data sets, or the only text in a column of numbers or dates.
    """
    values = fields.iloc[0].to_list()
    known = {USER, ITEM, TIME, *names}.intersection(values)
    others = [find_column(values, name) for name in (USER, ITEM)]
    rows = fields.iloc[1:SAMPLE]
    if known or None not in others:
        value = min(known) if known else others[0]
        reason = "looks like the name of a column"
    elif odd := [values[i] for i in rows if _is_odd(values[i], rows[i])]:
        value = odd[0]
        reason = "is text, but the later values of its column are numbers or dates"
    else:
        return
    raise InteractionsError(
        f"{locate(0)}: {short_repr(value)} {reason}. If the line is a header, pass "
        "header=True, otherwise header=False."
    )


def _is_odd(value, rest):
    """Return whether a value is text, but each later value of its column is not."""
    is_text = value.strip() and not _is_value(value)
    return is_text and len(rest) and all(map(_is_value, rest.unique()))


def refuse_repeated_header(fields, may_be_record, locate):
    """Raise an error if the header, the first row, appears again below it.

    If it may be a record, the error is also raised for one name that appears again in
    its column.
    """
    names, rows = fields.iloc[0], fields.iloc[1:]
    recurring = np.flatnonzero(rows[0] == names[0])
    equal = (rows.iloc[recurring] == names).all(axis=1).to_numpy()
    if equal.any():
        raise InteractionsError(
            f"{locate(recurring[equal][0] + 1)} repeats the header. Remove the line: "
            "the file seems to be several files, one after the other."
        )
    if may_be_record:
        for position, name in enumerate(names):
            row = (rows[position] == name).to_numpy().argmax()
            if rows[position].iloc[row] == name:
                raise InteractionsError(
                    f"{locate(0)}: the header {short_repr(names.to_list(), 200)} looks "
                    f"like the first record, because {short_repr(name)} is also a "
                    f"value of its column ({locate(row + 1)}). If it is, pass "
                    "header=False. If it is the header, pass header=True."
                )
