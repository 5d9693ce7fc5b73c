"""Measure what a time bias costs: epochs and requests, relative to SASRec without it.

    python benchmarks/time_bias.py
    python benchmarks/time_bias.py --data ml-100k --pairs 5

Each pair measures an epoch of both models in turn, after an epoch that compiles; the
table has the median of the ratios. HSTU and SASRec have 2 blocks each.
"""

import argparse
import statistics
import time

import pandas as pd
from _shared import epoch_seconds, load, markdown

from sklearn_attrec import AttRecRecommender, HSTURecommender, SASRecRecommender

PAIRS = {
    "SASRec, request / none": (
        SASRecRecommender(),
        SASRecRecommender(time_bias="request"),
    ),
    "HSTU, request / SASRec, none": (
        SASRecRecommender(),
        HSTURecommender(time_bias="request"),
    ),
    "AttRec, request / none": (
        AttRecRecommender(),
        AttRecRecommender(time_bias="request"),
    ),
}
N_REQUESTS = 200


def main():
    """Measure each pair and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    interactions = load(arguments.data)
    rows = []
    for name, models in PAIRS.items():
        for model in models:  # compile, and measure requests
            model.set_params(max_iter=1, random_state=0).fit(interactions)
        requests = [
            [request_seconds(model, interactions) for model in models]
            for _ in range(arguments.pairs)
        ]
        epochs = [
            [fitted_seconds(model, interactions) for model in models]
            for _ in range(arguments.pairs)
        ]
        row = {"pair": name, "epoch, s": round(epochs[0][1], 1)}
        row |= {"epochs, ratio": ratio(epochs), "requests, ratio": ratio(requests)}
        rows.append(row)
        print(row, flush=True)
    print(markdown(pd.DataFrame(rows)))


def fitted_seconds(model, interactions):
    """Return the seconds of an epoch."""
    with epoch_seconds() as seconds:
        model.fit(interactions)
    return seconds[0]


def request_seconds(model, interactions):
    """Return the median seconds of a query with a time, which needs the history."""
    last = interactions.groupby("user_id", sort=False)["timestamp"].max()
    queries = (last + 60).reset_index()
    seconds = []
    for row in range(N_REQUESTS):
        query = queries.iloc[[row]]
        start = time.perf_counter()
        model.predict(query)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def ratio(pairs):
    """Return the median of the ratios."""
    return round(statistics.median(new / old for old, new in pairs), 2)


if __name__ == "__main__":
    main()
