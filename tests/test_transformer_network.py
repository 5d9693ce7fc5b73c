"""The forward passes of SASRec, SSE-PT and HSTU equal their equations, in plain loops.

Kang, McAuley: Self-Attentive Sequential Recommendation, ICDM 2018 (arXiv:1808.09781);
Wu, Li, Hsieh, Sharpnack: SSE-PT, RecSys 2020; Zhai et al.: HSTU, ICML 2024
(arXiv:2402.17152).
"""

import math
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from test_time_buckets import reference_bucket

from sklearn_attrec import HSTURecommender, SASRecRecommender, SSEPTRecommender
from sklearn_attrec._interactions.sequences import Sequences
from sklearn_attrec._networks import (
    hstu,
    losses,
    numpy_ops,
    sasrec,
    sse_pt,
    transformer,
)
from sklearn_attrec._networks.negative_sampling import index_popularity, index_untouched
from sklearn_attrec._networks.positions import sinusoids

D, D_USER, N_USERS, N_ITEMS, LONGEST = 6, 2, 5, 40, 7
NO_SSE = {"sse_user": 0.0, "sse_item": 0.0}
NETWORKS = {"SASRec": sasrec, "SSE-PT": sse_pt, "HSTU": hstu}
STRUCTURES = [
    {"n_heads": 1, "n_blocks": 1},
    {"n_heads": 2, "n_blocks": 2},
    {"n_heads": 2, "n_blocks": 1, "norm": "post"},
    {"n_heads": 1, "n_blocks": 2, "norm": "post", "positions": "sinusoidal"},
    {"n_heads": 2, "n_blocks": 3, "positions": "sinusoidal"},
    {"n_heads": 2, "n_blocks": 2, "time_bias": "history"},
    {"n_heads": 1, "n_blocks": 3, "time_bias": "request"},
]


def training_ops():
    from sklearn_attrec._networks import keras_ops  # imports TensorFlow

    return keras_ops.ops


@pytest.fixture(params=["numpy", "keras"])
def ops(request):
    return numpy_ops if request.param == "numpy" else training_ops()


@pytest.fixture(params=NETWORKS)
def network(request):
    return NETWORKS[request.param]


@pytest.fixture(params=["SASRec", "SSE-PT"])
def with_softmax(request):
    """A network whose attention weights sum to 1."""
    return NETWORKS[request.param]


def width_of(network):
    return D + D_USER if network is sse_pt else D


def parameters_of(network, **params):
    """Parameters of the network as the estimator derives them."""
    params = {"L": LONGEST, "d": D, "dropout": 0.0, "n_blocks": 1} | params
    if network is sasrec:
        model = SASRecRecommender(**params)
    elif network is hstu:
        names = params.keys() - {"norm", "positions"}
        model = HSTURecommender(**{name: params[name] for name in names})
    else:
        model = SSEPTRecommender(d_user=D_USER, **NO_SSE | params)
    return model._settings(N_ITEMS, longest=LONGEST + 1)


def make_weights(network, parameters):
    """Weights of about unit size everywhere, also where training starts at 0 or 1."""
    random = np.random.default_rng(0)
    width = width_of(network)
    weights = network.initial_weights(random, parameters, N_USERS, N_ITEMS)
    for name, value in weights.items():
        assert value.dtype == np.float32, name
        drawn = random.standard_normal(value.shape)
        if name in ("E", "U", "P"):
            drawn /= 2
        elif value.ndim == 2:
            drawn /= np.sqrt(width)
        else:
            drawn = value + 0.3 * drawn
        weights[name] = drawn.astype(np.float32)
    return weights


def reference_norm(rows, gain, shift):
    centred = rows - rows.mean(axis=1, keepdims=True)
    variance = np.mean(centred**2, axis=1, keepdims=True)
    return centred / np.sqrt(variance + 1e-6) * gain + shift


