"""The examples run on small data, print their source and draw pictures."""

import ast
import importlib
import re
import runpy
import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from sklearn_attrec.datasets import make_interactions

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("[!_]*.py"))
# The packages that an example needs beyond those of the tests.
NEEDED = {"optuna_search": "sklearn.callback"}
SOURCE = "made for this test"
each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


@pytest.fixture
def data(monkeypatch):
    """Import the module `_data` of the examples, as a script in that folder does."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module("_data")


def small_rows(repeats=False):
    rows = make_interactions(
        160, 40, n_per_user=(8, 15), repeats=repeats, random_state=0
    )
    return rows.assign(rating=np.random.default_rng(0).integers(1, 6, len(rows)))


def small_titles():
    items = np.arange(40)
    titles = [f"{'red' if item % 2 else 'blue'} number{item % 5}" for item in items]
    return small_rows(), pd.DataFrame({"item_id": items, "title": titles}), SOURCE


def small_names(interactions):
    return pd.Series("a film", index=interactions["item_id"].unique())


def small_baskets():
    rows = small_rows(repeats=True)
    return rows.assign(timestamp=rows.groupby("user_id").cumcount() // 4), SOURCE


@each_script
def test_example_runs(script, data, tmp_path, monkeypatch, capsys):
    pytest.importorskip(NEEDED.get(script.stem, "sklearn"))
    copied = Path(shutil.copy(script, tmp_path))
    monkeypatch.chdir(tmp_path)  # the quick start writes its picture there
    monkeypatch.setattr(data, "load_interactions", lambda: (small_rows(), SOURCE))
    monkeypatch.setattr(data, "load_names", small_names)
    monkeypatch.setattr(data, "load_titles", small_titles)
    monkeypatch.setattr(data, "load_baskets", small_baskets)
    for loader in ("load_sessions", "load_check_ins"):
        monkeypatch.setattr(data, loader, lambda: (small_rows(repeats=True), SOURCE))
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.extend(plt.get_fignums()))
    plt.switch_backend("Agg")
    runpy.run_path(str(copied), run_name="__main__")
    plt.close("all")
    assert shown, "plt.show() was not called"
    assert f"Data: {SOURCE}" in capsys.readouterr().out


@each_script
def test_example_has_the_form_of_the_gallery(script):
    text = script.read_text("utf-8")
    title, underline, blank, paragraph, *_ = ast.get_docstring(
        ast.parse(text)
    ).splitlines()
    assert underline == "=" * len(title)
    assert not blank
    assert paragraph
    cells = re.split(r"^# %%\n", text, flags=re.MULTILINE)[1:]
    assert len(cells) > 2, "three cells or more, each after a line '# %%'"
    for cell in cells:
        first, second, *_ = cell.splitlines()
        assert first.startswith("# ")
        if second.startswith("# --"):
            assert len(second) == len(first)
    assert "plt.show()" in text
    assert "[markdown]" not in text


def test_made_data_have_the_properties_of_the_real_data(data, monkeypatch, tmp_path):
    monkeypatch.setenv("SKLEARN_ATTREC_DATA", str(tmp_path))
    clicks, source = data.load_sessions()
    assert source == "made, because Yoochoose is not in the data home."
    assert clicks.groupby("user_id").size().median() < 10
    orders, _ = data.load_baskets()
    assert orders.groupby(["user_id", "timestamp"]).size().median() > 3
    check_ins, _ = data.load_check_ins()
    assert 0.3 < check_ins.duplicated(["user_id", "item_id"]).mean() < 0.7
    few = data.sample_users(check_ins, 3)
    assert few["user_id"].nunique() == 3
    assert len(few) == check_ins["user_id"].isin(few["user_id"]).sum()


@pytest.mark.parametrize("fetched", [True, False])
def test_load_interactions_names_the_source(
    data, monkeypatch, tmp_path, small_interactions, fetched
):
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
