"""What is refused, in which words, and what only looks bad and is accepted."""

import copy
import itertools
import re
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
)
from sklearn_attrec.exceptions import (
    InteractionsError,
    InvalidParameterError,
    LeakageWarning,
    TrainingDivergedError,
    UnknownUserError,
)
from sklearn_attrec.model_selection import LeaveLastOut, leave_last_out_split

SMALL = {"d": 4, "L": 3, "max_iter": 1, "batch_size": 16, "k": 3, "random_state": 0}
TINY = {**SMALL, "n_blocks": 1, "n_heads": 2, "loss": "softmax", "dropout": 0.2}
NETWORKS = [
    AttRecRecommender(**SMALL),
    SASRecRecommender(**TINY),
    SSEPTRecommender(**TINY, d_user=2),
]
MODELS = [
    *NETWORKS,
    ItemKNNRecommender(k=3),
    MarkovRecommender(k=3),
    PopularityRecommender(k=3),
]
INT64, UINT64 = np.iinfo(np.int64), np.iinfo(np.uint64)


def name_of(value):
    """Name a parameter alike in every process: not by its address."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


networks = pytest.mark.parametrize("network", NETWORKS, ids=lambda m: type(m).__name__)
ids_of_models = pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)


def attrec(**params):
    return AttRecRecommender(**{**SMALL, **params})


def sasrec(**params):
    return SASRecRecommender(**{**TINY, **params})


def sse_pt(**params):
    return SSEPTRecommender(**{**TINY, "d_user": 2, **params})


def variants():
    """Each network with each of its losses."""
    for make, losses in [
        (attrec, ["hinge", "bpr", "softmax"]),
        (sasrec, ["bce", "gbce", "softmax", "sampled_softmax"]),
    ]:
        for loss in losses:
            yield pytest.param(make, loss, id=f"{make.__name__}-{loss}")


every_loss = pytest.mark.parametrize(("make", "loss"), list(variants()))


def frame_of(users, items, times=None):
    frame = pd.DataFrame({"user_id": users, "item_id": items})
    return frame if times is None else frame.assign(timestamp=times)


def good():
    return frame_of([1, 1, 1, 2, 2, 2], [5, 6, 7, 6, 7, 8], [1, 3, 5, 2, 4, 6])


def with_values(column, values):
    """Six good rows, the first of them with other values in one column."""
    old = good()[column].astype(object).tolist()
    values = [*values, *old[len(values) :]]
    return good().assign(**{column: pd.Series(values, dtype=object)})


def assert_refused(call, error, *parts):
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    for part in parts:
        assert part in message, f"{part!r} is not in {message!r}"


def assert_same_model(model, frame, other):
    """Two forms of the same interactions make the same model."""
    first, second = clone(model).fit(frame), clone(model).fit(other)
    assert_frame_equal(first.recommend(), second.recommend(), check_exact=True)


# Frames and their columns


BAD_FRAMES = {
    "None": (lambda: None, TypeError, ["NoneType", "DataFrame", "2-D array"]),
    "no rows": (
        lambda: good().iloc[:0],
        InteractionsError,
        ["0 rows", "at least 1 is needed"],
    ),
    "no columns": (
        lambda: pd.DataFrame(),
        InteractionsError,
        ["no column 'user_id' and no column 'item_id'", "X.rename(columns="],
    ),
    "no item_id": (
        lambda: good().rename(columns={"item_id": "Item"}),
        InteractionsError,
        ["no column 'item_id'", "'Item'", "X.rename(columns={'Item': 'item_id'})"],
    ),
    "space in a name": (
        lambda: good().rename(columns={"item_id": "item_id "}),
        InteractionsError,
        ["X.rename(columns={'item_id ': 'item_id'})"],
    ),
    "doubled column": (
        lambda: pd.concat([good(), good()[["user_id"]]], axis=1),
        InteractionsError,
        ["'user_id' appears 2 times", "X.columns.duplicated()"],
    ),
    "MultiIndex": (
        lambda: pd.concat({"top": good()}, axis=1),
        TypeError,
        ["MultiIndex", "X.droplevel"],
    ),
    "Series": (lambda: good()["user_id"], TypeError, ["Series", "DataFrame"]),
    "dict": (lambda: good().to_dict("list"), TypeError, ["dict", "DataFrame"]),
    "generator": (lambda: (r for r in [[1, 2]]), TypeError, ["generator", "DataFrame"]),
    "one column": (
        lambda: np.ones((4, 1)),
        InteractionsError,
        ["1 feature(s)", "at least 2", "user, item"],
    ),
    "sparse": (
        lambda: sparse.csr_array(good().to_numpy()),
        TypeError,
        ["dense data is required"],
    ),
    "time under another name": (
        lambda: good().rename(columns={"timestamp": "ts"}),
        InteractionsError,
        ["X.rename(columns={'ts': 'timestamp'})", "X.drop(columns=['ts'])"],
    ),
    "datetimes under another name": (
        lambda: good().rename(columns={"timestamp": "x"}).astype({"x": "M8[s]"}),
        InteractionsError,
        ["['x'] may hold the time", "X.rename(columns={'x': 'timestamp'})"],
    ),
}


BAD_IDS = {
    "NaN": ([np.nan, 1, np.nan], InteractionsError, ["2 missing ids", "row 0"]),
    "None": ([1, None], InteractionsError, ["1 missing id", "row 1: None"]),
    "NA": ([1, 1, pd.NA], InteractionsError, ["1 missing id", "row 2: <NA>"]),
    "NaT": ([1, pd.NaT], InteractionsError, ["1 missing id", "row 1: NaT"]),
    "empty": (["a", "", ""] + ["b"] * 3, InteractionsError, ["2 empty ids", "row 1"]),
    "whole floats": (
        pd.Series([1.0, 2.0, 1.0, 2.0, 3.0, 3.0]),
        TypeError,
        ["6 float ids", "row 0: 1.0", "Int64"],
    ),
    "fractions": (
        pd.Series([1.0, 2.5, 1.5, 2.0, 3.0, 3.0]),
        InteractionsError,
        ["2 fractional ids", "row 1: 2.5", "whole numbers"],
    ),
    "infinite": (
        pd.Series([1.0, 2.0, np.inf, 2.0, 3.0, 3.0]),
        InteractionsError,
        ["1 infinite id", "row 2: inf"],
    ),
    "booleans": (
        pd.Series([True, False] * 3),
        TypeError,
        ["6 bool", "row 0: True", ".astype(str)"],
    ),
    "int and str": (
        [1, "1"],
        TypeError,
        ["5 int (first at row 0: 1)", "1 str (first at row 1: '1')", ".astype(str)"],
    ),
    "equal in Python": (
        [1, True, 1.0],
        TypeError,
        ["1 bool (first at row 1: True)", "1 float (first at row 2: 1.0)"],
    ),
    "too wide": ([1, 2**64], InteractionsError, ["1 too wide id", "row 1", "cast"]),
}

BAD_TIMES = {
    "NaN": ([1, np.nan], InteractionsError, ["1 missing time", "row 1: nan"]),
    "NaT": ([pd.NaT] * 6, InteractionsError, ["6 missing times", "row 0: NaT"]),
    "inf": ([1.0, np.inf], InteractionsError, ["1 infinite time", "row 1: inf"]),
    "-inf": ([-np.inf, np.inf], InteractionsError, ["2 infinite times", "row 0: -inf"]),
    "strings": (list("109876"), TypeError, ["6 str", "row 0: '1'", "pd.to_datetime"]),
    "str and int": ([1, "2"], TypeError, ["5 int", "1 str (first at row 1: '2')"]),
    "with and without zone": (
        [pd.Timestamp("2020-01-01"), *[pd.Timestamp("2020-01-02", tz="UTC")] * 5],
        TypeError,
        ["1 without a time zone (first at row 0", "5 with", "utc=True"],
    ),
}


@ids_of_models
@pytest.mark.parametrize("case", BAD_FRAMES)
def test_fit_refuses_frames(model, case):
    make, error, parts = BAD_FRAMES[case]
    model = clone(model)
    scope = [] if case == "sparse" else [f"{type(model).__name__}.fit: "]
    assert_refused(lambda: model.fit(make()), error, *scope, *parts)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)


@ids_of_models
@pytest.mark.parametrize("column", ["user_id", "item_id"])
@pytest.mark.parametrize("case", BAD_IDS)
def test_fit_refuses_ids(model, case, column):
    values, error, parts = BAD_IDS[case]
    frame = with_values(column, values)
    if isinstance(values, pd.Series):
        frame[column] = values
    before, model = frame.copy(deep=True), clone(model)
    head = f"{type(model).__name__}.fit: column '{column}': "
    assert_refused(lambda: model.fit(frame), error, head, *parts)
    assert_frame_equal(frame, before)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)


@ids_of_models
@pytest.mark.parametrize("case", BAD_TIMES)
def test_fit_refuses_times(model, case):
    values, error, parts = BAD_TIMES[case]
    head = f"{type(model).__name__}.fit: column 'timestamp': "
    frame = with_values("timestamp", values)
    assert_refused(lambda: clone(model).fit(frame), error, head, *parts)


@pytest.mark.parametrize("method", ["predict", "recommend", "score", "target_ranks"])
def test_other_methods_refuse_the_same(method):
    model = PopularityRecommender().fit(good())
    call = getattr(model, method)
    head = "PopularityRecommender."
    for case in ("no rows", "no columns", "doubled column", "MultiIndex"):
        make, error, parts = BAD_FRAMES[case]
        parts = parts if case != "no columns" else ["no column 'user_id'"]
        assert_refused(lambda make=make: call(make()), error, head, *parts)
    for case, (values, error, parts) in BAD_IDS.items():
        frame = with_values("user_id", values)
        if isinstance(values, pd.Series):
            frame["user_id"] = values
        assert_refused(
            lambda frame=frame: call(frame), error, head, "column 'user_id'", *parts
        )
        if "float" not in case:  # a list of users reads the same way
            users = list(frame["user_id"])
            if method in ("predict", "recommend"):
                assert_refused(lambda users=users: call(users), error, head, *parts)
    for values, error, parts in BAD_TIMES.values():
        frame = with_values("timestamp", values)
        assert_refused(lambda frame=frame: call(frame), error, head, *parts)


def test_foreign_tables_are_sent_to_pandas():
    table = type("DataFrame", (), {"__module__": "polars.dataframe.frame"})()
    fitted = PopularityRecommender().fit(good())
    parts = ["polars DataFrame", ".to_pandas()"]
    assert_refused(lambda: attrec().fit(table), TypeError, "fit", *parts)
    assert_refused(lambda: fitted.score(table), TypeError, "score", *parts)
    assert_refused(lambda: fitted.predict(table), TypeError, "predict", *parts)


# What is accepted, and means the same


@ids_of_models
@pytest.mark.parametrize(
    "index", [[7] * 6, list("abcdef"), [5, 3, 1, 0, 2, 4]], ids=["one", "str", "mixed"]
)
def test_any_index(model, index):
    assert_same_model(model, good().set_axis(index), good())


@ids_of_models
def test_unhashable_extra_columns(model):
    extra = good().assign(tags=[[], {}, set(), [1], {2: 3}, np.zeros(2)])
    assert_same_model(model, extra, good())


@ids_of_models
@pytest.mark.parametrize("form", ["read-only", "memmap", "strided", "Fortran", "list"])
def test_layouts_of_arrays(model, form, tmp_path):
    plain = good().to_numpy()
    array = plain.copy()
    if form == "read-only":
        array.flags.writeable = False
    elif form == "memmap":
        array = np.memmap(tmp_path / "x", array.dtype, "w+", shape=array.shape)
        array[:] = plain
    elif form == "strided":
        array = np.repeat(np.repeat(plain, 2, axis=0), 3, axis=1)[::2, ::3]
    elif form == "Fortran":
        array = np.asfortranarray(plain)
    else:
        array = plain.tolist()
    assert_same_model(model, array, plain)
    assert_same_model(model, array, good())


@ids_of_models
def test_columns_of_arrays_by_position(model):
    wide = np.column_stack([good(), np.full((6, 7), np.nan)])
    assert_same_model(model, wide, good().to_numpy(float))
    in_order = good().sort_values("timestamp")
    assert_same_model(model, in_order.to_numpy()[:, :2], good())


@ids_of_models
@pytest.mark.parametrize(
    "dtype", ["Int64", "int32", "category", "object", "int64[pyarrow]", "uint64"]
)
def test_dtypes_of_columns(model, dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    typed = good().astype({"user_id": dtype, "item_id": dtype})
    first, second = clone(model).fit(typed), clone(model).fit(good())
    assert_frame_equal(first.recommend(), second.recommend(), check_dtype=False)


@ids_of_models
@pytest.mark.parametrize("dtype", ["string", "str", "category", "string[pyarrow]"])
def test_dtypes_of_strings(model, dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    text = good().assign(user_id=list("uuuvvv"), item_id=list("abcbcd"))
    text = text.astype({"user_id": object, "item_id": object})
    typed = text.astype({"user_id": dtype, "item_id": dtype})
    first, second = clone(model).fit(typed), clone(model).fit(text)
    assert first.items_.dtype == object
    assert_array_equal(first.predict(["u", "v"]), second.predict(["u", "v"]))


@ids_of_models
def test_unused_categories_are_no_items(model):
    frame = good()
    frame["item_id"] = pd.Categorical(frame["item_id"], categories=range(100))
    fitted = clone(model).fit(frame)
    assert fitted.items_.tolist() == [5, 6, 7, 8]
    assert len(fitted.recommend(1, k=50, exclude_seen=False)) == 4


@ids_of_models
def test_data_changed_after_fit_changes_nothing(model):
    frame, array = good(), good().to_numpy()
    of_frame, of_array = clone(model).fit(frame), clone(model).fit(array)
    expected = of_frame.recommend()
    frame.loc[:, ["user_id", "item_id", "timestamp"]] = 5
    array[:] = 5
    assert_frame_equal(of_frame.recommend(), expected)
    assert_frame_equal(of_array.recommend(), expected)


@ids_of_models
def test_int_objects_and_types_that_differ(model):
    objects = good().assign(item_id=[np.int64(i) for i in good()["item_id"]])
    assert_same_model(model, objects.astype({"item_id": object}), good())
    mixed = good().assign(item_id=list("abcbcd"))
    answer = clone(model).fit(mixed).recommend()
    assert set(answer["item_id"]) <= set("abcd")
    same = frame_of([1, 1, 2, 2, 3, 3], [1, 2, 2, 3, 3, 1])  # users who are items
    assert clone(model).fit(same).predict(1, k=1) == [3]


@ids_of_models
@pytest.mark.parametrize(
    "ids",
    [
        [INT64.min, INT64.max, 0, -1],
        [UINT64.max, 2**63, 0, 1],
        [-1, 0, -2, -3],
        ["0", "-1", "nan", "None"],
        ["[PAD]", "<unk>", " ", " a"],
    ],
    ids=name_of,
)
def test_no_id_is_special(model, ids):
    base = good()
    frame = base.assign(item_id=[ids[i - 5] for i in base["item_id"]])
    fitted, plain = clone(model).fit(frame), clone(model).fit(base)
    expected = [[ids[i - 5] for i in (8,)], [ids[i - 5] for i in (5,)]]
    assert fitted.recommend()["item_id"].tolist() == [*expected[0], *expected[1]]
    assert fitted.missing_item_ not in ids
    assert fitted.predict([1, 2], k=1).tolist() == expected
    assert_array_equal(fitted.recommend()["score"], plain.recommend()["score"])
    if isinstance(ids[0], str):  # the string is no number, and no missing value
        assert_refused(
            lambda: fitted.similar_items(0), InteractionsError, "Got 0", "1 of 1"
        )


# Time


@ids_of_models
def test_zones_are_compared_in_utc(model):
    zones = ["UTC", "Asia/Tokyo", "America/New_York"] * 2
    times = [
        pd.Timestamp(time, unit="h", tz="UTC").tz_convert(zone)
        for time, zone in zip(good()["timestamp"], zones, strict=True)
    ]
    assert_same_model(
        model, good().assign(timestamp=pd.Series(times, dtype=object)), good()
    )


@ids_of_models
def test_far_times(model):
    for times in (
        [-5, -3, -1, -4, -2, 0],
        pd.Series(["1600", "1800", "9999", "1700", "1900", "9999"]).astype("M8[s]"),
    ):
        assert_same_model(model, good().assign(timestamp=times), good())


@ids_of_models
def test_equal_times_are_the_order_of_the_rows(model):
    rows = good().iloc[[3, 0, 4, 1, 2, 5]]
    assert_same_model(model, rows.assign(timestamp=7), rows.drop(columns="timestamp"))
    # Half of them tied: user 1 has 5, 6 at the same time, and keeps them in order
    half = good().assign(timestamp=[3, 3, 5, 3, 4, 6])
    assert_same_model(model, half, good().assign(timestamp=[1, 2, 5, 3, 4, 6]))


@ids_of_models
def test_reversed_rows(model):
    assert_same_model(model, good().iloc[::-1], good())


@ids_of_models
@pytest.mark.parametrize("n_times", [1, 2])
def test_two_thousand_ties_keep_their_order(model, n_times):
    users = np.random.default_rng(0).permutation(np.repeat(np.arange(20), 100))
    items = np.random.default_rng(1).integers(40, size=2_000)
    times = np.random.default_rng(2).integers(n_times, size=2_000)
    fitted = clone(model).fit(frame_of(users, items, times))
    for code, user in enumerate(fitted.users_):
        start, end = fitted.history_indptr_[code : code + 2]
        expected = [items[(users == user) & (times == t)] for t in range(n_times)]
        found = fitted.items_[fitted.history_items_[start:end]]
        assert_array_equal(found, np.concatenate(expected))


# Little and odd data


@every_loss
def test_users_with_one_interaction_each(make, loss):
    frame = frame_of([1, 2, 3], [5, 6, 5])
    parts = ["no user has 2 or more", "n_samples = 3", "longest history: 1"]
    assert_refused(lambda: make(loss=loss).fit(frame), InteractionsError, "fit", *parts)
    popular = PopularityRecommender(k=1, exclude_seen=False).fit(frame)
    assert popular.predict([1, 2]).tolist() == [[5], [5]]


@every_loss
def test_users_with_one_interaction_are_counted(make, loss):
    frame = pd.concat([good(), frame_of([3, 4], [5, 9], [7, 8])])
    model = make(loss=loss).fit(frame)
    assert model.n_users_skipped_ == 2
    assert 9 in model.predict(1, k=5)
    assert 5 not in model.predict(3, k=5)
    assert_finite(model)


def assert_finite(model):
    assert all(np.isfinite(value).all() for value in model.weights_.values())
    assert all(np.isfinite(record["loss"]) for record in model.history_)
    table = model.recommend(exclude_seen=False)
    assert np.isfinite(table["score"]).all()


@pytest.mark.parametrize("loss", ["hinge", "bpr", "softmax"])
@pytest.mark.parametrize("L", [1, 3, 50])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_short_windows_and_narrow_embeddings(loss, L, d):
    model = attrec(loss=loss, L=L, d=d, n_targets=50).fit(good())
    assert_finite(model)
    assert model.predict([1, 2], k=1).tolist() == [[8], [5]]
    assert model.predict("new", [5], k=3).shape == (3,)


@pytest.mark.parametrize("make", [sasrec, sse_pt])
@pytest.mark.parametrize("L", [1, 3, 50])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_short_histories_and_narrow_rows(make, L, d):
    model = make(L=L, d=d, d_user=1) if make is sse_pt else make(L=L, d=d)
    model.set_params(n_heads=1).fit(good())
    assert_finite(model)
    assert model.predict([1, 2], k=1).tolist() == [[8], [5]]
    assert model.predict("new", [5], k=3).shape == (3,)
    assert model.predict("new", [5, 6, 7, 5, 6, 7], k=1).tolist() == [8]


@pytest.mark.parametrize("aggregation", ["mean", "sum", "max", "min"])
def test_padding_weighs_nothing(aggregation):
    model = attrec(L=5, aggregation=aggregation).fit(good())
    spoilt = copy.deepcopy(model)
    spoilt.weights_["X"][0] = 1e3  # the item whose number pads short windows
    assert model.items_[0] not in (7, 8)
    assert_array_equal(
        spoilt.query_vectors("new", [7, 8]), model.query_vectors("new", [7, 8])
    )


@pytest.mark.parametrize(("make", "loss"), [(attrec, "hinge"), (sasrec, "bce")])
def test_one_user_has_seen_everything(make, loss):
    for batch_size in (1, 2, 3, 16):
        frame = frame_of([1, 1, 1, 2, 2, 2, 2], [1, 2, 3, 1, 2, 1, 2])
        model = make(loss=loss, batch_size=batch_size).fit(frame)
        assert model.n_users_skipped_ == 1
        assert_finite(model)
        assert model.predict(2).tolist() == [3, -1, -1]


@pytest.mark.parametrize(
    ("make", "loss"),
    [(attrec, "hinge"), (attrec, "bpr"), (sasrec, "bce"), (sasrec, "gbce")],
)
def test_everyone_has_seen_everything(make, loss):
    frame = frame_of([1, 1, 2, 2], [1, 2, 2, 1])
    assert_refused(
        lambda: make(loss=loss).fit(frame),
        InteractionsError,
        "fit",
        "no negative item exists",
        "all 2 items",
        "loss='softmax'",
    )
    assert_finite(make(loss="softmax").fit(frame))


@pytest.mark.parametrize("n_negatives", [1, 50])
def test_popular_negatives_need_no_untouched_item(n_negatives):
    frame = frame_of([1, 1, 2, 2], [1, 2, 2, 1])
    params = {"loss": "sampled_softmax", "n_negatives": n_negatives, "max_iter": 5}
    assert_finite(sasrec(**params).fit(frame))  # some batches draw the target alone


@pytest.mark.parametrize(("make", "loss"), [(attrec, "hinge"), (sasrec, "bce")])
def test_plain_array_from_which_nothing_is_learned(make, loss):
    # Arrays may hold anything, as those of scikit-learn's own checks do.
    rows = np.array([[1, 1], [1, 2], [2, 2], [2, 1]])
    with pytest.warns(UserWarning, match="fit: no negative item.*weights stay random"):
        model = make(loss=loss, exclude_seen=False).fit(rows)
    assert set(model.predict(1, k=2)) == {1, 2}
    assert len(model.predict([1, 99], k=1)) == 2


@pytest.mark.timeout(60)
@every_loss
def test_negatives_are_few(make, loss):
    # All but one item seen, and far more negatives wanted than there are items
    frame = frame_of([1] * 9 + [2, 2], [*range(9), 9, 0])
    assert_finite(make(loss=loss, n_negatives=10).fit(frame))
    two = frame_of([1, 1, 1, 2], [0, 0, 0, 1])
    assert_finite(make(loss=loss, n_negatives=100).fit(two))


@ids_of_models
def test_catalogue_smaller_than_k(model):
    fitted = clone(model).set_params(k=10).fit(good())
    assert fitted.predict(1).tolist() == [8] + [-1] * 9
    assert fitted.recommend(1)["item_id"].tolist() == [8]
    # -1 stands in every list, but is no hit.
    rows = frame_of([1, 1, 1], [8, -1, 5], 9)
    assert fitted.score(rows) == pytest.approx(1 / 3)


@pytest.mark.parametrize("n_windows", [1, 15, 16, 17, 33])
def test_every_window_is_trained_on(n_windows):
    users = np.zeros(n_windows + 1, dtype=int)
    items = np.arange(n_windows + 1) % 5
    frame = pd.concat([frame_of(users, items), frame_of([1], [9])])
    params = {"batch_size": 16, "loss": "hinge", "dropout": 0.0, "schedule": "constant"}
    model = attrec(learning_rate=1e-3, **params).fit(frame)
    before = attrec(learning_rate=1e-12, **params).fit(frame).weights_
    assert_finite(model)
    code = int(np.flatnonzero(model.users_ == 0)[0])
    assert (model.weights_["U"][code] != before["U"][code]).all()
    steps = -(-n_windows // 16)
    moved = np.abs(model.weights_["U"][code] - before["U"][code]).max()
    assert moved <= 1.01e-3 * steps  # Adam moves a weight by its rate at most


@ids_of_models
def test_repeated_rows_are_kept(model):
    doubled = good().loc[[0, 0, 0, 1, 2, 3, 4, 5]]
    fitted = clone(model).fit(doubled)
    assert fitted.item_counts_.sum() == 8
    assert fitted.predict(99, k=1) == [5]


@networks
def test_one_item_ten_thousand_times(network):
    frame = frame_of([1] * 10_000 + [2, 2], [1] * 10_000 + [2, 3])
    model = clone(network).set_params(batch_size=2_048).fit(frame)
    assert_finite(model)
    assert 1 not in model.predict(1, k=2)


@ids_of_models
def test_one_item_or_one_user(model):
    one_item = frame_of([1, 1, 2], [7, 7, 7])
    assert_refused(
        lambda: clone(model).fit(one_item), InteractionsError, "hold 1 item, 7", "2 are"
    )
    one_user = frame_of([1, 1, 1, 1], [5, 6, 5, 7])
    if "loss" in model.get_params():
        model = clone(model).set_params(loss="softmax")
    fitted = clone(model).set_params(exclude_seen=False).fit(one_user)
    assert set(fitted.predict(1)) == {5, 6, 7}


# Parameters


NAN = float("nan")
BAD_PARAMETERS = [
    ("omega", [-0.1, 1.1, NAN, "0.5", None, np.inf], "a float in the range [0, 1]"),
    ("gamma", [0, -1, np.inf, NAN, "1"], "a float in the range (0, inf)"),
    ("L", [0, -1, 2.5, "5", True, None], "an int in the range [1, inf)"),
    ("d", [0, -3, 8.0, None], "an int in the range [1, inf)"),
    ("learning_rate", [0, -1, NAN, np.inf, "x"], "a float in the range (0, inf)"),
    ("max_iter", [0, -1, 1.5], "an int in the range [1, inf)"),
    ("batch_size", [0, -1, 2.5], "an int in the range [1, inf)"),
    ("n_negatives", [0, -1, 1.5], "None or an int in the range [1, inf)"),
    ("n_targets", [0, "all"], "None or an int in the range [1, inf)"),
    ("n_iter_no_change", [0, -1], "an int in the range [1, inf)"),
    ("validation_fraction", [0, -0.1, 1.5, NAN], "a float in the range (0, 1]"),
    ("tol", [-1, NAN], "a float in the range [0, inf)"),
    ("alpha", [-1, NAN, np.inf], "a float in the range [0, inf)"),
    ("dropout", [-0.1, 1, NAN], "a float in the range [0, 1)"),
    ("temperature", [0, -1, NAN], "a float in the range (0, inf)"),
    ("max_norm", [0, -1, "1"], "None or a float in the range (0, inf)"),
    ("aggregation", ["median", None, 1], "one of 'mean', 'sum', 'max', 'min'"),
    ("similarity", ["cosine", 0], "one of 'euclidean', 'inner'"),
    ("loss", ["log", None], "one of "),
    ("n_blocks", [0, -1, 1.5, None], "an int in the range [1, inf)"),
    ("n_heads", [0, 1.0, None], "an int in the range [1, inf)"),
    ("calibration", [-0.1, 1.1, NAN, None], "a float in the range [0, 1]"),
    ("positions", ["rotary", None, True], "one of 'learned', 'sinusoidal'"),
    ("norm", ["layer", None, True], "one of 'pre', 'post'"),
    ("windows", ["first", None, 3], "one of 'all', 'last'"),
    ("d_user", [0, -1, 2.0, None], "an int in the range [1, inf)"),
    ("sse_user", [-0.1, 1.1, NAN, None], "a float in the range [0, 1]"),
    ("sse_item", [-0.1, 1.1, NAN, None], "a float in the range [0, 1]"),
    ("optimizer", ["sgd", None], "one of "),
    ("schedule", ["cyclic", None], "one of 'constant', 'linear', 'cosine'"),
    ("scoring", ["mrr", None, max], "one of 'hit_rate', 'ndcg'"),
    ("share_projection", ["yes", 1], "True or False"),
    ("early_stopping", ["yes", None], "True or False"),
    ("warm_start", [1], "True or False"),
    ("exclude_seen", ["no", 0], "True or False"),
    ("handle_unknown", ["ignore", None], "one of 'popular', 'error'"),
    ("k", [0, -1, 2.5, "3", None], "an int in the range [1, inf)"),
    ("verbose", [-1, "loud"], "an int in the range [0, inf)"),
    (
        "random_state",
        ["a", -1, 2**64, 1.5, np.random.default_rng(0)],
        "an int in the range [0, 4294967295]",
    ),
]


@networks
@pytest.mark.parametrize(("name", "values", "allowed"), BAD_PARAMETERS)
def test_parameters_out_of_range(network, name, values, allowed):
    if name not in network.get_params():
        return
    for value in values:
        model = clone(network).set_params(**{name: value})
        with pytest.raises(InvalidParameterError) as caught:
            model.fit(good())
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, TypeError)
        message = str(caught.value)
        assert message.startswith(
            f"The '{name}' parameter of {type(model).__name__} must be"
        )
        assert allowed in message
        assert f"Got {value!r} instead." in message
        with pytest.raises(NotFittedError):
            check_is_fitted(model)


def test_every_parameter_is_in_the_list():
    every = {name for network in NETWORKS for name in network.get_params()}
    assert {name for name, *_ in BAD_PARAMETERS} == every


@pytest.mark.parametrize(
    ("make", "losses"),
    [
        (attrec, "'hinge', 'bpr', 'softmax'"),
        (sasrec, "'bce', 'gbce', 'sampled_softmax', 'softmax'"),
    ],
)
def test_losses_are_listed(make, losses):
    model = make(loss="log")
    assert_refused(lambda: model.fit(good()), InvalidParameterError, f"of {losses}")


@pytest.mark.parametrize(
    ("make", "params", "width"),
    [
        (sasrec, {"n_heads": 3}, 4),
        (sasrec, {"n_heads": 8}, 4),
        (sse_pt, {"n_heads": 4, "d_user": 3}, 7),
    ],
)
def test_heads_share_a_row_evenly(make, params, width):
    assert_refused(
        lambda: make(**params).fit(good()),
        InvalidParameterError,
        "'n_heads'",
        f"divide the {width} numbers",
        f"Got {params['n_heads']}",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("omega", 0),
        ("omega", 1),
        ("omega", np.float32(0.5)),
        ("gamma", np.float64(2)),
        ("L", np.int64(1)),
        ("d", np.int32(2)),
        ("tol", 0),
        ("k", np.int64(2)),
        ("verbose", 1),
        ("exclude_seen", np.bool_(True)),
        ("early_stopping", True),
        ("random_state", 2**32 - 1),
    ],
)
def test_parameters_at_the_edge(name, value):
    model = attrec(**{name: value}).fit(good())
    assert_finite(model)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("L", np.int64(1)),
        ("L", 10**6),
        ("calibration", 0),
        ("calibration", np.float32(1)),
        ("d", np.int32(6)),
        ("d_user", 4),
        ("n_heads", np.int64(3)),
        ("n_negatives", np.int64(4)),
        ("sse_item", 0),
        ("sse_item", 1),
        ("sse_user", np.float32(0)),
        ("sse_user", 1),
        ("validation_fraction", 1),
        ("windows", "last"),
    ],
)
def test_parameters_of_transformers_at_the_edge(name, value):
    model = sse_pt(loss="gbce", early_stopping=True, **{name: value}).fit(good())
    assert_finite(model)


def test_embeddings_larger_than_the_memory():
    # In a process that may not grow: without the check it would die, not this one.
    pytest.importorskip("resource")
    code = """
