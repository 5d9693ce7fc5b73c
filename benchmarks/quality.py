"""How well AttRec ranks: the figures of the README's table.

The last item of each user is held out, and must be found among all items that the user
has not had before. Settings are chosen with `--rows validation`, which drops that last
item and holds out the second-to-last instead, so that no choice ever sees a test row.
Each seed is a fit of its own; the table shows mean ± standard deviation over them.

    python benchmarks/quality.py --data ml-100k --loss softmax
    python benchmarks/quality.py --data ml-1m --loss softmax --tuned
    python benchmarks/quality.py --data beauty --rows validation --set gamma=0.3 d=64

`--strangers` asks each model again as if it had never seen the users, with their
histories alone: by how much are answers to new users worse than to trained ones?

The data are read from the folder that SKLEARN_ATTREC_DATA names: ml-100k/u.data,
ml-1m/ml-1m.txt.gz (a line "user item" each, in the order of time) and
beauty/Beauty.txt (a line "user item item ..." a user).
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _shared import DATA_SETS, assignments, load, print_table

from sklearn_attrec import AttRecRecommender, PopularityRecommender
from sklearn_attrec.metrics import hit_rate, mrr, ndcg, ranks_in_lists
from sklearn_attrec.model_selection import leave_last_out_split

# Settings chosen on validation rows, by data set and loss; used with --tuned.
TUNED = {
    ("ml-1m", "softmax"): {
        "L": 10,
        "omega": 0.2,
        "temperature": 0.15,
        "batch_size": 1024,
        "learning_rate": 0.004,
        "max_iter": 8,
    },
}


def main():
    """Fit every seed, print the table, and write it where asked."""
    arguments = parse_arguments()
    settings = chosen(arguments)
    model = AttRecRecommender(loss=arguments.loss).set_params(**settings)

    train, test = split(load(arguments.data), arguments.rows)
    print(
        f"{arguments.data}, {arguments.rows} rows: {len(train):,} interactions of "
        f"{train['user_id'].nunique():,} users with {train['item_id'].nunique():,} "
        f"items, {len(test):,} held out\n",
        flush=True,
    )
    results = {"Popularity": [measure(PopularityRecommender().fit(train), test)]}
    name = f"AttRec, {arguments.loss}"
    trail = f"{name}, users unknown"
    for seed in range(arguments.seeds):
        model.set_params(random_state=seed)
        start = time.perf_counter()
        model.fit(train)
        seconds = time.perf_counter() - start
        record = measure(model, test)
        record |= {"epochs": model.n_iter_, "fit seconds": seconds}
        results.setdefault(name, []).append(record)
        if arguments.strangers:
            ranks = ranks_of_strangers(model, train, test)
            results.setdefault(trail, []).append(figures(ranks))
        if arguments.verbose:
            print(f"seed {seed}: {rounded(record)}", flush=True)

    print_table(pd.DataFrame([summary(*result) for result in results.items()]))
    if arguments.strangers:
        known, unknown = (pd.DataFrame(results[key]) for key in (name, trail))
        lost = 1 - unknown.mean() / known[unknown.columns].mean()
        print("\nUnknown users trail by", lost.map("{:.1%}".format).to_dict())
    shown = {"loss": arguments.loss} | settings
    print(f"\nSettings: {shown}, seeds: {arguments.seeds}")
    if arguments.json:
        record = vars(arguments) | {"settings": settings, "results": results}
        Path(arguments.json).write_text(json.dumps(record, indent=2))


def chosen(arguments):
    """Return the parameters asked for."""
    key, settings = (arguments.data, arguments.loss), {}
    if arguments.tuned:
        if key not in TUNED:
            raise SystemExit(f"TUNED has no settings for {' with '.join(key)}.")
        settings = TUNED[key]
    return settings | assignments(arguments.set)


def split(interactions, rows):
    """Hold out each user's last item, or of what is left before it, the last."""
    train, test = leave_last_out_split(interactions)
    return leave_last_out_split(train) if rows == "validation" else (train, test)


def measure(model, test):
    """Figures of a model, by full ranking."""
    return figures(model.target_ranks(test))


def figures(ranks):
    """Return the four figures of the table."""
    return {
        "HR@10": hit_rate(ranks, 10),
        "HR@50": hit_rate(ranks, 50),
        "NDCG@10": ndcg(ranks, 10),
        "MRR": mrr(ranks),
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


def summary(name, records):
    """Return one row of the table: mean ± standard deviation, medians of times."""
    frame = pd.DataFrame(records)
    row = {"model": name}
    for column in figures(np.ones(1)):
        spread = f" ± {frame[column].std():.4f}" if len(frame) > 1 else ""
        row[column] = f"{frame[column].mean():.4f}{spread}"
    for column in ("epochs", "fit seconds"):
        has = column in frame
        row[column] = f"{frame[column].median():.0f}" if has else ""
    return row


def rounded(record):
    """Round for a progress line."""
    return {name: round(value, 4) for name, value in record.items()}


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA_SETS, default="ml-100k")
    parser.add_argument("--loss", choices=["hinge", "softmax"], default="softmax")
    parser.add_argument("--seeds", type=int, default=5, help="how many fits")
    parser.add_argument("--rows", choices=["test", "validation"], default="test")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="name=value",
        help="parameters of AttRecRecommender",
    )
    parser.add_argument(
        "--tuned", action="store_true", help="start from the settings in TUNED"
    )
    parser.add_argument(
        "--strangers", action="store_true", help="ask for unknown users besides"
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--verbose", action="store_true", help="a line a seed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
