"""scikit-learn's own checks: all estimators pass all of them, without exceptions."""

from unittest import SkipTest

import numpy as np
import pandas as pd
import pytest
import sklearn
from frame_helpers import in_library
from sklearn.utils.estimator_checks import (
    estimator_checks_generator,
    parametrize_with_checks,
)
from sklearn.utils.fixes import parse_version
from test_common import ESTIMATORS

import sklearn_attrec
from sklearn_attrec import PopularityRecommender

VERSION = parse_version(sklearn.__version__).release[:2]

# Some checks score the rows they fitted on, or have users who interacted with all
# items, from whom nothing can be learned. Real data deserve these warnings.
pytestmark = [
    *(
        pytest.mark.filterwarnings(f"ignore::sklearn_attrec.exceptions.{name}")
        for name in ("LeakageWarning", "NoHistoryWarning", "SeenItemWarning")
    ),
    pytest.mark.filterwarnings("ignore:.*no item is left to recommend:UserWarning"),
]


class FrameRecommender(PopularityRecommender):
    """Turns the arrays of the checks into frames, where that is possible."""

    library = None

    def _in_library(self, X):
        is_table = isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] > 1
        if not is_table or X.dtype.kind not in "iuf" or not np.isfinite(X).all():
            return X
        if X.shape[1] != getattr(self, "n_features_in_", X.shape[1]) or len(X) == 0:
            return X
        ids = np.ascontiguousarray(X[:, :2], float).view(int)  # the same bits
        frame = pd.DataFrame(ids, columns=["user_id", "item_id"])
        if X.shape[1] > 2:
            frame["timestamp"] = X[:, 2]
        return in_library(frame, self.library)

    def fit(self, X, y=None):
        vars(self).pop("n_features_in_", None)
        super().fit(self._in_library(X))
        if hasattr(self, "feature_names_in_"):  # of a frame, with three columns at most
            del self.feature_names_in_
            self.n_features_in_ = X.shape[1]
        return self

    def predict(self, user, history=None, **arguments):
        return super().predict(self._in_library(user), history, **arguments)

    def score(self, X, y=None):
        return super().score(self._in_library(X))


class PandasRecommender(FrameRecommender):
    library = "pandas"


class PolarsRecommender(FrameRecommender):
    library = "polars"


class PyarrowRecommender(FrameRecommender):
    library = "pyarrow"


ON_FRAMES = [PandasRecommender(), PolarsRecommender(), PyarrowRecommender()]


@parametrize_with_checks([*ESTIMATORS, *ON_FRAMES])
def test_check(estimator, check):
    try:
        check(estimator)
    except SkipTest as reason:
        pytest.fail(f"skipped, but none may be skipped: {reason}")


@pytest.mark.parametrize("estimator", ON_FRAMES, ids=lambda e: e.library)
def test_arrays_of_the_checks_become_frames(estimator):
    X = estimator._in_library(np.ones((3, 4)))
    assert in_library(pd.DataFrame(), estimator.library).__class__ is X.__class__


@pytest.mark.parametrize(
    "estimator", [*ESTIMATORS, *ON_FRAMES], ids=lambda e: type(e).__name__
)
def test_number_of_checks(estimator):
    # Tags can disable checks silently; two_d_array=False disables nearly all.
    checks = [check for _, check in estimator_checks_generator(estimator)]
    names = {getattr(check, "func", check).__name__ for check in checks}
    assert {"check_set_params", "check_methods_subset_invariance"} <= names
    count = len(checks)
    if VERSION == (1, 9):
        assert count == 41
    else:
        assert count >= (41 if VERSION > (1, 9) else 35)


def test_all_estimators_are_checked():
    public = [getattr(sklearn_attrec, name) for name in sklearn_attrec.__all__]
    public = {thing for thing in public if isinstance(thing, type)}
    assert {type(estimator) for estimator in ESTIMATORS} == public
