"""AttRec's forward pass and losses equal the paper's equations, written out in loops.

The equations are those of Zhang, Tay, Yao, Sun: Next Item Recommendation with
Self-Attention, 2018 (arXiv:1808.06414).
"""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from test_time_buckets import reference_bucket

from sklearn_attrec import AttRecRecommender
from sklearn_attrec._interactions.sequences import Sequences
from sklearn_attrec._interactions.windows import training_targets
from sklearn_attrec._networks import losses, numpy_ops
from sklearn_attrec._networks.attrec import (
    batch_loss,
    item_parts,
    make_settings,
    query_parts,
    short_term,
)
from sklearn_attrec._networks.negative_sampling import index_untouched
from sklearn_attrec._networks.positions import sinusoids

N_ITEMS = 9
AGGREGATIONS = {"mean": np.mean, "sum": np.sum, "max": np.max, "min": np.min}
SIZES = [(1, 1), (1, 3), (5, 1), (3, 2), (4, 3), (5, 5), (2, 8), (6, 7)]


def training_ops():
    from sklearn_attrec._networks import keras_ops  # imports TensorFlow

    return keras_ops.ops


@pytest.fixture(params=["numpy", "keras"])
def ops(request):
    return numpy_ops if request.param == "numpy" else training_ops()


def settings_of(loss="hinge", **params):
    """Settings as the estimator derives them from its parameters."""
    model = AttRecRecommender(loss=loss, **params)
    return make_settings(**model._settings(N_ITEMS, longest=9))


def make_weights(d, n_users=3, n_items=N_ITEMS, seed=0, share_projection=False):
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
    """One window of each length from 1 to L, left-padded."""
    window = np.random.default_rng(seed).standard_normal((L, L, d)).astype("f4")
    mask = np.arange(L) >= np.arange(L - 1, -1, -1)[:, None]
    return window, mask


def rows_of(window):
    """The rows of a window, in another order, and where each stands."""
    codes = np.random.default_rng(7).permutation(window[:, :, 0].size)
    rows = np.empty_like(window.reshape(len(codes), -1))
    rows[codes] = window.reshape(rows.shape)
    return rows, codes.reshape(window.shape[:2])


