"""Filters drop the right rows, from training data only."""

import numpy as np
import pandas as pd
import pytest
from frame_helpers import ARROW_FLOATS
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import (
    estimator_checks_generator,
    parametrize_with_checks,
)

from sklearn_attrec import MarkovRecommender, PopularityRecommender
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError
from sklearn_attrec.preprocessing import DropRepeats, KCoreFilter, RatingThreshold

FILTERS = [
    RatingThreshold(),
    KCoreFilter(min_per_user=2, min_per_item=1),
    DropRepeats(),
]

# These keep every row of the data that scikit-learn's checks make up.
KEEPING = [
    RatingThreshold(-1e9, column=0),
    KCoreFilter(),
    KCoreFilter(min_per_user=1, min_per_item=1),
]
# These drop some, so that fit_transform and transform differ, as they have to.
DROPPING = [RatingThreshold(0, column=0), *map(DropRepeats, ("first", "consecutive"))]
REASON = "rows are dropped by fit_transform and not by transform"
EXPECTED_FAILED_CHECKS = dict.fromkeys(
    [
        "check_transformer_data_not_an_array",
        "check_transformer_general",
    ],
    REASON,
)


@pytest.fixture
def ratings():
    return pd.DataFrame(
        {
            "user_id": ["a", "a", "b", "b", "b", "c"],
            "item_id": [1, 2, 1, 1, 2, 3],
            "rating": [5, 3.5, 4, 1, 4.5, 5],
            "timestamp": [0, 1, 3, 2, 4, 0],
        },
        index=list("uvwxyu"),
    )


def rows_kept(step, X):
    """Positions of the rows that a step keeps."""
    X = X.assign(row=range(len(X)))
    return step.fit_transform(X)["row"].tolist()


