"""AttRec's forward pass and losses equal the paper's equations, written out in loops.

The equations are those of Zhang, Tay, Yao, Sun: Next Item Recommendation with
Self-Attention, 2018 (arXiv:1808.06414).
"""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec import AttRecRecommender
from sklearn_attrec._networks import losses
from sklearn_attrec._networks.attrec import (
    Settings,
    batch_loss,
    item_parts,
    query_parts,
    short_term,
)
from sklearn_attrec._networks.positions import sinusoids
from sklearn_attrec._sampling import index_untouched
from sklearn_attrec._sequences import Sequences, training_windows
from sklearn_attrec.utils import _numpy_ops

AGGREGATIONS = {"mean": np.mean, "sum": np.sum, "max": np.max, "min": np.min}
SIZES = [(1, 1), (1, 3), (5, 1), (3, 2), (4, 3), (5, 5), (2, 8), (6, 7)]


def training_ops():
    from sklearn_attrec import _training_ops  # imports TensorFlow

    return _training_ops.ops


@pytest.fixture(params=["numpy", "keras"])
def ops(request):
    return _numpy_ops if request.param == "numpy" else training_ops()


def settings_of(**params):
    """Settings as the estimator makes them of its parameters."""
    settings = AttRecRecommender(**params)._settings()
    assert isinstance(settings, Settings)
    return settings


