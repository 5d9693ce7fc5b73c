"""Measure how much the held-out users of early stopping decide by chance.

    python benchmarks/stopping_noise.py
    python benchmarks/stopping_noise.py --data ml-100k --epochs 16

AttRec is trained at a constant rate, and after each epoch the held-out items of all
users are ranked. Users are then drawn with replacement, as many as early stopping would
hold out: the table has the standard error of the difference of two consecutive epochs,
and the epochs after which the decay would begin (5th, 50th and 95th percentile of
2,000 draws).
"""

import argparse

import numpy as np
import pandas as pd
from _shared import load, markdown
from quality import MODELS, TUNED

from sklearn_attrec import AttRecRecommender
from sklearn_attrec._ranking.queries import Queries
from sklearn_attrec._ranking.search import rank_targets
from sklearn_attrec._training import early_stopping
from sklearn_attrec.metrics import ndcg

N_DRAWS = 2_000


def main():
    """Train, draw users and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--epochs", type=int, default=12, help="at a constant rate")
    arguments = parser.parse_args()
    settings = TUNED.get((arguments.data, "attrec"), {})
    gains = epoch_gains(load(arguments.data), settings, arguments.epochs)
    print(f"NDCG@10 after each epoch: {gains.mean(axis=1).round(4).tolist()}")
    n_users = gains.shape[1]
    rows = [drawn(gains, n) for n in (n_users // 10, 2_000, n_users) if n <= n_users]
    print(markdown(pd.DataFrame(rows)))


def epoch_gains(interactions, settings, n_epochs):
    """Return the NDCG@10 of each user after each epoch, (n_epochs, n_users)."""
    gains = []

    class Recorder(AttRecRecommender):
        def _validation_score(self, state, held_out, weights):
            sequences, users, items, times = held_out
            model = MODELS["attrec"].set_params(**settings)
            vars(model).update(state, weights_=weights, _cache={})
            queries = Queries(users, users, sequences, users, None, times)
            ranks = rank_targets(model, queries, items, True).ranks
            gains.append([ndcg(rank, 10) for rank in ranks[:, None]])
            return float(len(gains))  # improves, so that the rate stays constant

    max_iter = round(n_epochs * (1 + early_stopping.DECAY))
    model = Recorder(early_stopping=True, validation_fraction=1.0, random_state=0)
    model.set_params(**settings | {"max_iter": max_iter}).fit(interactions)
    return np.array(gains[:n_epochs])


def drawn(gains, n):
    """Return one row of the table, for n held-out users."""
    random = np.random.default_rng(0)
    stopping = early_stopping.EarlyStopping(score=None, max_iter=10**6)
    starts = []
    for _ in range(N_DRAWS):
        users = random.integers(gains.shape[1], size=n)
        scores = gains[:, users].mean(axis=1).tolist()
        ends = (stopping.decay(scores[:epoch]) for epoch in range(1, len(scores) + 1))
        starts.append(next((end[0] for end in ends if end), len(scores)))
    error = np.diff(gains, axis=0).std(axis=1).mean() / n**0.5
    low, median, high = np.percentile(starts, [5, 50, 95]).astype(int)
    return {
        "held-out users": f"{n:,}",
        "standard error": f"{error:.4f}",
        "start of the decay": f"{median} ({low} to {high})",
    }


if __name__ == "__main__":
    main()
