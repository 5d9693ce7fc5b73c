"""The code and the links of the documentation work."""

import io
import json
import re
import shlex
import warnings
from pathlib import Path

import joblib
import pytest

from sklearn_attrec import datasets
from sklearn_attrec.cli import main
from sklearn_attrec.datasets import make_interactions

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/sklearn-attrec/sklearn-attrec"
# Other tests run the code of these pages.
ELSEWHERE = {"mlflow.md", "reading.md", "serving.md"}
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
FOLDERS = ["sklearn_attrec", "tests", ".ci", "examples", "benchmarks"]
# The packages that the code of a page needs beyond those of the tests.
NEEDED = {"callbacks.md": "sklearn.callback"}


def blocks(page, language):
    text = page.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def small_interactions():
    made = make_interactions(60, 20, n_per_user=6, repeats=False, random_state=0)
    return made.astype({"user_id": "int64", "item_id": "int64"})


def small_movielens(name):
    """Made data with some ids of MovieLens 100K."""
    made = small_interactions()
    users, items = {0: 196, 1: 186}, {0: 242, 1: 302, 2: 377}
    return made.replace({"user_id": users, "item_id": items})


def run_code(page):
    """Run the blocks of a page in order and return the names that they define."""
    pytest.importorskip(NEEDED.get(page.name, "sklearn"))
    names = {"interactions": small_interactions()}
    # A page may filter warnings. A search needs no other processes here.
    with warnings.catch_warnings(), joblib.parallel_config("sequential"):
        for block in blocks(page, "python"):
            exec(block, names)  # noqa: S102
    return names


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run in an empty folder, and draw without a window."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks(page, "python") and page.name not in ELSEWHERE],
    ids=lambda page: page.name,
)
def test_code_of_a_page_runs(page, monkeypatch):
    monkeypatch.setattr(datasets, "fetch_movielens", small_movielens)
    run_code(page)


def test_commands_of_the_command_line_page_run():
    interactions = small_interactions()
    interactions["user_id"] += 186  # the page asks for the users 186 and 196
    interactions.to_csv("ratings.csv", index=False)
    interactions.to_csv("new_histories.csv", index=False)
    names = {"user_id": "userId", "item_id": "movieId"}
    interactions.rename(columns=names).to_csv("export.csv", index=False)
    interactions["user_id"] += 1000  # sessions that fit did not see
    interactions.to_csv("test.csv", index=False)
    commands = "".join(blocks(ROOT / "docs/command-line.md", "console")).splitlines()
    assert commands
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "sklearn-attrec"
        assert main(arguments) == 0, command


def test_application_of_the_serving_page_answers():
    names = run_code(ROOT / "docs/serving.md")

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
    paths = re.findall(rf"{REPOSITORY}/(?:blob|tree|raw)/main/([\w./-]+)", text)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def tables(page):
    """Return the rows of all tables of a page, as lists of cells."""
    lines = re.findall(r"^\| (.*) \|$", page.read_text("utf-8"), re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def test_readme_repeats_what_pages_say():
    """The rows about other libraries are equal, and its results rounded figures."""
    readme = (ROOT / "README.md").read_text("utf-8")
    _, _, features = readme.partition("## Comparison with other libraries")
    features = features.partition("\n## ")[0].splitlines()
    page = (ROOT / "docs/coming-from.md").read_text("utf-8").splitlines()
    rows = [line for line in features if line.startswith("|")]
    assert len(rows) > 4
    assert [row for row in rows if row not in page] == []

    known = {}
    for row in tables(ROOT / "docs/results.md"):
        if len(row) > 5 and row[0] != "model":
            known.setdefault(row[0].strip("†").strip(), (row[2], row[4]))
    shown = [row for row in tables(ROOT / "README.md") if row[0] in known]
    assert len(shown) > 6
    for name, hits, gains, _ in shown:
        for figure, whole in zip((hits, gains), known[name], strict=True):
            assert figure == f"{float(whole.split()[0]):.3f}", name


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/code.md"])
def test_files_that_a_page_names_exist(page):
    text = (ROOT / page).read_text("utf-8")
    names = set(re.findall(r"[\w./]*\w\.py\b", text))
    names -= {"_networks/caser.py", "models/_caser.py"}  # to be written
    names.discard("docs/conf.py")  # docs/ also has copies of deleted examples
    folders = map(ROOT.joinpath, FOLDERS)
    files = [path.as_posix() for folder in folders for path in folder.rglob("*.py")]
    missing = [name for name in names if not any(f.endswith(f"/{name}") for f in files)]
    assert names
    assert missing == []


@pytest.mark.usefixtures("movielens_100k")
def test_readme_shows_what_its_code_prints(capsys):
    (code, *_), (shown,) = (
        blocks(ROOT / "README.md", "python"),
        blocks(ROOT / "README.md", "text"),
    )
    exec(code, {})  # noqa: S102
    printed = capsys.readouterr().out.splitlines()
    for line, expected in zip(printed, shown.splitlines(), strict=True):
        (words, numbers), (expected_words, expected_numbers) = map(
            parts_of, (line, expected)
        )
        assert words == expected_words
        assert numbers == pytest.approx(expected_numbers, rel=0.05)


def parts_of(line):
    """Divide a line into text and fractions, which depend on the number of threads."""
    numbers = [float(number) for number in re.findall(r"-?\d+\.\d+", line)]
    return re.sub(r"-?\d+\.\d+", "#", line).split(), numbers
