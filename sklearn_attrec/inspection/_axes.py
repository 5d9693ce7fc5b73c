"""Axes and colours of plots; matplotlib is imported only when something is plotted."""

from sklearn_attrec.utils._optional_dependencies import import_optional

__all__ = ["BLUE", "LINES", "VERMILION", "axes_for", "line_options"]

# Colours that people with any kind of colour vision can tell apart.
# Okabe, M., Ito, K. "Color Universal Design." 2008.
BLUE, VERMILION = "#0072B2", "#D55E00"
COLORS = [BLUE, VERMILION, "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9"]
STYLES = ["-", "--", "-.", ":"]  # for those who see no colours
# 7 and 4 have no common divisor, so that 28 lines look different.
LINES = [
    {"color": COLORS[n % len(COLORS)], "linestyle": STYLES[n % len(STYLES)]}
    for n in range(len(COLORS) * len(STYLES))
]


def axes_for(display, ax):
    """Return `ax`, or the axes of a new figure if it is None."""
    pyplot = import_optional(
        "matplotlib.pyplot", extra="plot", needed_for=type(display).__name__
    )
    return pyplot.subplots()[1] if ax is None else ax


def line_options(defaults, kwargs):
    """Return options of matplotlib's `plot`; `kwargs` may have short names, as `c`."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return defaults | normalize_kwargs(kwargs, Line2D)
