"""Rules of what may be recommended: `candidates` and `exclude`."""

from collections.abc import Mapping, Set
from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_calls import pandas_name
from sklearn_attrec._interactions.column_names import ITEM, USER
from sklearn_attrec._interactions.frames import to_pandas
from sklearn_attrec._interactions.sequences import Sequences
from sklearn_attrec._interactions.table_types import refuse_foreign_table
from sklearn_attrec._ranking.exclusions import Exclusions, Pairs
from sklearn_attrec._ranking.item_lists import (
    encode_lists,
    has_default_index,
    holds_lists,
    lists_by_user,
    refuse_misshapen_frame,
    refuse_single_items_by_user,
)
from sklearn_attrec._ranking.known_ids import (
    check_like_fitted,
    check_same_type,
    describe_ids,
    is_text,
    known_items,
    read_items,
)
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["Rules", "read_candidates", "read_rules"]


class PerQuery(NamedTuple):
    """Items of n queries: those of query q are row ``rows[q]`` of `source`."""

    source: Sequences
    rows: np.ndarray  # (n,) −1 for no items

    def block(self, rows):
        """Return the pairs of a slice of queries and their items."""
        return Pairs.of_sequences(self.source.select(self.rows[rows]))


class Rules(NamedTuple):
    """Items that may be recommended to each of n queries."""

    excluded: np.ndarray | None  # (n_items,) bool, items excluded for all queries
    candidates_per_query: PerQuery | None
    excluded_per_query: PerQuery | None
    has_exclude: bool  # whether the argument `exclude` was passed

    def leave_few(self):
        """Return whether most of the items may not be recommended."""
        if self.candidates_per_query is not None:
            return True
        excluded = self.excluded
        return excluded is not None and np.count_nonzero(excluded) > len(excluded) / 2

    def block(self, rows):
        """Return the `Exclusions` of a slice of queries."""
        candidates, per_query = self.candidates_per_query, self.excluded_per_query
        return Exclusions(
            self.excluded,
            None if candidates is None else candidates.block(rows),
            () if per_query is None else (per_query.block(rows),),
        )


def read_rules(model, candidates, exclude, ids, caller):
    """Check and encode the arguments `candidates` and `exclude`.

    Parameters
    ----------
    model : BaseRecommender
        The fitted recommender.
    candidates, exclude : list of item ids, dict, Series, DataFrame or None
        As in `predict`.
    ids : ndarray of shape (n,)
        Checked user ids of the queries.
    caller : str
        Name of the calling method, for error messages.

    Returns
    -------
    Rules
    """
    excluded = None
    per_query = {"candidates": None, "exclude": None}
    for name, value in {"candidates": candidates, "exclude": exclude}.items():
        if value is None:
            continue
        value = to_pandas(value)
        if _is_per_user(value, name, caller):
            per_query[name] = _read_per_user(model, value, ids, name, caller)
        elif name == "candidates":
            excluded = ~read_candidates(model, value, caller)
        else:
            if excluded is None:
                excluded = np.zeros(len(model.items_), dtype=bool)
            excluded[_read_excluded(model, value, caller)] = True
    return Rules(excluded, *per_query.values(), has_exclude=exclude is not None)


def read_candidates(model, candidates, caller):
    """Return a mask of the items that may be recommended for all queries."""
    _, codes = known_items(model, _as_list(candidates), "candidates", caller)
    allowed = np.zeros(len(model.items_), dtype=bool)
    allowed[codes] = True
    return allowed


def _read_excluded(model, exclude, caller):
    """Return the codes of items excluded for all queries; there may be none.

    Items not seen in fit are not recommended anyway.
    """
    items = _as_list(exclude)
    if hasattr(items, "__len__") and len(items) == 0:
        return []
    ids, codes = read_items(model, items, "exclude", caller)
    _check_type_of_excluded(model, ids, "'exclude'", caller)
    return codes[codes >= 0]


def _check_type_of_excluded(model, ids, name, caller):
    """Refuse texts among numbers and numbers among texts, which are never equal."""
    if len(ids) and is_text(ids) != is_text(model.items_):
        check_same_type(model.items_, ids, name, "fit", caller)


