"""Interrupted fits: resumed to the same bits, refused, or left as a usable model."""

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
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec import (
    AttRecRecommender,
    HSTURecommender,
    SASRecRecommender,
    SSEPTRecommender,
    load_model,
    save_model,
)
from sklearn_attrec._networks import attrec
from sklearn_attrec._training import checkpoints, loop
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.exceptions import (
    CheckpointMismatchError,
    InvalidParameterError,
    ModelCorruptError,
    ModelFileError,
    TrainingDivergedError,
)
from sklearn_attrec.models import _network
from sklearn_attrec.utils import _tensor_file
from sklearn_attrec.utils._tensor_file import FORMAT, read_tensors, write_tensors

SMALL = {"d": 4, "L": 4, "max_iter": 4, "batch_size": 16, "k": 3, "random_state": 0}
BLOCK = {**SMALL, "n_blocks": 1, "dropout": 0.2}
ITEMS = pd.DataFrame({"item_id": range(23), "price": np.arange(23) % 5})
ITEMS["colour"] = np.where(ITEMS["item_id"] % 3, "red", "blue")
MODELS = {
    "attrec": AttRecRecommender(**SMALL, loss="hinge"),
    "attrec-softmax": AttRecRecommender(**SMALL, dropout=0),
    "attrec-early": AttRecRecommender(
        **SMALL, early_stopping=True, item_features=ITEMS
    ),
    "hstu-early": HSTURecommender(**BLOCK, early_stopping=True, time_bias="request"),
    "sasrec-gbce": SASRecRecommender(**BLOCK, loss="gbce", norm="post"),
    "sse-pt": SSEPTRecommender(**BLOCK, d_user=2, sse_user=0.5),
}
WHOLE_EPOCH = 10**6  # steps per call: more than an epoch has


@pytest.fixture
def interactions():
    return make_interactions(30, 20, n_per_user=(2, 12), random_state=0)


@pytest.fixture
def checkpoint(tmp_path):
    return tmp_path / "fit.checkpoint"


@pytest.fixture
def interrupt(monkeypatch):
    """Raise an exception, such as Ctrl-C, before the nth call of the compiled loop."""
    from sklearn_attrec._training.trainer import Trainer  # imports TensorFlow

    run = Trainer.run

    def interrupt(n, steps=WHOLE_EPOCH, error=KeyboardInterrupt):
        calls = iter(range(1, 10**6))

        def interrupted_run(self, *args):
            if next(calls) == n:
                raise error
            return run(self, *args)

        monkeypatch.setattr(Trainer, "run", interrupted_run)
        monkeypatch.setattr(loop, "STEPS_PER_CALL", steps)

    return interrupt


def fit_interrupted(model, interactions, interrupt, n, **options):
    """Fit until the nth call, then remove the interruption."""
    interrupt(n, **options)
    with pytest.raises(KeyboardInterrupt):
        model.fit(interactions)
    interrupt(0, **options)
    return model


def assert_same_weights(model, other):
    assert model.weights_.keys() == other.weights_.keys()
    for name, value in model.weights_.items():
        assert_array_equal(value, other.weights_[name], err_msg=name)


def assert_same_fit(model, other):
    assert_same_weights(model, other)
    for name in ("loss_curve_", "validation_scores_", "n_iter_", "settings_"):
        assert getattr(model, name) == getattr(other, name), name
    assert not model.interrupted_


# Resumed fits -------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("name", MODELS)
def test_a_resumed_fit_gives_the_same_bits(
    name, n, interactions, checkpoint, interrupt, monkeypatch
):
    monkeypatch.setattr(checkpoints, "MAX_AGE", 0)  # a checkpoint after each call
    whole = clone(MODELS[name]).fit(interactions)
    part = clone(MODELS[name]).set_params(checkpoint=checkpoint)
    fit_interrupted(part, interactions, interrupt, n, steps=1)
    assert checkpoint.exists() == (n > 1)
    assert_same_fit(clone(part).fit(interactions), whole)
    assert list(checkpoint.parent.iterdir()) == []


def test_checkpoints_are_written_each_epoch_and_resuming_is_printed(
    interactions, checkpoint, interrupt, capsys
):
    model = AttRecRecommender(**SMALL, checkpoint=str(checkpoint))
    fit_interrupted(model, interactions, interrupt, 3)
    clone(model).set_params(verbose=1).fit(interactions)
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert "epoch 2, step 0" in first
    assert second.startswith("Epoch 3/4  loss ")


