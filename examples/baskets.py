"""
Baskets: hold out whole orders
==============================

Customers order several items at once. If only the last row of an order is held out, the
rest of the order reveals it, and models look several times as good as they are. The
picture shows the same models under both protocols.
"""

# %%
# The data
# --------
#
# All rows of an order have one time. A sample of 800 customers keeps the example short.

import warnings

import matplotlib.pyplot as plt
import pandas as pd
from _data import load_baskets, sample_users

from sklearn_attrec import AttRecRecommender, ItemKNNRecommender, MarkovRecommender
from sklearn_attrec.exceptions import TimeTieWarning
from sklearn_attrec.metrics import make_ranking_scorer
from sklearn_attrec.model_selection import leave_last_out_split

orders, description = load_baskets()
print(f"Data: {description}")
orders = sample_users(orders, 800)
baskets = orders.groupby(["user_id", "timestamp"]).size()
print(f"{len(baskets):,} baskets of {baskets.median():.0f} rows (median)")


# %%
# The trap: hold out the last row
# -------------------------------
#
# Item kNN, the baseline, counts which items the same customers bought. The Markov chain
# and AttRec read the order of the last items. Customers buy items again, so
# `exclude_seen=False`. The scores warn that the last row shares its time with training
# rows.


def score(train, test):
    """Fit three models on train; return their hit rates on test, and the models."""
    models = {
        "Item kNN": ItemKNNRecommender(exclude_seen=False),
        "Markov chain": MarkovRecommender(exclude_seen=False),
        "AttRec": AttRecRecommender(max_iter=3, exclude_seen=False, random_state=0),
    }
    scores = {name: each.fit(train).score(test) for name, each in models.items()}
    return pd.Series(scores), models


with warnings.catch_warnings(record=True, action="always") as caught:
    last_row, _ = score(*leave_last_out_split(orders))
ties = [each.message for each in caught if each.category is TimeTieWarning]
print(f"TimeTieWarning: {ties[0]}")
print(last_row.round(3).to_string())

# %%
# Hold out the last basket
# ------------------------
#
# With `unit="time"` all rows of the last order are held out. Now the models must
# predict from earlier orders, as in the shop.

train, test = leave_last_out_split(orders, unit="time")
last_basket, models = score(train, test)
print(last_basket.round(3).to_string())

fig, axes = plt.subplots(2, figsize=(6.4, 6), sharex=True, layout="constrained")
colors = ["#999999", "#E69F00", "#0072B2"]
for ax, scores, title in [
    (axes[0], last_row, "The trap: last row held out"),
    (axes[1], last_basket, "Last basket held out"),
]:
    bars = ax.bar(scores.index, scores, color=colors)
    ax.bar_label(bars, fmt="%.3f", padding=2)
    ax.set(title=title, ylim=(0, 1.2 * last_row.max()))
    ax.set_ylabel("HR@10, higher is better")
plt.show()

# %%
# Whole baskets
# -------------
#
# A hit rate counts rows, so large baskets count more. With `per_user=True` a basket is
# one query: the recall is the share of the basket that is among the recommendations,
# averaged over the customers.

names, ks = [*models], [5, 10, 20, 50]
fig, ax = plt.subplots(layout="constrained")
for name, color, marker in zip(names, colors, "osD", strict=True):
    recalls = [
        make_ranking_scorer("recall", k, per_user=True)(models[name], test) for k in ks
    ]
    ax.plot(ks, recalls, f"-{marker}", color=color, label=name)
ax.set(title="Share of the last basket that is recommended", xticks=ks)
ax.set(xlabel="K, number of recommendations", ylim=(0, None))
ax.set(ylabel="Recall@K per customer, higher is better")
ax.legend()
plt.show()
