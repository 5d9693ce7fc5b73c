"""Measure the ranking of networks with random weights.

- Seconds of `recommend` and `target_ranks` for all users of MovieLens 1M (or of made
  data), and of `recommend` while another process keeps a core busy.
- Seconds for the best 10 of a million items with vectors of 128 numbers, for 256
  queries and for one, and of the bare products of the same vectors: 64 queries and
  20,000 items at a time, and of the item matrix and a vector.
- Peak memory of the arrays that these queries need beside the model, in MB.

    python benchmarks/ranking.py --old ../older-checkout
    python benchmarks/ranking.py --only "1M items" product --pairs 7
"""

import argparse
import contextlib
import subprocess
import sys
import time
import tracemalloc
import warnings

import numpy as np
import pandas as pd
from _pairs import add_arguments, compare
from _shared import load_or_make, untrained

from sklearn_attrec import SASRecRecommender
from sklearn_attrec.model_selection import leave_last_out_split

N_ITEMS, D = 1_000_000, 128


def main():
    """Compare two checkouts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    compare(parser.parse_args(), lambda arguments: small() | large())


def small():
    """Return the measurements of a small catalogue."""
    warnings.simplefilter("ignore")  # of ties in time
    train, test = leave_last_out_split(load_or_make("ml-1m")[0])
    attrec, sasrec = untrained(train, d=64), untrained(train, SASRecRecommender, d=64)
    users = attrec.users_[:1_000]
    return {
        "AttRec: recommend, all users": seconds(attrec.recommend),
        "AttRec: recommend, all users, busy core": busy(seconds(attrec.recommend)),
        "AttRec: target_ranks, all users": seconds(attrec.target_ranks, test),
        "AttRec: predict, one user": seconds(attrec.predict, users[0], n=100),
        "AttRec: recommend, 1,000 users, k=500": seconds(
            attrec.recommend, users, k=500
        ),
        "SASRec: target_ranks, all users": seconds(sasrec.target_ranks, test),
    }


def large():
    """Return the measurements of a large catalogue."""
    items = np.random.default_rng(0).permutation(N_ITEMS)
    frame = pd.DataFrame({"user_id": np.arange(N_ITEMS) % 20_000, "item_id": items})
    model = untrained(frame, SASRecRecommender, d=D, L=10, loss="sampled_softmax")
    table, users = model.weights_["E"], model.users_[:256].tolist()
    queries = model.query_vectors(users)[:, :D]
    return {
        "1M items: recommend, 256 users": seconds(model.recommend, users),
        "product alone, 256 queries": seconds(product, queries, table),
        "1M items: recommend, one user": seconds(model.recommend, users[0], n=3),
        "product alone, one query": seconds(np.matmul, table, queries[0], n=3),
        "1M items: peak memory, MB": memory(model.recommend, users),
        "1M items: similar_items, one item": seconds(model.similar_items, 0),
    }


def product(queries, table):
    """Multiply queries and items in parts, and throw the scores away."""
    for row in range(0, len(queries), 64):
        for item in range(0, len(table), 20_000):
            queries[row : row + 64] @ table[item : item + 20_000].T


def seconds(call, *arguments, n=1, **options):
    """Return a measurement: the seconds of a call."""

    def measure():
        start = time.perf_counter()
        for _ in range(n):
            call(*arguments, **options)
        return (time.perf_counter() - start) / n

    return measure


def memory(call, *arguments):
    """Return a measurement: the most memory that a call holds at a time, in MB."""

    def measure():
        tracemalloc.start()
        try:
            call(*arguments)
            return tracemalloc.get_traced_memory()[1] / 1e6
        finally:
            tracemalloc.stop()

    return measure


def busy(measure):
    """Return a measurement made while another process keeps a core busy."""

    def measure_beside():
        with busy_process():
            return measure()

    return measure_beside


@contextlib.contextmanager
def busy_process():
    """Run a process that computes until the block ends."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
