"""Axes and colours of plots; matplotlib is imported only when something is plotted."""

from sklearn_attrec.utils._optional_dependencies import import_optional

__all__ = ["BLUE", "LINES", "VERMILION", "axes_for", "line_options"]

# Colours that people with any kind of colour vision can tell apart.
# Okabe, M., Ito, K. "Color Universal Design." 2008.
BLUE, VERMILION = "#0072B2", "#D55E00"
COLORS = [BLUE, VERMILION, "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9"]
STYLES = ["-", "--", "-.", ":"]  # for those who see no colours
LINES = [
    {"color": color, "linestyle": STYLES[number % len(STYLES)]}
    for number, color in enumerate(COLORS)
]


def axes_for(display, ax):
    """Return `ax`, or the axes of a new figure if it is None."""
    pyplot = import_optional(
        "matplotlib.pyplot", extra="plot", needed_for=type(display).__name__
    )
    return pyplot.subplots()[1] if ax is None else ax


def line_options(defaults, kwargs):
    """Return options of matplotlib's `plot`; `kwargs` may have short names, as `c`."""
    cbook = import_optional("matplotlib.cbook", extra="plot", needed_for="a plot")
    lines = import_optional("matplotlib.lines", extra="plot", needed_for="a plot")
    return defaults | cbook.normalize_kwargs(kwargs, lines.Line2D)
