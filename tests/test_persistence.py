"""Model files: what is saved comes back, bit for bit, and nothing else is saved."""

import copy
import hashlib
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
import safetensors
import safetensors.numpy
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal
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
from sklearn_attrec.persistence import inspect_model
from sklearn_attrec.utils._packed_ids import pack_ids, unpack_ids
from sklearn_attrec.utils._tensor_file import FORMAT

GOLDEN = Path(__file__).parent / "golden"

SMALL = {"d": 4, "L": 3, "max_iter": 2, "batch_size": 64, "k": 3, "random_state": 0}
BLOCKS = SMALL | {"n_blocks": 2, "n_heads": 2}
EARLY = {"early_stopping": True, "validation_fraction": 0.5, "n_iter_no_change": 1}
OTHER = {"similarity": "inner", "aggregation": "max", "share_projection": True}
COUNTING = {
    "item-knn": ItemKNNRecommender(n_neighbors=5, k=3),
    "markov": MarkovRecommender(k=3),
    "popularity": PopularityRecommender(k=3, exclude_seen=False),
}
NETWORKS = {
    "attrec-hinge": AttRecRecommender(**SMALL),
    "attrec-softmax": AttRecRecommender(loss="softmax", **SMALL, **OTHER),
    "sasrec-pre-learned": SASRecRecommender(**BLOCKS),
    "sasrec-post-sinusoidal": SASRecRecommender(
        norm="post", positions="sinusoidal", **BLOCKS, **EARLY
    ),
    "sse-pt-pre-sinusoidal": SSEPTRecommender(
        d_user=2, positions="sinusoidal", **BLOCKS
    ),
    "sse-pt-post-learned": SSEPTRecommender(d_user=6, norm="post", **BLOCKS),
}

