"""Fits that are interrupted: what is kept, what is refused, and the same bits after."""

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec import (
    AttRecRecommender,
    SASRecRecommender,
    SSEPTRecommender,
    load_model,
    save_model,
)
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.exceptions import (
    CheckpointMismatchError,
    InvalidParameterError,
    ModelCorruptError,
    ModelFileError,
    TrainingDivergedError,
)
from sklearn_attrec.utils._tensor_file import read_tensors, write_tensors

SMALL = {"d": 4, "L": 4, "max_iter": 4, "batch_size": 16, "k": 3, "random_state": 0}
BLOCK = {**SMALL, "n_blocks": 1, "dropout": 0.2}
MODELS = [
    AttRecRecommender(**SMALL),
    AttRecRecommender(**SMALL, loss="softmax", optimizer="adagrad", dropout=0),
    AttRecRecommender(**SMALL, early_stopping=True, n_iter_no_change=1, tol=0.02),
    SASRecRecommender(**BLOCK, early_stopping=True),
    SASRecRecommender(**BLOCK, loss="gbce", windows="last", norm="post"),
    SSEPTRecommender(**BLOCK, d_user=2, sse_user=0.5),
]
every_model = pytest.mark.parametrize("model", MODELS, ids=range(len(MODELS)))


@pytest.fixture
def interactions():
    return make_interactions(30, 20, n_per_user=(2, 12), random_state=0)


@pytest.fixture
def checkpoint(tmp_path):
    return tmp_path / "fit.checkpoint"


@pytest.fixture
def interrupt(monkeypatch):
    """Let training stop, as by Ctrl-C, before the nth call of the compiled loop."""
    from sklearn_attrec._training import Trainer  # imports TensorFlow

    run = Trainer.run

    def interrupt(n, steps=5, error=KeyboardInterrupt):
        calls = iter(range(1, 10**6))

        def stopped(self, *args):
            if next(calls) == n:
                raise error
            return run(self, *args)

        monkeypatch.setattr(Trainer, "run", stopped)
        monkeypatch.setattr("sklearn_attrec._network_base.STEPS_A_CALL", steps)

    return interrupt


def interrupted(model, interactions, interrupt, n, **options):
    """Fit until the nth call, then let training be as it was."""
    interrupt(n, **options)
    with pytest.raises(KeyboardInterrupt):
        model.fit(interactions)
    interrupt(0, **options)
    return model


def without_seconds(model):
    return [
        {name: value for name, value in record.items() if name != "seconds"}
        for record in model.history_
    ]


def assert_same_fit(model, other):
    assert model.weights_.keys() == other.weights_.keys()
    for name, value in model.weights_.items():
        assert_array_equal(value, other.weights_[name], err_msg=name)
    assert without_seconds(model) == without_seconds(other)
    assert model.n_iter_ == other.n_iter_
    assert not model.interrupted_


# Resumed fits -------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@every_model
def test_a_resumed_fit_gives_the_same_bits(
    model, n, interactions, checkpoint, interrupt
):
    whole = clone(model).fit(interactions)
    part = clone(model).set_params(
        checkpoint=checkpoint, checkpoint_every="1us", resume=True
    )
    interrupted(part, interactions, interrupt, n, steps=1)
    assert checkpoint.exists() == (n > 1)
    assert_same_fit(clone(part).fit(interactions), whole)
    assert list(checkpoint.parent.iterdir()) == []


@pytest.mark.parametrize("every", [1, 2, 3])
def test_checkpoints_every_few_epochs(interactions, checkpoint, interrupt, every):
    model = AttRecRecommender(**SMALL)
    whole = clone(model).fit(interactions)
    model.set_params(checkpoint=str(checkpoint), checkpoint_every=every, resume=True)
    interrupted(model, interactions, interrupt, 4, steps=10**6)
    manifest_epoch = {1: 3, 2: 2, 3: 3}[every]
    again, printed = clone(model).set_params(verbose=1), []
    again._print = lambda record, n_windows: printed.append(record["epoch"])
    assert_same_fit(again.fit(interactions), whole)
    assert printed == list(range(manifest_epoch + 1, 5))


