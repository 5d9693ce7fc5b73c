"""Measure how a grid search spends its time.

Searches 16 candidates over omega, gamma, L and d on ML-100K (or made data of its size)
with GridSearchCV and LeaveLastOut. The rows of the table divide the wall time:

- start of workers: time until the first fit of each worker starts
- first fits: how much longer the first fit of a worker takes than its later fits,
  because it imports TensorFlow and traces the compiled step
- other fits and scoring: as measured by scikit-learn
- waiting: a worker waits for the others, or scikit-learn does other work
- refit of the best candidate

The times of parallel workers are divided by the number of workers, so that they add up
to the wall time. `--old` compares the wall times of two checkouts instead; each search
starts new workers.

    python benchmarks/grid_search.py
    python benchmarks/grid_search.py --n-jobs 2 1 --loss hinge
    python benchmarks/grid_search.py --old ../older_checkout --pairs 3
"""

import argparse
import os
import time
from functools import partial

import pandas as pd
from _pairs import add_arguments, compare
from _shared import DATA_SETS, assignments, load_or_make, markdown
from joblib.externals.loky import get_reusable_executor
from sklearn.model_selection import GridSearchCV

from sklearn_attrec import AttRecRecommender
from sklearn_attrec.model_selection import LeaveLastOut

GRID = {"omega": [0.2, 0.4], "gamma": [0.3, 0.5], "L": [3, 5], "d": [50, 100]}


def main():
    """Print the table of one search per number of jobs, or compare two checkouts."""
    arguments = parse_arguments()
    if arguments.old or arguments.worker:
        compare(arguments, prepare)
        return
    interactions, source = load_or_make(arguments.data)
    print(f"Data: {source}, {arguments.max_iter} epochs, {arguments.loss}", flush=True)
    for n_jobs in arguments.n_jobs:
        report(*timed_search(arguments, interactions, n_jobs))


def prepare(arguments):
    """Return one measurement per number of jobs, in seconds."""
    interactions, _ = load_or_make(arguments.data)

    def measure(n_jobs):
        get_reusable_executor().shutdown()  # end the workers of the previous search
        _, _, begin, end = timed_search(arguments, interactions, n_jobs)
        return end - begin

    return {f"n_jobs={n}": partial(measure, n) for n in arguments.n_jobs}


def timed_search(arguments, interactions, n_jobs):
    """Return a fitted search, its number of jobs and when it began and ended."""
    model = AttRecRecommender(loss=arguments.loss, k=50, random_state=0)
    model.set_params(max_iter=arguments.max_iter, **assignments(arguments.set))
    search = GridSearchCV(
        model,
        GRID,
        cv=LeaveLastOut(),
        scoring=score_and_worker,
        refit="score",
        n_jobs=n_jobs,
    )
    begin = time.time()
    search.fit(interactions)
    return search, n_jobs, begin, time.time()


def score_and_worker(model, X):
    """Return the score, the process id of the worker, and when the fit ended."""
    begin = time.time()
    return {"score": model.score(X), "worker": os.getpid(), "fitted": begin}


def report(search, n_jobs, begin, end):
    """Print the table of one search."""
    wall = end - begin
    results = pd.DataFrame(search.cv_results_)
    runs = results.filter(regex="^mean_test_").rename(
        columns=lambda name: name.removeprefix("mean_test_")
    )
    runs["fit"], runs["scoring"] = results["mean_fit_time"], results["mean_score_time"]
    first = runs.sort_values("fitted").groupby("worker").head(1)
    rest = runs.drop(first.index)
    usual = rest["fit"].median() if len(rest) else 0
    extra = (first["fit"] - usual).clip(lower=0).sum()
    spent = {
        "start of workers": (first["fitted"] - first["fit"] - begin).sum(),
        "first fits": extra,
        "other fits": runs["fit"].sum() - extra,
        "scoring": runs["scoring"].sum(),
    }
    spent = {name: seconds / len(first) for name, seconds in spent.items()}
    refit = search.refit_time_
    spent["waiting"] = wall - refit - sum(spent.values())
    spent["refit of the best candidate"] = refit
    spent["total"] = wall

    print(
        f"\nn_jobs={n_jobs}: {wall:.1f} s for {len(runs)} candidates with {len(first)} "
        f"worker(s); best HR@50 {search.best_score_:.3f} with {search.best_params_}\n"
    )
    rows = [
        {"part": name, "seconds": f"{seconds:.1f}", "share": f"{seconds / wall:.0%}"}
        for name, seconds in spent.items()
    ]
    print(markdown(pd.DataFrame(rows)))


def parse_arguments():
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--data", choices=DATA_SETS, default="ml-100k")
    parser.add_argument("--loss", choices=["hinge", "softmax"], default="softmax")
    parser.add_argument("--max-iter", type=int, default=10, help="epochs per fit")
    parser.add_argument(
        "--n-jobs", type=int, nargs="+", default=[2], help="one search per value"
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="name=value",
        help="other parameters of AttRecRecommender",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
