"""
Why this film?
==============

`explain` says what the score of a recommendation is made of: items of the history, the
long-term taste of the user, and popularity. The pictures show the reasons of item kNN
and of AttRec, what AttRec reads, and a test of whether its reasons are true.
"""

# %%
# The baseline
# ------------
#
# Item kNN adds one term per item of the history. The terms are the reasons. The models
# are fitted on a sample of 600 users.

import matplotlib.pyplot as plt
import numpy as np
from _data import load_interactions, load_names, sample_users

from sklearn_attrec import AttRecRecommender, ItemKNNRecommender
from sklearn_attrec.inspection import AttentionDisplay, ExplanationDisplay

interactions, description = load_interactions()
names = load_names(interactions)
print(f"Data: {description}")
train = sample_users(interactions, 600)
baseline = ItemKNNRecommender().fit(train)
user = train["user_id"].iloc[0]
recommended = baseline.recommend(user, k=3)
print(recommended.assign(title=recommended["item_id"].map(names)).to_string())

fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ExplanationDisplay.from_estimator(baseline, user, names=names, ax=ax, color="#999999")
ax.set_title(f"Item kNN: {ax.get_title()}", parse_math=False)
plt.show()

# %%
# AttRec
# ------
#
# A score of AttRec is a sum, too: what each item of the history contributes to the
# short-term vector, the long-term taste of the user, and popularity. What speaks for
# the film is positive; the sum is negative, because scores of AttRec are negative
# distances. AttRec is fitted for 5 epochs.

model = AttRecRecommender(max_iter=5, random_state=0).fit(train)
reasons = model.explain(user, k=1)
print(
    reasons.assign(title=reasons["cause_item_id"].map(names))[
        ["cause", "title", "contribution"]
    ].to_string(index=False)
)
print(f"sum {reasons['contribution'].sum():.4f}, score {reasons['score'].iloc[0]:.4f}")

fig, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
# sphinx_gallery_thumbnail_number = 2
ExplanationDisplay.from_estimator(model, user, names=names, ax=ax)
ax.set_title(f"AttRec: {ax.get_title()}", parse_math=False)
plt.show()

# %%
# What the model reads
# --------------------
#
# The attention between the last items. It says what is read, not what matters.

fig, ax = plt.subplots(figsize=(6.4, 5.6), layout="constrained")
AttentionDisplay.from_estimator(model, user, names=names, ax=ax)
plt.show()

# %%
# Are the reasons true?
# ---------------------
#
# If the first reason is true, the score of the recommendation decreases when this item
# is removed from the history. For comparison, another item of the reasons is removed,
# drawn at random. The decrease is measured for 100 users.

random = np.random.default_rng(0)
ordered = train.sort_values("timestamp", kind="stable").groupby("user_id")["item_id"]
first, other = [], []
for user in train["user_id"].unique()[:100]:
    reasons = model.explain(user, k=1)
    causes = reasons.loc[reasons["cause"] == "history", "cause_item_id"].tolist()
    item, score = reasons["item_id"].iloc[0], reasons["score"].iloc[0]
    history = ordered.get_group(user)
    for removed, decreases in [(causes[0], first), (random.choice(causes[1:]), other)]:
        shorter = history[history != removed].tolist()
        decreases.append(
            score - model.explain(user, shorter, items=item)["score"].iloc[0]
        )
is_larger = np.greater(first, other).mean()
print(f"The first reason matters more for {is_larger:.0%} of the users")

fig, ax = plt.subplots(layout="constrained")
style = {"widths": 0.5, "patch_artist": True, "medianprops": {"color": "black"}}
boxes = ax.boxplot([other, first], **style)["boxes"]
for box, color in zip(boxes, ["#999999", "#0072B2"], strict=True):
    box.set_facecolor(color)
ax.axhline(0, color="black", linewidth=0.8)
ax.set_xticks([1, 2], ["without a random reason", "without the first reason"])
ax.set_title("Does the score depend on the reasons?")
ax.set_ylabel("Decrease of the score, 100 users")
plt.show()
