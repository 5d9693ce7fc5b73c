"""Delimited text, parsed by pandas' C parser and checked against the `csv` module.

The C parser is fast, but fills short records with blanks and raises no error. If the
last column contains blanks, the records are read again with `csv`.
"""

import csv
from contextlib import contextmanager
from io import BytesIO, StringIO
from itertools import islice, pairwise
from typing import NamedTuple

import pandas as pd

from sklearn_attrec.datasets._reading.sample import SAMPLE
from sklearn_attrec.datasets._reading.separators import (
    refuse_other_separator,
    refuse_spaces,
    wrong_separator,
)
from sklearn_attrec.datasets._reading.text import lone_carriage_return
from sklearn_attrec.exceptions import InteractionsError

__all__ = ["FORMATS", "DelimitedText"]


class _Format(NamedTuple):
    sep: str
    header: bool
    quotes: bool


FORMATS = {
    ".csv": _Format(",", True, True),
    ".tsv": _Format("\t", True, True),
    ".data": _Format("\t", False, False),
    ".dat": _Format("::", False, False),
    ".txt": _Format(" ", False, False),
}


@contextmanager
def _long_fields(text):
    """Lift the limit of `csv`, which refuses long fields that pandas reads."""
    limit = csv.field_size_limit()
    csv.field_size_limit(max(limit, len(text)))
    try:
        yield
    finally:
        csv.field_size_limit(limit)


