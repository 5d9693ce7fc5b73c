"""Errors and warnings, each a subclass of what scikit-learn would raise."""

__all__ = [
    "CheckpointMismatchError",
    "ForkedTensorFlowError",
    "InteractionsError",
    "InvalidParameterError",
    "LeakageWarning",
    "ModelCorruptError",
    "ModelFileError",
    "ModelVersionError",
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


class CheckpointMismatchError(ValueError):
    """The checkpoint belongs to another fit than the one that would go on from it."""


class ModelFileError(ValueError):
    """The file is no model file, or holds what no model file may hold."""


class ModelVersionError(ModelFileError):
    """The model file has a format that this version does not read."""


class ModelCorruptError(ModelFileError):
    """The model file is damaged: cut short, or changed since it was written."""


class LeakageWarning(UserWarning):
    """Test rows are known to, or older than, what the model was fitted on."""
