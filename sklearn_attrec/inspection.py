"""Pictures of training and of searches, as scikit-learn's Displays draw them.

matplotlib is imported when something is plotted, and not before.
"""

from difflib import get_close_matches

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.utils._optional_dependencies import import_optional

__all__ = ["LossCurveDisplay", "SearchHeatmapDisplay"]


def _axes(display, ax):
    """Return the axes to plot on, of a new figure where none are given."""
    pyplot = import_optional(
        "matplotlib.pyplot", extra="plot", needed_for=type(display).__name__
    )
    return pyplot.subplots()[1] if ax is None else ax


class LossCurveDisplay:
    """Loss of each epoch of training, and the validation score where there is one.

    Make one with `from_estimator` or `from_history`. The score is that of early
    stopping and has an axis of its own, on the right.

    Parameters
    ----------
    epochs : array-like of shape (n_epochs,)
        Numbers of the epochs.
    losses : array-like of shape (n_epochs,)
        Mean training loss of each epoch.
    validation_scores : array-like of shape (n_epochs,), default=None
        Score on the held-out interactions after each epoch.
    validation_name : str, default="Validation score"
        What the axis on the right says.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the loss.
    figure_ : matplotlib Figure
        Figure that holds them.
    line_ : matplotlib Line2D
        The loss.
    validation_ax_ : matplotlib Axes or None
        Axes with the validation score, which share the epochs with `ax_`.
    validation_line_ : matplotlib Line2D or None
        The validation score.

    See Also
    --------
    SearchHeatmapDisplay : Scores of a search over two parameters.

    Examples
    --------
    >>> from sklearn_attrec.inspection import LossCurveDisplay
    >>> history = [{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.4}]
    >>> display = LossCurveDisplay.from_history(history)
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('Epoch', 'Loss')
    """

    def __init__(
        self,
        epochs,
        losses,
        validation_scores=None,
        *,
        validation_name="Validation score",
    ):
        self.epochs = epochs
        self.losses = losses
        self.validation_scores = validation_scores
        self.validation_name = validation_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Plot the training of a fitted recommender.

        Parameters
        ----------
        estimator : recommender, Pipeline or search
            A fitted recommender with a `history_`, or a Pipeline or search around one.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Handed on to matplotlib's `plot` for both lines.

        Returns
        -------
        LossCurveDisplay
            The display, plotted.

        Raises
        ------
        InvalidParameterError
            If the estimator is not one that is trained in epochs.
        """
        while not hasattr(estimator, "history_"):
            if isinstance(estimator, Pipeline):
                estimator = estimator[-1]
                continue
            check_is_fitted(estimator)
            if not hasattr(estimator, "best_estimator_"):
                raise InvalidParameterError(
                    "LossCurveDisplay needs a recommender that is trained in epochs, "
                    f"with a 'history_'. Got {estimator!r} instead."
                )
            estimator = estimator.best_estimator_
        return cls.from_history(
            estimator.history_,
            validation_name=f"Validation HR@{estimator.k}",
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_history(
        cls, history, *, validation_name="Validation score", ax=None, **kwargs
    ):
        """Plot the records that training left.

        Parameters
        ----------
        history : list of dict
            One record an epoch, such as `history_` of a recommender, with "epoch",
            "loss" and, after early stopping, "validation_score".
        validation_name : str, default="Validation score"
            What the axis on the right says.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Handed on to matplotlib's `plot` for both lines.

        Returns
        -------
        LossCurveDisplay
            The display, plotted.

        Raises
        ------
        InvalidParameterError
            If there is no record, or one lacks its epoch or loss.
        """
        records = pd.DataFrame(history)
        if not {"epoch", "loss"} <= set(records.columns):
            raise InvalidParameterError(
                "The 'history' argument of LossCurveDisplay.from_history must hold "
                f"records with 'epoch' and 'loss'. Got {history!r:.80} instead."
            )
        scores = records.get("validation_score")
        display = cls(
            records["epoch"].to_numpy(),
            records["loss"].to_numpy(),
            None if scores is None else scores.to_numpy(),
            validation_name=validation_name,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Handed on to matplotlib's `plot` for both lines.

        Returns
        -------
        LossCurveDisplay
            The display itself.
        """
        ax = _axes(self, ax)
        # A dot an epoch, and whole epochs on the axis: there is nothing in between.
        style = {"marker": "o", "markersize": 3} | kwargs
        (self.line_,) = ax.plot(
            self.epochs, self.losses, **{"color": "C0", "label": "Loss"} | style
        )
        ax.set(xlabel="Epoch", ylabel="Loss")
        ax.xaxis.get_major_locator().set_params(integer=True)
        self.validation_ax_ = self.validation_line_ = None
        if self.validation_scores is not None:
            self.validation_ax_ = ax.twinx()
            self.validation_ax_.set_ylabel(self.validation_name)
            (self.validation_line_,) = self.validation_ax_.plot(
                self.epochs,
                self.validation_scores,
                **{"color": "C1", "label": self.validation_name} | style,
            )
            ax.legend(handles=[self.line_, self.validation_line_], loc="center right")
        self.ax_, self.figure_ = ax, ax.figure
        return self


