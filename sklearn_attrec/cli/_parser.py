"""The argument parser: commands and options."""

import argparse
import re

from sklearn_attrec.cli import _commands
from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.models import RECOMMENDERS
from sklearn_attrec.utils._version import package_version

__all__ = ["make_parser"]


class _Parser(argparse.ArgumentParser):
    """A parser that raises an exception instead of exiting, for `main` to report."""

    def error(self, message):
        raise InvalidParameterError(f"{message}. See --help.")


def _positive(text):
    if not re.fullmatch("0*[1-9][0-9]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _positives(text):
    return [_positive(value) for value in text.split(",")]


def _columns(text):
    """Convert 'a,b' to a list of all names, 'a=b,c=d' to a dict of renames."""
    names = [name.strip().split("=", 1) for name in text.split(",")]
    if len(lengths := {len(name) for name in names}) > 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} contains both names and renames: use '=' for all columns or for "
            "none"
        )
    return dict(names) if lengths == {2} else [name for (name,) in names]


def _separator(text):
    return text.replace("\\t", "\t")  # a tab is hard to type in a shell


def make_parser():
    parser = _Parser(prog="sklearn-attrec", description="Next-item recommendation.")
    version = f"%(prog)s {package_version()}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = _command(
        commands, "fit", _commands.fit, "train a model and write a model file"
    )
    command.add_argument(
        "--out", metavar="MODEL", required=True, help="model file to write"
    )

    command = _command(
        commands,
        "evaluate",
        _commands.evaluate,
        "evaluate a model on the held-out last item of each user; with --model-file, "
        "evaluate it on all rows of FILE",
    )
    _add_model_file(command)
    command.add_argument(
        "--k",
        type=_positives,
        default=[10, 50],
        metavar="K,K",
        help="numbers of top items to evaluate; default: 10,50",
    )
    _add_unit(command)
    command.add_argument(
        "--context",
        choices=["fit", "earlier"],
        default="fit",
        help="history of each row: the user's rows seen in fit, or also the user's "
        "earlier rows of FILE, for sessions and other users not seen in fit",
    )

    command = _command(
        commands,
        "recommend",
        _commands.recommend,
        "write recommendations as CSV; with --model-file, FILE is optional and "
        "contains the histories to use instead of those seen in fit",
        file="?",
    )
    _add_model_file(command)
    command.add_argument(
        "--excel-safe",
        action="store_true",
        help="put ' before ids that a spreadsheet would read as a formula",
    )
    users = command.add_mutually_exclusive_group(required=True)
    users.add_argument("--users", metavar="ID,ID", help="user ids")
    users.add_argument(
        "--all-users",
        action="store_true",
        help="recommend to all users of FILE or, without FILE, of the model",
    )
    command.add_argument(
        "--k", type=_positive, default=10, help="items per user; default: 10"
    )
    command.add_argument(
        "--out", metavar="FILE.csv", help="file to write; default: standard output"
    )

    command = _command(
        commands,
        "tune",
        _commands.tune,
        "grid search; each candidate is evaluated on the last item of each user",
    )
    command.add_argument(
        "--grid",
        action="append",
        required=True,
        metavar="NAME=VALUE,VALUE",
        help="values of one parameter to try; may be repeated",
    )
    _add_unit(command)
    command.add_argument(
        "--jobs",
        type=int,
        default=1,
        help="number of processes; -1: one per core; default: 1",
    )

    text = "describe the contents of a model file"
    command = commands.add_parser("inspect", help=text, description=text)
    command.set_defaults(run=_commands.inspect)
    command.add_argument("model", metavar="MODEL", help="model file written by fit")
    command.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def _add_model_file(command):
    command.add_argument(
        "--model-file",
        metavar="MODEL",
        help="use a model file written by fit instead of training",
    )


def _add_unit(command):
    command.add_argument(
        "--unit",
        choices=["row", "time"],
        help="hold out the last row of each user, or all rows of the last time, for "
        "example a basket; default: row",
    )


def _command(commands, name, run, text, file=None):
    """Add a command with the options of all commands that read interactions."""
    command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    command.set_defaults(run=run)
    command.add_argument(
        "file",
        metavar="FILE",
        nargs=file,
        help="file of interactions: .csv, .tsv, .data, .dat, .txt, .jsonl, .json, "
        ".parquet, .feather or .xlsx, optionally compressed as .gz, .zip, .bz2, .xz or "
        ".zst",
    )
    command.add_argument(
        "--layout",
        choices=["rows", "histories"],
        default="rows",
        help="what a line contains: 'rows': one interaction; 'histories': a user and "
        "then the items of that user; default: rows",
    )
    command.add_argument(
        "--columns",
        type=_columns,
        help="names of all columns in order, for example 'user_id,item_id,timestamp'; "
        "or columns to rename, for example 'userId=user_id,movieId=item_id'",
    )
    command.add_argument(
        "--sep",
        type=_separator,
        help="field separator; default: depends on the file extension",
    )
    command.add_argument(
        "--header",
        choices=["yes", "no"],
        help="whether line 1 contains the column names; default: depends on the file "
        "extension",
    )
    command.add_argument(
        "--quotes",
        choices=["yes", "no"],
        help="whether quotation marks may enclose fields; default: depends on the file "
        "extension",
    )
    command.add_argument(
        "--encoding", default="utf-8", help="text encoding; default: utf-8"
    )
    command.add_argument(
        "--time-format",
        metavar="FORMAT",
        help="format of dates, for example '%%d/%%m/%%Y %%H:%%M'; default: numbers or "
        "ISO 8601 dates",
    )
    command.add_argument(
        "--drop-blank-ids",
        action="store_true",
        help="drop rows without a user or an item, and print their number",
    )
    command.add_argument(
        "--model", choices=RECOMMENDERS, help="model to train; default: attrec"
    )
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter of the model; may be repeated; with --model-file only k, "
        "exclude_seen and handle_unknown",
    )
    command.add_argument("--debug", action="store_true", help="show tracebacks")
    return command
