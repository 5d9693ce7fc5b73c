"""Measure how well each model ranks; docs/results.md has the tables of this script.

The last item of each user is held out and ranked among all items that the user has not
interacted with. Parameters, including the number of epochs, are chosen with `--rows
validation`, which removes the last item of each user and holds out the second-to-last
item instead, so that no choice uses a test row. Each seed is one fit in a separate
process. The table shows the mean ± standard deviation over seeds, and medians of times
and memory.

    python benchmarks/quality.py --data ml-100k
    python benchmarks/quality.py --data ml-1m --models sasrec sse-pt --negatives 100
    python benchmarks/quality.py --data beauty --models sasrec --rows validation \\
        --set dropout=0.3 max_iter=10 --seeds 1
    python benchmarks/quality.py --models attrec sasrec sse-pt --rows validation \\
        --seeds 1 --verbose --set max_iter=100 early_stopping=True \\
        validation_fraction=1.0

The last command lets early stopping choose the number of epochs. A model has the
parameters chosen for the data set (`TUNED`), or its defaults if there are none;
`--defaults` uses the defaults for all models.

`--negatives 100` adds the protocol of older papers, which ranks the held-out item among
100 random items that the user has not interacted with. Its figures are much higher and
can order models differently. Use them only to compare with tables of these papers.

`--unseen-users` also ranks as if `fit` had not seen the users, from their histories
alone. It shows how much worse recommendations are for unseen users than for trained
users.

`--delays` also ranks the models with time_bias='request' as if each query came so many
seconds after the user's latest item; 0 is what a query without a time gets.

The data are read from the folder in the environment variable SKLEARN_ATTREC_DATA:
ml-100k/u.data, and for the others Parquet files with the columns user_id, item_id and
timestamp, such as ml-1m/ml-1m.parquet. Models with time_bias='request' know the time of
the held-out item.
"""

import argparse
import json
import multiprocessing
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _shared import (
    DATA_SETS,
    assignments,
    highest_memory,
    load,
    markdown,
    resident_memory,
)

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    SASRecRecommender,
    SSEPTRecommender,
)
from sklearn_attrec.exceptions import LeakageWarning, TimeTieWarning
from sklearn_attrec.metrics import (
    catalogue_coverage,
    hit_rate,
    mrr,
    ndcg,
    ranks_in_lists,
)
from sklearn_attrec.model_selection import leave_last_out_split
from sklearn_attrec.models import RECOMMENDERS
from sklearn_attrec.utils._tensorflow import import_tensorflow

# The models of docs/results.md: every recommender with its defaults, and other losses.
SHOWN = {name: cls() for name, cls in RECOMMENDERS.items()} | {
    "attrec-hinge": AttRecRecommender(loss="hinge"),
    "sasrec-bce": SASRecRecommender(loss="bce"),
    "gsasrec": SASRecRecommender(loss="gbce", n_negatives=256, calibration=0.75),
    "sasrec-sampled": SASRecRecommender(loss="sampled_softmax"),
    "transformer": SASRecRecommender(norm="post", positions="sinusoidal"),
}

# Other variants, which run only if --models names them.
VARIANTS = {
    "attrec-bpr": AttRecRecommender(
        loss="bpr", share_projection=True, aggregation="max", alpha=1e-6
    ),
    "attrec-single": AttRecRecommender(
        loss="hinge", n_targets=1, n_negatives=1, dropout=0.0, max_norm=None
    ),
    "item-knn-shrunk": ItemKNNRecommender(n_neighbors=50, shrinkage=20.0),
    "sasrec-wide": SASRecRecommender(d=128, n_blocks=3, n_heads=2),
    "sse-pt-paper": SSEPTRecommender(loss="bce", sse_user=0.92, sse_item=0.1),
    "sse-pt-gbce": SSEPTRecommender(loss="gbce", n_negatives=256, calibration=0.75),
    "sse-pt-small": SSEPTRecommender(
        d=32, d_user=16, n_blocks=1, n_heads=2, norm="post", positions="sinusoidal"
    ),
}
# With times: "attrec-history", "attrec-request" and so on.
VARIANTS |= {
    f"{name}-{time_bias}": RECOMMENDERS[name](time_bias=time_bias)
    for name in ("attrec", "sasrec", "sse-pt", "hstu")
    for time_bias in ("history", "request")
}
MODELS = SHOWN | VARIANTS

COSTS = ("epochs", "fit, s", "ranking, s", "peak, MB", "parameters")