def test_a_resumed_fit_says_so(interactions, checkpoint, interrupt, capsys):
    model = AttRecRecommender(**SMALL, checkpoint=checkpoint, resume=True)
    interrupted(model, interactions, interrupt, 3, steps=10**6)
    clone(model).set_params(verbose=1).fit(interactions)
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "Going on after epoch 2, step 0"
    assert second.startswith("Epoch 3/4  loss ")


def test_without_a_seed_the_first_one_is_kept(interactions, checkpoint, interrupt):
    """The users held out for validation stay held out."""
    model = AttRecRecommender(**SMALL, early_stopping=True, checkpoint=checkpoint)
    model.set_params(random_state=None, resume=True, keep_interrupted=True)
    interrupted(model, interactions, interrupt, 3, steps=10**6)
    again = clone(model).fit(interactions)
    assert without_seconds(again)[:2] == without_seconds(model)
    later = clone(model).fit(interactions)
    assert without_seconds(later)[0] != without_seconds(model)[0]


def test_a_warm_start_is_resumed(interactions, checkpoint, interrupt):
    model = AttRecRecommender(**SMALL).fit(interactions)
    more = make_interactions(40, 25, n_per_user=(1, 9), random_state=1)
    warm = pickle.loads(pickle.dumps(model)).set_params(warm_start=True)
    whole = pickle.loads(pickle.dumps(warm)).fit(more)
    part = pickle.loads(pickle.dumps(warm)).set_params(checkpoint=checkpoint)
    interrupted(part, more, interrupt, 3, steps=10**6)
    # Another process need not have the earlier model.
    again = clone(part).set_params(resume=True).fit(more)
    assert_same_fit(again, whole)


@pytest.mark.parametrize("steps", [1, 7, 10**6])
def test_cutting_an_epoch_into_calls_changes_nothing(interactions, interrupt, steps):
    whole = SASRecRecommender(**BLOCK).fit(interactions)
    interrupt(0, steps=steps)
    assert_same_fit(SASRecRecommender(**BLOCK).fit(interactions), whole)


def test_a_seed_of_any_type_is_resumed(interactions, checkpoint, interrupt):
    for seed in (np.int64(3), np.random.RandomState(3)):
        whole = AttRecRecommender(**{**SMALL, "random_state": 3}).fit(interactions)
        if isinstance(seed, np.random.RandomState):
            whole.set_params(random_state=np.random.RandomState(3)).fit(interactions)
        model = clone(whole).set_params(random_state=seed, checkpoint=checkpoint)
        interrupted(clone(model), interactions, interrupt, 3, steps=10**6)
        assert_same_fit(clone(model).set_params(resume=True).fit(interactions), whole)


# Checkpoints that are damaged, or another fit's ----------------------------------


@pytest.fixture
def two_checkpoints(interactions, checkpoint, interrupt):
    """A fit that was interrupted after its second epoch."""
    model = AttRecRecommender(**SMALL, checkpoint=checkpoint, resume=True)
    interrupted(model, interactions, interrupt, 3, steps=10**6)
    previous = checkpoint.with_name("fit.checkpoint.previous")
    assert checkpoint.exists()
    assert previous.exists()
    return model, checkpoint, previous


@pytest.mark.case("F9")
def test_a_damaged_checkpoint_falls_back(interactions, two_checkpoints):
    model, path, previous = two_checkpoints
    whole = AttRecRecommender(**SMALL).fit(interactions)
    good, older = path.read_bytes(), previous.read_bytes()
    random = np.random.default_rng(0)
    for trial in range(20):
        damaged = bytearray(good)
        if trial % 2:
            damaged[random.integers(len(good))] ^= 1 << random.integers(8)
        else:
            del damaged[random.integers(len(good)) :]
        path.write_bytes(damaged)
        previous.write_bytes(older)
        again = clone(model)
        with pytest.warns(UserWarning, match=r"The one before it is used, of epoch 1"):
            again.fit(interactions)
        assert_same_fit(again, whole)


