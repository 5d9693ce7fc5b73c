"""Checks of interactions, ids and histories: what comes back, and what is refused."""

import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import check_estimator

from sklearn_attrec import PopularityRecommender
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._validation import (
    ITEM,
    TIME,
    USER,
    Interactions,
    check_history,
    check_ids,
    check_interactions,
)

CALLER = "Model.fit"
INT64, UINT64 = np.iinfo(np.int64), np.iinfo(np.uint64)


def make_frame(users=(1, 1, 2), items=("a", "b", "a"), times=(3, 1, 2)):
    return pd.DataFrame({USER: users, ITEM: items, TIME: times})


def with_column(column, values):
    values = values if isinstance(values, pd.Series) else pd.Series(values)
    n = len(values)
    frame = make_frame(np.arange(n), np.arange(n), np.arange(n))
    return frame.drop(columns=column).assign(**{column: values})


def read(X, **params):
    return check_interactions(X, caller=CALLER, **params)


def read_ids(values):
    return check_ids(values, name="'users'", caller=CALLER)


def read_times(values):
    return read(with_column(TIME, values)).times


def assert_says(caught, *parts):
    message = str(caught.value)
    for part in parts:
        assert part in message, f"{part!r} is not in {message!r}"


def assert_interactions_equal(actual, expected):
    for name in Interactions._fields:
        a, b = getattr(actual, name), getattr(expected, name)
        assert (a is None) == (b is None), name
        if b is not None:
            assert a.dtype == b.dtype, name
            assert_array_equal(a, b)


# Shape and columns


def test_frame_comes_apart_in_row_order():
    users, items, times = read(make_frame())
    assert (users.tolist(), users.dtype) == ([1, 1, 2], np.int64)
    assert (items.tolist(), items.dtype) == (["a", "b", "a"], object)
    assert (times.tolist(), times.dtype) == ([3, 1, 2], np.int64)
    assert {type(item) for item in items} == {str}


def test_users_and_items_may_share_ids_or_differ_in_type():
    same = read(make_frame([1, 2, 3], [3, 2, 1]))
    assert_array_equal(same.users, same.items[::-1])
    assert read(make_frame(["x", "y", "z"], [3, 2, 1])).users.dtype == object


@pytest.mark.parametrize(
    "X",
    [
        None,
        5,
        object(),
        "abc",
        b"abc",
        {USER: [1]},
        {1, 2},
        pd.Series([1, 2]),
        pd.Index([1, 2]),
        (row for row in [[1, 2]]),
    ],
    ids=lambda X: type(X).__name__,
)
def test_other_containers_are_refused_by_name(X):
    with pytest.raises(TypeError) as caught:
        read(X)
    assert_says(caught, CALLER, type(X).__name__, "DataFrame", USER, ITEM, TIME, "2-D")


@pytest.mark.parametrize(
    ("module", "way"),
    [
        ("polars.dataframe.frame", ".to_pandas()"),
        ("pyarrow.lib", ".to_pandas()"),
        ("dask.dataframe.dask_expr._collection", ".compute()"),
        ("pyspark.sql.dataframe", ".toPandas()"),
    ],
)
def test_foreign_tables_are_sent_to_pandas(module, way):
    table = type("Frame", (), {"__module__": module})()
    for call in (read, read_ids):
        with pytest.raises(TypeError) as caught:
            call(table)
        assert_says(caught, CALLER, module.partition(".")[0], "Frame", way)


def test_unknown_table_is_not_read_by_position():
    class Table(list):
        columns = ("a", "b")

    with pytest.raises(TypeError, match="got Table"):
        read(Table([[1, 2]]))


def test_empty_frame():
    with pytest.raises(InteractionsError) as caught:
        read(make_frame().iloc[:0])
    assert_says(caught, CALLER, "0 rows", "at least 1")


def test_frame_without_columns():
    with pytest.raises(InteractionsError) as caught:
        read(pd.DataFrame())
    assert_says(caught, CALLER, repr(USER), repr(ITEM), "[]", "X.rename(columns=")


