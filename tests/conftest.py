"""What all tests share: one thread per worker, real data, and made data."""

import os
from importlib.metadata import version

# Read when NumPy, SciPy and TensorFlow are first imported, so set before they are. The
# workers of pytest-xdist inherit them; with -n 0, pytest-randomly has NumPy in already.
os.environ |= {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "SCIPY_ARRAY_API": "1",  # without it scikit-learn skips one of its checks
    "COLUMNS": "80",  # of the tables that doctests print, and of help
}

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import HealthCheck, settings
from sklearn.utils.fixes import parse_version

from sklearn_attrec.datasets import fetch_movielens

SOAKING = bool(os.environ.get("SKLEARN_ATTREC_SOAK"))

# No deadline, because machines may be busy. Examples are the same in each run, except
# in a soak, which looks for new ones.
settings.register_profile(
    "suite",
    derandomize=not SOAKING,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")


# Older versions, 2.18 among them, do not name their threads, which two tests count.
TENSORFLOW_NAMES_THREADS = parse_version(version("tensorflow")) >= parse_version("2.21")

# The check of scikit-learn 1.6 subtracts a float from integers.
FAULTY_CHECK = pytest.mark.skipif(
    sklearn.__version__.startswith("1.6."), reason="fails by a fault of scikit-learn"
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Write the cases that a test proves into the report, for `make evidence`."""
    for item in items:
        if "check_positive_only_tag_during_fit" in item.name:
            item.add_marker(FAULTY_CHECK)
        if "times" in getattr(item, "fixturenames", ()):
            item.add_marker("soak")
        for marker in item.iter_markers("case"):
            item.user_properties += [("case", str(name)) for name in marker.args]


@pytest.fixture(scope="session")
def times():
    """Choose how often something is tried: ``times(ordinary, soak)``."""
    return lambda ordinary, soak: soak if SOAKING else ordinary


@pytest.fixture(scope="session")
def _movielens_100k():
    try:
        return fetch_movielens("100k", download_if_missing=False)
    except FileNotFoundError:
        pytest.skip("no ml-100k/u.data in the data home (SKLEARN_ATTREC_DATA)")


@pytest.fixture
def movielens_100k(_movielens_100k):
    """MovieLens 100K in the file's order, a fresh copy for each test."""
    return _movielens_100k.copy()


@pytest.fixture
def small_interactions():
    """Twelve users, each six steps along a cycle of eight items, 10 to 17.

    User u starts at item 10 + u % 8. Rows are in time order within a user, no two rows
    share a time, and two items per user remain unseen.
    """
    user, step = np.divmod(np.arange(12 * 6), 6)
    return pd.DataFrame(
        {
            "user_id": user + 1,
            "item_id": 10 + (user + 1 + step) % 8,
            "timestamp": 1_000 * step + user,
        }
    )