def test_without_a_seed_the_first_one_is_kept(interactions, checkpoint, interrupt):
    """The users held out for validation stay held out."""
    model = AttRecRecommender(**SMALL, early_stopping=True, checkpoint=checkpoint)
    model.set_params(random_state=None)
    fit_interrupted(model, interactions, interrupt, 3)
    resumed = clone(model).fit(interactions)
    assert resumed.loss_curve_[:2] == model.loss_curve_
    other = clone(model).fit(interactions)
    assert other.loss_curve_[0] != model.loss_curve_[0]


@pytest.mark.parametrize("steps", [1, 7, WHOLE_EPOCH])
def test_cutting_an_epoch_into_calls_changes_nothing(interactions, interrupt, steps):
    whole = SASRecRecommender(**BLOCK).fit(interactions)
    interrupt(0, steps=steps)
    assert_same_fit(SASRecRecommender(**BLOCK).fit(interactions), whole)


@pytest.mark.parametrize("seed", [np.int64(3), np.random.RandomState(3)])
def test_a_seed_of_any_type_is_resumed(seed, interactions, checkpoint, interrupt):
    model = AttRecRecommender(**{**SMALL, "random_state": seed})
    whole = clone(model).fit(interactions)
    model.set_params(checkpoint=checkpoint)
    fit_interrupted(clone(model), interactions, interrupt, 3)
    assert_same_fit(clone(model).fit(interactions), whole)


def test_a_resumed_model_holds_no_more_memory(interactions, checkpoint, interrupt):
    """Its weights are not views of the checkpoint, which is four times as large."""
    model = AttRecRecommender(**SMALL, early_stopping=True, checkpoint=checkpoint)
    fit_interrupted(model.set_params(learning_rate=1e-9), interactions, interrupt, 3)
    again = clone(model).fit(interactions)
    assert all(value.base is None for value in again.weights_.values())


# Checkpoints that are damaged, or belong to another fit ----------------------------


@pytest.fixture
def two_checkpoints(interactions, checkpoint, interrupt):
    """A fit that was interrupted after its second epoch, and its two files."""
    model = AttRecRecommender(**SMALL, checkpoint=checkpoint)
    fit_interrupted(clone(model), interactions, interrupt, 3)
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
        with pytest.warns(UserWarning, match=r"of epoch 1, is used instead"):
            again.fit(interactions)
        assert_same_fit(again, whole)


def test_a_damaged_checkpoint_does_not_replace_the_good_one(
    interactions, two_checkpoints, interrupt, monkeypatch
):
    model, path, previous = two_checkpoints
    path.write_bytes(path.read_bytes()[:-1])
    older = previous.read_bytes()

    def full_disk(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "write_tensors", full_disk)
        used = pytest.warns(UserWarning, match="is used")
        with used, pytest.raises(OSError, match="No space"):
            clone(model).fit(interactions)
    assert previous.read_bytes() == older
    with pytest.warns(UserWarning, match="is used"):
        fit_interrupted(clone(model), interactions, interrupt, 2)
    assert previous.read_bytes() == older
    whole = AttRecRecommender(**SMALL).fit(interactions)
    assert_same_fit(clone(model).fit(interactions), whole)


def test_the_previous_checkpoint_alone_is_enough(interactions, two_checkpoints):
    """A kill may come between the two renames of a save."""
    model, path, _ = two_checkpoints
    path.unlink()
    whole = AttRecRecommender(**SMALL).fit(interactions)
    assert_same_fit(clone(model).fit(interactions), whole)


def test_two_damaged_checkpoints_are_refused(interactions, two_checkpoints):
    model, path, previous = two_checkpoints
    path.write_bytes(path.read_bytes()[:-1])
    previous.write_bytes(b"")
    with pytest.raises(ModelCorruptError, match=r"fit\.checkpoint'.*delete"):
        clone(model).fit(interactions)
    assert path.exists()


OTHERS = {"d": 5, "loss": "bpr", "max_iter": 9, "random_state": 1, "L": 5}


def test_a_checkpoint_of_other_item_features_is_refused(
    interactions, checkpoint, interrupt
):
    model = AttRecRecommender(**SMALL, checkpoint=checkpoint, item_features=ITEMS)
    fit_interrupted(model, interactions, interrupt, 3)
    for table in (None, ITEMS.assign(price=0.5), ITEMS[:22]):
        with pytest.raises(CheckpointMismatchError, match="other interactions"):
            clone(model).set_params(item_features=table).fit(interactions)


