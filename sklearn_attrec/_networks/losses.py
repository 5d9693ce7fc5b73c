"""Losses over the scores of targets and negatives; larger scores are better.

Those of AttRec return one number a window. `given` marks the targets that exist: the
last windows of a user have fewer than T items ahead of them. Those of `next_item` are
for networks that ask for the next item with a vector at each place of a sequence.
"""

import numpy as np

from sklearn_attrec._sampling import draw_popular, draw_untouched

__all__ = ["bpr", "gbce", "hinge", "next_item", "sampled_softmax", "softmax"]


def hinge(ops, positive, negative, given, margin):
    """Sum of max(0, margin + s_j − s_i) over targets i and negatives j.

    AttRec's loss: with s = −y this is max(0, y_i + γ − y_j).

    Parameters
    ----------
    ops : module
        `keras.ops` or its NumPy stand-in.
    positive : tensor of shape (batch, T)
    negative : tensor of shape (batch, n)
    given : tensor of shape (batch, T), 0 or 1
    margin : scalar

    Returns
    -------
    tensor of shape (batch,)
    """
    # (batch, T, n)
    pairs = ops.relu(margin + negative[:, None, :] - positive[:, :, None])
    return ops.sum(ops.sum(pairs, axis=2) * given, axis=1)


def bpr(ops, positive, negative, given):
    """Sum of −log σ(s_i − s_j) over targets i and negatives j (Rendle et al. 2009).

    Parameters and result are those of `hinge`, without the margin.
    """
    # (batch, T, n); softplus(−x) = −log σ(x)
    pairs = ops.softplus(negative[:, None, :] - positive[:, :, None])
    return ops.sum(ops.sum(pairs, axis=2) * given, axis=1)


def softmax(ops, positive, negative, given, margin, temperature):
    """Cross-entropy of each target against the negatives, averaged over targets.

    The margin is taken off the target's score, as in additive-margin softmax.

    Parameters and result are those of `hinge`; `temperature` divides all scores, and
    a negative of −inf counts for nothing.
    """
    positive = (positive - margin) / temperature  # (batch, T)
    rest = ops.logsumexp(negative / temperature, axis=1)[:, None]  # (batch, 1)
    # log(e^s_i + Σ e^s_j) − s_i = softplus(log Σ e^s_j − s_i)
    entropy = ops.softplus(rest - positive) * given
    return ops.sum(entropy, axis=1) / ops.sum(given, axis=1)


def next_item(
    ops, random, table, settings, data, queries, users, batch, targets, bias=0.0
):
    """Loss of asking for the next item at each place of some windows.

    Parameters
    ----------
    ops : module
    random : BatchRandom
        Draws the negatives.
    table : tensor of shape (n_items, d)
        Item embeddings.
    settings : NamedTuple
        With `loss`, `n_negatives` and `calibration`.
    data : dict
        `popularity` for 'sampled_softmax', `untouched` for 'bce' and 'gbce'; see
        `_sampling`.
    queries : tensor of shape (T, d)
    users : tensor of shape (n,)
        Whose window it is.
    batch : Batch
        The windows and their T places.
    targets : tensor of shape (T,)
        The items that came next.
    bias : tensor of shape (T, 1), default=0.0
        Added to every score of a place; the softmax losses do not depend on it.

    Returns
    -------
    tensor of shape () or (T, 1)
    """
    if settings.loss == "softmax":
        return ops.softmax_loss(queries, table, targets)
    positive = queries * ops.take(table, targets, axis=0)  # (T, d)
    positive = ops.sum(positive, axis=1, keepdims=True) + bias  # (T, 1)
    n, n_items = settings.n_negatives, ops.cast(ops.shape(table)[0], "int64")
    if settings.loss == "sampled_softmax":
        uniforms = random.uniform((n,))
        negatives, chances = draw_popular(ops, data["popularity"], uniforms)
        scores = ops.einsum("td,nd->tn", queries, ops.take(table, negatives, axis=0))
        scores = scores + bias - ops.log(ops.cast(n, "float32") * chances)
        # A target that was also drawn as a negative must not push against itself.
        negative = ops.where(targets[:, None] == negatives, -np.inf, scores)
        return sampled_softmax(ops, positive, negative)
    if settings.loss == "bce":
        users = ops.take(users, batch.window, axis=0)  # (T,)
    uniforms = random.uniform((ops.shape(users)[0], n))
    negatives = draw_untouched(ops, data["untouched"], n_items, users, uniforms)
    vectors = ops.take(table, negatives, axis=0)
    if settings.loss == "bce":  # negatives of its own for each place, (T, n, d)
        return gbce(ops, positive, ops.einsum("td,tnd->tn", queries, vectors) + bias, 1)
    # Many negatives are drawn once a window, (n_windows, n, d), and scored by products
    # of matrices. Drawn once a batch, they leave a small catalogue stuck at scores that
    # are all the same.
    negative = _score_in_windows(ops, queries, vectors, batch) + bias
    share = ops.cast(n, "float32") / (ops.cast(n_items, "float32") - 1)  # α
    # β = α ((1 − 1/α) t + 1/α) (Petrov, Macdonald 2023, equation 13)
    power = share * ((1 - 1 / share) * settings.calibration + 1 / share)
    return gbce(ops, positive, negative, power)


def _score_in_windows(ops, queries, vectors, batch):
    """Score each window's own items at its places, (T, n)."""
    scores, start = [], 0
    for x in ops.pad_rows(queries, batch.layout):  # (n_windows, W, d)
        stop = start + ops.shape(x)[0]
        scores.append(ops.row_products(x, vectors[start:stop]))
        start = stop
    return ops.unpad_rows(scores, batch.layout)


def gbce(ops, positive, negative, power):
    """Binary cross-entropy with the target's probability raised to a power.

    −β log σ(s_i) − Σ log(1 − σ(s_j)) (Petrov, Macdonald: gSASRec, RecSys 2023,
    arXiv:2308.07192); β = 1 is the loss of Kang, McAuley 2018, equation 7.

    Parameters
    ----------
    ops : module
    positive : tensor of shape (T, 1)
    negative : tensor of shape (T, n)
        −inf counts for nothing.
    power : scalar

    Returns
    -------
    tensor of shape (T, 1)
    """
    against = ops.sum(ops.softplus(negative), axis=1, keepdims=True)
    return power * ops.softplus(-positive) + against


def sampled_softmax(ops, positive, negative):
    """Cross-entropy of the target against negatives that stand for all items.

    Parameters
    ----------
    ops : module
    positive : tensor of shape (T, 1)
    negative : tensor of shape (T, n)
        Scores less log(n q_j), with q_j the chance of drawing item j: so the sum of
        their exponentials estimates that of all items (Bengio, Senecal 2008; Yi et
        al.: Sampling-bias-corrected neural modeling, RecSys 2019).

    Returns
    -------
    tensor of shape (T, 1)
    """
    return ops.softplus(ops.logsumexp(negative, axis=1)[:, None] - positive)