def reference_time_bias(time_bias, table, times):
    """Bias of each item for each row; the last time is that of the request."""
    later = {None: None, "history": 0, "request": 1}[time_bias]
    n = len(times) - 1
    if later is None:
        return np.zeros((n, n))
    spans = [[max(times[i + later] - times[j], 0) for j in range(n)] for i in range(n)]
    return table[[[reference_bucket(span) for span in row] for row in spans]]


def reference_attention(weights, n_heads, rows, bias):
    """Each row sees itself and the rows before it, head by head."""
    width = rows.shape[1]
    size = width // n_heads
    query, key, value = (rows @ weights[name] for name in ("W_Q", "W_K", "W_V"))
    attended = np.zeros_like(rows)
    for i in range(len(rows)):
        for start in range(0, width, size):
            head = slice(start, start + size)
            logits = key[: i + 1, head] @ query[i, head] / math.sqrt(size)
            logits += bias[i, : i + 1]
            powers = np.exp(logits - logits.max())
            attended[i, head] = powers / powers.sum() @ value[: i + 1, head]
    return attended @ weights["W_O"]


def reference_outputs(parameters, weights, window, user_row):
    """Output of the encoder at each item of a window, the latest of which is last."""
    items, times = ITEMS[slice(*window)], TIMES[window[0] : window[1] + 1]
    weights = {name: value.astype(np.float64) for name, value in weights.items()}
    if "0.W_in" in weights:
        return reference_hstu(parameters, weights, items, times)
    rows = np.array([np.concatenate([weights["E"][i], user_row]) for i in items])
    positions = weights.get("P")
    if parameters["positions"] == "sinusoidal":
        positions = sinusoids(LONGEST, rows.shape[1])
    rows = math.sqrt(rows.shape[1]) * rows + positions[len(positions) - len(items) :]

    def norm(rows, prefix, name):
        gain, shift = weights[f"{prefix}g_{name}"], weights[f"{prefix}s_{name}"]
        return reference_norm(rows, gain, shift)

    pre = parameters["norm"] == "pre"
    for b in range(parameters["n_blocks"]):
        prefix = f"{b}."
        block = {
            name.removeprefix(prefix): value
            for name, value in weights.items()
            if name.startswith(prefix)
        }
        seen = norm(rows, prefix, "att") if pre else rows
        table = block.get("b_time")
        bias = reference_time_bias(parameters["time_bias"], table, times)
        rows = rows + reference_attention(block, parameters["n_heads"], seen, bias)
        rows = rows if pre else norm(rows, prefix, "att")
        seen = norm(rows, prefix, "ff") if pre else rows
        hidden = np.maximum(seen @ block["W_1"] + block["b_1"], 0)
        rows = rows + hidden @ block["W_2"] + block["b_2"]
        rows = rows if pre else norm(rows, prefix, "ff")
    return norm(rows, "", "out") if pre else rows


def reference_hstu(parameters, weights, items, times):
    """Equations 1 to 3 of HSTU; the shares of silu attention are divided by L."""
    n, d, size = len(items), D, D // parameters["n_heads"]
    rows = math.sqrt(d) * weights["E"][items]
    for b in range(parameters["n_blocks"]):
        block = {
            name.removeprefix(f"{b}."): value
            for name, value in weights.items()
            if name.startswith(f"{b}.")
        }
        hidden = reference_norm(rows, block["g"], block["s"]) @ block["W_in"]
        gate, value, query, key = np.split(silu(hidden + block["b_in"]), 4, axis=1)
        table = block.get("b_time")
        bias = reference_time_bias(parameters["time_bias"], table, times)
        attended = np.zeros((n, d))
        for i in range(n):
            for j in range(i + 1):
                for start in range(0, d, size):
                    head = slice(start, start + size)
                    logit = query[i, head] @ key[j, head]
                    logit += block["b_position"][j - i - 1] + bias[i, j]
                    attended[i, head] += silu(logit) / LONGEST * value[j, head]
        gated = reference_norm(attended, 1, 0) * gate
        rows = rows + gated @ block["W_out"] + block["b_out"]
    return reference_norm(rows, weights["g_out"], weights["s_out"])


def silu(x):
    return x / (1 + np.exp(-x))


