"""Read the values of options: parameters, grids, user ids and interactions."""

import ast
import csv
import re
from difflib import get_close_matches

from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec.datasets import read_interactions
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError
from sklearn_attrec.models import RECOMMENDERS
from sklearn_attrec.persistence import load_model
from sklearn_attrec.utils._param_validation import validate_parameters

__all__ = ["load", "make_model", "read", "read_grid", "read_users"]

# Parameters that are not used in training.
_AFTER_FIT = ("k", "exclude_seen", "handle_unknown")

_SWITCH = {None: "infer", "yes": True, "no": False}


def make_model(arguments):
    """Create the model with the parameters given by --set."""
    model = RECOMMENDERS[arguments.model or "attrec"]()
    if "random_state" in model.get_params():
        model.set_params(random_state=0)  # repeated commands give the same result
    _set_parameters(model, arguments.set)
    return model


def load(arguments):
    """Load the model given by --model-file."""
    if arguments.model:
        raise InvalidParameterError(
            "--model is for training and cannot be combined with --model-file."
        )
    model = load_model(arguments.model_file)
    _set_parameters(model, arguments.set, _AFTER_FIT)
    return model


def _set_parameters(model, texts, allowed=None):
    """Set the parameters given by --set."""
    for text in texts:
        name, value = _assignment(text, "--set", model)
        if allowed and name not in allowed:
            raise InvalidParameterError(
                f"--set {name}: with --model-file only {', '.join(allowed)} can be "
                "set, because the others are used in training. Use the command fit."
            )
        model.set_params(**{name: _value(value)})
    validate_parameters(model)


def read(arguments):
    interactions = read_interactions(
        arguments.file,
        columns=arguments.columns,
        sep=arguments.sep,
        layout=arguments.layout,
        header=_SWITCH[arguments.header],
        quotes=_SWITCH[arguments.quotes],
        encoding=arguments.encoding,
        time_format=arguments.time_format,
        drop_blank_ids=arguments.drop_blank_ids,
    )
    check_interactions(interactions, caller=repr(arguments.file))
    return interactions


def read_users(text, known):
    """Split one line of CSV into user ids of the same type as the known ids.

    Spaces around an id are dropped, unless a known id has them.
    """
    (users,) = csv.reader([text], skipinitialspace=True)
    if not users:
        raise InteractionsError("--users is empty. Pass user ids, or use --all-users.")
    if known.dtype.kind not in "iu":
        (exact,), known = csv.reader([text]), set(known)
        if len(exact) != len(users):  # spaces before a quotation mark
            exact = users
        pairs = zip(exact, users, strict=True)
        return [user if user in known else other.strip() for user, other in pairs]
    users = [user.strip() for user in users]
    for user in users:
        if not re.fullmatch("0|-?[1-9][0-9]{0,18}", user):
            raise InteractionsError(
                "--users: the user ids of the model or of FILE are integers, but "
                f"{user!r} is not an integer. Pass integers, for example --users=1,2."
            )
    return [int(user) for user in users]


def read_grid(texts, model):
    """Convert ['omega=0.2,0.4'] to {'omega': [0.2, 0.4]}."""
    grid = {}
    for text in texts:
        name, values = _assignment(text, "--grid", model)
        if name in grid:
            raise InvalidParameterError(
                f"--grid names {name!r} twice. Pass all its values in one --grid."
            )
        grid[name] = [_value(value) for value in values.split(",")]
    if "k" in grid:
        raise InvalidParameterError(
            "--grid cannot vary 'k': hit rates at different k are not comparable. Use "
            "--set k=VALUE."
        )
    return grid


def _assignment(text, option, model):
    """Split 'name=value' and check that the model has this parameter."""
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidParameterError(f"{option} must be name=value. Got {text!r}.")
    names = model.get_params()
    if name not in names:
        close = get_close_matches(name, names, n=1)
        hint = f"Its parameters are {', '.join(names)}."
        if close:
            hint = f"Did you mean {close[0]!r}?"
        raise InvalidParameterError(
            f"{option}: {type(model).__name__} has no parameter {name!r}. {hint}"
        )
    return name, value


def _value(text):
    """Convert text to a Python literal; return other text unchanged."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
