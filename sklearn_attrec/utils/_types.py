"""Types for the annotations of public signatures."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol, TypeAlias

import numpy.typing as npt
import pandas as pd

__all__ = [
    "Column",
    "Frame",
    "History",
    "Id",
    "Ids",
    "ItemRule",
    "Items",
    "ResultFrame",
    "Table",
    "Users",
]


# Protocols, because polars and pyarrow need not be installed. They list methods that
# all of these types have and other objects lack.
class Frame(Protocol):
    """A DataFrame of pandas, a DataFrame or LazyFrame of polars, a Table of pyarrow."""

    @property
    def columns(self) -> Any: ...
    def join(self, *args: Any, **kwargs: Any) -> Any: ...


class Column(Protocol):
    """A Series of pandas or polars, or an Array or ChunkedArray of pyarrow."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    def filter(self, *args: Any, **kwargs: Any) -> Any: ...


# A frame whose library depends on arguments, which annotations cannot express.
ResultFrame: TypeAlias = Any

Id: TypeAlias = int | str
Ids: TypeAlias = Sequence[Id] | npt.NDArray | pd.Index | Column

# Interactions: a frame with named columns, or an array with columns in fixed order.
Table: TypeAlias = Frame | npt.ArrayLike

# Users to recommend items for: one id, several ids, or a table with one query per row.
Users: TypeAlias = Id | Ids | Table

# Past items, oldest first: one list for a single user, one list per user, lists by
# user, or a table.
History: TypeAlias = Ids | Sequence[Ids] | Mapping[Id, Ids] | Frame

# Items for all users, or lists of items by user, or a table of users and items.
Items: TypeAlias = Ids | AbstractSet[Id]
ItemRule: TypeAlias = Items | Mapping[Id, Items] | Frame
