"""Displays draw what training and searches recorded."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_attrec import (
    AttRecRecommender,
    MarkovRecommender,
    PopularityRecommender,
)
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError
from sklearn_attrec.inspection import (
    AttentionDisplay,
    ExplanationDisplay,
    LossCurveDisplay,
    RankingCurveDisplay,
    SearchHeatmapDisplay,
)
from sklearn_attrec.metrics import hit_rate, make_multi_ranking_scorer, ndcg
from sklearn_attrec.model_selection import LeaveLastOut, leave_last_out_split
from sklearn_attrec.preprocessing import DropRepeats
from sklearn_attrec.utils._optional_dependencies import import_optional

plt.switch_backend("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_loss_curve_draws_losses_and_validation_scores():
    scores = [0.2, 0.4, 0.3]
    display = LossCurveDisplay([3, 2, 1.5], scores).plot()
    expected = [[1, 3], [2, 2], [3, 1.5]]
    np.testing.assert_array_equal(display.line_.get_xydata(), expected)
    np.testing.assert_array_equal(display.validation_line_.get_ydata(), scores)
    styles = [
        line.get_linestyle() for line in (display.line_, display.validation_line_)
    ]
    assert styles == ["-", "--"]
    assert display.ax_.get_xlabel() == "Epoch"
    assert display.validation_ax_ is not display.ax_
    assert display.validation_ax_.get_ylabel() == "Validation score (higher is better)"
    assert display.figure_ is display.ax_.figure
    display.figure_.canvas.draw()


def test_loss_curve_without_validation_draws_on_the_axes_given():
    figure, (left, right) = plt.subplots(1, 2)
    display = LossCurveDisplay([3, 2])
    assert display.plot(ax=left, color="red") is display
    assert display.ax_ is left
    assert display.line_.get_color() == "red"
    assert display.plot(ax=right).ax_ is right
    assert display.figure_ is figure
    assert display.validation_ax_ is display.validation_line_ is None
    assert figure.axes == [left, right]


def test_loss_curve_of_an_estimator_in_a_pipeline_in_a_search(small_interactions):
    model = AttRecRecommender(max_iter=2, d=4, early_stopping=True, random_state=0)
    pipeline = make_pipeline(DropRepeats(), model)
    grid = {"droprepeats__keep": ["last"]}
    search = GridSearchCV(pipeline, grid, cv=LeaveLastOut()).fit(small_interactions)
    ax = plt.figure().subplots()
    fitted = search.best_estimator_[-1].set_params(k=5)  # fitted with another k
    display = LossCurveDisplay.from_estimator(search, ax=ax, color="red")
    losses, scores = fitted.loss_curve_, fitted.validation_scores_
    np.testing.assert_array_equal(display.line_.get_ydata(), losses)
    np.testing.assert_array_equal(display.validation_line_.get_ydata(), scores)
    assert display.validation_ax_.get_ylabel() == "Validation NDCG (higher is better)"
    assert (display.ax_, display.line_.get_color()) == (ax, "red")


def test_loss_curve_needs_an_estimator_trained_in_epochs(small_interactions):
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(AttRecRecommender())
    model = PopularityRecommender().fit(small_interactions)
    with pytest.raises(ValueError, match="epochs.*PopularityRecommender"):
        LossCurveDisplay.from_estimator(model)


from_search = SearchHeatmapDisplay.from_search


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


@pytest.fixture
def search_over(small_interactions):
    """Fit a grid search, or another search, of the parameters of `Scored`."""

    def search_over(grid, search=GridSearchCV, model=None, **arguments):
        search = search(model or Scored(), grid, cv=LeaveLastOut(), **arguments)
        return search.fit(small_interactions)

    return search_over


GRID = {"omega": [1, 2], "gamma": [1, 2]}


def test_heat_map_shows_the_best_of_the_other_parameters(search_over):
    grid = {"omega": [0.4, 0.2], "gamma": [0.1, 0.3, 0.2], "d": [1, 3]}
    search = search_over(grid)
    display = from_search(search, x="param_omega", y="gamma")
    expected = [[301.2, 301.4], [302.2, 302.4], [303.2, 303.4]]
    np.testing.assert_allclose(display.scores, expected)
    np.testing.assert_allclose(display.im_.get_array(), expected)
    assert (display.x_name, display.y_name) == ("omega", "gamma")
    assert display.x_values == [0.2, 0.4]
    assert display.best == (2, 1)
    assert display.best_.get_xy() == pytest.approx((0.52, 1.52))
    assert display.text_[2, 1].get_text() == "303.400"
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == ["0.1", "0.2", "0.3"]
    display = from_search(search, "omega", "d", aggregate="mean")
    np.testing.assert_allclose(display.scores, [[102.2, 102.4], [302.2, 302.4]])


def test_heat_map_takes_the_first_two_varied_parameters(search_over):
    search = search_over({"d": [1], "gamma": [1, 2], "omega": [1, 2]})
    display = from_search(search)
    assert (display.x_name, display.y_name) == ("gamma", "omega")
    display = from_search(search, y="gamma")
    assert (display.x_name, display.y_name) == ("omega", "gamma")


def test_heat_map_leaves_gaps_where_nothing_was_tried(search_over):
    grid = [{"omega": [1, 2], "gamma": [1]}, {"omega": [2], "gamma": [2]}, {"d": [9]}]
    display = from_search(search_over(grid), "omega", "gamma")
    np.testing.assert_allclose(display.scores, [[111, 112], [np.nan, 122]])
    assert display.text_[1, 0].get_text() == ""
    assert display.best is None  # d=9, which has neither
    display.figure_.canvas.draw()


def test_heat_map_takes_values_of_mixed_types_in_their_order(search_over):
    display = from_search(search_over({"omega": [True, 0, 1], "gamma": [None, 1, 2]}))
    assert display.y_values in ([True, 0, 1], [0, True, 1], [0, 1, True])
    assert display.x_values == [None, 1, 2]
    assert display.scores.shape == (3, 3)


def test_heat_map_of_a_pipeline_has_short_names(search_over):
    grid = {"scored__d": [1, 2], "droprepeats__keep": ["first", "last"]}
    search = search_over(grid, model=make_pipeline(DropRepeats(), Scored()))
    display = from_search(search, x="scored__d")
    assert display.ax_.get_xlabel() == "d"
    assert display.ax_.get_ylabel() == "keep"


def test_heat_map_of_several_metrics(search_over):
    scorer = make_multi_ranking_scorer("hit_rate", k=(1, 5))
    search = search_over(GRID, scoring=scorer, refit="hit_rate@5")
    assert from_search(search).score_name == "Mean test hit_rate@5"
    other = from_search(search, metric="hit_rate@1")
    assert other.scores[0, 0] == search.cv_results_["mean_test_hit_rate@1"][0]
    with pytest.raises(ValueError, match="'metric'.*'hit_rate@1', 'hit_rate@5'.*'mrr'"):
        from_search(search, metric="mrr")


def test_heat_map_shows_the_last_round_of_a_halving_search(search_over):
    resource = {"resource": "max_iter", "min_resources": 1, "max_resources": 3}
    search = search_over(GRID, HalvingGridSearchCV, Scored(penalty=1000), **resource)
    display = from_search(search, x="omega", y="gamma")
    # gamma=1 is dropped after the first round.
    expected = [[111 - 1000, 112 - 1000], [121 - 3000, 122 - 3000]]
    np.testing.assert_allclose(display.scores, expected)
    assert display.best == (1, 1)


def test_heat_map_options(search_over):
    figure, ax = plt.subplots()
    options = {"include_values": False, "colorbar": False, "cmap": "magma"}
    display = from_search(search_over(GRID), ax=ax, **options)
    assert display.ax_ is ax
    assert display.text_ is None
    assert len(figure.axes) == 1
    assert display.im_.get_cmap().name == "magma"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": "omgea"}, "'x'.*'omgea'.*'omega'"),
        ({"y": 7}, "'y'.* 7"),
        ({"x": "omega", "y": "param_omega"}, "'omega' twice"),
        ({}, r"two parameters.*\['omega'\]"),
        ({"aggregate": "median"}, "'aggregate'.*'max', 'mean'.*'median'"),
        ({"x": "omega", "y": "k"}, "both 'omega' and 'k'"),
    ],
)
def test_heat_map_says_what_it_needs(search_over, arguments, message):
    search = search_over([{"omega": [1, 2], "d": [1]}, {"k": [1]}])
    with pytest.raises(ValueError, match=message):
        from_search(search, **arguments)


def test_heat_map_needs_a_fitted_search():
    with pytest.raises(NotFittedError):
        from_search(GridSearchCV(Scored(), {}))


def test_import_optional_gives_the_module_or_says_how_to_install():
    options = {"extra": "plot", "needed_for": "Display"}
    assert import_optional("matplotlib.pyplot", **options) is plt
    with pytest.raises(ImportError, match=r"Display.*no_such\b.*core\[plot\]'"):
        import_optional("no_such.module", **options)


def test_without_matplotlib_only_plotting_fails():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from sklearn_attrec.inspection import LossCurveDisplay\n"
        "display = LossCurveDisplay([2.0])\n"
        "try: display.plot()\n"
        "except ImportError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "LossCurveDisplay needs matplotlib" in run.stdout, run.stderr
    assert "pip install 'sklearn-attrec-core[plot]'" in run.stdout


def tick_labels(labels):
    return [label.get_text() for label in labels]


@pytest.mark.parametrize("kind", [dict, pd.Series])
def test_explanation_shows_the_causes_by_title(small_interactions, kind):
    model = AttRecRecommender(d=4, max_iter=1, random_state=0).fit(small_interactions)
    reasons = model.explain(3, k=1)
    of_history = reasons["cause"] == "history"
    first = reasons.loc[of_history, "cause_item_id"].iloc[0]
    names = kind({first: "x" * 50, reasons["item_id"].iloc[0]: "The best"})
    display = ExplanationDisplay.from_estimator(model, 3, names=names, color="green")
    widths = [bar.get_width() for bar in display.bars_]
    np.testing.assert_allclose(widths, reasons["contribution"])
    assert display.ax_.get_title() == "Why The best?"
    labels = tick_labels(display.ax_.get_yticklabels())
    assert labels.count("x" * 39 + "…") == 1
    assert {"popularity", "long-term taste"} < {*labels}
    others = reasons.loc[of_history, "cause_item_id"].iloc[1:].map(str)
    assert {*others} < {*labels}
    few = ExplanationDisplay.from_estimator(model, 3, item=first, max_causes=2)
    assert len(few.bars_) == 2
    assert few.ax_.get_title() == f"Why {first}?"
    largest = model.explain(3, items=first)["contribution"].abs().nlargest(2)
    widths = [abs(bar.get_width()) for bar in few.bars_]
    np.testing.assert_allclose(sorted(widths), sorted(largest))


def test_explanation_without_a_recommendation():
    rows = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 1]})
    model = PopularityRecommender().fit(rows)
    with (
        pytest.warns(UserWarning, match="no item is left"),
        pytest.raises(InteractionsError, match="Got 0, for user 1"),
    ):
        ExplanationDisplay.from_estimator(model, 1)


def test_explanations_of_other_arguments(small_interactions):
    model = MarkovRecommender().fit(small_interactions)
    explain = ExplanationDisplay.from_estimator
    items = model.items_[:2].tolist()
    for user, item in (([1, 2], None), (1, items)):
        with pytest.raises(InteractionsError, match="one item for one user. Got 2"):
            explain(model, user, item=item)
    with pytest.raises(InvalidParameterError, match="'max_causes'.*Got 0"):
        explain(model, 1, max_causes=0)
    with pytest.raises(InvalidParameterError, match="'names'.*dict or a Series"):
        explain(model, 1, names=["a"])
    names = pd.Series([np.nan, "$5 to $10^"] * 50, index=np.arange(100) // 2)
    display = explain(model, 1, names=names)
    assert "$5 to $10^" in tick_labels(display.ax_.get_yticklabels())
    display.figure_.canvas.draw()
    with pytest.raises(InvalidParameterError, match="needs an AttRecRecommender"):
        AttentionDisplay.from_estimator(model, 1)


def test_explanation_of_a_query_of_polars(small_interactions):
    polars = pytest.importorskip("polars")
    model = MarkovRecommender().fit(small_interactions)
    query = polars.DataFrame({"user_id": [1], "timestamp": [10**6]})
    display = ExplanationDisplay.from_estimator(model, query)
    assert len(display.bars_) == 2


def test_attention_shows_the_window(small_interactions):
    model = AttRecRecommender(d=4, max_iter=1, random_state=0).fit(small_interactions)
    history = model.items_[:3].tolist()
    display = AttentionDisplay.from_estimator(
        model, "new", history, names={history[0]: "first"}
    )
    expected = model.attention("new", history)
    np.testing.assert_array_equal(display.im_.get_array(), expected)
    labels = ["first", *map(str, history[1:])]
    assert tick_labels(display.ax_.get_xticklabels()) == labels
    assert tick_labels(display.ax_.get_yticklabels()) == labels
    display.figure_.canvas.draw()


@pytest.mark.parametrize(
    ("metric", "compute", "label"),
    [("ndcg", ndcg, "NDCG@K"), ("hit_rate", hit_rate, "HR@K")],
)
def test_ranking_curves_compare_models(small_interactions, metric, compute, label):
    train, test = leave_last_out_split(small_interactions)
    models = {
        "popular": PopularityRecommender().fit(train),
        "chain": MarkovRecommender().fit(train),
    }
    display = RankingCurveDisplay.from_estimators(models, test, metric=metric, max_k=4)
    assert display.ax_.get_ylabel() == f"{label} (higher is better)"
    for line, (name, model) in zip(display.lines_, models.items(), strict=True):
        assert line.get_label() == name
        expected = [compute(model.target_ranks(test), k) for k in (1, 2, 3, 4)]
        np.testing.assert_array_equal(line.get_xydata(), list(enumerate(expected, 1)))
    looks = {(line.get_color(), line.get_linestyle()) for line in display.lines_}
    assert len(looks) == len(models)
    assert display.ax_.get_title() == "Ranking of held-out items"
    again = display.plot(ax=display.ax_, c="red", ls=":")
    assert {line.get_color() for line in again.lines_} == {"red"}
    with pytest.raises(InvalidParameterError, match="'metric'.*'ndcg', 'hit_rate'"):
        RankingCurveDisplay.from_estimators(models, test, metric="mrr")
    with pytest.raises(InvalidParameterError, match="'estimators'.*dict"):
        RankingCurveDisplay.from_estimators([*models.values()], test)
