"""Checks of interactions, ids, histories and times: what is kept, what is refused.

The numbers in the markers are the cases of bad input that .ci/evidence.py lists.
"""

import re
import uuid
from collections import namedtuple
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from functools import partial

import numpy as np
import pandas as pd
import pytest
from bad_input_helpers import assert_refused, frame_of, numbered
from frame_helpers import ARROW_FLOATS, in_each_library, in_words_of
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_attrec import PopularityRecommender
from sklearn_attrec._interactions.column_names import ITEM, TIME, USER
from sklearn_attrec._interactions.columns import Interactions, check_interactions
from sklearn_attrec._interactions.frames import library_of
from sklearn_attrec._interactions.ids import check_history, check_ids
from sklearn_attrec._interactions.sequences import encode
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.metrics import evaluate
from sklearn_attrec.model_selection import TimeCutoffSplit, leave_last_out_split
from sklearn_attrec.preprocessing import DropRepeats, KCoreFilter, RatingThreshold

CALLER = "Model.fit"
INT64, UINT64 = np.iinfo(np.int64), np.iinfo(np.uint64)


def make_frame(users=(1, 1, 2), items=("a", "b", "a"), times=(3, 1, 2)):
    return frame_of(users, items, times)


def with_column(column, values):
    n = len(values)
    frame = make_frame(np.arange(n), np.arange(n), np.arange(n))
    return frame.assign(**{column: pd.Series(values)})


def read(X, **params):
    return check_interactions(X, caller=CALLER, **params)


def read_ids(values):
    return check_ids(values, name="'users'", caller=CALLER)


def read_times(values):
    return read(with_column(TIME, values)).times


def assert_frame_refused(frame, error, *parts, **params):
    """Expect this error for a frame of each library that can hold it."""
    for X in in_each_library(frame):
        words = in_words_of(X, parts)
        assert_refused(partial(read, X, **params), error, CALLER, *words)


def assert_times_refused(values, error, *parts):
    assert_frame_refused(with_column(TIME, values), error, repr(TIME), *parts)


def read_history(history, **params):
    return check_history(history, caller=CALLER, **params)


def assert_interactions_equal(actual, expected):
    for name in Interactions._fields:
        a, b = getattr(actual, name), getattr(expected, name)
        assert (a is None) == (b is None), name
        if b is not None:
            assert a.dtype == b.dtype, name
            assert_array_equal(a, b)


# Containers and columns


def test_frame_is_split_into_columns_in_row_order():
    frames = in_each_library(make_frame())
    assert len(frames) == 3
    for frame in frames:
        users, items, times = read(frame)
        assert (users.tolist(), users.dtype) == ([1, 1, 2], np.int64)
        assert (items.tolist(), items.dtype) == (["a", "b", "a"], object)
        assert (times.tolist(), times.dtype) == ([3, 1, 2], np.int64)
        assert {type(item) for item in items} == {str}


@pytest.mark.case(37, 39)
def test_users_and_items_may_share_ids_or_differ_in_type():
    same = read(make_frame([1, 2, 3], [3, 2, 1]))
    assert_array_equal(same.users, same.items[::-1])
    mixed = read(make_frame(["x", "y", "z"], [3, 2, 1]))
    assert (mixed.users.dtype, mixed.items.dtype) == (object, np.int64)


@pytest.mark.parametrize(
    "X",
    [
        numbered(1, None),
        5,
        object(),
        numbered(7, "abc"),
        b"abc",
        numbered(7, {1, 2}),
        numbered(7, pd.Series([1, 2])),
        pd.Index([1, 2]),
        numbered(7, (row for row in [[1, 2]])),
        type("Table", (list,), {"columns": ("a", "b")})([[1, 2]]),
    ],
    ids=lambda X: type(X).__name__,
)
def test_other_containers_are_refused_by_type(X):
    parts = [CALLER, type(X).__name__, "DataFrame", USER, ITEM, TIME, "2-D"]
    assert_refused(lambda: read(X), TypeError, *parts)


@pytest.mark.case(15)
@pytest.mark.parametrize(
    ("module", "method"),
    [
        ("polars.dataframe.group_by", ".to_pandas()"),
        ("pyarrow.lib", ".to_pandas()"),
        ("datasets.arrow_dataset", ".to_pandas()"),
        ("duckdb", ".df()"),
        ("dask.dataframe.dask_expr._collection", ".compute()"),
        ("pyspark.sql.dataframe", ".toPandas()"),
    ],
)
def test_foreign_tables_must_be_converted_to_pandas(module, method):
    # The library need not be installed: only the type's module is looked at.
    frame = make_frame(times=None)
    model = PopularityRecommender().fit(frame)
    methods = {"__array__": lambda self, **_: frame.to_numpy(), "columns": ["a", "b"]}
    table = type("Frame", (), {"__module__": module, "shape": (3, 2), **methods})()
    library = module.partition(".")[0]
    parts = [library, "Frame", method]
    if library in ("dask", "pyspark"):
        parts.append("sklearn_attrec.distributed.recommend")
    calls = [read, read_ids, model.score, model.predict, model.target_ranks]
    calls += [partial(evaluate, model), leave_last_out_split, TimeCutoffSplit().split]
    calls += [RatingThreshold().fit, KCoreFilter().fit_transform, DropRepeats().fit]
    for call in calls:
        assert_refused(lambda call=call: list(call(table)), TypeError, *parts)


