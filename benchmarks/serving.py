"""How soon a fresh process serves: unpickle a model and recommend for all users.

Two kinds of fresh processes take turns, and the medians of their times are compared:

- bare: `import numpy, pandas, sklearn`, which is what whoever uses scikit-learn loads
  anyway. `import sklearn` brings `sklearn.base` and its validation, no estimator.
- serving: the same, then `import sklearn_attrec`, unpickle a model fitted on ML-100K
  (or data made to its size) and `recommend()` for all its users.

Times are taken inside the process and leave out the start of Python, which would make
the ratio look better. A first round of both, which warms up the file cache, is
dropped. `--verbose` lists the imports that serving adds and what each costs.

    python benchmarks/serving.py
    python benchmarks/serving.py --repeats 15 --verbose
"""

import argparse
import json
import pickle
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from _shared import DATA_SETS, load_or_make, markdown

from sklearn_attrec import AttRecRecommender

BAR = 1.6

BARE = """
import time
times = {"start": time.perf_counter()}
import numpy, pandas, sklearn
times["import numpy, pandas, sklearn"] = time.perf_counter()
"""

SERVING = """
import sklearn_attrec
times["import sklearn_attrec"] = time.perf_counter()
import pickle
with open(sys.argv[1], "rb") as file:
    model = pickle.load(file)
times["unpickle"] = time.perf_counter()
table = model.recommend()
times["recommend for all users"] = time.perf_counter()
assert table["user_id"].nunique() == len(model.users_)
assert "tensorflow" not in sys.modules
"""

REPORT = """
import json
print(json.dumps(times))
"""


def main():
    """Fit, let the two kinds of processes take turns, print medians and the ratio."""
    arguments = parse_arguments()
    interactions, source = load_or_make(arguments.data)
    model = AttRecRecommender(max_iter=arguments.max_iter, random_state=0)
    print(f"Data: {source}; fitting ...", flush=True)
    model.fit(interactions)
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.pickle")
        path.write_bytes(pickle.dumps(model))
        size = path.stat().st_size
        bare, serving = [], []
        for _ in range(arguments.repeats + 1):
            bare.append(run(BARE))
            serving.append(run("import sys" + BARE + SERVING, path))
        if arguments.verbose:
            print_imports("import sys" + BARE + SERVING, path)
    bare, serving = pd.DataFrame(bare[1:]), pd.DataFrame(serving[1:])

    counts = f"{len(model.users_)} users, {len(model.items_)} items"
    print(f"{counts}, a pickle of {size / 1e6:.1f} MB\n")
    stages = pd.concat({"bare": bare.median(), "serving": serving.median()}, axis=1)
    stages.loc["together"] = bare.sum(axis=1).median(), serving.sum(axis=1).median()
    print(markdown(stages.map(seconds).reset_index(names="median seconds")))
    ratio = stages.loc["together", "serving"] / stages.loc["together", "bare"]
    pairs = serving.sum(axis=1) / bare.sum(axis=1)
    print(
        f"\nratio {ratio:.2f} (median of pairs {statistics.median(pairs):.2f}, from "
        f"{min(pairs):.2f} to {max(pairs):.2f}); the bar is {BAR}"
    )


def run(program, *arguments):
    """Run a program in a fresh Python; return the seconds of each of its stages."""
    command = [sys.executable, "-c", program + REPORT, *map(str, arguments)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    times = pd.Series(json.loads(output))
    return times.diff().iloc[1:]


def print_imports(program, path, n=15):
    """Print the costliest imports that serving adds, after those of the bare process.

    Cumulative times hold those of the imports below them.
    """
    command = [sys.executable, "-X", "importtime", "-c", program, str(path)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    rows = [line.split("|") for line in lines.splitlines() if line.count("|") == 2]
    names = [name.strip() for _, _, name in rows]
    # An import is listed when it is done, so what comes after sklearn is added.
    added = rows[names.index("sklearn") + 1 :]
    added = [(int(total), name) for _, total, name in added]
    print(f"\nOf {len(added)} imports that serving adds, the costliest (seconds):")
    for microseconds, name in sorted(added, reverse=True)[:n]:
        print(f"  {microseconds / 1e6:.3f} {name.rstrip()}")
    print()


def seconds(value):
    """Format seconds; nothing where a stage does not exist."""
    return "" if pd.isna(value) else f"{value:.3f}"


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA_SETS, default="ml-100k")
    parser.add_argument("--repeats", type=int, default=7, help="pairs of processes")
    parser.add_argument(
        "--max-iter", type=int, default=1, help="epochs of the fit; serving is alike"
    )
    parser.add_argument("--verbose", action="store_true", help="list imports")
    return parser.parse_args()


if __name__ == "__main__":
    main()
