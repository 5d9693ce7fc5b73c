"""
Tuning with a grid search
=========================

`GridSearchCV` of scikit-learn searches the parameters of AttRec. A heat map shows the
score of each candidate, and the test rows, which the search does not use, show whether
the search was worth it.
"""

# %%
# The data
# --------
#
# A sample of 150 users keeps the example short. The best parameters of the sample need
# not be the best for all users.

import matplotlib.pyplot as plt
from _data import load_interactions, sample_users
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearn_attrec import AttRecRecommender, PopularityRecommender
from sklearn_attrec.inspection import LossCurveDisplay, SearchHeatmapDisplay
from sklearn_attrec.model_selection import LeaveLastOut, leave_last_out_split

interactions, description = load_interactions()
print(f"Data: {description}")
train, test = leave_last_out_split(sample_users(interactions, 150), unit="time")
print(f"{len(train):,} training interactions, {len(test):,} test interactions")

# %%
# The baseline
# ------------
#
# Popularity has no parameters to tune. Score and split are the same as in the search:
# the hit rate at 50 on the last items of each user. `LeaveLastOut` splits by time.

baseline = PopularityRecommender(k=50)
score = cross_val_score(baseline, train, cv=LeaveLastOut(unit="time")).mean()
print(f"Popularity: HR@50 {score:.3f} on the validation rows")

# %%
# The search
# ----------
#
# `omega` is the weight of the long-term score against the short-term score, and `L` is
# the number of last items that the model reads. A large learning rate makes a few
# epochs sufficient for the sample.

grid = {"omega": [0.1, 0.3, 0.5], "L": [2, 4, 8]}
model = AttRecRecommender(learning_rate=0.01, max_iter=4, k=50, random_state=0)
search = GridSearchCV(model, grid, cv=LeaveLastOut(unit="time")).fit(train)
print(f"AttRec: HR@50 {search.best_score_:.3f} with {search.best_params_}")

# %%
# With 150 users, differences below about 0.04 are noise.

fig, ax = plt.subplots(layout="constrained")
display = SearchHeatmapDisplay.from_search(search, x="omega", y="L", ax=ax)
display.im_.colorbar.set_label("HR@50 on the validation rows, higher is better")
ax.set_title("Nine candidates; the frame marks the best")
ax.set_xlabel("omega, weight of the long-term score")
ax.set_ylabel("L, number of last items")
plt.show()

# %%
# The test
# --------
#
# The best score of a search is optimistic, because it is the maximum of many noisy
# scores. The test rows give a fair estimate. The search has refitted the best candidate
# on all rows of `train`; the same model with the default `omega` and `L` is fitted for
# comparison.

scores = {
    "Popularity": baseline.fit(train).score(test),
    "AttRec, default omega and L": clone(model).fit(train).score(test),
    "AttRec, best candidate": search.score(test),
}
fig, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
bars = ax.barh([*scores], [*scores.values()], color=["#999999", "#56B4E9", "#0072B2"])
ax.bar_label(bars, fmt="%.3f", padding=3)
ax.invert_yaxis()
ax.margins(x=0.2)
ax.set(title="What the search gains on the test rows", xlabel="HR@50, higher is better")
plt.show()

# %%
# The number of epochs
# --------------------
#
# The number of epochs needs no search. With early stopping, `fit` ranks a held-out item
# of each user after each epoch. After two epochs without improvement, the learning rate
# decreases to 0 in half as many epochs. `fit` keeps the best weights.

model = clone(search.best_estimator_).set_params(max_iter=30, early_stopping=True)
model.fit(train)
print(f"Stopped after {model.n_iter_} epochs")

fig, ax = plt.subplots(layout="constrained")
LossCurveDisplay.from_estimator(model, ax=ax)
ax.set_title("Loss and validation score until the training stops")
plt.show()