Row = namedtuple("Row", ["Index", USER, ITEM])


@pytest.mark.parametrize(
    "X",
    [
        {USER: [1, 2], ITEM: ["a", "b"]},
        [{USER: 1, ITEM: "a"}, {USER: 2, ITEM: "b"}],
        ({ITEM: "a", USER: 1}, {ITEM: "b", USER: 2}),
        [Row(7, 1, "a"), Row(8, 2, "b")],
        [pd.Series({ITEM: "a", USER: 1}), pd.Series({ITEM: "b", USER: 2})],
        make_frame([1, 2], ["a", "b"], [0, 1]).to_records(),
    ],
    ids=["dict", "list", "tuple", "namedtuple", "Series", "records"],
)
def test_tables_with_names_must_be_converted_to_frames(X):
    model = PopularityRecommender().fit(make_frame(times=None))
    for call in (read, model.fit, model.score, KCoreFilter().fit):
        with pytest.raises(TypeError, match=r"'user_id'.*: pd.DataFrame\(X\)"):
            call(X)
    users, items, _ = read(pd.DataFrame(X))
    assert (users.tolist(), items.tolist()) == ([1, 2], ["a", "b"])


def test_records_in_the_order_of_an_array_are_read():
    named = namedtuple("Row", [USER, ITEM, TIME])
    for row in (named(1, "a", 5), pd.Series({"u": 1, "i": "a", "t": 5})):
        assert read([row, row]).times.tolist() == [5, 5]


MULTIINDEX = ["MultiIndex", USER, "X.droplevel"]
NO_ITEMS = [repr(USER), repr(ITEM), "X.rename(columns=", "<your"]


@pytest.mark.parametrize(
    ("change", "error", "parts"),
    [
        numbered(2, lambda X: X.iloc[:0], InteractionsError, ["0 rows", "at least 1"]),
        numbered(3, lambda X: X[[]], InteractionsError, ["[]", *NO_ITEMS]),
        numbered(4, lambda X: X.rename(columns={ITEM: 0}), InteractionsError, NO_ITEMS),
        numbered(6, lambda X: pd.concat({"top": X}, axis=1), TypeError, MULTIINDEX),
    ],
)
def test_unusable_frames(change, error, parts):
    assert_frame_refused(change(make_frame()), error, *parts)


@pytest.mark.case(4)
@pytest.mark.parametrize(
    ("user", "item", "time"),
    [
        ("user", "Item", "Timestamp"),
        ("userId", "item_id ", "ts"),
        ("uid", "ITEM ID", "event_time"),
        ("User ID", "itemId", "date"),
        ("USER_ID", "Item-ID", "datetime"),
        (USER, "movieId", TIME),
        (USER, "product_id", TIME),
        (USER, "sku", TIME),
        (USER, "asin", "datetime"),
        ("uid", "track_id", TIME),
    ],
)
def test_one_rename_call_fixes_all_columns(user, item, time):
    frame = make_frame().set_axis([user, item, time], axis=1)
    for X in in_each_library(frame):
        with pytest.raises(InteractionsError, match=CALLER) as caught:
            read(X)
        call = re.search(r"X\.rename\w*\(.*\)", str(caught.value))[0]
        assert_interactions_equal(read(eval(call, {"X": X})), read(make_frame()))  # noqa: S307


@pytest.mark.case(5)
@pytest.mark.parametrize("column", [USER, ITEM, TIME])
def test_duplicated_column(column):
    frame = pd.concat([make_frame(), make_frame()[column]], axis=1)
    parts = [repr(column), "2 times", "X.columns.duplicated()"]
    assert_frame_refused(frame, InteractionsError, *parts)


@pytest.mark.parametrize("index", [[7, 7, 7], ["x", "y", "z"], [2, 0, 1]])
@pytest.mark.case(10)
def test_index_is_ignored(index):
    assert_interactions_equal(read(make_frame().set_axis(index)), read(make_frame()))


@pytest.mark.case(11)
def test_other_columns_are_ignored():
    wide = make_frame().assign(tags=[[], {}, np.zeros(2)], rating=np.nan, other=1)
    duplicated = wide.rename(columns={"other": "rating"})
    for frame in (wide, duplicated):
        assert_interactions_equal(read(frame), read(make_frame()))


@pytest.mark.parametrize("column_name", [pd.NA, ("a", 1), 0, None])
def test_odd_column_names_are_ignored(column_name):
    frame = make_frame()[[USER, ITEM]].assign(x=0)
    names = [USER, ITEM, column_name]
    frame.columns = pd.Index(names, dtype=object, tupleize_cols=False)
    assert read(frame).times is None


def test_queries_need_no_items():
    for frame in (make_frame().drop(columns=ITEM), make_frame(items=[None, {}, ""])):
        users, items, times = read(frame, need_items=False)
        assert items is None
        assert (users.tolist(), times.tolist()) == ([1, 1, 2], [3, 1, 2])
    array = np.array([[1.0, np.nan, 3.0]])
    assert read(array, need_items=False) == (1.0, None, 3.0)
    unnamed, fix = pd.DataFrame({"uid": [1]}), f"X.rename(columns={ {'uid': USER} })"
    assert_frame_refused(unnamed, InteractionsError, fix, need_items=False)


