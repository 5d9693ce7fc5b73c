"""Causal self-attention over sequences of different lengths, without work on padding.

The encoder of Kang, McAuley: Self-Attentive Sequential Recommendation, ICDM 2018
(arXiv:1808.09781), and its post-norm sibling after Vaswani et al.: Attention Is All
You Need, NeurIPS 2017. The items of a batch lie one sequence after the other in rows of
(T, width); attention alone needs them side by side, and gets them in a few parts, each
as wide as the longest of its sequences.
"""

from typing import NamedTuple

import numpy as np

__all__ = [
    "Layout",
    "Part",
    "block_layout",
    "encode",
    "initial_blocks",
    "lay_out",
]

PROJECTIONS = ("W_Q", "W_K", "W_V", "W_O", "W_1", "W_2")
SHIFTS = ("b_1", "b_2", "s_att", "s_ff")
GAINS = ("g_att", "g_ff")


class Part(NamedTuple):
    """Some sequences of about the same length, left-padded to the longest.

    For lengths 3 and 1, the first of which ends at row 5::

        places  2 3 4     real  x x x     bias of row 2   .    −inf −inf
                0 0 5           . . x                     −inf .    −inf
                                                          −inf −inf .
    """

    places: object  # (n, W) row of each item; padding points at row 0
    real: object  # (n, W) False where padded
    filled: object  # (t,) which of the n W places are real
    bias: object  # (n, W, W) 0 where row i may see row j, else −inf


class Layout(NamedTuple):
    """Where the items of a batch lie."""

    parts: list
    ends: object  # (n,) one past each sequence's last row


