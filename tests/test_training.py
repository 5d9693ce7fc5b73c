"""The training loop: update rules, batches, randomness, early stopping, history."""

import hashlib
import os
import re
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec import AttRecRecommender
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.exceptions import TrainingDivergedError

STANDING_STILL = 1e-12  # a learning rate that leaves float32 weights as they are


@pytest.fixture
def training():
    from sklearn_attrec import _training  # imports TensorFlow

    return _training


@pytest.fixture
def epochs(training, monkeypatch):
    """Windows in the order each epoch of a fit took them, and the weights it left."""
    seen = []
    run = training.Trainer.run
    monkeypatch.setattr("sklearn_attrec._network_base.STEPS_A_CALL", 10**6)

    def recorded(self, windows, *args):
        loss = run(self, windows, *args)
        seen.append((np.array(windows), self.snapshot()))
        return loss

    monkeypatch.setattr(training.Trainer, "run", recorded)
    return seen


def fit(interactions, **params):
    defaults = {"L": 3, "d": 4, "loss": "hinge", "dropout": 0.0, "batch_size": 256}
    defaults |= {"learning_rate": 1e-3, "schedule": "constant", "max_iter": 2}
    defaults |= {"random_state": 0}
    return AttRecRecommender(**defaults | params).fit(interactions)


def assert_same_weights(one, other, **tolerance):
    assert one.keys() == other.keys()
    for name in one:
        assert_allclose(one[name], other[name], err_msg=name, **tolerance)


def digest(model):
    parts = [model.weights_[name].tobytes() for name in sorted(model.weights_)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


# Update rules against NumPy -----------------------------------------------------


class Scale(NamedTuple):
    scale: float


def quadratic_loss(ops, random, weights, settings, data, rows):
    """Rows of W are pulled to a goal each window has; D maps the goals to zero."""
    goals = ops.take(data["goals"], rows, axis=0)  # (batch, d)
    picked = ops.take(weights["W"], ops.take(data["ids"], rows, axis=0), axis=0)
    distances = ops.sum(ops.square(picked - goals[:, None]), axis=2)  # (batch, 3)
    mapped = ops.matmul(goals, weights["D"])
    return settings.scale * ops.sum(distances, axis=1) + ops.sum(
        ops.square(mapped), axis=1
    )


def lazy_loss(*args):
    """The same under another name: a trace knows the row limit it was made with."""
    return quadratic_loss(*args)


SCALE = 0.7
DATA = {
    # Ids repeat within a window and between windows; 5 is only in the last window, 6
    # in none.
    "ids": np.array([[0, 1, 1], [1, 2, 3], [3, 3, 3], [4, 0, 2], [5, 5, 0]]),
    "goals": np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32),
}
BATCHES = [[0, 1], [2, 3], [4]]


def start_weights():
    random = np.random.default_rng(1)
    return {
        "W": random.standard_normal((7, 2)).astype(np.float32),
        "D": random.standard_normal((2, 2)).astype(np.float32),
    }


def make_trainer(training, batch_loss=quadratic_loss, scale=SCALE, **options):
    defaults = {"optimizer": "adam", "beta_2": 0.999, "alpha": 0.0}
    defaults |= {"clipped": (), "max_norm": 1.0}
    return training.Trainer(
        batch_loss, start_weights(), Scale(scale), DATA, **defaults | options
    )


def run_epoch(trainer, batches, seed=0, rates=0.05):
    rates, windows = np.broadcast_to(rates, len(batches)), np.concatenate(batches)
    return trainer.run(windows, len(batches[0]), rates, seed) / len(windows)


def into_ball(rows, radius):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(norms / radius, 1)


def reference_gradients(weights, rows, alpha):
    gradients = {name: 2 * alpha * value for name, value in weights.items()}
    for row in rows:
        goal = DATA["goals"][row].astype(np.float64)
        for i in DATA["ids"][row]:
            gradients["W"][i] += 2 * SCALE * (weights["W"][i] - goal) / len(rows)
        gradients["D"] += 2 * np.outer(goal, goal @ weights["D"]) / len(rows)
    return gradients


