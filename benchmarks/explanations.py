"""Measure whether removing the cause that `explain` ranks first changes a score most.

    python benchmarks/explanations.py
    python benchmarks/explanations.py --data ml-1m --models attrec sasrec

Each model is fitted with its defaults, unless `--set` changes them. For users drawn at
random, the best recommendation is scored again twice: without the item of the history
that contributes most to it, and without another of its causes, drawn at random (for the
Markov chain, which has one, another item of the history). The figures are mean
decreases of the score, in standard deviations of the user's scores of all items, their
difference with its standard error, and the share of users for whom the first cause
decreases the score more.
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from _shared import DATA_SETS, assignments, load, markdown

from sklearn_attrec.models import RECOMMENDERS

MODELS = [name for name in RECOMMENDERS if name != "popularity"]


def main():
    """Measure each model and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA_SETS, default="ml-100k")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    interactions = load(arguments.data)
    rows = []
    for name in arguments.models:
        model = RECOMMENDERS[name]()
        if "random_state" in model.get_params():
            model.set_params(random_state=0, **assignments(arguments.set))
        model.fit(interactions)
        rows.append({"model": name, **measure(model, arguments.users)})
        print(rows[-1], flush=True)
    print(f"\n{markdown(pd.DataFrame(rows))}")


def measure(model, n_users, seed=0):
    """Return the mean decrease of scores without the first cause and a random one."""
    random = np.random.default_rng(seed)
    decreases = []
    for user in random.choice(model.users_, n_users, replace=False):
        history = history_of(model, user)
        causes = model.explain(user, k=1)
        item, score = causes["item_id"].iloc[0], causes["score"].iloc[0]
        causes = causes.loc[causes["cause"] == "history", "cause_item_id"].tolist()
        others = causes[1:] or sorted({*history.tolist()} - {*causes})
        if not causes or not others:
            continue
        removed = causes[0], random.choice(others)
        scores = model.recommend([user], k=len(model.items_), exclude_seen=False)
        spread = scores["score"].std()
        decreases.append(
            [
                (score - score_without(model, user, history, one, item)) / spread
                for one in removed
            ]
        )
    first, other = np.array(decreases).T
    error = (first - other).std() / np.sqrt(len(first))
    return {
        "users": len(first),
        "without the first cause": f"{first.mean():.3f}",
        "without a random one": f"{other.mean():.3f}",
        "difference": f"{(first - other).mean():.3f} ± {error:.3f}",
        "larger for": f"{(first > other).mean():.0%}",
    }


def history_of(model, user):
    """Return the items of a user's training rows."""
    place = np.flatnonzero(model.users_ == user)[0]
    rows = slice(*model.history_indptr_[place : place + 2])
    return model.items_[model.history_items_[rows]]


def score_without(model, user, history, removed, item):
    """Return the score of an item after another one was removed from the history."""
    shorter = history[history != removed].tolist()
    return model.explain(user, shorter, items=item)["score"].iloc[0]


if __name__ == "__main__":
    warnings.simplefilter("error")
    main()
