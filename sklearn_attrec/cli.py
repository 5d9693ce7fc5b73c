"""The command line, `python -m sklearn_attrec`: the library's own calls, in order.

Results go to standard output, all else to standard error.
"""

import argparse
import ast
import contextlib
import csv
import hashlib
import os
import re
import sys
import warnings
from difflib import get_close_matches
from pathlib import Path
from tempfile import mkdtemp

import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid

from sklearn_attrec._attrec import AttRecRecommender
from sklearn_attrec._item_knn import ItemKNNRecommender
from sklearn_attrec._markov import MarkovRecommender
from sklearn_attrec._popularity import PopularityRecommender
from sklearn_attrec._sasrec import SASRecRecommender
from sklearn_attrec._sse_pt import SSEPTRecommender
from sklearn_attrec.datasets import read_interactions
from sklearn_attrec.exceptions import (
    InteractionsError,
    InvalidParameterError,
    ModelFileError,
)
from sklearn_attrec.metrics import evaluate
from sklearn_attrec.model_selection import LeaveLastOut, leave_last_out_split
from sklearn_attrec.persistence import inspect_model, load_model, save_model
from sklearn_attrec.utils._files import replacing
from sklearn_attrec.utils._ids import show
from sklearn_attrec.utils._param_validation import validate_parameters
from sklearn_attrec.utils._validation import ITEM, TIME, USER, check_interactions
from sklearn_attrec.utils._version import package_version

__all__ = ["main"]

_MODELS = {
    "attrec": AttRecRecommender,
    "item-knn": ItemKNNRecommender,
    "markov": MarkovRecommender,
    "popularity": PopularityRecommender,
    "sasrec": SASRecRecommender,
    "sse-pt": SSEPTRecommender,
}

# Users whose recommendations are in memory at once.
_CHUNK_SIZE = 10_000


def main(argv=None):
    """Run one command.

    Parameters
    ----------
    argv : list of str, default=None
        The arguments; None means those of the process.

    Returns
    -------
    int
        The exit code: 0, 2 after an error, which standard error tells in one line, 3 if
        it is about a model file, or 130 after an interruption.
    """
    argv = sys.argv[1:] if argv is None else argv
    arguments = None
    try:
        arguments = _parser().parse_args(argv)
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _give_up_output()  # whoever read has enough, such as `head`
        return 2 if getattr(arguments, "out", None) else 0  # there was more to do
    except KeyboardInterrupt:
        _note("interrupted")
        return 130
    except Exception as error:
        if "--debug" in argv:
            raise
        _note(f"error: {_one_line(error)}")
        _give_up_output()
        return 3 if isinstance(error, ModelFileError) else 2
    return 0


# The commands ---------------------------------------------------------------------


def _fit_and_save(arguments):
    """Fit on all rows and write a model file."""
    model = _model(arguments)
    out = _output(arguments.out)
    if _is_stream(out):
        raise InvalidParameterError(f"--out must be a regular file. Got {out!r}.")
    try:
        _fit(model, _read(arguments))
    finally:
        if hasattr(model, "items_"):  # also after Ctrl-C, with keep_interrupted=True
            _save(model, out)
            words = "unfinished model" if getattr(model, "interrupted_", 0) else "model"
            _note(f"{words} of {type(model).__name__} saved as {arguments.out!r}")


def _save(model, out):
    """Save a model; where its file cannot be written, elsewhere, and say so."""
    try:
        save_model(model, out)
    except OSError as error:  # the disk is full, say, after hours of training
        elsewhere = Path(mkdtemp(prefix="sklearn_attrec-"), out.name)
        save_model(model, elsewhere)
        raise OSError(f"{error}. The model is saved as {str(elsewhere)!r}") from error


