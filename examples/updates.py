"""
A model that learns from new rows
=================================

Every day brings new interactions, new users and new items. `partial_fit` adds them to a
fitted model in a fraction of the time of another fit. This example replays the second
half of the data in ten parts, and shows how a model that is never updated falls behind.
"""

# %%
# The first half
# --------------
#
# The rows are divided by time. The model is fitted once, for 4 epochs.

import copy
import itertools
import time

import matplotlib.pyplot as plt
import numpy as np
from _data import load_interactions

from sklearn_attrec import AttRecRecommender
from sklearn_attrec.metrics import evaluate

interactions, description = load_interactions()
print(f"Data: {description}")
times = interactions["timestamp"]
cutoffs = [*times.quantile(np.arange(10, 20) / 20), np.inf]
parts = [
    interactions[(times >= start) & (times < end)]
    for start, end in itertools.pairwise(cutoffs)
]
model = AttRecRecommender(max_iter=4, random_state=0)
start = time.perf_counter()
model.fit(interactions[times < cutoffs[0]])
print(f"fit: {time.perf_counter() - start:.1f} s")
print(f"{len(model.users_)} users, {len(model.items_)} items")


# %%
# The baseline: no update
# -----------------------
#
# `context="earlier"` gives each row all earlier rows of its user as history. So even
# the model that is never updated reads new histories, also those of new users: this
# needs no training. It cannot recommend new items, though, nor follow new tastes.


def score(model, rows):
    """Return the hit rate at 20 on rows that the model has not learned from."""
    return evaluate(model, rows, 20, context="earlier")["hit_rate@20"].iloc[0]


never = [score(model, rows) for rows in parts]

# %%
# Updates
# -------
#
# The same model, updated after each part. It is scored on each part before it learns
# from it.

updated = copy.deepcopy(model)
with_updates = []
for rows in parts:
    with_updates.append(score(updated, rows))
    start = time.perf_counter()
    updated.partial_fit(rows)
    print(f"partial_fit of {len(rows):,} rows: {time.perf_counter() - start:.1f} s")
print(f"{len(updated.users_)} users, {len(updated.items_)} items")

# %%
# Another fit
# -----------
#
# A fit on all rows before the last part is the most expensive update.

start = time.perf_counter()
again = AttRecRecommender(**model.get_params()).fit(interactions[times < cutoffs[-2]])
print(f"fit: {time.perf_counter() - start:.1f} s")
fitted_again = score(again, parts[-1])

# %%
# The picture
# -----------
#
# An update takes a small part of the time of a fit, and the updated model stays ahead
# of the one that is never updated. Another fit from time to time is better still.

fig, ax = plt.subplots(layout="constrained")
places = range(1, 11)
ax.plot(places, with_updates, "-o", color="#0072B2", label="Updated by partial_fit")
ax.plot(places, never, "--s", color="#999999", label="Never updated")
ax.plot(10, fitted_again, "D", color="#D55E00", label="Fitted again before part 10")
ax.set(title="What updates are worth, part by part", xticks=places)
ax.set(xlabel="Part, a twentieth of the data each")
ax.set(ylabel="HR@20, higher is better")
ax.legend()
plt.show()
