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

    Small products are no faster on several threads. On a busy machine they are many
    times slower, because the threads wait for each other. The limit applies to the
    whole process: the first thread that enters sets it, and the last one that leaves
    restores the previous value.
    """
    with _lock:
        _limits.append(_limits[0] if _limits else _limit())
    try:
        yield
    finally:
        with _lock:
            previous = _limits.pop()
            if not _limits:
                for library, number in previous:
                    library.set_num_threads(number)


def n_blas_threads():
    """Return on how many threads matrix products may run now."""
    return min((library.num_threads for library in _libraries()), default=1)


def _limit():
    """Set one thread; return the libraries with their previous numbers of threads."""
    previous = [(library, library.num_threads) for library in _libraries()]
    for library, _ in previous:
        library.set_num_threads(1)
    return previous


@cache
def _libraries():
    # Slow: inspects all loaded libraries.
    return ThreadpoolController().select(user_api="blas").lib_controllers
