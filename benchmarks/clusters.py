"""Recommend to many users in one process, on Dask and on Spark, on this machine.

All read Parquet files and write the recommendations to Parquet files. Users are
answered from the histories seen in fit; histories are the interactions of users not
seen in fit, whose rows are in any file. Start is the time until the engine has answered
a first, small job: processes, imports, and the model file, which all processes map.

    python benchmarks/clusters.py
"""

import argparse
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from _shared import load_or_make, markdown, untrained

from sklearn_attrec import distributed, load_model, save_model


@contextmanager
def one_process(path):
    """Yield a function that answers the rows of a folder."""
    model = load_model(path, mmap=True)

    def answer(rows, output, kind):
        output.mkdir()
        if kind == "history":
            frame = pd.read_parquet(rows)
            frame = frame.sort_values(["user_id", "timestamp"])
            table = model.recommend(frame["user_id"].unique(), history=frame)
            table.to_parquet(output / "all.parquet")
            return
        for file in sorted(rows.glob("*.parquet")):
            model.recommend(pd.read_parquet(file)).to_parquet(output / file.name)

    yield answer


@contextmanager
def dask(path):
    """Like `one_process`, with two workers of one thread each."""
    import dask.dataframe as dd
    from dask.distributed import Client, LocalCluster

    options = {"host": "127.0.0.1", "dashboard_address": None}
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, **options)
    with cluster, Client(cluster):

        def answer(rows, output, kind):
            frame = dd.read_parquet(rows)
            distributed.recommend(path, **{kind: frame}).to_parquet(output)

        yield answer


@contextmanager
def dask_with_larger_thresholds(path):
    """Like `dask`, with workers that do not return memory after each block."""
    from dask import config

    environment = "distributed.nanny.pre-spawn-environ"
    thresholds = {
        f"{environment}.MALLOC_TRIM_THRESHOLD_": 2**28,
        f"{environment}.MALLOC_MMAP_THRESHOLD_": 2**25,
    }
    with config.set(thresholds), dask(path) as answer:
        yield answer


@contextmanager
def spark(path):
    """Like `one_process`, with two local executors."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    local = {"spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false"}
    local["spark.ui.showConsoleProgress"] = "false"
    session = SparkSession.builder.master("local[2]").config(map=local).getOrCreate()
    session.sparkContext.setLogLevel("OFF")

    def answer(rows, output, kind):
        frame = session.read.parquet(str(rows))
        distributed.recommend(path, **{kind: frame}).write.parquet(str(output))

    yield answer
    session.stop()


def measure(engine, path, folder, n_users, repeats):
    """Return the row of an engine."""
    start, row = time.perf_counter(), {"engine": engine.__name__.replace("_", " ")}
    with engine(path) as answer:
        output = partial(Path, folder, "output", engine.__name__)
        output().mkdir(parents=True)
        answer(folder / "few", output("few"), "users")
        row["start, s"] = f"{time.perf_counter() - start:.1f}"
        for kind in ("users", "history"):
            seconds = []
            for repeat in range(repeats):
                start = time.perf_counter()
                answer(folder / kind, output(f"{kind} {repeat}"), kind)
                seconds.append(time.perf_counter() - start)
            row[f"{kind}, s"] = f"{np.median(seconds):.1f}"
            per_second = n_users[kind] / np.median(seconds)
            row[f"{kind}, per second"] = f"{per_second:,.0f}"
    return row


def write(frame, folder, n_files):
    """Write a frame to Parquet files."""
    folder.mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(frame)), n_files)):
        frame.iloc[rows].to_parquet(folder / f"{number:03d}.parquet", index=False)


def main():
    """Measure all engines with the same model and rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument(
        "--copies", type=int, default=10, help="of the interactions, as histories"
    )
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    interactions, source = load_or_make("ml-1m")
    model = untrained(interactions, d=64)
    random = np.random.default_rng(0)
    users = pd.DataFrame({"user_id": random.choice(model.users_, arguments.users)})
    histories = pd.concat(
        interactions.assign(user_id=interactions["user_id"] + copy * 10_000)
        for copy in range(1, 1 + arguments.copies)
    ).sample(frac=1, random_state=0)
    n_users = {"users": len(users), "history": histories["user_id"].nunique()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_model(model, folder / "model.attrec")
        write(users[:100], folder / "few", arguments.files)
        write(users, folder / "users", arguments.files)
        write(histories, folder / "history", arguments.files)
        rows = [
            measure(engine, folder / "model.attrec", folder, n_users, arguments.repeats)
            for engine in (one_process, dask, dask_with_larger_thresholds, spark)
        ]
    print(
        f"\nAttRec, d = 64, on {source}, k = 10: {n_users['users']:,} users, and "
        f"{len(histories):,} rows of histories of {n_users['history']:,} users\n"
    )
    print(markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
