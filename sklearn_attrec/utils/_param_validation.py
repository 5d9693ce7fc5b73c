"""Parameters and arguments checked against a declared constraint each."""

import math
import os
from dataclasses import dataclass
from numbers import Integral
from numbers import Real as RealNumber

import numpy as np
import pandas as pd

from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.utils._ids import show

__all__ = [
    "Boolean",
    "EpochsOrTime",
    "FilePath",
    "Having",
    "Integer",
    "OneOf",
    "Optional",
    "RandomState",
    "Real",
    "check_arguments",
    "plain_parameters",
    "validate_parameters",
]


@dataclass(frozen=True)
class Integer:
    """An integer between two bounds, both allowed; None leaves a side open."""

    low: int | None = None
    high: int | None = None

    def __str__(self):
        low = "-inf" if self.low is None else self.low
        high = "inf)" if self.high is None else f"{self.high}]"
        return f"an int in the range [{low}, {high}"

    def allows(self, value):
        """Tell whether value meets the constraint."""
        return (
            isinstance(value, Integral)
            and not isinstance(value, (bool, np.bool_))
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
        )


@dataclass(frozen=True)
class Real:
    """A finite number between two bounds, each of which may be left out."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False

    def __str__(self):
        left = "(" if self.low_open or self.low is None else "["
        right = ")" if self.high_open or self.high is None else "]"
        low = "-inf" if self.low is None else self.low
        high = "inf" if self.high is None else self.high
        return f"a float in the range {left}{low}, {high}{right}"

    def allows(self, value):
        """Tell whether value meets the constraint."""
        if not isinstance(value, RealNumber) or isinstance(value, (bool, np.bool_)):
            return False
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        try:
            finite = math.isfinite(value)
        except OverflowError:  # an integer beyond every float
            return False
        return bool(
            finite
            and (value > low or (value == low and not self.low_open))
            and (value < high or (value == high and not self.high_open))
        )


@dataclass(frozen=True, init=False)
class OneOf:
    """One of a few named values."""

    values: tuple

    def __init__(self, *values):
        object.__setattr__(self, "values", values)

    def __str__(self):
        return "one of " + ", ".join(map(repr, self.values))

    def allows(self, value):
        """Tell whether value meets the constraint."""
        return isinstance(value, str) and value in self.values


@dataclass(frozen=True)
class Boolean:
    """True or False."""

    def __str__(self):
        return "True or False"

    def allows(self, value):
        """Tell whether value meets the constraint."""
        return isinstance(value, (bool, np.bool_))


@dataclass(frozen=True)
class Optional:
    """None, or what another constraint allows."""

    constraint: object

    def __str__(self):
        return f"None or {self.constraint}"

    def allows(self, value):
        """Tell whether value meets the constraint."""
        return value is None or self.constraint.allows(value)


@dataclass(frozen=True)
class Having:
    """What a test accepts, put in words."""

    words: str
    allows: object

    def __str__(self):
        return self.words


@dataclass(frozen=True)
class FilePath:
    """Where a file is or shall be."""

    def __str__(self):
        return "a path"

    def allows(self, value):
        """Tell whether value meets the constraint."""
        return isinstance(value, (str, os.PathLike)) and bool(os.fspath(value))


@dataclass(frozen=True)
class EpochsOrTime:
    """How often something is done."""

    def __str__(self):
        return "an int in the range [1, inf) (epochs) or a time such as '10min'"

    def allows(self, value):
        """Tell whether value meets the constraint."""
        try:
            epochs, seconds = self.split(value)
        except (ValueError, TypeError):
            return False
        return Integer(1).allows(epochs) if seconds is None else seconds > 0

    @staticmethod
    def split(value):
        """Return epochs and seconds, one of which is None."""
        if isinstance(value, str):
            if not any(letter.isalpha() or letter == ":" for letter in value):
                raise ValueError("a time needs a unit")  # pandas would take ns
            return None, pd.Timedelta(value).total_seconds()
        return value, None


@dataclass(frozen=True)
class RandomState:
    """What scikit-learn's check_random_state takes."""

    def __str__(self):
        return "None, an int in the range [0, 4294967295] or a numpy RandomState"

    def allows(self, value):
        """Tell whether value meets the constraint."""
        return (
            value is None
            or isinstance(value, np.random.RandomState)
            or Integer(0, 2**32 - 1).allows(value)
        )


def check_arguments(function, **arguments):
    """Refuse a value that none of its constraints allows.

    Parameters
    ----------
    function : str
        Whose arguments they are.
    **arguments : tuple (value, constraint, ...)
        Under each name what was given, and one or more constraints of
        this module.

    Raises
    ------
    InvalidParameterError
        Names the function, the argument, what it must be and what it got.
    """
    for name, (value, *constraints) in arguments.items():
        if not any(constraint.allows(value) for constraint in constraints):
            raise InvalidParameterError(
                f"The '{name}' argument of {function} must be "
                f"{' or '.join(map(str, constraints))}. Got {value!r:.80} instead."
            )


def plain_parameters(estimator, without):
    """Return the parameters, scalars of every kind as Python's own.

    Parameters
    ----------
    estimator : BaseEstimator
    without : collection of str
        Names to leave out.

    Returns
    -------
    dict
    """
    return {
        name: _plain(value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in without
    }


def _plain(value):
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, RealNumber):  # a fraction, too
        return float(value)
    return value.item() if isinstance(value, np.generic) else value


def validate_parameters(estimator):
    """Check each parameter that the class's `_parameter_constraints` declares.

    Parameters
    ----------
    estimator : BaseEstimator
        Its class holds a dict from parameter name to constraint.

    Raises
    ------
    InvalidParameterError
        Names the class, the parameter, what it must be and what it got.
    """
    for name, constraint in estimator._parameter_constraints.items():
        value = getattr(estimator, name)
        if not constraint.allows(value):
            raise InvalidParameterError(
                f"The '{name}' parameter of {type(estimator).__name__} must be "
                f"{constraint}. Got {show(value)} instead."
            )
