"""The command line: what it prints, what it refuses, and how it ends."""

import hashlib
import io
import os
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import sklearn_attrec
from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    cli,
    load_model,
)
from sklearn_attrec.metrics import evaluate
from sklearn_attrec.model_selection import leave_last_out_split

POPULARITY = ["--model", "popularity"]


@pytest.fixture
def file(tmp_path, small_interactions):
    path = tmp_path / "interactions.csv"
    small_interactions.to_csv(path, index=False)
    return str(path)


@pytest.fixture
def run(capsys):
    """Run a command that must succeed; return what it printed."""

    def run(*arguments):
        code = cli.main([*arguments])
        printed = capsys.readouterr()
        assert code == 0, printed.err
        return printed

    return run


@pytest.fixture
def fail(capsys):
    """Run a command that must fail; return its one line without the beginning."""

    def fail(*arguments):
        code = cli.main([*arguments])
        printed = capsys.readouterr()
        assert code == 2
        assert printed.out == ""
        *notes, line = printed.err.splitlines()
        assert all(note.startswith("sklearn_attrec: ") for note in notes)
        assert "error" not in "".join(notes)
        assert line.startswith("sklearn_attrec: error: ")
        return line.removeprefix("sklearn_attrec: error: ")

    return fail


def read_csv(text, **options):
    return pd.read_csv(io.StringIO(text), **options)


