"""Checks that the separator which a file's name suggests is the one of its lines."""

from sklearn_attrec.datasets._reading.sample import sample_lines
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["refuse_other_separator", "refuse_spaces", "wrong_separator"]

# The most likely first. Of ", " and ",", the first takes the space out of the fields.
_SEPARATORS = (", ", "; ", "\t", ";", ",", "|", "::", " ")


def _fitting_separators(text):
    """Map separators that occur equally often in each line to the number of fields."""
    lines = sample_lines(text)
    fitting = {}
    for sep in _SEPARATORS:
        counts = {line.count(sep) for line in lines}
        # ", " separates fields only if a space follows each comma.
        in_full = all(
            line.count(sep) == line.count(sep.strip(" ") or sep) for line in lines
        )
        if len(counts) == 1 and counts != {0} and in_full:
            fitting[sep] = counts.pop() + 1
    return fitting


def refuse_other_separator(source, text, sep, n_fields):
    """Raise an error if another separator fits the lines better.

    Another separator is suggested if it fits every line and: for a space, gives at
    least as many fields or is a tab; for a comma, gives more fields or is ", ". Any
    other separator is refused only if it gives different numbers of fields, `n_fields`.
    """
    if len(n_fields) == 1 and sep not in (" ", ","):
        return
    most = max(n_fields) if len(n_fields) == 1 else 1
    for other, n_others in _fitting_separators(text).items():
        if other in (sep, " "):
            continue
        enough = n_others > most or n_others == most > 1 and other == f"{sep} "
        if sep == " ":
            enough = n_others >= most or other == "\t"
        if enough:
            # Ids that begin with a space are refused, too.
            otherwise = "" if other == f"{sep} " else f", or sep={sep!r} if it is right"
            raise InteractionsError(
                f"{source}: the fields are separated by {sep!r} according to the "
                f"extension, but {other!r} separates each line into {n_others} "
                f"fields, for example {short_repr(sample_lines(text)[0])}. Pass "
                f"{_call(other, text)}{otherwise}."
            )
    refuse_spaces(source, text, sep)
    if sep == " " and any("  " in line.strip() for line in sample_lines(text)):
        raise InteractionsError(
            f"{source}: some fields are separated by several spaces. Read it with "
            f"pandas: pd.read_csv({source}, sep=r'\\s+', header=None), and name the "
            "columns; or pass sep=' ' if these fields are blank."
        )


def refuse_spaces(source, text, sep):
    """Raise an error if a space follows each separator, below the first line."""
    lines, spaced = sample_lines(text), f"{sep} "
    if sep == " " or not lines:
        return
    first, *rest = lines
    sample = "\n".join(rest or lines)
    if not 0 < sample.count(sep) == sample.count(spaced):
        return
    if first.count(sep) != first.count(spaced):
        raise InteractionsError(
            f"{source}: each {sep!r} below the first line is followed by a space, for "
            f"example {short_repr(rest[0])}, so that ids would begin with it. Remove "
            f"the spaces: path = pathlib.Path({source}); path.write_text("
            f"path.read_text().replace({spaced!r}, {sep!r}))."
        )
    if first.count(sep):
        raise InteractionsError(
            f"{source}: each {sep!r} is followed by a space, for example "
            f"{short_repr(lines[0])}, so that ids would begin with it. "
            f"Pass {_call(spaced, text)}."
        )


def wrong_separator(source, line, first, text):
    """Return the error for lines of one column, of which `first` is the first."""
    found = [*_fitting_separators(text), *(s for s in _SEPARATORS if s in first)]
    return InteractionsError(
        f"{source}, line {line}: only 1 column found, {short_repr(first)}; "
        + (
            f"try {_call(found[0], text)}."
            if found
            else "at least 2 columns are required: user and item."
        )
    )


def _call(sep, text):
    """Return the arguments that read fields with this separator."""
    # Quotation marks are ignored by default if a separator has several characters.
    return f"sep={sep!r}" + (", quotes=True" if len(sep) > 1 and '"' in text else "")