@pytest.mark.case("F10")
@pytest.mark.parametrize("name", OTHERS)
def test_a_checkpoint_of_other_parameters_is_refused(
    interactions, two_checkpoints, name
):
    model, path, _ = two_checkpoints
    other = clone(model).set_params(**{name: OTHERS[name]})
    old, new = model.get_params()[name], OTHERS[name]
    message = rf"fit\.checkpoint' .*{name}={old!r}.*{name}={new!r}"
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
        with pytest.raises(CheckpointMismatchError, match="other interactions"):
            clone(model).fit(other)
    with pytest.raises(CheckpointMismatchError, match="'AttRecRecommender'"):
        SASRecRecommender(**BLOCK, checkpoint=path).fit(interactions)
    with monkeypatch.context() as patch:
        patch.setattr("sklearn_attrec.__version__", "9.9")
        # Another version may save other things, which is not damage.
        patch.setattr(checkpoints, "_parse", None)
        with pytest.raises(CheckpointMismatchError, match=r"version='9\.9'"):
            clone(model).fit(interactions)
    with monkeypatch.context() as patch:
        patch.setattr(_tensor_file, "FORMAT", (2, 0))
        written = "format {}.{}".format(*FORMAT)
        with pytest.raises(CheckpointMismatchError, match=written):
            clone(model).fit(interactions)


def test_parameters_that_do_not_change_the_fit_may_differ(
    interactions, two_checkpoints, tmp_path
):
    model, path, _ = two_checkpoints
    elsewhere = path.rename(tmp_path / "elsewhere")
    again = clone(model).set_params(
        checkpoint=elsewhere, verbose=0, k=7, exclude_seen=False
    )
    whole = AttRecRecommender(**SMALL).fit(interactions)
    assert_same_fit(again.fit(interactions), whole)


def test_other_files_are_refused_and_left_alone(interactions, two_checkpoints):
    """Even where a valid checkpoint is the previous one."""
    model, checkpoint, _ = two_checkpoints
    table = b"user_id,item_id\n" * 9
    fitted = checkpoint.with_name("fitted")
    save_model(AttRecRecommender(**SMALL).fit(interactions), fitted)
    for content in (table, fitted.read_bytes()):
        checkpoint.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"fit\.checkpoint'.*another path"):
            model.fit(interactions)
        assert checkpoint.read_bytes() == content


def test_a_checkpoint_is_not_a_model(two_checkpoints):
    _, path, _ = two_checkpoints
    with pytest.raises(ModelFileError, match=r"'checkpoint'.*checkpoint=path"):
        load_model(path)


@pytest.fixture
def rewritten(two_checkpoints):
    """Rewrite the contents of the only checkpoint, with valid checksums."""
    model, path, previous = two_checkpoints
    manifest, tensors = read_tensors(path)
    kept = ("kind", "identity", "progress")
    manifest = {key: manifest[key] for key in kept}
    previous.unlink()

    def rewritten(change):
        change(manifest, tensors)
        write_tensors(path, manifest, tensors)
        return clone(model)

    return rewritten


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("weights.U", lambda value: value[1:]),
        ("weights.V", lambda value: value.astype(np.float64)),
        ("optimizer.1.X", None),
        ("best.U", lambda value: np.zeros((1, 1), np.float32)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(interactions, rewritten, name, change):
    def replace(manifest, tensors):
        value = tensors.pop(name, None)
        if change is not None:
            tensors[name] = change(value)

    with pytest.raises(ModelFileError, match="does not match"):
        rewritten(replace).fit(interactions)


STATE = json.dumps({"bit_generator": "PCG64", "state": {"state": 2**200}})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epoch", 3),
        ("epoch", -1),
        ("random", "[" * 10**5),
        ("random", STATE),
        ("entropy", None),
        ("loss", "x"),
        ("step", 1.0),
        ("steps", 2**64),
        ("what", 1),
    ],
)
def test_impossible_progress_is_refused(interactions, rewritten, name, value):
    def change(manifest, tensors):
        manifest["progress"][name] = value

    with pytest.raises(ModelFileError, match="'progress'"):
        rewritten(change).fit(interactions)


def test_a_checkpoint_that_cannot_be_written_is_an_error(interactions, tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "no" / "file", tmp_path / "folder", "."):
        model = AttRecRecommender(**SMALL, checkpoint=path)
        with pytest.raises(InvalidParameterError, match=r"'checkpoint' is .*another"):
            model.fit(interactions)
        with pytest.raises(NotFittedError):
            check_is_fitted(model)


