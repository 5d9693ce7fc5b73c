"""Queries, histories and rules in every form, on models whose answers are known.

In `small_interactions` item i is followed by item i + 1, from 10 to 17 and around. A
Markov chain therefore recommends the item after the last one of a history.
"""

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from bad_input_helpers import assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_attrec import MarkovRecommender, PopularityRecommender
from sklearn_attrec._ranking.known_ids import FEW_IDS, lookup
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.exceptions import InteractionsError, TimeUnitWarning
from sklearn_attrec.model_selection import LeaveLastOut
from sklearn_attrec.preprocessing import DropRepeats


@pytest.fixture
def model(small_interactions):
    return MarkovRecommender(k=1).fit(small_interactions)


def log(users, items, times=None):
    frame = pd.DataFrame({"user_id": users, "item_id": items})
    return frame if times is None else frame.assign(timestamp=times)


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.float32, object])
@pytest.mark.parametrize("n", [0, 1, FEW_IDS - 1, FEW_IDS])
def test_lookup_of_few_and_of_many_ids(n, dtype):
    ids = np.arange(2 * FEW_IDS)
    ids = ids.astype(str).astype(object) if dtype is object else ids.astype(dtype)
    model = PopularityRecommender()
    model.items_ = ids[::2]
    queried = np.random.default_rng(0).permutation(ids)[:n]
    expected = [i // 2 if i % 2 == 0 else -1 for i in queried.astype(int)]
    assert lookup(model, "items_", queried).tolist() == expected


def test_repeated_ids_of_a_damaged_model_are_an_error():
    model = PopularityRecommender()
    model.items_ = np.array([1, 2, 1])
    with pytest.raises(pd.errors.InvalidIndexError, match="items_ contains 1 more"):
        lookup(model, "items_", np.array([1]))


# Histories

A, B = [10, 11], [12, 14]  # followed by 12 and 15
USERS = [5, 4, 5]  # with the histories A, B, A
FRAME = pd.DataFrame({"user_id": USERS}, index=[7, 4, 9])
GROUPED = pd.Series([B, A], index=pd.Index([4, 5], name="user_id"))
LOG = log([4, 5, 4, 5], [14, 11, 12, 10], [4, 3, 2, 1])


@pytest.mark.parametrize(
    "history",
    [
        [A, B, A],
        pd.Series([A, B, A]),
        np.array([A, B, A]),
        GROUPED,
        GROUPED[::-1].rename_axis(None),
        pd.concat([pd.Series([["x"]], index=[99]), GROUPED]),
        GROUPED.to_dict(),
        {4: np.array(B), 5: pd.Series(A, index=[8, 8]), 99: None},
        LOG,
        pd.concat([log([99], [98], [0]), LOG[::-1]]),
        LOG[::-1].drop(columns="timestamp"),
    ],
)
def test_each_user_gets_its_own_history(history, model):
    for users in (USERS, pd.Series(USERS), FRAME, FRAME["user_id"]):
        assert model.predict(users, history).ravel().tolist() == [12, 15, 12]
    if not isinstance(history, (list, np.ndarray)) and len(history) != 3:
        assert model.predict(4, history) == [15]


def test_histories_in_a_column_of_the_queries(model):
    # The index is that of the queries, even if it could be that of the users.
    for labels in ([7, 4, 9], [0, 1, 2], [4, 5, 4], [5, 5, 4]):
        table = FRAME.assign(past=[A, B, A]).set_axis(labels)
        for users in (table, table["user_id"]):
            assert model.predict(users, table["past"]).ravel().tolist() == [12, 15, 12]


@pytest.mark.parametrize(
    "history",
    [
        B,
        tuple(B),
        pd.Series(B, index=[9, 2]),
        pd.Series(B, index=pd.Index([4, 4], name="user_id")),
        pd.Index(B),
        pd.Categorical(B),
        log([4, 4], B).drop(columns="user_id"),
        pd.DataFrame({"item_id": B[::-1], "timestamp": [2, 1], "userid": 4}),
        pd.Series([B]),
    ],
)
def test_history_of_a_single_user(history, model):
    assert model.predict(4, history) == [15]


def test_queries_with_times_read_no_later_rows_of_a_history(model):
    queries = pd.DataFrame({"user_id": [5, 4, 4, 5], "timestamp": [1, 2, 4, 9]})
    assert model.predict(queries, LOG).ravel().tolist() == [11, 13, 15, 12]
    with pytest.warns(UserWarning, match="99"):
        nothing = model.predict(queries, LOG.assign(item_id=99)).ravel()
    assert nothing.tolist() == [model.predict(99)] * 4
    with pytest.raises(InteractionsError, match="'timestamp' is datetime.*'history'"):
        model.predict(queries.astype({"timestamp": "M8[s]"}), LOG)


def assert_remedy(call, name, value, found, remedy, names=None):
    """The refusal says what was found, and its remedy is a call that works."""
    assert_refused(lambda: call(value), InteractionsError, name, *found, remedy)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*no item is left to recommend")
        names = {name: value, "X": value, "pd": pd, **(names or {})}
        call(eval(remedy, names))  # noqa: S307


AS_LOG = GROUPED.rename("item_id").reset_index()


@pytest.mark.parametrize(
    ("users", "history", "found", "remedy"),
    [
        (
            [5, 3],
            GROUPED,
            ["1 of 2", "3 at row 1", "[4, 5]"],
            "[history.get(user, []) for user in users]",
        ),
        (3, {4: B}, ["3 at row 0", "[4]"], "history.get(3, [])"),
        (3, LOG, ["no entry", "3 at row 0", "[4, 5]"], "[]"),
        ([5, 4], pd.Series([A, B], index=["a", "b"]), ["'a'"], "history.tolist()"),
        ([5, 4], pd.Series([A, B], index=[8, 9]), ["no entry"], "history.tolist()"),
        (
            [5, 4],
            pd.Series([[10], B, [11]], index=[5, 4, 5]),
            ["contains 5 more than once"],
            "history.groupby(level=0).sum()",
        ),
        ([1, 0], pd.Series([A, B]), ["RangeIndex"], "history.rename_axis('user_id')"),
        ([1, 0], pd.Series([A, B]), ["RangeIndex"], "history.tolist()"),
        (1, pd.Series([A, B]), ["Got 2"], "history.rename_axis('user_id')"),
        (
            [5, 4],
            {"5": A, "4": B},
            ["str (e.g. '5')", "int64 (e.g. 5)"],
            "{int(user): items for user, items in history.items()}",
        ),
        (4, LOG.astype({"user_id": str}), ["'4'"], "history.astype({'user_id': int})"),
        (
            [5, 4],
            LOG.rename(columns={"timestamp": "event_time"}),
            ["'event_time'"],
            "history.rename(columns={'event_time': 'timestamp'})",
        ),
        (
            4,
            LOG.rename(columns={"user_id": "customer"}),
            ["'customer'"],
            "history.rename(columns={'customer': 'user_id'})",
        ),
        (
            5,
            LOG.set_index("user_id")["item_id"],
            ["example 4"],
            "history.groupby(level=0).agg(list)",
        ),
        (4, LOG.set_index("user_id"), ["'user_id'"], "history.reset_index()"),
        ([5, 4], AS_LOG.set_index("user_id"), ["'user_id'"], "history['item_id']"),
        ([5, 4], AS_LOG, ["lists"], "history.explode('item_id')"),
        (5, LOG["item_id"].value_counts(), ["1 for 14", "item_id"], "history.index"),
        (4, [A, B], ["one list", "2 lists"], "history[0]"),
    ],
)
def test_histories_of_unclear_users_are_refused(users, history, found, remedy, model):
    names = {"users": users}
    assert_remedy(
        partial(model.predict, users), "history", history, found, remedy, names
    )


def test_records_are_refused(model):
    with pytest.raises(TypeError, match=r"pd\.DataFrame\(X\)"):
        model.predict(LOG.to_records())


GROUPBY = LOG.groupby("user_id")["item_id"]


@pytest.mark.parametrize("history", [{(10, 11), (12,)}, iter([A, B]), "ab", GROUPBY])
def test_histories_without_an_order_are_refused(history, model):
    assert_refused(lambda: model.predict([4, 5], history), TypeError, "'history'")


def test_a_series_is_aligned_with_sorted_users(model):
    frame = pd.DataFrame({"user_id": ["v", "u", "w"], "h": [[10], [12], [11]]})
    model.fit(LOG.astype({"user_id": str}))
    expected = model.predict(frame, frame["h"]).ravel()
    order = [1, 0, 2]
    for users in (frame.iloc[order], frame["user_id"].iloc[order]):
        found = model.predict(users, frame["h"]).ravel()
        assert found.tolist() == expected[order].tolist()


# Rows instead of users

ROWS = log([5, 4], [10, 11], [100, 200])
RECORD = next(ROWS.itertuples())


@pytest.mark.parametrize(
    ("row", "remedy"),
    [
        (ROWS.iloc[0], "row['user_id']"),
        (next(ROWS.iterrows())[1], "frame.iloc[[i]]"),
        (ROWS.astype(object).iloc[0], "row['user_id']"),
        (ROWS.iloc[0].to_dict(), "row['user_id']"),
        (next(ROWS.itertuples()), "row.user_id"),
        (ROWS.set_index("user_id").iloc[0], "row.name"),
        (list(ROWS.itertuples()), "pd.DataFrame(users)"),
        (ROWS.to_dict("records"), "pd.DataFrame(users)"),
        ([row for _, row in ROWS.iterrows()], "pd.DataFrame(users)"),
        (GROUPED, "users.index"),
        (ROWS["user_id"].value_counts(), "user.index"),
        (ROWS.groupby("user_id")["timestamp"].max(), "user.index"),
        (ROWS.groupby("user_id")["item_id"].first(), "user.index"),
        (ROWS.set_index("user_id")[["item_id"]].iloc[0], "row.name"),
    ],
)
def test_rows_are_not_read_as_users(row, remedy, model):
    names = {"row": row, "users": row, "frame": ROWS, "i": 0}
    assert_remedy(model.predict, "user", row, [], remedy, names)
    assert model.predict(pd.Series([5, 4], index=["a", "b"])).shape == (2, 1)


# Queries without rows, such as empty partitions of Dask and Spark


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize(
    "empty",
    [
        lambda X: X[:0],
        lambda X: X[:0].astype(object),
        lambda X: X[:0].astype({"user_id": float, "timestamp": "M8[us]"}),
        lambda X: X[:0].to_numpy(),
        lambda X: X["user_id"][:0],
        lambda X: pd.Series([], dtype=object),
        lambda X: np.array([]),
        lambda X: [],
    ],
)
def test_no_rows_get_no_rows(empty, text, small_interactions):
    X = small_interactions
    X = X.astype({"user_id": str, "item_id": str}) if text else X
    model, users = MarkovRecommender(k=2).fit(X), empty(X)
    everything = model.recommend(X)
    for options in ({}, {"exclude": {}}, {"candidates": X}, {"history": X}):
        items = model.predict(users, **options)
        assert (items.shape, items.dtype) == ((0, 2), model.items_.dtype)
        assert_frame_equal(model.recommend(users, **options), everything[:0])
    assert model.query_vectors(users).shape == (0, model.item_vectors().shape[1])
    if np.ndim(users) == 2:
        assert model.target_ranks(users, context="earlier").shape == (0,)
    if not hasattr(users, "index"):
        array_model = MarkovRecommender(k=2).fit(X.to_numpy())
        assert array_model.predict(users).shape == (0, 2)


def test_text_that_is_not_recommended_has_its_dtype(small_interactions):
    text = small_interactions.astype({"item_id": str})
    model = MarkovRecommender().fit(text)
    with pytest.warns(UserWarning, match="no item is left"):
        table = model.recommend(1, exclude=model.items_)
    assert_frame_equal(table, model.recommend(1)[:0])


# The time of queries

SECONDS = 1_600_000_000


@pytest.mark.parametrize("unit", ["s", "us"])
def test_dates_beyond_the_range_of_a_finer_unit(unit):
    X = log([1, 1, 2], [10, 11, 12], pd.Timestamp("2020-05-01").as_unit("ns"))
    model = MarkovRecommender(k=1).fit(X)
    late = pd.Series(np.array(["9999-12-31"], f"datetime64[{unit}]"))
    far = log([1, 1, 2], [10, 11, 12], late[0])
    query = pd.DataFrame(
        {"user_id": [2], "timestamp": pd.Timestamp("2024").as_unit("ns")}
    )
    with pytest.warns(UserWarning, match="earlier"):
        MarkovRecommender().fit(far).predict(query)
    early = pd.Series(np.array(["1066-10-14"], f"datetime64[{unit}]"))
    assert model.predict(pd.DataFrame({"user_id": [1], "timestamp": late})) == 12
    with pytest.warns(UserWarning, match="earlier"):
        model.predict(pd.DataFrame({"user_id": [1], "timestamp": early}))


@pytest.mark.parametrize(
    ("fitted", "queried", "parts"),
    [
        (SECONDS * 1_000, SECONDS, ["be seconds,", "in milliseconds", "it by 1000."]),
        (
            SECONDS * 1_000_000,
            SECONDS,
            ["be seconds,", "in microseconds", "it by 1000000."],
        ),
        (SECONDS * 1e3, SECONDS, ["be seconds,", "in milliseconds", "it by 1000."]),
        (
            SECONDS * 10**9,
            SECONDS * 1_000,
            ["be milliseconds,", "in nanoseconds", "it by 1000000."],
        ),
        (
            SECONDS,
            SECONDS * 1_000,
            ["later", "be milliseconds,", "in seconds", "divide it by 1000."],
        ),
        (
            SECONDS,
            SECONDS * 10**9,
            ["be nanoseconds,", "in seconds", "divide it by 1000000000."],
        ),
        (
            pd.Timestamp("2020-05-01"),
            pd.to_datetime(SECONDS),
            ["1970-01-01", "pd.to_datetime(numbers, unit='s')"],
        ),
        (SECONDS, SECONDS - 9, None),
        (5_000, 4, None),
        (pd.Timestamp("2020-05-01"), pd.Timestamp("1971-05-01"), None),
    ],
)
def test_times_of_another_unit_are_warned_of(fitted, queried, parts):
    X = log([1, 1, 2], [10, 11, 12], fitted)
    model = MarkovRecommender(k=1).fit(X)
    queries = pd.DataFrame({"user_id": [1, 2], "timestamp": queried})
    parts, category = (parts, TimeUnitWarning) if parts else (["earlier"], UserWarning)
    for method in (model.predict, model.recommend, model.query_vectors):
        with pytest.warns(category) as caught:
            method(queries)
        (warning,) = caught
        assert warning.category is category
        assert warning.filename == __file__
        for part in ["'timestamp' of all 2 ", *parts]:
            assert part in str(warning.message)


@pytest.mark.parametrize(
    ("fitted", "queried", "user"),
    [
        (SECONDS, SECONDS, 1),
        (SECONDS, SECONDS * 2, 1),
        (0, SECONDS, 1),
        (60, 60_000, 1),
        (pd.Timestamp("1970-01-02"), pd.Timestamp("2020-05-01"), 1),
        (SECONDS * 1_000, SECONDS, 99),  # this user has no history at any time
    ],
)
def test_ordinary_times_are_not_warned_of(fitted, queried, user):
    model = MarkovRecommender(k=1).fit(log([1, 1, 2], [10, 11, 12], fitted))
    model.predict(pd.DataFrame({"user_id": [user], "timestamp": queried}))


# Pipelines


@pytest.mark.parametrize("routing", [False, True])
def test_pipelines_pass_all_arguments(routing, model, small_interactions):
    arguments = {"history": {4: B, 5: A}, "k": 2, "exclude": {4: [15]}}
    expected = model.predict([5, 4], **arguments, candidates=[12, 15, 16, 17])
    with sklearn.config_context(enable_metadata_routing=routing):
        pipeline = make_pipeline(DropRepeats(), MarkovRecommender(k=1))
        pipeline.fit(small_interactions)
        answers = pipeline.predict([5, 4], **arguments, candidates=[12, 15, 16, 17])
        assert_array_equal(answers, expected)
        assert pipeline.predict(4, history=B) == [15]
        grid = {"markovrecommender__k": [1, 2]}
        search = GridSearchCV(pipeline, grid, cv=LeaveLastOut())
        assert search.fit(small_interactions).predict([4]).shape == (1, 1)


# Rules


@pytest.mark.parametrize(
    "rule",
    [
        [12, 15, 12],
        (15, 12),
        {12, 15},
        np.array([12, 15]),
        pd.Series([15, 12], index=[5, 4]),
        pd.Index([12, 15]),
        {5: [12, 15], 4: {15, 12}, 99: ["x"]},
        pd.Series([[12, 15], [15, 12]], index=[4, 5]),
        log([5, 5, 4, 4, 4, 99], [12, 15, 15, 12, 15, -1], 7),
        log([5, 5, 4, 4], [12, 15, 15, 12]).assign(event_time=1),
    ],
)
def test_forms_of_rules(rule, model):
    histories, k = [A, B, A], 8
    everything = model.predict(USERS, histories, k=k)
    inside = np.isin(everything, [12, 15])
    for row, items in enumerate(model.predict(USERS, histories, k=k, exclude=rule)):
        assert items[items >= 0].tolist() == [
            item for item in everything[row][~inside[row]] if item >= 0
        ]
    table = model.recommend(FRAME, histories, k=k, candidates=rule)
    assert table["item_id"].tolist() == everything[inside].tolist()


ITEMS = st.lists(st.integers(0, 29), max_size=6)
CANDIDATES = st.lists(st.integers(0, 29), min_size=1, max_size=9)
PEOPLE = range(40)


def by_user(lists):
    """A rule for everyone, or a list for each of 40 users."""
    return lists | st.lists(lists, min_size=40, max_size=40).map(
        lambda values: dict(zip(PEOPLE, values, strict=True))
    )


@pytest.fixture(scope="module")
def thirty_items():
    return MarkovRecommender().fit(make_interactions(40, 30, random_state=0))


@pytest.mark.case("P3", "P5")
@pytest.mark.filterwarnings("ignore:.*no item is left to recommend")
@settings(max_examples=60)
@given(exclude=by_user(ITEMS), candidates=by_user(CANDIDATES), k=st.integers(1, 35))
def test_rules_of_each_user_alone(thirty_items, exclude, candidates, k):
    model = thirty_items
    users = model.users_.tolist()
    rules = {"exclude": exclude, "candidates": candidates, "k": k}
    table = model.recommend(users, **rules)
    lists = model.predict(users, **rules)
    whole = model.recommend(users, k=30)
    for user, items in zip(users, lists, strict=True):
        own = [r[user] if isinstance(r, dict) else r for r in (exclude, candidates)]
        rows = whole[whole["user_id"] == user]
        allowed = rows["item_id"].isin(own[1]) & ~rows["item_id"].isin(own[0])
        expected = rows[allowed].head(k)
        answer = table[table["user_id"] == user]
        for name in ("item_id", "score"):  # to the last bit
            assert_array_equal(answer[name], expected[name])
        n_missing = k - len(answer)
        assert items.tolist() == [
            *answer["item_id"],
            *[model.missing_item_] * n_missing,
        ]
    user = users[3]
    alone = model.recommend(user, **rules)
    together = table[table["user_id"] == user].reset_index(drop=True)
    assert_frame_equal(alone, together, check_exact=True)


PER_USER = log([5, 4], [12, 13])


@pytest.mark.parametrize("name", ["exclude", "candidates"])
@pytest.mark.parametrize(
    ("rule", "found", "remedy"),
    [
        (
            {"5": [12], "4": [13]},
            ["str", "int64"],
            "{{int(user): items for user, items in {name}.items()}}",
        ),
        (
            PER_USER.astype({"user_id": str}),
            ["str (e.g. '5')", "int64"],
            "{name}.astype({{'user_id': int}})",
        ),
        ([[12], [13]], ["list of lists"], "dict(zip(users, {name}))"),
        (pd.Series([[12]] * 6), ["list of lists"], "{name}.rename_axis('user_id')"),
        (pd.DataFrame({"item_id": [12]}), ["without 'user_id'"], "{name}['item_id']"),
        ({12: 1, 13: 4}, ["{user: list}", "Got 1 for 12"], "list({name})"),
        (LOG["item_id"].value_counts(), ["'item_id'"], "{name}.index"),
        (LOG.set_index("item_id")["timestamp"], ["'item_id'"], "{name}.index"),
        (PER_USER.set_index("user_id"), ["'user_id'"], "{name}.reset_index()"),
        (
            PER_USER.set_index("user_id")["item_id"],
            ["'user_id'"],
            "{name}.groupby(level=0).agg(list)",
        ),
    ],
)
def test_rules_that_cannot_be_read_are_refused(name, rule, found, remedy, model):
    def call(rule):
        return model.recommend([5, 4], **{name: rule})

    remedy = remedy.format(name=name)
    assert_remedy(call, name, rule, found, remedy, {"users": [5, 4]})


@pytest.mark.parametrize(
    ("candidates", "found"),
    [
        ([12, 99], "99 at position 1"),
        ({5: [12], 4: [99]}, "99 for user 4"),
        ({5: [12], 4: {99}}, "99 for user 4"),
        (log([5, 4, 4], [12, 13, 99]), "99 for user 4"),
        ({5: ["12"], 4: ["13"]}, "'12' for user 5"),
    ],
)
def test_candidates_must_be_known(candidates, found, model):
    call = partial(model.predict, [5, 4], candidates=candidates)
    assert_refused(call, InteractionsError, "'candidates'", found, "int64", "Remove")


@pytest.mark.parametrize(
    ("exclude", "known"),
    [
        ([99, 12], [12]),
        ({99}, []),
        ({5: [99, 12], 4: {13, 98, 99}}, {5: [12], 4: [13]}),
        (log([5, 5, 4, 4], [99, 12, 98, 13]), log([5, 4], [12, 13])),
        ({5: [99], 4: []}, {}),
        (np.array([99, 12], dtype=np.uint64), [12]),
        (pd.Series([99, 12], dtype="category"), [12]),
        (pd.Series([[99, 12], [13]], index=[5, 4]), {5: [12], 4: [13]}),
    ],
)
def test_excluded_items_may_be_unknown(exclude, known, model):
    everything = {"history": [[10], [16]], "k": len(model.items_)}
    answers = model.predict([5, 4], **everything, exclude=exclude)
    expected = model.predict([5, 4], **everything, exclude=known)
    assert_array_equal(answers, expected)


@pytest.mark.parametrize("exclude", [["12"], {5: [12], 4: ["12"]}])
def test_excluded_items_must_have_the_type_of_items(exclude, model):
    call = partial(model.predict, [5, 4], exclude=exclude)
    assert_refused(call, InteractionsError, "'exclude'", "another type", "int64")


ALL_FOR_5 = "pd.DataFrame({'user_id': 5, 'item_id': model.items_})"


@pytest.mark.parametrize(
    ("candidates", "found", "remedy"),
    [
        ({4: [17]}, "no entry for 1", "dict(candidates) | {5: model.items_}"),
        ({4: [17], 5: []}, "an empty list", "dict(candidates) | {5: model.items_}"),
        (
            pd.Series([[17]], index=[4]),
            "no entry for 1",
            "dict(candidates) | {5: model.items_}",
        ),
        (log([4], [17]), "no entry for 1", f"pd.concat([candidates, {ALL_FOR_5}])"),
    ],
)
def test_each_user_needs_a_candidate(candidates, found, remedy, model):
    def call(candidates):
        return model.recommend([5, 4], [[10], [16]], candidates=candidates)

    assert_remedy(call, "candidates", candidates, [found], remedy, {"model": model})
    # Users need no entry in `exclude`.
    for nothing in ([], {}, {4: []}, LOG[:0], {99: [10]}):
        answers = model.predict([5, 4], [[10], [16]], exclude=nothing)
        assert answers.ravel().tolist() == [11, 17]


@pytest.mark.parametrize(
    ("exclude_seen", "exclude", "message"),
    [
        (
            True,
            [11],
            "history or 'exclude'.*exclude_seen=False .* or few",
        ),
        (False, [10, 11], "example 4: .* is in 'exclude'.*fewer items in"),
        (True, {4: [10, 11]}, "1 user.*history or 'exclude'"),
    ],
)
def test_no_item_is_left_by_the_rules(exclude_seen, exclude, message, model):
    arguments = {"candidates": [10, 11], "exclude_seen": exclude_seen}
    with pytest.warns(UserWarning, match=message):
        table = model.recommend([4], [[10]], exclude=exclude, **arguments)
    assert len(table) == 0


def test_the_index_of_a_table_of_rules_is_not_read(model):
    bought = LOG.set_index("timestamp")
    assert model.predict(7, [10], exclude=bought).shape == (1,)


def test_candidates_of_similar_items(thirty_items):
    everything = thirty_items.similar_items([3, 5], k=30)
    candidates = [5, 7, 9, 7]
    table = thirty_items.similar_items([3, 5], k=30, candidates=candidates)
    expected = everything[everything["similar_item_id"].isin(candidates)]
    names = ["item_id", "similar_item_id", "score"]
    assert_frame_equal(table[names], expected[names].reset_index(drop=True))
    assert table["rank"].tolist() == [1, 2, 3, 1, 2]
    assert_frame_equal(
        thirty_items.similar_items([3, 5], k=30, candidates=set(candidates)), table
    )
    with pytest.raises(InteractionsError, match="'candidates'.*99 at position 1"):
        thirty_items.similar_items(3, candidates=[5, 99])