def user_row(network, weights, user):
    """Row of U; −1, an unseen user, has the mean of all."""
    if network is not sse_pt:
        return np.array([])
    U = weights["U"].astype(np.float64)
    return U[user] if user >= 0 else U.mean(axis=0)


# Lengths of the histories of the users. All items differ.
LENGTHS = [3, 8, 2, 6, 5]
BOUNDS = np.cumsum([0, *LENGTHS])
ITEMS = np.random.default_rng(3).permutation(N_ITEMS)[: BOUNDS[-1]]
WHOLE = np.stack([BOUNDS[:-1], BOUNDS[1:] - 1], axis=1)  # one window per user
USERS = np.repeat(np.arange(N_USERS), LENGTHS)
GAPS = [0, 1, 2, 3, 5, 6, 100, 1e4, 3e6, 2**31]
TIMES = 1.6e9 + np.random.default_rng(4).choice(GAPS, BOUNDS[-1]).cumsum()


def make_data():
    sequences = Sequences(BOUNDS, ITEMS.astype(np.int32), None)
    return {
        "items": ITEMS.astype(np.int64),
        "users": USERS,
        "times": TIMES,
        "untouched": index_untouched(sequences, N_ITEMS),
        "popularity": index_popularity(sequences, N_ITEMS),
    }


class Draws:
    """Random numbers of NumPy instead of those of the compiled step."""

    def __init__(self):
        self.generator = np.random.default_rng(0)

    def uniform(self, shape):
        return self.generator.random([int(n) for n in shape])

    def items(self, shape, n_items):
        return (self.uniform(shape) * int(n_items)).astype(np.int64)


class Example(NamedTuple):
    """What the loss is given for one position of a batch."""

    query: np.ndarray
    user: int
    target: int
    bias: float


@pytest.fixture
def run_batch(monkeypatch):
    """Run a batch; return its examples by position of the target in `ITEMS`."""
    seen = {}

    def next_item(ops, random, table, settings, data, queries, batch, bias=0.0):
        users = np.asarray(batch.users)[np.asarray(batch.window)]
        bias = np.broadcast_to(np.asarray(bias), (len(users), 1))[:, 0]
        columns = map(np.asarray, (queries, users, batch.targets, bias))
        examples = [Example(*row) for row in zip(*columns, strict=True)]
        seen["given"] = table, settings, data
        seen["examples"] = zip(
            (1 + np.asarray(batch.positions)).tolist(), examples, strict=True
        )

    monkeypatch.setattr(losses, "next_item", next_item)

    def run(network, ops, parameters, weights, windows, random=None):
        random, data = random or Draws(), make_data()
        settings = network.make_settings(**parameters)
        network.batch_loss(ops, random, weights, settings, data, windows)
        encoder = settings.encoder if network is sse_pt else settings
        expected = weights["E"], encoder, data
        assert all(x is y for x, y in zip(seen["given"], expected, strict=True))
        return dict(seen["examples"])

    return run


def query_vector(network, parameters, weights, window, user):
    settings, (begin, end) = network.make_settings(**parameters), window
    times = TIMES[None, begin : end + 1] if parameters["time_bias"] else None
    items, users = ITEMS[None, begin:end], np.array([user])
    (vector,) = network.query_vectors(weights, settings, items, users, times)
    return vector


