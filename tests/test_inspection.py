"""Displays: what is drawn is what training and searches recorded."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
)
from sklearn.pipeline import make_pipeline

from sklearn_attrec import AttRecRecommender, PopularityRecommender
from sklearn_attrec.inspection import LossCurveDisplay, SearchHeatmapDisplay
from sklearn_attrec.metrics import make_multi_ranking_scorer
from sklearn_attrec.model_selection import LeaveLastOut
from sklearn_attrec.preprocessing import DropRepeats
from sklearn_attrec.utils._optional_dependencies import import_optional

plt.switch_backend("Agg")

HISTORY = [
    {"epoch": 1, "loss": 3.0, "seconds": 0.1, "validation_score": 0.2},
    {"epoch": 2, "loss": 2.0, "seconds": 0.1, "validation_score": 0.4},
    {"epoch": 3, "loss": 1.5, "seconds": 0.1, "validation_score": 0.3},
]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


class Scored(PopularityRecommender):
    """A recommender whose score follows from its parameters alone."""

    def __init__(self, *, omega=0.0, gamma=0.0, d=1, max_iter=1, penalty=0, k=10):
        super().__init__(k=k)
        self.omega = omega
        self.gamma = gamma
        self.d = d
        self.max_iter = max_iter
        self.penalty = penalty

    def score(self, X, y=None):
        if self.gamma is None:
            return 0.0
        loss = self.penalty * self.max_iter
        return self.omega + 10 * self.gamma + 100 * self.d - loss


def search_over(grid, X, **arguments):
    return GridSearchCV(Scored(), grid, cv=LeaveLastOut(), **arguments).fit(X)


# -- LossCurveDisplay ------------------------------------------------------------


def test_loss_curve_draws_the_records():
    display = LossCurveDisplay.from_history(HISTORY)
    np.testing.assert_array_equal(
        display.line_.get_xydata(), [[1, 3], [2, 2], [3, 1.5]]
    )
    np.testing.assert_array_equal(display.validation_line_.get_ydata(), [0.2, 0.4, 0.3])
    assert display.ax_.get_xlabel() == "Epoch"
    assert display.validation_ax_ is not display.ax_
    assert display.validation_ax_.get_ylabel() == "Validation score"
    assert display.figure_ is display.ax_.figure
    display.figure_.canvas.draw()


def test_loss_curve_without_validation_has_one_axis():
    records = [{"epoch": r["epoch"], "loss": r["loss"]} for r in HISTORY]
    display = LossCurveDisplay.from_history(records)
    assert display.validation_ax_ is None
    assert display.validation_line_ is None
    assert len(display.figure_.axes) == 1


def test_loss_curve_uses_the_axes_given_and_plots_again():
    figure, (left, right) = plt.subplots(1, 2)
    display = LossCurveDisplay.from_history(HISTORY, ax=left, color="red")
    assert display.ax_ is left
    assert display.line_.get_color() == "red"
    assert display.plot(ax=right) is display
    assert display.ax_ is right
    assert display.figure_ is figure


@pytest.mark.parametrize("wrap", ["plain", "pipeline", "search"])
def test_loss_curve_of_a_fitted_estimator(small_interactions, wrap):
    model = AttRecRecommender(max_iter=2, d=4, early_stopping=True, random_state=0)
    wrapped = {
        "plain": model,
        "pipeline": make_pipeline(DropRepeats(), model),
        "search": GridSearchCV(model, {"omega": [0.3]}, cv=LeaveLastOut()),
    }[wrap]
    wrapped.fit(small_interactions)
    display = LossCurveDisplay.from_estimator(wrapped)
    assert display.validation_ax_.get_ylabel() == "Validation HR@10"
    np.testing.assert_array_equal(display.line_.get_xdata(), [1, 2])
    if wrap == "plain":
        losses = [record["loss"] for record in model.history_]
        np.testing.assert_array_equal(display.line_.get_ydata(), losses)


def test_loss_curve_refuses_what_has_no_epochs(small_interactions):
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(AttRecRecommender())
    model = PopularityRecommender().fit(small_interactions)
    with pytest.raises(ValueError, match="trained in epochs.*Got PopularityRec"):
        LossCurveDisplay.from_estimator(model)
    with pytest.raises(ValueError, match="'epoch' and 'loss'. Got \\[\\] instead"):
        LossCurveDisplay.from_history([])


# -- SearchHeatmapDisplay --------------------------------------------------------


GRID = {"omega": [0.4, 0.2], "gamma": [0.1, 0.3, 0.2], "d": [1, 3]}


def test_heat_map_shows_the_best_of_the_other_parameters(small_interactions):
    search = search_over(GRID, small_interactions)
    display = SearchHeatmapDisplay.from_search(search, x="param_omega", y="gamma")
    expected = [
        [omega + 10 * gamma + 300 for omega in (0.2, 0.4)] for gamma in (0.1, 0.2, 0.3)
    ]
    np.testing.assert_allclose(display.scores, expected)
    np.testing.assert_allclose(display.im_.get_array(), expected)
    assert (display.x_name, display.y_name) == ("omega", "gamma")
    assert display.x_values == [0.2, 0.4]
    assert display.best == (2, 1)
    assert display.best_.get_xy() == pytest.approx((0.52, 1.52))
    assert display.text_[2, 1].get_text() == "303.400"
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == [
        "0.1",
        "0.2",
        "0.3",
    ]


def test_heat_map_shows_their_mean_on_demand(small_interactions):
    search = search_over(GRID, small_interactions)
    display = SearchHeatmapDisplay.from_search(search, "omega", "d", aggregate="mean")
    np.testing.assert_allclose(display.scores, [[102.2, 102.4], [302.2, 302.4]])


def test_heat_map_takes_the_first_two_varied_parameters(small_interactions):
    search = search_over(
        {"d": [1], "gamma": [1, 2], "omega": [1, 2]}, small_interactions
    )
    display = SearchHeatmapDisplay.from_search(search)
    assert (display.x_name, display.y_name) == ("gamma", "omega")
    display = SearchHeatmapDisplay.from_search(search, y="gamma")
    assert (display.x_name, display.y_name) == ("omega", "gamma")


def test_heat_map_leaves_gaps_where_nothing_was_tried(small_interactions):
    grid = [{"omega": [1, 2], "gamma": [1]}, {"omega": [2], "gamma": [2]}, {"d": [9]}]
    search = search_over(grid, small_interactions)
    display = SearchHeatmapDisplay.from_search(search, "omega", "gamma")
    np.testing.assert_allclose(display.scores, [[111, 112], [np.nan, 122]])
    assert display.text_[1, 0].get_text() == ""
    assert display.best is None  # d=9, which has neither
    display.figure_.canvas.draw()


def test_heat_map_orders_values_of_mixed_types_as_they_came(small_interactions):
    grid = {"omega": [True, 0, 1], "gamma": [None, 1, 2]}
    display = SearchHeatmapDisplay.from_search(search_over(grid, small_interactions))
    assert display.y_values in ([True, 0, 1], [0, True, 1], [0, 1, True])
    assert display.x_values == [None, 1, 2]
    assert display.scores.shape == (3, 3)


def test_heat_map_of_pipelines_has_short_names(small_interactions):
    pipeline = make_pipeline(DropRepeats(), Scored())
    grid = {"scored__d": [1, 2], "droprepeats__keep": ["first", "last"]}
    search = GridSearchCV(pipeline, grid, cv=LeaveLastOut()).fit(small_interactions)
    display = SearchHeatmapDisplay.from_search(search, x="scored__d")
    assert display.ax_.get_xlabel() == "d"
    assert display.ax_.get_ylabel() == "keep"


def test_heat_map_of_several_metrics(small_interactions):
    scorer = make_multi_ranking_scorer("hit_rate", k=(1, 5))
    grid = {"omega": [1, 2], "gamma": [1, 2]}
    search = search_over(grid, small_interactions, scoring=scorer, refit="hit_rate@5")
    display = SearchHeatmapDisplay.from_search(search)
    assert display.score_name == "Mean test hit_rate@5"
    other = SearchHeatmapDisplay.from_search(search, metric="hit_rate@1")
    assert other.scores[0, 0] == search.cv_results_["mean_test_hit_rate@1"][0]
    with pytest.raises(ValueError, match="one of \\['hit_rate@1', 'hit_rate@5'\\]"):
        SearchHeatmapDisplay.from_search(search, metric="mrr")


def test_heat_map_of_other_searches(small_interactions):
    grid = {"omega": [1, 2], "gamma": [1, 2], "d": [1, 2]}
    searches = [
        RandomizedSearchCV(Scored(), grid, n_iter=8, cv=LeaveLastOut(), random_state=0),
        HalvingGridSearchCV(
            Scored(), grid, cv=LeaveLastOut(), resource="max_iter", max_resources=9
        ),
    ]
    for search in searches:
        search.fit(small_interactions)
        display = SearchHeatmapDisplay.from_search(search, "omega", "gamma")
        np.testing.assert_allclose(display.scores, [[211, 212], [221, 222]])
        assert display.best == (1, 1)


def test_heat_map_counts_the_last_round_of_halving(small_interactions):
    search = HalvingGridSearchCV(
        Scored(penalty=1000),
        {"omega": [1, 2], "gamma": [1, 2]},
        cv=LeaveLastOut(),
        resource="max_iter",
        min_resources=1,
        max_resources=3,
    )
    search.fit(small_interactions)  # gamma=1 is dropped after the first round
    display = SearchHeatmapDisplay.from_search(search, x="omega", y="gamma")
    expected = [[111 - 1000, 112 - 1000], [121 - 3000, 122 - 3000]]
    np.testing.assert_allclose(display.scores, expected)
    assert display.best == (1, 1)


def test_heat_map_plots_as_asked(small_interactions):
    search = search_over({"omega": [1, 2], "gamma": [1, 2]}, small_interactions)
    figure, ax = plt.subplots()
    display = SearchHeatmapDisplay.from_search(
        search, ax=ax, include_values=False, colorbar=False, cmap="magma"
    )
    assert display.ax_ is ax
    assert display.text_ is None
    assert len(figure.axes) == 1
    assert display.im_.get_cmap().name == "magma"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": "omgea"}, "'x' argument.*Got 'omgea' instead. Did you mean 'omega'"),
        ({"y": 7}, "'y' argument.*Got 7 instead"),
        ({"x": "omega", "y": "param_omega"}, "Got 'omega' twice"),
        ({}, "two parameters that the search varied. It varied \\['omega'\\] of"),
        ({"aggregate": "median"}, "one of 'max', 'mean'. Got 'median'"),
        ({"x": "omega", "y": "k"}, "No candidate of the search sets both"),
    ],
)
def test_heat_map_says_what_it_needs(small_interactions, arguments, message):
    search = search_over([{"omega": [1, 2], "d": [1]}, {"k": [1]}], small_interactions)
    with pytest.raises(ValueError, match=message):
        SearchHeatmapDisplay.from_search(search, **arguments)


def test_heat_map_needs_a_fitted_search():
    with pytest.raises(NotFittedError):
        SearchHeatmapDisplay.from_search(GridSearchCV(LinearRegression(), {}))


# -- Optional packages -----------------------------------------------------------


def test_import_optional_gives_the_module():
    found = import_optional("matplotlib.pyplot", extra="plot", needed_for="Anything")
    assert found is plt


def test_import_optional_says_how_to_install():
    with pytest.raises(ImportError, match=r"^Display needs no_such, .*attrec\[plot\]$"):
        import_optional("no_such.module", extra="plot", needed_for="Display")


def test_without_matplotlib_only_plotting_fails():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from sklearn_attrec.inspection import LossCurveDisplay\n"
        "display = LossCurveDisplay([1], [2.0])\n"
        "try: display.plot()\n"
        "except ImportError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "LossCurveDisplay needs matplotlib" in run.stdout, run.stderr
    assert "pip install sklearn_attrec[plot]" in run.stdout
