"""Frames of polars and pyarrow: the answers of pandas, returned in their library."""

import sys
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
from frame_helpers import LIBRARIES, in_library
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.utils.fixes import parse_version

from sklearn_attrec import (
    MarkovRecommender,
    PopularityRecommender,
)
from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.frames import library_of, to_pandas
from sklearn_attrec._interactions.ids import check_ids
from sklearn_attrec._interactions.times import check_times
from sklearn_attrec._interactions.weights import check_weights
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.metrics import (
    catalogue_coverage,
    evaluate,
    make_multi_ranking_scorer,
    make_ranking_scorer,
    mrr,
    novelty,
    ranks_in_lists,
)
from sklearn_attrec.model_selection import (
    LeaveLastOut,
    TimeCutoffSplit,
    UserKFold,
    leave_last_out_split,
)
from sklearn_attrec.preprocessing import DropRepeats, KCoreFilter, RatingThreshold

NATIVE = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.Table}
FRAMES = {"polars": pl.DataFrame, "lazy": pl.LazyFrame, "pyarrow": pa.table}

each_library = pytest.mark.parametrize("library", LIBRARIES[1:])
each_frame = pytest.mark.parametrize("make", FRAMES.values(), ids=[*FRAMES])


def assert_same(frame, expected, library):
    """Expect a frame of a library with these values, whatever the index."""
    assert isinstance(frame, NATIVE[library])
    expected = expected.reset_index(drop=True)
    found = to_pandas(frame, needed=None)
    assert_frame_equal(found, expected, check_dtype=False, check_column_type=False)


@pytest.fixture
def split(small_interactions):
    return leave_last_out_split(small_interactions.sample(frac=1, random_state=0))


# Values


@pytest.mark.parametrize(
    ("column", "ids"),
    [
        (pl.Series(["a\0", "b"]), ["a\0", "b"]),
        (pl.Series(["b", "a"], dtype=pl.Categorical), ["b", "a"]),
        (pl.Series(["b", "a"], dtype=pl.Enum(["a", "b"])), ["b", "a"]),
        (pl.Series([3, 1, 2])[::2], [3, 2]),
        (pl.concat([pl.Series([3]), pl.Series([1])], rechunk=False), [3, 1]),
        (pl.Series([3, 1], dtype=pl.UInt16).rechunk(), np.array([3, 1], "u2")),
        (pa.array(["b", "a"], pa.large_string()), ["b", "a"]),
        (pa.array(["b", "a", "b"]).dictionary_encode(), ["b", "a", "b"]),
        (pa.array([7, 8], pa.int16()).dictionary_encode(), np.array([7, 8], "i2")),
        (pa.chunked_array([[3], [], [1, 2]])[1:], [1, 2]),
        (pa.array([1, 2**64 - 1], pa.uint64()), np.array([1, 2**64 - 1], "u8")),
    ],
    ids=lambda value: str(getattr(value, "dtype", getattr(value, "type", ""))),
)
def test_ids_are_kept(column, ids):
    expected = np.array(ids, dtype=object if isinstance(ids[0], str) else None)
    make = pl.DataFrame if isinstance(column, pl.Series) else pa.table
    frame = make({"user_id": column, "item_id": column})
    for found in check_interactions(frame, caller="")[:2]:
        assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


@each_frame
@pytest.mark.parametrize(
    ("column", "values", "error", "message"),
    [
        ("item_id", ["a", None], InteractionsError, "1 missing id, first at row 1"),
        ("item_id", [Decimal(1), Decimal(2)], TypeError, "2 Decimal"),
        ("item_id", [[1], [2]], TypeError, "2 list"),
        ("item_id", [{"a": 1}] * 2, TypeError, "2 dict"),
        ("item_id", [None, None], InteractionsError, "2 missing id"),
        ("timestamp", [time(1), time(2)], TypeError, "2 time.*no date.*to_pandas"),
        ("timestamp", [timedelta(1)] * 2, TypeError, "2 timedelta64"),
    ],
)
def test_unusable_values(make, column, values, error, message):
    columns = {"user_id": [1, 2], "item_id": [3, 4], "timestamp": [5, 6]}
    with pytest.raises(error, match=f"column '{column}': .*{message}"):
        check_interactions(make(columns | {column: values}), caller="")


