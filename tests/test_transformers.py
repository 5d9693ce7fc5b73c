"""SASRec and SSE-PT learn what can be learned, no more, and as their settings say."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec import (
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
)
from sklearn_attrec.datasets import best_hit_rate, make_interactions
from sklearn_attrec.metrics import hit_rate, ndcg
from sklearn_attrec.model_selection import leave_last_out_split
from sklearn_attrec.utils import _numpy_ops as numpy_ops

STANDING_STILL = 1e-12  # a learning rate that leaves float32 weights as they are
PARAMS = {"L": 6, "d": 8, "n_blocks": 1, "n_heads": 2, "dropout": 0.1}
PARAMS |= {"loss": "softmax", "positions": "learned", "norm": "pre", "windows": "all"}
PARAMS |= {"optimizer": "adam", "alpha": 0.0, "learning_rate": 0.02}
PARAMS |= {"schedule": "constant", "batch_size": 16, "max_iter": 2}
PARAMS |= {"early_stopping": False, "scoring": "ndcg", "k": 3, "random_state": 0}
OF_USERS = {"d_user": 4, "sse_user": 0.5, "sse_item": 0.05}

both = pytest.mark.parametrize("cls", [SASRecRecommender, SSEPTRecommender])


def make(cls, **params):
    params = PARAMS | (OF_USERS if cls is SSEPTRecommender else {}) | params
    return cls(**params)


def fit(cls, interactions, **params):
    return make(cls, **params).fit(interactions)


def digest(model):
    parts = [model.weights_[name].tobytes() for name in sorted(model.weights_)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def histories(interactions):
    """Items of each user, oldest first."""
    rows = interactions.sort_values("timestamp", kind="stable")
    return rows.groupby("user_id")["item_id"].agg(list)


def code_of(ids, one):
    return list(ids).index(one)


@pytest.fixture(scope="module")
def interactions():
    """Thirty users with 2 to 12 of twenty items."""
    return make_interactions(30, 20, n_per_user=(2, 12), random_state=0)


@pytest.fixture
def epochs(monkeypatch):
    """Windows, learning rates and, afterwards, weights of each epoch of a fit."""
    from sklearn_attrec._training import Trainer  # imports TensorFlow

    seen, run = [], Trainer.run

    def recorded(self, windows, batch_size, learning_rates, *args):
        loss = run(self, windows, batch_size, learning_rates, *args)
        seen.append((np.array(windows), np.array(learning_rates), self.snapshot()))
        return loss

    monkeypatch.setattr(Trainer, "run", recorded)
    return seen


# What is learned ----------------------------------------------------------------

N_USERS, N_ITEMS, K, PREDICTABILITY = 200, 20, 3, 0.8
BEST = best_hit_rate(K, N_ITEMS, PREDICTABILITY)
NOISE = np.sqrt(BEST * (1 - BEST) / N_USERS)  # of one standard deviation


def made(predictability=PREDICTABILITY):
    # Items come again in the made data, so seen ones stay in the ranking.
    interactions = make_interactions(
        N_USERS, N_ITEMS, n_per_user=15, predictability=predictability, random_state=0
    )
    return leave_last_out_split(interactions)


def learn(cls, train, **params):
    settings = {"L": 8, "d": 16, "batch_size": 32, "max_iter": 12, "k": K}
    settings |= {"schedule": "cosine", "exclude_seen": False}
    return fit(cls, train, **settings | params)


@both
@pytest.mark.parametrize(
    "params",
    [
        {"loss": "softmax"},
        {"loss": "bce", "n_negatives": 3},
        {"loss": "gbce", "n_negatives": 4, "calibration": 0.5, "max_iter": 40},
        {"loss": "sampled_softmax", "n_negatives": 8},
        {"loss": "softmax", "norm": "post", "positions": "sinusoidal"},
    ],
    ids=lambda params: " ".join(str(value) for value in params.values()),
)
def test_the_next_item_is_learned_as_well_as_it_can_be(cls, params):
    train, test = made()
    model = learn(cls, train, **params)
    popular = PopularityRecommender(k=K, exclude_seen=False).fit(train).score(test)
    assert max(0.65, 3 * popular) < model.score(test) < BEST + 3 * NOISE


@both
def test_nothing_is_learned_where_there_is_nothing_to_learn(cls):
    # A score above chance would mean that a place sees its own target.
    train, test = made(predictability=1 / N_ITEMS)
    chance = K / N_ITEMS
    noise = np.sqrt(chance * (1 - chance) / N_USERS)
    model = learn(cls, train)
    assert abs(model.score(test) - chance) < 4 * noise
    # Nor does training itself look ahead: a uniform choice of 20 costs log(20).
    losses = [record["loss"] for record in model.history_]
    assert min(losses) > 0.9 * np.log(N_ITEMS)


@both
def test_attention_finds_what_is_further_back(cls):
    # Every item is the one two places before it: the last one alone tells nothing.
    random = np.random.default_rng(0)
    rows = [
        (user, pair[place % 2], place)
        for user, pair in enumerate(random.integers(10, size=(150, 2)))
        for place in range(10)
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    train, test = leave_last_out_split(frame)
    model = learn(cls, train, L=4, k=1, max_iter=20)
    assert model.score(test) > 0.9
    if cls is SASRecRecommender:  # a row of U could learn the pair by heart
        assert learn(cls, train, L=1, k=1, max_iter=20).score(test) < 0.4


def test_a_stranger_of_sasrec_is_answered_like_a_known_user(interactions):
    model = fit(SASRecRecommender, interactions)
    past = histories(interactions)
    known = model.query_vectors(past.index.tolist())
    new = model.query_vectors((past.index + 1_000).tolist(), past.tolist())
    assert_array_equal(new, known)


# What is kept -------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    "norm, positions", [("pre", "learned"), ("post", "sinusoidal")]
)
def test_weights(cls, norm, positions, interactions):
    params = {"norm": norm, "positions": positions}
    model = fit(cls, interactions, **params)
    width = 8 + 4 * (cls is SSEPTRecommender)
    tables = {"E": (20, 8)}
    if cls is SSEPTRecommender:
        tables["U"] = (30, 4)
    if positions == "learned":
        tables["P"] = (6, width)
    square = {f"0.{name}" for name in ("W_Q", "W_K", "W_V", "W_O", "W_1", "W_2")}
    rows = {f"0.{name}" for name in ("b_1", "b_2", "g_att", "s_att", "g_ff", "s_ff")}
    rows |= {"g_out", "s_out"} if norm == "pre" else set()
    shapes = tables | dict.fromkeys(square, (width, width))
    shapes |= dict.fromkeys(rows, (width,))
    assert {name: value.shape for name, value in model.weights_.items()} == shapes
    assert all(value.dtype == np.float32 for value in model.weights_.values())
    before = fit(cls, interactions, **params, learning_rate=STANDING_STILL)
    for name, value in model.weights_.items():  # and each of them is trained
        assert np.abs(value - before.weights_[name]).max() > 1e-4, name


@both
def test_scores_are_inner_products_with_the_items(cls, interactions):
    model = fit(cls, interactions)
    E = model.weights_["E"]
    assert_array_equal(model.item_vectors()[:, : E.shape[1]], E)
    query = model.query_vectors(3)[: E.shape[1]]
    table = model.recommend(3, k=20, exclude_seen=False)
    codes = [code_of(model.items_, item) for item in table["item_id"]]
    assert_allclose(table["score"], (E @ query)[codes], rtol=1e-4, atol=1e-6)


@both
def test_all_items_are_ranked(cls):
    # Not a hundred drawn ones beside the target.
    interactions = make_interactions(60, 150, n_per_user=20, random_state=0)
    train, test = leave_last_out_split(interactions)
    model = fit(cls, train, exclude_seen=False, max_iter=1)
    n_items = len(model.items_)
    assert n_items > 140
    one_user = test.iloc[np.zeros(n_items, int)].assign(item_id=model.items_)
    ranks = model.target_ranks(one_user)
    assert_array_equal(np.sort(ranks), 1 + np.arange(n_items))
    assert set(model.predict(0, k=n_items)) == set(model.items_)


# Histories and windows ----------------------------------------------------------


@both
def test_items_older_than_the_window_do_not_matter(cls, interactions):
    model = fit(cls, interactions, L=3)
    user = model.users_[0]
    one = model.query_vectors(user, [3, 8, 1])
    assert_array_equal(model.query_vectors(user, [5, 6, 7, 9, 3, 8, 1]), one)
    for other in ([3, 8, 2], [3, 7, 1], [4, 8, 1], [8, 1], [8, 3, 1]):
        assert (model.query_vectors(user, other) != one).any()


@both
def test_a_window_longer_than_every_history_costs_nothing(cls, interactions):
    longest = int(interactions["user_id"].value_counts().max())
    just, longer, far = (
        fit(cls, interactions, L=L) for L in (longest, longest + 7, 10**9)
    )
    assert digest(just) == digest(longer) == digest(far)
    assert len(just.weights_["P"]) <= longest
    history = [*range(20), *range(20)]
    assert_array_equal(just.query_vectors(0, history), far.query_vectors(0, history))
    assert digest(fit(cls, interactions, L=3)) != digest(just)


@both
def test_every_item_is_asked_for_once_an_epoch(cls, interactions, epochs):
    model = fit(cls, interactions, L=3, max_iter=3)
    firsts = model.history_indptr_[:-1]
    expected = np.setdiff1d(np.arange(len(interactions)), firsts)
    seen = []
    for windows, _, _ in epochs:
        assert (windows[:, 1] - windows[:, 0]).max() == 3
        targets = [p + 1 for begin, end in windows for p in range(begin, end)]
        assert_array_equal(np.sort(targets), expected)
        seen.append(sorted(map(tuple, windows)))
        assert windows.tolist() != [list(w) for w in seen[-1]]  # in random order
    assert seen[0] != seen[1] != seen[2]  # cut elsewhere


@both
def test_last_windows_are_one_a_user(cls, interactions, epochs):
    model = fit(cls, interactions, L=3, windows="last")
    ends = model.history_indptr_[1:] - 1
    begins = np.maximum(model.history_indptr_[:-1], ends - 3)
    for windows, _, _ in epochs:
        windows = windows[np.argsort(windows[:, 0])]
        assert_array_equal(windows, np.stack([begins, ends], axis=1))
    assert (epochs[0][0] != epochs[1][0]).any()


@both
@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 1_000])
def test_any_batch_size_trains(cls, batch_size, interactions):
    # Attention splits a batch into parts, of which some are then empty.
    model = fit(cls, interactions, batch_size=batch_size, max_iter=8)
    losses = [record["loss"] for record in model.history_]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert all(np.isfinite(value).all() for value in model.weights_.values())


@both
def test_users_with_one_interaction_are_skipped_and_answered(cls, interactions):
    singles = pd.DataFrame({"user_id": [77, 78], "item_id": 5, "timestamp": 10**6})
    model = fit(cls, pd.concat([interactions, singles]))
    assert model.n_users_skipped_ == 2
    assert_array_equal(model.query_vectors(77), model.query_vectors(78))
    stranger = model.query_vectors(999, [5])
    assert_allclose(model.query_vectors(77), stranger, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_blocks", [1, 3])
def test_any_number_of_blocks(n_blocks, interactions):
    model = fit(SASRecRecommender, interactions, n_blocks=n_blocks)
    assert sum(name.endswith("W_Q") for name in model.weights_) == n_blocks
    one = model.query_vectors(0, [1, 2, 3])
    assert np.isfinite(one).all()
    for other in ([1, 2, 4], [7, 2, 3], [2, 1, 3]):
        assert (one != model.query_vectors(0, other)).any()


# The compiled step --------------------------------------------------------------


@both
@pytest.mark.parametrize("batch_size", [4, 100])
def test_the_first_loss_is_that_of_the_first_weights(cls, batch_size):
    # Windows all alike, so that every batch size gives the mean over all places.
    frame = make_interactions(12, 9, n_per_user=7, random_state=1)
    sharing = {} if cls is SASRecRecommender else {"sse_user": 0.0, "sse_item": 0.0}
    model = fit(
        cls,
        frame,
        dropout=0.0,
        learning_rate=STANDING_STILL,
        max_iter=1,
        batch_size=batch_size,
        **sharing,
    )
    # Asked as a history that grows: a place sees what came before it, but positions
    # count from the end of the window, so only the last place can be asked for.
    table, expected = model.weights_["E"], []
    settings = model._network.Settings(**model.settings_)
    for user, items in histories(frame).items():
        codes = np.array([code_of(model.items_, item) for item in items])
        known = code_of(model.users_, user)
        for place in range(1, 7):
            shifted = dict(model.weights_)
            shifted["P"] = model.weights_["P"][: place - 6 or None]
            scores = table @ model._network.query_vector(
                numpy_ops, shifted, settings, codes[:place], known
            )
            expected.append(np.logaddexp.reduce(scores) - scores[codes[place]])
    assert model.history_[0]["loss"] == pytest.approx(np.mean(expected), rel=1e-5)


@both
@pytest.mark.parametrize("loss", ["softmax", "gbce"])
def test_fits_of_a_kind_share_one_trace(cls, loss, interactions):
    from sklearn_attrec._training import _run_steps  # imports TensorFlow

    fit(cls, interactions, loss=loss)
    count = _run_steps.experimental_get_tracing_count()
    for params in [
        {"L": 1, "d": 3, "n_heads": 1, "batch_size": 1},
        {"L": 9, "d": 16, "n_heads": 4, "max_iter": 1},
        {"dropout": 0.5, "learning_rate": 0.1, "n_negatives": 3, "windows": "last"},
        {"calibration": 0.1, "schedule": "cosine", "n_negatives": 1},
        {"early_stopping": True, "warm_start": True},
    ]:
        fit(cls, interactions, loss=loss, **params)
    if cls is SSEPTRecommender:
        fit(cls, interactions, loss=loss, d_user=8, sse_user=1.0, sse_item=0.0)
    fit(cls, make_interactions(9, 50, n_per_user=4, random_state=0), loss=loss)
    assert _run_steps.experimental_get_tracing_count() == count


# Parameters do what they say ----------------------------------------------------


@both
@pytest.mark.parametrize(
    "params",
    [
        {"dropout": 0.5},
        {"n_heads": 1},
        {"windows": "last"},
        {"schedule": "linear"},
        {"learning_rate": 0.03},
        {"batch_size": 8},
        {"loss": "gbce", "n_negatives": 2},
        {"loss": "gbce", "calibration": 0.2},
        {"sse_user": 0.0},
        {"sse_item": 0.0},
    ],
    ids=lambda params: " ".join(params),
)
def test_every_parameter_matters(cls, params, interactions):
    if not params.keys() <= make(cls).get_params().keys():
        return
    base = {"loss": params.get("loss", "softmax"), "n_negatives": 4, "L": 3}
    base |= {"calibration": 0.75}
    plain, changed = (
        fit(cls, interactions, **base),
        fit(cls, interactions, **base | params),
    )
    assert plain.weights_.keys() == changed.weights_.keys()
    assert digest(plain) != digest(changed)
    assert digest(plain) == digest(fit(cls, interactions, **base))


@both
def test_learning_rate_scales_the_step(cls, interactions):
    # One batch and one step of Adam: each weight moves by the rate.
    one_step = {"max_iter": 1, "batch_size": 1_000}
    still, one, two = (
        fit(cls, interactions, learning_rate=rate, **one_step)
        for rate in (STANDING_STILL, 0.01, 0.02)
    )
    steps = [np.abs(m.weights_["E"] - still.weights_["E"]).max() for m in (one, two)]
    assert steps[0] == pytest.approx(0.01, rel=0.01)
    assert steps[1] == pytest.approx(0.02, rel=0.01)


@both
def test_the_cosine_schedule_ends_at_zero(cls, interactions, epochs):
    # Epochs of unlike numbers of steps: the share that is done decides.
    fit(cls, interactions, L=2, batch_size=3, max_iter=10, schedule="cosine")
    rates = [rates for _, rates, _ in epochs]
    for (windows, _, _), rate in zip(epochs, rates, strict=True):
        assert len(rate) == -(-len(windows) // 3)
    steps = np.concatenate(rates)
    peak = int(np.argmax(steps))
    assert 0 < peak < 0.15 * len(steps)
    assert (np.diff(steps[: peak + 1]) > 0).all()
    assert (np.diff(steps[peak:]) < 0).all()
    assert 0.95 * 0.02 < steps[peak] <= 0.02
    assert 0 <= steps[-1] < 0.001 * 0.02


def test_alpha_and_adagrad(interactions):
    cls = SASRecRecommender
    still = {"learning_rate": STANDING_STILL, "max_iter": 1, "optimizer": "adagrad"}
    plain = fit(cls, interactions, learning_rate=STANDING_STILL, max_iter=1)
    penalised = fit(cls, interactions, alpha=0.1, **still)
    squares = sum(np.sum(value**2) for value in plain.weights_.values())
    difference = penalised.history_[0]["loss"] - plain.history_[0]["loss"]
    assert difference == pytest.approx(0.1 * squares, rel=1e-3)
    moved = {**still, "learning_rate": 0.1, "max_iter": 5}
    losses = fit(cls, interactions, alpha=0.1, **moved).history_
    assert losses[-1]["loss"] < 0.9 * losses[0]["loss"]


# Early stopping -----------------------------------------------------------------


@both
@pytest.mark.parametrize("scoring", ["ndcg", "hit_rate"])
def test_early_stopping_keeps_the_weights_of_the_best_epoch(cls, scoring, epochs):
    interactions = make_interactions(60, 20, predictability=0.4, random_state=0)
    model = fit(
        cls,
        interactions,
        early_stopping=True,
        scoring=scoring,
        learning_rate=0.05,
        max_iter=25,
        exclude_seen=False,
        validation_fraction=0.5,
        n_iter_no_change=4,
    )
    scores = [record["validation_score"] for record in model.history_]
    assert len(scores) == model.n_iter_ == len(epochs)
    best = int(np.argmax(scores))  # the first of equals
    assert 0 < best < len(scores) - 1  # or nothing is tested
    assert max(scores[:-4]) >= max(scores[-4:]) - 1e-3
    for name, value in model.weights_.items():
        assert_array_equal(value, epochs[best][2][name], err_msg=name)


@both
@pytest.mark.parametrize("scoring, score", [("ndcg", ndcg), ("hit_rate", hit_rate)])
def test_every_user_may_be_held_out(cls, scoring, score, epochs):
    interactions = make_interactions(40, 20, n_per_user=9, random_state=1)
    model = fit(
        cls,
        interactions,
        early_stopping=True,
        validation_fraction=1.0,
        scoring=scoring,
        exclude_seen=False,
        max_iter=3,
        n_iter_no_change=10,
        k=5,
    )
    # Of nine items the last is held out and the first has nothing before it.
    for windows, _, _ in epochs:
        assert np.sum(windows[:, 1] - windows[:, 0]) == 40 * 7
    past = histories(interactions)
    lists = model.predict(
        past.index.tolist(), history=[items[:-1] for items in past], k=20
    ).tolist()
    ranks = [
        1 + found.index(items[-1]) for found, items in zip(lists, past, strict=True)
    ]
    best = max(record["validation_score"] for record in model.history_)
    assert best == pytest.approx(score(np.array(ranks, float), 5))
    assert 0 < best < 1


# Warm start ---------------------------------------------------------------------


@both
def test_warm_start_goes_on_and_a_cold_one_does_not(cls, interactions):
    warm, cold = (
        fit(cls, interactions, max_iter=10, warm_start=warm) for warm in (True, False)
    )
    first = warm.history_[0]["loss"]
    warm.fit(interactions)
    cold.fit(interactions)
    assert warm.history_[0]["loss"] < 0.9 * first
    assert cold.history_[0]["loss"] == first


@both
def test_warm_start_with_longer_windows_and_new_items(cls, interactions):
    model = fit(cls, interactions, L=4, max_iter=10)
    users, items, old = model.users_, model.items_, model.weights_
    new = pd.DataFrame(
        {"user_id": [99, 99, 0], "item_id": [500, 501, 500], "timestamp": [-3, -2, -1]}
    )
    more = pd.concat([new, interactions])
    start = {"warm_start": True, "learning_rate": STANDING_STILL, "max_iter": 1}
    model.set_params(L=8, **start).fit(more)
    assert model.items_.tolist() != items.tolist()
    assert len(model.weights_["P"]) == 8
    # The positions nearest to the end are those that were trained.
    assert_allclose(model.weights_["P"][-4:], old["P"], rtol=1e-6)
    tables = {"E": (items, model.items_), "U": (users, model.users_)}
    for name, value in model.weights_.items():
        if name in tables:
            ids, now = (list(ids) for ids in tables[name])
            kept = [now.index(one) for one in ids]
            assert_allclose(value[kept], old[name], rtol=1e-6, err_msg=name)
            fresh = np.delete(value, kept, axis=0)
            assert len(fresh) == (2 if name == "E" else 1)
            assert (np.abs(fresh).max(axis=1) > 0).all()
        elif name != "P":
            assert_allclose(value, old[name], rtol=1e-6, err_msg=name)
    cold = fit(cls, more, L=8, max_iter=1, learning_rate=STANDING_STILL)
    assert model.history_[0]["loss"] < 0.95 * cold.history_[0]["loss"]


@both
def test_warm_start_with_another_width_starts_anew(cls, interactions):
    model = fit(cls, interactions, warm_start=True)
    model.set_params(d=12).fit(interactions)
    if cls is SASRecRecommender:
        assert digest(model) == digest(fit(cls, interactions, d=12))
    else:  # rows of users are as wide as before, and stay
        assert model.weights_["E"].shape == (20, 12)
        assert digest(model) != digest(fit(cls, interactions, d=12))


# Users and sharing in SSE-PT ----------------------------------------------------


def test_a_stranger_of_sse_pt_has_the_mean_of_all_users(interactions):
    model = fit(SSEPTRecommender, interactions, max_iter=5)
    history = [3, 1, 4]
    known = [model.query_vectors(user, history) for user in (0, 1)]
    assert np.abs(known[0] - known[1]).max() > 1e-3
    stranger = model.query_vectors(999, history)
    assert np.abs(stranger - known[0]).max() > 1e-3
    mean = model.weights_["U"].mean(axis=0)
    model.weights_["U"][code_of(model.users_, 0)] = mean
    assert_allclose(model.query_vectors(0, history), stranger, rtol=1e-5, atol=1e-6)


def test_strangers_of_sse_pt_are_served_almost_as_well_as_trained_users():
    train, test = made()
    model = learn(SSEPTRecommender, train)
    past = histories(train)
    new = model.predict((past.index + 10_000).tolist(), history=past.tolist())
    target = test.set_index("user_id")["item_id"].loc[past.index].to_numpy()
    stranger = np.mean((new == target[:, None]).any(axis=1))
    assert stranger > 0.65
    assert abs(stranger - model.score(test)) < 0.08


def test_shared_users_grow_alike(interactions):
    # Always replaced, no row learns more of its own user than of any other.
    spread = [
        np.std(
            fit(SSEPTRecommender, interactions, sse_user=share, max_iter=30).weights_[
                "U"
            ],
            axis=0,
        ).mean()
        for share in (0.0, 1.0)
    ]
    assert spread[1] < 0.5 * spread[0]


def test_replaced_items_make_the_task_harder():
    train, _ = made(predictability=1.0)
    losses = [
        learn(SSEPTRecommender, train, sse_item=share).history_[-1]["loss"]
        for share in (0.0, 0.3)
    ]
    # At least log(1 / 0.7) is lost where a target is replaced that often.
    assert losses[0] < 0.3
    assert losses[1] > losses[0] + 0.36
