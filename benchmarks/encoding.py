"""Measure how fast transformers encode histories: of users, of sessions and of one.

The models have their initial weights, which suffices to measure speed. `target_ranks`
ranks the last item of each user of ML-1M, and clicks of Yoochoose after the earlier
clicks of their sessions. Other work of ranking is included.

    python benchmarks/encoding.py --old ../older_checkout
"""

import argparse
import time

import _pairs
from _shared import load, untrained

from sklearn_attrec import SASRecRecommender, SSEPTRecommender

N_USERS, N_CLICKS, N_REQUESTS = 1_000, 5_000, 50


def prepare(arguments):
    """Return the measurements of each model."""
    movies, clicks = load("ml-1m"), load("yoochoose")
    last = movies.groupby("user_id").tail(1)[:N_USERS]
    sessions = clicks.assign(user_id=-1 - clicks["user_id"])[:N_CLICKS]
    history = movies["item_id"][:30].tolist()
    measurements = {}
    for cls in (SASRecRecommender, SSEPTRecommender):
        viewed = untrained(movies.drop(last.index), cls)
        clicked = untrained(clicks, cls, exclude_seen=False)

        def target_ranks(model=viewed):
            model.target_ranks(last)

        def requests(model=viewed):
            for _ in range(N_REQUESTS):
                model.query_vectors("new", history)

        def rank_sessions(model=clicked):
            model.target_ranks(sessions, context="earlier")

        name = cls.__name__.removesuffix("Recommender")
        measurements |= {
            f"{name}, target_ranks of {N_USERS:,} users": seconds(target_ranks),
            f"{name}, target_ranks of {N_CLICKS:,} clicks": seconds(rank_sessions),
            f"{name}, {N_REQUESTS} times one query vector": seconds(requests),
        }
    return measurements


def seconds(function):
    """Return a function that measures how long another one takes."""

    def measure():
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return measure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _pairs.add_arguments(parser)
    _pairs.compare(parser.parse_args(), prepare)
