"""Recommend to many users in one process, on Dask and on Spark, on this machine.

All read the users from Parquet files and write the recommendations to Parquet files.
Start is the time until the engine has answered a first, small job: processes, imports,
and the model file, which all processes map.

    python benchmarks/clusters.py
"""

import argparse
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from _shared import load_or_make, markdown, untrained

from sklearn_attrec import distributed, load_model, save_model


def one_process(path):
    """Yield a function that answers the users of some files."""
    model = load_model(path, mmap=True)

    def answer(users, output):
        output.mkdir()
        for file in sorted(users.glob("*.parquet")):
            table = model.recommend(pd.read_parquet(file))
            table.to_parquet(output / file.name)

    yield answer


def dask(path):
    """Like `one_process`, with two workers of one thread each."""
    import dask.dataframe as dd
    from dask.distributed import Client, LocalCluster

    options = {"host": "127.0.0.1", "dashboard_address": None}
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, **options)
    with cluster, Client(cluster):

        def answer(users, output):
            frame = dd.read_parquet(users)
            distributed.recommend(path, frame).to_parquet(output)

        yield answer


def spark(path):
    """Like `one_process`, with two local executors."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    local = {"spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false"}
    builder = SparkSession.builder.master("local[2]").config(map=local)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")

    def answer(users, output):
        frame = session.read.parquet(str(users))
        distributed.recommend(path, frame).write.parquet(str(output))

    try:
        yield answer
    finally:
        session.stop()


def measure(engine, path, folder, n_users, repeats):
    """Return the row of an engine."""
    start = time.perf_counter()
    with contextmanager(engine)(path) as answer:
        answer(folder / "few", folder / f"{engine.__name__} few")
        started, seconds = time.perf_counter() - start, []
        for repeat in range(repeats):
            start = time.perf_counter()
            answer(folder / "users", folder / f"{engine.__name__} {repeat}")
            seconds.append(time.perf_counter() - start)
    return {
        "engine": engine.__name__.replace("_", " "),
        "start, s": f"{started:.1f}",
        "users per second": f"{n_users / np.median(seconds):,.0f}",
        "s": f"{np.median(seconds):.1f}",
    }


def main():
    """Measure all engines with the same model and users."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    interactions, source = load_or_make("ml-1m")
    model = untrained(interactions, d=64)
    queries = np.random.default_rng(0).choice(model.users_, arguments.users)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "model.attrec"
        save_model(model, path)
        for kind, ids in {"few": queries[:100], "users": queries}.items():
            (folder / kind).mkdir()
            for number, part in enumerate(np.array_split(ids, arguments.files)):
                frame = pd.DataFrame({"user_id": part})
                frame.to_parquet(folder / kind / f"{number:03d}.parquet", index=False)
        rows = [
            measure(engine, path, folder, arguments.users, arguments.repeats)
            for engine in (one_process, dask, spark)
        ]
    print(f"AttRec, d = 64, on {source}, {arguments.users:,} queries, k = 10\n")
    print(markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
