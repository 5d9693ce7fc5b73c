"""How many threads the matrix products of NumPy may take."""

from functools import cache

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]


def one_blas_thread():
    """Return a context in which products of matrices run on one thread.

    The many small ones of a history gain nothing from more, and wait for each other's
    threads many times as long as they take where other work holds a core.
    """
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller():
    return ThreadpoolController()  # looks through all loaded libraries
