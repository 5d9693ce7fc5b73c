"""Measure how long `read_interactions` takes for files of a million rows.

The median of some repeats, and the same for `pandas.read_csv`, which checks nothing.

    python benchmarks/reading.py
"""

import argparse
import statistics
import timeit
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from _shared import markdown

from sklearn_attrec.datasets import read_interactions


def files(n_rows):
    """Yield the name, options and contents of each kind of file."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "user_id": np.sort(random.integers(n_rows // 10, size=n_rows)),
            "item_id": random.integers(n_rows // 100, size=n_rows),
            "rating": random.integers(1, 6, n_rows),
            "timestamp": 1_600_000_000 + random.integers(10**8, size=n_rows),
        }
    )
    ids = {name: "id-" + frame[name].astype(str) for name in ("user_id", "item_id")}
    text = frame.assign(**ids)
    yield "integers.csv", frame.to_csv(index=False)
    yield "text ids.csv", text.to_csv(index=False)
    yield "quoted text ids.csv", text.to_csv(index=False, quoting=2)
    yield "no header.data", frame.to_csv(index=False, header=False, sep="\t")


def seconds(read, path, repeats):
    return statistics.median(
        timeit.repeat(lambda: read(path), number=1, repeat=repeats)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    rows = []
    with TemporaryDirectory() as folder:
        for name, content in files(arguments.rows):
            path = Path(folder, name)
            path.write_text(content)
            row = {"file": name}
            for read in (read_interactions, pd.read_csv):
                row[f"{read.__name__}, s"] = seconds(read, path, arguments.repeats)
            rows.append(row)
    print(markdown(pd.DataFrame(rows)))