def lay_out(ops, lengths, n_parts=1):
    """Lay some sequences out one after the other.

    Parameters
    ----------
    ops : module
        `keras.ops` or its NumPy stand-in.
    lengths : tensor of shape (n,), int64
        Of the sequences; neighbours share a part, so those of like length should be
        neighbours.
    n_parts : int, default=1

    Returns
    -------
    Layout
    """
    n = ops.shape(lengths)[0]
    ends = ops.cumsum(lengths)
    parts = []
    for part in range(n_parts):
        rows = slice(n * part // n_parts, n * (part + 1) // n_parts)
        length, end = lengths[rows][:, None], ends[rows][:, None]
        back = ops.arange(-ops.max(length, initial=0), 0)  # (W,)
        real = back >= -length  # (n, W)
        causal = back[:, None] >= back[None, :]  # (W, W)
        itself = back[:, None] == back[None, :]
        # Padding may see itself: a row of nothing but −inf has no softmax.
        open_ = (causal[None] & real[:, None, :]) | itself[None]  # (n, W, W)
        (filled,) = ops.nonzero(ops.reshape(real, (-1,)))
        bias = ops.cast(ops.where(open_, 0.0, -np.inf), "float32")
        parts.append(Part(ops.where(real, end + back, 0), real, filled, bias))
    return Layout(parts, ends)


def initial_blocks(random, settings, n_blocks, width):
    """Draw the weights of the blocks.

    Parameters
    ----------
    random : numpy Generator
    settings : NamedTuple
        With `norm`.
    n_blocks, width : int

    Returns
    -------
    dict of ndarray, float32
        For block b, each name after `b.`: `W_Q`, `W_K`, `W_V`, `W_O`, `W_1`, `W_2`
        (width, width); `b_1`, `b_2` (width,); gain and shift of the two layer norms,
        `g_att`, `s_att`, `g_ff`, `s_ff` (width,). For 'pre', `g_out` and `s_out` of
        one more norm at the end.
    """
    weights = {}
    bound = np.sqrt(6 / (2 * width))  # Glorot, Bengio 2010
    for b in range(n_blocks):
        for name in PROJECTIONS:
            weights[f"{b}.{name}"] = random.uniform(-bound, bound, (width, width))
        for name in SHIFTS:
            weights[f"{b}.{name}"] = np.zeros(width)
        for name in GAINS:
            weights[f"{b}.{name}"] = np.ones(width)
    if settings.norm == "pre":
        weights |= {"g_out": np.ones(width), "s_out": np.zeros(width)}
    return {name: value.astype(np.float32) for name, value in weights.items()}


def block_layout(settings, n_blocks, width):
    """Dtype and names of the sizes of the weights of `initial_blocks`.

    Parameters
    ----------
    settings : NamedTuple
        With `norm`.
    n_blocks : int
    width : str
        Name of the length of a row.

    Returns
    -------
    dict of (dtype, names of sizes)
    """
    square, row = ("f4", (width, width)), ("f4", (width,))
    layout = {}
    for b in range(n_blocks):
        layout |= {f"{b}.{name}": square for name in PROJECTIONS}
        layout |= {f"{b}.{name}": row for name in SHIFTS + GAINS}
    return layout | ({"g_out": row, "s_out": row} if settings.norm == "pre" else {})


def encode(ops, weights, settings, x, layout, random=None, last=False):
    """Let each item of a sequence see the items up to it.

    Parameters
    ----------
    ops : module
        `keras.ops` or its NumPy stand-in.
    weights : dict
        Of `initial_blocks`.
    settings : NamedTuple
        With `norm`, `n_heads`, `with_dropout` and `dropout`.
    x : tensor of shape (T, width)
        Items with their positions.
    layout : Layout
    random : BatchRandom, default=None
        Gives dropout while training.
    last : bool, default=False
        Whether the last row of each sequence is all that is wanted.

    Returns
    -------
    tensor of shape (T, width), or (n, width) of the last rows
    """

    def drop(x):
        if random is None or not settings.with_dropout:
            return x
        return random.dropout(x, settings.dropout)

    x = drop(x)
    n_blocks = sum(name.endswith(".W_Q") for name in weights)
    for b in range(n_blocks):
        of_block = {
            name.removeprefix(f"{b}."): value
            for name, value in weights.items()
            if name.startswith(f"{b}.")
        }
        only_last = last and b == n_blocks - 1
        x = _block(ops, of_block, settings, x, layout, drop, only_last)
    if settings.norm == "post":
        return x  # normalised already
    return _norm(ops, x, weights["g_out"], weights["s_out"])


def _block(ops, weights, settings, x, layout, drop, last):
    """One block of attention and feed-forward, (T, width) or, if last, (n, width)."""
    pre = settings.norm == "pre"
    norms = [(weights["g_att"], weights["s_att"]), (weights["g_ff"], weights["s_ff"])]
    seen = _norm(ops, x, *norms[0]) if pre else x
    asking = seen
    if last:
        x, asking = (ops.take(rows, layout.ends - 1, axis=0) for rows in (x, seen))
    attended = _attention(ops, weights, settings, asking, seen, layout, drop, last)
    x = x + drop(attended)
    if not pre:
        x = _norm(ops, x, *norms[0])
    hidden = _norm(ops, x, *norms[1]) if pre else x
    hidden = drop(ops.relu(ops.matmul(hidden, weights["W_1"]) + weights["b_1"]))
    x = x + drop(ops.matmul(hidden, weights["W_2"]) + weights["b_2"])
    return x if pre else _norm(ops, x, *norms[1])


def _attention(ops, weights, settings, asking, seen, layout, drop, last):
    """Self-attention of several heads; queries of every row, or of the last rows."""
    width = ops.shape(seen)[1]
    n_heads = ops.cast(settings.n_heads, "int32")
    scale = 1 / ops.sqrt(ops.cast(width // n_heads, "float32"))
    query = ops.matmul(asking, weights["W_Q"] * scale)
    key, value = (ops.matmul(seen, weights[name]) for name in ("W_K", "W_V"))
    keys, values = ops.pad_rows(key, layout), ops.pad_rows(value, layout)
    # Of the one part there is, or of each, (n, 1 or W, width).
    queries = [query[:, None, :]] if last else ops.pad_rows(query, layout)

    def heads(x):  # (n, W, width) to (n, n_heads, W, width / n_heads)
        n, W = ops.shape(x)[0], ops.shape(x)[1]
        x = ops.reshape(x, (n, W, n_heads, width // n_heads))
        return ops.transpose(x, (0, 2, 1, 3))

    outputs = []
    for part, q, k, v in zip(layout.parts, queries, keys, values, strict=True):
        n, W = ops.shape(q)[0], ops.shape(q)[1]
        bias = part.bias[:, -1:, :] if last else part.bias
        affinity = ops.row_products(heads(q), heads(k)) + bias[:, None]
        share = drop(ops.softmax(affinity, axis=-1))  # (n, n_heads, W, W)
        output = ops.transpose(ops.matmul(share, heads(v)), (0, 2, 1, 3))
        outputs.append(ops.reshape(output, (n, W, width)))
    # (n, width) or (T, width)
    output = outputs[0][:, 0] if last else ops.unpad_rows(outputs, layout)
    return ops.matmul(output, weights["W_O"])


def _norm(ops, x, gain, shift):
    """Layer norm (Ba, Kiros, Hinton 2016)."""
    return ops.standardize(x) * gain + shift