def reference_weights(
    n_epochs,
    optimizer,
    alpha=0.0,
    lazy=False,
    radius=None,
    rates=None,
    beta_2=0.999,
):
    """Adam and Adagrad as published, a loop over epochs, batches and weights."""
    weights = {
        name: value.astype(np.float64) for name, value in start_weights().items()
    }
    initial = 0.1 if optimizer == "adagrad" else 0.0
    first = {name: np.zeros_like(value) for name, value in weights.items()}
    second = {name: np.full_like(value, initial) for name, value in weights.items()}
    if radius is not None:
        weights["W"] = into_ball(weights["W"], radius)
    for step, rows in enumerate(BATCHES * n_epochs, start=1):
        rate = 0.05 if rates is None else rates[step - 1]
        for name, gradient in reference_gradients(weights, rows, alpha).items():
            touched = np.arange(len(gradient))
            if lazy and name == "W":
                touched = np.unique(DATA["ids"][rows])
            g, m, v = gradient[touched], first[name], second[name]
            if optimizer == "adam":
                m[touched] = 0.9 * m[touched] + 0.1 * g
                v[touched] = beta_2 * v[touched] + (1 - beta_2) * g**2
                unbiased = m[touched] / (1 - 0.9**step)
                spread = np.sqrt(v[touched] / (1 - beta_2**step))
                weights[name][touched] -= rate * unbiased / (spread + 1e-8)
            else:
                v[touched] += g**2
                weights[name][touched] -= rate * g / np.sqrt(v[touched])
            if radius is not None and name == "W":
                weights[name] = into_ball(weights[name], radius)
    return weights


@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("optimizer", ["adam", "adagrad"])
def test_updates_equal_numpy(training, optimizer, alpha):
    trainer = make_trainer(training, optimizer=optimizer, alpha=alpha)
    for epoch in range(1, 4):
        run_epoch(trainer, BATCHES, seed=epoch)
        expected = reference_weights(epoch, optimizer, alpha)
        assert_same_weights(trainer.snapshot(), expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("batch_loss", [quadratic_loss, lazy_loss])
@pytest.mark.parametrize("beta_2", [0.9, 0.98])
def test_adam_forgets_by_beta_2(training, batch_loss, beta_2, monkeypatch):
    lazy = batch_loss is lazy_loss
    if lazy:
        monkeypatch.setattr(training, "LAZY_ROWS", 4)
    trainer = make_trainer(training, batch_loss, beta_2=beta_2)
    for epoch in range(1, 4):
        run_epoch(trainer, BATCHES, seed=epoch)
    expected = reference_weights(3, "adam", lazy=lazy, beta_2=beta_2)
    assert_same_weights(trainer.snapshot(), expected, rtol=1e-4, atol=2e-5)
    other = reference_weights(3, "adam", lazy=lazy)
    assert np.abs(other["W"] - trainer.snapshot()["W"]).max() > 1e-3


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -7.5, 7.5])
def test_largest_weight(training, value):
    trainer = make_trainer(training)
    weights = 0.1 * trainer.snapshot()["W"]
    for row in range(len(weights)):
        changed = weights.copy()
        changed[row, 1] = value
        trainer.weights["W"].assign(changed)
        assert_array_equal(trainer.largest_weight(), abs(value))


@pytest.mark.parametrize("optimizer", ["adam", "adagrad"])
def test_each_step_has_its_own_learning_rate(training, optimizer):
    trainer = make_trainer(training, optimizer=optimizer)
    rates = np.array([[0.05, 0.2, 0.01], [0.03, 0.0, 0.1], [0.0, 0.04, 0.0]])
    for epoch in range(1, 4):
        run_epoch(trainer, BATCHES, seed=epoch, rates=rates[epoch - 1])
        expected = reference_weights(epoch, optimizer, rates=rates.ravel())
        assert_same_weights(trainer.snapshot(), expected, rtol=1e-4, atol=2e-5)
    run_epoch(trainer, [[0]], rates=0.0)
    assert_same_weights(trainer.snapshot(), expected, rtol=1e-4, atol=2e-5)


