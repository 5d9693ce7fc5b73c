"""Limit of the threads that NumPy's matrix products use."""

from contextlib import contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

__all__ = ["n_blas_threads", "one_blas_thread"]

_lock = Lock()
# The current limit, repeated once for each thread that is inside `one_blas_thread`.
_limits: list = []


@contextmanager
def one_blas_thread():
    """Run matrix products on one thread.

    A history needs many small products, which are no faster on several threads. On a
    busy machine they are many times slower, because the threads wait for each other.
    The limit applies to the whole process: the first thread that enters sets it, and
    the last one that leaves restores the previous value.
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


def n_blas_threads():
    """Return on how many threads matrix products may run now."""
    libraries = _controller().lib_controllers
    numbers = [lib.num_threads for lib in libraries if lib.user_api == "blas"]
    return min(numbers, default=1)


def _limit():
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller():
    return ThreadpoolController()  # slow: inspects all loaded libraries
