"""Training: update rules, batches, randomness, schedules, early stopping, curves."""

import hashlib
import os
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec import AttRecRecommender
from sklearn_attrec._training import loop
from sklearn_attrec._training.early_stopping import EarlyStopping
from sklearn_attrec._training.loop import TrainingPlan
from sklearn_attrec._training.schedules import (
    constant_until_decay,
    linear_decay,
    warm_up_cosine,
)
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.exceptions import TrainingDivergedError
from sklearn_attrec.models import _network

TINY_RATE = 1e-12  # a learning rate that leaves float32 weights unchanged


@pytest.fixture
def training():
    from sklearn_attrec._training import trainer  # imports TensorFlow

    return trainer


@pytest.fixture
def epochs(training, monkeypatch):
    """Windows of each epoch of a fit, in their order, and the weights after it."""
    seen = []
    run = training.Trainer.run
    monkeypatch.setattr(loop, "STEPS_PER_CALL", 10**6)

    def recorded(self, windows, *args):
        loss = run(self, windows, *args)
        seen.append((np.array(windows), self.snapshot()))
        return loss

    monkeypatch.setattr(training.Trainer, "run", recorded)
    return seen


def fit(interactions, **params):
    defaults = {"L": 3, "d": 4, "loss": "hinge", "dropout": 0.0, "batch_size": 256}
    defaults |= {"learning_rate": 1e-3, "max_iter": 2, "random_state": 0}
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
    """The same function under another name: a trace keeps the row limit of its time."""
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
    plan = TrainingPlan(batch_loss, Scale(scale), DATA, None, None, **options)
    return training.Trainer(plan, start_weights())


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
    n_epochs, alpha=0.0, lazy=False, radius=None, rates=None, beta_2=0.999
):
    """Adam as published, in a loop over epochs, batches and weights."""
    weights = {
        name: value.astype(np.float64) for name, value in start_weights().items()
    }
    first = {name: np.zeros_like(value) for name, value in weights.items()}
    second = {name: np.zeros_like(value) for name, value in weights.items()}
    if radius is not None:
        weights["W"] = into_ball(weights["W"], radius)
    for step, rows in enumerate(BATCHES * n_epochs, start=1):
        rate = 0.05 if rates is None else rates[step - 1]
        for name, gradient in reference_gradients(weights, rows, alpha).items():
            touched = np.arange(len(gradient))
            if lazy and name == "W":
                touched = np.unique(DATA["ids"][rows])
            g, m, v = gradient[touched], first[name], second[name]
            m[touched] = 0.9 * m[touched] + 0.1 * g
            v[touched] = beta_2 * v[touched] + (1 - beta_2) * g**2
            unbiased = m[touched] / (1 - 0.9**step)
            spread = np.sqrt(v[touched] / (1 - beta_2**step))
            weights[name][touched] -= rate * unbiased / (spread + 1e-8)
            if radius is not None and name == "W":
                weights[name] = into_ball(weights[name], radius)
    return weights


@pytest.mark.parametrize(
    ("trainer_options", "reference_options"),
    [
        ({}, {}),
        ({"alpha": 0.3}, {"alpha": 0.3}),
        ({"beta_2": 0.9}, {"beta_2": 0.9}),
        ({"bounded": ("W",), "max_norm": 0.8}, {"radius": 0.8}),
        ({"batch_loss": lazy_loss}, {"lazy": True}),
        ({"batch_loss": lazy_loss, "beta_2": 0.98}, {"lazy": True, "beta_2": 0.98}),
    ],
)
def test_updates_equal_numpy(training, trainer_options, reference_options, monkeypatch):
    if reference_options.get("lazy"):
        monkeypatch.setattr(training, "LAZY_ROWS", 4)
    trainer = make_trainer(training, **trainer_options)
    for epoch in range(1, 4):
        run_epoch(trainer, BATCHES, seed=epoch)
        expected = reference_weights(epoch, **reference_options)
        assert_same_weights(trainer.snapshot(), expected, rtol=1e-3, atol=1e-4)
    if "radius" in reference_options:
        norms = np.linalg.norm(trainer.snapshot()["W"], axis=1)
        assert norms.max() <= 0.8 * (1 + 1e-6)
    if reference_options.get("lazy"):
        # Dense Adam also moves rows along old moments; the difference must be visible.
        dense = reference_weights(3)
        assert np.abs(dense["W"] - trainer.snapshot()["W"]).max() > 1e-3
        assert_array_equal(trainer.snapshot()["W"][6], start_weights()["W"][6])