# Arrays


@pytest.mark.case(7, 8)
def test_array_is_read_by_position():
    array = np.array([[1, 10, 5, -1], [2, 20, 4, -1]])
    users, items, times = read(array)
    assert (users.tolist(), items.tolist()) == ([1, 2], [10, 20])
    assert times.tolist() == [5, 4]
    assert read(array[:, :2]).times is None
    assert_interactions_equal(read(array.tolist()), read(array))
    assert_interactions_equal(read([tuple(row) for row in array]), read(array))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint8])
def test_array_keeps_the_dtype_of_ids(dtype):
    users, items, times = read(np.array([[1, 2, 3], [4, 5, 6]], dtype=dtype))
    assert users.dtype == items.dtype == dtype
    assert times.dtype == (np.float64 if dtype().dtype.kind == "f" else np.int64)


@pytest.mark.parametrize("convert", [list, lambda rows: np.array(rows, dtype=object)])
def test_objects_are_converted_column_by_column(convert):
    users, items, times = read(convert([[1, "a", 0.5], [2, "b", 7]]))
    assert (users.dtype, items.dtype, times.dtype) == (np.int64, object, np.float64)
    assert (users.tolist(), items.tolist()) == ([1, 2], ["a", "b"])
    assert times.tolist() == [0.5, 7]


@pytest.mark.parametrize("dtype", ["U", object])
def test_array_of_strings_holds_times_as_numbers(dtype):
    array = np.array([["1", "x", "10"], ["1", "y", "9"]], dtype=dtype)
    users, items, times = read(array)
    assert users.dtype == items.dtype == object
    assert {type(user) for user in users} == {str}
    assert (times.tolist(), times.dtype) == ([10, 9], np.int64)
    assert read([["1", "x", "0.5"]]).times.tolist() == [0.5]
    assert read([["1", "x", str(2**63)]]).times.tolist() == [2**63]
    dates = np.array([["1", "x", "2020-01-01"]], dtype=dtype)
    assert_refused(lambda: read(dates), TypeError, "text", "pd.to_datetime")


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        numbered(8, np.zeros((2, 1)), InteractionsError, "1 feature.*in this order"),
        numbered(2, np.zeros((0, 3)), ValueError, r"0 sample\(s\)"),
        (np.zeros((3, 0)), ValueError, r"0 feature\(s\) \(shape=\(3, 0\)\) while"),
        (np.zeros(3), ValueError, "Reshape your data"),
        ([], ValueError, "Reshape your data"),
        ([[1, 2], [3]], ValueError, "Reshape your data"),
        (np.zeros((2, 2, 2)), ValueError, "dim 3"),
        (np.array([[1j, 2]]), ValueError, "Complex data not supported"),
        (np.array([[np.nan, 1.0]]), ValueError, "Input X contains NaN"),
        (np.array([[1.0, np.inf]]), ValueError, "Input X contains infinity"),
        (np.array([[1.0, 2, -np.inf]]), ValueError, "Input X contains infinity"),
        (np.array([[b"a", b"b"]]), TypeError, r"column 0 \('user_id'\).*bytes.*decode"),
        (np.array([[True, False]]), TypeError, r"column 0 \('user_id'\).*bool.*row 0"),
        ([[1, "a"], [None, "b"]], InteractionsError, "1 missing.*row 1.*None"),
        ([[1, 2], [1, {"a": 1}]], TypeError, r"column 1 \('item_id'\).*1 dict.*row 1"),
    ],
)
def test_unusable_arrays(X, error, message):
    with pytest.raises(error, match=message):
        read(X)


@pytest.mark.case(9)
@pytest.mark.parametrize("form", ["csr", "coo", "dok", "lil"])
@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csr_matrix])
def test_sparse_is_refused_in_the_words_of_scikit_learn(container, form):
    X = container(np.eye(3)).asformat(form)
    assert_refused(lambda: read(X), TypeError, "Sparse data was passed for X")


@pytest.mark.case(12)
def test_memory_layout_does_not_matter(tmp_path):
    array = np.arange(12).reshape(4, 3)
    frozen, wide = array.copy(), np.repeat(array, 2, axis=1)
    frozen.flags.writeable = False
    np.save(tmp_path / "x.npy", array)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for same in (frozen, np.asfortranarray(array), wide[:, ::2], mapped):
        assert_interactions_equal(read(same), read(array))
    assert_interactions_equal(read(array.astype(">i8")), read(array))
    frame = pd.DataFrame(frozen, columns=[USER, ITEM, TIME], copy=False)
    assert_interactions_equal(read(frame), read(array))