each_model = pytest.mark.parametrize(
    "name",
    [
        *COUNTING,
        # In one process, as TensorFlow compiles each of them.
        *(
            pytest.param(name, marks=pytest.mark.xdist_group("saved networks"))
            for name in NETWORKS
        ),
    ],
)
each_golden = pytest.mark.parametrize(
    "path",
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


def small_frame(users, items, times=None):
    """Walks of three items along a cycle, with ids of one's own."""
    user, step = np.divmod(np.arange(3 * len(users)), 3)
    frame = pd.DataFrame(
        {"user_id": users[user], "item_id": items[(user + step) % len(items)]}
    )
    return frame if times is None else frame.assign(timestamp=times[: len(frame)])


def round_trip(model, tmp_path, **options):
    path = tmp_path / "model.attrec"
    save_model(model, path)
    return load_model(path, **options)


def answers_of(model, test):
    """Whatever a model can be asked, by name."""
    users, items = model.users_, model.items_
    history = [items[[0, 2]].tolist(), items[[1]].tolist()]
    asked = [users[0].item() if hasattr(users[0], "item") else users[0], *users[1:2]]
    return {
        "predict": model.predict(asked, k=len(items) + 1),
        "predict_history": model.predict(asked, history),
        "recommend": model.recommend(),
        "recommend_seen": model.recommend(asked, k=5, exclude_seen=False),
        "recommend_later": model.recommend(test),
        "recommend_candidates": model.recommend(
            candidates=items[1:3].tolist(), exclude_seen=False
        ),
        "score": model.score(test),
        "target_ranks": model.target_ranks(test),
        "similar_items": model.similar_items(items.tolist()),
        "query_vectors": model.query_vectors(),
        "query_vectors_history": model.query_vectors(asked, history),
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
    elif issparse(expected):
        assert found.shape == expected.shape
        for name in ("data", "indices", "indptr"):
            assert_same(getattr(found, name), getattr(expected, name))
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        if expected.dtype.kind == "O":
            assert found.tolist() == expected.tolist()
            assert [*map(type, found)] == [*map(type, expected)]
        else:
            assert found.tobytes() == expected.tobytes()
    else:
        assert found == expected or found != found and expected != expected


def state_of(model):
    """All that fit set, but for how long it took."""
    state = {name: value for name, value in vars(model).items() if name != "_cache"}
    if "history_" in state:
        state["history_"] = [
            {name: value for name, value in record.items() if name != "seconds"}
            for record in state["history_"]
        ]
    return state


# What comes back ------------------------------------------------------------------


@pytest.mark.case("P6")
@pytest.mark.parametrize("verify", ["full", "header"])
@pytest.mark.parametrize("mmap", [False, True])
@each_model
def test_loaded_model_answers_alike(name, mmap, verify, tmp_path):
    model, (_, test) = fitted(name), interactions()
    loaded = round_trip(model, tmp_path, mmap=mmap, verify=verify)
    assert_same(answers_of(loaded, test), answers_of(model, test))
    assert loaded.item_counts_.flags.writeable is not mmap


@pytest.mark.case("P6")
@each_model
def test_all_that_was_fitted_comes_back(name, tmp_path):
    model = fitted(name)
    loaded = round_trip(model, tmp_path)
    assert type(loaded) is type(model)
    assert_same(state_of(loaded), state_of(model))
    assert loaded.get_params() == model.get_params()


@pytest.mark.case("P6")
@each_model
def test_loaded_model_saves_as_the_same_bytes(name, tmp_path):
    first, second, third = (tmp_path / f"{n}.attrec" for n in range(3))
    save_model(fitted(name), first)
    save_model(load_model(first), second)
    assert second.read_bytes() == first.read_bytes()
    loaded = load_model(first, mmap=True)
    loaded.recommend()  # what is kept for later calls is not saved
    save_model(loaded, third)
    assert third.read_bytes() == first.read_bytes()


@pytest.mark.case("P6")
def test_a_mapped_file_can_be_replaced_by_its_own_model(tmp_path):
    path = tmp_path / "model.attrec"
    model, (_, test) = fitted("markov"), interactions()
    save_model(model, path)
    loaded = load_model(path, mmap=True)
    for _ in range(3):
        save_model(loaded, path)
        save_model(fitted("popularity"), path)
    assert_same(answers_of(loaded, test), answers_of(model, test))


@pytest.mark.case("P6")
@each_model
def test_parameters_set_after_fit_change_no_answer(name, tmp_path):
    model, (_, test) = copy.deepcopy(fitted(name)), interactions()
    expected = answers_of(model, test)
    others = {"d": 50, "L": 1, "n_blocks": 7, "n_heads": 3, "d_user": 9}
    others |= {"omega": 0.9, "similarity": "euclidean", "aggregation": "sum"}
    others |= {"norm": "pre", "positions": "learned", "early_stopping": False}
    others |= {"n_neighbors": 1, "smoothing": 1.0, "dropout": 0.0}
    known = model.get_params()
    model.set_params(**{name: value for name, value in others.items() if name in known})
    loaded = round_trip(model, tmp_path)
    assert loaded.get_params() == model.get_params()
    assert_same(answers_of(loaded, test), expected)


@pytest.mark.case("P6")
@pytest.mark.parametrize("name", sorted(COUNTING))
def test_a_loaded_model_can_be_fitted_again(name, tmp_path):
    frame, test = interactions()
    loaded = round_trip(fitted(name), tmp_path, mmap=True)
    other = frame.assign(item_id=frame["item_id"] // 2)
    expected = copy.deepcopy((COUNTING | NETWORKS)[name]).fit(other)
    assert_same(
        answers_of(loaded.fit(other), test.assign(item_id=7)),
        answers_of(expected, test.assign(item_id=7)),
    )


@pytest.mark.parametrize("number", [np.float32, np.longdouble, Fraction, float])
def test_parameters_of_every_kind_become_plain(number, tmp_path):
    frame, test = interactions()
    model = MarkovRecommender(
        smoothing=number(0.25), k=np.int64(3), exclude_seen=np.True_
    ).fit(frame)
    loaded = round_trip(model, tmp_path)
    assert_same(answers_of(loaded, test), answers_of(model, test))
    assert loaded.get_params() == model.get_params()
    kinds = {type(value) for value in loaded.get_params().values()}
    assert kinds == {float, int, bool, str}


# Ids and times of every kind ------------------------------------------------------


NUMBERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
TEXTS = {
    "plain": ["a", "b", "c d", "0", "-1", "nan", "None", "[PAD]", "../../x"],
    "nul": ["a", "a\0", "a\0\0", "\0", "\0a", "b", "c"],
    "scripts": ["🫖", "👩‍🚀", "שלום", "مرحبا", "日本", "\u202eabc", "a\nb", "=cmd()"],
    "accents": [unicodedata.normalize(form, "é") for form in ("NFC", "NFD")]
    + ["e", "\u0301", "ñ", "n\u0303"],
    "long": [
        "x" * 2**16,
        "y" * 2**16,
        "é" * 2**16,
        "x" * (2**16 - 1),
        "z",
        "🫖" * 2**16,
    ],
}


def check_ids(frame_or_array, tmp_path, estimator):
    model = estimator.fit(frame_or_array)
    first = round_trip(model, tmp_path)
    assert_same(state_of(first), state_of(model))
    assert_same(
        first.predict(model.users_.tolist()), model.predict(model.users_.tolist())
    )
    assert_same(first.recommend(), model.recommend())
    content = (tmp_path / "model.attrec").read_bytes()
    round_trip(first, tmp_path)
    assert (tmp_path / "model.attrec").read_bytes() == content


@pytest.mark.case("25", "27", "P6")
@pytest.mark.parametrize("estimator", COUNTING.values(), ids=COUNTING)
@pytest.mark.parametrize("dtype", NUMBERS)
def test_integer_ids(dtype, estimator, tmp_path):
    limits = np.iinfo(dtype)
    ids = [limits.min, limits.min + 1, 5, 6, 7, limits.max - 1, limits.max]
    ids = np.array(ids, dtype=dtype)
    check_ids(small_frame(ids[::-1], ids), tmp_path, copy.deepcopy(estimator))


@pytest.mark.case("27", "P6")
def test_minus_one_is_an_ordinary_item(tmp_path):
    ids = np.array([-1, 0, 1, np.iinfo(np.int64).max])
    check_ids(small_frame(ids, ids), tmp_path, MarkovRecommender(k=9))


@pytest.mark.case("29", "30", "33", "P6")
@pytest.mark.parametrize("estimator", COUNTING.values(), ids=COUNTING)
@pytest.mark.parametrize("kind", TEXTS)
def test_text_ids(kind, estimator, tmp_path):
    ids = np.array(TEXTS[kind], dtype=object)
    check_ids(small_frame(ids, ids[::-1]), tmp_path, copy.deepcopy(estimator))


@pytest.mark.case("P6")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_float_ids_of_plain_arrays(dtype, tmp_path):
    ids = np.array([0.0, 1.5, -2.0, np.finfo(dtype).max, np.finfo(dtype).tiny], dtype)
    array = small_frame(ids, ids[::-1]).to_numpy(dtype)
    check_ids(array, tmp_path, MarkovRecommender(k=7))


@pytest.mark.parametrize("n_columns", [2, 3, 5])
def test_plain_arrays_of_any_width(n_columns, tmp_path):
    ids = np.arange(6)
    array = small_frame(ids, ids).to_numpy()
    array = np.hstack([array, np.arange(3 * len(array)).reshape(-1, 3)])[:, :n_columns]
    model = MarkovRecommender().fit(array)
    loaded = round_trip(model, tmp_path)
    assert_same(state_of(loaded), state_of(model))
    assert not hasattr(loaded, "feature_names_in_")
    assert_same(loaded.recommend(array), model.recommend(array))


N_ROWS = 18
DAYS = pd.date_range("1999-12-31", periods=N_ROWS)
TIMES = {
    "none": None,
    "int64": np.arange(N_ROWS) - 2**62,
    "uint64": np.arange(N_ROWS, dtype=np.uint64) + 2**63,
    "float64": np.linspace(-1e300, 1e300, N_ROWS),
    "ties": np.zeros(N_ROWS, dtype=np.int64),
    "zone": DAYS.tz_localize("Asia/Kathmandu"),
    **{f"M8[{unit}]": DAYS.astype(f"M8[{unit}]") for unit in ("s", "ms", "us", "ns")},
    "years": np.array(["-9999", "1600", "9999"] * 6, dtype="M8[s]"),
}


@pytest.mark.case("P6")
@pytest.mark.parametrize("estimator", COUNTING.values(), ids=COUNTING)
@pytest.mark.parametrize("kind", TIMES)
def test_times(kind, estimator, tmp_path):
    frame = small_frame(np.arange(6), np.arange(5), TIMES[kind])
    model = copy.deepcopy(estimator).fit(frame)
    loaded = round_trip(model, tmp_path)
    assert_same(state_of(loaded), state_of(model))
    asked = frame[["user_id", *frame.columns[2:]]]  # each as of its own time
    assert_same(loaded.recommend(asked), model.recommend(asked))


@pytest.mark.case("P15")
@given(st.lists(st.text(min_size=1), min_size=1, unique=True))
def test_text_ids_are_packed_without_loss(texts):
    ids = np.empty(len(texts), dtype=object)
    ids[:] = texts
    packed = pack_ids("users", ids)
    assert {value.dtype for value in packed.values()} == {
        np.dtype("i8"),
        np.dtype("u1"),
    }
    assert_same(unpack_ids("users", packed), ids)


@pytest.mark.case("P15")
@given(
    st.sampled_from(["int64", "uint64"]).flatmap(
        lambda dtype: hnp.arrays(dtype, st.integers(1, 9), unique=True)
    )
)
def test_integer_ids_are_packed_without_loss(ids):
    assert_same(unpack_ids("items", pack_ids("items", ids)), ids)


@pytest.mark.case("P15", "P6")
@settings(max_examples=50)
@given(st.lists(st.text(min_size=1), min_size=2, max_size=20, unique=True))
def test_any_text_comes_back_from_a_file(tmp_path_factory, texts):
    ids = np.empty(len(texts), dtype=object)
    ids[:] = texts
    folder = tmp_path_factory.mktemp("texts")
    model = PopularityRecommender().fit(small_frame(ids, ids))
    assert_same(state_of(round_trip(model, folder)), state_of(model))


# What cannot be saved, and wrong arguments ----------------------------------------


class Subclass(MarkovRecommender):
    pass


def with_nan(name):
    model = copy.deepcopy(fitted(name))
    model.weights_["data"][0] = np.nan
    return model


def long_double_ids():
    ids = np.arange(6, dtype=np.longdouble)
    return MarkovRecommender().fit(small_frame(ids, ids).to_numpy(np.longdouble))


REFUSED = {
    "unfitted": (MarkovRecommender, NotFittedError, "not fitted"),
    "no estimator": (dict, TypeError, "Got dict instead"),
    "class": (lambda: MarkovRecommender, TypeError, "must be one of AttRec"),
    "pipeline": (
        lambda: make_pipeline(fitted("markov")),
        TypeError,
        r"last step, pipeline\[-1\]",
    ),
    "search": (
        lambda: GridSearchCV(MarkovRecommender(), {}, cv=2).fit(
            interactions()[0].to_numpy(dtype=object)[:, 1:]
        ),
        TypeError,
        "its best_estimator_",
    ),
    "subclass": (
        lambda: Subclass().fit(interactions()[0]),
        TypeError,
        "Got Subclass instead",
    ),
    "invalid parameter": (
        lambda: copy.deepcopy(fitted("markov")).set_params(k=0),
        InvalidParameterError,
        "'k' parameter of MarkovRecommender",
    ),
    "endless parameter": (
        lambda: copy.deepcopy(fitted("markov")).set_params(k=2**63),
        ModelFileError,
        "'k' is beyond 64 bits",
    ),
    "infinite weight": (lambda: with_nan("item-knn"), ModelFileError, "weights.data"),
    "long double ids": (long_double_ids, ModelFileError, "'users' has dtype"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_save_refuses(case, tmp_path):
    make, error, message = REFUSED[case]
    path = tmp_path / "model.attrec"
    path.write_text("what was there before")
    model = make()
    with pytest.raises(error, match=message):
        save_model(model, path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.attrec"]
    assert path.read_text() == "what was there before"


@pytest.mark.xdist_group("saved networks")
def test_save_refuses_a_random_state_that_json_cannot_hold(tmp_path):
    path = tmp_path / "model.attrec"
    model = copy.deepcopy(fitted("attrec-hinge"))
    model.set_params(random_state=np.random.RandomState(0))
    with pytest.raises(InvalidParameterError, match=r"set_params\(random_state=None\)"):
        save_model(model, path)
    assert not any(tmp_path.iterdir())
    save_model(model.set_params(random_state=None), path)
    assert load_model(path).random_state is None


@pytest.mark.parametrize(
    "options, message",
    [
        ({"mmap": "r"}, "'mmap' must be True or False. Got 'r'"),
        ({"mmap": 1}, "'mmap' must be True or False. Got 1"),
        ({"verify": "none"}, "'verify' must be one of 'full', 'header'. Got 'none'"),
        ({"verify": None}, "'verify' must be"),
        ({"expected_sha256": "abc"}, "64 hexadecimal digits"),
        ({"expected_sha256": "g" * 64}, "64 hexadecimal digits"),
        ({"expected_sha256": b"a" * 64}, "64 hexadecimal digits"),
        ({"expected_sha256": ""}, "64 hexadecimal digits"),
    ],
)
def test_load_checks_its_arguments_before_the_file(options, message, tmp_path):
    with pytest.raises(InvalidParameterError, match=message):
        load_model(tmp_path / "there is none", **options)


@pytest.mark.parametrize("path", [None, 3, 1.5, [], ("a",)])
def test_paths_must_be_paths(path):
    with pytest.raises(TypeError):
        save_model(fitted("markov"), path)
    with pytest.raises(TypeError):
        load_model(path)


def test_paths_may_be_text_or_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_model(fitted("markov"), "a.attrec")  # without a folder
    save_model(fitted("markov"), tmp_path / "b.attrec")
    assert Path("a.attrec").read_bytes() == Path("b.attrec").read_bytes()
    assert load_model("b.attrec").k == load_model(tmp_path / "a.attrec").k


@pytest.mark.case("S11")
def test_expected_sha256_is_that_of_the_file(tmp_path):
    path = tmp_path / "model.attrec"
    save_model(fitted("markov"), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for mmap in (False, True):
        load_model(path, expected_sha256=digest, mmap=mmap)
        load_model(path, expected_sha256=digest.upper(), mmap=mmap, verify="header")
        with pytest.raises(ModelCorruptError, match=f"SHA-256 {digest}, expected was"):
            load_model(path, expected_sha256="0" * 64, mmap=mmap, verify="header")


# What a file is -------------------------------------------------------------------


@each_model
def test_safetensors_reads_the_arrays(name, tmp_path):
    path = tmp_path / "model.attrec"
    model = fitted(name)
    save_model(model, path)
    arrays = safetensors.numpy.load_file(path)
    assert_same(arrays["history.indptr"], model.history_indptr_)
    assert_same(arrays["history.items"], model.history_items_)
    assert_same(arrays["users.utf8"].tobytes().decode(), "".join(model.users_))
    for weight, value in getattr(model, "weights_", {}).items():
        assert_same(arrays[f"weights.{weight}"], value)
    with safetensors.safe_open(path, "numpy") as file:
        manifest = json.loads(file.metadata()["sklearn_attrec"])
    assert manifest["class"] == type(model).__name__
    for key, digest in manifest["sha256"].items():
        assert hashlib.sha256(arrays[key].tobytes()).hexdigest() == digest


@each_model
def test_the_layout_is_the_one_described(name, tmp_path):
    """Files put together from the description alone are the same bytes."""
    path = tmp_path / "model.attrec"
    save_model(fitted(name), path)
    content = path.read_bytes()
    assert hostile.changed(content, lambda manifest, arrays: None) == content


@each_model
def test_inspect_tells_what_is_inside(name, tmp_path):
    path = tmp_path / "model.attrec"
    model = fitted(name)
    save_model(model, path)
    found = inspect_model(path)
    assert found["class"] == type(model).__name__
    assert found["params"].items() <= model.get_params().items()
    assert found["n_users"] == len(model.users_)
    assert found["n_items"] == len(model.items_)
    assert found["n_rows"] == len(model.history_items_)
    assert found["interrupted"] is False
    assert found["format"] == ".".join(map(str, FORMAT))
    assert found["written_by"] == sklearn_attrec.__version__
    assert found["size"] == path.stat().st_size
    assert found["tensors"]["history.items"] == ("I32", model.history_items_.shape)


def test_inspect_reads_no_array(tmp_path):
    path = tmp_path / "model.attrec"
    save_model(fitted("markov"), path)
    expected = inspect_model(path)
    content = path.read_bytes()
    _, _, data = hostile.take_apart(content)
    path.write_bytes(content[: -len(data)] + bytes(len(data)))
    assert inspect_model(path) == expected
    with pytest.raises(ModelCorruptError, match="does not match its SHA-256"):
        load_model(path)


@pytest.mark.case("S6")
@pytest.mark.parametrize("function", [load_model, inspect_model])
def test_a_checkpoint_is_no_model(function, tmp_path):
    path = tmp_path / "model.attrec"
    save_model(fitted("markov"), path)

    def change(manifest, arrays):
        manifest["kind"] = "checkpoint"

    path.write_bytes(hostile.changed(path.read_bytes(), change))
    with pytest.raises(ModelFileError, match="not a model but a 'checkpoint'"):
        function(path)


# Versions -------------------------------------------------------------------------


def of_format(content, major, minor, **more):
    def change(manifest, arrays):
        manifest |= {"format": [major, minor], **more}

    return hostile.changed(content, change)


@pytest.mark.parametrize("major", [0, 2, 10])
def test_another_major_version_is_not_read(major, tmp_path):
    path = tmp_path / "model.attrec"
    save_model(fitted("markov"), path)
    path.write_bytes(of_format(path.read_bytes(), major, 0))
    message = rf"model.attrec': has file format {major}\.0, and .* reads 1\.x\. Upgrade"
    for function in (load_model, inspect_model):
        with pytest.raises(ModelVersionError, match=message):
            function(path)


def test_a_newer_minor_version_is_read_with_a_warning(tmp_path):
    path = tmp_path / "model.attrec"
    model = fitted("markov")
    save_model(model, path)
    content = path.read_bytes()
    path.write_bytes(of_format(content, 1, FORMAT[1] + 1, remarks={"of": "later"}))
    with pytest.warns(UserWarning, match="newer than the 1") as caught:
        loaded = load_model(path)
    assert caught[0].filename == __file__
    assert_same(loaded.recommend(), model.recommend())
    params = model.get_params()
    path.write_bytes(of_format(content, 1, FORMAT[1] + 1, params=params | {"new": 1}))
    with pytest.warns(UserWarning, match="newer than the 1"):
        assert load_model(path).get_params() == params
    path.write_bytes(of_format(content, *FORMAT, params=params | {"new": 1}))
    with pytest.raises(ModelFileError, match="MarkovRecommender has no .'new'"):
        load_model(path)
    # A file of this version has nothing to be ignored in it.
    path.write_bytes(of_format(content, *FORMAT, remarks={}))
    with pytest.raises(ModelFileError, match="unknown entries: .'remarks'"):
        load_model(path)


@pytest.mark.parametrize("version", [None, [], [1], [1, 0, 0], ["1", "0"], "1.0", 1])
def test_a_version_is_two_numbers(version, tmp_path):
    path = tmp_path / "model.attrec"
    save_model(fitted("markov"), path)

    def change(manifest, arrays):
        manifest["format"] = version

    path.write_bytes(hostile.changed(path.read_bytes(), change))
    with pytest.raises(ModelFileError, match="'format' must be two version numbers"):
        load_model(path)


# Files of earlier versions --------------------------------------------------------


def test_there_are_files_of_this_version():
    names = {path.stem for path in GOLDEN.glob(f"{FORMAT[0]}.{FORMAT[1]}/*.attrec")}
    assert names == {name for name in sklearn_attrec.__all__ if name[0].isupper()}


@pytest.mark.case("P6")
@pytest.mark.parametrize("options", [{}, {"mmap": True, "verify": "header"}], ids=str)
@each_golden
def test_files_of_every_version_answer_as_they_did(path, options):
    assert path.stat().st_size <= 20_000
    expected = json.loads((path.parent / "answers.json").read_text("utf-8"))[path.stem]
    model = load_model(path, **options)
    found = model.recommend(list(dict.fromkeys(expected["users"])))
    assert found["user_id"].tolist() == expected["users"]
    assert found["item_id"].tolist() == expected["items"]
    np.testing.assert_allclose(found["score"], expected["scores"], rtol=0, atol=1e-6)


@pytest.mark.case("P6")
@each_golden
def test_files_of_this_version_are_written_as_they_were(path, tmp_path):
    if inspect_model(path)["written_by"] != sklearn_attrec.__version__:
        pytest.skip("written by an earlier version, which may have saved less")
    save_model(load_model(path), tmp_path / path.name)
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_released_files_are_not_made_anew():
    before = {path: path.stat().st_mtime_ns for path in GOLDEN.rglob("*")}
    with pytest.raises(SystemExit, match="is there already"):
        runpy.run_path(str(GOLDEN / "make.py"))["main"]()
    assert {path: path.stat().st_mtime_ns for path in before} == before


# The same bytes everywhere --------------------------------------------------------

FIT_AND_SAVE = """
import pickle, sys
from sklearn_attrec import save_model
from fractions import Fraction
from pathlib import Path
source, target = map(Path, sys.argv[1:])
frame, estimators = pickle.loads(source.read_bytes())
for name, estimator in estimators.items():
    save_model(estimator.fit(frame), target / name)
"""


@pytest.mark.case("S20", "F22")
def test_a_fit_in_another_process_gives_the_same_bytes(tmp_path):
    """With another locale, hash seed, time zone, user and host."""
    source, other = tmp_path / "source", tmp_path / "an unlikely name"
    source.write_bytes(pickle.dumps((interactions()[0], COUNTING)))
    other.mkdir()
    environment = {"LC_ALL": "C", "PYTHONHASHSEED": "123", "TZ": "Asia/Kathmandu"}
    environment |= {"USER": "somebody", "HOSTNAME": "elsewhere"}
    run = subprocess.run(
        [sys.executable, "-c", FIT_AND_SAVE, source, other],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    for name in COUNTING:
        save_model(fitted(name), tmp_path / name)
        assert (tmp_path / name).read_bytes() == (other / name).read_bytes()


# Other ways to keep a model -------------------------------------------------------


def pickled(model, tmp_path):
    return pickle.loads(pickle.dumps(model))


def dumped(model, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib")
    return joblib.load(tmp_path / "model.joblib")


def skopsed(model, tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(model, path)
    ours = [f"{type(model).__module__}.{type(model).__name__}"]
    assert skops.io.get_untrusted_types(file=path) == ours
    return skops.io.load(path, trusted=ours)


@pytest.mark.case("P7")
@pytest.mark.parametrize("trip", [pickled, dumped, skopsed])
@each_model
def test_loaded_model_can_be_kept_in_other_ways(name, trip, tmp_path):
    model, (_, test) = fitted(name), interactions()
    returned = trip(round_trip(model, tmp_path, mmap=True), tmp_path)
    assert_same(answers_of(returned, test), answers_of(model, test))
    assert_array_equal(returned.users_, model.users_)
    save_model(returned, tmp_path / "again.attrec")
    save_model(model, tmp_path / "model.attrec")
    expected = (tmp_path / "model.attrec").read_bytes()
    assert (tmp_path / "again.attrec").read_bytes() == expected