import resource
import pandas as pd
import sklearn_attrec
resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
X = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 3]})
for name in ("AttRec", "SASRec", "SSEPT"):
    model = getattr(sklearn_attrec, f"{name}Recommender")
    for params in ({"d": 10**9}, {"d": 10**6}, {"d": 10**15}):
        try:
            model(**params).fit(X)
        except ValueError as error:
            print(type(error).__name__, error)
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    lines = answer.stdout.splitlines()
    assert len(lines) == 9, answer.stderr
    cases = itertools.product(("AttRec", "SASRec", "SSEPT"), (10**9, 10**6, 10**15))
    for (name, d), line in zip(cases, lines, strict=True):
        assert line.startswith(f"InvalidParameterError The 'd' parameter of {name}")
        assert f"Got {d}" in line
        assert "needs about" in line
        assert "GiB" in line


@pytest.mark.parametrize("loss", ["hinge", "softmax"])
@pytest.mark.parametrize("max_norm", [None, 1.0])
def test_training_that_diverges(small_interactions, loss, max_norm):
    model = attrec(learning_rate=1e6, loss=loss, max_norm=max_norm, max_iter=2)
    assert_refused(
        lambda: model.fit(small_interactions),
        TrainingDivergedError,
        "AttRecRecommender.fit: training diverged in epoch 1",
        "learning_rate=1000000.0",
        "smaller learning_rate",
    )
    with pytest.raises(NotFittedError):
        check_is_fitted(model)


