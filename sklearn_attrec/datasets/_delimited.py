"""Lines of fields parsed by pandas' C parser, and by `csv` to locate an error.

The C parser is fast and forgiving: it fills short records with blanks. What it may
have changed is checked against `csv`, record by record, only where there is a sign.
"""

import csv
import re
from contextlib import suppress
from io import BytesIO, StringIO
from itertools import islice
from typing import NamedTuple

import pandas as pd

from sklearn_attrec.exceptions import InteractionsError

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

_SEPARATORS = (",", ";", "\t", "|", "::", " ")  # to try, the likeliest first


class DelimitedText:
    """A table written as lines of fields.

    Parameters
    ----------
    source : str
        Where the text comes from, for messages.
    text : str
        The lines; no NUL in them.
    sep : str
        What separates fields.
    header : bool
        Whether the first line names the columns.
    quoting : int
        One of the QUOTE constants of `csv`.
    """

    def __init__(self, source, text, sep, header, quoting):
        # The C parser drops a field or a line here and there after a lone CR.
        if text.count("\r") > text.count("\r\n"):
            line = re.split("\r(?!\n)", text, maxsplit=1)[0].count("\n") + 1
            raise InteractionsError(
                f"{source}, line {line}: a carriage return without a line feed. End "
                "lines with \\n or \\r\\n."
            )
        self.source, self.text, self.sep = source, text, sep
        self.header, self.quoting = header, quoting
        if len(sep.encode()) > 1:
            # The C parser splits at one byte only: at one that the text has not.
            unused = (
                i for i in range(1, 32) if i not in b"\r\n" and chr(i) not in text
            )
            if (byte := next(unused, None)) is None:
                raise InteractionsError(f"{source} holds control characters, not text.")
            self.text, self.sep = text.replace(sep, chr(byte)), chr(byte)
            self.quoting = csv.QUOTE_NONE

    def read(self):
        """Return all fields as text, one column for each field of the first line.

        Returns
        -------
        DataFrame of str
            Without a header the columns are numbered.
        """
        line, first = next(self._records(), (1, [""]))
        if len(first) == 1:
            self._refuse_separator(line, first[0])
        frame = self._parse(len(first))
        # The C parser has filled short records with blanks.
        if (frame.iloc[:, -1] == "").any():
            self._refuse_ragged(len(first))
        return self._take_header(frame) if self.header else frame

    def where(self, row):
        """Return the place of a row of the frame in the file."""
        records = islice(self._records(), row + self.header, None)
        # Only quoted spaces, alone on a line, are a record to the C parser alone.
        line, _ = next(records, ("?", None))
        return f"{self.source}, line {line}"

    def _records(self, strict=False):
        """Yield the first line and the fields of each record that is not blank."""
        lines = StringIO(self.text, newline="")
        reader = csv.reader(
            lines, delimiter=self.sep, quoting=self.quoting, strict=strict
        )
        line = 1
        try:
            for fields in reader:
                # The C parser passes over blank lines, though not over "".
                if fields == [""] or "".join(fields[:1]).strip(" \t") or fields[1:]:
                    yield line, fields
                line = reader.line_num + 1
        except csv.Error as error:
            raise InteractionsError(
                f"{self.source}, line {line}: {error}. Is a quotation mark left open?"
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
            self._refuse_ragged(n_fields, strict=True)
            raise InteractionsError(f"{self.source}: {error}") from error

    def _refuse_ragged(self, n_fields, strict=False):
        """Raise an error at the first record with another number of fields."""
        for line, fields in self._records(strict):
            if len(fields) != n_fields:
                raise InteractionsError(
                    f"{self.source}, line {line}: {len(fields)} field(s), where the "
                    f"first line has {n_fields}. Mend the line, or put quotation marks "
                    "around fields that hold the separator."
                )

    def _refuse_separator(self, line, text):
        found = next((s for s in _SEPARATORS if s in text), None)
        raise InteractionsError(
            f"{self.source}, line {line}: 1 column found, {text!r:.80}; "
            + (f"try sep={found!r}." if found else "users and items need 2 or more.")
        )

    def _take_header(self, frame):
        names = frame.iloc[0].to_list()
        if all(map(_is_number, names)):
            raise InteractionsError(
                f"{self.source}, line 1: the header {names!r:.80} holds numbers only. "
                "If it is the first record, pass header=False."
            )
        if len(frame) == 1:
            raise InteractionsError(f"{self.source}, line 2: no row after the header.")
        frame = frame.iloc[1:].reset_index(drop=True)
        frame.columns = names
        return frame


def _is_number(text):
    with suppress(ValueError):
        return float(text) is not None
    return False
