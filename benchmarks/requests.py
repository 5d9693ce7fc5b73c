"""Measure requests: `predict` for one user, and `recommend` for all of them.

Models of one request are fitted on ML-100K (or made data of its size); the networks
keep their initial weights, which suffices to measure. `recommend` answers for all users
of ML-1M. With a checkout of an older commit, both are measured in turns:

    python benchmarks/requests.py
    python benchmarks/requests.py --old ../older --only ItemKNN
"""

import argparse
import time
from functools import partial

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
ALL_USERS = ["ItemKNN", "Markov", "Popularity"]


def main():
    """Compare the checkouts."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--requests", type=int, default=200, help="per measurement")
    compare(parser.parse_args(), prepare)


def prepare(arguments):
    """Fit the models and return the measurements."""
    frame, _ = load_or_make("ml-100k")
    larger, _ = load_or_make("ml-1m")
    users = np.random.default_rng(0).permutation(frame["user_id"].unique())
    users = users[: arguments.requests].tolist()
    histories = [frame["item_id"][frame["user_id"] == user].tolist() for user in users]
    measurements = {}
    for name, fit in MODELS.items():
        model = fit(frame)
        measurements[f"{name}: one user, µs"] = partial(known_users, model, users)
        measurements[f"{name}: one history, µs"] = partial(new_users, model, histories)
    for name in ALL_USERS:
        model = MODELS[name](larger)
        measurements[f"{name}: all users of ML-1M, s"] = partial(all_users, model)
    return measurements


def known_users(model, users):
    """Return the median time of a request for a user seen in fit."""
    return median_microseconds(model.predict, [(user,) for user in users])


def new_users(model, histories):
    """Return the median time of a request for an unseen user with a history."""
    return median_microseconds(model.predict, [("new", items) for items in histories])


def all_users(model):
    """Return the seconds of `recommend` for all users."""
    start = time.perf_counter()
    model.recommend()
    return time.perf_counter() - start


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