def test_missing_values_of_a_dictionary_are_found():
    ids = pa.array(["a", None, "b"]).dictionary_encode()
    with pytest.raises(InteractionsError, match="1 missing id, first at row 1: nan"):
        check_interactions(pa.table({"user_id": ids, "item_id": ids}), caller="")


DAY = datetime(2020, 1, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_are_in_utc(unit):
    dates = pa.array([DAY], pa.timestamp(unit, "Asia/Tokyo"))
    table = pa.table({"user_id": [1], "item_id": [2], "timestamp": dates})
    for frame in (table, pl.from_arrow(table)):
        (found,) = check_interactions(frame, caller="").times
        assert found == np.datetime64("2020-01-02T03")
        assert found.dtype == f"M8[{unit}]"


# The advice in messages

IDS = {"user_id": [1], "item_id": [2]}


def follow(call, X):
    """Evaluate a call that a message advises."""
    names = {"X": X, "pd": pd, "polars": pl, "pyarrow": pa}
    return eval(call.removeprefix("X = ").rstrip("."), names)  # noqa: S307


@each_frame
@pytest.mark.parametrize(
    ("columns", "start"),
    [
        ({"user": [1], "sku": [2], "ts": [3]}, "these names: "),
        (IDS | {"day": [DAY]}, "this column: "),
        (IDS | {"day": [DAY]}, "drop it: "),
        (IDS | {"date": ["2020-01-02"], "time": ["3:04"]}, "this column: "),
        (IDS | {"timestamp": ["2020-01-02"]}, "as in "),
    ],
)
def test_advice_about_columns_works(make, columns, start):
    X = make(columns)
    with pytest.raises((InteractionsError, TypeError)) as caught:
        check_interactions(X, caller="")
    call = str(caught.value).split(start)[1].split(", with format")[0]
    fixed = follow(call.split(". If the rows")[0], X)
    times = check_interactions(fixed, caller="").times
    assert (times is None) == (start == "drop it: ")


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [("2020-01-02", "as in ", np.datetime64("2020-01-02")), ("7", "or with ", 7)],
)
def test_advice_about_categories_of_times_works(text, start, expected):
    times = pl.Series("timestamp", ["0", text], dtype=pl.Categorical)[1:]
    X = pl.DataFrame(IDS | {"timestamp": times})
    with pytest.raises(TypeError, match="1 str") as caught:
        check_interactions(X, caller="")
    call = str(caught.value).split(start)[1].split(", with format")[0].rstrip(".")
    call = call if call.startswith("X.") else f"X.with_columns({call})"
    assert check_interactions(follow(call, X), caller="").times == [expected]


@pytest.mark.parametrize(
    "ids",
    [
        pl.Series([True, False]),
        pl.Series([timedelta(1), timedelta(2)]),
        pl.Series([[1], [2]]),
        pl.Series([1, "a"], dtype=pl.Object),
        pa.chunked_array([[Decimal(1), Decimal(2)]]),
        pa.chunked_array([[time(1), time(2)]]),
        pa.chunked_array([[{"a": 1}, {"a": 2}]]),
        pa.chunked_array([[(1, 2, 3), (1, 2, 4)]], pa.month_day_nano_interval()),
    ],
    ids=lambda ids: str(getattr(ids, "dtype", getattr(ids, "type", ""))),
)
def test_advice_to_cast_ids_works(ids):
    with pytest.raises(TypeError, match="Cast them all") as caught:
        check_ids(ids, name="ids", caller="")
    call = str(caught.value).split("as in ")[1]
    assert len(set(check_ids(follow(f"X{call}", ids), name="ids", caller=""))) == 2


@each_frame
def test_lists_that_may_be_times_are_sampled(make):
    n = 3_000
    X = make({"user_id": [1] * n, "item_id": [*range(n)], "seen_at": [[7]] * n})
    with pytest.raises(InteractionsError, match="'seen_at'.* may contain the time"):
        check_interactions(X, caller="")
    assert to_pandas(X)["seen_at"].notna().sum() == 1_000