@pytest.mark.case(16)
@pytest.mark.parametrize("dtype", [int, float, object, str])
def test_columns_are_copies(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    columns = read(array)
    array[:] = 9
    assert [list(map(int, column)) for column in columns] == [[0, 3], [1, 4], [2, 5]]
    dated = make_frame(times=pd.to_datetime(["2020-01-01"] * 3))
    for frame in in_each_library(dated):
        for name, column in zip([USER, ITEM, TIME], read(frame), strict=True):
            assert not np.may_share_memory(np.asarray(frame[name]), column)
            column[:] = column[::-1]  # writeable
        assert_interactions_equal(read(frame), read(dated.copy()))


# Ids


@pytest.mark.parametrize(
    "values",
    [
        numbered(25, [INT64.min, -1, 0, 1, INT64.max]),
        numbered(25, [0, 2**53 + 1, 2**63, UINT64.max]),
        numbered(27, [0, -1, 1, -2]),
        numbered(28, ["0", "-1", "nan", "None", "[PAD]", "NULL", "007"]),
        numbered(19, [" ", " a", "a ", "\t"]),
        numbered(29, ["a", "a\0", "A"]),
        numbered(30, ["é", "e\u0301"]),
        numbered(33, ["👩‍👩‍👧", "שלום", "a\nb", "a,b", 'a"b', "=cmd()"]),
        numbered(32, ["x" * 2**16]),
    ],
)
def test_ids_come_back_exactly(values):
    text = isinstance(values[0], str)
    dtype = object if text else np.uint64 if max(values) > INT64.max else np.int64
    forms = [values, tuple(values), np.array(values, dtype=object)]
    forms += [pd.Series(values), pd.Index(values), pd.Series(values, dtype=object)]
    if "a\0" not in values:  # pandas 2 takes "a" and "a\0" for one category
        forms += [pd.Series(values).astype("category")]
    forms += in_each_library(pd.Series(np.array(values, dtype=dtype)))
    for form in forms:
        ids = read_ids(form)
        assert (ids.tolist(), ids.dtype) == (values, dtype)
        assert len(set(ids.tolist())) == len(values)


@pytest.mark.case(13)
@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "int32", "int64", "uint8", "uint32", "uint64"]
)
def test_integer_dtypes_are_kept(dtype):
    limits = np.iinfo(dtype)
    plain = np.array([limits.min, 0, limits.max], dtype=dtype)
    nullable = dtype.replace("i", "I").replace("u", "U")
    dtypes = [dtype, nullable, f"{dtype}[pyarrow]", "category", pd.SparseDtype(dtype)]
    forms = [pd.Series(plain).astype(other) for other in dtypes]
    for form in (plain, *forms, *in_each_library(forms[0]), *in_each_library(forms[3])):
        ids = read_ids(form)
        assert ids.dtype == dtype
        assert_array_equal(ids, plain)


@pytest.mark.case(13, 36)
def test_strings_become_objects_of_str():
    color = StrEnum("Color", ["B"])
    forms = [
        pd.Series(["b", "a", "b"], dtype=dtype)
        for dtype in ("str", "string", "string[pyarrow]", "category", object)
    ]
    forms += [other for form in forms for other in in_each_library(form)[1:]]
    for form in (*forms, [color.B, np.str_("a"), "b"]):
        ids = read_ids(form)
        assert (ids.tolist(), ids.dtype) == (["b", "a", "b"], object)
        assert {type(value) for value in ids} == {str}


@pytest.mark.case(36)
def test_integer_objects_become_int64():
    ids = read_ids(pd.Series([np.int64(5), np.int8(3), 4], dtype=object))
    assert (ids.tolist(), ids.dtype) == ([5, 3, 4], np.int64)


@pytest.mark.case(14)
def test_unused_categories_are_no_ids():
    users = pd.Series(["a", "b", "c"], dtype="category")[:2]
    assert read_ids(users).tolist() == ["a", "b"]
    levels = pd.CategoricalDtype(["", "b", "a"])
    assert read_ids(pd.Series(["a", "b"]).astype(levels)).tolist() == ["a", "b"]


@pytest.mark.parametrize("column", [USER, ITEM])
@pytest.mark.parametrize(
    "values",
    [
        numbered(17, [1.0, np.nan, np.nan]),
        numbered(18, ["a", None, None]),
        ["a", np.nan, None],
        pd.Series(["a", None, None], dtype=object),
        pd.Series(["a", None, None], dtype="string[pyarrow]"),
        pd.Series(["a", None, None], dtype="category"),
        numbered(18, pd.Series([1, pd.NA, pd.NA], dtype="Int64")),
        pd.Series([1, None, None], dtype="int64[pyarrow]"),
        pd.Series(ARROW_FLOATS),
        numbered(18, pd.Series([1, pd.NaT, Decimal("nan")], dtype=object)),
    ],
)
def test_missing_ids(column, values):
    frame = with_column(column, values)
    parts = [repr(column), "2 missing", "row 1", "dropna", "fillna"]
    if isinstance(values, list) and values[0] == 1:
        parts = parts[:3]  # NaN is not null in polars and pyarrow
    assert_frame_refused(frame, InteractionsError, *parts)


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        numbered(19, ["a", "", ""], ["2 empty", "row 1: ''", "drop"]),
        numbered(21, [1.0, 1.5], ["1 fractional", "row 1: 1.5", "to str"]),
        numbered(21, [1.0, np.inf], ["1 infinite", "row 1: inf", "whole numbers"]),
        numbered(26, [1, 2**64], ["1 out-of-range", f"row 1: {2**64}", "64 bits"]),
        numbered(26, [-1, 2**63], ["1 out-of-range", f"row 1: {2**63}", "to str"]),
        ([1, -(2**63) - 1], ["1 out-of-range", "row 1", "64 bits"]),
        ([1, 10**5000], ["1 out-of-range", "row 1", "<int object"]),
        numbered(31, ["a", "\ud800"], ["1 invalid", r"row 1: '\ud800'", "UTF-8"]),
        numbered(32, ["a", "b" * 2**20], ["row 1: 'bbb", "...", "65536", "hash"]),
        (["a", "b" * (2**16 + 1)], ["row 1: 'bbb", "...", "65536", "hash"]),
    ],
)
def test_unusable_ids(values, parts):
    dtype = float if isinstance(values[0], float) else object
    frame = with_column(ITEM, pd.Series(values, dtype=dtype))
    assert_frame_refused(frame, InteractionsError, repr(ITEM), *parts)


