"""Learning rate schedules: the rate of each step, relative to the largest rate."""

import numpy as np

__all__ = ["constant_until_decay", "linear_decay", "warm_up_cosine"]

# Fraction of the training during which `warm_up_cosine` increases.
WARM_UP = 0.05


def linear_decay(done, step):
    """Decrease linearly to 0.

    Parameters
    ----------
    done : ndarray of shape (n_steps,)
        Fraction of the training done before each step, in [0, 1).
    step : float
        Fraction of the training done by one step.

    Returns
    -------
    ndarray of shape (n_steps,)
    """
    return 1 - done


def warm_up_cosine(done, step):
    """Increase linearly, then decrease to 0 along a cosine; see `linear_decay`."""
    return np.minimum((done + step) / WARM_UP, (1 + np.cos(np.pi * done)) / 2)


def constant_until_decay(done, step, decay):
    """Increase during the first epoch, stay constant, then decrease linearly to 0.

    Parameters
    ----------
    done : ndarray of shape (n_steps,)
        Number of epochs done before each step, with fractions.
    step : float
        Fraction of an epoch done by one step.
    decay : tuple of int or None
        Number of epochs before the decay and with it; None if it is not yet known.

    Returns
    -------
    ndarray of shape (n_steps,)
    """
    if decay is None:
        return np.minimum(done + step, 1)
    begin, end = decay
    return (end - done) / (end - begin)