def test_lazy_adam_moves_only_the_rows_of_a_batch(training, monkeypatch):
    monkeypatch.setattr(training, "LAZY_ROWS", 4)
    trainer = make_trainer(training, lazy_loss)
    for epoch in range(1, 4):
        run_epoch(trainer, BATCHES, seed=epoch)
        expected = reference_weights(epoch, "adam", lazy=True)
        assert_same_weights(trainer.snapshot(), expected, rtol=1e-4, atol=2e-5)
    # Dense Adam goes on along the old moments, which is to be told apart.
    dense = reference_weights(3, "adam")
    assert np.abs(dense["W"] - trainer.snapshot()["W"]).max() > 1e-3
    assert_array_equal(trainer.snapshot()["W"][6], start_weights()["W"][6])


def test_loss_is_the_mean_over_windows(training):
    trainer = make_trainer(training)
    weights, goals = start_weights(), DATA["goals"]
    expected = [
        SCALE * np.sum((weights["W"][ids] - goal) ** 2)
        + np.sum((goal @ weights["D"]) ** 2)
        for ids, goal in zip(DATA["ids"], goals, strict=True)
    ]
    loss = run_epoch(trainer, BATCHES, rates=0.0)
    assert loss == pytest.approx(np.mean(expected), rel=1e-5)


def test_alpha_adds_all_squared_weights_to_the_loss(training):
    squares = sum(np.sum(value**2) for value in start_weights().values())
    plain, penalised = (
        run_epoch(make_trainer(training, alpha=alpha), BATCHES, rates=0.0)
        for alpha in (0.0, 0.3)
    )
    difference = penalised - plain
    assert difference == pytest.approx(0.3 * squares, rel=1e-4)


@pytest.mark.case("P17")
def test_the_last_partial_batch_is_trained(training):
    trainer = make_trainer(training)
    run_epoch(trainer, BATCHES)
    moved = np.abs(trainer.snapshot()["W"] - start_weights()["W"]).max(axis=1)
    assert moved[5] > 0.01  # only the window of the last batch reads it


@pytest.mark.parametrize("optimizer", ["adam", "adagrad"])
def test_rows_stay_in_the_ball_after_every_update(training, optimizer):
    trainer = make_trainer(training, optimizer=optimizer, clipped=("W",), max_norm=0.8)
    for epoch in range(1, 4):
        run_epoch(trainer, BATCHES, seed=epoch)
        expected = reference_weights(epoch, optimizer, radius=0.8)
        found = trainer.snapshot()
        assert_same_weights(found, expected, rtol=1e-3, atol=1e-4)
        assert np.linalg.norm(found["W"], axis=1).max() <= 0.8 * (1 + 1e-6)


# Random numbers -----------------------------------------------------------------


def uniform_loss(ops, random, weights, settings, data, rows):
    numbers = ops.cast(random.uniform((ops.shape(rows)[0], 3)), "float32")
    return numbers[:, 0] + 0 * ops.sum(weights["W"]) + 0 * ops.sum(weights["D"])


def test_random_numbers_depend_on_seed_and_step(training):
    def draw(seed, n_before=0):
        trainer = make_trainer(training, uniform_loss)
        for _ in range(n_before):
            run_epoch(trainer, [range(4)], seed)
        return run_epoch(trainer, [range(4)], seed)

    assert draw(1) == draw(1)
    assert len({draw(1), draw(2), draw(1, n_before=1), draw(1, n_before=2)}) == 4


