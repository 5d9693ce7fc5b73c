# %% [markdown]
# # Quickstart
#
# Fit a recommender on a table of interactions (user, item, time), measure how well it
# ranks, and recommend items. A simple baseline comes first: a model is useful only if
# it ranks better than the baseline.

# %%
import pandas as pd
from _data import load_interactions

from sklearn_attrec import AttRecRecommender, ItemKNNRecommender
from sklearn_attrec.metrics import evaluate
from sklearn_attrec.model_selection import leave_last_out_split

interactions, description = load_interactions()
print(f"Data: {description}")
print(interactions.head())

# %% [markdown]
# ## Training set and test set
#
# The last interactions of each user are held out for the test: all that have the time
# of the last one, because MovieLens users often rated several films at once. The model
# is fitted on all earlier interactions. For each user it then ranks all items that the
# user has not interacted with, and the test checks the rank of the held-out items.

# %%
train, test = leave_last_out_split(interactions, unit="time")
print(f"\n{len(train):,} training interactions, {len(test):,} test interactions")

# %% [markdown]
# ## The baseline
#
# `ItemKNNRecommender` counts which items occur together in histories, and recommends
# items that occur often with those of the user. It is fitted in about a second.
# `recommend` returns a table. `score` is the hit rate: the share of test rows whose
# item is among the first `k=10` recommendations.

# %%
first, second = train["user_id"].unique()[:2].tolist()
baseline = ItemKNNRecommender().fit(train)
print(f"\n{baseline.recommend([first, second], k=2)}")
print(f"\nHit rate at 10 of item kNN: {baseline.score(test):.1%}\n")

# %% [markdown]
# ## AttRec
#
# AttRec adds two scores. The short-term score comes from self-attention over the last
# `L` items of the user. The long-term score comes from an embedding of the user.
# `omega` is the weight of the long-term score. Here AttRec is trained for 5 epochs; the
# default of 20 gives better rankings. `verbose=1` prints one line per epoch.

# %%
model = AttRecRecommender(max_iter=5, verbose=1, random_state=0).fit(train)
print(f"\nHit rate at 10 of AttRec:   {model.score(test):.1%}\n")
print(pd.concat([evaluate(baseline, test), evaluate(model, test)]).T.round(3))

# %% [markdown]
# `coverage` is the share of items that are recommended to at least one user. `novelty`
# is higher if less popular items are recommended.
#
# ## Recommendations
#
# `predict` returns an array of items, best first. A `history` replaces the interactions
# of the user that `fit` saw.

# %%
print(f"\nFor user {first}:", model.predict(first, k=5))
print("With another history:", model.predict(first, model.items_[:3], k=5))
print(model.recommend([first, second], k=3))

# %% [markdown]
# The item embeddings also tell which items are similar.

# %%
item = model.items_[0].item()
print(f"\nThe items most similar to item {item}:")
print(model.similar_items(item, k=5))
