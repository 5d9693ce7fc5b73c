"""Where the time of a grid search goes.

Searches 16 candidates over omega, gamma, L and d on ML-100K (or data made to its size)
with GridSearchCV and LeaveLastOut, and divides the wall time by what it was spent on.
The times of fits and scores are scikit-learn's own; those of epochs come from
`history_`, which a scorer reads in the worker, beside the worker's process id:

- starting workers: until a worker's first fit begins
- TensorFlow: what a worker's first fit takes beyond its epochs, more than later fits
- tracing: what a candidate's first epoch takes more than its later ones
- set-up: checks, encoding and all else in later fits that is no epoch
- waiting: for other workers, and scikit-learn's own work

Times of workers side by side are divided by their number, so that they add up to the
wall time.

    python benchmarks/grid_search.py
    python benchmarks/grid_search.py --n-jobs 2 1 --loss hinge
"""

import argparse
import os
import time

import numpy as np
import pandas as pd
from _shared import DATA_SETS, assignments, load_or_make, markdown
from sklearn.model_selection import GridSearchCV

from sklearn_attrec import AttRecRecommender
from sklearn_attrec.model_selection import LeaveLastOut

GRID = {"omega": [0.2, 0.4], "gamma": [0.3, 0.5], "L": [3, 5], "d": [50, 100]}


def main():
    """Search with each number of jobs, and print where the time went."""
    arguments = parse_arguments()
    interactions, source = load_or_make(arguments.data)
    model = AttRecRecommender(loss=arguments.loss, k=50, random_state=0)
    model.set_params(max_iter=arguments.max_iter, **assignments(arguments.set))
    print(f"Data: {source}, {arguments.max_iter} epochs, {arguments.loss}", flush=True)
    for n_jobs in arguments.n_jobs:
        search = GridSearchCV(
            model,
            GRID,
            cv=LeaveLastOut(),
            scoring=observe,
            refit="score",
            n_jobs=n_jobs,
        )
        begin = time.time()
        search.fit(interactions)
        wall = time.time() - begin
        report(search, n_jobs, begin, wall)


def observe(model, X):
    """Score a candidate, and tell what its fit was like."""
    begin = time.time()
    epochs = [record["seconds"] for record in model.history_]
    later = np.median(epochs[1:]) if len(epochs) > 1 else epochs[0]
    return {
        "score": model.score(X),
        "worker": os.getpid(),
        "fitted": begin,
        "epochs": sum(epochs),
        "tracing": max(epochs[0] - later, 0),
    }


def report(search, n_jobs, begin, wall):
    """Print one table."""
    results = pd.DataFrame(search.cv_results_)
    seen = results.filter(regex="^mean_test_").rename(
        columns=lambda name: name.removeprefix("mean_test_")
    )
    seen["fit"], seen["scoring"] = results["mean_fit_time"], results["mean_score_time"]
    seen["other"] = seen["fit"] - seen["epochs"]
    first = seen.sort_values("fitted").groupby("worker").head(1)
    rest = seen.drop(first.index)
    usual = rest["other"].median() if len(rest) else 0
    tensorflow = (first["other"] - usual).clip(lower=0)
    spent = {
        "starting workers": (first["fitted"] - first["fit"] - begin).sum(),
        "TensorFlow": tensorflow.sum(),
        "tracing": seen["tracing"].sum(),
        "training": (seen["epochs"] - seen["tracing"]).sum(),
        "set-up": seen["other"].sum() - tensorflow.sum(),
        "scoring": seen["scoring"].sum(),
    }
    spent = {name: seconds / len(first) for name, seconds in spent.items()}
    refit = search.refit_time_
    spent["waiting"] = wall - refit - sum(spent.values())
    spent["refit of the best"] = refit
    spent["together"] = wall

    print(
        f"\nn_jobs={n_jobs}: {wall:.1f} s for {len(seen)} candidates in {len(first)} "
        f"worker(s); best HR@50 {search.best_score_:.3f} with {search.best_params_}\n"
    )
    rows = [
        {"what": name, "seconds": f"{seconds:.1f}", "share": f"{seconds / wall:.0%}"}
        for name, seconds in spent.items()
    ]
    print(markdown(pd.DataFrame(rows)))


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA_SETS, default="ml-100k")
    parser.add_argument("--loss", choices=["hinge", "softmax"], default="softmax")
    parser.add_argument("--max-iter", type=int, default=10, help="epochs of each fit")
    parser.add_argument(
        "--n-jobs", type=int, nargs="+", default=[2], help="searches, one after another"
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
