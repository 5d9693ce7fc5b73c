"""Constraints on parameters and arguments, and functions that check them."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from numbers import Real as RealNumber

import numpy as np

from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = [
    "Boolean",
    "FilePath",
    "Integer",
    "OneOf",
    "Optional",
    "Predicate",
    "RandomState",
    "Real",
    "check_arguments",
    "validate_parameters",
]


@dataclass(frozen=True)
class Integer:
    """An integer between two bounds, both included; None means no bound."""

    low: int | None = None
    high: int | None = None

    def __str__(self):
        low = "-inf" if self.low is None else self.low
        high = "inf)" if self.high is None else f"{self.high}]"
        return f"an int in the range [{low}, {high}"

    def allows(self, value):
        """Return whether a value meets the constraint."""
        return (
            isinstance(value, Integral)
            and not isinstance(value, (bool, np.bool_))
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
        )


@dataclass(frozen=True)
class Real:
    """A finite number between two bounds; `low_open` and `high_open` exclude them."""

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
        """Return whether a value meets the constraint."""
        if not isinstance(value, RealNumber) or isinstance(value, (bool, np.bool_)):
            return False
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        try:
            finite = math.isfinite(value)
        except OverflowError:  # an integer larger than any float
            return False
        return bool(
            finite
            and (value > low or (value == low and not self.low_open))
            and (value < high or (value == high and not self.high_open))
        )


@dataclass(frozen=True, init=False)
class OneOf:
    """One of several strings."""

    values: tuple

    def __init__(self, *values):
        object.__setattr__(self, "values", values)

    def __str__(self):
        return "one of " + ", ".join(map(repr, self.values))

    def allows(self, value):
        """Return whether a value meets the constraint."""
        return isinstance(value, str) and value in self.values


@dataclass(frozen=True)
class Boolean:
    """True or False."""

    def __str__(self):
        return "True or False"

    def allows(self, value):
        """Return whether a value meets the constraint."""
        return isinstance(value, (bool, np.bool_))


@dataclass(frozen=True)
class Optional:
    """None, or a value that another constraint allows."""

    constraint: object

    def __str__(self):
        return f"None or {self.constraint}"

    def allows(self, value):
        """Return whether a value meets the constraint."""
        return value is None or self.constraint.allows(value)


@dataclass(frozen=True)
class Predicate:
    """A value for which `allows` returns True; messages contain the description."""

    description: str
    allows: Callable

    def __str__(self):
        return self.description


@dataclass(frozen=True)
class FilePath:
    """A non-empty path."""

    def __str__(self):
        return "a path"

    def allows(self, value):
        """Return whether a value meets the constraint."""
        return isinstance(value, (str, os.PathLike)) and bool(os.fspath(value))


@dataclass(frozen=True)
class RandomState:
    """A value that scikit-learn's `check_random_state` accepts, except `np.random`."""

    def __str__(self):
        return "None, an int in the range [0, 4294967295] or a numpy RandomState"

    def allows(self, value):
        """Return whether a value meets the constraint."""
        return (
            value is None
            or isinstance(value, np.random.RandomState)
            or Integer(0, 2**32 - 1).allows(value)
        )


def check_arguments(function, **arguments):
    """Check arguments of a function or method.

    Parameters
    ----------
    function : str
        Name of the function, for the error message.
    **arguments : tuple (value, constraint, ...)
        The value of each argument, and one or more constraints. The value must meet at
        least one of them.

    Raises
    ------
    InvalidParameterError
        If an argument meets none of its constraints. The message names the function,
        the argument, what it must be and its value.
    """
    for name, (value, *constraints) in arguments.items():
        if not any(constraint.allows(value) for constraint in constraints):
            raise InvalidParameterError(
                f"The '{name}' argument of {function} must be "
                f"{' or '.join(map(str, constraints))}. Got {short_repr(value)} "
                "instead."
            )


def validate_parameters(estimator):
    """Check the parameters of an estimator.

    Parameters
    ----------
    estimator : BaseEstimator
        Its class attribute `_parameter_constraints` maps names to constraints.

    Raises
    ------
    InvalidParameterError
        If a parameter does not meet its constraint. The message names the class, the
        parameter, what it must be and its value.
    """
    for name, constraint in estimator._parameter_constraints.items():
        value = getattr(estimator, name)
        if not constraint.allows(value):
            raise InvalidParameterError(
                f"The '{name}' parameter of {type(estimator).__name__} must be "
                f"{constraint}. Got {short_repr(value)} instead."
            )
