"""Hostile model files are refused before anything is built, and nothing in them runs.

The attacks are tables of files. Wherever their contents are changed, the checksums are
made correct again, as a forger would do.
"""

import contextlib
import copy
import hashlib
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from functools import partial
from itertools import permutations
from pathlib import Path

import cloudpickle
import hostile
import joblib
import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_attrec import MarkovRecommender, load_model, save_model
from sklearn_attrec.exceptions import ModelCorruptError, ModelFileError
from sklearn_attrec.persistence import inspect_model
from sklearn_attrec.utils import _tensor_file

FOLDER = sorted((Path(__file__).parent / "golden").glob("[0-9]*"))[-1]
GOOD = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.attrec"))}
MARKOV, POPULARITY = GOOD["MarkovRecommender"], GOOD["PopularityRecommender"]
ATTREC, SASREC = GOOD["AttRecRecommender"], GOOD["SASRecRecommender"]
KNN, SSE_PT = GOOD["ItemKNNRecommender"], GOOD["SSEPTRecommender"]

FULL = [{}, {"mmap": True}]
WAYS = [*FULL, {"verify": "header"}, {"verify": "header", "mmap": True}]

pytestmark = pytest.mark.timeout(3_000)  # `make soak` takes long

on_posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


def refusal(content, tmp_path, ways=WAYS):
    """Check that a file is refused in every way; return the first message."""
    path = tmp_path / "hostile.attrec"
    path.write_bytes(content)
    messages = []
    for options in ways:
        with pytest.raises(ModelFileError) as caught:
            load_model(path, **options)
        messages.append(str(caught.value))
        assert messages[-1].startswith(f"{str(path)!r}: ")
        assert messages[-1].isprintable()  # no control characters for a terminal
        assert len(messages[-1]) < 1_000
    return messages[0]


UNPICKLED = []


class Evil:
    """Leaves a trace as soon as it is unpickled."""

    def __reduce__(self):
        return UNPICKLED.append, ("unpickled",)


