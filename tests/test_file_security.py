"""Hostile model files: refused before anything is built, and nothing in them is run.

The attacks are tables of functions that make the bytes of a file. What they change is
given right checksums again, as a forger would do.
"""

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

WAYS = [
    {},
    {"mmap": True},
    {"verify": "header"},
    {"verify": "header", "mmap": True},
]

pytestmark = pytest.mark.timeout(3_000)  # a soak takes long

on_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX alone has these")


def refusal(content, tmp_path, ways=WAYS):
    """Load what must be refused, in every way; return the error of the first."""
    path = tmp_path / "hostile.attrec"
    path.write_bytes(content)
    errors = []
    for options in ways:
        with pytest.raises(ModelFileError) as caught:
            load_model(path, **options)
        errors.append(caught.value)
        text = str(caught.value)
        assert text.startswith(f"{str(path)!r}: ")
        # A terminal is handed no control characters, and no essays.
        assert text.isprintable()
        assert len(text) < 1_000
    return errors[0]


def each(attacks):
    return pytest.mark.parametrize("make", attacks.values(), ids=attacks.keys())


# Files of others ------------------------------------------------------------------

CALLS = []


class Evil:
    """Calls something as soon as it is unpickled."""

    def __reduce__(self):
        return CALLS.append, ("unpickled",)


def dumped_by_joblib(**options):
    file = io.BytesIO()
    joblib.dump([Evil(), np.arange(9)], file, **options)
    return file.getvalue()


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def torch_like():
    members = {"data.pkl": pickle.dumps(Evil()), "version": "3\n", "data/0": bytes(64)}
    return zipped(**{f"archive/{name}": text for name, text in members.items()})


def keras_like():
    layers = [{"class_name": "Lambda", "config": {"function": ["4wEAAA", None, None]}}]
    config = {"class_name": "Sequential", "config": {"layers": layers}}
    weights = {"model.weights.h5": b"\x89HDF\r\n\x1a\n" + bytes(64)}
    return zipped(
        **{"metadata.json": "{}", "config.json": json.dumps(config)}, **weights
    )


def npz():
    file = io.BytesIO()
    np.savez(file, weights=np.array([Evil()], dtype=object))
    return file.getvalue()


PICKLES = {
    **{f"pickle {n}": lambda n=n: pickle.dumps(Evil(), protocol=n) for n in range(6)},
    "joblib": dumped_by_joblib,
    "joblib zlib": lambda: dumped_by_joblib(compress=3),
    "cloudpickle": lambda: cloudpickle.dumps(lambda: os.getpid()),
    "torch": torch_like,
    "numpy": npz,
}
FOREIGN = {
    "keras": keras_like,
    "hdf5": lambda: b"\x89HDF\r\n\x1a\n" + bytes(2048),
    "onnx": lambda: b"\x08\x08\x12\x07pytorch\x1a\x052.1.0" + bytes(64),
    "saved model": lambda: b"\x08\x01\x12\x0b\x0a\x09keras_api" + bytes(64),
    "safetensors": lambda: safetensors.numpy.save({"E": np.eye(3)}, {"format": "pt"}),
    "gguf": lambda: b"GGUF\x03\0\0\0" + bytes(64),
    "csv": lambda: b"user_id,item_id\n1,2\n",
    "json": lambda: json.dumps({"class": "MarkovRecommender"}).encode(),
    "empty": lambda: b"",
    "one byte": lambda: b"\x80",
    "zeros": lambda: bytes(4096),
    "shell": lambda: b"#!/bin/sh\necho\n",
    "good one behind a zip": lambda: zipped(a="b") + MARKOV,
    "good one in a zip": lambda: zipped(model=MARKOV),
    "zip behind a good one": lambda: MARKOV + zipped(a="b"),
}


@pytest.mark.case("S1")
@each(PICKLES)
def test_pickles_are_never_read(make, tmp_path):
    content = make()
    CALLS.clear()
    refusal(content, tmp_path)
    assert not CALLS


@pytest.mark.case("S1", "S3")
@pytest.mark.parametrize(
    "make, words",
    [
        (PICKLES["pickle 4"], "a pickle"),
        (PICKLES["joblib"], "a pickle"),
        (PICKLES["torch"], "a zip archive"),
        (FOREIGN["keras"], "a zip archive"),
        (FOREIGN["hdf5"], "an HDF5 file"),
        (FOREIGN["safetensors"], "is not a model file of sklearn_attrec, or"),
    ],
)
def test_well_known_files_are_called_by_their_name(make, words, tmp_path):
    assert words in str(refusal(make(), tmp_path))


@pytest.mark.case("S3")
@each(FOREIGN)
def test_files_of_other_programs_are_refused(make, tmp_path):
    refusal(make(), tmp_path)


@pytest.mark.case("S3", "S12")
def test_a_saved_model_is_a_folder(tmp_path):
    folder = tmp_path / "model.attrec"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(FOREIGN["saved model"]())
    for function in (load_model, inspect_model):
        with pytest.raises(ModelFileError, match="is not a regular file"):
            function(folder)


