"""Measure how the score of AttRec depends on omega, gamma, L and d, one at a time.

The last item of each user is left out, and the one before it is ranked among all items:
these are validation rows, on which parameters may be chosen. All other parameters have
their defaults; `gamma`, the margin of the hinge loss, is varied with that loss.

    python benchmarks/parameters.py --data ml-100k --seeds 3
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from _shared import DATA_SETS, load, markdown

from sklearn_attrec import AttRecRecommender
from sklearn_attrec.exceptions import TimeTieWarning
from sklearn_attrec.metrics import hit_rate, ndcg
from sklearn_attrec.model_selection import leave_last_out_split

VALUES = {
    "omega": [0.0, 0.15, 0.3, 0.5, 0.8],
    "gamma": [0.25, 0.5, 1.0],
    "L": [2, 3, 5, 10, 20],
    "d": [16, 32, 64, 100, 200],
}


def scores(train, validation, seeds, **params):
    """Return HR@10 and NDCG@10 of each seed and the median of the seconds of a fit."""
    found, seconds = [], []
    for seed in range(seeds):
        model = AttRecRecommender(random_state=seed, **params)
        start = time.perf_counter()
        model.fit(train)
        seconds.append(time.perf_counter() - start)
        ranks = model.target_ranks(validation)
        found.append((hit_rate(ranks, 10), ndcg(ranks, 10)))
    return np.transpose(found), np.median(seconds)


def main():
    """Fit each value with each seed; print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA_SETS, default="ml-100k")
    parser.add_argument("--only", nargs="+", choices=VALUES, default=list(VALUES))
    parser.add_argument(
        "--seeds", type=int, default=3, help="fits per value, 2 or more"
    )
    arguments = parser.parse_args()
    # The published protocol holds out one row, whether or not others have its time.
    warnings.simplefilter("ignore", TimeTieWarning)
    train, _ = leave_last_out_split(load(arguments.data))
    train, validation = leave_last_out_split(train)
    AttRecRecommender(max_iter=1).fit(train)  # imports TensorFlow and compiles
    rows = []
    for name in arguments.only:
        loss = "hinge" if name == "gamma" else "softmax"
        for value in VALUES[name]:
            params = {name: value, "loss": loss}
            (hits, gains), seconds = scores(
                train, validation, arguments.seeds, **params
            )
            row = {"parameter": name, "value": value}
            for metric, values in {"HR@10": hits, "NDCG@10": gains}.items():
                row[metric] = f"{values.mean():.4f} ± {np.std(values, ddof=1):.4f}"
            rows.append(row | {"fit, s": f"{seconds:.0f}"})
            print(rows[-1], flush=True)
    print(f"\n{arguments.data}, {len(validation):,} validation rows\n")
    print(markdown(pd.DataFrame(rows, dtype=object)))


if __name__ == "__main__":
    main()
