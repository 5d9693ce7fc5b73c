"""Metrics over recommended lists: their ranks, catalogue coverage and novelty."""

from itertools import zip_longest

import numpy as np
import pandas as pd

from sklearn_attrec.exceptions import InteractionsError

__all__ = ["catalogue_coverage", "novelty", "ranks_in_lists"]


def _to_lists(y_pred):
    """Return lists of any lengths as one 2-D array, the short ones filled with None."""
    if isinstance(y_pred, pd.DataFrame | np.ndarray):
        return np.asarray(y_pred)
    columns = list(zip_longest(*y_pred))
    lists = np.empty((len(y_pred), len(columns)), dtype=object)
    for place, column in enumerate(columns):  # a list of tuples would become 3-D
        lists[:, place] = column
    return lists


def _kind(ids):
    """Say 'text' or 'numbers', or None where ids are mixed or of another kind."""
    kind = pd.api.types.infer_dtype(ids, skipna=True)
    return {"string": "text", "integer": "numbers", "floating": "numbers"}.get(kind)


def ranks_in_lists(y_true, y_pred):
    """Rank of each relevant item in the list recommended for its row.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        The relevant item of each row. Where a query has several, give each a row.
    y_pred : array-like of shape (n, k) or sequence of n sequences
        The items recommended for each row, best first, such as `predict` returns.

    Returns
    -------
    ndarray of shape (n,)
        Place of the item in its list from 1 on, and `inf` where it is not listed. Of
        an item listed twice the first place counts.

    Raises
    ------
    InteractionsError
        If the two differ in length, or one holds text and the other numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec.metrics import ranks_in_lists, recall
    >>> ranks_in_lists(["x", "y"], [["x", "z"], ["z", "x"]])
    array([ 1., inf])

    Sets of relevant items have a row an item after `explode`:

    >>> relevant = pd.Series([{"x"}, {"y", "z"}]).explode()
    >>> recommended = pd.Series([["x", "z"], ["z", "x"]]).loc[relevant.index]
    >>> recall(ranks_in_lists(relevant, recommended), k=2, users=relevant.index)
    0.75
    """
    y_true, lists = np.asarray(y_true), _to_lists(y_pred)
    if y_true.ndim != 1 or lists.ndim != 2 or len(y_true) != len(lists):
        raise InteractionsError(
            "ranks_in_lists needs a relevant item and a list of items a row: 'y_true' "
            "of shape (n,) and 'y_pred' of shape (n, k). "
            f"Got {y_true.shape} and {lists.shape} instead."
        )
    kinds = _kind(y_true), _kind(lists.ravel())
    if None not in kinds and kinds[0] != kinds[1]:
        raise InteractionsError(
            f"The items of 'y_true' are {kinds[0]} and those of 'y_pred' {kinds[1]}, "
            "so none can ever be found. Convert one with astype."
        )
    listed = lists == y_true[:, None]  # (n, k)
    return np.where(listed.any(axis=1), listed.argmax(axis=1) + 1, np.inf)


def _recommended_positions(caller, recommended, items):
    """Positions in the catalogue of all the items recommended, padding left out."""
    index = pd.Index(items)
    if not index.is_unique:
        raise InteractionsError(
            f"The 'items' argument of {caller} must name each item once. "
            f"{index[index.duplicated()][0]!r} is there more than once."
        )
    positions = index.get_indexer(_to_lists(recommended).ravel())
    if not (positions >= 0).any():
        raise InteractionsError(
            f"None of the {positions.size} items in the 'recommended' argument of "
            f"{caller} is one of the {len(index)} of the catalogue in 'items'."
        )
    return positions[positions >= 0]


def catalogue_coverage(recommended, items):
    """Share of the catalogue that is recommended at least once.

    Parameters
    ----------
    recommended : array-like of shape (n, k) or sequence of n sequences
        The lists of items, such as `predict` returns. What is not in the catalogue,
        such as the padding of short lists, is left out.
    items : array-like of shape (n_items,)
        The catalogue, each item once: `items_` of a recommender.

    Returns
    -------
    float
        Between 0 and 1. A recommender with the same list for all has k / n_items.

    Raises
    ------
    InteractionsError
        If no recommended item is in the catalogue, or the catalogue repeats one.

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


def novelty(recommended, items, item_counts):
    r"""Mean self-information of the recommended items, in bits.

    It is the mean of :math:`-\log_2 p(i)` over all places of all lists, with
    :math:`p(i)` the share of item :math:`i` among the training interactions. An item
    that is half as frequent is one bit more novel.

    Parameters
    ----------
    recommended : array-like of shape (n, k) or sequence of n sequences
        The lists of items, such as `predict` returns. What is not in the catalogue,
        such as the padding of short lists, is left out.
    items : array-like of shape (n_items,)
        The catalogue, each item once: `items_` of a recommender.
    item_counts : array-like of shape (n_items,)
        How often each item of the catalogue occurs in training, at least once:
        `item_counts_` of a recommender.

    Returns
    -------
    float
        Bits. Low values mean that popular items are recommended.

    Raises
    ------
    InteractionsError
        If no recommended item is in the catalogue, the catalogue repeats one, or the
        counts do not fit it.

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
    counts = np.asarray(item_counts, dtype=float)
    if counts.shape != (len(items),) or not (counts > 0).all():
        raise InteractionsError(
            "The 'item_counts' argument of novelty must hold a positive count for each "
            f"of the {len(items)} items. Got shape {counts.shape} with "
            f"{np.sum(~(counts > 0))} count(s) not positive instead."
        )
    return float(np.mean(np.log2(counts.sum() / counts[positions])))
