"""Load held: memory grows with a block of scores, never with users times items.

How fast it goes is printed by `benchmarks/load.py`; nothing is timed here.
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

from sklearn_attrec import AttRecRecommender, SASRecRecommender, save_model
from sklearn_attrec._ranking import BLOCK_SIZE
from sklearn_attrec._sampling import draw_untouched, index_untouched
from sklearn_attrec._sequences import Sequences
from sklearn_attrec.utils import _numpy_ops

BYTES_A_SCORE = 4 + 8  # itself and its place in the partial sort
BYTES_AN_ITEM = 16  # popularity, squared lengths, what is left out
BYTES_AN_ANSWER = 100  # item, user, score and rank, in NumPy and then in pandas
SMALL_THINGS = 10**5

QUICK = {"max_iter": 1, "batch_size": 8_192, "random_state": 0}


def catalogue(n_items, n_users=200):
    """Each item once, spread over the users."""
    items = np.random.default_rng(0).permutation(n_items)
    return pd.DataFrame({"user_id": np.arange(n_items) % n_users, "item_id": items})


def peak_of(call, *args):
    """Bytes that a call held at most, beyond what was there before."""
    tracemalloc.start()
    try:
        call(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# A model's first answer looks through its items' tables, which takes so many times one
# of them for a moment: for the squares of one, or to mark which numbers are finite.
MODELS = [
    pytest.param(AttRecRecommender(loss="hinge"), 1, id="AttRec"),
    pytest.param(
        SASRecRecommender(loss="sampled_softmax", n_heads=1), 0.25, id="SASRec"
    ),
]


def check_memory_of_recommend(model, n_tables):
    """Return the bytes that each score of a block takes."""
    users, n_items = model.users_.tolist(), len(model.items_)
    block = BLOCK_SIZE * n_items * BYTES_A_SCORE + n_items * BYTES_AN_ITEM
    answers = len(users) * model.k * BYTES_AN_ANSWER + SMALL_THINGS
    table = n_items * model.d * 4
    first = peak_of(model.recommend, users)
    assert first <= max(n_tables * table + n_items * BYTES_AN_ITEM, block) + answers
    one_block = peak_of(model.recommend, users[:BLOCK_SIZE])
    all_blocks = peak_of(model.recommend, users)
    assert one_block <= all_blocks <= block + answers
    assert all_blocks - one_block <= answers
    return all_blocks / BLOCK_SIZE / n_items


@pytest.mark.case("L3")
@pytest.mark.parametrize(("n_items", "d"), [(10_000, 64), (30_000, 32), (100_000, 8)])
@pytest.mark.parametrize(("model", "n_tables"), MODELS)
def test_memory_of_recommend_is_a_block_of_scores(
    model, n_tables, n_items, d, record_property
):
    model = clone(model).set_params(d=d, **QUICK).fit(catalogue(n_items))
    found = check_memory_of_recommend(model, n_tables)
    record_property("bytes that rank one item for one user", round(found, 1))


@pytest.mark.case("L2")
def test_the_best_of_a_hundred_thousand_items():
    model = AttRecRecommender(loss="hinge", d=64, exclude_seen=False, **QUICK)
    model.fit(catalogue(100_000))
    check_memory_of_recommend(model, n_tables=1)
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
    model = AttRecRecommender(
        d=16, n_negatives=2, batch_size=8_192, max_iter=1, random_state=0
    ).fit(X)
    # Of this program alone: what getrusage tells begins with who started it.
    (line,) = (
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    print(json.dumps([len(model.history_items_), int(line.split()[1]) / 1e3]))
"""


@pytest.mark.case("L4")
@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="Linux alone tells, in /proc"
)
def test_a_million_interactions_are_learned_from_in_two_gigabytes(record_property):
    command = [sys.executable, "-c", textwrap.dedent(A_MILLION)]
    answer = subprocess.run(command, check=True, capture_output=True, timeout=240)
    n_rows, megabytes = json.loads(answer.stdout)
    record_property("MB in which a million rows are fitted", round(megabytes))
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
    """How fast, `benchmarks/model_files.py` prints."""
    model = AttRecRecommender(loss="hinge", d=64, **QUICK).fit(catalogue(100_000))
    path = tmp_path / "large.attrec"
    save_model(model, path)
    size = path.stat().st_size
    assert size > 2 * 100_000 * 64 * 4
    command = [sys.executable, "-c", textwrap.dedent(LOAD), str(path)]
    answer = subprocess.run(command, check=True, capture_output=True, timeout=240)
    in_memory, mapped, unread, kept, with_tensorflow = json.loads(answer.stdout)
    assert not with_tensorflow
    # Beside the file itself: whether each weight is finite, a table of known ids.
    assert size <= in_memory <= 1.3 * size
    assert unread <= mapped <= 0.3 * size
    assert kept <= 0.1 * size  # who recommends shares the mapped tables with others
    record_property(
        "memory of loading, in sizes of the file", round(in_memory / size, 2)
    )


@pytest.mark.case("L9")
def test_negatives_of_a_user_who_saw_nearly_everything():
    n_items, n_left = 1_000_000, 100
    items = np.random.default_rng(0).permutation(n_items).astype(np.int32)
    left, seen = np.sort(items[:n_left]), items[n_left:]
    sequences = Sequences(
        np.array([0, 2, 2 + len(seen)]), np.concatenate([[3, 5], seen]), None
    )
    untouched = index_untouched(sequences, n_items)
    assert untouched.counts.tolist() == [n_items - 2, n_left]
    # 50 numbers in each of 100 equal cells draw each item that is left 50 times.
    uniforms = (np.arange(50 * n_left) + 0.5)[None] / (50 * n_left)
    drawn = draw_untouched(_numpy_ops, untouched, n_items, np.array([1]), uniforms)
    assert_array_equal(drawn[0], np.repeat(left, 50))
