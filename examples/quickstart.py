# %% [markdown]
# # Quickstart
#
# From a table of who had what and when to recommendations, and a score to trust. The
# baseline comes first: a model is worth what it adds to it.

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
# ## An honest test
#
# The last interaction of each user is held out. The model sees what came before, and
# must find the held-out item among all items that the user has not had.

# %%
train, test = leave_last_out_split(interactions)
print(f"\n{len(train):,} interactions to learn from, {len(test):,} to test on")

# %% [markdown]
# ## The baseline
#
# The same popular items for everybody, less what each has had.

# %%
baseline = PopularityRecommender().fit(train)
print(f"\nPopularity hits {baseline.score(test):.1%} of the held-out items with 10.")

# %% [markdown]
# ## AttRec
#
# Attention over the last `L` items tells what the user wants now, an embedding of the
# user what they like in general, and `omega` weighs the two. Six epochs here;
# the default trains for longer and scores somewhat better.

# %%
model = AttRecRecommender(loss="softmax", max_iter=6, random_state=0).fit(train)
print(f"AttRec hits {model.score(test):.1%}.\n")
print(pd.concat([evaluate(baseline, test), evaluate(model, test)]).T.round(3))

# %% [markdown]
# Hits are one thing. `coverage` says how much of the catalogue is ever recommended, and
# `novelty` how far the recommendations are from the best known items: popularity hands
# the same few to everybody, AttRec does not.
#
# ## Recommendations
#
# For one user as an array, for several as a table. A `history` takes the place of what
# was seen in fit.

# %%
first, second = model.users_[:2].tolist()
print(f"\nFor user {first}:", model.predict(first, k=5))
print("After three other items:", model.predict(first, model.items_[:3], k=5))
print(model.recommend([first, second], k=3))

# %% [markdown]
# Items that are alike follow from the same embeddings.

# %%
print("\nWhat is like the first item:")
print(model.similar_items(model.items_[0].item(), k=5))
