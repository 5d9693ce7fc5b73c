"""Checks of the arguments that metrics and scorers share."""

import numpy as np

from sklearn_attrec.utils._param_validation import Integer, Optional, check_arguments

__all__ = ["check_argument", "check_k"]


def check_argument(caller, name, value, constraint):
    check_arguments(caller, **{name: (value, constraint)})


def check_k(caller, k, *, optional=True):
    """Return the cut-off as a number, for None one that only `inf` exceeds."""
    check_argument(caller, "k", k, Optional(Integer(1)) if optional else Integer(1))
    return np.finfo(float).max if k is None else k
