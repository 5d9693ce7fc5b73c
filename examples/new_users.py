"""
New users and short histories
=============================

After training, new users arrive. They need no new fit, because a recommender can
recommend from a history alone. This example measures how good these recommendations
are, by the length of the history.
"""

# %%
# The data
# --------
#
# A fifth of the users serve as new users. `train` holds all interactions but the last
# one of each user; `reduced` also leaves out all interactions of the new users. Some
# items occur only in the histories of new users. A model fitted on `reduced` would
# ignore them with a warning, so they are removed from the histories here.

import matplotlib.pyplot as plt
import numpy as np
from _data import load_interactions

from sklearn_attrec import AttRecRecommender, PopularityRecommender
from sklearn_attrec.metrics import hit_rate, ranks_in_lists
from sklearn_attrec.model_selection import leave_last_out_split

interactions, description = load_interactions()
print(f"Data: {description}")
train, test = leave_last_out_split(interactions)
users = test["user_id"].to_numpy()
new = np.random.default_rng(0).choice(users, len(users) // 5, replace=False)
reduced = train[~train["user_id"].isin(new)]
targets = test.set_index("user_id").loc[new, "item_id"]
known = train[train["item_id"].isin(reduced["item_id"])]
ordered = known.sort_values("timestamp", kind="stable").groupby("user_id")["item_id"]
histories = {user: ordered.get_group(user).tolist() for user in new}
print(f"{len(new)} of {len(users)} users are new")

# %%
# The baseline
# ------------
#
# A new user without a history gets popular items from every model. The items of the
# whole history are excluded here and below, so that all scores can be compared.


def score(recommended):
    """Return the share of the new users whose last item was recommended."""
    return hit_rate(ranks_in_lists(targets, recommended), 50)


popularity = PopularityRecommender(k=50).fit(reduced)
scores = {"no history": score(popularity.predict(new, exclude=histories))}
print(f"Popularity: HR@50 {scores['no history']:.3f}")

# %%
# From a history alone
# --------------------
#
# AttRec is fitted on the other users for 4 epochs. A new user has no trained embedding;
# AttRec computes one from the items of the history.

model = AttRecRecommender(max_iter=4, k=50, random_state=0).fit(reduced)
for n in (1, 3, 10):
    short = {user: history[-n:] for user, history in histories.items()}
    scores[f"last {n}"] = score(model.predict(new, short, exclude=histories))
scores["all"] = score(model.predict(new, histories))

# %%
# For comparison, the same model is fitted on `train`, which includes these users: they
# are not new to it.

model.fit(train)
scores["all,\nuser in fit"] = score(model.predict(new))

# %%
# The picture
# -----------
#
# A few items already give good recommendations.

fig, ax = plt.subplots(layout="constrained")
colors = ["#999999"] + ["#0072B2"] * 4 + ["#E69F00"]
bars = ax.bar([*scores], [*scores.values()], color=colors)
ax.bar_label(bars, fmt="%.3f", padding=2)
ax.set_title("What a few items of a new user are worth; popularity is grey")
ax.margins(y=0.1)
ax.set(xlabel="Items of the history that AttRec gets")
ax.set(ylabel="HR@50, higher is better")
plt.show()

# %%
# Ids that `fit` did not see
# --------------------------
#
# Any id of a user is allowed. With `handle_unknown="error"`, a query without a history
# raises an error instead of returning popular items.

new_id = int(users.max()) + 1
print(f"User {new_id} with a history:  ", model.predict(new_id, histories[new[0]], k=5))
print(f"User {new_id} without a history:", model.predict(new_id, k=5))