# Headers --------------------------------------------------------------------------

START = '{"__metadata__":{"sklearn_attrec":"'


def with_length(length):
    return lambda: struct.pack("<Q", length) + MARKOV[8:]


def with_text(text):
    """A file with any header that begins as it should."""
    return lambda: hostile.with_header((START + text).encode(), b"")


def with_manifest(text):
    """A file whose manifest is any text, rightly signed."""
    _, table, data = hostile.take_apart(MARKOV)
    return lambda: hostile.with_header(hostile.signed(text, table), data)


def with_entry(old, new):
    """A file with another spelling of its manifest, rightly signed."""

    def make():
        manifest, table, data = hostile.take_apart(MARKOV)
        entries = table.items()
        hashes = {name: hostile.hash_of(data, entry) for name, entry in entries}
        text = hostile.spelled(manifest | {"sha256": hashes})
        assert text.count(old) == 1
        text = text.replace(old, new)
        return hostile.with_header(hostile.signed(text, table), data)

    return make


def respelled(change):
    """A file whose header is spelled in another way, and says the same."""

    def make():
        end = 8 + int.from_bytes(MARKOV[:8], "little")
        return hostile.with_header(change(MARKOV[8:end].rstrip()), MARKOV[end:])

    return make


def unsigned(**metadata):
    """A file with right contents and other entries in its metadata."""

    def make():
        end = 8 + int.from_bytes(MARKOV[:8], "little")
        header = json.loads(MARKOV[8:end])
        header["__metadata__"] |= metadata
        return hostile.with_header(hostile.spelled(header).encode(), MARKOV[end:])

    return make


SMALL_OBJECTS = ",".join(["{}"] * 300_000)
HEADERS = {
    **{f"{n} bytes": with_length(n) for n in (0, 7, 8, 2**20, 2**63, 2**64 - 1)},
    "longer than the file": with_length(len(MARKOV)),
    "16 MiB": lambda: hostile.with_header((START + "x" * 2**24).encode(), b""),
    "just too long": lambda: hostile.with_header(
        (START + "x" * (2**20 - len(START) + 1)).encode(), b""
    ),
    "deep lists": with_text('{}"},"a":' + "[" * 900_000),
    "deep objects": with_text('{}"},"a":' + '{"a":' * 150_000),
    "deep lists that end": with_text('{}"},"a":' + "[" * 90_000 + "]" * 90_000 + "}"),
    "deep manifest": with_manifest("[" * 400_000),
    "rather deep manifest": with_manifest('{"a":' + "[" * 400 + "]" * 400 + "}"),
    "many objects": with_text('{}"},"a":[' + SMALL_OBJECTS + "]}"),
    "many objects in the manifest": with_manifest("[" + SMALL_OBJECTS + "]"),
    "long text": with_manifest('{"class":"' + "x" * 900_000 + '"}'),
    "cut short": with_text("{"),
    "not JSON": with_text('{}"},}'),
    "not UTF-8": respelled(lambda text: text.replace(b"Markov", b"M\xffrkov")),
    "surrogates": with_manifest('{"class":"\\ud800"}'),
    "BOM": lambda: hostile.with_header(b"\xef\xbb\xbf" + MARKOV[8:], b""),
    "UTF-16": lambda: hostile.with_header(START.encode("utf-16"), b""),
    "manifest no JSON": with_manifest("{"),
    "manifest empty": with_manifest(""),
    "manifest a list": with_manifest("[]"),
    "manifest a text": with_manifest('"manifest"'),
    "manifest null": with_manifest("null"),
    "manifest bare": with_manifest("{}"),
    "NaN": with_entry('"n_features":3', '"n_features":NaN'),
    "Infinity": with_entry('"n_features":3', '"n_features":Infinity'),
    "-Infinity": with_entry('"smoothing":0.5', '"smoothing":-Infinity'),
    "1e999": with_entry('"smoothing":0.5', '"smoothing":1e999'),
    "5,000 digits": with_entry('"n_features":3', f'"n_features":{"9" * 5_000}'),
    "4,000 digits": with_entry('"n_features":3', f'"n_features":{"9" * 4_000}'),
    "repeated key": with_entry('"n_features":3', '"n_features":3,"n_features":3'),
    "repeated class": with_entry('{"class":', '{"class":"SASRecRecommender","class":'),
    "space": with_entry('"n_features":3', '"n_features": 3'),
    "3.0": with_entry('"n_features":3', '"n_features":3.0'),
    "escape": with_entry("Markov", "M\\u0061rkov"),
    "tab": respelled(lambda text: text[:-1] + b"\t}"),
    "newline behind": respelled(lambda text: text + b"\n"),
    "NUL behind": respelled(lambda text: text + b"\0"),
    "too much padding": respelled(lambda text: text + b" " * 8),
    "second object": respelled(lambda text: text + b"{}"),
    "repeated array": respelled(
        lambda text: text[:-1] + b',"users":{"dtype":"I64","shape":[1]}}'
    ),
    "other metadata": unsigned(note="trust me"),
    "no checksum": unsigned(sklearn_attrec_sha256=None),
    "other checksum": unsigned(sklearn_attrec_sha256="0" * 64),
    "checksum in capitals": respelled(
        lambda text: text.replace(
            (
                digest := json.loads(text)["__metadata__"]["sklearn_attrec_sha256"]
            ).encode(),
            digest.upper().encode(),
        )
    ),
    "manifest no text": unsigned(sklearn_attrec={}),
}


