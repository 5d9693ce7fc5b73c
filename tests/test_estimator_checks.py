"""scikit-learn's own checks: every estimator passes all of them, none is exempt."""

from unittest import SkipTest

import pytest
import sklearn
from sklearn.utils.estimator_checks import (
    estimator_checks_generator,
    parametrize_with_checks,
)
from sklearn.utils.fixes import parse_version

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
)

# No loss is named: the one that users get by default is the one that is checked.
ESTIMATORS = [
    AttRecRecommender(d=4, max_iter=1, batch_size=32, random_state=0),
    ItemKNNRecommender(),
    MarkovRecommender(),
    PopularityRecommender(),
    SASRecRecommender(d=4, n_blocks=1, max_iter=1, random_state=0),
    SSEPTRecommender(d=4, d_user=4, n_blocks=1, max_iter=1, random_state=0),
]
VERSION = parse_version(sklearn.__version__)

# Some checks score the rows they fitted on, and have users with every item there is,
# from whom nothing can be learned. That is worth a warning anywhere else.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn_attrec.exceptions.LeakageWarning"),
    pytest.mark.filterwarnings("ignore:.*nothing is left to recommend:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*The weights stay random:UserWarning"),
]


@parametrize_with_checks(ESTIMATORS)
def test_check(estimator, check):
    try:
        check(estimator)
    except SkipTest as reason:
        pytest.fail(f"skipped, but none may be: {reason}")


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_number_of_checks(estimator):
    # Tags can switch checks off without a word, two_d_array=False nearly all.
    names = {
        getattr(check, "func", check).__name__
        for _, check in estimator_checks_generator(estimator)
    }
    count = len(list(estimator_checks_generator(estimator)))
    if VERSION.release[:2] == (1, 9):
        assert count == 41
    else:
        assert count >= (41 if VERSION.release > (1, 9) else 35)
    assert names >= {
        "check_dict_unchanged",
        "check_dtype_object",
        "check_estimators_nan_inf",
        "check_estimators_pickle",
        "check_fit2d_1sample",
        "check_fit_check_is_fitted",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_n_features_in_after_fitting",
        "check_readonly_memmap_input",
        "check_set_params",
    }


def test_every_estimator_is_checked():
    import sklearn_attrec

    public = {
        getattr(sklearn_attrec, name)
        for name in sklearn_attrec.__all__
        if isinstance(getattr(sklearn_attrec, name), type)
    }
    assert {type(estimator) for estimator in ESTIMATORS} == public
