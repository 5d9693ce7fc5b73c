"""The command line: what it prints, what it refuses, and its exit codes."""

import hashlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import warnings
from configparser import ConfigParser
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import sklearn_attrec
from sklearn_attrec import (
    AttRecRecommender,
    MarkovRecommender,
    PopularityRecommender,
    cli,
    load_model,
)
from sklearn_attrec._training.loop import TrainingRun
from sklearn_attrec.cli._commands import _baseline
from sklearn_attrec.cli._values import _value
from sklearn_attrec.metrics import evaluate
from sklearn_attrec.model_selection import leave_last_out_split
from sklearn_attrec.models import RECOMMENDERS

POPULARITY = ["--model", "popularity"]
QUICK = ["--set", "max_iter=1", "--set", "d=4"]


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
    """Run a command that must fail; return its error, which is one line."""

    def fail(*arguments):
        code = cli.main([*arguments])
        printed = capsys.readouterr()
        assert (code, printed.out) == (2, "")
        *notes, line = printed.err.splitlines()
        assert "error" not in "".join(notes)
        return re.fullmatch("sklearn.attrec: error: (.*)", line)[1]

    return fail


@pytest.fixture
def model_file(run, file, tmp_path):
    path = str(tmp_path / "markov.attrec")
    printed = run("fit", file, "--model", "markov", "--set", "k=3", "--out", path)
    assert "MarkovRecommender" in printed.err
    return path


@pytest.fixture
def full_disk(monkeypatch):
    """Let the first file fail to be written."""
    fsync, errors = os.fsync, [OSError(28, "No space left on device")]

    def fail_at_first(descriptor):
        if errors:
            raise errors.pop()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_at_first)


def table(printed, **options):
    return pd.read_csv(io.StringIO(printed.out), **options)


def test_evaluate_prints_what_the_library_computes(run, file, small_interactions):
    printed = run("evaluate", file, *POPULARITY, "--k", "1,3")
    train, test = leave_last_out_split(small_interactions)
    expected = evaluate(PopularityRecommender().fit(train), test, k=(1, 3)).T
    header, *rows = (line.split() for line in printed.out.splitlines())
    assert header == ["PopularityRecommender"]
    assert [name for name, _ in rows] == list(expected.index)
    values = [float(value) for _, value in rows]
    np.testing.assert_allclose(values, expected.iloc[:, 0], atol=1e-4)
    assert re.search("12 .* 60 ", printed.err)  # rows held out, rows to train on


def test_commands_hold_out_whole_times(run, tmp_path):
    rows = [
        (u, (u + 3 * t + j) % 7, t) for u in range(5) for t in (0, 1) for j in (0, 1)
    ]
    X = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    X.to_csv(path := tmp_path / "baskets.csv", index=False)
    printed = run("evaluate", str(path), *POPULARITY, "--unit", "time")
    assert re.search("10 last rows held out, 10 rows", printed.err)
    assert "warning" not in printed.err
    tuned = run(
        "tune", str(path), *POPULARITY, "--grid", "exclude_seen=True", "--unit=time"
    )
    assert "warning" not in tuned.err


def test_evaluate_adds_the_baseline_and_sets_a_seed(run, file):
    command = ["evaluate", file, *QUICK, "--set", "verbose=1"]
    printed = run(*command)
    header, *rows = (line.split() for line in printed.out.splitlines())
    assert header == ["AttRecRecommender", "PopularityRecommender"]
    assert len(rows) == 9
    assert printed.err.count("Epoch ") == 1  # progress is no result
    assert run(*command).out == printed.out


def test_baseline_shares_the_settings_of_the_model():
    model = AttRecRecommender(k=3, exclude_seen=False, handle_unknown="error", d=7)
    expected = {"k": 3, "exclude_seen": False, "handle_unknown": "error"}
    assert _baseline(model).get_params() == expected


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("attrec", {"max_iter": 1, "d": 4, "random_state": 3}),
        ("item-knn", {"n_neighbors": 2}),
        ("markov", {"smoothing": 0.1}),
        ("popularity", {}),
    ],
)
def test_recommend_writes_csv(run, file, small_interactions, name, params):
    command = ["recommend", file, "--model", name, "--users", "3,1", "--k", "2"]
    for setting in params.items():
        command += ["--set", "{}={}".format(*setting)]
    model = RECOMMENDERS[name](**params).fit(small_interactions)
    expected = model.recommend([3, 1], k=2)
    printed = run(*command)
    assert_frame_equal(table(printed, dtype=dict(expected.dtypes)), expected)
    assert printed.err == ""