def test_a_damaged_checkpoint_does_not_push_out_the_good_one(
    interactions, two_checkpoints, interrupt, monkeypatch
):
    model, path, previous = two_checkpoints
    path.write_bytes(path.read_bytes()[:-1])
    older = previous.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("sklearn_attrec._checkpoints.write_tensors", full)
        used = pytest.warns(UserWarning, match="before it is used")
        with used, pytest.raises(OSError, match="No space"):
            clone(model).fit(interactions)
    assert previous.read_bytes() == older
    with pytest.warns(UserWarning, match="before it is used"):
        interrupted(clone(model), interactions, interrupt, 2, steps=10**6)
    assert previous.read_bytes() == older
    assert_same_fit(
        clone(model).fit(interactions), AttRecRecommender(**SMALL).fit(interactions)
    )


def test_the_older_one_alone_is_enough(interactions, two_checkpoints):
    """A kill may come between the two renames of a save."""
    model, path, _ = two_checkpoints
    path.unlink()
    assert_same_fit(
        clone(model).fit(interactions), AttRecRecommender(**SMALL).fit(interactions)
    )


def test_two_damaged_checkpoints_are_no_reason_to_start_anew(
    interactions, two_checkpoints
):
    model, path, previous = two_checkpoints
    path.write_bytes(path.read_bytes()[:-1])
    previous.write_bytes(b"")
    with pytest.raises(ModelCorruptError, match=r"fit\.checkpoint'.* delete it to"):
        clone(model).fit(interactions)
    assert path.exists()


OTHERS = {
    "d": {"d": 5},
    "loss": {"loss": "bpr"},
    "max_iter": {"max_iter": 9},
    "random_state": {"random_state": 1},
    "L": {"L": 5},
}


@pytest.mark.case("F10")
@pytest.mark.parametrize("name", OTHERS)
def test_a_checkpoint_of_other_parameters_is_refused(
    interactions, two_checkpoints, name
):
    model, path, _ = two_checkpoints
    other = clone(model).set_params(**OTHERS[name])
    old, new = model.get_params()[name], other.get_params()[name]
    message = rf"fit\.checkpoint' .*{name}={old!r}, and this one has {name}={new!r}"
    with pytest.raises(CheckpointMismatchError, match=message):
        other.fit(interactions)
    assert path.exists()
    with pytest.raises(NotFittedError):
        check_is_fitted(other)


@pytest.mark.case("F10")
def test_a_checkpoint_of_other_data_version_or_class_is_refused(
    interactions, two_checkpoints, monkeypatch
):
    model, path, _ = two_checkpoints
    for other in [
        interactions.iloc[1:],
        interactions.assign(timestamp=interactions["timestamp"] + 1),
        interactions.assign(item_id=interactions["item_id"] + 1),
        interactions.assign(item_id=interactions["item_id"].astype(str)),
    ]:
        with pytest.raises(CheckpointMismatchError, match="with other interactions"):
            clone(model).fit(other)
    sasrec = SASRecRecommender(**BLOCK, checkpoint=path, resume=True)
    with pytest.raises(CheckpointMismatchError, match="'AttRecRecommender'"):
        sasrec.fit(interactions)
    with monkeypatch.context() as patch:
        patch.setattr("sklearn_attrec.__version__", "9.9")
        with pytest.raises(CheckpointMismatchError, match=r"version='9\.9'"):
            clone(model).fit(interactions)
        # Another version may keep other things, which is no damage.
        patch.setattr("sklearn_attrec._checkpoints._read_progress", None)
        with pytest.raises(CheckpointMismatchError, match=r"version='9\.9'"):
            clone(model).fit(interactions)
    with monkeypatch.context() as patch:
        patch.setattr("sklearn_attrec.utils._tensor_file.FORMAT", (2, 0))
        with pytest.raises(CheckpointMismatchError, match=r"file format 1\.0"):
            clone(model).fit(interactions)


