"""Losses over the scores of targets and negatives; larger scores are better.

Every function returns one number a window. `given` marks the targets that exist:
the last windows of a user have fewer than T items ahead of them.
"""

__all__ = ["bpr", "hinge", "softmax"]


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
