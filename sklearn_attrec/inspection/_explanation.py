"""ExplanationDisplay: a plot of the causes of one recommendation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from sklearn_attrec._interactions.frames import to_pandas
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.inspection._axes import BLUE, VERMILION, axes_for
from sklearn_attrec.inspection._names import Names, titles_of
from sklearn_attrec.utils._param_validation import Integer, check_arguments
from sklearn_attrec.utils._short_repr import short_repr
from sklearn_attrec.utils._types import History, Id

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ExplanationDisplay"]


class ExplanationDisplay:
    """Plot of what contributes to the score of one item for one user, as bars.

    Use `from_estimator` to plot an explanation of a fitted recommender.

    Parameters
    ----------
    causes : sequence of str
        Label of each cause.
    contributions : array-like of shape (n_causes,)
        Contribution of each cause to the score.
    item_name : str, default="item"
        Title of the explained item.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the bars.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    bars_ : matplotlib BarContainer
        The bars, from top to bottom.

    See Also
    --------
    AttentionDisplay : Heat map of the attention of AttRec.

    Examples
    --------
    >>> from sklearn_attrec.inspection import ExplanationDisplay
    >>> display = ExplanationDisplay(["tea", "popularity"], [0.9, 0.1]).plot()
    >>> len(display.bars_)
    2
    """

    def __init__(
        self,
        causes: Sequence[str],
        contributions: Sequence[float] | npt.NDArray,
        *,
        item_name: str = "item",
    ):
        self.causes = causes
        self.contributions = contributions
        self.item_name = item_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        user: Id,
        history: History | None = None,
        *,
        item: Id | None = None,
        names: Names | None = None,
        max_causes: int = 15,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the explanation of a recommendation.

        Parameters
        ----------
        estimator : recommender
            A fitted recommender.
        user : id
            A single user.
        history : list of item ids, default=None
            As in `explain`.
        item : id, default=None
            The item to explain; None means the best recommendation.
        names : dict or Series, default=None
            Titles by item id. An item without a title is shown by its id.
        max_causes : int, default=15
            Number of causes with the largest contributions, positive or negative, that
            are shown.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of matplotlib's `barh`.

        Returns
        -------
        ExplanationDisplay
            The plotted display.

        Raises
        ------
        InteractionsError
            If there are several users or items, or no item can be recommended, and as
            in `explain`.
        InvalidParameterError
            If `names` or `max_causes` has an invalid value.
        """
        caller = f"{cls.__name__}.from_estimator"
        check_arguments(caller, max_causes=(max_causes, Integer(1)))
        table = to_pandas(
            estimator.explain(user, history, items=item, k=1), needed=None
        )
        explained = table[["user_id", "item_id"]].drop_duplicates()
        if len(explained) != 1:
            raise InteractionsError(
                f"{caller} explains one item for one user. Got {len(explained)}, for "
                f"user {short_repr(user)} and item {short_repr(item)}. Pass a single "
                "user, and, if nothing can be recommended, the item to explain."
            )
        largest = table["contribution"].abs().nlargest(max_causes).index
        table = table.loc[largest.sort_values()]
        titles = titles_of(table["cause_item_id"], names)
        causes = [
            title if cause == "history" else cause
            for cause, title in zip(table["cause"], titles, strict=True)
        ]
        (name,) = titles_of(explained["item_id"], names)
        display = cls(causes, table["contribution"].to_numpy(), item_name=name)
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Plot the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of matplotlib's `barh`.

        Returns
        -------
        ExplanationDisplay
            The display itself.
        """
        axes = axes_for(self, ax)
        contributions = np.asarray(self.contributions, dtype=float)
        places = np.arange(len(contributions))
        colors = np.where(contributions < 0, VERMILION, BLUE)
        self.bars_ = axes.barh(places, contributions, **{"color": colors} | kwargs)
        axes.set_yticks(places, self.causes, parse_math=False)  # "$" is a dollar sign
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_title(f"Why {self.item_name}?", parse_math=False)
        axes.set_xlabel("Contribution to the score (positive: raises it)")
        self.ax_, self.figure_ = axes, axes.figure
        return self
