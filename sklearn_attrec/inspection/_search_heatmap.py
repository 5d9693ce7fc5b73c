"""SearchHeatmapDisplay: a heat map of a search over two parameters."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.inspection._axes import VERMILION, axes_for
from sklearn_attrec.utils._optional_dependencies import import_optional
from sklearn_attrec.utils._short_repr import short_repr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

__all__ = ["SearchHeatmapDisplay"]


class SearchHeatmapDisplay:
    """Heat map of the scores of a search over two of its parameters.

    Use `from_search` to plot a fitted search. A frame marks the best cell.

    Parameters
    ----------
    scores : array-like of shape (n_y, n_x)
        One score per cell; NaN if no candidate was evaluated or all fits failed.
    x_values : sequence of length n_x
        Values of the parameter on the x axis.
    y_values : sequence of length n_y
        Values of the parameter on the y axis, the first at the bottom.
    x_name : str
        Name of the parameter on the x axis.
    y_name : str
        Name of the parameter on the y axis.
    best : tuple (row, column), default=None
        The cell to frame; None draws no frame.
    score_name : str, default="Mean test score"
        Label of the colour bar.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the heat map.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    im_ : matplotlib AxesImage
        The heat map.
    text_ : ndarray of shape (n_y, n_x), dtype=matplotlib Text, or None
        The scores in the cells; None with `include_values=False`.
    best_ : matplotlib Rectangle or None
        The frame of the best cell; None if `best` is None.

    See Also
    --------
    LossCurveDisplay : Training loss and validation score per epoch.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_attrec import PopularityRecommender
    >>> from sklearn_attrec.datasets import make_interactions
    >>> from sklearn_attrec.inspection import SearchHeatmapDisplay
    >>> from sklearn_attrec.model_selection import LeaveLastOut
    >>> grid = {"exclude_seen": [False, True], "k": [5, 10]}
    >>> search = GridSearchCV(PopularityRecommender(), grid, cv=LeaveLastOut())
    >>> search = search.fit(make_interactions(repeats=False, random_state=0))
    >>> display = SearchHeatmapDisplay.from_search(search, x="k", y="exclude_seen")
    >>> display.scores.shape
    (2, 2)
    """

    def __init__(
        self,
        scores: npt.ArrayLike,
        x_values: Sequence[Any],
        y_values: Sequence[Any],
        *,
        x_name: str,
        y_name: str,
        best: tuple[int, int] | None = None,
        score_name: str = "Mean test score",
    ):
        self.scores = scores
        self.x_values = x_values
        self.y_values = y_values
        self.x_name = x_name
        self.y_name = y_name
        self.best = best
        self.score_name = score_name

    @classmethod
    def from_search(
        cls,
        search: BaseEstimator,
        x: str | None = None,
        y: str | None = None,
        *,
        aggregate: Literal["max", "mean"] = "max",
        metric: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the mean test scores of a fitted search.

        Parameters
        ----------
        search : GridSearchCV, RandomizedSearchCV or another search of scikit-learn
            A fitted search. In a halving search, the score of a candidate is the score
            of its last iteration.
        x : str, default=None
            Parameter on the x axis, for example "omega", or "param_omega" as in
            `cv_results_`. None means the first parameter with several values.
        y : str, default=None
            Parameter on the y axis. None means the next parameter with several values.
            Candidates without a value for one of the two parameters are ignored.
        aggregate : {"max", "mean"}, default="max"
            How to combine the scores of candidates in the same cell, which differ in
            other parameters.
        metric : str, default=None
            Score to plot, for a search with several metrics; None means the metric that
            `refit` names.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        SearchHeatmapDisplay
            The plotted display. The frame marks the cell of the best candidate:
            `best_params_`, or the candidate with the best score if `metric` is not the
            metric of `refit`. With `aggregate="mean"` another cell may have a higher
            value.

        Raises
        ------
        InvalidParameterError
            If fewer than two parameters have several values in the search, or an
            argument has an invalid value.
        """
        if aggregate not in ("max", "mean"):
            raise InvalidParameterError(
                "The 'aggregate' argument of SearchHeatmapDisplay.from_search must be "
                f"one of 'max', 'mean'. Got {short_repr(aggregate)} instead."
            )
        check_is_fitted(search, "cv_results_")
        candidates = _last_iterations(search)
        x, y = _two_parameters(candidates, x, y)
        metric, score_name = _metric(search, metric)
        scores = search.cv_results_[f"mean_test_{metric}"]
        rows = [row for row, params in candidates.items() if {x, y} <= params.keys()]
        if not rows:
            raise InvalidParameterError(
                f"No candidate of the search sets both {x!r} and {y!r}. Pass two "
                "parameters of the same grid as x= and y=."
            )
        x_values, x_positions = _positions([candidates[row][x] for row in rows])
        y_values, y_positions = _positions([candidates[row][y] for row in rows])
        cells = pd.DataFrame(
            {"y": y_positions, "x": x_positions, "score": scores[rows]}, index=rows
        )
        table = cells.pivot_table(
            index="y", columns="x", values="score", aggfunc=aggregate, dropna=False
        )
        best = _best_row(search, metric, cells["score"])
        display = cls(
            table.to_numpy(),
            x_values,
            y_values,
            x_name=x.rpartition("__")[2],
            y_name=y.rpartition("__")[2],
            best=None
            if best is None
            else tuple(cells.loc[best, ["y", "x"]].astype(int)),
            score_name=score_name,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        include_values: bool = True,
        values_format: str = ".3f",
        cmap: str | Colormap = "viridis",
        colorbar: bool = True,
    ) -> Self:
        """Plot the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.
        include_values : bool, default=True
            Whether to write the scores in the cells.
        values_format : str, default=".3f"
            Format specification of the scores.
        cmap : str or matplotlib Colormap, default="viridis"
            Colour map, from the lowest to the highest score.
        colorbar : bool, default=True
            Whether to draw the colour bar.

        Returns
        -------
        SearchHeatmapDisplay
            The display itself.
        """
        axes = axes_for(self, ax)
        scores = np.asarray(self.scores, dtype=float)
        self.im_ = axes.imshow(scores, cmap=cmap, origin="lower", aspect="auto")
        axes.set(xlabel=self.x_name, ylabel=self.y_name)
        axes.set_xticks(range(len(self.x_values)), map(_label, self.x_values))
        axes.set_yticks(range(len(self.y_values)), map(_label, self.y_values))
        self.text_ = (
            self._write(axes, scores, values_format) if include_values else None
        )
        self.best_ = None
        if self.best is not None:
            row, column = self.best
            patches = import_optional(
                "matplotlib.patches", extra="plot", needed_for=type(self).__name__
            )
            frame = patches.Rectangle(
                (column - 0.48, row - 0.48), 0.96, 0.96, fill=False, ec=VERMILION, lw=3
            )
            self.best_ = axes.add_patch(frame)
            axes.set_title("Search: the frame marks the best")
        if colorbar:
            label = f"{self.score_name} (higher is better)"
            axes.figure.colorbar(self.im_, ax=axes, label=label)
        self.ax_, self.figure_ = axes, axes.figure
        return self

    def _write(self, ax, scores, values_format):
        """Write each score in its cell, in a colour with sufficient contrast."""
        dark, light = self.im_.cmap(0.0), self.im_.cmap(1.0)
        texts = np.empty(scores.shape, dtype=object)
        for (row, column), score in np.ndenumerate(scores):
            texts[row, column] = ax.text(
                column,
                row,
                "" if np.isnan(score) else format(score, values_format),
                color=light if self.im_.norm(score) < 0.5 else dark,
                ha="center",
                va="center",
            )
        return texts