@pytest.mark.case("S4")
@each(HEADERS)
def test_headers(make, tmp_path):
    content = make()
    refusal(content, tmp_path)  # also imports all that it takes
    path = tmp_path / "hostile.attrec"
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError):
            load_model(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 50e6


# Tables of arrays -----------------------------------------------------------------


def entry(name, **changes):
    """A file with another entry for one array, or none."""

    def change(table):
        table[name] = table[name] | changes

    return lambda: hostile.with_table(MARKOV, change)


def shifted(by):
    """A file where each array lies elsewhere."""

    def change(table):
        for found in table.values():
            found["data_offsets"] = [place + by for place in found["data_offsets"]]

    return lambda: hostile.with_table(MARKOV, change)


def overlapping():
    def change(table):
        first, second = sorted(table, key=lambda name: table[name]["data_offsets"])[:2]
        size = np.diff(table[second]["data_offsets"]).item()
        begin = table[first]["data_offsets"][0]
        table[second]["data_offsets"] = [begin, begin + size]

    return hostile.with_table(MARKOV, change)


def with_hole():
    manifest, table, data = hostile.take_apart(MARKOV)
    last = max(table.values(), key=lambda found: found["data_offsets"])
    last["data_offsets"] = [place + 8 for place in last["data_offsets"]]
    return hostile.put_together(manifest, table, data + bytes(8))


def named(name):
    """A file with one more array."""

    def change(table):
        end = max(found["data_offsets"][1] for found in table.values())
        table[name] = {"dtype": "U8", "shape": [0], "data_offsets": [end, end]}

    return lambda: hostile.with_table(MARKOV, change)


def raw_entry(value):
    def change(table):
        table["items"] = value

    return lambda: hostile.with_table(MARKOV, change)


def unhashed(hashes):
    manifest, table, data = hostile.take_apart(MARKOV)
    return lambda: hostile.put_together(manifest | {"sha256": hashes}, table, data)


SHAPES = [[2**50], [2**40, 2**40], [2**62, 4], [2**63], [2**64 + 7], [10**4000], [-7]]
SHAPES += [[7.0], [True], ["7"], [None], [[7]], [], [7, 1, 1], [0, 2**62], [2**62, 0]]
SHAPES += [[0], 7, "7", None, {}, [6], [8]]
PLACES = [[0], [], [0, 1, 2], [-8, 0], [0.0, 8.0], ["0", "8"], [8, 0], [0, 2**62], None]
PLACES += [[2**62, 2**62 + 7], [0, 10**4000], [True, 8], {}, "08", [1, 8], [0, 0]]
TABLES = {
    **{f"shape {n}": entry("item_counts", shape=SHAPES[n]) for n in range(len(SHAPES))},
    **{
        f"place {n}": entry("item_counts", data_offsets=PLACES[n])
        for n in range(len(PLACES))
    },
    "moved on": shifted(8),
    "moved back": shifted(-8),
    "overlap": overlapping,
    "hole": with_hole,
    "trailing bytes": lambda: MARKOV + bytes(8),
    "one more key": entry("item_counts", note="trust me"),
    **{
        f"entry {n}": raw_entry(v) for n, v in enumerate([None, 1, "I64", [], {}, [[]]])
    },
    "empty": named("nothing"),
    "name of nothing": named(""),
    "name that clears the screen": named("\x1b[2J\r\n"),
    "name beyond Unicode": named("\ud800"),
    "long name": named("x" * 100_000),
    "hashes missing": unhashed({}),
    "hashes a list": unhashed([]),
    "hashes null": unhashed(None),
    "hash of another": unhashed({"other": "0" * 64}),
}
EMPTY_TABLE = hostile.put_together(hostile.take_apart(MARKOV)[0], {}, b"")


@pytest.mark.case("S5")
@each(TABLES | {"no arrays": lambda: EMPTY_TABLE})
def test_places_and_shapes(make, tmp_path):
    refusal(make(), tmp_path)
    path = tmp_path / "hostile.attrec"
    with pytest.raises(ModelFileError):
        load_model(path)
    try:  # what can be told without arrays may be told
        inspect_model(path)
    except ModelFileError as error:
        assert str(error).isprintable()


@pytest.mark.case("S6")
@pytest.mark.parametrize(
    "dtype",
    ["BF16", "F16", "F8_E4M3", "BOOL", "C64", "O", "<i8", "i64", "", None, 8, []],
)
def test_dtypes_beyond_ours(dtype, tmp_path):
    error = refusal(entry("item_counts", dtype=dtype)(), tmp_path)
    assert "'item_counts' has the unknown dtype" in str(error)


# Sets of arrays -------------------------------------------------------------------

# Models of fits without a validation score are the same without this.
OPTIONAL = {"epochs.validation_score"}


def of_every_array(change):
    """Yield each array's name and the file with that array changed."""
    for content in GOOD.values():
        _, table, data = hostile.take_apart(content)
        for name in hostile.arrays_of(table, data):

            def change_one(manifest, arrays, name=name):
                change(arrays, name)

            yield name, hostile.changed(content, change_one)


def drop(arrays, name):
    del arrays[name]


def rename(arrays, name):
    arrays[f"{name}2"] = arrays.pop(name)


def lengthen(arrays, name):
    arrays[name] = np.concatenate([arrays[name], arrays[name][-1:]])


def shorten(arrays, name):
    arrays[name] = arrays[name][:-1]


def empty(arrays, name):
    arrays[name] = arrays[name][:0].reshape(-1)


def add_a_dimension(arrays, name):
    arrays[name] = arrays[name][..., None] if arrays[name].ndim < 2 else arrays[name][0]


def retype(arrays, name):
    kinds = {"f": "i4", "i": "f4", "u": "i2"}
    arrays[name] = arrays[name].astype(kinds[arrays[name].dtype.kind])


def narrow(arrays, name):
    """Half as wide: halves of numbers would be read."""
    kind, width = arrays[name].dtype.kind, arrays[name].dtype.itemsize
    arrays[name] = arrays[name].astype(f"{kind}{width // 2 if width > 4 else 8}")


CHANGES = [drop, rename, lengthen, shorten, empty, add_a_dimension, retype, narrow]
# Of these nothing else has the length.
LENGTHS_FREE = {"epochs.loss", "settings.ahead"}
# Ids and times may be of several dtypes, and indices of sparse weights of two.
FREE = {"users", "items", "history.times", "weights.indices", "weights.indptr"}


@pytest.mark.case("S6")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_each_array_must_be_there_as_it_should(change, tmp_path):
    count = 0
    for name, content in of_every_array(change):
        if (
            (change is drop and name in OPTIONAL)
            or (change in (retype, narrow) and name in FREE)
            or (change in (lengthen, shorten, empty) and name in LENGTHS_FREE)
        ):
            continue
        error = refusal(content, tmp_path)
        if change in (drop, retype, narrow, add_a_dimension):
            assert name.partition(".")[0] in str(error)
        count += 1
    assert count > 30


def one_more(name, value=None):
    def change(manifest, arrays):
        arrays[name] = np.zeros(8) if value is None else value

    return change


def set_entry(section, name, value):
    def change(manifest, arrays):
        manifest[section] = {**(manifest[section] or {}), name: value}

    return change


def set_manifest(**entries):
    def change(manifest, arrays):
        manifest |= entries

    return change


# Names of attributes that a careless loader would set.
ATTRIBUTES = [
    "__class__",
    "__dict__",
    "__reduce__",
    "predict",
    "fit",
    "_cache",
    "users_",
]
ATTRIBUTES += ["weights_", "_network", "__init__", "estimator", "steps", "callbacks"]
INJECTIONS = {
    **{
        f"{name} in {section}": set_entry(section, name, "builtins.eval")
        for name in ATTRIBUTES
        for section in ("params", "fitted", "settings")
    },
    **{f"{name} beside": set_manifest(**{name: 1}) for name in ATTRIBUTES},
    **{f"{name} as an array": one_more(name) for name in ATTRIBUTES},
    **{f"{name} as a weight": one_more(f"weights.{name}") for name in ATTRIBUTES},
    "users in two ways": one_more("users.utf8", np.zeros(3, np.uint8)),
    "left-out parameter": set_entry("params", "checkpoint", "somewhere"),
    "path as a parameter": set_entry("params", "k", "../../x"),
}


@pytest.mark.case("S7")
@pytest.mark.parametrize("content", [MARKOV, SASREC], ids=["markov", "sasrec"])
@each(INJECTIONS)
def test_attributes_are_not_injected(make, content, tmp_path):
    refusal(hostile.changed(content, make), tmp_path)


CLASSES = ["builtins.eval", "os.system", "eval", "sklearn_attrec.MarkovRecommender"]
CLASSES += ["BaseRecommender", "GridSearchCV", "_CLASSES", "", "\x1b[2J", "x" * 9999]
CLASSES += [None, 1, True, ["MarkovRecommender"], {"MarkovRecommender": 1}]


@pytest.mark.case("S8")
@pytest.mark.parametrize("name", CLASSES, ids=lambda name: repr(name)[:40])
def test_classes_are_not_imported(name, tmp_path):
    content = hostile.changed(MARKOV, set_manifest(**{"class": name}))
    before = set(sys.modules)
    assert "'class'" in str(refusal(content, tmp_path))
    assert set(sys.modules) == before


@pytest.mark.case("S8")
@pytest.mark.parametrize("written_as", GOOD)
@pytest.mark.parametrize("named", GOOD)
def test_a_class_has_its_own_arrays(written_as, named, tmp_path):
    if named == written_as:
        return
    content = hostile.changed(GOOD[written_as], set_manifest(**{"class": named}))
    refusal(content, tmp_path)


# Indices --------------------------------------------------------------------------


def put(name, place, value):
    """Put a value at one place of an array."""

    def change(manifest, arrays):
        arrays[name][place] = value

    return change


def put_bytes(content):
    """Put text in the place of the first id's."""

    def change(manifest, arrays):
        name = "items" if "items.utf8" in arrays else "users"
        arrays[f"{name}.utf8"][: len(content)] = np.frombuffer(content, np.uint8)

    return change


def swap_rows(name):
    def change(manifest, arrays):
        arrays[name][[1, 2]] = arrays[name][[2, 1]]

    return change


LOWEST, HIGHEST = -(2**63), 2**63 - 1
# What compiled code, handed such numbers, would read or write beyond its memory for.
INDICES = {
    "item too large": (MARKOV, put("history.items", 3, 7)),
    "item negative": (MARKOV, put("history.items", 3, -1)),
    "item largest": (SASREC, put("history.items", -1, 2**31 - 1)),
    "item lowest": (ATTREC, put("history.items", 0, -(2**31))),
    "row begins late": (MARKOV, put("history.indptr", 0, 1)),
    "row begins before": (MARKOV, put("history.indptr", 0, -1)),
    "row ends late": (ATTREC, put("history.indptr", -1, 10_000)),
    "row ends early": (ATTREC, put("history.indptr", -1, 3)),
    "rows go back": (SASREC, swap_rows("history.indptr")),
    "row lowest": (SASREC, put("history.indptr", 2, LOWEST)),
    "row highest": (SSE_PT, put("history.indptr", 2, HIGHEST)),
    "weight too far right": (MARKOV, put("weights.indices", 0, 7)),
    "weight too far left": (KNN, put("weights.indices", 0, -1)),
    "weight highest": (KNN, put("weights.indices", -1, 2**31 - 1)),
    "weights out of order": (KNN, swap_rows("weights.indices")),
    "weights twice": (KNN, put("weights.indices", slice(0, 3), 2)),
    "weights begin late": (MARKOV, put("weights.indptr", 0, 1)),
    "weights end late": (MARKOV, put("weights.indptr", -1, 99)),
    "weights go back": (KNN, swap_rows("weights.indptr")),
    "weights lowest": (KNN, put("weights.indptr", 2, -(2**31))),
    "id begins late": (MARKOV, put("items.offsets", 0, 1)),
    "id begins before": (MARKOV, put("items.offsets", 0, -1)),
    "id ends late": (ATTREC, put("users.offsets", -1, 99)),
    "id ends early": (ATTREC, put("users.offsets", -1, 50)),
    "ids go back": (ATTREC, swap_rows("users.offsets")),
    "id past the end": (ATTREC, put("users.offsets", 3, HIGHEST)),
    "id lowest": (ATTREC, put("users.offsets", 3, LOWEST)),
    "id empty": (MARKOV, put("items.offsets", 1, 0)),
    "id not UTF-8": (MARKOV, put_bytes(b"\xff")),
    "id overlong": (MARKOV, put_bytes(b"\xc0\x80")),
    "id a surrogate": (ATTREC, put_bytes(b"\xed\xa0\x80")),
    "id beyond Unicode": (ATTREC, put_bytes(b"\xf4\x90\x80\x80")),
    "id cut within a letter": (MARKOV, put("items.offsets", 4, 11)),
    "float id NaN": (KNN, put("items", 2, np.nan)),
    "float id infinite": (KNN, put("users", 2, np.inf)),
}


@pytest.mark.case("S9")
@pytest.mark.parametrize("case", INDICES)
def test_indices_are_within_their_arrays(case, tmp_path):
    refusal(hostile.changed(*INDICES[case]), tmp_path)


def equal_ids(name):
    def change(manifest, arrays):
        arrays[name][1] = arrays[name][0]

    return change


def equal_texts(manifest, arrays):
    arrays["items.utf8"][:] = ord("x")
    arrays["items.offsets"][:3] = 0, 1, 2


def no_time(manifest, arrays):
    arrays["history.times"][-1] = np.iinfo(np.int64).min


CONTENTS = {
    "id twice": (SASREC, equal_ids("items")),
    "wide id twice": (SSE_PT, equal_ids("users")),
    "float id twice": (KNN, equal_ids("users")),
    "zero twice": (KNN, put("users", slice(0, 2), [0.0, -0.0])),
    "text twice": (MARKOV, equal_texts),
    "count too large": (POPULARITY, put("item_counts", 0, 10**15)),
    "count negative": (POPULARITY, put("item_counts", 0, -1)),
    "counts of nobody": (POPULARITY, put("item_counts", slice(None), 0)),
    "times go back": (SASREC, swap_rows("history.times")),
    "time NaN": (MARKOV, put("history.times", 0, np.nan)),
    "time infinite": (MARKOV, put("history.times", -1, np.inf)),
    "time NaT": (ATTREC, no_time),
}


@pytest.mark.case("S9", "S10")
@pytest.mark.parametrize("case", CONTENTS)
def test_contents_make_sense(case, tmp_path):
    refusal(hostile.changed(*CONTENTS[case]), tmp_path, ways=WAYS[:2])


@pytest.mark.case("S10")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_are_finite(value, tmp_path):
    count = 0

    def spoil(arrays, name):
        if arrays[name].dtype.kind == "f" and arrays[name].size:
            arrays[name].flat[-1] = value

    for name, content in of_every_array(spoil):
        if content in GOOD.values():
            continue
        count += 1
        assert name in str(refusal(content, tmp_path, ways=WAYS[:2]))
    assert count > 30


NEVER = [[], {}, [1], {"a": 1}, "no such value", "", "\x1b[2J", -1, 2**63, 10**4000]


def sections_of(content):
    manifest, _, _ = hostile.take_apart(content)
    return [
        (section, name)
        for section in ("params", "fitted", "settings")
        for name in manifest[section] or {}
    ]


@pytest.mark.case("S10")
@pytest.mark.parametrize("name", GOOD)
def test_parameters_are_checked_as_in_fit(name, tmp_path):
    for section, entry in sections_of(GOOD[name]):
        for value in NEVER:
            # Counts of a fit have no bound but that of time.
            if entry == "n_users_skipped_" and value in NEVER[-2:]:
                continue
            content = hostile.changed(GOOD[name], set_entry(section, entry, value))
            error = refusal(content, tmp_path, ways=WAYS[:1])
            assert section in str(error)
        if section != "params":  # which have defaults

            def drop_entry(manifest, arrays, section=section, entry=entry):
                del manifest[section][entry]

            refusal(hostile.changed(GOOD[name], drop_entry), tmp_path)


@pytest.mark.case("S10")
@pytest.mark.parametrize(
    "content, change",
    [
        (ATTREC, set_entry("params", "omega", 7)),
        (ATTREC, set_entry("settings", "omega", 7.0)),
        (ATTREC, set_entry("settings", "omega", 0)),  # an int where fit has a float
        (ATTREC, set_entry("settings", "omega", True)),
        (ATTREC, set_entry("params", "k", True)),
        (ATTREC, set_entry("params", "k", 2.5)),
        (ATTREC, set_entry("params", "k", None)),
        (ATTREC, set_manifest(settings=None)),
        (SASREC, set_entry("settings", "n_heads", 0)),
        (SASREC, set_entry("settings", "n_heads", 3)),
        (SASREC, set_entry("settings", "norm", "both")),
        (SASREC, set_entry("settings", "positions", "sinusoidal")),  # there is a P
        (MARKOV, set_entry("fitted", "smoothing_", 0)),
        (MARKOV, set_entry("fitted", "smoothing_", 1.5)),
        (MARKOV, set_manifest(settings={})),
        (MARKOV, set_manifest(fitted=None)),
        (MARKOV, set_manifest(params=[])),
        (MARKOV, set_manifest(time_unit="s")),
        (ATTREC, set_manifest(time_unit="fortnights")),
        (ATTREC, set_manifest(time_unit=[])),
        (SSE_PT, set_manifest(time_unit="s")),
        (SSE_PT, set_manifest(n_features=3)),
        (MARKOV, set_manifest(n_features=2)),
        (MARKOV, set_manifest(n_features=4)),
        (KNN, set_manifest(n_features=1)),
        (KNN, set_manifest(n_features=True)),
        (KNN, set_manifest(n_features=2**31 + 1)),
        (MARKOV, set_manifest(from_frame=1)),
        (MARKOV, set_manifest(kind="weights")),
        (MARKOV, set_manifest(kind=None)),
        (MARKOV, set_manifest(written_by=1)),
    ],
)
def test_values_of_the_manifest(content, change, tmp_path):
    refusal(hostile.changed(content, change), tmp_path)


# Forgery, and what is no file -----------------------------------------------------


@pytest.mark.case("S11")
def test_a_forged_file_is_told_by_its_sha256_alone(tmp_path):
    """Checksums in a file are no signature: who changes one can change the other."""
    path = tmp_path / "model.attrec"
    forged = hostile.changed(MARKOV, put("weights.data", 0, 0.125))
    path.write_bytes(forged)
    assert load_model(path).weights_["data"][0] == 0.125
    digest = hashlib.sha256(MARKOV).hexdigest()
    for options in WAYS:
        with pytest.raises(ModelCorruptError, match=f"expected was {digest}"):
            load_model(path, expected_sha256=digest, **options)


@on_posix
@pytest.mark.case("S12")
def test_only_regular_files_are_read(tmp_path):
    (tmp_path / "model").write_bytes(MARKOV)
    (tmp_path / "link").symlink_to("model")
    load_model(tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")  # nobody writes to it: no reason to wait
    (tmp_path / "to a device").symlink_to("/dev/zero")
    names = ["pipe", "to a device", ".", "/dev/zero", "/dev/null"]
    for path in [tmp_path / name for name in names]:
        for function in (load_model, inspect_model):
            with pytest.raises(ModelFileError, match="is not a regular file"):
                function(path)


@pytest.mark.case("S12")
@pytest.mark.parametrize("function", [load_model, inspect_model])
def test_missing_files_are_missing(function, tmp_path):
    path = tmp_path / "missing.attrec"
    with pytest.raises(FileNotFoundError) as caught:
        function(path)
    assert caught.value.filename == str(path)


@on_posix
@pytest.mark.case("S12")
@pytest.mark.parametrize("mmap", [False, True])
def test_a_file_that_is_replaced_or_grows_meanwhile(mmap, tmp_path, monkeypatch):
    """One file is opened, and read once up to the end that it had then."""
    path = tmp_path / "model.attrec"
    path.write_bytes(MARKOV)
    parse = _tensor_file._parse_header

    def replace_first(text):
        with path.open("ab") as file:
            file.write(b"more")
        path.with_name("new").write_bytes(POPULARITY)
        path.with_name("new").replace(path)
        return parse(text)

    monkeypatch.setattr(_tensor_file, "_parse_header", replace_first)
    assert type(load_model(path, mmap=mmap)) is MarkovRecommender
    assert path.read_bytes() == POPULARITY


@on_posix
@pytest.mark.case("S12", "F7")
def test_a_file_that_shrinks_meanwhile(tmp_path, monkeypatch):
    path = tmp_path / "model.attrec"
    rows = np.random.default_rng(0).integers(500, size=(5_000, 2))
    save_model(MarkovRecommender().fit(rows), path)  # more than is read ahead
    parse = _tensor_file._parse_header

    def truncate_first(text):
        os.truncate(path, path.stat().st_size - 1)
        return parse(text)

    monkeypatch.setattr(_tensor_file, "_parse_header", truncate_first)
    with pytest.raises(ModelCorruptError, match="it ends early"):
        load_model(path)


@on_posix
@pytest.mark.case("S12")
def test_a_pipe_with_a_writer_is_refused_as_well(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with path.open("wb") as writer:
            writer.write(MARKOV[:1_000])
            writer.flush()
            with pytest.raises(ModelFileError, match="is not a regular file"):
                load_model(path)
    finally:
        os.close(reader)


# Nothing is run -------------------------------------------------------------------

AUDIT = """
import os, sys
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
    if event in FORBIDDEN:
        events.append(f"{event} {arguments}")
    if event == "open":
        name, mode, flags = arguments
        opened += not isinstance(name, int)  # a descriptor
        if flags & WRITING or set(mode or "") & set("wax+"):
            events.append(f"{event} {arguments}")

sys.addaudithook(watch)
paths = sorted(Path(sys.argv[1]).iterdir())
loaded = refused = 0
watching = True
for path in paths:
    for mmap in (False, True):
        for verify in ("full", "header"):
            try:
                load_model(path, mmap=mmap, verify=verify)
                loaded += 1
            except ModelFileError:
                refused += 1
    try:
        inspect_model(path)
    except ModelFileError:
        pass
watching = False
print(loaded, refused, opened)
print(*events[:9], len(events), sep="\\n")
"""


def corpus():
    """Every file of the tables above, by name."""
    for name, make in (PICKLES | FOREIGN | HEADERS | TABLES).items():
        yield name, make()
    for name, change in INJECTIONS.items():
        yield name, hostile.changed(MARKOV, change)
    for name, (content, change) in (INDICES | CONTENTS).items():
        yield name, hostile.changed(content, change)
    for name in CLASSES:
        yield f"class {name}", hostile.changed(MARKOV, set_manifest(**{"class": name}))
    for change in CHANGES:
        for name, content in of_every_array(change):
            yield f"{change.__name__} {name}", content


@pytest.mark.case("S1", "S2")
def test_loading_runs_imports_and_writes_nothing(tmp_path, record_property):
    """Good files come first: what they import late would show."""
    files = list(GOOD.items()) + list(corpus())
    for n, (_, content) in enumerate(files):
        (tmp_path / f"{n:04}.attrec").write_bytes(content)
    answer = subprocess.run(
        [sys.executable, "-c", AUDIT, tmp_path], capture_output=True, text=True
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    counts, *events = answer.stdout.splitlines()
    loaded, refused, opened = map(int, counts.split())
    record_property("files loaded under audit, none run", len(files))
    assert events == ["0"]
    assert loaded >= 4 * len(GOOD)
    assert refused > 4 * 300
    assert opened == 5 * len(files)  # the hook was there, and saw each file once


@pytest.mark.case("S2")
def test_the_audit_would_see_a_pickle(tmp_path):
    (tmp_path / "model.attrec").write_bytes(pickle.dumps(Path()))
    script = AUDIT.replace(
        "from sklearn_attrec import load_model",
        "import pickle\nload_model = lambda path, **_: pickle.loads(path.read_bytes())",
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True
    )
    assert "pickle.find_class" in answer.stdout, answer.stderr


# What is written ------------------------------------------------------------------


@pytest.mark.case("S20")
def test_files_tell_nothing_of_where_they_were_made(tmp_path):
    path = tmp_path / "a telling name.attrec"
    for content in GOOD.values():
        source = tmp_path / "source"
        source.write_bytes(content)
        model = load_model(source)
        if hasattr(model, "verbose"):
            model.set_params(checkpoint=tmp_path / "checkpoint", resume=True)
        save_model(model, path)
        saved = path.read_bytes()
        assert saved == content
        # Whole paths, and the name of no machine: a part of them may be any word.
        words = [path.stem, str(tmp_path), str(Path.cwd()), sys.prefix]
        words += [sys.version.split()[0], np.__version__]
        for word in words:
            assert word.encode() not in saved


# Anything -------------------------------------------------------------------------


def attempt(content, path):
    """Load anything in every way: a model that answers, or a ModelFileError."""
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
            try:
                model.recommend(k=2)
                model.similar_items(model.items_[:1], k=2)
            except ValueError:  # such as numbers that overflow
                continue
            except pd.errors.InvalidIndexError:  # repeated ids, if not looked for
                assert options.get("verify") == "header"
    return len(loaded)


@pytest.fixture(scope="module")
def anywhere(tmp_path_factory):
    return tmp_path_factory.mktemp("anything") / "model.attrec"


anything = settings(
    max_examples=10_000 if os.environ.get("SKLEARN_ATTREC_SOAK") else 300,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.case("P16")
@anything
@given(st.binary(max_size=300), st.sampled_from(["", START, START + "{}"]))
def test_any_bytes(anywhere, content, start):
    attempt(content, anywhere)
    attempt(hostile.with_header(start.encode() + content, b""), anywhere)


@pytest.mark.case("P16")
@anything
@given(
    st.sampled_from(sorted(GOOD)),
    st.integers(0, 10_000),
    st.integers(0, 40),
    st.binary(max_size=40),
)
def test_any_piece_of_a_good_file_replaced(anywhere, name, place, length, content):
    good = GOOD[name]
    place %= len(good)
    attempt(good[:place] + content + good[place + length :], anywhere)


numbers = st.integers(-9, 9) | st.integers() | st.sampled_from([2**63, 2**31, 10**400])
scalars = (
    st.none() | st.booleans() | numbers | st.floats(width=32) | st.text(max_size=9)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=8,
)


def places_of(value):
    """Every place in nested dicts and lists, as a path of keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield (key,)
        if isinstance(inner, (dict, list)):
            yield from ((key, *path) for path in places_of(inner))


def change_at(value, path, new):
    *outer, last = path
    for key in outer:
        value = value[key]
    if new is DELETED:
        del value[last]
    else:
        value[last] = new


DELETED = object()
# Values from elsewhere in the same file are the likeliest to slip through.
BORROWED = object()


@pytest.mark.case("P16")
@anything
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_any_header_with_right_checksums(anywhere, name, data):
    manifest, table, content = hostile.take_apart(GOOD[name])
    both = {"manifest": manifest, "table": table}
    for _ in range(data.draw(st.integers(1, 3), label="changes")):
        places = [path for path in places_of(both) if len(path) > 1]
        path = data.draw(st.sampled_from(places), label="place")
        new = data.draw(st.just(DELETED) | st.just(BORROWED) | values, label="value")
        if new is BORROWED:
            new = both
            for key in data.draw(st.sampled_from(places), label="borrowed from"):
                new = new[key]
            new = json.loads(json.dumps(new))
        change_at(both, path, new)
    try:
        file = hostile.put_together(manifest, table, content)
    except UnicodeEncodeError:  # a lone surrogate, which JSON escapes
        return
    attempt(file, anywhere)


extremes = st.sampled_from(
    [0, 1, -1, 2, 7, 127, -128, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 1e38, np.nan]
)


@pytest.mark.case("P16")
@anything
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_any_arrays_with_right_checksums(anywhere, name, data):
    def change(manifest, arrays):
        for _ in range(data.draw(st.integers(1, 3), label="changes")):
            key = data.draw(st.sampled_from(sorted(arrays)), label="array")
            value = arrays[key]
            what = data.draw(st.sampled_from(["put", "type", "cut", "copy"]))
            if what == "put" and value.size:
                place = data.draw(st.integers(0, value.size - 1))
                number = data.draw(extremes | st.floats(width=32))
                with np.errstate(all="ignore"):
                    value.reshape(-1)[place] = np.float64(number).astype(value.dtype)
            elif what == "type":
                dtype = data.draw(st.sampled_from(list(hostile.NAMES)))
                with np.errstate(all="ignore"):
                    arrays[key] = value.astype(dtype)
            elif what == "cut":
                first, last = data.draw(st.tuples(numbers, numbers))
                arrays[key] = value[first : max(last, -(2**62))]
            elif what == "copy":
                other = data.draw(st.sampled_from(sorted(arrays)))
                arrays[key] = arrays[other].copy()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # casts beyond a dtype
        file = hostile.changed(GOOD[name], change)
    attempt(file, anywhere)


@pytest.mark.case("P16")
def test_good_files_pass_the_same_checks(anywhere):
    for content in GOOD.values():
        assert attempt(content, anywhere) == len(WAYS)
