# %% [markdown]
# # Comparing models
#
# All recommenders have the same methods, so a loop can compare them. The comparison is
# fair if all models are fitted on the same rows, and if the test rows were not used to
# choose any parameter.

# %%
import time

import pandas as pd
from _data import load_interactions

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
train, test = leave_last_out_split(interactions, unit="time")
print(f"{len(train):,} training interactions, {len(test):,} test interactions\n")

# %% [markdown]
# ## The models
#
# The first three models only count: popular items, items that the same users had, and
# items that often follow the last item. The other four are neural networks. AttRec
# reads the last 5 items of a user and has an embedding for each user. SASRec, SSE-PT
# and HSTU are transformers that read longer histories; SSE-PT also has user embeddings,
# and HSTU here also reads the times. With the few epochs used here the example takes
# about a minute. The networks rank better with more epochs.

# %%
baselines = [PopularityRecommender(), ItemKNNRecommender(), MarkovRecommender()]
networks = [
    AttRecRecommender(max_iter=6, random_state=0),
    SASRecRecommender(L=50, max_iter=10, random_state=0),
    SSEPTRecommender(L=50, max_iter=6, random_state=0),
    HSTURecommender(L=50, max_iter=6, time_bias="history", random_state=0),
]

# %% [markdown]
# ## The results
#
# The time of the first network includes the import of TensorFlow.

# %%
rows = []
for model in baselines + networks:
    start = time.perf_counter()
    model.fit(train)
    row = evaluate(model, test, k=10)
    rows.append(row.assign(seconds=time.perf_counter() - start))
print(pd.concat(rows).round(3).to_string())

# %% [markdown]
# Compare more than one column. Of two models with the same hit rate, the one with the
# larger coverage shows users more of the catalogue, and the faster one costs less.
#
# ## Learn from new interactions
#
# Later, new interactions arrive: here, the test rows. `partial_fit` learns from them
# without another fit.

# %%
for model in baselines + networks:
    model.partial_fit(test)

# %% [markdown]
# ## One history, several models
#
# Each model recommends items to a new user with three items in the history. Where
# users consume the same items again, set `exclude_seen=False` to allow items of the
# history. With `handle_unknown="error"` an item that `fit` did not see raises an error;
# by default it is ignored with a warning.

# %%
history = train.groupby("item_id").size().nlargest(3).index.tolist()
print(f"\nRecommendations for the history {history}:")
for model in baselines + networks:
    model.set_params(k=5, exclude_seen=False, handle_unknown="error")
    print(f"{type(model).__name__:22}{model.predict('new', history=history)}")
