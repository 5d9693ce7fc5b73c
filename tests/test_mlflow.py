"""The code of docs/mlflow.md runs and records what the page says."""

import re
from pathlib import Path

import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from sklearn_attrec.datasets import make_interactions

mlflow = pytest.importorskip("mlflow", reason="run by `make test-mlflow`")
PAGE = (Path(__file__).parents[1] / "docs" / "mlflow.md").read_text("utf-8")

# MLflow warns of deprecated features that it uses, and of values without a type.
pytestmark = pytest.mark.filterwarnings("default")


def test_code_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    interactions = make_interactions(
        60, 20, n_per_user=6, repeats=False, random_state=0
    )
    names = {"interactions": interactions}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        exec(block, names)  # noqa: S102

    model, test, search = names["model"], names["test"], names["search"]
    assert_frame_equal(names["loaded"].recommend(), model.recommend())
    queries = test[["user_id", "timestamp"]]
    assert_array_equal(names["served"].predict(queries), model.predict(queries))
    assert_frame_equal(
        names["load_model"](names["path"]).recommend(), model.recommend()
    )

    runs = mlflow.search_runs(order_by=["attributes.start_time"])
    fitted, children = runs.iloc[0], runs["tags.mlflow.parentRunId"].notna()
    assert fitted["params.omega"] == "0.3"
    assert fitted["metrics.hit_rate_at_10"] == model.score(test)
    assert fitted["metrics.loss"] == model.loss_curve_[-1]
    assert runs["metrics.best_cv_score"].dropna().tolist() == [search.best_score_]
    assert sorted(runs.loc[children, "params.smoothing"]) == ["0.1", "0.5", "1.0"]
    recorded = runs.loc[children, "metrics.mean_test_score"]
    assert sorted(recorded) == sorted(search.cv_results_["mean_test_score"])
