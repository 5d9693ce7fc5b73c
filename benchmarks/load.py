"""Measure time and memory for large catalogues and many interactions.

- L1: `recommend` for 1,000 users among a million items, d = 64: users per second, and
  the peak memory above the memory of the process with the model loaded.
- L2: `recommend` for 2,000 users among 100,000 items.
- L4: `fit` on a million interactions, one epoch: seconds, and the peak memory of the
  whole process, including TensorFlow.
- L5: `fit` on ten million interactions with string ids, one epoch.
- L6: `target_ranks` of 100,000 users among 50,000 items.
- L8: the command line recommends to a million users from a model file.
- L9: number of negatives drawn per second in batches of 512 × 10, half of them for a
  user who interacted with 99.99 % of a million items.
- L10: a grid search of 100 candidates with 3 folds on a small data set.

docs/reliability.md uses some of these names, too. Each load runs in its own process.
L5, L6 and L8 take minutes; they run only if `--only` names them, or with `--all`.

    python benchmarks/load.py
    python benchmarks/load.py --only L5 L8

Resident memory is read from /proc, so this runs on Linux.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from _shared import (
    highest_memory,
    markdown,
    reset_highest_memory,
    resident_memory,
    untrained,
)
from sklearn.model_selection import GridSearchCV

from sklearn_attrec import AttRecRecommender, MarkovRecommender, cli, save_model
from sklearn_attrec._interactions.sequences import Sequences
from sklearn_attrec._networks import numpy_ops
from sklearn_attrec._networks.negative_sampling import draw_untouched, index_untouched
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.model_selection import LeaveLastOut


def recommend(n_items, n_users):
    """Recommend to some users from a large catalogue."""
    items = np.random.default_rng(0).permutation(n_items)  # each item once
    frame = pd.DataFrame({"user_id": np.arange(n_items) % n_users, "item_id": items})
    model = untrained(frame, d=64)
    weights = sum(value.nbytes for value in model.weights_.values())
    reset_highest_memory()
    before, start = resident_memory(), time.perf_counter()
    model.recommend(0)  # computes what later calls reuse
    first = time.perf_counter() - start
    start = time.perf_counter()
    model.recommend()
    seconds = time.perf_counter() - start
    return {
        "load": f"recommend, {n_items:,} items, d = 64, {n_users:,} users",
        "speed": f"{n_users / seconds:,.0f} users/s, first call {first:.1f} s",
        "memory": f"{(highest_memory() - before) / 1e6:,.0f} MB; the weights "
        f"take another {weights / 1e6:,.0f} MB",
    }


def fit():
    """Train for one epoch on a million interactions."""
    frame = make_interactions(6_250, 3_500, n_per_user=(120, 200), random_state=0)
    return timed_fit(frame)


def fit_text():
    """Train for one epoch on ten million interactions with string ids."""
    random, n = np.random.default_rng(0), 10_000_000
    users = random.integers(100_000, size=n)
    items = (20_000 * random.random(n) ** 2).astype(int)
    names = [np.array([f"{kind}-{code}" for code in range(100_000)]) for kind in "ui"]
    frame = pd.DataFrame(
        {"user_id": names[0][users], "item_id": names[1][items], "timestamp": range(n)}
    )
    return timed_fit(frame, d=32, n_negatives=4, batch_size=8_192)


def timed_fit(frame, **params):
    """Train for one epoch."""
    start = time.perf_counter()
    AttRecRecommender(loss="hinge", max_iter=1, random_state=0, **params).fit(frame)
    seconds = time.perf_counter() - start
    return {
        "load": f"fit, {len(frame):,} interactions, 1 epoch",
        "speed": f"{seconds:.0f} s, {len(frame) / seconds:,.0f} interactions/s",
        "memory": f"{highest_memory() / 1e6:,.0f} MB in total, including TensorFlow",
    }


def score():
    """Compute the rank of one item per user for many users."""
    n_users, n_items = 100_000, 50_000
    random = np.random.default_rng(0)
    codes = np.arange(200_000)
    frame = pd.DataFrame(
        {"user_id": codes % n_users, "item_id": random.permutation(codes) % n_items}
    )
    model = untrained(frame, d=64)
    weights = sum(value.nbytes for value in model.weights_.values())
    test = frame.head(n_users).assign(item_id=random.integers(n_items, size=n_users))
    reset_highest_memory()
    before, start = resident_memory(), time.perf_counter()
    model.target_ranks(test)
    seconds = time.perf_counter() - start
    return {
        "load": f"target_ranks, {n_users:,} users, {n_items:,} items, d = 64",
        "speed": f"{n_users / seconds:,.0f} users/s",
        "memory": f"{(highest_memory() - before) / 1e6:,.0f} MB; the weights "
        f"take another {weights / 1e6:,.0f} MB",
    }


def stream():
    """Recommend to a million users with the command line."""
    n_users = 1_000_000
    codes = np.arange(2 * n_users)
    frame = pd.DataFrame({"user_id": codes % n_users, "item_id": codes % 997})
    with TemporaryDirectory() as folder:
        model, out = Path(folder) / "model.attrec", Path(folder) / "out.csv"
        save_model(MarkovRecommender().fit(frame), model)
        del frame
        before, start = highest_memory(), time.perf_counter()
        arguments = ["recommend", "--model-file", model, "--all-users", "--out", out]
        if cli.main(list(map(str, arguments))):
            raise SystemExit("recommend failed")
        seconds = time.perf_counter() - start
        with out.open() as file:
            n_rows = sum(1 for _ in file) - 1
    return {
        "load": f"command line, {n_users:,} users, {n_rows / n_users:g} rows per user",
        "speed": f"{n_users / seconds:,.0f} users/s",
        "memory": f"{(highest_memory() - before) / 1e6:,.0f} MB above fit",
    }


def search():
    """Run a grid search of 100 candidates with three folds."""
    frame = make_interactions(60, 30, n_per_user=(6, 12), random_state=0)
    grid = {"omega": np.linspace(0, 1, 10), "gamma": np.linspace(0.1, 1, 10)}
    model = AttRecRecommender(d=8, max_iter=2, random_state=0)
    first = GridSearchCV(model, {"omega": [0.5]}, cv=LeaveLastOut(n_splits=3))
    first.fit(frame)  # imports TensorFlow and traces the compiled step
    before, start = resident_memory(), time.perf_counter()
    GridSearchCV(model, grid, cv=LeaveLastOut(n_splits=3)).fit(frame)
    seconds, n_fits = time.perf_counter() - start, 301
    return {
        "load": "grid search, 100 candidates × 3 folds, small data, one process",
        "speed": f"{seconds:.0f} s",
        "memory": f"{(resident_memory() - before) / n_fits / 1e3:,.0f} kB per fit",
    }


def draw():
    """Draw negatives for a user with few and a user with nearly all items."""
    n_items, n_left, n_batches = 1_000_000, 100, 2_000
    random = np.random.default_rng(0)
    seen = random.permutation(n_items)[n_left:]
    sequences = Sequences(
        np.array([0, 2, 2 + len(seen)]), np.concatenate([[3, 5], seen]), None
    )
    reset_highest_memory()
    before, start = resident_memory(), time.perf_counter()
    untouched = index_untouched(sequences, n_items)
    built = time.perf_counter() - start
    users, uniforms = np.arange(512) % 2, random.random((512, 10))
    start = time.perf_counter()
    for _ in range(n_batches):
        draw_untouched(numpy_ops, untouched, n_items, users, uniforms)
    seconds = time.perf_counter() - start
    return {
        "load": f"negatives, {n_items:,} items, half for a user with {n_left} left",
        "speed": f"{n_batches * uniforms.size / seconds / 1e6:,.1f} million/s, index "
        f"{built:.1f} s",
        "memory": f"{(highest_memory() - before) / 1e6:,.0f} MB to build the index",
    }


# Function and limits of each load.
LOADS = {
    "L1": (lambda: recommend(1_000_000, 1_000), "60 users/s, 400 MB"),
    "L2": (lambda: recommend(100_000, 2_000), "500 users/s"),
    "L4": (fit, "60 s, 2,000 MB"),
    "L5": (fit_text, "8,000 MB"),
    "L6": (score, "1,000 MB"),
    "L8": (stream, "memory independent of the number of users"),
    "L9": (draw, "5 million/s"),
    "L10": (search, "60 s, 50 kB per fit"),
}
SLOW = {"L5", "L6", "L8"}


def main():
    """Run the selected loads and print the table."""
    arguments = parse_arguments()
    if arguments.in_child:
        print(json.dumps(LOADS[arguments.in_child][0]()))
        return
    rows = []
    for name in arguments.only:
        print(f"{name} ...", file=sys.stderr, flush=True)
        command = [sys.executable, __file__, "--in-child", name]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows.append(
            {"name": name, **json.loads(output.stdout), "limit": LOADS[name][1]}
        )
    print(markdown(pd.DataFrame(rows)))


def parse_arguments():
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=LOADS,
        default=[name for name in LOADS if name not in SLOW],
        metavar="L2",
    )
    parser.add_argument(
        "--all",
        dest="only",
        action="store_const",
        const=list(LOADS),
        help="run all loads, including the slow ones",
    )
    parser.add_argument("--in-child", choices=LOADS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
