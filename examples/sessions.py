"""
Anonymous sessions
==================

Visitors of a shop without an account have no history from earlier visits: a model must
recommend from the clicks of the current session. The pictures show why the evaluation
needs `context="earlier"`, and how recommendations improve with each click.
"""

# %%
# The data
# --------
#
# Each session is a user. A sample of 6,000 sessions keeps the example short.
# `UserKFold` holds out a fifth of the sessions with all their clicks: the models do not
# know these sessions.

import warnings

import matplotlib.pyplot as plt
from _data import load_sessions, sample_users

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
)
from sklearn_attrec.exceptions import NoHistoryWarning
from sklearn_attrec.metrics import hit_rate
from sklearn_attrec.model_selection import UserKFold

clicks, description = load_sessions()
print(f"Data: {description}")
clicks = sample_users(clicks, 6000).sort_values("timestamp", kind="stable")
train, test = next(UserKFold(5).split(clicks))
train, test = clicks.iloc[train], clicks.iloc[test]
print(f"{train['user_id'].nunique():,} sessions in train, {len(train):,} clicks")
print(f"{test['user_id'].nunique():,} sessions in test, {len(test):,} clicks")

# %%
# The baselines
# -------------
#
# People click on the same item again, so items of the history may be recommended:
# `exclude_seen=False`.

models = {
    "Popularity": PopularityRecommender(exclude_seen=False).fit(train),
    "Item kNN": ItemKNNRecommender(exclude_seen=False).fit(train),
    "Markov chain": MarkovRecommender(exclude_seen=False).fit(train),
}

# %%
# AttRec
# ------
#
# A new session has no trained embedding; AttRec computes one from the clicks so far.

attrec = AttRecRecommender(max_iter=5, exclude_seen=False, random_state=0)
models["AttRec"] = attrec.fit(train)

# %%
# What may a model read?
# ----------------------
#
# With the default `context="fit"`, a row is answered from the rows of its user in
# `fit`. Here there are none, so all models recommend popular items and get the same
# score. A `NoHistoryWarning` would say so; it is ignored here. With
# `context="earlier"`, a click is answered from the earlier clicks of its session, as in
# the shop. More about this: :doc:`/evaluation`.

warnings.simplefilter("ignore", NoHistoryWarning)
ranks = {
    context: {
        name: model.target_ranks(test, context=context)
        for name, model in models.items()
    }
    for context in ("fit", "earlier")
}

colors = ["#999999"] * 3 + ["#0072B2"]
titles = {"fit": "Clicks of the session not read", "earlier": "Earlier clicks read"}
fig, axes = plt.subplots(2, figsize=(6.4, 6), sharex=True, layout="constrained")
for ax, (context, by_model) in zip(axes, ranks.items(), strict=True):
    scores = [hit_rate(found, k=10) for found in by_model.values()]
    bars = ax.bar([*models], scores, color=colors)
    ax.bar_label(bars, fmt="%.3f", padding=2)
    ax.set(title=titles[context], ylabel="HR@10, higher is better")
for ax in axes:
    ax.set_ylim(0, 1.15 * max(scores))  # with the earlier clicks
plt.show()

# %%
# Click by click
# --------------
#
# The first click of a session can only be guessed from popularity. One click to read
# makes most of the difference. AttRec reads up to 5 clicks, the Markov chain only the
# last one.

position = test.groupby("user_id").cumcount().to_numpy() + 1
fig, ax = plt.subplots(layout="constrained")
for name, color, style in [
    ("AttRec", "#0072B2", "-o"),
    ("Markov chain", "#999999", "-o"),
    ("Item kNN", "#999999", ":o"),
]:
    found = ranks["earlier"][name]
    scores = [hit_rate(found[position == place], k=10) for place in range(1, 9)]
    ax.plot(range(1, 9), scores, style, color=color, label=name)
ax.set(title="Which clicks of a session are predicted", ylim=(0, None))
ax.set(xlabel="Position of the predicted click in its session")
ax.set(ylabel="HR@10, higher is better")
ax.legend()
plt.show()
