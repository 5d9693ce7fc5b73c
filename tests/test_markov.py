"""Markov counts what follows what, and leaves the rest to popularity."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from sklearn_attrec import MarkovRecommender, PopularityRecommender
from sklearn_attrec.datasets import best_hit_rate, make_interactions
from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.model_selection import leave_last_out_split

# User 1 has a, b, a, c, user 2 has a, b and user 3 has b, c.
BY_HAND = pd.DataFrame(
    {"user_id": [1] * 4 + [2] * 2 + [3] * 2, "item_id": [*"abacabbc"]}
)
POPULARITY = np.array([3, 3, 2]) / 8
N_USERS, N_ITEMS, K, PREDICTABILITY = 300, 30, 5, 0.8
BEST = best_hit_rate(K, N_ITEMS, PREDICTABILITY)
NOISE = np.sqrt(BEST * (1 - BEST) / N_USERS)  # of one standard deviation


def fit(interactions=BY_HAND, **params):
    model = MarkovRecommender(**{"k": 3, "exclude_seen": False} | params)
    return model.fit(interactions)


def transitions(model):
    """Probability of each item (column) to follow each item (row)."""
    return model.item_vectors().toarray()[:, :-1].T


def scores_of(model, history):
    table = model.recommend("new", history, k=len(model.items_))
    return table.set_index("item_id")["score"].loc[model.items_].to_numpy()


def made(predictability=PREDICTABILITY):
    interactions = make_interactions(
        N_USERS, N_ITEMS, predictability=predictability, random_state=0
    )
    return leave_last_out_split(interactions)


# Three users by hand --------------------------------------------------------------


def test_transitions_are_shares_of_what_followed():
    expected = [[0, 2 / 3, 1 / 3], [1 / 2, 0, 1 / 2], [0, 0, 0]]
    assert_allclose(transitions(fit()), expected, rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.1, 0.5, 1.0])
def test_scores_are_interpolated_with_popularity(smoothing):
    model = fit(smoothing=smoothing)
    after_a = (1 - smoothing) * np.array([0, 2 / 3, 1 / 3]) + smoothing * POPULARITY
    assert_allclose(scores_of(model, ["b", "a"]), after_a, rtol=1e-6)
    assert_allclose(scores_of(model, ["a"]).sum(), 1, rtol=1e-6)
    assert_allclose(scores_of(model, ["c"]), smoothing * POPULARITY, rtol=1e-6)


def test_the_last_item_alone_decides():
    model = fit()
    expected = model.recommend("new", ["b"])
    for history in (["a", "b"], ["c", "a", "c", "b"], ["b", "b"]):
        assert_frame_equal(model.recommend("new", history), expected, check_exact=True)


def test_an_item_may_follow_itself():
    model = fit(pd.DataFrame({"user_id": 1, "item_id": list("aaab")}))
    assert_allclose(transitions(model), [[2 / 3, 1 / 3], [0, 0]], rtol=1e-6)
    assert model.predict("new", ["a"], k=2).tolist() == ["a", "b"]


def test_users_are_not_joined():
    frame = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": list("abcd")})
    assert_array_equal(transitions(fit(frame))[1], 0)  # c is another user's


@pytest.mark.parametrize("smoothing", [0, -0.1, 1.1, np.nan, "0.5", None])
def test_smoothing_out_of_range(smoothing):
    message = r"'smoothing' .* MarkovRecommender must be a float in the range \(0, 1\]"
    with pytest.raises(InvalidParameterError, match=message):
        fit(smoothing=smoothing)


# Popularity below -----------------------------------------------------------------


def test_what_never_followed_comes_by_popularity():
    # After a come x and y, each once; then the rest by popularity, ties by code.
    frame = pd.DataFrame(
        {"user_id": [1, 1, 2, 2, 3, 4, 5, 6, 7, 8], "item_id": [*"axayybbcdd"]}
    )
    model = fit(frame, exclude_seen=True, smoothing=0.01)
    assert model.items_.tolist() == ["a", "x", "y", "b", "c", "d"]
    assert model.predict("new", ["a"], k=5).tolist() == ["y", "x", "b", "d", "c"]


def test_all_of_smoothing_is_popularity():
    train, _ = made()
    model = MarkovRecommender(smoothing=1).fit(train)
    popular = PopularityRecommender().fit(train)
    assert_frame_equal(model.recommend(), popular.recommend(), check_exact=True)


def test_users_of_one_item_leave_popularity():
    lonely = pd.DataFrame({"user_id": range(6), "item_id": list("abbccc")})
    model = fit(lonely, exclude_seen=True, k=2)
    popular = PopularityRecommender(k=2).fit(lonely)
    assert len(model.weights_["data"]) == 0
    users = list(range(6))
    assert_array_equal(model.predict(users), popular.predict(users))
    assert len(model.similar_items("a")) == 2


# Alike ----------------------------------------------------------------------------


def test_alike_are_items_that_follow_the_same():
    # x and y both follow a, z follows b, and nothing precedes a and b.
    frame = pd.DataFrame({"user_id": [1, 1, 2, 2, 3, 3], "item_id": [*"axaybz"]})
    table = fit(frame).similar_items(["x", "z"], k=4).set_index("item_id")
    assert table.loc["x", "similar_item_id"].tolist() == ["y", "a", "b", "z"]
    assert_allclose(table.loc["x", "score"], [1, 0, 0, 0])
    assert_allclose(table.loc["z", "score"], 0)


# What is learned ------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.01, 0.5])
def test_the_next_item_is_learned_as_well_as_it_can_be(smoothing):
    train, test = made()
    score = fit(train, k=K, smoothing=smoothing).score(test)
    assert BEST - 3 * NOISE < score < BEST + 3 * NOISE


def test_every_successor_is_found_where_nothing_else_comes():
    train, test = made(predictability=1)
    assert fit(train, k=1).score(test) == 1


def test_nothing_is_learned_where_there_is_nothing_to_learn():
    train, test = made(predictability=1 / N_ITEMS)
    chance = K / N_ITEMS
    noise = np.sqrt(chance * (1 - chance) / N_USERS)
    assert abs(fit(train, k=K).score(test) - chance) < 4 * noise


# Size -----------------------------------------------------------------------------


def test_nothing_as_large_as_all_pairs_is_made():
    # All pairs of items would be 1.6 GB of float32, users times items as much.
    rows = np.arange(100_000)
    frame = pd.DataFrame({"user_id": rows % 20_000, "item_id": rows * 7_919 % 19_997})
    tracemalloc.start()
    try:
        model = MarkovRecommender().fit(frame)
        model.predict(list(range(100)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60e6
    assert len(model.weights_["data"]) <= 80_000


def test_indices_of_queries_and_items_have_one_width():
    # SciPy would copy the items in every product otherwise.
    model = fit()
    widths = {model.item_vectors().indices.dtype, model.item_vectors().indptr.dtype}
    for vectors in (model.query_vectors(), model.query_vectors([1], [["a"]])):
        widths |= {vectors.indices.dtype, vectors.indptr.dtype}
    assert widths == {np.dtype(np.int32)}