def kept_by_dropout(ops, random, weights, settings, data, rows):
    # The mean and, for the second window, the mean square tell share and size apart.
    ones = ops.ones((2, 100, 203))
    kept = random.dropout(ones, settings.scale)
    sums = ops.sum(ops.sum(kept, axis=2), axis=1)
    squares = ops.sum(ops.sum(ops.square(kept), axis=2), axis=1)
    zero = 0 * (ops.sum(weights["W"]) + ops.sum(weights["D"]))
    return ops.where(rows == 0, sums, squares) / 20_300 + zero


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_dropout_scales_up_what_it_keeps(training, rate):
    trainer = make_trainer(training, kept_by_dropout, scale=rate)
    loss = run_epoch(trainer, [[0, 1]])
    # Half the mean, 1, and half the mean square, 1 / (1 - rate).
    assert loss == pytest.approx((1 + 1 / (1 - rate)) / 2, rel=0.03)


def test_the_largest_dropout_gives_numbers(training):
    trainer = make_trainer(training, kept_by_dropout, scale=0.9999)
    assert np.isfinite(run_epoch(trainer, [[0, 1]]))


@pytest.mark.parametrize(
    "shape", [(40_001,), (30, 1_001), (7, 11, 401), (3, 5, 7, 301)]
)
def test_dropout_takes_tensors_of_any_rank(training, shape):
    from sklearn_attrec._training_ops import BatchRandom

    random = BatchRandom(
        training.tf.constant(3, "int64"), training.tf.constant(1, "int64")
    )
    kept = random.dropout(training.ops.ones(shape), 0.25).numpy()
    assert kept.shape == shape
    assert set(np.unique(kept)) == {0, np.float32(4 / 3)}
    assert np.mean(kept == 0) == pytest.approx(0.25, abs=0.02)
    again = random.dropout(training.ops.ones(shape), 0.25).numpy()
    assert (kept != again).any()  # each call has a stream of its own


def test_dropout_of_nothing_is_nothing(training):
    from sklearn_attrec._training_ops import BatchRandom

    random = BatchRandom(
        training.tf.constant(3, "int64"), training.tf.constant(1, "int64")
    )
    assert random.dropout(training.ops.ones((0, 4, 4)), 0.25).shape == (0, 4, 4)


@pytest.mark.parametrize("loss", ["hinge", "softmax"])
def test_negatives_differ_between_epochs(loss, small_interactions):
    # The weights stand still and one batch holds all windows: only what is drawn can
    # change the loss.
    model = fit(
        small_interactions,
        loss=loss,
        n_negatives=3,
        learning_rate=STANDING_STILL,
        max_iter=4,
    )
    losses = np.array([record["loss"] for record in model.history_])
    assert (np.abs(np.diff(losses)) > 1e-4 * losses[0]).all()


@pytest.mark.case("P8")
@pytest.mark.parametrize("params", [{}, {"loss": "softmax", "dropout": 0.3}])
def test_same_seed_same_bits(params, small_interactions):
    one = fit(small_interactions, random_state=3, **params)
    again = fit(small_interactions, random_state=3, **params)
    other = fit(small_interactions, random_state=4, **params)
    assert digest(one) == digest(again)
    assert digest(one) != digest(other)
    drop_seconds = [
        [{k: v for k, v in record.items() if k != "seconds"} for record in m.history_]
        for m in (one, again)
    ]
    assert drop_seconds[0] == drop_seconds[1]


SCRIPT = """
import hashlib
from sklearn_attrec import AttRecRecommender
from sklearn_attrec.datasets import make_interactions

model = AttRecRecommender(
    L=3, d=4, loss="hinge", dropout=0.2, batch_size=256, learning_rate=1e-3,
    schedule="constant", max_iter=2, random_state=0
).fit(make_interactions(30, 20, random_state=0))
parts = [model.weights_[name].tobytes() for name in sorted(model.weights_)]
print(hashlib.sha256(b"".join(parts)).hexdigest())
"""


def test_same_seed_same_bits_in_another_process():
    model = fit(make_interactions(30, 20, random_state=0), dropout=0.2)
    environment = os.environ | {"PYTHONHASHSEED": "123"}
    printed = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.split()[-1] == digest(model)


