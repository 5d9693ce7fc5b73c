"""How long model files take to save and to load, against what no loader can avoid.

A model of `AttRecRecommender` with two tables of items × d is put together, without
training, and saved. A fresh process that never imports TensorFlow then loads it in
several ways, which take turns with reading the file and computing one SHA-256 over it.
Medians are printed, and ratios to that.

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

BAR = 3

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
    """Make a model whose tables are drawn at random."""
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
            "what": name,
            "median, ms": f"{1000 * median(values):.1f}",
            "lowest – highest": f"{1000 * min(values):.1f} – {1000 * max(values):.1f}",
            "to reading and hashing": f"{median(values) / bare:.2f}",
        }
        for name, values in [("save_model", saving), *times.items()]
    ]
    print(
        f"{options.n_items:,} items × 2 tables × {options.d}, ids of "
        f"{options.ids}: {size / 1e6:.1f} MB"
    )
    print(markdown(pd.DataFrame(rows)))
    ratio = median(times["load_model"]) / bare
    print(f"load_model, verified: {ratio:.2f} of reading and hashing; bar: {BAR}")
    print("TensorFlow imported:", "yes" if "tensorflow" in modules else "no")


if __name__ == "__main__":
    main()
