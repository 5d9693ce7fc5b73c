"""Learning rate schedules: the rate of each step, relative to the largest rate."""

import numpy as np

__all__ = ["linear_decay", "warm_up_cosine"]

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
