# %% [markdown]
# # Demo
#
# Train AttRec on MovieLens 100K, hold out the last films of each user (all that were
# rated at the last time), and measure how often the model recommends them. The baseline
# recommends the same popular films to everybody. `make demo` runs this script.

# %%
import time
from pathlib import Path

import pandas as pd
from _data import load_interactions
from matplotlib.figure import Figure

from sklearn_attrec import AttRecRecommender, PopularityRecommender
from sklearn_attrec.inspection import LossCurveDisplay
from sklearn_attrec.metrics import evaluate
from sklearn_attrec.model_selection import leave_last_out_split

METRICS = {"hit_rate@10": "HR@10", "hit_rate@50": "HR@50", "mrr": "MRR"}

interactions, description = load_interactions()
train, test = leave_last_out_split(interactions, unit="time")
print(f"Data: {description}")
print(
    f"{len(interactions):,} interactions, {interactions['user_id'].nunique():,} users, "
    f"{interactions['item_id'].nunique():,} items; "
    f"the last {len(test):,} interactions of {test['user_id'].nunique():,} users are "
    "held out.\n"
)

# %% [markdown]
# With `verbose=1`, `fit` prints one line per epoch.

# %%
print("Training AttRecRecommender with its default parameters:")
start = time.perf_counter()
model = AttRecRecommender(verbose=1, random_state=0).fit(train)
print(f"Trained in {time.perf_counter() - start:.0f} s.\n")
baseline = PopularityRecommender().fit(train)

# %% [markdown]
# Each held-out item is ranked among all items that the user has not interacted with.

# %%
results = pd.concat([evaluate(baseline, test), evaluate(model, test)])
results = results.set_axis(["Popularity", "AttRec"])[[*METRICS]].rename(columns=METRICS)
print("Held-out items, ranked among all items:")
print(results.to_string(float_format="{:.3f}".format), end="\n\n")

# %% [markdown]
# One user: the history, the held-out item, and the recommendations.

# %%
user = test["user_id"].iloc[0]
history = train[train["user_id"] == user].sort_values("timestamp", kind="stable")
target = test["item_id"].iloc[0]
print(f"Last ten training items of user {user}: {history['item_id'].tail(10).tolist()}")
print(f"Held-out item: {target}. ", end="")
print(f"AttRec ranks it at position {model.target_ranks(test.iloc[:1])[0]:.0f}.\n")
print(f"Ten recommendations for user {user}:")
print(model.recommend(user, k=10).to_string(index=False), end="\n\n")

# %% [markdown]
# A figure with the training loss and the results.

# %%
figure = Figure(figsize=(10, 4), layout="constrained")
left, right = figure.subplots(1, 2)
LossCurveDisplay.from_estimator(model, ax=left, color="#4c72b0")
left.set_title("Training loss of AttRec")
left.grid(alpha=0.3)

colors = {"Popularity": "#b0b0b0", "AttRec": "#4c72b0"}
results.T.plot.bar(ax=right, color=colors, rot=0, width=0.75)
for bars in right.containers:
    right.bar_label(bars, fmt="%.3f", padding=2, fontsize=9)
right.set_title("Held-out items: AttRec and popularity")
right.margins(y=0.12)
right.legend(frameon=False)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)

picture = Path("demo.png").resolve()
figure.savefig(picture, dpi=120)
print(f"Figure: {picture}")
