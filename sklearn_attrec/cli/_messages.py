"""Messages of the command line: one line each, on standard error."""

import ast
import contextlib
import re
import shlex
import sys

__all__ = ["note", "one_line", "show_warning"]

# Python literals: a string, a list and a dict of strings.
_STRING = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_LIST = rf"\[{_STRING}(?:, {_STRING})*\]"
_ENTRY = rf"(?:{_STRING}|\d+): {_STRING}"
_DICT = rf"\{{{_ENTRY}(?:, {_ENTRY})*\}}"

_REMOVE = "remove it from the file"
_JOIN = "join the parts in the file, in one column 'timestamp'"


def note(text):
    # If standard error is closed, the command still continues.
    with contextlib.suppress(BrokenPipeError):
        print(f"sklearn_attrec: {text}", file=sys.stderr, flush=True)


def show_warning(message, category, filename, lineno, file=None, line=None):
    note(f"warning: {one_line(message)}")


def one_line(error):
    """Return a message on one line, with options instead of Python arguments."""
    text = str(error) or type(error).__name__
    if "Traceback" in text:  # from GridSearchCV; the last line is the error
        text = text.strip().splitlines()[-1].partition(": ")[2]
    return _with_options(" ".join(text.split()))


def _columns_option(match):
    """Return the option for the argument columns=, a list or a dict of names."""
    names = ast.literal_eval(match[1])
    if isinstance(names, dict):
        pairs, names = names.items(), [*names, *names.values()]
        value = ",".join(f"{old}={new}" for old, new in pairs)
    else:
        value = ",".join(names)
    if any(name != name.strip() or {",", "="} & {*name} for name in map(str, names)):
        return f"{match[0]} in Python (--columns cannot contain these names)"
    return f"--columns {shlex.quote(value)}"


def _with_options(text):
    """Replace Python arguments in a message by the options of the command line."""
    rows = r"To drop such rows, read .*\.dropna\(subset=[^()]*\)"
    text = re.sub(rows, "Remove such rows from the file", text)
    drop = rf"drop it: X\.drop\((?:\w+=)?(?:{_STRING}|{_LIST})\)"
    text = re.sub(drop, _REMOVE, text)
    text = re.sub(r"make it this column: X\.assign\(.*?\)(?=\. If |\.?$)", _JOIN, text)
    text = re.sub(rf"X\.rename\((columns={_DICT})\)", r"\1", text)
    # Only lists of strings: others are Python code for another purpose.
    text = re.sub(rf"\bcolumns=({_DICT}|{_LIST})", _columns_option, text)
    text = re.sub(r"\b(sep|encoding|layout|unit|context)=(?=['\"])", r"--\1=", text)
    text = re.sub(r"\btime_format=(?=['\"])", "--time-format=", text)
    text = re.sub(r"\b(header|quotes)=True", r"--\1=yes", text)
    text = re.sub(r"\b(header|quotes)=False", r"--\1=no", text)
    settings = r"\b(pass|or) ((?:exclude_seen|handle_unknown)=)"
    text = re.sub(settings, r"\1 --set \2", text, flags=re.IGNORECASE)
    text = re.sub(r"\bset_params\((.*?)\)", r"--set \1", text)
    return text.replace("drop_blank_ids=True", "--drop-blank-ids")
