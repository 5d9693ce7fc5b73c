"""Batches of training windows of different lengths."""

from typing import NamedTuple

from sklearn_attrec._networks import transformer

__all__ = ["Batch", "read_windows"]

# Number of parts into which attention splits a batch; see `transformer.Layout`.
N_PARTS = 4


class Batch(NamedTuple):
    """The items of several windows, one window after the other."""

    positions: object  # (T,) index of each item in the data
    from_end: object  # (T,) position counted from the end of the window, from 1
    window: object  # (T,) index of the window of each item
    layout: transformer.Layout


def read_windows(ops, windows):
    """Collect the items of several windows, sorted by decreasing window length.

    Parameters
    ----------
    ops : module
    windows : tensor of shape (n, 2), int64
        Start and end of each window, as indices into the data.

    Returns
    -------
    windows : tensor of shape (n, 2), int64
        The windows in the order of the batch.
    batch : Batch
    """
    windows = ops.take(windows, ops.argsort(windows[:, 0] - windows[:, 1]), axis=0)
    lengths = windows[:, 1] - windows[:, 0]
    layout = transformer.lay_out(ops, lengths, N_PARTS)
    window = ops.repeat(ops.arange(ops.shape(lengths)[0]), lengths)  # (T,)
    row = ops.cast(ops.arange(ops.shape(window)[0]), "int64")  # (T,)
    from_end = ops.take(layout.ends, window, axis=0) - row  # (T,)
    positions = ops.take(windows[:, 1], window, axis=0) - from_end  # (T,)
    return windows, Batch(positions, from_end, window, layout)