@parametrize_with_checks(
    KEEPING + DROPPING,
    expected_failed_checks=lambda estimator: (
        EXPECTED_FAILED_CHECKS if estimator in DROPPING else {}
    ),
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", KEEPING + DROPPING)
def test_number_of_scikit_learn_checks(estimator):
    assert len(list(estimator_checks_generator(estimator))) >= 40


@pytest.mark.parametrize("step", FILTERS)
def test_only_training_data_loses_rows(step, ratings):
    step = clone(step)
    with pytest.raises(NotFittedError, match=type(step).__name__):
        step.transform(ratings)
    kept = step.fit_transform(ratings)
    assert 0 < len(kept) < len(ratings)
    assert step.n_rows_in_ == len(ratings) and step.n_rows_out_ == len(kept)
    assert step.n_features_in_ == 4
    assert step.feature_names_in_.tolist() == ratings.columns.tolist()
    assert clone(step).fit(ratings).n_rows_out_ == len(kept)
    queries = [196, "a", ["a", "b"], np.array([1, 2]), ratings[["user_id"]], ratings]
    for query in queries:
        assert step.transform(query) is query


@pytest.mark.parametrize("step", FILTERS)
def test_frames_keep_labels_dtypes_and_order(step, ratings):
    before = ratings.astype({"user_id": "category"})
    ratings = before.copy()
    kept = clone(step).fit_transform(ratings)
    assert (kept.dtypes == ratings.dtypes).all()
    assert kept.equals(ratings.iloc[rows_kept(clone(step), ratings)])
    kept.iloc[0, 2] = -7.0
    assert ratings.equals(before)


@pytest.mark.parametrize("step", FILTERS[:2])
def test_no_row_left_is_an_error_of_fit_transform(step, ratings):
    one = ratings.assign(rating=1.0).iloc[[0]]
    with pytest.raises(InteractionsError, match=type(step).__name__ + ".* 1 rows"):
        clone(step).fit_transform(one)
    assert clone(step).fit(one).n_rows_out_ == 0
    assert len(DropRepeats().fit_transform(one)) == 1


def test_held_out_rows_all_reach_the_model(ratings):
    class Counter(BaseEstimator):
        def fit(self, X, y=None):
            self.n_fitted_ = len(X)
            return self

        def score(self, X, y=None):
            return len(X)

    pipeline = make_pipeline(RatingThreshold(), DropRepeats(), Counter())
    pipeline.fit(ratings, ratings["item_id"])
    assert pipeline[-1].n_fitted_ == 4
    assert pipeline.score(ratings) == len(ratings)


@pytest.mark.parametrize("step", FILTERS)
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_set_output_keeps_frames_and_queries(step, output, ratings):
    plain = clone(step).fit_transform(ratings)
    step = clone(step).set_output(transform=output)
    model = PopularityRecommender(k=1, exclude_seen=False)
    pipeline = make_pipeline(clone(step), model)
    assert pipeline.set_output(transform=output).fit(ratings).predict("new") == 1
    for query in (["b"], ratings[["user_id", "timestamp"]], ratings):
        assert pipeline.predict(query).shape == (len(query), 1)
        assert pipeline[0].transform(query) is query
    with config_context(transform_output=output):
        for same in (step, clone(step)):
            pd.testing.assert_frame_equal(same.fit_transform(ratings), plain)
    assert same.get_feature_names_out().tolist() == ratings.columns.tolist()


def test_other_outputs_are_refused(ratings):
    step = DropRepeats().set_output(transform="polars")
    with pytest.raises(InvalidParameterError, match="DropRepeats.*'pandas'.*'polars'"):
        step.fit_transform(ratings.to_numpy())
    assert len(step.fit_transform(ratings)) == 5  # frames stay as they are


def test_lists_of_users_pass_a_filter_of_arrays():
    X = np.array([[1, 5, 1], [1, 6, 2], [2, 5, 1], [2, 6, 2], [3, 5, 1], [3, 7, 2]])
    pipeline = make_pipeline(DropRepeats(), MarkovRecommender(k=1)).fit(X)
    assert pipeline.predict([1, 2]).tolist() == [[7], [7]]


@pytest.mark.parametrize(
    "step", [RatingThreshold(2, column=2), KCoreFilter(min_per_item=1), DropRepeats()]
)
def test_set_output_converts_arrays(step):
    X = np.array([[1, 7, 3], [1, 8, 4], [1, 9, 5], [1, 6, 6], [1, 5, 7]])
    step = clone(step).set_output(transform="pandas")
    for frame in (step.fit_transform(X), step.transform(X)):
        assert frame.columns.tolist() == ["x0", "x1", "x2"]
        assert (frame.to_numpy() == X).all()
    step.set_output(transform="default")
    assert type(step.fit_transform(X)) is type(step.transform(X)) is np.ndarray


def test_rating_threshold(ratings):
    assert rows_kept(RatingThreshold(), ratings) == [0, 2, 4, 5]
    assert rows_kept(RatingThreshold(4.1), ratings) == [0, 4, 5]
    assert rows_kept(RatingThreshold(2, column="timestamp"), ratings) == [2, 3, 4]
    for dtype in ["string", "object", "Float64", "float32"]:
        other = ratings.astype({"rating": dtype})
        assert rows_kept(RatingThreshold(), other) == [0, 2, 4, 5]


def test_rating_threshold_reads_arrays_by_position():
    X = np.array([[1, 7, 0, 5], [1, 8, 1, 3]])
    for column in (3, -1):
        kept = RatingThreshold(column=column).fit_transform(X)
        assert kept.tolist() == [[1, 7, 0, 5]] and kept.dtype == X.dtype
    mixed = RatingThreshold(column=2).fit_transform([[1, "x", 5], [1, "y", 2]])
    assert mixed.tolist() == [[1, "x", 5]]
    for column in ("rating", 4):
        message = rf"'column'.*\[-4, 3\].*{column!r}"
        with pytest.raises(InvalidParameterError, match=message):
            RatingThreshold(column=column).fit(X)


@pytest.mark.parametrize(
    ("step", "values", "error", "message"),
    [
        (RatingThreshold(column="stars"), 5, InteractionsError, "'stars'.*column="),
        (RatingThreshold(), [1, None] * 3, InteractionsError, "3 missing.*row 1"),
        (
            RatingThreshold(),
            ARROW_FLOATS.take([0, 2] * 3),
            InteractionsError,
            "3 missing",
        ),
        (RatingThreshold(), pd.Timestamp("2020"), TypeError, "'rating'.*number"),
        (RatingThreshold(), "good", InteractionsError, "'rating'.*good"),
        (RatingThreshold(), [{"stars": 5}] * 6, TypeError, "'rating'"),
        (RatingThreshold("4"), 5, InvalidParameterError, "'threshold'.*'4'"),
        (RatingThreshold(np.nan), 5, InvalidParameterError, "'threshold'.*nan"),
        (KCoreFilter(min_per_user=0), 5, InvalidParameterError, r"'min_per_user'.* 0"),
        (KCoreFilter(min_per_item=2.5), 5, InvalidParameterError, "'min_per_item'.*2"),
        (DropRepeats("none"), 5, InvalidParameterError, "'keep'.*'first', 'last'"),
    ],
)
def test_bad_columns_and_parameters(step, values, error, message, ratings):
    for method in (step.fit, step.fit_transform):
        with pytest.raises(error, match=message) as raised:
            method(ratings.assign(rating=values))
        assert type(step).__name__ in str(raised.value)


def k_core_by_loop(users, items, min_per_user, min_per_item):
    """Drop one rare row after the other until none is left."""
    rows = list(range(len(users)))
    while True:
        for r in rows:
            if (
                sum(users[r] == users[s] for s in rows) < min_per_user
                or sum(items[r] == items[s] for s in rows) < min_per_item
            ):
                rows.remove(r)
                break
        else:
            return rows


pairs = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=40
)


