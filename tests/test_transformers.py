"""SASRec, SSE-PT and HSTU learn made data, and obey their parameters."""

import hashlib
from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec import (
    HSTURecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
)
from sklearn_attrec._networks import numpy_ops
from sklearn_attrec.datasets import best_hit_rate, make_interactions
from sklearn_attrec.metrics import ndcg
from sklearn_attrec.model_selection import leave_last_out_split

STANDING_STILL = 1e-12  # a learning rate that leaves float32 weights as they are
PARAMS = {"L": 6, "d": 8, "n_blocks": 1, "n_heads": 2, "dropout": 0.1}
PARAMS |= {"learning_rate": 0.02, "batch_size": 16, "max_iter": 2}
PARAMS |= {"k": 3, "random_state": 0}
SSE = {"d_user": 4, "sse_user": 0.5, "sse_item": 0.05}

TRANSFORMERS = [SASRecRecommender, SSEPTRecommender, HSTURecommender]
each = pytest.mark.parametrize("cls", TRANSFORMERS)
both = pytest.mark.parametrize("cls", TRANSFORMERS[:2])


def fit(cls, interactions, **params):
    defaults = PARAMS | (SSE if cls is SSEPTRecommender else {})
    return cls(**defaults | params).fit(interactions)


def by_position(cls):
    """Name of the weights that belong to positions."""
    return "0.b_position" if cls is HSTURecommender else "P"


