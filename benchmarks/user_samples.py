"""Measure what a model loses if it is fitted on a sample of the users.

A fifth of the users is never in a sample. Their last rows are ranked from the rows
before, as histories of unseen users. The samples are shares of the other users, with
all of their rows but the last.

    python benchmarks/user_samples.py --data ml-1m --shares 0.1 0.25 0.5 1
"""

import argparse
import time

import numpy as np
import pandas as pd
from _shared import DATA_SETS, assignments, load, markdown

from sklearn_attrec import AttRecRecommender, ItemKNNRecommender, SASRecRecommender
from sklearn_attrec.model_selection import leave_last_out_split

MODELS = {
    "item-knn": ItemKNNRecommender(),
    "attrec": AttRecRecommender(random_state=0),
    "sasrec": SASRecRecommender(random_state=0),
}


def ranks_among_ten(model, histories, test):
    """Return the rank of each test row's item among 10 recommendations, or inf."""
    users = test["user_id"].tolist()
    found = model.predict(users, history=histories, k=10)
    is_hit = found == test["item_id"].to_numpy()[:, None]
    return np.where(is_hit.any(axis=1), is_hit.argmax(axis=1) + 1, np.inf)


def main():
    """Fit on each share of the users; print the scores of the other users."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA_SETS, default="ml-1m")
    parser.add_argument("--model", choices=MODELS, default="attrec")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.25, 0.5, 1])
    parser.add_argument("--set", nargs="+", default=[], metavar="name=value")
    arguments = parser.parse_args()
    train, test = leave_last_out_split(load(arguments.data))
    users = np.random.default_rng(0).permutation(train["user_id"].unique())
    others, users = np.split(users, [len(users) // 5])
    histories = train[train["user_id"].isin(others)]
    test = test[test["user_id"].isin(others)]
    model = MODELS[arguments.model].set_params(**assignments(arguments.set))
    rows = []
    for share in arguments.shares:
        sample = users[: round(share * len(users))]
        start = time.perf_counter()
        model.fit(train[train["user_id"].isin(sample)])
        seconds = time.perf_counter() - start
        known = histories[histories["item_id"].isin(model.items_)]
        ranks = ranks_among_ten(model, known, test)
        gains = np.where(np.isfinite(ranks), 1 / np.log2(ranks + 1), 0)
        rows.append(
            {
                "share of users": share,
                "users": f"{len(sample):,}",
                "HR@10": f"{np.isfinite(ranks).mean():.4f}",
                "NDCG@10": f"{gains.mean():.4f}",
                "fit, s": f"{seconds:.0f}",
            }
        )
    print(f"{arguments.model} on {arguments.data}, {len(test):,} users not in fit\n")
    print(markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