@pytest.mark.case(20)
@pytest.mark.parametrize("column", [USER, ITEM])
def test_fit_refuses_missing_categories(column):
    frame = pd.DataFrame({USER: [1, 2, 3], ITEM: [4, 5, 6]})
    frame[column] = pd.Series(["a", "b", None], dtype="category")
    fit = partial(PopularityRecommender().fit, frame)
    assert_refused(fit, InteractionsError, column, "1 missing id", "row 2")


@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", object, "category"])
def test_float_ids_in_a_frame(dtype):
    frame = with_column(USER, pd.Series([1.0, 2.0], dtype=dtype))
    parts = [repr(USER), "2 float", "row 0: 1.0", "is missing", ".astype('Int64')"]
    assert_frame_refused(frame, TypeError, *parts)


@pytest.mark.case(20)
def test_float_ids_in_a_plain_array():
    ids = read_ids(np.array([1.5, -2.0], dtype=np.float32))
    assert (ids.tolist(), ids.dtype) == ([1.5, -2.0], np.float32)
    with pytest.raises(InteractionsError, match="1 infinite.*row 0: inf"):
        read_ids(np.array([np.inf]))


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        numbered(22, [True, False], ["2 bool", "row 0: True"]),
        (pd.Series([True], dtype="boolean"), ["1 bool", "row 0: True"]),
        numbered(23, [1, "1", 2], ["2 int", "row 0: 1)", "1 str", "row 1: '1'"]),
        numbered(24, [1, True, 1.0], ["1 int", "1 bool", "row 1", "1 float", "row 2"]),
        numbered(34, [b"a"], ["1 bytes", "row 0: b'a'", ".decode('utf-8')"]),
        numbered(35, [uuid.UUID(int=1)], ["1 UUID", "row 0: UUID("]),
        numbered(35, [datetime(2020, 1, 1)], ["1 datetime"]),
        numbered(35, pd.Series(pd.to_datetime(["2020-01-01"])), ["1 datetime64"]),
        (pd.Series(pd.to_datetime(["2020-01-01"], utc=True)), ["1 Timestamp"]),
        (pd.Series([timedelta(1)]), ["1 timedelta64"]),
        ([np.timedelta64(1, "s")], ["1 timedelta64", "row 0"]),
        ([1j], ["1 complex"]),
        numbered(35, [(1, 2), (3, 4)], ["2 tuple", "row 0: (1, 2)"]),
        numbered(35, [[1], [2]], ["2 list"]),
        numbered(35, [1, {"a": 1}], ["1 int", "1 dict", "row 1: {'a': 1}"]),
        ([Decimal(1)], ["1 Decimal"]),
    ],
)
def test_ids_of_other_types(values, parts):
    # "argument must be ... string ... number" is what scikit-learn's checks look for.
    parts = [*parts, "argument must be", "string", "number", ".astype(str)"]
    column = values
    if isinstance(values, list):
        column = pd.Series(np.fromiter(values, dtype=object))
        assert_refused(lambda: read_ids(values), TypeError, "'users'", *parts)
    assert_frame_refused(with_column(USER, column), TypeError, repr(USER), *parts)