@pytest.mark.parametrize("old", ["Item", "item_id ", "ITEM ID", "itemId", "Item-ID"])
@pytest.mark.parametrize("new", ["movieId", "product_id", "sku", "asin", "track_id"])
def test_missing_column_prints_the_rename_call(old, new):
    for column in (old, new):
        with pytest.raises(InteractionsError) as caught:
            read(make_frame().rename(columns={ITEM: column}))
        call = f"X.rename(columns={ {column: ITEM} })"
        assert_says(caught, CALLER, f"no column {ITEM!r}", repr(USER), call)


@pytest.mark.parametrize("user", ["user", "userId", "uid", "User ID", "USER_ID"])
@pytest.mark.parametrize("time", ["Timestamp", "ts", "event_time", "date", "datetime"])
def test_one_rename_call_mends_all(user, time):
    frame = make_frame().set_axis([user, "movieId", time], axis=1)
    with pytest.raises(InteractionsError) as caught:
        read(frame)
    renames = {user: USER, "movieId": ITEM, time: TIME}
    assert_says(caught, f"X.rename(columns={renames})")
    assert_interactions_equal(read(frame.rename(columns=renames)), read(make_frame()))


def test_missing_column_without_look_alike_lists_the_columns():
    with pytest.raises(InteractionsError) as caught:
        read(make_frame().rename(columns={ITEM: "thing"}))
    assert_says(caught, f"no column {ITEM!r}", "'thing'", "X.rename(columns=", "<your")


@pytest.mark.parametrize("column", [USER, ITEM, TIME])
def test_doubled_column(column):
    frame = make_frame()
    with pytest.raises(InteractionsError) as caught:
        read(pd.concat([frame, frame[column]], axis=1))
    assert_says(caught, CALLER, repr(column), "2 times", "X.columns.duplicated()")


def test_other_doubled_columns_are_ignored():
    frame = make_frame().assign(a=1, b=2).rename(columns={"b": "a"})
    assert_interactions_equal(read(frame), read(make_frame()))


def test_multiindex_columns():
    with pytest.raises(TypeError) as caught:
        read(pd.concat({"top": make_frame()}, axis=1))
    assert_says(caught, CALLER, "MultiIndex", USER, "X.droplevel")


@pytest.mark.parametrize("index", [[7, 7, 7], ["x", "y", "z"], [2, 0, 1]])
def test_any_index_is_ignored(index):
    assert_interactions_equal(
        read(make_frame().set_axis(index)), read(make_frame().reset_index(drop=True))
    )


def test_extra_columns_are_ignored():
    extra = make_frame().assign(tags=[[], {}, np.zeros(2)], rating=np.nan)
    assert_interactions_equal(read(extra), read(make_frame()))


@pytest.mark.parametrize("column_name", [pd.NA, ("a", 1), 0, None])
def test_odd_column_names_are_ignored(column_name):
    frame = make_frame()[[USER, ITEM]].assign(x=0)
    frame.columns = pd.Index(
        [USER, ITEM, column_name], dtype=object, tupleize_cols=False
    )
    assert read(frame).times is None


def test_queries_need_no_items():
    for frame in (make_frame().drop(columns=ITEM), make_frame(items=[None, {}, ""])):
        users, items, times = read(frame, need_items=False)
        assert items is None
        assert (users.tolist(), times.tolist()) == ([1, 1, 2], [3, 1, 2])
    array = np.array([[1.0, np.nan, 3.0]])
    assert read(array, need_items=False) == (1.0, None, 3.0)
    with pytest.raises(InteractionsError) as caught:
        read(pd.DataFrame({"uid": [1]}), need_items=False)
    assert_says(caught, f"X.rename(columns={ {'uid': USER} })")


# Arrays


def test_array_is_read_by_position():
    array = np.array([[1, 10, 5, -1], [2, 20, 4, -1]])
    users, items, times = read(array)
    assert (users.tolist(), items.tolist(), times.tolist()) == (
        [1, 2],
        [10, 20],
        [5, 4],
    )
    assert read(array[:, :2]).times is None
    assert_interactions_equal(read(array.tolist()), read(array))
    assert_interactions_equal(read([tuple(row) for row in array]), read(array))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint8])