@each_frame
@pytest.mark.parametrize(
    ("weights", "start"),
    [([-1, 1], "weight to 0: "), (["1", "2"], "first: "), ([0, 0], "equally: ")],
)
def test_advice_about_weights_works(make, weights, start):
    X = make({"user_id": [1, 2], "item_id": [3, 4], "weight": weights})
    with pytest.raises(InteractionsError) as caught:
        check_weights(to_pandas(X), "")
    call = str(caught.value).split(start)[1].split(" If the column")[0]
    weights = check_weights(to_pandas(follow(call, X)), "")
    assert weights is None or (weights >= 0).all()


@each_frame
@pytest.mark.parametrize("missing", [None, float("nan")])
def test_advice_about_missing_values_works(make, missing):
    times = [1.0, missing] if missing else [1, None]
    columns = {"user_id": [1, 2], "item_id": [3, 4], "timestamp": times}
    X = make(columns | {"rating": [None, 5]})  # which may be missing
    with pytest.raises(InteractionsError, match="1 missing time.*row 1") as caught:
        check_interactions(X, caller="")
    call = str(caught.value).split("rows, as in ")[1].split(", or fill")[0]
    call = call.replace("subset=...", "subset=['timestamp']")
    call = call.replace("(...)", "(X['timestamp'])")
    fixed = follow(f"X{call}", X)
    assert check_interactions(fixed, caller="").times.tolist() == [1]


@pytest.mark.parametrize("column", [pl.Series, pa.array])
@pytest.mark.parametrize("missing", [None, float("nan")])
def test_advice_to_fill_in_missing_values_works(column, missing):
    times = column([1.0, missing])
    with pytest.raises(InteractionsError, match="1 missing") as caught:
        check_times(times, "")
    call = str(caught.value).split("them in, as in ")[1].rstrip(".")
    assert check_times(follow(f"X{call}(2)", times), "").tolist() == [1, 2]


# Answers


@each_library
def test_answers_equal_those_of_pandas(library, split):
    (train, test), kept = split, {"exclude_seen": False, "k": 3}
    X, Y = in_library(train, library), in_library(test, library)
    expected = MarkovRecommender(**kept).fit(train)
    model = MarkovRecommender(**kept).fit(X)
    for name, weights in expected.weights_.items():
        assert_array_equal(model.weights_[name], weights)
    assert_array_equal(model.feature_names_in_, ["user_id", "item_id", "timestamp"])
    assert model.n_features_in_ == 3
    assert_array_equal(model.predict(Y), expected.predict(test))
    assert model.score(Y) == expected.score(test)
    assert_array_equal(model.target_ranks(Y), expected.target_ranks(test))
    for users in (test, test["user_id"]):
        same = in_library(users, library)
        table = expected.recommend(users)
        assert_same(model.recommend(same), table, library)
        assert catalogue_coverage(model.recommend(same), model.items_) > 0
        vectors = model.query_vectors(same).toarray()
        assert_array_equal(vectors, expected.query_vectors(users).toarray())
    items = pd.Series([10, 12])
    similar = expected.similar_items(items)
    assert_same(model.similar_items(in_library(items, library)), similar, library)
    metrics = evaluate(expected, test).rename_axis("recommender").reset_index()
    assert_same(evaluate(model, Y), metrics, library)


@each_library
def test_histories_and_rules(library, small_interactions):
    model = MarkovRecommender(k=2, exclude_seen=False).fit(small_interactions)
    users = pd.Series([4, 7])
    log = pd.DataFrame({"user_id": [4, 7, 7], "item_id": [11, 10, 13]})
    lists = pd.Series([[11], [10, 13]])
    expected = model.predict([4, 7], [[11], [10, 13]])
    asked = in_library(users, library)
    for history in (log, lists):
        found = model.predict(asked, in_library(history, library))
        assert_array_equal(found, expected)
    columns = [in_library(pd.Series(items), library) for items in lists]
    assert_array_equal(model.predict(asked, columns), expected)
    assert_array_equal(model.predict(4, columns[0]), expected[0])
    assert_array_equal(model.predict(4, {4: columns[0]}), expected[0])
    for name in ("exclude", "candidates"):
        for rule in (log, log["item_id"]):
            table = model.recommend([4, 7], **{name: in_library(rule, library)})
            assert_frame_equal(table, model.recommend([4, 7], **{name: rule}))
        assert_array_equal(
            model.predict(4, **{name: {4: columns[0]}}),
            model.predict(4, **{name: {4: [11]}}),
        )


