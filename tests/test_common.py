"""The behaviour that all recommenders share.

What depends on the model is tested on each of them; what `BaseRecommender` alone does
is tested once, on a Markov chain, whose answers depend on the user and which is fast.
The data are made: `small_interactions` is a cycle of eight items where each of twelve
users leaves out two, and `busy` has many users, repeated items and equal times.
"""

import copy
import inspect
import pickle
import random
import tracemalloc

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from threadpoolctl import threadpool_limits

from sklearn_attrec import (
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
)
from sklearn_attrec._ranking.known_ids import missing_id
from sklearn_attrec.exceptions import (
    InteractionsError,
    LeakageWarning,
    UnknownUserError,
)
from sklearn_attrec.model_selection import leave_last_out_split
from sklearn_attrec.models import RECOMMENDERS

# The data have unseen users, repeated items and equal times, which tests of scores warn
# of; see test_evaluation.py.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::sklearn_attrec.exceptions.{name}")
    for name in ("NoHistoryWarning", "SeenItemWarning", "TimeTieWarning")
]

# Each recommender takes the settings that it has. The loss is the default one.
SMALL = {"d": 4, "d_user": 4, "L": 3, "n_blocks": 1, "n_neighbors": 5, "max_iter": 2}
SMALL |= {"batch_size": 32, "learning_rate": 0.01, "k": 3, "random_state": 0}


def small(recommender):
    names = inspect.signature(recommender).parameters
    return recommender(**{name: SMALL[name] for name in SMALL if name in names})


ESTIMATORS = [small(recommender) for recommender in RECOMMENDERS.values()]
NETWORKS = [model for model in ESTIMATORS if hasattr(model, "_network")]
# Wide enough for BLAS to compute the products in tiles.
WIDE = [clone(model).set_params(d=33, L=5) for model in NETWORKS]
# Read at each call; all other parameters are read in fit alone.
READ_LATE = {"k", "exclude_seen", "handle_unknown"}


def make_busy():
    """150 users, 37 items, up to 30 rows per user, 60 different times."""
    rng = np.random.default_rng(7)
    n_rows = 1_500
    frame = pd.DataFrame(
        {
            "user_id": np.sort(150 * rng.random(n_rows) ** 2).astype(int),
            "item_id": (37 * rng.random(n_rows) ** 1.5).astype(int),
            "timestamp": rng.integers(60, size=n_rows),
        }
    )
    return frame.drop_duplicates(ignore_index=True)


def name_of(estimator):
    return type(estimator).__name__


@pytest.fixture(params=ESTIMATORS, ids=name_of)
def estimator(request):
    return clone(request.param)


@pytest.fixture(params=NETWORKS, ids=name_of)
def network(request):
    return clone(request.param)


@pytest.fixture
def model(estimator, small_interactions):
    return estimator.fit(small_interactions)


@pytest.fixture
def markov(small_interactions):
    return MarkovRecommender(k=3).fit(small_interactions)


@pytest.fixture
def busy():
    return make_busy()


def history_until(frame, user, time=np.inf):
    """Items of a user up to a time, in a stable sort by time."""
    rows = frame[(frame["user_id"] == user) & (frame["timestamp"] <= time)]
    return rows.sort_values("timestamp", kind="stable")["item_id"].tolist()


def histories_of(frame):
    return {user: history_until(frame, user) for user in frame["user_id"].unique()}


def fitted_state(model):
    return {name: value for name, value in vars(model).items() if name.endswith("_")}


