"""Model files: what is saved comes back, bit for bit, and nothing else is saved."""

import copy
import json
import os
import pickle
import runpy
import subprocess
import sys
import unicodedata
from fractions import Fraction
from functools import cache
from pathlib import Path

import hostile
import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy.sparse import issparse
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import sklearn_attrec
from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
    load_model,
    save_model,
)
from sklearn_attrec.exceptions import (
    InvalidParameterError,
    ModelCorruptError,
    ModelFileError,
    ModelVersionError,
)
from sklearn_attrec.models import RECOMMENDERS
from sklearn_attrec.persistence import inspect_model
from sklearn_attrec.utils._packed_ids import pack_ids, unpack_ids
from sklearn_attrec.utils._tensor_file import FORMAT

# The data have unseen users, repeated items and equal times, which tests of scores warn
# of; see test_evaluation.py.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::sklearn_attrec.exceptions.{name}")
    for name in ("NoHistoryWarning", "SeenItemWarning", "TimeTieWarning")
]

GOLDEN = Path(__file__).parent / "golden"

SMALL = {"d": 4, "L": 3, "max_iter": 2, "batch_size": 64, "k": 3, "random_state": 0}
BLOCKS = SMALL | {"n_blocks": 2, "n_heads": 2}
EARLY = {"early_stopping": True, "validation_fraction": 0.5}
COUNTING = {
    "item-knn": ItemKNNRecommender(n_neighbors=5, k=3),
    "markov": MarkovRecommender(k=3),
    "popularity": PopularityRecommender(k=3, exclude_seen=False),
}
NETWORKS = {
    "attrec-hinge": AttRecRecommender(loss="hinge", **SMALL),
    "attrec-softmax": AttRecRecommender(
        loss="softmax", aggregation="max", share_projection=True, **SMALL
    ),
    "sasrec-pre-learned": SASRecRecommender(**BLOCKS),
    "sasrec-post-sinusoidal": SASRecRecommender(
        norm="post", positions="sinusoidal", **BLOCKS, **EARLY
    ),
    "sse-pt-pre-sinusoidal": SSEPTRecommender(
        d_user=2, positions="sinusoidal", **BLOCKS
    ),
    "sse-pt-post-learned": SSEPTRecommender(d_user=6, norm="post", **BLOCKS),
}

# In one process, as TensorFlow compiles each of them.
in_one_process = pytest.mark.xdist_group("saved networks")
each_model = pytest.mark.parametrize(
    "name",
    [*COUNTING, *(pytest.param(name, marks=in_one_process) for name in NETWORKS)],
)
each_golden = pytest.mark.parametrize(
    "golden",
    sorted(GOLDEN.glob("*/*.attrec")),
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)


