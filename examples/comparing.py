"""
Comparing models
================

All recommenders have the same methods, so a loop can compare them: by the quality of
their rankings, and by the time that `fit` takes. The picture shows both.
"""

# %%
# The data
# --------
#
# A sample of 300 users keeps the example short. A comparison is fair if all models are
# fitted on the same rows, and if the test rows were not used to choose any parameter.

import time

import matplotlib.pyplot as plt
import pandas as pd
from _data import load_interactions, sample_users

from sklearn_attrec import (
    AttRecRecommender,
    HSTURecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
)
from sklearn_attrec.metrics import evaluate
from sklearn_attrec.model_selection import leave_last_out_split

interactions, description = load_interactions()
print(f"Data: {description}")
train, test = leave_last_out_split(sample_users(interactions, 300), unit="time")
print(f"{len(train):,} training interactions, {len(test):,} test interactions")


# %%
# The baselines
# -------------
#
# They only count: popular items, items that the same users had, and items that often
# follow the last item.


def compare(models):
    """Fit and evaluate models; return one row per model."""
    rows = []
    for model in models.values():
        start = time.perf_counter()
        model.fit(train)
        seconds = time.perf_counter() - start
        rows.append(evaluate(model, test, k=10).assign(seconds=seconds))
    return pd.concat(rows).set_axis([*models])


baselines = compare(
    {
        "Popularity": PopularityRecommender(),
        "Item kNN": ItemKNNRecommender(),
        "Markov chain": MarkovRecommender(),
    }
)
print(baselines.round(3).to_string())

# %%
# The networks
# ------------
#
# AttRec reads the last 5 items of a user and has an embedding for each user. SASRec,
# SSE-PT and HSTU are transformers that read longer histories; SSE-PT also has user
# embeddings, and HSTU here also reads the times. With more users and epochs than here,
# the networks rank better. TensorFlow is imported by a first small fit, so that its
# import is not part of the comparison.

AttRecRecommender(max_iter=1).fit(train.head(100))
networks = compare(
    {
        "AttRec": AttRecRecommender(max_iter=6, random_state=0),
        "SASRec": SASRecRecommender(L=30, max_iter=6, random_state=0),
        "SSE-PT": SSEPTRecommender(L=30, max_iter=5, random_state=0),
        "HSTU": HSTURecommender(L=30, max_iter=5, time_bias="history", random_state=0),
    }
)
print(networks.round(3).to_string())

# %%
# The picture
# -----------
#
# The best models are at the top left: good rankings after a short `fit`. Compare more
# than two columns of the tables, too: of two models with the same NDCG, the one with
# the larger coverage shows users more of the catalogue.

fig, ax = plt.subplots(layout="constrained")
places = {"Popularity": (0, -16), "SSE-PT": (0, -16), "HSTU": (26, -3)}
for table, color in [(baselines, "#999999"), (networks, "#0072B2")]:
    ax.scatter(table["seconds"], table["ndcg@10"], s=60, color=color)
    for name, row in table.iterrows():
        point, place = (row["seconds"], row["ndcg@10"]), places.get(name, (0, 7))
        ax.annotate(name, point, place, textcoords="offset points", ha="center")
ax.set(xscale="log", title="Quality and time of seven models (baselines in grey)")
ax.set(xlabel="Time of fit in seconds, lower is better")
ax.set(ylabel="NDCG@10, higher is better")
ax.margins(0.15)
plt.show()
