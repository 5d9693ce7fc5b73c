"""AttentionDisplay: a heat map of the attention between the items of a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.inspection._axes import axes_for
from sklearn_attrec.inspection._names import Names, titles_of
from sklearn_attrec.utils._short_repr import short_repr
from sklearn_attrec.utils._types import History, Id

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["AttentionDisplay"]


class AttentionDisplay:
    """Heat map of how much each item of a window attends to each other one.

    Use `from_estimator` to plot the attention of a fitted `AttRecRecommender`. Weights
    of attention say what the model reads, not what changes its recommendations; for
    that, see `ExplanationDisplay`.

    Parameters
    ----------
    weights : array-like of shape (n, n)
        Weights of attention; each row sums to 1.
    item_names : sequence of str
        Titles of the items, oldest first.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the heat map.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    im_ : matplotlib AxesImage
        The heat map.

    See Also
    --------
    ExplanationDisplay : Plot of the causes of one recommendation.

    Examples
    --------
    >>> from sklearn_attrec.inspection import AttentionDisplay
    >>> display = AttentionDisplay([[0, 1], [1, 0]], ["tea", "milk"]).plot()
    >>> display.ax_.get_ylabel()
    'Item that attends'
    """

    def __init__(self, weights: npt.ArrayLike, item_names: Sequence[str]):
        self.weights = weights
        self.item_names = item_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        user: Id,
        history: History | None = None,
        *,
        names: Names | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the attention over the last items of a user.

        Parameters
        ----------
        estimator : AttRecRecommender
            A fitted recommender.
        user : id, or DataFrame with one row
            As in `AttRecRecommender.attention`.
        history : list of item ids, default=None
            As in `AttRecRecommender.attention`.
        names : dict or Series, default=None
            Titles by item id. An item without a title is shown by its id.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of matplotlib's `imshow`.

        Returns
        -------
        AttentionDisplay
            The plotted display.

        Raises
        ------
        InvalidParameterError
            If the estimator has no method `attention`, or `names` is invalid.
        """
        if not hasattr(estimator, "attention"):
            raise InvalidParameterError(
                f"{cls.__name__} needs an AttRecRecommender. Got "
                f"{short_repr(estimator)} instead."
            )
        table = estimator.attention(user, history)
        display = cls(table.to_numpy(), titles_of(table.columns, names))
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Plot the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of matplotlib's `imshow`.

        Returns
        -------
        AttentionDisplay
            The display itself.
        """
        axes = axes_for(self, ax)
        weights = np.asarray(self.weights, dtype=float)
        self.im_ = axes.imshow(weights, **{"vmin": 0.0} | kwargs)
        places, style = range(len(weights)), {"parse_math": False}  # "$" is a dollar
        axes.set_yticks(places, self.item_names, **style)
        axes.set_xticks(places, self.item_names, rotation=45, ha="right", **style)
        axes.set(ylabel="Item that attends", xlabel="Item attended to")
        axes.set_title("Attention between the last items")
        axes.figure.colorbar(self.im_, ax=axes, label="Weight of attention")
        self.ax_, self.figure_ = axes, axes.figure
        return self
