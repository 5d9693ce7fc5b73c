"""Errors and warnings, each a subclass of what scikit-learn would raise."""

__all__ = [
    "ForkedTensorFlowError",
    "InteractionsError",
    "InvalidParameterError",
    "LeakageWarning",
    "TrainingDivergedError",
    "UnknownUserError",
]


class InteractionsError(ValueError):
    """The interactions, users, items or histories given cannot be used."""


class UnknownUserError(InteractionsError, LookupError):
    """A user was not seen in fit and may not be answered from the fallback."""


class InvalidParameterError(ValueError, TypeError):
    """A constructor parameter has a type or a value that is not allowed."""


class TrainingDivergedError(ArithmeticError):
    """The loss or a weight stopped being a finite number."""


class ForkedTensorFlowError(RuntimeError):
    """Fit was called in a forked child of a process that already ran TensorFlow."""


class LeakageWarning(UserWarning):
    """Test rows are known to, or older than, what the model was fitted on."""
