"""Event weights of training targets."""

import numpy as np

__all__ = ["any_positive", "scale_weights"]


def scale_weights(weights, targets):
    """Scale the weights of some rows to a mean of 1; the others become 0.

    Parameters
    ----------
    weights : ndarray of shape (n_rows,)
    targets : ndarray, rows or boolean mask
        If there are any, at least one of their weights is positive.

    Returns
    -------
    ndarray of shape (n_rows,), float32
    """
    scaled = np.zeros(len(weights), dtype=np.float32)
    if len(chosen := weights[targets]):
        chosen = chosen / chosen.max()  # so that equal weights become exactly 1
        scaled[targets] = chosen / chosen.mean()
    return scaled


def any_positive(weights, start, stop):
    """Return whether any of ``weights[start[i]:stop[i]]`` is positive, for each i.

    Parameters
    ----------
    weights : ndarray of shape (n_rows,)
    start, stop : ndarray of shape (n,), int

    Returns
    -------
    ndarray of shape (n,), bool
    """
    counts = np.concatenate([[0], np.cumsum(weights > 0)])
    return counts[stop] > counts[start]
