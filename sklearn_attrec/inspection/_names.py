"""Titles of items on the axes of a plot."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import pandas as pd

from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["Names", "titles_of"]

# Titles by item id.
Names: TypeAlias = Mapping[Any, str] | pd.Series

MAX_LENGTH = 40  # of a title, in characters


def titles_of(items, names):
    """Return the titles of items, or ids where there are none; long ones are cut."""
    if not (names is None or isinstance(names, (Mapping, pd.Series))):
        raise InvalidParameterError(
            "The 'names' argument must be a dict or a Series of pandas, with titles by "
            f"item id. Got {short_repr(names)} instead."
        )
    known = {} if names is None else dict(names.items())
    titles = []
    for item in items:
        title = known.get(item)
        title = str(item if title is None or pd.isna(title) else title)
        is_long = len(title) > MAX_LENGTH
        titles.append(f"{title[: MAX_LENGTH - 1]}…" if is_long else title)
    return titles