@pytest.mark.case("P13", "P14")
@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda s: str([*s.values()]))
def test_batches_and_queries_equal_the_equations(network, structure, ops, run_batch):
    # A batch has padding, a query has none.
    parameters = parameters_of(network, **structure)
    weights = make_weights(network, parameters)
    query = partial(query_vector, network, parameters, weights)
    found = run_batch(network, ops, parameters, weights, WHOLE)
    assert len(found) == sum(LENGTHS) - N_USERS
    for user, (begin, end) in enumerate(WHOLE):
        window, row = (begin, end), user_row(network, weights, user)
        expected = reference_outputs(parameters, weights, window, row)
        for place in range(begin, end):
            one, output = found[place + 1], expected[place - begin]
            assert (one.user, one.target) == (user, ITEMS[place + 1])
            assert_allclose(one.query, output[:D], rtol=1e-5, atol=1e-5)
            assert one.bias == pytest.approx(output[D:] @ row, abs=1e-4)
        vector = query(window, user)
        assert vector.dtype == np.float32
        assert_allclose(vector, expected[-1, :D], rtol=1e-5, atol=1e-5)
        assert_allclose(vector, found[end].query, rtol=1e-5, atol=1e-5)
        row = user_row(network, weights, -1)
        unseen = reference_outputs(parameters, weights, window, row)
        assert_allclose(query(window, -1), unseen[-1, :D], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("W", [1, 2, 65, 150])
@pytest.mark.parametrize("width", [1, 64])
@pytest.mark.parametrize("n_heads, norm", [(1, "pre"), (2, "post")])
def test_outputs_of_a_history_do_not_depend_on_the_others(W, width, n_heads, norm):
    width *= n_heads
    parameters = parameters_of(sasrec, d=width, L=W, n_heads=n_heads, n_blocks=2)
    parameters |= {"norm": norm, "L": W}
    weights, settings = (
        make_weights(sasrec, parameters),
        sasrec.make_settings(**parameters),
    )
    items = np.random.default_rng(0).integers(N_ITEMS, size=(17, W))
    together = sasrec.query_vectors(weights, settings, items)
    for n in (1, 2, 16):
        some = sasrec.query_vectors(weights, settings, items[-n:])
        assert_array_equal(some, together[-n:])  # to the last bit
    # The layout of training gives the same outputs.
    layout = transformer.lay_out(numpy_ops, np.full(17, W))
    from_end = np.tile(np.arange(W, 0, -1), 17)
    x = sasrec.embed(numpy_ops, weights, settings, items.ravel(), from_end)
    x = transformer.encode(numpy_ops, weights, settings, x, layout)
    assert_allclose(together, x[layout.ends - 1], rtol=1e-3, atol=1e-4)


@pytest.mark.case("P17", "P18")
@pytest.mark.parametrize("n_windows", [1, 2, 3, 4, 5, 9])
def test_batches_of_any_size(network, n_windows, run_batch):
    # Also with fewer sequences than attention makes parts.
    parameters = parameters_of(network, n_heads=2, n_blocks=2)
    weights = make_weights(network, parameters)
    begins = np.arange(BOUNDS[1], BOUNDS[2] - 1)  # of the longest history
    windows = np.stack([begins, begins + 1], axis=1)
    windows = np.concatenate([windows, WHOLE[[0, 2, 3, 4]]])[-n_windows:]
    found = run_batch(network, training_ops(), parameters, weights, windows)
    assert len(found) == np.sum(windows[:, 1] - windows[:, 0])
    for begin, end in windows:
        row = user_row(network, weights, USERS[begin])
        expected = reference_outputs(parameters, weights, (begin, end), row)
        assert_allclose(found[end].query, expected[-1, :D], rtol=1e-5, atol=1e-5)


@pytest.mark.case("P13")
def test_masked_places_get_no_weight_however_low_the_logits(
    with_softmax, ops, run_batch
):
    network = with_softmax
    # All logits are about −2,500: a mask that is added as a number, or a padded place
    # with a logit of 0, would win the softmax.
    parameters = parameters_of(network, norm="post")
    weights = make_weights(network, parameters)
    weights["P"][:] = 0
    weights |= {name: np.abs(weights[name]) for name in ("E", "U") if name in weights}
    weights["0.W_Q"] = 50 * np.eye(width_of(network), dtype=np.float32)
    weights["0.W_K"] = -weights["0.W_Q"]
    found = run_batch(network, ops, parameters, weights, WHOLE)
    for user, (begin, end) in enumerate(WHOLE):
        row = user_row(network, weights, user)
        first = reference_outputs(parameters, weights, (begin, begin + 1), row)
        # The first item of a sequence sees nothing but itself.
        assert_allclose(found[begin + 1].query, first[0, :D], rtol=1e-4, atol=1e-4)
        query = query_vector(network, parameters, weights, (begin, end), user)
        assert np.isfinite(query).all()
        assert_allclose(found[end].query, query, rtol=1e-3, atol=1e-3)


def test_large_logits_do_not_overflow(with_softmax, ops, run_batch):
    network = with_softmax
    parameters = parameters_of(network, norm="post")
    weights = make_weights(network, parameters)
    weights["0.W_Q"] *= 1e4
    weights["0.W_K"] *= 1e4
    found = run_batch(network, ops, parameters, weights, WHOLE)
    assert all(np.isfinite(one.query).all() for one in found.values())


@pytest.mark.parametrize(
    "params",
    [
        {"loss": "softmax"},
        {"loss": "softmax", "norm": "post"},
        {"loss": "bce", "n_negatives": 3},
        {"loss": "gbce", "n_negatives": 6, "calibration": 0.4, "norm": "post"},
        {"loss": "sampled_softmax", "n_negatives": 7},
    ],
    ids=lambda params: " ".join(map(str, params.values())),
)
def test_gradients_equal_finite_differences(network, params):
    import tensorflow as tf

    parameters = parameters_of(network, n_heads=2, n_blocks=2, **params)
    settings = network.make_settings(**parameters)
    weights = make_weights(network, parameters)

    def loss(ops, weights):
        return network.batch_loss(ops, Draws(), weights, settings, make_data(), WHOLE)

    variables = {name: tf.Variable(value) for name, value in weights.items()}
    with tf.GradientTape() as tape:
        mean = tf.reduce_mean(loss(training_ops(), variables))
    gradients = tape.gradient(mean, variables)
    precise = {name: value.astype(np.float64) for name, value in weights.items()}
    random, step = np.random.default_rng(6), 1e-5
    for name, value in precise.items():
        gradient = tf.convert_to_tensor(gradients[name]).numpy()
        direction = random.standard_normal(value.shape)
        up, down = (
            np.mean(loss(numpy_ops, precise | {name: value + change * direction}))
            for change in (step, -step)
        )
        slope = (up - down) / (2 * step)
        assert np.sum(gradient * direction) == pytest.approx(slope, 1e-3, 1e-4), name


def test_standardized_rows_have_mean_0_and_variance_1(ops):
    x = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
    found = np.asarray(ops.standardize(10 * x + 3))
    assert_allclose(found.mean(axis=1), 0, atol=1e-6)
    assert_allclose(found.var(axis=1), 1, rtol=1e-4)
    assert_allclose(np.asarray(ops.standardize(np.full((2, 3), 5, "f4"))), 0, atol=1e-3)


def value_and_gradients(function, inputs, upstream=None):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = function(*inputs)
    gradients = tape.gradient(value, inputs, upstream)
    return [value, *map(tf.convert_to_tensor, gradients)]


def test_gradient_of_standardize():
    import tensorflow as tf

    def plain(x):
        mean = tf.reduce_mean(x, axis=1, keepdims=True)
        variance = tf.reduce_mean(tf.square(x - mean), axis=1, keepdims=True)
        return (x - mean) / tf.sqrt(variance + 1e-6)

    random = np.random.default_rng(0)
    x, upstream = (tf.constant(random.standard_normal((9, 7)), "float32") for _ in "xu")
    found, expected = (
        value_and_gradients(standardize, [x], upstream)
        for standardize in (training_ops().standardize, plain)
    )
    assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-6)
    assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_parts", [1, 3, 8])
