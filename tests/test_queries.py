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

from sklearn_attrec import MarkovRecommender
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


RENAMED = LOG.rename(columns={"user_id": "customer"})
CLICKED = LOG.rename(columns={"timestamp": "event_time"})


@pytest.mark.parametrize(
    ("users", "history", "parts", "remedy"),
    [
        (
            [5, 4, 3],
            GROUPED,
            ["1 of 3", "3 at row 2", "[4, 5]", "[history.get(user, []) for user in"],
            lambda: [GROUPED.get(user, []) for user in [5, 4, 3]],
        ),
        (3, {4: B}, ["1 of 1", "history.get(3, [])"], lambda: {4: B}.get(3, [])),
        (3, LOG, ["no entry", "3 at row 0", "history=[]"], lambda: []),
        (
            [5, 4],
            pd.Series([A, B], index=["a", "b"]),
            ["str (e.g. 'a')", "int64 (e.g. 5)", "history.tolist()"],
            lambda: [A, B],
        ),
        (
            [5, 4],
            pd.Series([A, B], index=[8, 9]),
            ["no entry", "history.tolist()"],
            lambda: [A, B],
        ),
        (
            [5, 4],
            pd.Series([[10], B, [11]], index=[5, 4, 5]),
            ["contains 5 more", "history.groupby(level=0).sum()", ".tolist()"],
            lambda: pd.Series([[10], B, [11]], index=[5, 4, 5]).groupby(level=0).sum(),
        ),
        (
            [1, 0],
            pd.Series([A, B]),
            ["RangeIndex", "rename_axis('user_id')", "history.tolist()"],
            lambda: pd.Series([A, B]).rename_axis("user_id"),
        ),
        (1, pd.Series([A, B]), ["rename_axis('user_id')"], lambda: {1: B}),
        (
            [5, 4],
            {"5": A, "4": B},
            ["{int(user): items for user, items in history.items()}"],
            lambda: {int(user): items for user, items in {"5": A, "4": B}.items()},
        ),
        (
            [5, 4],
            LOG.astype({"user_id": str}),
            ["str (e.g. '4')", "int64 (e.g. 5)", "history.astype({'user_id': int})"],
            lambda: LOG.astype({"user_id": str}).astype({"user_id": int}),
        ),
        (
            [5, 4],
            CLICKED,
            ["'event_time'", "X.rename(columns={'event_time': 'timestamp'})"],
            lambda: CLICKED.rename(columns={"event_time": "timestamp"}),
        ),
        (
            4,
            RENAMED,
            ["'customer'", "history.rename(columns={'customer': 'user_id'})"],
            lambda: RENAMED.rename(columns={"customer": "user_id"}),
        ),
        (
            5,
            LOG.set_index("user_id")["item_id"],
            ["'user_id'", "example 4", "history.groupby(level=0).agg(list)"],
            lambda: LOG.set_index("user_id")["item_id"].groupby(level=0).agg(list),
        ),
        (
            4,
            LOG.set_index("user_id"),
            ["index is 'user_id'", "history.reset_index()"],
            lambda: LOG.set_index("user_id").reset_index(),
        ),
        (
            [5, 4],
            GROUPED.to_frame("item_id"),
            ["index is 'user_id'", "history['item_id']"],
            lambda: GROUPED.to_frame("item_id")["item_id"],
        ),
        (
            [5, 4],
            GROUPED.rename("item_id").reset_index(),
            ["contains lists", "history.explode('item_id')"],
            lambda: GROUPED.rename("item_id").reset_index().explode("item_id"),
        ),
        (
            5,
            LOG["item_id"].value_counts(),
            ["index is 'item_id'", "history.index"],
            lambda: LOG["item_id"].value_counts().index,
        ),
        (4, [A, B], ["one list", "2 lists", "history[0]"], lambda: [A, B][0]),
    ],
)
def test_histories_of_unclear_users_are_refused(users, history, parts, remedy, model):
    call = partial(model.predict, users)
    assert_refused(lambda: call(history), InteractionsError, "'history'", *parts)
    call(remedy())


GROUPBY = LOG.groupby("user_id")["item_id"]


@pytest.mark.parametrize("history", [{(10, 11), (12,)}, iter([A, B]), "ab", GROUPBY])
def test_histories_without_an_order_are_refused(history, model):
    assert_refused(lambda: model.predict([4, 5], history), TypeError, "'history'")


# Rows instead of users

ROWS = log([5, 4], [10, 11], [100, 200])
RECORD = next(ROWS.itertuples())


@pytest.mark.parametrize(
    ("row", "parts", "remedy"),
    [
        (ROWS.iloc[0], ["3 values", "row['user_id']"], ROWS.iloc[0]["user_id"]),
        (next(ROWS.iterrows())[1], ["frame.iloc[[i]]"], ROWS.iloc[[0]]),
        (ROWS.astype(object).iloc[0], ["row['user_id']"], 5),
        (ROWS.iloc[0].to_dict(), ["row['user_id']"], 5),
        (RECORD, ["4 values", "row.user_id"], RECORD.user_id),
        (ROWS.set_index("user_id").iloc[0], ["row.name"], 5),
        (list(ROWS.itertuples()), ["pd.DataFrame(users)"], ROWS),
        (ROWS.to_dict("records"), ["dict", "pd.DataFrame(users)"], ROWS),
        ([row for _, row in ROWS.iterrows()], ["pd.DataFrame(users)"], ROWS),
        (GROUPED, ["Series of lists", "users.index"], [4, 5]),
        (ROWS["user_id"].value_counts(), ["user.index", "user.tolist()"], [5, 4]),
    ],
)
def test_rows_are_not_read_as_users(row, parts, remedy, model):
    assert_refused(lambda: model.predict(row), InteractionsError, "'user'", *parts)
    model.predict(remedy)
    assert model.predict(pd.Series([5, 4], index=["a", "b"])).shape == (2, 1)


