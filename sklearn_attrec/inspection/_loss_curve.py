"""LossCurveDisplay: a plot of training loss and validation score per epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.inspection._axes import BLUE, VERMILION, axes_for, line_options
from sklearn_attrec.utils._short_repr import short_repr

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LossCurveDisplay"]


class LossCurveDisplay:
    """Plot of the training loss and, if available, the validation score per epoch.

    Use `from_estimator` to plot a fitted recommender. The validation score is the score
    of early stopping; it has its own axis on the right.

    Parameters
    ----------
    losses : array-like of shape (n_epochs,)
        Mean training loss of each epoch.
    validation_scores : array-like of shape (n_epochs,), default=None
        Score on the held-out interactions after each epoch; None plots the loss only.
    validation_name : str, default="Validation score"
        Label of the score axis. `from_estimator` sets it to "Validation NDCG": the
        NDCG@k of early stopping, with the `k` that the recommender had in `fit`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the loss.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    line_ : matplotlib Line2D
        Curve of the loss.
    validation_ax_ : matplotlib Axes or None
        Axes of the validation score, with the same x axis as `ax_`.
    validation_line_ : matplotlib Line2D or None
        Curve of the validation score.

    See Also
    --------
    SearchHeatmapDisplay : Heat map of a search over two parameters.

    Examples
    --------
    >>> from sklearn_attrec.inspection import LossCurveDisplay
    >>> display = LossCurveDisplay([0.9, 0.4]).plot()
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('Epoch', 'Training loss (lower is better)')
    """

    def __init__(
        self,
        losses: Sequence[float] | npt.NDArray,
        validation_scores: Sequence[float] | npt.NDArray | None = None,
        *,
        validation_name: str = "Validation score",
    ):
        self.losses = losses
        self.validation_scores = validation_scores
        self.validation_name = validation_name

    @classmethod
    def from_estimator(
        cls, estimator: BaseEstimator, *, ax: Axes | None = None, **kwargs: Any
    ) -> Self:
        """Plot the training of a fitted recommender.

        The label of the score axis is "Validation NDCG", without the `k` of `fit`,
        because the recommender's `k` may have changed since then.

        Parameters
        ----------
        estimator : recommender, Pipeline or search
            A fitted recommender with the attribute `loss_curve_`, or a Pipeline or grid
            search that contains one.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of matplotlib's `plot`, for both curves.

        Returns
        -------
        LossCurveDisplay
            The plotted display.

        Raises
        ------
        InvalidParameterError
            If the estimator has no attribute `loss_curve_`.
        NotFittedError
            If the estimator is not fitted.
        """
        while not hasattr(estimator, "loss_curve_"):
            if isinstance(estimator, Pipeline):
                estimator = estimator[-1]
                continue
            check_is_fitted(estimator)
            if not hasattr(estimator, "best_estimator_"):
                raise InvalidParameterError(
                    "LossCurveDisplay needs a recommender that is trained in epochs, "
                    "with the attribute 'loss_curve_', or a Pipeline or grid search "
                    f"that contains one. Got {short_repr(estimator)} instead."
                )
            estimator = estimator.best_estimator_
        display = cls(
            estimator.loss_curve_,
            estimator.validation_scores_,
            validation_name="Validation NDCG",
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of matplotlib's `plot`, for both curves.

        Returns
        -------
        LossCurveDisplay
            The display itself.
        """
        axes = axes_for(self, ax)
        epochs = range(1, len(self.losses) + 1)
        # Markers and integer ticks: there are no values between two epochs.
        style = {"marker": "o", "markersize": 3, "color": BLUE, "label": "Loss"}
        (self.line_,) = axes.plot(epochs, self.losses, **line_options(style, kwargs))
        axes.set(xlabel="Epoch", ylabel="Training loss (lower is better)")
        axes.set_title("Training")
        axes.xaxis.get_major_locator().set_params(integer=True)
        self.validation_ax_ = self.validation_line_ = None
        if self.validation_scores is not None:
            self.validation_ax_ = axes.twinx()
            self.validation_ax_.set_ylabel(f"{self.validation_name} (higher is better)")
            # Dashed, so that the curves differ even if `color` is passed.
            style |= {"color": VERMILION, "linestyle": "--"}
            options = line_options(style | {"label": self.validation_name}, kwargs)
            (self.validation_line_,) = self.validation_ax_.plot(
                epochs, self.validation_scores, **options
            )
            axes.legend(handles=[self.line_, self.validation_line_], loc="center right")
        self.ax_, self.figure_ = axes, axes.figure
        return self