def test_padded_rows_come_back_and_so_do_gradients(n_parts):
    import tensorflow as tf

    ops = training_ops()
    lengths = tf.constant([6, 4, 4, 2, 1], tf.int64)
    layout = transformer.lay_out(ops, lengths, n_parts)
    x = tf.reshape(tf.range(17 * 2, dtype=tf.float32), (17, 2))
    upstream = tf.constant(np.random.default_rng(0).random((17, 2)), tf.float32)

    def round_trip(x):
        return ops.unpad_rows([3 * part for part in ops.pad_rows(x, layout)], layout)

    rows, gradient = value_and_gradients(round_trip, [x], upstream)
    assert_array_equal(rows, 3 * x)
    assert_array_equal(gradient, 3 * upstream)
    in_numpy = transformer.lay_out(numpy_ops, lengths.numpy(), n_parts)
    parts = ops.pad_rows(x, layout), numpy_ops.pad_rows(x.numpy(), in_numpy)
    assert len(parts[0]) == n_parts
    for part, other in zip(*parts, strict=True):
        assert_array_equal(part, other)


@pytest.mark.parametrize("T", [1, 63, 64, 128, 200])
@pytest.mark.parametrize("compiled", [False, True])
def test_softmax_loss_in_slices_is_the_cross_entropy(T, compiled, monkeypatch):
    import tensorflow as tf

    from sklearn_attrec._networks import keras_ops

    monkeypatch.setattr(keras_ops, "SCORES_AT_ONCE", 1)  # slices of 64 rows
    random = np.random.default_rng(T)
    queries = tf.constant(random.standard_normal((T, 5)), tf.float32)
    table = tf.constant(random.standard_normal((11, 5)), tf.float32)
    targets = tf.constant(random.integers(11, size=T))
    in_slices = training_ops().softmax_loss
    if compiled:
        matrix = tf.TensorSpec([None, None], tf.float32)
        signature = [matrix, matrix, tf.TensorSpec([None], tf.int64)]
        in_slices = tf.function(in_slices, signature)

    def plain(queries, table, targets):
        scores = tf.matmul(queries, table, transpose_b=True)
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, scores)
        return tf.reduce_mean(entropy)

    found, expected = (
        value_and_gradients(partial(loss, targets=targets), [queries, table], 3.0)
        for loss in (in_slices, plain)
    )
    for value, other in zip(found, expected, strict=True):
        assert value.shape == other.shape
        assert_allclose(value, other, rtol=1e-4, atol=1e-6)
    by_numpy = numpy_ops.softmax_loss(*(x.numpy() for x in (queries, table, targets)))
    assert by_numpy == pytest.approx(float(expected[0]), rel=1e-5)


