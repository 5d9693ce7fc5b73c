"""Measure what partial_fit gives and costs, relative to fit on all rows.

    python benchmarks/partial_fit.py
    python benchmarks/partial_fit.py --data ml-1m --models attrec sasrec --parts 1 10

A model is fitted on the first eight tenths of the rows in the order of time and updated
with the ninth tenth, at once or in parts. NDCG@10 is that of the rows of the last
tenth, each with all earlier rows of its user as its history. "Of fit" is the ratio to a
model that was fitted on nine tenths.
"""

import argparse
import copy
import itertools
import time

import pandas as pd
from _shared import DATA_SETS, load, markdown
from quality import MODELS, TUNED
from sklearn.base import clone

from sklearn_attrec.metrics import evaluate


def main():
    """Measure each model and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA_SETS, default="ml-100k")
    parser.add_argument(
        "--models",
        nargs="+",
        choices=MODELS,
        default=["popularity", "markov", "item-knn", "attrec", "sasrec"],
        metavar="NAME",
    )
    parser.add_argument("--parts", type=int, nargs="+", default=[1, 10])
    arguments = parser.parse_args()
    interactions = load(arguments.data).sort_values("timestamp", kind="stable")
    eight, nine = (len(interactions) * n // 10 for n in (8, 9))
    old, new, test = interactions[:eight], interactions[eight:nine], interactions[nine:]
    rows = []
    for name in arguments.models:
        model = clone(MODELS[name]).set_params(**TUNED.get((arguments.data, name), {}))
        if "random_state" in model.get_params():
            model.set_params(random_state=0)
        fitted, seconds = timed(clone(model), "fit", [interactions[:nine]])
        best = score(fitted, test)
        before, _ = timed(model, "fit", [old])
        measured = {
            "fit on all": (best, seconds),
            "not updated": (score(before, test), 0),
        }
        for n in arguments.parts:
            ends = [len(new) * part // n for part in range(n + 1)]
            parts = [new[start:end] for start, end in itertools.pairwise(ends)]
            updated, took = timed(copy.deepcopy(before), "partial_fit", parts)
            measured[f"partial_fit, {n} part(s)"] = score(updated, test), took
        for label, (ndcg, took) in measured.items():
            row = {"model": name, "learned by": label, "NDCG@10": f"{ndcg:.4f}"}
            row |= {
                "of fit": f"{ndcg / best:.3f}",
                "time of fit": f"{took / seconds:.3f}",
            }
            rows.append(row)
            print(row, flush=True)
    print(f"\n{markdown(pd.DataFrame(rows))}")


def timed(model, method, frames):
    """Call a method with each frame; return the model and the seconds."""
    start = time.perf_counter()
    for frame in frames:
        getattr(model, method)(frame)
    return model, time.perf_counter() - start


def score(model, test):
    """Return NDCG@10 of the test rows, each after the earlier rows of its user."""
    return evaluate(model, test, 10, context="earlier")["ndcg@10"].iloc[0]


if __name__ == "__main__":
    main()