def run_python(*arguments, **options):
    command = [sys.executable, "-m", "sklearn_attrec", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


# -- evaluate --------------------------------------------------------------------


def test_evaluate_prints_what_the_library_computes(run, file, small_interactions):
    printed = run("evaluate", file, *POPULARITY, "--k", "1,3")
    train, test = leave_last_out_split(small_interactions)
    expected = evaluate(PopularityRecommender().fit(train), test, k=(1, 3)).T
    header, *rows = (line.split() for line in printed.out.splitlines())
    assert header == ["PopularityRecommender"]
    assert [name for name, _ in rows] == list(expected.index)
    np.testing.assert_allclose(
        [float(value) for _, value in rows], expected.iloc[:, 0], atol=1e-4
    )
    assert "12 last items held out, 60 rows to train on" in printed.err


def test_evaluate_puts_the_baseline_beside_the_model(run, file):
    settings = ["--set", "max_iter=2", "--set", "d=4", "--set", "verbose=1"]
    command = ["evaluate", file, *settings, "--set", "exclude_seen=False"]
    printed = run(*command)
    header, *rows = (line.split() for line in printed.out.splitlines())
    assert header == ["AttRecRecommender", "PopularityRecommender"]
    assert len(rows) == 9
    assert printed.err.count("Epoch ") == 2  # progress is no result
    assert run(*command).out == printed.out  # a fixed seed unless one is set


@pytest.mark.parametrize(
    "name, cls, setting",
    [
        ("item-knn", ItemKNNRecommender, "n_neighbors=2"),
        ("markov", MarkovRecommender, "smoothing=0.1"),
    ],
)
def test_other_baselines_go_by_name(run, file, small_interactions, name, cls, setting):
    command = ["recommend", file, "--model", name, "--set", setting, "--users", "1"]
    parameter, value = setting.split("=")
    model = cls(**{parameter: float(value) if "." in value else int(value)})
    expected = model.fit(small_interactions).recommend([1], k=2)
    table = read_csv(run(*command, "--k", "2").out, dtype=dict(expected.dtypes))
    pd.testing.assert_frame_equal(table, expected)


def test_baseline_shares_the_settings_of_the_model():
    model = AttRecRecommender(k=3, exclude_seen=False, handle_unknown="error", d=7)
    expected = {"k": 3, "exclude_seen": False, "handle_unknown": "error"}
    assert cli._baseline(model).get_params() == expected


# -- recommend -------------------------------------------------------------------


def test_recommend_writes_csv(run, file, small_interactions):
    printed = run("recommend", file, *POPULARITY, "--users", "3,1", "--k", "2")
    expected = PopularityRecommender().fit(small_interactions).recommend([3, 1], k=2)
    pd.testing.assert_frame_equal(
        read_csv(printed.out, dtype=dict(expected.dtypes)), expected
    )
    assert printed.err == ""


def test_recommend_to_all_users(run, file, small_interactions):
    table = read_csv(run("recommend", file, *POPULARITY, "--all-users", "--k", "1").out)
    assert sorted(table["user_id"]) == sorted(small_interactions["user_id"].unique())


def test_recommend_trains_the_model_asked_for(run, file, small_interactions):
    settings = ["--set", "max_iter=1", "--set", "d=4", "--set", "random_state=3"]
    printed = run("recommend", file, *settings, "--users", "1", "--k", "2")
    model = AttRecRecommender(max_iter=1, d=4, random_state=3).fit(small_interactions)
    assert read_csv(printed.out)["item_id"].tolist() == model.predict(1, k=2).tolist()


def test_recommend_says_who_is_not_in_the_file(run, fail, file):
    command = ["recommend", file, *POPULARITY, "--users", "1,99,98", "--k", "1"]
    printed = run(*command)
    assert "2 user(s) are not in the file, the first is 99" in printed.err
    assert read_csv(printed.out)["user_id"].tolist() == [1, 99, 98]
    assert "99" in fail(*command, "--set", "handle_unknown=error")


def test_users_are_read_as_the_files_ids_are(run, tmp_path, small_interactions):
    small_interactions["user_id"] = small_interactions["user_id"].map("{:03}".format)
    small_interactions.loc[:5, "user_id"] = "a, b"
    path = tmp_path / "text.csv"
    small_interactions.to_csv(path, index=False)
    command = ["recommend", str(path), *POPULARITY, "--k", "1", "--users"]
    printed = run(*command, '002,"a, b"')
    assert read_csv(printed.out, dtype=str)["user_id"].tolist() == ["002", "a, b"]
    assert printed.err == ""
    assert "the first is '2'" in run(*command, "2").err


@pytest.mark.parametrize("users", ["x", "01", "1.0", "1,", " 1", "1_0", "9" * 20])
def test_users_of_another_type_are_refused(fail, file, users):
    line = fail("recommend", file, *POPULARITY, "--users", users)
    assert line.startswith("--users: the known user ids are integers, and '")


def test_recommend_needs_users(fail, file):
    assert "names nobody" in fail("recommend", file, *POPULARITY, "--users", "")
    assert "--users --all-users is required" in fail("recommend", file)
    assert "not allowed with" in fail("recommend", file, "--users=1", "--all-users")


def test_recommend_writes_a_file(run, file, tmp_path):
    command = ["recommend", file, *POPULARITY, "--all-users", "--k", "3"]
    expected = run(*command).out
    out = tmp_path / "out.csv"
    out.write_text("old")
    assert run(*command, "--out", str(out)).out == ""
    assert out.read_bytes() == expected.encode()
    assert {path.name for path in tmp_path.iterdir()} == {"interactions.csv", "out.csv"}


def test_a_file_is_written_whole_or_not_at_all(fail, file, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    out = tmp_path / "out.csv"
    out.write_text("old")
    monkeypatch.setattr(cli.os, "fsync", full)
    command = ["recommend", file, *POPULARITY, "--all-users", "--out", str(out)]
    assert "No space left" in fail(*command)
    assert out.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"interactions.csv", "out.csv"}


def test_a_file_that_cannot_be_written_is_refused_before_training(
    fail, file, tmp_path, monkeypatch
):
    monkeypatch.setattr(PopularityRecommender, "fit", None)
    for out in [tmp_path, tmp_path / "no" / "out.csv"]:
        command = ["recommend", file, *POPULARITY, "--all-users", "--out", str(out)]
        assert fail(*command).startswith("--out must be a file in a folder")


def test_out_keeps_a_link_and_what_is_no_file(run, file, tmp_path):
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    command = ["recommend", file, *POPULARITY, "--users", "1", "--out"]
    run(*command, str(link))
    assert link.is_symlink()
    assert target.read_text().startswith("user_id,item_id,score,rank\n1,")
    run(*command, "/dev/null")


# -- tune ------------------------------------------------------------------------


def test_tune_ranks_the_candidates(run, file):
    grid = ["--grid", "omega=0.0,0.5", "--grid", "loss=hinge,softmax"]
    settings = ["--set", "max_iter=1", "--set", "d=4", "--set", "k=2"]
    header, *rows, popularity, best = run(
        "tune", file, *grid, *settings
    ).out.splitlines()
    assert header.split() == ["rank", "hit_rate@2", "omega", "loss", "fit_seconds"]
    rows = [row.split() for row in rows]
    scores = [float(row[1]) for row in rows]
    assert len(rows) == 4
    assert scores == sorted(scores, reverse=True)
    assert re.fullmatch(r"popularity: 0\.\d{4}", popularity)
    assert best.startswith("best: --set loss=")
    winners = [
        f"--set loss={row[3]} --set omega={row[2]}" for row in rows if row[0] == "1"
    ]
    assert best.removeprefix("best: ") in winners


def test_tune_runs_in_several_processes(run, file):
    grid = ["--grid", "exclude_seen=True,False", "--jobs", "2"]
    assert "exclude_seen=" in run("tune", file, *POPULARITY, *grid).out


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (["omega=0.2,4"], r"'omega' parameter of AttRecRec.* Got 4 instead"),
        (
            ["omgea=1"],
            "--grid: AttRecRecommender has no parameter 'omgea'. Did you mean",
        ),
        (["omega"], "--grid must be name=value. Got 'omega'"),
        (["omega=1", "omega=2"], "--grid names 'omega' twice"),
        (["k=5,10"], "--grid cannot vary 'k'"),
        ([], "required: --grid"),
    ],
)
def test_tune_checks_the_grid_before_training(fail, file, grid, message):
    options = [option for text in grid for option in ("--grid", text)]
    assert re.search(message, fail("tune", file, *options))