def test_array_keeps_the_dtype_of_ids(dtype):
    users, items, times = read(np.array([[1, 2, 3], [4, 5, 6]], dtype=dtype))
    assert users.dtype == items.dtype == dtype
    assert times.dtype == (np.float64 if dtype().dtype.kind == "f" else np.int64)


@pytest.mark.parametrize("kind", ["object array", "list"])
def test_objects_are_converted_column_by_column(kind):
    rows = [[1, "a", 0.5], [2, "b", 7]]
    users, items, times = read(rows if kind == "list" else np.array(rows, dtype=object))
    assert (users.dtype, items.dtype, times.dtype) == (np.int64, object, np.float64)
    assert (users.tolist(), items.tolist(), times.tolist()) == (
        [1, 2],
        ["a", "b"],
        [0.5, 7],
    )


@pytest.mark.parametrize("dtype", ["U", object])
def test_array_of_strings_holds_times_as_numbers(dtype):
    array = np.array([["1", "x", "10"], ["1", "y", "9"]], dtype=dtype)
    users, items, times = read(array)
    assert users.dtype == items.dtype == object
    assert {type(user) for user in users} == {str}
    assert (times.tolist(), times.dtype) == ([10, 9], np.int64)
    assert read([["1", "x", "0.5"]]).times.tolist() == [0.5]
    assert read([["1", "x", str(2**63)]]).times.tolist() == [2**63]
    with pytest.raises(TypeError, match="never sorted as text"):
        read(np.array([["1", "x", "2020-01-01"]], dtype=dtype))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.zeros((2, 1)), InteractionsError, r"1 feature\(s\).*position: user, item"),
        (np.zeros((0, 3)), ValueError, r"0 sample\(s\)"),
        (
            np.zeros((3, 0)),
            ValueError,
            r"0 feature\(s\) \(shape=\(3, 0\)\) while a min",
        ),
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
        (
            [[1, "a"], [None, "b"]],
            InteractionsError,
            "1 missing id, first at row 1: None",
        ),
        ([[1, 2], [1, {"a": 1}]], TypeError, r"column 1 \('item_id'\).*1 dict.*row 1"),
    ],
)
def test_unusable_arrays(X, error, message):
    with pytest.raises(error, match=message):
        read(X)


@pytest.mark.parametrize("form", ["csr", "csc", "dok", "lil"])
@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csr_matrix])
def test_sparse_is_refused_in_the_words_of_scikit_learn(container, form):
    with pytest.raises(TypeError, match="Sparse data was passed for X"):
        read(container(np.eye(3)).asformat(form))


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


@pytest.mark.parametrize("dtype", [int, float, object, str])
def test_answers_are_copies(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    answer = read(array)
    array[:] = 9
    assert [list(map(int, column)) for column in answer] == [[0, 3], [1, 4], [2, 5]]
    frame = make_frame(times=pd.to_datetime(["2020-01-01"] * 3))
    values = {name: frame[name].to_numpy() for name in frame}
    for name, column in zip(values, read(frame), strict=True):
        assert not np.may_share_memory(values[name], column)
        column[:] = column[::-1]  # writeable
    assert_interactions_equal(read(frame), read(frame.copy()))


class Reader(BaseEstimator):
    def fit(self, X, y=None):
        check_interactions(X, caller="Reader.fit")
        self.n_features_in_ = X.shape[1]
        return self


def test_estimators_reading_this_way_pass_the_checks_of_scikit_learn():
    assert check_estimator(Reader(), on_skip=None, on_fail="raise")


# Ids


@pytest.mark.parametrize(
    "values",
    [
        [INT64.min, -1, 0, 1, INT64.max],
        [0, 2**53 + 1, 2**63, UINT64.max],
        ["0", "-1", "nan", "None", "[PAD]", "NULL", "007"],
        [" ", " a", "a ", "\t"],
        ["a", "a\0", "A"],
        ["é", "e\u0301"],
        ["👩‍👩‍👧", "שלום", "a\nb", "a,b", 'a"b', "=cmd()"],
        ["x" * 2**16],
    ],
)
def test_ids_come_back_exactly(values):
    text = isinstance(values[0], str)
    dtype = object if text else np.uint64 if max(values) > INT64.max else np.int64
    forms = [values, tuple(values), np.array(values, dtype=object)]
    forms += [pd.Series(values), pd.Index(values), pd.Series(values, dtype=object)]
    if "a\0" not in values:  # pandas 2 takes "a" and "a\0" for one category
        forms += [pd.Series(values).astype("category")]
    for form in forms:
        ids = read_ids(form)
        assert (ids.tolist(), ids.dtype) == (values, dtype)
        assert len(set(ids.tolist())) == len(values)


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "int32", "int64", "uint8", "uint32", "uint64"]
)
def test_integer_dtypes_are_kept(dtype):
    limits = np.iinfo(dtype)
    plain = np.array([limits.min, 0, limits.max], dtype=dtype)
    nullable = dtype.replace("i", "I").replace("u", "U")
    for form in (
        plain,
        pd.Series(plain),
        pd.Series(plain, dtype=nullable),
        pd.Series(plain, dtype=f"{dtype}[pyarrow]"),
        pd.Series(plain).astype("category"),
        pd.Series(plain, dtype=pd.SparseDtype(dtype)),
    ):
        ids = read_ids(form)
        assert ids.dtype == dtype
        assert_array_equal(ids, plain)


