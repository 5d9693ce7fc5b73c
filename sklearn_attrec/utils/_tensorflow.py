"""Import of TensorFlow: only for training, quietly, and never after a fork."""

import contextlib
import os
import sys
from pathlib import Path

from sklearn_attrec.exceptions import ForkedTensorFlowError

__all__ = ["import_tensorflow"]

_started_in = None  # id of the process in which `import_tensorflow` first succeeded


def import_tensorflow():
    """Import TensorFlow and return it.

    Returns
    -------
    module

    Raises
    ------
    ForkedTensorFlowError
        If TensorFlow was imported before this process was forked. TensorFlow's threads
        do not exist in the fork, and its first operation would wait for them forever.
    ImportError
        If TensorFlow or Keras 3 cannot be imported, or Keras uses another backend.
    """
    global _started_in
    if _started_in not in (None, os.getpid()):
        raise ForkedTensorFlowError(
            "training began in a process forked after its parent process had started "
            "TensorFlow; it would hang. Start workers with 'spawn', 'forkserver' or "
            "joblib's 'loky', or call fit before forking. predict, recommend and score "
            "work in forked processes."
        )
    first = "tensorflow" not in sys.modules
    if first:
        _set_defaults()
    with _silence() if first else contextlib.nullcontext():
        try:
            import tensorflow
            from keras import backend, ops  # noqa: F401  (Keras 2 has no ops)
        except ImportError as error:
            _check_backend(os.environ.get("KERAS_BACKEND", "tensorflow"))
            raise ImportError(
                "training a network needs TensorFlow and Keras 3, which cannot be "
                f"imported ({error}). Install them: pip install sklearn-attrec, or, "
                "for the smaller TensorFlow without GPU support, pip install "
                "'sklearn-attrec-core[training-cpu]'. Fitted models predict without "
                "them."
            ) from error

        tensorflow.zeros(())  # the first operation detects devices and prints notices
    _check_backend(backend.backend())
    _started_in = os.getpid()
    return tensorflow


def _check_backend(name):
    if name != "tensorflow":
        raise ImportError(
            f"training needs Keras with the backend 'tensorflow'. Got {name!r}. "
            "Set the environment variable KERAS_BACKEND=tensorflow before Keras is "
            "first imported."
        )


def _set_defaults():
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # In a worker of joblib OMP_NUM_THREADS is the worker's number of cores. TensorFlow
    # reads other variables instead, and only before its first operation.
    n_threads = os.environ.get("OMP_NUM_THREADS", "")
    if n_threads.isdigit():
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", n_threads)
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", n_threads)


@contextlib.contextmanager
def _silence():
    """Discard stderr: no log level suppresses TensorFlow's start-up notices."""
    if os.environ.get("SKLEARN_ATTREC_TF_LOGS"):
        yield
        return
    try:
        stderr = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    try:
        with Path(os.devnull).open("wb") as devnull:
            os.dup2(devnull.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
