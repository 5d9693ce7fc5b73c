"""Measure the memory that fits use, and the memory that they do not release.

Growth: fits many models in one process, with alternating values of omega, gamma, L and
d, as in a grid search. After some fits that are not counted, the resident memory is
read after each fit. The growth is the slope of a line through these readings; the
limit is 50 kB per fit.

Peak: the peak resident memory during `fit` on ML-1M in a separate process, minus the
memory before `fit`, when the data are read, TensorFlow is imported and one operation
has run. With `--rows N`, made data of about N interactions are used instead.

Catalogue: the same peak for made data with 10,000, 100,000 and 1,000,000 items. It
shows how much memory grows with the number of items, besides the embeddings and the
two moments of Adam.

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

LIMIT = 50e3  # bytes per fit

MODELS = {
    "attrec": AttRecRecommender(),
    "attrec-hinge": AttRecRecommender(loss="hinge"),
    "sasrec": SASRecRecommender(),
    "sasrec-sampled": SASRecRecommender(loss="sampled_softmax"),
}

CATALOGUES = (10_000, 100_000, 1_000_000)

GRID = {"omega": [0.2, 0.4], "gamma": [0.3, 0.5], "L": [3, 5], "d": [30, 50]}


def main():
    """Run the selected measurements."""
    arguments = parse_arguments()
    if arguments.in_child:
        print(json.dumps(peak(arguments)))
        return
    # First, because the peak of a child starts at the size of its parent process.
    if arguments.only in (None, "peak"):
        print_peak(run_in_child())
    if arguments.only == "catalogue":
        for n_items in CATALOGUES:
            print_peak(run_in_child("--items", str(n_items)))
    if arguments.only in (None, "growth"):
        print_growth(arguments)


def print_growth(arguments):
    """Fit many times in this process and print the growth of memory."""
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
        f"Growth of AttRec on {source}, {arguments.fits} fits after "
        f"{arguments.warm_up}: {slope / 1e3:,.0f} kB per fit (slope of a line through "
        f"all readings) or {ends / 1e3:,.0f} kB per fit (last minus first reading). "
        f"The limit is {LIMIT / 1e3:.0f} kB. Resident memory in MB: first "
        f"{counted[0] / 1e6:,.0f}, last {counted[-1] / 1e6:,.0f}, highest "
        f"{counted.max() / 1e6:,.0f}."
    )


def run_in_child(*extra):
    """Measure the peak in a new process with the arguments of this one."""
    command = [sys.executable, __file__, *sys.argv[1:], *extra, "--in-child"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(output.stdout.splitlines()[-1])


def print_peak(found):
    """Print the memory of one fit."""
    print(
        f"Peak memory of fit, {found['model']}, {found['epochs']} epoch(s) on "
        f"{found['source']}, {found['rows']:,} interactions "
        f"({found['data'] / 1e6:,.0f} MB) with {found['items']:,} items: "
        f"{(found['peak'] - found['before']) / 1e6:,.0f} MB above the "
        f"{found['before'] / 1e6:,.0f} MB before fit, of which TensorFlow takes "
        f"{found['tensorflow'] / 1e6:,.0f} MB. After fit: {found['after'] / 1e6:,.0f} "
        f"MB. Weights and their two moments: {3 * found['weights'] / 1e6:,.0f} MB. "
        f"Time of fit: {found['seconds']:.0f} s.",
        flush=True,
    )
    if found["peak"] <= found["peak_before"]:
        print("The peak was reached before fit, so fit uses even less memory.")


def peak(arguments):
    """Fit once; return the memory before, during and after fit, in bytes."""
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
        source = "made data"
    elif arguments.rows:
        n_users = max(2, round(arguments.rows / 160))  # 120 to 200 items each
        interactions = make_interactions(
            n_users, 3_500, n_per_user=(120, 200), random_state=0
        )
        source = "made data"
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
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        choices=["growth", "peak", "catalogue"],
        help="default: growth and peak",
    )
    parser.add_argument(
        "--model", choices=MODELS, default="attrec", help="model of peak and catalogue"
    )
    parser.add_argument("--fits", type=int, default=60)
    parser.add_argument(
        "--warm-up", type=int, default=10, help="fits that are not counted"
    )
    parser.add_argument(
        "--growth-data", choices=DATA_SETS, default="ml-100k", help="data set of growth"
    )
    parser.add_argument(
        "--data", choices=DATA_SETS, default="ml-1m", help="data set of peak"
    )
    parser.add_argument(
        "--rows", type=int, metavar="N", help="make N interactions for peak"
    )
    parser.add_argument(
        "--max-iter", type=int, default=2, help="epochs of peak and catalogue"
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="name=value",
        help="other parameters of the model",
    )
    parser.add_argument("--verbose", action="store_true", help="print one line per fit")
    parser.add_argument("--items", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--in-child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
