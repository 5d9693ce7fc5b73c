"""Networks with a time bias: which times they read, and from where."""

import copy

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sklearn_attrec import (
    AttRecRecommender,
    HSTURecommender,
    SASRecRecommender,
    SSEPTRecommender,
    load_model,
    save_model,
)
from sklearn_attrec.exceptions import InteractionsError, TimeUnitWarning
from sklearn_attrec.metrics import ndcg, ranks_in_lists
from sklearn_attrec.model_selection import leave_last_out_split

SMALL = {"L": 4, "d": 4, "max_iter": 1, "batch_size": 16, "random_state": 0}
BLOCKS = SMALL | {"n_blocks": 2}
NETWORKS = {
    "AttRec": AttRecRecommender(**SMALL),
    "SASRec": SASRecRecommender(**BLOCKS),
    "HSTU": HSTURecommender(**BLOCKS),
    "SSE-PT": SSEPTRecommender(d_user=2, **BLOCKS),
}
N_USERS = 30


def make_rows():
    """Users with 5 to 9 items, from seconds to months apart."""
    random = np.random.default_rng(0)
    users = np.repeat(np.arange(N_USERS), random.integers(5, 10, N_USERS))
    gaps = np.exp(random.uniform(0, 15, len(users))).astype(np.int64)
    times = pd.Series(gaps).groupby(users).cumsum() + 1_600_000_000
    items = random.integers(12, size=len(users))
    return pd.DataFrame({"user_id": users, "item_id": items, "timestamp": times})


@pytest.fixture(scope="module")
def rows():
    return make_rows()


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return NETWORKS[request.param]


@pytest.fixture(scope="module", params=["history", "request"])
def model(network, request, rows):
    """A model with a time bias as if it had trained for long."""
    network = copy.deepcopy(network).set_params(time_bias=request.param)
    return with_biases(network.fit(rows), np.random.default_rng(1).standard_normal)


def with_biases(model, draw):
    model = copy.deepcopy(model)
    biases = {
        name: draw(value.shape).astype("f4")
        for name, value in model.weights_.items()
        if value.shape == (128,)
    }
    assert len(biases) == 2
    model.weights_ = model.weights_ | biases
    return model


def requests(rows, seconds):
    last = rows.groupby("user_id")["timestamp"].max() + seconds
    return last.rename("timestamp").reset_index()


def test_training_starts_without_bias_and_learns_it(network, rows):
    network = copy.deepcopy(network).set_params(time_bias="request", max_iter=2)
    weights = network.fit(rows).weights_
    biases = [value for value in weights.values() if value.shape == (128,)]
    assert len(biases) == 2
    for bias in biases:
        assert 0 < np.abs(bias).max() < 0.2
        assert (bias[60:] == 0).all()  # no time is so long


def test_the_time_of_the_request_counts_only_if_it_is_asked_for(model, rows):
    soon, late = (model.query_vectors(requests(rows, s)) for s in (10, 10**6))
    assert (soon == late).all() == (model.time_bias == "history")


def test_a_request_without_a_time_follows_the_last_item_at_once(model, rows):
    at_once = model.query_vectors(requests(rows, 0))
    assert_array_equal(model.query_vectors([*range(N_USERS)]), at_once)


def test_histories_bring_their_times(model, rows):
    queries = requests(rows, 100)
    given = model.query_vectors(queries, history=rows)
    assert_array_equal(given, model.query_vectors(queries))
    (user, time) = queries.loc[3, ["user_id", "timestamp"]]
    own = rows[rows["user_id"] == user]
    query = pd.DataFrame({"user_id": [user], "timestamp": [time]})
    assert_array_equal(model.query_vectors(query, history=own)[0], given[3])


def test_histories_without_times_have_no_bias(model, rows):
    lists = rows.groupby("user_id")["item_id"].agg(list)
    without = with_biases(model, np.zeros)
    users = lists.index.tolist()
    given = model.query_vectors(users, history=lists)
    assert_array_equal(given, without.query_vectors(users))
    assert (given != model.query_vectors(users)).any()


