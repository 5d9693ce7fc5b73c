"""Files of other formats, recognised so that an error can say what they are."""

from typing import NamedTuple

from sklearn_attrec.exceptions import InteractionsError

__all__ = ["is_binary", "refuse_other_formats"]


class _Kind(NamedTuple):
    """A format that is not read: its name, suffixes, first bytes and the way out."""

    name: str
    suffixes: tuple[str, ...]
    magic: tuple[bytes, ...]
    remedy: str


_CONVERT = "Convert it: pd.read_{}({{source}}).to_csv('interactions.csv', index=False)."
_UNPACK = "Unpack it and read one of its files."
_PICKLE = (".pkl", ".pickle")
_KINDS = [
    # Kinds without magic bytes are recognised by `_is`: their first bytes prove little.
    _Kind(
        "a pickle",
        _PICKLE,
        (),
        _CONVERT.format("pickle")
        + " It can run code, so do this only if you trust it.",
    ),
    _Kind(
        "an HDF5 file",
        (".h5", ".hdf", ".hdf5"),
        (b"\x89HDF\r\n\x1a\n",),
        _CONVERT.format("hdf"),
    ),
    _Kind(
        "an SQLite database",
        (".sqlite", ".sqlite3", ".db"),
        (b"SQLite format 3\0",),
        "Read a table of it with pandas: "
        "pd.read_sql('SELECT * FROM your_table', sqlite3.connect({source})).",
    ),
    _Kind(
        "an old Excel file or another file of old Office versions",
        (".xls", ".xlsb"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",),
        "Save it as .xlsx or .csv.",
    ),
    _Kind("an ORC file", (".orc",), (), _CONVERT.format("orc")),
    _Kind(
        "a Stata file",
        (".dta",),
        (b"<stata_dta>",),
        _CONVERT.format("stata"),
    ),
    _Kind("a SAS file", (".sas7bdat",), (), _CONVERT.format("sas")),
    _Kind(
        "an R file",
        (".rds", ".rda", ".rdata"),
        (b"X\n\0\0", b"RDX2\n", b"RDX3\n"),
        "Write it as CSV in R: write.csv(x, 'interactions.csv', row.names = FALSE).",
    ),
    _Kind(
        "a NumPy file",
        (".npy", ".npz"),
        (b"\x93NUMPY",),
        "Pass the array to pd.DataFrame(numpy.load({source}), columns=[...]).",
    ),
    _Kind(
        "an Avro file", (".avro",), (b"Obj\x01",), "Convert it to Parquet, CSV or JSON."
    ),
    _Kind("a tar archive", (".tar", ".tgz"), (), _UNPACK),
    _Kind("a 7-Zip archive", (".7z",), (b"7z\xbc\xaf\x27\x1c",), _UNPACK),
    _Kind("a RAR archive", (".rar",), (b"Rar!\x1a\x07",), _UNPACK),
    _Kind("a PDF document", (".pdf",), (b"%PDF-",), "Export the table as CSV."),
    _Kind(
        "a web page",
        (".html", ".htm"),
        (b"<!doctype html", b"<html"),
        "Download the file again: the link may need a login.",
    ),
    _Kind(
        "a Git LFS pointer",
        (),
        (b"version https://git-lfs",),
        "Download the file that it stands for: git lfs pull.",
    ),
]


def refuse_other_formats(raw, suffix, source):
    """Raise an error for a file of a format that is known but not read.

    Parameters
    ----------
    raw : bytes
        The file.
    suffix : str
        Its extension, in lower case; "" if it does not matter.
    source : str
        Its name for error messages.
    """
    start = raw[:100].lstrip().lower()
    for kind in _KINDS:
        magic = tuple(bytes.lower() for bytes in kind.magic)
        if suffix in kind.suffixes or start.startswith(magic) or _is(kind, raw):
            raise InteractionsError(
                f"{source} looks like {kind.name}, which is not read. "
                + kind.remedy.format(source=source)
            )


def _is(kind, raw):
    """Return whether a file is of a kind whose first bytes also occur in text."""
    if kind.suffixes == _PICKLE:
        return raw[:1] == b"\x80" and raw[1:2] in b"\2\3\4\5" and raw[-1:] == b"."
    if ".orc" in kind.suffixes:
        return raw[:3] == raw[-4:-1] == b"ORC"
    return ".tar" in kind.suffixes and raw[257:262] == b"ustar"


def is_binary(raw):
    """Return whether bytes are not text in any encoding of 8 bits per character."""
    sample = raw[:10_000]
    control = sum(sample.count(byte) for byte in range(32) if byte not in b"\t\n\r\f")
    return control > 10 + 0.02 * len(sample)
