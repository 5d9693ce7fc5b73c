# %% [markdown]
# # Items that nobody has bought yet
#
# A new product has no interactions, so a model of interactions alone cannot recommend
# it. With `item_features`, a table that describes the items, it can: here the titles,
# turned into vectors by scikit-learn. The tenth of the items that appear last is held
# out with all its rows, as if it came into the shop tomorrow.

# %%
import pandas as pd
from _data import load_titles
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from sklearn_attrec import AttRecRecommender

interactions, titles, description = load_titles()
print(f"Data: {description}")

first = interactions.groupby("item_id")["timestamp"].min().sort_values()
new = first.index[len(first) * 9 // 10 :]
is_new = interactions["item_id"].isin(new)
train, later = interactions[~is_new], interactions[is_new]
print(f"{len(titles)} items, {len(new)} of them new")

# %% [markdown]
# ## From titles to vectors
#
# A column of lists of numbers is one feature. An item without a title gets None, which
# is learned as a value of its own.

# %%
texts = titles["title"].fillna("")
to_vectors = make_pipeline(
    TfidfVectorizer(stop_words="english", sublinear_tf=True),
    TruncatedSVD(min(64, texts.nunique() // 4), random_state=0),
)
vectors = to_vectors.fit_transform(texts)
items = pd.DataFrame({"item_id": titles["item_id"], "title": list(vectors)})
items["title"] = items["title"].where(titles["title"].notna(), None)

# %% [markdown]
# ## The fit
#
# Items that only the table has become part of the catalogue.

# %%
model = AttRecRecommender(max_iter=5, item_features=items, random_state=0).fit(train)
print(f"{len(model.items_)} items can be recommended")

# %% [markdown]
# ## The first buyers
#
# Each row of a new item is ranked among all items, if it comes after the other rows of
# its user. Popularity and any model without features never find it.

# %%
last = train.groupby("user_id")["timestamp"].max()
later = later[later["timestamp"] > later["user_id"].map(last)]
hits = model.target_ranks(later) <= 50
print(f"\n{len(later)} rows of new items, HR@50: {hits.mean():.3f}")
print(f"in a random order it would be {50 / len(model.items_):.3f}")

# %% [markdown]
# ## What resembles a new item?
#
# Titles are joined as pandas joins anything.

# %%
names = titles.set_index("item_id")["title"]
old = train["item_id"].unique()
examples = [item for item in new if isinstance(names[item], str)][:3]
similar = model.similar_items(examples, k=2, candidates=old)
for column in ("item_id", "similar_item_id"):
    similar[column] = similar[column].map(names).str[:45]
print(f"\n{similar.round(3).to_string(index=False)}")

# %% [markdown]
# ## The next delivery
#
# Items that arrive after the fit need no training: set the table to the new rows, and
# `partial_fit` adds them.

# %%
delivery = items.tail(1).assign(item_id=items["item_id"].max() + 1)
model.set_params(item_features=delivery).partial_fit(train[:0])
print(f"\n{len(model.items_)} items after the delivery")
