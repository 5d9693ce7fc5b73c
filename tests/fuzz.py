"""Fuzz targets: any input gives an answer or a documented error, and nothing else.

`make soak` runs each for some minutes. To run one:

    python tests/fuzz.py model --seconds 60
"""

import argparse
import contextlib
import io
import os
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sklearn_attrec"]):
    from sklearn_attrec import MarkovRecommender, cli, load_model, save_model
    from sklearn_attrec.datasets import make_interactions, read_interactions
    from sklearn_attrec.exceptions import InteractionsError, ModelFileError
    from sklearn_attrec.utils._packed_ids import pack_ids, unpack_ids
    from sklearn_attrec.utils._tensor_file import read_tensors, write_tensors

import numpy as np

FOLDER = Path(tempfile.mkdtemp())
MODEL = FOLDER / "model.attrec"


def model(data):
    """Read any bytes as a model file, and a good file's arrays with other numbers."""
    path = FOLDER / "fuzzed.attrec"
    path.write_bytes(data)
    with contextlib.suppress(ModelFileError):
        load_model(path).recommend(k=2)
    manifest, tensors = read_tensors(MODEL)
    del manifest["sha256"], manifest["format"]
    provider = atheris.FuzzedDataProvider(data)
    name = provider.PickValueInList(sorted(tensors))
    raw = bytearray(tensors[name].tobytes())
    changed = provider.ConsumeBytes(len(raw))
    raw[: len(changed)] = changed
    tensors[name] = np.frombuffer(bytes(raw), tensors[name].dtype)
    write_tensors(path, manifest, tensors)
    for verify in ("full", "header"):
        with contextlib.suppress(ModelFileError):
            loaded = load_model(path, verify=verify)
            # 'header' does not check the arrays, so that ranking may fail on them.
            with contextlib.suppress(ValueError) if verify == "header" else quiet():
                loaded.recommend(k=2)


def csv(data):
    """Read any bytes as interactions."""
    path = FOLDER / "fuzzed.csv"
    path.write_bytes(data)
    with contextlib.suppress(InteractionsError):
        read_interactions(path)


def ids(data):
    """Pack any text and get it back, and unpack any arrays."""
    provider = atheris.FuzzedDataProvider(data)
    texts = [provider.ConsumeUnicodeNoSurrogates(8) or "x" for _ in range(5)]
    texts = np.array(list(dict.fromkeys(texts)), dtype=object)
    assert unpack_ids("ids", pack_ids("ids", texts)).tolist() == texts.tolist()
    arrays = {
        "ids.offsets": np.array(provider.ConsumeIntListInRange(4, -9, 99), np.int64),
        "ids.utf8": np.frombuffer(provider.ConsumeBytes(60), np.uint8),
    }
    if len(arrays["ids.offsets"]):
        with contextlib.suppress(ValueError):
            unpack_ids("ids", arrays)


COMMANDS = ["fit", "evaluate", "recommend", "tune", "inspect"]
OPTIONS = ["--out", "--model", "--model-file", "--set", "--grid", "--users", "--k"]
OPTIONS += ["--all-users", "--sep", "--header", "--columns", "--encoding", "--jobs"]
VALUES = ["k=3", "smoothing=", "popularity", "1,2", ",", "utf-16", "no", "1"]
VALUES += [str(FOLDER / "rows.csv"), str(MODEL), str(FOLDER / "new")]


@contextlib.contextmanager
def quiet():
    streams = contextlib.redirect_stdout, contextlib.redirect_stderr
    with streams[0](io.StringIO()), streams[1](io.StringIO()):
        yield


def arguments(data):
    """Run the command line with any arguments: an exit code, never a traceback."""
    provider = atheris.FuzzedDataProvider(data)
    command = provider.PickValueInList(COMMANDS)
    found = [command] if command == "inspect" else [command, "--model", "markov"]
    while provider.remaining_bytes() and len(found) < 12:
        text = provider.ConsumeUnicodeNoSurrogates(6).replace("/", "")
        found.append(provider.PickValueInList([*OPTIONS, *VALUES, *VALUES, text]))
    try:
        assert cli.main(found) in (0, 2, 3)
    except SystemExit as stop:
        assert stop.code == 0  # --help, --version


TARGETS = {target.__name__: target for target in (model, csv, ids, arguments)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    os.chdir(FOLDER)  # a fuzzed --out may write files here
    rows = make_interactions(12, 8, n_per_user=(2, 5), random_state=0)
    rows.to_csv(FOLDER / "rows.csv", index=False)
    save_model(MarkovRecommender().fit(rows), MODEL)
    corpus = FOLDER / "corpus"
    corpus.mkdir()
    for path in (MODEL, FOLDER / "rows.csv"):
        (corpus / path.name).write_bytes(path.read_bytes())

    def target(data):
        with quiet():
            TARGETS[options.target](data)

    limits = [f"-max_total_time={options.seconds}", "-max_len=4096", "-timeout=10"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
