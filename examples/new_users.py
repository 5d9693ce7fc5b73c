# %% [markdown]
# # New users, new histories, other times
#
# People arrive after training, and those known do more. Neither needs a new fit: a
# recommender answers from a history alone. Here is how much that costs.

# %%
import numpy as np
from _data import load_interactions

from sklearn_attrec import AttRecRecommender, PopularityRecommender
from sklearn_attrec.metrics import hit_rate, mrr, ranks_in_lists
from sklearn_attrec.model_selection import leave_last_out_split

interactions, description = load_interactions()
print(f"Data: {description}")

# %% [markdown]
# A fifth of the users plays the strangers. `train` holds all but the last item of
# everybody, `without` nothing of the strangers at all. Items that nobody else had are
# unknown without them; they would be ignored with a warning, so they are left out here.

# %%
train, test = leave_last_out_split(interactions)
users = test["user_id"].to_numpy()
strangers = np.random.default_rng(0).choice(users, len(users) // 5, replace=False)
without = train[~train["user_id"].isin(strangers)]
targets = test.set_index("user_id").loc[strangers, "item_id"]
known = train[train["item_id"].isin(without["item_id"])]
ordered = known.sort_values("timestamp", kind="stable").groupby("user_id")["item_id"]
histories = [ordered.get_group(user).tolist() for user in strangers]
print(f"{len(strangers)} of {len(users)} users are strangers to one of two models")


# %% [markdown]
# ## Strangers beside the same people as trained users
#
# First the baseline, which treats everybody alike. Then AttRec twice: trained with
# these people's histories, and never having met them, given the same histories when it
# is asked. In place of the embedding that it never learned, a stranger gets the mean
# direction of the items in their history.


# %%
def show(words, recommended):
    ranks = ranks_in_lists(targets, recommended)
    print(f"{words:38} HR@50 {hit_rate(ranks, 50):.3f}  MRR@50 {mrr(ranks):.3f}")


popularity = PopularityRecommender(k=50).fit(without)
show("Popularity", popularity.predict(strangers, histories))

model = AttRecRecommender(loss="softmax", max_iter=5, k=50, random_state=0)
show("AttRec, trained on their histories", model.fit(train).predict(strangers))
model.fit(without)
show("AttRec, given their histories", model.predict(strangers, histories))

# %% [markdown]
# Most of what counts is in the last few items: a short history is enough to begin. For
# a fair comparison what was left out of it still leaves the ranking.


# %%
def drop_seen(recommended):
    return [
        [item for item in items if item not in history][:50]
        for items, history in zip(recommended, map(set, histories), strict=True)
    ]


for n in (1, 3, 10):
    short = [history[-n:] for history in histories]
    recommended = drop_seen(model.predict(strangers, short, k=1000))
    show(f"AttRec, given their last {n} item(s)", recommended)

# %% [markdown]
# ## Somebody with a name nobody knows
#
# Any id will do, as long as its type is that of the others. Without a history a
# stranger gets popular items; `handle_unknown="error"` refuses instead.

# %%
new = int(users.max()) + 1
print(f"\nUser {new}, after three items: ", model.predict(new, histories[0][-3:], k=5))
print(f"User {new}, without a history: ", model.predict(new, k=5))

# %% [markdown]
# ## As of a time
#
# A table with a `timestamp` is answered as of that time: only fitted rows up to then
# are read. One user, at three points of their history:

# %%
user = model.users_[0].item()
own = train[train["user_id"] == user].sort_values("timestamp", kind="stable")
queries = own[["user_id", "timestamp"]].iloc[[4, len(own) // 2, -1]]
print(f"\nWhat user {user} would have been recommended:")
for time, items in zip(queries["timestamp"], model.predict(queries, k=5), strict=True):
    known = (own["timestamp"] <= time).sum()
    print(f"  after {known:3} interactions, at time {time}: {items}")