@pytest.mark.parametrize("T", [1, 64, 150])
@pytest.mark.parametrize("weighted", [False, True])
def test_sampled_softmax_loss_in_slices_is_the_cross_entropy(T, weighted, monkeypatch):
    import tensorflow as tf

    from sklearn_attrec._networks import keras_ops

    monkeypatch.setattr(keras_ops, "SCORES_AT_ONCE", 1)  # slices of 64 rows
    random = np.random.default_rng(T)
    queries = tf.constant(random.standard_normal((T, 5)), tf.float32)
    table = tf.constant(random.standard_normal((11, 5)), tf.float32)
    targets, negatives = random.integers(11, size=T), np.array([0, 2, 3, 7, 9])
    log_ratios = random.standard_normal(5).astype("f4")
    weights = random.random(T).astype("f4") if weighted else None

    def plain(queries, table):
        scores = tf.matmul(queries, tf.gather(table, negatives), transpose_b=True)
        is_target = targets[:, None] == negatives
        scores = tf.where(is_target, -np.inf, scores + log_ratios)
        target_scores = tf.reduce_sum(queries * tf.gather(table, targets), axis=1)
        scores = tf.concat([target_scores[:, None], scores], axis=1)
        losses = tf.reduce_logsumexp(scores, axis=1) - target_scores
        return tf.reduce_mean(losses * (weights if weighted else 1))

    def in_slices(ops, *tensors):
        given = targets, negatives, log_ratios, weights
        return ops.sampled_softmax_loss(*tensors, *given)

    found, expected = (
        value_and_gradients(loss, [queries, table], 3.0)
        for loss in (partial(in_slices, training_ops()), plain)
    )
    for value, other in zip(found, expected, strict=True):
        assert value.shape == other.shape
        assert_allclose(value, other, rtol=1e-4, atol=1e-6)
    by_numpy = in_slices(numpy_ops, queries.numpy(), table.numpy())
    assert by_numpy == pytest.approx(float(expected[0]), rel=1e-5)