def test_a_link_stays_a_link(interactions, tmp_path, interrupt):
    (tmp_path / "folder").mkdir()
    link, path = tmp_path / "link", tmp_path / "folder" / "file"
    link.symlink_to(path)
    model = AttRecRecommender(**SMALL, checkpoint=link)
    fit_interrupted(model, interactions, interrupt, 4)
    assert {each.name for each in path.parent.iterdir()} == {"file", "file.previous"}
    clone(model).fit(interactions)
    assert link.is_symlink()
    assert list(path.parent.iterdir()) == []


def test_a_finished_fit_is_not_lost_to_ctrl_c(interactions, checkpoint, monkeypatch):
    """The checkpoint is removed once the attributes are set, and not before."""

    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(_network, "remove_checkpoints", interrupted)
    model = AttRecRecommender(**SMALL, checkpoint=checkpoint)
    with pytest.raises(KeyboardInterrupt):
        model.fit(interactions)
    assert_same_fit(model, AttRecRecommender(**SMALL).fit(interactions))
    assert checkpoint.exists()


# Models of interrupted fits -----------------------------------------------------------


@pytest.mark.parametrize("early_stopping", [False, True])
def test_ctrl_c_keeps_the_weights_reached(
    interactions, interrupt, early_stopping, tmp_path, monkeypatch
):
    monkeypatch.setattr(loop.TrainingRun, "_learning_rates", constant_rates)
    model = SASRecRecommender(**BLOCK, early_stopping=early_stopping)
    two = clone(model).set_params(max_iter=2).fit(interactions)
    fit_interrupted(model, interactions, interrupt, 3)  # one call per epoch
    assert model.interrupted_
    assert model.n_iter_ == 2
    assert_same_weights(model, two)
    assert model.loss_curve_ == two.loss_curve_
    assert_array_equal(model.predict([1, 2]), two.predict([1, 2]))
    save_model(model, tmp_path / "interrupted.attrec")
    assert load_model(tmp_path / "interrupted.attrec").interrupted_