# Parameters chosen on validation rows, by data set and model.
BEAUTY = {
    "L": 50,
    "dropout": 0.3,
    "learning_rate": 0.003,
    "batch_size": 128,
    "max_iter": 12,
}
SASREC_BEAUTY = BEAUTY | {"d": 128, "dropout": 0.4, "learning_rate": 0.006}
SPORTS = BEAUTY | {"learning_rate": 0.006}
ML_1M = {"dropout": 0.1, "learning_rate": 0.006, "max_iter": 12}
HSTU_ML_1M = {"n_blocks": 8, "dropout": 0.2, "learning_rate": 0.003, "max_iter": 14}
ATTREC_ML_1M = {
    "L": 10,
    "omega": 0.2,
    "temperature": 0.15,
    "batch_size": 1024,
    "learning_rate": 0.004,
    "max_iter": 8,
}
TUNED = {
    ("beauty", "sasrec"): SASREC_BEAUTY,
    ("beauty", "hstu"): SASREC_BEAUTY,
    ("sports", "sasrec"): SPORTS,
    ("beauty", "sse-pt"): BEAUTY,
    ("ml-1m", "sasrec"): ML_1M,
    ("ml-1m", "sasrec-sampled"): ML_1M | {"n_negatives": 2048},
    ("ml-1m", "gsasrec"): ML_1M | {"learning_rate": 0.004, "max_iter": 16},
    ("ml-1m", "sasrec-bce"): ML_1M | {"learning_rate": 0.004, "max_iter": 24},
    ("ml-1m", "transformer"): ML_1M,
    ("ml-1m", "sse-pt"): ML_1M,
    ("ml-1m", "attrec"): ATTREC_ML_1M,
    ("ml-1m", "attrec-history"): ATTREC_ML_1M,
    ("ml-1m", "attrec-request"): ATTREC_ML_1M,
    ("ml-1m", "sasrec-history"): ML_1M,
    ("ml-1m", "sasrec-request"): ML_1M,
    ("ml-1m", "hstu"): HSTU_ML_1M,
    ("ml-1m", "hstu-history"): HSTU_ML_1M,
    ("ml-1m", "hstu-request"): HSTU_ML_1M,
}


def main():
    """Fit each model with each seed; print the table and write it to files."""
    arguments = parse_arguments()
    # The published protocol holds out one row, whether or not others have its time.
    warnings.simplefilter("ignore", TimeTieWarning)
    train, test = split(load(arguments.data), arguments.rows)
    print(
        f"{arguments.data}, {arguments.rows} rows: {len(train):,} interactions of "
        f"{train['user_id'].nunique():,} users with {train['item_id'].nunique():,} "
        f"items, {len(test):,} held-out interactions\n",
        flush=True,
    )
    results, settings = {}, {}
    for name in arguments.models:
        model = MODELS[name]
        chosen = {} if arguments.defaults else TUNED.get((arguments.data, name), {})
        settings[name] = chosen | assignments(arguments.set)
        seeds = range(arguments.seeds) if "random_state" in model.get_params() else [0]
        for seed in seeds:
            record = in_a_process(run, name, settings[name], seed, arguments)
            variants = record.pop("variants")
            results.setdefault(name, []).append(record)
            for variant, metrics in variants.items():
                results.setdefault(f"{name}, {variant}", []).append(metrics)
            print(f"{name}, seed {seed}: {rounded(record)}", flush=True)

    table = pd.DataFrame([summary(*result) for result in results.items()]).fillna("")
    text = "\n".join(
        [
            markdown(table),
            "",
            f"Parameters: {settings}. Seeds: {arguments.seeds}.",
            "HR, NDCG and MRR rank all items that the user has not interacted with."
            + (
                f" The columns '1+{arguments.negatives}' rank the held-out item among "
                f"{arguments.negatives} random items."
                if arguments.negatives
                else ""
            ),
        ]
    )
    print(f"\n{text}")
    if arguments.markdown:
        Path(arguments.markdown).write_text(text + "\n", encoding="utf-8")
    if arguments.json:
        record = vars(arguments) | {"settings": settings, "results": results}
        Path(arguments.json).write_text(json.dumps(record, indent=2), encoding="utf-8")


def split(interactions, rows):
    """Hold out the last item of each user, or the second-to-last for validation."""
    train, test = leave_last_out_split(interactions)
    return leave_last_out_split(train) if rows == "validation" else (train, test)