def test_softmax_loss_of_far_scores_is_finite():
    import tensorflow as tf

    targets = tf.constant([1], tf.int64)
    loss, *gradients = value_and_gradients(
        partial(training_ops().softmax_loss, targets=targets),
        [tf.constant([[1000.0]]), tf.constant([[1.0], [-1.0]])],
    )
    assert 50 < float(loss) < np.inf
    for gradient in gradients:
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0  # it still points downhill


def test_softmax_of_minus_infinity_is_zero(ops):
    x = np.array([[0.0, -np.inf, 0.0], [-np.inf, 7.0, -np.inf]], np.float32)
    found = np.asarray(ops.softmax(x, axis=-1))
    assert_array_equal(found, [[0.5, 0, 0.5], [0, 1, 0]])


def batch_random(seed=0):
    import tensorflow as tf

    from sklearn_attrec._training.batch_random import BatchRandom

    return BatchRandom(tf.constant(seed, tf.int64), tf.constant(1, tf.int64))


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.92, 1.0])
def test_codes_are_replaced_with_a_given_probability(probability):
    import tensorflow as tf

    n, codes = 10, tf.constant(np.full(40_000, 3))
    n_codes = tf.constant(n, tf.int64)
    found = sse_pt.replace(training_ops(), batch_random(), codes, n_codes, probability)
    share = np.bincount(found.numpy(), minlength=n) / len(found)
    expected = np.full(n, probability / n)  # a code may be replaced by itself
    expected[3] += 1 - probability
    assert_allclose(share, expected, atol=0.01)
    # Neighbours are drawn independently.
    replaced = found.numpy() != 3
    pairs = np.mean(replaced[1:] & replaced[:-1])
    assert pairs == pytest.approx((probability * 0.9) ** 2, abs=0.01)
    assert ((found.numpy() == 3).all()) == (probability == 0)


def shared_of(run_batch, seed, **params):
    """User, user read, item read and target of each position, where SSE replaces."""
    parameters = parameters_of(sse_pt, norm="post", n_blocks=0, **params)
    # Without blocks and positions, sqrt(width) [item code; √user code] comes through.
    weights = make_weights(sse_pt, parameters)
    weights["P"][:] = 0
    weights["E"][:] = np.arange(N_ITEMS)[:, None]
    weights["U"][:] = np.sqrt(np.arange(N_USERS) / D_USER)[:, None]
    random = batch_random(seed)
    found = run_batch(sse_pt, training_ops(), parameters, weights, WHOLE, random)
    root = math.sqrt(D + D_USER)
    return {
        place: (
            one.user,
            round(one.bias / root),
            round(one.query[0] / root),
            one.target,
        )
        for place, one in found.items()
    }


def test_a_window_is_read_with_one_random_user(run_batch):
    counts = np.zeros((N_USERS, N_USERS))
    for seed in range(60):
        shared = shared_of(run_batch, seed, sse_user=1.0)
        for user, (begin, end) in enumerate(WHOLE):
            (code,) = {shared[place][1] for place in range(begin + 1, end + 1)}
            counts[user, code] += 1
        for place, (user, _, item, target) in shared.items():
            # Negatives are drawn for the original user.
            assert (user, item, target) == (USERS[place], *ITEMS[[place - 1, place]])
    assert_allclose(counts / 60, 1 / N_USERS, atol=0.2)


def test_input_and_target_items_are_replaced_independently(run_batch):
    replaced = []
    for seed in range(40):
        shared = shared_of(run_batch, seed, sse_item=0.3)
        for place, (_, user, item, target) in shared.items():
            assert user == USERS[place]
            replaced.append((item != ITEMS[place - 1], target != ITEMS[place]))
    probability = 0.3 * (1 - 1 / N_ITEMS)
    assert_allclose(np.mean(replaced, axis=0), probability, atol=0.05)
    both = np.mean(np.all(replaced, axis=1))
    assert both == pytest.approx(probability**2, abs=0.04)