def test_what_only_looks_on_may_change(interactions, two_checkpoints, tmp_path):
    model, path, _ = two_checkpoints
    elsewhere = path.rename(tmp_path / "elsewhere")
    again = clone(model).set_params(
        checkpoint=elsewhere, checkpoint_every=3, keep_interrupted=True, verbose=0
    )
    whole = AttRecRecommender(**SMALL).fit(interactions)
    assert_same_fit(again.fit(interactions), whole)


def test_an_unfinished_fit_is_not_overwritten(interactions, two_checkpoints):
    model, path, previous = two_checkpoints
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(InvalidParameterError, match=r"exists\. Pass resume=True"):
            clone(model).set_params(resume=False).fit(interactions)
        assert not path.exists() or path.read_bytes() == before
        path.unlink(missing_ok=True)
    previous.unlink()
    clone(model).set_params(resume=False).fit(interactions)


def test_resume_needs_a_checkpoint(interactions):
    model = AttRecRecommender(**SMALL, resume=True)
    with pytest.raises(InvalidParameterError, match="Got checkpoint=None"):
        model.fit(interactions)


def test_models_and_checkpoints_are_told_apart(interactions, two_checkpoints):
    model, path, previous = two_checkpoints
    with pytest.raises(ModelFileError, match=r"is not a model but a 'checkpoint'"):
        load_model(path)
    save_model(AttRecRecommender(**SMALL).fit(interactions), path)
    previous.unlink()
    with pytest.raises(ModelFileError, match="is no checkpoint of a fit"):
        clone(model).fit(interactions)


def test_arrays_that_do_not_fit_are_refused(interactions, two_checkpoints):
    """Whoever writes a checkpoint by hand gets no further than this."""
    model, path, previous = two_checkpoints
    manifest, tensors = read_tensors(path)
    manifest = {key: manifest[key] for key in ("kind", "identity", "progress")}
    previous.unlink()
    for name, value in [
        ("weights.U", tensors["weights.U"][1:]),
        ("weights.V", tensors["weights.V"].astype(np.float64)),
        ("optimizer.1.X", None),
        ("unlearned", None),
        ("unlearned", np.array([10**6])),
        ("best.U", tensors["weights.U"]),
    ]:
        others = {key: array for key, array in tensors.items() if key != name}
        write_tensors(
            path, manifest, others if value is None else others | {name: value}
        )
        with pytest.raises(ModelFileError, match="does not fit this network"):
            clone(model).fit(interactions)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("best", 10**400),
        ("epoch", 3),
        ("random", "[" * 10**5),
        ("entropy", None),
        ("epoch", -1),
        ("loss", "x"),
        ("random", json.dumps({"bit_generator": "PCG64", "state": {"state": 2**200}})),
        ("step", 1.0),
        ("steps", 2**64),
        ("waited", True),
        ("what", 1),
    ],
)
def test_progress_that_no_fit_makes_is_refused(
    interactions, two_checkpoints, name, value
):
    model, path, previous = two_checkpoints
    manifest, tensors = read_tensors(path)
    manifest = {key: manifest[key] for key in ("kind", "identity", "progress")}
    manifest["progress"][name] = value
    previous.unlink()
    write_tensors(path, manifest, tensors)
    with pytest.raises(ModelFileError, match="'progress' cannot be used"):
        clone(model).fit(interactions)


def test_a_checkpoint_that_cannot_be_written_is_an_error(interactions, tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "no" / "file", tmp_path / "folder", "."):
        model = AttRecRecommender(**SMALL, checkpoint=path)
        with pytest.raises(InvalidParameterError, match=r"'checkpoint' is .*another"):
            model.fit(interactions)
        with pytest.raises(NotFittedError):
            check_is_fitted(model)


def test_what_is_no_checkpoint_is_left_alone(interactions, tmp_path):
    path = tmp_path / "rows.csv"
    interactions.to_csv(path)
    before = path.read_bytes()
    model = AttRecRecommender(**SMALL, checkpoint=path)
    with pytest.raises(InvalidParameterError, match=r"exists\. Pass resume=True"):
        model.fit(interactions)
    with pytest.raises(ModelFileError, match=r"is not a model file"):
        model.set_params(resume=True).fit(interactions)
    assert path.read_bytes() == before