def digest(model):
    parts = [model.weights_[name].tobytes() for name in sorted(model.weights_)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def histories(interactions):
    """Items of each user, oldest first."""
    rows = interactions.sort_values("timestamp", kind="stable")
    return rows.groupby("user_id")["item_id"].agg(list)


@pytest.fixture(scope="module")
def interactions():
    """Thirty users with 2 to 12 of twenty items."""
    return make_interactions(30, 20, n_per_user=(2, 12), random_state=0)


@pytest.fixture
def epochs(monkeypatch):
    """Windows, learning rates and, afterwards, weights of each epoch of a fit."""
    from sklearn_attrec._training.trainer import Trainer  # imports TensorFlow

    seen, run = [], Trainer.run

    def recorded(self, windows, batch_size, learning_rates, *args):
        loss = run(self, windows, batch_size, learning_rates, *args)
        seen.append((np.array(windows), np.array(learning_rates), self.snapshot()))
        return loss

    monkeypatch.setattr(Trainer, "run", recorded)
    return seen


N_USERS, N_ITEMS, K, PREDICTABILITY = 200, 20, 3, 0.8
BEST = best_hit_rate(K, N_ITEMS, PREDICTABILITY)
NOISE = np.sqrt(BEST * (1 - BEST) / N_USERS)  # of one standard deviation


def split_data(predictability=PREDICTABILITY):
    interactions = make_interactions(
        N_USERS, N_ITEMS, n_per_user=15, predictability=predictability, random_state=0
    )
    return leave_last_out_split(interactions)


def learn(cls, train, **params):
    settings = {"L": 8, "d": 16, "batch_size": 32, "max_iter": 12, "k": K}
    settings |= {"exclude_seen": False}  # items repeat in these data
    return fit(cls, train, **settings | params)


LEARNING = [
    {"loss": "softmax"},
    {"loss": "bce", "n_negatives": 3},
    {"loss": "gbce", "n_negatives": 4, "calibration": 0.5, "max_iter": 40},
    {"loss": "sampled_softmax", "n_negatives": 8},
]
POST_NORM = {"norm": "post", "positions": "sinusoidal"}


@pytest.mark.parametrize(
    "cls, params",
    [*product(TRANSFORMERS, LEARNING), *product(TRANSFORMERS[:2], [POST_NORM])],
    ids=str,
)
def test_the_next_item_is_learned(cls, params):
    train, test = split_data()
    model = learn(cls, train, **params)
    popular = PopularityRecommender(k=K, exclude_seen=False).fit(train).score(test)
    assert max(0.65, 3 * popular) < model.score(test) < BEST + 3 * NOISE


@each
def test_nothing_is_learned_from_noise(cls):
    # A higher score would mean that a position sees its own target.
    train, test = split_data(predictability=1 / N_ITEMS)
    random_score = K / N_ITEMS
    noise = np.sqrt(random_score * (1 - random_score) / N_USERS)
    model = learn(cls, train)
    assert abs(model.score(test) - random_score) < 4 * noise
    # Nor does training itself look ahead: a uniform choice of 20 costs log(20).
    assert min(model.loss_curve_) > 0.9 * np.log(N_ITEMS)


@each
def test_attention_finds_the_item_before_the_last(cls):
    # Each item equals the one two places before it: the last one alone tells nothing.
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
    if cls is SASRecRecommender:  # a row of U could store the pair
        assert learn(cls, train, L=1, k=1, max_iter=20).score(test) < 0.4


def test_sasrec_answers_unseen_users_like_known_ones(interactions):
    model = fit(SASRecRecommender, interactions)
    past = histories(interactions)
    known = model.query_vectors(past.index.tolist())
    new = model.query_vectors((past.index + 1_000).tolist(), past.tolist())
    assert_array_equal(new, known)


@both
@pytest.mark.parametrize(
    "params",
    [
        {"norm": "pre", "positions": "learned", "n_blocks": 1},
        {"norm": "post", "positions": "sinusoidal", "n_blocks": 2},
    ],
    ids=lambda params: params["norm"],
)
def test_weights(cls, params, interactions):
    model = fit(cls, interactions, **params)
    width = 8 + 4 * (cls is SSEPTRecommender)
    shapes = {"E": (20, 8)}
    if cls is SSEPTRecommender:
        shapes["U"] = (30, 4)
    if params["positions"] == "learned":
        shapes["P"] = (6, width)
    for b in range(params["n_blocks"]):
        for name in ("W_Q", "W_K", "W_V", "W_O", "W_1", "W_2"):
            shapes[f"{b}.{name}"] = (width, width)
        for name in ("b_1", "b_2", "g_att", "s_att", "g_ff", "s_ff"):
            shapes[f"{b}.{name}"] = (width,)
    if params["norm"] == "pre":
        shapes |= {"g_out": (width,), "s_out": (width,)}
    assert {name: value.shape for name, value in model.weights_.items()} == shapes
    assert_array_equal(model.item_vectors()[:, :8], model.weights_["E"])
    before = fit(cls, interactions, **params, learning_rate=STANDING_STILL)
    assert_trained(model, before)


def test_weights_of_hstu(interactions):
    model = fit(HSTURecommender, interactions, n_blocks=2, time_bias="history")
    shapes = {"E": (20, 8), "g_out": (8,), "s_out": (8,)}
    for b in range(2):
        shapes |= {f"{b}.W_in": (8, 32), f"{b}.b_in": (32,), f"{b}.W_out": (8, 8)}
        shapes |= {f"{b}.{name}": (8,) for name in ("b_out", "g", "s")}
        shapes |= {f"{b}.b_position": (6,), f"{b}.b_time": (128,)}
    assert {name: value.shape for name, value in model.weights_.items()} == shapes
    params = {"n_blocks": 2, "time_bias": "history", "learning_rate": STANDING_STILL}
    assert_trained(model, fit(HSTURecommender, interactions, **params))


def assert_trained(model, before):
    for name, value in model.weights_.items():
        assert value.dtype == np.float32
        assert np.abs(value - before.weights_[name]).max() > 1e-4, name


@each
def test_items_older_than_the_window_do_not_matter(cls, interactions):
    model = fit(cls, interactions, L=3)
    user = model.users_[0]
    one = model.query_vectors(user, [3, 8, 1])
    assert_array_equal(model.query_vectors(user, [5, 6, 7, 9, 3, 8, 1]), one)
    for other in ([3, 8, 2], [3, 7, 1], [4, 8, 1], [8, 1], [8, 3, 1]):
        assert (model.query_vectors(user, other) != one).any()


@each
def test_a_window_longer_than_all_histories_is_shortened(cls, interactions):
    longest = int(interactions["user_id"].value_counts().max())
    just, longer, far = (
        fit(cls, interactions, L=L) for L in (longest, longest + 7, 10**9)
    )
    assert digest(just) == digest(longer) == digest(far)
    assert len(just.weights_[by_position(cls)]) <= longest
    history = [*range(20), *range(20)]
    assert_array_equal(just.query_vectors(0, history), far.query_vectors(0, history))
    assert digest(fit(cls, interactions, L=3)) != digest(just)


@each
def test_each_item_is_a_target_once_per_epoch(cls, interactions, epochs):
    model = fit(cls, interactions, L=3, max_iter=3)
    firsts = model.history_indptr_[:-1]
    expected = np.setdiff1d(np.arange(len(interactions)), firsts)
    cuts = []
    for windows, _, _ in epochs:
        assert (windows[:, 1] - windows[:, 0]).max() == 3
        targets = [p + 1 for begin, end in windows for p in range(begin, end)]
        assert_array_equal(np.sort(targets), expected)
        users = np.searchsorted(firsts, windows[:, 0], side="right")
        assert (np.diff(users) < 0).any()  # in random order
        cuts.append(sorted(windows.tolist()))
    assert cuts[0] != cuts[1] != cuts[2]


@each
@pytest.mark.parametrize("batch_size", [1, 3, 1_000])
def test_any_batch_size_trains(cls, batch_size, interactions):
    # Attention splits a batch into parts, of which some are then empty.
    model = fit(cls, interactions, batch_size=batch_size, max_iter=8)
    losses = model.loss_curve_
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert all(np.isfinite(value).all() for value in model.weights_.values())


@each
def test_users_with_one_interaction_are_skipped_and_answered(cls, interactions):
    singles = pd.DataFrame({"user_id": [77, 78], "item_id": 5, "timestamp": 10**6})
    model = fit(cls, pd.concat([interactions, singles]))
    assert model.n_users_skipped_ == 2
    assert_array_equal(model.query_vectors(77), model.query_vectors(78))
    unseen = model.query_vectors(999, [5])
    assert_allclose(model.query_vectors(77), unseen, rtol=1e-4, atol=1e-5)


@each
@pytest.mark.parametrize("batch_size", [4, 100])
def test_the_compiled_loss_is_that_of_the_network(cls, batch_size, epochs):
    # Windows of equal length, so that each batch size gives the mean over all targets.
    frame = make_interactions(12, 9, n_per_user=7, random_state=1)
    params = {"dropout": 0.0, "learning_rate": STANDING_STILL, "max_iter": 1}
    if cls is SSEPTRecommender:
        params |= {"sse_user": 0.0, "sse_item": 0.0}
    model = fit(cls, frame, batch_size=batch_size, **params)
    settings = model._network_settings()
    data = {"items": model.history_items_, "users": np.repeat(np.arange(12), 7)}
    random = SimpleNamespace(
        uniform=np.ones, items=lambda shape, n: np.zeros(shape, int)
    )
    expected = model._network.batch_loss(
        numpy_ops, random, model.weights_, settings, data, epochs[0][0]
    )
    assert model.loss_curve_[0] == pytest.approx(expected, rel=1e-5)


@each
@pytest.mark.parametrize("loss", ["softmax", "gbce"])
def test_similar_fits_share_one_trace(cls, loss, interactions):
    from sklearn_attrec._training.trainer import _run_steps  # imports TensorFlow

    fit(cls, interactions, loss=loss)
    count = _run_steps.experimental_get_tracing_count()
    for params in [
        {"L": 1, "d": 3, "n_heads": 1, "batch_size": 1},
        {"L": 9, "d": 16, "n_heads": 4, "max_iter": 1},
        {"dropout": 0.5, "learning_rate": 0.1, "n_negatives": 3},
        {"calibration": 0.1, "n_negatives": 1},
        {"early_stopping": True},
    ]:
        fit(cls, interactions, loss=loss, **params)
    if cls is SSEPTRecommender:
        fit(cls, interactions, loss=loss, d_user=8, sse_user=1.0, sse_item=0.0)
    fit(cls, make_interactions(9, 50, n_per_user=4, random_state=0), loss=loss)
    assert _run_steps.experimental_get_tracing_count() == count


OF_THE_NETWORK = [
    {"dropout": 0.5},
    {"n_heads": 1},
    {"loss": "gbce", "n_negatives": 2},
    {"loss": "gbce", "calibration": 0.2},
]
OF_SSE = [{"sse_user": 0.0}, {"sse_item": 0.0}]


@pytest.mark.parametrize(
    "cls, params",
    [
        *product([SASRecRecommender, SSEPTRecommender], OF_THE_NETWORK),
        *product([SSEPTRecommender], OF_SSE),
    ],
    ids=str,
)
def test_parameters_reach_the_training_step(cls, params, interactions):
    base = {"loss": params.get("loss", "softmax"), "n_negatives": 4}
    plain, changed = (
        fit(cls, interactions, **base | more, max_iter=1) for more in ({}, params)
    )
    assert {name: changed.settings_[name] for name in params} == params
    assert plain.weights_.keys() == changed.weights_.keys()
    assert digest(plain) != digest(changed)


@each
def test_the_learning_rate_follows_one_cosine(cls, interactions, epochs):
    # Also where epochs have different numbers of steps.
    fit(cls, interactions, L=2, batch_size=3, max_iter=10)
    for windows, rates, _ in epochs:
        assert len(rates) == -(-len(windows) // 3)
    steps = np.concatenate([rates for _, rates, _ in epochs])
    peak = int(np.argmax(steps))
    assert 0 < peak < 0.15 * len(steps)
    assert (np.diff(steps[: peak + 1]) > 0).all()
    assert (np.diff(steps[peak:]) < 0).all()
    assert 0.95 * 0.02 < steps[peak] <= 0.02
    assert 0 <= steps[-1] < 0.001 * 0.02


@each
def test_early_stopping(cls, epochs):
    interactions = make_interactions(
        60, 20, n_per_user=9, predictability=0.4, random_state=2
    )
    model = fit(
        cls,
        interactions,
        early_stopping=True,
        validation_fraction=1.0,
        learning_rate=0.2,
        max_iter=25,
        exclude_seen=False,
        k=5,
    )
    # Of nine items the last is held out and the first has nothing before it.
    for windows, _, _ in epochs:
        assert np.sum(windows[:, 1] - windows[:, 0]) == 60 * 7
    scores = model.validation_scores_
    best = int(np.argmax(scores))  # the first of equals
    assert len(scores) == model.n_iter_ == len(epochs)
    assert 0 < best < len(scores) - 1
    for name, value in model.weights_.items():
        assert_array_equal(value, epochs[best][2][name], err_msg=name)
    past = histories(interactions)
    lists = model.predict(
        past.index.tolist(), history=[items[:-1] for items in past], k=20
    )
    targets = np.array([items[-1] for items in past])
    _, places = np.nonzero(lists == targets[:, None])
    assert scores[best] == pytest.approx(ndcg(1.0 + places, 5))


def test_sse_pt_gives_unseen_users_the_mean_of_all_users(interactions):
    model = fit(SSEPTRecommender, interactions, max_iter=5)
    history = [3, 1, 4]
    known, other, unseen = (model.query_vectors(u, history) for u in (0, 1, 999))
    assert np.abs(known - other).max() > 1e-3
    assert np.abs(known - unseen).max() > 1e-3
    code = model.users_.tolist().index(0)
    model.weights_["U"][code] = model.weights_["U"].mean(axis=0)
    assert_allclose(model.query_vectors(0, history), unseen, rtol=1e-5, atol=1e-6)


def test_sse_pt_serves_unseen_users_almost_as_well_as_trained_ones():
    train, test = split_data()
    model = learn(SSEPTRecommender, train)
    past = histories(train)
    lists = model.predict((past.index + 10_000).tolist(), history=past.tolist())
    targets = test.set_index("user_id")["item_id"].loc[past.index].to_numpy()
    score = np.mean((lists == targets[:, None]).any(axis=1))
    assert score > 0.65
    assert abs(score - model.score(test)) < 0.08