def make_weights(d, n_users=3, n_items=9, seed=0, share_projection=False):
    random = np.random.default_rng(seed)
    shapes = {"U": (n_users, d), "V": (n_items, d), "X": (n_items, d)}
    shapes |= {"W_Q": (d, d), "W_K": (d, d)}
    if share_projection:
        del shapes["W_K"]
    return {
        name: random.standard_normal(shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def make_windows(L, d, seed=1):
    """One window of every number of real items from 1 to L, left-padded."""
    random = np.random.default_rng(seed)
    window = random.standard_normal((L, L, d)).astype(np.float32)
    real = np.arange(L) >= np.arange(L - 1, -1, -1)[:, None]
    return window, real


# The equations ------------------------------------------------------------------


def reference_signal(L, d):
    """TE(t, 2i) = sin(t / 10000^(2i/d)), TE(t, 2i + 1) = cos(t / 10000^(2i/d))."""
    signal = np.empty((L, d))
    for t in range(L):
        for column in range(d):
            i = column // 2
            angle = t / 10000 ** (2 * i / d)
            signal[t, column] = math.sin(angle) if column % 2 == 0 else math.cos(angle)
    return signal


def reference_short_term(weights, window, real, aggregation="mean"):
    """Equations 1 to 5 for one window (L, d) with real (L,)."""
    L, d = window.shape
    window = window.astype(np.float64)
    W_Q = weights["W_Q"].astype(np.float64)
    W_K = weights.get("W_K", weights["W_Q"]).astype(np.float64)
    signalled = window + reference_signal(L, d)
    query, key = np.maximum(signalled @ W_Q, 0), np.maximum(signalled @ W_K, 0)
    places = [t for t in range(L) if real[t]]
    attended = []
    for t in places:
        others = [s for s in places if s != t] or [t]
        powers = [math.exp(query[t] @ key[s] / math.sqrt(d)) for s in others]
        total = sum(powers)
        attended.append(
            sum(p / total * window[s] for p, s in zip(powers, others, strict=True))
        )
    return AGGREGATIONS[aggregation](attended, axis=0)


def reference_score(settings, weights, user, m, item):
    """Equation 6: −y(u, i), or the inner products."""
    omega = settings.omega
    U, V, X = (weights[name].astype(np.float64) for name in "UVX")
    if settings.similarity == "inner":
        return omega * U[user] @ V[item] + (1 - omega) * m @ X[item]
    far = sum((U[user][c] - V[item][c]) ** 2 for c in range(len(m)))
    near = sum((m[c] - X[item][c]) ** 2 for c in range(len(m)))
    return -(omega * far + (1 - omega) * near)


# The forward pass ---------------------------------------------------------------


@pytest.mark.parametrize("L, d", SIZES)
def test_time_signal(L, d):
    signal = sinusoids(L, d)
    assert signal.shape == (L, d)
    assert signal.dtype == np.float32
    assert_allclose(signal, reference_signal(L, d), atol=1e-6)


# Keras looks at static shapes, which training leaves open.
@pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")
@pytest.mark.parametrize("share_projection", [False, True])
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("L, d", SIZES)
def test_short_term_equals_the_equations(L, d, aggregation, share_projection, ops):
    settings = settings_of(
        L=L, d=d, aggregation=aggregation, share_projection=share_projection
    )
    weights = make_weights(d, share_projection=share_projection)
    window, real = make_windows(L, d)
    m = np.asarray(short_term(ops, weights, settings, window, real))
    assert m.shape == (L, d)
    assert m.dtype == np.float32
    for row in range(L):
        expected = reference_short_term(weights, window[row], real[row], aggregation)
        assert_allclose(m[row], expected, rtol=1e-4, atol=1e-5)


def test_a_shared_projection_reads_no_key_projection():
    weights = make_weights(3, share_projection=True)
    window, real = make_windows(4, 3)
    shared = settings_of(L=4, d=3, share_projection=True)
    two = settings_of(L=4, d=3)
    m = short_term(_numpy_ops, weights, shared, window, real)
    tied = weights | {"W_K": weights["W_Q"]}
    assert_allclose(m, short_term(_numpy_ops, tied, two, window, real), rtol=1e-6)
    other = weights | {"W_K": -weights["W_Q"]}
    m_other = short_term(_numpy_ops, other, two, window, real)
    assert np.abs(m - m_other).max() > 0.01


@pytest.mark.parametrize("similarity", ["euclidean", "inner"])
@pytest.mark.parametrize("omega", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("d", [1, 2, 3, 8])
def test_vectors_multiply_to_the_score(d, omega, similarity, ops):
    settings = settings_of(L=2, d=d, omega=omega, similarity=similarity)
    weights = make_weights(d)
    m = np.random.default_rng(5).standard_normal((3, d)).astype(np.float32)
    queries = query_parts(ops, settings, weights["U"], m)
    items = item_parts(ops, settings, weights["V"], weights["X"])
    expected = [
        [reference_score(settings, weights, u, m[u], i) for i in range(9)]
        for u in range(3)
    ]
    products = (
        np.asarray(query) @ np.asarray(item).T
        for query, item in zip(queries, items, strict=True)
    )
    assert_allclose(sum(products), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.case("P14")
@pytest.mark.parametrize("similarity", ["euclidean", "inner"])
@pytest.mark.parametrize("share_projection", [False, True])
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_keras_and_numpy_agree(aggregation, share_projection, similarity):
    L, d = 5, 7
    settings = settings_of(
        L=L,
        d=d,
        aggregation=aggregation,
        share_projection=share_projection,
        similarity=similarity,
    )
    # Rows in the unit ball, as in a trained model.
    weights = make_weights(d, n_users=L, share_projection=share_projection)
    weights = {name: value / 3 for name, value in weights.items()}
    window, real = make_windows(L, d)
    found = []
    for ops in (_numpy_ops, training_ops()):
        m = short_term(ops, weights, settings, window / 3, real)
        queries = query_parts(ops, settings, weights["U"], m)
        items = item_parts(ops, settings, weights["V"], weights["X"])
        found.append([np.asarray(value) for value in (m, *queries, *items)])
    for by_numpy, by_keras in zip(*found, strict=True):
        assert_allclose(by_numpy, by_keras, rtol=1e-5, atol=1e-5)


# What the window may and may not depend on --------------------------------------


@pytest.mark.case("P13")
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_padding_is_never_read(aggregation, ops):
    settings = settings_of(L=5, d=4, aggregation=aggregation)
    weights = make_weights(4)
    window, real = make_windows(5, 4)
    m = np.asarray(short_term(ops, weights, settings, window, real))
    other = np.where(real[:, :, None], window, 50).astype(np.float32)
    assert_array_equal(m, np.asarray(short_term(ops, weights, settings, other, real)))
    assert np.isfinite(m).all()


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_one_real_item_is_its_own_window(aggregation, ops):
    # Its diagonal stays open: masked, the softmax would divide 0 by 0.
    settings = settings_of(L=4, d=3, aggregation=aggregation)
    window, real = make_windows(4, 3)
    m = np.asarray(short_term(ops, make_weights(3), settings, window[:1], real[:1]))
    assert_allclose(m[0], window[0, -1], rtol=1e-6)


def test_time_signal_is_not_part_of_the_value(ops):
    # Attention from and to identical items gives back the item, without the signal.
    item = np.array([0.7, -1.2, 0.4], np.float32)
    window, real = np.tile(item, (1, 4, 1)), np.ones((1, 4), bool)
    m = short_term(ops, make_weights(3), settings_of(L=4, d=3), window, real)
    assert_allclose(np.asarray(m)[0], item, rtol=1e-5)


def test_rows_of_the_attention_sum_to_one(ops):
    # Each item is a unit vector of its own: the entries of m add up the weights.
    settings = settings_of(L=4, d=4, aggregation="sum")
    window, real = (
        np.tile(np.eye(4, dtype=np.float32), (4, 1, 1)),
        make_windows(4, 4)[1],
    )
    m = np.asarray(short_term(ops, make_weights(4), settings, window, real))
    assert_allclose(m.sum(axis=1), real.sum(axis=1), rtol=1e-5)
    assert (m >= 0).all()
    assert_array_equal(m[~real], 0)  # padding weighs nothing


def test_the_order_of_the_window_matters(ops):
    settings = settings_of(L=3, d=4)
    window = np.random.default_rng(0).standard_normal((1, 3, 4)).astype(np.float32)
    real = np.ones((1, 3), bool)
    weights = make_weights(4)
    m = np.asarray(short_term(ops, weights, settings, window, real))
    turned = window[:, ::-1].copy()
    turned = np.asarray(short_term(ops, weights, settings, turned, real))
    assert np.abs(m - turned).max() > 1e-3


# Errors of other implementations ------------------------------------------------


@pytest.mark.parametrize("aggregation, of", [("mean", np.mean), ("max", np.max)])
def test_the_diagonal_is_masked_before_the_softmax(aggregation, of, ops):
    # Of two items each attends to the other alone, with weight 1. Multiplying the
    # diagonal by 0 before the softmax, masking it after, or not at all gives less.
    settings = settings_of(L=2, d=3, aggregation=aggregation)
    window = np.random.default_rng(0).standard_normal((1, 2, 3)).astype(np.float32)
    real = np.ones((1, 2), bool)
    m = np.asarray(short_term(ops, make_weights(3), settings, window, real))
    assert_allclose(m[0], of(window[0], axis=0), rtol=1e-5)


@pytest.mark.case("P13")
def test_the_mean_is_over_real_rows_alone(ops):
    settings = settings_of(L=10, d=3)
    window = np.ones((1, 10, 3), np.float32)
    real = np.arange(10)[None] >= 8
    m = np.asarray(short_term(ops, make_weights(3), settings, window, real))
    assert_allclose(m[0], 1, rtol=1e-5)  # over padded rows too: 0.2


@pytest.mark.parametrize("aggregation, value", [("max", -1), ("min", 1)])
def test_padding_is_no_extreme(aggregation, value, ops):
    settings = settings_of(L=4, d=2, aggregation=aggregation)
    window = np.full((1, 4, 2), value, np.float32)
    window[:, :2] = 0
    real = np.array([[False, False, True, True]])
    m = np.asarray(short_term(ops, make_weights(2), settings, window, real))
    assert_allclose(m[0], value, rtol=1e-6)


def test_positions_count_within_the_window_not_the_batch(ops):
    settings = settings_of(L=4, d=6)
    weights, (window, real) = make_weights(6), make_windows(4, 6)
    one = np.asarray(short_term(ops, weights, settings, window[3:], real[3:]))
    many = np.tile(window[3:], (5, 1, 1)), np.tile(real[3:], (5, 1))
    many = np.asarray(short_term(ops, weights, settings, *many))
    assert_allclose(many, np.tile(one, (5, 1)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_small_embeddings_give_numbers(d, ops):
    # A time signal with d // 2 − 1 in a denominator gives NaN for d = 2 and 3.
    settings = settings_of(L=5, d=d)
    window, real = make_windows(5, d)
    m = np.asarray(short_term(ops, make_weights(d), settings, window, real))
    assert np.isfinite(m).all()


def test_large_affinities_do_not_overflow(ops):
    settings = settings_of(L=3, d=2)
    weights = make_weights(2)
    weights["W_Q"] = weights["W_K"] = 100 * np.ones((2, 2), np.float32)
    window, real = make_windows(3, 2)
    m = np.asarray(short_term(ops, weights, settings, 100 + window, real))
    assert np.isfinite(m).all()


# Losses -------------------------------------------------------------------------

POSITIVE = np.array([[1.0, 0.0], [2.0, 5.0], [-1.0, -2.0]], np.float32)
NEGATIVE = np.array([[0.8, -3.0], [2.0, 1.7], [-1.0, 0.0]], np.float32)
GIVEN = np.array([[1, 1], [1, 0], [1, 1]], np.float32)  # one target is missing


def test_hinge_by_hand(ops):
    loss = losses.hinge(ops, POSITIVE, NEGATIVE, GIVEN, 0.5)
    # max(0, 0.5 + s_j − s_i): 0.3 + 0 + 1.3 + 0, then 0.5 + 0.2, then
    # 0.5 + 1.5 + 1.5 + 2.5.
    assert_allclose(np.asarray(loss), [1.6, 0.7, 6.0], rtol=1e-5)


def test_bpr_by_hand(ops):
    loss = losses.bpr(ops, POSITIVE, NEGATIVE, GIVEN)
    differences = [[0.2, 4.0, -0.8, 3.0], [0.0, 0.3], [0.0, -1.0, -1.0, -2.0]]
    expected = [
        sum(-math.log(1 / (1 + math.exp(-x))) for x in row) for row in differences
    ]
    assert_allclose(np.asarray(loss), expected, rtol=1e-5)


def softmax_by_hand(positive, negative, given, margin, temperature):
    expected = []
    for row in range(len(positive)):
        rest = sum(math.exp(s / temperature) for s in negative[row])
        entropies = []
        for score, there in zip(positive[row], given[row], strict=True):
            if there:
                power = math.exp((score - margin) / temperature)
                entropies.append(-math.log(power / (power + rest)))
        expected.append(np.mean(entropies))
    return expected


@pytest.mark.parametrize("margin, temperature", [(0.0, 1.0), (0.5, 1.0), (0.3, 0.2)])
def test_softmax_by_hand(margin, temperature, ops):
    loss = losses.softmax(ops, POSITIVE, NEGATIVE, GIVEN, margin, temperature)
    expected = softmax_by_hand(POSITIVE, NEGATIVE, GIVEN, margin, temperature)
    assert_allclose(np.asarray(loss), expected, rtol=1e-4)


def test_softmax_leaves_out_negatives_of_minus_infinity(ops):
    negative = NEGATIVE.copy()
    negative[0, 0] = negative[2, 1] = -np.inf
    loss = losses.softmax(ops, POSITIVE, negative, GIVEN, 0.5, 0.2)
    expected = softmax_by_hand(POSITIVE, negative, GIVEN, 0.5, 0.2)
    assert_allclose(np.asarray(loss), expected, rtol=1e-4, atol=1e-6)


def test_softmax_without_any_negative_is_zero(ops):
    nothing = np.full_like(NEGATIVE, -np.inf)
    loss = losses.softmax(ops, POSITIVE, nothing, GIVEN, 0.5, 0.2)
    assert_array_equal(np.asarray(loss), np.zeros(3))


def test_losses_of_far_scores_do_not_overflow(ops):
    positive, negative = np.array([[-500.0]], np.float32), np.array([[500.0]], "f4")
    given = np.ones((1, 1), np.float32)
    assert float(losses.bpr(ops, positive, negative, given)[0]) == 1000
    assert float(losses.softmax(ops, positive, negative, given, 0.0, 0.1)[0]) == (
        pytest.approx(10_000)
    )


# The loss of a batch ------------------------------------------------------------

N_ITEMS = 9
HISTORIES = [[3, 1, 4, 1, 5], [2, 6, 0], [8, 7, 2, 0, 3, 4, 6, 5, 8]]


class Replay:
    """Random numbers that the test knows."""

    def __init__(self, uniforms):
        self.uniforms = uniforms

    def uniform(self, shape):
        numbers = self.uniforms.reshape(-1)[: int(np.prod([int(n) for n in shape]))]
        return numbers.reshape([int(n) for n in shape])

    def items(self, shape, n_items):
        return (self.uniform(shape) * int(n_items)).astype(np.int64)


def training_data():
    items = np.concatenate(HISTORIES).astype(np.int32)
    sequences = Sequences(np.cumsum([0, *map(len, HISTORIES)]), items, None)
    windows = training_windows(sequences)
    return windows, {
        "items": items.astype(np.int64),
        "indptr": sequences.indptr,
        "users": windows.users.astype(np.int64),
        "positions": windows.positions,
        "untouched": index_untouched(sequences, N_ITEMS),
    }


def reference_loss(settings, weights, uniforms, user, place, row):
    """Loss of the window of a user's items before a place, by the equations."""
    L, T = len(settings.before), len(settings.ahead)
    before = HISTORIES[user][:place][-L:]
    targets = HISTORIES[user][place : place + T]
    padding = [0] * (L - len(before))
    window = weights["X"][padding + before]
    real = [False] * len(padding) + [True] * len(before)
    m = reference_short_term(weights, window, real, settings.aggregation)

    n = settings.n_negatives
    if settings.loss == "softmax":
        negatives = [int(u * N_ITEMS) for u in uniforms.reshape(-1)[:n]]
        negatives = [item for item in negatives if item not in targets]
    else:
        left = sorted(set(range(N_ITEMS)) - set(HISTORIES[user]))
        own = uniforms.reshape(-1)[row * n : (row + 1) * n]
        negatives = [left[int(u * len(left))] for u in own]

    def score(item):
        return reference_score(settings, weights, user, m, item)

    if settings.loss == "hinge":
        return sum(
            max(0.0, settings.gamma + score(j) - score(i))
            for i in targets
            for j in negatives
        )
    if settings.loss == "bpr":
        return sum(
            math.log(1 + math.exp(score(j) - score(i)))
            for i in targets
            for j in negatives
        )
    scores = [[score(i) for i in targets]], [[score(j) for j in negatives]]
    given = [[1] * len(targets)]
    return softmax_by_hand(*scores, given, settings.gamma, settings.temperature)[0]


CASES = {
    "hinge": {"loss": "hinge"},
    "hinge, T = 1, inner": {"loss": "hinge", "n_targets": 1, "similarity": "inner"},
    "bpr, inner": {"loss": "bpr", "similarity": "inner"},
    "bpr, max": {"loss": "bpr", "aggregation": "max", "share_projection": True},
    "softmax": {"loss": "softmax", "n_negatives": 6},
    "softmax, T = 4, inner": {
        "loss": "softmax",
        "n_targets": 4,
        "n_negatives": 3,
        "similarity": "inner",
        "temperature": 0.7,
    },
}


def loss_case(case):
    params = {"L": 3, "d": 4, "n_negatives": 5, "dropout": 0.0} | CASES[case]
    settings = settings_of(**params)
    weights = make_weights(4, share_projection=settings.share_projection, seed=3)
    weights = {name: value / 2 for name, value in weights.items()}
    windows, data = training_data()
    rows = np.random.default_rng(2).permutation(len(windows.users))
    uniforms = np.random.default_rng(4).random((len(rows), settings.n_negatives))
    return settings, weights, windows, data, rows, uniforms


@pytest.mark.parametrize("case", CASES)
def test_loss_of_a_batch_equals_the_equations(case, ops):
    settings, weights, windows, data, rows, uniforms = loss_case(case)
    # The last user leaves one item: 1. Every window is asked for once.
    assert data["untouched"].counts.tolist() == [5, 6, 1]
    loss = batch_loss(ops, Replay(uniforms), weights, settings, data, rows)
    expected = []
    for row, window in enumerate(rows):
        user = windows.users[window]
        place = windows.positions[window] - data["indptr"][user]
        expected.append(reference_loss(settings, weights, uniforms, user, place, row))
    assert_allclose(np.asarray(loss), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_finite_differences(case):
    import tensorflow as tf

    settings, weights, _, data, rows, uniforms = loss_case(case)
    variables = {name: tf.Variable(value) for name, value in weights.items()}
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(
            batch_loss(
                training_ops(), Replay(uniforms), variables, settings, data, rows
            )
        )
    gradients = tape.gradient(loss, variables)
    precise = {name: value.astype(np.float64) for name, value in weights.items()}

    def total(name, change):
        moved = precise | {name: precise[name] + change}
        random = Replay(uniforms)
        return batch_loss(_numpy_ops, random, moved, settings, data, rows).sum()

    random = np.random.default_rng(6)
    for name, value in precise.items():
        gradient = tf.convert_to_tensor(gradients[name]).numpy()
        for _ in range(4):
            direction = random.standard_normal(value.shape)
            step = 1e-6
            slope = total(name, step * direction) - total(name, -step * direction)
            assert np.sum(gradient * direction) == pytest.approx(
                slope / (2 * step), rel=2e-3, abs=2e-3
            )


def test_older_items_and_other_users_change_no_window():
    settings, weights, windows, data, _, uniforms = loss_case("softmax")
    last = len(windows.users) - 1  # of the longest history, 8 items before it
    shape = settings.n_negatives

    def loss(items):
        random = Replay(uniforms.reshape(-1)[:shape])
        changed = data | {"items": items}
        return batch_loss(
            _numpy_ops, random, weights, settings, changed, np.array([last])
        )

    items = data["items"]
    older = items.copy()
    older[: len(items) - 1 - len(settings.before)] = 0
    assert_array_equal(loss(older), loss(items))
    newer = items.copy()
    newer[len(items) - 1 - len(settings.before)] = 0
    assert loss(newer) != loss(items)
