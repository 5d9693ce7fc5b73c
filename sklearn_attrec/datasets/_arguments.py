"""Arguments of the functions of this package, checked against a constraint each."""

from dataclasses import dataclass

from sklearn_attrec.exceptions import InvalidParameterError

__all__ = ["Having", "check_arguments"]


@dataclass(frozen=True)
class Having:
    """What a test accepts, put in words."""

    words: str
    allows: object

    def __str__(self):
        return self.words


def check_arguments(function, **arguments):
    """Refuse a value that none of its constraints allows.

    Parameters
    ----------
    function : str
        Whose arguments they are.
    **arguments : tuple (value, constraint, ...)
        Under each name what was given, and one or more constraints of
        `sklearn_attrec.utils._param_validation` or of this module.

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