def _last_iterations(search):
    """Return a dict from the last row of each candidate to its parameters."""
    # Only a halving search has a resource; it increases with each iteration.
    resource = getattr(search, "resource", None)
    last = {}
    for row, params in enumerate(search.cv_results_["params"]):
        params = {name: value for name, value in params.items() if name != resource}
        last[repr(params)] = row, params
    return dict(last.values())


def _two_parameters(candidates, x, y):
    """Return the names of two different parameters that the search set."""
    values = {}
    for params in candidates.values():
        for name, value in params.items():
            values.setdefault(name, set()).add(repr(value))
    x, y = (_find(name, values, where) for name, where in [(x, "x"), (y, "y")])
    varied = [name for name in values if len(values[name]) > 1 and name not in (x, y)]
    if len(varied) < [x, y].count(None):
        raise InvalidParameterError(
            "A heat map needs two parameters with several values in the search. Only "
            f"{[name for name in values if len(values[name]) > 1]} of {list(values)} "
            "have several values. Pass two of these names as x= and y=."
        )
    x = varied.pop(0) if x is None else x
    y = varied.pop(0) if y is None else y
    if x == y:
        raise InvalidParameterError(
            f"A heat map needs two different parameters. Got {x!r} twice. Pass another "
            "parameter as x= or y=."
        )
    return x, y


def _find(name, values, where):
    """Return the parameter of a name, which may have the prefix 'param_'."""
    if name is None or name in values:
        return name
    if str(name).removeprefix("param_") in values:
        return name.removeprefix("param_")
    close = get_close_matches(str(name), values, n=1, cutoff=0.4)
    raise InvalidParameterError(
        f"The '{where}' argument of SearchHeatmapDisplay.from_search must name a "
        f"parameter of the search, one of {list(values)}. Got {short_repr(name)} "
        "instead." + (f" Did you mean {close[0]!r}?" if close else "")
    )


def _metric(search, metric):
    """Return the name of the metric in `cv_results_`, and its label."""
    prefix = "mean_test_"
    found = [
        name.removeprefix(prefix)
        for name in search.cv_results_
        if name.startswith(prefix)
    ]
    if metric is None:
        metric = search.refit if isinstance(search.refit, str) else "score"
    if metric not in found:
        raise InvalidParameterError(
            "The 'metric' argument of SearchHeatmapDisplay.from_search must be one of "
            f"{found}. Got {short_repr(metric)} instead."
        )
    return metric, "Mean test score" if metric == "score" else f"Mean test {metric}"


def _best_row(search, metric, scores):
    """Return the row of the best candidate, or None if it is not in the heat map."""
    if metric in ("score", search.refit) and hasattr(search, "best_index_"):
        return search.best_index_ if search.best_index_ in scores.index else None
    return None if scores.isna().all() else scores.idxmax()


def _positions(values):
    """Return the distinct values, sorted if possible, and the position of each value.

    Values are compared by their repr: lists have no hash, and 1 equals 1.0 and True.
    """
    distinct = {repr(value): value for value in values}
    try:
        keys = sorted(distinct, key=distinct.get)
    except TypeError:  # for example None and numbers
        keys = list(distinct)
    position = {key: i for i, key in enumerate(keys)}
    return [distinct[key] for key in keys], [position[repr(value)] for value in values]


def _label(value):
    """Return a short label for a tick."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
