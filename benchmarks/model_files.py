"""Measure how long it takes to save and load a model file.

An untrained `AttRecRecommender` with two tables of shape (n_items, d) is saved. A new
process loads it with each combination of `mmap` and `verify`. For comparison it also
reads the file and computes its SHA-256, which every verified load must do. The table
shows medians, and their ratios to this comparison. The last line says whether loading
imported TensorFlow, which it should not.

    python benchmarks/model_files.py
    python benchmarks/model_files.py --n-items 1000000 --ids text
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from _shared import markdown, untrained

from sklearn_attrec import save_model

LIMIT = 3  # of load_model, as a multiple of reading and hashing

LOAD = """
import hashlib, json, sys, time
from pathlib import Path
from sklearn_attrec import load_model

path, repeats = Path(sys.argv[1]), int(sys.argv[2])
ways = {
    "read and hash": lambda: hashlib.sha256(path.read_bytes()).hexdigest(),
    "load_model": lambda: load_model(path),
    "load_model(verify='header')": lambda: load_model(path, verify="header"),
    "load_model(mmap=True)": lambda: load_model(path, mmap=True),
    "load_model(mmap=True, verify='header')":
        lambda: load_model(path, mmap=True, verify="header"),
}
times = {name: [] for name in ways}
for _ in range(repeats + 1):
    for name, way in ways.items():
        start = time.perf_counter()
        way()
        times[name].append(time.perf_counter() - start)
print(json.dumps([{name: t[1:] for name, t in times.items()}, [*sys.modules]]))
"""


def make_model(n_items, d, ids):
    """Make an untrained model with random weights."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"user_id": np.arange(n_items) // 20, "item_id": random.permutation(n_items)}
    )
    if ids == "text":
        rows = "id-" + rows.astype(str)
    return untrained(rows, d=d)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-items", type=int, default=100_000)
    parser.add_argument("--d", type=int, default=64)
    parser.add_argument("--ids", choices=["integers", "text"], default="integers")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    model = make_model(options.n_items, options.d, options.ids)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.attrec"
        saving = []
        for _ in range(options.repeats):
            start = time.perf_counter()
            save_model(model, path)
            saving.append(time.perf_counter() - start)
        command = [sys.executable, "-c", LOAD, str(path), str(options.repeats)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        size = path.stat().st_size
    times, modules = json.loads(run.stdout)
    bare = median(times["read and hash"])
    rows = [
        {
            "operation": name,
            "median, ms": f"{1000 * median(values):.1f}",
            "lowest – highest": f"{1000 * min(values):.1f} – {1000 * max(values):.1f}",
            "ratio to reading and hashing": f"{median(values) / bare:.2f}",
        }
        for name, values in [("save_model", saving), *times.items()]
    ]
    print(
        f"{options.n_items:,} items, 2 tables, d = {options.d}, ids: {options.ids}; "
        f"file of {size / 1e6:.1f} MB"
    )
    print(markdown(pd.DataFrame(rows)))
    ratio = median(times["load_model"]) / bare
    print(f"load_model: {ratio:.2f} times reading and hashing; the limit is {LIMIT}")
    print("TensorFlow imported:", "yes" if "tensorflow" in modules else "no")


if __name__ == "__main__":
    main()
