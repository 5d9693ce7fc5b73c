"""One line per user: the user, then the items, oldest first."""

import re

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_names import ITEM, USER
from sklearn_attrec.datasets._reading.columns import as_integers
from sklearn_attrec.datasets._reading.default_names import are_times
from sklearn_attrec.datasets._reading.headers import refuse_names_as_record
from sklearn_attrec.datasets._reading.sample import SAMPLE, sample_lines
from sklearn_attrec.datasets._reading.separators import refuse_spaces
from sklearn_attrec.datasets._reading.text import lone_carriage_return
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["read_history_lines"]

_SEPARATORS = ("\t", ", ", ",", " ")
# A list in brackets, or a quoted field.
_LIST = re.compile(r"\[[^]\n]*[,;|\s][^]\n]*\]")
_QUOTED = re.compile(r'(?m)(?:^|[,;|\t ])"[^"\n]*"(?:[,;|\s]|$)')


def read_history_lines(text, sep, header, quotes, source):
    """Return a frame of str with one row per item, and its `locate`.

    A user without items gets one blank item. Without `sep`, the separator is the one of
    tab, comma and space that most lines contain. A first line that looks like a header
    is an error, unless `header` is a bool, and quoted fields, unless `quotes` is False.
    """
    text = text.replace("\r\n", "\n")
    _refuse_lists(text, quotes, source)
    lines = _split_lines(text, source).iloc[int(header is True) :]
    if sep is None:
        sep = _find_separator(text, source)
    else:
        refuse_spaces(source, text, sep)
    users, items, lengths = _split_ids(lines, sep)
    _refuse_times(items, lengths, source)
    frame = pd.DataFrame({0: users, 1: items.to_numpy()}, dtype="str")

    def locate(row):
        return f"{source}, line {items.index[row]}"

    if header == "infer":
        refuse_names_as_record(frame, (), locate)
    return frame.set_axis([USER, ITEM], axis=1), locate


def _split_lines(text, source):
    """Return the lines that are not blank, indexed by their numbers."""
    lines = pd.Series(text.split("\n"))
    lines.index += 1
    if "\r" in text:
        raise lone_carriage_return(source, lines.str.contains("\r").idxmax())
    # A tab at the end of a line separates a blank item.
    return lines[lines.str.strip() != ""].str.strip(" ")


def _split_ids(lines, sep):
    """Return the users, one per item, the items by line, and their number per line."""
    visible = sep.rstrip(" ")
    if visible not in ("", sep):  # the end of a separator was stripped
        lines = lines.where(~lines.str.endswith(visible), lines + sep[len(visible) :])
    # A user alone: the blank item is refused or dropped like other blank ids.
    lines = lines.where(lines.str.contains(sep, regex=False), lines + sep)
    fields = lines.str.split(sep, regex=False)
    lengths = fields.str.len().to_numpy()
    ids = fields.explode()
    is_item = np.ones(len(ids), bool)
    is_item[np.cumsum(lengths) - lengths] = False
    return ids[~is_item].to_numpy().repeat(lengths - 1), ids[is_item], lengths - 1


def _refuse_lists(text, quotes, source):
    """Raise an error if items are enclosed in brackets or quotation marks."""
    may_be_quoted = quotes == "infer" and '"' in text
    found = _LIST.search(text) or (may_be_quoted and _QUOTED.search(text))
    if found:
        line = text.count("\n", 0, found.end() - 1) + 1
        call = r"""re.sub(r'["\[\]]|(?<=[,;]) +', '', path.read_text())"""
        remedy = ", or pass quotes=False if the marks are part of the ids"
        raise InteractionsError(
            f"{source}, line {line}: the items are enclosed, {short_repr(found[0])}. "
            f"Remove the marks and the spaces: path = pathlib.Path({source}); "
            f"path.write_text({call}){remedy if found.re is _QUOTED else ''}."
        )


def _refuse_times(items, lengths, source):
    """Raise an error if the last item of each line is a time, and others are not."""
    n_items = lengths[0]
    if n_items < 2 or (lengths != n_items).any():
        return
    columns = items.to_numpy().reshape(-1, n_items)[:SAMPLE].T
    *others, last = (as_integers(pd.Series(c, dtype="str")) for c in columns)
    if are_times(last) and not all(map(are_times, others)):
        raise InteractionsError(
            f"{source}, line {items.index[0]}: the last value of each line looks like "
            f"a time, for example {short_repr(last.iloc[0])}, and all lines have "
            f"{n_items + 1} values, so that a line seems to be one interaction. Omit "
            "layout=."
        )


def _find_separator(text, source):
    """Return the only separator that is in most lines."""
    lines = sample_lines(text)
    if ", " in text and (tight := re.search(",(?! |$)", text, re.MULTILINE)):
        n_spaced = sum(", " in line for line in lines)
        if n_spaced >= 0.5 * len(lines):
            line = text.count("\n", 0, tight.start()) + 1
            raise InteractionsError(
                f"{source}, line {line}: a comma without a space, but other commas are "
                f"followed by one. Remove the spaces: path = pathlib.Path({source}); "
                "path.write_text(re.sub(', +', ',', path.read_text())); or pass "
                "sep=',' or sep=', '."
            )
    found = [
        sep
        for sep in _SEPARATORS
        if sum(sep in line.strip(" ") for line in lines) >= 0.5 * len(lines)
    ]
    if ", " in found:  # it contains two others
        found = [sep for sep in found if sep not in (",", " ")]
    if len(found) != 1:
        some = " and ".join(map(repr, found)) or "none of a tab, comma and space"
        remedy = "Pass the separator, for example sep=';'."
        if found:
            old, new = map(repr, found[:2])
            remedy = (
                f"If both separate ids, replace one: path = pathlib.Path({source}); "
                f"path.write_text(path.read_text().replace({old}, {new})). If ids "
                f"contain {new}, pass sep={old}."
            )
        raise InteractionsError(
            f"{source}: layout='histories' needs one separator between the ids, but "
            f"{some} occur in most lines, for example "
            f"{short_repr(lines[0] if lines else '')}. {remedy}"
        )
    return found[0]