@pytest.mark.parametrize(
    ("values", "error", "parts"),
    [
        ("abc", TypeError, ["'abc'", "list: ['abc']"]),
        (b"abc", TypeError, ["b'abc'", "list"]),
        (5, TypeError, ["list", "got int"]),
        (None, TypeError, ["list", "got NoneType"]),
        ({1, 2}, TypeError, ["list", "got set"]),
        ({1: 2}, TypeError, ["list", "got dict"]),
        (iter([1]), TypeError, ["list", "got list_iterator"]),
        (pd.MultiIndex.from_tuples([(1, 2)]), TypeError, ["list", "got MultiIndex"]),
        (np.zeros((2, 2)), InteractionsError, ["(2, 2)", ".ravel()"]),
        (np.array(5), InteractionsError, ["()", ".ravel()"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_containers_of_ids(values, error, parts):
    assert_refused(lambda: read_ids(values), error, CALLER, "'users'", *parts)


# Histories


@pytest.mark.case(95)
@pytest.mark.parametrize("form", [list, tuple, np.array, pd.Series, pd.Index])
def test_history_forms(form):
    given = form([3, 1, 3])
    history = read_history(given)
    assert (history.tolist(), history.dtype) == ([3, 1, 3], np.int64)
    assert not np.may_share_memory(history, given)
    assert read_history(form(["b", "a"])).tolist() == ["b", "a"]


@pytest.mark.parametrize("empty", [[], (), np.array([]), np.array([], dtype=int)])
def test_history_may_be_empty(empty):
    for form in (empty, pd.Series(empty, dtype=object)):
        history = read_history(form)
        assert history.shape == (0,)
        assert history.dtype in (object, np.int64)


@pytest.mark.case(95)
@pytest.mark.parametrize(
    ("history", "error", "parts"),
    [
        ("abc", TypeError, ["'abc'", "['abc']"]),
        ([[10, 11]], TypeError, ["1 list", "row 0: [10, 11]"]),
        ([10, None], InteractionsError, ["1 missing", "row 1: None"]),
    ],
)
def test_unusable_histories_name_the_user(history, error, parts):
    head = f"{CALLER}: history of user 'u1'"
    assert_refused(lambda: read_history(history, user="u1"), error, head, *parts)
    assert_refused(lambda: read_history(history), error, f"{CALLER}: history: ", *parts)


# Times


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        numbered(47, [INT64.min, -1, 0, 2**53 + 1, INT64.max], "int64"),
        ([0, 2**63, UINT64.max], "uint64"),
        ([-1.5, 0.0, 1e300], "float64"),
    ],
)
def test_numeric_times_are_exact(values, dtype):
    plain = np.array(values, dtype=dtype)
    nullable = dtype.replace("i", "I").replace("u", "U").replace("f", "F")
    arrow = f"{dtype}[pyarrow]".replace("float64", "double")
    for form in (dtype, object, nullable, "category", arrow):
        for frame in in_each_library(with_column(TIME, pd.Series(plain).astype(form))):
            times = read(frame).times
            assert (times.tolist(), times.dtype) == (values, dtype)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("float32", [1.4e9, 5]),
        ("Float32", [1.4e9, 5]),
        ("float[pyarrow]", [2.0**24 + 2, 5]),
        ("float32", [-1.4e9, 5]),
        ("float16", [2_050, 5]),
    ],
)
def test_rounded_times_are_refused(dtype, values):
    times = pd.Series(values, dtype=dtype)
    parts = [repr(TIME), "1 rounded", "row 0", "int64 or float64", ".astype('float64')"]
    assert_times_refused(times, InteractionsError, *parts)
    assert read_times(times.astype("float64")).tolist() == values
    array = np.array([[1, 2, 1.4e9]], dtype="f4")
    assert_refused(lambda: read(array), InteractionsError, "column 2", *parts[:3])


def test_narrow_times_are_widened():
    assert read_times(np.array([0, 2**24], dtype=np.float32)).tolist() == [0, 2**24]
    assert read_times(np.array([1, 2], dtype=np.int8)).dtype == np.int64
    assert read_times(np.array([1, 2], dtype=np.uint32)).dtype == np.int64
    assert read_times(np.array([1, 2], dtype=np.float32)).dtype == np.float64
    mixed = read_times(pd.Series([1, 2.5, np.int8(3)], dtype=object))
    assert (mixed.tolist(), mixed.dtype) == ([1.0, 2.5, 3.0], np.float64)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_datetimes_keep_their_unit(unit):
    plain = np.array(["1970-01-01", "2020-02-29T12"], dtype=f"datetime64[{unit}]")
    zoned = pd.Series(plain).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    for form in (pd.Series(plain), zoned, pd.Series(plain).astype("category")):
        for frame in in_each_library(with_column(TIME, form)):
            times = read(frame).times
            has_unit = unit != "s" or library_of(frame) != "polars"
            assert times.dtype == (plain.dtype if has_unit else "M8[ms]")
            assert_array_equal(times, plain)
        arrow = form.convert_dtypes(dtype_backend="pyarrow")
        assert_array_equal(read_times(arrow), plain)


@pytest.mark.case(47)
def test_far_years():
    years = np.array(["1600-01-01", "9999-12-31"], dtype="datetime64[s]")
    assert_array_equal(read_times(pd.Series(years)), years)
    if pd.__version__ >= "3":  # before, objects become nanoseconds, or are refused
        assert_array_equal(read_times(pd.Series(years.astype(object))), years)


def test_datetimes_too_far_apart_for_one_unit():
    times = [pd.Timestamp("2020-01-01").as_unit("ns"), datetime(9999, 1, 1)]
    times = pd.Series(times, dtype=object)
    parts = [CALLER, repr(TIME), "9999", "to_numpy('datetime64[us]')"]
    assert_refused(partial(read_times, times), InteractionsError, *parts)
    converted = read_times(times.to_numpy("datetime64[us]"))
    assert converted.tolist() == [datetime(2020, 1, 1), datetime(9999, 1, 1)]


