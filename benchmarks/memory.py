"""How much memory fits take, at their peak and for good.

Growth: many fits in one process, with other values of omega, gamma, L and d in turn,
as in a search. After a warm-up the resident memory is read after each fit; the growth
is the slope of a line through these readings, the bar 50 kB a fit.

Peak: in a process of its own, the highest resident memory up to the end of `fit` on
ML-1M, less what the process had before it with the data read, TensorFlow imported and
one operation run. `--rows` makes data of about that many interactions instead.

Catalogue: the same peak for made data of few interactions with ever more items, which
shows what of it grows with the catalogue besides the embeddings and their moments.

    python benchmarks/memory.py
    python benchmarks/memory.py --only peak --model sasrec
    python benchmarks/memory.py --only peak --rows 5000000
    python benchmarks/memory.py --only catalogue --model sasrec-sampled

Resident memory is read from /proc, so this runs on Linux.
"""

import argparse
import gc
import json
import subprocess
import sys
import time
from itertools import cycle, product

import numpy as np
import pandas as pd
from _shared import (
    DATA_SETS,
    assignments,
    highest_memory,
    load,
    load_or_make,
    resident_memory,
)
from sklearn.base import clone

from sklearn_attrec import AttRecRecommender, SASRecRecommender
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.utils._tensorflow import import_tensorflow

BAR = 50e3

MODELS = {
    "attrec": AttRecRecommender(loss="softmax"),
    "attrec-hinge": AttRecRecommender(loss="hinge"),
    "sasrec": SASRecRecommender(),
    "sasrec-sampled": SASRecRecommender(loss="sampled_softmax"),
}

CATALOGUES = (10_000, 100_000, 1_000_000)

GRID = {"omega": [0.2, 0.4], "gamma": [0.3, 0.5], "L": [3, 5], "d": [30, 50]}


def main():
    """Measure what was asked for."""
    arguments = parse_arguments()
    if arguments.in_child:
        print(json.dumps(peak(arguments)))
        return
    # First, as a child's peak begins with the size of the process that starts it.
    if arguments.only in (None, "peak"):
        print_peak(run_in_child())
    if arguments.only == "catalogue":
        for n_items in CATALOGUES:
            print_peak(run_in_child("--items", str(n_items)))
    if arguments.only in (None, "growth"):
        print_growth(arguments)


def print_growth(arguments):
    """Fit many times in this process."""
    interactions, source = load_or_make(arguments.growth_data)
    model = clone(MODELS["attrec"]).set_params(random_state=0, max_iter=1)
    model.set_params(**assignments(arguments.set))
    candidates = cycle(
        dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())
    )
    readings = []
    for _ in range(arguments.warm_up + arguments.fits):
        model.set_params(**next(candidates)).fit(interactions)
        gc.collect()
        readings.append(resident_memory())
        if arguments.verbose:
            print(f"fit {len(readings)}: {readings[-1] / 1e6:.1f} MB", flush=True)
    counted = np.array(readings[arguments.warm_up - 1 :])
    slope = np.polyfit(np.arange(len(counted)), counted, 1)[0]
    ends = (counted[-1] - counted[0]) / arguments.fits
    print(
        f"Growth, AttRec, {arguments.fits} fits after {arguments.warm_up} "
        f"({source}): {slope / 1e3:,.0f} kB a fit by a line through all readings, "
        f"{ends / 1e3:,.0f} kB from the first to the last; the bar is {BAR / 1e3:.0f} "
        f"kB. Resident: {counted[0] / 1e6:,.0f} MB, then {counted[-1] / 1e6:,.0f} MB, "
        f"at most {counted.max() / 1e6:,.0f} MB."
    )


def run_in_child(*more):
    """Start this script again, with the same arguments, for the peak alone."""
    command = [sys.executable, __file__, *sys.argv[1:], *more, "--in-child"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(output.stdout.splitlines()[-1])


def print_peak(found):
    """Print the readings of a fit."""
    print(
        f"Peak of fit, {found['model']}, {found['epochs']} epoch(s), "
        f"{found['source']}, {found['rows']:,} interactions "
        f"({found['data'] / 1e6:,.0f} MB) with {found['items']:,} items: "
        f"{(found['peak'] - found['before']) / 1e6:,.0f} MB beyond the "
        f"{found['before'] / 1e6:,.0f} MB before it, of which TensorFlow took "
        f"{found['tensorflow'] / 1e6:,.0f} MB. After it: {found['after'] / 1e6:,.0f} "
        f"MB. Weights and two moments of each: {3 * found['weights'] / 1e6:,.0f} MB. "
        f"{found['seconds']:.0f} s.",
        flush=True,
    )
    if found["peak"] <= found["peak_before"]:
        print("(No higher than before fit, so the true figure is lower still.)")


def peak(arguments):
    """Fit once; return bytes before, at the peak and after."""
    if arguments.items:
        random = np.random.default_rng(0)
        rows = np.arange(max(200_000, arguments.items))  # each item at least once
        items = np.where(
            rows < arguments.items,
            rows,
            random.integers(arguments.items, size=len(rows)),
        )
        interactions = pd.DataFrame(
            {"user_id": rows // 100, "item_id": random.permutation(items)}
        )
        source = "made"
    elif arguments.rows:
        n_users = max(2, round(arguments.rows / 160))  # 120 to 200 items each
        interactions = make_interactions(
            n_users, 3_500, n_per_user=(120, 200), random_state=0
        )
        source = "made"
    else:
        interactions, source = load(arguments.data), arguments.data
    without = resident_memory()
    tf = import_tensorflow()
    tf.ones((2, 2)) @ tf.ones((2, 2))
    before, peak_before = resident_memory(), highest_memory()
    model = clone(MODELS[arguments.model]).set_params(random_state=0)
    model.set_params(max_iter=arguments.max_iter, **assignments(arguments.set))
    start = time.perf_counter()
    model.fit(interactions)
    return {
        "seconds": time.perf_counter() - start,
        "peak": highest_memory(),
        "after": resident_memory(),
        "before": before,
        "peak_before": peak_before,
        "tensorflow": before - without,
        "weights": sum(value.nbytes for value in model.weights_.values()),
        "data": int(interactions.memory_usage(deep=True).sum()),
        "rows": len(interactions),
        "epochs": model.n_iter_,
        "items": len(model.items_),
        "model": arguments.model,
        "source": source,
    }


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        choices=["growth", "peak", "catalogue"],
        help="default: growth and peak",
    )
    parser.add_argument(
        "--model", choices=MODELS, default="attrec", help="for peak and catalogue"
    )
    parser.add_argument("--fits", type=int, default=60)
    parser.add_argument("--warm-up", type=int, default=10, help="fits not counted")
    parser.add_argument(
        "--growth-data", choices=DATA_SETS, default="ml-100k", help="for the growth"
    )
    parser.add_argument(
        "--data", choices=DATA_SETS, default="ml-1m", help="for the peak"
    )
    parser.add_argument(
        "--rows", type=int, metavar="N", help="for the peak: make N interactions"
    )
    parser.add_argument(
        "--max-iter", type=int, default=2, help="epochs of the fit with the peak"
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="name=value",
        help="further parameters of the model",
    )
    parser.add_argument("--verbose", action="store_true", help="a line a fit")
    parser.add_argument("--items", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--in-child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
