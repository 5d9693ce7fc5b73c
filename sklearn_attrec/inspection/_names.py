"""Titles of items on the axes of a plot."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import pandas as pd

__all__ = ["Names", "title_of"]

# Titles by item id.
Names: TypeAlias = Mapping[Any, str] | pd.Series

MAX_LENGTH = 40  # of a title, in characters


def title_of(names, item):
    """Return the title of an item, or its id if there is none; long ones are cut."""
    title = str(item if names is None else names.get(item, item))
    return title if len(title) <= MAX_LENGTH else f"{title[: MAX_LENGTH - 1]}…"