def test_global_random_state_is_neither_read_nor_changed(small_interactions):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one = fit(small_interactions)
    assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert digest(fit(small_interactions)) == digest(one)


# Batches ------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 59, 60, 1_000])
def test_every_window_is_trained_once_an_epoch(batch_size, small_interactions, epochs):
    # 12 users with 5 windows each; 60 = 59 + 1 leaves a batch of a single window.
    model = fit(small_interactions, batch_size=batch_size)
    assert len(epochs) == model.n_iter_ == 2
    for windows, _ in epochs:
        assert_array_equal(np.sort(windows), np.arange(60))
    assert (epochs[0][0] != epochs[1][0]).any()
    assert np.isfinite([record["loss"] for record in model.history_]).all()


@pytest.mark.case("P17")
@pytest.mark.parametrize("params", [{}, {"loss": "softmax", "dropout": 0.3}])
def test_a_batch_that_is_not_filled_is_like_one_that_is(params, small_interactions):
    full = fit(small_interactions, batch_size=60, **params)  # as many as windows
    assert digest(fit(small_interactions, batch_size=1_000, **params)) == digest(full)


@pytest.mark.parametrize("batch_size", [1, 59, 1_000])
def test_any_batch_size_trains_every_weight(batch_size, small_interactions):
    still = fit(small_interactions, learning_rate=STANDING_STILL)
    moved = fit(small_interactions, batch_size=batch_size, learning_rate=0.01)
    for name, value in moved.weights_.items():
        change = np.abs(value - still.weights_[name]).max(axis=1)
        if name in ("U", "V", "X"):
            assert (change > 1e-4).all(), name
        else:
            assert change.max() > 1e-4, name


@pytest.mark.case("P17")
def test_a_user_who_touched_every_item_may_begin_a_padded_batch():
    # The first user has no negatives; what fills up the last batch must not ask for
    # one.
    rows = [(0, item) for item in range(6)]
    rows += [(user, (user + step) % 6) for user in range(1, 6) for step in range(3)]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id"])
    model = fit(interactions, batch_size=4)  # 10 windows
    assert model.n_users_skipped_ == 1
    assert all(np.isfinite(value).all() for value in model.weights_.values())


def test_learning_rate_scales_the_step(small_interactions):
    still, one, two = (
        fit(small_interactions, learning_rate=rate, max_iter=1, max_norm=None)
        for rate in (STANDING_STILL, 0.01, 0.02)
    )
    steps = [np.abs(m.weights_["V"] - still.weights_["V"]).max() for m in (one, two)]
    assert 0 < steps[0] < 0.02
    assert steps[1] == pytest.approx(2 * steps[0], rel=0.01)


# Schedules ----------------------------------------------------------------------


@pytest.fixture
def rates(training, monkeypatch):
    """Learning rates of the steps of a fit, an array an epoch."""
    seen = []
    run = training.Trainer.run

    def recorded(self, windows, batch_size, learning_rates, *args):
        seen.append(np.array(learning_rates))
        return run(self, windows, batch_size, learning_rates, *args)

    monkeypatch.setattr(training.Trainer, "run", recorded)
    return seen


def test_a_constant_schedule_stays(small_interactions, rates):
    fit(small_interactions, schedule="constant", learning_rate=0.02, batch_size=7)
    assert_array_equal(np.concatenate(rates), np.full(2 * 9, 0.02))  # 60 windows


def test_a_linear_schedule_falls_to_zero(small_interactions, rates):
    settings = {"learning_rate": 0.02, "batch_size": 7, "max_iter": 4}
    fit(small_interactions, schedule="linear", **settings)
    assert [len(epoch) for epoch in rates] == [9] * 4
    assert_allclose(np.concatenate(rates), 0.02 * (1 - np.arange(36) / 36))


