"""Measure what frames of polars and pyarrow cost more than frames of pandas.

Medians of some repeats, in seconds, on a million rows, with their ratio to pandas and
the difference.

    python benchmarks/frames.py
"""

import argparse
import statistics
import timeit

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


def seconds(function, repeats):
    return statistics.median(timeit.repeat(function, number=1, repeat=repeats))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    rows = []
    for name, frame in frames(arguments.rows):
        table = pa.Table.from_pandas(frame, preserve_index=False)
        libraries = {"pandas": frame, "polars": pl.from_arrow(table), "pyarrow": table}
        calls = {
            "check_interactions": lambda X: check_interactions(X, caller="frames.py"),
            "PopularityRecommender.fit": PopularityRecommender().fit,
        }
        for call, function in calls.items():
            of_pandas = None
            for library, X in libraries.items():
                found = seconds(lambda X=X, f=function: f(X), arguments.repeats)
                of_pandas = of_pandas or found
                rows.append(
                    {
                        "ids": name,
                        "call": call,
                        "library": library,
                        "s": f"{found:.3f}",
                        "ratio": f"{found / of_pandas:.2f}",
                        "difference, s": f"{found - of_pandas:+.3f}",
                    }
                )
    print(markdown(pd.DataFrame(rows)))
