"""Scores of all recommenders under several protocols of evaluation.

A protocol says which rows are held out, what the history of a row is, and whether items
of the history are excluded. Each table has one row per model and protocol: the hit rate
and NDCG at 10 and, where seen items are not excluded, the parts of the hit rate that
are repeats and new items. Warnings of the library are shown: they name what is wrong
with a protocol.

    python benchmarks/protocols.py --data ml-100k --models popularity markov
"""

import argparse
import copy
import time
import warnings

import pandas as pd
from _shared import load
from sklearn.model_selection import ShuffleSplit

from sklearn_attrec.metrics import evaluate
from sklearn_attrec.model_selection import LeaveLastOut, TimeCutoffSplit, UserKFold
from sklearn_attrec.models import RECOMMENDERS

LAST_ROW, LAST_TIME = LeaveLastOut(), LeaveLastOut(unit="time")

# For each data set: what is held out → (context, exclude_seen) of the evaluations.
PROTOCOLS = {
    "ml-100k": {
        "last row": (LAST_ROW, [("fit", True)]),
        "last time": (LAST_TIME, [("fit", True)]),
        "a tenth at random": (
            ShuffleSplit(1, test_size=0.1, random_state=0),
            [("fit", True)],
        ),
        "last tenth of time": (
            TimeCutoffSplit(test_size=0.1),
            [("fit", True), ("earlier", True)],
        ),
    },
    "online-retail": {
        "last row": (LAST_ROW, [("fit", True), ("fit", False)]),
        "last basket": (LAST_TIME, [("fit", True), ("fit", False)]),
    },
    "yoochoose": {
        "a fifth of the sessions": (
            UserKFold(5),
            [("fit", False), ("earlier", False)],
        ),
        "last tenth of time": (
            TimeCutoffSplit(test_size=0.1),
            [("earlier", False)],
        ),
    },
    "foursquare": {"last row": (LAST_ROW, [("fit", True), ("fit", False)])},
}
COLUMNS = ["hit_rate@10", "ndcg@10", "repeat_hits@10", "new_hits@10"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", nargs="+", choices=PROTOCOLS, default=[*PROTOCOLS])
    parser.add_argument("--models", nargs="+", choices=RECOMMENDERS)
    parser.add_argument("--max-iter", type=int, default=20, help="epochs of networks")
    parser.add_argument(
        "--time-bias", choices=["history", "request"], help="of networks"
    )
    arguments = parser.parse_args()
    for data in arguments.data:
        interactions = load(data)
        print(f"\n{data}: {len(interactions):,} rows", flush=True)
        for held_out, (splitter, evaluations) in PROTOCOLS[data].items():
            train, test = next(splitter.split(interactions))
            train, test = interactions.iloc[train], interactions.iloc[test]
            print(f"\nheld out: {held_out}, {len(test):,} rows", flush=True)
            tables = [
                scores(name, train, test, evaluations, arguments)
                for name in arguments.models or RECOMMENDERS
            ]
            print(
                pd.concat(tables).to_string(index=False, float_format="{:.4f}".format)
            )


def scores(name, train, test, evaluations, arguments):
    """Fit one model and evaluate it in several ways; print how long it took."""
    model = RECOMMENDERS[name]()
    if "random_state" in model.get_params():
        model.set_params(random_state=0, max_iter=arguments.max_iter)
        model.set_params(time_bias=arguments.time_bias)
    start = time.perf_counter()
    model.fit(train)
    fitted = time.perf_counter()
    rows = []
    for context, exclude_seen in evaluations:
        ranker = copy.copy(model).set_params(exclude_seen=exclude_seen)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            row = evaluate(ranker, test, 10, context=context).reindex(columns=COLUMNS)
        row.insert(0, "warnings", ", ".join(w.category.__name__ for w in caught))
        row.insert(0, "exclude_seen", exclude_seen)
        row.insert(0, "context", context)
        row.insert(0, "model", name)
        rows.append(row)
    done = time.perf_counter()
    print(f"  {name}: fit {fitted - start:.0f} s, ranking {done - fitted:.0f} s")
    return pd.concat(rows)


if __name__ == "__main__":
    main()
