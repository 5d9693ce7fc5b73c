"""The axes of a plot; matplotlib is imported only when something is plotted."""

from sklearn_attrec.utils._optional_dependencies import import_optional

__all__ = ["axes_for"]


def axes_for(display, ax):
    """Return `ax`, or the axes of a new figure if it is None."""
    pyplot = import_optional(
        "matplotlib.pyplot", extra="plot", needed_for=type(display).__name__
    )
    return pyplot.subplots()[1] if ax is None else ax