@pytest.mark.parametrize("make", [sasrec, sse_pt])
@pytest.mark.parametrize("loss", ["bce", "softmax"])
def test_training_of_transformers_that_diverges(small_interactions, make, loss):
    model = make(learning_rate=1e7, loss=loss, max_iter=2, schedule="constant")
    assert_refused(
        lambda: model.fit(small_interactions),
        TrainingDivergedError,
        f"{type(model).__name__}.fit: training diverged in epoch 1",
        "learning_rate=10000000.0",
        "smaller learning_rate",
    )
    with pytest.raises(NotFittedError):
        check_is_fitted(model)


def test_unknown_parameter():
    for call in (lambda: attrec().set_params(epochs=3), lambda: attrec(epochs=3)):
        with pytest.raises((ValueError, TypeError), match="epochs"):
            call()


@networks
def test_early_stopping_without_anything_to_hold_out(network):
    frame = frame_of([1, 1, 2, 2, 3], [5, 6, 6, 7, 8])
    assert_refused(
        lambda: clone(network).set_params(early_stopping=True).fit(frame),
        InteractionsError,
        "early_stopping=True",
        "3 or more",
        "longest history: 2",
        "early_stopping=False",
    )


def test_search_with_one_point_that_diverges(small_interactions):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search = GridSearchCV(
            attrec(), {"learning_rate": [1e6, 1e-3]}, cv=LeaveLastOut()
        ).fit(small_interactions)
    assert any(issubclass(w.category, FitFailedWarning) for w in caught)
    assert search.best_params_ == {"learning_rate": 1e-3}
    assert np.isfinite(search.best_score_)
    assert np.isnan(search.cv_results_["mean_test_score"][0])


