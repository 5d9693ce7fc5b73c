"""Matrix products limited to one BLAS thread, by one or several threads at a time."""

from types import SimpleNamespace

import pytest
from threadpoolctl import threadpool_limits

from sklearn_attrec.utils import _blas_threads
from sklearn_attrec.utils._blas_threads import n_blas_threads, one_blas_thread


@pytest.fixture
def calls(monkeypatch):
    found = []

    def limit():
        found.append("limited")
        restore = SimpleNamespace(set_num_threads=lambda n: found.append(f"set to {n}"))
        return [(restore, 2)]

    monkeypatch.setattr(_blas_threads, "_limit", limit)
    return found


def test_the_limit_is_undone_after_an_error(calls):
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        assert calls == ["limited"]
        raise ZeroDivisionError
    assert calls == ["limited", "set to 2"]


def test_overlapping_threads_leave_no_limit_behind(calls):
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert calls == ["limited"]  # the second is still inside
    second.__exit__(None, None, None)
    assert calls == ["limited", "set to 2"]


def test_the_limit_applies():
    with threadpool_limits(2):
        assert n_blas_threads() == 2
        with one_blas_thread():
            assert n_blas_threads() == 1
        assert n_blas_threads() == 2