class SearchHeatmapDisplay:
    """Scores of a search over two of its parameters, the best cell framed.

    Make one with `from_search`.

    Parameters
    ----------
    scores : array-like of shape (n_y, n_x)
        One score a cell, NaN where nothing was tried or every fit failed.
    x_values : sequence of length n_x
        Values of the parameter along the x axis.
    y_values : sequence of length n_y
        Values of the parameter along the y axis, the first at the bottom.
    x_name : str
        Name of the parameter along the x axis.
    y_name : str
        Name of the parameter along the y axis.
    best : tuple (row, column), default=None
        The cell to frame; None frames none.
    score_name : str, default="Mean test score"
        What the colour bar says.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the heat map.
    figure_ : matplotlib Figure
        Figure that holds them.
    im_ : matplotlib AxesImage
        The heat map.
    text_ : ndarray of shape (n_y, n_x), dtype=matplotlib Text, or None
        The scores written into the cells, if they are.
    best_ : matplotlib Rectangle or None
        The frame of the best cell.

    See Also
    --------
    LossCurveDisplay : Loss of each epoch of training.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_attrec import PopularityRecommender
    >>> from sklearn_attrec.datasets import make_interactions
    >>> from sklearn_attrec.inspection import SearchHeatmapDisplay
    >>> from sklearn_attrec.model_selection import LeaveLastOut
    >>> grid = {"exclude_seen": [False, True], "k": [5, 10]}
    >>> search = GridSearchCV(PopularityRecommender(), grid, cv=LeaveLastOut())
    >>> search = search.fit(make_interactions(random_state=0))
    >>> display = SearchHeatmapDisplay.from_search(search, x="k", y="exclude_seen")
    >>> display.scores.shape
    (2, 2)
    """

    def __init__(
        self,
        scores,
        x_values,
        y_values,
        *,
        x_name,
        y_name,
        best=None,
        score_name="Mean test score",
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
        cls, search, x=None, y=None, *, aggregate="max", metric=None, ax=None, **kwargs
    ):
        """Plot the mean test scores of a fitted search.

        Parameters
        ----------
        search : GridSearchCV, RandomizedSearchCV or another search of scikit-learn
            A fitted search. Of a halving search each candidate counts with the score
            it had at the end, from the most resources it was given.
        x : str, default=None
            Parameter along the x axis, such as "omega", or "param_omega" as in
            `cv_results_`. None takes the first that was varied.
        y : str, default=None
            Parameter along the y axis, likewise. Candidates of the search that set
            only one of the two are left out.
        aggregate : {"max", "mean"}, default="max"
            What a cell shows of the candidates that differ in other parameters: the
            best score that can be reached there, or the mean of the scores.
        metric : str, default=None
            Which score of a search with several metrics; None means the one that it
            refitted on.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure.
        **kwargs : dict
            Handed on to `plot`.

        Returns
        -------
        SearchHeatmapDisplay
            The display, plotted. The framed cell holds the best candidate, which is
            `best_params_` unless another metric is asked for. With `aggregate="mean"`
            another cell may look better.

        Raises
        ------
        InvalidParameterError
            If the search did not vary such parameters, or has no such metric.
        """
        if aggregate not in ("max", "mean"):
            raise InvalidParameterError(
                "The 'aggregate' argument of SearchHeatmapDisplay.from_search must be "
                f"one of 'max', 'mean'. Got {aggregate!r} instead."
            )
        check_is_fitted(search, "cv_results_")
        candidates = _last_rounds(search)
        x, y = _two_parameters(candidates, x, y)
        metric, score_name = _metric(search, metric)
        scores = search.cv_results_[f"mean_test_{metric}"]
        rows = [row for row, params in candidates.items() if {x, y} <= params.keys()]
        if not rows:
            raise InvalidParameterError(
                f"No candidate of the search sets both {x!r} and {y!r}. Choose two "
                "parameters of one grid."
            )
        x_values, column = _places([candidates[row][x] for row in rows])
        y_values, line = _places([candidates[row][y] for row in rows])
        cells = pd.DataFrame(
            {"y": line, "x": column, "score": scores[rows]}, index=rows
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
        ax=None,
        *,
        include_values=True,
        values_format=".3f",
        cmap="viridis",
        colorbar=True,
    ):
        """Plot the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure.
        include_values : bool, default=True
            Whether to write the scores into the cells.
        values_format : str, default=".3f"
            How they are written.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours, from the lowest score to the highest.
        colorbar : bool, default=True
            Whether to draw the colour bar.

        Returns
        -------
        SearchHeatmapDisplay
            The display itself.
        """
        ax = _axes(self, ax)
        scores = np.asarray(self.scores, dtype=float)
        self.im_ = ax.imshow(scores, cmap=cmap, origin="lower", aspect="auto")
        ax.set(xlabel=self.x_name, ylabel=self.y_name)
        ax.set_xticks(range(len(self.x_values)), map(_label, self.x_values))
        ax.set_yticks(range(len(self.y_values)), map(_label, self.y_values))
        self.text_ = self._write(ax, scores, values_format) if include_values else None
        self.best_ = None
        if self.best is not None:
            row, column = self.best
            patches = import_optional(
                "matplotlib.patches", extra="plot", needed_for=type(self).__name__
            )
            frame = patches.Rectangle(
                (column - 0.48, row - 0.48), 0.96, 0.96, fill=False, ec="red", lw=3
            )
            self.best_ = ax.add_patch(frame)
        if colorbar:
            ax.figure.colorbar(self.im_, ax=ax, label=self.score_name)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _write(self, ax, scores, values_format):
        """Write each score into its cell, in the colour that stands out there."""
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


