"""AttRec: self-attention for the short term, metric learning for the long.

Equations of Zhang, Tay, Yao, Sun: Next Item Recommendation with Self-Attention, 2018
(arXiv:1808.06414). Nothing here knows TensorFlow: `ops` is `keras.ops` in the compiled
training step and NumPy afterwards.
"""

from typing import NamedTuple

import numpy as np

from sklearn_attrec._networks import losses
from sklearn_attrec._sampling import draw_untouched

__all__ = [
    "Settings",
    "batch_loss",
    "item_parts",
    "query_parts",
    "setting_layout",
    "short_term",
    "weight_layout",
]


class Settings(NamedTuple):
    """What shapes the network besides its weights.

    Numbers and arrays are inputs of the compiled step; strings and booleans choose
    which step is compiled.
    """

    aggregation: str
    similarity: str
    share_projection: bool
    loss: str
    with_dropout: bool
    omega: float
    gamma: float
    temperature: float
    dropout: float
    n_negatives: int
    time_signal: np.ndarray  # (L, d)
    before: np.ndarray  # (L,) −L … −1
    ahead: np.ndarray  # (T,) 0 … T − 1


def setting_layout():
    """Dtype and names of the sizes of each array among the settings."""
    return {
        "time_signal": ("f4", ("L", "d")),
        "before": ("i8", ("L",)),
        "ahead": ("i8", ("T",)),
    }


def weight_layout():
    """Dtype and names of the sizes of each weight."""
    tables = {"U": "n_users", "V": "n_items", "X": "n_items", "W_Q": "d", "W_K": "d"}
    return {name: ("f4", (rows, "d")) for name, rows in tables.items()}


def attention(ops, weights, settings, window, real, random=None):
    """Weight of each item of the window for each other one (equations 2 and 3).

    Parameters
    ----------
    ops : module
        `keras.ops` or its NumPy stand-in.
    weights : dict
        `W_Q` and `W_K`, each (d, d).
    settings : Settings
    window : tensor of shape (batch, L, d)
        Rows of X.
    real : tensor of shape (batch, L), bool
        False where the window is padded; at least one is True in a row.
    random : BatchRandom, default=None
        Gives dropout while training.

    Returns
    -------
    tensor of shape (batch, L, L)
        Rows sum to 1. Padding weighs nothing, nor does an item for itself, unless it
        is the only one.
    """
    d = ops.shape(window)[2]
    signalled = window + settings.time_signal  # for query and key only
    query = ops.relu(ops.matmul(signalled, weights["W_Q"]))  # (batch, L, d)
    if settings.share_projection:
        key = query
    else:
        key = ops.relu(ops.matmul(signalled, weights["W_K"]))  # (batch, L, d)
    if random is not None and settings.with_dropout:
        query = random.dropout(query, settings.dropout)
        key = random.dropout(key, settings.dropout)
    affinity = ops.row_products(query, key)  # (batch, L, L)
    affinity = affinity / ops.sqrt(ops.cast(d, "float32"))

    alone = ops.sum(ops.cast(real, "int32"), axis=1) == 1  # (batch,)
    others = settings.before[:, None] != settings.before[None, :]  # (L, L)
    open_ = real[:, None, :] & (others[None] | alone[:, None, None])  # (batch, L, L)
    # Masked before the softmax, so that each row sums to 1 over what is open.
    return ops.softmax(ops.where(open_, affinity, -np.inf), axis=-1)


def short_term(ops, weights, settings, window, real, random=None):
    """Short-term intent m of each window (equations 4 and 5).

    Parameters and their shapes are those of `attention`.

    Returns
    -------
    tensor of shape (batch, d)
    """
    attended = attention(ops, weights, settings, window, real, random)
    if settings.aggregation in ("mean", "sum"):
        # Adding up the rows of S first costs a d-th of adding up the rows of S X.
        rows = ops.cast(real, "float32")[:, :, None]  # (batch, L, 1)
        total = ops.sum(rows * attended, axis=1)  # (batch, L)
        if settings.aggregation == "mean":
            total = total / ops.sum(rows, axis=1)
        return ops.sum(total[:, :, None] * window, axis=1)
    outputs = ops.matmul(attended, window)  # (batch, L, d)
    if settings.aggregation == "max":
        return ops.max(ops.where(real[:, :, None], outputs, -np.inf), axis=1)
    return ops.min(ops.where(real[:, :, None], outputs, np.inf), axis=1)


def query_parts(ops, settings, long, short):
    """Query side of the score as a sum of inner products.

    −ω‖U_u − V_i‖² = 2ω U_u·V_i − ω‖U_u‖² − ω‖V_i‖², and likewise for m and X_i.

    Parameters
    ----------
    ops : module
    settings : Settings
    long : tensor of shape (batch, d)
        Rows of U.
    short : tensor of shape (batch, d)
        Result of `short_term`.

    Returns
    -------
    tuple of tensor, (batch, d), (batch, d) and, for distances, (batch, 2)
    """
    omega = settings.omega
    if settings.similarity == "inner":
        return omega * long, (1 - omega) * short
    length = _squared_length(ops, settings, long, short)
    offsets = ops.concatenate([-length, -ops.ones_like(length)], axis=1)
    return 2 * omega * long, 2 * (1 - omega) * short, offsets


