"""How many threads the matrix products of NumPy may take."""

from contextlib import contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]

_lock = Lock()
_limits = []  # the limit that is in force, once for each thread that is inside


@contextmanager
def one_blas_thread():
    """Run products of matrices on one thread.

    The many small ones of a history gain nothing from more, and wait for each other's
    threads many times as long as they take where other work holds a core. The setting
    is the whole process's: the first thread that comes in makes it and the last one
    that leaves undoes it, so that threads which overlap do not leave it behind.
    """
    with _lock:
        _limits.append(_limits[0] if _limits else _limit())
    try:
        yield
    finally:
        with _lock:
            limit = _limits.pop()
            if not _limits:
                limit.restore_original_limits()


def _limit():
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller():
    return ThreadpoolController()  # looks through all loaded libraries