@each_library
def test_lists_are_in_the_order_of_the_users(library):
    # The numbers of rows could as well be users: pandas refuses such a Series.
    model = MarkovRecommender(k=1).fit(
        pd.DataFrame({"user_id": [0, 0, 1, 1], "item_id": [5, 6, 6, 5]})
    )
    users, lists = pd.Series([1, 0]), pd.Series([[5], [6]])
    queried = model.predict(in_library(users, library), in_library(lists, library))
    assert queried.tolist() == [[6], [5]]


@each_library
def test_a_column_of_lists_is_no_table(library, small_interactions):
    model = PopularityRecommender(k=1).fit(small_interactions.iloc[:, :2])
    rows = in_library(pd.Series([[4, 11], [7, 10]]), library)
    with pytest.raises(InteractionsError, match="lists, not of users. Pass a column"):
        model.predict(rows)
    calls = (model.fit, model.score, leave_last_out_split, KCoreFilter().fit_transform)
    for call in calls:
        with pytest.raises(TypeError, match="got Series"):
            call(rows)
    with pytest.raises(InteractionsError, match="'exclude' is a list of lists"):
        model.predict([4, 7], exclude=rows)


@each_library
def test_lists_have_no_labels(library):
    # A frame of users with the labels 1, 0 would reorder a Series of pandas.
    model = MarkovRecommender(k=1).fit(
        pd.DataFrame({"user_id": [0, 0, 1, 1], "item_id": [5, 6, 6, 5]})
    )
    users = pd.DataFrame({"user_id": [1, 0]}, index=[1, 0])
    lists = in_library(pd.Series([[5], [6]]), library)
    assert model.predict(users, lists).tolist() == [[6], [5]]
    assert model.predict(1, in_library(pd.Series([[5]]), library)).tolist() == [6]


@each_library
def test_metrics_distinguish_all_text(library):
    # NumPy drops a final "\0" if it makes an array of text.
    ids = in_library(pd.Series(["a", "a\0"]), library)
    assert mrr([1, 2], users=ids) == 0.75
    assert ranks_in_lists(ids, [["a"], ["a"]]).tolist() == [1, np.inf]
    assert catalogue_coverage([["a"]], ids) == 0.5
    counts = pd.Series([1, 3], pd.Index(["a", "a\0"], name="item_id"))
    assert novelty([["a"]], ids, counts) == 2


# The library of results


@each_library
def test_results_are_in_the_library_of_the_argument(library, small_interactions):
    X = in_library(small_interactions, library)
    for fitted_on in (X, small_interactions):
        model = PopularityRecommender(k=1).fit(fitted_on)
        for users in (X, in_library(pd.Series([1]), library)):
            assert library_of(model.recommend(users)) == library
        for users in (None, 1, [1, 2], np.array([1, 2]), pd.Index([1])):
            assert library_of(model.recommend(users)) == "pandas"
        assert library_of(model.similar_items([10])) == "pandas"


def test_text_of_empty_results(small_interactions):
    words = small_interactions.astype({"user_id": str, "item_id": str})
    users = pl.DataFrame({"user_id": ["1"]})
    model = PopularityRecommender(k=1).fit(words)
    with pytest.warns(UserWarning, match="no item is left"):
        table = model.recommend(users, exclude=list(model.items_))
    assert table.schema["item_id"] == pl.String
    assert len(table) == 0


def test_polars_does_not_need_pyarrow(small_interactions, monkeypatch):
    frame = in_library(small_interactions, "polars")
    users = small_interactions[["user_id"]]
    expected = PopularityRecommender().fit(small_interactions).recommend(users)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    found = PopularityRecommender().fit(frame).recommend(frame.select("user_id"))
    assert_same(found, expected, "polars")


