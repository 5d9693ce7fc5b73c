"""Fit models on Parquet files that are larger than memory, and measure the memory.

Made data: rows in the order of time, a hundredth as many users, 100,000 items of very
different popularity, ids of text. Each step runs in a process of its own and prints its
time and its peak resident memory, the pages of mapped files included.

    python benchmarks/large_input.py --rows 10000000 100000000 --models attrec
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from _shared import assignments, highest_memory, markdown

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
)
from sklearn_attrec.datasets import encode_interactions

N_ITEMS, ROWS_PER_FILE = 100_000, 10_000_000
NETWORKS = {"max_iter": 1, "random_state": 0}
MODELS = {
    "popularity": PopularityRecommender(),
    "markov": MarkovRecommender(),
    "item-knn": ItemKNNRecommender(),
    "attrec": AttRecRecommender(d=32, batch_size=4096, **NETWORKS),
    "sasrec": SASRecRecommender(
        d=32, L=50, loss="sampled_softmax", batch_size=256, **NETWORKS
    ),
}


def make_files(folder, n_rows):
    """Write Parquet files with n_rows in total."""
    folder.mkdir()
    n_users, random = n_rows // 100, np.random.default_rng(0)
    users = pa.array([f"user-{user:09d}" for user in range(n_users)])
    items = pa.array([f"item-{item:07d}" for item in range(N_ITEMS)])
    for start in range(0, n_rows, ROWS_PER_FILE):
        n = min(ROWS_PER_FILE, n_rows - start)
        popular = (N_ITEMS * random.random(n) ** 3).astype(np.int32)
        table = pa.table(
            {
                "user_id": users.take(pa.array(random.integers(n_users, size=n))),
                "item_id": items.take(pa.array(popular)),
                "timestamp": pa.array(np.arange(start, start + n)),
            }
        )
        pq.write_table(table, folder / f"{start:012d}.parquet")


def run_step(arguments, step, folder):
    """Run a step in a new process and return its row of the result."""
    command = [sys.executable, __file__, *arguments, "--step", step, str(folder)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds, peak, note = output.stdout.splitlines()[-1].split("|")
    return {
        "step": step,
        "minutes": f"{float(seconds) / 60:.1f}",
        "peak, GB": f"{float(peak) / 1e9:.1f}",
        "": note,
    }


def do_step(step, folder, settings):
    """Run a step and print its time, its peak memory and a note."""
    path, note = folder / "encoded.arrow", ""
    start = time.perf_counter()
    if step == "encode":
        encode_interactions(folder / "rows", path)
        note = f"{path.stat().st_size / 1e9:.1f} GB on disk"
    else:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        model = MODELS[step].set_params(**settings).fit(table)
        if hasattr(model, "loss_curve_"):
            note = f"{model.n_iter_} epoch(s), loss {model.loss_curve_[-1]:.3f}"
    print(f"{time.perf_counter() - start}|{highest_memory()}|{note}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--set", nargs="+", default=[], metavar="name=value")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        step, folder = arguments.step
        do_step(step, Path(folder), assignments(arguments.set))
        sys.exit()
    for n_rows in arguments.rows:
        with tempfile.TemporaryDirectory() as folder:
            make_files(Path(folder) / "rows", n_rows)
            size = sum(file.stat().st_size for file in Path(folder).rglob("*.parquet"))
            print(f"\n{n_rows:,} rows, {size / 1e9:.1f} GB of Parquet files\n")
            steps = ["encode", *arguments.models]
            rows = [run_step(sys.argv[1:], step, folder) for step in steps]
        print(markdown(pd.DataFrame(rows)), flush=True)
