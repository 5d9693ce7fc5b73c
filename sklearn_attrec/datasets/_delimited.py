"""Delimited text, parsed by pandas' C parser and checked against the `csv` module.

The C parser is fast, but fills short records with blanks and raises no error. If the
last column contains blanks, the records are read again with `csv`.
"""

import csv
import re
from contextlib import suppress
from io import BytesIO, StringIO
from itertools import islice
from typing import NamedTuple

import pandas as pd

from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["FORMATS", "DelimitedText"]


class _Format(NamedTuple):
    sep: str
    header: bool
    quoting: int


FORMATS = {
    ".csv": _Format(",", True, csv.QUOTE_MINIMAL),
    ".tsv": _Format("\t", True, csv.QUOTE_MINIMAL),
    ".data": _Format("\t", False, csv.QUOTE_NONE),
    ".dat": _Format("::", False, csv.QUOTE_NONE),
    ".txt": _Format(" ", False, csv.QUOTE_NONE),
}

_SEPARATORS = (",", ";", "\t", "|", "::", " ")  # the most likely first


class DelimitedText:
    """A table written as lines of fields.

    Parameters
    ----------
    source : str
        Name of the file, for error messages.
    text : str
        The lines, without NUL characters.
    sep : str
        Separator of the fields.
    header : bool
        Whether the first line names the columns.
    quoting : int
        One of the QUOTE constants of `csv`.
    """

    def __init__(self, source, text, sep, header, quoting):
        # After a lone CR the C parser sometimes drops a field or a line.
        if text.count("\r") > text.count("\r\n"):
            line = re.split("\r(?!\n)", text, maxsplit=1)[0].count("\n") + 1
            raise InteractionsError(
                f"{source}, line {line} contains a carriage return without a line "
                "feed. End lines with \\n or \\r\\n."
            )
        self.source, self.text, self.sep = source, text, sep
        self.header, self.quoting = header, quoting
        if len(sep.encode()) > 1:
            # The C parser needs a separator of one byte: use one that is not in text.
            unused = (
                i for i in range(1, 32) if i not in b"\r\n" and chr(i) not in text
            )
            if (byte := next(unused, None)) is None:
                raise InteractionsError(
                    f"{source} is not a text file: it contains all ASCII control "
                    "characters."
                )
            self.text, self.sep = text.replace(sep, chr(byte)), chr(byte)
            self.quoting = csv.QUOTE_NONE

    def read(self):
        """Return all fields as strings, one column per field of the first line.

        Returns
        -------
        DataFrame of str
            Without a header the columns are numbered.
        """
        line, first = next(self._records(), (1, [""]))
        if len(first) == 1:
            self._raise_wrong_separator(line, first[0])
        frame = self._parse(len(first))
        # A blank in the last column may come from a short record.
        if (frame.iloc[:, -1] == "").any():
            self._raise_if_ragged(len(first))
        return self._take_header(frame) if self.header else frame

    def where(self, row):
        """Return the file name and the line of a row, for error messages."""
        records = islice(self._records(), row + self.header, None)
        # The line is unknown ("?") if a line has only quoted spaces: the C parser reads
        # it as a record, `csv` does not.
        line, _ = next(records, ("?", None))
        return f"{self.source}, line {line}"

    def _records(self, strict=False):
        """Yield each non-blank record: the number of its first line and its fields."""
        lines = StringIO(self.text, newline="")
        reader = csv.reader(
            lines, delimiter=self.sep, quoting=self.quoting, strict=strict
        )
        line = 1
        try:
            for fields in reader:
                # Like the C parser, skip blank lines, but not lines that contain "".
                if fields == [""] or "".join(fields[:1]).strip(" \t") or fields[1:]:
                    yield line, fields
                line = reader.line_num + 1
        except csv.Error as error:
            raise InteractionsError(
                f"{self.source}, line {line}: {error}. Check that every quotation mark "
                "is closed."
            ) from error

    def _parse(self, n_fields):
        try:
            return pd.read_csv(
                BytesIO(self.text.encode()),
                sep=self.sep,
                header=None,
                dtype=str,
                na_filter=False,
                quoting=self.quoting,
                low_memory=False,
                engine="c",
            )
        except ValueError as error:
            self._raise_if_ragged(n_fields, strict=True)
            raise InteractionsError(f"{self.source}: {error}") from error

    def _raise_if_ragged(self, n_fields, strict=False):
        """Raise an error at the first record with a different number of fields."""
        for line, fields in self._records(strict):
            if len(fields) != n_fields:
                raise InteractionsError(
                    f"{self.source}, line {line}: {len(fields)} field(s), but the "
                    f"first line has {n_fields}. Correct the line, or put quotation "
                    "marks around fields that contain the separator."
                )

    def _raise_wrong_separator(self, line, text):
        found = next((s for s in _SEPARATORS if s in text), None)
        raise InteractionsError(
            f"{self.source}, line {line}: only 1 column found, {short_repr(text)}; "
            + (
                f"try sep={found!r}."
                if found
                else "at least 2 columns are required: user and item."
            )
        )

    def _take_header(self, frame):
        names = frame.iloc[0].to_list()
        if all(map(_is_number, names)):
            raise InteractionsError(
                f"{self.source}, line 1: the header {short_repr(names)} contains only "
                "numbers. If it is the first record, pass header=False."
            )
        if len(frame) == 1:
            raise InteractionsError(
                f"{self.source}, line 2: the file has no rows after the header."
            )
        frame = frame.iloc[1:].reset_index(drop=True)
        frame.columns = names
        return frame


def _is_number(text):
    with suppress(ValueError):
        return float(text) is not None
    return False