def zipped(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def joblib_dump(**options):
    file = io.BytesIO()
    joblib.dump([Evil(), np.arange(9)], file, **options)
    return file.getvalue()


def npz():
    file = io.BytesIO()
    np.savez(file, weights=np.array([Evil()], dtype=object))
    return file.getvalue()


HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(64)
LAMBDA = {"class_name": "Lambda", "config": {"function": ["4wEAAA", None, None]}}
KERAS = {"class_name": "Sequential", "config": {"layers": [LAMBDA]}}
TORCH = {"data.pkl": pickle.dumps(Evil()), "version": "3\n", "data/0": bytes(64)}
PICKLES = {
    **{f"pickle {n}": pickle.dumps(Evil(), protocol=n) for n in range(6)},
    "joblib": joblib_dump(),
    "joblib zlib": joblib_dump(compress=3),
    "cloudpickle": cloudpickle.dumps(lambda: os.getpid()),
    "torch": zipped({f"archive/{name}": text for name, text in TORCH.items()}),
    "numpy": npz(),
}
FOREIGN = {
    "keras": zipped({"config.json": json.dumps(KERAS), "model.weights.h5": HDF5}),
    "hdf5": HDF5,
    "onnx": b"\x08\x08\x12\x07pytorch\x1a\x052.1.0" + bytes(64),
    "saved model": b"\x08\x01\x12\x0b\x0a\x09keras_api" + bytes(64),
    "safetensors": safetensors.numpy.save({"E": np.eye(3)}, {"format": "pt"}),
    "text": b"user_id,item_id,timestamp\n1,2,3\n",
    "one byte": b"\x80",
    "good file after a zip": zipped({"a": "b"}) + MARKOV,
    "good file in a zip": zipped({"model": MARKOV}),
}
DAMAGED = {"empty": b"", "zip after a good file": MARKOV + zipped({"a": "b"})}

START = '{"__metadata__":{"sklearn_attrec":"'
END = 8 + int.from_bytes(MARKOV[:8], "little")
HEADER, DATA = MARKOV[8:END].rstrip(), MARKOV[END:]
DIGEST = json.loads(HEADER)["__metadata__"]["sklearn_attrec_sha256"]


def with_text(text):
    """Return a file with any header that begins as it should."""
    return hostile.with_header((START + text).encode())


def with_manifest(text):
    """Return a file whose manifest is any text, with the checksum of that."""
    return hostile.with_header(hostile.signed(text, hostile.split(MARKOV)[1]), DATA)


def with_spelling(old, new):
    """Return a file whose manifest is spelled in another way, with its checksum."""
    manifest, table, data = hostile.split(MARKOV)
    manifest["sha256"] = hostile.hashes_of(table, data)
    text = hostile.canonical(manifest)
    assert text.count(old) == 1
    return with_manifest(text.replace(old, new))


def with_metadata(**entries):
    """Return a file with other entries beside its manifest."""
    header = json.loads(HEADER)
    header["__metadata__"] |= entries
    return hostile.with_header(hostile.canonical(header).encode(), DATA)


def with_n_features(text):
    return with_spelling('"n_features":3', f'"n_features":{text}')


def numbered(name, make, values):
    """Return the files that a function makes of some values, by name."""
    return {f"{name} {n}": make(value) for n, value in enumerate(values)}


LENGTHS = [0, 7, 8, len(MARKOV), 2**20, 2**63, 2**64 - 1]
MANIFESTS = ["{", "", "[]", '"manifest"', "null", "{}", '{"class":"\\ud800"}']
N_FEATURES = ["NaN", "Infinity", "-Infinity", "1e999", "9" * 4_000, "9" * 5_000]
N_FEATURES += ["3.0", " 3", '3,"n_features":3', '3,"class":"SASRecRecommender"']
REPEATED = b',"users":{"dtype":"I64","shape":[1]}}'
ENDS = [b"}\n", b"}\0", b"}" + b" " * 8, b"}{}", b"\t}", REPEATED]
MANY = ",".join(["{}"] * 300_000)
HEADERS = {
    **numbered("length", lambda n: struct.pack("<Q", n) + MARKOV[8:], LENGTHS),
    **numbered("manifest", with_manifest, MANIFESTS),
    **numbered("n_features", with_n_features, N_FEATURES),
    **numbered("end", lambda end: hostile.with_header(HEADER[:-1] + end, DATA), ENDS),
    "16 MiB": with_text("x" * 2**24),
    "just too long": with_text("x" * (2**20 - len(START) + 1)),
    "deep lists": with_text('{}"},"a":' + "[" * 900_000),
    "many objects": with_text('{}"},"a":[' + MANY + "]}"),
    "not JSON": with_text('{}"},}'),
    "not UTF-8": hostile.with_header(HEADER.replace(b"Markov", b"M\xffrkov"), DATA),
    "deep manifest": with_manifest("[" * 400_000),
    "rather deep manifest": with_manifest('{"a":' + "[" * 400 + "]" * 400 + "}"),
    "many objects in the manifest": with_manifest("[" + MANY + "]"),
    "escape": with_spelling("Markov", "M\\u0061rkov"),
    "other metadata": with_metadata(note="trust me"),
    "no checksum": with_metadata(sklearn_attrec_sha256=None),
    "other checksum": with_metadata(sklearn_attrec_sha256="0" * 64),
    "checksum in capitals": with_metadata(sklearn_attrec_sha256=DIGEST.upper()),
    "manifest no text": with_metadata(sklearn_attrec={}),
}


def with_table(change, padding=b""):
    manifest, table, data = hostile.split(MARKOV)
    change(table)
    return hostile.assemble(manifest, table, data + padding)


def with_entry(name="item_counts", **changes):
    """Return a file whose header describes one array differently."""
    return with_table(lambda table: table[name].update(changes))


NO_BYTES = {"dtype": "U8", "shape": [0], "data_offsets": [len(DATA)] * 2}


def with_array(name, entry=NO_BYTES):
    return with_table(lambda table: table.update({name: entry}))


def moved(by, names=None, padding=b""):
    """Return a file where all arrays, or some, lie elsewhere."""

    def change(table):
        for name in names or table:
            table[name]["data_offsets"] = [n + by for n in table[name]["data_offsets"]]

    return with_table(change, padding)


def with_hashes(hashes):
    manifest, table, data = hostile.split(MARKOV)
    return hostile.assemble(manifest | {"sha256": hashes}, table, data)


SHAPES = [[2**50], [2**40, 2**40], [2**62, 4], [2**63], [2**64 + 7], [10**4000], [-7]]
SHAPES += [[7.0], [True], ["7"], [None], [[7]], [], [7, 1, 1], [0, 2**62], [2**62, 0]]
SHAPES += [[0], 7, "7", None, {}, [6], [8]]
PLACES = [[0], [], [0, 1, 2], [-8, 0], [0.0, 8.0], ["0", "8"], [8, 0], [0, 2**62], None]
PLACES += [[2**62, 2**62 + 7], [0, 10**4000], [True, 8], {}, "08", [1, 8], [0, 0]]
NAMES = ["nothing", "", "\x1b[2J\r\n", "\ud800", "x" * 100_000]
ENTRIES = [None, 1, "I64", [], {}, [[]]]
HASHES = [{}, [], None, {"other": "0" * 64}]
TABLES = {
    **numbered("shape", lambda shape: with_entry(shape=shape), SHAPES),
    **numbered("place", lambda place: with_entry(data_offsets=place), PLACES),
    **numbered("name", with_array, NAMES),
    **numbered("entry", lambda entry: with_array("items", entry), ENTRIES),
    **numbered("hashes", with_hashes, HASHES),
    "moved on": moved(8),
    "moved back": moved(-8),
    "overlap": moved(-80, ["history.times"]),
    "hole": moved(8, ["users"], padding=bytes(8)),
    "trailing bytes": MARKOV + bytes(8),
    "one more key": with_entry(note="trust me"),
    "no arrays": hostile.assemble(hostile.split(MARKOV)[0], {}, b""),
}
DTYPES = ["BF16", "F16", "F8_E4M3", "BOOL", "C64", "O", "<i8", "i64", "", None, 8, []]


def set_manifest(**entries):
    return lambda manifest, arrays: manifest.update(entries)


def with_class(name, content=MARKOV):
    return hostile.changed(content, set_manifest(**{"class": name}))


def set_entry(section, name, value):
    def change(manifest, arrays):
        manifest[section] = {**(manifest[section] or {}), name: value}

    return change


def add_array(name, value=None):
    value = np.zeros(8) if value is None else value
    return lambda manifest, arrays: arrays.update({name: value})


def put(name, place, value):
    """Put a value at one place of an array."""
    return lambda manifest, arrays: arrays[name].__setitem__(place, value)


# Names of attributes that a careless loader would set.
ATTRIBUTES = ["__class__", "__dict__", "__reduce__", "__init__", "predict", "fit"]
ATTRIBUTES += ["_cache", "_network", "users_", "weights_", "estimator", "callbacks"]
INJECTIONS = {
    **{
        f"{name} in {section}": set_entry(section, name, "builtins.eval")
        for name in ATTRIBUTES
        for section in ("params", "fitted", "settings")
    },
    **{f"{name} in the manifest": set_manifest(**{name: 1}) for name in ATTRIBUTES},
    **{f"{name} as an array": add_array(name) for name in ATTRIBUTES},
    **{f"{name} as a weight": add_array(f"weights.{name}") for name in ATTRIBUTES},
    "users in two ways": add_array("users.utf8", np.zeros(3, np.uint8)),
    "parameter that is not saved": set_entry("params", "checkpoint", "somewhere"),
    "path as a parameter": set_entry("params", "k", "../../x"),
}
CLASSES = ["builtins.eval", "os.system", "eval", "sklearn_attrec.MarkovRecommender"]
CLASSES += ["BaseRecommender", "GridSearchCV", "_CLASSES", "", "\x1b[2J", "x" * 9999]
CLASSES += [None, 1, True, ["MarkovRecommender"], {"MarkovRecommender": 1}]

LOWEST, HIGHEST = -(2**63), 2**63 - 1
WRAPPING = [2**62, LOWEST, -(2**62)]  # each is less than 2**63 above the one before
# With such numbers compiled code would read or write beyond its memory.
INDICES = {
    "item too large": (MARKOV, put("history.items", 3, 7)),
    "item negative": (MARKOV, put("history.items", 3, -1)),
    "row begins late": (MARKOV, put("history.indptr", 0, 1)),
    "row ends late": (ATTREC, put("history.indptr", -1, 10_000)),
    "rows go back": (SASREC, put("history.indptr", 1, 11)),
    "row lowest": (SASREC, put("history.indptr", 2, LOWEST)),
    "weight too far right": (MARKOV, put("weights.indices", 0, 7)),
    "weights out of order": (KNN, put("weights.indices", slice(0, 2), [2, 1])),
    "weights twice": (KNN, put("weights.indices", slice(0, 3), 2)),
    "id ends late": (ATTREC, put("users.offsets", -1, 99)),
    "id ends early": (ATTREC, put("users.offsets", -1, 50)),
    "ids go back": (ATTREC, put("users.offsets", 1, 13)),
    "id past the end": (ATTREC, put("users.offsets", 3, HIGHEST)),
    "ids wrap around": (ATTREC, put("users.offsets", slice(1, 4), WRAPPING)),
    "id empty": (MARKOV, put("items.offsets", 1, 0)),
    "id not UTF-8": (MARKOV, put("items.utf8", 0, 0xFF)),
    "id overlong": (MARKOV, put("items.utf8", slice(2), [*b"\xc0\x80"])),
    "id a surrogate": (ATTREC, put("users.utf8", slice(3), [*b"\xed\xa0\x80"])),
    "id beyond Unicode": (ATTREC, put("users.utf8", slice(4), [*b"\xf4\x90\x80\x80"])),
    "id cut within a letter": (MARKOV, put("items.offsets", 4, 11)),
    "float id NaN": (KNN, put("items", 2, np.nan)),
    "float id infinite": (KNN, put("users", 2, np.inf)),
}
# Detected with verify='full' only.
CONTENTS = {
    "id twice": (SASREC, put("items", slice(2), 0)),
    "zero twice": (KNN, put("users", slice(2), [0.0, -0.0])),
    "text twice": (ATTREC, put("users.utf8", 11, ord("0"))),
    "count too large": (POPULARITY, put("item_counts", 0, 10**15)),
    "count negative": (POPULARITY, put("item_counts", 0, -1)),
    "counts of no user": (POPULARITY, put("item_counts", slice(None), 0)),
    "times go back": (SASREC, put("history.times", 1, 99)),
    "time NaN": (MARKOV, put("history.times", 0, np.nan)),
    "time NaT": (ATTREC, put("history.times", -1, LOWEST)),
}


def set_settings(**entries):
    return lambda manifest, arrays: manifest["settings"].update(entries)


def set_positions(L):
    """Make position vectors sinusoidal: the file does not contain them."""

    def change(manifest, arrays):
        manifest["settings"] |= {"positions": "sinusoidal", "L": L}
        del arrays["weights.P"]

    return change


VALUES = [
    (ATTREC, set_entry("params", "omega", 7)),
    (ATTREC, set_settings(omega=7.0)),
    (ATTREC, set_settings(omega=0)),  # fit stores a float
    (ATTREC, set_settings(share_projection=1)),
    (ATTREC, set_settings(n_negatives=None)),  # fit stores an int
    (ATTREC, set_settings(d=8)),  # the arrays have d = 4
    (ATTREC, set_settings(L=2**22 + 1)),  # too many position vectors
    (ATTREC, set_manifest(settings=None)),
    (SASREC, set_settings(n_heads=0)),
    (SASREC, set_settings(n_heads=3)),
    (SASREC, set_settings(n_heads=2.0)),
    (SASREC, set_settings(n_blocks=2)),
    (SASREC, set_settings(n_blocks=10**5)),
    (SASREC, set_settings(L=4)),
    (SASREC, set_settings(positions="sinusoidal")),  # the file contains P
    (SASREC, set_positions(2**22 + 1)),
    (SSE_PT, set_settings(d=2, d_user=6)),  # the arrays have 4 and 4
    (SSE_PT, set_positions(2**21 + 1)),
    (MARKOV, set_settings(smoothing=0.0)),
    (MARKOV, set_manifest(settings={})),
    (MARKOV, set_manifest(settings=None)),
    (MARKOV, set_manifest(fitted=None)),
    (MARKOV, set_manifest(params=[])),
    *((content, set_manifest(time_unit="s")) for content in (MARKOV, SSE_PT)),
    *((ATTREC, set_manifest(time_unit=unit)) for unit in ("fortnights", [])),
    *((MARKOV, set_manifest(n_features=n)) for n in (2, 4)),
    *((KNN, set_manifest(n_features=n)) for n in (1, True, 2**31 + 1)),
    *((MARKOV, set_manifest(kind=kind)) for kind in ("weights", None)),
    (MARKOV, set_manifest(from_frame=1)),
    (MARKOV, set_manifest(written_by=1)),
]

ATTACKS = {
    "S1": PICKLES,
    "S3": FOREIGN | DAMAGED,
    "S4": HEADERS,
    "S5": TABLES,
    "S6": numbered("dtype", lambda dtype: with_entry(dtype=dtype), DTYPES),
    "S7": {
        f"{name}, {cls}": hostile.changed(content, change)
        for cls, content in (("Markov", MARKOV), ("SASRec", SASREC))
        for name, change in INJECTIONS.items()
    },
    "S8": {
        **numbered("class", with_class, CLASSES),
        **{f"{a} as {b}": with_class(b, GOOD[a]) for a, b in permutations(GOOD, 2)},
    },
    "S9": {name: hostile.changed(*attack) for name, attack in INDICES.items()},
    "S10": numbered("value", lambda attack: hostile.changed(*attack), VALUES),
}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(content, id=f"{case}-{name}", marks=pytest.mark.case(case))
        for case, files in ATTACKS.items()
        for name, content in files.items()
    ],
)
def test_hostile_file_is_refused(content, tmp_path):
    UNPICKLED.clear()
    refusal(content, tmp_path)  # imports of the first call take memory, too
    path = tmp_path / "hostile.attrec"
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError):
            load_model(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50e6
    with contextlib.suppress(ModelFileError):  # it does not look at the arrays
        inspect_model(path)
    assert not UNPICKLED


@pytest.mark.case("S9", "S10")
@pytest.mark.parametrize("name", CONTENTS)
def test_inconsistent_contents_are_refused(name, tmp_path):
    refusal(hostile.changed(*CONTENTS[name]), tmp_path, ways=FULL)


@pytest.mark.case("S1", "S3")
@pytest.mark.parametrize("name", PICKLES | FOREIGN)
def test_other_files_are_not_called_damaged(name, tmp_path):
    path = tmp_path / "other"
    path.write_bytes((PICKLES | FOREIGN)[name])
    for function in (load_model, inspect_model):
        with pytest.raises(ModelFileError, match="is not a model file") as caught:
            function(path)
        assert caught.type is ModelFileError


@pytest.mark.case("S10")
@pytest.mark.parametrize("good", [SASREC, SSE_PT], ids=["SASRec", "SSE-PT"])
def test_as_many_positions_as_the_settings_say(good, tmp_path):
    path = tmp_path / "model.attrec"
    path.write_bytes(hostile.changed(good, set_positions(1_000)))
    model = load_model(path)
    assert model.settings_["L"] == 1_000
    assert len(model.recommend(model.users_[:1].tolist(), k=2)) == 2


@pytest.mark.case("S1", "S3", "S6", "S8", "S10")
@pytest.mark.parametrize(
    "content, words",
    [
        (PICKLES["pickle 4"], "pickle"),
        (FOREIGN["keras"], "zip"),
        (FOREIGN["hdf5"], "HDF5"),
        (with_entry(dtype="BF16"), "'item_counts'"),
        (hostile.changed(SSE_PT, set_positions(2**21 + 1)), "'settings': L"),
        (hostile.changed(SASREC, set_settings(n_blocks=10**5)), "n_blocks"),
        (hostile.changed(SASREC, set_settings(n_heads=3)), "'n_heads'"),
        (with_class("os.system"), "'class'"),
    ],
)
def test_refusal_names_what_is_wrong(content, words, tmp_path):
    assert words in refusal(content, tmp_path)


def with_each_array(change):
    """Yield each array's name and its file with `change(array)`, None to drop it."""
    for content in GOOD.values():
        for name, value in hostile.arrays_of(content).items():
            arrays = hostile.arrays_of(content) | {name: change(value)}
            arrays = {key: array for key, array in arrays.items() if array is not None}
            table, data = hostile.lay_out(arrays)
            yield name, hostile.assemble(hostile.split(content)[0], table, data)


def add_dimension(array):
    return array[..., None] if array.ndim < 2 else array[0]


def retype(array):
    return array.astype({"f": "i4", "i": "f4", "u": "i2"}[array.dtype.kind])


def narrow(array):
    """Half as wide: each number would be read in two halves."""
    width = array.dtype.itemsize
    return array.astype(f"{array.dtype.kind}{width // 2 if width > 4 else 8}")


def spoil(value, array):
    if array.dtype.kind == "f" and array.size:
        array.flat[-1] = value
    return array


# Of some arrays the length is free, of others the dtype; one belongs to some fits only.
LENGTHS_FREE = {"loss_curve"}
DTYPES_FREE = {"users", "items", "history.times", "weights.indices", "weights.indptr"}
CHANGES = {
    "drop": (lambda array: None, {"validation_scores"}),
    "lengthen": (lambda array: np.concatenate([array, array[-1:]]), LENGTHS_FREE),
    "shorten": (lambda array: array[:-1], LENGTHS_FREE),
    "empty": (lambda array: array[:0].reshape(-1), LENGTHS_FREE),
    "add dimension": (add_dimension, set()),
    "retype": (retype, DTYPES_FREE),
    "narrow": (narrow, DTYPES_FREE),
    **{str(x): (partial(spoil, x), set()) for x in (np.nan, np.inf, -np.inf)},
}


@pytest.mark.case("S6", "S10")
@pytest.mark.parametrize("change", CHANGES)
def test_each_array_is_checked(change, tmp_path):
    function, exempt = CHANGES[change]
    ways = FULL if change.endswith(("nan", "inf")) else WAYS
    count = 0
    for name, content in with_each_array(function):
        if name not in exempt and content not in GOOD.values():
            message = refusal(content, tmp_path, ways)
            # Of two lengths either may be wrong.
            assert exempt is LENGTHS_FREE or name.partition(".")[0] in message
            count += 1
    assert count > 30


def drop_entry(section, name):
    return lambda manifest, arrays: manifest[section].pop(name)


NEVER_VALID = [[], {"a": 1}, "no such value", "\x1b[2J", -1, 2**63, 10**4000]


@pytest.mark.case("S10")
@pytest.mark.parametrize("name", GOOD)
def test_each_value_is_checked(name, tmp_path):
    manifest, _, _ = hostile.split(GOOD[name])
    sections = {key: manifest[key] or {} for key in ("params", "fitted", "settings")}
    for section, entry in [(key, entry) for key in sections for entry in sections[key]]:
        # The number of users without windows has no upper bound.
        values = NEVER_VALID[: -2 if entry == "n_users_skipped_" else None]
        changes = [set_entry(section, entry, value) for value in values]
        if section != "params":  # which have defaults
            changes.append(drop_entry(section, entry))
        for change in changes:
            content = hostile.changed(GOOD[name], change)
            assert section in refusal(content, tmp_path, ways=WAYS[:1])


@pytest.mark.case("S11")
@pytest.mark.parametrize("options", WAYS, ids=str)
def test_only_an_expected_sha256_detects_forgery(options, tmp_path):
    """Checksums in a file are not a signature: an attacker can update them."""
    path = tmp_path / "model.attrec"
    digest = hashlib.sha256(MARKOV).hexdigest()
    path.write_bytes(MARKOV)
    load_model(path, expected_sha256=digest, **options)
    load_model(path, expected_sha256=digest.upper(), **options)
    path.write_bytes(hostile.changed(MARKOV, put("weights.data", 0, 0.125)))
    assert load_model(path, **options).weights_["data"][0] == 0.125
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ModelCorruptError, match=rf"{found}.*{digest}"):
        load_model(path, expected_sha256=digest, **options)


