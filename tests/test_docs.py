"""The code and the links of the documentation work."""

import io
import json
import re
import warnings
from pathlib import Path

import pytest

from sklearn_attrec._training.loop import TrainingRun
from sklearn_attrec.datasets import make_interactions

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/sklearn-attrec/sklearn-attrec"

# The packages that the code of a page needs beyond those of the tests.
NEEDED = {"callbacks.md": "sklearn.callback"}


def run_code(page):
    """Run the blocks of a page in order and return the names that they define."""
    pytest.importorskip(NEEDED.get(page, "sklearn"))
    text = (ROOT / "docs" / page).read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert blocks
    options = {"n_per_user": 6, "repeats": False, "random_state": 0}
    names = {"interactions": make_interactions(60, 20, **options)}
    with warnings.catch_warnings():  # a page may filter warnings
        for block in blocks:
            exec(block, names)  # noqa: S102
    return names


@pytest.mark.parametrize(
    "page",
    [
        "callbacks.md",
        "catalogue.md",
        "evaluation.md",
        "frames.md",
        "scaling.md",
        "time.md",
    ],
)
def test_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
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


def parts_of(line):
    """Divide a printed line into its text and numbers, without the training speed."""
    line = re.sub(r"[\d,]+ windows/s", "", line)
    numbers = [float(number) for number in re.findall(r"[\d.]+", line)]
    return re.sub(r"[\d.]+", "#", line).split(), numbers


@pytest.mark.usefixtures("movielens_100k")
def test_readme_shows_what_its_code_prints(times, capsys, monkeypatch):
    text = (ROOT / "README.md").read_text("utf-8")
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    _, code, output, queries = fenced[:4]
    n_epochs, is_done = times(1, 5), TrainingRun.is_done
    monkeypatch.setattr(
        TrainingRun,
        "is_done",
        lambda run: is_done(run) or len(run.progress.loss_curve) == n_epochs,
    )
    names = {}
    exec(code, names)  # noqa: S102
    exec(queries, names)  # noqa: S102
    printed, shown = capsys.readouterr().out.splitlines(), output.splitlines()
    if n_epochs < 5:  # without the other epochs and the last score
        printed, shown = printed[:-1], shown[: n_epochs - 6]
    for line, expected in zip(printed, shown, strict=True):
        (text, numbers), (expected_text, expected_numbers) = map(
            parts_of, (line, expected)
        )
        assert text == expected_text
        assert numbers == pytest.approx(expected_numbers, rel=0.02)
