"""SASRec's and SSE-PT's forward pass and loss equal their equations, in plain loops.

Kang, McAuley: Self-Attentive Sequential Recommendation, ICDM 2018 (arXiv:1808.09781);
Wu, Li, Hsieh, Sharpnack: SSE-PT, RecSys 2020.
"""

import math
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec._networks import losses, sasrec, sse_pt, transformer
from sklearn_attrec._sampling import index_popularity, index_untouched
from sklearn_attrec._sequences import Sequences
from sklearn_attrec.utils import _numpy_ops

D, D_USER, N_USERS, N_ITEMS, LONGEST = 6, 2, 5, 40, 7
NETWORKS = {"SASRec": sasrec, "SSE-PT": sse_pt}
STRUCTURES = [
    {"n_heads": 1, "n_blocks": 1},
    {"n_heads": 2, "n_blocks": 2},
    {"n_heads": 2, "n_blocks": 1, "norm": "post"},
    {"n_heads": 1, "n_blocks": 2, "norm": "post", "positions": "sinusoidal"},
    {"n_heads": 2, "n_blocks": 3, "positions": "sinusoidal"},
]


def training_ops():
    from sklearn_attrec import _training_ops  # imports TensorFlow

    return _training_ops.ops


@pytest.fixture(params=["numpy", "keras"])
def ops(request):
    return _numpy_ops if request.param == "numpy" else training_ops()


@pytest.fixture(params=NETWORKS)
def network(request):
    return NETWORKS[request.param]


every_structure = pytest.mark.parametrize(
    "structure", STRUCTURES, ids=lambda s: " ".join(map(str, s.values()))
)


def width_of(network):
    return D if network is sasrec else D + D_USER


def settings_of(network, **params):
    defaults = {"loss": "softmax", "positions": "learned", "norm": "pre"}
    defaults |= {"with_dropout": False, "dropout": 0.0, "n_heads": 1}
    defaults |= {"n_negatives": 0, "calibration": 0.75}
    defaults["signal"] = reference_signal(LONGEST, width_of(network))
    if network is sse_pt:
        defaults |= {"sse_user": 0.0, "sse_item": 0.0}
    return network.Settings(**defaults | params)


def make_weights(network, settings, n_blocks=1, seed=0, n_items=N_ITEMS):
    """Weights of about unit size everywhere, also where training starts at 0 or 1."""
    random = np.random.default_rng(seed)
    width = width_of(network)
    if network is sasrec:
        weights = sasrec.initial_weights(random, settings, n_items, D, n_blocks)
    else:
        sizes = (N_USERS, n_items, D, D_USER, n_blocks)
        weights = sse_pt.initial_weights(random, settings, *sizes)
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


# The equations ------------------------------------------------------------------