def test_recommend_names_users_that_are_not_in_the_file(run, fail, file):
    command = ["recommend", file, *POPULARITY, "--users", "1,99,98", "--k", "1"]
    printed = run(*command)
    assert re.search("2 user.* 99", printed.err)
    assert table(printed)["user_id"].tolist() == [1, 99, 98]
    assert "99" in fail(*command, "--set", "handle_unknown=error")


def test_users_are_read_as_the_ids_in_the_file(run, tmp_path):
    path = tmp_path / "text.csv"
    path.write_text('user_id,item_id\n002,1\n"a, b",2\n')
    command = ["recommend", str(path), *POPULARITY, "--k", "1", "--users"]
    printed = run(*command, '002,"a, b"')
    assert table(printed, dtype=str)["user_id"].tolist() == ["002", "a, b"]
    assert printed.err == ""
    assert "'2'" in run(*command, "2").err
    path.write_text("user_id,item_id\na,1\nb,2\n c,3\n")
    for users in ("a, b, c", " a , b,c ", '"a", b," c"', "a,b,\tc"):
        printed = run(*command, users)
        found = table(printed)["user_id"].tolist()
        assert found[:2] == ["a", "b"]
        assert found[2].strip() == "c"
        assert bool(printed.err) == (" c" not in found)  # an id with a space


@pytest.mark.parametrize("users", ["1, 2", " 1,2", "1 ,2 ", "1,\t2", '"1", "2"'])
def test_spaces_around_users_are_dropped(run, file, users):
    printed = run("recommend", file, *POPULARITY, "--users", users, "--k", "1")
    assert table(printed)["user_id"].tolist() == [1, 2]
    assert printed.err == ""


@pytest.mark.parametrize("users", ["x", "01", "1.0", "1,", "1_0", "9" * 20])
def test_users_of_another_type_are_refused(fail, file, users):
    line = fail("recommend", file, *POPULARITY, "--users", users)
    assert re.match("--users.*integers", line)
    assert repr(users.removeprefix("1,")) in line


def test_recommend_replaces_a_file(run, file, tmp_path):
    command = ["recommend", file, *POPULARITY, "--all-users", "--k", "3"]
    expected = run(*command)
    assert set(table(expected)["user_id"]) == set(range(1, 13))
    out, link = tmp_path / "out.csv", tmp_path / "link.csv"
    out.write_text("old")
    link.symlink_to(out)
    assert run(*command, "--out", str(link)).out == ""
    assert link.is_symlink()
    assert out.read_bytes() == expected.out.encode()
    assert len([*tmp_path.iterdir()]) == 3
    run(*command, "--out", "/dev/null")


