"""
Repeat purchases and visits
===========================

By default, recommenders never recommend an item of the history again. Where people buy,
visit or play the same thing again, most of what happens next is then out of reach. The
picture shows how many hits are repeats and how many are new places.
"""

# %%
# The data
# --------
#
# Check-ins: who visited which place at which time. A sample of 1,500 users keeps the
# example short. The last check-in of each user is held out.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _data import load_check_ins, sample_users

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
)
from sklearn_attrec.exceptions import SeenItemWarning
from sklearn_attrec.metrics import evaluate
from sklearn_attrec.model_selection import leave_last_out_split

check_ins, description = load_check_ins()
print(f"Data: {description}")
train, test = leave_last_out_split(sample_users(check_ins, 1500))
visited = pd.MultiIndex.from_frame(train[["user_id", "item_id"]])
is_repeat = pd.MultiIndex.from_frame(test[["user_id", "item_id"]]).isin(visited)
print(f"{is_repeat.mean():.0%} of the held-out check-ins are repeat visits")

# %%
# The baseline: only new places
# -----------------------------
#
# `exclude_seen=True` is the default. A `SeenItemWarning` would say how many test rows
# cannot be hits; it is ignored here. AttRec is fitted for 4 epochs.

warnings.simplefilter("ignore", SeenItemWarning)
models = {
    "Popularity": PopularityRecommender(),
    "Item kNN": ItemKNNRecommender(),
    "Markov chain": MarkovRecommender(),
    "AttRec": AttRecRecommender(max_iter=4, random_state=0),
}
only_new = [evaluate(model.fit(train), test, k=10) for model in models.values()]
only_new = pd.concat(only_new).set_axis([*models])
print(only_new["hit_rate@10"].round(3).to_string())

# %%
# Repeats allowed
# ---------------
#
# `exclude_seen` matters to queries and to early stopping, which is not used here, so
# the models need no other fit. `evaluate` now divides the hit rate into `repeat_hits`
# and `new_hits`.

for model in models.values():
    model.set_params(exclude_seen=False)
both = pd.concat([evaluate(model, test, k=10) for model in models.values()])
both = both.set_axis([*models])
print(both[["hit_rate@10", "repeat_hits@10", "new_hits@10"]].round(3).to_string())

# %%
# The picture
# -----------
#
# Repeat visits are most of the hits. The price: known places take some of the 10
# positions, so there are fewer hits with new places.

fig, ax = plt.subplots(layout="constrained")
places = np.arange(len(models))
ax.bar(
    places - 0.2,
    only_new["hit_rate@10"],
    width=0.38,
    color="#999999",
    label="repeats excluded: new places",
)
ax.bar(
    places + 0.2,
    both["new_hits@10"],
    width=0.38,
    color="#0072B2",
    label="repeats allowed: new places",
)
bars = ax.bar(
    places + 0.2,
    both["repeat_hits@10"],
    bottom=both["new_hits@10"],
    width=0.38,
    color="#E69F00",
    label="repeats allowed: repeat visits",
)
ax.bar_label(bars, labels=[f"{value:.3f}" for value in both["hit_rate@10"]], padding=2)
ax.set_xticks(places, [*models])
ax.set(title="Hits among 10 recommendations", ylabel="HR@10, higher is better")
ax.margins(y=0.1)
ax.legend(loc="upper left")
plt.show()
