"""Measure epochs of SASRec with the sampled softmax relative to the full softmax.

Epochs of the two losses take turns in one process, on made data: users with 200 random
items each, and one more user per item, who is not trained.

    python benchmarks/sampled_softmax.py --old ../older_checkout
"""

import argparse
import statistics

import _pairs
import numpy as np
import pandas as pd
from _shared import epoch_seconds

from sklearn_attrec import SASRecRecommender

# Number of items: number of users with 200 items.
SIZES = {3_416: 160, 100_000: 64}


def prepare(arguments):
    """Return the measurements: the ratios, and an epoch of each loss."""
    measurements = {}
    for n_items, n_users in SIZES.items():
        interactions = make(n_items, n_users)

        def epoch(loss, interactions=interactions):
            model = SASRecRecommender(loss=loss, max_iter=3, random_state=0)
            with epoch_seconds() as seconds:
                model.fit(interactions)
            return statistics.median(seconds)

        def ratio(epoch=epoch):
            return epoch("sampled_softmax") / epoch("softmax")

        measurements |= {
            f"sampled / full, {n_items:,} items": ratio,
            f"sampled, {n_items:,} items, s": lambda e=epoch: e("sampled_softmax"),
            f"full, {n_items:,} items, s": lambda e=epoch: e("softmax"),
        }
    return measurements


def make(n_items, n_users):
    """Return interactions in which each item occurs."""
    random = np.random.default_rng(0)
    users = np.concatenate([np.repeat(np.arange(n_users), 200), np.arange(n_items)])
    users[n_users * 200 :] += n_users
    items = np.concatenate(
        [random.integers(n_items, size=n_users * 200), np.arange(n_items)]
    )
    return pd.DataFrame({"user_id": users, "item_id": items})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _pairs.add_arguments(parser)
    _pairs.compare(parser.parse_args(), prepare)