@pytest.mark.parametrize(
    "dtype", ["str", "string", "string[pyarrow]", "category", object]
)
def test_string_dtypes_become_objects(dtype):
    ids = read_ids(pd.Series(["b", "a", "b"], dtype=dtype))
    assert (ids.tolist(), ids.dtype) == (["b", "a", "b"], object)
    assert {type(value) for value in ids} == {str}


def test_subclasses_become_plain():
    color = StrEnum("Color", ["RED"])
    ids = read_ids([color.RED, np.str_("b")])
    assert ids.tolist() == ["red", "b"]
    assert {type(value) for value in ids} == {str}
    ids = read_ids(pd.Series([np.int64(5), np.int8(3), 4], dtype=object))
    assert (ids.tolist(), ids.dtype) == ([5, 3, 4], np.int64)


def test_unused_categories_vanish():
    users = pd.Series(["a", "b", "c"], dtype="category")[:2]
    assert read_ids(users).tolist() == ["a", "b"]
    assert read_ids(
        pd.Series(["a", "b"]).astype(pd.CategoricalDtype(["", "b", "a"]))
    ).size


@pytest.mark.parametrize("column", [USER, ITEM])
@pytest.mark.parametrize(
    "values",
    [
        [1.0, np.nan, np.nan],
        ["a", None, None],
        ["a", np.nan, None],
        pd.Series(["a", None, None], dtype=object),
        pd.Series(["a", None, None], dtype="string[pyarrow]"),
        pd.Series(["a", None, None], dtype="category"),
        pd.Series([1, pd.NA, pd.NA], dtype="Int64"),
        pd.Series([1, None, None], dtype="int64[pyarrow]"),
        pd.Series([1, pd.NaT, Decimal("nan")], dtype=object),
    ],
)
def test_missing_ids(column, values):
    with pytest.raises(InteractionsError) as caught:
        read(with_column(column, values))
    assert_says(caught, f"{CALLER}: column {column!r}: 2 missing ids, first at row 1:")
    assert_says(caught, "dropna", "fillna")


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        (["a", "", ""], ["2 empty ids, first at row 1: ''", "at least one character"]),
        ([1.0, 1.5], ["1 fractional id, first at row 1: 1.5", "cast to str"]),
        ([1.0, np.inf], ["1 infinite id, first at row 1: inf", "whole numbers"]),
        ([1, 2**64], ["1 too wide id", f"row 1: {2**64}", "64 bits", "cast"]),
        ([-1, 2**63], ["1 too wide id", f"row 1: {2**63}", "64 bits"]),
        ([1, -(2**63) - 1], ["1 too wide id", "row 1", "64 bits"]),
        ([1, 10**5000], ["1 too wide id", "row 1", "<int object"]),
        (["a", "\ud800"], [r"1 broken id, first at row 1: '\ud800'", "UTF-8"]),
        (["a", "b" * 10**6], ["1 overlong id", "row 1: 'bbb", "...", "65536", "hash"]),
    ],
)
def test_unusable_ids(values, parts):
    with pytest.raises(InteractionsError) as caught:
        read(
            with_column(
                ITEM,
                pd.Series(values, dtype=type(values[0]))
                if isinstance(values[0], float)
                else pd.Series(values, dtype=object),
            )
        )
    assert_says(caught, f"{CALLER}: column {ITEM!r}: ", *parts)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", object, "category"])