def test_dates_are_times():
    periods = pd.Series(pd.PeriodIndex(["2020-02", "2020-01"], freq="M"))
    assert read_times(periods).astype(str).tolist()[1].startswith("2020-01-01")
    dates = with_column(TIME, pd.Series([date(2020, 1, 2), date(2020, 1, 1)]))
    for frame in in_each_library(dates):
        days = read(frame).times.astype("datetime64[D]").astype(str)
        assert days.tolist() == ["2020-01-02", "2020-01-01"]


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        numbered(40, [1.0, np.nan], ["1 missing", "row 1: nan", "dropna"]),
        ([1, None, None], ["2 missing", "row 1"]),
        (pd.Series([1, None], dtype="Int64"), ["1 missing", "row 1"]),
        numbered(
            40, [datetime(2020, 1, 1), pd.NaT], ["1 missing", "row 1: NaT", "dropna"]
        ),
        numbered(41, [1.0, np.inf], ["1 infinite", "row 1: inf", "finite"]),
        numbered(41, [-np.inf, -np.inf], ["2 infinite", "row 0: -inf"]),
        numbered(41, pd.Series([7, -np.inf], dtype=object), ["row 1: -inf"]),
        (pd.Series([1, 10**400], dtype=object), ["1 out-of-range", "row 1", "64 bits"]),
    ],
)
def test_unusable_times(values, parts):
    assert_times_refused(values, InteractionsError, *parts)


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        numbered(42, ["10", "9"], ["2 str", "row 0: '10'"]),
        (pd.Series(["10", "9"], dtype="category"), ["2 str", "row 0: '10'"]),
        numbered(43, ["x", 1], ["1 str", "row 0: 'x'", "1 int", "row 1: 1"]),
        numbered(48, [1j, 2], ["2 complex128", "row 0: 1j"]),
        numbered(48, [True, False], ["2 bool", "row 0: True"]),
        (pd.Series([True, 1], dtype=object), ["1 bool", "1 int"]),
        numbered(48, [timedelta(1)], ["1 timedelta64", "row 0"]),
        numbered(48, pd.Series([timedelta(1)], dtype=object), ["1 timedelta"]),
        (pd.Series([pd.Period("2020"), None], dtype=object)[:1], ["1 Period"]),
        ([datetime(2020, 1, 1), 5], ["1 datetime", "1 int"]),
        ([[1], {}], ["1 list", "1 dict"]),
    ],
)
def test_times_of_other_types(values, parts):
    parts = [*parts, "text", f"pd.to_datetime(X[{TIME!r}])"]
    assert_times_refused(values, TypeError, *parts)


@pytest.mark.parametrize(
    ("dates", "formats"),
    [
        (["24.12.2025 18:00", "01.02.2026 08:30"], ["%d.%m.%Y %H:%M"]),
        (["01/02/2026", "03/02/2026"], ["%m/%d/%Y", "%d/%m/%Y"]),
        (["05 May 2026", "06 May 2026"], ["%d %b %Y"]),
        (
            ["2026-01-01 09:00:00 +0100", "2026-07-01 09:00:00 +0200"],
            ["%Y-%m-%d %H:%M:%S %z"],
        ),
    ],
)
def test_advice_for_dates_names_their_format(dates, formats):
    with pytest.raises(TypeError) as caught:
        read_times(dates)
    message = str(caught.value)
    assert re.findall("format='(.*?)'", message) == formats
    call = re.search(r"pd\.to_datetime\(.*?\)", message)[0]
    X = pd.DataFrame({TIME: dates})
    assert len(read_times(eval(call, {"pd": pd, "X": X}))) == 2  # noqa: S307


@pytest.mark.case(44)
def test_times_with_and_without_zone():
    times = [datetime(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC)]
    parts = [CALLER, repr(TIME), "1 with a time zone", "1 without", "row 0", "utc=True"]
    assert_refused(lambda: read_times(times), TypeError, *parts)


@pytest.mark.case(52)
def test_without_timestamp_there_are_no_times():
    frame = make_frame().drop(columns=TIME)
    assert read(frame).times is None
    assert read(frame.assign(rating=5, year="2020", timed=True)).times is None
    assert read(frame.assign(comment=pd.Series([None, {}, []]))).times is None


@pytest.mark.case(52)
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("time", [1, 2, 3]),
        ("date", ["a", "b", "c"]),
        ("ts", [1, 2, 3]),
        ("Timestamp", [1, 2, 3]),
        ("Event Time", [1, 2, 3]),
        ("played", pd.to_datetime(["2020-01-01"] * 3)),
        ("played", pd.to_datetime(["2020-01-01"] * 3, utc=True)),
        ("played", [None, date(2020, 1, 1), date(2020, 1, 1)]),
        ("played", pd.period_range("2020", periods=3)),
        ("played", pd.array([None] + [date(2020, 1, 1)] * 2, dtype="date32[pyarrow]")),
    ],
)
def test_a_column_like_a_time_must_be_renamed_or_dropped(name, values):
    frame = make_frame().drop(columns=TIME).assign(**{name: values})
    rename = f"X.rename(columns={ {name: TIME} })"
    parts = [repr(TIME), rename, f"X.drop(columns={[name]})"]
    for need_items in (True, False):
        assert_frame_refused(frame, InteractionsError, *parts, need_items=need_items)
    assert read(frame.drop(columns=[name])).times is None
    assert read(frame.assign(timestamp=0)).times.tolist() == [0, 0, 0]


def test_several_columns_like_a_time():
    frame = make_frame().drop(columns=TIME).assign(date="x", ts=1)
    parts = [f"{ {'ts': TIME} }", "X.drop(columns=['ts', 'date'])"]
    assert_refused(lambda: read(frame), InteractionsError, *parts)


