"""AttRec learns what can be learned, no more, and answers by its equations."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec import AttRecRecommender, PopularityRecommender
from sklearn_attrec.datasets import best_hit_rate, make_interactions
from sklearn_attrec.model_selection import leave_last_out_split

N_USERS, N_ITEMS, K, PREDICTABILITY = 300, 30, 5, 0.8
BEST = best_hit_rate(K, N_ITEMS, PREDICTABILITY)
NOISE = np.sqrt(BEST * (1 - BEST) / N_USERS)  # of one standard deviation


def fit(interactions, **params):
    # Items come again in the made data, so seen ones stay in the ranking.
    defaults = {"d": 16, "loss": "softmax", "n_targets": 1, "learning_rate": 0.03}
    defaults |= {"schedule": "constant", "batch_size": 256, "dropout": 0.0}
    defaults |= {"max_iter": 15, "k": K, "exclude_seen": False, "random_state": 0}
    return AttRecRecommender(**defaults | params).fit(interactions)


def made(predictability=PREDICTABILITY, n_users=N_USERS):
    interactions = make_interactions(
        n_users, N_ITEMS, predictability=predictability, random_state=0
    )
    return leave_last_out_split(interactions)


def histories(interactions):
    """Items of each user, oldest first."""
    rows = interactions.sort_values("timestamp", kind="stable")
    return rows.groupby("user_id")["item_id"].agg(list)


def scores_of(model, user, history=None):
    """Score of every item, in the order of items_."""
    table = model.recommend(
        user, history=history, k=len(model.items_), exclude_seen=False
    )
    return table.set_index("item_id")["score"].loc[model.items_].to_numpy()


@pytest.fixture(scope="module")
def small_model():
    interactions = make_interactions(20, 12, n_per_user=9, random_state=0)
    return fit(interactions, L=2, d=5, max_iter=3)


# What is learned ----------------------------------------------------------------


@pytest.mark.parametrize(
    "loss, similarity, floor",
    [
        ("hinge", "euclidean", 0.7),
        ("bpr", "euclidean", 0.7),
        ("softmax", "euclidean", 0.7),
        ("softmax", "inner", 0.7),
        ("bpr", "inner", 0.5),
        ("hinge", "inner", 0.35),
    ],
)
def test_the_next_item_is_learned_as_well_as_it_can_be(loss, similarity, floor):
    train, test = made()
    pairwise = similarity == "inner" and loss != "softmax"
    model = fit(
        train,
        loss=loss,
        similarity=similarity,
        L=2 if pairwise else 1,
        omega=0.1,
        learning_rate=0.01 if pairwise else 0.03,
    )
    popular = PopularityRecommender(k=K, exclude_seen=False).fit(train).score(test)
    score = model.score(test)
    assert score > max(floor, 1.5 * popular)
    assert score < BEST + 3 * NOISE


@pytest.mark.parametrize("aggregation", ["mean", "max"])
def test_attention_over_several_items_finds_the_next_one(aggregation):
    train, test = made()
    score = fit(train, L=3, aggregation=aggregation).score(test)
    assert 0.65 < score < BEST + 3 * NOISE


def test_nothing_is_learned_where_there_is_nothing_to_learn():
    # A score above chance would mean that the held-out item leaked.
    train, test = made(predictability=1 / N_ITEMS)
    chance = K / N_ITEMS
    noise = np.sqrt(chance * (1 - chance) / N_USERS)
    score = fit(train, L=2, omega=0.3, max_iter=5).score(test)
    assert abs(score - chance) < 4 * noise


@pytest.mark.parametrize("omega", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("loss", ["hinge", "bpr", "softmax"])
def test_two_groups_that_share_no_item_are_told_apart(loss, omega):
    # Forty users, each with seven of the ten items of parity user % 2.
    random = np.random.default_rng(0)
    rows = [
        (user, user % 2 + 2 * item)
        for user in range(40)
        for item in random.permutation(10)[:7]
    ]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id"])
    model = fit(interactions, loss=loss, omega=omega, exclude_seen=True, k=3, L=3)
    users = np.arange(40)
    # The three items left in the user's own group come first.
    own = model.predict(users.tolist()) % 2 == users[:, None] % 2
    assert own.mean() > 0.97


# omega --------------------------------------------------------------------------


def test_omega_0_leaves_the_last_items_alone_to_decide():
    train, test = made(n_users=100)
    model = fit(train, omega=0.0, L=2)
    history = [3, 14, 15]
    own = [scores_of(model, user, history) for user in (0, 1, 10**6)]  # one unseen
    assert_allclose(own, np.tile(own[0], (3, 1)), rtol=1e-5, atol=1e-6)
    assert model.score(test) > 0.6


def test_omega_1_ignores_the_order_of_the_history():
    train, test = made()
    model = fit(train, omega=1.0, L=2)
    items = histories(train)[0]
    one = scores_of(model, 0, items)
    assert_allclose(scores_of(model, 0, items[::-1]), one, rtol=1e-5, atol=1e-6)
    weights = model.weights_
    user = weights["U"][list(model.users_).index(0)]
    assert_allclose(one, -np.sum((user - weights["V"]) ** 2, axis=1), atol=1e-5)
    # What made the data is an order, of which nothing is left.
    assert model.score(test) < 0.5


# Scores by the equations --------------------------------------------------------


def expected_scores(model, long, last_two):
    """Equation 6 where the window holds two items, each attending to the other."""
    weights, omega = model.weights_, model.omega
    pair = weights["X"][[list(model.items_).index(item) for item in last_two]]
    m = getattr(np, model.aggregation)(pair, axis=0)
    V, X = weights["V"], weights["X"]
    if model.similarity == "inner":
        return omega * V @ long + (1 - omega) * X @ m
    far, near = np.sum((long - V) ** 2, axis=1), np.sum((m - X) ** 2, axis=1)
    return -(omega * far + (1 - omega) * near)


CASES = [("euclidean", "mean"), ("euclidean", "max"), ("inner", "sum")]


@pytest.mark.parametrize("omega", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("similarity, aggregation", CASES)
def test_scores_of_a_known_user(similarity, aggregation, omega):
    # The same aggregation and the same U as in training, nothing normalised between.
    interactions = make_interactions(20, 12, n_per_user=9, random_state=0)
    model = fit(
        interactions,
        L=2,
        d=5,
        omega=omega,
        similarity=similarity,
        aggregation=aggregation,
        max_iter=2,
    )
    for user, items in list(histories(interactions).items())[:3]:
        long = model.weights_["U"][list(model.users_).index(user)]
        expected = expected_scores(model, long, items[-2:])
        assert_allclose(scores_of(model, user), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("similarity, aggregation", CASES)
def test_a_stranger_is_answered_by_the_closed_form(similarity, aggregation):
    interactions = make_interactions(20, 12, n_per_user=9, random_state=0)
    model = fit(
        interactions,
        L=2,
        d=5,
        omega=0.6,
        similarity=similarity,
        aggregation=aggregation,
        max_iter=3,
    )
    history = [1, 4, 4, 7, 10, 2]  # a repeat counts twice, what is older than L counts
    codes = [list(model.items_).index(item) for item in history]
    mean = model.weights_["V"][codes].mean(axis=0)
    length = np.linalg.norm(model.weights_["U"], axis=1).mean()
    long = length * mean / np.linalg.norm(mean)
    expected = expected_scores(model, long, history[-2:])
    found = scores_of(model, 999, history)
    assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_known_user_with_one_interaction_is_answered_like_a_stranger():
    # Its row of U is never trained; left random it would be noise in every answer.
    interactions = make_interactions(20, 12, n_per_user=9, random_state=0)
    single = pd.DataFrame({"user_id": [77], "item_id": [5], "timestamp": [10**6]})
    model = fit(pd.concat([interactions, single]), omega=0.9, max_iter=3)
    assert model.n_users_skipped_ == 1
    stranger = scores_of(model, 999, [5])
    assert_allclose(scores_of(model, 77), stranger, rtol=1e-4, atol=1e-5)
    assert_array_equal(model.predict(77), model.predict(999, history=[5]))


def test_strangers_are_served_almost_as_well_as_trained_users():
    train, test = made()
    # A small omega, for what made the data is no long-term taste.
    model = fit(train, L=2, omega=0.1)
    past = histories(train)
    new = model.predict((past.index + 10_000).tolist(), history=past.tolist())
    target = test.set_index("user_id")["item_id"].loc[past.index].to_numpy()
    stranger = np.mean((new == target[:, None]).any(axis=1))
    assert stranger > 0.65
    assert abs(stranger - model.score(test)) < 0.08


# What the window holds ----------------------------------------------------------


def test_items_older_than_the_window_do_not_matter(small_model):
    user = small_model.users_[0]
    one = scores_of(small_model, user, [3, 8, 1])
    other = scores_of(small_model, user, [5, 6, 7, 9, 0, 8, 1])
    assert_array_equal(one, other)
    assert (one != scores_of(small_model, user, [3, 8, 2])).any()
    assert (one != scores_of(small_model, user, [3, 7, 1])).any()


def test_padding_is_no_item():
    # The item of code 0 fills padded windows: it is ranked like any other, by its
    # distance, and answers do not depend on how much padding there is.
    interactions = make_interactions(20, 12, n_per_user=9, random_state=0)
    model = fit(interactions, L=6, d=5, max_iter=2)
    first, history = model.items_[0], [model.items_[3]]
    X = model.weights_["X"]
    model.weights_ = model.weights_ | {"X": X.copy()}
    before = scores_of(model, 0, history)
    model.weights_["X"][0] += 5  # only the item's own score may change
    model._cache = {}
    after = scores_of(model, 0, history)
    assert_allclose(after[1:], before[1:], rtol=1e-5, atol=1e-6)
    assert after[0] < before[0]
    listed = model.predict(0, history=history, k=12)
    assert first in listed
    assert len(set(listed.tolist())) == 12


def test_fitted_users_are_answered_from_their_own_last_items(small_model):
    interactions = make_interactions(20, 12, n_per_user=9, random_state=0)
    past = histories(interactions)
    users = past.index.tolist()
    assert_array_equal(
        small_model.predict(users), small_model.predict(users, history=past.tolist())
    )


# Real data: a minute for both, on a busy core -----------------------------------


@pytest.mark.parametrize(
    "loss, floor, strangers_floor",
    [("softmax", 0.50, 0.49), ("hinge", 0.48, 0.43)],
)
def test_movielens_100k_quality(loss, floor, strangers_floor, movielens_100k):
    # Leave last out, all items ranked, seen ones left out. Measured: HR@50 0.541
    # (softmax), 0.515 to 0.521 (hinge); popularity has 0.198. The ceiling is above
    # everything published for this protocol: more would be a leak.
    train, test = leave_last_out_split(movielens_100k)
    model = fit(
        train,
        loss=loss,
        L=5,
        d=100,
        omega=0.3,
        temperature=0.2,
        n_targets=None,
        learning_rate=0.002,
        max_iter=4,
        k=50,
        exclude_seen=True,
    )
    assert floor < model.score(test) < 0.60
    # The same users as strangers, from their histories alone. Measured: 0.537, 0.490.
    past = histories(train)
    new = model.predict((past.index + 10_000).tolist(), history=past.tolist())
    target = test.set_index("user_id")["item_id"].loc[past.index].to_numpy()
    stranger = np.mean((new == target[:, None]).any(axis=1))
    assert strangers_floor < stranger < 0.60
