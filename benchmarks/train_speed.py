"""How fast AttRec trains, as a share of what the machine can multiply.

Fits ML-100K (or data made to its size) again and again, an epoch each, and multiplies
two float32 matrices of 2048 x 2048 in NumPy between the fits. An epoch counts
12 · L · d² floating-point operations a window: two projections of L vectors, forward
and backward. Their rate over the rate of the matrix product is the share; both are
medians of the same run. Other work slows the two down unequally: where the share of
the fastest epoch in the fastest product differs much from it, the machine was busy.

Before that, what a fit costs beyond its epochs: of the first fit of a process, which
imports TensorFlow and traces the compiled step, and of the second, of the same
shapes, which should do neither.

    python benchmarks/train_speed.py
    python benchmarks/train_speed.py --batch-sizes 128 512 1024 --repeats 9
"""

import argparse
import statistics
import time

import numpy as np
import pandas as pd
from _shared import DATA_SETS, assignments, load_or_make, print_table
from sklearn.base import clone

from sklearn_attrec import AttRecRecommender
from sklearn_attrec.utils._tensorflow import import_tensorflow


def main():
    """Measure start-up, then throughput of each loss and batch size."""
    arguments = parse_arguments()
    interactions, source = load_or_make(arguments.data)
    n_windows = len(interactions) - interactions["user_id"].nunique()
    print(f"Data: {source}, {n_windows:,} windows\n", flush=True)
    base = AttRecRecommender(d=100, L=5, random_state=0, max_iter=1)
    base.set_params(**assignments(arguments.set))
    models = {
        "hinge": {"loss": "hinge", "n_targets": 3, "n_negatives": 10},
        "softmax": {"loss": "softmax"},
    }
    default = base.get_params()["batch_size"]
    sizes = list(dict.fromkeys([default, *arguments.batch_sizes]))

    start_up(clone(base).set_params(**models["hinge"]), interactions)
    rows = []
    for loss, parameters in models.items():
        for batch_size in sizes:
            model = clone(base).set_params(**parameters, batch_size=batch_size)
            rows.append(throughput(model, interactions, n_windows, arguments.repeats))
            print(f"{loss}, batches of {batch_size}: done", flush=True)
    print()
    print_table(pd.DataFrame(rows))


def start_up(model, interactions):
    """Print what the first and the second fit cost beyond their epochs."""
    start = time.perf_counter()
    import_tensorflow()
    print(f"import TensorFlow: {time.perf_counter() - start:.2f} s")
    from sklearn_attrec._training import _run_epoch

    for which in ("first", "second", "third"):
        before = _run_epoch.experimental_get_tracing_count()
        start = time.perf_counter()
        model.fit(interactions)
        total = time.perf_counter() - start
        traced = _run_epoch.experimental_get_tracing_count() - before
        epoch = model.history_[0]["seconds"]
        print(
            f"{which} fit: {total:.2f} s, of which its one epoch {epoch:.2f} s and "
            f"all else {total - epoch:.2f} s; traced {traced} time(s)",
            flush=True,
        )
    print()


def throughput(model, interactions, n_windows, repeats):
    """Take epochs and matrix products in turns, after an epoch that may trace."""
    model.fit(interactions)
    multiply()
    seconds, rates = [], []
    for _ in range(repeats):
        rates += [multiply() for _ in range(3)]
        seconds.append(model.fit(interactions).history_[0]["seconds"])
    windows = n_windows / statistics.median(seconds)
    flops = 12 * model.L * model.d**2 * n_windows
    rate = flops / statistics.median(seconds)
    sgemm = statistics.median(rates)
    return {
        "loss": model.loss,
        "batch size": model.batch_size,
        "epoch, s": f"{statistics.median(seconds):.2f}",
        "fastest, s": f"{min(seconds):.2f}",
        "windows/s": f"{windows:,.0f}",
        "GFLOP/s": f"{rate / 1e9:.1f}",
        "SGEMM, GFLOP/s": f"{sgemm / 1e9:.1f}",
        "share": f"{rate / sgemm:.1%}",
        "of fastest": f"{flops / min(seconds) / max(rates):.1%}",
    }


def multiply(n=2048):
    """Return floating-point operations a second of a float32 matrix product."""
    left, right = np.ones((2, n, n), np.float32)
    start = time.perf_counter()
    left @ right
    return 2 * n**3 / (time.perf_counter() - start)


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA_SETS, default="ml-100k")
    parser.add_argument("--repeats", type=int, default=5, help="epochs to time of each")
    parser.add_argument(
        "--batch-sizes",
        type=int,
        nargs="*",
        default=[],
        metavar="N",
        help="besides the default",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="name=value",
        help="further parameters of AttRecRecommender",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
