"""How much memory fits take, at their peak and for good.

Growth: many fits in one process, with other values of omega, gamma, L and d in turn,
as in a search. After a warm-up the resident memory is read after each fit; the growth
is the slope of a line through these readings, the bar 50 kB a fit.

Peak: in a process of its own, the highest resident memory up to the end of `fit` on
ML-1M, less what the process had before it with the data read, TensorFlow imported and
one operation run. `--rows` makes data of about that many interactions instead.

    python benchmarks/memory.py
    python benchmarks/memory.py --only peak --rows 5000000

Resident memory is read from /proc, so this runs on Linux.
"""

import argparse
import gc
import json
import resource
import subprocess
import sys
import time
from itertools import cycle, product
from pathlib import Path

import numpy as np
from _shared import DATA_SETS, assignments, load, load_or_make

from sklearn_attrec import AttRecRecommender
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.utils._tensorflow import import_tensorflow

BAR = 50e3

GRID = {"omega": [0.2, 0.4], "gamma": [0.3, 0.5], "L": [3, 5], "d": [30, 50]}


def main():
    """Measure what was asked for."""
    arguments = parse_arguments()
    if arguments.in_child:
        print(json.dumps(peak(arguments)))
        return
    # First, as a child's peak begins with the size of the process that starts it.
    if arguments.only != "growth":
        print_peak()
    if arguments.only != "peak":
        print_growth(arguments)


def print_growth(arguments):
    """Fit many times in this process."""
    interactions, source = load_or_make(arguments.growth_data)
    model = AttRecRecommender(loss=arguments.loss, random_state=0, max_iter=1)
    model.set_params(**assignments(arguments.set))
    candidates = cycle(
        dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())
    )
    readings = []
    for _ in range(arguments.warm_up + arguments.fits):
        model.set_params(**next(candidates)).fit(interactions)
        gc.collect()
        readings.append(resident())
        if arguments.verbose:
            print(f"fit {len(readings)}: {readings[-1] / 1e6:.1f} MB", flush=True)
    counted = np.array(readings[arguments.warm_up - 1 :])
    slope = np.polyfit(np.arange(len(counted)), counted, 1)[0]
    ends = (counted[-1] - counted[0]) / arguments.fits
    print(
        f"Growth, {arguments.loss}, {arguments.fits} fits after {arguments.warm_up} "
        f"({source}): {slope / 1e3:,.0f} kB a fit by a line through all readings, "
        f"{ends / 1e3:,.0f} kB from the first to the last; the bar is {BAR / 1e3:.0f} "
        f"kB. Resident: {counted[0] / 1e6:,.0f} MB, then {counted[-1] / 1e6:,.0f} MB, "
        f"at most {counted.max() / 1e6:,.0f} MB."
    )


def print_peak():
    """Start this script again, with the same arguments, for the peak alone."""
    command = [sys.executable, __file__, *sys.argv[1:], "--in-child"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(output.stdout.splitlines()[-1])
    print(
        f"Peak of fit, {found['loss']}, {found['epochs']} epoch(s), {found['source']}, "
        f"{found['rows']:,} interactions ({found['data'] / 1e6:,.0f} MB): "
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
    if arguments.rows:
        n_users = max(2, round(arguments.rows / 160))  # 120 to 200 items each
        interactions = make_interactions(
            n_users, 3_500, n_per_user=(120, 200), random_state=0
        )
        source = "made"
    else:
        interactions, source = load(arguments.data), arguments.data
    without = resident()
    tf = import_tensorflow()
    tf.ones((2, 2)) @ tf.ones((2, 2))
    before, peak_before = resident(), highest()
    model = AttRecRecommender(loss=arguments.loss, random_state=0)
    model.set_params(max_iter=arguments.max_iter, **assignments(arguments.set))
    start = time.perf_counter()
    model.fit(interactions)
    return {
        "seconds": time.perf_counter() - start,
        "peak": highest(),
        "after": resident(),
        "before": before,
        "peak_before": peak_before,
        "tensorflow": before - without,
        "weights": sum(value.nbytes for value in model.weights_.values()),
        "data": int(interactions.memory_usage(deep=True).sum()),
        "rows": len(interactions),
        "epochs": model.n_iter_,
        "loss": arguments.loss,
        "source": source,
    }


def resident():
    """Bytes of memory this process holds now."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def highest():
    """Bytes of memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=["growth", "peak"], help="default: both")
    parser.add_argument("--loss", choices=["hinge", "softmax"], default="softmax")
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
        help="further parameters of AttRecRecommender",
    )
    parser.add_argument("--verbose", action="store_true", help="a line a fit")
    parser.add_argument("--in-child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
