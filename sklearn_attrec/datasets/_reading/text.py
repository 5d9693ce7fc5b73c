"""Text of a file, or an error that says which encoding it has."""

import codecs

from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["decode", "lone_carriage_return"]


def decode(raw, encoding, source):
    r"""Decode the text, without a byte order mark.

    Raises an error for NUL characters and blank text. "\r", the line end of old
    systems, becomes "\n" if there are no other line ends and no quotation marks.
    """
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
            f"{source}, line {line}: the text is not encoded in {encoding!r}. "
            + _encoding_remedy(raw, encoding, source)
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InteractionsError(
            f"{source}, line {line} contains a NUL character. "
            + _encoding_remedy(raw, encoding, source)
        )
    text = text.removeprefix("\ufeff")
    if not text or text.isspace():
        raise InteractionsError(f"{source}, line 1: the file is empty.")
    if "\n" not in text and '"' not in text:
        text = text.replace("\r", "\n")
    return text


def lone_carriage_return(source, line, may_be_quoted=False):
    """Return the error for a carriage return that neither ends a line nor is quoted."""
    remedy = ", or pass quotes=True if it is part of a quoted field"
    return InteractionsError(
        f"{source}, line {line} contains a carriage return outside quotation marks. "
        f"Make it a line end: path = pathlib.Path({source}); "
        r"path.write_bytes(path.read_bytes().replace(b'\r', b'\n'))"
        f"{remedy if may_be_quoted else ''}."
    )


def _encoding_remedy(raw, encoding, source):
    """Return what to do about text that has another encoding, or is not text."""
    guess = _utf_16_or_32(raw)
    if guess is None and not _is_binary(raw):
        guess = "latin-1" if 0 not in raw else None
    if guess is not None and guess != encoding:
        return f"Pass the encoding of the file, for example encoding={guess!r}."
    if _is_binary(raw) or guess is not None:
        return "The file is damaged, or it is not text. Convert it to CSV or Parquet."
    return (
        "The file may be damaged. To read it without these characters, remove them: "
        f"path = pathlib.Path({source}); "
        r"path.write_bytes(path.read_bytes().replace(b'\0', b''))."
    )


def _utf_16_or_32(raw):
    """Return the name of the UTF-16 or UTF-32 encoding that bytes have, or None."""
    if raw.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Without a byte order mark: the other bytes of most characters are zero.
    sample = raw[:10_000]
    zeros = [sample[i::4].count(0) > 0.2 * len(sample) for i in range(4)]
    for encoding, others in (
        ("utf-32-le", (2, 3)),
        ("utf-32-be", (0, 1)),
        ("utf-16-le", (1, 3)),
        ("utf-16-be", (0, 2)),
    ):
        if all(zeros[i] for i in others):
            return encoding
    return None


def _is_binary(raw):
    """Return whether bytes are not text in any encoding of 8 bits per character."""
    sample = raw[:10_000]
    control = sum(sample.count(byte) for byte in range(32) if byte not in b"\t\n\r\f")
    return control > 10 + 0.02 * len(sample)
