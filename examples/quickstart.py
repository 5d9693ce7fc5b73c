# %% [markdown]
# # Quickstart
#
# Fit a recommender on a table of interactions (user, item, time), measure how well it
# ranks, and recommend items. A simple baseline comes first: a model is useful only if
# it ranks better than the baseline.

# %%
import pandas as pd
from _data import load_interactions

from sklearn_attrec import AttRecRecommender, PopularityRecommender
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
# `PopularityRecommender` recommends the most popular items to every user, without the
# items that the user has already interacted with. `score` is the hit rate: the share
# of test rows whose item is among the first `k=10` recommendations.

# %%
baseline = PopularityRecommender().fit(train)
print(f"\nHit rate at 10 of popularity: {baseline.score(test):.1%}")

# %% [markdown]
# ## AttRec
#
# AttRec adds two scores. The short-term score comes from self-attention over the last
# `L` items of the user. The long-term score comes from an embedding of the user.
# `omega` is the weight of the long-term score.

# %%
model = AttRecRecommender(random_state=0).fit(train)
print(f"Hit rate at 10 of AttRec:     {model.score(test):.1%}\n")
print(pd.concat([evaluate(baseline, test), evaluate(model, test)]).T.round(3))

# %% [markdown]
# `coverage` is the share of items that are recommended to at least one user. `novelty`
# is higher if less popular items are recommended. Popularity recommends the same few
# items to everybody; AttRec recommends many more.
#
# ## Recommendations
#
# `predict` returns an array of items, `recommend` a table with scores. A `history`
# replaces the interactions of the user that `fit` saw.

# %%
first, second = model.users_[:2].tolist()
print(f"\nFor user {first}:", model.predict(first, k=5))
print("With another history:", model.predict(first, model.items_[:3], k=5))
print(model.recommend([first, second], k=3))

# %% [markdown]
# The item embeddings also tell which items are similar.

# %%
item = model.items_[0].item()
print(f"\nThe items most similar to item {item}:")
print(model.similar_items(item, k=5))