def reference_signal(L, width):
    """Sines in even columns and cosines in odd ones, of t / 10000^(2i/width)."""
    signal = np.empty((L, width), np.float32)
    for t in range(L):
        for column in range(width):
            angle = t / 10000 ** (2 * (column // 2) / width)
            signal[t, column] = math.sin(angle) if column % 2 == 0 else math.cos(angle)
    return signal


def reference_position(settings, weights, back):
    """Position of the item `back` places from the end; 1 is the last one."""
    if settings.positions == "learned":
        return weights["P"][len(weights["P"]) - back].astype(np.float64)
    L, width = settings.signal.shape
    return reference_signal(L, width)[L - back].astype(np.float64)


def reference_norm(row, gain, shift):
    mean = sum(row) / len(row)
    variance = sum((x - mean) ** 2 for x in row) / len(row)
    return (row - mean) / math.sqrt(variance + 1e-6) * gain + shift


def reference_attention(weights, n_heads, rows):
    """Each row sees itself and the rows before it, head by head."""
    width = rows.shape[1]
    size = width // n_heads
    query, key, value = (rows @ weights[name] for name in ("W_Q", "W_K", "W_V"))
    attended = np.zeros_like(rows)
    for i in range(len(rows)):
        for h in range(n_heads):
            head = slice(h * size, (h + 1) * size)
            affinity = [
                query[i, head] @ key[j, head] / math.sqrt(size) for j in range(i + 1)
            ]
            powers = [math.exp(a - max(affinity)) for a in affinity]
            for j, power in enumerate(powers):
                attended[i, head] += power / sum(powers) * value[j, head]
    return attended @ weights["W_O"]


def reference_outputs(settings, weights, items, user_row=None):
    """Output of the encoder at each of some items, the latest of which is last."""
    weights = {name: value.astype(np.float64) for name, value in weights.items()}
    rows = []
    for place, item in enumerate(items):
        row = weights["E"][item]
        if user_row is not None:
            row = np.concatenate([row, user_row])
        position = reference_position(settings, weights, len(items) - place)
        rows.append(math.sqrt(len(row)) * row + position)
    rows = np.array(rows)

    def norm(rows, of):
        gain, shift = weights[f"{of[0]}g_{of[1]}"], weights[f"{of[0]}s_{of[1]}"]
        return np.array([reference_norm(row, gain, shift) for row in rows])

    pre = settings.norm == "pre"
    b = 0
    while f"{b}.W_Q" in weights:
        block = {
            name.split(".")[1]: value
            for name, value in weights.items()
            if name.startswith(f"{b}.")
        }
        seen = norm(rows, (f"{b}.", "att")) if pre else rows
        rows = rows + reference_attention(block, settings.n_heads, seen)
        rows = rows if pre else norm(rows, (f"{b}.", "att"))
        seen = norm(rows, (f"{b}.", "ff")) if pre else rows
        hidden = np.maximum(seen @ block["W_1"] + block["b_1"], 0)
        rows = rows + hidden @ block["W_2"] + block["b_2"]
        rows = rows if pre else norm(rows, (f"{b}.", "ff"))
        b += 1
    return norm(rows, ("", "out")) if pre else rows


def user_row(network, weights, user):
    return None if network is sasrec else weights["U"][user].astype(np.float64)


# A batch ------------------------------------------------------------------------

# Lengths of the users' histories. All items differ, so a target names its place.
LENGTHS = [3, 8, 2, 6, 5]
BOUNDS = np.cumsum([0, *LENGTHS])
ITEMS = np.random.default_rng(3).permutation(N_ITEMS)[: BOUNDS[-1]]
WHOLE = np.stack([BOUNDS[:-1], BOUNDS[1:] - 1], axis=1)  # one window a user


def make_data(items=ITEMS):
    sequences = Sequences(BOUNDS, items.astype(np.int32), None)
    return {
        "items": items.astype(np.int64),
        "users": np.repeat(np.arange(N_USERS), LENGTHS),
        "untouched": index_untouched(sequences, N_ITEMS),
        "popularity": index_popularity(sequences, N_ITEMS),
    }


class Draws:
    """Random numbers of NumPy in the place of the compiled step's."""

    def __init__(self, seed=0):
        self.generator = np.random.default_rng(seed)
        self.drawn = []

    def uniform(self, shape):
        numbers = self.generator.random([int(n) for n in shape])
        self.drawn.append(numbers)
        return numbers

    def items(self, shape, n_items):
        codes = (self.uniform(shape) * int(n_items)).astype(np.int64)
        self.drawn.append(codes)
        return codes

    def dropout(self, x, rate):
        raise AssertionError("nothing is dropped here")


@pytest.fixture
def ask(monkeypatch):
    """Run a batch; return queries, users, targets and biases by place of the target."""
    seen = []

    def next_item(
        ops, random, table, settings, data, queries, users, batch, targets, bias=0.0
    ):
        users = np.asarray(users)[np.asarray(batch.window)]
        bias = np.broadcast_to(np.asarray(bias), (len(users), 1))[:, 0]
        rows = (np.asarray(queries), users, np.asarray(targets), bias)
        seen.append([Asked(*row) for row in zip(*rows, strict=True)])
        return queries

    monkeypatch.setattr(losses, "next_item", next_item)

    def run(network, ops, settings, weights, windows, items=ITEMS, random=None):
        # The order of a batch is that of the lengths of its windows, whatever they
        # hold; where all items differ and none is replaced, targets tell it.
        plain = settings
        if network is sse_pt:
            plain = settings._replace(sse_user=0.0, sse_item=0.0)
        windows = np.asarray(windows)
        for of, codes, draws in [(plain, ITEMS, Draws()), (settings, items, random)]:
            data = make_data(codes)
            network.batch_loss(ops, draws or Draws(), weights, of, data, windows)
        found = seen.pop()
        places = [int(np.flatnonzero(one.target == ITEMS)[0]) for one in seen.pop()]
        assert len(set(places)) == len(places)  # nothing is asked for twice
        return dict(zip(places, found, strict=True))

    return run


class Asked(NamedTuple):
    query: np.ndarray
    user: int
    target: int
    bias: float


# The forward pass ---------------------------------------------------------------


@every_structure
def test_query_vector_equals_the_equations(network, structure):
    params = dict(structure)
    n_blocks = params.pop("n_blocks")
    settings = settings_of(network, **params)
    weights = make_weights(network, settings, n_blocks)
    for user, n in enumerate([1, 2, 5, LONGEST]):
        items = np.random.default_rng(n).integers(N_ITEMS, size=n)
        found = network.query_vector(_numpy_ops, weights, settings, items, user)
        row = user_row(network, weights, user)
        expected = reference_outputs(settings, weights, items, row)[-1, :D]
        assert found.shape == (D,)
        assert found.dtype == np.float32
        assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@every_structure
def test_a_batch_of_sequences_equals_the_equations(network, structure, ops, ask):
    params = dict(structure)
    n_blocks = params.pop("n_blocks")
    settings = settings_of(network, **params)
    weights = make_weights(network, settings, n_blocks)
    found = ask(network, ops, settings, weights, WHOLE)
    n_places = 0
    for user, (begin, end) in enumerate(WHOLE):
        row = user_row(network, weights, user)
        expected = reference_outputs(settings, weights, ITEMS[begin:end], row)
        for place in range(begin, end):
            one = found[place + 1]
            assert one.user == user
            output = expected[place - begin]
            assert_allclose(one.query, output[:D], rtol=1e-5, atol=1e-5)
            if network is sse_pt:
                assert one.bias == pytest.approx(output[D:] @ row, abs=1e-4)
            n_places += 1
    assert len(found) == n_places == sum(LENGTHS) - N_USERS


@pytest.mark.case("P13", "P14")
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_training_and_prediction_agree(network, norm, ask):
    # With n - 1 places of padding around it in training and with none in prediction.
    settings = settings_of(network, norm=norm, n_heads=2)
    weights = make_weights(network, settings, n_blocks=2)
    found = ask(network, training_ops(), settings, weights, WHOLE)
    for user, (begin, end) in enumerate(WHOLE):
        query = network.query_vector(
            _numpy_ops, weights, settings, ITEMS[begin:end], user
        )
        assert_allclose(found[end].query, query, rtol=1e-5, atol=1e-5)


@pytest.mark.case("P17")
@pytest.mark.parametrize("n_windows", range(1, 10))
def test_batches_of_any_size(network, n_windows, ask):
    # Also of fewer sequences than attention makes parts of.
    settings = settings_of(network)
    weights = make_weights(network, settings)
    begins = np.arange(BOUNDS[1], BOUNDS[2] - 1)  # of the longest history
    windows = np.stack([begins, begins + 1], axis=1)
    windows = np.concatenate([windows, WHOLE[[0, 2, 3, 4]]])[:n_windows]
    found = ask(network, training_ops(), settings, weights, windows)
    assert len(found) == np.sum(windows[:, 1] - windows[:, 0])
    for begin, end in windows:
        user = int(np.searchsorted(BOUNDS, begin, side="right")) - 1
        items, row = ITEMS[begin:end], user_row(network, weights, user)
        expected = reference_outputs(settings, weights, items, row)[-1, :D]
        assert_allclose(found[end].query, expected, rtol=1e-5, atol=1e-5)


def test_known_user_and_stranger_of_sse_pt():
    settings = settings_of(sse_pt)
    weights = make_weights(sse_pt, settings)
    items = ITEMS[:4]
    found = [
        sse_pt.query_vector(_numpy_ops, weights, settings, items, user)
        for user in (0, 1, -1)
    ]
    mean = weights["U"].astype(np.float64).mean(axis=0)
    expected = reference_outputs(settings, weights, items, mean)[-1, :D]
    assert_allclose(found[2], expected, rtol=1e-5, atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 0.01
    assert np.abs(found[0] - found[2]).max() > 0.01


# What a place may and may not depend on -----------------------------------------


@pytest.mark.case("P18")
def test_other_sequences_of_a_batch_change_nothing(network, ask):
    settings = settings_of(network, n_heads=2)
    weights = make_weights(network, settings, n_blocks=2)
    together = ask(network, training_ops(), settings, weights, WHOLE)
    for user, (_, end) in enumerate(WHOLE):
        alone = ask(network, training_ops(), settings, weights, WHOLE[[user]])
        assert_allclose(together[end].query, alone[end].query, rtol=1e-5, atol=1e-5)


@pytest.mark.case("P13")
def test_what_padding_holds_changes_nothing(network, ops, ask):
    # Padding points at rows of other sequences: whatever these are, it is not read.
    settings = settings_of(network, n_heads=2)
    weights = make_weights(network, settings, n_blocks=2)
    before = ask(network, ops, settings, weights, WHOLE)
    items = ITEMS.copy()
    items[BOUNDS[1] : BOUNDS[2] - 1] = loud = ITEMS[BOUNDS[1]]
    weights["E"][loud] *= 1e4
    after = ask(network, ops, settings, weights, WHOLE, items)
    others = [place for place in before if not BOUNDS[1] <= place < BOUNDS[2]]
    assert len(others) == sum(LENGTHS) - LENGTHS[1] - N_USERS + 1
    for place in others:
        assert_array_equal(after[place].query, before[place].query)


def test_later_items_change_no_earlier_place(network, ops, ask):
    settings = settings_of(network, n_heads=2)
    weights = make_weights(network, settings, n_blocks=2)
    before = ask(network, ops, settings, weights, WHOLE)
    begin, end = WHOLE[1]
    for changed in range(begin, end):
        items = ITEMS.copy()
        items[changed] = ITEMS[0]
        after = ask(network, ops, settings, weights, WHOLE, items)
        for place in range(begin + 1, end + 1):  # each reads the items before it
            same = np.array_equal(after[place].query, before[place].query)
            assert same == (place <= changed)


def test_the_order_of_a_history_matters(network):
    settings = settings_of(network)
    weights = make_weights(network, settings)
    one, other, same = (
        network.query_vector(_numpy_ops, weights, settings, np.array(items), 0)
        for items in ([1, 2, 3], [2, 1, 3], [1, 2, 3])
    )
    assert np.abs(one - other).max() > 1e-3
    assert_array_equal(one, same)


# Errors of other implementations ------------------------------------------------


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_positions_index_the_time_not_the_batch(network, positions, ops, ask):
    # Without items, users and blocks, all that is left is a place's position.
    settings = settings_of(network, norm="post", positions=positions)
    weights = make_weights(network, settings, n_blocks=0)
    weights |= {name: 0 * weights[name] for name in ("E", "U") if name in weights}
    for windows in (WHOLE, WHOLE[::-1], WHOLE[[3, 3, 3, 0]][:1]):
        found = ask(network, ops, settings, weights, windows)
        for begin, end in windows:
            for place in range(begin, end):
                position = reference_position(settings, weights, end - place)
                assert_allclose(found[place + 1].query, position[:D], atol=1e-6)


def test_masked_places_get_no_weight_however_bad_the_others_are(network, ops, ask):
    # All affinities are about −2,500: a mask that is added as a number, or a padded
    # place that keeps its 0, would win the softmax.
    settings = settings_of(network, norm="post")
    weights = make_weights(network, settings)
    width = width_of(network)
    weights["P"][:] = 0
    weights |= {name: np.abs(weights[name]) for name in ("E", "U") if name in weights}
    weights["0.W_Q"] = 50 * np.eye(width, dtype=np.float32)
    weights["0.W_K"] = -weights["0.W_Q"]
    found = ask(network, ops, settings, weights, WHOLE)
    for user, (begin, end) in enumerate(WHOLE):
        row = user_row(network, weights, user)
        first = reference_outputs(settings, weights, ITEMS[begin : begin + 1], row)
        # The first item of a sequence has nothing to see but itself.
        assert_allclose(found[begin + 1].query, first[0, :D], rtol=1e-4, atol=1e-4)
        items = ITEMS[begin:end]
        query = network.query_vector(_numpy_ops, weights, settings, items, user)
        assert np.isfinite(query).all()
        assert_allclose(found[end].query, query, rtol=1e-3, atol=1e-3)


def test_large_affinities_do_not_overflow(network, ops, ask):
    settings = settings_of(network, norm="post")
    weights = make_weights(network, settings)
    weights["0.W_Q"] *= 1e4
    weights["0.W_K"] *= 1e4
    found = ask(network, ops, settings, weights, WHOLE)
    assert all(np.isfinite(one.query).all() for one in found.values())


# The loss of a batch ------------------------------------------------------------

LOSSES = {
    "softmax": {"loss": "softmax"},
    "bce": {"loss": "bce", "n_negatives": 3},
    "gbce": {"loss": "gbce", "n_negatives": 6, "calibration": 0.4},
    "sampled_softmax": {"loss": "sampled_softmax", "n_negatives": 7},
}


def reference_loss(settings, data, weights, output, user, target, draws):
    """Loss of one place, by the equations; `draws` are the uniform numbers it used."""
    E = weights["E"].astype(np.float64)
    scores = E @ output[:D]
    if "U" in weights:  # the user's half of [item; user]
        scores = scores + output[D:] @ weights["U"][user].astype(np.float64)
    if settings.loss == "softmax":
        return math.log(sum(math.exp(s) for s in scores)) - scores[target]
    n = settings.n_negatives
    if settings.loss in ("bce", "gbce"):
        mine = set(data["items"][data["users"] == user].tolist())
        left = sorted(set(range(N_ITEMS)) - mine)
        negatives = [left[int(u * len(left))] for u in draws]
        share, power = n / (N_ITEMS - 1), 1.0
        if settings.loss == "gbce":
            power = share * ((1 - 1 / share) * settings.calibration + 1 / share)
        against = sum(math.log(1 + math.exp(scores[j])) for j in negatives)
        return power * math.log(1 + math.exp(-scores[target])) + against
    counts = np.maximum(np.bincount(data["items"], minlength=N_ITEMS), 1)
    chances = counts / counts.sum()
    negatives = np.searchsorted(np.cumsum(chances), draws, side="right")
    total = math.exp(scores[target]) + sum(
        math.exp(scores[j]) / (n * chances[j]) for j in negatives if j != target
    )
    return math.log(total) - scores[target]


@pytest.mark.parametrize("loss", LOSSES)
def test_loss_of_a_batch_equals_the_equations(network, loss, ops, monkeypatch):
    settings = settings_of(network, n_heads=2, **LOSSES[loss])
    weights = make_weights(network, settings, n_blocks=2)
    data, random, places = make_data(), Draws(), []
    next_item = losses.next_item

    def noted(*args):
        batch, targets = args[7:9]
        places.extend(zip(np.asarray(batch.window), np.asarray(targets), strict=True))
        return next_item(*args)

    monkeypatch.setattr(losses, "next_item", noted)
    found = network.batch_loss(ops, random, weights, settings, data, WHOLE)
    expected = []
    for row, (window, target) in enumerate(places):
        place = int(np.flatnonzero(target == ITEMS)[0])
        user = int(data["users"][place])
        items, of_user = ITEMS[slice(*WHOLE[user])], user_row(network, weights, user)
        outputs = reference_outputs(settings, weights, items, of_user)
        output = outputs[place - 1 - BOUNDS[user]]
        draws = random.drawn[-1] if random.drawn else None
        if loss in ("bce", "gbce"):  # of the place, or of its window
            draws = draws[row if loss == "bce" else window]
        expected.append(
            reference_loss(settings, data, weights, output, user, target, draws)
        )
    assert len(expected) == sum(LENGTHS) - N_USERS
    found = np.asarray(found)
    if loss == "softmax":
        assert found == pytest.approx(np.mean(expected), rel=1e-5)
    else:
        assert_allclose(found.reshape(-1), expected, rtol=1e-4, atol=1e-5)


def plain_ops():
    """The training operations without any gradient of their own."""
    import tensorflow as tf

    def standardize(x):
        mean = tf.reduce_mean(x, axis=1, keepdims=True)
        variance = tf.reduce_mean(tf.square(x - mean), axis=1, keepdims=True)
        return (x - mean) / tf.sqrt(variance + 1e-6)

    def softmax_loss(queries, table, targets):
        scores = tf.matmul(queries, table, transpose_b=True)
        return tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(targets, scores)
        )

    return SimpleNamespace(
        **vars(training_ops())
        | {
            "pad_rows": lambda x, layout: [
                tf.gather(x, p.places) for p in layout.parts
            ],
            "unpad_rows": lambda padded, layout: tf.concat(
                [
                    tf.boolean_mask(x, part.real)
                    for x, part in zip(padded, layout.parts, strict=True)
                ],
                axis=0,
            ),
            "standardize": standardize,
            "softmax_loss": softmax_loss,
        }
    )


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_equal_those_of_plain_tensorflow(network, loss, norm):
    import tensorflow as tf

    settings = settings_of(network, norm=norm, n_heads=2, **LOSSES[loss])
    weights = make_weights(network, settings, n_blocks=2)
    found = []
    for ops in (training_ops(), plain_ops()):
        variables = {name: tf.Variable(value) for name, value in weights.items()}
        with tf.GradientTape() as tape:
            losses_ = network.batch_loss(
                ops, Draws(), variables, settings, make_data(), WHOLE
            )
            loss_ = tf.reduce_mean(losses_)
        gradients = tape.gradient(loss_, variables)
        found.append(
            {name: tf.convert_to_tensor(g).numpy() for name, g in gradients.items()}
        )
    assert found[0].keys() == weights.keys()
    for name in weights:
        assert np.abs(found[1][name]).max() > 1e-6, name  # nothing is left out
        assert_allclose(found[0][name], found[1][name], 1e-4, 1e-5, err_msg=name)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_equal_finite_differences(network, loss):
    import tensorflow as tf

    settings = settings_of(network, n_heads=2, **LOSSES[loss])
    weights = make_weights(network, settings)
    variables = {name: tf.Variable(value) for name, value in weights.items()}
    data = make_data()
    with tf.GradientTape() as tape:
        loss_ = tf.reduce_mean(
            network.batch_loss(
                training_ops(), Draws(), variables, settings, data, WHOLE
            )
        )
    gradients = tape.gradient(loss_, variables)
    precise = {name: value.astype(np.float64) for name, value in weights.items()}

    def total(name, change):
        moved = precise | {name: precise[name] + change}
        return np.mean(
            network.batch_loss(_numpy_ops, Draws(), moved, settings, data, WHOLE)
        )

    random = np.random.default_rng(6)
    for name, value in precise.items():
        gradient = tf.convert_to_tensor(gradients[name]).numpy()
        direction, step = random.standard_normal(value.shape), 1e-4
        slope = total(name, step * direction) - total(name, -step * direction)
        assert np.sum(gradient * direction) == pytest.approx(
            slope / (2 * step), rel=5e-3, abs=1e-3
        ), name


# Operations with a gradient of their own ----------------------------------------


def test_standardized_rows_have_mean_0_and_variance_1(ops):
    x = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
    found = np.asarray(ops.standardize(10 * x + 3))
    assert_allclose(found.mean(axis=1), 0, atol=1e-6)
    assert_allclose(found.var(axis=1), 1, rtol=1e-4)
    assert_allclose(np.asarray(ops.standardize(np.full((2, 3), 5, "f4"))), 0, atol=1e-3)


def test_gradient_of_standardize():
    import tensorflow as tf

    random = np.random.default_rng(0)
    x = tf.constant(random.standard_normal((9, 7)), tf.float32)
    upstream = tf.constant(random.standard_normal((9, 7)), tf.float32)
    found = []
    for ops in (training_ops(), plain_ops()):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = ops.standardize(x)
        found.append((y.numpy(), tape.gradient(y, x, upstream).numpy()))
    assert_allclose(found[0][0], found[1][0], rtol=1e-5, atol=1e-6)
    assert_allclose(found[0][1], found[1][1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_parts", [1, 3, 8])
def test_rows_come_back_from_padding_and_so_do_gradients(n_parts):
    import tensorflow as tf

    ops = training_ops()
    lengths = tf.constant([6, 4, 4, 2, 1], tf.int64)
    layout = transformer.lay_out(ops, lengths, n_parts)
    x = tf.reshape(tf.range(17 * 2, dtype=tf.float32), (17, 2))
    upstream = tf.constant(np.random.default_rng(0).random((17, 2)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        padded = ops.pad_rows(x, layout)
        rows = ops.unpad_rows([3 * part for part in padded], layout)
    assert len(padded) == n_parts
    assert_array_equal(rows, 3 * x)
    assert_array_equal(tape.gradient(rows, x, upstream), 3 * upstream)
    in_numpy = transformer.lay_out(_numpy_ops, lengths.numpy(), n_parts)
    for part, other in zip(
        padded, _numpy_ops.pad_rows(x.numpy(), in_numpy), strict=True
    ):
        assert_array_equal(part, other)


@pytest.mark.parametrize("T", [1, 63, 64, 128, 200])
@pytest.mark.parametrize("compiled", [False, True])
def test_softmax_loss_in_slices_is_the_cross_entropy(T, compiled, monkeypatch):
    import tensorflow as tf

    from sklearn_attrec import _training_ops

    monkeypatch.setattr(_training_ops, "SCORES_AT_ONCE", 1)  # the fewest places: 64
    random = np.random.default_rng(T)
    queries = tf.constant(random.standard_normal((T, 5)), tf.float32)
    table = tf.constant(random.standard_normal((11, 5)), tf.float32)
    targets = tf.constant(random.integers(11, size=T))
    found = []
    for ops in (training_ops(), plain_ops()):
        loss_of = ops.softmax_loss
        if compiled and not found:
            shapes = [
                tf.TensorSpec([None, None], tf.float32),
                tf.TensorSpec([None, None], tf.float32),
                tf.TensorSpec([None], tf.int64),
            ]
            loss_of = tf.function(loss_of, shapes)
        with tf.GradientTape() as tape:
            tape.watch([queries, table])
            loss = 3 * loss_of(queries, table, targets)  # an upstream gradient of 3
        found.append([loss, *tape.gradient(loss, [queries, table])])
    for one, other in zip(*found, strict=True):
        assert one.shape == other.shape
        assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    by_numpy = _numpy_ops.softmax_loss(*(x.numpy() for x in (queries, table, targets)))
    assert 3 * by_numpy == pytest.approx(float(found[1][0]), rel=1e-5)


def test_softmax_loss_of_far_scores_is_a_number():
    import tensorflow as tf

    queries, table = tf.constant([[1000.0]]), tf.constant([[1.0], [-1.0]])
    with tf.GradientTape() as tape:
        tape.watch([queries, table])
        loss = training_ops().softmax_loss(queries, table, tf.constant([1], tf.int64))
    assert 50 < float(loss) < np.inf
    for gradient in tape.gradient(loss, [queries, table]):
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0  # the way out is still shown


def test_softmax_of_minus_infinity_is_zero(ops):
    x = np.array([[0.0, -np.inf, 0.0], [-np.inf, 7.0, -np.inf]], np.float32)
    found = np.asarray(ops.softmax(x, axis=-1))
    assert_array_equal(found, [[0.5, 0, 0.5], [0, 1, 0]])


# Stochastic shared embeddings ---------------------------------------------------


def batch_random(seed=0):
    import tensorflow as tf

    from sklearn_attrec._training_ops import BatchRandom

    return BatchRandom(tf.constant(seed, tf.int64), tf.constant(1, tf.int64))


@pytest.mark.parametrize("chance", [0.0, 0.1, 0.92, 1.0])
def test_codes_are_replaced_by_their_chance(chance):
    import tensorflow as tf

    n, codes = 10, tf.constant(np.full(40_000, 3))
    n_codes = tf.constant(n, tf.int64)
    found = sse_pt.replace(training_ops(), batch_random(), codes, n_codes, chance)
    share = np.bincount(found.numpy(), minlength=n) / len(found)
    assert len(share) == n
    expected = np.full(n, chance / n)  # a code may be drawn in its own place
    expected[3] += 1 - chance
    assert_allclose(share, expected, atol=0.01)
    # Neighbours are drawn apart from each other.
    replaced = found.numpy() != 3
    pairs = np.mean(replaced[1:] & replaced[:-1])
    assert pairs == pytest.approx((chance * 0.9) ** 2, abs=0.01)
    assert ((found.numpy() == 3).all()) == (chance == 0)


def shared_of(settings, ask, seed, ops=None):
    """What a batch read and asked for, seen through weights that spell out codes."""
    # sqrt(width) [item code; √user code] comes through as it is, without positions.
    weights = make_weights(sse_pt, settings, n_blocks=0)
    weights["P"][:] = 0
    weights["E"][:] = np.arange(N_ITEMS)[:, None]
    weights["U"][:] = np.sqrt(np.arange(N_USERS) / D_USER)[:, None]
    random = batch_random(seed)
    found = ask(sse_pt, training_ops(), settings, weights, WHOLE, ITEMS, random)
    root = math.sqrt(D + D_USER)
    return {
        place: (round(one.bias / root), round(one.query[0] / root), one.target)
        for place, one in found.items()
    }


def test_without_sharing_nothing_is_replaced(ask):
    settings = settings_of(sse_pt, norm="post")
    users = make_data()["users"]
    for place, shared in shared_of(settings, ask, 0).items():
        assert shared == (users[place], ITEMS[place - 1], ITEMS[place])


def test_a_window_has_one_user_and_any_user_may_be_it(ask):
    settings = settings_of(sse_pt, norm="post", sse_user=1.0)
    counts = np.zeros((N_USERS, N_USERS))
    for seed in range(60):
        shared = shared_of(settings, ask, seed)
        for user, (begin, end) in enumerate(WHOLE):
            (code,) = {shared[place][0] for place in range(begin + 1, end + 1)}
            counts[user, code] += 1
        assert all(
            shared[place][1:] == (ITEMS[place - 1], ITEMS[place]) for place in shared
        )
    assert_allclose(counts / 60, 1 / N_USERS, atol=0.2)


def test_read_and_asked_items_are_replaced_apart(ask):
    settings = settings_of(sse_pt, norm="post", sse_item=0.3)
    users, read, asked_for, both, n = make_data()["users"], 0, 0, 0, 0
    for seed in range(40):
        for place, (user, item, target) in shared_of(settings, ask, seed).items():
            assert user == users[place]
            read += item != ITEMS[place - 1]
            asked_for += target != ITEMS[place]
            both += item != ITEMS[place - 1] and target != ITEMS[place]
            n += 1
    chance = 0.3 * (1 - 1 / N_ITEMS)
    assert read / n == pytest.approx(chance, abs=0.05)
    assert asked_for / n == pytest.approx(chance, abs=0.05)
    assert both / n == pytest.approx(chance**2, abs=0.04)


def test_negatives_are_those_of_the_real_user(ask):
    # Another user's row may be read, but a user's own items are no negatives.
    settings = settings_of(sse_pt, norm="post", sse_user=1.0)
    weights = make_weights(sse_pt, settings, n_blocks=0)
    random = batch_random()
    found = ask(sse_pt, training_ops(), settings, weights, WHOLE, ITEMS, random)
    users = make_data()["users"]
    assert all(one.user == users[place] for place, one in found.items())
