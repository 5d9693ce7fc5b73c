"""Markov counts which item follows which, and adds popularity."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from sklearn_attrec import MarkovRecommender, PopularityRecommender
from sklearn_attrec.datasets import best_hit_rate, make_interactions
from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.model_selection import leave_last_out_split

# User 1 has the items a, b, a, c, user 2 has a, b, and user 3 has b, c.
BY_HAND = pd.DataFrame(
    {"user_id": [1] * 4 + [2] * 2 + [3] * 2, "item_id": [*"abacabbc"]}
)
POPULARITY = np.array([3, 3, 2]) / 8
N_USERS, N_ITEMS, K, PREDICTABILITY = 300, 30, 5, 0.8
BEST = best_hit_rate(K, N_ITEMS, PREDICTABILITY)
NOISE = np.sqrt(BEST * (1 - BEST) / N_USERS)  # one standard deviation


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
    params = {"predictability": predictability, "random_state": 0}
    return leave_last_out_split(make_interactions(N_USERS, N_ITEMS, **params))


# Three users by hand


def test_transitions_are_shares_of_the_items_that_followed():
    expected = [[0, 2 / 3, 1 / 3], [1 / 2, 0, 1 / 2], [0, 0, 0]]
    assert_allclose(transitions(fit()), expected, rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.1, 0.5, 1.0])
def test_scores_are_interpolated_with_popularity(smoothing):
    model = fit(smoothing=smoothing)
    after_a = (1 - smoothing) * np.array([0, 2 / 3, 1 / 3]) + smoothing * POPULARITY
    assert_allclose(scores_of(model, ["b", "a"]), after_a, rtol=1e-6)
    assert_allclose(scores_of(model, ["a"]).sum(), 1, rtol=1e-6)
    assert_allclose(scores_of(model, ["c"]), smoothing * POPULARITY, rtol=1e-6)


def test_only_the_last_item_counts():
    model = fit()
    expected = model.recommend("new", ["b"])
    for history in (["a", "b"], ["c", "a", "c", "b"], ["b", "b"]):
        assert_frame_equal(model.recommend("new", history), expected, check_exact=True)


def test_an_item_may_follow_itself():
    model = fit(pd.DataFrame({"user_id": 1, "item_id": list("aaab")}))
    assert_allclose(transitions(model), [[2 / 3, 1 / 3], [0, 0]], rtol=1e-6)
    assert model.predict("new", ["a"], k=2).tolist() == ["a", "b"]


def test_histories_of_different_users_are_not_joined():
    frame = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": list("abcd")})
    assert_array_equal(transitions(fit(frame))[1], 0)  # c belongs to another user


@pytest.mark.parametrize("smoothing", [0, 1.1, np.nan, "0.5", None])
def test_smoothing_out_of_range(smoothing):
    message = rf"'smoothing'.*MarkovRecommender.*\(0, 1\].*{smoothing}"
    with pytest.raises(InvalidParameterError, match=message):
        fit(smoothing=smoothing)


# Popularity


def test_items_that_never_followed_are_ranked_by_popularity():
    # x and y followed a once each; then the others by popularity, ties by code.
    frame = pd.DataFrame(
        {"user_id": [1, 1, 2, 2, 3, 4, 5, 6, 7, 8], "item_id": [*"axayybbcdd"]}
    )
    model = fit(frame, exclude_seen=True, smoothing=0.01)
    assert model.items_.tolist() == ["a", "x", "y", "b", "c", "d"]
    assert model.predict("new", ["a"], k=5).tolist() == ["y", "x", "b", "d", "c"]


def test_smoothing_of_1_is_popularity():
    train, _ = made()
    model = MarkovRecommender(smoothing=1).fit(train)
    popular = PopularityRecommender().fit(train)
    assert_frame_equal(model.recommend(), popular.recommend(), check_exact=True)


def test_histories_of_one_item_leave_only_popularity():
    lonely = pd.DataFrame({"user_id": range(6), "item_id": list("abbccc")})
    model = fit(lonely, exclude_seen=True, k=2)
    assert len(model.weights_["data"]) == 0
    assert_array_equal(model.predict([0, 1, 3]), [["c", "b"], ["c", "a"], ["b", "a"]])
    assert len(model.similar_items("a")) == 2


def test_similar_items_have_the_same_predecessors():
    # x and y both follow a, z follows b, and nothing precedes a and b.
    frame = pd.DataFrame({"user_id": [1, 1, 2, 2, 3, 3], "item_id": [*"axaybz"]})
    table = fit(frame).similar_items(["x", "z"], k=4).set_index("item_id")
    assert table.loc["x", "similar_item_id"].tolist() == ["y", "a", "b", "z"]
    assert_allclose(table.loc["x", "score"], [1, 0, 0, 0])
    assert_allclose(table.loc["z", "score"], 0)


# What is learned


@pytest.mark.parametrize("smoothing", [0.01, 0.5])
def test_the_next_item_is_learned_as_well_as_possible(smoothing):
    train, test = made()
    score = fit(train, k=K, smoothing=smoothing).score(test)
    assert BEST - 3 * NOISE < score < BEST + 3 * NOISE


def test_certain_successors_are_always_found():
    train, test = made(predictability=1)
    assert fit(train, k=1).score(test) == 1


def test_random_sequences_score_at_chance_level():
    train, test = made(predictability=1 / N_ITEMS)
    chance = K / N_ITEMS
    noise = np.sqrt(chance * (1 - chance) / N_USERS)
    assert abs(fit(train, k=K).score(test) - chance) < 4 * noise
