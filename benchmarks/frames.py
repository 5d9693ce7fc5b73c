"""Measure what frames of polars and pyarrow cost more than frames of pandas.

Medians of some repeats, in seconds of CPU time, on a million rows, with their ratio to
pandas and the difference.

    python benchmarks/frames.py
"""

import argparse
import statistics
import time
import timeit
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from _shared import markdown

from sklearn_attrec import PopularityRecommender
from sklearn_attrec._interactions.columns import check_interactions


def frames(n):
    """Yield what the ids are, and a frame of them, with times or without."""
    random = np.random.default_rng(0)
    numbers = pd.DataFrame(
        {
            "user_id": random.integers(100_000, size=n),
            "item_id": random.integers(20_000, size=n),
        }
    )
    words = "id " + numbers.astype("str")
    dates = pd.to_datetime(np.arange(n), unit="s")
    for name, ids in {
        "integers": numbers,
        "text": words,
        "categories": words.astype("category"),
    }.items():
        yield name, ids
        yield f"{name}, dates", ids.assign(timestamp=dates)


def seconds(function, frames, repeats):
    """Return the median for each frame; they take turns, as load may change."""
    measure = partial(timeit.timeit, timer=time.process_time, number=1)
    found = [[measure(partial(function, X)) for X in frames] for _ in range(repeats)]
    return [statistics.median(times) for times in zip(*found, strict=True)]


def compare(frame, repeats):
    """Yield the calls, the libraries and the seconds for a frame of pandas."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    libraries = {"pandas": frame, "polars": pl.from_arrow(table), "pyarrow": table}
    calls = {
        "check_interactions": lambda X: check_interactions(X, caller="frames.py"),
        "PopularityRecommender.fit": PopularityRecommender().fit,
    }
    for call, function in calls.items():
        medians = seconds(function, libraries.values(), repeats)
        for library, median in zip(libraries, medians, strict=True):
            yield {
                "call": call,
                "library": library,
                "s": f"{median:.3f}",
                "ratio": f"{median / medians[0]:.2f}",
                "difference, s": f"{median - medians[0]:+.3f}",
            }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    rows = [
        {"ids": name} | row
        for name, frame in frames(arguments.rows)
        for row in compare(frame, arguments.repeats)
    ]
    print(markdown(pd.DataFrame(rows)))
