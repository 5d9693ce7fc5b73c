"""The 112 cases of bad or odd input: refused in full sentences, or accepted.

Seven tables, one for each group, and one test for each table. A case is a number, a
name and a check. A check is called with a fresh model: it expects an error, with its
type and what the message has to say, or that an odd form means the same as a plain one.
In what a message has to say, … stands for anything.
"""

import contextlib
import copy
import csv
import datetime
import functools
import gzip
import itertools
import os
import pickle
import random
import re
import subprocess
import sys
import tempfile
import tracemalloc
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from bad_input_helpers import (
    BASELINES,
    MODELS,
    NETWORKS,
    VARIANTS,
    assert_finite,
    assert_refused,
    assert_same_model,
    attrec,
    frame_of,
    good,
    sasrec,
    sse_pt,
)
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec import PopularityRecommender, cli
from sklearn_attrec.datasets import read_interactions
from sklearn_attrec.exceptions import (
    InteractionsError,
    InvalidParameterError,
    LeakageWarning,
    TrainingDivergedError,
    UnknownUserError,
)
from sklearn_attrec.model_selection import (
    LeaveLastOut,
    TimeCutoffSplit,
    leave_last_out_split,
)
from sklearn_attrec.persistence import load_model, save_model

INT64, UINT64 = np.iinfo(np.int64), np.iinfo(np.uint64)
NAN, INF = float("nan"), float("inf")
ONCE = [None]  # for checks that need no model, or make their own


class Case(NamedTuple):
    number: int
    name: str
    check: Callable
    models: list = MODELS
    marks: tuple = ()


def params(table):
    """Each case with each of its models, marked with the number it proves."""
    return [
        pytest.param(
            case.check,
            model,
            id="-".join([f"{case.number:03}", case.name, *label(model)]),
            marks=[pytest.mark.case(case.number), *case.marks],
        )
        for case in table
        for model in case.models
    ]


def label(model):
    if model is None:
        return []
    loss = model.get_params().get("loss")
    return [type(model).__name__, loss] if loss else [type(model).__name__]


def fresh(model):
    return None if model is None else clone(model)


def reloaded(model):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.attrec")
        save_model(model, path)
        return load_model(path)


def having(name):
    return [model for model in NETWORKS if name in model.get_params()]


# What refuses a frame ---------------------------------------------------------------


class BadFrame(NamedTuple):
    """fit refuses what `make` makes; model and data stay as they were."""

    make: Callable
    said: str
    error: type
    by_us: bool = True  # or by scikit-learn, whose messages do not name the caller

    def __call__(self, model):
        X = self.make()
        head = f"{type(model).__name__}.fit: " if self.by_us else ""
        refused(lambda: model.fit(X), head + self.said, self.error)
        if isinstance(X, pd.DataFrame):
            assert_frame_equal(X, self.make())
        with pytest.raises(NotFittedError):
            check_is_fitted(model)


class BadColumn(NamedTuple):
    """fit refuses these values in each of some columns."""

    values: pd.Series
    said: str
    error: type
    columns: tuple

    def __call__(self, model):
        for column in self.columns:
            make = functools.partial(self.frame, column)
            BadFrame(make, f"column {column!r}: {self.said}", self.error)(model)

    def frame(self, column):
        return twenty().assign(**{column: self.values})


def refused(call, said, error):
    """Expect this very type of error and a message with these sentences."""
    assert_refused(call, error, *said.split("…"))


def bad_frame(number, name, make, said, error=InteractionsError, by_us=True):
    return Case(number, name, BadFrame(make, said, error, by_us))


def bad_ids(number, name, values, said, error=InteractionsError):
    columns = ("user_id", "item_id")
    return Case(number, name, BadColumn(values, said, error, columns))


def bad_times(number, name, values, said, error=InteractionsError):
    return Case(number, name, BadColumn(values, said, error, ("timestamp",)))


