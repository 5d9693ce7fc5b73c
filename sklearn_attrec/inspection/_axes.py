"""Axes and colours of plots; matplotlib is imported only when something is plotted."""

from sklearn_attrec.utils._optional_dependencies import import_optional

__all__ = ["BLUE", "COLORS", "VERMILION", "axes_for"]

# Colours that people with any kind of colour vision can tell apart.
# Okabe, M., Ito, K. "Color Universal Design." 2008.
BLUE, ORANGE, VERMILION = "#0072B2", "#E69F00", "#D55E00"
COLORS = [BLUE, ORANGE, "#009E73", VERMILION, "#CC79A7", "#56B4E9", "#000000"]


def axes_for(display, ax):
    """Return `ax`, or the axes of a new figure if it is None."""
    pyplot = import_optional(
        "matplotlib.pyplot", extra="plot", needed_for=type(display).__name__
    )
    return pyplot.subplots()[1] if ax is None else ax