def test_a_step_reads_only_the_used_rows_of_a_variable(training):
    """A whole variable is copied when it is read, once single rows were updated."""
    tf, ops = training.tf, training.ops

    @tf.function(autograph=False)
    def gradient(table):
        with tf.GradientTape() as tape:
            rows = ops.take(table, tf.constant([3, 1, 3]), axis=0)
            loss = tf.reduce_sum(rows) * tf.cast(ops.shape(table)[0], tf.float32)
        return tape.gradient(loss, table)

    table = tf.Variable(np.ones((5, 2), np.float32), shape=[None, None])
    assert_array_equal(gradient(table).indices, [3, 1, 3])
    assert_array_equal(gradient(table).values, np.full((3, 2), 5))
    graph = gradient.get_concrete_function(table).graph
    assert "ReadVariableOp" not in {op.type for op in graph.get_operations()}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -7.5, 7.5])
def test_largest_weight(training, value):
    trainer = make_trainer(training)
    weights = 0.1 * trainer.snapshot()["W"]
    weights[3, 1] = value
    trainer.weights["W"].assign(weights)
    assert_array_equal(trainer.largest_weight(), abs(value))


def test_each_step_has_its_own_learning_rate(training):
    trainer = make_trainer(training)
    rates = np.array([[0.05, 0.2, 0.01], [0.03, 0.0, 0.1], [0.0, 0.04, 0.0]])
    for epoch in range(1, 4):
        run_epoch(trainer, BATCHES, seed=epoch, rates=rates[epoch - 1])
        expected = reference_weights(epoch, rates=rates.ravel())
        assert_same_weights(trainer.snapshot(), expected, rtol=1e-4, atol=2e-5)


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
    assert penalised - plain == pytest.approx(0.3 * squares, rel=1e-4)


@pytest.mark.case("P17")
def test_the_last_partial_batch_is_trained(training):
    trainer = make_trainer(training)
    run_epoch(trainer, BATCHES)
    moved = np.abs(trainer.snapshot()["W"] - start_weights()["W"]).max(axis=1)
    assert moved[5] > 0.01  # only the window of the last batch reads it


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
    # The mean of the first window and the mean square of the second tell apart how many
    # numbers are kept and how they are scaled.
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
    tf = training.tf
    random = training.BatchRandom(tf.constant(3, "int64"), tf.constant(1, "int64"))
    kept = random.dropout(training.ops.ones(shape), 0.25).numpy()
    assert kept.shape == shape
    assert set(np.unique(kept)) == {0, np.float32(4 / 3)}
    assert np.mean(kept == 0) == pytest.approx(0.25, abs=0.02)
    again = random.dropout(training.ops.ones(shape), 0.25).numpy()
    assert (kept != again).any()  # each call has a stream of its own


@pytest.mark.parametrize("shape", [(3,), (512, 5, 100), (1_100, 1_001)])
def test_dropout_masks_are_random_parts_of_the_pool(shape, training):
    tf = training.tf
    random = training.BatchRandom(
        tf.constant(3, "int64"),
        tf.constant(1, "int64"),
        training.draw_pool(tf.constant(3, "int64")),
    )
    masks = [random.dropout_mask(shape, 0.25) for _ in range(3)]
    for keep, factor in masks:
        assert keep.shape == shape
        assert set(np.unique(keep)) <= {0, 1}
        assert float(factor) == pytest.approx(4 / 3)
    first, second, _ = (np.asarray(keep).reshape(-1) for keep, _ in masks)
    if first.size > 3:
        assert first.mean() == pytest.approx(0.75, abs=0.01)
        # Each call reads another place: both are kept as often as by chance.
        assert (first * second).mean() == pytest.approx(0.75**2, abs=0.01)


def test_dropout_of_nothing_is_nothing(training):
    tf = training.tf
    random = training.BatchRandom(tf.constant(3, "int64"), tf.constant(1, "int64"))
    assert random.dropout(training.ops.ones((0, 4, 4)), 0.25).shape == (0, 4, 4)


