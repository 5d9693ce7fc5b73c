"""Short representations of values, for messages."""

import numpy as np

__all__ = ["short_repr"]


def short_repr(value: object, limit: int = 80) -> str:
    """Return the repr of a value, truncated to a maximum length.

    Parameters
    ----------
    value : object
    limit : int, default=80
        Maximum number of characters. A truncated representation ends with "...".

    Returns
    -------
    str
        NumPy scalars look like Python numbers: 1.0, not np.float64(1.0).
    """
    try:
        is_numpy = isinstance(value, (np.bool_, np.number))
        text = str(value) if is_numpy else repr(value)
    except Exception:  # for example an int with more digits than Python prints
        text = object.__repr__(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