def in_a_process(function, *arguments):
    """Call a function in a new process, so that its memory can be measured."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def run(name, settings, seed, arguments):
    """Fit one model once; return its metrics and costs."""
    warnings.simplefilter("ignore", TimeTieWarning)
    train, test = split(load(arguments.data), arguments.rows)
    model = MODELS[name].set_params(**settings)
    trained = "random_state" in model.get_params()
    if trained:
        model.set_params(random_state=seed, verbose=int(arguments.verbose))
        tf = import_tensorflow()
        tf.ones((2, 2)) @ tf.ones((2, 2))  # starts the threads of TensorFlow
    before = resident_memory()
    start = time.perf_counter()
    model.fit(train)
    fitted = time.perf_counter()
    memory = highest_memory() - before
    ranks = model.target_ranks(test)
    ranked = time.perf_counter()
    record = ranking_metrics(ranks) | {
        "coverage": catalogue_coverage(model.predict(test, k=10), model.items_),
        "epochs": getattr(model, "n_iter_", None),
        "fit, s": fitted - start,
        "ranking, s": ranked - fitted,
        "peak, MB": memory / 1e6,
        "parameters": sum(map(np.size, getattr(model, "weights_", {}).values())),
    }
    if arguments.negatives:
        record |= sampled_metrics(model, train, test, arguments.negatives)
    variants = {}
    if arguments.unseen_users and trained:
        variants["unseen users"] = ranks_of_unseen_users(model, train, test)
    if getattr(model, "time_bias", None) == "request":
        for delay in arguments.delays:
            label = f"{delay:,} s after the latest item"
            variants[label] = ranks_after(model, train, test, delay)
    record["variants"] = {
        variant: ranking_metrics(ranks) for variant, ranks in variants.items()
    }
    return record


def ranking_metrics(ranks):
    """Return the metrics of the table."""
    return {
        "HR@10": hit_rate(ranks, 10),
        "HR@20": hit_rate(ranks, 20),
        "HR@50": hit_rate(ranks, 50),
        "NDCG@10": ndcg(ranks, 10),
        "MRR": mrr(ranks),
    }


def sampled_metrics(model, train, test, n_negatives, block=500):
    """Compute HR@10 and NDCG@10 among random items new to the user."""
    random = np.random.default_rng(0)  # the same negatives for every model and seed
    code = pd.Series(np.arange(len(model.items_)), index=model.items_)
    seen = train.groupby("user_id")["item_id"].agg(list)
    items = model.item_vectors()
    found = []
    for start in range(0, len(test), block):
        rows = test.iloc[start : start + block]
        scores = model.query_vectors(rows) @ items.T
        scores = scores.toarray() if hasattr(scores, "toarray") else scores
        for user, item, score in zip(
            rows["user_id"], rows["item_id"], scores, strict=True
        ):
            if item not in code.index:
                found.append(np.inf)
                continue
            is_new = np.ones(len(code), dtype=bool)
            is_new[code[seen[user]]] = is_new[code[item]] = False
            negatives = random.choice(
                np.flatnonzero(is_new), n_negatives, replace=False
            )
            found.append(1 + (score[negatives] >= score[code[item]]).sum())
    ranks = np.array(found)
    return {
        f"HR@10, 1+{n_negatives}": hit_rate(ranks, 10),
        f"NDCG@10, 1+{n_negatives}": ndcg(ranks, 10),
    }


def ranks_of_unseen_users(model, train, test, block=1000):
    """Rank the test items for unseen users, from the histories of the known users."""
    shift = train["user_id"].max() + 1
    train = train.assign(user_id=train["user_id"] + shift)
    test = test.assign(user_id=test["user_id"] + shift)
    ranks = []
    for start in range(0, len(test), block):
        rows = test.iloc[start : start + block]
        histories = train[train["user_id"].isin(rows["user_id"])]
        queries = rows[["user_id", "timestamp"]]
        lists = model.predict(queries, histories, k=len(model.items_))
        ranks.append(ranks_in_lists(rows["item_id"].to_numpy(), lists))
    return np.concatenate(ranks)


def ranks_after(model, train, test, delay):
    """Rank the test items as if each query followed the latest item by some seconds."""
    latest = train.groupby("user_id")["timestamp"].max()
    queries = test.assign(timestamp=test["user_id"].map(latest) + delay)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeakageWarning)
        return model.target_ranks(queries)


def summary(label, records):
    """Return one row of the table: mean ± standard deviation; for costs the median."""
    frame = pd.DataFrame(records)
    row = {"model": label}
    for column in frame:
        if column in COSTS:
            median = frame[column].median()
            row[column] = "" if np.isnan(median) else f"{median:,.0f}"
        else:
            spread = f" ± {frame[column].std():.4f}" if len(frame) > 1 else ""
            row[column] = f"{frame[column].mean():.4f}{spread}"
    return row


def rounded(record):
    """Round the values for a progress line."""
    return {name: value and round(value, 4) for name, value in record.items()}


def parse_arguments():
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA_SETS, default="ml-100k")
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=list(SHOWN), metavar="NAME"
    )
    parser.add_argument("--seeds", type=int, default=3, help="number of fits per model")
    parser.add_argument("--rows", choices=["test", "validation"], default="test")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="name=value",
        help="parameters of the models that override all others",
    )
    parser.add_argument(
        "--defaults", action="store_true", help="ignore the parameters in TUNED"
    )
    parser.add_argument(
        "--negatives", type=int, metavar="N", help="also rank among N random items"
    )
    parser.add_argument(
        "--unseen-users", action="store_true", help="also rank as for unseen users"
    )
    parser.add_argument(
        "--delays",
        nargs="+",
        type=int,
        default=[],
        metavar="SECONDS",
        help="also rank at these times after the latest item, if the time counts",
    )
    parser.add_argument("--markdown", metavar="FILE", help="file to write the table to")
    parser.add_argument("--json", metavar="FILE", help="file to write all results to")
    parser.add_argument(
        "--verbose", action="store_true", help="print one line per epoch"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
