"""Output of the command line: standard output, pipes and files."""

import contextlib
import os
import sys
from pathlib import Path
from tempfile import mkdtemp

from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.persistence import save_model
from sklearn_attrec.utils._atomic_file import replacing

__all__ = ["discard_output", "is_stream", "open_output", "output_path", "save"]


def output_path(out):
    """Check that --out can be written and return it as a path."""
    if out is None:
        return None
    path = Path(out)
    writable = os.access(path.parent, os.W_OK) or is_stream(path)
    if path.is_dir() or not path.parent.is_dir() or not writable:
        raise InvalidParameterError(
            "--out must be a file in a folder that exists and is writable. Got "
            f"{out!r}."
        )
    return path


@contextlib.contextmanager
def open_output(path):
    """Yield a function that writes text; a file is replaced only when complete."""
    if path is None:
        yield sys.stdout.write
    elif is_stream(path):
        try:
            with path.open("w", encoding="utf-8", newline="") as file:
                yield file.write
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
    else:
        with replacing(path) as file:
            yield lambda text: file.write(text.encode())


def is_stream(path):
    """Return whether a path is a pipe, a terminal or a device, not a regular file."""
    devices = path.is_absolute() and path.parts[1] in ("dev", "proc")
    return devices or (path.exists() and not path.is_file())


def discard_output():
    """Redirect standard output to the null device if it cannot be flushed.

    Python flushes it again at exit, which would print another error.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def save(model, out):
    """Save a model; if this fails, save it to a temporary folder and raise OSError."""
    try:
        save_model(model, out)
    except OSError as error:  # do not lose a long fit, for example to a full disk
        elsewhere = Path(mkdtemp(prefix="sklearn_attrec-"), out.name)
        save_model(model, elsewhere)
        raise OSError(f"{error}. The model is saved as {str(elsewhere)!r}") from error
