"""Decompression of files, recognised by their first bytes rather than their names."""

import gzip
import zlib
from io import BytesIO
from pathlib import PurePath
from zipfile import BadZipFile, ZipFile

from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._optional_dependencies import import_optional
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["SUFFIXES", "decompress"]

_KINDS = {
    ".gz": ("gzip", b"\x1f\x8b"),
    ".zip": ("zip", b"PK\x03\x04"),
    ".bz2": ("bzip2", b"BZh"),
    ".xz": ("xz", b"\xfd7zXZ\0"),
    ".zst": ("Zstandard", b"\x28\xb5\x2f\xfd"),
}
SUFFIXES = tuple(_KINDS)


def decompress(raw, name, source):
    """Return the contents of a file and its name without the suffix of a compression.

    A compressed file whose name does not say so is decompressed, too. The name of a zip
    file becomes the name of its only member, if that has a suffix.
    """
    for _ in range(3):  # a file may be compressed twice, for example in a zip file
        suffix = PurePath(name).suffix.lower()
        named = suffix if suffix in _KINDS else None
        found = _find_compression(raw)
        if found == ".zip":
            raw, member = _only_member(raw, name, source)
            if member.endswith(".xlsx"):
                return raw, member
            outer = name[: -len(named)] if named else name
            has_suffix = PurePath(member).suffix or not PurePath(outer).suffix
            name = member if has_suffix else outer
            continue
        if named:
            name = name[: -len(named)]
        if not (named or found):
            break
        raw = _decompress(raw, found or named, named, source)
    return raw, name


def _find_compression(raw):
    found = next((s for s, (_, magic) in _KINDS.items() if raw.startswith(magic)), None)
    # Text can begin with the first three bytes of bzip2.
    if found == ".bz2" and raw[4:10] not in (b"1AY&SY", b"\x17rE8P\x90"):
        return None
    return found


def _decompress(raw, suffix, named, source):
    kind, _ = _KINDS[suffix]
    try:
        if suffix == ".gz":
            return gzip.decompress(raw)
        if suffix == ".bz2":
            import bz2  # some builds of Python lack bz2 and lzma

            return bz2.decompress(raw)
        if suffix == ".xz":
            return _decompress_xz(raw)
        if suffix == ".zip":
            raise BadZipFile("it does not begin like one")
        return _decompress_zstandard(raw)
    except (EOFError, OSError, ValueError, zlib.error, BadZipFile) as e:
        remedy = f", or remove {named} from its name if it is not compressed"
        raise InteractionsError(
            f"{source} is not a complete {kind} file: {e}. Download or write it again"
            f"{remedy if named else ''}."
        ) from e


def _decompress_xz(raw):
    import lzma

    try:
        return lzma.decompress(raw)
    except lzma.LZMAError as error:
        raise ValueError(str(error)) from error


def _decompress_zstandard(raw):
    pyarrow = import_optional(
        "pyarrow", extra="parquet", needed_for="Reading files compressed by Zstandard"
    )
    with pyarrow.input_stream(BytesIO(raw), compression="zstd") as stream:
        return stream.read()


def _only_member(raw, name, source):
    """Return the only file in a zip archive and its name; leave Excel files alone."""
    try:
        with ZipFile(BytesIO(raw)) as archive:
            members = [
                info
                for info in archive.infolist()
                if not info.is_dir() and not info.filename.startswith("__MACOSX/")
            ]
            names = [info.filename for info in members]
            if "xl/workbook.xml" in names:
                return raw, f"{name.removesuffix('.xlsx')}.xlsx"
            if len(members) == 1:
                return archive.read(members[0]), names[0]
    except (BadZipFile, EOFError, OSError, RuntimeError, ValueError, zlib.error) as e:
        raise InteractionsError(
            f"{source} is not a complete zip file without a password: {e}. Download or "
            "write it again, or unpack it."
        ) from e
    if not members:
        raise InteractionsError(f"{source} is a zip file without files.")
    largest = max(members, key=lambda info: info.file_size).filename
    raise InteractionsError(
        f"{source} is a zip file of {len(names)} files, {short_repr(names, 200)}, but "
        "only one can be read. Unpack one of them and read it: "
        f"zipfile.ZipFile({source}).extract({largest!r})."
    )
