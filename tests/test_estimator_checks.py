"""scikit-learn's own checks: all estimators pass all of them, without exceptions."""

from unittest import SkipTest

import pytest
import sklearn
from sklearn.utils.estimator_checks import (
    estimator_checks_generator,
    parametrize_with_checks,
)
from sklearn.utils.fixes import parse_version
from test_common import ESTIMATORS

import sklearn_attrec

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


@parametrize_with_checks(ESTIMATORS)
def test_check(estimator, check):
    try:
        check(estimator)
    except SkipTest as reason:
        pytest.fail(f"skipped, but none may be skipped: {reason}")


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
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