@cache
def interactions():
    """Rows to fit, and later ones: 40 users, 15 items, ids of text and numbers."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "user_id": [f"user {n}" for n in np.sort(rng.integers(40, size=300))],
            "item_id": rng.integers(15, size=300) * 7,
            "timestamp": rng.integers(1_000, size=300),
        }
    )
    last = frame.groupby("user_id")["item_id"].tail(1).index
    test = frame.loc[last].assign(timestamp=2_000)
    return frame.drop(last), test


@cache
def fitted(name):
    """A fitted model, not to be changed."""
    estimator = (COUNTING | NETWORKS)[name]
    return copy.deepcopy(estimator).fit(interactions()[0])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.attrec"


@pytest.fixture
def content(path):
    """The contents of a file at `path`."""
    save_model(fitted("markov"), path)
    return path.read_bytes()


def answers_of(model, test):
    """Return the results of all methods, by name."""
    users, items = model.users_, model.items_
    queried, history = users[:2].tolist(), [items[[0, 2]].tolist(), items[[1]].tolist()]
    return {
        "predict": model.predict(queried, k=len(items) + 1),
        "recommend": model.recommend(),
        "recommend later": model.recommend(test),
        "score": model.score(test),
        "target_ranks": model.target_ranks(test),
        "similar_items": model.similar_items(items.tolist()),
        "query_vectors": model.query_vectors(),
        "query_vectors history": model.query_vectors(queried, history),
        "item_vectors": model.item_vectors(),
    }


def assert_same(found, expected):
    """Compare values of any kind that models hold or return, to the last bit."""
    assert type(found) is type(expected)
    if isinstance(expected, pd.DataFrame):
        assert_frame_equal(found, expected, check_exact=True)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name in expected:
            assert_same(found[name], expected[name])
    elif isinstance(expected, tuple):
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif issparse(expected):
        assert found.shape == expected.shape
        for name in ("data", "indices", "indptr"):
            assert_same(getattr(found, name), getattr(expected, name))
    elif isinstance(expected, np.ndarray):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        if expected.dtype.kind == "O":
            assert found.tolist() == expected.tolist()
            assert [*map(type, found)] == [*map(type, expected)]
        else:
            assert found.tobytes() == expected.tobytes()
    else:
        assert found == expected or found != found and expected != expected


def state_of(model):
    """Return parameters and fitted attributes."""
    return {name: value for name, value in vars(model).items() if name != "_cache"}


@pytest.mark.case("P6")
@pytest.mark.parametrize("verify", ["full", "header"])
@pytest.mark.parametrize("mmap", [False, True])
@each_model
def test_loaded_model_is_the_saved_one(name, mmap, verify, path):
    model, (_, test) = fitted(name), interactions()
    save_model(model, path)
    content = path.read_bytes()
    loaded = load_model(path, mmap=mmap, verify=verify)
    loaded.recommend()  # what is cached here is not saved
    save_model(loaded, path)
    assert path.read_bytes() == content
    save_model(fitted("popularity"), path)  # which changes no array that is mapped
    assert type(loaded) is type(model)
    assert_same(state_of(loaded), state_of(model))
    assert_same(answers_of(loaded, test), answers_of(model, test))
    assert loaded.item_counts_.flags.writeable is not mmap


@pytest.mark.case("P6")
@each_model
def test_parameters_set_after_fit_change_no_answer(name, path):
    model, (_, test) = copy.deepcopy(fitted(name)), interactions()
    expected = answers_of(model, test)
    others = {"d": 50, "L": 1, "n_blocks": 7, "n_heads": 3, "d_user": 9}
    others |= {"omega": 0.9, "aggregation": "sum", "n_neighbors": 1, "smoothing": 1.0}
    others |= {"norm": "pre", "positions": "learned", "early_stopping": False}
    known = model.get_params()
    model.set_params(**{name: value for name, value in others.items() if name in known})
    save_model(model, path)
    loaded = load_model(path)
    assert loaded.get_params() == model.get_params()
    assert_same(answers_of(loaded, test), expected)


@pytest.mark.case("P6")
@pytest.mark.parametrize("name", COUNTING)
def test_loaded_model_can_be_fitted_again(name, path):
    frame, _ = interactions()
    other = frame.assign(item_id=frame["item_id"] // 2)
    save_model(fitted(name), path)
    loaded = load_model(path, mmap=True).fit(other)
    assert_same(state_of(loaded), state_of(copy.deepcopy(COUNTING[name]).fit(other)))


@pytest.mark.parametrize("number", [np.float32, np.longdouble, Fraction])
def test_parameters_become_plain_values(number, path):
    model = MarkovRecommender(
        smoothing=number(0.25), k=np.int64(3), exclude_seen=np.True_
    ).fit(interactions()[0])
    save_model(model, path)
    loaded = load_model(path).get_params()
    assert loaded == model.get_params()
    assert {type(value) for value in loaded.values()} == {float, int, bool, str}


def test_settings_of_whole_numbers_are_floats_too(path):
    """So that the type in the file does not depend on later values of parameters."""
    model = MarkovRecommender(smoothing=1).fit(interactions()[0])
    save_model(model.set_params(smoothing=0.5), path)
    assert_same(load_model(path).settings_, {"smoothing": 1.0})


def walks(users, items=None):
    """Walks of three items along a cycle of items, by default of the users' ids."""
    items = users[::-1] if items is None else items
    user, step = np.divmod(np.arange(3 * len(users)), 3)
    item = (user + step) % len(items)
    return pd.DataFrame({"user_id": users[user], "item_id": items[item]})


def timed_walks(times):
    return walks(np.arange(6), np.arange(5)).assign(timestamp=times)


def integers(dtype):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return walks(np.array([low, low + 1, 5, 6, 7, high - 1, high], dtype))


def floats(dtype):
    high, tiny = np.finfo(dtype).max, np.finfo(dtype).tiny
    return walks(np.array([0.0, 1.5, -2.0, high, tiny])).to_numpy(dtype)


INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
TEXTS = {
    "plain": ["a", "b", "c d", "0", "-1", "nan", "None", "[PAD]", "../../x"],
    "nul": ["a", "a\0", "a\0\0", "\0", "\0a", "b", "c"],
    "scripts": ["🫖", "👩‍🚀", "שלום", "مرحبا", "日本", "\u202eabc", "a\nb", "=cmd()"],
    "accents": [unicodedata.normalize(form, "é") for form in ("NFC", "NFD")] + ["e"],
    "long": ["x" * 2**16, "é" * 2**16, "🫖" * 2**16, "x" * (2**16 - 1), "z"],
}
DAYS = pd.date_range("1999-12-31", periods=18)
TIMES = {
    "int64": np.arange(18) - 2**62,
    "uint64": np.arange(18, dtype=np.uint64) + 2**63,
    "float64": np.linspace(-1e300, 1e300, 18),
    "ties": np.zeros(18, dtype=np.int64),
    "zone": DAYS.tz_localize("Asia/Kathmandu"),
    **{f"M8[{unit}]": DAYS.astype(f"M8[{unit}]") for unit in ("s", "ms", "us", "ns")},
    "years": np.array(["-9999", "1600", "9999"] * 6, dtype="M8[s]"),
}
ROWS = walks(np.arange(6)).assign(a=np.arange(18), b=0, c=1).to_numpy()
INPUTS = {
    **{dtype: integers(dtype) for dtype in INTEGERS},
    **{dtype: floats(dtype) for dtype in ("float32", "float64")},
    "minus one": walks(np.array([-1, 0, 1])),
    **{f"text {kind}": walks(np.array(ids, object)) for kind, ids in TEXTS.items()},
    **{f"times {kind}": timed_walks(times) for kind, times in TIMES.items()},
    **{f"array of {width} columns": ROWS[:, :width] for width in (2, 3, 5)},
}


@pytest.mark.case("25", "27", "29", "30", "33", "P6")
@pytest.mark.parametrize("kind", INPUTS)
def test_ids_and_times_come_back(kind, path):
    model = MarkovRecommender(k=9).fit(INPUTS[kind])
    save_model(model, path)
    assert_same(state_of(load_model(path)), state_of(model))


def unique_lists(values):
    return st.lists(values, min_size=1, unique=True)


@pytest.mark.case("P15")
@given(
    unique_lists(st.text(min_size=1)).map(lambda ids: np.array([*ids, None])[:-1])
    | unique_lists(st.integers(-(2**63), 2**63 - 1)).map(np.int64)
    | unique_lists(st.integers(0, 2**64 - 1)).map(np.uint64)
)
def test_ids_are_packed_without_loss(ids):
    packed = pack_ids("users", ids)
    assert {value.dtype.kind for value in packed.values()} <= {"i", "u"}
    assert_same(unpack_ids("users", packed), ids)


class Subclass(MarkovRecommender):
    pass


def with_params(name, **params):
    return load_model(next(GOLDEN.glob(f"*/{name}*.attrec"))).set_params(**params)


def with_nan():
    model = copy.deepcopy(fitted("item-knn"))
    model.weights_["data"][0] = np.nan
    return model


def search():
    rows = interactions()[0].to_numpy(dtype=object)[:, 1:]
    return GridSearchCV(MarkovRecommender(), {}, cv=2).fit(rows)


def long_doubles():
    return MarkovRecommender().fit(np.eye(4, 2, dtype=np.longdouble))


