"""Batches of training windows of different lengths."""

from typing import NamedTuple

from sklearn_attrec._networks import transformer
from sklearn_attrec._networks.time_buckets import time_buckets

__all__ = ["Batch", "read_batch", "take_codes"]

# Number of parts into which attention splits a batch; see `transformer.Layout`.
N_PARTS = 4


class Batch(NamedTuple):
    """n windows of T items in total, one window after the other."""

    positions: object  # (T,) index of each item in the data
    items: object  # (T,) item codes
    targets: object  # (T,) code of the next item of each item
    from_end: object  # (T,) position counted from the end of the window, from 1
    window: object  # (T,) index of the window of each item
    users: object  # (n,) user code of each window
    layout: transformer.Layout


def read_batch(ops, settings, data, windows):
    """Collect the items of several windows, sorted by decreasing window length.

    Parameters
    ----------
    ops : module
    settings : NamedTuple
        With `time_bias`.
    data : dict
        `items` (n_rows,) and `users` (n_rows,) of the sequences and, with a time bias,
        `times` (n_rows,), float64, in seconds.
    windows : tensor of shape (n, 2), int64
        Start and end of each window, as indices into the data.

    Returns
    -------
    Batch
    """
    windows = ops.take(windows, ops.argsort(windows[:, 0] - windows[:, 1]), axis=0)
    lengths = windows[:, 1] - windows[:, 0]
    layout = transformer.lay_out(ops, lengths, N_PARTS)
    window = ops.repeat(ops.arange(ops.shape(lengths)[0]), lengths)  # (T,)
    row = ops.cast(ops.arange(ops.shape(window)[0]), "int64")  # (T,)
    from_end = ops.take(layout.ends, window, axis=0) - row  # (T,)
    positions = ops.take(windows[:, 1], window, axis=0) - from_end  # (T,)
    if settings.time_bias:
        layout = _with_buckets(ops, settings, data["times"], positions, layout)
    return Batch(
        positions=positions,
        items=take_codes(ops, data["items"], positions),
        targets=take_codes(ops, data["items"], positions + 1),
        from_end=from_end,
        window=window,
        users=take_codes(ops, data["users"], windows[:, 0]),
        layout=layout,
    )


def take_codes(ops, codes, positions):
    """Return codes of the sequences as int64; in memory they are int32."""
    return ops.cast(ops.take(codes, positions, axis=0), "int64")


def _with_buckets(ops, settings, times, positions, layout):
    """Add the buckets of the time between the items of each window."""
    of_items = ops.take(times, positions, axis=0)  # (T,)
    references = of_items
    if settings.time_bias == "request":
        references = ops.take(times, positions + 1, axis=0)
    parts = []
    for part in layout.parts:
        spans = (ops.take(x, part.places, axis=0) for x in (references, of_items))
        parts.append(part._replace(buckets=time_buckets(ops, *spans)))
    return layout._replace(parts=parts)
