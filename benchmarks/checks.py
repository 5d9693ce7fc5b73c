"""Measure what the checks of a table cost `fit`, on ten million interactions.

The checks of `check_interactions` include the search for columns that may be times,
which takes place only without a column `timestamp`. Medians of some repeats.

    python benchmarks/checks.py
"""

import argparse
import statistics
import timeit

import numpy as np
import pandas as pd
from _shared import markdown

from sklearn_attrec import MarkovRecommender
from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.time_columns import find_time_columns


def seconds(function, repeats):
    return statistics.median(timeit.repeat(function, number=1, repeat=repeats))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    random, n = np.random.default_rng(0), arguments.rows
    ids = {"user_id": random.integers(200_000, size=n)}
    ids["item_id"] = random.integers(20_000, size=n)
    rows = []
    for other in ("timestamp", "price"):
        X = pd.DataFrame(ids).assign(**{other: np.arange(n)})
        row = {"columns": ", ".join(X)}
        row["find_time_columns, s"] = 0.0
        if other != "timestamp":
            row["find_time_columns, s"] = seconds(
                lambda X=X: find_time_columns(X), arguments.repeats
            )
        row["check_interactions, s"] = seconds(
            lambda X=X: check_interactions(X, caller="checks.py"), arguments.repeats
        )
        row["MarkovRecommender.fit, s"] = seconds(
            lambda X=X: MarkovRecommender().fit(X), arguments.repeats
        )
        rows.append(row)
    print(markdown(pd.DataFrame(rows)))
