"""How a fitted network learns from more interactions."""

import numpy as np
from scipy.sparse import csr_array

from sklearn_attrec._interactions.windows import training_targets

__all__ = ["UPDATE_EPOCHS", "UPDATE_RATE", "start_items", "with_rehearsal"]

# Number of epochs and the learning rate, both relative to those of fit.
UPDATE_EPOCHS = 0.4
UPDATE_RATE = 0.1


def with_rehearsal(windows, is_new, random):
    """Return the new windows and as many of the others, in random order.

    Without the others, a network would forget what they taught it (rehearsal; Robins:
    Catastrophic Forgetting, Rehearsal and Pseudorehearsal, Connection Science 7(2),
    1995).

    Parameters
    ----------
    windows : ndarray of shape (n_windows, ...)
    is_new : ndarray of shape (n_windows,), bool
        Whether a window predicts a new row.
    random : numpy Generator

    Returns
    -------
    ndarray of shape (n, ...)
    """
    new, others = windows[is_new], windows[~is_new]
    others = random.choice(others, min(len(others), len(new)), replace=False)
    return random.permutation(np.concatenate([new, others]))


def start_items(random, table, sequences, items):
    """Return rows for new items: between their neighbours and a random direction.

    The mean of several rows is near the centre, where it is similar to everything: a
    new item in such a place would be recommended to everybody. So half of the direction
    is random, and the length is the mean length of the other rows.

    Parameters
    ----------
    random : numpy Generator
    table : ndarray of shape (n_items, d)
    sequences : Sequences
    items : ndarray of shape (n,), int
        Codes of the new items. Their neighbours are the other items directly before and
        after them.

    Returns
    -------
    ndarray of shape (n, d)
        A random direction alone for an item without neighbours.
    """
    positions = training_targets(sequences)
    before, after = sequences.items[positions - 1], sequences.items[positions]
    pairs = np.concatenate([[before, after], [after, before]], axis=1)
    is_other = np.ones(len(table), dtype=bool)
    is_other[items] = False
    first, second = pairs[:, ~is_other[pairs[0]] & is_other[pairs[1]]]
    ones, shape = np.ones(len(first), dtype=np.float32), (len(table), len(table))
    sums = csr_array((ones, (first, second)), shape)[items] @ table
    directions = _unit(sums) + _unit(random.standard_normal(sums.shape))
    length = np.linalg.norm(table[is_other], axis=1).mean()
    return _unit(directions) * length


def _unit(vectors):
    """Scale vectors to length 1; zeros stay zeros."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)