def test_a_link_stays_a_link(interactions, tmp_path, interrupt):
    (tmp_path / "folder").mkdir()
    link, path = tmp_path / "link", tmp_path / "folder" / "file"
    link.symlink_to(path)
    model = AttRecRecommender(**SMALL, checkpoint=link)
    interrupted(model, interactions, interrupt, 4, steps=10**6)
    assert {each.name for each in path.parent.iterdir()} == {"file", "file.previous"}
    again = clone(model).set_params(resume=True).fit(interactions)
    assert_same_fit(again, AttRecRecommender(**SMALL).fit(interactions))
    assert link.is_symlink()
    assert list(path.parent.iterdir()) == []


def test_a_finished_fit_is_not_lost_to_ctrl_c(interactions, checkpoint, monkeypatch):
    """The checkpoint goes when the attributes are set, and not before."""

    def stopped(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_attrec._network_base.remove_checkpoints", stopped)
    model = AttRecRecommender(**SMALL, checkpoint=checkpoint)
    with pytest.raises(KeyboardInterrupt):
        model.fit(interactions)
    assert_same_fit(model, AttRecRecommender(**SMALL).fit(interactions))
    assert checkpoint.exists()


def test_a_resumed_model_holds_no_more_memory(interactions, checkpoint, interrupt):
    """Its weights are no views of the checkpoint, which is four times as large."""
    model = AttRecRecommender(**SMALL, early_stopping=True, checkpoint=checkpoint)
    model.set_params(tol=1.0, n_iter_no_change=2, resume=True)
    interrupted(model, interactions, interrupt, 3, steps=10**6)
    again = clone(model).fit(interactions)
    assert again.n_iter_ < SMALL["max_iter"]
    assert all(value.base is None for value in again.weights_.values())


# Interrupted models --------------------------------------------------------------


def test_ctrl_c_leaves_the_earlier_fit(interactions, interrupt):
    model = AttRecRecommender(**SMALL).fit(interactions.head(100))
    before = pickle.dumps(model)
    interrupted(model, interactions, interrupt, 8)
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, TrainingDivergedError])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_the_last_complete_epoch_is_kept_when_asked(
    interactions, interrupt, error, early_stopping, tmp_path
):
    model = SASRecRecommender(**BLOCK, early_stopping=early_stopping)
    two = clone(model).set_params(schedule="constant", max_iter=2).fit(interactions)
    model.set_params(schedule="constant", keep_interrupted=True)
    interrupt(3, steps=10**6, error=error)  # a call is an epoch
    with pytest.raises(error):
        model.fit(interactions)
    assert model.interrupted_
    assert model.n_iter_ == 2
    for name, value in two.weights_.items():
        assert_array_equal(model.weights_[name], value)
    assert without_seconds(model) == without_seconds(two)
    assert_array_equal(model.predict([1, 2]), two.predict([1, 2]))
    save_model(model, tmp_path / "cut.attrec")
    assert load_model(tmp_path / "cut.attrec").interrupted_


def test_nothing_is_kept_before_the_first_epoch_ends(interactions, interrupt):
    model = AttRecRecommender(**SMALL, keep_interrupted=True)
    interrupted(model, interactions, interrupt, 2, steps=1)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)


def test_a_resumed_fit_that_is_stopped_at_once_keeps_what_it_found(
    interactions, interrupt, checkpoint
):
    model = AttRecRecommender(**SMALL, checkpoint=checkpoint, keep_interrupted=True)
    interrupted(model, interactions, interrupt, 3, steps=10**6)
    again = clone(model).set_params(resume=True)
    interrupted(again, interactions, interrupt, 1, steps=10**6)
    assert again.n_iter_ == 2
    for name, value in model.weights_.items():
        assert_array_equal(again.weights_[name], value)


# Killed processes ----------------------------------------------------------------

