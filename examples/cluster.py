# %% [markdown]
# # A cluster: search and recommendations on Dask
#
# A search fits its candidates on the workers of a Dask cluster, and the workers
# recommend to all users of a DataFrame that may be larger than the memory of one
# machine. The cluster of this example has two processes on this machine; on others only
# the address of the `Client` changes. Recommendations need no TensorFlow on the
# workers.

# %%
import tempfile
import time
from pathlib import Path

import dask.dataframe as dd
import joblib
import pandas as pd
from dask.distributed import Client, LocalCluster
from matplotlib.figure import Figure
from sklearn.model_selection import GridSearchCV

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    distributed,
    save_model,
)
from sklearn_attrec.model_selection import LeaveLastOut, leave_last_out_split

# %% [markdown]
# ## The search
#
# scikit-learn runs its tasks with joblib, and joblib runs them on Dask. Each worker
# imports TensorFlow once, with the cores that Dask gives it.


# %%
def search_parameters(train):
    """Search omega and L on the workers; return the best model."""
    model = AttRecRecommender(d=48, learning_rate=0.004, max_iter=6, random_state=0)
    grid = {"omega": [0.1, 0.3], "L": [3, 6]}
    search = GridSearchCV(model, grid, cv=LeaveLastOut(unit="time"))
    with joblib.parallel_config("dask"):
        search.fit(train)
    print(f"Best candidate: HR@10 {search.best_score_:.3f}, {search.best_params_}")
    return search.best_estimator_


# %% [markdown]
# ## Recommendations to all users
#
# The workers map the model file into memory, and each answers the users of one
# partition after the other. If a worker dies, Dask repeats its partitions.


# %%
def recommend_to_all(model, train, folder):
    """Write recommendations to Parquet files; return them, from the files."""
    save_model(model, folder / "model.attrec")
    users = dd.from_pandas(train[["user_id"]].drop_duplicates(), npartitions=8)
    table = distributed.recommend(folder / "model.attrec", users, k=5)
    table.to_parquet(folder / "recommendations")
    return pd.read_parquet(folder / "recommendations")


# %% [markdown]
# ## The whole story
#
# The workers import this file, so only the main process may start the cluster.

# %%
if __name__ == "__main__":
    from _data import load_interactions

    interactions, description = load_interactions()
    print(f"Data: {description}")
    users = interactions["user_id"].drop_duplicates().sample(150, random_state=0)
    sample = interactions[interactions["user_id"].isin(users)]
    train, test = leave_last_out_split(sample, unit="time")
    baseline = ItemKNNRecommender().fit(train).score(test)
    print(f"Item kNN, without a search: HR@10 {baseline:.3f}")

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        LocalCluster(host="127.0.0.1", **options) as cluster,
        Client(cluster),
        tempfile.TemporaryDirectory() as name,
    ):
        start = time.perf_counter()
        model = search_parameters(train)
        print(f"AttRec: HR@10 {model.score(test):.3f} on the test rows")
        searched = time.perf_counter()
        found = recommend_to_all(model, train, Path(name))
        answered = time.perf_counter()
    print(found.head(5).to_string(index=False))
    same = found.merge(model.recommend(k=5), on=["user_id", "item_id", "rank"])
    print(f"{len(same):,} of {len(found):,} rows as in one process")

    figure = Figure(figsize=(6, 2), layout="constrained")
    axes = figure.subplots()
    seconds = [searched - start, answered - searched]
    axes.barh(["search", "recommendations"], seconds, color=["#0072b2", "#e69f00"])
    axes.set(xlabel="seconds on two workers", title="Where the time goes")
    axes.invert_yaxis()
    picture = Path(__file__).with_suffix(".png")
    figure.savefig(picture)
    print(f"\nFigure: {picture}")