def test_a_cosine_schedule_rises_then_falls_to_zero(small_interactions, rates):
    settings = {"learning_rate": 0.02, "batch_size": 6, "max_iter": 10}
    fit(small_interactions, schedule="cosine", **settings)
    steps = np.concatenate(rates)
    assert len(steps) == 100
    peak = int(np.argmax(steps))
    assert 1 <= peak <= 10  # a few steps of a hundred
    assert 0 < steps[0] < 0.5 * steps[peak]
    assert (np.diff(steps[: peak + 1]) > 0).all()
    assert 0.95 * 0.02 < steps[peak] <= 0.02
    assert (np.diff(steps[peak:]) < 0).all()
    assert 0 <= steps[-1] < 0.001 * 0.02
    # Half a turn of the cosine on the way down: at half the way half the rate.
    assert steps[50] == pytest.approx(0.01, rel=0.05)
    assert_allclose(steps[10:], 0.01 * (1 + np.cos(np.pi * np.arange(10, 100) / 100)))


def test_few_steps_leave_no_room_to_warm_up(small_interactions, rates):
    fit(small_interactions, schedule="cosine", learning_rate=0.02, max_iter=3)
    assert_allclose(np.ravel(rates), 0.02 * np.array([1, 0.75, 0.25]))


# Clipping and penalty in the estimator ------------------------------------------


@pytest.mark.parametrize("max_norm", [0.6, 0.3])
@pytest.mark.parametrize("loss", ["hinge", "softmax"])
@pytest.mark.parametrize("optimizer", ["adam", "adagrad"])
def test_euclidean_rows_stay_in_the_ball(
    optimizer, loss, max_norm, small_interactions, epochs
):
    # One batch an epoch: the weights are looked at after each update.
    fit(
        small_interactions,
        optimizer=optimizer,
        loss=loss,
        max_norm=max_norm,
        learning_rate=0.5,
        max_iter=6,
    )
    longest = {
        name: max(np.linalg.norm(weights[name], axis=1).max() for _, weights in epochs)
        for name in ("U", "V", "X")
    }
    assert max(longest.values()) <= max_norm * (1 + 1e-6), longest
    # It is the ball that holds the rows.
    assert max(longest.values()) > 0.99 * max_norm, longest


@pytest.mark.parametrize("optimizer", ["adam", "adagrad"])
def test_rows_that_no_batch_touches_are_in_the_ball_too(optimizer):
    # Users with one interaction have no window.
    interactions = make_interactions(30, 30, n_per_user=(1, 3), random_state=0)
    model = fit(interactions, optimizer=optimizer, max_norm=0.1, max_iter=1)
    assert model.n_users_skipped_ > 0
    for name in ("U", "V", "X"):
        assert np.linalg.norm(model.weights_[name], axis=1).max() <= 0.1 * (1 + 1e-6)


@pytest.mark.parametrize("free", [{"similarity": "inner"}, {"max_norm": None}])
def test_rows_are_free_without_the_ball(free, small_interactions):
    model = fit(small_interactions, loss="bpr", learning_rate=0.2, max_iter=8, **free)
    for name in ("U", "V", "X"):
        assert np.linalg.norm(model.weights_[name], axis=1).max() > 1.05, name


def test_alpha_reaches_loss_and_gradient(small_interactions):
    still = {"learning_rate": STANDING_STILL, "max_iter": 1}
    plain = fit(small_interactions, **still)
    penalised = fit(small_interactions, alpha=0.1, **still)
    squares = sum(np.sum(value**2) for value in plain.weights_.values())
    difference = penalised.history_[0]["loss"] - plain.history_[0]["loss"]
    assert difference == pytest.approx(0.1 * squares, rel=1e-3)
    heavy = fit(small_interactions, alpha=10.0, learning_rate=0.02, max_iter=30)
    smaller = sum(np.sum(value**2) for value in heavy.weights_.values())
    assert smaller < 0.1 * squares


