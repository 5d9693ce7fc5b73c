"""
Items that nobody has bought yet
================================

A new product has no interactions, so a model of interactions alone cannot recommend it.
With `item_features`, a table that describes the items, it can: here with the titles,
turned into vectors by scikit-learn. The picture compares this with two baselines.
"""

# %%
# The data
# --------
#
# A sample of 6,000 users keeps the example short. The tenth of the items that appear
# last is held out with all its rows, as if it came into the shop tomorrow. The test
# rows are those of new items that come after the other rows of their user.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _data import load_titles, sample_users
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize

from sklearn_attrec import AttRecRecommender
from sklearn_attrec.inspection import RankingCurveDisplay
from sklearn_attrec.metrics import hit_rate

interactions, titles, description = load_titles()
print(f"Data: {description}")
interactions = sample_users(interactions, 6000)
first = interactions.groupby("item_id")["timestamp"].min().sort_values()
new = first.index[len(first) * 9 // 10 :]
titles = titles[titles["item_id"].isin(first.index)]

is_new = interactions["item_id"].isin(new)
train, test = interactions[~is_new], interactions[is_new]
last = train.groupby("user_id")["timestamp"].max()
test = test[test["timestamp"] > test["user_id"].map(last)]
print(f"{len(first):,} items, {len(new):,} of them new; {len(test):,} test rows")

# %%
# From titles to vectors
# ----------------------

texts = titles["title"].fillna("")
to_vectors = make_pipeline(
    TfidfVectorizer(stop_words="english", sublinear_tf=True),
    TruncatedSVD(min(64, texts.nunique() // 4), random_state=0),
)
vectors = to_vectors.fit_transform(texts)

# %%
# The baselines
# -------------
#
# The first baseline is a random order of all items. The second one recommends items
# whose titles are similar to the titles of the user's history: a score is the sum of
# the cosine similarities. Items of the history are excluded.

by_item = pd.DataFrame(normalize(vectors), index=titles["item_id"])
own = train[train["user_id"].isin(test["user_id"])]
tastes = by_item.loc[own["item_id"]].groupby(own["user_id"].to_numpy()).sum()
users, ids = tastes.index, by_item.index
scores = tastes.to_numpy() @ by_item.to_numpy().T  # (users, items)
scores[users.get_indexer(own["user_id"]), ids.get_indexer(own["item_id"])] = -np.inf
scores = scores[users.get_indexer(test["user_id"])]  # (rows, items)
targets = scores[np.arange(len(test)), ids.get_indexer(test["item_id"])]
ranks = (scores >= targets[:, None]).sum(axis=1)
print(f"In a random order:  HR@50 {50 / len(titles):.3f}")
print(f"By similar titles:  HR@50 {hit_rate(ranks, 50):.3f}")

# %%
# AttRec with titles
# ------------------
#
# A column of lists of numbers is one feature. An item without a title gets None, which
# is learned as a value of its own. Items that only the table has become part of the
# catalogue. Without `item_features`, AttRec could not rank the new items at all, and
# `score` would raise an error. Which columns are possible: :doc:`/catalogue`.

items = pd.DataFrame({"item_id": titles["item_id"], "title": list(vectors)})
items["title"] = items["title"].where(titles["title"].notna(), None)
model = AttRecRecommender(d=50, max_iter=5, item_features=items, random_state=0)
model.fit(train)
found = model.target_ranks(test)
print(f"AttRec with titles: HR@50 {hit_rate(found, 50):.3f}")

# %%
# The picture shows more than one length of the list.

ks = np.arange(1, 101)
curves = {
    "Random order": ks / len(titles),
    "Similar titles": [hit_rate(ranks, k) for k in ks],
    "AttRec with titles": [hit_rate(found, k) for k in ks],
}
fig, ax = plt.subplots(layout="constrained")
display = RankingCurveDisplay(curves, metric_name="HR@K").plot(ax=ax)
display.lines_[0].set(color="#999999", linestyle=":")
display.lines_[1].set(color="#999999")
display.lines_[2].set(color="#0072B2")
ax.set(title="How often new items reach their first buyers", ylim=(0, None))
ax.legend()
plt.show()

# %%
# What is similar to a new item?
# ------------------------------
#
# The known items that are most similar to three new ones, with their titles.

names = titles.set_index("item_id")["title"]
examples = names[new].dropna().index[:3]
similar = model.similar_items(examples, k=2, candidates=train["item_id"].unique())
for column in ("item_id", "similar_item_id"):
    similar[column] = similar[column].map(names).str[:25]
print(similar.round(3).to_string(index=False))

# %%
# The next delivery
# -----------------
#
# Items that arrive after the fit need no training: set the table to the new rows, and
# `partial_fit` adds them.

delivery = items.tail(1).assign(item_id=items["item_id"].max() + 1)
model.set_params(item_features=delivery).partial_fit(train[:0])
print(f"{len(model.items_):,} items after the delivery")
