# %% [markdown]
# # Ratings in a Pipeline
#
# Ratings tell which items users liked. Steps of a Pipeline can drop low ratings,
# repeated interactions, and rare users and items. They drop rows of the training set
# only. The test set stays the same for all parameters of these steps, so scores can be
# compared.

# %%
import warnings

from _data import load_interactions
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_attrec import AttRecRecommender, PopularityRecommender
from sklearn_attrec.exceptions import NoHistoryWarning
from sklearn_attrec.model_selection import LeaveLastOut, leave_last_out_split
from sklearn_attrec.preprocessing import DropRepeats, KCoreFilter, RatingThreshold

ratings, description = load_interactions()
print(f"Data: {description}")
print(ratings["rating"].value_counts().sort_index().to_string())

# %% [markdown]
# The test set is the last items of each user, if their rating is at least 4: an item
# that the user disliked should not be recommended.

# %%
train, test = leave_last_out_split(ratings, unit="time")
liked = test[test["rating"] >= 4]
print(f"\n{len(train):,} training ratings, {len(liked):,} test rows")

# %% [markdown]
# ## The baseline in a Pipeline
#
# Does it help to train on high ratings only, and what is the best threshold? A grid
# search answers this. It is fast with the baseline, and its scores can be compared,
# because all thresholds are tested on the same rows.
#
# A high threshold drops all rows of some users. They get popular items, and a warning
# would say how many test rows this affects. Here this is intended.

# %%
warnings.simplefilter("ignore", NoHistoryWarning)
steps = [RatingThreshold(4), DropRepeats(), KCoreFilter(min_per_user=3, min_per_item=3)]
baseline = make_pipeline(*steps, PopularityRecommender(k=50))
search = GridSearchCV(
    baseline,
    {"ratingthreshold__threshold": [1, 2, 3, 4, 5]},
    cv=LeaveLastOut(unit="time"),
).fit(train)
print("\nPopularity on validation rows, by the lowest rating that is kept:")
for threshold, score in enumerate(search.cv_results_["mean_test_score"], start=1):
    print(f"  {threshold}: HR@50 {score:.3f}")

# %% [markdown]
# ## AttRec in the same Pipeline
#
# AttRec is fitted on the high ratings, then on all ratings. A low rating still shows
# what a user watched, so all ratings can give the better model.

# %%
print(f"\nPopularity, rating >= 4:  HR@50 {baseline.fit(train).score(liked):.3f}")
for threshold in (4, 1):
    model = AttRecRecommender(max_iter=5, k=50, random_state=0)
    pipeline = make_pipeline(*steps, model)
    pipeline.set_params(ratingthreshold__threshold=threshold).fit(train)
    n_kept = pipeline[0].n_rows_out_
    print(
        f"AttRec, rating >= {threshold}:      HR@50 {pipeline.score(liked):.3f} "
        f"({n_kept:,} of {len(train):,} ratings kept)"
    )

# %% [markdown]
# ## Recommendations
#
# The `predict` of the Pipeline is that of the recommender. Its other methods, such as
# `recommend`, are available on the last step: filters do not change queries. The best
# Pipeline of a search is its `best_estimator_`.

# %%
users = test["user_id"].head(3).tolist()
print(f"\nFive items for each of the users {users}:")
print(pipeline.predict(users, k=5))
print(pipeline[-1].recommend(users, k=2))
print(search.best_estimator_[-1].recommend(users, k=2))
