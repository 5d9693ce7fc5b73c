"""What every recommender promises, tested on each of them.

Data are made: `small_interactions` is a cycle of eight items where each of twelve users
leaves two untouched, and `busy` has many users, repeated items and shared times.
"""

import copy
import inspect
import pickle
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

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
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
)
from sklearn_attrec._ranking import ranks_of, top_k
from sklearn_attrec.exceptions import (
    InteractionsError,
    InvalidParameterError,
    LeakageWarning,
    TrainingDivergedError,
    UnknownUserError,
)
from sklearn_attrec.model_selection import leave_last_out_split

TINY = {"d": 4, "L": 3, "n_blocks": 1, "dropout": 0.2, "loss": "softmax"}
TINY |= {"learning_rate": 0.01, "max_iter": 2, "batch_size": 32}
TINY |= {"k": 3, "random_state": 0}

# A new recommender joins the whole suite with one line here.
ESTIMATORS = [
    AttRecRecommender(d=4, L=3, max_iter=2, batch_size=16, k=3, random_state=0),
    ItemKNNRecommender(n_neighbors=5, k=3),
    MarkovRecommender(k=3),
    PopularityRecommender(k=3),
    SASRecRecommender(**TINY),
    SSEPTRecommender(d_user=4, sse_user=0.5, sse_item=0.1, **TINY),
]
# Read whenever a model is asked; all other parameters are read in fit alone.
READ_LATE = {"k", "exclude_seen", "handle_unknown"}
# For each parameter read in fit a value that differs from the ones above.
OTHER_VALUES = {
    "L": 1,
    "aggregation": "max",
    "alpha": 0.5,
    "batch_size": 7,
    "calibration": 0.1,
    "checkpoint": None,
    "checkpoint_every": 2,
    "d": 7,
    "d_user": 6,
    "dropout": 0.5,
    "early_stopping": True,
    "gamma": 2.0,
    "learning_rate": 0.5,
    "loss": "bpr",
    "keep_interrupted": True,
    "max_iter": 1,
    "max_norm": None,
    "n_blocks": 3,
    "n_heads": 2,
    "n_iter_no_change": 1,
    "n_negatives": 1,
    "n_neighbors": 1,
    "n_targets": 1,
    "norm": "post",
    "omega": 0.9,
    "optimizer": "adagrad",
    "positions": "sinusoidal",
    "random_state": 5,
    "resume": False,
    "schedule": "constant",
    "scoring": "hit_rate",
    "share_projection": True,
    "shrinkage": 9.0,
    "similarity": "inner",
    "smoothing": 1.0,
    "sse_item": 0.7,
    "sse_user": 0.1,
    "temperature": 9.0,
    "tol": 0.5,
    "validation_fraction": 0.5,
    "verbose": 0,
    "warm_start": True,
    "windows": "last",
}