def item_parts(ops, settings, V, X):
    """Item side of the score as a sum of inner products; see `query_parts`.

    Parameters
    ----------
    ops : module
    settings : Settings
    V, X : tensor of shape (n, d)
        Rows of the long-term and the short-term item embeddings.

    Returns
    -------
    tuple of tensor, (n, d), (n, d) and, for distances, (n, 2)
        V and X are among them as they are: a large catalogue is not copied.
    """
    if settings.similarity == "inner":
        return V, X
    length = _squared_length(ops, settings, V, X)
    return V, X, ops.concatenate([ops.ones_like(length), length], axis=1)


def _squared_length(ops, settings, long, short):
    """ω‖long‖² + (1 − ω)‖short‖² of each row, (n, 1)."""
    far = settings.omega * ops.sum(ops.square(long), axis=1)
    near = (1 - settings.omega) * ops.sum(ops.square(short), axis=1)
    return (far + near)[:, None]


def item_embeddings(ops, settings, V, X):
    """Items as points k_i = [√ω V_i, √(1 − ω) X_i], the space of likeness."""
    omega = settings.omega
    # A root of `ops` would be a NumPy double, and make doubles of all of V and X.
    return ops.concatenate([omega**0.5 * V, (1 - omega) ** 0.5 * X], axis=1)


def score_candidates(ops, weights, settings, long, short, candidates):
    """Score some items of its own for each row (equation 6).

    Parameters
    ----------
    ops : module
    weights : dict
        `V` and `X`, each (n_items, d).
    settings : Settings
    long, short : tensor of shape (batch, d)
    candidates : tensor of shape (batch, n), int64
        Item codes.

    Returns
    -------
    tensor of shape (batch, n)
        −y(u, i) = −ω‖U_u − V_i‖² − (1 − ω)‖m − X_i‖², or the inner products.
    """
    V, X, omega = weights["V"], weights["X"], settings.omega
    if settings.similarity == "inner":
        far = ops.einsum("bd,bnd->bn", long, ops.take(V, candidates, axis=0))
        near = ops.einsum("bd,bnd->bn", short, ops.take(X, candidates, axis=0))
        return omega * far + (1 - omega) * near
    far = ops.squared_distances(V, candidates, long)
    near = ops.squared_distances(X, candidates, short)
    return -omega * far - (1 - omega) * near


def batch_loss(ops, random, weights, settings, data, rows):
    """Loss of some training windows.

    Parameters
    ----------
    ops : module
    random : BatchRandom
        Random numbers of this batch.
    weights : dict
        `U`, `V`, `X`, `W_Q`, `W_K`.
    settings : Settings
    data : dict
        `items`, `indptr`, `users`, `positions` of the sequences and their windows, and
        `untouched`.
    rows : tensor of shape (batch,), int64
        Which windows.

    Returns
    -------
    tensor of shape (batch,)
    """
    n_items = ops.cast(ops.shape(weights["X"])[0], "int64")
    users = ops.take(data["users"], rows, axis=0)
    positions = ops.take(data["positions"], rows, axis=0)[:, None]
    begin = ops.take(data["indptr"], users, axis=0)[:, None]
    end = ops.take(data["indptr"], users + 1, axis=0)[:, None]
    before = positions + settings.before  # (batch, L)
    real = before >= begin
    window = ops.take(data["items"], ops.maximum(before, 0), axis=0)
    ahead = positions + settings.ahead  # (batch, T)
    given = ops.cast(ahead < end, "float32")
    targets = ops.take(data["items"], ops.minimum(ahead, end - 1), axis=0)

    long = ops.take(weights["U"], users, axis=0)  # (batch, d)
    window = ops.take(weights["X"], window, axis=0)  # (batch, L, d)
    short = short_term(ops, weights, settings, window, real, random)
    if settings.loss == "softmax":
        positive = score_candidates(ops, weights, settings, long, short, targets)
        negatives = random.items((settings.n_negatives,), n_items)  # (n,)
        negative = _score_shared(ops, weights, settings, long, short, negatives)
        # A target that was also drawn as a negative must not push against itself.
        hit = ops.any(targets[:, :, None] == negatives, axis=1)  # (batch, n)
        negative = ops.where(hit, -np.inf, negative)
        return losses.softmax(
            ops, positive, negative, given, settings.gamma, settings.temperature
        )
    uniforms = random.uniform((ops.shape(rows)[0], settings.n_negatives))
    negatives = draw_untouched(ops, data["untouched"], n_items, users, uniforms)
    candidates = ops.concatenate([targets, negatives], axis=1)  # (batch, T + n)
    scores = score_candidates(ops, weights, settings, long, short, candidates)
    T = ops.shape(settings.ahead)[0]
    positive, negative = scores[:, :T], scores[:, T:]
    if settings.loss == "bpr":
        return losses.bpr(ops, positive, negative, given)
    return losses.hinge(ops, positive, negative, given, settings.gamma)


def _score_shared(ops, weights, settings, long, short, items):
    """Score the same items for every row, (batch, n)."""
    V = ops.take(weights["V"], items, axis=0)
    X = ops.take(weights["X"], items, axis=0)
    queries = ops.concatenate(query_parts(ops, settings, long, short), axis=1)
    candidates = ops.concatenate(item_parts(ops, settings, V, X), axis=1)
    return ops.einsum("bd,nd->bn", queries, candidates)
