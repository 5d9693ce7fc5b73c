"""Measure how long a new process needs to load a model and recommend to all users.

Two kinds of new processes alternate, and the medians of their times are compared:

- bare: `import numpy, pandas, sklearn`, which every user of scikit-learn imports
  anyway. `import sklearn` imports `sklearn.base` and its validation, but no estimator.
- serving: the same, then `import sklearn_attrec`, unpickle a model fitted on ML-100K
  (or made data of its size) and call `recommend()` for all its users.

Times are measured inside the process, without the start of Python, which would make
the ratio smaller. The first run of each kind fills the file cache and is not counted.
`--verbose` lists the slowest imports that serving adds.

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

LIMIT = 1.6  # of the ratio of serving to bare

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
    """Fit a model, run both kinds of processes, and print medians and the ratio."""
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
    print(f"{counts}, pickle of {size / 1e6:.1f} MB\n")
    stages = pd.concat({"bare": bare.median(), "serving": serving.median()}, axis=1)
    stages.loc["total"] = bare.sum(axis=1).median(), serving.sum(axis=1).median()
    print(markdown(stages.map(seconds).reset_index(names="median seconds")))
    ratio = stages.loc["total", "serving"] / stages.loc["total", "bare"]
    pairs = serving.sum(axis=1) / bare.sum(axis=1)
    print(
        f"\nRatio of the medians: {ratio:.2f}; the limit is {LIMIT}. Ratios of single "
        f"pairs: median {statistics.median(pairs):.2f}, from {min(pairs):.2f} to "
        f"{max(pairs):.2f}."
    )


def run(program, *arguments):
    """Run a program in a new Python process; return the seconds of each stage."""
    command = [sys.executable, "-c", program + REPORT, *map(str, arguments)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    times = pd.Series(json.loads(output))
    return times.diff().iloc[1:]


def print_imports(program, path, n=15):
    """Print the slowest imports that serving adds to the bare process.

    The time of an import includes the imports that it causes.
    """
    command = [sys.executable, "-X", "importtime", "-c", program, str(path)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    rows = [line.split("|") for line in lines.splitlines() if line.count("|") == 2]
    names = [name.strip() for _, _, name in rows]
    # Imports are listed when they end, so serving adds those after sklearn.
    added = rows[names.index("sklearn") + 1 :]
    added = [(int(total), name) for _, total, name in added]
    print(f"\nServing adds {len(added)} imports. The slowest, in seconds:")
    for microseconds, name in sorted(added, reverse=True)[:n]:
        print(f"  {microseconds / 1e6:.3f} {name.rstrip()}")
    print()


def seconds(value):
    """Format seconds; an empty string if the process has no such stage."""
    return "" if pd.isna(value) else f"{value:.3f}"


def parse_arguments():
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA_SETS, default="ml-100k")
    parser.add_argument("--repeats", type=int, default=7, help="pairs of processes")
    parser.add_argument(
        "--max-iter",
        type=int,
        default=1,
        help="epochs of the fit; they do not change the time of serving",
    )
    parser.add_argument("--verbose", action="store_true", help="list imports")
    return parser.parse_args()


if __name__ == "__main__":
    main()
