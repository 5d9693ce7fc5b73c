"""How well each model ranks: the figures of the README's tables.

The last item of each user is held out, and must be found among all items that the user
has not had before. Settings, the number of epochs among them, are chosen with `--rows
validation`, which drops that last item and holds out the second-to-last instead, so
that no choice ever sees a test row. Each seed is a fit in a process of its own; the
table shows mean ± standard deviation over seeds, medians of times and memory.

    python benchmarks/quality.py --data ml-100k
    python benchmarks/quality.py --data ml-1m --models sasrec sse-pt --negatives 100
    python benchmarks/quality.py --data beauty --models sasrec --rows validation \\
        --set dropout=0.3 max_iter=10 --seeds 1

A model named here has the settings chosen for the data set (`TUNED`), where there are
any, and else its defaults; `--defaults` takes the defaults everywhere.

`--negatives 100` adds the protocol of older papers: the held-out item among 100 items
drawn at random from those the user never had. Its figures are far higher and order
models differently; they are there to be compared with old tables, and for nothing else.

`--strangers` asks each model again as if it had never seen the users, with their
histories alone: by how much are answers to new users worse than to trained ones?

The data are read from the folder that SKLEARN_ATTREC_DATA names: ml-100k/u.data,
ml-1m/ml-1m.txt.gz (a line "user item" each, in the order of time) and
beauty/Beauty.txt (a line "user item item ..." a user).
"""

import argparse
import json
import multiprocessing
import time
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
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
)
from sklearn_attrec.metrics import (
    catalogue_coverage,
    hit_rate,
    mrr,
    ndcg,
    ranks_in_lists,
)
from sklearn_attrec.model_selection import leave_last_out_split
from sklearn_attrec.utils._tensorflow import import_tensorflow

MODELS = {
    "popularity": ("Popularity", PopularityRecommender()),
    "item-knn": ("Item kNN", ItemKNNRecommender()),
    "markov": ("Markov", MarkovRecommender()),
    "attrec-hinge": ("AttRec, hinge", AttRecRecommender(loss="hinge")),
    "attrec": ("AttRec, softmax", AttRecRecommender(loss="softmax")),
    "sasrec-bce": ("SASRec, 1 negative", SASRecRecommender(loss="bce")),
    "gsasrec": ("SASRec, gBCE", SASRecRecommender(loss="gbce")),
    "sasrec-sampled": (
        "SASRec, sampled softmax",
        SASRecRecommender(loss="sampled_softmax"),
    ),
    "sasrec": ("SASRec, softmax", SASRecRecommender()),
    "transformer": (
        "Post-norm transformer, sinusoids",
        SASRecRecommender(norm="post", positions="sinusoidal"),
    ),
    "sse-pt": ("SSE-PT", SSEPTRecommender()),
}

COSTS = ("epochs", "fit, s", "ranking, s", "peak, MB", "parameters")

# Settings chosen on validation rows, by data set and model.
BEAUTY = {
    "L": 50,
    "dropout": 0.3,
    "learning_rate": 0.003,
    "batch_size": 128,
    "max_iter": 12,
}
ML_1M = {"dropout": 0.1, "learning_rate": 0.006, "max_iter": 12}
TUNED = {
    ("beauty", "sasrec"): BEAUTY,
    ("beauty", "sse-pt"): BEAUTY,
    ("ml-1m", "sasrec"): ML_1M,
    ("ml-1m", "sasrec-sampled"): ML_1M | {"n_negatives": 2048},
    ("ml-1m", "gsasrec"): ML_1M | {"learning_rate": 0.004, "max_iter": 16},
    ("ml-1m", "sasrec-bce"): ML_1M | {"learning_rate": 0.004, "max_iter": 24},
    ("ml-1m", "transformer"): ML_1M,
    ("ml-1m", "sse-pt"): ML_1M,
    ("ml-1m", "attrec"): {
        "L": 10,
        "omega": 0.2,
        "temperature": 0.15,
        "batch_size": 1024,
        "learning_rate": 0.004,
        "max_iter": 8,
    },
}