class DelimitedText:
    """A table written as lines of fields.

    Parameters
    ----------
    source : str
        Name of the file, for error messages.
    text : str
        The lines, without NUL characters.
    format : tuple
        Separator, header and quotes for this extension.
    sep : str or None
        Separator of the fields. None means that of the format, if it fits.
    quotes : "infer" or bool
        Whether quotation marks have a meaning. "infer" means as in the format, if the
        separator has one byte, and that unclear cases are refused.
    """

    def __init__(self, source, text, format, sep, quotes):
        self.source, self.text, self.original = source, text, text
        self.sep = format.sep if sep is None else sep
        self._is_default_sep = sep is None
        self._may_be_histories = not format.header
        self._infer_quotes = quotes == "infer"
        self._replaced = None
        has_quotes = format.quotes if self._infer_quotes else quotes
        if len(self.sep.encode()) > 1:
            self._replace_separator()
            has_quotes = quotes is True
        self.quoting = csv.QUOTE_MINIMAL if has_quotes else csv.QUOTE_NONE

    def _replace_separator(self):
        # The C parser needs a separator of one byte: use one that is not in the text.
        unused = (
            chr(i) for i in range(1, 32) if i not in b"\r\n" and chr(i) not in self.text
        )
        if (byte := next(unused, None)) is None:
            raise InteractionsError(
                f"{self.source} is not a text file: it contains all ASCII control "
                "characters."
            )
        self._replaced = self.sep
        self.text, self.sep = self.text.replace(self.sep, byte), byte

    def read(self):
        """Return all fields as strings; the columns are numbered, a header is row 0."""
        with _long_fields(self.text):
            n_fields = self._check_separator()
            self._check_quotes(n_fields)
            frame = self._parse(n_fields)
            # A blank in the last column may come from a short record.
            if (frame.iloc[:, -1] == "").any():
                self._raise_if_ragged(n_fields)
        if self._replaced and self.quoting != csv.QUOTE_NONE:
            return frame.apply(lambda c: c.str.replace(self.sep, self._replaced))
        return frame

    def where(self, record):
        """Return the file name and the line of a record, for error messages."""
        # The line is unknown ("?") if a line has only quoted spaces: the C parser reads
        # it as a record, `csv` does not.
        with _long_fields(self.text):
            line, _ = next(islice(self._records(), record, None), ("?", None))
        return f"{self.source}, line {line}"

    def _check_separator(self):
        """Raise an error if another separator fits better; return the field count."""
        sample = [*islice(self._records(), SAMPLE)] or [(1, [""])]
        line, first = sample[0]
        if len(first) == 1:
            raise wrong_separator(self.source, line, first[0], self.original)
        sep = self._replaced or self.sep
        if self._is_default_sep:
            n_fields = {len(fields) for _, fields in sample}
            refuse_other_separator(self.source, self.original, sep, n_fields)
        else:
            refuse_spaces(self.source, self.original, sep)
        return len(first)

    def _csv_reader(self, strict):
        # newline="\n" makes a carriage return outside quotation marks an error.
        lines = StringIO(self.text, newline="\n")
        return csv.reader(
            lines, delimiter=self.sep, quoting=self.quoting, strict=strict
        )

    def _records(self, strict=False):
        """Yield each non-blank record: the number of its first line and its fields."""
        reader = self._csv_reader(strict)
        line = 1
        try:
            for fields in reader:
                # Like the C parser, skip blank lines, but not lines that contain "".
                if fields == [""] or "".join(fields[:1]).strip(" \t") or fields[1:]:
                    yield line, fields
                line = reader.line_num + 1
        except csv.Error as error:
            raise self._csv_error(error, line, reader.line_num) from error

    def _csv_error(self, error, line, last_line):
        if "new-line character" in str(error):
            # After a lone CR the C parser sometimes drops a field or a line.
            may_be_quoted = self.quoting == csv.QUOTE_NONE and '"' in self.text
            return lone_carriage_return(self.source, last_line, may_be_quoted)
        return InteractionsError(
            f"{self.source}, line {line} has a quotation mark that is not closed "
            f"properly: {error}. Check that every quotation mark is closed, or pass "
            "quotes=False if quotation marks are part of the text."
        )

    def _check_quotes(self, n_fields):
        """Raise an error for carriage returns and quotation marks of unclear meaning.

        Quotation marks are unclear if text follows a closing one, or if each line of a
        field with line breaks is a whole record itself.
        """
        quoted = self.quoting != csv.QUOTE_NONE and '"' in self.text
        strict = quoted and self._infer_quotes
        if not strict and self.text.count("\r") == self.text.count("\r\n"):
            return
        reader = self._csv_reader(strict)
        try:
            n_records = sum(1 for _ in reader)
        except csv.Error:
            for _ in self._records(strict):  # raises the error with its line
                pass
        if strict and n_records < reader.line_num:
            self._refuse_swallowed_lines(n_fields)

    def _refuse_swallowed_lines(self, n_fields):
        counts = [line.count(self.sep) for line in self.text.split("\n")]
        starts = [line for line, _ in self._records()]
        for start, end in pairwise([*starts, len(counts) + 1]):
            # Blank lines are no records.
            lines = [count for count in counts[start - 1 : end - 1] if count]
            n_records = lines.count(n_fields - 1)
            # Text may contain commas, but rarely tabs.
            enough = len(lines) // 2 + 1 if self.sep == "\t" else len(lines)
            if len(lines) > 1 and n_records >= enough:
                raise InteractionsError(
                    f"{self.source}, line {start}: a quotation mark begins a field "
                    f"that ends {len(lines) - 1} line(s) later, but {n_records} of "
                    f"these lines are records of {n_fields} fields themselves. Pass "
                    "quotes=False if quotation marks are part of the text, or "
                    "quotes=True if the field contains line breaks."
                )

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
                    f"first line has {n_fields}. {self._ragged_remedy(n_fields)}"
                )

    def _ragged_remedy(self, n_fields):
        plain = {line.count(self.sep) for line in self.text.split("\n") if line.strip()}
        has_quotes = self.quoting != csv.QUOTE_NONE
        if has_quotes and plain == {n_fields - 1}:
            return "Pass quotes=False: quotation marks seem to be part of the text."
        remedy = "Correct the line"
        if has_quotes:
            remedy += (
                ", or put quotation marks around fields that contain the separator"
            )
        elif '"' in self.text:
            remedy += ", or pass quotes=True if quotation marks enclose its fields"
        if self._may_be_histories and '"' not in self.text and 0 not in plain:
            remedy += ", or pass layout='histories' if a line is a user and its items"
        return f"{remedy}."
