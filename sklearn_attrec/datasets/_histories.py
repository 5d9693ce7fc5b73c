"""One line per user: the user, then the items, oldest first."""

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_names import ITEM, USER
from sklearn_attrec.datasets._separators import sample_lines
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["read_histories"]

_SEPARATORS = ("\t", ", ", ",", " ")


def read_histories(text, sep, header, source):
    """Read lines of different lengths; a user without items gets one blank item.

    Parameters
    ----------
    text : str
        The lines.
    sep : str or None
        Separator. None means the one of tab, comma and space that is in each line.
    header : bool
        Whether to skip the first line.
    source : str
        Name of the file for error messages.

    Returns
    -------
    frame : DataFrame of str
        One row per item.
    locate : callable
        Maps the position of a row to its location in the file.
    """
    lines = pd.Series(text.split("\n")).str.strip()
    lines.index += 1
    lines = lines[lines != ""].iloc[int(header) :]
    if sep is None:
        sep = _find_separator(text, source)
    # A user alone: the blank item is refused or dropped like other blank ids.
    lines = lines.where(lines.str.contains(sep, regex=False), lines + sep)
    fields = lines.str.split(sep, regex=False)
    lengths = fields.str.len().to_numpy()
    ids = fields.explode()
    is_item = np.ones(len(ids), bool)
    is_item[np.cumsum(lengths) - lengths] = False
    users = ids[~is_item].to_numpy().repeat(lengths - 1)
    items = ids[is_item]
    numbers = items.index
    frame = pd.DataFrame({USER: users, ITEM: items.to_numpy()}, dtype="str")
    return frame, lambda row: f"{source}, line {numbers[row]}"


def _find_separator(text, source):
    """Return the only separator that is in most lines."""
    lines = sample_lines(text)
    found = [
        sep
        for sep in _SEPARATORS
        if sum(sep in line.strip() for line in lines) >= 0.5 * len(lines)
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
