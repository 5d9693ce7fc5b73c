"""Ranks of target items, for evaluation."""

import numpy as np

__all__ = ["ranks_of"]


def ranks_of(scores, targets):
    """Return the rank of each row's target among all items; 1 is the best rank.

    Items with the same score as the target are ranked before it. A model that gives all
    items the same score therefore ranks every target last.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items)
        −inf marks excluded items.
    targets : ndarray of shape (n,), int
        Item codes; −1 for an item not in the catalogue.

    Returns
    -------
    ndarray of shape (n,), float64
        `inf` for a target that is unknown or excluded.
    """
    score = scores[np.arange(len(targets)), targets]
    ranks = (scores >= score[:, None]).sum(axis=1).astype(np.float64)
    return np.where((targets < 0) | (score == -np.inf), np.inf, ranks)