def constant_rates(run, n_windows):
    return np.full(-(-n_windows // run.batch_size), run.learning_rate)


@pytest.mark.parametrize("n", [1, 2])
def test_ctrl_c_during_validation_leaves_whole_epochs(
    n, interactions, tmp_path, monkeypatch
):
    calls, score = [], SASRecRecommender._validation_score

    def interrupted_score(self, *args):
        calls.append(1)
        if len(calls) == n:
            raise KeyboardInterrupt
        return score(self, *args)

    monkeypatch.setattr(SASRecRecommender, "_validation_score", interrupted_score)
    model = SASRecRecommender(**BLOCK, early_stopping=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(interactions)
    assert model.n_iter_ == n - 1
    assert len(model.loss_curve_) == len(model.validation_scores_) == n - 1
    save_model(model, tmp_path / "interrupted.attrec")
    loaded = load_model(tmp_path / "interrupted.attrec")
    assert_same_weights(loaded, model)


def test_ctrl_c_after_the_last_epoch_keeps_the_fit(interactions, monkeypatch):
    calls, attributes = [], loop.TrainingRun.attributes

    def interrupted_attributes(run):
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return attributes(run)

    monkeypatch.setattr(loop.TrainingRun, "attributes", interrupted_attributes)
    model = AttRecRecommender(**SMALL)
    with pytest.raises(KeyboardInterrupt):
        model.fit(interactions)
    assert_same_weights(model, AttRecRecommender(**SMALL).fit(interactions))


def test_ctrl_c_within_the_first_epoch_keeps_the_steps_done(interactions, interrupt):
    model = AttRecRecommender(**SMALL)
    fit_interrupted(model, interactions, interrupt, 3, steps=1)
    assert model.interrupted_
    assert (model.n_iter_, model.loss_curve_) == (0, [])
    model.predict([1, 2])
    earlier = fit_interrupted(clone(model), interactions, interrupt, 2, steps=1)
    assert (earlier.weights_["X"] != model.weights_["X"]).any()


@pytest.mark.parametrize(
    ("owner", "name"), [(loop.TrainingRun, "take_steps"), (attrec, "batch_loss")]
)
def test_ctrl_c_before_the_first_step_leaves_the_earlier_fit(
    owner, name, interactions, monkeypatch
):
    """Before the compiled loop is called, and while it is compiled."""

    def interrupted(*args):
        raise KeyboardInterrupt

    model = AttRecRecommender(**SMALL).fit(interactions.head(100))
    before = pickle.dumps(model)
    monkeypatch.setattr(owner, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(interactions)
    assert pickle.dumps(model) == before


def test_divergence_leaves_only_the_best_weights(interactions, interrupt):
    model = SASRecRecommender(**BLOCK).fit(interactions)
    before = pickle.dumps(model)
    interrupt(3, error=TrainingDivergedError)
    with pytest.raises(TrainingDivergedError):
        model.fit(interactions)
    assert pickle.dumps(model) == before

    interrupt(3, error=TrainingDivergedError)
    with pytest.raises(TrainingDivergedError):
        model.set_params(early_stopping=True).fit(interactions)
    assert model.interrupted_
    assert len(model.validation_scores_) == model.n_iter_ == 2


def test_a_resumed_fit_that_is_interrupted_at_once_keeps_what_it_found(
    interactions, interrupt, checkpoint
):
    model = AttRecRecommender(**SMALL, checkpoint=checkpoint)
    fit_interrupted(model, interactions, interrupt, 3)
    again = fit_interrupted(clone(model), interactions, interrupt, 1)
    assert again.n_iter_ == 2
    assert_same_weights(again, model)


# Killed processes -------------------------------------------------------------------

TRAIN = """
import sys
from sklearn_attrec import AttRecRecommender, SASRecRecommender, SSEPTRecommender
from sklearn_attrec import save_model
from sklearn_attrec._training import checkpoints
from sklearn_attrec.datasets import make_interactions

interactions = make_interactions(120, 50, random_state=0)
shared = {"d": 8, "max_iter": 5, "random_state": 0, "verbose": 1}

def model(number):
    if number % 2:
        checkpoints.MAX_AGE = 0  # within epochs too
    return [
        AttRecRecommender(**shared, batch_size=8, loss="hinge"),
        AttRecRecommender(**shared, batch_size=8),
        SASRecRecommender(**shared, batch_size=4, early_stopping=True),
        SSEPTRecommender(**shared, batch_size=4),
        AttRecRecommender(**shared, batch_size=8, loss="bpr", L=9),
    ][number % 5]
"""
KILLED = """
import time
from sklearn_attrec.models._network import BaseNetworkRecommender

# A fit that ends before it is killed waits for it, with its checkpoint still there.
BaseNetworkRecommender._after_fit = lambda self: time.sleep(600)
number, path = int(sys.argv[1]), sys.argv[2]
model(number).set_params(checkpoint=path).fit(interactions)
"""
RESUMED = """
for number, path in enumerate(sys.argv[1:]):
    again = model(number).set_params(checkpoint=path)
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
    paths = [tmp_path / str(number) for number in range(n_kills)]
    for number, path in enumerate(paths):
        with start(KILLED, number, path) as child:
            last = random.integers(1, 4)
            printed = [child.stdout.readline() for _ in range(last)]
            time.sleep(random.uniform(0, 0.3))
            child.send_signal(signal.SIGKILL)
            printed += child.stdout.readlines()
        assert child.returncode == -signal.SIGKILL
        assert all(line.startswith("Epoch ") for line in printed)
        assert path.exists() or path.with_name(f"{path.name}.previous").exists()
    with start(RESUMED, *paths) as child:
        printed = child.stdout.read()
    assert child.returncode == 0
    assert printed.count("Continuing after epoch") == n_kills
    same = sum(
        path.with_name(f"{number}.resumed").read_bytes()
        == path.with_name(f"{number % 5}.whole").read_bytes()
        for number, path in enumerate(paths)
    )
    assert same == n_kills
    record_property(
        "Fits killed by SIGKILL and resumed; all ended with the same bits", same
    )


# Whoever starts the tests in the background has SIGINT ignored, by inheritance.
COMMAND_LINE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from sklearn_attrec.cli import main
sys.exit(main())
"""


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
    command = [sys.executable, "-c", COMMAND_LINE, "fit", data, "--out", out]
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
    if number == signal.SIGINT:  # Ctrl-C leaves the model reached so far
        assert load_model(out).interrupted_
    else:
        assert out.read_text() == "earlier model"
    # Between two checkpoints only the previous one exists; a fit continues from either.
    saved = [
        path for path in (tmp_path / "c", tmp_path / "c.previous") if path.exists()
    ]
    manifest, _ = read_tensors(saved[0])
    assert manifest["progress"]["epoch"] >= 1