@pytest.mark.usefixtures("full_disk")
def test_recommend_writes_all_of_a_file_or_nothing(fail, file, tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("old")
    command = ["recommend", file, *POPULARITY, "--all-users", "--out", str(out)]
    assert "No space left" in fail(*command)
    assert out.read_bytes() == b"old"
    assert len([*tmp_path.iterdir()]) == 2


@pytest.mark.usefixtures("full_disk")
def test_a_model_whose_file_cannot_be_written_is_saved_elsewhere(
    fail, file, small_interactions, tmp_path, monkeypatch
):
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "model.attrec"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    out.write_bytes(b"old")
    line = fail("fit", file, *POPULARITY, "--out", str(out))
    (saved,) = elsewhere.rglob("*.attrec")
    assert "No space left on device" in line
    assert repr(str(saved)) in line
    assert out.read_bytes() == b"old"
    expected = PopularityRecommender().fit(small_interactions).recommend()
    assert_frame_equal(load_model(saved).recommend(), expected)


@pytest.mark.case("S15")
def test_ids_are_written_as_they_are_or_safe_for_spreadsheets(run, tmp_path):
    path, rows = tmp_path / "formulas.csv", "u,=1+1\nu,+x\nu,-y\nv,@z\nv,=1+1\nw,plain"
    path.write_text(f"user_id,item_id\n{rows}\nw,+x\n")
    arguments = ["recommend", str(path), *POPULARITY, "--all-users"]
    plain = table(run(*arguments))
    assert {"=1+1", "@z", "plain"} <= set(plain["item_id"])
    safe = table(run(*arguments, "--excel-safe"))
    assert {"'=1+1", "'@z", "plain"} <= set(safe["item_id"])
    assert [text.lstrip("'") for text in safe["item_id"]] == plain["item_id"].tolist()


@pytest.mark.case("S13")
def test_ids_never_become_paths(run, tmp_path, monkeypatch):
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    names = ["../../x", "/etc/x", "~/x", "x\\y", "{user}", "%s", "file:///x"]
    rows = pd.DataFrame({"user_id": names * 2, "item_id": [*names, *names[::-1]]})
    rows.to_csv("rows.csv", index=False)
    run("fit", "rows.csv", "--model", "markov", "--out", "m.attrec")
    printed = run("recommend", "--model-file", "m.attrec", "--all-users")
    assert set(table(printed)["user_id"]) <= set(names)
    run("recommend", "rows.csv", *POPULARITY, "--users", "../../x", "--out", "out.csv")
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert found == {"a/b/rows.csv", "a/b/m.attrec", "a/b/out.csv"}


def test_tune_ranks_the_candidates(run, file):
    grid = ["--grid", "omega=0.0,0.5", "--grid", "loss=hinge,softmax"]
    printed = run("tune", file, *grid, *QUICK, "--set", "k=2")
    header, *rows, popularity, best = printed.out.splitlines()
    assert header.split() == ["rank", "hit_rate@2", "omega", "loss", "fit_seconds"]
    rows = [row.split() for row in rows]
    scores = [float(row[1]) for row in rows]
    assert len(rows) == 4
    assert scores == sorted(scores, reverse=True)
    assert re.fullmatch(r"popularity: 0\.\d{4}", popularity)
    winners = [f"--set loss={r[3]} --set omega={r[2]}" for r in rows if r[0] == "1"]
    assert best.removeprefix("best: ") in winners


def test_tune_runs_in_several_processes(run, file):
    grid = ["--grid", "exclude_seen=True,False", "--jobs", "2"]
    assert "exclude_seen=" in run("tune", file, *POPULARITY, *grid).out


def test_tune_reports_why_all_fits_failed(fail, tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("user_id,item_id\n1,1\n1,2\n2,2\n2,3\n")
    line = fail("tune", str(path), "--grid", "omega=0.1,0.2")
    assert re.match(r"AttRecRecommender\.fit: .*\b2\b", line)


def test_values_are_literals_or_text():
    for text in ("0.5", "10", "None", "True", "'softmax'"):
        assert repr(_value(text)) == text
    for text in ("softmax", "__import__('os').getcwd()", "", "(" * 500, "\0"):
        assert _value(text) == text


# Errors that do not depend on the file are reported before it is read.
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "COMMAND"),
        ("nope", "'nope'"),
        ("evaluate", "FILE"),
        ("evaluate no.csv", "No such file"),
        ("evaluate no.csv --k 0", "'0'.*positive integer"),
        ("evaluate no.csv --k 1,", "''.*positive integer"),
        ("recommend no.csv --users 1 --k ten", "'ten'.*positive integer"),
        ("evaluate no.csv --model oracle", "'oracle'"),
        ("evaluate no.csv --mod attrec", "--mod"),
        ("evaluate no.csv --set omgea=1", "--set.*AttRec.*'omgea'.*'omega'"),
        ("evaluate no.csv --set zzz=1", "--set.*'zzz'.* L, aggregation, "),
        ("evaluate no.csv --set omega", "--set.*name=value.*'omega'"),
        ("evaluate no.csv --set omega=2", "'omega' parameter of AttRec.* 2"),
        ("tune no.csv", "--grid"),
        ("tune no.csv --grid omega=0.2,4", "'omega' parameter of AttRec.* 4"),
        ("tune no.csv --grid omgea=1", "--grid.*'omgea'.*'omega'"),
        ("tune no.csv --grid omega=1 --grid omega=2", "--grid.*'omega'"),
        ("tune no.csv --grid k=5,10", "--grid.*'k'"),
        ("recommend no.csv", "--users --all-users"),
        ("recommend no.csv --users=1 --all-users", "--all-users.*--users"),
        ("recommend {csv} --model popularity --users ''", "--users.*--all-users"),
        ("recommend no.csv --all-users --out no/out.csv", "--out.*'no/out.csv'"),
        ("recommend no.csv --all-users --out {folder}", "--out.*'{folder}'"),
        ("recommend no.csv --all-users --out x.parquet", "--out.*'x.parquet'.*'.csv'"),
        ("fit no.csv --out no/m.attrec", "--out.*'no/m.attrec'"),
        ("fit no.csv --out /dev/null", "--out.*/dev/null"),
        ("recommend --users 1", "FILE.*--model-file"),
        ("recommend --model-file {model} --users x", "--users.*integers.*'x'"),
        ("recommend --model-file {model} --all-users --set smoothing=1", "only k"),
        ("evaluate {csv} --model-file {model} --unit time", "--unit.*--model-file"),
        ("inspect no.attrec", "No such file.*no.attrec"),
    ],
)
def test_bad_arguments_end_in_one_line(
    fail, file, model_file, tmp_path, command, message
):
    names = {"csv": file, "model": model_file, "folder": tmp_path}
    line = fail(*shlex.split(command.format(**names)))
    assert re.search(message.format(**names), line)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("uid,movie\n1,2\n", [], "--columns uid=user_id,movie=item_id"),
        ("user_id,item_id,date\n1,2,3\n1,3,4\n", [], "--columns date=timestamp"),
        ("user_id,item_id,ts (UTC)\n1,2,3\n", [], "by time, remove it from the file."),
        ("user_id,item_id,ts{'s}\n1,2,3\n", [], "ts{'\"'\"'s}=timestamp'. If"),
        (
            "user_id,item_id,date,time\n1,2,2014-01-05,12:00\n",
            [],
            "join the parts in the file, in one column 'timestamp'. If",
        ),
        ("user_id;item_id\n1;2\n", [], "--sep=';'"),
        ("1,2\n1,3\n", [], "--header=no"),
        ("user_id,item_id\n1,2\n", [], "at least 2"),
        ("user_id,item_id\n1,\n", [], "blank"),
        ("", [], "empty"),
        ("a,b\n", ["--columns", "a=user_id,b"], "--columns"),
        ("a,b\n1,2\n", ["--columns", "c=user_id"], "['c']"),
        ("user_id,item_id,date (x)\n1,2,3\n1,3,4\n", [], "remove it from the file"),
        ("user_id,item_id,{date}\n1,2,3\n1,3,4\n", [], "--columns '{date}=timestamp'"),
        ("user_id,item_id,it's date\n1,2,3\n", [], "date=timestamp'. If"),
        ('user_id,item_id,"a,date"\n1,2,3\n', [], "in Python (--columns cannot"),
        ("user_id,item_id,date=\n1,2,3\n", [], "in Python (--columns cannot"),
        ("user_id,item_id,timestamp\n1,2,\n", [], "Remove such rows from the file."),
    ],
)
def test_advice_on_a_bad_file_names_options(fail, tmp_path, text, options, message):
    path = tmp_path / "interactions.csv"
    path.write_text(text)
    assert message in fail("evaluate", str(path), *POPULARITY, *options)


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("a.txt", "1\ta b\n2\tc d\n", [r"--sep='\t'"]),
        ("a.txt", "1, 2\n2, 3\n", ["--sep=', '"]),
        ("a.csv", "u,7\nv,8\n", ["--header=no"]),
        ("a.csv", "user_id,item_id\n1,\n1,2\n2,3\n", ["--drop-blank-ids"]),
        (
            "a.csv",
            "user_id,item_id\n1,é\n2,3\n".encode("latin-1"),
            ["--encoding='latin-1'"],
        ),
        ("a.tsv", 'user_id\titem_id\n1\t"a\n2\tb"\n', ["--quotes=no"]),
        ("a.txt", '1 "a b"\n2 "c"\n', ["--quotes=yes"]),
        ("a.txt", "1 2 3\n2 4\n", ["--layout='histories'"]),
        ("a.txt", "1 10 4\n2 11 5\n", ["--columns user_id,item_id,rating"]),
        (
            *(
                "a.csv",
                "user_id,item_id,timestamp\n1,2,31/1/20 8:00\n2,3,1/2/20 9:00\n",
            ),
            ["--time-format='%d/%m/%y %H:%M'"],
        ),
    ],
)
@pytest.mark.filterwarnings("default:.*id is blank:UserWarning")
def test_following_the_advice_works(run, fail, tmp_path, name, text, options):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    command = ["recommend", str(path), *POPULARITY, "--all-users", "--k", "1"]
    line = fail(*command)
    for option in options:
        assert option in line
        command += shlex.split(option)
    assert "user_id,item_id" in run(*command).out