def test_search_over_shuffled_rows_is_told():
    frame = good().sort_values("timestamp")
    frame = pd.concat([frame, frame.assign(timestamp=frame["timestamp"] + 6)])
    with pytest.warns(LeakageWarning, match="LeaveLastOut or TimeCutoffSplit"):
        GridSearchCV(PopularityRecommender(), {"k": [1]}, cv=2).fit(frame)


# predict, recommend and score


@pytest.fixture(params=MODELS, ids=lambda model: type(model).__name__)
def fitted(request, small_interactions):
    return clone(request.param).fit(small_interactions)


@pytest.mark.parametrize("method", ["predict", "recommend", "score", "similar_items"])
def test_before_fit(method):
    for model in MODELS:
        argument = 1 if method != "score" else good()
        with pytest.raises(NotFittedError, match="Call 'fit'"):
            getattr(clone(model), method)(argument)


def test_unknown_users(fitted):
    assert fitted.predict(99).shape == (3,)  # popular items, unless told not to
    fitted.set_params(handle_unknown="error")
    for call in (fitted.predict, fitted.recommend):
        assert_refused(
            lambda call=call: call([1, 99, 98]),
            UnknownUserError,
            f"{type(fitted).__name__}.{call.__name__}: 2 user(s)",
            "99 at row 1",
            "int64 ids such as 1",
            "handle_unknown='popular'",
        )
    with pytest.raises(LookupError):
        fitted.score(frame_of([99], [10], 10**6))


