"""Searches, cross-validation, pipelines and callbacks, with fits that really train."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline

from sklearn_attrec import (
    AttRecRecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
)
from sklearn_attrec.exceptions import LeakageWarning
from sklearn_attrec.metrics import (
    hit_rate,
    make_multi_ranking_scorer,
    make_ranking_scorer,
    ranks_in_lists,
)
from sklearn_attrec.model_selection import (
    LeaveLastOut,
    TimeCutoffSplit,
    leave_last_out_split,
)
from sklearn_attrec.preprocessing import DropRepeats, KCoreFilter, RatingThreshold

ignore_leaks = pytest.mark.filterwarnings(
    "ignore::sklearn_attrec.exceptions.LeakageWarning"
)


def attrec(**params):
    settings = {"d": 4, "L": 3, "max_iter": 1, "batch_size": 32, "k": 2}
    return AttRecRecommender(**{**settings, "random_state": 0, **params})


def transformer(cls, **params):
    settings = {"d": 4, "L": 3, "n_blocks": 1, "dropout": 0.2, "loss": "softmax"}
    settings |= {"max_iter": 1, "batch_size": 32, "k": 2, "random_state": 0}
    return cls(**{**settings, **params})


@pytest.fixture
def interactions():
    """30 users, 20 items, 12 rows a user, no two rows at the same time."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "user_id": np.repeat(np.arange(30), 12),
            "item_id": (20 * rng.random(360) ** 2).astype(int),
            "rating": rng.integers(1, 6, size=360),
            "timestamp": rng.permutation(360),
        }
    )
    return frame.drop_duplicates(["user_id", "item_id"], ignore_index=True)


@pytest.fixture(autouse=True)
def fresh_workers():
    """Start no worker where another test left one.

    Where psutil is installed, joblib takes a worker that imports TensorFlow after a
    task without it for one that leaks memory, and replaces it.
    """
    get_reusable_executor().shutdown(wait=True)


def by_hand(model, X, cv):
    scores = []
    for train, test in cv.split(X):
        scores.append(clone(model).fit(X.iloc[train]).score(X.iloc[test]))
    return scores


def results_of(search):
    return {
        name: values
        for name, values in search.cv_results_.items()
        if "time" not in name
    }


@pytest.mark.case("F14")
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_grid_search_one_by_one_and_two_at_once(backend, interactions):
    grid = {"omega": [0.2, 0.8], "L": [1, 3], "d": [3]}
    searches = []
    for n_jobs in (1, 2):
        with joblib.parallel_config(backend, n_jobs=n_jobs):
            search = GridSearchCV(attrec(), grid, cv=LeaveLastOut(n_splits=2))
            searches.append(search.fit(interactions))
    first, second = map(results_of, searches)
    assert first.keys() == second.keys()
    for name, values in first.items():
        assert_array_equal(np.asarray(values), np.asarray(second[name]), err_msg=name)
    search = searches[0]
    for row, params in enumerate(search.cv_results_["params"]):
        expected = by_hand(attrec(**params), interactions, LeaveLastOut(n_splits=2))
        got = [search.cv_results_[f"split{s}_test_score"][row] for s in (0, 1)]
        assert got == expected
    refitted = attrec(**search.best_params_).fit(interactions)
    assert_array_equal(search.predict([1, 2]), refitted.predict([1, 2]))
    assert_array_equal(searches[1].predict([1, 2]), refitted.predict([1, 2]))
    assert search.predict(1).shape == (2,)


@pytest.mark.parametrize("cls", [SASRecRecommender, SSEPTRecommender])
def test_grid_search_over_losses_and_lengths(cls, interactions):
    model, cv = transformer(cls), LeaveLastOut(n_splits=2)
    grid = {"loss": ["softmax", "gbce"], "L": [2, 9], "n_heads": [1, 2]}
    search = GridSearchCV(model, grid, cv=cv).fit(interactions)
    results = search.cv_results_
    assert len(results["params"]) == 8
    assert len(set(results["mean_test_score"])) > 1
    for row in (0, 7):
        one = clone(model).set_params(**results["params"][row])
        got = [results[f"split{s}_test_score"][row] for s in (0, 1)]
        assert got == by_hand(one, interactions, cv)
    refitted = clone(model).set_params(**search.best_params_).fit(interactions)
    assert_array_equal(search.predict([1, 2]), refitted.predict([1, 2]))


@pytest.mark.parametrize("cls", [SASRecRecommender, SSEPTRecommender])
def test_grid_search_compiles_each_structure_once(cls, interactions):
    from sklearn_attrec._training import _run_steps  # imports TensorFlow

    transformer(cls).fit(interactions)
    count = _run_steps.experimental_get_tracing_count()
    grid = {"L": [1, 4], "d": [4, 6], "learning_rate": [0.1], "dropout": [0.1, 0.5]}
    grid |= {"windows": ["all", "last"], "schedule": ["constant", "cosine"]}
    GridSearchCV(transformer(cls), grid, cv=LeaveLastOut()).fit(interactions)
    assert _run_steps.experimental_get_tracing_count() == count


