"""What a large catalogue, many interactions and hard negatives cost.

- L1: `recommend` for some users of a catalogue of a million items, d = 64: users a
  second, and the highest memory beyond what the process held with the model in it.
- L2: the same with 100,000 items.
- L4: `fit` on a million interactions, one epoch: seconds, and the highest memory of the
  whole process, with TensorFlow.
- L5: `fit` on ten million interactions with ids of text, one epoch.
- L6: `target_ranks` of 100,000 users among 50,000 items.
- L8: the command line recommends to a million users from a model file.
- L9: untouched items drawn a second in batches of 512 × 10, half of them for a user who
  saw 99.99 % of a million items.
- L10: a grid of 100 candidates × 3 folds over a small data set.

The names are those of docs/reliability.md. Each runs in a process of its own; L5, L6
and L8 take minutes and are left out unless they are named, or with `--all`.

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
    forget_highest_memory,
    highest_memory,
    markdown,
    resident_memory,
    untrained,
)
from sklearn.model_selection import GridSearchCV

from sklearn_attrec import AttRecRecommender, MarkovRecommender, cli, save_model
from sklearn_attrec._sampling import draw_untouched, index_untouched
from sklearn_attrec._sequences import Sequences
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.model_selection import LeaveLastOut
from sklearn_attrec.utils import _numpy_ops


def recommend(n_items, n_users):
    """Rank a catalogue for some users."""
    items = np.random.default_rng(0).permutation(n_items)  # each of them once
    frame = pd.DataFrame({"user_id": np.arange(n_items) % n_users, "item_id": items})
    model = untrained(frame, d=64)
    weights = sum(value.nbytes for value in model.weights_.values())
    forget_highest_memory()
    before, start = resident_memory(), time.perf_counter()
    model.recommend(0)  # looks through the tables
    first = time.perf_counter() - start
    start = time.perf_counter()
    model.recommend()
    seconds = time.perf_counter() - start
    return {
        "load": f"recommend, {n_items:,} items, d = 64, {n_users:,} users",
        "speed": f"{n_users / seconds:,.0f} users/s, first answer {first:.1f} s",
        "memory": f"{(highest_memory() - before) / 1e6:,.0f} MB beyond the weights' "
        f"{weights / 1e6:,.0f} MB",
    }


def fit():
    """Train on a million interactions for one epoch."""
    frame = make_interactions(6_250, 3_500, n_per_user=(120, 200), random_state=0)
    return timed_fit(frame)


def fit_text():
    """Train on ten million interactions whose ids are text."""
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
    AttRecRecommender(max_iter=1, random_state=0, **params).fit(frame)
    seconds = time.perf_counter() - start
    return {
        "load": f"fit, {len(frame):,} interactions, 1 epoch",
        "speed": f"{seconds:.0f} s, {len(frame) / seconds:,.0f} interactions/s",
        "memory": f"{highest_memory() / 1e6:,.0f} MB in all, with TensorFlow",
    }


def score():
    """Rank one item for each of many users."""
    n_users, n_items = 100_000, 50_000
    random = np.random.default_rng(0)
    codes = np.arange(200_000)
    frame = pd.DataFrame(
        {"user_id": codes % n_users, "item_id": random.permutation(codes) % n_items}
    )
    model = untrained(frame, d=64)
    weights = sum(value.nbytes for value in model.weights_.values())
    test = frame.head(n_users).assign(item_id=random.integers(n_items, size=n_users))
    forget_highest_memory()
    before, start = resident_memory(), time.perf_counter()
    model.target_ranks(test)
    seconds = time.perf_counter() - start
    return {
        "load": f"score, {n_users:,} users, {n_items:,} items, d = 64",
        "speed": f"{n_users / seconds:,.0f} users/s",
        "memory": f"{(highest_memory() - before) / 1e6:,.0f} MB beyond the weights' "
        f"{weights / 1e6:,.0f} MB",
    }


def stream():
    """Recommend to a million users by the command line."""
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
        "load": f"command line, {n_users:,} users, {n_rows / n_users:g} rows each",
        "speed": f"{n_users / seconds:,.0f} users/s",
        "memory": f"{(highest_memory() - before) / 1e6:,.0f} MB beyond fit's",
    }


def search():
    """Search 100 candidates on three folds."""
    frame = make_interactions(60, 30, n_per_user=(6, 12), random_state=0)
    grid = {"omega": np.linspace(0, 1, 10), "gamma": np.linspace(0.1, 1, 10)}
    model = AttRecRecommender(d=8, max_iter=2, random_state=0)
    warm = GridSearchCV(model, {"omega": [0.5]}, cv=LeaveLastOut(n_splits=3))
    warm.fit(frame)
    before, start = resident_memory(), time.perf_counter()
    GridSearchCV(model, grid, cv=LeaveLastOut(n_splits=3)).fit(frame)
    seconds, n_fits = time.perf_counter() - start, 301
    return {
        "load": "grid search, 100 candidates × 3 folds, small data, one process",
        "speed": f"{seconds:.0f} s",
        "memory": f"{(resident_memory() - before) / n_fits / 1e3:,.0f} kB a fit",
    }


def draw():
    """Draw negatives for users who saw nearly nothing and nearly everything."""
    n_items, n_left, n_batches = 1_000_000, 100, 2_000
    random = np.random.default_rng(0)
    seen = random.permutation(n_items)[n_left:]
    sequences = Sequences(
        np.array([0, 2, 2 + len(seen)]), np.concatenate([[3, 5], seen]), None
    )
    forget_highest_memory()
    before, start = resident_memory(), time.perf_counter()
    untouched = index_untouched(sequences, n_items)
    built = time.perf_counter() - start
    users, uniforms = np.arange(512) % 2, random.random((512, 10))
    start = time.perf_counter()
    for _ in range(n_batches):
        draw_untouched(_numpy_ops, untouched, n_items, users, uniforms)
    seconds = time.perf_counter() - start
    return {
        "load": f"negatives, {n_items:,} items, half for a user who left {n_left}",
        "speed": f"{n_batches * uniforms.size / seconds / 1e6:,.1f} million/s, index "
        f"{built:.1f} s",
        "memory": f"{(highest_memory() - before) / 1e6:,.0f} MB to build the index",
    }


LOADS = {
    "L1": (lambda: recommend(1_000_000, 1_000), "60 users/s, 400 MB"),
    "L2": (lambda: recommend(100_000, 2_000), "500 users/s"),
    "L4": (fit, "60 s, 2,000 MB"),
    "L5": (fit_text, "8,000 MB"),
    "L6": (score, "1,000 MB"),
    "L8": (stream, "memory that does not grow with users"),
    "L9": (draw, "5 million/s"),
    "L10": (search, "60 s, 50 kB a fit"),
}
SLOW = {"L5", "L6", "L8"}


def main():
    """Measure what was asked for."""
    arguments = parse_arguments()
    if arguments.in_child:
        print(json.dumps(LOADS[arguments.in_child][0]()))
        return
    rows = []
    for name in arguments.only:
        print(f"{name} ...", file=sys.stderr, flush=True)
        command = [sys.executable, __file__, "--in-child", name]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows.append({"": name, **json.loads(output.stdout), "bar": LOADS[name][1]})
    print(markdown(pd.DataFrame(rows)))


def parse_arguments():
    """Read the command line."""
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
        help="slow too",
    )
    parser.add_argument("--in-child", choices=LOADS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
