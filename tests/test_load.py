"""Memory under load: it does not grow with users times items.

`benchmarks/load.py` measures speed; nothing is timed here.
"""

import json
import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    SASRecRecommender,
    save_model,
)
from sklearn_attrec._interactions.sequences import Sequences
from sklearn_attrec._networks import numpy_ops
from sklearn_attrec._networks.negative_sampling import draw_untouched, index_untouched

BYTES_OF_CHUNKS = 40e6  # the scores that two threads hold, and what they select
BYTES_PER_ITEM = 32  # popularity, squared lengths, the mask of excluded items
BYTES_PER_ROW = 100  # item, user, score and rank, in NumPy and in pandas
SMALL_THINGS = 10**5

QUICK = {"max_iter": 1, "batch_size": 8_192, "random_state": 0}


def catalogue(n_items, n_users=200):
    """Each item once, spread over the users."""
    items = np.random.default_rng(0).permutation(n_items)
    return pd.DataFrame({"user_id": np.arange(n_items) % n_users, "item_id": items})


def peak_of(call, *args):
    """Largest number of bytes that a call held in addition to those before it."""
    tracemalloc.start()
    try:
        call(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def run(script, *arguments):
    """Run a script in a new process and return the JSON that it prints."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    answer = subprocess.run(command, check=True, capture_output=True, timeout=240)
    return json.loads(answer.stdout)


@pytest.mark.case("L3")
@pytest.mark.parametrize(("n_items", "d"), [(10_000, 64), (30_000, 32), (300_000, 8)])
@pytest.mark.parametrize(
    ("model", "n_tables"),
    [
        (AttRecRecommender(loss="hinge"), 1),
        (SASRecRecommender(loss="sampled_softmax", n_heads=1), 0),
    ],
    ids=["AttRec", "SASRec"],
)
def test_memory_of_recommend_does_not_grow_with_the_catalogue(
    model, n_tables, n_items, d, record_property
):
    model = clone(model).set_params(d=d, **QUICK).fit(catalogue(n_items))
    users = np.tile(model.users_, 5).tolist()
    results = len(users) * model.k * BYTES_PER_ROW + SMALL_THINGS
    # The first call reads the tables; AttRec needs as much memory for squares.
    first = n_tables * n_items * model.d * 4
    blocks = BYTES_OF_CHUNKS + n_items * BYTES_PER_ITEM + results
    with threadpool_limits(2):
        assert peak_of(model.recommend, users) <= first + blocks
        found = peak_of(model.recommend, users)
    assert found <= BYTES_OF_CHUNKS + n_items + results
    record_property("MB of memory while ranking, beside the model", round(found / 1e6))


@pytest.mark.parametrize(
    ("model", "limit"),
    [(ItemKNNRecommender(n_neighbors=5), 120e6), (MarkovRecommender(), 60e6)],
    ids=["ItemKNN", "Markov"],
)
def test_sparse_models_make_nothing_as_large_as_all_pairs(model, limit):
    # All pairs of items would take 1.6 GB in float32, and users times items as much.
    rows = np.arange(100_000)
    frame = pd.DataFrame(
        {"user_id": rows % 20_000, "item_id": (rows * 7_919 + rows // 11) % 20_000}
    )
    model = clone(model)
    assert peak_of(model.fit, frame) < limit
    assert peak_of(model.predict, list(range(100))) < limit
    assert 0 < len(model.weights_["data"]) <= 6 * 20_000  # with the item itself


@pytest.mark.case("L2")
def test_the_best_of_a_hundred_thousand_items():
    model = AttRecRecommender(loss="hinge", d=64, exclude_seen=False, **QUICK)
    model.fit(catalogue(100_000))
    users = model.users_[:20].tolist()
    scores = model.query_vectors(users) @ model.item_vectors().T
    best = -np.sort(-scores, axis=1)[:, :10]
    table = model.recommend(users, k=10)
    assert_allclose(table["score"], best.ravel(), rtol=1e-4, atol=1e-5)
    codes = pd.Index(model.items_).get_indexer(table["item_id"]).reshape(20, 10)
    found = np.take_along_axis(scores, codes, axis=1)
    assert_allclose(found, best, rtol=1e-4, atol=1e-5)


A_MILLION = """
    import json
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from sklearn_attrec import AttRecRecommender

    random, n = np.random.default_rng(0), 1_000_000
    X = pd.DataFrame(
        {
            "user_id": random.integers(10_000, size=n),
            "item_id": (5_000 * random.random(n) ** 2).astype(int),
            "timestamp": random.integers(10**9, size=n),
        }
    )
    params = {"d": 16, "loss": "hinge", "n_negatives": 2, "batch_size": 8_192}
    model = AttRecRecommender(**params, max_iter=1, random_state=0).fit(X)
    # Of this process only: getrusage also counts the process that started it.
    status = Path("/proc/self/status").read_text()
    kilobytes = int(status.split("VmHWM:")[1].split()[0])
    print(json.dumps([len(model.history_items_), kilobytes / 1e3]))
"""


@pytest.mark.case("L4")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")
def test_a_million_interactions_are_fitted_in_two_gigabytes(record_property):
    n_rows, megabytes = run(A_MILLION)
    record_property(
        "MB of memory to fit a million interactions, TensorFlow included",
        round(megabytes),
    )
    assert n_rows == 1_000_000
    assert megabytes <= 2_000


LOAD = """
    import json
    import sys
    import tracemalloc

    from sklearn_attrec import load_model

    tracemalloc.start()
    peaks = []
    for options in ({}, {"mmap": True}, {"mmap": True, "verify": "header"}):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        model = load_model(sys.argv[1], **options)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
        model.recommend(model.users_[0].item())
        kept = tracemalloc.get_traced_memory()[0] - before
        del model
    print(json.dumps([*peaks, kept, "tensorflow" in sys.modules]))
"""


@pytest.mark.case("L7")
def test_a_large_model_is_loaded_without_a_second_copy(tmp_path, record_property):
    model = AttRecRecommender(loss="hinge", d=64, **QUICK).fit(catalogue(100_000))
    path = tmp_path / "large.attrec"
    save_model(model, path)
    size = path.stat().st_size
    assert size > 2 * 100_000 * 64 * 4
    in_memory, mapped, unread, kept, with_tensorflow = run(LOAD, path)
    assert not with_tensorflow
    # In addition to the file: the check of finite weights, and the table of ids.
    assert size <= in_memory <= 1.3 * size
    assert unread <= mapped <= 0.3 * size
    assert kept <= 0.1 * size  # the mapped tables stay in the file
    record_property(
        "Peak memory of loading, as a multiple of the file size",
        round(in_memory / size, 2),
    )


@pytest.mark.case("L9")
def test_negatives_of_a_user_with_nearly_all_items():
    n_items, n_left = 1_000_000, 100
    items = np.random.default_rng(0).permutation(n_items).astype(np.int32)
    left, seen = np.sort(items[:n_left]), items[n_left:]
    sequences = Sequences(
        np.array([0, 2, 2 + len(seen)]), np.concatenate([[3, 5], seen]), None
    )
    untouched = index_untouched(sequences, n_items)
    assert untouched.counts.tolist() == [n_items - 2, n_left]
    # 50 numbers in each of 100 equal intervals draw each remaining item 50 times.
    uniforms = (np.arange(50 * n_left) + 0.5)[None] / (50 * n_left)
    drawn = draw_untouched(numpy_ops, untouched, n_items, np.array([1]), uniforms)
    assert_array_equal(drawn[0], np.repeat(left, 50))
