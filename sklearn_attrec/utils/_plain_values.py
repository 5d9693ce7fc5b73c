"""Parameter values as plain Python scalars."""

from numbers import Integral, Real

import numpy as np

__all__ = ["plain_parameters", "plain_value"]


def plain_value(value):
    """Convert a scalar of any numeric type to bool, int or float.

    Parameters
    ----------
    value : object

    Returns
    -------
    object
        Values that are not numbers are returned unchanged.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):  # for example fractions.Fraction
        return float(value)
    return value.item() if isinstance(value, np.generic) else value


def plain_parameters(estimator, without=()):
    """Return the parameters of an estimator with plain values.

    Parameters
    ----------
    estimator : BaseEstimator
    without : collection of str, default=()
        Names to leave out.

    Returns
    -------
    dict
    """
    return {
        name: plain_value(value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in without
    }
