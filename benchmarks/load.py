"""What a large catalogue, many interactions and hard negatives cost.

- L1: `recommend` for some users of a catalogue of a million items, d = 64: users a
  second, and the highest memory beyond what the process held with the model in it.
- L2: the same with 100,000 items.
- L4: `fit` on a million interactions, one epoch: seconds, and the highest memory of the
  whole process, with TensorFlow.
- L9: untouched items drawn a second in batches of 512 × 10, half of them for a user who
  saw 99.99 % of a million items.

The names are those of docs/reliability.md. Each runs in a process of its own.

    python benchmarks/load.py
    python benchmarks/load.py --only L2 L9

Resident memory is read from /proc, so this runs on Linux.
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np
import pandas as pd
from _shared import highest_memory, markdown, resident_memory

from sklearn_attrec import AttRecRecommender
from sklearn_attrec._sampling import draw_untouched, index_untouched
from sklearn_attrec._sequences import Sequences
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.utils import _numpy_ops


class Untrained(AttRecRecommender):
    """AttRec with its first weights: ranking takes as long whatever was learned."""

    def _fit(self, sequences, state, task, strict):
        settings, random = self._settings(), np.random.default_rng(0)
        sizes = len(state["users_"]), len(state["items_"])
        weights = self._initial_weights(random, settings, *sizes)
        return {"settings_": settings._asdict(), "weights_": weights}


def recommend(n_items, n_users):
    """Rank a catalogue for some users."""
    items = np.random.default_rng(0).permutation(n_items)  # each of them once
    frame = pd.DataFrame({"user_id": np.arange(n_items) % n_users, "item_id": items})
    model = Untrained(d=64).fit(frame)
    weights = sum(value.nbytes for value in model.weights_.values())
    before = resident_memory()
    start = time.perf_counter()
    model.recommend(0)  # builds the item vectors
    built, beyond = time.perf_counter() - start, highest_memory() - before
    start = time.perf_counter()
    model.recommend()
    seconds = time.perf_counter() - start
    return {
        "load": f"recommend, {n_items:,} items, d = 64, {n_users:,} users",
        "speed": f"{n_users / seconds:,.0f} users/s, first answer {built:.1f} s",
        "memory": f"{max(beyond, highest_memory() - before) / 1e6:,.0f} MB beyond "
        f"the weights' {weights / 1e6:,.0f} MB",
    }


def fit():
    """Train on a million interactions for one epoch."""
    frame = make_interactions(6_250, 3_500, n_per_user=(120, 200), random_state=0)
    start = time.perf_counter()
    AttRecRecommender(max_iter=1, random_state=0).fit(frame)
    seconds = time.perf_counter() - start
    return {
        "load": f"fit, {len(frame):,} interactions, 1 epoch",
        "speed": f"{seconds:.0f} s, {len(frame) / seconds:,.0f} interactions/s",
        "memory": f"{highest_memory() / 1e6:,.0f} MB in all, with TensorFlow",
    }


def draw():
    """Draw negatives for users who saw nearly nothing and nearly everything."""
    n_items, n_left, n_batches = 1_000_000, 100, 2_000
    random = np.random.default_rng(0)
    seen = random.permutation(n_items)[n_left:]
    sequences = Sequences(
        np.array([0, 2, 2 + len(seen)]), np.concatenate([[3, 5], seen]), None
    )
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
    "L9": (draw, "5 million/s"),
}


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
        "--only", nargs="+", choices=LOADS, default=list(LOADS), metavar="L2"
    )
    parser.add_argument("--in-child", choices=LOADS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