def test_columns_are_renamed_or_named(run, tmp_path):
    path = tmp_path / "other.txt"
    command = ["recommend", str(path), *POPULARITY, "--users", "1", "--k", "1"]
    path.write_text("userId\tmovieId\n1\t7\n2\t8\n")
    tabs = ["--sep", r"\t", "--header", "yes"]
    renamed = run(*command, *tabs, "--columns", "userId=user_id, movieId=item_id")
    path.write_text("1|7\n2|8\n")
    named = run(*command, "--sep", "|", "--columns", "user_id, item_id")
    assert renamed.out == named.out == "user_id,item_id,score,rank\n1,8,0.5,1\n"


def test_debug_shows_the_traceback(tmp_path):
    with pytest.raises(FileNotFoundError):
        cli.main(["evaluate", str(tmp_path / "none.csv"), "--debug"])


def test_warnings_are_one_line_and_no_result(run, file, monkeypatch):
    fit = PopularityRecommender.fit

    def warn(self, X):
        warnings.warn("something\nto know", stacklevel=2)
        return fit(self, X)

    monkeypatch.setattr(PopularityRecommender, "fit", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        printed = run("recommend", file, *POPULARITY, "--users", "1", "--k", "1")
    assert printed.out.count("\n") == 2
    assert re.fullmatch("sklearn.attrec: warning: something to know\n", printed.err)


@pytest.mark.parametrize(("stage", "fitted"), [("begin_epoch", False), ("save", True)])
def test_interrupted_fit_saves_the_model_reached_so_far(
    file, tmp_path, monkeypatch, capsys, stage, fitted
):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingRun, stage, interrupt)
    out = tmp_path / "m.attrec"
    out.write_bytes(b"old")
    assert cli.main(["fit", file, "--set", "d=4", "--out", str(out)]) == 130
    *notes, last = capsys.readouterr().err.splitlines()
    assert last.endswith(": interrupted")
    assert ("unfinished" in "".join(notes)) == fitted
    if fitted:
        model = load_model(out)
        assert (model.interrupted_, model.n_iter_, len(model.users_)) == (True, 1, 12)
    else:
        assert out.read_bytes() == b"old"