def test_the_reason_why_all_fits_failed_is_told(fail, tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("user_id,item_id\n1,1\n1,2\n2,2\n2,3\n")
    line = fail("tune", str(path), "--grid", "omega=0.1,0.2")
    assert line.startswith("AttRecRecommender.fit: no user has 2 or more interactions")


# -- Settings --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("10", 10),
        ("None", None),
        ("True", True),
        ("softmax", "softmax"),
        ("'softmax'", "softmax"),
        ("__import__('os').getcwd()", "__import__('os').getcwd()"),
        ("", ""),
        ("(" * 500, "(" * 500),
        ("\0", "\0"),
    ],
)
def test_values_are_literals_or_text(text, value):
    assert cli._value(text) == value


def test_settings_are_checked_before_the_file_is_read(fail):
    command = ["evaluate", "no such file.csv", "--set"]
    line = fail(*command, "omgea=1")
    assert line == (
        "--set: AttRecRecommender has no parameter 'omgea'. Did you mean 'omega'?"
    )
    assert "It has L, aggregation, " in fail(*command, "zzz=1")
    assert fail(*command, "omega").startswith("--set must be name=value.")
    assert "'omega' parameter of AttRecRecommender" in fail(*command, "omega=2")
    assert "'loss' parameter of AttRecRecommender" in fail(*command, "loss=hinges")
    assert "No such file" in fail(*command, "omega=0.2")


# -- Files -----------------------------------------------------------------------


