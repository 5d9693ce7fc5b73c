"""Windows: contiguous slices of sequences, for training and prediction."""

import numpy as np

__all__ = ["cut_windows", "last_items", "training_targets"]


def training_targets(sequences):
    """Return the positions of all items but the first one of each user.

    A position in `Sequences.items` stands for a training window, without a copy of its
    items: the inputs are the items of the user before it, the targets those from it on.

    Returns
    -------
    ndarray of shape (n_windows,)
        int32 unless there are very many rows: an epoch has a permutation of them.
    """
    n_rows = len(sequences.items)
    is_target = np.ones(n_rows, dtype=bool)
    is_target[sequences.indptr[:-1][np.diff(sequences.indptr) > 0]] = False
    return np.flatnonzero(is_target).astype(np.int32 if n_rows < 2**30 else np.int64)


def cut_windows(sequences, users, L, random=None):
    """Cut histories into windows of up to L items, each followed by one more item.

    Each item of a window predicts the item after it. For L = 4 and the history
    a b c d e f g h, the window without `random` is d e f g, and h is only a target.
    With `random` the whole history is cut at a random offset, for example into a,
    b c d e and f g, so that windows and positions differ between epochs.

    Parameters
    ----------
    sequences : Sequences
    users : ndarray of shape (n,), int
        User codes, each with at least two items.
    L : int
        Maximum window length.
    random : numpy Generator, default=None
        None returns only the last window of each user.

    Returns
    -------
    ndarray of shape (n_windows, 2), int64
        Start and end of each window, as positions in ``sequences.items``.
    """
    begin, end = sequences.indptr[users], sequences.indptr[users + 1] - 1
    if random is None:
        return np.stack([np.maximum(begin, end - L), end], axis=1)
    # Windows end at `end + shift`, `end + shift - L`, ...; the result is clipped.
    shift = np.where(end - begin > L, random.integers(L, size=len(users)), 0)
    count = -(-(end + shift - begin) // L)
    row = np.repeat(np.arange(len(users)), count)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    stop = (end + shift)[row] - nth * L
    return np.stack(
        [np.maximum(begin[row], stop - L), np.minimum(end[row], stop)], axis=1
    )


def last_items(sequences, L):
    """Return the last L items of each sequence as a row, padded on the left.

    For L = 4 the sequences [5, 6] and [1, 2, 3, 4, 5] become::

        items  0 0 5 6     padding_mask  . . x x
               2 3 4 5                   x x x x

    Padded positions contain item 0; networks ignore them through the mask.

    Parameters
    ----------
    sequences : Sequences
    L : int
        Window length.

    Returns
    -------
    items : ndarray of shape (n, L), int32
    padding_mask : ndarray of shape (n, L), bool
        True for items, False for padding.
    """
    positions = sequences.indptr[1:, None] + np.arange(-L, 0)  # (n, L)
    padding_mask = positions >= sequences.indptr[:-1, None]
    if len(sequences.items) == 0:
        return np.zeros(padding_mask.shape, np.int32), padding_mask
    items = sequences.items[np.where(padding_mask, positions, 0)]
    return np.where(padding_mask, items, 0), padding_mask