# Splits, filters and scikit-learn's tools


@each_frame
def test_splits_and_filters_keep_the_library(make, small_interactions):
    X = make({name: small_interactions[name].to_numpy() for name in small_interactions})
    library = library_of(X)
    for part, rows in zip(
        leave_last_out_split(X), leave_last_out_split(small_interactions), strict=True
    ):
        assert_same(part, rows, library)
    for splitter in (LeaveLastOut(), TimeCutoffSplit(), UserKFold(3)):
        splits = zip(splitter.split(X), splitter.split(small_interactions), strict=True)
        for found, expected in splits:
            assert_array_equal(np.concatenate(found), np.concatenate(expected))
    for step in (
        DropRepeats(),
        KCoreFilter(min_per_item=10, min_per_user=1),
        RatingThreshold(12, column="item_id"),
    ):
        rows = step.fit_transform(small_interactions)
        assert_same(step.fit_transform(X), rows, library)
        assert_array_equal(step.feature_names_in_, [*small_interactions])
        assert step.transform(X) is X


def test_a_lazy_frame_is_collected_once(small_interactions):
    frame, counts = in_library(small_interactions, "polars"), []
    lazy = frame.lazy().map_batches(lambda batch: counts.append(1) or batch)
    model = PopularityRecommender().fit(lazy)
    train, test = leave_last_out_split(frame)
    calls = [
        lambda: model.fit(lazy),
        lambda: model.recommend(lazy, k=1),
        lambda: KCoreFilter().fit_transform(lazy),
        lambda: leave_last_out_split(lazy),
        lambda: next(LeaveLastOut().split(lazy)),
    ]
    for call in calls:
        counts.clear()
        call()
        assert len(counts) == 1
    fitted = PopularityRecommender().fit(train)
    test = test.lazy().map_batches(lambda batch: counts.append(1) or batch)
    for scorer in (evaluate, make_multi_ranking_scorer("ndcg", per_user=True)):
        counts.clear()
        scorer(fitted, test)
        assert len(counts) == 1


@each_library
def test_searches(library, small_interactions):
    is_old = parse_version(sklearn.__version__) < parse_version("1.7")
    if library == "pyarrow" and is_old:
        pytest.skip("scikit-learn cannot select rows of pyarrow tables")
    results = []
    for X in (small_interactions, in_library(small_interactions, library)):
        model = MarkovRecommender(exclude_seen=False)
        steps = make_pipeline(KCoreFilter(min_per_user=2), DropRepeats("last"), model)
        search = GridSearchCV(
            steps,
            {"markovrecommender__smoothing": [0.1, 0.9]},
            cv=LeaveLastOut(),
            scoring=make_ranking_scorer("mrr", k=None),
            error_score="raise",
        )
        scores = search.fit(X).cv_results_["mean_test_score"]
        folds = cross_validate(
            model,
            X,
            cv=UserKFold(3),
            scoring=make_ranking_scorer(context="earlier"),
            error_score="raise",
        )
        results.append([*scores, *folds["test_score"]])
    assert results[0] == results[1]


def test_searches_refuse_lazy_frames(small_interactions):
    lazy = in_library(small_interactions, "polars").lazy()
    with pytest.raises(TypeError, match="LazyFrame"):
        GridSearchCV(PopularityRecommender(), {}, cv=LeaveLastOut()).fit(lazy)


def test_columns_that_are_not_read_may_hold_anything(small_interactions):
    frame = in_library(small_interactions, "polars")
    other = pl.Series("other", [object()] * len(frame), dtype=pl.Object)
    assert to_pandas(frame.with_columns(other)).shape[1] == 3
    assert PopularityRecommender().fit(frame.with_columns(other)).n_features_in_ == 3


def test_values_of_arrow_must_be_converted(small_interactions):
    model = PopularityRecommender(k=1).fit(small_interactions)
    with pytest.raises(TypeError, match=r"first value is a .*Int64Scalar.*\.as_py\(\)"):
        model.predict([*pa.array([1])])
    with pytest.raises(TypeError, match=r"pyarrow ListScalar.*\.as_py\(\)"):
        model.predict(1, {1: pa.array([[10]])[0]})
