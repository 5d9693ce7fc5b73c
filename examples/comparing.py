# %% [markdown]
# # Which model?
#
# Every recommender here has the same methods, so a comparison is a loop. It is fair
# if all of them see the same rows, and if none was tuned on the rows of the test.

# %%
import time

import pandas as pd
from _data import load_interactions

from sklearn_attrec import (
    AttRecRecommender,
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
train, test = leave_last_out_split(interactions)
print(f"{len(train):,} interactions to learn from, {len(test):,} to test on\n")

# %% [markdown]
# ## The models
#
# Three that only count: what is popular, what is had by the same users, what follows
# what. AttRec, which reads a few last items and knows the user. Two transformers, which
# read long histories; SSE-PT knows the user as well. The epochs are few, so that this
# takes a minute; with as many as they need the networks gain more.

# %%
models = [
    PopularityRecommender(),
    ItemKNNRecommender(),
    MarkovRecommender(),
    AttRecRecommender(loss="softmax", max_iter=6, random_state=0),
    SASRecRecommender(L=50, max_iter=10, random_state=0),
    SSEPTRecommender(L=50, max_iter=6, random_state=0),
]

# %% [markdown]
# ## The table
#
# The first network's time includes the start of TensorFlow.

# %%
rows = []
for model in models:
    start = time.perf_counter()
    model.fit(train)
    row = evaluate(model, test, k=10)
    rows.append(row.assign(seconds=time.perf_counter() - start))
print(pd.concat(rows).round(3).to_string())

# %% [markdown]
# Look at more than one column. A model that hits as often from a wider part of the
# catalogue is worth more to most shops, and one that is as good in a tenth of the time
# is worth more to most people.
#
# ## The same history, different minds
#
# What each model that reads the order of a history makes of three items.

# %%
history = train.groupby("item_id").size().nlargest(3).index.tolist()
for model in models[2:]:
    print(f"{type(model).__name__:20} {model.predict('new', history=history, k=5)}")