def _as_list(items):
    """Turn a set into a list; the order of items does not matter."""
    return list(items) if isinstance(items, Set) else items


def _is_per_user(value, name, caller):
    """Return whether items are given per user; refuse what could be misread."""
    refuse_foreign_table(value, f"{caller}: '{name}'")
    if isinstance(value, pd.DataFrame):
        refuse_misshapen_frame(value, name, caller)
        if USER not in value and ITEM in value:
            raise InteractionsError(
                f"{caller}: '{name}' is a DataFrame without '{USER}'. For the same "
                f"items for all users, pass {name}['{ITEM}']."
            )
        return True
    if isinstance(value, Mapping):
        _check_values(value, name, caller)
        return True
    refuse_single_items_by_user(value, [], name, caller)
    if not holds_lists(value):
        return False
    if isinstance(value, pd.Series) and not has_default_index(value):
        return True
    raise InteractionsError(
        f"{caller}: '{name}' is a list of lists; it must be one list of item ids for "
        "all users, or a dict {user: list}. If it has one list per queried user, pass "
        f"dict(zip(users, {name})); if the index of a Series holds the users, pass "
        f"{name}.rename_axis('{USER}')."
    )


def _check_values(value, name, caller):
    """Require lists in a dict: other values suggest that its keys are items."""
    for key, items in value.items():
        if not pd.api.types.is_list_like(items):
            raise InteractionsError(
                f"{caller}: '{name}' must be a dict {{user: list}}. Got "
                f"{short_repr(items)} for {short_repr(key)}. For items for all users, "
                f"pass list({name}) if the keys are items."
            )


def _read_per_user(model, value, ids, name, caller):
    """Return a sequence of item codes for each query."""
    if isinstance(value, pd.DataFrame) and {USER, ITEM} <= set(value.columns):
        value = value[[USER, ITEM]].reset_index(drop=True)
    found = lists_by_user(model, value, ids, name, caller)
    lists = [
        check_like_fitted(
            model.items_, _as_list(items), f"{name} of user {short_repr(user)}", caller
        )
        for user, items in zip(found.owners, found.lists, strict=True)
    ]
    if name == "candidates":
        _check_candidates(found, lists, ids, value, caller)
    indptr, codes = encode_lists(model, lists)
    if (codes < 0).any():
        if name == "candidates":
            _refuse_unknown_items(model, lists, indptr, codes, found.owners, caller)
        for items, user in zip(lists, found.owners, strict=True):
            described = f"'exclude' of user {short_repr(user)}"
            _check_type_of_excluded(model, items, described, caller)
    return PerQuery(Sequences(indptr, codes, None), found.rows)


def _check_candidates(found, lists, ids, value, caller):
    """Require at least one candidate for each query."""
    missing = np.flatnonzero(found.rows < 0)
    empty = [row for row, items in enumerate(lists) if len(items) == 0]
    if not len(missing) and not empty:
        return
    if len(missing):
        problem, count, user = "no entry", len(missing), short_repr(ids[missing[0]])
    else:
        problem, count = "an empty list", len(empty)
        user = short_repr(found.owners[empty[0]])
    if isinstance(value, pd.DataFrame):
        rows = f"pd.DataFrame({{'{USER}': {user}, '{ITEM}': model.items_}})"
        remedy = f"pd.concat([{pandas_name(value, 'candidates')}, {rows}])"
    else:
        remedy = f"dict(candidates) | {{{user}: model.items_}}"
    raise InteractionsError(
        f"{caller}: 'candidates' has {problem} for {count} queried user(s), for "
        f"example {user}. Add items for each, as in {remedy} for all items."
    )


def _refuse_unknown_items(model, lists, indptr, codes, owners, caller):
    """Raise an error that names the first candidate not seen in fit."""
    unknown = np.flatnonzero(codes < 0)
    row = np.searchsorted(indptr, unknown[0], side="right") - 1
    item = lists[row][unknown[0] - indptr[row]]
    raise InteractionsError(
        f"{caller}: 'candidates' must contain item ids seen in fit. Got "
        f"{short_repr(item)} for user {short_repr(owners[row])} ({len(unknown)} of "
        f"{len(codes)} unknown). The ids seen in fit are {describe_ids(model.items_)}. "
        "Remove the unknown ids."
    )
