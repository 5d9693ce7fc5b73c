"""Types for the annotations of public signatures."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

import numpy.typing as npt
import pandas as pd

__all__ = ["History", "Id", "Ids", "ItemRule", "Items", "Table", "Users"]

Id: TypeAlias = int | str
Ids: TypeAlias = Sequence[Id] | npt.NDArray | pd.Series | pd.Index

# Interactions: a frame with named columns, or an array with columns in fixed order.
Table: TypeAlias = pd.DataFrame | npt.ArrayLike

# Users to recommend items for: one id, several ids, or a table with one query per row.
Users: TypeAlias = Id | Ids | Table

# Past items, oldest first: one list for a single user, one list per user, lists by
# user, or a table.
History: TypeAlias = Ids | Sequence[Ids] | Mapping[Id, Ids] | pd.DataFrame

# Items for all users, or lists of items by user, or a table of users and items.
Items: TypeAlias = Ids | AbstractSet[Id]
ItemRule: TypeAlias = Items | Mapping[Id, Items] | pd.DataFrame