@pytest.mark.parametrize("loss", ["hinge", "softmax"])
def test_negatives_differ_between_epochs(loss, small_interactions):
    # The weights do not move and one batch holds all windows, so only the negatives
    # drawn can change the loss.
    model = fit(
        small_interactions,
        loss=loss,
        n_negatives=3,
        learning_rate=TINY_RATE,
        max_iter=4,
    )
    losses = np.array(model.loss_curve_)
    assert (np.abs(np.diff(losses)) > 1e-4 * losses[0]).all()


@pytest.mark.case("P8")
@pytest.mark.parametrize("params", [{}, {"loss": "softmax", "dropout": 0.3}])
def test_same_seed_same_bits(params, small_interactions):
    one = fit(small_interactions, random_state=3, **params)
    again = fit(small_interactions, random_state=3, **params)
    other = fit(small_interactions, random_state=4, **params)
    assert digest(one) == digest(again)
    assert digest(one) != digest(other)
    assert one.loss_curve_ == again.loss_curve_


SCRIPT = """
import hashlib
from sklearn_attrec import AttRecRecommender
from sklearn_attrec.datasets import make_interactions

model = AttRecRecommender(
    L=3, d=4, loss="hinge", dropout=0.2, batch_size=256, learning_rate=1e-3,
    max_iter=2, random_state=0
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
def test_every_window_is_trained_once_per_epoch(batch_size, small_interactions, epochs):
    # 12 users with 5 windows each; 60 = 59 + 1 leaves a batch of a single window.
    model = fit(small_interactions, batch_size=batch_size)
    assert len(epochs) == model.n_iter_ == 2
    targets = np.setdiff1d(np.arange(72), model.history_indptr_)  # none comes first
    for windows, _ in epochs:
        assert_array_equal(np.sort(windows), targets)
    assert (epochs[0][0] != epochs[1][0]).any()
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.case("P17")
@pytest.mark.parametrize("params", [{}, {"loss": "softmax", "dropout": 0.3}])
def test_a_batch_size_beyond_the_windows_changes_nothing(params, small_interactions):
    full = fit(small_interactions, batch_size=60, **params)  # as many as windows
    assert digest(fit(small_interactions, batch_size=1_000, **params)) == digest(full)


@pytest.mark.parametrize("batch_size", [1, 59, 1_000])
def test_any_batch_size_trains_every_weight(batch_size, small_interactions):
    fixed = fit(small_interactions, learning_rate=TINY_RATE)
    moved = fit(small_interactions, batch_size=batch_size, learning_rate=0.01)
    for name, value in moved.weights_.items():
        change = np.abs(value - fixed.weights_[name]).max(axis=1)
        if name in ("U", "V", "X"):
            assert (change > 1e-4).all(), name
        else:
            assert change.max() > 1e-4, name


@pytest.mark.case("P17")
def test_a_user_who_touched_every_item_may_begin_a_padded_batch():
    # The first user has no negatives; padding of the last batch must not need one.
    rows = [(0, item) for item in range(6)]
    rows += [(user, (user + step) % 6) for user in range(1, 6) for step in range(3)]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id"])
    model = fit(interactions, batch_size=4)  # 10 windows
    assert model.n_users_skipped_ == 1
    assert all(np.isfinite(value).all() for value in model.weights_.values())


def test_learning_rate_scales_the_step(small_interactions):
    fixed, one, two = (
        fit(small_interactions, learning_rate=rate, max_iter=1, max_norm=None)
        for rate in (TINY_RATE, 0.01, 0.02)
    )
    steps = [np.abs(m.weights_["V"] - fixed.weights_["V"]).max() for m in (one, two)]
    assert 0 < steps[0] < 0.02
    assert steps[1] == pytest.approx(2 * steps[0], rel=0.01)


# Schedules ----------------------------------------------------------------------


def test_linear_decay_falls_to_zero():
    done = np.arange(36) / 36
    assert_allclose(linear_decay(done, 1 / 36), 1 - done)


def test_warm_up_cosine_rises_then_falls_to_zero():
    done = np.arange(100) / 100
    shares = warm_up_cosine(done, 1 / 100)
    assert_allclose(shares[:5], [0.2, 0.4, 0.6, 0.8, shares[4]])
    assert_allclose(shares[4:], (1 + np.cos(np.pi * done[4:])) / 2)
    assert shares.max() > 0.99
    # A fit of three steps has no room to warm up.
    assert_allclose(warm_up_cosine(np.arange(3) / 3, 1 / 3), [1, 0.75, 0.25])


def test_the_schedule_runs_over_all_steps_of_a_fit(
    training, small_interactions, monkeypatch
):
    rates, run = [], training.Trainer.run

    def recorded(self, windows, batch_size, learning_rates, *args):
        rates.append(np.array(learning_rates))
        return run(self, windows, batch_size, learning_rates, *args)

    monkeypatch.setattr(training.Trainer, "run", recorded)
    fit(small_interactions, learning_rate=0.02, batch_size=7, max_iter=4)
    assert [len(epoch) for epoch in rates] == [9] * 4  # 60 windows
    assert_allclose(np.concatenate(rates), 0.02 * (1 - np.arange(36) / 36))


# Clipping and penalty in the estimator ------------------------------------------


@pytest.mark.parametrize("max_norm", [0.6, 0.3])
@pytest.mark.parametrize("loss", ["hinge", "softmax"])
def test_rows_stay_in_the_ball(loss, max_norm, small_interactions, epochs):
    # One batch per epoch: the weights are read after each update.
    fit(
        small_interactions,
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


def test_rows_that_no_batch_touches_are_in_the_ball_too():
    # Users with one interaction have no window.
    interactions = make_interactions(30, 30, n_per_user=(1, 3), random_state=0)
    model = fit(interactions, max_norm=0.1, max_iter=1)
    assert model.n_users_skipped_ > 0
    for name in ("U", "V", "X"):
        assert np.linalg.norm(model.weights_[name], axis=1).max() <= 0.1 * (1 + 1e-6)


@pytest.mark.parametrize("free", [{"loss": "bpr"}, {"max_norm": None}])
def test_rows_are_free_without_the_ball(free, small_interactions):
    model = fit(small_interactions, learning_rate=0.3, max_iter=12, **free)
    for name in ("U", "V", "X"):
        assert np.linalg.norm(model.weights_[name], axis=1).max() > 1.05, name


def test_alpha_reaches_loss_and_gradient(small_interactions):
    fixed = {"learning_rate": TINY_RATE, "max_iter": 1}
    plain = fit(small_interactions, **fixed)
    penalised = fit(small_interactions, alpha=0.1, **fixed)
    squares = sum(np.sum(value**2) for value in plain.weights_.values())
    difference = penalised.loss_curve_[0] - plain.loss_curve_[0]
    assert difference == pytest.approx(0.1 * squares, rel=1e-3)
    heavy = fit(small_interactions, alpha=10.0, learning_rate=0.02, max_iter=90)
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


# Early stopping -----------------------------------------------------------------


def test_early_stopping_keeps_the_weights_of_the_best_epoch(epochs):
    interactions = make_interactions(60, 20, predictability=0.5, random_state=0)
    model = fit(
        interactions,
        early_stopping=True,
        learning_rate=0.1,
        max_iter=30,
        exclude_seen=False,
        validation_fraction=0.5,
    )
    scores = model.validation_scores_
    assert len(scores) == model.n_iter_ == len(epochs)
    best = int(np.argmax(scores))  # the first of equals
    assert best < len(scores) - 1  # or nothing is tested
    assert_same_weights(model.weights_, epochs[best][1])


@pytest.mark.parametrize(
    "scores, max_iter, decay",
    [
        ([], 20, None),
        ([0.1, 0.3, 0.2], 20, None),
        ([0.1, 0.3, 0.2, 0.3], 20, (4, 6)),
        ([0.1, 0.3, 0.30005, 0.2], 20, (4, 6)),  # better, but not by the tolerance
        ([0.1, 0.3, 0.2, 0.2, 0.5], 20, (4, 6)),  # it goes on, whatever comes
        ([*range(12)], 20, None),
        ([*range(13)], 20, (13, 19)),  # so that the decay is complete at max_iter
        ([*range(10), 8, 8], 100, (12, 18)),
        ([1], 1, (1, 1)),
        ([1], 2, (1, 2)),
    ],
)
def test_the_rate_decreases_once_the_score_stalls(scores, max_iter, decay):
    stopping = EarlyStopping(None, max_iter)
    assert stopping.decay(scores) == decay


def test_early_stopping_keeps_the_first_of_the_best_weights():
    scores = iter([0.1, 0.3, 0.2, 0.3])
    stopping = EarlyStopping(lambda weights: next(scores), max_iter=9)
    for epoch in range(4):
        stopping.update({"epoch": epoch})
    assert (stopping.best_score, stopping.best_weights) == (0.3, {"epoch": 1})


def test_the_rate_is_constant_until_the_decay():
    half = np.array([0, 0.5])  # two steps per epoch
    assert constant_until_decay(half, 0.5, None).tolist() == [0.5, 1]
    assert constant_until_decay(7 + half, 0.5, None).tolist() == [1, 1]
    assert constant_until_decay(8 + half, 0.5, (8, 10)).tolist() == [1, 0.75]
    assert constant_until_decay(9 + half, 0.5, (8, 10)).tolist() == [0.5, 0.25]


def test_early_stopping_stops_a_fit(small_interactions):
    # The weights do not move, so that no score is better than the first.
    stop = {"early_stopping": True, "max_iter": 20}
    model = fit(small_interactions, learning_rate=TINY_RATE, **stop)
    assert model.n_iter_ == len(model.validation_scores_) == 3 + 2


def test_validation_score_is_the_ndcg_of_the_held_out_items(epochs):
    interactions = make_interactions(40, 20, n_per_user=9, random_state=1)
    model = fit(
        interactions,
        early_stopping=True,
        exclude_seen=False,
        learning_rate=0.02,
        max_iter=4,
        k=5,
    )
    by_user = interactions.groupby("user_id")["item_id"].agg(list)
    assert all(len(windows) == 40 * 7 for windows, _ in epochs)  # not 40 · 8
    histories = [items[:-1] for items in by_user]
    lists = model.predict(by_user.index.tolist(), history=histories, k=20).tolist()
    places = [
        found.index(items[-1]) for items, found in zip(by_user, lists, strict=True)
    ]
    gains = [1 / np.log2(2 + place) if place < 5 else 0 for place in places]
    assert 0 < max(model.validation_scores_) < 1
    assert max(model.validation_scores_) == pytest.approx(np.mean(gains), rel=1e-12)


@pytest.mark.parametrize(
    ("fraction", "n_held_out"), [(None, 40), (1, 40), (0.25, 10), (0.001, 1)]
)
def test_number_of_held_out_users(fraction, n_held_out, epochs):
    interactions = make_interactions(40, 20, n_per_user=9, random_state=1)
    fit(interactions, early_stopping=True, validation_fraction=fraction, max_iter=1)
    ((windows, _),) = epochs
    assert len(windows) == 40 * 8 - n_held_out


def test_by_default_no_more_users_are_held_out_than_needed(epochs, monkeypatch):
    monkeypatch.setattr(_network, "N_VALIDATION_USERS", 15)
    interactions = make_interactions(40, 20, n_per_user=9, random_state=1)
    fit(interactions, early_stopping=True, max_iter=1)
    ((windows, _),) = epochs
    assert len(windows) == 40 * 8 - 15


def test_without_early_stopping_nothing_is_held_out(small_interactions):
    assert fit(small_interactions).validation_scores_ is None


# Curves, output, divergence -----------------------------------------------------


def test_loss_curve_has_one_decreasing_value_per_epoch(small_interactions):
    model = fit(small_interactions, max_iter=30, learning_rate=0.02)
    assert len(model.loss_curve_) == model.n_iter_ == 30
    assert {type(loss) for loss in model.loss_curve_} == {float}
    assert 0 < model.loss_curve_[-1] < 0.7 * model.loss_curve_[0]


@pytest.mark.parametrize("early_stopping", [False, True])
def test_verbose_prints_one_line_per_epoch(early_stopping, small_interactions, capsys):
    model = fit(
        small_interactions, verbose=1, max_iter=3, early_stopping=early_stopping
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_ == 3
    for epoch, (line, loss) in enumerate(zip(lines, model.loss_curve_, strict=True), 1):
        assert line.startswith(f"Epoch {epoch}/3 ")
        assert f"loss {loss:.4f}" in line
        assert ("NDCG@10 " in line) == early_stopping


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
    message = r"epoch 1, step \d of \d.*1e\+30.*smaller learning_rate"
    with pytest.raises(TrainingDivergedError, match=message):
        model.fit(small_interactions.replace({"user_id": {1: 101}}))
    assert digest(model) == before
    assert_array_equal(model.predict(1), answer)
    assert len(model.loss_curve_) == 2