def main():
    """Fit every model and seed, print the table, and write it where asked."""
    arguments = parse_arguments()
    train, test = split(load(arguments.data), arguments.rows)
    print(
        f"{arguments.data}, {arguments.rows} rows: {len(train):,} interactions of "
        f"{train['user_id'].nunique():,} users with {train['item_id'].nunique():,} "
        f"items, {len(test):,} held out\n",
        flush=True,
    )
    results, settings = {}, {}
    for name in arguments.models:
        label, model = MODELS[name]
        chosen = {} if arguments.defaults else TUNED.get((arguments.data, name), {})
        settings[name] = chosen | assignments(arguments.set)
        seeds = range(arguments.seeds) if "random_state" in model.get_params() else [0]
        for seed in seeds:
            record = in_a_process(run, name, settings[name], seed, arguments)
            stranger = record.pop("strangers", None)
            results.setdefault(label, []).append(record)
            if stranger:
                trail = f"{label}, users unknown"
                results.setdefault(trail, []).append(stranger)
            print(f"{label}, seed {seed}: {rounded(record)}", flush=True)

    table = pd.DataFrame([summary(*result) for result in results.items()]).fillna("")
    text = "\n".join(
        [
            markdown(table),
            "",
            f"Settings: {settings}. Seeds: {arguments.seeds}.",
            "HR, NDCG and MRR rank all items the user has not had."
            + (
                f" Columns '1+{arguments.negatives}' rank {arguments.negatives} "
                "random ones."
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
    """Hold out each user's last item, or of what is left before it, the last."""
    train, test = leave_last_out_split(interactions)
    return leave_last_out_split(train) if rows == "validation" else (train, test)


def in_a_process(function, *arguments):
    """Call a function in a fresh process, whose memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def run(name, settings, seed, arguments):
    """Fit one model once; return all its figures."""
    train, test = split(load(arguments.data), arguments.rows)
    _, model = MODELS[name]
    model.set_params(**settings)
    trained = "random_state" in model.get_params()
    if trained:
        model.set_params(random_state=seed, verbose=int(arguments.verbose))
        tf = import_tensorflow()
        tf.ones((2, 2)) @ tf.ones((2, 2))  # starts its threads
    before = resident_memory()
    start = time.perf_counter()
    model.fit(train)
    fitted = time.perf_counter()
    memory = highest_memory() - before
    ranks = model.target_ranks(test)
    ranked = time.perf_counter()
    record = figures(ranks) | {
        "coverage": catalogue_coverage(model.predict(test, k=10), model.items_),
        "epochs": getattr(model, "n_iter_", None),
        "fit, s": fitted - start,
        "ranking, s": ranked - fitted,
        "peak, MB": memory / 1e6,
        "parameters": sum(map(np.size, getattr(model, "weights_", {}).values())),
    }
    if arguments.negatives:
        record |= sampled_figures(model, train, test, arguments.negatives)
    if arguments.strangers and trained:
        record["strangers"] = figures(ranks_of_strangers(model, train, test))
    return record


def figures(ranks):
    """Return the figures of every table."""
    return {
        "HR@10": hit_rate(ranks, 10),
        "HR@20": hit_rate(ranks, 20),
        "HR@50": hit_rate(ranks, 50),
        "NDCG@10": ndcg(ranks, 10),
        "MRR": mrr(ranks),
    }


def sampled_figures(model, train, test, n_negatives, block=500):
    """HR@10 and NDCG@10 among some items that the user never had, drawn at random."""
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
            never = np.ones(len(code), dtype=bool)
            never[code[seen[user]]] = never[code[item]] = False
            negatives = random.choice(np.flatnonzero(never), n_negatives, replace=False)
            found.append(1 + (score[negatives] >= score[code[item]]).sum())
    ranks = np.array(found)
    return {
        f"HR@10, 1+{n_negatives}": hit_rate(ranks, 10),
        f"NDCG@10, 1+{n_negatives}": ndcg(ranks, 10),
    }


def ranks_of_strangers(model, train, test, block=1000):
    """Rank each test row's item for a user that fit never saw, with this history."""
    if "timestamp" in train:
        train = train.sort_values("timestamp", kind="stable")
    items, users = train["item_id"].to_numpy(), train.groupby("user_id").indices
    histories = [items[users[user]].tolist() for user in test["user_id"]]
    strangers = (train["user_id"].max() + 1 + np.arange(len(test))).tolist()
    targets, ranks = test["item_id"].to_numpy(), []
    for start in range(0, len(test), block):
        rows = slice(start, start + block)
        lists = model.predict(strangers[rows], histories[rows], k=len(model.items_))
        ranks.append(ranks_in_lists(targets[rows], lists))
    return np.concatenate(ranks)


def summary(label, records):
    """Return one row of the table: mean ± standard deviation, medians of costs."""
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
    """Round for a progress line."""
    return {name: value and round(value, 4) for name, value in record.items()}


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA_SETS, default="ml-100k")
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=list(MODELS), metavar="NAME"
    )
    parser.add_argument("--seeds", type=int, default=3, help="how many fits of each")
    parser.add_argument("--rows", choices=["test", "validation"], default="test")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="name=value",
        help="parameters of the models",
    )
    parser.add_argument(
        "--defaults", action="store_true", help="leave the settings in TUNED aside"
    )
    parser.add_argument(
        "--negatives", type=int, metavar="N", help="rank among N random items besides"
    )
    parser.add_argument(
        "--strangers", action="store_true", help="ask for unknown users besides"
    )
    parser.add_argument("--markdown", metavar="FILE", help="write the table there")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--verbose", action="store_true", help="a line an epoch")
    return parser.parse_args()


if __name__ == "__main__":
    main()
