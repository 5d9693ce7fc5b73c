"""Position vectors that are not trained."""

import numpy as np

__all__ = ["sinusoids"]


def sinusoids(L, width):
    """Return sinusoidal position vectors, which give attention the order of items.

    Vaswani et al.: Attention Is All You Need, NeurIPS 2017, section 3.5:
    TE(t, 2i) = sin(t / 10000^(2i/width)), TE(t, 2i + 1) = cos(t / 10000^(2i/width)).

    Parameters
    ----------
    L, width : int
        Number of positions and embedding size. The size may be odd.

    Returns
    -------
    ndarray of shape (L, width), float32
    """
    column = np.arange(width)
    angle = np.arange(L)[:, None] / 10000.0 ** ((column - column % 2) / width)
    return np.where(column % 2 == 0, np.sin(angle), np.cos(angle)).astype(np.float32)
