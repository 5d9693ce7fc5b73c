"""Next-item losses equal numbers worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec._interactions.sequences import Sequences
from sklearn_attrec._networks import losses, numpy_ops
from sklearn_attrec._networks.negative_sampling import (
    Popularity,
    draw_popular,
    index_popularity,
    index_untouched,
)
from sklearn_attrec._networks.window_batches import read_batch

# Three positions with the target items 2, 0 and 3. The four items score 1, 2, 3, −1 at
# the first, 0, −1, −1, 0 at the second and 1, −1, 0, −1 at the third. The first two
# are one user's window, the third is another's.
TABLE = np.array([[1, 0], [0, 1], [1, 1], [-1, 0]], np.float32)
QUERIES = np.array([[1, 2], [0, -1], [1, -1]], np.float32)
TARGETS = np.array([2, 0, 3])
USERS = np.array([0, 1])
WINDOWS = np.array([[0, 2], [3, 4]])
HISTORIES = Sequences(np.array([0, 2, 5]), np.array([2, 0, 0, 3, 2], "i4"), None)


@pytest.fixture(params=["numpy", "keras"])
def ops(request):
    if request.param == "numpy":
        return numpy_ops
    from sklearn_attrec._networks import keras_ops  # imports TensorFlow

    return keras_ops.ops


class Given:
    """Random numbers chosen by the test."""

    def __init__(self, numbers):
        self.numbers = np.asarray(numbers)

    def uniform(self, shape):
        return self.numbers.reshape([int(n) for n in shape])


def settings_of(loss, n_negatives=0, calibration=0.75):
    return SimpleNamespace(
        loss=loss, n_negatives=n_negatives, calibration=calibration, time_bias=""
    )


def batch_of(ops, windows, targets, users):
    data = dict.fromkeys(("items", "users"), np.zeros(windows.max() + 1, "i4"))
    batch = read_batch(ops, settings_of("softmax"), data, windows)
    return batch._replace(targets=targets, users=users)


def next_item(
    ops,
    settings,
    random=None,
    data=None,
    *,
    table=TABLE,
    queries=QUERIES,
    windows=WINDOWS,
    targets=TARGETS,
    users=USERS,
    bias=0.0,
):
    batch = batch_of(ops, windows, targets, users)
    given = table, settings, data or {}, queries, batch, bias
    return np.asarray(losses.next_item(ops, random, *given)).reshape(-1)


def untouched(n_items=4):
    """The first user has items 1 and 3 of four as negatives, the second item 1."""
    return {"untouched": index_untouched(HISTORIES, n_items)}


def neg_log_sigmoid(x):
    return np.log1p(np.exp(-np.asarray(x, float)))


def test_softmax(ops):
    # log(e¹ + e² + e³ + e⁻¹) − 3, log(1 + e⁻¹ + e⁻¹ + 1) − 0 and
    # log(e¹ + e⁻¹ + 1 + e⁻¹) + 1, averaged.
    (loss,) = next_item(ops, settings_of("softmax"))
    assert loss == pytest.approx((0.4197198 + 1.0064088 + 2.4938119) / 3, rel=1e-5)


# −log σ(s_i), and −log σ(−s_j) summed over the negatives, at each position.
POSITIVE = neg_log_sigmoid([3, 0, -1])
NEGATIVE = neg_log_sigmoid([-2, 1, 1]) + neg_log_sigmoid([1, 0, 1])


def test_bce(ops):
    # Each position has its own negatives: 1 and 3, 1 and 3, 1 and 1.
    random = Given([[0.1, 0.9], [0.2, 0.7], [0.5, 0.6]])
    loss = next_item(ops, settings_of("bce", 2), random, untouched())
    assert_allclose(loss, POSITIVE + NEGATIVE, rtol=1e-5)


def test_gbce(ops):
    # Each window has its own negatives: 1 and 3 for two positions, 1 and 1 for one.
    random = Given([[0.1, 0.9], [0.5, 0.6]])
    loss = next_item(ops, settings_of("gbce", 2), random, untouched())
    # α = 2/3 and β = 2/3 (0.75 (1 − 3/2) + 3/2) = 0.75.
    assert_allclose(loss, 0.75 * POSITIVE + NEGATIVE, rtol=1e-5)


def test_gbce_of_many_windows_is_that_of_each(ops):
    # Windows are scored in padded parts, each against its own negatives.
    lengths = np.arange(9, 0, -1)
    ends = lengths.cumsum()
    windows = np.stack([ends - lengths, ends], axis=1)
    random = np.random.default_rng(0)
    uniforms = random.random((9, 3))
    queries = random.standard_normal((ends[-1], 2)).astype("f4")
    targets, users = random.integers(4, size=ends[-1]), np.arange(9) % 2

    def loss_of(some):
        places = slice(windows[some][0, 0], windows[some][-1, 1])
        given = {"queries": queries[places], "targets": targets[places]}
        given |= {"users": users[some], "windows": windows[some]}
        random = Given(uniforms[some])
        return next_item(ops, settings_of("gbce", 3), random, untouched(), **given)

    alone = [loss_of(slice(row, row + 1)) for row in range(9)]
    assert_allclose(loss_of(slice(None)), np.concatenate(alone), rtol=1e-5)


def popular():
    shares = np.array([0.1, 0.2, 0.3, 0.4])
    return {"popularity": Popularity(shares.astype("f4"), np.cumsum(shares))}


def test_sampled_softmax(ops):
    # 0.05, 0.5 and 0.95 draw items 0, 2 and 3, expected 0.3, 0.9 and 1.2 times in three
    # draws, by which their exponentials are divided:
    # log(1 + (e¹/0.3 + e⁻¹/1.2) / e³) without the target 2,
    # log(1 + (e⁻¹/0.9 + e⁰/1.2) / e⁰) without the target 0 and
    # log(1 + (e¹/0.3 + e⁰/0.9) / e⁻¹) without the target 3, averaged.
    random = Given([0.05, 0.5, 0.95])
    (loss,) = next_item(ops, settings_of("sampled_softmax", 3), random, popular())
    assert loss == pytest.approx((0.3827966 + 0.8074077 + 3.3551717) / 3, rel=1e-5)


CASES = {
    "softmax": (0, None, None),
    "bce": (1, Given([[0.1], [0.2], [0.5]]), untouched()),
    "gbce": (2, Given([[0.1, 0.9], [0.5, 0.6]]), untouched()),
    "sampled_softmax": (3, Given([0.05, 0.5, 0.95]), popular()),
}


@pytest.mark.parametrize("loss", CASES)
def test_a_bias_is_added_to_all_scores_of_a_position(loss, ops):
    n_negatives, random, data = CASES[loss]
    settings = settings_of(loss, n_negatives)
    bias = np.array([[0.7], [-2.0], [1.0]], np.float32)
    moved = next_item(ops, settings, random, data, bias=bias)
    if loss == "bce":
        expected = neg_log_sigmoid([3.7, -2, 0]) + neg_log_sigmoid([-2.7, 3, 0])
    elif loss == "gbce":
        expected = 0.75 * neg_log_sigmoid([3.7, -2, 0])
        expected += neg_log_sigmoid([-2.7, 3, 0]) + neg_log_sigmoid([0.3, 2, 0])
    else:  # softmax does not depend on it
        expected = next_item(ops, settings, random, data)
    assert_allclose(moved, expected, rtol=1e-5)


@pytest.mark.parametrize("n_negatives, n_items", [(1, 11), (4, 9), (20, 21), (7, 300)])
@pytest.mark.parametrize("t", [0.0, 0.3, 0.75, 1.0])
def test_calibration_weighs_the_positive(n_negatives, n_items, t, ops):
    # Where all scores are 0, each term is log 2.
    loss = next_item(
        ops,
        settings_of("gbce", n_negatives, calibration=t),
        Given(np.full((2, n_negatives), 0.5)),
        untouched(n_items),
        table=np.zeros((n_items, 2), np.float32),
    )
    a = n_negatives / (n_items - 1)
    beta = a * ((1 - 1 / a) * t + 1 / a)
    assert_allclose(loss / np.log(2) - n_negatives, beta, rtol=1e-4, atol=1e-5)


def test_sampled_softmax_estimates_the_sum_over_all_items():
    # exp(loss + score of the target) is the estimate.
    random = np.random.default_rng(0)
    items = (20 * random.random(500) ** 2).astype("i4")
    data = {"popularity": index_popularity(Sequences(None, items, None), 20)}
    table = random.standard_normal((20, 2)).astype("f4")
    scores = (QUERIES @ table.T).astype(float)

    def estimate():
        drawn = draw_popular(numpy_ops, data["popularity"], random.random(60))
        loss = [
            numpy_ops.sampled_softmax_loss(query[None], table, target[None], *drawn)
            for query, target in zip(QUERIES, TARGETS, strict=True)
        ]
        return np.exp(loss + scores[[0, 1, 2], TARGETS])

    sums = [estimate() for _ in range(4_000)]
    assert_allclose(np.mean(sums, axis=0), np.exp(scores).sum(axis=1), rtol=0.02)


def test_a_target_drawn_as_a_negative_is_left_out():
    import tensorflow as tf

    from sklearn_attrec._networks.keras_ops import ops

    # Item 2 alone is drawn, and it is the target of the first two positions.
    table = tf.Variable(TABLE)
    batch = batch_of(ops, WINDOWS, np.array([2, 2, 0]), USERS)
    random, settings = Given([0.5, 0.5, 0.5]), settings_of("sampled_softmax", 3)
    with tf.GradientTape() as tape:
        loss = losses.next_item(
            ops, random, table, settings, popular(), tf.constant(QUERIES), batch
        )
        total = 3 * loss
    gradient = tf.convert_to_tensor(tape.gradient(total, table)).numpy()
    share = 1 / (1 + 0.3 * np.exp(1))  # of item 2, scored 0, where item 0 scores 1
    assert float(total) == pytest.approx(-np.log(1 - share), rel=1e-5)
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
