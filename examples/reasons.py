# %% [markdown]
# # Why this film?
#
# `explain` says what the score of a recommendation is made of: items of the history,
# the long-term taste of the user, and popularity. The example needs matplotlib (the
# extra `plot`) and writes three figures.

# %%
import matplotlib.pyplot as plt
from _data import load_interactions, load_names

from sklearn_attrec import AttRecRecommender, ItemKNNRecommender, MarkovRecommender
from sklearn_attrec.inspection import (
    AttentionDisplay,
    ExplanationDisplay,
    RankingCurveDisplay,
)
from sklearn_attrec.model_selection import leave_last_out_split

plt.switch_backend("Agg")
interactions, description = load_interactions()
names = load_names(interactions)
print(f"Data: {description}")
train, test = leave_last_out_split(interactions, unit="time")
model = AttRecRecommender(max_iter=5, random_state=0).fit(train)

# %% [markdown]
# ## The recommendations of one user
#
# Tables are joined with titles as any table of pandas: with `map`, or `merge`.

# %%
user = train["user_id"].iloc[0]
recommended = model.recommend(user, k=3)
recommended["title"] = recommended["item_id"].map(names)
print(f"\n{recommended.to_string(index=False)}")

# %% [markdown]
# ## Their reasons
#
# The contributions of a score add up to it. Scores of AttRec are negative distances, so
# what speaks for an item is positive.

# %%
reasons = model.explain(user, k=1)
reasons["title"] = reasons["cause_item_id"].map(names)
print(
    f"\n{reasons[['cause', 'title', 'contribution']].round(3).to_string(index=False)}"
)
total = reasons["contribution"].sum()
print(f"sum {total:.4f}, score {reasons['score'].iloc[0]:.4f}")

figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
ExplanationDisplay.from_estimator(model, user, names=names, ax=axes)
figure.savefig("explanation.png")

# %% [markdown]
# ## What the model reads
#
# The attention between the last items. It says what is read, not what matters.

# %%
figure, axes = plt.subplots(figsize=(8, 6), layout="constrained")
AttentionDisplay.from_estimator(model, user, names=names, ax=axes)
figure.savefig("attention.png")

# %% [markdown]
# ## Does the first reason matter?
#
# Without the first cause the score decreases.

# %%
causes = reasons.loc[reasons["cause"] == "history", "cause_item_id"]
item = reasons["item_id"].iloc[0]
history = train.loc[train["user_id"] == user].sort_values("timestamp", kind="stable")
history = history["item_id"]
for removed in (causes.iloc[0], causes.iloc[-1]):
    shorter = history[history != removed].tolist()
    score = model.explain(user, shorter, items=item)["score"].iloc[0]
    print(f"without {names[removed]}: {score:.4f}")

# %% [markdown]
# ## Which model, and for how many recommendations?

# %%
models = {
    "item kNN": ItemKNNRecommender().fit(train),
    "Markov chain": MarkovRecommender().fit(train),
    "AttRec": model,
}
figure, axes = plt.subplots(layout="constrained")
RankingCurveDisplay.from_estimators(models, test, metric="hit_rate", ax=axes)
figure.savefig("curves.png")
print("\nexplanation.png, attention.png and curves.png show the figures.")