TRAIN = """
import sys
from sklearn_attrec import AttRecRecommender, SASRecRecommender, SSEPTRecommender
from sklearn_attrec import save_model
from sklearn_attrec.datasets import make_interactions

interactions = make_interactions(300, 50, random_state=0)
shared = {"d": 8, "max_iter": 6, "random_state": 0, "verbose": 1}

def model(number):
    return [
        AttRecRecommender(**shared, batch_size=8, checkpoint_every="1us"),
        AttRecRecommender(**shared, batch_size=8),
        SASRecRecommender(**shared, batch_size=4, early_stopping=True),
        SSEPTRecommender(**shared, batch_size=4, checkpoint_every="1us"),
        AttRecRecommender(**shared, batch_size=8, optimizer="adagrad", L=9),
    ][number % 5]
"""
KILLED = """
import time
from sklearn_attrec._network_base import BaseNetworkRecommender

# A fit that ends before it is killed waits for it, with its checkpoint still there.
BaseNetworkRecommender._end_fit = lambda self: time.sleep(600)
number, path = int(sys.argv[1]), sys.argv[2]
model(number).set_params(checkpoint=path).fit(interactions)
"""
RESUMED = """
for number, path in enumerate(sys.argv[1:]):
    again = model(number).set_params(checkpoint=path, resume=True)
    save_model(again.fit(interactions), f"{path}.resumed")
    if number < 5:
        save_model(model(number).fit(interactions), f"{path}.whole")
"""


def start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(TRAIN + script), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.case("F3")
@pytest.mark.timeout(1800)
def test_killed_fits_are_resumed_to_the_same_bits(tmp_path, times, record_property):
    n_kills = times(5, 50)
    random = np.random.default_rng(0)
    paths, epochs = [tmp_path / str(number) for number in range(n_kills)], []
    for number, path in enumerate(paths):
        with start(KILLED, number, path) as child:
            last = random.integers(1, 5)
            printed = [child.stdout.readline() for _ in range(last)]
            time.sleep(random.uniform(0, 0.3))
            child.send_signal(signal.SIGKILL)
            printed += child.stdout.readlines()
        assert child.returncode == -signal.SIGKILL
        assert all(line.startswith("Epoch ") for line in printed)
        epochs.append(len(printed))
        assert path.exists() or path.with_name(f"{path.name}.previous").exists()
    with start(RESUMED, *paths) as child:
        printed = child.stdout.read()
    assert child.returncode == 0
    assert printed.count("Going on after epoch") == n_kills
    same = sum(
        path.with_name(f"{number}.resumed").read_bytes()
        == path.with_name(f"{number % 5}.whole").read_bytes()
        for number, path in enumerate(paths)
    )
    assert same == n_kills
    record_property("fits killed and resumed to the same bits", same)


@pytest.mark.case("F4")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)]
)
def test_signals_end_a_fit_and_leave_a_checkpoint(tmp_path, number, code, interactions):
    """A shell shows 143 for a process that SIGTERM ended."""
    data, out = tmp_path / "rows.csv", tmp_path / "model.attrec"
    interactions.to_csv(data, index=False)
    out.write_text("earlier model")
    settings = {"checkpoint": tmp_path / "c", "verbose": 1, "max_iter": 10**6, "d": 4}
    # Whoever starts the tests in the background has SIGINT ignored, by inheritance.
    program = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from sklearn_attrec.cli import main\n"
        "sys.exit(main())"
    )
    command = [sys.executable, "-c", program, "fit", data, "--out", out]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    with subprocess.Popen(
        list(map(str, command)), stderr=subprocess.PIPE, text=True
    ) as child:
        for line in child.stderr:
            if line.startswith("Epoch 2/"):
                break
        rest = None
        while rest is None:  # Python loses a signal that comes while it cleans up
            os.kill(child.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                _, rest = child.communicate(timeout=20)
    assert child.returncode == code
    assert "Traceback" not in rest
    assert out.read_text() == "earlier model"
    model = AttRecRecommender(**{**settings, "random_state": 0, "resume": True})
    # Between two checkpoints the one before is there alone; resuming takes either.
    assert (tmp_path / "c").exists() or (tmp_path / "c.previous").exists()
    model.set_params(keep_interrupted=True)
    model._print = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(interactions)
    assert model.n_iter_ > 2