def _inspect(arguments):
    """Print what a model file holds."""
    found = inspect_model(arguments.model)
    tensors, params = found.pop("tensors"), found.pop("params")
    with Path(arguments.model).open("rb") as file:
        found["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    for name, value in found.items():
        print(f"{name:12}{value:,}" if type(value) is int else f"{name:12}{value}")
    print("params")
    for name, value in params.items():
        print(f"  {name} = {value!r}")
    print("tensors")
    for name, (dtype, shape) in tensors.items():
        print(f"  {name}  {dtype}  {' × '.join(map(str, shape))}")


def _evaluate(arguments):
    """Print the metrics of the model beside those of the popularity baseline."""
    if arguments.model_file:
        model, test = _load(arguments), _read(arguments)
        train = _fitted_rows(model)
        _note(f"{len(test):,} rows to score, {len(train):,} were trained on")
    else:
        model = _model(arguments)
        train, test = leave_last_out_split(_read(arguments))
        _note(f"{len(test):,} last items held out, {len(train):,} rows to train on")
        _fit(model, train)
    models = [model]
    if not isinstance(model, PopularityRecommender):
        models.append(_baseline(model).fit(train))
    rows = [evaluate(each, test, arguments.k) for each in models]
    print(pd.concat(rows).T.to_string(float_format="{:.4f}".format))


def _recommend(arguments):
    """Write recommendations as CSV."""
    if not (arguments.file or arguments.model_file):
        raise InvalidParameterError("recommend needs FILE or --model-file, or both.")
    out = _output(arguments.out)
    model = _load(arguments) if arguments.model_file else _model(arguments)
    histories = None
    if not arguments.model_file:
        _fit(model, _read(arguments))
    elif arguments.file:
        histories = _histories(_read(arguments))
    known = model.users_ if histories is None else histories.index
    users = known.tolist()
    if not arguments.all_users:
        everyone, users = set(users), _users(arguments.users, known)
        if new := [user for user in users if user not in everyone]:
            where = "file" if arguments.file else "model"
            _note(
                f"{len(new)} user(s) are not in the {where}, the first is "
                f"{show(new[0])}; popular items go to them"
            )
    if histories is not None:
        histories = [histories.get(user, []) for user in users]
    with _writer(out) as write:
        for start in range(0, len(users), _CHUNK_SIZE):
            some = slice(start, start + _CHUNK_SIZE)
            theirs = None if histories is None else histories[some]
            table = model.recommend(users[some], theirs, k=arguments.k)
            if arguments.excel_safe:
                safe = {name: table[name].map(_as_text) for name in (USER, ITEM)}
                table = table.assign(**safe)
            write(table.to_csv(index=False, header=not start, lineterminator="\n"))


def _tune(arguments):
    """Print the candidates of a grid, the best first."""
    model = _model(arguments)
    grid = _grid(arguments.grid, model)
    # A search would fit them all before it tells of a value that none can have.
    for params in ParameterGrid(grid):
        validate_parameters(clone(model).set_params(**params))
    interactions = _read(arguments)
    search = GridSearchCV(
        model, grid, cv=LeaveLastOut(), refit=False, n_jobs=arguments.jobs
    )
    with contextlib.redirect_stdout(sys.stderr):
        search.fit(interactions)
    train, test = leave_last_out_split(interactions)
    results = pd.DataFrame(search.cv_results_)
    table = results[[f"param_{name}" for name in grid]].set_axis([*grid], axis=1)
    table.insert(0, f"hit_rate@{model.k}", results["mean_test_score"].round(4))
    table["fit_seconds"] = results["mean_fit_time"].round(1)
    table.index = pd.Index(results["rank_test_score"], name="rank")
    print(table.sort_index(kind="stable").reset_index().to_string(index=False))
    print(f"popularity: {_baseline(model).fit(train).score(test):.4f}")
    best = [f"--set {name}={value}" for name, value in search.best_params_.items()]
    print("best:", *best)


# What the commands share ----------------------------------------------------------


def _model(arguments):
    """Make the model with the parameters that --set names."""
    model = _MODELS[arguments.model or "attrec"]()
    if "random_state" in model.get_params():
        model.set_params(random_state=0)  # the same command gives the same answer
    for text in arguments.set:
        name, value = _assignment(text, "--set", model)
        model.set_params(**{name: _value(value)})
    validate_parameters(model)
    return model


def _load(arguments):
    """Load the model that --model-file names."""
    if arguments.model or arguments.set:
        raise InvalidParameterError(
            "--model and --set are for training; --model-file names a trained model."
        )
    return load_model(arguments.model_file)


def _fitted_rows(model):
    """Put the interactions that a model was fitted on into a table again."""
    lengths = model.history_indptr_[1:] - model.history_indptr_[:-1]
    table = {
        USER: model.users_.repeat(lengths),
        ITEM: model.items_[model.history_items_],
    }
    if model.history_times_ is not None:
        table[TIME] = model.history_times_
    return pd.DataFrame(table)


def _histories(interactions):
    """List each user's items, the oldest first; a Series with the users as index."""
    if TIME in interactions:
        interactions = interactions.sort_values(TIME, kind="stable")
    return interactions.groupby(USER, sort=False)[ITEM].agg(list)


def _as_text(value):
    """Keep a spreadsheet from taking an id for a formula."""
    risky = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if risky else value


def _baseline(model):
    """Make the baseline with what it has in common with the model."""
    names = PopularityRecommender().get_params()
    return PopularityRecommender(**{name: getattr(model, name) for name in names})


def _fit(model, interactions):
    """Fit with the progress, which is no result, on standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        return model.fit(interactions)


def _grid(texts, model):
    """Turn ['omega=0.2,0.4'] into {'omega': [0.2, 0.4]}."""
    grid = {}
    for text in texts:
        name, values = _assignment(text, "--grid", model)
        if name in grid:
            raise InvalidParameterError(f"--grid names {name!r} twice.")
        grid[name] = [_value(value) for value in values.split(",")]
    if "k" in grid:
        raise InvalidParameterError(
            "--grid cannot vary 'k': hit rates at different k do not compare. --set it."
        )
    return grid


def _assignment(text, option, model):
    """Split 'name=value' and check the name."""
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidParameterError(f"{option} must be name=value. Got {text!r}.")
    names = model.get_params()
    if name not in names:
        close = get_close_matches(name, names, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"It has {', '.join(names)}."
        raise InvalidParameterError(
            f"{option}: {type(model).__name__} has no parameter {name!r}. {hint}"
        )
    return name, value


def _value(text):
    """Read a Python literal; what is none is text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _read(arguments):
    interactions = read_interactions(
        arguments.file,
        columns=arguments.columns,
        sep=arguments.sep,
        header={"yes": True, "no": False}.get(arguments.header, "infer"),
        encoding=arguments.encoding,
    )
    check_interactions(interactions, caller=repr(arguments.file))
    return interactions


def _users(text, known):
    """Split a line of CSV into ids of the type that those known have."""
    (users,) = csv.reader([text])
    if not users:
        raise InteractionsError("--users names nobody. Pass ids, or --all-users.")
    if known.dtype.kind not in "iu":
        return users
    for user in users:
        if not re.fullmatch("0|-?[1-9][0-9]{0,18}", user):
            raise InteractionsError(
                f"--users: the known user ids are integers, and {user!r} is none."
            )
    return [int(user) for user in users]


def _output(out):
    """Return the path to write to, if anything can be written there."""
    if out is None:
        return None
    path = Path(out)
    writable = os.access(path.parent, os.W_OK) or _is_stream(path)
    if path.is_dir() or not path.parent.is_dir() or not writable:
        raise InvalidParameterError(
            f"--out must be a file in a folder that may be written to. Got {out!r}."
        )
    return path


@contextlib.contextmanager
def _writer(path):
    """Give a function that writes text: all of the file in the end, or nothing."""
    if path is None:
        yield sys.stdout.write
    elif _is_stream(path):
        try:
            with path.open("w", encoding="utf-8", newline="") as file:
                yield file.write
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
    else:
        with replacing(path) as file:
            yield lambda text: file.write(text.encode())


def _is_stream(path):
    """Tell pipes and terminals, and what /dev/stdout stands for, from files."""
    devices = path.is_absolute() and path.parts[1] in ("dev", "proc")
    return devices or (path.exists() and not path.is_file())


def _give_up_output():
    """Leave Python nothing to flush at exit that standard output does not take."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# Words ----------------------------------------------------------------------------


def _note(text):
    with contextlib.suppress(BrokenPipeError):  # nobody listens, and work goes on
        print(f"sklearn_attrec: {text}", file=sys.stderr, flush=True)


def _show_warning(message, category, filename, lineno, file=None, line=None):
    _note(f"warning: {_one_line(message)}")


def _one_line(error):
    """Put a message on one line, in the words of the command line."""
    text = str(error) or type(error).__name__
    if "Traceback" in text:  # of the fits of a search; the reason comes last
        text = text.strip().splitlines()[-1].partition(": ")[2]
    return _in_options(" ".join(text.split()))


def _in_options(text):
    """Replace advice on arguments of the library by the options that stand for them."""

    def rename(match):
        names = ast.literal_eval(match[1])
        return "--columns " + ",".join(f"{old}={new}" for old, new in names.items())

    text = re.sub(r"X\.rename\(columns=(\{[^{}]*\})\)", rename, text)
    text = re.sub(r"\b(sep|encoding)=(?=')", r"--\1=", text)
    text = text.replace("header=True", "--header=yes")
    return text.replace("header=False", "--header=no")


# The parser -----------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """A parser whose errors take the way of all others."""

    def error(self, message):
        raise InvalidParameterError(f"{message}. --help tells more.")


def _positive(text):
    if not re.fullmatch("0*[1-9][0-9]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _positives(text):
    return [_positive(value) for value in text.split(",")]


def _columns(text):
    """Read 'a,b' as a list of all names, 'a=b,c=d' as a dict of renames."""
    names = [name.split("=", 1) for name in text.split(",")]
    if len(lengths := {len(name) for name in names}) > 1:
        raise argparse.ArgumentTypeError("rename with = everywhere or nowhere")
    return dict(names) if lengths == {2} else [name for (name,) in names]


def _separator(text):
    return text.replace("\\t", "\t")  # hard to type in a shell


def _parser():
    parser = _Parser(prog="sklearn_attrec", description="Next-item recommendation.")
    version = f"%(prog)s {package_version()}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = _command(commands, "fit", _fit_and_save, "train and write a model file")
    command.add_argument("--out", metavar="MODEL", required=True, help="model.attrec")

    command = _command(
        commands,
        "evaluate",
        _evaluate,
        "hold out each user's last item; with --model-file, score every row",
    )
    _add_model_file(command)
    command.add_argument("--k", type=_positives, default=[10, 50], metavar="K,K")

    command = _command(
        commands,
        "recommend",
        _recommend,
        "write recommendations as CSV; with --model-file, FILE gives the histories",
        file="?",
    )
    _add_model_file(command)
    command.add_argument(
        "--excel-safe",
        action="store_true",
        help="put ' before ids that a spreadsheet would take for a formula",
    )
    whom = command.add_mutually_exclusive_group(required=True)
    whom.add_argument("--users", metavar="ID,ID", help="user ids")
    whom.add_argument("--all-users", action="store_true")
    command.add_argument("--k", type=_positive, default=10, help="items for each user")
    command.add_argument("--out", metavar="FILE.csv", help="default: standard output")

    command = _command(
        commands, "tune", _tune, "try parameters on each user's last item"
    )
    command.add_argument(
        "--grid", action="append", required=True, metavar="NAME=VALUE,VALUE"
    )
    command.add_argument(
        "--jobs", type=int, default=1, help="processes; -1: every core"
    )

    words = "tell what a model file holds"
    command = commands.add_parser("inspect", help=words, description=words)
    command.set_defaults(run=_inspect)
    command.add_argument("model", metavar="MODEL", help="a file of fit --out")
    command.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def _add_model_file(command):
    command.add_argument(
        "--model-file", metavar="MODEL", help="a file of fit --out, instead of training"
    )


def _command(commands, name, run, words, file=None):
    """Add a command with the options that all that read interactions have."""
    command = commands.add_parser(
        name, help=words, description=words, allow_abbrev=False
    )
    command.set_defaults(run=run)
    command.add_argument(
        "file", metavar="FILE", nargs=file, help="interactions: CSV, Parquet, …"
    )
    command.add_argument(
        "--columns",
        type=_columns,
        help="all columns in order, 'user_id,item_id,timestamp', or the ones to "
        "rename, 'userId=user_id,movieId=item_id'",
    )
    command.add_argument(
        "--sep", type=_separator, help="what separates fields; default: by file name"
    )
    command.add_argument(
        "--header", choices=["yes", "no"], help="whether line 1 names the columns"
    )
    command.add_argument(
        "--encoding", default="utf-8", help="of the text; default: utf-8"
    )
    command.add_argument("--model", choices=_MODELS, help="default: attrec")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the model; may be repeated",
    )
    command.add_argument("--debug", action="store_true", help="show tracebacks")
    return command
