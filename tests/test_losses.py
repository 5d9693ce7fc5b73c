"""Losses of asking for the next item, against numbers worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec._networks import losses, sasrec
from sklearn_attrec._sampling import Popularity, index_popularity, index_untouched
from sklearn_attrec._sequences import Sequences
from sklearn_attrec.utils import _numpy_ops

# Scores of the four items: 1, 2, 3, −1 at the first place, which asks for item 2;
# 0, −1, −1, 0 at the second, which asks for item 0; and 1, −1, 0, −1 at the third,
# which asks for item 3. The first two are one user's window, the third is another's.
TABLE = np.array([[1, 0], [0, 1], [1, 1], [-1, 0]], np.float32)
QUERIES = np.array([[1, 2], [0, -1], [1, -1]], np.float32)
TARGETS = np.array([2, 0, 3])
USERS = np.array([0, 1])
WINDOWS = np.array([[0, 2], [3, 4]])
HISTORIES = Sequences(np.array([0, 2, 5]), np.array([2, 0, 0, 3, 2], "i4"), None)


@pytest.fixture(params=["numpy", "keras"])
def ops(request):
    if request.param == "numpy":
        return _numpy_ops
    from sklearn_attrec import _training_ops  # imports TensorFlow

    return _training_ops.ops


class Given:
    """Random numbers that the test gives."""

    def __init__(self, numbers):
        self.numbers = np.asarray(numbers)

    def uniform(self, shape):
        return self.numbers.reshape([int(n) for n in shape])

    def items(self, shape, n_items):
        return self.uniform(shape)


def settings_of(loss, n_negatives=0, calibration=0.75):
    return SimpleNamespace(loss=loss, n_negatives=n_negatives, calibration=calibration)


def next_item(ops, settings, random=None, data=None, windows=WINDOWS, **changed):
    given = {"queries": QUERIES, "users": USERS, "targets": TARGETS} | changed
    table = given.pop("table", TABLE)
    _, given["batch"] = sasrec.read_windows(ops, windows)
    loss = losses.next_item(ops, random, table, settings, data, **given)
    return np.asarray(loss).reshape(-1)


def untouched(n_items=4):
    """The first user may get items 1 and 3 of four, the second item 1 alone."""
    return {"untouched": index_untouched(HISTORIES, n_items)}


def logarithms(x):
    """−log σ(x), as a loss weighs a positive score."""
    return np.log1p(np.exp(-np.asarray(x, float)))


# By hand ------------------------------------------------------------------------


def test_softmax(ops):
    # log(e¹ + e² + e³ + e⁻¹) − 3, log(1 + e⁻¹ + e⁻¹ + 1) − 0 and
    # log(e¹ + e⁻¹ + 1 + e⁻¹) + 1, averaged.
    (loss,) = next_item(ops, settings_of("softmax"))
    assert loss == pytest.approx((0.4197198 + 1.0064088 + 2.4938119) / 3, rel=1e-5)


def test_bce(ops):
    # Each place has negatives of its own: 1 and 3, 1 and 3, 1 and 1.
    random = Given([[0.1, 0.9], [0.2, 0.7], [0.5, 0.6]])
    loss = next_item(ops, settings_of("bce", 2), random, untouched())
    assert_allclose(
        loss,
        [
            0.0485874 + 2.1269280 + 0.3132617,  # −log σ(3) − log σ(−2) − log σ(1)
            0.6931472 + 0.3132617 + 0.6931472,  # −log σ(0) − log σ(1) − log σ(0)
            1.3132617 + 2 * 0.3132617,  # −log σ(−1) − 2 log σ(1)
        ],
        rtol=1e-5,
    )


def test_gbce(ops):
    # Each window has negatives of its own: 1 and 3 for two places, 1 and 1 for one.
    random = Given([[0.1, 0.9], [0.5, 0.6]])
    loss = next_item(ops, settings_of("gbce", 2), random, untouched())
    # α = 2/3 and β = 2/3 (0.75 (1 − 3/2) + 3/2) = 0.75.
    assert_allclose(
        loss,
        [
            0.75 * 0.0485874 + 2.1269280 + 0.3132617,
            0.75 * 0.6931472 + 0.3132617 + 0.6931472,
            0.75 * 1.3132617 + 2 * 0.3132617,
        ],
        rtol=1e-5,
    )


def popular():
    shares = np.array([0.1, 0.2, 0.3, 0.4])
    return {"popularity": Popularity(shares.astype("f4"), np.cumsum(shares))}


def test_sampled_softmax(ops):
    # 0.05, 0.5 and 0.95 draw items 0, 2 and 3, of chances 0.1, 0.3 and 0.4. Of three
    # draws 0.3, 0.9 and 1.2 are expected, by which the powers are divided:
    # log(1 + (e¹/0.3 + e⁻¹/1.2) / e³) without the target 2,
    # log(1 + (e⁻¹/0.9 + e⁰/1.2) / e⁰) without the target 0 and
    # log(1 + (e¹/0.3 + e⁰/0.9) / e⁻¹) without the target 3.
    random = Given([0.05, 0.5, 0.95])
    loss = next_item(ops, settings_of("sampled_softmax", 3), random, popular())
    assert_allclose(loss, [0.3827966, 0.8074077, 3.3551717], rtol=1e-5)


CASES = {
    "softmax": (0, None, None),
    "bce": (1, Given([[0.1], [0.2], [0.5]]), untouched()),
    "gbce": (2, Given([[0.1, 0.9], [0.5, 0.6]]), untouched()),
    "sampled_softmax": (3, Given([0.05, 0.5, 0.95]), popular()),
}


@pytest.mark.parametrize("loss", CASES)
def test_a_bias_moves_all_scores_of_a_place(loss, ops):
    n_negatives, random, data = CASES[loss]
    settings = settings_of(loss, n_negatives)
    bias = np.array([[0.7], [-2.0], [1.0]], np.float32)
    moved = next_item(ops, settings, random, data, bias=bias)
    if loss == "bce":
        expected = logarithms([3.7, -2, 0]) + logarithms([-2.7, 3, 0])
    elif loss == "gbce":
        expected = 0.75 * logarithms([3.7, -2, 0])
        expected += logarithms([-2.7, 3, 0]) + logarithms([0.3, 2, 0])
    else:  # shares of a softmax do not depend on it
        expected = next_item(ops, settings, random, data)
    assert_allclose(moved, expected, rtol=1e-5)


# Calibration --------------------------------------------------------------------


def power_of(ops, n_negatives, n_items, calibration):
    """Weight of the positive, from losses where all scores are 0."""
    loss = next_item(
        ops,
        settings_of("gbce", n_negatives, calibration),
        Given(np.full((2, n_negatives), 0.5)),
        untouched(n_items),
        table=np.zeros((n_items, 2), np.float32),
    )
    return (loss - n_negatives * np.log(2)) / np.log(2)


@pytest.mark.parametrize("n_negatives, n_items", [(1, 11), (4, 9), (20, 21), (7, 300)])
@pytest.mark.parametrize("t", [0.0, 0.3, 0.75, 1.0])
def test_calibration_weighs_the_positive(n_negatives, n_items, t, ops):
    a = n_negatives / (n_items - 1)
    expected = a * ((1 - 1 / a) * t + 1 / a)
    found = power_of(ops, n_negatives, n_items, t)
    assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert expected == pytest.approx(1 - t * (1 - a))  # from 1 down to α


def test_without_calibration_gbce_is_bce(ops):
    # Windows of a single place draw as many negatives for either.
    given = {
        "windows": np.array([[0, 1], [1, 2], [3, 4]]),
        "users": np.array([0, 0, 1]),
    }
    uniforms = Given(np.random.default_rng(0).random((3, 5)))
    gbce, bce = (
        next_item(ops, settings_of(loss, 5, 0.0), uniforms, untouched(), **given)
        for loss in ("gbce", "bce")
    )
    assert_allclose(gbce, bce, rtol=1e-5)
    calibrated = next_item(
        ops, settings_of("gbce", 5, 0.5), uniforms, untouched(), **given
    )
    assert np.abs(calibrated - bce).min() > 0.01


# Negatives that stand for all items ---------------------------------------------


def test_sampled_softmax_estimates_the_sum_over_all_items():
    # e^(loss + score of the target) is the sum it divides by.
    random = np.random.default_rng(0)
    items = (20 * random.random(500) ** 2).astype("i4")
    data = {"popularity": index_popularity(Sequences(None, items, None), 20)}
    table = random.standard_normal((20, 2)).astype("f4")
    scores = (QUERIES @ table.T).astype(float)
    sums = [
        np.exp(
            next_item(
                _numpy_ops,
                settings_of("sampled_softmax", 60),
                Given(random.random(60)),
                data,
                table=table,
            )
            + scores[[0, 1, 2], TARGETS]
        )
        for _ in range(4_000)
    ]
    assert_allclose(np.mean(sums, axis=0), np.exp(scores).sum(axis=1), rtol=0.02)


def test_a_target_that_is_drawn_does_not_push_against_itself():
    import tensorflow as tf

    from sklearn_attrec._training_ops import ops

    # Item 2 alone is drawn, and it is the target of every place but the last.
    table = tf.Variable(TABLE)
    _, batch = sasrec.read_windows(ops, WINDOWS)
    with tf.GradientTape() as tape:
        loss = losses.next_item(
            ops,
            Given([0.5, 0.5, 0.5]),
            table,
            settings_of("sampled_softmax", 3),
            popular(),
            tf.constant(QUERIES),
            USERS,
            batch,
            np.array([2, 2, 0]),
        )
        total = tf.reduce_sum(loss)
    gradient = tf.convert_to_tensor(tape.gradient(total, table)).numpy()
    assert_array_equal(loss[:2], 0)  # there is nothing to tell the target from
    share = 1 / (1 + 0.3 * np.exp(1))  # of item 2, scored 0, where item 0 scores 1
    assert_allclose(gradient[0], -share * QUERIES[2], rtol=1e-5)
    assert_allclose(gradient[2], share * QUERIES[2], rtol=1e-5)
    assert_array_equal(gradient[[1, 3]], 0)


@pytest.mark.parametrize("loss", CASES)
def test_far_scores_do_not_overflow(loss, ops):
    n_negatives, random, data = CASES[loss]
    settings = settings_of(loss, n_negatives)
    found = next_item(ops, settings, random, data, queries=-50 * QUERIES)
    assert np.isfinite(found).all()
    assert found.max() > 20