def twenty():
    """Two users with ten of eleven items each, in turns."""
    return frame_of([1, 2] * 10, np.arange(20) // 2 + [0, 1] * 10, np.arange(20))


def placed(values, at=0, among=7, dtype=object):
    """A column for `twenty` with some values from a row on, all others alike."""
    rest = 20 - at - len(values)
    return pd.Series([among] * at + [*values] + [among] * rest, dtype=dtype)


def same(number, name, make, plain=good):
    """Two forms of the same data make the same model."""
    check = functools.partial(same_model, make, plain)
    return Case(number, name, check)


def same_model(make, plain, model):
    assert_same_model(model, make(), plain())


# A. Frames and their columns --------------------------------------------------------

ACCEPTED = (
    "X must be a pandas DataFrame with the columns 'user_id', 'item_id' and optionally "
    "'timestamp', or a 2-D array read by position: user, item, time; got "
)
COLUMNS = "Rename those that hold the users, items and times: X.rename(columns="


def renamed(number, name, new):
    """Without item_id, and with a column that may be meant by it."""
    return bad_frame(
        number,
        name,
        lambda: good().rename(columns={"item_id": new}),
        f"X has no column 'item_id'; its columns are ['user_id', {new!r}, 'timestamp']."
        f" {COLUMNS}{ {new: 'item_id'} }).",
    )


def doubled(number, name):
    return bad_frame(
        number,
        f"two columns {name}",
        lambda: pd.concat([good(), good()[[name]]], axis=1),
        f"column {name!r} appears 2 times in X, but must appear once. Keep the first: "
        "X.loc[:, ~X.columns.duplicated()].",
    )


def unusable(number, kind, X):
    return bad_frame(number, kind, lambda: X, f"{ACCEPTED}{kind}.", TypeError)


def sparse_as(number, form):
    return bad_frame(
        number,
        form.__name__,
        lambda: form(good().to_numpy()),
        "Sparse data was passed for X, but dense data is required. Use '.toarray()' to "
        "convert to a dense numpy array.",
        TypeError,
        by_us=False,
    )


def foreign(number, name, module, way):
    """A table of a library that need not be installed: its type alone is looked at."""
    return bad_frame(
        number,
        module,
        lambda: type(name, (), {"__module__": module})(),
        f"X is a {module.partition('.')[0]} {name}, which is not read; convert it to "
        f"pandas first with .{way}().",
        TypeError,
    )


def memory_mapped():
    plain = good().to_numpy()
    with tempfile.TemporaryFile() as file:
        array = np.memmap(file, plain.dtype, "w+", shape=plain.shape)
    array[:] = plain
    return array


def read_only():
    array = good().to_numpy()
    array.flags.writeable = False
    return array


def frame_over_read_only_array():
    return pd.DataFrame(read_only(), columns=good().columns, copy=False)


def not_contiguous():
    return np.repeat(np.repeat(good().to_numpy(), 2, axis=0), 3, axis=1)[::2, ::3]


def typed(dtype, **columns):
    """Data whose columns of ids have a dtype, or are text of that dtype."""

    def make():
        if "pyarrow" in dtype:
            pytest.importorskip("pyarrow")
        return good().assign(**columns).astype({"user_id": dtype, "item_id": dtype})

    return make


INTEGERS = ["Int64", "int32", "uint64", "object", "category", "int64[pyarrow]"]
STRINGS = ["str", "string", "category", "string[pyarrow]"]
TEXT = {"user_id": list("uuuvvv"), "item_id": list("abcbcd")}


def unused_categories(model):
    levels = pd.Categorical(good()["item_id"], categories=range(100))
    frame = good().assign(item_id=levels)
    assert_same_model(model, frame, good())
    fitted = model.fit(frame)
    assert sorted(fitted.items_) == [5, 6, 7, 8]
    assert len(fitted.recommend(1, k=50, exclude_seen=False)) == 4


def changed_after_fit(X):
    def check(model):
        data = X()
        answers = model.fit(data).recommend()
        history = model.history_items_.tolist()
        if isinstance(data, pd.DataFrame):
            data.loc[:, ["user_id", "item_id", "timestamp"]] = 5
        else:
            data[:] = 5
        assert_frame_equal(reloaded(model).recommend(), answers, check_exact=True)
        assert model.history_items_.tolist() == history

    return check


FRAMES = [
    unusable(1, "NoneType", None),
    bad_frame(
        2,
        "frame without rows",
        lambda: good().iloc[:0],
        "X has 0 rows; at least 1 is needed. Has a filter left nothing?",
    ),
    bad_frame(
        2,
        "array without rows",
        lambda: np.zeros((0, 3)),
        "Found array with 0 sample(s) (shape=(0, 3)) while a minimum of 1 is required.",
        ValueError,
        by_us=False,
    ),
    bad_frame(
        3,
        "frame without columns",
        lambda: pd.DataFrame(index=range(6)),
        "X has no column 'user_id' and no column 'item_id'; its columns are []. "
        f"{COLUMNS}{ {f'<your {name}>': name for name in ('user_id', 'item_id')} }).",
    ),
    bad_frame(
        4,
        "nothing like item_id",
        lambda: good().rename(columns={"item_id": "thing"}),
        "X has no column 'item_id'; its columns are ['user_id', 'thing', 'timestamp']. "
        f"{COLUMNS}{ {'<your item_id>': 'item_id'} }).",
    ),
    renamed(4, "other case", "Item"),
    renamed(4, "a space too many", "item_id "),
    renamed(4, "another word", "movieId"),
    *(doubled(5, name) for name in ("user_id", "item_id", "timestamp")),
    bad_frame(
        6,
        "MultiIndex of columns",
        lambda: pd.concat({"top": good()}, axis=1),
        "the columns of X are a MultiIndex of 2 levels; they must be plain names: "
        "'user_id', 'item_id' and optionally 'timestamp'. Flatten them, as in "
        "X.droplevel(0, axis=1).",
        TypeError,
    ),
    unusable(7, "Series", good()["user_id"]),
    unusable(7, "dict", good().to_dict("list")),
    unusable(7, "set", {1, 2}),
    unusable(7, "str", "user_id"),
    unusable(7, "generator", (row for row in [[1, 2]])),
    same(7, "list of tuples", lambda: [*good().itertuples(index=False, name=None)]),
    same(8, "array of three columns", lambda: good().to_numpy()),
    same(
        8,
        "array of two columns, in the order of time",
        lambda: good().sort_values("timestamp").to_numpy()[:, :2],
    ),
    same(
        8,
        "array of ten columns",
        lambda: np.column_stack([good(), np.full((6, 7), np.nan)]),
    ),
    bad_frame(
        8,
        "array of one column",
        lambda: np.ones((4, 1)),
        "X has 1 feature(s) (shape=(4, 1)) while at least 2 are required: an array is "
        "read by position: user, item and optionally time.",
    ),
    *(
        sparse_as(9, form)
        for form in (sparse.csr_array, sparse.coo_matrix, sparse.dok_array)
    ),
    same(10, "index of one value", lambda: good().set_axis([7] * 6)),
    same(10, "index of strings", lambda: good().set_axis(list("abcdef"))),
    same(10, "shuffled index", lambda: good().set_axis([5, 3, 1, 0, 2, 4])),
    same(
        11,
        "unhashable values in a further column",
        lambda: good().assign(tags=[[], {}, set(), [1], {2: 3}, np.zeros(2)]),
    ),
    same(11, "column without any value", lambda: good().assign(rating=np.nan)),
    same(12, "read-only array", read_only),
    same(12, "frame over a read-only array", frame_over_read_only_array),
    same(12, "memory-mapped array", memory_mapped),
    same(12, "array with strides", not_contiguous),
    same(12, "array in the order of Fortran", lambda: np.asfortranarray(good())),
    *(same(13, f"integers as {dtype}", typed(dtype)) for dtype in INTEGERS),
    *(
        same(13, f"text as {dtype}", typed(dtype, **TEXT), typed("object", **TEXT))
        for dtype in STRINGS
    ),
    Case(14, "categories that no row has", unused_categories),
    foreign(15, "DataFrame", "polars.dataframe.frame", "to_pandas"),
    foreign(15, "DataFrame", "dask.dataframe.dask_expr._collection", "compute"),
    foreign(15, "DataFrame", "pyspark.sql.dataframe", "toPandas"),
    foreign(15, "Table", "pyarrow.lib", "to_pandas"),
    Case(16, "frame changed after fit", changed_after_fit(good)),
    Case(16, "array changed after fit", changed_after_fit(lambda: good().to_numpy())),
]


@pytest.mark.parametrize(("check", "model"), params(FRAMES))
def test_frames(check, model):
    check(fresh(model))


# B. Ids -----------------------------------------------------------------------------

DROP = "Drop those rows, as in .dropna(subset=...), or fill them in, as in .fillna."
ONE_TYPE = (
    "each id of this argument must be a string or a whole number, all of one type; got "
)
CAST = ". Cast them all, as in .astype(str)."
DECODE = ". Cast them all, as in .astype(str) (bytes: .str.decode('utf-8'))."
WHOLE = "Ids must be whole numbers or strings: mend these, or cast to str."


def types(number, name, values, census, cast=CAST):
    return bad_ids(number, name, values, f"{ONE_TYPE}{census}{cast}", TypeError)


def keeps(number, name, *ids):
    """Four ids, of items and the first two of users too, come back exactly."""

    def check(model):
        users = dict(zip([1, 2], ids[:2], strict=True))
        items = dict(zip([5, 6, 7, 8], ids, strict=True))
        frame = good().assign(
            user_id=[users[user] for user in good()["user_id"]],
            item_id=[items[item] for item in good()["item_id"]],
        )
        expected = clone(model).fit(good()).recommend(k=4, exclude_seen=False)
        fitted = model.fit(frame)
        unpickled = pickle.loads(pickle.dumps(fitted))
        for each in (fitted, reloaded(fitted), unpickled):
            answers = each.recommend(k=4, exclude_seen=False)
            for column, names in (("user_id", users), ("item_id", items)):
                values = [names[old] for old in expected[column]]
                assert answers[column].tolist() == values
                assert {type(v) for v in answers[column].tolist()} == {type(ids[0])}
            assert_array_equal(answers["score"], expected["score"])
            assert each.predict([ids[0], ids[1]], k=1).tolist() == [[ids[3]], [ids[0]]]
            assert each.predict(ids[0], history=[ids[0]], k=4)[3] == each.missing_item_
            assert each.missing_item_ not in ids

    return Case(number, name, check)


def text_is_no_number(model):
    model.fit(good().assign(item_id=["0", "-1", "nan", "-1", "nan", "None"]))
    assert_refused(
        lambda: model.similar_items(0),
        InteractionsError,
        "'items' must hold item ids seen in fit. Got 0 at position 0 (1 of 1 unknown). "
        "Fit saw str ids such as '-1'.",
    )


def float_array_is_accepted(model):
    assert_same_model(model, good().to_numpy(float), good().to_numpy())
    assert model.fit(good().to_numpy(float)).items_.dtype == np.float64


STRANGE = [
    "\N{PILE OF POO}",
    "\u05e9\u05dc\u05d5\u05dd",
    "two\nlines",
    'comma, "quote"',
    "=cmd()",
    "'; DROP TABLE x; --",
]


def strange_interactions():
    """Six users with three items each, of six items that bear the same names."""
    users = [user for user in STRANGE for _ in range(3)]
    items = [STRANGE[(i // 3 + i % 3) % 6] for i in range(18)]
    return frame_of(users, items)


def strange_ids_survive_csv(model):
    table = reloaded(model.fit(strange_interactions())).recommend(k=3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "out.csv")
        table.to_csv(path, index=False)
        found = read_interactions(path)
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row[:2] for row in csv.reader(file)][1:]
    assert len(table) == 18
    assert found["user_id"].tolist() == table["user_id"].tolist()
    assert found["item_id"].tolist() == table["item_id"].tolist()
    assert rows == table[["user_id", "item_id"]].to_numpy().tolist()


def strange_ids_survive_the_command_line(_):
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder, "in.csv"), Path(folder, "out.csv")
        strange_interactions().to_csv(path, index=False)
        command = ["recommend", str(path), "--model", "popularity", "--all-users"]
        assert cli.main([*command, "--k", "3", "--out", str(out)]) == 0
        found = read_interactions(out)
    expected = PopularityRecommender().fit(strange_interactions()).recommend(k=3)
    assert found["user_id"].tolist() == expected["user_id"].tolist()
    assert found["item_id"].tolist() == expected["item_id"].tolist()


def numpy_objects():
    users = pd.Series([*map(np.int8, good()["user_id"])], dtype=object)
    items = pd.Series([*map(np.int64, good()["item_id"])], dtype=object)
    return good().assign(user_id=users, item_id=items)


def users_and_items_of_two_types(model):
    fitted = model.fit(good().assign(item_id=list("abcbcd")))
    expected = clone(model).fit(good()).recommend()
    answers = fitted.recommend()
    assert answers["user_id"].tolist() == expected["user_id"].tolist()
    assert answers["item_id"].tolist() == ["abcd"[i - 5] for i in expected["item_id"]]
    assert_array_equal(answers["score"], expected["score"])


def one_item(model):
    assert_refused(
        lambda: model.fit(frame_of([1, 1, 2], [7, 7, 7])),
        InteractionsError,
        f"{type(model).__name__}.fit: the rows (n_samples = 3) hold 1 item, 7; at "
        "least 2 are needed to rank one before another.",
    )


def one_user(model):
    fitted = model.set_params(exclude_seen=False).fit(frame_of([1] * 4, [5, 6, 5, 7]))
    assert set(fitted.predict(1)) == {5, 6, 7}
    assert fitted.users_.tolist() == [1]


def users_who_are_items(model):
    both = frame_of([1, 1, 2, 2, 3, 3], [1, 2, 2, 3, 3, 1])
    fitted = model.fit(both)
    assert [fitted.predict(user, k=1).tolist() for user in (1, 2, 3)] == [[3], [1], [2]]


IDS = [
    bad_ids(
        17,
        "NaN",
        placed([NAN] * 3, at=17, dtype=float),
        f"3 missing ids, first at row 17: nan. {DROP}",
    ),
    *(
        bad_ids(
            18,
            f"{shown} among {among!r}",
            placed([missing], at=17, among=among),
            f"1 missing id, first at row 17: {shown}. {DROP}",
        )
        for missing, shown in [(None, "None"), (pd.NA, "<NA>"), (pd.NaT, "NaT")]
        for among in (7, "a")
    ),
    bad_ids(
        18,
        "NA of a nullable column",
        placed([pd.NA] * 2, at=3, dtype="Int64"),
        f"2 missing ids, first at row 3: <NA>. {DROP}",
    ),
    bad_ids(
        19,
        "empty text",
        placed(["", ""], at=4, among="a"),
        "2 empty ids, first at row 4: ''. An id needs at least one character: drop "
        "those rows or name them.",
    ),
    keeps(19, "spaces alone", " ", "  ", "\t", " \n"),
    keeps(19, "spaces around", "a", " a", "a ", " a "),
    bad_ids(
        20,
        "whole floats",
        placed([2.0], at=19, among=1.0, dtype=float),
        "20 float ids, first at row 0: 1.0; ids must be integers or strings. Float ids "
        "usually mean a missing value; cast them to integers, .astype('Int64'), or to "
        "strings, best where the data is read.",
        TypeError,
    ),
    Case(20, "whole floats in a plain array", float_array_is_accepted),
    bad_ids(
        21,
        "fractions",
        placed([1.5, 2.5], at=6, among=1.0, dtype=float),
        f"2 fractional ids, first at row 6: 1.5. {WHOLE}",
    ),
    bad_ids(
        21,
        "infinity",
        placed([INF, -INF], at=6, among=1.0, dtype=float),
        f"2 infinite ids, first at row 6: inf. {WHOLE}",
    ),
    types(
        22,
        "bool",
        placed([False], among=True, dtype=bool),
        "20 bool (first at row 0: False)",
    ),
    types(
        23,
        "1 and '1'",
        placed(["1"], at=5, among=1),
        "19 int (first at row 0: 1), 1 str (first at row 5: '1')",
    ),
    types(
        24,
        "1, True and 1.0",
        placed([True, 1.0], at=5, among=1),
        "18 int (first at row 0: 1), 1 bool (first at row 5: True), 1 float (first at "
        "row 6: 1.0)",
    ),
    keeps(25, "ends of int64", INT64.min, INT64.max, 0, 2**53 + 1),
    keeps(25, "end of uint64", UINT64.max, 2**63, UINT64.max - 1, 1),
    bad_ids(
        26,
        "more than 64 bits",
        placed([2**64], at=9),
        f"1 too wide id, first at row 9: {2**64}. Ids must fit 64 bits: cast them all "
        "to str.",
    ),
    bad_ids(
        26,
        "negative and beyond int64",
        placed([-1, 2**63], at=9),
        f"1 too wide id, first at row 10: {2**63}. Ids must fit 64 bits: cast them all "
        "to str.",
    ),
    keeps(27, "negative and zero", -1, 0, -2, -3),
    keeps(27, "zero first", 0, -1, 1, 2),
    keeps(28, "text like a number or missing", "0", "-1", "nan", "None"),
    keeps(28, "text like padding", "[PAD]", "<unk>", "NULL", "NaT"),
    Case(28, "text '0' is not the number 0", text_is_no_number),
    keeps(29, "text that ends in NUL", "a", "a\0", "a\0\0", "b"),
    keeps(30, "composed and decomposed", "\u00e9", "e\u0301", "e", "E"),
    bad_ids(
        31,
        "lone surrogate",
        placed(["\ud800"], at=8, among="a"),
        r"1 broken id, first at row 8: '\ud800'. Lone surrogates cannot be stored as "
        "UTF-8: mend the source's encoding.",
    ),
    bad_ids(
        32,
        "id of a megabyte",
        placed(["b" * 2**20], at=8, among="a"),
        f"1 overlong id, first at row 8: '{'b' * 76}.... At most 65536 characters are "
        "allowed: use a shorter id, or a hash.",
    ),
    keeps(32, "longest id", "b" * 2**16, "b" * (2**16 - 1), "b", "c"),
    keeps(33, "emoji, right to left, newline, comma", *STRANGE[:4]),
    keeps(33, "newline, quote, formula, SQL", *STRANGE[2:]),
    Case(33, "through CSV", strange_ids_survive_csv),
    Case(33, "through the command line", strange_ids_survive_the_command_line, ONCE),
    types(
        34,
        "bytes",
        placed([b"a"], among="a"),
        "1 bytes (first at row 0: b'a'), 19 str (first at row 1: 'a')",
        DECODE,
    ),
    types(
        35,
        "UUID",
        placed([], among=uuid.UUID(int=1)),
        f"20 UUID (first at row 0: UUID('{uuid.UUID(int=1)}'))",
    ),
    types(
        35,
        "datetime",
        placed([], among=datetime.datetime(2020, 1, 1)),
        "20 datetime (first at row 0: datetime.datetime(2020, 1, 1, 0, 0))",
    ),
    types(
        35,
        "datetime64",
        placed([], among="2020-01-01", dtype="M8[s]"),
        "20 datetime64 (first at row 0: np.datetime64('2020-01-01T00:00:00'))",
    ),
    *(
        types(
            35,
            kind,
            placed([value], at=2, among="a"),
            f"19 str (first at row 0: 'a'), 1 {kind} (first at row 2: {value!r})",
        )
        for kind, value in {"tuple": (1, 2), "list": [1], "dict": {"a": 1}}.items()
    ),
    same(36, "NumPy integers as objects", numpy_objects),
    Case(37, "integers for users, text for items", users_and_items_of_two_types),
    Case(38, "one item", one_item),
    Case(38, "one user", one_user, [attrec(loss="softmax"), *MODELS[1:]]),
    Case(39, "users who are items", users_who_are_items),
]


@pytest.mark.parametrize(("check", "model"), params(IDS))
def test_ids(check, model):
    check(fresh(model))


# C. Time and order ------------------------------------------------------------------

CONVERT = (
    ". Times are never sorted as text: convert them first, as in X['timestamp'] = "
    "pd.to_datetime(X['timestamp']), or with .astype('int64')."
)


def no_times(number, name, values, census):
    said = f"times must be numbers or datetimes, all of one kind; got {census}{CONVERT}"
    return bad_times(number, name, values, said, TypeError)


def timed(times):
    return lambda: good().assign(timestamp=times)


def in_zones():
    """The same times, written in three zones: sorted as written, they would differ."""
    zones = ["UTC", "Asia/Tokyo", "America/New_York"] * 2
    times = [
        pd.Timestamp(time, unit="h", tz="UTC").tz_convert(zone)
        for time, zone in zip(good()["timestamp"], zones, strict=True)
    ]
    assert sorted(times) != sorted(times, key=lambda time: time.tz_localize(None))
    return good().assign(timestamp=pd.Series(times, dtype=object))


def in_tokyo():
    hours = pd.to_datetime(good()["timestamp"], unit="h", utc=True)
    return good().assign(timestamp=hours.dt.tz_convert("Asia/Tokyo"))


def tokyo_is_compared_in_utc(model):
    """A row asks at 03:30 UTC, after which user 1 did one thing more."""
    model.fit(in_tokyo())
    asked = frame_of([1], [5], pd.to_datetime(["1970-01-01 03:30"], utc=True))
    expected = model.recommend(1, history=[6, 5], k=4)
    assert set(expected["item_id"]) == {7, 8}
    assert_frame_equal(model.recommend(asked, k=4), expected, check_exact=True)


def mixed_units(model):
    """Nobody can tell: 1,600 seconds come before 1,500,000 milliseconds."""
    mixed = timed([1_000_000, 1_500_000, 1_600, 2_000, 1_700_000, 3])
    assert_same_model(model, mixed(), timed([3, 4, 1, 2, 5, 0])())


def rows_change_places(times):
    """Rows change places, but those of one time stay in their order."""

    def check(model):
        frame = good().assign(timestamp=times)
        for seed in range(3):
            order = np.random.default_rng(seed).permutation(len(frame))
            for time in set(times):
                tied = frame["timestamp"].to_numpy()[order] == time
                order[tied] = np.sort(order[tied])
            assert_same_model(model, frame.iloc[order], frame)

    return check


def tied_rows_stay(model):
    """Of two rows of one time the later one in the frame is the later one."""
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        rows = good().iloc[[*order, 3, 4, 5]].assign(timestamp=3)
        model.fit(rows)
        start, end = model.history_indptr_[:2]
        found = model.items_[model.history_items_[start:end]]
        assert found.tolist() == rows["item_id"].tolist()[:3]


def many_ties(n_times):
    """Two thousand rows of one or two points in time keep their order."""

    def check(model):
        users = np.random.default_rng(0).permutation(np.repeat(np.arange(20), 100))
        items = np.random.default_rng(1).integers(40, size=2_000)
        times = np.random.default_rng(2).integers(n_times, size=2_000)
        fitted = model.fit(frame_of(users, items, times))
        for code, user in enumerate(fitted.users_):
            start, end = fitted.history_indptr_[code : code + 2]
            expected = [items[(users == user) & (times == t)] for t in range(n_times)]
            found = fitted.items_[fitted.history_items_[start:end]]
            assert_array_equal(found, np.concatenate(expected))

    return check


def time_called(number, name, dtype="int64"):
    return bad_frame(
        number,
        f"time called {name}",
        lambda: good().rename(columns={"timestamp": name}).astype({name: dtype}),
        f"X has no column 'timestamp', but [{name!r}] may hold the time. To sort by "
        f"it, rename it: X.rename(columns={ {name: 'timestamp'} }). If the rows are "
        f"already in time order, drop it: X.drop(columns=[{name!r}]).",
    )


def in_order():
    return good().sort_values("timestamp").drop(columns="timestamp")


FAR = pd.Series(["1800", "1600", "9998", "1900", "1700", "9999"]).astype("M8[s]")
MINGLED = [3, 0, 4, 1, 2, 5]  # an order of rows

TIMES = [
    bad_times(
        40,
        "NaN",
        placed([NAN], at=17, dtype=float),
        f"1 missing time, first at row 17: nan. {DROP}",
    ),
    bad_times(
        40,
        "NaT",
        placed([pd.NaT] * 3, at=17, among="2020-01-01", dtype="M8[ns]"),
        f"3 missing times, first at row 17: NaT. {DROP}",
    ),
    bad_times(
        41,
        "infinity",
        placed([INF, -INF], at=3, dtype=float),
        "2 infinite times, first at row 3: inf. Times must be finite: drop those rows.",
    ),
    bad_times(
        41,
        "minus infinity among integers",
        placed([-INF], at=3),
        "1 infinite time, first at row 3: -inf. Times must be finite: drop those rows.",
    ),
    no_times(
        42,
        "text",
        placed(["10", "9"], among="10"),
        "20 str (first at row 0: '10')",
    ),
    no_times(
        43,
        "text and integers",
        placed(["9"], at=2),
        "19 int (first at row 0: 7), 1 str (first at row 2: '9')",
    ),
    bad_times(
        44,
        "with and without a time zone",
        placed([pd.Timestamp("2020")], at=1, among=pd.Timestamp("2020", tz="UTC")),
        "datetimes must all have a time zone or all have none; got 19 with a time zone "
        "(first at row 0: Timestamp('2020-01-01 00:00:00+0000', tz='UTC')), 1 without "
        "a time zone (first at row 1: Timestamp('2020-01-01 00:00:00')). Convert them "
        "first, as in X['timestamp'] = pd.to_datetime(X['timestamp'], utc=True).",
        TypeError,
    ),
    same(45, "each row in another zone", in_zones),
    same(45, "all rows in one zone", in_tokyo),
    Case(45, "queries in another zone than fit", tokyo_is_compared_in_utc),
    Case(46, "seconds and milliseconds mixed", mixed_units),
    same(47, "negative and zero", timed(good()["timestamp"] - 6)),
    same(47, "years 1600 and 9999", timed(FAR)),
    no_times(
        48,
        "complex",
        placed([1j], dtype=complex),
        "20 complex128 (first at row 0: 1j)",
    ),
    no_times(
        48,
        "bool",
        placed([False], among=True, dtype=bool),
        "20 bool (first at row 0: False)",
    ),
    no_times(
        48,
        "timedelta",
        placed([], among=datetime.timedelta(1)),
        "20 timedelta (first at row 0: datetime.timedelta(days=1))",
    ),
    no_times(
        48,
        "timedelta64",
        placed([], among=np.timedelta64(3, "s"), dtype="m8[s]"),
        "20 timedelta64 (first at row 0: 3 seconds)",
    ),
    same(
        49,
        "all times equal",
        lambda: good().iloc[MINGLED].assign(timestamp=7),
        lambda: good().iloc[MINGLED].drop(columns="timestamp"),
    ),
    Case(49, "the order of tied rows is read", tied_rows_stay),
    same(
        50,
        "half of the times tied",
        timed([3, 3, 5, 3, 4, 6]),
        timed([1, 2, 5, 3, 4, 6]),
    ),
    Case(
        50,
        "rows that are not tied change places",
        rows_change_places([3, 3, 5, 3, 4, 6]),
    ),
    same(51, "rows in reverse", lambda: good().iloc[::-1]),
    same(52, "no timestamp", in_order),
    *(time_called(52, name) for name in ("ts", "time", "date", "Timestamp")),
    time_called(52, "x", "M8[s]"),
    Case(53, "2,000 rows of one time", many_ties(1)),
    Case(53, "2,000 rows of two times", many_ties(2)),
]


@pytest.mark.parametrize(("check", "model"), params(TIMES))
def test_times(check, model):
    check(fresh(model))


# D. Little data and odd data --------------------------------------------------------

PAIRWISE = [
    *(attrec(loss=loss) for loss in ("hinge", "bpr")),
    *(sasrec(loss=loss) for loss in ("bce", "gbce")),
]


def one_interaction_each(model):
    assert_refused(
        lambda: model.fit(frame_of([1, 2, 3], [5, 6, 5])),
        InteractionsError,
        f"{type(model).__name__}.fit: no user has 2 or more interactions to learn from "
        "(n_samples = 3, longest history: 1). Give longer histories.",
    )


def popular_items_need_one(model):
    fitted = model.set_params(exclude_seen=False).fit(frame_of([1, 2, 3], [5, 6, 5]))
    assert fitted.predict([1, 2], k=2).tolist() == [[5, 6], [5, 6]]


def some_users_have_one(model):
    frame = pd.concat([good(), frame_of([3, 4], [5, 9], [7, 8])])
    model.fit(frame)
    assert model.n_users_skipped_ == 2
    assert model.item_counts_.sum() == 8  # skipped in training, not dropped
    assert 9 in model.predict(1, k=5)
    assert 5 not in model.predict(3, k=5)
    assert_finite(model)


def padding_weighs_nothing(model):
    """The item whose number fills up short windows may be anything."""
    model.fit(good())
    spoilt = copy.deepcopy(model)
    spoilt.weights_["X"][0] = 1e3
    assert model.items_[0] not in (7, 8)
    asked = ("new", [7, 8])
    assert_array_equal(spoilt.query_vectors(*asked), model.query_vectors(*asked))
    other = spoilt.query_vectors("new", [model.items_[0], 8])
    assert not np.array_equal(other, model.query_vectors("new", [model.items_[0], 8]))


def padding_learns_nothing(model):
    """The first item fills up windows, and nothing else leads to it: it stays."""
    users = np.repeat(np.arange(1, 4), 3)
    rest = np.arange(100, 400)  # so many that the first is never drawn as a negative
    frame = pd.concat(
        [frame_of([0], [0]), frame_of(users, users * 10 + np.arange(9) % 3)]
        + [frame_of(rest, rest)]
    )
    still, moved = (
        clone(model).set_params(learning_rate=rate).fit(frame).weights_
        for rate in (1e-30, 1e-2)
    )
    table = "X" if "X" in still else "E"
    assert_array_equal(moved[table][0], still[table][0])
    assert (moved[table][1:3] != still[table][1:3]).any(axis=1).all()


def short_histories(model):
    """Windows as wide as histories are, one item wide, or much wider: all work."""
    model.fit(good())
    assert_finite(model)
    assert model.predict([1, 2], k=1).tolist() == [[8], [5]]
    assert model.predict("new", [5], k=3).shape == (3,)
    assert model.predict("new", [5, 6, 7, 5, 6, 7], k=1).tolist() == [8]


def targets_beyond_the_history(model):
    """A user of three items gives two targets at most, however many are asked for."""
    model.set_params(max_iter=4, batch_size=2)
    two, fifty, one = (
        clone(model).set_params(n_targets=n).fit(good()) for n in (2, 50, 1)
    )
    assert_finite(fifty)
    for name, weight in two.weights_.items():
        np.testing.assert_allclose(fifty.weights_[name], weight, rtol=1e-3, atol=1e-5)
    assert not np.allclose(one.weights_["U"], two.weights_["U"], atol=1e-5)


def one_has_seen_everything(model):
    frame = frame_of([1, 1, 1, 2, 2, 2, 2], [1, 2, 3, 1, 2, 1, 2])
    for batch_size in (1, 2, 3, 16):
        fitted = clone(model).set_params(batch_size=batch_size).fit(frame)
        assert fitted.n_users_skipped_ == 1
        assert_finite(fitted)
        assert fitted.predict(2).tolist() == [3, -1, -1]


def all_have_seen_everything(model):
    frame = frame_of([1, 1, 2, 2], [1, 2, 2, 1])
    assert_refused(
        lambda: model.fit(frame),
        InteractionsError,
        f"{type(model).__name__}.fit: no negative item exists, because every user "
        "touched all 2 items. Pass loss='softmax', or give more items.",
    )
    assert_finite(clone(model).set_params(loss="softmax").fit(frame))  # the way out


def one_item_is_left(model):
    frame = frame_of([1] * 9 + [2, 2], [*range(9), 9, 0])
    model.set_params(n_negatives=10).fit(frame)
    assert_finite(model)
    assert model.n_users_skipped_ == 0
    assert model.predict(1).tolist() == [9, -1, -1]


def two_items(model):
    frame = frame_of([1, 1, 1, 2], [0, 0, 0, 1])
    model.set_params(n_negatives=100).fit(frame)
    assert_finite(model)
    assert model.predict([1, 2], k=1).tolist() == [[1], [0]]


def fewer_items_than_k(model):
    model.set_params(k=10).fit(good())
    assert model.predict(1).tolist() == [8] + [-1] * 9
    assert model.recommend(1)["item_id"].tolist() == [8]
    rows = frame_of([1, 1, 1], [8, -1, 5], 9)  # -1 stands in every list, and is no hit
    assert model.score(rows) == pytest.approx(1 / 3)


def trains_on(n_windows):
    """The user's row moves, by what as many steps as there are batches can move it."""

    def check(model):
        users, items = np.zeros(n_windows + 1, int), np.arange(n_windows + 1) % 5
        frame = pd.concat([frame_of(users, items), frame_of([1], [9])])
        model.set_params(dropout=0.0, schedule="constant", batch_size=16)
        trained, still = (
            clone(model).set_params(learning_rate=rate).fit(frame)
            for rate in (1e-3, 1e-12)
        )
        assert_finite(trained)
        code = int(np.flatnonzero(trained.users_ == 0)[0])
        moved = np.abs(trained.weights_["U"][code] - still.weights_["U"][code])
        n_steps = -(-n_windows // 16)
        assert (moved > (n_steps - 1) * 1e-3 * 0.5).all()
        assert (moved <= 1.01e-3 * n_steps).all()  # Adam moves by its rate at most

    return check


def repeated_rows(model):
    fitted = model.fit(good().loc[[0, 0, 0, 1, 2, 3, 4, 5]])
    assert fitted.item_counts_.sum() == 8
    history = fitted.items_[fitted.history_items_[:5]]
    assert history.tolist() == [6, 5, 5, 5, 7]
    assert fitted.predict(99, k=1) == [5]


def one_item_ten_thousand_times(model):
    frame = frame_of([1] * 10_000 + [2, 2], [1] * 10_000 + [2, 3])
    model.set_params(batch_size=2_048).fit(frame)
    assert_finite(model)
    assert 1 not in model.predict(1, k=2)


LARGE = """
import sys
from pathlib import Path
import numpy as np
import pandas as pd
from sklearn_attrec import AttRecRecommender, PopularityRecommender

def megabytes():
    # Of this program alone: what getrusage tells begins with who started it.
    (line,) = (
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    return int(line.split()[1]) / 2**10

network = AttRecRecommender(
    d=4, n_targets=1, n_negatives=1, max_iter=1, batch_size=8_192, random_state=0
)
network.fit(pd.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 3]}))
n = 1_000_000
if sys.argv[1] == "one user":
    users, items = np.zeros(n + 1, int), np.arange(n + 1) % 1_000
    users[-1], items[-1] = 1, 1_000
else:
    users, items = np.repeat(np.arange(n), 2), np.arange(2 * n) * 7 % 1_000
X = pd.DataFrame({"user_id": users, "item_id": items})
before = megabytes()
for model in (PopularityRecommender(), network):
    model.fit(X)
    assert len(model.history_items_) == len(X)
    assert model.predict([0, 1]).shape == (2, 10)
    print(round(megabytes() - before))
"""


def a_million(kind, popularity, network):
    """Fit and answer within so many megabytes, in a process of its own."""

    def check(_):
        if not sys.platform.startswith("linux"):
            pytest.skip("Linux alone tells, in /proc")
        answer = subprocess.run(
            [sys.executable, "-c", LARGE, kind],
            capture_output=True,
            text=True,
            timeout=110,
        )
        assert answer.returncode == 0, answer.stderr
        used = list(map(int, answer.stdout.split()))
        assert used[0] < popularity
        assert used[1] < network

    return check


def first_and_last_items(model):
    """Item 5 is nobody's target, and item 8 in nobody's history before a target."""
    fitted = model.fit(good().drop(columns="timestamp"))
    for item in (5, 8):
        table = fitted.recommend([1, 2, 99], candidates=[item], exclude_seen=False)
        assert table["item_id"].tolist() == [item] * 3
        assert np.isfinite(table["score"]).all()
    assert set(fitted.items_) == {5, 6, 7, 8}


SLOW = (pytest.mark.timeout(120),)
WIDTHS = [*itertools.product((3, 50), (1, 2, 3))]
ALL_NETWORKS = [*VARIANTS, sse_pt()]
ONE_NEGATIVE = [
    attrec(n_negatives=1, n_targets=1),
    attrec(n_negatives=1, n_targets=1, loss="bpr"),
    sasrec(n_negatives=1, loss="bce"),
    sse_pt(n_negatives=1, loss="bce", sse_item=0.0),
]

LITTLE = [
    Case(54, "one interaction each", one_interaction_each, ALL_NETWORKS),
    Case(54, "one interaction each", popular_items_need_one, BASELINES),
    Case(55, "some users with one interaction", some_users_have_one, ALL_NETWORKS),
    *(
        Case(56, f"padding is not read, {name}", padding_weighs_nothing, [model])
        for name in ("mean", "sum", "max", "min")
        for model in [attrec(L=5, aggregation=name)]
    ),
    Case(56, "padding learns nothing", padding_learns_nothing, ONE_NEGATIVE),
    *(
        Case(56, f"L={L}, d={d}", short_histories, [attrec(loss=loss, L=L, d=d)])
        for L, d in WIDTHS
        for loss in ("hinge", "bpr", "softmax")
    ),
    *(
        Case(56, f"L={L}, d={d}", short_histories, [make(L=L, d=d, n_heads=1, **more)])
        for L, d in WIDTHS
        for make, more in [(sasrec, {}), (sse_pt, {"d_user": 1})]
    ),
    Case(
        57,
        "more targets than items",
        targets_beyond_the_history,
        [attrec(dropout=0.0), attrec(loss="bpr", dropout=0.0)],
    ),
    Case(
        57,
        "more targets and a wider window than items",
        short_histories,
        [attrec(n_targets=50, L=50, loss=loss) for loss in ("hinge", "bpr", "softmax")],
    ),
    Case(58, "one user has seen everything", one_has_seen_everything, PAIRWISE, SLOW),
    Case(59, "all users have seen everything", all_have_seen_everything, PAIRWISE),
    Case(60, "all items but one seen", one_item_is_left, VARIANTS, SLOW),
    Case(61, "two items, a hundred negatives", two_items, VARIANTS, SLOW),
    Case(62, "fewer items than k", fewer_items_than_k),
    *(
        Case(number, f"{n} windows in batches of 16", trains_on(n), [attrec()])
        for number, n in [(63, 1), (63, 15), (64, 16), (64, 17), (64, 33)]
    ),
    Case(65, "repeated rows", repeated_rows),
    Case(66, "one item 10,000 times", one_item_ten_thousand_times, NETWORKS),
    Case(67, "one user, a million rows", a_million("one user", 60, 250), ONCE, SLOW),
    Case(68, "a million users", a_million("users", 200, 800), ONCE, SLOW),
    Case(69, "items only ever first or last", first_and_last_items),
]


@pytest.mark.parametrize(("check", "model"), params(LITTLE))
def test_little_and_odd_data(check, model):
    check(fresh(model))


# E. Parameters ----------------------------------------------------------------------

LEAK = (
    "rows to be scored are among the fitted rows, or older than fitted rows of their "
    "user; the first is {}. The model has seen what came after them, so the score is "
    "too good. Split with LeaveLastOut or TimeCutoffSplit of "
    "sklearn_attrec.model_selection."
)
UNIT = "a float in the range [0, 1]"
POSITIVE = "a float in the range (0, inf)"
COUNT = "an int in the range [1, inf)"
SEED = "None, an int in the range [0, 4294967295] or a numpy RandomState"


def out_of_range(number, name, value, allowed):
    """fit refuses the value, in each network that has the parameter."""

    def check(model):
        assert_refused(
            lambda: model.set_params(**{name: value}).fit(good()),
            InvalidParameterError,
            f"The {name!r} parameter of {type(model).__name__} must be {allowed}. Got "
            f"{value!r} instead.",
        )
        with pytest.raises(NotFittedError):
            check_is_fitted(model)

    shown = re.sub(r" at 0x\w+", "", f"{value!r}")
    return Case(number, f"{name}={shown}", check, having(name))


def long_values_are_cut(model):
    for value, shown in [("a" * 10_000, f"'{'a' * 76}..."), (10**5_000, "<int object")]:
        assert_refused(
            lambda value=value: model.set_params(random_state=value).fit(good()),
            InvalidParameterError,
            f"The 'random_state' parameter of {type(model).__name__} must be {SEED}. ",
            f"Got {shown}",
        )


def as_plain(number, name, value, plain):
    """A number of another type means what the plain number means."""

    def check(model):
        first, second = (
            clone(model).set_params(**{name: v}).fit(good()) for v in (value, plain)
        )
        assert_finite(first)
        for weight, array in first.weights_.items():
            assert_array_equal(second.weights_[weight], array)
        assert_frame_equal(first.recommend(), second.recommend(), check_exact=True)

    return Case(number, f"{name}={type(value).__name__}", check, having(name))


def ends_of_omega(model):
    """At 0 the last items alone decide, at 1 nothing but the long-term taste."""
    for omega, forgets in ((0, True), (1, False)):
        fitted = clone(model).set_params(omega=omega).fit(good())
        assert_finite(fitted)
        changed = copy.deepcopy(fitted)
        changed.weights_["U"] += 1
        same = fitted.recommend([1])["score"].equals(changed.recommend([1])["score"])
        assert same == forgets


def works(**params):
    def check(model):
        model.set_params(**params)
        short_histories(model)

    return check


def larger_than_the_memory(_):
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
    for d in (10**9, 10**6, 10**15):
        try:
            model(d=d).fit(X)
        except ValueError as error:
            print(type(error).__name__, error)
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    lines = answer.stdout.splitlines()
    cases = [*itertools.product(("AttRec", "SASRec", "SSEPT"), (10**9, 10**6, 10**15))]
    assert len(lines) == len(cases), answer.stderr
    for (name, d), line in zip(cases, lines, strict=True):
        assert re.fullmatch(
            rf"InvalidParameterError The 'd' parameter of {name}Recommender must be "
            rf"small enough for training to fit in memory\. Got {d}, which needs about "
            r"[\d,]+ GiB of [\d,]+ GiB\.",
            line,
        )


def diverges(model):
    X = twenty()
    assert_refused(
        lambda: model.fit(X),
        TrainingDivergedError,
        f"{type(model).__name__}.fit: training diverged in epoch 1",
        "largest weight ",
        f"learning_rate={model.learning_rate}",
        "Pass a smaller learning_rate.",
    )
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    assert_finite(model.set_params(learning_rate=1e-3).fit(X))  # the way out


def weights_of(model, **params):
    weights = clone(model).set_params(**params).fit(good()).weights_
    return np.concatenate([weight.ravel() for weight in weights.values()])


def seeds(model):
    def random_state(seed):
        return np.random.RandomState(seed)

    plain = weights_of(model, random_state=3)
    assert_array_equal(weights_of(model, random_state=np.int64(3)), plain)
    assert not np.array_equal(weights_of(model, random_state=4), plain)
    assert_array_equal(
        weights_of(model, random_state=random_state(3)),
        weights_of(model, random_state=random_state(3)),
    )
    unseeded = [weights_of(model, random_state=None) for _ in range(2)]
    assert not np.array_equal(*unseeded)
    assert_finite(clone(model).set_params(random_state=2**32 - 1).fit(good()))


def global_seeds_are_untouched(model):
    before = pickle.dumps((random.getstate(), np.random.get_state()))  # noqa: NPY002
    model.set_params(random_state=None).fit(good())
    after = pickle.dumps((random.getstate(), np.random.get_state()))  # noqa: NPY002
    assert after == before


def unknown_parameter(model):
    name = type(model).__name__
    assert_refused(
        lambda: model.set_params(epochs=3),
        ValueError,
        f"Invalid parameter 'epochs' for estimator {name}(",
        "Valid parameters are: ['",
        "'exclude_seen'",
    )
    assert_refused(
        lambda: type(model)(epochs=3),
        TypeError,
        f"{name}.__init__() got an unexpected keyword argument 'epochs'",
    )


def search_with_one_point_that_diverges(model):
    frame = pd.concat([twenty(), twenty().assign(user_id=3, item_id=12)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        grid = {"learning_rate": [model.learning_rate, 1e-3]}
        search = GridSearchCV(model, grid, cv=LeaveLastOut()).fit(frame)
    (told,) = [w.message for w in caught if w.category is FitFailedWarning]
    assert "TrainingDivergedError" in str(told)
    assert "Pass a smaller learning_rate." in str(told)
    assert search.best_params_ == {"learning_rate": 1e-3}
    assert np.isfinite(search.best_score_)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [True, False]
    assert_finite(search.best_estimator_)


def search_over_shuffled_rows(model):
    frame = good().sort_values("timestamp")
    frame = pd.concat([frame, frame.assign(timestamp=frame["timestamp"] + 6)])
    model.set_params(exclude_seen=False)
    with pytest.warns(LeakageWarning) as caught:
        GridSearchCV(model, {"k": [1]}, cv=2).fit(frame)
    assert f"6 of 6 {LEAK.format('row 0 (user 1)')}" in str(caught[0].message)
    GridSearchCV(model, {"k": [1]}, cv=LeaveLastOut()).fit(frame)  # the way out


MILLION = [
    attrec(learning_rate=1e6, max_iter=2, loss=loss, max_norm=max_norm)
    for loss in ("hinge", "softmax")
    for max_norm in (None, 1.0)
]
TEN_MILLIONS = [
    make(learning_rate=1e7, max_iter=2, loss=loss, schedule="constant")
    for make in (sasrec, sse_pt)
    for loss in ("bce", "softmax")
]
FRACTION = "a float in the range (0, 1]"

PARAMETERS = [
    out_of_range(70, "omega", -0.1, UNIT),
    out_of_range(71, "omega", 1.1, UNIT),
    out_of_range(71, "omega", INF, UNIT),
    out_of_range(72, "omega", NAN, UNIT),
    out_of_range(73, "omega", "0.5", UNIT),
    out_of_range(73, "omega", None, UNIT),
    as_plain(70, "omega", 0, 0.0),
    as_plain(71, "omega", 1, 1.0),
    as_plain(73, "omega", np.float32(0.5), 0.5),
    Case(71, "omega at both ends", ends_of_omega, [attrec()]),
    out_of_range(74, "gamma", 0, POSITIVE),
    out_of_range(75, "gamma", -1, POSITIVE),
    out_of_range(76, "gamma", INF, POSITIVE),
    out_of_range(76, "gamma", NAN, POSITIVE),
    out_of_range(76, "gamma", "1", POSITIVE),
    as_plain(74, "gamma", np.float64(2), 2),
    out_of_range(77, "L", 0, COUNT),
    out_of_range(78, "L", -1, COUNT),
    *(out_of_range(79, "L", value, COUNT) for value in (2.5, "5", True, None)),
    as_plain(79, "L", np.int64(1), 1),
    Case(77, "L=1", works(L=1), ALL_NETWORKS),
    *(
        Case(80, f"d={d}", works(d=d, L=1), [attrec(), attrec(loss="softmax")])
        for d in (1, 2, 3)
    ),
    *(
        Case(80, f"d={d}", works(d=d, L=1, n_heads=1), [sasrec(), sse_pt(d_user=1)])
        for d in (1, 2, 3)
    ),
    *(out_of_range(81, "d", value, COUNT) for value in (0, -3, 8.0, None)),
    as_plain(81, "d", np.int32(4), 4),
    Case(81, "d larger than the memory", larger_than_the_memory, ONCE, SLOW),
    *(
        out_of_range(82, "learning_rate", value, POSITIVE)
        for value in (0, -1, NAN, INF, "x")
    ),
    Case(82, "learning_rate of a million", diverges, MILLION),
    Case(82, "learning_rate of ten millions", diverges, TEN_MILLIONS),
    *(
        out_of_range(83, name, value, COUNT)
        for name in ("max_iter", "batch_size")
        for value in (0, -1, 2.5)
    ),
    *(
        out_of_range(84, "random_state", value, SEED)
        for value in ("a", -1, 2**64, 1.5, np.random.default_rng(0))
    ),
    Case(84, "values too long to show", long_values_are_cut, NETWORKS),
    Case(84, "integers, RandomState and None", seeds, NETWORKS),
    Case(84, "global generators", global_seeds_are_untouched, NETWORKS),
    *(
        out_of_range(85, "n_negatives", value, f"None or {COUNT}")
        for value in (0, -1, 1.5)
    ),
    out_of_range(85, "n_iter_no_change", -1, COUNT),
    out_of_range(85, "n_iter_no_change", 0, COUNT),
    *(
        out_of_range(85, "validation_fraction", value, FRACTION)
        for value in (0, -0.1, 1.5, NAN)
    ),
    Case(86, "unknown parameter", unknown_parameter),
    Case(
        87,
        "one point of a grid diverges",
        search_with_one_point_that_diverges,
        [MILLION[0], TEN_MILLIONS[1]],
    ),
    Case(88, "folds that ignore time", search_over_shuffled_rows),
]


@pytest.mark.parametrize(("check", "model"), params(PARAMETERS))
def test_parameters(check, model):
    check(fresh(model))


# F. predict, recommend and score ----------------------------------------------------


def refuses(number, name, call, said, error=InteractionsError):
    """The call is refused; `said` follows the name of the class in the message."""

    def check(fitted, _):
        refused(lambda: call(fitted), f"{type(fitted).__name__}.{said}", error)

    return Case(number, name, check)


def strict(model):
    return model.set_params(handle_unknown="error")


def before_fit(fitted, X):
    model = clone(fitted)
    calls = [
        lambda: model.predict(1),
        lambda: model.recommend(),
        lambda: model.recommend([1], history=[[10]]),
        lambda: model.score(X),
        lambda: model.target_ranks(X),
        lambda: model.similar_items(10),
        lambda: model.query_vectors(),
        lambda: model.item_vectors(),
    ]
    for call in calls:
        assert_refused(
            call,
            NotFittedError,
            f"This {type(model).__name__} instance is not fitted yet. Call 'fit' with "
            "appropriate arguments before using this estimator.",
        )


def strangers_get_popular_items(fitted, X):
    expected = PopularityRecommender(k=3).fit(X).predict(99)
    assert_array_equal(fitted.predict(99), expected)
    assert fitted.recommend([99])["item_id"].tolist() == expected.tolist()


def unknown_users_are_lookup_errors(fitted, _):
    with pytest.raises(LookupError):
        strict(fitted).predict(99)
    with pytest.raises(ValueError, match="99"):
        fitted.predict(99)


def another_type(fitted, _):
    """Whatever `handle_unknown` says, as hardly anybody means another user."""
    rows = frame_of(["1"], [10], 10**6)
    for call in (fitted.predict, fitted.recommend, fitted.score):
        assert_refused(
            lambda call=call: call(rows),
            UnknownUserError,
            f"{type(fitted).__name__}.{call.__name__}: 1 user(s) were not seen in fit, "
            "the first is '1' at row 0. Fit saw int64 ids such as 1. Pass a history, "
            "ids of that type, or handle_unknown='popular'.",
        )


def number_for_text(fitted, X):
    fitted.fit(X.assign(user_id="u" + X["user_id"].astype(str)))
    assert_refused(
        lambda: fitted.predict(1),
        UnknownUserError,
        "the first is 1 at row 0. Fit saw str ids such as 'u1'.",
    )


def some_unknown_items(fitted, _):
    with pytest.warns(UserWarning) as caught:
        answer = fitted.predict(1, [99, 10, 98])
    (warning,) = caught
    assert str(warning.message) == (
        f"{type(fitted).__name__}.predict: the 'history' of user 1 holds item(s) not "
        "seen in fit: 99, 98 (2 in all histories). Fit saw int64 ids such as 11. They "
        "are ignored."
    )
    assert_array_equal(answer, fitted.predict(1, [10]))


def unknown_items_of_two_users(fitted, _):
    with pytest.warns(UserWarning) as caught:
        answers = fitted.predict([1, 2], [[10], [99, 98, 97, 96, 11]])
    (warning,) = caught
    assert "of user 2 holds item(s) not seen in fit: 99, 98, 97 (4 in all" in str(
        warning.message
    )
    assert_array_equal(answers, fitted.predict([1, 2], [[10], [11]]))


def nothing_known(fitted, _):
    popular = fitted.predict(-1)
    assert_array_equal(fitted.predict(1, []), popular)
    assert_array_equal(fitted.predict(1, np.array([])), popular)
    assert_array_equal(fitted.predict(-1, None), popular)
    with pytest.warns(UserWarning, match="99 .*ignored"):
        assert_array_equal(fitted.predict(1, [99]), popular)
    with pytest.warns(UserWarning, match="'10' .*int64 .*ignored"):
        assert_array_equal(fitted.predict(1, ["10"]), popular)


def last_items_alone(fitted, _):
    """Windows are three items long."""
    whole = [17, 10, 11, 12, 13, 14]
    fitted.set_params(exclude_seen=False)
    expected = fitted.recommend(1, whole[-3:], k=8)
    assert_frame_equal(fitted.recommend(1, whole, k=8), expected)
    other = fitted.recommend(1, [17, *whole[-2:]], k=8)
    assert not np.array_equal(other["score"], expected["score"])


def history_as(number, name, form):
    def check(fitted, _):
        expected = fitted.recommend(1, [10, 11, 12], k=5)
        answers = fitted.recommend(1, form([10, 11, 12]), k=5)
        assert_frame_equal(answers, expected, check_exact=True)
        both = fitted.recommend([1, 2], [form([10, 11, 12]), form([13])], k=5)
        assert_frame_equal(both[both["user_id"] == 1], expected, check_exact=True)

    return Case(number, name, check)


def bad_history(number, name, user, history, said, error=TypeError):
    def check(fitted, _):
        for method in ("predict", "recommend", "query_vectors"):
            call = getattr(fitted, method)
            head = f"{type(fitted).__name__}.{method}: "
            refused(lambda call=call: call(user, history), head + said, error)

    return Case(number, name, check)


def unusable_k(k):
    def check(fitted, _):
        calls = {
            "predict": lambda: fitted.predict(1, k=k),
            "recommend": lambda: fitted.recommend(1, k=k),
            "similar_items": lambda: fitted.similar_items(10, k=k),
        }
        for method, call in calls.items():
            assert_refused(
                call,
                InvalidParameterError,
                f"{type(fitted).__name__}.{method}: 'k' must be an int in the range "
                f"[1, inf). Got {k!r} instead.",
            )

    return check


def k_beyond_the_catalogue(fitted, X):
    mine = set(X.loc[X["user_id"] == 1, "item_id"])
    assert set(fitted.predict(1, k=100)[:2]) == set(X["item_id"]) - mine
    assert fitted.predict(1, k=100)[2:].tolist() == [-1] * 98
    assert len(fitted.recommend(1, k=100)) == 2
    assert len(fitted.recommend(1, k=100, exclude_seen=False)) == 8
    assert len(fitted.similar_items(10, k=100)) == 7


def a_large_k_costs_nothing(fitted, _):
    tracemalloc.start()
    lengths = [
        len(fitted.recommend(1, k=1_000_000)),
        len(fitted.similar_items(10, k=1_000_000)),
    ]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lengths == [2, 7]
    assert peak < 4_000_000


def nothing_is_left(fitted, _):
    everything = list(range(10, 18))
    calls = [
        lambda: fitted.predict([1, 2], [[10], everything])[1].tolist() == [-1] * 3,
        lambda: set(fitted.recommend([1, 2], [[10], everything])["user_id"]) == {1},
        lambda: len(fitted.recommend(2, everything)) == 0,
    ]
    for call in calls:
        with pytest.warns(UserWarning) as caught:
            assert call()
        (warning,) = caught
        assert str(warning.message) == (
            f"{type(fitted).__name__}: nothing is left to recommend to 1 user(s), the "
            "first is 2, who had all of them before. Pass exclude_seen=False to "
            "recommend items again."
        )
    assert len(fitted.recommend(2, everything, k=8, exclude_seen=False)) == 8


def bad_candidates(number, name, candidates, said, error=InteractionsError):
    def call(fitted):
        return fitted.recommend(1, candidates=candidates)

    return refuses(number, name, call, f"recommend: 'candidates'{said}", error)


def repeated_candidates(fitted, _):
    once = fitted.recommend(1, candidates=[12, 17], k=9, exclude_seen=False)
    assert set(once["item_id"]) == {12, 17}
    repeated = [17, 12, 12, 17]
    again = fitted.recommend(1, candidates=repeated, k=9, exclude_seen=False)
    assert_frame_equal(again, once, check_exact=True)
    assert fitted.recommend(1, candidates=repeated, k=9)["item_id"].tolist() == [17]


def splitters_keep_the_future_out(fitted, X):
    """Every row to be scored is later than all fitted rows of its user."""
    for splitter in (LeaveLastOut(n_splits=2), TimeCutoffSplit(test_size=0.2)):
        for train, test in splitter.split(X):
            train, test = X.iloc[train], X.iloc[test]
            newest = train.groupby("user_id")["timestamp"].max()
            assert (test["timestamp"] > test["user_id"].map(newest)).all()
            clone(fitted).fit(train).score(test)  # a LeakageWarning would be an error


def leaks_are_told(fitted, X):
    train, test = leave_last_out_split(X)
    fitted.fit(train)
    both = pd.concat([test, train.iloc[[4]]])
    with pytest.warns(LeakageWarning) as caught:
        fitted.score(both)
    (warning,) = caught
    assert str(warning.message) == f"1 of 13 {LEAK.format('row 12 (user 1)')}"


def constant_scores(fitted, X):
    """Where all items score alike a target is ranked behind all others."""
    train, test = leave_last_out_split(X)
    model = clone(fitted).set_params(exclude_seen=False, k=7).fit(train)
    model.weights_ = {name: 0 * value for name, value in model.weights_.items()}
    assert_array_equal(model.target_ranks(test), 8)
    assert model.score(test) == 0
    assert model.set_params(k=8).score(test) == 1


def equal_popularity(fitted, _):
    rows = frame_of(np.arange(40) // 2, np.arange(40))
    model = clone(fitted).set_params(exclude_seen=False).fit(rows)
    assert_array_equal(model.target_ranks(rows), 40)
    assert model.set_params(k=39).score(rows) == 0


def weights_of_no_numbers(name, value):
    def check(fitted, X):
        train, test = leave_last_out_split(X)
        fitted.fit(train)
        fitted.weights_[name] = np.full_like(fitted.weights_[name], value)
        calls = [
            lambda: fitted.predict(1),
            lambda: fitted.recommend(),
            lambda: fitted.score(test),
            lambda: fitted.query_vectors([1]),
        ]
        if name in ("V", "X", "E"):
            calls += [lambda: fitted.similar_items(10), lambda: fitted.item_vectors()]
        for call in calls:
            with np.errstate(all="ignore"):
                assert_refused(
                    call,
                    ValueError,
                    f"{type(fitted).__name__} holds weights that are not finite "
                    "numbers, so nothing can be ranked. Fit it again.",
                )

    return check


NOT_SEEN = (
    "were not seen in fit, the first is 99 at row {}. Fit saw int64 ids such as 1. "
    "Pass a history, ids of that type, or handle_unknown='popular'."
)
SEEN = " must hold item ids seen in fit. Got "
ITEMS = "Fit saw int64 ids such as 11."
LETTERS = "would be read letter by letter; pass a list: "
LISTS = "'history' must be a list of lists of item ids, one for each user. Got "
FORMS = "must be a list, tuple, array, Series or Index of ids; got "
TEST_ON = "Fit saw items such as 11; test on those."
NONE_KNOWN = "rows can be scored, because fit saw none of their items, of which "

WEIGHTS = {
    **dict.fromkeys(("U", "V", "X", "W_Q"), [attrec()]),
    **dict.fromkeys(("E", "P", "0.W_V", "0.b_1", "g_out"), [sasrec(), sse_pt()]),
    "data": BASELINES[:2],  # of a sparse array
}

QUERIES = [
    Case(89, "before fit", before_fit),
    refuses(
        90,
        "unknown users of predict",
        lambda model: strict(model).predict([1, 99, 98]),
        f"predict: 2 user(s) {NOT_SEEN.format(1)}",
        UnknownUserError,
    ),
    refuses(
        90,
        "unknown users of recommend",
        lambda model: strict(model).recommend([1, 99, 98]),
        f"recommend: 2 user(s) {NOT_SEEN.format(1)}",
        UnknownUserError,
    ),
    refuses(
        90,
        "unknown user of score",
        lambda model: strict(model).score(frame_of([99], [10], 10**6)),
        f"score: 1 user(s) {NOT_SEEN.format(0)}",
        UnknownUserError,
    ),
    Case(90, "LookupError and ValueError", unknown_users_are_lookup_errors),
    Case(90, "popular items where not refused", strangers_get_popular_items),
    Case(91, "'1' for the user 1", another_type),
    Case(91, "1 for the user 'u1'", number_for_text),
    Case(92, "some unknown items", some_unknown_items),
    Case(92, "unknown items of the second user", unknown_items_of_two_users),
    refuses(
        92,
        "some unknown items, refused",
        lambda model: strict(model).predict(1, [99, 10, 98]),
        "predict: the 'history' of user 1 holds item(s) not seen in fit: 99, 98 (2 in "
        "all histories). Fit saw int64 ids such as 11. Remove them, or pass "
        "handle_unknown='popular' to ignore them.",
    ),
    Case(93, "nothing known in the history", nothing_known),
    Case(94, "history longer than L", last_items_alone, NETWORKS),
    *(
        history_as(95, form.__name__, form)
        for form in (pd.Series, np.array, tuple, pd.Index)
    ),
    history_as(95, "Series, index reversed", lambda i: pd.Series(i, i[::-1])),
    bad_history(95, "text", 1, "abc", f"history of user 1: 'abc' {LETTERS}['abc']."),
    bad_history(95, "text for two", [1, 2], "ab", f"{LISTS}'ab' instead."),
    bad_history(
        95,
        "text for one of two",
        [1, 2],
        ["ab", "c"],
        f"history of user 1: 'ab' {LETTERS}['ab'].",
    ),
    bad_history(95, "item", 1, 10, f"history of user 1: {FORMS}int."),
    bad_history(95, "dict", 1, {10: 1}, f"history of user 1: {FORMS}dict."),
    bad_history(
        95,
        "list of lists",
        1,
        [[10, 11]],
        f"history of user 1: {ONE_TYPE}1 list (first at row 0: [10, 11]){CAST}",
    ),
    bad_history(
        95,
        "missing item",
        1,
        [10, None],
        f"history of user 1: 1 missing id, first at row 1: None. {DROP}",
        InteractionsError,
    ),
    bad_history(
        95,
        "float",
        1,
        [10, 11.5],
        f"history of user 1: {ONE_TYPE}1 int (first at row 0: 10), 1 float (first at "
        f"row 1: 11.5){CAST}",
    ),
    bad_history(
        95,
        "one for two users",
        [1, 2],
        [[10]],
        "'history' must hold one list of item ids for each of the 2 users. Got 1 "
        "instead.",
        InteractionsError,
    ),
    bad_history(
        95,
        "None for one of two",
        [1, 2],
        [[10], None],
        f"history of user 2: {FORMS}NoneType.",
    ),
    bad_history(
        95,
        "generator",
        [1],
        (items for items in [[10]]),
        f"{LISTS}<generator object … instead.",
    ),
    *(Case(96, f"k={k!r}", unusable_k(k)) for k in (0, -1, 2.5, "3", True)),
    Case(96, "k beyond the catalogue", k_beyond_the_catalogue),
    Case(96, "k of a million", a_large_k_costs_nothing, [PopularityRecommender(k=3)]),
    Case(97, "everything seen", nothing_is_left),
    bad_candidates(
        98,
        "unknown",
        [10, 99, 98],
        f"{SEEN}99 at position 1 (2 of 3 unknown). {ITEMS} Leave the unknown ones out.",
    ),
    bad_candidates(
        98,
        "of another type",
        ["10"],
        f"{SEEN}'10' at position 0 (1 of 1 unknown). {ITEMS} Leave the unknown ones "
        "out.",
    ),
    bad_candidates(98, "none", [], f"{SEEN}none. {ITEMS} Pass at least one."),
    bad_candidates(98, "text", "10", f": '10' {LETTERS}['10'].", TypeError),
    bad_candidates(
        98,
        "missing",
        [10, None],
        f": 1 missing id, first at row 1: None. {DROP}",
    ),
    bad_candidates(
        98,
        "of two types",
        [10, "10"],
        f": {ONE_TYPE}1 int (first at row 0: 10), 1 str (first at row 1: '10'){CAST}",
        TypeError,
    ),
    Case(98, "repeated", repeated_candidates),
    refuses(
        99,
        "no item of the rows is known",
        lambda model: model.score(frame_of([1, 2], [98, 99], 10**6)),
        f"score: 0 of 2 {NONE_KNOWN}98 is the first. {TEST_ON}",
    ),
    refuses(
        99,
        "items of the rows are of another type",
        lambda model: model.score(frame_of([1, 2], ["10", "11"], 10**6)),
        f"score: 0 of 2 {NONE_KNOWN}'10' is the first. {TEST_ON}",
    ),
    refuses(
        99,
        "no rows",
        lambda model: model.score(good().iloc[:0]),
        "score: X has 0 rows; at least 1 is needed. Has a filter left nothing?",
    ),
    Case(100, "honest folds", splitters_keep_the_future_out),
    Case(100, "a row that fit has seen", leaks_are_told),
    Case(101, "constant scores", constant_scores, NETWORKS),
    Case(101, "equal popularity", equal_popularity, [PopularityRecommender(k=3)]),
    *(
        Case(102, f"{name} is {value}", weights_of_no_numbers(name, value), models)
        for value in (NAN, INF)
        for name, models in WEIGHTS.items()
    ),
]


@pytest.mark.parametrize(("check", "model"), params(QUERIES))
def test_queries(check, model, small_interactions):
    check(fresh(model).fit(small_interactions), small_interactions)


# G. Files and the command line ------------------------------------------------------

POPULARITY = ["--model", "popularity"]
IDS_OF_CSV = b"user_id,item_id\n"
SOUND = "user_id,item_id\n1,5\n1,6\n2,6\n2,7\n3,Jos\u00e9\n"
MEND = "Mend the line, or put quotation marks around fields that hold the separator."
FIELDS = "field(s), where the first line has"
BLANK = "an id must not be blank; drop or name such rows. 1 such row(s)."
MIXED = "ids must all be integers or all be text. 2 such row(s)."
KIND_OF_TIME = (
    "it must be a finite number, or an ISO 8601 date, and like the first row; UTC "
    "offsets on all or on none. 2 such row(s)."
)
GZIP = "Fetch or write it again, or take .gz off its name if it is not compressed."


def bad_file(number, name, file, content, said, in_options=None):
    """Reading refuses the content; the command line does in one line, and with 2."""

    def check(run):
        Path(file).write_bytes(content() if callable(content) else content)
        refused(lambda: read_interactions(file), f"{file!r}{said}", InteractionsError)
        fails(run, file, *(in_options or said).split("…"))

    return Case(number, name, check, ONCE)


def fails(run, name, *parts, out="out.csv"):
    """Recommending from a file ends with one line and 2, and leaves no file behind."""
    before = sorted(Path().iterdir())
    code, printed, told = run(
        "recommend", name, *POPULARITY, "--all-users", "--out", out
    )
    assert (code, printed) == (2, "")
    assert re.fullmatch(r"sklearn_attrec: error: [^\n]*\n", told), told
    for part in parts:
        assert part in told, f"{part!r} is not in {told!r}"
    assert sorted(Path().iterdir()) == before


def answers_of(run, name, *options):
    code, printed, told = run("recommend", name, *POPULARITY, "--all-users", *options)
    assert (code, told) == (0, "")
    return printed


def parquet(end=None, **columns):
    """The bytes of a table of two rows, up to a place."""

    def make():
        pytest.importorskip("pyarrow")
        frame = pd.DataFrame({"user_id": [1, 2], "item_id": [1, 2]} | columns)
        frame.to_parquet("written")
        content = Path("written").read_bytes()
        Path("written").unlink()
        return content[:end]

    return make


def byte_order_mark(run):
    json = frame_of([1, 1, 2], list("abc")).to_json(orient="records", lines=True)
    for suffix, text in ((".csv", SOUND), (".jsonl", json)):
        plain, marked = f"plain{suffix}", f"marked{suffix}"
        Path(plain).write_text(text, "utf-8")
        Path(marked).write_text(text, "utf-8-sig")
        assert_frame_equal(read_interactions(marked), read_interactions(plain))
        assert answers_of(run, marked) == answers_of(run, plain)


def encoding_is_an_option(encoding):
    def check(run):
        Path("plain.csv").write_text(SOUND, "utf-8")
        Path("other.csv").write_text(SOUND, encoding)
        other = read_interactions("other.csv", encoding=encoding)
        assert_frame_equal(other, read_interactions("plain.csv"))
        answers = answers_of(run, "other.csv", f"--encoding={encoding}")
        assert answers == answers_of(run, "plain.csv")

    return check


def exact(number, name, *ids, kind=str):
    """Each id is read as it stands, and printed as it stands."""

    def check(run):
        rows = [f"{user},{item}" for user in ids for item in ids if user != item]
        Path("ids.csv").write_text("\n".join(["user_id,item_id", *rows, ""]), "utf-8")
        frame = read_interactions("ids.csv")
        assert [",".join(map(str, row)) for row in frame.to_numpy(object)] == rows
        assert {type(user) for user in frame["user_id"].tolist()} == {kind}
        assert {type(item) for item in frame["item_id"].tolist()} == {kind}
        header, *lines = answers_of(run, "ids.csv").splitlines()
        assert header == "user_id,item_id,score,rank"
        pairs = sorted(line.split(",")[:2] for line in lines)
        assert pairs == sorted([name, name] for name in ids)  # what each has not had

    return Case(number, name, check, ONCE)


def missing_path(run):
    with pytest.raises(FileNotFoundError, match="none.csv"):
        read_interactions("none.csv")
    fails(run, "none.csv", "[Errno 2] No such file or directory: 'none.csv'")


def directory(run):
    Path("folder.csv").mkdir()
    with pytest.raises(OSError, match="folder.csv"):
        read_interactions("folder.csv")
    fails(run, "folder.csv", "'folder.csv'")


@contextlib.contextmanager
def as_nobody():
    """Give up the rights of root, whom no permission stops, for a while."""
    if os.geteuid() != 0:
        yield
        return
    Path.cwd().chmod(0o777)
    try:
        os.seteuid(65_534)
    except OSError:
        pytest.skip("root may do anything, and may not become another user here")
    try:
        yield
    finally:
        os.seteuid(0)


def unreadable(run):
    Path("secret.csv").write_text(SOUND, "utf-8")
    Path("secret.csv").chmod(0)
    with as_nobody():
        with pytest.raises(PermissionError, match="secret.csv"):
            read_interactions("secret.csv")
        fails(run, "secret.csv", "[Errno 13] Permission denied: 'secret.csv'")


def unwritable(run):
    Path("in.csv").write_text(SOUND, "utf-8")
    Path("locked").mkdir(mode=0o555)
    told = ["--out must be a file in a folder that may be written to.", "Got"]
    if os.getuid() == 0:  # which may write there, until it gives up its rights
        told = ["Permission denied"]
    with as_nobody():
        fails(run, "in.csv", *told, "'locked/out.csv'", out="locked/out.csv")
    assert not [*Path("locked").iterdir()]


def full_device(run):
    Path("in.csv").write_text(SOUND, "utf-8")
    fails(run, "in.csv", "No space left on device", "'/dev/full'", out="/dev/full")


def output_without_a_folder(run):
    Path("in.csv").write_text(SOUND, "utf-8")
    for out in ("no/out.csv", "."):
        told = "--out must be a file in a folder that may be written to. "
        told += f"Got {out!r}."
        fails(run, "in.csv", told, out=out)


def process(*arguments, **options):
    command = [sys.executable, "-m", "sklearn_attrec", *arguments]
    # Unbuffered, Python takes no notice of what a broken pipe has not taken.
    env = {name: os.environ[name] for name in os.environ if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=env, **options
    )


def full_standard_output(_):
    Path("in.csv").write_text(SOUND, "utf-8")
    command = ["recommend", "in.csv", *POPULARITY, "--all-users"]
    with Path("/dev/full").open("w") as full, process(*command, stdout=full) as ended:
        told = ended.stderr.read()
        assert ended.wait(60) == 2
    assert told == "sklearn_attrec: error: [Errno 28] No space left on device\n"


def reader_that_is_gone(_):
    """Nobody reads at all: the few lines fail only when they are flushed at the end."""
    Path("in.csv").write_text(SOUND, "utf-8")
    command = ["recommend", "in.csv", *POPULARITY, "--all-users"]
    with process(*command, stdout=subprocess.PIPE) as ended:
        ended.stdout.close()
        assert ended.stderr.read() == ""
        assert ended.wait(60) == 0


def reader_that_stops_early(_):
    """As `head -1` does, while there is still much to be written."""
    users = np.repeat(np.arange(5_000), 2)
    frame_of(users, np.arange(10_000) % 77).to_csv("many.csv", index=False)
    command = ["recommend", "many.csv", *POPULARITY, "--all-users", "--k", "50"]
    with process(*command, stdout=subprocess.PIPE) as ended:
        assert ended.stdout.readline() == "user_id,item_id,score,rank\n"
        ended.stdout.close()
        assert ended.stderr.read() == ""
        assert ended.wait(60) == 0


FULL = (pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full"),)
POSIX = (pytest.mark.skipif(sys.platform == "win32", reason="POSIX alone"),)

DEEP = "[" * 100_000 + "]" * 100_000
ONE_OBJECT = "Each line must be one JSON object."


def bad_json(number, name, line, reason):
    record = '{"user_id": 1, "item_id": "a", "timestamp": 1}\n'
    content = f"{record}\n{line}\n{record}".encode()
    return bad_file(number, name, "a.jsonl", content, f", line 3: {reason}")


FILES = [
    bad_file(
        103,
        "one more field on every row",
        "a.csv",
        IDS_OF_CSV + b"1,2,3\n4,5,6\n7,8,9\n",
        f", line 2: 3 {FIELDS} 2. {MEND}",
    ),
    bad_file(
        104,
        "one more field on a row",
        "a.csv",
        IDS_OF_CSV + b"1,2\n4,5,6\n",
        f", line 3: 3 {FIELDS} 2. {MEND}",
    ),
    bad_file(
        104,
        "one field less on a row",
        "a.csv",
        b"user_id,item_id,timestamp\n1,2,3\n4,5\n6,7,8\n",
        f", line 3: 2 {FIELDS} 3. {MEND}",
    ),
    bad_file(
        104,
        "open quotation mark",
        "a.csv",
        IDS_OF_CSV + b'1,2\n1,"2\n3,4\n',
        ", line 3: unexpected end of data. Is a quotation mark left open?",
    ),
    bad_file(
        104,
        "NUL byte",
        "a.csv",
        IDS_OF_CSV + b"1,2\n3,\x004\n",
        ", line 3: a NUL byte. Either the file is damaged or in another encoding; name "
        "that, as in encoding='utf-16'.",
        ", line 3: a NUL byte. … as in --encoding='utf-16'.",
    ),
    bad_file(
        104, "header alone", "a.csv", IDS_OF_CSV, ", line 2: no row after the header."
    ),
    bad_file(104, "empty file", "a.csv", b"", ", line 1: the file is empty."),
    *(
        bad_file(
            105,
            encoding,
            "a.csv",
            SOUND.encode(encoding),
            f", line {line}: not text in the encoding 'utf-8'. Name the encoding of "
            f"the file, as in encoding='{named}'.",
            f", line {line}: not text … as in --encoding='{named}'.",
        )
        for encoding, line, named in [
            ("utf-16", 1, "utf-16"),
            ("utf-16-le", 6, "utf-16"),
            ("latin-1", 6, "latin-1"),
        ]
    ),
    Case(105, "byte order mark", byte_order_mark, ONCE),
    Case(105, "Latin-1 that is named", encoding_is_an_option("latin-1"), ONCE),
    Case(105, "UTF-16 that is named", encoding_is_an_option("utf-16"), ONCE),
    exact(106, "NA and its like", "NA", "nan", "NULL", "None", "N/A"),
    exact(106, "leading zeros", "007", "07", "7"),
    exact(106, "19 digits", "9007199254740993", str(INT64.max), "-1", kind=int),
    exact(106, "beyond 64 bits", str(2**64), str(2**64 - 1), str(2**63), "1"),
    bad_file(
        106,
        "blank user",
        "a.csv",
        IDS_OF_CSV + b"1,2\n,3\n",
        f", line 3: column 'user_id' holds ''; {BLANK}",
    ),
    bad_file(
        106,
        "item of spaces",
        "a.csv",
        IDS_OF_CSV + b"a,b\na, \n",
        f", line 3: column 'item_id' holds ' '; {BLANK}",
    ),
    *(
        bad_file(
            107,
            f"fields separated by {shown}",
            "a.csv",
            f"user_id{sep}item_id\n1{sep}2\n".encode(),
            f", line 1: 1 column found, 'user_id{shown}item_id'; try sep='{shown}'.",
            f", line 1: 1 column found, 'user_id{shown}item_id'; try --sep='{shown}'.",
        )
        for sep, shown in [(";", ";"), ("\t", r"\t"), ("|", "|"), ("::", "::")]
    ),
    bad_file(
        107,
        "one column",
        "a.csv",
        b"user\n1\n2\n",
        ", line 1: 1 column found, 'user'; users and items need 2 or more.",
    ),
    Case(108, "missing path", missing_path, ONCE),
    Case(108, "directory", directory, ONCE),
    Case(108, "no permission to read", unreadable, ONCE, POSIX),
    Case(108, "no permission to write", unwritable, ONCE, POSIX),
    Case(108, "full device for a file", full_device, ONCE, FULL),
    Case(108, "full device behind >", full_standard_output, ONCE, FULL),
    Case(108, "no folder for the output", output_without_a_folder, ONCE),
    Case(109, "reader that is gone", reader_that_is_gone, ONCE, POSIX),
    Case(109, "reader that stops early", reader_that_stops_early, ONCE, POSIX),
    bad_file(
        110,
        "not gzip",
        "a.csv.gz",
        IDS_OF_CSV + b"1,2\n",
        f" is not a whole gzip file: Not a gzipped file (b'us'). {GZIP}",
    ),
    *(
        bad_file(
            110,
            f"gzip cut off at {end}",
            "a.csv.gz",
            gzip.compress(IDS_OF_CSV + b"1,2\n" * 1_000)[:end],
            " is not a whole gzip file: Compressed file ended before the end-of-stream "
            f"marker was reached. {GZIP}",
        )
        for end in (-1, -8, 25)
    ),
    bad_file(
        111,
        "fractions for items",
        "a.parquet",
        parquet(item_id=[1.0, 2.5]),
        f", row 0: column 'item_id' holds 1.0; {MIXED}",
    ),
    bad_file(
        111,
        "dates for users",
        "a.parquet",
        parquet(user_id=pd.to_datetime(["2020-01-01", "2020-01-02"])),
        f", row 0: column 'user_id' holds Timestamp('2020-01-01 00:00:00'); {MIXED}",
    ),
    bad_file(
        111,
        "missing item",
        "a.parquet",
        parquet(item_id=["a", None]),
        ", row 1: column 'item_id' holds …; each row must have an id. 1 such row(s).",
    ),
    bad_file(
        111,
        "text for times",
        "a.parquet",
        parquet(timestamp=["soon", "later"]),
        f", row 0: column 'timestamp' holds 'soon'; {KIND_OF_TIME}",
    ),
    bad_file(
        111,
        "truncated",
        "a.parquet",
        parquet(end=-100),
        " is not a sound Parquet file: … not a parquet file. Fetch or write it again.",
    ),
    bad_file(
        111,
        "not Parquet",
        "a.parquet",
        IDS_OF_CSV,
        " is not a sound Parquet file: … not a parquet file. Fetch or write it again.",
    ),
    bad_json(
        112,
        "NaN",
        '{"user_id": 2, "item_id": "b", "timestamp": NaN}',
        f"NaN is not JSON. {ONE_OBJECT}",
    ),
    bad_json(
        112,
        "a key twice",
        '{"user_id": 2, "user_id": 3, "item_id": "b"}',
        f"a key is given twice in ['user_id', 'user_id', 'item_id']. {ONE_OBJECT}",
    ),
    *(
        bad_json(112, f"nesting {name}", text, f"maximum recursion …. {ONE_OBJECT}")
        for name, text in {
            "of arrays": "[" * 100_000,
            "of objects": '{"user_id":' * 100_000,
            "in an id": '{"item_id": 2, "user_id": ' + DEEP + "}",
        }.items()
    ),
]


@pytest.mark.parametrize(("check", "model"), params(FILES))
def test_files_and_command_line(check, model, tmp_path, monkeypatch, capsys):
    def run(*arguments):
        code = cli.main([*arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    monkeypatch.chdir(tmp_path)
    check(run)


# All of them ------------------------------------------------------------------------

GROUPS = {
    "A": (FRAMES, range(1, 17)),
    "B": (IDS, range(17, 40)),
    "C": (TIMES, range(40, 54)),
    "D": (LITTLE, range(54, 70)),
    "E": (PARAMETERS, range(70, 89)),
    "F": (QUERIES, range(89, 103)),
    "G": (FILES, range(103, 113)),
}


def test_every_case_is_in_its_table():
    for group, (table, numbers) in GROUPS.items():
        assert {case.number for case in table} == set(numbers), group
    every = [number for _, numbers in GROUPS.values() for number in numbers]
    assert every == [*range(1, 113)]


@pytest.mark.parametrize("method", ["predict", "recommend", "score", "target_ranks"])
def test_other_methods_refuse_the_same(method):
    """What the tables say of fit, the other methods say in their own name."""
    call = getattr(PopularityRecommender().fit(good()), method)
    head = f"PopularityRecommender.{method}: "
    asks = method in ("predict", "recommend")  # for users, and reads no items
    read = {"user_id", "timestamp"} | (set() if asks else {"item_id"})
    frames = {2: "frame without rows", 6: "MultiIndex of columns"}
    for case in FRAMES + IDS + TIMES:
        check = case.check
        if isinstance(check, BadColumn):
            for column in read & set(check.columns):
                X, said = check.frame(column), f"column {column!r}: {check.said}"
                refused(lambda X=X: call(X), head + said, check.error)
        elif case.name == frames.get(case.number) or case.number == 15:
            X, said = check.make(), check.said
            said = said.replace("X is", "'user' is") if asks else said
            refused(lambda X=X: call(X), head + said, check.error)


@pytest.mark.parametrize("method", ["predict", "recommend"])
def test_lists_of_users_are_refused_the_same(method):
    call = getattr(PopularityRecommender().fit(good()), method)
    head = f"PopularityRecommender.{method}: 'user': "
    for case in IDS:
        if isinstance(case.check, BadColumn):
            users = case.check.frame("user_id")["user_id"]
            forms = [users, users.array]
            if users.dtype.kind != "M":  # whose lists hold Timestamps instead
                forms.append(users.tolist())
            for asked in forms:
                said, error = head + case.check.said, case.check.error
                refused(lambda asked=asked: call(asked), said, error)
