"""Files of other formats, recognised so that an error can say what they are."""

import re
from collections.abc import Callable
from typing import NamedTuple

from sklearn_attrec.exceptions import InteractionsError

__all__ = ["refuse_other_formats"]


class _Kind(NamedTuple):
    """A format that is not read: its name, suffixes, contents and the way out."""

    name: str
    suffixes: tuple[str, ...]
    matches: Callable[[bytes], bool]
    remedy: str


def _starts(*magic):
    return lambda raw: raw.startswith(magic)


def _is_error_page(raw):
    text = rb"\s*[45]\d\d:? [A-Z][a-z]+(?: [A-Z][a-z]+)*\.?\s*"
    return len(raw) < 100 and re.fullmatch(text, raw) is not None


def _is_web_page(raw):
    return raw[:100].lstrip().lower().startswith((b"<!doctype html", b"<html"))


# The first bytes of these also occur in text.
def _is_pickle(raw):
    return raw[:1] == b"\x80" and raw[1:2] in b"\2\3\4\5" and raw[-1:] == b"."


def _is_orc(raw):
    return raw[:3] == raw[-4:-1] == b"ORC"


def _is_tar(raw):
    return raw[257:262] == b"ustar"


_CONVERT = "Convert it: pd.read_{}({{source}}).to_csv('interactions.csv', index=False)."
_UNPACK = "Unpack it and read one of its files."
_KINDS = [
    _Kind(
        "a pickle",
        (".pkl", ".pickle"),
        _is_pickle,
        _CONVERT.format("pickle")
        + " It can run code, so do this only if you trust it.",
    ),
    _Kind(
        "an HDF5 file",
        (".h5", ".hdf", ".hdf5"),
        _starts(b"\x89HDF\r\n\x1a\n"),
        _CONVERT.format("hdf"),
    ),
    _Kind(
        "an SQLite database",
        (".sqlite", ".sqlite3", ".db"),
        _starts(b"SQLite format 3\0"),
        "Read a table of it with pandas: "
        "pd.read_sql('SELECT * FROM your_table', sqlite3.connect({source})).",
    ),
    _Kind(
        "an old Excel file or another file of old Office versions",
        (".xls", ".xlsb"),
        _starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        "Save it as .xlsx or .csv.",
    ),
    _Kind("an ORC file", (".orc",), _is_orc, _CONVERT.format("orc")),
    _Kind("a Stata file", (".dta",), _starts(b"<stata_dta>"), _CONVERT.format("stata")),
    _Kind(
        "a SAS file",
        (".sas7bdat",),
        _starts(bytes(12) + b"\xc2\xea\x81\x60\xb3\x14\x11\xcf"),
        _CONVERT.format("sas"),
    ),
    _Kind(
        "an R file",
        (".rds", ".rda", ".rdata"),
        _starts(b"X\n\0\0", b"RDX2\n", b"RDX3\n"),
        "Write it as CSV in R: write.csv(x, 'interactions.csv', row.names = FALSE).",
    ),
    _Kind(
        "a NumPy file",
        (".npy", ".npz"),
        _starts(b"\x93NUMPY"),
        "Pass the array to pd.DataFrame(numpy.load({source}), columns=[...]).",
    ),
    _Kind(
        "an Avro file",
        (".avro",),
        _starts(b"Obj\x01"),
        "Convert it to Parquet, CSV or JSON.",
    ),
    _Kind("a tar archive", (".tar", ".tgz"), _is_tar, _UNPACK),
    _Kind("a 7-Zip archive", (".7z",), _starts(b"7z\xbc\xaf\x27\x1c"), _UNPACK),
    _Kind("a RAR archive", (".rar",), _starts(b"Rar!\x1a\x07"), _UNPACK),
    _Kind("a PDF document", (".pdf",), _starts(b"%PDF-"), "Export the table as CSV."),
    _Kind(
        "a web page",
        (".html", ".htm"),
        _is_web_page,
        "Download the file again: the link may need a login.",
    ),
    _Kind(
        "the error message of a web server",
        (),
        _is_error_page,
        "Download the file again.",
    ),
    _Kind(
        "an XML document",
        (".xml",),
        lambda raw: raw[:100].lstrip().startswith((b"<?xml", b"<Error>")),
        "Convert it: pd.read_xml({source}).to_csv('interactions.csv', index=False); "
        "or, if it is an error message, download the file again.",
    ),
    _Kind(
        "an Arrow stream",
        (),
        _starts(b"\xff\xff\xff\xff"),
        "Convert it: pyarrow.feather.write_feather(pyarrow.ipc.open_stream("
        "pathlib.Path({source}).read_bytes()).read_all(), 'interactions.feather').",
    ),
    _Kind(
        "a Git LFS pointer",
        (),
        _starts(b"version https://git-lfs"),
        "Download the file that it stands for: git lfs pull.",
    ),
]


def refuse_other_formats(raw, suffix, source):
    """Raise an error for a file of a format that is known but not read."""
    for kind in _KINDS:
        if suffix in kind.suffixes or kind.matches(raw):
            raise InteractionsError(
                f"{source} looks like {kind.name}, which is not read. "
                + kind.remedy.format(source=source)
            )
