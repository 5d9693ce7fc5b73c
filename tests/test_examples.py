"""Examples: they parse, and every name they import exists. They are run by hand."""

import ast
import importlib
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


@pytest.fixture
def examples_on_path(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)  # as when a script there is run


def test_all_examples_are_there():
    names = {script.stem for script in SCRIPTS}
    assert {
        "comparing",
        "demo",
        "new_users",
        "pipeline",
        "quickstart",
        "tuning",
    } <= names


@each_script
def test_example_imports_what_exists(script, examples_on_path):
    for node in ast.walk(ast.parse(script.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            missing = [a.name for a in node.names if not hasattr(module, a.name)]
            assert not missing, f"{node.module} has no {missing}"


@each_script
def test_example_passes_parameters_that_exist(script):
    import sklearn_attrec

    for node in ast.walk(ast.parse(script.read_text("utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in sklearn_attrec.__all__:
            names = getattr(sklearn_attrec, node.func.id)().get_params()
            assert {keyword.arg for keyword in node.keywords} <= names.keys()


@each_script
def test_example_is_made_of_cells(script):
    text = script.read_text("utf-8")
    assert script.stem.startswith("_") or text.startswith("# %% [markdown]\n# # ")


@pytest.mark.parametrize("fetched", [True, False])
def test_load_interactions_says_what_it_loads(
    examples_on_path, monkeypatch, tmp_path, small_interactions, fetched
):
    data = importlib.import_module("_data")

    def fetch(name, download_if_missing=True):
        if not download_if_missing:
            raise FileNotFoundError("not there")
        if not fetched:
            raise OSError("no way out")
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
        assert "no way out" in description
