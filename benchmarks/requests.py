"""Measure requests: `predict` for one user, and `recommend` for all users.

One user, or one history, is queried in models of ML-100K (or made data of its size).
Networks keep their initial weights or train for one epoch; that suffices to measure.
All users are those of ML-1M. With the checkout of an older commit, both are measured in
turns:

    python benchmarks/requests.py
    python benchmarks/requests.py --old ../older --only ItemKNN Markov
"""

import argparse
import time
from functools import cache, partial

import numpy as np
from _pairs import add_arguments, compare
from _shared import load_or_make, untrained

from sklearn_attrec import (
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
)

MODELS = {
    "AttRec": untrained,
    "SASRec": lambda frame: SASRecRecommender(max_iter=1, random_state=0).fit(frame),
    "ItemKNN": lambda frame: ItemKNNRecommender().fit(frame),
    "Markov": lambda frame: MarkovRecommender().fit(frame),
    "Popularity": lambda frame: PopularityRecommender().fit(frame),
}
COUNTING = ["ItemKNN", "Markov", "Popularity"]


def main():
    """Compare the checkouts."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--requests", type=int, default=200, help="per measurement")
    compare(parser.parse_args(), prepare)


def prepare(arguments):
    """Return the measurements; a model is fitted when it is measured first."""
    n = arguments.requests
    measurements = {}
    for name in MODELS:
        measurements[f"{name}, one known user, µs"] = partial(known_user, name, n)
        measurements[f"{name}, one history, µs"] = partial(new_user, name, n)
    for name in COUNTING:
        measurements[f"{name}, all users of ML-1M, s"] = partial(all_users, name)
    return measurements


def known_user(name, n):
    """Return the median time of a request for a user seen in fit."""
    users, _ = requests(n)
    return median_microseconds(fitted(name, "ml-100k").predict, [(u,) for u in users])


def new_user(name, n):
    """Return the median time of a request for an unseen user with a history."""
    _, histories = requests(n)
    queries = [("new", history) for history in histories]
    return median_microseconds(fitted(name, "ml-100k").predict, queries)


def all_users(name):
    """Return the seconds of `recommend` for all users."""
    model = fitted(name, "ml-1m")
    start = time.perf_counter()
    model.recommend()
    return time.perf_counter() - start


@cache
def fitted(name, data):
    """Return a model of a data set."""
    return MODELS[name](load_or_make(data)[0])


@cache
def requests(n):
    """Return n users of ML-100K, and their histories."""
    frame, _ = load_or_make("ml-100k")
    users = np.random.default_rng(0).permutation(frame["user_id"].unique())[:n]
    items = frame.sort_values("timestamp").groupby("user_id")["item_id"].agg(list)
    return users.tolist(), items[users].tolist()


def median_microseconds(function, calls):
    """Return the median time of calls, in microseconds."""
    times = []
    for arguments in calls:
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times))


if __name__ == "__main__":
    main()
