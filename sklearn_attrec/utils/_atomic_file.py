"""Atomic replacement of files."""

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["replacing"]

# Suffix of temporary files. If a process is killed while it writes one, the next call
# of `replacing` in the same folder removes the file.
UNFINISHED = ".attrec-tmp"


@contextlib.contextmanager
def replacing(path):
    """Open a new file that replaces `path` after it is completely written to disk.

    If anything fails before (a full disk, an exception, a killed process, a power
    failure), the old file is unchanged. The new file has its permissions. If `path` is
    a symbolic link, the file that it points to is replaced.

    Parameters
    ----------
    path : str or PathLike
        A regular file, or a path at which there is no file yet.

    Yields
    ------
    file
        Empty binary file, open for writing.

    Raises
    ------
    OSError
        If `path` cannot be written or is not a regular file. The error names `path`.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = _permissions(target)
        # Without locks it is unknown whether a temporary file is still in use.
        if fcntl is not None:
            _sweep(target.parent)
        temporary, descriptor = _create_beside(target, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                _flush(file, mode)
                if fcntl is None:  # Windows cannot rename an open file
                    file.close()
                temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _flush_folder(target.parent)
    except OSError as error:
        if error.errno is None:  # raised by the caller's code, not by the system
            raise
        # Name the path of the caller, not the temporary file.
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _permissions(target):
    """Return the permissions of the existing file, or None if there is no file."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "Not a regular file")
    return stat.S_IMODE(found.st_mode)


def _create_beside(target, mode):
    """Create a temporary file in the same folder, locked while it is open."""
    # If a file is replaced, others may read the new one only after `_flush` sets its
    # permissions. Otherwise it gets default permissions (the umask applies).
    mode = 0o666 if mode is None else 0o600
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
    flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    while True:
        name = f".{target.name[:40]}.{secrets.token_hex(8)}{UNFINISHED}"
        temporary = target.with_name(name)
        descriptor = os.open(temporary, flags, mode)
        if fcntl is None:
            return temporary, descriptor
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return temporary, descriptor
        os.close(descriptor)  # another process removed it before it was locked


def _sweep(folder):
    """Remove temporary files of killed processes: those that are not locked."""
    for path in folder.glob(f".*{UNFINISHED}"):
        # A file that cannot be opened, locked or removed is in use or not ours.
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)


def _flush(file, mode):
    file.flush()
    if mode is not None and fcntl is not None:
        os.fchmod(file.fileno(), mode)
    os.fsync(file.fileno())


def _flush_folder(folder):
    """Write the folder to disk, so that the new file survives a power failure."""
    if fcntl is None:
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder may be writable but not readable
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        # These mean that the file system cannot flush folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
