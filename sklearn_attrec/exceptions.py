"""Exceptions and warnings, derived from ValueError, TypeError and other built-ins."""

__all__ = [
    "CheckpointMismatchError",
    "ForkedTensorFlowError",
    "InteractionsError",
    "InvalidParameterError",
    "LeakageWarning",
    "ModelCorruptError",
    "ModelFileError",
    "ModelVersionError",
    "NoHistoryWarning",
    "SeenItemWarning",
    "TimeTieWarning",
    "TimeUnitWarning",
    "TrainingDivergedError",
    "UnknownUserError",
]


class InteractionsError(ValueError):
    """Raised if interactions, users, items or histories cannot be used."""


class UnknownUserError(InteractionsError, LookupError):
    """Raised if a user without a history was not seen in fit.

    This happens only with `handle_unknown='error'`, or if the type of the id differs
    from the ids seen in fit.
    """


class InvalidParameterError(ValueError, TypeError):
    """Raised if a parameter or an argument has an invalid type or value."""


class TrainingDivergedError(ArithmeticError):
    """Raised if the loss or a weight is not finite, or a weight is very large."""


class ForkedTensorFlowError(RuntimeError):
    """Raised if a network is trained in a process forked after TensorFlow ran."""


class CheckpointMismatchError(ValueError):
    """Raised if a checkpoint was written by a fit with other data or parameters.

    Also raised if the seed or the package version differs.
    """


class ModelFileError(ValueError):
    """Raised if a file is not a model file, or has invalid contents."""


class ModelVersionError(ModelFileError):
    """Raised if this version cannot read the format of a model file."""


class ModelCorruptError(ModelFileError):
    """Raised if a model file is damaged: cut off, or changed after it was written."""


class LeakageWarning(UserWarning):
    """Issued if the model was trained on test rows or on later rows.

    A test row then equals a training row, or is older than a training row of the same
    user. This is checked only if the test rows have timestamps.
    """


class TimeUnitWarning(UserWarning):
    """Issued if the times of queries seem to be in another unit than those in fit.

    All times of the queries are then earlier or later than all times seen in fit, and
    the sizes of the numbers suggest different units, such as seconds and milliseconds.
    """


class TimeTieWarning(LeakageWarning):
    """Issued if test rows have the time of a training row of the same user.

    In baskets, which have one time, the other items of the basket then reveal the item
    of the row. Hold out whole times, as with ``LeaveLastOut(unit="time")``, or ignore
    this warning to follow the protocol of published results, which hold out one row.
    """


class NoHistoryWarning(UserWarning):
    """Issued if test rows belong to users not seen in fit, who have no history.

    Every model recommends popular items for these rows. `context='earlier'` adds the
    user's earlier test rows to the history.
    """


class SeenItemWarning(UserWarning):
    """Issued if `exclude_seen` makes test rows impossible to predict.

    The item of such a row is in the history of its user, so that it is never
    recommended and the row counts as a miss.
    """
