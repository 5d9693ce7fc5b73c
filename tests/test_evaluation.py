"""Scores that mean something: context, baskets, repeat purchases, held-out users."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline

from sklearn_attrec import MarkovRecommender, PopularityRecommender
from sklearn_attrec.exceptions import (
    InvalidParameterError,
    LeakageWarning,
    NoHistoryWarning,
    SeenItemWarning,
    TimeTieWarning,
    TimeUnitWarning,
    UnknownUserError,
)
from sklearn_attrec.metrics import (
    evaluate,
    hit_rate,
    make_multi_ranking_scorer,
    make_ranking_scorer,
)
from sklearn_attrec.model_selection import (
    LeaveLastOut,
    TimeCutoffSplit,
    UserKFold,
    leave_last_out_split,
)
from sklearn_attrec.preprocessing import KCoreFilter

COLUMNS = ["user_id", "item_id", "timestamp"]


def table(rows):
    return pd.DataFrame(rows, columns=COLUMNS)


# In each session an item is followed by the next of 50 items.
SESSIONS = table(
    [(s, (7 * s + j) % 50, 10 * s + j) for s in range(300) for j in range(4)]
)
SEEN = SESSIONS["user_id"] < 200

# Three baskets per user of three neighbouring items, without any pattern between them.
RANDOM = np.random.default_rng(3)
BASKETS = table(
    [
        (user, 3 * basket + j, time)
        for user in range(200)
        for time in range(3)
        for basket in [int(RANDOM.integers(60))]
        for j in range(3)
    ]
)

# Each user interacts with the same three items again and again.
REPEATS = table(
    [(u, (u + t * t) % 3 + 3 * u % 90, t) for u in range(60) for t in range(9)]
)

VARIANTS = {
    "times": lambda X: X,
    "reversed rows": lambda X: X[::-1],
    "no times": lambda X: X.drop(columns="timestamp"),
    "dates": lambda X: X.assign(timestamp=pd.to_datetime(X["timestamp"], unit="h")),
    "text ids": lambda X: X.assign(
        user_id="s" + X["user_id"].astype(str), item_id="i" + X["item_id"].astype(str)
    ),
    "array": lambda X: X.to_numpy(),
}
each_variant = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)


# -- Context -------------------------------------------------------------------------


def earlier_items(train, rows, row):
    """The history of a row, by a loop: training rows, then earlier rows."""
    user, _, time = rows.iloc[row]
    history = []
    for i in np.argsort(train["timestamp"], kind="stable"):
        if train["user_id"].iloc[i] == user and train["timestamp"].iloc[i] <= time:
            history.append((train["timestamp"].iloc[i], train["item_id"].iloc[i]))
    for i in np.argsort(rows["timestamp"], kind="stable"):
        if rows["user_id"].iloc[i] == user and rows["timestamp"].iloc[i] < time:
            history.append((rows["timestamp"].iloc[i], rows["item_id"].iloc[i]))
    history.sort(key=lambda pair: pair[0])  # stable
    return [item for _, item in history if item in set(train["item_id"])]


def rows_of(n_items, min_size):
    row = st.tuples(st.integers(0, 3), st.integers(0, n_items), st.integers(0, 6))
    return st.lists(row, min_size=min_size, max_size=15).map(table)


@given(train=rows_of(3, 3), rows=rows_of(5, 1), exclude_seen=st.booleans())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_context_is_what_happened_before(train, rows, exclude_seen):
    train = pd.concat([train, table([(9, 0, 0), (9, 1, 1)])], ignore_index=True)
    rows = pd.concat([rows, table([(9, 1, 9)])], ignore_index=True)
    model = MarkovRecommender(exclude_seen=exclude_seen).fit(train)
    ranks = model.target_ranks(rows, context="earlier")
    for row, item in enumerate(rows["item_id"]):
        history = earlier_items(train, rows, row)
        scores = model.recommend(77, history, k=99)
        scores = scores.set_index("item_id")["score"]
        expected = (scores >= scores[item]).sum() if item in scores else np.inf
        assert ranks[row] == expected


@each_variant
def test_sessions_are_scored_from_their_earlier_rows(variant):
    train, test = variant(SESSIONS[SEEN]), variant(SESSIONS[~SEEN])
    model = MarkovRecommender(k=1).fit(train)
    with pytest.warns(NoHistoryWarning, match=r"400 of 400 rows \(100.*row 0.*earlier"):
        assert model.score(test) == 0
    ranks = model.target_ranks(test, context="earlier")
    assert hit_rate(ranks, 1) == 0.75  # of four rows the first has no history
    assert evaluate(model, test, 1, context="earlier")["hit_rate@1"].item() == 0.75
    for make in (make_ranking_scorer, make_multi_ranking_scorer):
        score = make("hit_rate", 1, context="earlier")(model, test)
        assert score in (0.75, {"hit_rate@1": 0.75})


def test_rolling_evaluation_of_known_users():
    train, test = leave_last_out_split(SESSIONS, n_last=2)
    model = MarkovRecommender(k=1).fit(train)
    assert model.score(test) == 0.5  # the second row is predicted from the first two
    assert hit_rate(model.target_ranks(test, context="earlier"), 1) == 1
    # Rows of equal time are not context for each other.
    tied = test.assign(timestamp=1e6)
    assert hit_rate(model.target_ranks(tied, context="earlier"), 1) == 0.5


@pytest.mark.parametrize("routing", [False, True])
def test_context_decides_a_grid_search_over_held_out_users(routing):
    model = make_pipeline(
        KCoreFilter(min_per_user=1, min_per_item=1), MarkovRecommender(k=1)
    )
    grid = {"markovrecommender__smoothing": [0.01, 1.0]}  # 1: popularity alone
    scoring = make_ranking_scorer("hit_rate", 1, context="earlier")
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(model, grid, cv=UserKFold(3), scoring=scoring)
        search.fit(SESSIONS)
    assert search.best_params_ == {"markovrecommender__smoothing": 0.01}
    # The folds, and with them the most popular item, depend on scikit-learn's version.
    scores = search.cv_results_["mean_test_score"].tolist()
    assert scores == pytest.approx([0.75, 0], abs=0.01)


def test_a_time_split_warns_of_users_without_history():
    ((train, test),) = TimeCutoffSplit(test_size=0.2).split(SESSIONS)
    model = MarkovRecommender().fit(SESSIONS.iloc[train])
    with pytest.warns(NoHistoryWarning, match="240 of 240"):
        model.score(SESSIONS.iloc[test])
    train = table([("a", 1, 0), ("a", 2, 1), ("b", 3, 0)])
    test = table([("a", 3, 9), ("u", 3, 1)])
    with pytest.warns(NoHistoryWarning, match=r"1 of 2 rows \(50.*row 1 \(user 'u'"):
        evaluate(MarkovRecommender().fit(train), test)


def test_handle_unknown_holds_for_rows_without_any_history():
    model = MarkovRecommender(handle_unknown="error").fit(SESSIONS[SEEN])
    with pytest.raises(UnknownUserError, match="user 299 at row 0|299 at row 0"):
        model.target_ranks(SESSIONS[-4:], context="earlier")


@pytest.mark.parametrize("context", ["all", None, 1, "Earlier", True])
def test_invalid_context(context):
    model = PopularityRecommender().fit(SESSIONS)
    for call in (
        lambda: model.target_ranks(SESSIONS, context=context),
        lambda: evaluate(model, SESSIONS, context=context),
        lambda: make_ranking_scorer(context=context),
        lambda: make_multi_ranking_scorer(context=context),
    ):
        with pytest.raises(InvalidParameterError, match=f"'context'.*{context!r}"):
            call()


def test_users_with_context_are_not_one_query():
    with pytest.raises(InvalidParameterError, match="'per_user'.*context='earlier'"):
        make_ranking_scorer(per_user=True, context="earlier")
    scorer = make_ranking_scorer("mrr", 5, context="earlier")
    assert repr(scorer) == "make_ranking_scorer('mrr', k=5, context='earlier')"


# -- Baskets -------------------------------------------------------------------------


@each_variant
def test_a_basket_is_held_out_whole(variant):
    X = variant(BASKETS)
    if isinstance(X, pd.DataFrame) and "timestamp" not in X:
        with pytest.raises(ValueError, match="unit='time'.*timestamps.*unit='row'"):
            leave_last_out_split(X, unit="time")
        return
    train, test = leave_last_out_split(X, unit="time")
    assert len(test) == 600  # three items of 200 users
    model = MarkovRecommender(k=1, exclude_seen=False).fit(train)
    honest = model.score(test)
    assert honest < 0.05
    train, test = leave_last_out_split(X)
    model.fit(train)
    with pytest.warns(TimeTieWarning, match=r"200 of 200 rows \(100.*unit='time'"):
        assert model.score(test) > 0.9


def test_folds_of_times():
    X = table([("a", i, t) for i, t in enumerate([1, 1, 2, 3, 3, 3])])
    X = pd.concat([X, table([("b", 7, 5), ("b", 8, 5)])], ignore_index=True)
    folds = list(LeaveLastOut(n_splits=2, unit="time").split(X))
    folds = [(train.tolist(), test.tolist()) for train, test in folds]
    assert folds == [([0, 1, 6, 7], [2]), ([0, 1, 2, 6, 7], [3, 4, 5])]
    ((_, test),) = LeaveLastOut(2, unit="time").split(X)
    assert test.tolist() == [2, 3, 4, 5]
    with pytest.raises(ValueError, match="4 different times.* has 3"):
        list(LeaveLastOut(3, unit="time").split(X))
    for unit in ("basket", None):
        with pytest.raises(InvalidParameterError, match=f"'unit'.*{unit!r}"):
            list(LeaveLastOut(unit=unit).split(X))


def test_without_ties_a_time_is_a_row():
    X = SESSIONS.sample(frac=1, random_state=0)
    _, by_time = leave_last_out_split(X, unit="time")
    assert by_time.equals(leave_last_out_split(X)[1])


def test_a_tie_is_not_a_training_row():
    train = table([(1, "a", 5), (1, "b", 5), (2, "a", 1), (2, "c", 2)])
    model = PopularityRecommender().fit(train)
    with pytest.warns(TimeTieWarning, match=r"1 of 1"):
        model.score(table([(1, "c", 5)]))
    for item in "ab":
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            model.score(table([(1, item, 5)]))
        assert [w.category for w in found] == [LeakageWarning, SeenItemWarning]


def test_times_in_another_unit_are_warned_of():
    train, test = leave_last_out_split(SESSIONS.assign(timestamp=1_396_720_544_000))
    model = PopularityRecommender().fit(train)
    seconds = test.assign(timestamp=test["timestamp"] // 1000)
    leaked = pytest.warns(LeakageWarning, match="300 of 300")  # all seem to be earlier
    with leaked, pytest.warns(TimeUnitWarning, match="be seconds, .* in milli"):
        model.score(seconds)


# -- Repeat purchases ----------------------------------------------------------------


@each_variant
def test_items_that_exclude_seen_excludes_are_warned_of(variant):
    train, test = leave_last_out_split(variant(REPEATS))
    message = r"60 of 60 rows \(100.*row 0 .*exclude_seen=True.*exclude_seen=False"
    model = MarkovRecommender().fit(train)
    with pytest.warns(SeenItemWarning, match=message):
        assert model.score(test) == 0
    with pytest.warns(SeenItemWarning, match=message):
        assert evaluate(model, test, 10)["hit_rate@10"].item() == 0
    assert MarkovRecommender(exclude_seen=False).fit(train).score(test) == 1


def test_training_rows_are_warned_of_as_what_they_are():
    leaked = pytest.warns(LeakageWarning, match="540 of 540.*says nothing")
    with leaked, pytest.warns(SeenItemWarning, match="540 of 540"):
        assert MarkovRecommender().fit(REPEATS).score(REPEATS) == 0
    options = {"cv": LeaveLastOut(), "return_train_score": True}
    with pytest.warns(LeakageWarning), pytest.warns(SeenItemWarning):
        cross_validate(MarkovRecommender(), REPEATS, **options)


def test_context_makes_repeats_too():
    model = MarkovRecommender(k=1).fit(SESSIONS[SEEN])
    again = pd.concat([SESSIONS[-4:], SESSIONS[-4:].assign(timestamp=10**6)])
    with pytest.warns(SeenItemWarning, match="4 of 8 rows .*row 4"):
        ranks = model.target_ranks(again, context="earlier")
    assert_array_equal(np.isinf(ranks), [False] * 4 + [True] * 4)


def test_hits_are_repeats_or_new():
    train = table([("a", i, t) for t, i in enumerate("xyzxyzxy")] + [("b", "x", 0)])
    test = table([("a", "z", 9), ("b", "y", 9), ("b", "w", 9), ("b", "x", 9)])
    model = MarkovRecommender(exclude_seen=False).fit(train)
    row = evaluate(model, test, k=(1, 3)).iloc[0]
    assert row[["hit_rate@1", "repeat_hits@1", "new_hits@1"]].tolist() == [
        0.5,
        0.25,
        0.25,
    ]
    assert row[["hit_rate@3", "repeat_hits@3", "new_hits@3"]].tolist() == [
        0.75,
        0.5,
        0.25,
    ]
    model.set_params(exclude_seen=True)
    with pytest.warns(SeenItemWarning):
        assert "new_hits@1" not in evaluate(model, test, k=1)


# -- Held-out users, and no false alarm ----------------------------------------------


def test_each_user_is_held_out_once():
    X = SESSIONS.sample(frac=1, random_state=0)
    users = X["user_id"].to_numpy()
    tested = np.zeros(len(X), dtype=int)
    for train, test in UserKFold(3, shuffle=True, random_state=0).split(X):
        assert not set(users[train]) & set(users[test])
        assert sorted([*train, *test]) == list(range(len(X)))
        tested[test] += 1
    assert (tested == 1).all()
    with pytest.raises(ValueError, match="4.*3|3.*4"):
        list(UserKFold(4).split(X[X["user_id"] < 3]))
    with pytest.raises(ValueError, match="UserKFold.*'user_id'"):
        list(UserKFold().split(X.rename(columns={"user_id": "who"})))


@pytest.mark.parametrize("cv", [LeaveLastOut(n_splits=2), LeaveLastOut(unit="time")])
@pytest.mark.parametrize("model", [MarkovRecommender(), PopularityRecommender()])
def test_no_warning_where_nothing_is_wrong(cv, model):
    assert np.isfinite(cross_val_score(model, SESSIONS, cv=cv)).all()  # warnings raise