REFUSED = {
    "unfitted": (MarkovRecommender, NotFittedError, "fit"),
    "no estimator": (dict, TypeError, "AttRecRecommender.*dict"),
    "class": (lambda: MarkovRecommender, TypeError, "AttRecRecommender"),
    "pipeline": (lambda: make_pipeline(fitted("markov")), TypeError, r"pipeline\[-1\]"),
    "search": (search, TypeError, "best_estimator_"),
    "subclass": (lambda: Subclass().fit(interactions()[0]), TypeError, "Got Subclass"),
    "k=0": (lambda: with_params("Markov", k=0), InvalidParameterError, "'k'.*Markov"),
    "huge k": (lambda: with_params("Markov", k=2**63), ModelFileError, "'k'"),
    "infinite weight": (with_nan, ModelFileError, "weights.data"),
    "long double ids": (long_doubles, ModelFileError, "'users'"),
    "random state": (
        lambda: with_params("AttRec", random_state=np.random.RandomState(0)),
        InvalidParameterError,
        r"set_params\(random_state=None\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_save_refuses(case, path):
    make, error, message = REFUSED[case]
    path.write_text("what was there before")
    with pytest.raises(error, match=message):
        save_model(make(), path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_text() == "what was there before"


@pytest.mark.parametrize(
    "name, values",
    [
        ("mmap", ["r", 1]),
        ("verify", ["none", None]),
        ("expected_sha256", ["abc", "g" * 64, b"a" * 64, ""]),
    ],
)
def test_load_checks_its_arguments_before_the_file(name, values, tmp_path):
    for value in values:
        with pytest.raises(InvalidParameterError, match=f"'{name}'.*{value!r}"):
            load_model(tmp_path / "missing", **{name: value})


def test_paths_are_text_or_paths(content, path, monkeypatch):
    monkeypatch.chdir(path.parent)
    model = load_model("model.attrec")
    save_model(model, "other")
    assert Path("other").read_bytes() == content
    for wrong in (None, 3, []):
        with pytest.raises(TypeError):
            save_model(model, wrong)
        with pytest.raises(TypeError):
            load_model(wrong)


@each_model
def test_layout_is_that_of_safetensors(name, path):
    """A file assembled from the description alone has the same bytes."""
    numpy_files = pytest.importorskip("safetensors.numpy")
    model = fitted(name)
    save_model(model, path)
    content = path.read_bytes()
    arrays = hostile.arrays_of(content)
    assert_same(numpy_files.load_file(path), arrays)
    assert_same(arrays["history.items"], model.history_items_)
    for weight, value in getattr(model, "weights_", {}).items():
        assert_same(arrays[f"weights.{weight}"], value)
    assert hostile.changed(content, lambda manifest, arrays: None) == content


@each_model
def test_inspect_describes_the_model_and_reads_no_array(name, path):
    model = fitted(name)
    save_model(model, path)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    found = inspect_model(path)
    assert found.pop("params").items() <= model.get_params().items()
    assert found.pop("tensors")["history.items"] == ("I32", model.history_items_.shape)
    assert found == {
        "class": type(model).__name__,
        "n_users": len(model.users_),
        "n_items": len(model.items_),
        "n_rows": len(model.history_items_),
        "interrupted": False,
        "format": ".".join(map(str, FORMAT)),
        "written_by": sklearn_attrec.__version__,
        "size": len(content),
    }
    with pytest.raises(ModelCorruptError, match="SHA-256"):
        load_model(path)


def with_manifest(content, **entries):
    return hostile.changed(content, lambda manifest, arrays: manifest.update(entries))


@pytest.mark.parametrize("function", [load_model, inspect_model])
@pytest.mark.parametrize("major", [0, 2, 10])
def test_another_major_version_is_refused(major, function, content, path):
    path.write_bytes(with_manifest(content, format=[major, 0]))
    with pytest.raises(ModelVersionError, match=rf"{major}\.0.*1\.x.*pip install"):
        function(path)


def test_a_newer_minor_version_is_read_with_a_warning(content, path):
    """What this version does not know is ignored then, and refused otherwise."""
    params = load_model(path).get_params()
    for unknown, name in (
        ({"remarks": {"of": "later"}}, "remarks"),
        ({"params": params | {"later": 1}}, "later"),
    ):
        newer = [FORMAT[0], FORMAT[1] + 1]
        path.write_bytes(with_manifest(content, format=newer, **unknown))
        with pytest.warns(UserWarning, match="newer.*pip install") as caught:
            loaded = load_model(path)
        assert caught[0].filename == __file__
        assert loaded.get_params() == params
        assert_same(loaded.recommend(), fitted("markov").recommend())
        path.write_bytes(with_manifest(content, **unknown))
        with pytest.raises(ModelFileError, match=f"'{name}'"):
            load_model(path)
    settings = fitted("markov").settings_ | {"later": 1}
    path.write_bytes(with_manifest(content, format=newer, settings=settings))
    with (
        pytest.warns(UserWarning, match="newer"),
        pytest.raises(ModelVersionError, match=r"\['later'\].*pip install"),
    ):
        load_model(path)


@pytest.mark.parametrize("version", [None, [], [1], [1, 0, 0], ["1", "0"], "1.0", 1])
def test_a_version_is_two_numbers(version, content, path):
    path.write_bytes(with_manifest(content, format=version))
    with pytest.raises(ModelFileError, match="'format'"):
        load_model(path)


def test_there_are_files_of_this_version():
    names = {path.stem for path in GOLDEN.glob(f"{FORMAT[0]}.{FORMAT[1]}/*.attrec")}
    expected = {cls.__name__ for cls in RECOMMENDERS.values()}
    assert names == expected, "run `python tests/golden/make.py`"


@pytest.mark.case("P6")
@pytest.mark.parametrize("options", [{}, {"mmap": True, "verify": "header"}], ids=str)
@each_golden
def test_files_of_each_version_answer_as_they_did(golden, options):
    assert golden.stat().st_size <= 20_000
    answers = json.loads((golden.parent / "answers.json").read_text("utf-8"))
    expected = answers[golden.stem]
    found = load_model(golden, **options).recommend([*dict.fromkeys(expected["users"])])
    assert found["user_id"].tolist() == expected["users"]
    assert found["item_id"].tolist() == expected["items"]
    np.testing.assert_allclose(found["score"], expected["scores"], rtol=0, atol=1e-6)


@pytest.mark.case("P6", "S20")
@each_golden
def test_files_are_written_as_they_were(golden, tmp_path):
    """Nothing in them says where they were made."""
    found = inspect_model(golden)
    now = [sklearn_attrec.__version__, ".".join(map(str, FORMAT))]
    if [found["written_by"], found["format"]] != now:
        pytest.skip("written by an earlier version, which may have saved less")
    path, model = tmp_path / "a revealing name", load_model(golden)
    if "checkpoint" in model.get_params():
        model.set_params(checkpoint=tmp_path / "checkpoint")
    save_model(model, path)
    saved = path.read_bytes()
    assert saved == golden.read_bytes()
    # Whole paths, and not the name of the machine: a part of them may be any word.
    words = [path.stem, str(tmp_path), str(Path.cwd()), sys.prefix]
    for word in [*words, sys.version.split()[0], np.__version__]:
        assert word.encode() not in saved


def test_released_files_are_not_overwritten():
    before = {path: path.stat().st_mtime_ns for path in GOLDEN.rglob("*")}
    with pytest.raises(SystemExit, match="no file is missing"):
        runpy.run_path(str(GOLDEN / "make.py"))["main"]()
    assert {path: path.stat().st_mtime_ns for path in before} == before


FIT_AND_SAVE = "import sys, test_persistence as t; t.fit_and_save(sys.argv[1])"


def fit_and_save(folder):
    for name in COUNTING:
        save_model(fitted(name), Path(folder, name))


@pytest.mark.case("S20", "F22")
def test_fit_in_another_process_gives_the_same_bytes(tmp_path):
    """With another locale, hash seed, time zone, user and host."""
    environment = {"LC_ALL": "C", "PYTHONHASHSEED": "123", "TZ": "Asia/Kathmandu"}
    environment |= {"USER": "somebody", "HOSTNAME": "elsewhere"}
    subprocess.run(
        [sys.executable, "-c", FIT_AND_SAVE, tmp_path],
        cwd=Path(__file__).parent,
        env=os.environ | environment,
        check=True,
    )
    expected = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    fit_and_save(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == expected


def pickled(model, path):
    return pickle.loads(pickle.dumps(model))


def joblib_dumped(model, path):
    joblib.dump(model, path)
    return joblib.load(path)


def skops_dumped(model, path):
    skops = pytest.importorskip("skops.io")
    skops.dump(model, path)
    ours = [f"{type(model).__module__}.{type(model).__name__}"]
    assert skops.get_untrusted_types(file=path) == ours
    return skops.load(path, trusted=ours)


@pytest.mark.case("P7")
@pytest.mark.parametrize("keep", [pickled, joblib_dumped, skops_dumped])
@each_model
def test_loaded_model_can_be_kept_in_other_ways(name, keep, path):
    model, (_, test) = fitted(name), interactions()
    save_model(model, path)
    kept = keep(load_model(path, mmap=True), path.with_name("kept"))
    assert_same(answers_of(kept, test), answers_of(model, test))
    save_model(kept, path.with_name("again"))
    assert path.with_name("again").read_bytes() == path.read_bytes()