@pytest.mark.parametrize("handle_unknown", ["popular", "error"])
def test_users_of_another_type(fitted, handle_unknown):
    fitted.set_params(handle_unknown=handle_unknown)
    rows = frame_of(["1"], [10], 10**6)
    for call in (fitted.predict, fitted.recommend, fitted.score):
        assert_refused(
            lambda call=call: call(rows),
            UnknownUserError,
            "1 user(s)",
            "'1' at row 0",
            "int64 ids such as 1",
        )
    assert_refused(lambda: fitted.predict("1"), UnknownUserError, "'1'", "int64")
    text = PopularityRecommender().fit(good().assign(user_id=list("aaabbb")))
    assert_refused(lambda: text.predict(1), UnknownUserError, "1 at", "str", "'a'")


@pytest.mark.parametrize("user", [None, np.nan, pd.NA])
def test_missing_users(fitted, user):
    assert_refused(
        lambda: fitted.predict(user), InteractionsError, "'user'", "1 missing id"
    )


@pytest.mark.parametrize(
    ("users", "error", "parts"),
    [
        (True, TypeError, ["bool"]),
        (1.0, TypeError, ["1 float id", "1.0"]),
        (1.5, InteractionsError, ["fractional", "1.5"]),
        ({1: 2}, TypeError, ["dict"]),
        ({1, 2}, TypeError, ["set"]),
        ((u for u in [1]), TypeError, ["generator"]),
        ([1, "1"], TypeError, ["1 int", "1 str"]),
    ],
    ids=name_of,
)
def test_unusable_users(fitted, users, error, parts):
    head = f"{type(fitted).__name__}.predict: "
    assert_refused(lambda: fitted.predict(users), error, head, *parts)


