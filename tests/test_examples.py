"""The examples run on small data and print something."""

import importlib
import runpy
import shutil
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from sklearn_attrec.datasets import make_interactions

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("[!_]*.py"))
# The packages that an example needs beyond those of the tests.
NEEDED = {"optuna_search": "sklearn.callback"}
each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


def small_ratings():
    ratings = make_interactions(
        160, 40, n_per_user=(8, 15), repeats=False, random_state=0
    )
    values = np.random.default_rng(0).integers(1, 6, len(ratings))
    return ratings.assign(rating=values), "made for this test"


def small_titles():
    rows, description = small_ratings()
    items = np.arange(40)
    titles = [f"{'red' if item % 2 else 'blue'} number{item % 5}" for item in items]
    return rows, pd.DataFrame({"item_id": items, "title": titles}), description


def small_names(interactions):
    return pd.Series("a film", index=interactions["item_id"].unique())


@each_script
def test_example_runs(script, tmp_path, monkeypatch, capsys):
    pytest.importorskip(NEEDED.get(script.stem, "sklearn"))
    copied = Path(shutil.copy(script, tmp_path))  # the examples write figures
    monkeypatch.chdir(tmp_path)
    data = ModuleType("_data")
    data.load_interactions = small_ratings
    data.load_names = small_names
    data.load_titles = small_titles
    monkeypatch.setitem(sys.modules, "_data", data)
    runpy.run_path(str(copied), run_name="__main__")
    assert "Data: made for this test" in capsys.readouterr().out


@each_script
def test_example_consists_of_cells(script):
    assert script.read_text("utf-8").startswith("# %% [markdown]\n# # ")


@pytest.mark.parametrize("fetched", [True, False])
def test_load_interactions_names_the_source(
    monkeypatch, tmp_path, small_interactions, fetched
):
    monkeypatch.syspath_prepend(EXAMPLES)  # as for a script in that folder
    data = importlib.import_module("_data")

    def fetch(name, download_if_missing=True):
        if not download_if_missing:
            raise FileNotFoundError("not there")
        if not fetched:
            raise OSError("no network")
        return small_interactions

    monkeypatch.setenv("SKLEARN_ATTREC_DATA", str(tmp_path))
    monkeypatch.setattr(data, "fetch_movielens", fetch)
    frame, description = data.load_interactions()
    if fetched:
        assert frame is small_interactions
        assert f"downloaded into the data home {tmp_path}" in description
    else:
        assert {"user_id", "item_id", "timestamp", "rating"} <= set(frame.columns)
        assert "made by make_interactions" in description
        assert "no network" in description
