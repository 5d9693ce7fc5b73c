"""Recommended lists: ranks of relevant items, catalogue coverage and novelty."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_attrec._interactions.column_names import ITEM
from sklearn_attrec._interactions.frames import to_pandas
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr
from sklearn_attrec.utils._types import Ids

__all__ = ["catalogue_coverage", "novelty", "ranks_in_lists"]


def _to_lists(caller, name, lists):
    """Return lists as one 2-D array, padded with None."""
    lists = to_pandas(lists)
    if isinstance(lists, pd.DataFrame) and ITEM in lists:  # the result of `recommend`
        return lists[[ITEM]].to_numpy()
    if isinstance(lists, pd.DataFrame | np.ndarray) and lists.ndim == 2:
        return np.asarray(lists)
    is_mapping = isinstance(lists, Mapping)
    if is_mapping or not all(map(pd.api.types.is_list_like, lists)):
        remedy = f"list({name}.values())" if is_mapping else f"[{name}] for one row"
        raise InteractionsError(
            f"The '{name}' argument of {caller} must contain one list of items per "
            f"row. Got {short_repr(lists)} instead. Pass {remedy}."
        )
    columns = list(zip_longest(*lists))
    array = np.empty((len(lists), len(columns)), dtype=object)
    # np.asarray would convert lists of tuples to a 3-D array.
    for position, column in enumerate(columns):
        array[:, position] = column
    return array


def _check_rows(y_true, y_pred):
    """Refuse relevant items that are sets, and rows in another order."""
    sets = [items for items in y_true if pd.api.types.is_list_like(items)]
    if sets:
        raise InteractionsError(
            "The 'y_true' argument of ranks_in_lists must contain one item per row. It "
            f"contains {short_repr(sets[0])}. For sets of relevant items pass one row "
            "per item, as in pd.Series(y_true).explode(); see the example."
        )
    labelled = pd.Series | pd.DataFrame
    both_labelled = isinstance(y_true, labelled) and isinstance(y_pred, labelled)
    is_same_length = both_labelled and len(y_true) == len(y_pred)
    if is_same_length and not y_true.index.equals(y_pred.index):
        raise InteractionsError(
            "ranks_in_lists reads 'y_true' and 'y_pred' by position, but their indexes "
            "differ. Pass y_pred.loc[y_true.index], or, if they are in the same order, "
            "reset both: .reset_index(drop=True)."
        )


def _kind(ids):
    """Return 'strings' or 'numbers', or None for mixed and other ids."""
    kind = pd.api.types.infer_dtype(ids, skipna=True)
    return {"string": "strings", "integer": "numbers", "floating": "numbers"}.get(kind)


def ranks_in_lists(y_true: Ids, y_pred: npt.ArrayLike | Sequence[Ids]) -> np.ndarray:
    """Find the rank of each relevant item in the list recommended for its row.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Relevant item of each row. A query with several relevant items has several rows.
    y_pred : array-like of shape (n, k) or sequence of n sequences
        Items recommended for each row, best first, for example from `predict`.

    Returns
    -------
    ndarray of shape (n,)
        Position of the item in its list, 1 for the first; `inf` if the list does not
        contain it. If a list contains it twice, the first position counts.

    Raises
    ------
    InteractionsError
        If the lengths differ, or one contains strings and the other numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec.metrics import ranks_in_lists, recall
    >>> ranks_in_lists(["x", "y"], [["x", "z"], ["z", "x"]])
    array([ 1., inf])

    For sets of relevant items, `explode` makes one row per item:

    >>> relevant = pd.Series([{"x"}, {"y", "z"}]).explode()
    >>> recommended = pd.Series([["x", "z"], ["z", "x"]]).loc[relevant.index]
    >>> recall(ranks_in_lists(relevant, recommended), k=2, users=relevant.index)
    0.75
    """
    _check_rows(y_true, y_pred)
    y_true = np.asarray(to_pandas(y_true))
    lists = _to_lists("ranks_in_lists", "y_pred", y_pred)
    if y_true.ndim != 1 or lists.ndim != 2 or len(y_true) != len(lists):
        raise InteractionsError(
            "ranks_in_lists needs one relevant item and one list of items per row: "
            "'y_true' of shape (n,) and 'y_pred' of shape (n, k). Got "
            f"{y_true.shape} and {lists.shape} instead."
        )
    kinds = _kind(y_true), _kind(lists.ravel())
    if None not in kinds and kinds[0] != kinds[1]:
        raise InteractionsError(
            f"ranks_in_lists: 'y_true' contains {kinds[0]}, but 'y_pred' contains "
            f"{kinds[1]}, so no item can match. Convert one of them with astype."
        )
    if lists.size == 0:
        return np.full(len(y_true), np.inf)
    is_target = lists == y_true[:, None]  # (n, k)
    return np.where(is_target.any(axis=1), is_target.argmax(axis=1) + 1, np.inf)


def _recommended_positions(caller, recommended, items):
    """Return the catalogue positions of all recommended items, without padding."""
    index = pd.Index(to_pandas(items))
    if not index.is_unique:
        raise InteractionsError(
            f"The 'items' argument of {caller} must contain each item once, but "
            f"{short_repr(index[index.duplicated()][0])} occurs more than once. Pass "
            "items_ of the recommender."
        )
    lists = _to_lists(caller, "recommended", recommended)
    positions = index.get_indexer(lists.ravel())
    if not (positions >= 0).any():
        raise InteractionsError(
            f"None of the {positions.size} items in the 'recommended' argument of "
            f"{caller} is among the {len(index)} items in the 'items' argument. Check "
            "that both have ids of the same type."
        )
    return positions[positions >= 0]


def catalogue_coverage(recommended: npt.ArrayLike | Sequence[Ids], items: Ids) -> float:
    """Compute the fraction of the catalogue that is recommended at least once.

    Parameters
    ----------
    recommended : array-like of shape (n, k) or sequence of n sequences
        Lists of items, for example from `predict`. Values that are not in the
        catalogue are ignored, for example the padding of short lists.
    items : array-like of shape (n_items,)
        The catalogue, without duplicates: `items_` of a recommender.

    Returns
    -------
    float
        Between 0 and 1; k / n_items if all lists are equal.

    Raises
    ------
    InteractionsError
        If no recommended item is in the catalogue, or the catalogue has duplicates.

    References
    ----------
    M. Ge, C. Delgado-Battenfeld and D. Jannach. "Beyond Accuracy: Evaluating
    Recommender Systems by Coverage and Serendipity". RecSys 2010.

    Examples
    --------
    >>> from sklearn_attrec.metrics import catalogue_coverage
    >>> catalogue_coverage([["x", "y"], ["y", "x"]], items=["w", "x", "y", "z"])
    0.5
    """
    positions = _recommended_positions("catalogue_coverage", recommended, items)
    return len(np.unique(positions)) / len(items)


def novelty(
    recommended: npt.ArrayLike | Sequence[Ids],
    items: Ids,
    item_counts: npt.ArrayLike,
) -> float:
    """Compute the mean self-information of the recommended items, in bits.

    This is the mean of -log2 p(i) over all positions of all lists, where p(i) is the
    fraction of item i in the training interactions. Halving the frequency of an item
    adds one bit. Positions of items without training interactions are left out.

    Parameters
    ----------
    recommended : array-like of shape (n, k) or sequence of n sequences
        Lists of items, for example from `predict`. Values that are not in the
        catalogue are ignored, for example the padding of short lists.
    items : array-like of shape (n_items,)
        The catalogue, without duplicates: `items_` of a recommender.
    item_counts : array-like of shape (n_items,)
        Number of training interactions of each item in the catalogue: `item_counts_`
        of a recommender. A Series whose index is named `item_id` is read by its
        labels; items without a label have no interactions.

    Returns
    -------
    float
        Novelty in bits; lower if more popular items are recommended. NaN if no
        recommended item has interactions.

    Raises
    ------
    InteractionsError
        If no recommended item is in the catalogue, the catalogue has duplicates, or
        `item_counts` does not contain one count per item, or no count is positive.

    References
    ----------
    T. Zhou, Z. Kuscsik, J.-G. Liu, M. Medo, J. R. Wakeling and Y.-C. Zhang. "Solving
    the Apparent Diversity-Accuracy Dilemma of Recommender Systems". PNAS 107(10), 2010.

    Examples
    --------
    >>> from sklearn_attrec.metrics import novelty
    >>> novelty([["x", "y"]], items=["x", "y", "z"], item_counts=[2, 1, 1])
    1.5
    """
    positions = _recommended_positions("novelty", recommended, items)
    if isinstance(item_counts, pd.Series) and item_counts.index.name == ITEM:
        catalogue = np.asarray(to_pandas(items))
        item_counts = item_counts.reindex(catalogue, fill_value=0)  # of value_counts
    counts = np.asarray(item_counts, dtype=float)
    if counts.shape != (len(items),) or not (counts >= 0).all() or not counts.any():
        raise InteractionsError(
            "The 'item_counts' argument of novelty must contain one count for each of "
            f"the {len(items)} items, none negative and not all 0. Got shape "
            f"{counts.shape} with the sum {counts.sum():g} instead. Pass item_counts_ "
            "of the recommender."
        )
    recommended_counts = counts[positions]
    known = recommended_counts[recommended_counts > 0]
    return float(np.mean(np.log2(counts.sum() / known))) if len(known) else np.nan
