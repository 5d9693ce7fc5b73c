"""
Quickstart
==========

Fit a recommender on a table of interactions (user, item, time), measure how well it
ranks, and recommend films to a user. A simple baseline comes first: a model is useful
only if it ranks better than the baseline.
"""

# %%
# The data
# --------
#
# MovieLens 100K: which user rated which film at which time. The last interactions of
# each user are held out for the test: all that have the time of the last one, because
# users often rated several films at once. The models are fitted on all earlier
# interactions.

import matplotlib.pyplot as plt
import pandas as pd
from _data import load_interactions, load_names

from sklearn_attrec import AttRecRecommender, ItemKNNRecommender, PopularityRecommender
from sklearn_attrec.inspection import RankingCurveDisplay
from sklearn_attrec.metrics import evaluate
from sklearn_attrec.model_selection import leave_last_out_split

interactions, description = load_interactions()
names = load_names(interactions)
print(f"Data: {description}")
train, test = leave_last_out_split(interactions, unit="time")
print(f"{len(train):,} training interactions, {len(test):,} test interactions")
print(train.head())

# %%
# The baseline
# ------------
#
# `ItemKNNRecommender` counts which items occur together in histories, and recommends
# items that occur often with those of the user. It is fitted in about a second.
# `score` is the hit rate: the share of test rows whose item is among the first `k=10`
# recommendations.

baseline = ItemKNNRecommender().fit(train)
print(f"Hit rate at 10 of item kNN: {baseline.score(test):.1%}")

# %%
# AttRec
# ------
#
# AttRec adds two scores. The short-term score comes from self-attention over the last
# `L` items of the user. The long-term score comes from an embedding of the user. Here
# AttRec is trained for 5 epochs; the default of 20 gives better rankings. `verbose=1`
# prints one line per epoch.

model = AttRecRecommender(max_iter=5, verbose=1, random_state=0).fit(train)
print(f"Hit rate at 10 of AttRec: {model.score(test):.1%}")

# %%
# More than one metric
# --------------------
#
# `coverage` is the share of items that are recommended to at least one user. `novelty`
# is higher if less popular items are recommended. Popularity recommends the same films
# to everybody, except those that a user has seen.

models = {
    "Popularity": PopularityRecommender().fit(train),
    "Item kNN": baseline,
    "AttRec": model,
}
table = pd.concat([evaluate(each, test, k=10) for each in models.values()])
print(table.set_axis([*models]).round(3).to_string())

# %%
# The hit rate depends on the number of recommendations. The grey lines are the
# baselines. The script, which `make demo` runs, also saves the picture, for machines
# without a display.

fig, ax = plt.subplots(layout="constrained")
display = RankingCurveDisplay.from_estimators(models, test, metric="hit_rate", ax=ax)
display.lines_[0].set(color="#999999", linestyle=":")
display.lines_[1].set(color="#999999")
display.lines_[2].set(color="#0072B2")
ax.set(title="How often the held-out film is recommended", ylim=(0, None))
ax.legend()
fig.savefig("quickstart.png")
print("Picture: quickstart.png")
plt.show()

# %%
# Recommendations for one user
# ----------------------------
#
# `target_ranks` returns the rank of a held-out film among all films that the user has
# not rated. `recommend` returns a table. Titles are joined with `map`, as in any table
# of pandas.

user = test["user_id"].iloc[0]
history = train[train["user_id"] == user].sort_values("timestamp", kind="stable")
print(f"User {user} rated last:")
print(history["item_id"].tail(5).map(names).to_string(index=False))
held_out = test[test["user_id"] == user]
ranks = model.target_ranks(held_out)
for item, rank in zip(held_out["item_id"], ranks, strict=True):
    print(f"\nHeld out, and at rank {rank:.0f}: {names[item]}")
recommended = model.recommend(user, k=5)
recommended["title"] = recommended["item_id"].map(names)
print(f"\nRecommended:\n{recommended.to_string(index=False)}")

# %%
# Similar items
# -------------
#
# The embeddings of the model also tell which items are similar, here to the film with
# the most ratings.

popular = train["item_id"].mode()[0]
similar = model.similar_items(popular, k=5)
similar["title"] = similar["similar_item_id"].map(names)
print(f"Similar to {names[popular]}:\n{similar.to_string(index=False)}")