@pytest.mark.parametrize(
    "model",
    [
        attrec(),
        PopularityRecommender(k=2),
        transformer(SASRecRecommender),
        transformer(SSEPTRecommender),
    ],
    ids=["AttRec", "Popularity", "SASRec", "SSEPT"],
)
def test_the_default_cv(model, interactions):
    # Five rows a user: each of the five folds holds users that its train rows do not.
    search = GridSearchCV(model, {"k": [1, 20]})
    search.fit(interactions.groupby("user_id").head(5))
    scores = search.cv_results_["mean_test_score"]
    assert 0 <= scores[0] < scores[1] <= 1
    assert search.best_params_ == {"k": 20}
    # In the order of time the first four train on what comes after them.
    with pytest.warns(LeakageWarning, match="LeaveLastOut"):
        GridSearchCV(model, {"k": [1]}).fit(interactions.sort_values("timestamp"))


@pytest.mark.parametrize(
    "cv",
    [LeaveLastOut(n_last=2, n_splits=2), TimeCutoffSplit(n_splits=2)],
    ids=["LeaveLastOut", "TimeCutoffSplit"],
)
def test_splitters(cv, interactions):
    model = attrec()
    scores = cross_val_score(model, interactions, cv=cv)
    assert scores.tolist() == by_hand(model, interactions, cv)
    search = GridSearchCV(model, {"gamma": [0.1, 1.0]}, cv=cv).fit(interactions)
    assert len(search.cv_results_["params"]) == 2
    assert search.n_splits_ == 2
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@ignore_leaks  # halving scores the training rows too
def test_halving_over_epochs(interactions):
    search = HalvingGridSearchCV(
        attrec(),
        {"omega": [0.1, 0.4, 0.6, 0.9]},
        resource="max_iter",
        min_resources=1,
        max_resources=2,
        factor=2,
        cv=LeaveLastOut(),
    ).fit(interactions)
    assert search.n_resources_ == [1, 2]
    assert search.n_candidates_ == [4, 2]
    assert search.best_params_["max_iter"] == 2
    assert search.best_estimator_.n_iter_ == 2


@pytest.mark.parametrize("y", [None, "item_id"])
def test_cross_val_predict(interactions, y):
    model, cv = attrec(), KFold(3, shuffle=True, random_state=0)
    y = y and interactions[y]
    answers = cross_val_predict(model, interactions, y, cv=cv)
    assert answers.shape == (len(interactions), 2)
    for train, test in cv.split(interactions):
        fitted = clone(model).fit(interactions.iloc[train])
        assert_array_equal(answers[test], fitted.predict(interactions.iloc[test]))


def _hits(y_true, y_pred):
    return hit_rate(ranks_in_lists(y_true, y_pred), k=2)


@pytest.mark.parametrize("ids", ["int64", "str"])
def test_make_scorer(interactions, ids):
    X = interactions.astype({"item_id": ids})
    y, grid = X["item_id"], {"omega": [0.2, 0.8]}
    searches = [
        GridSearchCV(attrec(), grid, cv=LeaveLastOut(), scoring=scoring).fit(X, y)
        for scoring in (None, make_scorer(_hits), make_ranking_scorer("hit_rate", k=2))
    ]
    expected = searches[0].cv_results_["mean_test_score"]
    assert 0 < expected.max() < 1
    for search in searches[1:]:
        assert_array_equal(search.cv_results_["mean_test_score"], expected)
        assert search.best_params_ == searches[0].best_params_


def test_ranking_scorers(interactions):
    scorer = make_multi_ranking_scorer(("hit_rate", "mrr"), k=(2, 10))
    search = GridSearchCV(
        attrec(), {"L": [1, 3]}, cv=LeaveLastOut(), scoring=scorer, refit="mrr@10"
    ).fit(interactions)
    single = GridSearchCV(
        attrec(), {"L": [1, 3]}, cv=LeaveLastOut(), scoring=make_ranking_scorer("mrr")
    ).fit(interactions)
    results = search.cv_results_
    assert_array_equal(
        results["mean_test_mrr@10"], single.cv_results_["mean_test_score"]
    )
    plain = cross_validate(attrec(L=1), interactions, cv=LeaveLastOut())
    assert results["mean_test_hit_rate@2"][0] == plain["test_score"][0]


