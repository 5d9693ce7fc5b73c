"""Compare recommend() with an index of faiss and exact search, in large catalogues.

No real data set here has a million items. A model is fitted on Amazon Sports (18,357
items), and its catalogue is enlarged: each further item is a random item of the data
with noise, half the standard deviation of each number. Queries are users of the data.
Recall@10 is the share of the 10 best items of the exact search that are found.

    python benchmarks/indexes.py --model attrec --items 100000 1000000
"""

import argparse
import time

import faiss
import numpy as np
import pandas as pd
from _shared import load, markdown

from sklearn_attrec import AttRecRecommender, SASRecRecommender

MODELS = {
    "attrec": AttRecRecommender(d=64, max_iter=8, random_state=0),
    "sasrec": SASRecRecommender(d=64, L=50, max_iter=6, random_state=0),
}
# What is set of each kind of index, and to which values.
KINDS = {
    "HNSW32": ("efSearch", [32, 128, 512]),
    "IVF4096,Flat": ("nprobe", [4, 16, 64]),
}


def enlarge(model, n_items):
    """Add items to the catalogue of a fitted model until it has n_items."""
    random = np.random.default_rng(0)
    n_more = n_items - len(model.items_)
    copied = random.integers(len(model.items_), size=n_more)
    for name in model._network.ITEM_TABLES:
        table = model.weights_[name]
        noise = random.standard_normal((n_more, table.shape[1]), dtype=np.float32)
        more = table[copied] + 0.5 * table.std(axis=0) * noise
        model.weights_[name] = np.concatenate([table, more])
    more = model.items_.max() + 1 + np.arange(n_more)
    model.items_ = np.concatenate([model.items_, more])
    model.item_counts_ = np.concatenate([model.item_counts_, 0 * more])
    model._cache = {}
    return model


def measure(model, users, index=None):
    """Return the recommended items, (n, 10), and the seconds."""
    start = time.perf_counter()
    table = model.recommend(users, k=10, index=index)
    seconds = time.perf_counter() - start
    return table["item_id"].to_numpy().reshape(len(users), 10), seconds


def compare(model, users, kinds, repeats):
    """Yield a row for each setting of each kind of index.

    Exact search and index take turns, as other work may slow down the machine.
    """
    for kind in kinds:
        start = time.perf_counter()
        index = model.to_index(kind)
        built = time.perf_counter() - start
        megabytes = faiss.serialize_index(index).size / 1e6
        name, values = KINDS[kind]
        for value in values:
            faiss.ParameterSpace().set_index_parameter(index, name, value)
            seconds = []
            for _ in range(repeats):
                best, exact = measure(model, users)
                found, indexed = measure(model, users, index)
                seconds.append([exact, indexed, exact / indexed])
            exact, indexed, ratio = np.median(seconds, axis=0)
            pairs = zip(found, best, strict=True)
            recall = np.mean([len(np.intersect1d(*pair)) / 10 for pair in pairs])
            yield {
                "index": f"{kind}, {name} {value}",
                "users per second": f"{len(users) / indexed:,.0f}",
                "exact": f"{len(users) / exact:,.0f}",
                "ratio": f"{ratio:.1f}",
                "recall@10": f"{recall:.3f}",
                "built in, s": f"{built:.0f}",
                "MB": f"{megabytes:,.0f}",
            }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=MODELS, default="attrec")
    parser.add_argument("--data", default="sports")
    parser.add_argument("--items", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    model = MODELS[arguments.model].fit(load(arguments.data))
    users = np.random.default_rng(0).choice(model.users_, arguments.users, False)
    for n_items in sorted(arguments.items):
        enlarge(model, n_items)
        rows = compare(model, users, arguments.kinds, arguments.repeats)
        print(f"\n{arguments.model}, {n_items:,} items\n")
        print(markdown(pd.DataFrame(rows).fillna("")), flush=True)