def test_ragged_rows_of_users(fitted):
    with pytest.raises((TypeError, ValueError)) as caught:
        fitted.predict([[1, 10], [2]])
    assert "inhomogeneous" not in str(caught.value)


def test_times_that_cannot_be_compared(fitted):
    rows = frame_of([1], [10], pd.to_datetime(["2020-01-01"]))
    for call in (fitted.predict, fitted.score):
        assert_refused(
            lambda call=call: call(rows), InteractionsError, "datetime64", "int64"
        )
    timeless = clone(fitted).fit(frame_of([1, 1, 2, 2, 2], [1, 2, 2, 3, 4]))
    for call in (timeless.predict, timeless.score):
        assert_refused(
            lambda call=call: call(frame_of([1], [3], 5)),
            InteractionsError,
            "'timestamp'",
            "fit saw none",
            "drop the column",
        )


def test_histories_with_unknown_items(fitted):
    with pytest.warns(UserWarning) as caught:
        answer = fitted.predict(1, [99, 10, 98])
    (warning,) = caught
    for part in ("'history' of user 1", "99, 98", "2", "int64", "11", "ignored"):
        assert part in str(warning.message)
    assert_array_equal(answer, fitted.predict(1, [10]))
    with pytest.warns(UserWarning, match="'10'.*int64"):
        assert_array_equal(fitted.predict(1, ["10"]), fitted.predict(1, []))
    fitted.set_params(handle_unknown="error")
    assert_refused(
        lambda: fitted.predict(1, [99, 10, 98]),
        InteractionsError,
        "user 1",
        "99, 98",
        "2",
        "handle_unknown='popular'",
    )


