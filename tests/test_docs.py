"""The code and the links of the documentation work."""

import io
import json
import re
import warnings
from pathlib import Path

import pytest

from sklearn_attrec.datasets import make_interactions

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/sklearn-attrec/sklearn-attrec"


def run_code(page):
    """Run the blocks of a page in order and return the names that they define."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert blocks
    names = {"interactions": make_interactions(60, 20, n_per_user=6, random_state=0)}
    with warnings.catch_warnings():  # a page may filter warnings
        for block in blocks:
            exec(block, names)  # noqa: S102
    return names


@pytest.mark.parametrize("page", ["evaluation.md"])
def test_code_of_a_page_runs(page):
    run_code(page)


def test_application_of_the_serving_page_answers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run_code("serving.md")

    def answer(body):
        environ = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": len(body)}
        started = []
        content = names["application"](environ, lambda *start: started.append(start))
        return started[0][0], json.loads(b"".join(content))

    for user, history in (3, None), ("new", [1, 2]):
        items = names["model"].predict(user, history=history).tolist()
        query = json.dumps({"user": user, "history": history}).encode()
        assert answer(query) == ("200 OK", {"items": items})
    status, content = answer(b'{"user": "new"}')
    assert status.startswith("400")
    assert "not seen in fit" in content["error"]


@pytest.mark.parametrize("page", ["README.md", "setup.cfg"])
def test_links_of_the_package_index_lead_into_the_repository(page):
    """The index shows these files elsewhere, where relative links lead nowhere."""
    text = (ROOT / page).read_text("utf-8")
    assert not re.findall(r"\]\((?!https://)[^)]*", text)
    paths = re.findall(rf"{REPOSITORY}/(?:blob|tree)/main/([\w./-]+)", text)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
