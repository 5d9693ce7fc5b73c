# %% [markdown]
# # From ratings to recommendations in a Pipeline
#
# Ratings say more than that something was watched. Steps of a Pipeline turn them into
# likes and drop what is too rare to learn from, from the training rows only: the test
# stays the same whatever the steps drop, so that scores can be compared.

# %%
from _data import load_interactions
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_attrec import AttRecRecommender, PopularityRecommender
from sklearn_attrec.model_selection import LeaveLastOut, leave_last_out_split
from sklearn_attrec.preprocessing import DropRepeats, KCoreFilter, RatingThreshold

ratings, description = load_interactions()
print(f"Data: {description}")
print(ratings["rating"].value_counts().sort_index().to_string())

# %% [markdown]
# The test: the last item of each user, if they liked it. What a user thought little of
# is nothing to recommend.

# %%
train, test = leave_last_out_split(ratings)
liked = test[test["rating"] >= 4]
print(f"\n{len(train):,} ratings to learn from, {len(liked):,} likes to find")

# %% [markdown]
# ## The baseline in a Pipeline
#
# Does it help to count likes only, and from which rating on is it one? A search over
# the threshold tells. It is quick with the baseline, and its score is honest, since
# every threshold is tested on the same rows.

# %%
steps = [RatingThreshold(4), DropRepeats(), KCoreFilter(min_per_user=3, min_per_item=3)]
baseline = make_pipeline(*steps, PopularityRecommender(k=50))
search = GridSearchCV(
    baseline, {"ratingthreshold__threshold": [1, 2, 3, 4, 5]}, cv=LeaveLastOut()
).fit(train)
print("\nPopularity on validation rows, by the lowest rating kept:")
for threshold, score in enumerate(search.cv_results_["mean_test_score"], start=1):
    print(f"  {threshold}: HR@50 {score:.3f}")

# %% [markdown]
# ## AttRec in the same Pipeline
#
# Once with likes only and once with all ratings. Whoever watches something they dislike
# still shows what they watch, so fewer rows need not make a better model.

# %%
print(f"\nPopularity, likes only:  HR@50 {baseline.fit(train).score(liked):.3f}")
for threshold, words in [(4, "likes only: "), (1, "all ratings:")]:
    model = AttRecRecommender(loss="softmax", max_iter=5, k=50, random_state=0)
    pipeline = make_pipeline(*steps, model)
    pipeline.set_params(ratingthreshold__threshold=threshold).fit(train)
    kept = pipeline[0].n_rows_out_
    print(
        f"AttRec, {words}    HR@50 {pipeline.score(liked):.3f} "
        f"({kept:,} of {len(train):,} ratings kept)"
    )

# %% [markdown]
# ## Recommendations
#
# The Pipeline predicts for users as the recommender does. Tables and more come from the
# last step.

# %%
users = test["user_id"].head(3).tolist()
print(f"\nFive items each for users {users}:")
print(pipeline.predict(users, k=5))
print(pipeline[-1].recommend(users, k=2))