def test_columns_are_renamed_or_named(run, tmp_path, small_interactions):
    path = tmp_path / "other.txt"
    command = ["recommend", str(path), *POPULARITY, "--users", "1", "--k", "1"]
    other = small_interactions.set_axis(["userId", "movieId", "timestamp"], axis=1)
    other.to_csv(path, index=False, sep="\t")
    tabs = ["--sep", r"\t", "--header", "yes"]
    renamed = run(*command, *tabs, "--columns", "userId=user_id,movieId=item_id")
    other.to_csv(path, index=False, header=False, sep="|")
    named = run(*command, "--sep", "|", "--columns", "user_id,item_id,timestamp")
    assert renamed.out == named.out
    assert renamed.out.count("\n") == 2


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("uid,movie\n1,2\n", [], "--columns uid=user_id,movie=item_id."),
        ("user_id,item_id,date\n1,2,3\n1,3,4\n", [], "--columns date=timestamp."),
        ("user_id;item_id\n1;2\n", [], "try --sep=';'."),
        ("1,2\n1,3\n", [], "pass --header=no."),
        ("user_id,item_id\n1,2\n", [], "at least 2 interactions"),
        ("user_id,item_id\n1,\n", [], "blank"),
        ("", [], "the file is empty"),
        ("a,b\n", ["--columns", "a=user_id,b"], "= everywhere or nowhere"),
        ("a,b\n1,2\n", ["--columns", "c=user_id"], "none named ['c']"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_options(
    fail, tmp_path, text, options, message
):
    path = tmp_path / "interactions.csv"
    path.write_text(text)
    assert message in fail("evaluate", str(path), *POPULARITY, *options)


# -- How it ends -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["nope"], "invalid choice: 'nope'"),
        (["evaluate"], "required: FILE"),
        (["evaluate", "x.csv", "--k", "0"], "'0' is not a positive integer"),
        (["evaluate", "x.csv", "--k", "1,"], "'' is not a positive integer"),
        (["recommend", "x.csv", "--users", "1", "--k", "ten"], "'ten' is not a pos"),
        (["evaluate", "x.csv", "--model", "oracle"], "invalid choice: 'oracle'"),
        (["evaluate", "x.csv", "--mod", "attrec"], "unrecognized arguments: --mod"),
        (["evaluate", "no such file.csv"], "No such file"),
    ],
)
def test_bad_arguments_end_in_one_line(fail, arguments, message):
    assert message in fail(*arguments)


def test_debug_shows_the_traceback(tmp_path):
    with pytest.raises(FileNotFoundError):
        cli.main(["evaluate", str(tmp_path / "none.csv"), "--debug"])