@given(pairs=pairs, min_per_user=st.integers(1, 4), min_per_item=st.integers(1, 4))
def test_k_core_is_the_largest(pairs, min_per_user, min_per_item):
    users, items = zip(*pairs, strict=True)
    X = pd.DataFrame({"user_id": users, "item_id": items})
    expected = k_core_by_loop(users, items, min_per_user, min_per_item)
    step = KCoreFilter(min_per_user=min_per_user, min_per_item=min_per_item)
    assert step.fit(X).n_rows_out_ == len(expected)
    assert not expected or rows_kept(step, X) == expected


@pytest.mark.parametrize(
    "X",
    [
        np.array([[1, 7], [1, 8], [2, 7]]),
        [[1, "x"], [1, "y"], [2, "x"]],
        np.array([["b", "x"], ["b", "y"], ["a", "x"]]),
    ],
)
def test_k_core_of_arrays_and_lists(X):
    kept = KCoreFilter(min_per_user=2, min_per_item=1).fit_transform(X)
    assert kept.tolist() == [list(row) for row in X[:2]]


@pytest.mark.parametrize(
    ("keep", "by_time", "by_row"),
    [
        ("first", [0, 1, 3, 4, 5], [0, 2, 4, 6]),
        ("last", [0, 1, 2, 4, 5], [3, 4, 5, 6]),
        ("consecutive", [0, 1, 3, 4, 5], [0, 2, 3, 4, 5, 6]),
    ],
)
def test_drop_repeats(keep, by_time, by_row, ratings):
    assert rows_kept(DropRepeats(keep), ratings) == by_time
    X = pd.DataFrame({"user_id": list("aaaabab"), "item_id": list("xxyxxyy")})
    assert rows_kept(DropRepeats(keep), X) == by_row
    assert rows_kept(DropRepeats(keep), X.assign(timestamp=0)) == by_row
    # The last item of "a" is the first of "b".
    other = pd.DataFrame({"user_id": ["a", "b"], "item_id": ["x", "x"]})
    assert rows_kept(DropRepeats(keep), other) == [0, 1]


@pytest.mark.parametrize("step", [KCoreFilter(), DropRepeats()])
def test_unusable_interactions(step):
    with pytest.raises(InteractionsError, match=f"{type(step).__name__}.*'user_id'"):
        step.fit(pd.DataFrame({"user": [1], "item": [2]}))
