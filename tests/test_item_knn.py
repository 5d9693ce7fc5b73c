"""ItemKNN keeps the nearest items by cosine and adds them up over a history."""

import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from sklearn_attrec import ItemKNNRecommender, PopularityRecommender, _item_knn
from sklearn_attrec.datasets import best_hit_rate, make_interactions
from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.model_selection import leave_last_out_split

# Items a and b have users 1 and 2, item c has 2 and 3, item d has 3 alone.
BY_HAND = pd.DataFrame(
    {"user_id": [1, 1, 2, 2, 2, 3, 3], "item_id": ["a", "b", "a", "b", "c", "c", "d"]}
)
POPULARITY = np.array([2, 2, 2, 1]) / 7
ROOT = np.sqrt(2)


def fit(interactions=BY_HAND, **params):
    return ItemKNNRecommender(**{"k": 4, "exclude_seen": False} | params).fit(
        interactions
    )


def similarities(model):
    """Similarity of each item (row) to its neighbours, 0 to all others."""
    return model.item_vectors().toarray()[:, :-1]


def scores_of(model, history):
    table = model.recommend("new", history, k=len(model.items_))
    return table.set_index("item_id")["score"].loc[model.items_].to_numpy()


# Three users by hand --------------------------------------------------------------


def test_similarity_is_the_cosine():
    model = fit()
    assert model.items_.tolist() == ["a", "b", "c", "d"]
    expected = [
        [0, 1, 1 / 2, 0],
        [1, 0, 1 / 2, 0],
        [1 / 2, 1 / 2, 0, 1 / ROOT],
        [0, 0, 1 / ROOT, 0],
    ]
    assert_allclose(similarities(model), expected, rtol=1e-6)


def test_a_score_is_the_sum_over_the_history():
    expected = np.array([1, 1, 1, 0]) + 1e-6 * POPULARITY
    assert_allclose(scores_of(fit(), ["a", "b"]), expected, rtol=1e-6)
    expected = np.array([1 / 2, 1 / 2, 1 / ROOT, 1 / ROOT]) + 1e-6 * POPULARITY
    assert_allclose(scores_of(fit(), ["c", "d"]), expected, rtol=1e-6)
    assert fit(exclude_seen=True).recommend(1)["item_id"].tolist() == ["c", "d"]


def test_shrinkage_is_added_to_the_denominator():
    expected = [
        [0, 2 / 4, 1 / 4, 0],
        [2 / 4, 0, 1 / 4, 0],
        [1 / 4, 1 / 4, 0, 1 / (ROOT + 2)],
        [0, 0, 1 / (ROOT + 2), 0],
    ]
    assert_allclose(similarities(fit(shrinkage=2)), expected, rtol=1e-6)


def test_each_item_keeps_its_own_neighbours():
    model = fit(n_neighbors=1)
    expected = [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1 / ROOT], [0, 0, 1 / ROOT, 0]]
    assert_allclose(similarities(model), expected, rtol=1e-6)
    # c is near to a, but not among the one nearest that a is compared with.
    assert scores_of(model, ["c"])[0] < 1e-6


def test_ties_go_to_the_lower_code():
    model = fit(BY_HAND.drop(index=6), n_neighbors=1)  # c is as near to a as to b
    assert_allclose(similarities(model)[2], [1 / 2, 0, 0], rtol=1e-6)
    assert_array_equal(fit().predict("new", ["c"], k=4), ["d", "a", "b", "c"])


@pytest.mark.parametrize(
    "params, allowed",
    [
        ({"n_neighbors": 0}, "an int in the range [1, inf)"),
        ({"n_neighbors": 2.0}, "an int in the range [1, inf)"),
        ({"shrinkage": -0.1}, "a float in the range [0, inf)"),
        ({"shrinkage": np.nan}, "a float in the range [0, inf)"),
    ],
)
def test_parameters_out_of_range(params, allowed):
    with pytest.raises(InvalidParameterError, match=re.escape(allowed)):
        fit(**params)


# What a history is ----------------------------------------------------------------


def test_repeats_and_order_do_not_matter():
    model = fit()
    expected = model.recommend("new", ["a", "c", "d"])
    for history in (["d", "c", "a"], ["a", "a", "c", "a", "d", "d"]):
        assert_frame_equal(model.recommend("new", history), expected, check_exact=True)
    again = fit(pd.concat([BY_HAND, BY_HAND.iloc[[0, 0, 4]]]))
    assert_array_equal(similarities(again), similarities(model))