@pytest.mark.parametrize(
    "frame",
    [
        make_frame().iloc[:0],
        make_frame().rename(columns={USER: "uid"}),
        make_frame().rename(columns={TIME: "ts"}),
        make_frame(times=["x", "y", "z"]),
        make_frame(items=[1, "a", 2]),
        pd.concat([make_frame(), make_frame()[USER]], axis=1),
        pd.concat({"top": make_frame()}, axis=1),
    ],
)
def test_messages_name_the_argument(frame):
    with pytest.raises((TypeError, InteractionsError), match=r"history") as raised:
        read(frame, name="history")
    assert not re.search(r"\bX\b", str(raised.value))


# The order of rows


def assert_encoded_in_order(frame, order):
    """The times of a frame put its rows into this order."""
    in_order = frame.iloc[order].drop(columns=TIME)
    (found, *ids), (wanted, *wanted_ids) = map(encode, map(read, (frame, in_order)))
    assert_array_equal(found.indptr, wanted.indptr)
    assert_array_equal(found.items, wanted.items)
    for a, b in zip(ids, wanted_ids, strict=True):
        assert_array_equal(a, b)


def at(hour, zone=UTC):
    return datetime(2020, 1, 1, hour, tzinfo=zone)


TOKYO = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    ("times", "order"),
    [
        numbered(
            45,  # as written, without zones, the order would be another
            [at(2), at(10, TOKYO), at(0), at(13, TOKYO), at(12, TOKYO), at(5)],
            [2, 1, 0, 4, 3, 5],
        ),
        # Nobody can tell seconds from milliseconds.
        numbered(46, [100_000, 150_000, 160, 200, 170_000, 3], [5, 2, 3, 0, 1, 4]),
        numbered(47, [-3, -5, -1, -2, -4, 0], [1, 4, 0, 3, 2, 5]),
        numbered(49, [7] * 6, [0, 1, 2, 3, 4, 5]),
        numbered(50, [3, 3, 5, 3, 4, 6], [0, 1, 3, 4, 2, 5]),
        numbered(51, [6, 5, 4, 3, 2, 1], [5, 4, 3, 2, 1, 0]),
    ],
)
def test_rows_are_sorted_by_time_and_ties_keep_their_order(times, order):
    frame = make_frame([1, 1, 2, 2, 1, 2], list("abcabd"), pd.Series(times))
    assert_encoded_in_order(frame, order)


@pytest.mark.case(53)
@pytest.mark.parametrize("n_times", [1, 2])
def test_thousands_of_tied_rows_keep_their_order(n_times):
    random = np.random.default_rng(0)
    users, items, times = random.integers([20, 40, n_times], size=(2_000, 3)).T
    order = sorted(range(2_000), key=times.tolist().__getitem__)
    assert_encoded_in_order(make_frame(users, items, times), order)


# What messages show of ids


# Colours a terminal, ends the line, rings, reverses the writing; and is long.
HOSTILE = "\x1b[31m\r\n\x07\x9b2J\u202e\u2028" + "x" * 5_000
SHOWN = repr(HOSTILE)[:77] + "..."
UNKNOWN = ("b", [f"{HOSTILE}?"])


@pytest.fixture
def popularity():
    rows = make_frame([HOSTILE, HOSTILE, "b"], ["i", HOSTILE, "i"])
    return PopularityRecommender(k=1, handle_unknown="error").fit(rows)


@pytest.mark.case("S16")
@pytest.mark.parametrize(
    "call",
    [
        lambda model: read_ids([HOSTILE, 5]),
        lambda model: read_ids(HOSTILE),
        lambda model: read_ids(["a", HOSTILE * 20]),
        lambda model: read_times([HOSTILE]),
        lambda model: read_history(HOSTILE),
        lambda model: read_history([""], user=HOSTILE),
        lambda model: model.predict(f"{HOSTILE}?"),
        lambda model: model.predict(*UNKNOWN),
        lambda model: model.set_params(handle_unknown="popular").predict(*UNKNOWN),
        lambda model: model.predict(HOSTILE, [5]),
        lambda model: model.recommend("b", candidates=[f"{HOSTILE}?"]),
        lambda model: model.similar_items(f"{HOSTILE}?"),
        lambda model: model.score(make_frame(items=[f"{HOSTILE}?"] * 3)),
        lambda model: model.score(make_frame([HOSTILE] * 3, ["i"] * 3, [0] * 3)),
        lambda model: model.recommend(HOSTILE),
        lambda model: model.fit(make_frame(items=[HOSTILE] * 3)),
    ],
)
def test_ids_are_shown_escaped_and_cut(call, popularity):
    with pytest.raises((TypeError, ValueError, UserWarning)) as caught:
        call(popularity)
    message = str(caught.value)
    assert message.isprintable(), message
    assert len(message) < 800
    assert SHOWN in message


@pytest.mark.case("S16")
def test_names_of_columns_are_shown_escaped():
    frame = pd.DataFrame({HOSTILE: [1], "user_id": [1], f"{HOSTILE}time": [1]})
    with pytest.raises(InteractionsError) as caught:
        read(frame)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 2_000
