"""AttRec: short-term self-attention and long-term metric learning of preferences.

Equations of Zhang, Tay, Yao, Sun: Next Item Recommendation with Self-Attention, 2018
(arXiv:1808.06414). This module does not import TensorFlow: `ops` is `keras_ops.ops` in
the compiled training step and `numpy_ops` in prediction.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from sklearn_attrec._networks import losses, numpy_ops
from sklearn_attrec._networks.item_features import item_rows
from sklearn_attrec._networks.negative_sampling import draw_untouched
from sklearn_attrec._networks.positions import sinusoids
from sklearn_attrec._networks.time_buckets import N_BUCKETS, bucket, time_buckets
from sklearn_attrec._networks.window_batches import take_codes

__all__ = [
    "ITEM_TABLES",
    "Settings",
    "attention",
    "batch_loss",
    "initial_weights",
    "item_embeddings",
    "item_parts",
    "make_settings",
    "query_parts",
    "short_term",
    "weight_layout",
    "window_factors",
]

ITEM_TABLES = ("V", "X")
# Probability that a step leaves out the own rows of an item with features. Larger ones
# rank both new and other items worse, smaller ones rank too many new items first.
OWN_DROPOUT = 0.05

# Biases of attention by the time between two items of a window, and by the age of the
# item that is attended to.
TIME_BIASES = ("b_pair", "b_age")


class Settings(NamedTuple):
    """Everything that defines the network except its weights.

    Numbers and arrays are inputs of the compiled step. A step is compiled for each
    combination of strings and booleans.
    """

    aggregation: str
    share_projection: bool
    loss: str
    time_bias: str  # "" for none
    with_dropout: bool
    omega: float
    gamma: float
    temperature: float
    dropout: float
    n_negatives: int
    position_vectors: np.ndarray  # (L, d)
    before: np.ndarray  # (L,) offsets of the window's items: −L … −1
    ahead: np.ndarray  # (T,) offsets of the targets: 0 … T − 1
    not_itself: np.ndarray  # (L, L) added to logits: −1e30 on the diagonal, otherwise 0

    @property
    def is_inner(self):
        """Whether scores are inner products; otherwise they are negative distances."""
        return self.loss == "bpr"


def make_settings(
    *,
    L,
    d,
    omega,
    gamma,
    n_targets,
    n_negatives,
    aggregation,
    share_projection,
    loss,
    temperature,
    dropout,
    time_bias,
):
    """Create the settings from the parameters of `AttRecRecommender`.

    Returns
    -------
    Settings
    """
    return Settings(
        aggregation=aggregation,
        share_projection=share_projection,
        loss=loss,
        time_bias=time_bias or "",
        with_dropout=dropout > 0,
        omega=omega,
        gamma=gamma,
        temperature=temperature,
        dropout=dropout,
        n_negatives=n_negatives,
        position_vectors=sinusoids(L, d),
        before=np.arange(-L, 0),
        ahead=np.arange(n_targets),
        not_itself=np.diag(np.full(L, -1e30, np.float32)),
    )


def initial_weights(random, parameters, n_users, n_items):
    """Draw the initial weights.

    Parameters
    ----------
    random : numpy Generator
    parameters : dict
        Arguments of `make_settings`.
    n_users, n_items : int

    Returns
    -------
    dict of ndarray, float32
        `U` (n_users, d), `V` and `X` (n_items, d), `W_Q` (d, d) and, unless the
        projection is shared, `W_K` (d, d). With a time bias also `b_pair` and `b_age`
        (128,).
    """
    d = parameters["d"]

    def table(n):
        # Rows have a norm of about 0.5: they lie inside the unit ball.
        return (random.standard_normal((n, d)) * (0.5 / np.sqrt(d))).astype("f4")

    def projection():
        bound = np.sqrt(6 / (2 * d))  # Glorot, Bengio 2010
        return random.uniform(-bound, bound, (d, d)).astype("f4")

    weights = {"U": table(n_users), "V": table(n_items), "X": table(n_items)}
    weights["W_Q"] = projection()
    if not parameters["share_projection"]:
        weights["W_K"] = projection()
    if parameters["time_bias"]:
        weights |= {name: np.zeros(N_BUCKETS, np.float32) for name in TIME_BIASES}
    return weights


def weight_layout(parameters):
    """Return the dtype and the symbolic shape of each weight of a fitted model."""
    tables = {"U": "n_users", "V": "n_items", "X": "n_items", "W_Q": "d", "W_K": "d"}
    layout = {name: ("f4", (rows, "d")) for name, rows in tables.items()}
    if parameters["time_bias"]:
        layout |= {name: ("f4", (str(N_BUCKETS),)) for name in TIME_BIASES}
    return layout


def attention(
    ops, weights, settings, rows, codes, padding_mask, random=None, times=None
):
    """Return the attention weights between the items of a window.

    Parameters
    ----------
    ops : module
        `keras_ops.ops` or `numpy_ops`.
    weights : dict
        `W_Q` and `W_K`, each (d, d), and with times `b_pair` and `b_age`.
    settings : Settings
    rows : tensor of shape (n, d)
        Rows of X.
    codes : tensor of shape (batch, L), int64
        The item of each place of a window, as a position in `rows`.
    padding_mask : tensor of shape (batch, L), bool
        False at padding. Each row has at least one True.
    random : BatchRandom, default=None
        Random numbers for dropout; None in prediction.
    times : tensor of shape (batch, L + 1), float64, default=None
        Times of the items and of the request, in seconds; None adds no time bias.

    Returns
    -------
    tensor of shape (batch, L, L)
        Each row sums to 1. Weights of padding are 0. An item does not attend to itself,
        unless it is the only item of the window.
    """
    d = ops.shape(rows)[1]

    def project(projection):
        keep = None
        if random is not None and settings.with_dropout:
            keep, scale = random.dropout_mask((*ops.shape(codes), d), settings.dropout)
            projection = scale * projection  # scales the result: relu(a x) = a relu(x)
        # The position vectors are added for query and key only.
        inputs = rows, codes, settings.position_vectors
        return ops.project_rows(*inputs, projection, keep)  # (batch, L, d)

    query = project(weights["W_Q"])
    key = project(weights["W_Q" if settings.share_projection else "W_K"])
    logits = ops.row_products(query, key)  # (batch, L, L)
    logits = logits / ops.sqrt(ops.cast(d, "float32"))
    if times is not None:
        logits += _time_bias(ops, weights, settings, times)

    # Mask before the softmax, so that the remaining weights of each row sum to 1. The
    # weight of an item for itself becomes 0, or 1 if all other places are padding.
    logits = ops.where(padding_mask[:, None], logits + settings.not_itself, -np.inf)
    return ops.softmax(logits, axis=-1)


def _time_bias(ops, weights, settings, times):
    """Return the bias of the logits, (batch, L, L)."""
    items = times[:, :-1]  # (batch, L)
    reference = times[:, -1:] if settings.time_bias == "request" else times[:, -2:-1]
    ages = time_buckets(ops, reference, items)  # (batch, 1, L)
    spans = ops.absolute(items[:, :, None] - items[:, None])
    pairs = bucket(ops, spans)  # (batch, L, L)
    return ops.lookup(weights["b_pair"], pairs) + ops.lookup(weights["b_age"], ages)


def short_term(
    ops, weights, settings, rows, codes, padding_mask, random=None, times=None
):
    """Return the short-term vector m of each window.

    The parameters are those of `attention`.

    Returns
    -------
    tensor of shape (batch, d)
    """
    attention_weights = attention(
        ops, weights, settings, rows, codes, padding_mask, random, times
    )
    if settings.aggregation in ("mean", "sum"):
        # Sum the attention weights before multiplying by the item embeddings: the full
        # product of both matrices would be much more expensive.
        summed = _summed(ops, settings, attention_weights, padding_mask)
        return ops.weighted_rows(summed, rows, codes)  # (batch, d)
    window = ops.take(rows, codes, axis=0)  # (batch, L, d)
    outputs = ops.matmul(attention_weights, window)  # (batch, L, d)
    if settings.aggregation == "max":
        return ops.max(ops.where(padding_mask[:, :, None], outputs, -np.inf), axis=1)
    return ops.min(ops.where(padding_mask[:, :, None], outputs, np.inf), axis=1)


def _summed(ops, settings, attention_weights, padding_mask):
    """Sum or average the attention that each item gets, (batch, L)."""
    mask = ops.cast(padding_mask, "float32")[:, :, None]  # (batch, L, 1)
    summed = ops.sum(mask * attention_weights, axis=1)  # (batch, L)
    return summed / ops.sum(mask, axis=1) if settings.aggregation == "mean" else summed


def window_factors(settings, attention_weights, window, padding_mask):
    """Return the factor of each item of a window in m, in NumPy.

    m is the sum of these factors times the rows of X.

    Parameters
    ----------
    settings : Settings
    attention_weights : ndarray of shape (batch, L, L)
    window : ndarray of shape (batch, L, d)
        Rows of X.
    padding_mask : ndarray of shape (batch, L), bool

    Returns
    -------
    ndarray of shape (batch, L, 1) or, for 'max' and 'min', (batch, L, d)
    """
    if settings.aggregation in ("mean", "sum"):
        return _summed(numpy_ops, settings, attention_weights, padding_mask)[:, :, None]
    outputs = attention_weights @ window  # (batch, L, d)
    outputs = outputs if settings.aggregation == "max" else -outputs
    outputs = np.where(padding_mask[:, :, None], outputs, -np.inf)
    places = outputs.argmax(axis=1)[:, :, None]  # (batch, d, 1) of the output that is m
    return np.take_along_axis(attention_weights, places, axis=1).swapaxes(1, 2)


def query_parts(ops, settings, long_vectors, short_vectors):
    """Return the query vectors whose inner product with the item vectors is the score.

    −ω‖U_u − V_i‖² = 2ω U_u·V_i − ω‖U_u‖² − ω‖V_i‖², and likewise for m and X_i.

    Parameters
    ----------
    ops : module
    settings : Settings
    long_vectors : tensor of shape (batch, d)
        Rows of U.
    short_vectors : tensor of shape (batch, d)
        Result of `short_term`.

    Returns
    -------
    tuple of tensors of shape (batch, d), (batch, d) and, for distances, (batch, 2)
    """
    omega = settings.omega
    if settings.is_inner:
        return omega * long_vectors, (1 - omega) * short_vectors
    norm = _weighted_squared_norm(
        ops, settings, long_vectors, short_vectors
    )  # (batch, 1)
    offsets = ops.concatenate([-norm, -ops.ones_like(norm)], axis=1)  # (batch, 2)
    return 2 * omega * long_vectors, 2 * (1 - omega) * short_vectors, offsets


def item_parts(ops, settings, V, X):
    """Return the item vectors of the score; see `query_parts`.

    Parameters
    ----------
    ops : module
    settings : Settings
    V, X : tensor of shape (n, d)
        Rows of the long-term and of the short-term item embeddings.

    Returns
    -------
    tuple of tensors of shape (n, d), (n, d) and, for distances, (n, 2)
        The first two are V and X themselves: a large catalogue is not copied.
    """
    if settings.is_inner:
        return V, X
    norm = _weighted_squared_norm(ops, settings, V, X)  # (n, 1)
    return V, X, ops.concatenate([ops.ones_like(norm), norm], axis=1)


def _weighted_squared_norm(ops, settings, long_vectors, short_vectors):
    """Return ω‖long_vectors‖² + (1 − ω)‖short_vectors‖² for each row, (n, 1)."""
    long_norm = settings.omega * ops.squared_norms(long_vectors)  # (n,)
    short_norm = (1 - settings.omega) * ops.squared_norms(short_vectors)  # (n,)
    return (long_norm + short_norm)[:, None]


def item_embeddings(ops, settings, V, X):
    """Return the item vectors k_i = [√ω V_i, √(1 − ω) X_i] for item similarity."""
    omega = settings.omega
    # `ops.sqrt` would return a NumPy float64 and thus convert V and X to float64.
    return ops.concatenate([omega**0.5 * V, (1 - omega) ** 0.5 * X], axis=1)


def batch_loss(ops, random, weights, settings, data, windows):
    """Return the loss of each training window of a batch.

    Parameters
    ----------
    ops : module
    random : BatchRandom
        Random numbers of this batch.
    weights : dict
        `U`, `V`, `X`, `W_Q`, `W_K`.
    settings : Settings
    data : dict
        `items`, `users` and `indptr` of the sequences and, unless the loss is
        'softmax', `untouched`. With event weights, `weights` (n_rows,), by which the
        losses of the targets are multiplied; with a time bias `times` (n_rows,),
        float64, in seconds; with item features `features`, see
        `item_features.item_rows`.
    windows : tensor of shape (batch,), int64
        Position of the first target of each window in `items`.

    Returns
    -------
    tensor of shape (batch,)
    """
    n_items = ops.cast(ops.shape(weights["X"])[0], "int64")
    users = take_codes(ops, data["users"], windows)  # (batch,)
    positions = windows[:, None]  # (batch, 1)
    begin = ops.take(data["indptr"], users, axis=0)[:, None]  # (batch, 1)
    end = ops.take(data["indptr"], users + 1, axis=0)[:, None]  # (batch, 1)
    input_positions = positions + settings.before  # (batch, L)
    padding_mask = input_positions >= begin
    window = take_codes(ops, data["items"], ops.maximum(input_positions, 0))
    target_positions = positions + settings.ahead  # (batch, T)
    target_mask = ops.cast(target_positions < end, "float32")
    target_positions = ops.minimum(target_positions, end - 1)
    targets = take_codes(ops, data["items"], target_positions)
    target_weights = target_mask
    if "weights" in data:
        event_weights = ops.take(data["weights"], target_positions, axis=0)
        target_weights = target_mask * event_weights  # (batch, T)

    times = None
    if settings.time_bias:
        read = ops.concatenate([ops.maximum(input_positions, 0), positions], axis=1)
        times = ops.take(data["times"], read, axis=0)  # (batch, L + 1)
    items, codes = ops.unique(window)  # (n,), (batch, L)
    read_rows = partial(item_rows, ops, random, weights, data, rate=OWN_DROPOUT)
    (rows,) = read_rows(tables=("X",), items=items)  # (n, d)
    short_vectors = short_term(
        ops, weights, settings, rows, codes, padding_mask, random, times
    )
    # ω U_u and (1 − ω) m side by side, (batch, 2d)
    queries = ops.concatenate(
        [
            settings.omega * ops.take(weights["U"], users, axis=0),
            (1 - settings.omega) * short_vectors,
        ],
        axis=1,
    )
    if settings.loss == "softmax":
        positive = _score_candidates(ops, read_rows, settings, queries, targets)
        negatives = random.items((settings.n_negatives,), n_items)  # (n,)
        # Exclude negatives that are also targets of the same window.
        is_target = ops.any(targets[:, :, None] == negatives, axis=1)  # (batch, n)
        return losses.softmax(
            ops,
            positive,
            _logsumexp_shared(ops, read_rows, settings, queries, negatives, is_target),
            target_mask,
            target_weights,
            settings.gamma,
            settings.temperature,
        )
    uniforms = random.uniform((ops.shape(windows)[0], settings.n_negatives))
    negatives = draw_untouched(ops, data["untouched"], n_items, users, uniforms)
    candidates = ops.concatenate([targets, negatives], axis=1)  # (batch, T + n)
    scores = _score_candidates(ops, read_rows, settings, queries, candidates)
    T = ops.shape(settings.ahead)[0]
    positive, negative = scores[:, :T], scores[:, T:]  # (batch, T), (batch, n)
    if settings.loss == "bpr":
        return losses.bpr(ops, positive, negative, target_weights)
    return losses.hinge(ops, positive, negative, target_weights, settings.gamma)


def _score_candidates(ops, read_rows, settings, queries, candidates):
    """Score different candidate items for each window.

    The scores of a window lack a common term, ω‖U_u‖² + (1 − ω)‖m‖²: losses depend only
    on differences between them.

    Parameters
    ----------
    ops : module
    read_rows : callable
        `item_rows` without the arguments `tables` and `items`.
    settings : Settings
    queries : tensor of shape (batch, 2d)
        ω U_u and (1 − ω) m of each window, where m is the result of `short_term`.
    candidates : tensor of shape (batch, n), int64
        Item codes.

    Returns
    -------
    tensor of shape (batch, n)
    """
    items, codes = ops.unique(candidates)  # (m,), (batch, n)
    keys, norms = _keys_and_norms(ops, read_rows, settings, items)
    scores = ops.products_with_rows(queries, keys, codes)  # (batch, n)
    if settings.is_inner:
        return scores
    return 2 * scores - ops.take(norms, codes, axis=0)


def _logsumexp_shared(ops, read_rows, settings, queries, items, excluded):
    """Return the logarithm of the sum of exp(score / temperature) over shared items.

    Parameters
    ----------
    items : tensor of shape (n,), int64
        Item codes.
    excluded : tensor of shape (batch, n), bool
        Items that a window leaves out.

    For the other parameters and the scores, see `_score_candidates`.

    Returns
    -------
    tensor of shape (batch,)
    """
    keys, norms = _keys_and_norms(ops, read_rows, settings, items)
    scale = 1 / settings.temperature
    return ops.logsumexp_products(2 * scale * queries, keys, -scale * norms, excluded)


def _keys_and_norms(ops, read_rows, settings, items):
    """Return V and X of items side by side, (n, 2d), and ω‖V_i‖² + (1 − ω)‖X_i‖²."""
    V, X = read_rows(tables=ITEM_TABLES, items=items)  # (n, d)
    norms = _weighted_squared_norm(ops, settings, V, X)[:, 0]  # (n,)
    return ops.concatenate([V, X], axis=1), norms