def test_histories_without_anything_known(fitted):
    popular = fitted.predict(-1)
    assert_array_equal(fitted.predict(1, []), popular)
    assert_array_equal(fitted.predict(1, np.array([])), popular)
    assert_array_equal(fitted.predict(-1, None), popular)
    with pytest.warns(UserWarning, match="99"):
        assert_array_equal(fitted.predict(1, [99]), popular)


@networks
def test_only_the_last_items_count(network, small_interactions):
    model = clone(network).set_params(L=3, exclude_seen=False).fit(small_interactions)
    whole = [17, 10, 11, 12, 13, 14]
    expected = model.recommend(1, whole[-3:], k=8)
    assert_frame_equal(model.recommend(1, whole, k=8), expected)
    other = model.recommend(1, [17, *whole[-2:]], k=8)
    assert not np.array_equal(other["score"], expected["score"])


@pytest.mark.parametrize(
    ("user", "history", "error", "parts"),
    [
        (1, "abc", TypeError, ["history of user 1", "'abc'", "pass a list"]),
        (1, 10, TypeError, ["history of user 1", "int"]),
        (1, {10: 1}, TypeError, ["dict"]),
        (1, [[10, 11]], TypeError, ["history of user 1", "list"]),
        (1, [10, None], InteractionsError, ["user 1", "1 missing id", "row 1"]),
        (1, [10, 11.5], (TypeError, InteractionsError), ["user 1", "11.5"]),
        ([1, 2], "ab", TypeError, ["'ab'"]),
        ([1, 2], ["ab", "c"], TypeError, ["user 1", "letter by letter", "['ab']"]),
        ([1, 2], [[10]], InteractionsError, ["each of the 2 users", "1"]),
        ([1, 2], [10, 11], TypeError, ["user 1", "int"]),
        ([1, 2], [[10], None], TypeError, ["user 2", "NoneType"]),
        ([1, 2], 10, TypeError, ["'history'", "10"]),
        ([1], (h for h in [[10]]), TypeError, ["'history'", "generator"]),
    ],
    ids=name_of,
)
def test_unusable_histories(fitted, user, history, error, parts):
    head = f"{type(fitted).__name__}.predict: "
    assert_refused(lambda: fitted.predict(user, history), error, head, *parts)
    if not isinstance(user, list):
        assert_refused(lambda: fitted.recommend(user, history), error, *parts)


@pytest.mark.parametrize("k", [0, -1, 2.5, "3", True])
def test_unusable_k(fitted, k):
    calls = [
        ("predict", lambda: fitted.predict(1, k=k)),
        ("recommend", lambda: fitted.recommend(1, k=k)),
        ("similar_items", lambda: fitted.similar_items(10, k=k)),
    ]
    for method, call in calls:
        parts = [f".{method}: ", "'k'", "an int in the range [1, inf)", f"Got {k!r}"]
        assert_refused(call, InvalidParameterError, *parts)


def test_k_beyond_the_catalogue(fitted):
    assert fitted.predict(1, k=100)[2:].tolist() == [-1] * 98
    assert len(fitted.recommend(1, k=100)) == 2
    assert len(fitted.recommend(1, k=100, exclude_seen=False)) == 8
    assert len(fitted.similar_items(10, k=100)) == 7


