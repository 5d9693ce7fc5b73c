"""Measure the fixed cost of a fit: what it takes beside the training steps.

- second fit: a fit of one epoch on 1,000 windows, in a process that has already fitted
- first fit: the same in a new process, with the imports of TensorFlow and Keras and
  the trace of the compiled step
- import: `import sklearn_attrec` in a new process, after scikit-learn and pandas

Numbers are milliseconds of CPU time, which other work on the machine disturbs little.
TensorFlow uses one thread, as in a worker of a grid search.

    python benchmarks/fit_cost.py --old ../older_checkout
    python benchmarks/fit_cost.py --only second
"""

import argparse
import os
import subprocess
import sys
import time

from _pairs import add_arguments, compare

from sklearn_attrec import AttRecRecommender, SASRecRecommender
from sklearn_attrec.datasets import make_interactions

MODELS = {
    "AttRec, softmax": AttRecRecommender(loss="softmax", max_iter=1, random_state=0),
    "AttRec, hinge": AttRecRecommender(loss="hinge", max_iter=1, random_state=0),
    "SASRec": SASRecRecommender(max_iter=1, random_state=0),
}

IMPORT = """
import time
import pandas, sklearn
begin = time.process_time()
import sklearn_attrec
print(1e3 * (time.process_time() - begin))
"""

REPEATS = 10  # of each measurement that repeats; the fastest counts


def prepare(arguments):
    """Return the measurements."""
    interactions = make_interactions(100, 500, n_per_user=11, random_state=0)
    measurements = {}
    for name, model in MODELS.items():
        measurements[f"second fit of {name}"] = lambda model=model: min(
            fit_time(model, interactions) for _ in range(REPEATS)
        )
    for name in MODELS:
        measurements[f"first fit of {name}"] = lambda name=name: in_new_process(
            __file__, "--first-fit", name
        )
    measurements["import"] = lambda: min(
        in_new_process("-c", IMPORT) for _ in range(REPEATS)
    )
    return measurements


def fit_time(model, interactions):
    """Return the CPU milliseconds of a fit."""
    begin = time.process_time()
    model.fit(interactions)
    return 1e3 * (time.process_time() - begin)


def in_new_process(*arguments):
    """Run Python with arguments; return the number that it prints last."""
    # Python puts the folder of the script or '' first, before PYTHONPATH.
    command = [sys.executable, *arguments]
    output = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=os.sep
    ).stdout
    return float(output.split()[-1])


def main():
    """Measure; or, for a measurement in a new process, fit once."""
    os.environ["OMP_NUM_THREADS"] = "1"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--first-fit", choices=MODELS, help="used by the script")
    arguments = parser.parse_args()
    if arguments.first_fit:
        interactions = make_interactions(100, 500, n_per_user=11, random_state=0)
        print(fit_time(MODELS[arguments.first_fit], interactions))
    else:
        compare(arguments, prepare)


if __name__ == "__main__":
    main()
