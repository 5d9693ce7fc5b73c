"""RankingCurveDisplay: a plot of a metric over the number of recommendations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy.typing as npt

from sklearn_attrec.inspection._axes import LINES, axes_for, line_options
from sklearn_attrec.metrics import hit_rate, ndcg
from sklearn_attrec.utils._param_validation import (
    Integer,
    OneOf,
    Predicate,
    check_arguments,
)
from sklearn_attrec.utils._types import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RankingCurveDisplay"]

_NAMED = Predicate(
    "a dict of fitted recommenders by name",
    lambda value: isinstance(value, Mapping) and len(value) > 0,
)
METRICS = {"ndcg": (ndcg, "NDCG@K"), "hit_rate": (hit_rate, "HR@K")}


class RankingCurveDisplay:
    """Curves of HR@K or NDCG@K over K, one for each model.

    Use `from_estimators` to compare fitted recommenders.

    Parameters
    ----------
    curves : dict of array-like of shape (max_k,)
        The metric of each model at K = 1, 2, ...
    metric_name : str, default="Metric"
        Label of the y axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the curves.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    lines_ : list of matplotlib Line2D
        The curves, in the order of `curves`.

    See Also
    --------
    LossCurveDisplay : Plot of the loss and the validation score per epoch.

    Examples
    --------
    >>> from sklearn_attrec.inspection import RankingCurveDisplay
    >>> display = RankingCurveDisplay({"A": [0.1, 0.2], "B": [0.2, 0.3]}).plot()
    >>> [line.get_label() for line in display.lines_]
    ['A', 'B']
    """

    def __init__(
        self,
        curves: Mapping[str, Sequence[float] | npt.NDArray],
        *,
        metric_name: str = "Metric",
    ):
        self.curves = curves
        self.metric_name = metric_name

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X: Table,
        *,
        metric: Literal["ndcg", "hit_rate"] = "ndcg",
        max_k: int = 20,
        context: Literal["fit", "earlier"] = "fit",
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Compare fitted recommenders on held-out interactions.

        Parameters
        ----------
        estimators : dict of recommender
            Fitted recommenders by name.
        X : DataFrame or array-like of shape (n_rows, 2 or more)
            Held-out interactions, as in `target_ranks`.
        metric : {"ndcg", "hit_rate"}, default="ndcg"
            Metric to plot.
        max_k : int, default=20
            Largest K.
        context : {"fit", "earlier"}, default="fit"
            As in `target_ranks`.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of matplotlib's `plot`, for all curves.

        Returns
        -------
        RankingCurveDisplay
            The plotted display.

        Raises
        ------
        InvalidParameterError
            If an argument has an invalid value.
        """
        check_arguments(
            f"{cls.__name__}.from_estimators",
            metric=(metric, OneOf(*METRICS)),
            max_k=(max_k, Integer(1)),
            estimators=(estimators, _NAMED),
        )
        compute, metric_name = METRICS[metric]
        curves = {}
        for name, estimator in estimators.items():
            ranks = estimator.target_ranks(X, context=context)
            curves[name] = [compute(ranks, k) for k in range(1, max_k + 1)]
        return cls(curves, metric_name=metric_name).plot(ax=ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of matplotlib's `plot`, for all curves.

        Returns
        -------
        RankingCurveDisplay
            The display itself.
        """
        axes = axes_for(self, ax)
        self.lines_ = []
        for number, (name, values) in enumerate(self.curves.items(), len(axes.lines)):
            ks, style = range(1, len(values) + 1), LINES[number % len(LINES)]
            options = line_options(style | {"label": name}, kwargs)
            self.lines_ += axes.plot(ks, values, **options)
        axes.set(
            xlabel="K, the number of recommendations",
            ylabel=f"{self.metric_name} (higher is better)",
            title="Ranking of held-out items",
        )
        axes.xaxis.get_major_locator().set_params(integer=True)
        for text in axes.legend().get_texts():
            text.set_parse_math(False)  # "$" is a dollar sign
        self.ax_, self.figure_ = axes, axes.figure
        return self