# The time of queries

SECONDS = 1_600_000_000


@pytest.mark.parametrize(
    ("fitted", "queried", "parts"),
    [
        (SECONDS * 1_000, SECONDS, ["in s, and fit in ms", "* 1000)"]),
        (SECONDS * 1_000_000, SECONDS, ["in s, and fit in us", "* 1000000)"]),
        (SECONDS * 1e3, SECONDS, ["in s, and fit in ms", "* 1000)"]),
        (SECONDS * 10**9, SECONDS * 1_000, ["in ms, and fit in ns", "* 1000000)"]),
        (SECONDS, SECONDS * 1_000, ["later", "in ms, and fit in s", "// 1000)"]),
        (SECONDS, SECONDS * 10**9, ["in ns, and fit in s", "// 1000000000)"]),
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


@pytest.mark.parametrize("name", ["exclude", "candidates"])
@pytest.mark.parametrize(
    ("rule", "parts", "remedy"),
    [
        ([12, 99], ["99 at position 1", "seen in fit", "Remove"], [12]),
        ({5: [12], 4: [99]}, ["99", "user 4", "Remove"], {5: [12], 4: [13]}),
        (log([5, 4], [12, 99]), ["99", "user 4", "Remove"], log([5, 4], [12, 13])),
        ({5: ["12"], 4: [13]}, ["'12'", "user 5", "int64"], {5: [12], 4: [13]}),
        ({"5": [12], "4": [13]}, ["str", "int64", "int(user)"], {5: [12], 4: [13]}),
        (
            log(["5", "4"], [12, 13]),
            ["str (e.g. '5')", "int64", ".astype({'user_id': int})"],
            log(["5", "4"], [12, 13]).astype({"user_id": int}),
        ),
        (
            [[12], [13]],
            ["list of lists", "dict(zip(users, "],
            dict(zip([5, 4], [[12], [13]], strict=True)),
        ),
        (
            pd.Series([[12]] * 6),
            ["list of lists", ".rename_axis('user_id')"],
            pd.Series([[12]] * 6).rename_axis("user_id"),
        ),
        (pd.DataFrame({"item_id": [12]}), ["without 'user_id'", "['item_id']"], [12]),
        ({12: 1, 13: 4}, ["{user: list}", "Got 1 for 12", "list("], [12, 13]),
        (LOG["item_id"].value_counts(), ["'item_id'", ".index"], [14, 11, 12, 10]),
        (
            log([5, 4], [12, 13]).set_index("user_id"),
            ["index is 'user_id'", ".reset_index()"],
            log([5, 4], [12, 13]),
        ),
        (
            log([5, 4], [12, 13]).set_index("user_id")["item_id"],
            ["'user_id'", ".groupby(level=0).agg(list)"],
            {5: [12], 4: [13]},
        ),
    ],
)
def test_rules_that_cannot_be_read_are_refused(name, rule, parts, remedy, model):
    for method in (model.predict, model.recommend):
        call = partial(method, [5, 4])
        refused = partial(call, **{name: rule})
        assert_refused(refused, InteractionsError, name, *parts)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*no item is left to recommend")
            call(**{name: remedy})


ONE = log([4], [17])


@pytest.mark.parametrize(
    ("candidates", "parts", "remedy"),
    [
        ({4: [17]}, ["no entry", "5", "dict(candidates) | {5: model.items_}"], "dict"),
        ({4: [17], 5: []}, ["an empty list", "{5: model.items_}"], "dict"),
        (pd.Series([[17]], index=[4]), ["no entry", "{5: model.items_}"], "dict"),
        (ONE, ["no entry", "pd.concat([candidates, pd.DataFrame({'user_id': 5"], "log"),
        ([], ["no ids", "at least one"], [17, 11]),
    ],
)
def test_each_user_needs_a_candidate(candidates, parts, remedy, model):
    call = partial(model.predict, [5, 4], [[10], [16]])
    refused = partial(call, candidates=candidates)
    assert_refused(refused, InteractionsError, "'candidates'", *parts)
    if remedy == "dict":
        remedy = dict(candidates) | {5: model.items_}
    elif remedy == "log":
        items = pd.DataFrame({"user_id": 5, "item_id": model.items_})
        remedy = pd.concat([candidates, items])
    assert call(candidates=remedy).ravel().tolist() == [11, 17]
    # Where nothing is excluded, an entry is not needed.
    for nothing in ([], {}, {4: []}, ONE.iloc[:0], {99: [10]}):
        assert call(exclude=nothing).ravel().tolist() == [11, 17]


@pytest.mark.parametrize(
    ("exclude_seen", "exclude", "message"),
    [
        (
            True,
            [11],
            "histories and the items of 'exclude'.*exclude_seen=False .* or few",
        ),
        (False, [10, 11], "example 4: the items of 'exclude' contain.*fewer items in"),
        (True, {4: [10, 11]}, "1 user.*histories and the items of 'exclude'"),
    ],
)
def test_no_item_is_left_by_the_rules(exclude_seen, exclude, message, model):
    arguments = {"candidates": [10, 11], "exclude_seen": exclude_seen}
    with pytest.warns(UserWarning, match=message):
        table = model.recommend([4], [[10]], exclude=exclude, **arguments)
    assert len(table) == 0


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
