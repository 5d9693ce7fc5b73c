# %% [markdown]
# # Tuning omega, gamma, L and d
#
# `GridSearchCV` of scikit-learn searches the parameters. `LeaveLastOut` splits the
# interactions by time: each candidate is tested on the last items of each user. The
# rows of the final test are not used in the search.

# %%
from pathlib import Path

from _data import load_interactions
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearn_attrec import AttRecRecommender, PopularityRecommender
from sklearn_attrec.inspection import SearchHeatmapDisplay
from sklearn_attrec.model_selection import LeaveLastOut, leave_last_out_split

interactions, description = load_interactions()
print(f"Data: {description}")

# %% [markdown]
# A sample of 150 users keeps the example short. The best parameters of the sample need
# not be the best for all users.

# %%
users = interactions["user_id"].drop_duplicates().sample(150, random_state=0)
sample = interactions[interactions["user_id"].isin(users)]
train, test = leave_last_out_split(sample, unit="time")
print(f"A sample of {len(users)} users with {len(train):,} training interactions")

# %% [markdown]
# ## The baseline
#
# Popularity has no parameters to tune. Score and split are the same as in the search:
# the hit rate at 50 on the last items of each user.

# %%
baseline = PopularityRecommender(k=50)
score = cross_val_score(baseline, train, cv=LeaveLastOut(unit="time")).mean()
print(f"\nPopularity: HR@50 {score:.3f}")

# %% [markdown]
# ## The search
#
# `omega` is the weight of the long-term score against the short-term score, `gamma` is
# the margin between targets and negatives, `L` is the number of last items that the
# model reads, and `d` is the size of the embeddings. The margin matters most with
# `loss="hinge"`, the loss of the paper. A large learning rate makes a few epochs
# sufficient for the sample.

# %%
grid = {"omega": [0.1, 0.3, 0.5], "gamma": [0.2, 0.5], "L": [3, 5], "d": [16, 48]}
model = AttRecRecommender(
    loss="hinge", learning_rate=0.01, max_iter=5, k=50, random_state=0
)
search = GridSearchCV(model, grid, cv=LeaveLastOut(unit="time")).fit(train)
print(f"AttRec:     HR@50 {search.best_score_:.3f} with {search.best_params_}")
print("The five best candidates:")
candidates = zip(
    search.cv_results_["mean_test_score"], search.cv_results_["params"], strict=True
)
for score, params in sorted(candidates, key=lambda pair: -pair[0])[:5]:
    print(f"  HR@50 {score:.3f}  {params}")

# %% [markdown]
# ## The test
#
# The best score of a search is optimistic, because it is the maximum of many noisy
# scores. The test rows give a fair estimate. The search has refitted the best candidate
# on all rows of `train`.

# %%
print("\nOn the test rows:")
print(f"Popularity: HR@50 {baseline.fit(train).score(test):.3f}")
print(f"AttRec:     HR@50 {search.score(test):.3f}")

# %% [markdown]
# ## The number of epochs
#
# With early stopping, `fit` ranks a held-out item of each user after each epoch. After
# two epochs without improvement, the step size decreases to 0 in half as many
# epochs. `fit` keeps the best weights.

# %%
model = clone(search.best_estimator_).set_params(max_iter=30, early_stopping=True)
model.fit(train)
best = max(model.validation_scores_)
print(f"\nEarly stopping after {model.n_iter_} epochs, best NDCG@50 {best:.3f}")

# %% [markdown]
# ## The heat map
#
# Each cell on the left shows the best score of all candidates with its `omega` and
# `gamma`; each cell on the right, with its `L` and `d`. The frame marks the best
# candidate. With 150 users, differences below about 0.04 are noise.

# %%
figure = Figure(figsize=(11, 4), layout="constrained")
left, right = figure.subplots(1, 2)
SearchHeatmapDisplay.from_search(search, x="omega", y="gamma", ax=left)
SearchHeatmapDisplay.from_search(search, x="L", y="d", ax=right)
picture = Path(__file__).with_suffix(".png")
figure.savefig(picture)
print(f"\nFigure: {picture}")
