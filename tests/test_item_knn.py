"""ItemKNN keeps the nearest items by cosine and adds similarities over a history."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from sklearn_attrec import ItemKNNRecommender, PopularityRecommender
from sklearn_attrec.datasets import best_hit_rate, make_interactions
from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.model_selection import leave_last_out_split
from sklearn_attrec.models import _item_knn

# Items a and b have users 1 and 2, item c has users 2 and 3, item d only user 3.
BY_HAND = pd.DataFrame(
    {"user_id": [1, 1, 2, 2, 2, 3, 3], "item_id": ["a", "b", "a", "b", "c", "c", "d"]}
)
POPULARITY = np.array([2, 2, 2, 1]) / 7
ROOT = np.sqrt(2)


def fit(interactions=BY_HAND, **params):
    model = ItemKNNRecommender(**{"k": 4, "exclude_seen": False} | params)
    return model.fit(interactions)


def similarities(model):
    """Similarity of each item (row) to itself and its neighbours, 0 for all others."""
    return model.item_vectors().toarray()[:, :-1]


def scores_of(model, history):
    table = model.recommend("new", history, k=len(model.items_))
    return table.set_index("item_id")["score"].loc[model.items_].to_numpy()


# Three users by hand


def test_similarity_is_the_cosine():
    model = fit()
    assert model.items_.tolist() == ["a", "b", "c", "d"]
    expected = [
        [1, 1, 1 / 2, 0],
        [1, 1, 1 / 2, 0],
        [1 / 2, 1 / 2, 1, 1 / ROOT],
        [0, 0, 1 / ROOT, 1],
    ]
    assert_allclose(similarities(model), expected, rtol=1e-6)


def test_a_score_is_the_sum_over_the_history():
    expected = np.array([2, 2, 1, 0]) + 1e-6 * POPULARITY
    assert_allclose(scores_of(fit(), ["a", "b"]), expected, rtol=1e-6)
    expected = np.array([1 / 2, 1 / 2, 1 + 1 / ROOT, 1 + 1 / ROOT]) + 1e-6 * POPULARITY
    assert_allclose(scores_of(fit(), ["c", "d"]), expected, rtol=1e-6)
    assert fit(exclude_seen=True).recommend(1)["item_id"].tolist() == ["c", "d"]


def test_shrinkage_is_added_to_the_denominator():
    a, c, d = 2 / 4, 1 / 4, 1 / (ROOT + 2)
    expected = [[a, a, c, 0], [a, a, c, 0], [c, c, a, d], [0, 0, d, 1 / 3]]
    assert_allclose(similarities(fit(shrinkage=2)), expected, rtol=1e-6)


def test_each_item_keeps_its_own_neighbours():
    model = fit(n_neighbors=1)
    expected = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1 / ROOT], [0, 0, 1 / ROOT, 1]]
    assert_allclose(similarities(model), expected, rtol=1e-6)
    # a is similar to c, but c is not the one neighbour that a keeps.
    assert scores_of(model, ["c"])[0] < 1e-6


def test_ties_go_to_the_lower_code():
    model = fit(BY_HAND.drop(index=6), n_neighbors=1)  # c is as similar to a as to b
    assert_allclose(similarities(model)[2], [1 / 2, 0, 1], rtol=1e-6)
    assert_array_equal(fit().predict("new", ["c"], k=4), ["c", "d", "a", "b"])


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("n_neighbors", 0, r"\[1, inf\)"),
        ("n_neighbors", 2.0, r"\[1, inf\)"),
        ("shrinkage", -0.1, r"\[0, inf\)"),
        ("shrinkage", np.nan, r"\[0, inf\)"),
    ],
)
def test_parameters_out_of_range(name, value, allowed):
    with pytest.raises(InvalidParameterError, match=rf"'{name}'.*{allowed}.*{value}"):
        fit(**{name: value})


def test_tiny_weights():
    rows = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": ["a", "b", "a", "c"]})
    model = fit(rows.assign(weight=[1e-150, 1, 1e-150, 1]))
    assert_allclose(similarities(model).diagonal(), 1, rtol=1e-6)


# What a history is


def test_repeats_count_in_a_history_and_not_in_fit():
    model = fit()
    expected = scores_of(model, ["a"]) + 2 * scores_of(model, ["d"])
    assert_allclose(scores_of(model, ["d", "a", "d"]), expected, rtol=1e-5)
    in_order = model.recommend("new", ["a", "d", "d"])
    again = model.recommend("new", ["d", "a", "d"])
    assert_frame_equal(again, in_order, check_exact=True)
    again = fit(pd.concat([BY_HAND, BY_HAND.iloc[[0, 0, 4]]]))
    assert_array_equal(similarities(again), similarities(model))


def test_items_without_neighbours_in_the_history_follow_by_popularity():
    more = pd.DataFrame({"user_id": [4, 5, 6, 6], "item_id": ["e", "f", "f", "e"]})
    more = pd.concat([BY_HAND, more, more.iloc[[1]].assign(user_id=7)])
    model = fit(more, exclude_seen=True)
    assert model.predict("new", ["d"], k=5).tolist() == ["c", "f", "a", "b", "e"]


def test_histories_of_one_item_leave_only_popularity():
    lonely = pd.DataFrame({"user_id": range(6), "item_id": list("abbccc")})
    model = fit(lonely, exclude_seen=True)
    assert_array_equal(similarities(model), np.eye(3))
    assert_array_equal(model.predict(0, k=2), ["c", "b"])
    assert_array_equal(model.predict("new", ["b"], k=2), ["c", "a"])


def test_similar_items_are_by_the_cosine_alone():
    model = fit(n_neighbors=1, shrinkage=5)
    table = model.similar_items("c", k=3)
    assert table["similar_item_id"].tolist() == ["d", "a", "b"]
    assert_allclose(table["score"], [1 / ROOT, 1 / 2, 1 / 2], rtol=1e-6)


# Against all pairs


@pytest.mark.parametrize("chunk_size", [1, 100, 10**6])
@pytest.mark.parametrize("n_neighbors, shrinkage", [(1, 0.0), (5, 3.5), (100, 0.0)])
def test_chunks_equal_all_pairs(monkeypatch, chunk_size, n_neighbors, shrinkage):
    frame = make_interactions(60, 40, n_per_user=(1, 12), random_state=0)
    monkeypatch.setattr(_item_knn, "CHUNK_SIZE", chunk_size)
    model = fit(frame, n_neighbors=n_neighbors, shrinkage=shrinkage)
    codes = pd.Index(model.items_).get_indexer(frame["item_id"])
    taken = np.zeros((60, len(model.items_)))
    taken[frame["user_id"], codes] = 1
    counts = taken.sum(axis=0)
    cosines = taken.T @ taken / (np.sqrt(np.outer(counts, counts)) + shrinkage)
    cosines = cosines.astype(np.float32)
    others = np.where(np.eye(len(cosines)), np.inf, cosines)  # the item itself first
    places = np.argsort(np.argsort(-others, axis=1, kind="stable"), axis=1)
    expected = np.where(places <= n_neighbors, cosines, 0)
    assert_array_equal(similarities(model), expected)


# What is learned


def test_between_popularity_and_the_best():
    # Histories follow a cycle, so the nearest items of an item are its successor and
    # its predecessor; the predecessor was seen and is not recommended.
    made = make_interactions(400, 60, n_per_user=6, repeats=False, random_state=0)
    train, test = leave_last_out_split(made)
    score = ItemKNNRecommender(k=3).fit(train).score(test)
    popular = PopularityRecommender(k=3).fit(train).score(test)
    best = best_hit_rate(3, 60, 0.8, n_seen=5)
    assert max(0.5, 3 * popular) < score < best + 3 * np.sqrt(best * (1 - best) / 400)


def test_random_sequences_score_at_chance_level():
    made = make_interactions(600, 30, predictability=1 / 30, random_state=0)
    train, test = leave_last_out_split(made)
    score = fit(train, k=6).score(test)
    assert abs(score - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 600)