def test_rows_are_ranked_at_their_times(model, rows):
    # Each row after the first half of a user's rows is asked from the rows before it.
    late = rows.groupby("user_id").cumcount() >= 3
    model = copy.deepcopy(model).set_params(exclude_seen=False)
    model = with_biases(model.fit(rows[~late]), np.random.default_rng(1).random)
    test = rows[late]
    known = test["item_id"].isin(model.items_)
    found = model.target_ranks(test, context="earlier")[known]
    items = model.item_vectors()
    expected = []
    for row in test[known].itertuples():
        mine = rows[rows["user_id"] == row.user_id]
        history = mine[mine["timestamp"] < row.timestamp]
        history = history[history["item_id"].isin(model.items_)]
        query = pd.DataFrame({"user_id": [row.user_id], "timestamp": [row.timestamp]})
        scores = (items @ model.query_vectors(query, history=history)[0]).round(6)
        expected.append((scores >= scores[model.items_ == row.item_id]).sum())
    assert_array_equal(found, expected)


def test_one_row_per_user_has_one_rank(model, rows):
    train, test = leave_last_out_split(rows)
    test = test[test["item_id"].isin(train["item_id"])]
    model = copy.deepcopy(model).set_params(exclude_seen=False)
    model = with_biases(model.fit(train), np.random.default_rng(1).random)
    ranks = model.target_ranks(test)
    assert_array_equal(ranks, model.target_ranks(test, context="earlier"))
    untimed = model.target_ranks(test.drop(columns="timestamp"))
    assert (ranks == untimed).all() == (model.time_bias == "history")


def test_items_are_recommended_for_the_time_of_the_request(model, rows):
    model = copy.deepcopy(model).set_params(exclude_seen=False)
    items = model.item_vectors()
    for seconds in (10, 10**6):
        queries = requests(rows, seconds)
        best = (model.query_vectors(queries) @ items.T).argmax(axis=1)
        assert_array_equal(model.predict(queries, k=1)[:, 0], model.items_[best])


@pytest.mark.filterwarnings("ignore::sklearn_attrec.exceptions.TimeTieWarning")
def test_early_stopping_ranks_held_out_items_at_their_times(network, rows):
    params = {"time_bias": "request", "early_stopping": True, "learning_rate": 0.5}
    model = copy.deepcopy(network).set_params(**params).fit(rows)
    train, test = leave_last_out_split(rows)
    queries = test[["user_id", "timestamp"]]
    lists = model.predict(queries, history=train, k=len(model.items_))
    ranks = ranks_in_lists(test["item_id"].to_numpy(), lists)
    assert model.validation_scores_ == [pytest.approx(ndcg(ranks, 10), abs=1e-12)]


def test_rows_without_times_are_not_added_to_histories(model, rows):
    untimed = rows.drop(columns="timestamp")
    with pytest.raises(InteractionsError, match="Add a column 'timestamp', or pass"):
        model.target_ranks(untimed, context="earlier")


def test_times_of_histories_have_the_unit_of_fit(model, rows):
    scaled = rows.assign(timestamp=rows["timestamp"] * 1000)
    with pytest.warns(TimeUnitWarning, match="rows of 'history'.*by 1000"):
        model.predict([*range(N_USERS)], history=scaled)
    dates = rows.assign(timestamp=pd.to_datetime(rows["timestamp"], unit="s"))
    with pytest.raises(InteractionsError, match="was int64 in fit"):
        model.predict([*range(N_USERS)], history=dates)
    later = rows.assign(timestamp=rows["timestamp"] + 10**8)
    model.predict([*range(N_USERS)], history=later)  # no warning


def test_dates_are_read_as_seconds(network, rows):
    network = copy.deepcopy(network).set_params(time_bias="request")
    dates = rows.assign(timestamp=pd.to_datetime(rows["timestamp"], unit="s"))
    one, other = network.fit(rows).weights_, copy.deepcopy(network).fit(dates).weights_
    for name, value in one.items():
        assert_array_equal(value, other[name])


def test_files_keep_the_bias(model, rows, tmp_path):
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.time_bias == loaded.settings_["time_bias"] == model.time_bias
    queries = requests(rows, 5)
    assert_array_equal(loaded.query_vectors(queries), model.query_vectors(queries))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_fit_needs_times(network, rows, early_stopping):
    network = copy.deepcopy(network).set_params(
        time_bias="history", early_stopping=early_stopping
    )
    with pytest.raises(InteractionsError, match="time_bias='history' needs the time"):
        network.fit(rows.drop(columns="timestamp"))
