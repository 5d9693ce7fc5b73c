# %% [markdown]
# # A model that learns from new rows
#
# Every day brings new interactions, new users and new items. `partial_fit` adds them to
# a fitted model in a fraction of the time of another fit. This example replays the last
# tenth of the data in five parts and compares two models on the rows of each part,
# before one of them learns from it.

# %%
import copy
import itertools
import time
from tempfile import TemporaryDirectory

from _data import load_interactions

from sklearn_attrec import AttRecRecommender, load_model, save_model
from sklearn_attrec.metrics import evaluate

interactions, description = load_interactions()
print(f"Data: {description}")

# %% [markdown]
# ## The first nine tenths
#
# Rows in the order of time. The model is fitted once.

# %%
interactions = interactions.sort_values("timestamp", kind="stable")
n = len(interactions)
ends = [n * part // 50 for part in range(45, 51)]
model = AttRecRecommender(max_iter=5, random_state=0)
model.fit(interactions[: ends[0]])
print(f"{len(model.users_)} users, {len(model.items_)} items")

# %% [markdown]
# ## The last tenth
#
# `context="earlier"` gives each row all earlier rows of its user as history, so the
# model that is never updated knows them, too: a history alone needs no new training,
# even that of a new user. It cannot recommend new items, though, nor follow new tastes.


# %%
def hit_rate(model, rows):
    found = evaluate(model, rows, 20, context="earlier")
    return f"{found['hit_rate@20'].iloc[0]:.3f}"


updated = copy.deepcopy(model)
print("\nHR@20 of the next rows: never updated, partial_fit")
for start, end in itertools.pairwise(ends):
    rows = interactions[start:end]
    print(f"{len(rows):6} rows  {hit_rate(model, rows)}  {hit_rate(updated, rows)}")
    if end < n:
        begin = time.perf_counter()
        updated.partial_fit(rows)
        print(f"       partial_fit: {time.perf_counter() - begin:.1f} s")

# %% [markdown]
# ## Another fit, for comparison
#
# A fit on all earlier rows, ranked on the last part, as above.

# %%
begin = time.perf_counter()
again = AttRecRecommender(**model.get_params()).fit(interactions[: ends[-2]])
print(f"\nfit on all rows before: {time.perf_counter() - begin:.1f} s")
print(f"{len(rows):6} rows         {hit_rate(again, rows)}")

# %% [markdown]
# ## Saved and loaded in between
#
# A model file holds all that `partial_fit` needs. The optimiser starts anew each time,
# so a loaded model learns exactly what the saved one would have learned.

# %%
rows = interactions[ends[0] : ends[1]]
with TemporaryDirectory() as folder:
    save_model(model, f"{folder}/model.attrec")
    loaded = load_model(f"{folder}/model.attrec").partial_fit(rows)
model.partial_fit(rows)
same = (loaded.predict(loaded.users_) == model.predict(model.users_)).all()
print(f"\nThe loaded model recommends the same: {same}")
print(f"{len(loaded.users_)} users, {len(loaded.items_)} items")
