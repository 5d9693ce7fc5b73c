"""
A Dask cluster: search and recommendations
==========================================

A search fits its candidates on the workers of a Dask cluster, and the workers recommend
to all users of a DataFrame that may be larger than the memory of one machine. The
picture shows what each worker did at each time. The cluster of this example has two
processes on this machine; on others only the address of the `Client` changes.
"""

import logging
import tempfile
import time
from pathlib import Path

import dask.dataframe as dd
import joblib
import matplotlib.pyplot as plt
import pandas as pd
from dask.distributed import Client, LocalCluster, get_task_stream
from sklearn.model_selection import GridSearchCV

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    distributed,
    save_model,
)
from sklearn_attrec.model_selection import LeaveLastOut, leave_last_out_split

# %%
# The search
# ----------
#
# scikit-learn runs its tasks with joblib, and joblib runs them on Dask. Each worker
# imports TensorFlow once, with the cores that Dask gives it.


def search_parameters(train):
    """Search omega and L on the workers; return the best model."""
    model = AttRecRecommender(d=48, learning_rate=0.004, max_iter=6, random_state=0)
    grid = {"omega": [0.1, 0.3], "L": [3, 6]}
    search = GridSearchCV(model, grid, cv=LeaveLastOut(unit="time"))
    with joblib.parallel_config("dask"):
        search.fit(train)
    print(f"Best candidate: HR@10 {search.best_score_:.3f}, {search.best_params_}")
    return search.best_estimator_


# %%
# Recommendations to all users
# ----------------------------
#
# The workers map the model file into memory, and each answers the users of one
# partition after the other. They do not need TensorFlow for this. If a worker dies,
# Dask repeats its partitions.


def recommend_to_all(model, train, folder):
    """Write recommendations to Parquet files; return them, from the files."""
    save_model(model, folder / "model.attrec")
    users = dd.from_pandas(train[["user_id"]].drop_duplicates(), npartitions=8)
    table = distributed.recommend(folder / "model.attrec", users, k=5)
    table.to_parquet(folder / "recommendations")
    return pd.read_parquet(folder / "recommendations")


# %%
# The picture
# -----------
#
# Dask keeps a list of finished tasks: on which worker, from when to when. After the
# search, the main process fits the best candidate on all rows.


def plot_tasks(tasks, start, searched):
    """Draw one line per worker, with its tasks as bars."""
    workers = sorted({task["worker"] for task in tasks})
    colors = {"search": "#0072B2", "recommendations": "#E69F00"}
    fig, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
    for task in tasks:
        row = workers.index(task["worker"])
        for step in task["startstops"]:
            kind = "search" if step["start"] < searched else "recommendations"
            seconds = step["stop"] - step["start"]
            left = step["start"] - start
            ax.barh(row, seconds, left=left, color=colors[kind], edgecolor="white")
    ax.set_yticks(range(len(workers)), [f"worker {i + 1}" for i in range(len(workers))])
    ax.axvline(searched - start, color="#999999", linestyle="--")
    ax.set_title("Search of two workers (blue), then recommendations (orange)")
    ax.set_xlabel("Seconds; the dashed line is the end of the search")
    ax.set_xlim(0, None)
    plt.show()


# %%
# The whole story
# ---------------
#
# The baseline is item kNN, without a search. The workers import this file, so only the
# main process may start the cluster. A sample of 150 users keeps the example short.

if __name__ == "__main__":
    from _data import load_interactions, sample_users

    interactions, description = load_interactions()
    print(f"Data: {description}")
    train, test = leave_last_out_split(sample_users(interactions, 150), unit="time")
    baseline = ItemKNNRecommender().fit(train).score(test)
    print(f"Item kNN: HR@10 {baseline:.3f} on the test rows")

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    # Dask warns that workers which imported TensorFlow take seconds to exit.
    options["silence_logs"] = logging.ERROR
    with (
        LocalCluster(host="127.0.0.1", **options) as cluster,
        Client(cluster),
        get_task_stream() as stream,
        tempfile.TemporaryDirectory() as name,
    ):
        start = time.time()
        model = search_parameters(train)
        searched = time.time()
        found = recommend_to_all(model, train, Path(name))
    print(f"AttRec: HR@10 {model.score(test):.3f} on the test rows")
    print(found.head(5).to_string(index=False))
    same = found.merge(model.recommend(k=5), on=["user_id", "item_id", "rank"])
    print(f"{len(same):,} of {len(found):,} rows as in one process")
    plot_tasks(stream.data, start, searched)