def test_float_ids_in_a_frame(dtype):
    with pytest.raises(TypeError) as caught:
        read(with_column(USER, pd.Series([1.0, 2.0], dtype=dtype)))
    assert_says(caught, f"column {USER!r}: 2 float ids, first at row 0: 1.0")
    assert_says(caught, "Float ids usually mean a missing value; cast", "Int64")


def test_float_ids_in_a_plain_array():
    ids = read_ids(np.array([1.5, -2.0], dtype=np.float32))
    assert (ids.tolist(), ids.dtype) == ([1.5, -2.0], np.float32)
    with pytest.raises(InteractionsError, match="1 infinite id, first at row 0"):
        read_ids(np.array([np.inf]))


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ([True, False], ["2 bool (first at row 0: True)"]),
        (pd.Series([True], dtype="boolean"), ["1 bool (first at row 0: True)"]),
        ([1, "1", 2], ["2 int (first at row 0: 1)", "1 str (first at row 1: '1')"]),
        (
            [1, True, 1.0],
            [
                "1 int (first at row 0",
                "1 bool (first at row 1",
                "1 float (first at row 2",
            ],
        ),
        ([b"a"], ["1 bytes (first at row 0: b'a')", "decode"]),
        ([uuid.UUID(int=1)], ["1 UUID (first at row 0: UUID("]),
        ([datetime(2020, 1, 1)], ["1 datetime"]),
        (pd.Series(pd.to_datetime(["2020-01-01"])), ["1 datetime64"]),
        (pd.Series(pd.to_datetime(["2020-01-01"], utc=True)), ["1 Timestamp"]),
        (pd.Series([timedelta(1)]), ["1 timedelta64"]),
        ([np.timedelta64(1, "s")], ["1 timedelta64 (first at row 0"]),
        ([1j], ["1 complex"]),
        ([(1, 2), (3, 4)], ["2 tuple (first at row 0: (1, 2))"]),
        ([[1], [2]], ["2 list"]),
        ([1, {"a": 1}], ["1 int", "1 dict (first at row 1: {'a': 1})"]),
        ([Decimal(1)], ["1 Decimal"]),
    ],
)
def test_ids_of_other_types(values, parts):
    if isinstance(values, list):
        column = pd.Series(np.fromiter(values, dtype=object))
        with pytest.raises(TypeError, match="'users'"):
            read_ids(values)
    else:
        column = values
    with pytest.raises(TypeError) as caught:
        read(with_column(USER, column))
    assert_says(caught, f"{CALLER}: column {USER!r}: ", *parts)
    assert_says(caught, "must be a string or a whole number", ".astype(str)")


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (
            "abc",
            TypeError,
            r"'abc' would be read letter by letter; pass a list: \['abc'\]",
        ),
        (b"abc", TypeError, "letter by letter"),
        (5, TypeError, "must be a list.* got int"),
        (None, TypeError, "must be a list.* got NoneType"),
        ({1, 2}, TypeError, "must be a list.* got set"),
        ({1: 2}, TypeError, "must be a list.* got dict"),
        (iter([1]), TypeError, "must be a list.* got list_iterator"),
        (pd.MultiIndex.from_tuples([(1, 2)]), TypeError, "got MultiIndex"),
        (np.zeros((2, 2)), InteractionsError, r"one-dimensional; got shape \(2, 2\)"),
        (np.array(5), InteractionsError, r"one-dimensional; got shape \(\)"),
    ],
)
def test_containers_of_ids(values, error, message):
    with pytest.raises(error, match=f"{CALLER}: 'users'.*{message}"):
        read_ids(values)


