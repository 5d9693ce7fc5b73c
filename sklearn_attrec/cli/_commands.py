"""The commands. Each one calls the public functions of the library."""

import contextlib
import hashlib
import sys
from pathlib import Path

import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER, WEIGHT
from sklearn_attrec.cli import _values
from sklearn_attrec.cli._messages import note
from sklearn_attrec.cli._output import is_stream, open_output, output_path, save
from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.metrics import evaluate as evaluate_model
from sklearn_attrec.model_selection import LeaveLastOut, leave_last_out_split
from sklearn_attrec.models import PopularityRecommender
from sklearn_attrec.persistence import inspect_model
from sklearn_attrec.utils._param_validation import validate_parameters
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["evaluate", "fit", "inspect", "recommend", "tune"]

# Maximum number of users whose recommendations are in memory at the same time.
CHUNK_SIZE = 10_000


def fit(arguments):
    """Fit a model on all rows and write a model file."""
    model = _values.make_model(arguments)
    out = output_path(arguments.out)
    if is_stream(out):
        raise InvalidParameterError(f"--out must be a regular file. Got {out!r}.")
    try:
        _train(model, _values.read(arguments))
    finally:
        if hasattr(model, "items_"):  # also after Ctrl-C
            save(model, out)
            kind = "unfinished " if getattr(model, "interrupted_", False) else ""
            note(f"{kind}{type(model).__name__} saved as {arguments.out!r}")


def inspect(arguments):
    """Print the contents of a model file."""
    contents = inspect_model(arguments.model)
    tensors, params = contents.pop("tensors"), contents.pop("params")
    with Path(arguments.model).open("rb") as file:
        contents["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    for name, value in contents.items():
        print(f"{name:12}{value:,}" if type(value) is int else f"{name:12}{value}")
    print("params")
    for name, value in params.items():
        print(f"  {name} = {value!r}")
    print("tensors")
    for name, (dtype, shape) in tensors.items():
        print(f"  {name}  {dtype}  {' × '.join(map(str, shape))}")


def evaluate(arguments):
    """Print the metrics of the model and of the popularity baseline."""
    if arguments.model_file:
        if arguments.unit:
            raise InvalidParameterError(
                "--unit chooses the rows to hold out and cannot be combined with "
                "--model-file."
            )
        model, test = _values.load(arguments), _values.read(arguments)
        train = _training_interactions(model)
        note(
            f"{len(test):,} rows to score; the model was fitted on {len(train):,} rows"
        )
    else:
        model = _values.make_model(arguments)
        interactions = _values.read(arguments)
        train, test = leave_last_out_split(interactions, unit=arguments.unit or "row")
        note(f"{len(test):,} last rows held out, {len(train):,} rows to train on")
        _train(model, train)
    models = [model]
    if not isinstance(model, PopularityRecommender):
        models.append(_baseline(model).fit(train))
    rows = [
        evaluate_model(each, test, arguments.k, context=arguments.context)
        for each in models
    ]
    print(pd.concat(rows).T.to_string(float_format="{:.4f}".format))


def recommend(arguments):
    """Write recommendations as CSV."""
    if not (arguments.file or arguments.model_file):
        raise InvalidParameterError("recommend needs FILE or --model-file, or both.")
    out = output_path(arguments.out)
    if out is not None and out.suffix.lower() in (".parquet", ".feather", ".xlsx"):
        raise InvalidParameterError(
            f"recommend writes CSV, but --out is {arguments.out!r}. Pass a name that "
            "ends in '.csv'."
        )
    model = (
        _values.load(arguments)
        if arguments.model_file
        else _values.make_model(arguments)
    )
    histories = None
    if not arguments.model_file:
        _train(model, _values.read(arguments))
    elif arguments.file:
        histories = _histories(_values.read(arguments))
    known = model.users_ if histories is None else histories.index
    users = known.tolist()
    if not arguments.all_users:
        known_users = set(users)
        users = _values.read_users(arguments.users, known)
        if unknown := [user for user in users if user not in known_users]:
            source = "file" if arguments.file else "model"
            note(
                f"{len(unknown)} user(s) are not in the {source} (the first is "
                f"{short_repr(unknown[0])}); popular items are recommended to them"
            )
    if histories is not None:
        histories = [histories.get(user, []) for user in users]
    with open_output(out) as write:
        for start in range(0, len(users), CHUNK_SIZE):
            chunk = slice(start, start + CHUNK_SIZE)
            history = None if histories is None else histories[chunk]
            table = model.recommend(users[chunk], history, k=arguments.k)
            if arguments.excel_safe:
                escaped = {name: table[name].map(_escape) for name in (USER, ITEM)}
                table = table.assign(**escaped)
            write(table.to_csv(index=False, header=not start, lineterminator="\n"))


def tune(arguments):
    """Print the candidates of a grid, best first."""
    model = _values.make_model(arguments)
    grid = _values.read_grid(arguments.grid, model)
    # GridSearchCV would fit all candidates before it reports an invalid value.
    for params in ParameterGrid(grid):
        validate_parameters(clone(model).set_params(**params))
    interactions = _values.read(arguments)
    cv = LeaveLastOut(unit=arguments.unit or "row")
    search = GridSearchCV(model, grid, cv=cv, refit=False, n_jobs=arguments.jobs)
    with contextlib.redirect_stdout(sys.stderr):
        search.fit(interactions)
    train, test = leave_last_out_split(interactions, unit=arguments.unit or "row")
    results = pd.DataFrame(search.cv_results_)
    table = results[[f"param_{name}" for name in grid]].set_axis([*grid], axis=1)
    table.insert(0, f"hit_rate@{model.k}", results["mean_test_score"].round(4))
    table["fit_seconds"] = results["mean_fit_time"].round(1)
    table.index = pd.Index(results["rank_test_score"], name="rank")
    print(table.sort_index(kind="stable").reset_index().to_string(index=False))
    print(f"popularity: {_baseline(model).fit(train).score(test):.4f}")
    best = [f"--set {name}={value}" for name, value in search.best_params_.items()]
    print("best:", *best)


def _training_interactions(model):
    """Return the training interactions of a model as a table."""
    lengths = model.history_indptr_[1:] - model.history_indptr_[:-1]
    table = {
        USER: model.users_.repeat(lengths),
        ITEM: model.items_[model.history_items_],
    }
    if model.history_times_ is not None:
        table[TIME] = model.history_times_
    if model.history_weights_ is not None:
        table[WEIGHT] = model.history_weights_
    return pd.DataFrame(table)


def _histories(interactions):
    """Return a Series of each user's items, oldest first, indexed by user id."""
    if TIME in interactions:
        interactions = interactions.sort_values(TIME, kind="stable")
    return interactions.groupby(USER, sort=False)[ITEM].agg(list)


def _escape(value):
    """Put ' before an id that a spreadsheet would read as a formula."""
    starts = ("=", "+", "-", "@", "\t", "\r")
    is_formula = isinstance(value, str) and value[:1] in starts
    return f"'{value}" if is_formula else value


def _baseline(model):
    """Create the popularity baseline with the parameters that the model shares."""
    names = PopularityRecommender().get_params()
    return PopularityRecommender(**{name: getattr(model, name) for name in names})


def _train(model, interactions):
    """Fit a model and print its progress on standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        return model.fit(interactions)
