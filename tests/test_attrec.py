"""AttRec learns what can be learned, and no more, and scores by its equations."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec import AttRecRecommender, PopularityRecommender
from sklearn_attrec.datasets import best_hit_rate, make_interactions
from sklearn_attrec.model_selection import leave_last_out_split

N_USERS, N_ITEMS, K, PREDICTABILITY = 300, 30, 5, 0.8
BEST = best_hit_rate(K, N_ITEMS, PREDICTABILITY)
NOISE = np.sqrt(BEST * (1 - BEST) / N_USERS)  # one standard deviation
SMALL = make_interactions(20, 12, n_per_user=9, random_state=0)


def fit(interactions, **params):
    # Items repeat in the made data, so seen items are ranked too.
    defaults = {"d": 16, "loss": "softmax", "n_targets": 1, "learning_rate": 0.03}
    defaults |= {"batch_size": 256, "dropout": 0.0, "max_iter": 15, "k": K}
    defaults |= {"exclude_seen": False, "random_state": 0}
    return AttRecRecommender(**defaults | params).fit(interactions)


def made(predictability=PREDICTABILITY):
    interactions = make_interactions(
        N_USERS, N_ITEMS, predictability=predictability, random_state=0
    )
    return leave_last_out_split(interactions)


def histories(interactions):
    """Items of each user, oldest first."""
    rows = interactions.sort_values("timestamp", kind="stable")
    return rows.groupby("user_id")["item_id"].agg(list)


def scores_of(model, user, history=None):
    """Score of each item, in the order of items_."""
    table = model.recommend(user, history, k=len(model.items_), exclude_seen=False)
    return table.set_index("item_id")["score"].loc[model.items_].to_numpy()


def score_of_unseen_users(model, train, test):
    """Hit rate of the same users under new ids, from their histories alone."""
    past = histories(train)
    found = model.predict((past.index + 10_000).tolist(), history=past.tolist())
    targets = test.set_index("user_id")["item_id"].loc[past.index].to_numpy()
    return np.mean((found == targets[:, None]).any(axis=1))


# What is learned


@pytest.mark.parametrize(
    ("loss", "L", "learning_rate", "floor"),
    [("hinge", 1, 0.03, 0.7), ("softmax", 1, 0.03, 0.7), ("bpr", 2, 0.01, 0.5)],
)
def test_the_next_item_is_learned_as_well_as_possible(loss, L, learning_rate, floor):
    train, test = made()
    model = fit(train, loss=loss, L=L, omega=0.1, learning_rate=learning_rate)
    popular = PopularityRecommender(k=K, exclude_seen=False).fit(train).score(test)
    assert max(floor, 1.5 * popular) < model.score(test) < BEST + 3 * NOISE


@pytest.mark.parametrize("aggregation", ["mean", "max"])
def test_attention_over_several_items_finds_the_next_one(aggregation):
    train, test = made()
    score = fit(train, L=3, aggregation=aggregation).score(test)
    assert 0.65 < score < BEST + 3 * NOISE


def test_random_sequences_score_at_chance_level():
    # A higher score would mean that the held-out item leaked.
    train, test = made(predictability=1 / N_ITEMS)
    chance = K / N_ITEMS
    noise = np.sqrt(chance * (1 - chance) / N_USERS)
    score = fit(train, L=2, omega=0.3, max_iter=5).score(test)
    assert abs(score - chance) < 4 * noise


@pytest.mark.parametrize("omega", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("loss", ["hinge", "bpr", "softmax"])
def test_two_groups_without_common_items_are_told_apart(loss, omega):
    # Forty users, each with seven of the ten items of parity user % 2.
    random = np.random.default_rng(0)
    rows = [
        (user, user % 2 + 2 * item)
        for user in range(40)
        for item in random.permutation(10)[:7]
    ]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id"])
    params = {"L": 3, "k": 3, "exclude_seen": True, "max_iter": 30}
    model = fit(interactions, loss=loss, omega=omega, **params)
    users = np.arange(40)
    # The three items left in the user's own group come first.
    own = model.predict(users.tolist()) % 2 == users[:, None] % 2
    assert own.mean() > 0.97


# Scores by the equations


def expected_scores(model, long, last):
    """Equation 6 where the window holds at most two items.

    Two items attend only to each other, and a single one to itself.
    """
    weights, omega = model.weights_, model.omega
    V, X = weights["V"], weights["X"]
    window = X[[list(model.items_).index(item) for item in last]]
    m = getattr(np, model.aggregation)(window, axis=0)
    if model.loss == "bpr":
        return omega * V @ long + (1 - omega) * X @ m
    far, near = np.sum((long - V) ** 2, axis=1), np.sum((m - X) ** 2, axis=1)
    return -(omega * far + (1 - omega) * near)


def long_term(model, user, history):
    """Row of U, or for an unseen user the mean of V, scaled to the length of a row."""
    U, V = model.weights_["U"], model.weights_["V"]
    if user in model.users_:
        return U[list(model.users_).index(user)]
    mean = V[[list(model.items_).index(item) for item in history]].mean(axis=0)
    return np.linalg.norm(U, axis=1).mean() * mean / np.linalg.norm(mean)


@pytest.mark.parametrize("omega", [0.0, 0.4, 1.0])
@pytest.mark.parametrize(
    ("loss", "aggregation"), [("hinge", "mean"), ("softmax", "max"), ("bpr", "sum")]
)
def test_scores_by_the_equations(loss, aggregation, omega):
    # With the aggregation and the U of training, and without normalisation.
    model = fit(
        SMALL, L=2, d=5, omega=omega, loss=loss, aggregation=aggregation, max_iter=2
    )
    fitted = histories(SMALL)
    # For an unseen user a repeated item counts twice, and items older than L count.
    history = [1, 4, 4, 7, 10, 2]
    queries = [(0, None), (1, None), (0, history), (999, history)]
    for user, given in queries:
        items = fitted[user] if given is None else given
        expected = expected_scores(model, long_term(model, user, items), items[-2:])
        assert_allclose(scores_of(model, user, given), expected, rtol=1e-4, atol=1e-5)


def test_padding_is_not_read():
    model = fit(SMALL, L=6, d=5, max_iter=2)
    item = model.items_[3]  # the padding has code 0
    expected = expected_scores(model, long_term(model, 0, None), [item])
    assert_allclose(scores_of(model, 0, [item]), expected, rtol=1e-4, atol=1e-5)


# Users without a trained vector


def test_a_user_with_one_interaction_is_treated_like_an_unseen_one():
    # Its row of U is never trained; random values would be noise in its scores.
    single = pd.DataFrame({"user_id": [77], "item_id": [5], "timestamp": [10**6]})
    model = fit(pd.concat([SMALL, single]), omega=0.9, max_iter=3)
    assert model.n_users_skipped_ == 1
    unseen = scores_of(model, 999, [5])
    assert_allclose(scores_of(model, 77), unseen, rtol=1e-4, atol=1e-5)
    assert_array_equal(model.predict(77), model.predict(999, history=[5]))


def test_unseen_users_are_served_almost_as_well_as_trained_ones():
    train, test = made()
    # A small omega, because users of the made data have no long-term preferences.
    model = fit(train, L=2, omega=0.1)
    unseen = score_of_unseen_users(model, train, test)
    assert unseen > 0.65
    assert abs(unseen - model.score(test)) < 0.08


# Real data: one minute for both tests, on a busy core


@pytest.mark.filterwarnings("ignore::sklearn_attrec.exceptions.TimeTieWarning")
@pytest.mark.parametrize(
    ("loss", "floor", "floor_of_unseen"),
    [("softmax", 0.50, 0.49), ("hinge", 0.48, 0.43)],
)
def test_movielens_100k_quality(loss, floor, floor_of_unseen, movielens_100k):
    # Leave last out, all unseen items ranked. Measured HR@50: 0.521 (softmax) and
    # 0.496 (hinge), for unseen users 0.523 and 0.492; popularity 0.198. The upper
    # bound is above all published results of this protocol: more would be a leak.
    train, test = leave_last_out_split(movielens_100k)
    model = fit(
        train,
        loss=loss,
        L=5,
        d=100,
        n_targets=None,
        learning_rate=0.002,
        max_iter=4,
        k=50,
        exclude_seen=True,
    )
    score, unseen = model.score(test), score_of_unseen_users(model, train, test)
    assert floor < score < 0.60
    assert floor_of_unseen < unseen < 0.60