# Histories


@pytest.mark.parametrize("form", [list, tuple, np.array, pd.Series, pd.Index])
def test_history_forms(form):
    history = check_history(form([3, 1, 3]), caller=CALLER)
    assert (history.tolist(), history.dtype) == ([3, 1, 3], np.int64)
    assert check_history(form(["b", "a"]), caller=CALLER).tolist() == ["b", "a"]


def test_history_is_a_copy():
    given = np.array([1, 2])
    history = check_history(given, caller=CALLER)
    given[:] = 0
    assert history.tolist() == [1, 2]


@pytest.mark.parametrize(
    "empty",
    [[], (), np.array([]), pd.Series([], dtype=object), np.array([], dtype=int)],
)
def test_history_may_be_empty(empty):
    history = check_history(empty, caller=CALLER)
    assert history.shape == (0,)
    assert history.dtype in (object, np.int64)


def test_history_errors_name_the_user():
    with pytest.raises(TypeError) as caught:
        check_history("abc", caller=CALLER, user="u1")
    assert_says(
        caught, f"{CALLER}: history of user 'u1'", "letter by letter", "['abc']"
    )
    with pytest.raises(InteractionsError) as caught:
        check_history([1, None], caller=CALLER, user=42)
    assert_says(caught, "history of user 42: 1 missing id, first at row 1: None")
    with pytest.raises(TypeError, match=f"{CALLER}: history: "):
        check_history([1, "1"], caller=CALLER)


# Timestamps


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([INT64.min, -1, 0, 2**53 + 1, INT64.max], "int64"),
        ([0, 2**63, UINT64.max], "uint64"),
        ([-1.5, 0.0, 1e300], "float64"),
    ],
)
def test_numeric_times_are_exact(values, dtype):
    plain = np.array(values, dtype=dtype)
    nullable = dtype.replace("i", "I").replace("u", "U").replace("f", "F")
    for form in (
        dtype,
        object,
        nullable,
        "category",
        f"{dtype}[pyarrow]".replace("float64", "double"),
    ):
        times = read_times(pd.Series(plain).astype(form))
        assert (times.tolist(), times.dtype) == (values, dtype)


def test_narrow_times_are_widened():
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
        times = read_times(form)
        assert times.dtype == plain.dtype
        assert_array_equal(times, plain)
        arrow = form.convert_dtypes(dtype_backend="pyarrow")
        assert_array_equal(read_times(arrow), plain)


def test_far_years():
    years = np.array(["1600-01-01", "9999-12-31"], dtype="datetime64[s]")
    assert_array_equal(read_times(pd.Series(years)), years)
    if pd.__version__ >= "3":  # before, objects become nanoseconds, or are refused
        assert_array_equal(read_times(pd.Series(years.astype(object))), years)


def test_zones_are_compared_in_utc():
    tokyo = timezone(timedelta(hours=9))
    values = [datetime(2020, 1, 1, 8, tzinfo=tokyo), datetime(2020, 1, 1, tzinfo=UTC)]
    times = read_times(pd.Series(values, dtype=object))
    assert times.dtype.kind == "M"
    assert (times[1] - times[0]) / np.timedelta64(1, "h") == 1


def test_dates_are_times():
    times = read_times(pd.Series([date(2020, 1, 2), date(2020, 1, 1)]))
    assert times.astype("datetime64[D]").astype(str).tolist() == [
        "2020-01-02",
        "2020-01-01",
    ]