def test_pipeline(interactions):
    pipeline = make_pipeline(
        RatingThreshold(2),
        DropRepeats(),
        KCoreFilter(min_per_user=2, min_per_item=2),
        attrec(),
    )
    train, test = leave_last_out_split(interactions)
    pipeline.fit(train)
    kept = train
    for step in pipeline[:-1]:
        kept = clone(step).fit_transform(kept)
    assert 0 < len(kept) < len(train)
    alone = attrec().fit(kept)
    assert pipeline.score(test) == alone.score(test)  # no row of test is dropped
    assert_array_equal(pipeline.predict(test), alone.predict(test))
    assert_array_equal(pipeline.predict([1, 2]), alone.predict([1, 2]))
    assert_array_equal(pipeline.predict(1), alone.predict(1))

    grid = {"ratingthreshold__threshold": [1, 4], "attrecrecommender__L": [3]}
    search = GridSearchCV(pipeline, grid, cv=LeaveLastOut()).fit(interactions)
    for row, threshold in enumerate([1, 4]):
        one = clone(pipeline).set_params(ratingthreshold__threshold=threshold)
        expected = one.fit(train).score(test)
        assert search.cv_results_["mean_test_score"][row] == expected


def test_clones_and_copies_of_a_search(interactions):
    search = GridSearchCV(
        attrec(),
        {"omega": [0.2, 0.8]},
        cv=LeaveLastOut(),
        scoring=make_ranking_scorer("ndcg", k=5),
    )
    fresh = clone(search)
    assert fresh.get_params()["estimator__d"] == 4
    search.fit(interactions)
    again = clone(search)
    assert not hasattr(again, "best_estimator_")
    again.fit(interactions)
    assert again.best_score_ == search.best_score_
    copied = pickle.loads(pickle.dumps(search))
    assert_array_equal(copied.predict([1, 2]), search.predict([1, 2]))
    assert copied.best_params_ == search.best_params_


def test_train_scores_are_told_to_leak(interactions):
    with pytest.warns(LeakageWarning):
        cross_validate(
            PopularityRecommender(),
            interactions,
            cv=LeaveLastOut(),
            return_train_score=True,
        )


# scikit-learn's callbacks


class Recorder:
    """A callback that records tasks and answers, and stops after some epochs."""

    def __init__(self, max_epochs=99):
        self.max_epochs = max_epochs
        self.begun, self.ended, self.answers = [], [], []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.ended.append((context.task_name, context.task_id))
        if context.task_name != "epoch":
            return False
        self.answers.append(fitted_estimator.recommend(k=1))
        return context.task_id + 1 >= self.max_epochs


@pytest.fixture
def callback():
    return pytest.importorskip("sklearn.callback")


@pytest.mark.parametrize(
    "plain",
    [attrec(), transformer(SASRecRecommender), transformer(SSEPTRecommender)],
    ids=["AttRec", "SASRec", "SSEPT"],
)
def test_callback_sees_every_epoch(plain, callback, interactions):
    recorder = Recorder()
    plain = clone(plain).set_params(schedule="constant")
    model = clone(plain).set_params(max_iter=3).set_callbacks(recorder)
    model.fit(interactions)
    epochs = [("epoch", 0), ("epoch", 1), ("epoch", 2)]
    assert recorder.begun == [("fit", 0), *epochs]
    assert recorder.ended == [*epochs, ("fit", 0)]
    for n_epochs, answers in enumerate(recorder.answers, start=1):
        stopped = clone(plain).set_params(max_iter=n_epochs).fit(interactions)
        assert_frame_equal(answers, stopped.recommend(k=1))
    assert_frame_equal(recorder.answers[-1], model.recommend(k=1))


def test_callback_stops_training(callback, interactions):
    model = attrec(max_iter=5, schedule="constant")
    model.set_callbacks(Recorder(max_epochs=2)).fit(interactions)
    assert model.n_iter_ == len(model.history_) == 2
    expected = attrec(max_iter=2, schedule="constant").fit(interactions)
    assert_frame_equal(model.recommend(), expected.recommend())


def test_progress_bar(callback, interactions, capsys):
    pytest.importorskip("rich")
    bar = callback.ProgressBar(max_propagation_depth=None)
    attrec(max_iter=2).set_callbacks(bar).fit(interactions)
    assert "AttRecRecommender - fit" in capsys.readouterr().out
    PopularityRecommender().set_callbacks(bar).fit(interactions)
    assert "PopularityRecommender - fit" in capsys.readouterr().out
    search = GridSearchCV(attrec(), {"omega": [0.2, 0.8]}, cv=LeaveLastOut())
    search.set_callbacks(bar).fit(interactions)
    shown = capsys.readouterr().out
    assert "GridSearchCV - fit" in shown
    assert "AttRecRecommender - fit" in shown
    assert search.best_score_ >= 0


def test_model_with_callbacks_is_cloned_and_pickled(callback, interactions):
    model = attrec().set_callbacks(Recorder()).fit(interactions)
    copied = pickle.loads(pickle.dumps(model))
    assert_frame_equal(copied.recommend(), model.recommend())
    assert_frame_equal(clone(model).fit(interactions).recommend(), model.recommend())