def test_console_script_runs_main():
    setup = ConfigParser()
    setup.read(Path(__file__).parents[1] / "setup.cfg")
    script = setup["options.entry_points"]["console_scripts"].split()
    assert script[:2] == ["sklearn-attrec", "="]
    assert EntryPoint(script[0], script[2], "console_scripts").load() is cli.main


def test_version_and_help(capsys):
    for arguments in (["--version"], ["--help"], ["tune", "--help"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"sklearn-attrec {sklearn_attrec.__version__}\n")
    assert "--grid NAME=VALUE,VALUE" in printed


def test_exit_codes_and_streams_of_a_process(file, tmp_path):
    command, options = [sys.executable, "-m", "sklearn_attrec"], {"text": True}
    bad = [*command, "evaluate", file, "--set", "omega=2"]
    ended = subprocess.run(bad, capture_output=True, **options)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert re.match("sklearn.attrec: error: ", ended.stderr)
    # Notes on a closed standard error are lost, but not the model.
    read, write = os.pipe()
    os.close(read)
    out = tmp_path / "m.attrec"
    fit = [*command, "fit", file, *POPULARITY, "--out", str(out)]
    ended = subprocess.run(fit, stderr=write, **options)
    os.close(write)
    assert ended.returncode == 0
    assert load_model(out).n_features_in_ == 3
    recommend = [*command, "recommend", "--model-file", str(out), "--users", "1"]
    ended = subprocess.run(recommend, capture_output=True, **options)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("user_id,item_id,score,rank\n1,")


def test_fit_saves_what_the_library_fits(run, model_file, small_interactions):
    fitted = MarkovRecommender(k=3).fit(small_interactions)
    loaded = load_model(model_file)
    assert loaded.get_params() == fitted.get_params()
    assert_frame_equal(loaded.recommend(), fitted.recommend(), check_exact=True)
    command = ["recommend", "--model-file", model_file, "--k", "2"]
    printed = run(*command, "--users", "3,1")
    expected = fitted.recommend([3, 1], k=2)
    assert_frame_equal(table(printed), expected, check_dtype=False)
    assert set(table(run(*command, "--all-users"))["user_id"]) == set(range(1, 13))


def test_recommend_with_a_model_file_and_other_histories(run, model_file, tmp_path):
    path = tmp_path / "since.csv"
    path.write_text("user_id,item_id,timestamp\n1,15,20\n99,11,7\n1,14,10\n")
    arguments = ["recommend", str(path), "--model-file", model_file, "--k", "1"]
    printed = run(*arguments, "--all-users")
    # The cycle continues: 11, 12 and 14, 15, 16. Users are in the order of time.
    assert table(printed)["item_id"].tolist() == [12, 16]
    printed = run(*arguments, "--users", "99,1,2")
    assert table(printed)["user_id"].tolist() == [99, 1, 2]
    assert re.search(r"1 user.*\b2\b", printed.err)


@pytest.mark.parametrize("context", ["fit", "earlier"])
def test_evaluate_with_a_model_file_scores_all_rows(
    context, run, tmp_path, small_interactions
):
    train, test = leave_last_out_split(small_interactions, n_last=2)
    paths = [str(tmp_path / name) for name in ("train.csv", "test.csv", "m.attrec")]
    train.to_csv(paths[0], index=False)
    test.to_csv(paths[1], index=False)
    run("fit", paths[0], "--model", "markov", "--out", paths[2])
    options = ["--k", "3", "--context", context]
    printed = run("evaluate", paths[1], "--model-file", paths[2], *options)
    for model in (MarkovRecommender(), PopularityRecommender()):
        expected = evaluate(model.fit(train), test, 3, context=context)
        for name, value in expected.iloc[0].items():
            line = re.search(rf"^{name} .*$", printed.out, re.MULTILINE)[0]
            assert f"{value:.4f}" in line.split()


@pytest.mark.filterwarnings("default")
def test_advice_about_seen_items_works_with_a_model_file(run, file, model_file):
    command = ["evaluate", file, "--model-file", model_file, "--k", "3"]
    assert "compare with --set exclude_seen=False." in run(*command).err
    printed = run(*command, "--set", "exclude_seen=False")
    assert "exclude_seen" not in printed.err
    assert "repeat_hits@3" in printed.out


def test_inspect_prints_the_contents_of_a_file(run, model_file):
    printed = run("inspect", model_file).out
    digest = hashlib.sha256(Path(model_file).read_bytes()).hexdigest()
    for line in ["MarkovRecommender", "n_users     12", "smoothing = 0.5", digest]:
        assert line in printed
    assert re.search(r"history\.items  I32  72", printed)


def test_invalid_model_file_ends_with_3(file, capsys):
    model = ["--model-file", file]
    commands = ["inspect", file], ["recommend", *model, "--all-users"]
    for command in (*commands, ["evaluate", file, *model]):
        assert cli.main(command) == 3
        printed = capsys.readouterr()
        assert printed.out == ""
        assert re.search(f"{file}.*model file", printed.err)