# One trace ----------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["hinge", "softmax"])
def test_fits_of_a_kind_share_one_trace(loss, small_interactions, training):
    fit(small_interactions, loss=loss)
    count = training._run_steps.experimental_get_tracing_count()
    fit(small_interactions, loss=loss)
    grid = [(0.0, 0.1, 1, 1), (0.2, 0.5, 2, 3), (1.0, 0.9, 7, 6)]
    for omega, gamma, L, d in grid:
        fit(small_interactions, loss=loss, omega=omega, gamma=gamma, L=L, d=d)
    others = {"learning_rate": 0.1, "batch_size": 8, "temperature": 0.5, "max_norm": 2}
    others |= {"n_targets": 2, "n_negatives": 4, "max_iter": 3}
    fit(make_interactions(9, 20, random_state=0), loss=loss, **others)
    assert training._run_steps.experimental_get_tracing_count() == count


# Warm start ---------------------------------------------------------------------


def test_warm_start_keeps_the_rows_of_known_users_and_items(small_interactions):
    model = fit(small_interactions, max_iter=3, learning_rate=0.05)
    users, items, weights = model.users_, model.items_, model.weights_
    # Users and items come in another order; some are gone, some are new.
    later = small_interactions.query("user_id > 3").iloc[::-1]
    later = later.assign(timestamp=-later["timestamp"])
    new = pd.DataFrame(
        {"user_id": [99, 99, 5], "item_id": [500, 501, 502], "timestamp": -9_999}
    )
    model.set_params(warm_start=True, learning_rate=STANDING_STILL, max_iter=1)
    model.fit(pd.concat([later, new]))
    assert model.users_.tolist() != users.tolist()
    kinds = {"U": (users, model.users_), "V": (items, model.items_)}
    for name, (old_ids, new_ids) in (kinds | {"X": kinds["V"]}).items():
        assert len(set(new_ids) - set(old_ids)) in (1, 3)
        old = dict(zip(old_ids.tolist(), weights[name], strict=True))
        for row, i in zip(model.weights_[name], new_ids.tolist(), strict=True):
            if i in old:
                assert_allclose(row, old[i], rtol=1e-6)
            else:
                assert 0 < np.linalg.norm(row) <= 1 + 1e-6
    for name in ("W_Q", "W_K"):
        assert_allclose(model.weights_[name], weights[name], rtol=1e-6)


def test_warm_start_goes_on_and_a_cold_one_does_not(small_interactions):
    warm = fit(small_interactions, max_iter=10, learning_rate=0.02, warm_start=True)
    cold = fit(small_interactions, max_iter=10, learning_rate=0.02)
    first = [record["loss"] for record in warm.history_]
    warm.fit(small_interactions)
    cold.fit(small_interactions)
    assert warm.history_[0]["loss"] < 0.9 * first[0]
    assert cold.history_[0]["loss"] == first[0]
    assert len(warm.history_) == warm.n_iter_ == 10


def test_warm_start_with_another_d_starts_anew(small_interactions):
    model = fit(small_interactions, warm_start=True)
    model.set_params(d=6).fit(small_interactions)
    assert digest(model) == digest(fit(small_interactions, d=6))


# Early stopping -----------------------------------------------------------------


def test_early_stopping_keeps_the_weights_of_the_best_epoch(epochs):
    interactions = make_interactions(60, 20, predictability=0.5, random_state=0)
    model = fit(
        interactions,
        early_stopping=True,
        learning_rate=0.05,
        max_iter=30,
        exclude_seen=False,
        validation_fraction=0.5,
        n_iter_no_change=4,
    )
    scores = [record["validation_score"] for record in model.history_]
    assert len(scores) == model.n_iter_ == len(epochs)
    best = int(np.argmax(scores))  # the first of equals
    assert best < len(scores) - 1  # or nothing is tested
    assert_same_weights(model.weights_, epochs[best][1])


def test_early_stopping_stops_when_nothing_grows(small_interactions):
    # No score can grow by 1, so only the first epoch counts as growth.
    model = fit(
        small_interactions, early_stopping=True, tol=1, n_iter_no_change=2, max_iter=20
    )
    assert model.n_iter_ == len(model.history_) == 3