@on_posix
@pytest.mark.case("S3", "S12")
@pytest.mark.parametrize("function", [load_model, inspect_model])
def test_only_regular_files_are_read(function, tmp_path):
    (tmp_path / "model").write_bytes(MARKOV)
    (tmp_path / "link").symlink_to("model")
    function(tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")  # without a writer; opening it must not wait
    (tmp_path / "to a device").symlink_to("/dev/zero")
    for name in ("pipe", "to a device", ".", "/dev/zero", "/dev/null"):
        with pytest.raises(ModelFileError, match="regular file"):
            function(tmp_path / name)


def before_parsing(monkeypatch, function):
    """Call a function between the opening of a model file and its reading."""
    parse = _tensor_file._parse_header

    def parse_later(text):
        function()
        return parse(text)

    monkeypatch.setattr(_tensor_file, "_parse_header", parse_later)


@on_posix
@pytest.mark.case("S12")
@pytest.mark.parametrize("mmap", [False, True])
def test_file_may_grow_and_be_replaced_while_it_is_read(mmap, tmp_path, monkeypatch):
    """One file is opened, and read once up to the end that it had then."""
    path, other = tmp_path / "model.attrec", tmp_path / "other"
    path.write_bytes(MARKOV)
    other.write_bytes(POPULARITY)

    def replace():
        with path.open("ab") as file:
            file.write(b"more")
        other.replace(path)

    before_parsing(monkeypatch, replace)
    assert type(load_model(path, mmap=mmap)) is MarkovRecommender
    assert path.read_bytes() == POPULARITY


@on_posix
@pytest.mark.case("S12", "F7")
def test_file_that_shrinks_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "model.attrec"
    rows = np.random.default_rng(0).integers(500, size=(5_000, 2))
    save_model(MarkovRecommender().fit(rows), path)  # larger than a read buffer
    size = path.stat().st_size
    before_parsing(monkeypatch, lambda: os.truncate(path, size - 1))
    with pytest.raises(ModelCorruptError, match="ends early"):
        load_model(path)


AUDIT = """
import os, sys
from contextlib import suppress
from pathlib import Path
from sklearn_attrec import load_model
from sklearn_attrec.exceptions import ModelFileError
from sklearn_attrec.persistence import inspect_model

FORBIDDEN = {
    "pickle.find_class", "marshal.loads", "exec", "compile", "import", "os.system",
    "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "subprocess.Popen",
    "socket.connect", "socket.bind", "ctypes.dlopen", "ctypes.dlsym", "code.__new__",
    "os.remove", "os.rename", "os.mkdir", "os.chmod", "os.truncate", "shutil.rmtree",
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
events, watching, opened = [], False, 0

def watch(event, arguments):
    global opened
    if not watching:
        return
    writes = event == "open" and arguments[2] & WRITING
    if event in FORBIDDEN or writes:
        events.append(f"{event} {arguments}")
    opened += event == "open" and not isinstance(arguments[0], int)  # a descriptor

sys.addaudithook(watch)
paths = sorted(Path(sys.argv[1]).iterdir())
watching = True
for path in paths:
    for mmap in (False, True):
        for verify in ("full", "header"):
            with suppress(ModelFileError):
                load_model(path, mmap=mmap, verify=verify)
    with suppress(ModelFileError):
        inspect_model(path)
watching = False
print(opened)
print(*events[:9], len(events), sep="\\n")
"""


def all_attacks():
    for files in ATTACKS.values():
        yield from files.values()
    for attack in CONTENTS.values():
        yield hostile.changed(*attack)
    for change, _ in CHANGES.values():
        for _, content in with_each_array(change):
            yield content


@pytest.mark.case("S1", "S2")
def test_loading_runs_imports_and_writes_nothing(tmp_path, record_property):
    """Good files come first, so that late imports for them are noticed."""
    files = [*GOOD.values(), *all_attacks()]
    for n, content in enumerate(files):
        (tmp_path / f"{n:04}.attrec").write_bytes(content)
    answer = subprocess.run(
        [sys.executable, "-c", AUDIT, tmp_path], capture_output=True, text=True
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    opened, *events = answer.stdout.splitlines()
    figure = (
        "Good and hostile files loaded under an audit hook; none ran or imported code"
    )
    record_property(figure, len(files))
    assert events == ["0"]
    assert int(opened) == 5 * len(files)  # the hook saw each file once per call


def attempt(content, path):
    """Load a file in every way: a model that predicts, or a ModelFileError."""
    path.write_bytes(content)
    loaded = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a newer minor version
        for options in WAYS:
            try:
                loaded.append((options, load_model(path, **options)))
            except ModelFileError as error:
                assert str(error).isprintable()
        try:
            inspect_model(path)
        except ModelFileError:
            assert not loaded
        for options, model in loaded:
            if model.settings_.get("L", 0) > 1_000:  # attention needs L × L numbers
                continue
            try:
                model.recommend(k=2)
                model.similar_items(model.items_[:1], k=2)
            except ValueError:  # such as numbers that overflow
                continue
            except pd.errors.InvalidIndexError:  # repeated ids, if not looked for
                assert options.get("verify") == "header"


@pytest.fixture(scope="module")
def any_path(tmp_path_factory):
    return tmp_path_factory.mktemp("any") / "model.attrec"


many = settings(
    max_examples=10_000 if os.environ.get("SKLEARN_ATTREC_SOAK") else 300,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
good_files = st.sampled_from(sorted(GOOD))


def with_start(more, content):
    return hostile.with_header((START + more).encode() + content)


def spliced(name, place, length, content):
    """Return a good file with another part in it."""
    place %= len(GOOD[name])
    return GOOD[name][:place] + content + GOOD[name][place + length :]


any_bytes = st.binary(max_size=300)
places, lengths = st.integers(0, 10_000), st.integers(0, 40)
files = st.one_of(
    any_bytes,
    st.builds(with_start, st.sampled_from(["", "{}"]), any_bytes),
    st.builds(spliced, good_files, places, lengths, any_bytes),
)


@pytest.mark.case("P16")
@many
@given(files)
def test_any_bytes(any_path, content):
    attempt(content, any_path)


numbers = st.integers(-9, 9) | st.integers() | st.sampled_from([2**63, 2**31, 10**400])
values = st.recursive(
    st.none() | st.booleans() | numbers | st.floats(width=32) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=8,
)


def places_of(value):
    """Yield every place in nested dicts and lists: the container and the key."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from places_of(inner)


@pytest.mark.case("P16")
@many
@given(good_files, st.data())
def test_any_header_with_correct_checksums(any_path, good, data):
    manifest, table, content = hostile.split(GOOD[good])
    for _ in range(data.draw(st.integers(1, 3), label="changes")):
        places = [*places_of(manifest), *places_of(table)]
        n = st.integers(0, len(places) - 1)
        container, key = places[data.draw(n, label="place")]
        what = data.draw(st.sampled_from(["delete", "borrow", "set"]))
        if what == "delete":
            del container[key]
        elif what == "borrow":  # a value of the same file is likeliest to slip through
            source, name = places[data.draw(n, label="borrowed from")]
            container[key] = copy.deepcopy(source[name])
        else:
            container[key] = data.draw(values, label="value")
    with contextlib.suppress(UnicodeEncodeError):  # a lone surrogate
        attempt(hostile.assemble(manifest, table, content), any_path)


extremes = st.sampled_from(
    [0, 1, -1, 2, 7, 127, -128, 2**31 - 1, -(2**31), HIGHEST, LOWEST, 1e38, np.nan]
)


@pytest.mark.case("P16")
@many
@given(good_files, st.data())
def test_any_arrays_with_correct_checksums(any_path, name, data):
    def change_one(arrays, key):
        value = arrays[key]
        what = data.draw(st.sampled_from(["put", "type", "cut", "copy"]))
        if what == "put" and value.size:
            place = data.draw(st.integers(0, value.size - 1))
            number = data.draw(extremes | st.floats(width=32))
            value.reshape(-1)[place] = np.float64(number).astype(value.dtype)
        elif what == "type":
            arrays[key] = value.astype(data.draw(st.sampled_from([*hostile.NAMES])))
        elif what == "cut":
            first, last = data.draw(st.tuples(numbers, numbers))
            arrays[key] = value[first : max(last, -(2**62))]
        elif what == "copy":
            arrays[key] = arrays[data.draw(st.sampled_from(sorted(arrays)))].copy()

    def change(manifest, arrays):
        for _ in range(data.draw(st.integers(1, 3), label="changes")):
            change_one(arrays, data.draw(st.sampled_from(sorted(arrays))))

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # casts beyond a dtype
        content = hostile.changed(GOOD[name], change)
    attempt(content, any_path)
