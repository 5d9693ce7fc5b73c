"""The command line: `sklearn-attrec` or `python -m sklearn_attrec`.

Results are written to standard output, all messages to standard error.
"""

import sys
import warnings
from collections.abc import Sequence

from sklearn_attrec.cli._messages import note, one_line, show_warning
from sklearn_attrec.cli._output import discard_output
from sklearn_attrec.cli._parser import make_parser
from sklearn_attrec.exceptions import ModelFileError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments of the command line. If None, `sys.argv[1:]`.

    Returns
    -------
    int
        Exit code: 0 on success, 2 after an error, 3 if a model file is invalid, 130
        after an interruption (Ctrl-C). An error is reported in one line on standard
        error.
    """
    argv = sys.argv[1:] if argv is None else argv
    arguments = None
    try:
        arguments = make_parser().parse_args(argv)
        with warnings.catch_warnings():
            warnings.showwarning = show_warning
            arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
        # A closed pipe is an error only with --out, because the output file is then
        # incomplete.
        return 2 if getattr(arguments, "out", None) else 0
    except KeyboardInterrupt:
        note("interrupted")
        return 130
    except Exception as error:
        if "--debug" in argv:
            raise
        note(f"error: {one_line(error)}")
        discard_output()
        return 3 if isinstance(error, ModelFileError) else 2
    return 0
