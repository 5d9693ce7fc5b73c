"""Measure recommendations of items without interactions, and what features cost others.

    python benchmarks/cold_items.py
    python benchmarks/cold_items.py --data ml-1m --models attrec sasrec --seeds 3

The tenth of the items that appear last is held out: all their rows are removed. Of the
rows that remain, the last one of each user is held out, too. A model is fitted with and
without item features. "Cold" are the rows of the held-out items, each after the user's
training rows up to its time; "warm" are the other held-out rows. All items are ranked,
the held-out ones included; "among warm items" leaves them out. "Share of lists" is that
of the held-out items in the first 10 recommendations of all users. A random order has
the hit rate 10 / (the number of items that the user has not interacted with);
popularity, 0 for cold items, because equal counts rank last.

`--rows validation` removes the test rows first, and holds out the tenth of the
remaining items that appears last, and the second-to-last rows. Choices are made on
them.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from _shared import assignments, load, markdown
from quality import MODELS, TUNED
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from sklearn_attrec.datasets import get_data_home
from sklearn_attrec.exceptions import LeakageWarning, TimeTieWarning
from sklearn_attrec.metrics import hit_rate, ndcg, ranks_in_lists
from sklearn_attrec.model_selection import leave_last_out_split


def main():
    """Measure each model and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=[*FEATURES], default="ml-100k")
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=["attrec"], metavar="NAME"
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rows", choices=("test", "validation"), default="test")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    parser.add_argument("--only-features", action="store_true")
    arguments = parser.parse_args()
    for category in (LeakageWarning, TimeTieWarning):
        warnings.simplefilter("ignore", category)
    rows = load(arguments.data)
    features = FEATURES[arguments.data]()
    if arguments.rows == "validation":
        rows, _, _ = split(rows)
        features = features[features["item_id"].isin(rows["item_id"])]
    train, cold, warm = split(rows)
    cold = cold[cold["user_id"].isin(train["user_id"])]
    n_seen = train["user_id"].value_counts()[cold["user_id"]].to_numpy()
    chance = np.mean(10 / (len(features) - n_seen))
    print(f"{len(train)} training rows, {len(cold)} cold rows, {len(warm)} warm rows;")
    print(f"hit rate of a random order: {chance:.4f}", flush=True)
    results = []
    for name in arguments.models:
        for given in (features,) if arguments.only_features else (features, None):
            for seed in range(arguments.seeds):
                model = MODELS[name].set_params(
                    **TUNED.get((arguments.data, name), {}),
                    **assignments(arguments.set),
                )
                model.set_params(item_features=given, random_state=seed)
                start = time.perf_counter()
                model.fit(train)
                seconds = time.perf_counter() - start
                row = {"model": name, "features": "no" if given is None else "yes"}
                row |= measure(model, train, cold, warm, chance) | {"fit, s": seconds}
                print(row, flush=True)
                results.append(row)
    groups = pd.DataFrame(results).groupby(["model", "features"], sort=False)
    mean, spread = groups.mean(), groups.std(ddof=0)
    table = mean.map("{:.4f}".format) + " ± " + spread.map("{:.4f}".format)
    print(f"\n{markdown(table.reset_index())}")


def measure(model, train, cold, warm, chance):
    """Return the metrics of a fitted model."""
    row = {}
    known = train["item_id"].unique()
    if model.item_features is not None:
        row["cold HR@10"] = hit_rate(model.target_ranks(cold), 10)
        row["times random"] = row["cold HR@10"] / chance
        lists = model.predict(train["user_id"].unique().tolist())
        row["share of lists"] = 1 - np.isin(lists, known).mean()
    ranks = model.target_ranks(warm)
    row |= {"warm HR@10": hit_rate(ranks, 10), "warm NDCG@10": ndcg(ranks, 10)}
    lists = model.predict(warm["user_id"].tolist(), candidates=known)
    ranks = ranks_in_lists(warm["item_id"].to_numpy(), lists)
    return row | {"NDCG@10 among warm items": ndcg(ranks, 10)}


def split(rows):
    """Return training rows, rows of cold items, and the last row of each user."""
    first = rows.groupby("item_id")["timestamp"].min().sort_values(kind="stable")
    is_cold = rows["item_id"].isin(first.index[len(first) * 9 // 10 :])
    train, warm = leave_last_out_split(rows[~is_cold])
    return train, rows[is_cold], warm


def genres(name):
    """Read the genres of MovieLens."""
    items = pd.read_parquet(get_data_home() / name / "items.parquet")
    items["genres"] = items["genres"].str.split("|")
    return items[["item_id", "genres"]]


def titles():
    """Read the titles of Beauty, as vectors."""
    items = pd.read_parquet(get_data_home() / "beauty" / "items.parquet")
    texts = TfidfVectorizer(min_df=2, stop_words="english", sublinear_tf=True)
    vectors = texts.fit_transform(items["title"].fillna(""))
    vectors = TruncatedSVD(64, random_state=0).fit_transform(vectors)
    items["title"] = [
        None if missing else list(vector)
        for vector, missing in zip(vectors, items["title"].isna(), strict=True)
    ]
    return items[["item_id", "title"]]


FEATURES = {
    "ml-100k": lambda: genres("ml-100k"),
    "ml-1m": lambda: genres("ml-1m"),
    "beauty": titles,
}


if __name__ == "__main__":
    main()
