"""Training losses over the scores of targets and negatives.

Larger scores are better. `hinge`, `bpr` and `softmax` are the losses of AttRec: one
value per window. `next_item` is the loss of the transformers, which predict the next
item at each position of a window.
"""

from sklearn_attrec._networks.negative_sampling import draw_popular, draw_untouched

__all__ = ["bpr", "gbce", "hinge", "next_item", "softmax"]


def hinge(ops, positive, negative, target_weights, margin):
    """Sum max(0, margin + s_j − s_i) over targets i and negatives j.

    AttRec's loss: with s = −y this is max(0, y_i + γ − y_j).

    Parameters
    ----------
    ops : module
        `keras_ops.ops` or `numpy_ops`.
    positive : tensor of shape (batch, T)
        Scores of the targets.
    negative : tensor of shape (batch, n)
        Scores of the negatives.
    target_weights : tensor of shape (batch, T)
        Weights of the targets, 1 without event weights. 0 where no target exists: the
        last windows of a user have fewer than T targets.
    margin : scalar

    Returns
    -------
    tensor of shape (batch,)
    """
    difference = margin + negative[:, None, :] - positive[:, :, None]  # (batch, T, n)
    pairs = ops.relu(difference)
    return ops.sum(ops.sum(pairs, axis=2) * target_weights, axis=1)


def bpr(ops, positive, negative, target_weights):
    """Sum −log σ(s_i − s_j) over targets i and negatives j (Rendle et al. 2009).

    See `hinge` for the parameters (without the margin) and the result.
    """
    difference = negative[:, None, :] - positive[:, :, None]  # (batch, T, n)
    pairs = ops.softplus(difference)  # softplus(−x) = −log σ(x)
    return ops.sum(ops.sum(pairs, axis=2) * target_weights, axis=1)


def softmax(ops, positive, negative, target_mask, target_weights, margin, temperature):
    """Return the mean over targets of the cross-entropy of a target and the negatives.

    The margin is subtracted from the target's score, as in additive-margin softmax.

    See `hinge` for the parameters and the result, except that `negative` (batch,) is
    the logarithm of the sum of exp(s_j / temperature). `target_mask` is 1 where a
    target exists, otherwise 0. The mean is over the number of targets, so that the
    weight of one target does not change the loss of another.
    """
    positive = (positive - margin) / temperature  # (batch, T)
    # log(e^s_i + Σ e^s_j) − s_i = softplus(log Σ e^s_j − s_i)
    difference = negative[:, None] - positive  # (batch, T)
    cross_entropy = ops.softplus(difference) * target_weights  # (batch, T)
    return ops.sum(cross_entropy, axis=1) / ops.sum(target_mask, axis=1)


def next_item(ops, random, table, settings, data, queries, batch, bias=0.0):
    """Return the loss of predicting the next item at each position of the windows.

    Parameters
    ----------
    ops : module
    random : BatchRandom
        Random numbers for the negatives.
    table : tensor of shape (n_items, d)
        Item embeddings.
    settings : NamedTuple
        With `loss`, `n_negatives` and `calibration`.
    data : dict
        `popularity` for 'sampled_softmax', `untouched` for 'bce' and 'gbce'; see
        `negative_sampling`. With event weights, also `weights` (n_rows,): the loss of a
        position is multiplied by the weight of its target.
    queries : tensor of shape (T, d)
        Query vectors of all positions of the batch.
    batch : window_batches.Batch
        The windows and the items to predict at their T positions.
    bias : tensor of shape (T, 1), default=0.0
        Added to every score of a position. The softmax losses do not depend on it.

    Returns
    -------
    tensor of shape () or (T, 1)
    """
    weights = None
    if "weights" in data:
        weights = ops.take(data["weights"], batch.positions + 1, axis=0)  # (T,)
    if settings.loss == "softmax":
        return ops.softmax_loss(queries, table, batch.targets, weights)
    if settings.loss == "sampled_softmax":
        uniforms = random.uniform((settings.n_negatives,))
        drawn = draw_popular(ops, data["popularity"], uniforms)
        return ops.sampled_softmax_loss(queries, table, batch.targets, *drawn, weights)
    losses = _binary_losses(ops, random, table, settings, data, queries, batch, bias)
    return losses if weights is None else losses * weights[:, None]


def _binary_losses(ops, random, table, settings, data, queries, batch, bias):
    """Return the unweighted losses 'bce' and 'gbce'; see `next_item`, (T, 1)."""
    positive = queries * ops.take(table, batch.targets, axis=0)  # (T, d)
    positive = ops.sum(positive, axis=1, keepdims=True) + bias  # (T, 1)
    n, n_items = settings.n_negatives, ops.cast(ops.shape(table)[0], "int64")
    users = batch.users
    if settings.loss == "bce":
        users = ops.take(users, batch.window, axis=0)  # (T,)
    uniforms = random.uniform((ops.shape(users)[0], n))
    negatives = draw_untouched(ops, data["untouched"], n_items, users, uniforms)
    vectors = ops.take(table, negatives, axis=0)  # (T or n_windows, n, d)
    if settings.loss == "bce":  # different negatives at each position
        return gbce(ops, positive, ops.einsum("td,tnd->tn", queries, vectors) + bias, 1)
    # 'gbce' draws many negatives per window and scores them by matrix products. If all
    # windows of a batch shared their negatives, training on a small catalogue would
    # converge to equal scores for all items.
    negative = _score_in_windows(ops, queries, vectors, batch) + bias  # (T, n)
    rate = ops.cast(n, "float32") / (ops.cast(n_items, "float32") - 1)  # α
    # β = α ((1 − 1/α) t + 1/α) (Petrov, Macdonald 2023, equation 13)
    power = rate * ((1 - 1 / rate) * settings.calibration + 1 / rate)
    return gbce(ops, positive, negative, power)


def _score_in_windows(ops, queries, vectors, batch):
    """Score the negatives of each window at all its positions, (T, n)."""
    scores, start = [], 0
    for x in ops.pad_rows(queries, batch.layout):  # (n_windows, W, d)
        stop = start + ops.shape(x)[0]
        scores.append(ops.row_products(x, vectors[start:stop]))  # (n_windows, W, n)
        start = stop
    return ops.unpad_rows(scores, batch.layout)


def gbce(ops, positive, negative, power):
    """Return the binary cross-entropy with the target's probability raised to a power.

    −β log σ(s_i) − Σ log(1 − σ(s_j)) (Petrov, Macdonald: gSASRec, RecSys 2023,
    arXiv:2308.07192); β = 1 is the loss of Kang, McAuley 2018, equation 7.

    Parameters
    ----------
    ops : module
    positive : tensor of shape (T, 1)
        Scores of the targets.
    negative : tensor of shape (T, n)
        Scores of the negatives. −inf has no effect.
    power : scalar
        β.

    Returns
    -------
    tensor of shape (T, 1)
    """
    negative_loss = ops.sum(ops.softplus(negative), axis=1, keepdims=True)  # (T, 1)
    return power * ops.softplus(-positive) + negative_loss