def test_user_who_has_seen_everything(fitted):
    everything = list(range(10, 18))
    parts = ["nothing is left", "1 user(s)", "2", "exclude_seen=False"]
    calls = [
        lambda: fitted.predict([1, 2], [[10], everything])[1].tolist() == [-1] * 3,
        lambda: set(fitted.recommend([1, 2], [[10], everything])["user_id"]) == {1},
    ]
    for call in calls:
        with pytest.warns(UserWarning) as caught:
            assert call()
        assert len(caught) == 1
        assert all(part in str(caught[0].message) for part in parts)
    assert len(fitted.recommend(2, everything, k=8, exclude_seen=False)) == 8


def test_candidates(fitted):
    for candidates, error, parts in [
        ([10, 99, 98], InteractionsError, ["99 at position 1", "2 of 3"]),
        (["10"], InteractionsError, ["'10' at position 0", "int64", "10"]),
        ([], InteractionsError, ["none"]),
        ("10", TypeError, ["letter by letter"]),
        ([10, None], InteractionsError, ["1 missing id"]),
        ([10, "10"], TypeError, ["1 int", "1 str"]),
    ]:
        head = ".recommend: "
        assert_refused(
            lambda c=candidates: fitted.recommend(1, candidates=c),
            error,
            head,
            "candidates",
            *parts,
        )
    once = fitted.recommend(1, candidates=[10, 17], k=9)
    again = fitted.recommend(1, candidates=[17, 10, 10, 17], k=9)
    assert_frame_equal(once, again)
    assert set(once["item_id"]) == {10, 17}


def test_exclude_seen_is_a_boolean(fitted):
    assert_refused(
        lambda: fitted.recommend(1, exclude_seen="no"),
        InvalidParameterError,
        "'exclude_seen'",
        "True or False",
        "'no'",
    )


@pytest.mark.parametrize(
    ("items", "parts"),
    [
        ([10, 99], ["99 at position 1", "1 of 2"]),
        (99, ["99 at position 0"]),
        ([], ["none"]),
        ("10", ["'10' at position 0", "int64"]),
    ],
)
def test_unknown_items_are_similar_to_nothing(fitted, items, parts):
    head = ".similar_items: "
    assert_refused(
        lambda: fitted.similar_items(items), InteractionsError, head, "'items'", *parts
    )


def test_scores_of_nothing(fitted):
    rows = frame_of([1, 2], [98, 99], 10**6)
    parts = ["0 of 2 rows can be scored", "98", "11"]
    assert_refused(lambda: fitted.score(rows), InteractionsError, ".score: ", *parts)
    text = rows.assign(item_id=["10", "11"])
    assert_refused(lambda: fitted.score(text), InteractionsError, "0 of 2", "'10'")
    assert_refused(
        lambda: fitted.score(rows.iloc[:0]), InteractionsError, ".score: ", "0 rows"
    )


def test_rows_that_fit_has_seen(small_interactions):
    train, test = leave_last_out_split(small_interactions)
    model = PopularityRecommender(k=3).fit(train)
    model.score(test)  # honest
    with pytest.warns(LeakageWarning, match=r"1 of 13 rows .*row 12 \(user 1\)"):
        model.score(pd.concat([test, train.iloc[[4]]]))


@networks
def test_constant_scores_are_no_hits(network, small_interactions):
    train, test = leave_last_out_split(small_interactions)
    model = clone(network).set_params(exclude_seen=False, k=7).fit(train)
    model.weights_ = {name: 0 * value for name, value in model.weights_.items()}
    assert_array_equal(model.target_ranks(test), 8)
    assert model.score(test) == 0
    assert model.set_params(k=8).score(test) == 1


@pytest.mark.parametrize(
    ("make", "name"),
    [
        *((attrec, name) for name in ("U", "V", "X", "W_Q")),
        *((sse_pt, name) for name in ("E", "U", "P", "0.W_V", "0.b_1", "g_out")),
    ],
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(small_interactions, make, name, value):
    train, test = leave_last_out_split(small_interactions)
    model = make().fit(train)
    model.weights_[name] = np.full_like(model.weights_[name], value)
    calls = [
        lambda: model.predict(1),
        lambda: model.recommend(),
        lambda: model.score(test),
        lambda: model.query_vectors([1]),
    ]
    if name in "VXE":
        calls += [lambda: model.similar_items(10), lambda: model.item_vectors()]
    for call in calls:
        with np.errstate(all="ignore"):
            assert_refused(
                call, ValueError, type(model).__name__, "not finite", "Fit it"
            )


# Anything at all


def _column(n_rows):
    anything = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(0, 3),
        st.floats(),
        st.text(max_size=3),
        st.binary(max_size=2),
        st.datetimes(),
        st.timedeltas(),
        st.tuples(st.integers()),
        st.lists(st.integers(), max_size=1),
        st.just(pd.NA),
    )
    alike = st.sampled_from(
        [
            st.integers(0, 3),
            st.sampled_from("abc"),
            st.floats(),
            st.datetimes(),
            anything,
        ]
    ).flatmap(lambda kind: st.lists(kind, min_size=n_rows, max_size=n_rows))
    dtypes = st.sampled_from(
        [object, object, None, "category", "string", "Int64", "f4"]
    )
    return st.tuples(alike, dtypes)


@st.composite
def frames(draw):
    n_rows = draw(st.integers(0, 6))
    names = draw(
        st.lists(
            st.sampled_from(["user_id", "item_id", "timestamp", "rating", "when"]),
            max_size=4,
        )
        | st.just(["user_id", "item_id", "timestamp"])
    )
    columns = []
    for _ in names:
        values, dtype = draw(_column(n_rows))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # overflows
                columns.append(pd.Series(values, dtype=dtype))
        except (TypeError, ValueError, OverflowError):
            columns.append(pd.Series(values, dtype=object))
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame()
    return frame.set_axis(names, axis=1)


@given(frames())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_anything(frame):
    model = PopularityRecommender(k=2)
    try:
        model.fit(frame)
    except (InteractionsError, TypeError) as error:
        assert str(error).startswith("PopularityRecommender.fit: ")
        return
    table = model.recommend(exclude_seen=False)
    assert set(table["item_id"]) <= set(model.items_)
    assert len(table) == 2 * len(model.users_)