def reference_signal(L, d):
    """TE(t, 2i) = sin(t / 10000^(2i/d)), TE(t, 2i + 1) = cos(t / 10000^(2i/d))."""
    signal = np.empty((L, d))
    for t in range(L):
        for column in range(d):
            angle = t / 10000 ** (2 * (column // 2) / d)
            signal[t, column] = math.sin(angle) if column % 2 == 0 else math.cos(angle)
    return signal


def reference_time_bias(settings, weights, times):
    """Bias of the attention of items t to items s, (L, L); the last time is now."""
    *times, now = times
    now = now if settings.time_bias == "request" else times[-1]
    pair, age = weights["b_pair"], weights["b_age"]
    return [
        [
            pair[reference_bucket(abs(time - other))]
            + age[reference_bucket(now - other)]
            for other in times
        ]
        for time in times
    ]


def reference_short_term(weights, window, mask, aggregation="mean", bias=None):
    """Equations 1 to 5 for one window (L, d) with its padding mask (L,)."""
    L, d = window.shape
    window = window.astype(np.float64)
    W_Q = weights["W_Q"].astype(np.float64)
    W_K = weights.get("W_K", weights["W_Q"]).astype(np.float64)
    signalled = window + reference_signal(L, d)
    query, key = np.maximum(signalled @ W_Q, 0), np.maximum(signalled @ W_K, 0)
    bias = np.zeros((L, L)) if bias is None else bias
    places = [t for t in range(L) if mask[t]]
    attended = []
    for t in places:
        others = [s for s in places if s != t] or [t]
        logits = [query[t] @ key[s] / math.sqrt(d) + bias[t][s] for s in others]
        powers = [math.exp(logit) for logit in logits]
        total = sum(powers)
        attended.append(
            sum(p / total * window[s] for p, s in zip(powers, others, strict=True))
        )
    return AGGREGATIONS[aggregation](attended, axis=0)


def reference_score(settings, weights, user, m, item):
    """Equation 6: −y(u, i), or inner products for BPR."""
    omega = settings.omega
    U, V, X = (weights[name].astype(np.float64) for name in "UVX")
    if settings.loss == "bpr":
        return omega * U[user] @ V[item] + (1 - omega) * m @ X[item]
    far = sum((U[user][c] - V[item][c]) ** 2 for c in range(len(m)))
    near = sum((m[c] - X[item][c]) ** 2 for c in range(len(m)))
    return -(omega * far + (1 - omega) * near)


@pytest.mark.parametrize("L, d", SIZES)
def test_time_signal(L, d):
    signal = sinusoids(L, d)
    assert signal.shape == (L, d)
    assert signal.dtype == np.float32
    assert_allclose(signal, reference_signal(L, d), atol=1e-6)


# Keras looks at static shapes, which training leaves open.
@pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")
@pytest.mark.case("P14")
@pytest.mark.parametrize("share_projection", [False, True])
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("L, d", SIZES)
def test_short_term_equals_the_equations(L, d, aggregation, share_projection):
    settings = settings_of(
        L=L, d=d, aggregation=aggregation, share_projection=share_projection
    )
    weights = make_weights(d, share_projection=share_projection)
    window, mask = make_windows(L, d)
    by_numpy, by_keras = (
        np.asarray(short_term(ops, weights, settings, *rows_of(window), mask))
        for ops in (numpy_ops, training_ops())
    )
    assert by_numpy.shape == (L, d)
    assert by_numpy.dtype == np.float32
    for row in range(L):
        expected = reference_short_term(weights, window[row], mask[row], aggregation)
        assert_allclose(by_numpy[row], expected, rtol=1e-4, atol=1e-5)
    assert_allclose(by_keras, by_numpy, rtol=1e-5, atol=1e-5)


@pytest.mark.case("P14")
@pytest.mark.parametrize("loss", ["hinge", "bpr"])
@pytest.mark.parametrize("omega", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("d", [1, 2, 3, 8])
def test_vectors_multiply_to_the_score(d, omega, loss):
    settings = settings_of(loss, L=2, d=d, omega=omega)
    weights = make_weights(d)
    m = np.random.default_rng(5).standard_normal((3, d)).astype(np.float32)
    by_numpy, by_keras = (
        [
            *query_parts(ops, settings, weights["U"], m),
            *item_parts(ops, settings, weights["V"], weights["X"]),
        ]
        for ops in (numpy_ops, training_ops())
    )
    for one, other in zip(by_numpy, by_keras, strict=True):
        assert_allclose(one, np.asarray(other), rtol=1e-5, atol=1e-5)
    n = len(by_numpy) // 2
    products = (
        query @ item.T for query, item in zip(by_numpy[:n], by_numpy[n:], strict=True)
    )
    expected = [
        [reference_score(settings, weights, u, m[u], i) for i in range(N_ITEMS)]
        for u in range(3)
    ]
    assert_allclose(sum(products), expected, rtol=1e-4, atol=1e-4)


A, B = [0.7, -1.2, 0.4], [-0.3, 1.5, 0.9]


@pytest.mark.case("P13")
@pytest.mark.parametrize("padding", [0, 50, -50])
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("items", [[A], [A, B], [A, A, A]], ids=["A", "AB", "AAA"])
def test_short_term_by_hand(items, aggregation, padding, ops):
    # A single item attends to itself. Of two, each attends to the other alone: its own
    # weight is masked before the softmax, not after it. Three equal items give the item
    # back: the time signal is not part of the value. Padding is never read.
    n = len(items)
    settings = settings_of(L=5, d=3, aggregation=aggregation)
    window = np.full((1, 5, 3), padding, np.float32)
    window[0, -n:] = items
    mask = np.arange(5)[None] >= 5 - n
    m = np.asarray(short_term(ops, make_weights(3), settings, *rows_of(window), mask))
    assert_allclose(m[0], AGGREGATIONS[aggregation](items, axis=0), rtol=1e-5)


def test_large_logits_do_not_overflow(ops):
    settings = settings_of(L=3, d=2)
    weights = make_weights(2)
    weights["W_Q"] = weights["W_K"] = 100 * np.ones((2, 2), np.float32)
    window, mask = make_windows(3, 2)
    m = np.asarray(short_term(ops, weights, settings, *rows_of(100 + window), mask))
    assert np.isfinite(m).all()


POSITIVE = np.array([[1.0, 0.0], [2.0, -5.0], [-1.0, -2.0]], np.float32)
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
        powers = [
            math.exp((score - margin) / temperature)
            for score, there in zip(positive[row], given[row], strict=True)
            if there
        ]
        expected.append(np.mean([-math.log(p / (p + rest)) for p in powers]))
    return expected


@pytest.mark.parametrize("margin, temperature", [(0.0, 1.0), (0.5, 1.0), (0.3, 0.2)])
def test_softmax_by_hand(margin, temperature, ops):
    negative = numpy_ops.logsumexp(NEGATIVE / np.float32(temperature), axis=1)
    loss = losses.softmax(ops, POSITIVE, negative, GIVEN, GIVEN, margin, temperature)
    expected = softmax_by_hand(POSITIVE, NEGATIVE, GIVEN, margin, temperature)
    assert_allclose(np.asarray(loss), expected, rtol=1e-4, atol=1e-6)


def test_softmax_without_any_negative_is_zero(ops):
    one, two = np.ones((1, 2), np.float32), np.ones((3, 2), np.float32)
    excluded = np.ones((1, 3), bool)
    negative = ops.logsumexp_products(one, two, two[:, 0], excluded)
    loss = losses.softmax(ops, POSITIVE[:1], negative, GIVEN, GIVEN, 0.5, 0.2)
    assert_array_equal(np.asarray(loss)[0], 0)


def test_losses_of_far_scores_do_not_overflow(ops):
    positive, negative = np.array([[-500.0]], np.float32), np.array([[500.0]], "f4")
    given = np.ones((1, 1), np.float32)
    assert float(losses.bpr(ops, positive, negative, given)[0]) == 1000
    total = 10 * negative[0]
    assert float(
        losses.softmax(ops, positive, total, given, given, 0.0, 0.1)[0]
    ) == pytest.approx(10_000)


HISTORIES = [[3, 1, 4, 1, 5], [2, 6, 0], [8, 7, 2, 0, 3, 4, 6, 5, 8]]
TIMES = [[0, 0, 7, 900, 901], [5, 6, 8], [1, 4, 4, 90, 91, 95, 1e4, 3e8, 3e8 + 1]]


class Replay:
    """Random numbers known to the test."""

    def __init__(self, uniforms):
        self.uniforms = uniforms

    def uniform(self, shape):
        shape = [int(n) for n in shape]
        return self.uniforms.reshape(-1)[: math.prod(shape)].reshape(shape)

    def items(self, shape, n_items):
        return (self.uniform(shape) * int(n_items)).astype(np.int64)


def training_data():
    items = np.concatenate(HISTORIES).astype(np.int32)
    sequences = Sequences(np.cumsum([0, *map(len, HISTORIES)]), items, None)
    return training_targets(sequences), {
        "items": items,
        "indptr": sequences.indptr,
        "users": sequences.users,
        "times": np.concatenate(TIMES).astype(np.float64),
        "untouched": index_untouched(sequences, N_ITEMS),
    }


def reference_loss(settings, weights, uniforms, user, place, row):
    """Loss of the window of items before a place of a user, by the equations."""
    L, T = len(settings.before), len(settings.ahead)
    before = HISTORIES[user][:place][-L:]
    targets = HISTORIES[user][place : place + T]
    padding = [0] * (L - len(before))
    window = weights["X"][padding + before]
    mask = [False] * len(padding) + [True] * len(before)
    bias = None
    if settings.time_bias:
        times = [0] * len(padding) + TIMES[user][:place][-L:] + [TIMES[user][place]]
        bias = reference_time_bias(settings, weights, times)
    m = reference_short_term(weights, window, mask, settings.aggregation, bias)

    n = settings.n_negatives
    if settings.loss == "softmax":
        negatives = [int(u * N_ITEMS) for u in uniforms.reshape(-1)[:n]]
        negatives = [item for item in negatives if item not in targets]
    else:
        left = sorted(set(range(N_ITEMS)) - set(HISTORIES[user]))
        own = uniforms.reshape(-1)[row * n : (row + 1) * n]
        negatives = [left[int(u * len(left))] for u in own]

    positive, negative = (
        [reference_score(settings, weights, user, m, item) for item in items]
        for items in (targets, negatives)
    )
    if settings.loss == "softmax":
        given = [[1] * len(targets)]
        shape = settings.gamma, settings.temperature
        return softmax_by_hand([positive], [negative], given, *shape)[0]
    pairs = [(s_i, s_j) for s_i in positive for s_j in negative]
    if settings.loss == "bpr":
        return sum(math.log(1 + math.exp(s_j - s_i)) for s_i, s_j in pairs)
    return sum(max(0.0, settings.gamma + s_j - s_i) for s_i, s_j in pairs)


CASES = {
    "hinge": {"loss": "hinge"},
    "hinge, T = 1": {"loss": "hinge", "n_targets": 1},
    "bpr, max": {"loss": "bpr", "aggregation": "max", "share_projection": True},
    "softmax": {"loss": "softmax", "n_negatives": 6},
    "time of the request": {"loss": "softmax", "time_bias": "request"},
    "time of the history": {"loss": "hinge", "time_bias": "history"},
    "softmax, T = 4": {
        "loss": "softmax",
        "n_targets": 4,
        "n_negatives": 3,
        "temperature": 0.7,
    },
}


def loss_case(case):
    params = {"L": 3, "d": 4, "n_negatives": 5, "dropout": 0.0} | CASES[case]
    settings = settings_of(**params)
    weights = make_weights(4, share_projection=settings.share_projection, seed=3)
    weights = {name: value / 2 for name, value in weights.items()}
    if settings.time_bias:
        biases = np.random.default_rng(5).standard_normal((2, 128)).astype("f4")
        weights |= dict(zip(["b_pair", "b_age"], biases, strict=True))
    windows, data = training_data()
    windows = np.random.default_rng(2).permutation(windows).astype(np.int64)
    uniforms = np.random.default_rng(4).random((len(windows), settings.n_negatives))
    return settings, weights, data, windows, uniforms


@pytest.mark.parametrize("case", CASES)
def test_loss_of_a_batch_equals_the_equations(case, ops):
    settings, weights, data, windows, uniforms = loss_case(case)
    # Item 1 is the only one that the last user never touched.
    assert data["untouched"].counts.tolist() == [5, 6, 1]
    loss = batch_loss(ops, Replay(uniforms), weights, settings, data, windows)
    expected = []
    for row, position in enumerate(windows):
        user = data["users"][position]
        place = position - data["indptr"][user]
        expected.append(reference_loss(settings, weights, uniforms, user, place, row))
    assert_allclose(np.asarray(loss), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_finite_differences(case):
    import tensorflow as tf

    settings, weights, data, windows, uniforms = loss_case(case)
    variables = {name: tf.Variable(value) for name, value in weights.items()}
    inputs = settings, data, windows
    with tf.GradientTape() as tape:
        loss = batch_loss(training_ops(), Replay(uniforms), variables, *inputs)
        loss = tf.reduce_sum(loss)
    gradients = tape.gradient(loss, variables)
    precise = {name: value.astype(np.float64) for name, value in weights.items()}

    def total(name, change):
        moved = precise | {name: precise[name] + change}
        return batch_loss(numpy_ops, Replay(uniforms), moved, *inputs).sum()

    random = np.random.default_rng(6)
    for name, value in precise.items():
        gradient = tf.convert_to_tensor(gradients[name]).numpy()
        for _ in range(4):
            direction, step = random.standard_normal(value.shape), 1e-6
            slope = total(name, step * direction) - total(name, -step * direction)
            assert np.sum(gradient * direction) == pytest.approx(
                slope / (2 * step), rel=2e-3, abs=2e-3
            )
