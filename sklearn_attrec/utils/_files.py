"""Files that are replaced whole or not at all."""

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["replacing"]

# Marks what a killed writer leaves behind; the next one in the folder sweeps it away.
UNFINISHED = ".attrec-tmp"


@contextlib.contextmanager
def replacing(path):
    """Open a file that takes the place of another once all of it is on the disk.

    Until then the old file stays as it is, whatever happens: a full disk, an exception,
    a kill, a power cut. Its permissions are kept, and a symbolic link to it stays one.

    Parameters
    ----------
    path : str or PathLike
        A regular file, or where one shall be.

    Yields
    ------
    file
        Binary, to be written from the beginning.

    Raises
    ------
    OSError
        Naming the path, if it cannot be written or is no regular file.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = _permissions(target)
        if fcntl is not None:  # without locks, nobody knows who is still writing
            _sweep(target.parent)
        scratch, descriptor = _create_beside(target, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                _flush(file, mode)
                if fcntl is None:
                    file.close()
                scratch.replace(target)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
        _flush_folder(target.parent)
    except OSError as error:
        if error.errno is None:  # of whoever wrote, not of the file
            raise
        # The path asked for says more than that of the file beside it.
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _permissions(target):
    """Return those of the file to be replaced, None if there is none."""
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
    """Create a file in the same folder, locked for as long as it is open."""
    # Nobody reads what is to become a private file before it is one; the umask takes
    # its part of the permissions of a new one.
    mode = 0o666 if mode is None else 0o600
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
    flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    while True:
        name = f".{target.name[:40]}.{secrets.token_hex(8)}{UNFINISHED}"
        scratch = target.with_name(name)
        descriptor = os.open(scratch, flags, mode)
        if fcntl is None:
            return scratch, descriptor
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return scratch, descriptor
        os.close(descriptor)  # swept away by another writer before it was locked


def _sweep(folder):
    """Remove what killed writers left: unfinished files that nobody has locked."""
    for path in folder.glob(f".*{UNFINISHED}"):
        # What cannot be opened, locked or removed is another's business.
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
    """Make the new name last through a power cut."""
    if fcntl is None:
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # it may be written to, but not read
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise  # the others mean that this file system has no such thing
    finally:
        os.close(descriptor)
