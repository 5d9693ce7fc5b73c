"""TensorFlow, imported late, quietly, and never in a forked child."""

import contextlib
import os
import sys
from pathlib import Path

from sklearn_attrec.exceptions import ForkedTensorFlowError

__all__ = ["import_tensorflow", "physical_memory"]

_started_in = None  # the process that first imported TensorFlow through us


def import_tensorflow():
    """Import TensorFlow and return it.

    Returns
    -------
    module

    Raises
    ------
    ForkedTensorFlowError
        If this process was forked from one that had TensorFlow running: its threads
        are gone, and the first operation would wait for them for ever.
    ImportError
        If TensorFlow is missing, or Keras runs on another backend.
    """
    global _started_in
    if _started_in not in (None, os.getpid()):
        raise ForkedTensorFlowError(
            "fit was called in a process forked after TensorFlow had started in its "
            "parent, where it would hang. Start workers with 'spawn', 'forkserver' "
            "or joblib's 'loky', or fit before forking. predict, recommend and score "
            "work in forked processes."
        )
    first = "tensorflow" not in sys.modules
    if first:
        _set_defaults()
    with _silence() if first else contextlib.nullcontext():
        try:
            import tensorflow
        except ImportError as error:
            raise ImportError(
                "fit needs TensorFlow, which cannot be imported: pip install "
                "tensorflow. Fitted models predict without it."
            ) from error
        import keras

        tensorflow.zeros(())  # the first operation looks for devices, and complains
    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            f"fit trains in TensorFlow, but Keras runs on {keras.backend.backend()!r}. "
            "Set KERAS_BACKEND=tensorflow before Keras is first imported."
        )
    _started_in = os.getpid()
    return tensorflow


def _set_defaults():
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # joblib tells its workers their share of the cores through OMP_NUM_THREADS.
    # TensorFlow reads variables of its own, and only before its first operation.
    share = os.environ.get("OMP_NUM_THREADS", "")
    if share.isdigit():
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", share)
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", share)


@contextlib.contextmanager
def _silence():
    """Keep TensorFlow's start-up notices, which no log level stops, off stderr."""
    if os.environ.get("SKLEARN_ATTREC_TF_LOGS"):
        yield
        return
    try:
        stderr = os.dup(2)
    except OSError:  # no stderr to keep clean
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def physical_memory():
    """Bytes of memory this machine has, or None where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