@pytest.fixture(params=ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def estimator(request):
    return clone(request.param)


@pytest.fixture
def model(estimator, small_interactions):
    return estimator.fit(small_interactions)


def make_busy():
    """150 users, 37 items, up to 30 rows a user, 60 points in time for all of them."""
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


@pytest.fixture
def busy():
    return make_busy()


def history_until(frame, user, time=np.inf):
    """Items of a user in stable order of time, by the words of the contract."""
    rows = frame[(frame["user_id"] == user) & (frame["timestamp"] <= time)]
    return rows.sort_values("timestamp", kind="stable")["item_id"].tolist()


def histories_of(frame):
    users = frame["user_id"].unique()
    return {user: history_until(frame, user) for user in users}


def who_when(frame):
    return frame[["user_id", "timestamp"]].itertuples(index=False, name=None)


def fitted_state(model):
    return {name: value for name, value in vars(model).items() if name.endswith("_")}


def later(frame, n_rows, seed=0):
    """Rows after all those of a frame, of its users and items."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user_id": rng.choice(frame["user_id"].unique(), n_rows),
            "item_id": rng.choice(frame["item_id"].unique(), n_rows),
            "timestamp": frame["timestamp"].max() + 1,
        }
    )


def dense(vectors):
    """Vectors or scores as a plain array, also those of a model with sparse ones."""
    return vectors.toarray() if issparse(vectors) else vectors


def numbers_of(vectors):
    """The array that holds the numbers of vectors, the stored ones of sparse ones."""
    return vectors.data if issparse(vectors) else vectors


def full_ranking(model, users, histories):
    """Codes of all items, best first, ties to the lower code, by one plain sort."""
    scores = dense(model.query_vectors(users, histories) @ model.item_vectors().T)
    codes = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    return np.lexsort((codes, -scores)), scores


# Parameters and state


def test_parameters(estimator):
    signature = inspect.signature(type(estimator).__init__)
    parameters = [p for name, p in signature.parameters.items() if name != "self"]
    assert {p.kind for p in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    names = {p.name for p in parameters}
    assert set(type(estimator)._parameter_constraints) == names
    assert names >= READ_LATE
    assert names - READ_LATE <= set(OTHER_VALUES)
    odd = {name: object() for name in names}  # nothing is touched or checked
    stored = type(estimator)(**odd).get_params()
    assert all(stored[name] is odd[name] for name in names)


def test_tags(estimator):
    tags = get_tags(estimator).input_tags
    assert tags.categorical
    assert tags.string
    assert tags.two_d_array


def test_fit_returns_the_estimator_and_ignores_y(estimator, small_interactions):
    expected = clone(estimator).fit(small_interactions).recommend()
    assert estimator.fit(small_interactions, small_interactions["item_id"]) is estimator
    assert_frame_equal(estimator.recommend(), expected)


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
    state = fitted_state(model)
    assert state.keys() >= {"users_", "items_", "n_features_in_", "feature_names_in_"}
    check(state)
    content = pickle.dumps(model)
    assert b"tensorflow" not in content
    assert b"keras" not in content


def test_caches_are_not_pickled(estimator, small_interactions):
    model = estimator.fit(small_interactions)
    before = len(pickle.dumps(model))
    model.predict([1, 2])
    model.similar_items(10)
    model.item_vectors()
    assert len(pickle.dumps(model)) == before


def pickled(model, tmp_path):
    return pickle.loads(pickle.dumps(model))


def dumped(model, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib")
    return joblib.load(tmp_path / "model.joblib")


def dumped_and_mapped(model, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert not loaded.item_counts_.flags.writeable
    return loaded


def deep_copied(model, tmp_path):
    return copy.deepcopy(model)


@pytest.mark.case("P7")
@pytest.mark.parametrize("used_before", [False, True])
@pytest.mark.parametrize("trip", [pickled, dumped, dumped_and_mapped, deep_copied])
def test_round_trips(estimator, busy, tmp_path, trip, used_before):
    train, test = leave_last_out_split(busy)
    model = estimator.fit(train)
    if used_before:
        model.recommend()
    copied = trip(model, tmp_path)
    assert copied.get_params() == model.get_params()
    assert fitted_state(copied).keys() == fitted_state(model).keys()
    assert_frame_equal(copied.recommend(), model.recommend(), check_exact=True)
    assert_array_equal(copied.target_ranks(test), model.target_ranks(test))
    assert_frame_equal(copied.similar_items([1, 2]), model.similar_items([1, 2]))
    assert_array_equal(copied.predict(-5, [1, 2, 3]), model.predict(-5, [1, 2, 3]))


def test_copies_are_independent(model, small_interactions):
    copied = copy.deepcopy(model)
    expected = model.recommend()
    copied.fit(small_interactions.assign(item_id=small_interactions["item_id"] % 5))
    assert_frame_equal(model.recommend(), expected)


@pytest.mark.case("P7", "P8")
def test_clone_is_unfitted(model, small_interactions):
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        check_is_fitted(fresh)
    fresh.fit(small_interactions)
    assert_frame_equal(fresh.recommend(), model.recommend(), check_exact=True)


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
def test_not_fitted(estimator, small_interactions, call):
    with pytest.raises(NotFittedError, match=type(estimator).__name__):
        call(estimator, small_interactions)


@pytest.mark.case("P8")
def test_fit_forgets_the_fit_before(estimator, small_interactions, busy):
    expected = clone(estimator).fit(busy)
    again = estimator.fit(small_interactions)
    again.recommend()
    again.similar_items(10)
    again.fit(busy)
    assert_frame_equal(again.recommend(), expected.recommend(), check_exact=True)
    assert_frame_equal(again.similar_items(3), expected.similar_items(3))
    assert_array_equal(again.predict(-1), expected.predict(-1))


@pytest.mark.parametrize("name", sorted(OTHER_VALUES))
def test_parameters_changed_after_fit_wait_for_the_next(
    estimator, small_interactions, name
):
    if name not in estimator.get_params():
        return
    model = estimator.fit(small_interactions)
    expected = model.recommend(exclude_seen=False)
    of_stranger = model.predict(-5, [10, 12])
    similar = model.similar_items([10, 11])
    model.set_params(**{name: OTHER_VALUES[name]})
    for asked in (model, pickle.loads(pickle.dumps(model))):
        assert_frame_equal(asked.recommend(exclude_seen=False), expected)
        assert_array_equal(asked.predict(-5, [10, 12]), of_stranger)
        assert_frame_equal(asked.similar_items([10, 11]), similar)


def test_some_parameters_are_read_late(model):
    assert model.set_params(k=1).predict(1).shape == (1,)
    assert len(model.set_params(k=8, exclude_seen=False).recommend(1)) == 8
    with pytest.raises(UnknownUserError):
        model.set_params(handle_unknown="error").predict(99)


def test_errors_leave_the_fit_before(estimator, small_interactions):
    model = estimator.fit(small_interactions)
    before, answers = joblib.hash(fitted_state(model)), model.recommend()
    bad_calls = [
        ({}, small_interactions.drop(columns="item_id"), InteractionsError),
        ({}, small_interactions.assign(item_id=1), InteractionsError),
        ({}, small_interactions.assign(user_id=0.5), InteractionsError),
        ({}, None, TypeError),
        ({"k": 0}, small_interactions.head(20), InvalidParameterError),
    ]
    if "learning_rate" in model.get_params():
        bad_calls += [
            ({"learning_rate": 1e6}, small_interactions, TrainingDivergedError),
            (
                {"early_stopping": True},
                small_interactions.groupby("user_id").head(2),
                InteractionsError,
            ),
        ]
    params = model.get_params()
    for changed, X, error in bad_calls:
        with pytest.raises(error):
            model.set_params(**changed).fit(X)
        model.set_params(**params)
        assert joblib.hash(fitted_state(model)) == before
        assert_frame_equal(model.recommend(), answers, check_exact=True)
        fresh = clone(model).set_params(**changed)
        with pytest.raises(error):
            fresh.fit(X)
        assert not fitted_state(fresh)


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
def test_global_state_of_tensorflow_is_untouched(estimator, small_interactions):
    if "random_state" not in estimator.get_params():
        return
    import tensorflow as tf

    draws = []
    for fit in (False, True):
        tf.random.set_seed(3)
        first = tf.random.uniform((3,)).numpy()
        if fit:
            estimator.set_params(random_state=1).fit(small_interactions)
        draws.append([*first, *tf.random.uniform((3,)).numpy()])
    assert draws[0] == draws[1]


def weights_of(estimator, X, random_state):
    model = clone(estimator).set_params(random_state=random_state).fit(X)
    return joblib.hash(model.weights_)


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: seed,
        lambda seed: np.int64(seed),
        lambda seed: np.uint32(seed),
        lambda seed: np.random.RandomState(seed),
    ],
    ids=["int", "int64", "uint32", "RandomState"],
)
def test_random_state(estimator, small_interactions, make):
    if "random_state" not in estimator.get_params():
        return
    first = weights_of(estimator, small_interactions, make(4))
    assert weights_of(estimator, small_interactions, make(4)) == first
    assert weights_of(estimator, small_interactions, make(5)) != first


def test_random_state_that_moves_on(estimator, small_interactions):
    if "random_state" not in estimator.get_params():
        return
    for random_state in (None, np.random.RandomState(0)):
        estimator.set_params(random_state=random_state)
        fits = [joblib.hash(estimator.fit(small_interactions).weights_) for _ in "ab"]
        assert fits[0] != fits[1]


def test_global_seed_does_not_matter(estimator, small_interactions):
    if "random_state" not in estimator.get_params():
        return
    estimator.set_params(random_state=None)
    fits = []
    for _ in range(2):
        np.random.seed(0)  # noqa: NPY002
        fits.append(joblib.hash(estimator.fit(small_interactions).weights_))
    assert fits[0] != fits[1]


# Ids come back exactly


def _weird_strings(n):
    strings = ["0", "-1", "nan", "None", "[PAD]", " ", "null", "a", "a ", "e\u0301"]
    return np.array([*strings, "\u00e9", '\U0001f600, "x"\n'], dtype=object)[:n]


def _levels(values):
    return pd.Categorical(values, categories=values[::-1])


ID_KINDS = {
    "int8": lambda n: np.arange(-1, n - 1, dtype=np.int8),
    "uint8": lambda n: np.arange(255, 255 - n, -1).astype(np.uint8),
    "int32": lambda n: np.arange(-1, n - 1, dtype=np.int32) * 1_000,
    "int64": lambda n: np.array([2**63 - 1, -(2**63), 0, -1, *range(1, n)])[:n],
    "above float": lambda n: 2**53 + np.arange(n),
    "uint64": lambda n: np.array([2**64 - 1, 0, *range(2**63, 2**63 + n)], "u8")[:n],
    "other byte order": lambda n: np.arange(n).astype(">i4"),
    "objects": _weird_strings,
    "object ints": lambda n: np.arange(-1, n - 1).astype(object),
    "NumPy strings": lambda n: _weird_strings(n).astype("U"),
    "str": lambda n: pd.array(_weird_strings(n), dtype="str"),
    "string": lambda n: pd.array(_weird_strings(n), dtype="string"),
    "string[pyarrow]": lambda n: pd.array(_weird_strings(n), dtype="string[pyarrow]"),
    "int16[pyarrow]": lambda n: pd.array(np.arange(-1, n - 1), dtype="int16[pyarrow]"),
    "Int64": lambda n: pd.array(np.arange(-1, n - 1), dtype="Int64"),
    "UInt8": lambda n: pd.array(np.arange(n), dtype="UInt8"),
    "categories of str": lambda n: _levels(_weird_strings(n)),
    "categories of int": lambda n: _levels(np.arange(-1, n - 1)),
}


def _plain(ids):
    """Ids as a plain array in the dtype that they shall come back in."""
    plain = np.asarray(ids)
    if plain.dtype.kind in "iu":
        return plain.astype(plain.dtype.newbyteorder("="))
    if isinstance(plain[0], str):
        return plain.astype(object)
    return plain.astype(np.int64)


def renamed(frame, users, items):
    """The cycle of `small_interactions` under other ids."""
    return pd.DataFrame(
        {
            "user_id": users[frame["user_id"].to_numpy() - 1],
            "item_id": items[frame["item_id"].to_numpy() - 10],
            "timestamp": frame["timestamp"].to_numpy(),
        }
    )


@pytest.mark.parametrize("kind", ID_KINDS)
def test_ids_come_back_exactly(estimator, small_interactions, kind):
    if "pyarrow" in kind:
        pytest.importorskip("pyarrow")
    expected = clone(estimator).fit(small_interactions).recommend()
    users, items = ID_KINDS[kind](12), ID_KINDS[kind](8)
    frame = renamed(small_interactions, users, items)
    model = estimator.fit(frame)
    users, items = _plain(users), _plain(items)
    assert (model.users_.dtype, model.items_.dtype) == (users.dtype, items.dtype)
    assert set(model.items_) == set(items)

    answers = model.recommend()
    for column, ids, base in [("user_id", users, 1), ("item_id", items, 10)]:
        values = ids[expected[column] - base]
        assert answers[column].tolist() == values.tolist()
        if ids.dtype.kind != "O":
            assert answers[column].dtype == ids.dtype
    assert_array_equal(answers["score"], expected["score"])

    for asked in (users, users.tolist(), pd.Series(users, index=users[::-1])):
        predicted = model.predict(asked)
        assert predicted.dtype == items.dtype
        for user, row in zip(asked, predicted, strict=True):
            mine = answers.loc[(answers["user_id"] == user).to_numpy(), "item_id"]
            padding = [model.missing_item_] * (3 - len(mine))
            assert row.tolist() == [*mine, *padding]
    assert model.missing_item_ not in items.tolist()
    assert_array_equal(model.predict(users[2]), model.predict(users)[2])
    stranger = model.predict("new" if users.dtype == object else 100, [items[0]])
    assert not set(stranger) - set(items)
    similar = model.similar_items(items[:2], k=7)
    assert set(similar["similar_item_id"]) <= set(items)


@pytest.mark.case("P1")
@pytest.mark.parametrize("seed", range(3))
def test_any_bijection_of_ids_changes_nothing_else(estimator, busy, seed):
    rng = np.random.default_rng(seed)
    users = dict(enumerate(rng.permutation(150) - 75))
    items = dict(enumerate(f"item {n}" for n in rng.permutation(37)))
    other = busy.assign(
        user_id=busy["user_id"].map(users), item_id=busy["item_id"].map(items)
    )
    expected = clone(estimator).fit(busy).recommend()
    expected["user_id"] = expected["user_id"].map(users)
    expected["item_id"] = expected["item_id"].map(items)
    answers = estimator.fit(other).recommend()
    assert_frame_equal(answers, expected, check_dtype=False, check_exact=True)


@pytest.mark.parametrize("fitted", ["int8", "int32", "int64", "uint8", "uint64"])
@pytest.mark.parametrize("asked", ["int8", "int32", "int64", "uint8", "uint64"])
def test_the_width_of_integers_does_not_matter(
    estimator, small_interactions, fitted, asked
):
    model = estimator.fit(small_interactions.astype({"user_id": fitted}))
    expected = model.predict([1, 2, 3])
    assert_array_equal(model.predict(np.array([1, 2, 3], dtype=asked)), expected)
    assert_array_equal(model.predict(np.dtype(asked).type(2)), expected[1])


def test_wide_integers_are_not_rounded(estimator):
    big = 2**53
    users = np.repeat([big, big + 1, big + 2], 2)
    frame = pd.DataFrame({"user_id": users, "item_id": users[[0, 2, 2, 4, 4, 0]]})
    for dtype in ("int64", "uint64"):
        model = estimator.fit(frame.astype(dtype))
        assert [model.predict(user, k=1)[0] for user in (big, big + 1, big + 2)] == [
            big + 2,
            big,
            big + 1,
        ]
        with pytest.raises(UnknownUserError):
            clone(estimator).set_params(handle_unknown="error").fit(
                frame.astype(dtype)
            ).predict(big + 3)


def test_float_ids_of_a_plain_array(estimator, small_interactions):
    model = estimator.fit(small_interactions.to_numpy(float))
    expected = clone(estimator).fit(small_interactions.to_numpy()).recommend()
    assert model.items_.dtype == np.float64
    assert_frame_equal(model.recommend(), expected, check_dtype=False)
    predicted = model.predict([1.0, 2.0])
    assert np.isnan(predicted[:, 2]).all()  # two of eight items are left to each
    assert np.isnan(model.missing_item_)
    assert_array_equal(model.predict(model.users_[0]), predicted[0])
    assert_array_equal(model.predict([1, 2]), predicted)
    assert len(model.predict(1.0, [10.0, 11.0])) == 3


# The forms of predict


@pytest.mark.parametrize("k", [None, 1, 2, np.int64(5), 40])
def test_forms_of_users(model, k):
    users = [3, 1, 12, 3]
    expected = np.stack([model.predict(user, k=k) for user in users])
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
        assert_array_equal(model.predict(form, k=k), expected)
    assert_array_equal(model.predict([3], k=k), expected[:1])
    assert_array_equal(model.predict(np.int64(3), k=k), expected[0])


def test_forms_of_users_after_fitting_on_an_array(estimator, small_interactions):
    array = small_interactions.to_numpy()
    model = estimator.fit(array)
    expected = clone(estimator).fit(small_interactions)
    assert_frame_equal(model.recommend(), expected.recommend())
    assert_array_equal(dense(model.query_vectors()), dense(expected.query_vectors()))
    for form in ([1, 2], pd.Series([1, 2]), pd.DataFrame({"user_id": [1, 2]})):
        assert_array_equal(model.predict(form), expected.predict([1, 2]))
    assert_array_equal(model.predict(2), expected.predict(2))
    assert_array_equal(model.predict(array), expected.predict(small_interactions))
    assert_array_equal(
        model.predict(array.tolist()), expected.predict(small_interactions)
    )
    test = later(small_interactions, 9)
    assert model.score(test.to_numpy()) == expected.score(test)


def test_arrays_of_users_after_fitting_on_a_frame(model, small_interactions):
    expected = model.predict(small_interactions)
    with pytest.warns(UserWarning, match="valid feature names"):
        answers = model.predict(small_interactions.to_numpy())
    assert_array_equal(answers, expected)


def test_no_users(model):
    for nobody in ([], np.array([], dtype=int), pd.Series([], dtype=int)):
        assert model.predict(nobody).shape == (0, 3)
        assert model.predict(nobody, history=[]).shape == (0, 3)
        assert model.predict(nobody).dtype == model.items_.dtype
        table = model.recommend(nobody)
        assert table.columns.tolist() == ["user_id", "item_id", "score", "rank"]
        assert len(table) == 0
        width = model.item_vectors().shape[1]
        assert model.query_vectors(nobody).shape == (0, width)


@pytest.mark.parametrize(
    ("items", "missing"),
    [
        ([5, 6, 7], -1),
        ([5, -1, 7], 2**63 - 1),
        ([-1, 2**63 - 1, 0], 2**63 - 2),
        (np.array([1, 2, 3], dtype="uint8"), 255),
        (np.array([1, 255, 254], dtype="uint8"), 253),
        (["a", "None", "nan"], None),
    ],
)
def test_padding_is_no_item(estimator, items, missing):
    users = ["u", "u", "v", "v"]
    frame = pd.DataFrame(
        {"user_id": users, "item_id": np.asarray(items)[[0, 1, 1, 2]]}
    ).astype({"item_id": np.asarray(items).dtype})
    model = estimator.fit(frame)
    assert model.missing_item_ == missing
    first, second = model.predict(["u", "v"], k=4).tolist()
    assert first == [items[2], missing, missing, missing]
    assert second == [items[0], missing, missing, missing]
    assert model.recommend(["u", "v"], k=4)["item_id"].tolist() == [items[2], items[0]]
    model.set_params(exclude_seen=False)
    assert set(model.predict("u", k=4)[:3]) == set(np.asarray(items).tolist())


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_catalogue_of_every_value_of_a_dtype(estimator, dtype):
    items = np.arange(256).astype(dtype)
    frame = pd.DataFrame({"user_id": np.arange(256) % 4, "item_id": items})
    model = estimator.fit(frame)
    predicted = model.predict(1)
    assert set(predicted) <= set(items)
    seen = frame.loc[frame["user_id"] == 1, "item_id"]
    assert not set(predicted) & set(seen)


# As of when


@pytest.mark.parametrize("unit", [None, "s", "ns", "Europe/Berlin"])
def test_answers_are_as_of_the_time_of_the_row(estimator, busy, unit):
    train = busy
    queries = pd.DataFrame({"user_id": np.repeat(np.arange(-1, 30), 4)})
    queries["timestamp"] = np.random.default_rng(0).integers(-2, 63, len(queries))
    histories = [history_until(busy, *row) for row in who_when(queries)]
    assert min(map(len, histories)) == 0
    if unit is not None:
        times = pd.to_datetime(busy["timestamp"], unit="s")
        asked = pd.to_datetime(queries["timestamp"], unit="s")
        if unit == "Europe/Berlin":
            train = busy.assign(timestamp=times)
            asked = asked.dt.tz_localize("UTC").dt.tz_convert(unit)
        else:
            train = busy.assign(timestamp=times.astype(f"datetime64[{unit}]"))
        queries["timestamp"] = asked
    model = estimator.fit(train)
    users = queries["user_id"].tolist()
    for k in (3, 37):
        answers = model.predict(queries, k=k)
        assert_array_equal(answers, model.predict(users, histories, k=k))
    assert_array_equal(
        dense(model.query_vectors(queries)),
        dense(model.query_vectors(users, histories)),
    )
    for row, items in zip(answers, histories, strict=True):
        assert set(row) - {model.missing_item_} == set(range(37)) - set(items)


def test_ties_in_time_are_read(estimator):
    frame = pd.DataFrame(
        {"user_id": 1, "item_id": list("abcd"), "timestamp": [1, 2, 2, 3]}
    )
    frame = pd.concat([frame, frame.assign(user_id=2, item_id=list("wxyz"))])
    model = estimator.fit(frame)
    left = [
        {*"abcd"} & set(model.predict(row, k=8)[0])
        for row in (
            pd.DataFrame({"user_id": [1], "timestamp": [time]}) for time in range(5)
        )
    ]
    assert left == [{*"abcd"}, {*"bcd"}, {"d"}, set(), set()]


def test_without_timestamp_the_whole_history_is_read(model, small_interactions):
    users = small_interactions[["user_id"]]
    assert_array_equal(model.predict(users), model.predict(users["user_id"]))


@pytest.mark.parametrize("n_times", [None, 1, 4])
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
    orders = [
        small_interactions.sample(frac=1, random_state=3),
        small_interactions.iloc[::-1],
        small_interactions.sort_values(["item_id", "user_id"]),
    ]
    for shuffled in orders:
        model = clone(estimator).fit(shuffled)
        assert_frame_equal(model.recommend(), expected.recommend(), check_exact=True)
        assert_array_equal(model.users_, expected.users_)


# Scores and ranks


def test_score_is_the_mean_over_every_row(estimator, busy):
    train, test = leave_last_out_split(busy)
    model = estimator.fit(train)
    strange_items = test.assign(item_id=99)
    strange_users = test.assign(user_id=-test["user_id"] - 1)
    rows = pd.concat([test, strange_items, strange_users])
    ranks = model.target_ranks(rows)
    n = len(test)
    assert ranks.shape == (3 * n,)
    assert ranks.dtype == np.float64
    assert_array_equal(ranks[:n], model.target_ranks(test))
    assert np.isinf(ranks[n : 2 * n]).all()
    # Whoever is unknown is answered with popular items, of which none are left out.
    counts = train["item_id"].value_counts()
    popular = [(counts >= counts.get(item, 99)).sum() for item in test["item_id"]]
    assert np.isfinite(ranks[2 * n :]).any()
    unknown = ~test["item_id"].isin(counts.index)
    assert_array_equal(ranks[2 * n :], np.where(unknown, np.inf, popular))
    for k in (1, 3, 10):
        model.set_params(k=k)
        assert model.score(rows) == np.mean(ranks <= k)
        assert model.score(rows, rows["item_id"]) == np.mean(ranks <= k)


def test_one_row_in_ten_is_a_hit(estimator, small_interactions):
    model = estimator.fit(small_interactions)
    # User 1 has 11 ... 16, so 17 and 10 are left, and two places are enough.
    hit = pd.DataFrame({"user_id": [1], "item_id": [17], "timestamp": [10**6]})
    misses = pd.DataFrame(
        {"user_id": [1] * 9, "item_id": [11, 99, 12, 13, 14, 15, 16, -1, 0]}
    ).assign(timestamp=10**6)
    assert model.set_params(k=2).score(pd.concat([misses, hit])) == 0.1
    assert model.score(hit) == 1.0


@pytest.mark.case("P11")
def test_ranks_by_hand_match(estimator, busy):
    train, test = leave_last_out_split(busy)
    model = estimator.fit(train)
    for exclude_seen in (True, False):
        model.set_params(exclude_seen=exclude_seen)
        histories = [history_until(train, *row) for row in who_when(test)]
        scores = dense(model.query_vectors(test) @ model.item_vectors().T)
        if exclude_seen:
            for row, items in enumerate(histories):
                scores[row, np.isin(model.items_, items)] = -np.inf
        expected = []
        for row, item in enumerate(test["item_id"]):
            score = scores[row, model.items_ == item]
            known = len(score) and score[0] > -np.inf
            expected.append((scores[row] >= score[0]).sum() if known else np.inf)
        assert_array_equal(model.target_ranks(test), expected)


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_ranks_agree_with_predict(estimator, busy, exclude_seen):
    train, test = leave_last_out_split(busy)
    model = estimator.set_params(exclude_seen=exclude_seen).fit(train)
    ranks = model.target_ranks(test)
    lists = model.predict(test, k=len(model.items_))
    _, scores = full_ranking(model, test, None)
    for row, (item, rank) in enumerate(zip(test["item_id"], ranks, strict=True)):
        place = np.flatnonzero(lists[row] == item)
        assert len(place) == np.isfinite(rank)
        if len(place):
            score = scores[row][model.items_ == item]
            is_tied = (scores[row] == score).sum() > 1
            assert place[0] + 1 <= rank
            assert is_tied or place[0] + 1 == rank


def test_ties_count_against_the_target(estimator):
    # Everyone's item is as popular as all others; nobody's first place is a hit.
    items = np.arange(6)
    frame = pd.DataFrame(
        {
            "user_id": items.repeat(2),
            "item_id": np.r_[items, items].reshape(2, 6).T.flat,
        }
    )
    model = estimator.set_params(k=5).fit(frame)
    rows = pd.DataFrame({"user_id": [-1] * 6, "item_id": items})
    assert_array_equal(model.target_ranks(rows), 6)
    assert model.score(rows) == 0.0
    assert model.set_params(k=6).score(rows) == 1.0


@pytest.mark.case("P11")
def test_hit_rate_grows_with_k(estimator, busy):
    train, test = leave_last_out_split(busy)
    model = estimator.set_params(exclude_seen=False).fit(train)
    test = test[test["item_id"].isin(train["item_id"])]
    scores = [model.set_params(k=k).score(test) for k in range(1, 38)]
    assert np.all(np.diff(scores) >= 0)
    assert 0 <= scores[0] < scores[-1] == 1.0


@pytest.mark.case("P18")
def test_items_of_the_rows_change_no_prediction(model, small_interactions):
    rows = later(small_interactions, 20)
    expected = model.predict(rows)
    for items in (rows["item_id"].to_numpy()[::-1], -5, "a", None, [[]] * 20, np.nan):
        assert_array_equal(model.predict(rows.assign(item_id=items)), expected)
    assert_array_equal(model.predict(rows.drop(columns="item_id")), expected)
    ranks = model.target_ranks(rows)
    assert_array_equal(model.target_ranks(rows.iloc[::-1]), ranks[::-1])
    for row in range(20):
        assert model.target_ranks(rows.iloc[[row]]) == ranks[row]
    assert_array_equal(model.predict(rows), expected)


@pytest.mark.parametrize("first_user", [1, 2])
def test_leaks_are_told(estimator, small_interactions, first_user):
    frame = small_interactions[small_interactions["user_id"] >= first_user]
    model = estimator.fit(frame)
    with pytest.warns(LeakageWarning, match=r"^72|^66 of (72|66) rows .* row 0 \(user"):
        model.score(frame)
    before = pd.DataFrame({"user_id": [first_user], "item_id": [13], "timestamp": [-1]})
    between = before.assign(timestamp=2_500)
    after = before.assign(timestamp=10**6)
    for leak in (before, between):
        with pytest.warns(LeakageWarning, match="2 of 3 rows .* row 1") as caught:
            model.score(pd.concat([after, leak, leak]))
        assert "LeaveLastOut" in str(caught[0].message)
    for honest in (after, after.assign(user_id=99, timestamp=-1)):
        model.score(honest)
    model.score(frame.drop(columns="timestamp"))  # when is unknown: nothing to tell


# Histories and strangers


def test_the_fitted_history_given_again_changes_nothing(estimator, busy):
    model = estimator.fit(busy)
    histories = histories_of(busy)
    users = list(histories)
    expected = model.recommend(users, k=9)
    answers = model.recommend(users, list(histories.values()), k=9)
    assert_frame_equal(answers, expected, check_exact=True)
    one = model.recommend(users[3], histories[users[3]], k=9)
    mine = expected[expected["user_id"] == users[3]].reset_index(drop=True)
    assert_frame_equal(one, mine, check_exact=True)


def test_histories_replace_what_is_left_out(model):
    everything = set(range(10, 18))
    assert set(model.predict(1, [10, 17], k=6)) == everything - {10, 17}
    assert set(model.predict("new", [10, 17], k=6)) == everything - {10, 17}
    both = model.predict([1, "new"][:1] * 2, [[10, 17], [11]], k=7)
    assert set(both[0]) == (everything - {10, 17}) | {-1}
    assert set(both[1]) == everything - {11}
    model.set_params(exclude_seen=False)
    assert set(model.predict(1, [10, 17], k=8)) == everything


@pytest.mark.parametrize(
    "form", [list, tuple, np.array, pd.Series, pd.Index, pd.array, pd.Categorical]
)
def test_forms_of_histories(model, form):
    expected = model.predict(1, [10, 11])
    assert_array_equal(model.predict(1, form([10, 11])), expected)
    both = model.predict([1, 1], [form([10, 11]), form([12])])
    assert_array_equal(both[0], expected)
    both = model.predict([1, 1], np.array([[10, 11], [12, 13]]))
    assert_array_equal(both[0], expected)
    both = model.predict(np.array([1, 1]), (form([10, 11]), [12]))
    assert_array_equal(both[0], expected)
    frame = pd.DataFrame({"user_id": [1, 1]})
    both = model.predict(frame, pd.Series([form([10, 11]), [12]], index=[3, 3]))
    assert_array_equal(both[0], expected)


def test_strangers(model):
    users = ["new", "newer"]
    answers = model.recommend(users, [[10, 11], [12]], k=2)
    assert answers["user_id"].tolist() == ["new", "new", "newer", "newer"]
    number = model.recommend([-8, -9], [[10, 11], [12]], k=2)
    assert_frame_equal(number.drop(columns="user_id"), answers.drop(columns="user_id"))
    model.set_params(handle_unknown="error")  # a history is all that is needed
    assert_array_equal(model.predict("new", [10, 11], k=2), answers["item_id"][:2])


def test_no_history_means_popular_items(estimator, busy):
    model = estimator.fit(busy)
    counts = busy["item_id"].value_counts()
    codes = np.lexsort((np.arange(37), -model.item_counts_))
    expected = model.items_[codes]
    assert counts[expected].is_monotonic_decreasing
    for answer in (
        model.predict(-1, k=37),
        model.predict(-1, [], k=37),
        model.predict(0, [], k=37),
        model.predict([-1, 5], [[], [1]], k=37)[0],
        model.predict(pd.DataFrame({"user_id": [0], "timestamp": [-1]}), k=37)[0],
    ):
        assert_array_equal(answer, expected)
    shares = model.recommend(-1, k=37)["score"]
    assert_allclose(shares, counts[expected] / len(busy), rtol=1e-6)


def test_handle_unknown(estimator, small_interactions):
    model = estimator.fit(small_interactions)
    assert model.handle_unknown == "popular"
    with pytest.warns(
        UserWarning, match="'history' of user 1 .*99, 98.*3.*ignored"
    ) as w:
        answer = model.predict([1, 2], [[99, 10, 98], [11, 99]])
    assert len(w) == 1
    assert_array_equal(answer, model.predict([1, 2], [[10], [11]]))
    with pytest.warns(UserWarning, match="99 .*1.*ignored"):
        answer = model.predict(1, [99])
    assert_array_equal(answer, model.predict(1, []))
    model.set_params(handle_unknown="error")
    with pytest.raises(InteractionsError, match="99, 98.*3.*handle_unknown='popular"):
        model.predict([1, 2], [[99, 10, 98], [11, 99]])
    with pytest.raises(UnknownUserError, match=r"2 user\(s\).*97 at row 1.*int64"):
        model.predict([1, 97, 98])
    with pytest.raises(UnknownUserError):
        model.score(later(small_interactions, 3).assign(user_id=97))


# Tables


@pytest.mark.case("P5")
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_recommend(estimator, busy, exclude_seen):
    model = estimator.set_params(exclude_seen=exclude_seen).fit(busy)
    histories = histories_of(busy)
    table = model.recommend(k=30)
    assert table.columns.tolist() == ["user_id", "item_id", "score", "rank"]
    assert isinstance(table.index, pd.RangeIndex)
    assert table["user_id"].unique().tolist() == model.users_.tolist()
    assert not table.duplicated(["user_id", "item_id"]).any()
    for user, rows in table.groupby("user_id"):
        left = 37 - len(set(histories[user])) if exclude_seen else 37
        assert rows["rank"].tolist() == list(range(1, min(30, left) + 1))
        assert rows["score"].is_monotonic_decreasing
        assert_array_equal(model.predict(user, k=30)[: len(rows)], rows["item_id"])
        if exclude_seen:
            assert not set(rows["item_id"]) & set(histories[user])
    other = model.recommend(k=30, exclude_seen=not exclude_seen)
    model.set_params(exclude_seen=not exclude_seen)
    assert_frame_equal(other, model.recommend(k=30))


@pytest.fixture(
    scope="module", params=ESTIMATORS, ids=lambda estimator: type(estimator).__name__
)
def busy_model(request):
    return clone(request.param).fit(make_busy())


@pytest.mark.case("P5")
@pytest.mark.filterwarnings("ignore:.*nothing is left to recommend")
@settings(derandomize=True, max_examples=50)
@given(
    user=st.integers(-2, 155),
    history=st.none() | st.lists(st.integers(0, 36), max_size=40),
    candidates=st.none() | st.lists(st.integers(0, 36), min_size=1, max_size=40),
    exclude_seen=st.booleans(),
    k=st.integers(1, 45),
)
def test_what_is_recommended_may_be(
    busy_model, user, history, candidates, exclude_seen, k
):
    asked = [user], None if history is None else [history]
    table = busy_model.recommend(
        *asked, k=k, candidates=candidates, exclude_seen=exclude_seen
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


def test_recommend_rows_of_a_frame(model):
    frame = pd.DataFrame({"user_id": [5, 5, 3]}, index=[9, 9, 9])
    table = model.recommend(frame, k=2)
    assert table["user_id"].tolist() == [5, 5, 5, 5, 3, 3]
    assert table["rank"].tolist() == [1, 2] * 3


def test_candidates(estimator, busy):
    model = estimator.fit(busy)
    everything = model.recommend(k=37)
    candidates = [3, 30, 3, 17, 5, 30]
    table = model.recommend(k=3, candidates=candidates)
    expected = everything[everything["item_id"].isin(candidates)]
    expected = expected[expected.groupby("user_id").cumcount() < 3]
    for column in ("user_id", "item_id", "score"):
        assert table[column].tolist() == expected[column].tolist()
    assert set(table["rank"]) == {1, 2, 3}
    for form in (tuple, np.array, pd.Series, pd.Index):
        assert_frame_equal(model.recommend(k=3, candidates=form(candidates)), table)


def test_similar_items(estimator, busy):
    model = estimator.fit(busy)
    table = model.similar_items([5, 3], k=4)
    assert table.columns.tolist() == ["item_id", "similar_item_id", "score", "rank"]
    assert table["item_id"].tolist() == [5] * 4 + [3] * 4
    assert table["rank"].tolist() == [1, 2, 3, 4] * 2
    assert table["score"].between(-1 - 1e-6, 1 + 1e-6).all()
    for item, rows in table.groupby("item_id"):
        assert rows["score"].is_monotonic_decreasing
        assert item not in set(rows["similar_item_id"])
        assert set(rows["similar_item_id"]) <= set(range(37))
    assert_frame_equal(model.similar_items(5, k=4), table.head(4))
    assert model.similar_items(5)["rank"].tolist() == [1, 2, 3]
    assert len(model.similar_items(5, k=100)) == 36
    every = model.similar_items(model.items_, k=36)
    pairs = every.set_index(["item_id", "similar_item_id"])["score"]
    assert len(pairs) == 37 * 36
    assert_allclose(pairs, pairs.swaplevel().reindex(pairs.index), atol=1e-6)


def test_vectors_give_the_scores(estimator, busy):
    model = estimator.fit(busy)
    users = [*range(100), -1, -2]
    histories = [[user % 37, (user * 7) % 37] for user in users[:-1]] + [[]]
    items = model.item_vectors()
    assert items.shape[0] == 37
    for history in (None, histories):
        queries = model.query_vectors(users, history)
        assert queries.shape == (102, items.shape[1])
        assert items.dtype == queries.dtype == np.float32
        table = model.recommend(users, history, k=37, exclude_seen=False)
        codes = pd.Index(model.items_).get_indexer(table["item_id"])
        rows = np.repeat(np.arange(102), 37)
        assert_allclose(
            dense(queries @ items.T)[rows, codes], table["score"], rtol=1e-4, atol=1e-6
        )
    one = model.query_vectors(7, [1, 2])
    assert one.shape == (items.shape[1],)
    assert type(one) is type(queries) is type(items)
    some = dense(model.query_vectors([7]))
    assert_array_equal(dense(model.query_vectors(7)), some[0])
    everyone = dense(model.query_vectors(model.users_.tolist()))
    assert_array_equal(dense(model.query_vectors()), everyone)


# Blocks


@pytest.mark.case("P3", "P18")
@pytest.mark.parametrize("d", [4, 33])
def test_a_user_does_not_depend_on_the_others(estimator, busy, d):
    train, test = leave_last_out_split(busy)
    if "d" in estimator.get_params():  # wide enough for a BLAS to cut it into tiles
        estimator.set_params(d=d, L=5, max_iter=1)
    model = estimator.fit(train)
    users = model.users_.tolist()
    together = dict(iter(model.recommend(k=9).groupby("user_id")))
    rng = np.random.default_rng(2)
    others = [[user] for user in users] + [
        rng.choice(users, size).tolist() for size in (2, 63, 64, 65, 200)
    ]
    for some in others:
        table = model.recommend(some, k=9)
        starts = np.flatnonzero(table["rank"] == 1)
        ends = [*starts[1:], len(table)]
        for start, end in zip(starts, ends, strict=True):
            rows = table.iloc[start:end].reset_index(drop=True)
            expected = together[rows["user_id"].iloc[0]].reset_index(drop=True)
            assert_frame_equal(rows, expected, check_exact=True)  # to the last bit
    ranks = model.target_ranks(test)
    order = rng.permutation(len(test))
    assert_array_equal(model.target_ranks(test.iloc[order]), ranks[order])
    alone = [dense(model.query_vectors(user)) for user in users]
    assert_array_equal(dense(model.query_vectors(users)), alone)


@pytest.mark.case("P4")
@pytest.mark.parametrize("n_users", [3, 16, 17, 64, 150])
@pytest.mark.parametrize("k", [1, 5, 37, 50])
def test_ranking_in_blocks_equals_one_sort(estimator, busy, n_users, k):
    model = estimator.set_params(exclude_seen=False).fit(busy)
    users = [*range(n_users), -1, -2]  # the last two see ties among popular items
    codes, scores = full_ranking(model, users, None)
    table = model.recommend(users, k=k)
    assert len(table) == len(users) * min(k, 37)
    best = np.take_along_axis(scores, codes, axis=1)[:, :k]
    assert_allclose(table["score"], best.ravel(), rtol=1e-4, atol=1e-6)
    popular = table["item_id"].to_numpy()[-2 * min(k, 37) :]
    assert_array_equal(popular, model.items_[codes[-2:, :k]].ravel())


scores_with_ties = st.integers(1, 6).flatmap(
    lambda n_items: st.lists(
        st.lists(
            st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 1.0]),
            min_size=n_items,
            max_size=n_items,
        ),
        min_size=1,
        max_size=4,
    )
)


@pytest.mark.case("P4")
@given(scores_with_ties, st.integers(1, 8), st.sampled_from(["f4", "f8"]))
def test_top_k_equals_one_sort(scores, k, dtype):
    scores = np.array(scores, dtype=dtype)
    items, best = top_k(scores.copy(), k)
    assert items.shape == best.shape == (len(scores), k)
    for row, (codes, values) in enumerate(zip(items, best, strict=True)):
        order = sorted(
            np.flatnonzero(scores[row] > -np.inf), key=lambda i: (-scores[row, i], i)
        )[:k]
        padding = k - len(order)
        assert codes.tolist() == [*order, *[-1] * padding]
        assert values.tolist() == [*scores[row, order], *[-np.inf] * padding]


@given(scores_with_ties, st.data())
def test_ranks_equal_one_count(scores, data):
    scores = np.array(scores)
    n, n_items = scores.shape
    targets = np.array([data.draw(st.integers(-1, n_items - 1)) for _ in range(n)])
    for row, rank in enumerate(ranks_of(scores, targets)):
        target = targets[row]
        if target < 0 or scores[row, target] == -np.inf:
            assert rank == np.inf
        else:
            assert rank == sum(score >= scores[row, target] for score in scores[row])


@pytest.mark.case("L3")
def test_memory_is_bounded(estimator):
    # Users times items would be 120 MB of float32, or 30 MB of bytes.
    n_users, n_items = 1_500, 20_000
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
        model.predict(model.users_.tolist())
        model.target_ranks(test)
        model.similar_items(model.items_[:n_users].tolist())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20e6


def test_threads_may_share_a_model(estimator, busy):
    model = estimator.fit(busy)
    users = model.users_.tolist()
    expected = [row.tolist() for row in copy.deepcopy(model).predict(users)]
    with ThreadPoolExecutor(4) as pool:
        answers = [row.tolist() for row in pool.map(model.predict, users)]
    assert answers == expected


# The frame


@pytest.mark.case("P9")
def test_no_method_changes_what_it_is_given(estimator, small_interactions):
    frame = small_interactions.assign(tags=[[]] * 72).set_axis(np.arange(72)[::-1])
    array = small_interactions.to_numpy()
    users, histories = [1, 2], [[10, 11], [12]]
    kept = copy.deepcopy((frame, array, users, histories))
    for X in (frame, array):
        model = clone(estimator).fit(X, X)
        model.predict(X)
        with pytest.warns(LeakageWarning):
            model.score(X)
        model.recommend(users, histories, candidates=[13, 14])
    assert_frame_equal(frame, kept[0])
    assert_array_equal(array, kept[1])
    assert (users, histories) == kept[2:]


def test_readonly_arrays(estimator, small_interactions):
    expected = clone(estimator).fit(small_interactions).recommend()
    array = small_interactions.to_numpy()
    array.flags.writeable = False
    model = estimator.fit(array)
    assert_frame_equal(model.recommend(), expected)
    users, history = np.array([1, 2]), np.array([10, 11])
    users.flags.writeable = history.flags.writeable = False
    assert model.predict(pd.Series(users)).shape == (2, 3)
    assert model.predict(1, history).shape == (3,)
    assert model.predict(array).shape == (72, 3)
    frame = pd.DataFrame(array, columns=small_interactions.columns)
    assert_frame_equal(clone(estimator).fit(frame).recommend(), expected)


def test_answers_are_the_callers_own(model):
    expected = model.recommend()
    model.predict([1, 2])[:] = 0
    numbers_of(model.query_vectors([1, 2]))[:] = 0
    table = model.recommend()
    table.loc[:, ["item_id", "score"]] = 0
    similar = model.similar_items(10)
    similar.loc[:, "score"] = 0.0
    assert_frame_equal(model.recommend(), expected)


def test_item_vectors_cannot_spoil_the_model(model):
    expected = model.recommend()
    numbers_of(model.item_vectors())[:] = 0
    assert_frame_equal(model.recommend(), expected)


@pytest.mark.parametrize(
    "index",
    [
        np.zeros(72, dtype=int),
        np.arange(72)[::-1],
        [f"row {n}" for n in range(72)],
        pd.MultiIndex.from_product([range(8), range(9)]),
        pd.date_range("2020", periods=72),
    ],
    ids=["one label", "reversed", "strings", "MultiIndex", "dates"],
)
def test_the_index_is_ignored(estimator, small_interactions, index):
    expected = clone(estimator).fit(small_interactions)
    test = later(small_interactions, 72)
    model = estimator.fit(small_interactions.set_axis(index))
    assert_frame_equal(model.recommend(), expected.recommend(), check_exact=True)
    assert_array_equal(model.predict(test.set_axis(index)), expected.predict(test))
    assert model.score(test.set_axis(index)) == expected.score(test)


def test_further_columns_are_ignored(estimator, small_interactions):
    def widen(frame):
        n = len(frame)
        wide = frame.assign(rating=np.nan, tags=[[]] * n, more=[{} for _ in range(n)])
        return wide[["more", "timestamp", "tags", "item_id", "rating", "user_id"]]

    expected = clone(estimator).fit(small_interactions)
    test = later(small_interactions, 9)
    model = estimator.fit(widen(small_interactions))
    assert_frame_equal(model.recommend(), expected.recommend(), check_exact=True)
    assert_array_equal(model.predict(widen(test)), expected.predict(test))
    assert model.score(widen(test)) == expected.score(test)