def later(frame, n_rows):
    """Rows of the users and items of a frame, later than all of its rows."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "user_id": rng.choice(frame["user_id"].unique(), n_rows),
            "item_id": rng.choice(frame["item_id"].unique(), n_rows),
            "timestamp": frame["timestamp"].max() + 1,
        }
    )


def dense(vectors):
    return vectors.toarray() if issparse(vectors) else vectors


def stored(vectors):
    """The array in which dense or sparse vectors keep their numbers."""
    return vectors.data if issparse(vectors) else vectors


def assert_same_answers(model, expected):
    assert_frame_equal(model.recommend(), expected.recommend(), check_exact=True)
    items = expected.items_[:2].tolist()
    assert_frame_equal(model.similar_items(items), expected.similar_items(items))
    # An unseen user, with and without a history.
    assert_array_equal(model.predict(-5, items), expected.predict(-5, items))
    assert_array_equal(model.predict(-5), expected.predict(-5))


# Parameters and state


def test_parameters(estimator):
    signature = inspect.signature(type(estimator).__init__)
    parameters = [p for name, p in signature.parameters.items() if name != "self"]
    assert {p.kind for p in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    names = {p.name for p in parameters}
    assert names >= READ_LATE
    assert set(type(estimator)._parameter_constraints) == names
    odd = {name: object() for name in names}  # stored unchanged and unchecked
    assert type(estimator)(**odd).get_params() == odd


@pytest.mark.parametrize("method", ["predict", "recommend", "similar_items"])
def test_k_is_passed_by_keyword_only(method):
    signature = inspect.signature(getattr(MarkovRecommender, method))
    assert signature.parameters["k"].kind == inspect.Parameter.KEYWORD_ONLY


def test_tags(estimator):
    tags = get_tags(estimator).input_tags
    assert tags.categorical
    assert tags.string


def test_features(estimator, small_interactions):
    frame = small_interactions.assign(rating=5)
    estimator.fit(frame)
    assert estimator.feature_names_in_.tolist() == ["user_id", "item_id", "timestamp"]
    assert estimator.n_features_in_ == 3
    estimator.fit(frame[["item_id", "user_id"]])
    assert estimator.feature_names_in_.tolist() == ["user_id", "item_id"]
    estimator.fit(np.column_stack([frame, frame["rating"]]))
    assert not hasattr(estimator, "feature_names_in_")
    assert estimator.n_features_in_ == 5


def test_ids_are_numbered_by_first_appearance_in_time(estimator):
    frame = pd.DataFrame(
        {"user_id": [7, 8, 7, 9], "item_id": list("abca"), "timestamp": [3, 1, 2, 1]}
    )
    estimator.fit(frame)
    assert estimator.users_.tolist() == [8, 9, 7]
    assert estimator.items_.tolist() == ["b", "a", "c"]
    assert estimator.item_counts_.tolist() == [1, 2, 1]


def test_state_is_numpy_and_builtins(model, small_interactions):
    def check(value):
        assert type(value).__module__ in {"builtins", "numpy"}, type(value)
        if isinstance(value, dict):
            value = [*value.keys(), *value.values()]
        if isinstance(value, list | tuple):
            for part in value:
                check(part)

    model.predict([1, 99])
    model.score(later(small_interactions, 5))
    check(fitted_state(model))
    content = pickle.dumps(model)
    assert b"tensorflow" not in content
    assert b"keras" not in content


def test_settings_are_plain_values_of_parameters(estimator, small_interactions):
    params = estimator.get_params()
    numbers = {name: params[name] for name in params if np.isscalar(params[name])}
    numbers = {name: np.array(value)[()] for name, value in numbers.items()}
    settings = estimator.set_params(**numbers).fit(small_interactions).settings_
    types = {bool, int, float, str, type(None)}
    assert {type(value) for value in settings.values()} <= types
    given = {name: params[name] for name in settings}
    assert settings.keys().isdisjoint(READ_LATE)
    assert settings == {
        name: settings[name] if value is None else value
        for name, value in given.items()
    }


def test_caches_are_not_pickled(model):
    before = len(pickle.dumps(model))
    model.predict([1, 2])
    model.similar_items(10)
    assert len(pickle.dumps(model)) == before


def pickled(model, tmp_path):
    return pickle.loads(pickle.dumps(model))


def dumped(model, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib")
    return joblib.load(tmp_path / "model.joblib")


def dumped_and_mapped(model, tmp_path):
    dumped(model, tmp_path)
    loaded = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert not loaded.item_counts_.flags.writeable
    return loaded


def deep_copied(model, tmp_path):
    return copy.deepcopy(model)


@pytest.mark.case("P7")
@pytest.mark.parametrize("copy_of", [pickled, dumped, dumped_and_mapped, deep_copied])
def test_copies_give_the_same_answers(estimator, busy, tmp_path, copy_of):
    train, test = leave_last_out_split(busy)
    model = estimator.fit(train)
    copied = copy_of(model, tmp_path)
    assert copied.get_params() == model.get_params()
    assert fitted_state(copied).keys() == fitted_state(model).keys()
    assert_same_answers(copied, model)
    assert_array_equal(copied.target_ranks(test), model.target_ranks(test))
    assert_same_answers(copy_of(model, tmp_path), model)  # now with a cache


@pytest.mark.case("P7", "P8")
def test_neither_fit_nor_clone_remembers_an_earlier_fit(model, busy):
    expected = clone(model).fit(busy)
    model.recommend()
    model.similar_items(10)
    for again in (clone(model), model):
        assert_same_answers(again.fit(busy), expected)


@pytest.mark.parametrize(
    "call",
    [
        lambda model, X: model.predict(1),
        lambda model, X: model.recommend(),
        lambda model, X: model.score(X),
        lambda model, X: model.target_ranks(X),
        lambda model, X: model.similar_items(10),
        lambda model, X: model.query_vectors(1),
        lambda model, X: model.item_vectors(),
    ],
)
def test_not_fitted(small_interactions, call):
    with pytest.raises(NotFittedError, match="MarkovRecommender"):
        call(MarkovRecommender(), small_interactions)


@pytest.mark.parametrize("value", [None, object()], ids=["None", "object"])
def test_parameters_of_fit_are_not_read_afterwards(
    estimator, small_interactions, value
):
    # These values are invalid: reading one raises an error or changes an answer.
    expected = clone(estimator).fit(small_interactions)
    model = estimator.fit(small_interactions)
    model.set_params(**dict.fromkeys(model.get_params().keys() - READ_LATE, value))
    assert_same_answers(pickle.loads(pickle.dumps(model)), expected)
    assert_same_answers(model, expected)


def test_parameters_read_at_each_call(markov):
    assert markov.set_params(k=1).predict(1).shape == (1,)
    assert len(markov.set_params(k=8, exclude_seen=False).recommend(1)) == 8
    with pytest.raises(UnknownUserError):
        markov.set_params(handle_unknown="error").predict(99)


# Randomness


@pytest.mark.case("P10")
def test_global_random_state_is_untouched(estimator, small_interactions):
    before = pickle.dumps((random.getstate(), np.random.get_state()))  # noqa: NPY002
    model = estimator.fit(small_interactions)
    model.predict([1, 99])
    model.score(later(small_interactions, 5))
    after = pickle.dumps((random.getstate(), np.random.get_state()))  # noqa: NPY002
    assert after == before


@pytest.mark.case("P10")
def test_global_random_state_of_tensorflow_is_untouched(network, small_interactions):
    import tensorflow as tf

    draws = []
    for fit in (False, True):
        tf.random.set_seed(3)
        first = tf.random.uniform((3,)).numpy()
        if fit:
            network.set_params(random_state=1).fit(small_interactions)
        draws.append([*first, *tf.random.uniform((3,)).numpy()])
    assert draws[0] == draws[1]


def weights_of(network, X, random_state):
    return joblib.hash(network.set_params(random_state=random_state).fit(X).weights_)


@pytest.mark.parametrize("kind", [int, np.int64, np.uint32, np.random.RandomState])
def test_random_state(network, small_interactions, kind):
    first = weights_of(network, small_interactions, kind(4))
    assert weights_of(network, small_interactions, kind(4)) == first
    assert weights_of(network, small_interactions, kind(5)) != first


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_repeated_fits_differ_without_a_seed(network, small_interactions, random_state):
    fits = set()
    for _ in range(2):
        np.random.seed(0)  # noqa: NPY002
        fits.add(weights_of(network, small_interactions, random_state))
    assert len(fits) == 2


# Ids come back exactly

STRINGS = ["0", "-1", "nan", "None", "[PAD]", " ", "null", "a", "a ", "e\u0301"]
STRINGS += ["\u00e9", '\U0001f600, "x"\n', *map(str, range(1, 150))]
IDS = {
    "int64": np.array([2**63 - 1, -(2**63), *range(-1, 150)]),
    "uint64": np.uint64(2**64 - 1) - np.arange(150, dtype=np.uint64),
    "strings": np.array(STRINGS, dtype=object),
}


@pytest.mark.case("P1")
@pytest.mark.parametrize("kind", IDS)
def test_other_ids_change_nothing_else(estimator, busy, kind):
    rng = np.random.default_rng(0)
    users, items = (IDS[kind][rng.permutation(n)] for n in (150, 37))
    expected = clone(estimator).fit(busy)
    model = estimator.fit(
        busy.assign(user_id=users[busy["user_id"]], item_id=items[busy["item_id"]])
    )
    assert (model.users_.dtype, model.items_.dtype) == (users.dtype, items.dtype)
    assert model.missing_item_ not in items.tolist()
    table = expected.recommend()
    table = table.assign(user_id=users[table["user_id"]], item_id=items[table.item_id])
    assert_frame_equal(model.recommend(), table, check_exact=True)
    lists = expected.predict(list(range(150)))
    lists = np.where(lists < 0, model.missing_item_, items[lists])
    for form in (users, users.tolist()):
        assert_array_equal(model.predict(form), lists, strict=True)
    assert_array_equal(model.predict(users[2]), lists[2])
    similar = expected.similar_items([5, 3], k=7)["similar_item_id"]
    found = model.similar_items(items[[5, 3]], k=7)["similar_item_id"]
    assert found.tolist() == items[similar].tolist()


INTEGERS = ["int8", "int32", "int64", "uint8", "uint64"]


@pytest.mark.parametrize("fitted", INTEGERS)
@pytest.mark.parametrize("queried", INTEGERS)
def test_the_width_of_integers_does_not_matter(small_interactions, fitted, queried):
    model = PopularityRecommender().fit(small_interactions.astype({"user_id": fitted}))
    expected = [model.predict(user) for user in (1, 2, 3)]
    assert_array_equal(model.predict(np.array([1, 2, 3], dtype=queried)), expected)
    assert_array_equal(model.predict(np.dtype(queried).type(2)), expected[1])


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_wide_integers_are_not_rounded(dtype):
    a, b, c = 2**53 + np.arange(3)
    frame = pd.DataFrame({"user_id": [a, a, b, b, c, c], "item_id": [a, b, b, c, c, a]})
    model = PopularityRecommender(k=1, handle_unknown="error").fit(frame.astype(dtype))
    assert model.predict([a, b, c]).ravel().tolist() == [c, a, b]
    with pytest.raises(UnknownUserError):
        model.predict(2**53 + 3)


def test_float_ids_of_a_plain_array(estimator, small_interactions):
    model = estimator.fit(small_interactions.to_numpy(float))
    expected = clone(estimator).fit(small_interactions.to_numpy()).recommend()
    assert model.items_.dtype == np.float64
    assert_frame_equal(model.recommend(), expected, check_dtype=False)
    predicted = model.predict([1.0, 2.0])
    assert np.isnan(predicted[:, 2]).all()  # only two of eight items remain
    assert_array_equal(model.predict(model.users_[0]), predicted[0])
    assert_array_equal(model.predict([1, 2]), predicted)
    assert len(model.predict(1.0, [10.0, 11.0])) == 3


@pytest.mark.parametrize(
    ("items", "missing"),
    [
        (np.array([5, 6, 7]), -1),
        (np.array([5, -1, 7]), 2**63 - 1),
        (np.array([-1, 2**63 - 1, 0]), 2**63 - 2),
        (np.array([1, 2, 3], dtype="uint8"), 255),
        (np.array([1, 255, 254], dtype="uint8"), 253),
        (np.arange(256).astype("int8"), None),
        (np.array(["a", "None", "nan"], dtype=object), None),
    ],
)
def test_missing_id_is_no_item(items, missing):
    assert missing_id(items) == missing


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_catalogue_of_all_values_of_a_dtype(dtype):
    items = np.arange(256).astype(dtype)
    frame = pd.DataFrame({"user_id": np.arange(256) % 4, "item_id": items})
    predicted = PopularityRecommender(k=256).fit(frame).predict(1).tolist()
    assert set(predicted) == {*items.tolist(), None} - {*items[1::4].tolist()}
    assert predicted[-64:] == [None] * 64


# The forms of arguments


@pytest.mark.parametrize("k", [None, np.int64(5), 40])
def test_forms_of_users(markov, k):
    users = [3, 1, 12, 3]
    expected = np.stack([markov.predict(user, k=k) for user in users])
    assert expected.shape == (4, k or 3)
    forms = [
        users,
        tuple(users),
        np.array(users),
        pd.Series(users, index=[5, 5, 6, 7]),
        pd.Index(users),
        pd.array(users),
        pd.Categorical(users),
        np.array(users, dtype=object),
        pd.DataFrame({"user_id": users}),
        pd.DataFrame({"user_id": users, "timestamp": 10**9}),
        pd.DataFrame({"item_id": [None, "x", -7, 2.5], "user_id": users}),
    ]
    for form in forms:
        assert_array_equal(markov.predict(form, k=k), expected)
    assert_array_equal(markov.predict([3], k=k), expected[:1])
    assert_array_equal(markov.predict(np.int64(3), k=k), expected[0])


def test_forms_of_users_after_fit_on_an_array(estimator, small_interactions):
    expected = clone(estimator).fit(small_interactions)
    array = small_interactions.to_numpy()
    model = estimator.fit(array)
    assert_same_answers(model, expected)
    for table in (array, array.tolist()):
        assert_array_equal(model.predict(table), expected.predict(small_interactions))
    for users in ([1, 2], pd.Series([1, 2]), pd.DataFrame({"user_id": [1, 2]})):
        assert_array_equal(model.predict(users), expected.predict([1, 2]))
    assert_array_equal(model.predict(2), expected.predict(2))
    test = later(small_interactions, 9)
    assert model.score(test.to_numpy()) == expected.score(test)


def test_array_of_queries_after_fit_on_a_frame(markov, small_interactions):
    expected = markov.predict(small_interactions)
    with pytest.warns(UserWarning, match="valid feature names"):
        answers = markov.predict(small_interactions.to_numpy())
    assert_array_equal(answers, expected)


def test_no_users(model):
    for users in ([], pd.Series([], dtype=int)):
        expected = np.empty((0, 3), dtype=model.items_.dtype)
        assert_array_equal(model.predict(users), expected, strict=True)
        assert_array_equal(model.predict(users, history=[]), expected, strict=True)
        table = model.recommend(users)
        assert table.columns.tolist() == ["user_id", "item_id", "score", "rank"]
        assert len(table) == 0
        width = model.item_vectors().shape[1]
        assert model.query_vectors(users).shape == (0, width)


# The time of a query


@pytest.mark.parametrize("dates", [False, True])
def test_history_ends_at_the_time_of_the_row(estimator, busy, dates):
    queries = pd.DataFrame({"user_id": np.repeat(np.arange(-1, 30), 4)})
    queries["timestamp"] = np.random.default_rng(0).integers(-2, 63, len(queries))
    users, times = queries["user_id"].tolist(), queries["timestamp"]
    histories = [history_until(busy, *row) for row in zip(users, times, strict=True)]
    assert min(map(len, histories)) == 0
    if dates:  # in another unit and time zone than in fit
        fitted = pd.to_datetime(busy["timestamp"], unit="s").astype("datetime64[s]")
        busy["timestamp"] = fitted
        times = pd.to_datetime(times, unit="s", utc=True).astype("datetime64[ns, UTC]")
        queries["timestamp"] = times.dt.tz_convert("Europe/Berlin")
    model = estimator.fit(busy)
    answers = model.predict(queries, k=37)
    assert_array_equal(answers, model.predict(users, histories, k=37))
    vectors = model.query_vectors(queries), model.query_vectors(users, histories)
    assert_array_equal(*map(dense, vectors))


def test_without_timestamp_the_whole_history_is_read(markov, small_interactions):
    users = small_interactions[["user_id"]]
    assert_array_equal(markov.predict(users), markov.predict(users["user_id"]))


@pytest.mark.parametrize("n_times", [None, 4])
def test_rows_of_equal_time_keep_their_order(estimator, n_times):
    rng = np.random.default_rng(1)
    users = rng.permutation(np.repeat(np.arange(50), 40))
    frame = pd.DataFrame({"user_id": users, "item_id": rng.integers(30, size=2_000)})
    in_order = frame
    if n_times is not None:
        frame["timestamp"] = rng.integers(n_times, size=2_000)
        rows = sorted(range(2_000), key=frame["timestamp"].tolist().__getitem__)
        in_order = frame.iloc[rows]
    model = estimator.fit(frame)
    for code, user in enumerate(model.users_):
        start, end = model.history_indptr_[code : code + 2]
        items = model.items_[model.history_items_[start:end]]
        assert_array_equal(items, in_order.loc[in_order["user_id"] == user, "item_id"])


@pytest.mark.case("P2")
def test_shuffled_rows_give_the_same_model(estimator, small_interactions):
    expected = clone(estimator).fit(small_interactions)
    model = estimator.fit(small_interactions.sample(frac=1, random_state=3))
    assert_same_answers(model, expected)
    assert_array_equal(model.users_, expected.users_)


# Scores and ranks


@pytest.mark.case("P11")
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_ranks_and_score_by_hand(estimator, busy, exclude_seen):
    train, test = leave_last_out_split(busy)
    model = estimator.set_params(exclude_seen=exclude_seen).fit(train)
    unseen = test.assign(user_id=-1 - test["user_id"])
    rows = pd.concat([test, test.assign(item_id=99), unseen])
    scores = dense(model.query_vectors(rows) @ model.item_vectors().T)
    expected = []
    for row, (user, item, time) in enumerate(rows.itertuples(index=False, name=None)):
        if exclude_seen:
            seen = history_until(train, user, time)
            scores[row, np.isin(model.items_, seen)] = -np.inf
        score = scores[row, model.items_ == item].max(initial=-np.inf)
        is_ranked = score > -np.inf
        expected.append((scores[row] >= score).sum() if is_ranked else np.inf)
    ranks = model.target_ranks(rows)
    assert_array_equal(ranks, np.array(expected, dtype=float), strict=True)
    for k in (1, 3, 10):  # the mean over all rows
        assert model.set_params(k=k).score(rows, rows["item_id"]) == np.mean(ranks <= k)


def test_ties_count_against_the_target(estimator):
    # All items are equally popular, so each target has the last rank.
    items = np.arange(6)
    frame = pd.DataFrame(
        {"user_id": items.repeat(2), "item_id": np.tile(items, 2).reshape(2, 6).T.flat}
    )
    model = estimator.set_params(k=5).fit(frame)
    rows = pd.DataFrame({"user_id": [-1] * 6, "item_id": items})
    assert_array_equal(model.target_ranks(rows), 6)
    assert model.score(rows) == 0.0
    assert model.set_params(k=6).score(rows) == 1.0


@pytest.mark.case("P18")
def test_items_of_the_rows_change_no_prediction(markov, small_interactions):
    rows = later(small_interactions, 20)
    expected = markov.predict(rows)
    for items in (rows["item_id"].to_numpy()[::-1], -5, "a", None, [[]] * 20, np.nan):
        assert_array_equal(markov.predict(rows.assign(item_id=items)), expected)
    assert_array_equal(markov.predict(rows.drop(columns="item_id")), expected)
    ranks = markov.target_ranks(rows)
    for row in range(20):
        assert markov.target_ranks(rows.iloc[[row]]) == ranks[row]
    assert_array_equal(markov.predict(rows), expected)


@pytest.mark.parametrize("first_user", [1, 2])
def test_leaks_are_reported(small_interactions, first_user):
    frame = small_interactions[small_interactions["user_id"] >= first_user]
    model = MarkovRecommender().fit(frame)
    n = len(frame)
    with pytest.warns(LeakageWarning, match=rf"\b{n} of {n} .*row 0 .*LeaveLastOut"):
        model.score(frame)
    before = pd.DataFrame({"user_id": [first_user], "item_id": [13], "timestamp": [-1]})
    between = before.assign(timestamp=2_500)
    after = before.assign(timestamp=10**6)
    for leak in (before, between):
        with pytest.warns(LeakageWarning, match=r"2 of 3 .*row 1"):
            model.score(pd.concat([after, leak, leak]))
    for valid in (after, after.assign(user_id=99, timestamp=-1)):
        model.score(valid)
    model.score(frame.drop(columns="timestamp"))  # without times nothing can be checked


# Histories and unseen users


def test_the_fitted_history_passed_again_changes_nothing(estimator, busy):
    model = estimator.fit(busy)
    histories = histories_of(busy)
    users = list(histories)
    expected = model.recommend(users, k=9)
    answers = model.recommend(users, list(histories.values()), k=9)
    assert_frame_equal(answers, expected, check_exact=True)


def test_unseen_users_with_a_history(model):
    answers = model.recommend(["new", "newer"], [[10, 11], [12]], k=2)
    assert answers["user_id"].tolist() == ["new", "new", "newer", "newer"]
    numbers = model.recommend([-8, -9], [[10, 11], [12]], k=2)
    assert_frame_equal(numbers.drop(columns="user_id"), answers.drop(columns="user_id"))
    model.set_params(handle_unknown="error")  # a history is enough
    assert_array_equal(model.predict("new", [10, 11], k=2), answers["item_id"][:2])


def test_no_history_means_popular_items(estimator, busy):
    model = estimator.fit(busy)
    codes = np.lexsort((np.arange(37), -model.item_counts_))
    expected = model.items_[codes]
    counts = busy["item_id"].value_counts()[expected]
    assert counts.is_monotonic_decreasing
    for answer in (
        model.predict(-1, k=37),
        model.predict(0, [], k=37),
        model.predict([-1, 5], [[], [1]], k=37)[0],
        model.predict(pd.DataFrame({"user_id": 0, "timestamp": [-1, 99]}), k=37)[0],
    ):
        assert_array_equal(answer, expected)
    for k in range(1, 37):
        assert_array_equal(model.predict(-1, k=k), expected[:k])
    scores = model.recommend(-1, k=37)["score"]
    assert_allclose(scores, counts / len(busy), rtol=1e-6)


def test_unknown_items_and_users(markov, small_interactions):
    histories = [[99, 10, 98], [11, 99]]
    with pytest.warns(UserWarning, match=r"'history'.*\b1\b.*99, 98.*\b3\b") as caught:
        answers = markov.predict([1, 2], histories)
    assert len(caught) == 1
    assert_array_equal(answers, markov.predict([1, 2], [[10], [11]]))
    with pytest.warns(UserWarning, match="99"):
        answer = markov.predict(1, [99])
    assert_array_equal(answer, markov.predict(1, []))
    markov.set_params(handle_unknown="error")
    with pytest.raises(InteractionsError, match="99, 98.*handle_unknown='popular'"):
        markov.predict([1, 2], histories)
    message = r"\b2\b.*\b97 .*row 1.*handle_unknown='popular'"
    with pytest.raises(UnknownUserError, match=message):
        markov.predict([1, 97, 98])
    with pytest.raises(UnknownUserError):
        markov.score(later(small_interactions, 3).assign(user_id=97))


# Tables


@pytest.mark.case("P5")
def test_recommend(estimator, busy):
    model = estimator.fit(busy)
    table = model.recommend(k=30)
    assert table.columns.tolist() == ["user_id", "item_id", "score", "rank"]
    assert isinstance(table.index, pd.RangeIndex)
    assert table["user_id"].unique().tolist() == model.users_.tolist()
    histories = histories_of(busy)
    lists = model.predict(model.users_.tolist(), k=30)
    for items, (user, rows) in zip(
        lists, table.groupby("user_id", sort=False), strict=True
    ):
        n = min(30, 37 - len(set(histories[user])))
        assert rows["rank"].tolist() == list(range(1, n + 1))
        assert items.tolist() == [*rows["item_id"], *[model.missing_item_] * (30 - n)]
    everything = model.recommend(k=30, exclude_seen=False)
    model.set_params(exclude_seen=False)
    assert_frame_equal(model.recommend(k=30), everything)
    assert_frame_equal(model.recommend(k=30, exclude_seen=True), table)


@pytest.fixture(scope="module", params=ESTIMATORS, ids=name_of)
def busy_model(request):
    return clone(request.param).fit(make_busy())


@pytest.mark.case("P5")
@pytest.mark.filterwarnings("ignore:.*no item is left to recommend")
@settings(derandomize=True, max_examples=50)
@given(
    user=st.integers(-2, 155),
    history=st.none() | st.lists(st.integers(0, 36), max_size=40),
    candidates=st.none() | st.lists(st.integers(0, 36), min_size=1, max_size=40),
    exclude_seen=st.booleans(),
    k=st.integers(1, 45),
)
def test_only_allowed_items_are_recommended(
    busy_model, user, history, candidates, exclude_seen, k
):
    table = busy_model.recommend(
        [user],
        None if history is None else [history],
        k=k,
        candidates=candidates,
        exclude_seen=exclude_seen,
    )
    seen = history_until(make_busy(), user) if history is None else history
    allowed = set(range(37) if candidates is None else candidates)
    allowed -= set(seen) if exclude_seen else set()
    items = table["item_id"].tolist()
    assert set(items) <= allowed
    assert len(set(items)) == len(items) == min(k, len(allowed))
    assert np.isfinite(table["score"]).all()
    assert table["score"].is_monotonic_decreasing
    assert table["rank"].tolist() == list(range(1, len(items) + 1))


def test_recommend_answers_each_row_of_a_frame(markov):
    frame = pd.DataFrame({"user_id": [5, 5, 3]}, index=[9, 9, 7]).rename_axis("query")
    table = markov.recommend(frame, k=2)
    assert table["user_id"].tolist() == [5, 5, 5, 5, 3, 3]
    assert table["rank"].tolist() == [1, 2] * 3
    assert table.index.tolist() == [9, 9, 9, 9, 7, 7]
    assert table.index.name == "query"
    lists = markov.recommend(frame["user_id"], k=2)
    assert_frame_equal(lists, table.reset_index(drop=True))


def test_similar_items(estimator, busy):
    model = estimator.fit(busy)
    table = model.similar_items([5, 3], k=4)
    assert table.columns.tolist() == ["item_id", "similar_item_id", "score", "rank"]
    assert table["item_id"].tolist() == [5] * 4 + [3] * 4
    assert table["rank"].tolist() == [1, 2, 3, 4] * 2
    assert_frame_equal(model.similar_items(5, k=4), table.head(4))
    assert model.similar_items(5)["rank"].tolist() == [1, 2, 3]
    # Each pair of different items is there once, and is symmetric.
    pairs = model.similar_items(model.items_, k=100)
    assert pairs["score"].between(-1 - 1e-6, 1 + 1e-6).all()
    for _, rows in pairs.groupby("item_id"):
        assert rows["score"].is_monotonic_decreasing
    assert (pairs["item_id"] != pairs["similar_item_id"]).all()
    scores = pairs.set_index(["item_id", "similar_item_id"])["score"]
    assert len(scores) == scores.index.nunique() == 37 * 36
    assert_allclose(scores, scores.swaplevel().reindex(scores.index), atol=1e-6)


@pytest.mark.case("P4")
@pytest.mark.parametrize("with_history", [False, True])
def test_vectors_give_the_scores(estimator, busy, with_history):
    model = estimator.fit(busy)
    users = [*range(100), -1, -2]  # several blocks of queries
    history = [[user % 37, (user * 7) % 37] for user in users[:-1]] + [[]]
    history = history if with_history else None
    items, queries = model.item_vectors(), model.query_vectors(users, history)
    assert items.shape[0] == 37
    assert queries.shape == (102, items.shape[1])
    assert items.dtype == queries.dtype == np.float32
    table = model.recommend(users, history, k=37, exclude_seen=False)
    codes = pd.Index(model.items_).get_indexer(table["item_id"]).reshape(102, 37)
    scores = dense(queries @ items.T)
    ranked = table["score"].to_numpy().reshape(102, 37)
    for expected in (np.take_along_axis(scores, codes, 1), -np.sort(-scores, axis=1)):
        assert_allclose(ranked, expected, rtol=1e-4, atol=1e-6)


def test_query_vectors_of_one_and_of_all_users(model):
    one, everyone = model.query_vectors(7), model.query_vectors()
    assert type(one) is type(everyone) is type(model.item_vectors())
    assert one.ndim == 1
    assert_array_equal(dense(one), dense(model.query_vectors([7]))[0])
    assert_array_equal(
        dense(model.query_vectors(model.users_.tolist())), dense(everyone)
    )


@pytest.mark.parametrize("model", [ItemKNNRecommender(), MarkovRecommender()])
def test_sparse_vectors_have_indices_of_one_width(model, small_interactions):
    # Otherwise SciPy would copy the item vectors in each product.
    model = clone(model).fit(small_interactions)
    queries = model.query_vectors(), model.query_vectors([1], [[10]])
    for vectors in (model.item_vectors(), *queries):
        assert (vectors.indices.dtype, vectors.indptr.dtype) == (np.int32, np.int32)


# Blocks


@pytest.mark.case("P3", "P18")
@pytest.mark.parametrize("estimator", [*ESTIMATORS, *WIDE], ids=name_of)
def test_a_user_does_not_depend_on_the_others(estimator, busy):
    train, test = leave_last_out_split(busy)
    model = clone(estimator).fit(train)
    users = model.users_.tolist()
    together = dict(iter(model.recommend(k=9).groupby("user_id")))
    rng = np.random.default_rng(2)
    others = [[user] for user in users]
    others += [rng.choice(users, size).tolist() for size in (2, 17, 255, 257, 600)]
    for some in others:
        table = model.recommend(some, k=9)
        for _, rows in table.groupby((table["rank"] == 1).cumsum()):
            expected = together[rows["user_id"].iloc[0]].reset_index(drop=True)
            rows = rows.reset_index(drop=True)
            assert_frame_equal(rows, expected, check_exact=True)  # to the last bit
    ranks = model.target_ranks(test)
    order = rng.permutation(len(test))
    assert_array_equal(model.target_ranks(test.iloc[order]), ranks[order])
    alone = [dense(model.query_vectors(user)) for user in users]
    assert_array_equal(dense(model.query_vectors(users)), alone)


@pytest.mark.case("L3")
def test_memory_is_bounded(estimator):
    # Users times items would be 80 MB of float32.
    n_users, n_items = 1_000, 20_000
    rows = np.arange(n_items)
    frame = pd.DataFrame(
        {"user_id": rows % n_users, "item_id": (rows * 7) % n_items, "timestamp": rows}
    )
    if "batch_size" in estimator.get_params():
        estimator.set_params(batch_size=8_192, max_iter=1, d=2)
    model = estimator.fit(frame)
    test = frame.tail(n_users).assign(timestamp=len(rows))
    tracemalloc.start()
    try:
        with threadpool_limits(2):  # each thread needs memory
            model.predict(model.users_.tolist())
            model.target_ranks(test)
            model.similar_items(model.items_[:n_users].tolist())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40e6


# Arguments and answers are not shared


@pytest.mark.case("P9")
def test_arguments_are_not_modified_and_y_is_ignored(estimator, small_interactions):
    frame = small_interactions.assign(tags=[[]] * 72).set_axis(np.arange(72)[::-1])
    histories = [[10, 11], [12]]
    kept = copy.deepcopy((frame, histories))
    array, users = small_interactions.to_numpy(), np.array([1, 2])
    array.flags.writeable = users.flags.writeable = (
        False  # writing would raise an error
    )
    expected = clone(estimator).fit(small_interactions).recommend()
    for X in (frame, array, pd.DataFrame(array, columns=small_interactions.columns)):
        model = clone(estimator).fit(X, X)
        assert_frame_equal(model.recommend(), expected)
        model.predict(X)
        with pytest.warns(LeakageWarning):
            model.score(X)
        model.recommend(users.tolist(), histories, candidates=[13, 14])
        model.predict(pd.Series(users))
        model.predict(1, history=array[:2, 1])
    assert_frame_equal(frame, kept[0])
    assert histories == kept[1]


def test_answers_are_copies(model):
    expected = model.recommend()
    model.predict([1, 2])[:] = 0
    stored(model.query_vectors([1, 2]))[:] = 0
    stored(model.item_vectors())[:] = 0
    tables = model.recommend(), model.similar_items(10)
    for table in tables:
        table.loc[:, ["item_id", "score"]] = 0
    assert_frame_equal(model.recommend(), expected)


def test_index_and_further_columns_are_ignored(estimator, small_interactions):
    def widen(frame):
        n = len(frame)
        wide = frame.assign(rating=np.nan, tags=[[]] * n, more=[{} for _ in range(n)])
        wide = wide.set_axis(np.zeros(n, dtype=int))  # the same label for all rows
        return wide[["more", "timestamp", "tags", "item_id", "rating", "user_id"]]

    expected = clone(estimator).fit(small_interactions)
    test = later(small_interactions, 9)
    model = estimator.fit(widen(small_interactions))
    assert_same_answers(model, expected)
    assert_array_equal(model.predict(widen(test)), expected.predict(test))
    assert model.score(widen(test)) == expected.score(test)