def gain(places, k):
    """NDCG of one target an answer: 1 / log2(1 + rank) for those in the list."""
    return [1 / np.log2(2 + place) if place < k else 0 for place in places]


@pytest.mark.parametrize(
    "scoring, value",
    [("hit_rate", lambda places, k: places < k), ("ndcg", gain)],
)
@pytest.mark.parametrize("validation_fraction", [0.999, 1.0])  # both mean all users
def test_validation_score_is_that_of_the_held_out_items(
    validation_fraction, scoring, value, epochs
):
    interactions = make_interactions(40, 20, n_per_user=9, random_state=1)
    model = fit(
        interactions,
        early_stopping=True,
        scoring=scoring,
        validation_fraction=validation_fraction,
        exclude_seen=False,
        learning_rate=0.02,
        max_iter=4,
        n_iter_no_change=10,
        k=5,
    )
    by_user = interactions.groupby("user_id")["item_id"].agg(list)
    assert all(len(windows) == 40 * 7 for windows, _ in epochs)  # not 40 · 8
    lists = model.predict(
        by_user.index.tolist(), history=[items[:-1] for items in by_user], k=20
    )
    places = np.array(
        [
            found.index(row[-1])
            for row, found in zip(by_user, lists.tolist(), strict=True)
        ]
    )
    best = max(record["validation_score"] for record in model.history_)
    assert best == pytest.approx(np.mean(value(places, 5)), rel=1e-12)
    assert 0 < best < 1


def test_without_early_stopping_nothing_is_held_out(small_interactions):
    model = fit(small_interactions)
    assert all("validation_score" not in record for record in model.history_)


# Records, output, divergence ----------------------------------------------------


def test_history_has_one_record_an_epoch(small_interactions):
    model = fit(small_interactions, max_iter=5)
    assert [record["epoch"] for record in model.history_] == [1, 2, 3, 4, 5]
    assert model.n_iter_ == 5
    for record in model.history_:
        assert type(record["loss"]) is float
        assert record["loss"] > 0
        assert record["seconds"] >= 0


def test_loss_falls(small_interactions):
    model = fit(small_interactions, max_iter=30, learning_rate=0.02)
    losses = [record["loss"] for record in model.history_]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    "scoring, printed", [("hit_rate", "HR@10"), ("ndcg", "NDCG@10")]
)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_verbose_prints_a_line_an_epoch(
    early_stopping, scoring, printed, small_interactions, capsys
):
    model = fit(
        small_interactions,
        verbose=1,
        max_iter=3,
        early_stopping=early_stopping,
        scoring=scoring,
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_ == 3
    for line, record in zip(lines, model.history_, strict=True):
        assert line.startswith(f"Epoch {record['epoch']}/3 ")
        assert f"loss {record['loss']:.4f}" in line
        assert (f"{printed} " in line) == early_stopping
        assert line.count("@") == early_stopping


def test_nothing_is_printed_by_default(small_interactions, capsys):
    fit(small_interactions)
    assert capsys.readouterr().out == ""


@pytest.mark.case("F17")
@pytest.mark.parametrize("early_stopping", [False, True])
def test_divergence_is_an_error_that_keeps_the_earlier_fit(
    early_stopping, small_interactions
):
    model = fit(small_interactions)
    before, answer = digest(model), model.predict(1)
    model.set_params(learning_rate=1e30, batch_size=16, early_stopping=early_stopping)
    message = r"epoch 1, step \d of 4: loss \S+, .*learning rate 1e\+30"
    with pytest.raises(TrainingDivergedError, match=message) as error:
        model.fit(small_interactions.replace({"user_id": {1: 101}}))
    assert re.search(r"smaller learning_rate", str(error.value))
    assert digest(model) == before
    assert_array_equal(model.predict(1), answer)
    assert len(model.history_) == 2