def test_equal_times_stay():
    assert read_times([5, 5, 5]).tolist() == [5, 5, 5]


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ([1.0, np.nan], ["1 missing time, first at row 1: nan", "dropna"]),
        ([1, None, None], ["2 missing times, first at row 1"]),
        (pd.Series([1, None], dtype="Int64"), ["1 missing time, first at row 1"]),
        ([datetime(2020, 1, 1), pd.NaT], ["1 missing time, first at row 1", "NaT"]),
        ([1.0, np.inf], ["1 infinite time, first at row 1: inf", "finite"]),
        ([-np.inf, -np.inf], ["2 infinite times, first at row 0: -inf"]),
        (
            pd.Series([1, 10**400], dtype=object),
            ["1 too wide time", "row 1", "64 bits"],
        ),
    ],
)
def test_unusable_times(values, parts):
    with pytest.raises(InteractionsError) as caught:
        read_times(values)
    assert_says(caught, f"{CALLER}: column {TIME!r}: ", *parts)


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        (["10", "9"], ["2 str (first at row 0: '10')"]),
        (pd.Series(["10", "9"], dtype="category"), ["2 str (first at row 0: '10')"]),
        (["x", 1], ["1 str (first at row 0: 'x')", "1 int (first at row 1: 1)"]),
        ([1j, 2], ["2 complex128 (first at row 0: 1j)"]),
        ([True, False], ["2 bool (first at row 0: True)"]),
        (pd.Series([True, 1], dtype=object), ["1 bool", "1 int"]),
        ([timedelta(1)], ["1 timedelta64 (first at row 0"]),
        (pd.Series(pd.period_range("2020", periods=1)), ["1 Period"]),
        ([datetime(2020, 1, 1), 5], ["1 datetime", "1 int"]),
        ([[1], {}], ["1 list", "1 dict"]),
    ],
)
def test_times_of_other_types(values, parts):
    with pytest.raises(TypeError) as caught:
        read_times(values)
    assert_says(
        caught, f"{CALLER}: column {TIME!r}: times must be numbers or datetimes"
    )
    assert_says(caught, *parts, "never sorted as text", f"pd.to_datetime(X[{TIME!r}])")


def test_times_with_and_without_zone():
    with pytest.raises(TypeError) as caught:
        read_times([datetime(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC)])
    assert_says(
        caught, f"{CALLER}: column {TIME!r}: datetimes must all have a time zone"
    )
    assert_says(caught, "1 without a time zone (first at row 0", "utc=True")


def test_times_too_far_apart_for_their_unit():
    values = [pd.Timestamp("2020-01-01").as_unit("ns"), datetime(9999, 1, 1)]
    with pytest.raises(
        InteractionsError, match="column 'timestamp'.*9999.*coarser unit"
    ):
        read_times(pd.Series(values, dtype=object))


def test_without_timestamp_row_order_is_the_time_order():
    frame = make_frame().drop(columns=TIME)
    assert read(frame).times is None
    assert read(frame.assign(rating=5, year="2020", timed=True)).times is None
    assert read(frame.assign(comment=pd.Series([None, {}, []]))).times is None


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
    for need_items in (True, False):
        with pytest.raises(InteractionsError) as caught:
            read(frame, need_items=need_items)
        rename, drop = (
            f"X.rename(columns={ {name: TIME} })",
            f"X.drop(columns={[name]})",
        )
        assert_says(caught, CALLER, f"no column {TIME!r}", rename, drop)
    assert read(frame.drop(columns=[name])).times is None
    assert read(frame.assign(timestamp=0)).times.tolist() == [0, 0, 0]


def test_several_columns_like_a_time():
    frame = make_frame().drop(columns=TIME).assign(date="x", ts=1)
    with pytest.raises(InteractionsError) as caught:
        read(frame)
    assert_says(caught, f"{ {'ts': TIME} }", "X.drop(columns=['ts', 'date'])")


# What messages show of ids


# Colours a terminal, ends the line, rings, turns the writing round; and is long.
HOSTILE = "\x1b[31m\r\n\x07\x9b2J\u202e\u2028" + "x" * 5_000
SHOWN = repr(HOSTILE)[:77] + "..."


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
        lambda model: check_history(HOSTILE, caller=CALLER),
        lambda model: check_history([""], caller=CALLER, user=HOSTILE),
        lambda model: model.predict(f"{HOSTILE}?"),
        lambda model: model.predict(["b", f"{HOSTILE}?"]),
        lambda model: model.predict("b", [f"{HOSTILE}?"]),
        lambda model: model.set_params(handle_unknown="popular").predict(
            "b", [f"{HOSTILE}?"]
        ),
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
