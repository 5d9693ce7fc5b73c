# %% [markdown]
# # Unseen users, new histories, earlier times
#
# After training, new users arrive, and known users interact with more items. Neither
# needs a new fit, because a recommender can recommend from a history alone. This
# example measures how much worse these recommendations are.

# %%
import numpy as np
from _data import load_interactions

from sklearn_attrec import AttRecRecommender, PopularityRecommender
from sklearn_attrec.metrics import hit_rate, mrr, ranks_in_lists
from sklearn_attrec.model_selection import leave_last_out_split

interactions, description = load_interactions()
print(f"Data: {description}")

# %% [markdown]
# ## Data with unseen users
#
# A fifth of the users serve as unseen users. `train` holds all interactions but the
# last one of each user; `reduced` also leaves out all interactions of the unseen users.
# Some items occur only in the histories of unseen users. A model fitted on `reduced`
# would ignore them with a warning, so they are removed from the histories here.

# %%
train, test = leave_last_out_split(interactions)
users = test["user_id"].to_numpy()
unseen = np.random.default_rng(0).choice(users, len(users) // 5, replace=False)
reduced = train[~train["user_id"].isin(unseen)]
targets = test.set_index("user_id").loc[unseen, "item_id"]
known = train[train["item_id"].isin(reduced["item_id"])]
ordered = known.sort_values("timestamp", kind="stable").groupby("user_id")["item_id"]
histories = [ordered.get_group(user).tolist() for user in unseen]
print(f"{len(unseen)} of {len(users)} users are unseen")


# %% [markdown]
# ## Trained users and unseen users
#
# The baseline is popularity. AttRec is fitted twice: on `train`, which includes these
# users, and on `reduced`, which does not. The second model receives the histories in
# `predict`. An unseen user has no trained embedding; AttRec computes one from the items
# of the history.


# %%
def show(name, recommended):
    ranks = ranks_in_lists(targets, recommended)
    print(f"{name:40} HR@50 {hit_rate(ranks, 50):.3f}  MRR@50 {mrr(ranks):.3f}")


popularity = PopularityRecommender(k=50).fit(reduced)
show("Popularity", popularity.predict(unseen, histories))

model = AttRecRecommender(max_iter=5, k=50, random_state=0)
show("AttRec, trained users", model.fit(train).predict(unseen))
model.fit(reduced)
show("AttRec, unseen users, whole histories", model.predict(unseen, histories))

# %% [markdown]
# ## Short histories
#
# The last items of a history matter most, so a few items already give good
# recommendations. For a fair comparison the other items of the history are also
# excluded from the recommendations.

# %%
seen = dict(zip(unseen, histories, strict=True))
for n in (1, 3, 10):
    short = {user: history[-n:] for user, history in seen.items()}
    recommended = model.predict(unseen, short, exclude=seen)
    show(f"AttRec, unseen users, last {n} item(s)", recommended)

# %% [markdown]
# ## Ids that `fit` did not see
#
# A user id that `fit` did not see is allowed. Without a history, such a user gets
# popular items; with `handle_unknown="error"`, `predict` raises an error instead.

# %%
new = int(users.max()) + 1
print(f"\nUser {new} with three items:    ", model.predict(new, histories[0][-3:], k=5))
print(f"User {new} without a history:   ", model.predict(new, k=5))

# %% [markdown]
# ## Recommendations as of a time
#
# If a table has a `timestamp` column, the recommendations of a row use only the fitted
# interactions of the user up to that time. Here, one user at three times:

# %%
user = model.users_[0].item()
own = train[train["user_id"] == user].sort_values("timestamp", kind="stable")
queries = own[["user_id", "timestamp"]].iloc[[4, len(own) // 2, -1]]
print(f"\nRecommendations for user {user} as of three times:")
for time, items in zip(queries["timestamp"], model.predict(queries, k=5), strict=True):
    n_known = (own["timestamp"] <= time).sum()
    print(f"  after {n_known:3} interactions, at time {time}: {items}")
