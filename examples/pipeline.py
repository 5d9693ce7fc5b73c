"""
Ratings in a Pipeline
=====================

Ratings tell which items users liked. Should a model be trained on high ratings only? A
step of a Pipeline drops low ratings, and a grid search compares its thresholds. Such
steps drop rows of the training set only. The test rows stay the same, so the scores can
be compared.
"""

# %%
# The data
# --------
#
# A sample of 400 users keeps the example short. The test set is the last items of each
# user, if their rating is at least 4: an item that the user disliked should not be
# recommended.

import warnings

import matplotlib.pyplot as plt
from _data import load_interactions, sample_users
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_attrec import AttRecRecommender, PopularityRecommender
from sklearn_attrec.exceptions import NoHistoryWarning
from sklearn_attrec.model_selection import LeaveLastOut, leave_last_out_split
from sklearn_attrec.preprocessing import DropRepeats, KCoreFilter, RatingThreshold

ratings, description = load_interactions()
print(f"Data: {description}")
train, test = leave_last_out_split(sample_users(ratings, 400), unit="time")
liked = test[test["rating"] >= 4]
print(f"{len(train):,} training ratings, {len(liked):,} test rows")
print(train["rating"].value_counts().sort_index().to_string())


# %%
# The baseline
# ------------
#
# The Pipeline drops ratings below a threshold, repeated interactions, and rare users
# and items. Its last step is the recommender, here popularity. A high threshold drops
# all rows of some users. They get popular items, and a warning would say how many test
# rows this affects. Here this is intended. Films whose rows are dropped are not known
# as seen; a column `weight` of 0 instead would keep them, see :doc:`/data`.

warnings.simplefilter("ignore", NoHistoryWarning)
thresholds = [1, 2, 3, 4, 5]


def search(recommender):
    """Search the threshold of a Pipeline that ends with a recommender."""
    core = KCoreFilter(min_per_user=3, min_per_item=3)
    pipeline = make_pipeline(RatingThreshold(), DropRepeats(), core, recommender)
    grid = {"ratingthreshold__threshold": thresholds}
    return GridSearchCV(pipeline, grid, cv=LeaveLastOut(unit="time")).fit(train)


popularity = search(PopularityRecommender(k=50))
print(popularity.cv_results_["mean_test_score"].round(3))

# %%
# AttRec in the same Pipeline
# ---------------------------
#
# A low rating still shows what a user watched, so a low threshold can give the better
# model.

attrec = search(AttRecRecommender(max_iter=4, k=50, random_state=0))
print(attrec.cv_results_["mean_test_score"].round(3))

fig, ax = plt.subplots(layout="constrained")
for name, found, color, style in [
    ("AttRec", attrec, "#0072B2", "-o"),
    ("Popularity", popularity, "#999999", "--s"),
]:
    scores = found.cv_results_["mean_test_score"]
    ax.plot(thresholds, scores, style, color=color, label=name)
ax.set(title="Which ratings should a model learn from?", xticks=thresholds)
ax.set(xlabel="Lowest rating in the training set", ylim=(0, None))
ax.set(ylabel="HR@50 on the validation rows, higher is better")
ax.legend()
plt.show()

# %%
# The test
# --------
#
# The search has refitted the best Pipeline on all training rows.

for name, found in [("Popularity", popularity), ("AttRec", attrec)]:
    pipeline = found.best_estimator_
    print(
        f"{name:10} HR@50 {found.score(liked):.3f} on the test rows, fitted on "
        f"{pipeline[0].n_rows_out_:,} of {len(train):,} ratings"
    )

# %%
# Recommendations
# ---------------
#
# The `predict` of the Pipeline is that of the recommender. Its other methods, such as
# `recommend`, are available on the last step: filters do not change queries.

users = test["user_id"].head(3).tolist()
print(attrec.best_estimator_.predict(users, k=5))
print(attrec.best_estimator_[-1].recommend(users, k=2))