def test_warnings_are_one_line_and_no_result(run, file, monkeypatch):
    fit = PopularityRecommender.fit

    def warn(self, X):
        warnings.warn("something\nto know", stacklevel=2)
        return fit(self, X)

    command = ["recommend", file, *POPULARITY, "--users", "1"]
    expected = run(*command).out
    monkeypatch.setattr(PopularityRecommender, "fit", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        printed = run(*command)
    assert printed.out == expected
    assert printed.err == "sklearn_attrec: warning: something to know\n"


def test_interruption_ends_quietly(file, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(PopularityRecommender, "fit", interrupt)
    assert cli.main(["evaluate", file, *POPULARITY]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "sklearn_attrec: interrupted"


def test_version_and_help(capsys):
    for arguments in (["--version"], ["--help"], ["tune", "--help"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"sklearn_attrec {sklearn_attrec.__version__}\n")
    assert "--grid NAME=VALUE,VALUE" in printed


def test_module_runs_and_fails_as_a_process(file):
    ended = run_python("recommend", file, *POPULARITY, "--users", "1", "--k", "1")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("user_id,item_id,score,rank\n1,")
    ended = run_python("evaluate", file, "--set", "omega=2")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("sklearn_attrec: error: The 'omega' parameter")


# -- Model files -----------------------------------------------------------------


@pytest.fixture
def model_file(run, file, tmp_path):
    path = str(tmp_path / "markov.attrec")
    printed = run("fit", file, "--model", "markov", "--set", "k=3", "--out", path)
    assert "model of MarkovRecommender saved as" in printed.err
    return path


def test_fit_saves_what_the_library_fits(model_file, small_interactions):
    loaded = load_model(model_file)
    fitted = MarkovRecommender(k=3).fit(small_interactions)
    assert loaded.get_params() == fitted.get_params()
    assert_frame_equal(loaded.recommend(), fitted.recommend(), check_exact=True)


def test_recommend_with_a_model_file(run, model_file, small_interactions):
    printed = run("recommend", "--model-file", model_file, "--users", "3,1", "--k", "2")
    expected = MarkovRecommender().fit(small_interactions).recommend([3, 1], k=2)
    assert_frame_equal(read_csv(printed.out), expected, check_dtype=False)
    printed = run("recommend", "--model-file", model_file, "--all-users")
    assert set(read_csv(printed.out)["user_id"]) == set(small_interactions["user_id"])


def test_recommend_reads_other_histories(run, model_file, tmp_path):
    """A file beside a model file says what the users did since, new users too."""
    path = tmp_path / "since.csv"
    path.write_text("user_id,item_id,timestamp\n1,15,20\n99,11,7\n1,14,10\n")
    arguments = ["recommend", str(path), "--model-file", model_file, "--k", "1"]
    printed = run(*arguments, "--all-users")
    # The cycle goes on, 11, 12 and 14, 15, 16; users in the order of time.
    assert read_csv(printed.out)["item_id"].tolist() == [12, 16]
    printed = run(*arguments, "--users", "99,1,2")
    assert read_csv(printed.out)["user_id"].tolist() == [99, 1, 2]
    assert "1 user(s) are not in the file, the first is 2" in printed.err


def test_evaluate_scores_every_row_with_a_model_file(run, tmp_path, small_interactions):
    train, test = leave_last_out_split(small_interactions)
    paths = [str(tmp_path / name) for name in ("train.csv", "test.csv", "m.attrec")]
    train.to_csv(paths[0], index=False)
    test.to_csv(paths[1], index=False)
    run("fit", paths[0], "--model", "markov", "--out", paths[2])
    printed = run("evaluate", paths[1], "--model-file", paths[2], "--k", "3")
    for model in (MarkovRecommender(), PopularityRecommender()):
        expected = evaluate(model.fit(train), test, 3)
        for name, value in expected.iloc[0].items():
            line = re.search(rf"^{name} .*$", printed.out, re.MULTILINE)[0]
            assert f"{value:.4f}" in line.split()


def test_inspect_tells_what_a_file_holds(run, model_file):
    printed = run("inspect", model_file).out
    digest = hashlib.sha256(Path(model_file).read_bytes()).hexdigest()
    for line in ["MarkovRecommender", "n_users     12", "smoothing = 0.5", digest]:
        assert line in printed
    assert re.search(r"history\.items  I32  72", printed)


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "{csv}"],
        ["recommend", "--model-file", "{csv}", "--all-users"],
        ["evaluate", "{csv}", "--model-file", "{csv}"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_is_no_model_file_ends_with_3(file, arguments, capsys):
    assert cli.main([part.format(csv=file) for part in arguments]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "is not a model file of sklearn_attrec" in printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["recommend", "--users", "1"], "needs FILE or --model-file"),
        (["recommend", "--model-file", "{m}", "--users", "x"], "ids are integers"),
        (
            ["recommend", "--model-file", "{m}", "--all-users", "--set", "k=1"],
            "--model and --set are for training",
        ),
        (["inspect", "no.attrec"], "No such file or directory: 'no.attrec'"),
        (["fit", "{file}", "--out", "no/m.attrec"], "--out must be a file in a folder"),
    ],
)
def test_options_of_model_files_are_checked(fail, file, model_file, arguments, message):
    filled = [part.format(m=model_file, file=file) for part in arguments]
    assert message in fail(*filled)


def test_a_model_whose_file_cannot_be_written_is_saved_elsewhere(
    fail, file, small_interactions, tmp_path, monkeypatch
):
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "model.attrec"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    out.write_bytes(b"old")
    fsync, errors = os.fsync, [OSError(28, "No space left on device")]

    def full_at_first(descriptor):
        if errors:
            raise errors.pop()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full_at_first)
    words = fail("fit", file, *POPULARITY, "--out", str(out))
    (saved,) = elsewhere.rglob("*.attrec")
    assert "No space left on device" in words
    assert f"The model is saved as {str(saved)!r}" in words
    assert out.read_bytes() == b"old"
    expected = PopularityRecommender().fit(small_interactions).recommend()
    assert_frame_equal(load_model(saved).recommend(), expected)


def test_an_interrupted_fit_is_saved_when_asked(file, tmp_path, monkeypatch, capsys):
    def stopped(self, record, n_windows):
        raise KeyboardInterrupt

    monkeypatch.setattr(AttRecRecommender, "_print", stopped)
    settings = ["d=2", "verbose=1", "keep_interrupted=True"]
    settings = [part for setting in settings for part in ("--set", setting)]
    path = tmp_path / "cut.attrec"
    assert cli.main(["fit", file, "--out", str(path), *settings]) == 130
    assert "unfinished model of AttRecRecommender saved" in capsys.readouterr().err
    loaded = load_model(path)
    assert loaded.interrupted_
    assert loaded.n_iter_ == 1
    assert cli.main(["fit", file, "--out", str(path), *settings[:4]]) == 130
    assert path.read_bytes()  # nothing was fitted, and the file before stays


@pytest.mark.case("S15")
def test_ids_are_written_as_they_are_or_safe_for_spreadsheets(run, tmp_path):
    path = tmp_path / "formulas.csv"
    path.write_text(
        "user_id,item_id\nu,=1+1\nu,+x\nu,-y\nv,@z\nv,=1+1\nw,plain\nw,+x\n"
    )
    arguments = ["recommend", str(path), "--model", "popularity", "--all-users"]
    plain = read_csv(run(*arguments).out)
    assert {"=1+1", "@z", "plain"} <= set(plain["item_id"])
    safe = read_csv(run(*arguments, "--excel-safe").out)
    assert {"'=1+1", "'@z", "plain"} <= set(safe["item_id"])
    assert [text.lstrip("'") for text in safe["item_id"]] == plain["item_id"].tolist()


def test_nobody_listening_to_notes_stops_no_work(file, tmp_path):
    """What goes to a closed pipe is lost, but not the model."""
    out = tmp_path / "m.attrec"
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [sys.executable, "-m", "sklearn_attrec", "fit", file, *POPULARITY]
        + ["--out", str(out)],
        stderr=write,
    )
    os.close(write)
    assert ended.returncode == 0
    assert load_model(out).n_features_in_ == 3


def test_a_result_that_cannot_be_written_is_refused_before_training(fail, file):
    message = "--out must be a regular file"
    assert message in fail("fit", file, "--out", "/dev/null")
    assert "may be written to" in fail("fit", file, "--out", "no/m.attrec")


@pytest.mark.case("S13")
def test_ids_never_become_paths(run, tmp_path, monkeypatch):
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    names = ["../../x", "/etc/x", "~/x", "x\\y", "{user}", "%s", "file:///x"]
    table = pd.DataFrame({"user_id": names * 2, "item_id": [*names, *names[::-1]]})
    table.to_csv("rows.csv", index=False)
    run("fit", "rows.csv", "--model", "markov", "--out", "m.attrec")
    printed = run("recommend", "--model-file", "m.attrec", "--all-users")
    assert set(read_csv(printed.out)["user_id"]) <= set(names)
    run("recommend", "rows.csv", *POPULARITY, "--users", "../../x", "--out", "out.csv")
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert found == {"a/b/rows.csv", "a/b/m.attrec", "a/b/out.csv"}