def _last_rounds(search):
    """Map each candidate's last row in `cv_results_` to its parameters."""
    # Only halving searches have a resource; it rises from round to round.
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
            "A heat map needs two parameters that the search varied. It varied "
            f"{[name for name in values if len(values[name]) > 1]} of {list(values)}."
        )
    x = varied.pop(0) if x is None else x
    y = varied.pop(0) if y is None else y
    if x == y:
        raise InvalidParameterError(
            f"A heat map needs two parameters. Got {x!r} twice."
        )
    return x, y


def _find(name, values, where):
    """Return the parameter that a name means, with or without 'param_' before it."""
    if name is None or name in values:
        return name
    if str(name).removeprefix("param_") in values:
        return name.removeprefix("param_")
    close = get_close_matches(str(name), values, n=1, cutoff=0.4)
    raise InvalidParameterError(
        f"The '{where}' argument of SearchHeatmapDisplay.from_search must name a "
        f"parameter of the search, one of {list(values)}. Got {name!r} instead."
        + (f" Did you mean {close[0]!r}?" if close else "")
    )


def _metric(search, metric):
    """Return the metric's name in `cv_results_`, and the one to show."""
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
            f"{found}. Got {metric!r} instead."
        )
    return metric, "Mean test score" if metric == "score" else f"Mean test {metric}"


def _best_row(search, metric, scores):
    """Return the row of the best candidate shown, None where it is not."""
    if metric in ("score", search.refit) and hasattr(search, "best_index_"):
        return search.best_index_ if search.best_index_ in scores.index else None
    return None if scores.isna().all() else scores.idxmax()


def _places(values):
    """Return the distinct values, in order where they have one, and each one's place.

    Values such as lists have no hash, and 1, 1.0 and True the same, so what tells
    values apart is how they are written.
    """
    distinct = {repr(value): value for value in values}
    try:
        keys = sorted(distinct, key=distinct.get)
    except TypeError:  # None among numbers, say
        keys = list(distinct)
    places = {key: place for place, key in enumerate(keys)}
    return [distinct[key] for key in keys], [places[repr(value)] for value in values]


def _label(value):
    """Write a value short enough for a tick."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