def test_what_neighbours_nothing_follows_by_popularity():
    more = pd.DataFrame({"user_id": [4, 5, 6, 6], "item_id": ["e", "f", "f", "e"]})
    more = pd.concat([BY_HAND, more, more.iloc[[1]].assign(user_id=7)])
    model = fit(more, exclude_seen=True)
    assert model.predict("new", ["d"], k=5).tolist() == ["c", "f", "a", "b", "e"]


def test_users_of_one_item_leave_popularity():
    lonely = pd.DataFrame({"user_id": range(6), "item_id": list("abbccc")})
    model = fit(lonely, exclude_seen=True)
    assert model.item_vectors().nnz == 3  # the column of popularity
    popular = PopularityRecommender(k=2).fit(lonely)
    assert_array_equal(model.predict(0, k=2), popular.predict(0))
    assert_array_equal(model.predict("new", ["b"], k=2), ["c", "a"])


def test_similar_items_are_by_the_cosine_alone():
    model = fit(n_neighbors=1, shrinkage=5)
    table = model.similar_items("c", k=3)
    assert table["similar_item_id"].tolist() == ["d", "a", "b"]
    assert_allclose(table["score"], [1 / ROOT, 1 / 2, 1 / 2], rtol=1e-6)


# Against all pairs ----------------------------------------------------------------


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
    likeness = taken.T @ taken / (np.sqrt(np.outer(counts, counts)) + shrinkage)
    np.fill_diagonal(likeness, 0)
    likeness = likeness.astype(np.float32)
    nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :n_neighbors]
    expected = np.zeros_like(likeness)
    np.put_along_axis(
        expected, nearest, np.take_along_axis(likeness, nearest, axis=1), axis=1
    )
    assert_array_equal(similarities(model), expected)


# What is learned ------------------------------------------------------------------


def test_items_of_the_same_users_are_found():
    # Forty users, each with seven of the ten items of parity user % 2.
    random = np.random.default_rng(0)
    rows = [
        (user, user % 2 + 2 * item)
        for user in range(40)
        for item in random.permutation(10)[:7]
    ]
    model = ItemKNNRecommender(k=3).fit(
        pd.DataFrame(rows, columns=["user_id", "item_id"])
    )
    users = np.arange(40)
    assert_array_equal(model.predict(users) % 2, np.tile(users[:, None] % 2, 3))


def test_between_popularity_and_the_best():
    # Whoever walks the cycle leaves neighbours on it in one history, the successor
    # and the item before it alike; those before were seen and are left out.
    made = make_interactions(400, 60, n_per_user=6, repeats=False, random_state=0)
    train, test = leave_last_out_split(made)
    score = ItemKNNRecommender(k=3).fit(train).score(test)
    popular = PopularityRecommender(k=3).fit(train).score(test)
    best = best_hit_rate(3, 60, 0.8, n_seen=5)
    assert max(0.5, 3 * popular) < score < best + 3 * np.sqrt(best * (1 - best) / 400)


def test_nothing_is_learned_where_there_is_nothing_to_learn():
    made = make_interactions(600, 30, predictability=1 / 30, random_state=0)
    train, test = leave_last_out_split(made)
    score = ItemKNNRecommender(k=6, exclude_seen=False).fit(train).score(test)
    assert abs(score - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 600)


# Size -----------------------------------------------------------------------------


def test_nothing_as_large_as_all_pairs_is_made():
    # All pairs of items would be 1.6 GB of float32, users times items as much.
    rows = np.arange(100_000)
    frame = pd.DataFrame(
        {"user_id": rows % 20_000, "item_id": (rows * 7_919 + rows // 11) % 20_000}
    )
    tracemalloc.start()
    try:
        model = ItemKNNRecommender(n_neighbors=5).fit(frame)
        model.predict(list(range(100)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 120e6
    assert 0 < len(model.weights_["data"]) <= 5 * 20_000


def test_indices_of_queries_and_items_have_one_width():
    # SciPy would copy the items in every product otherwise.
    model = fit()
    widths = {model.item_vectors().indices.dtype, model.item_vectors().indptr.dtype}
    for vectors in (model.query_vectors(), model.query_vectors([1], [["a"]])):
        widths |= {vectors.indices.dtype, vectors.indptr.dtype}
    assert widths == {np.dtype(np.int32)}
