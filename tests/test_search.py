"""Searches, cross-validation, pipelines and callbacks, with real training."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from frame_helpers import in_library
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
)
from sklearn.pipeline import make_pipeline

from sklearn_attrec import (
    AttRecRecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
)
from sklearn_attrec.exceptions import LeakageWarning
from sklearn_attrec.metrics import hit_rate, make_ranking_scorer, ranks_in_lists
from sklearn_attrec.model_selection import (
    LeaveLastOut,
    TimeCutoffSplit,
    leave_last_out_split,
)
from sklearn_attrec.preprocessing import DropRepeats, KCoreFilter, RatingThreshold

SMALL = {"d": 4, "L": 3, "max_iter": 1, "batch_size": 32, "k": 2, "random_state": 0}
TRANSFORMER = {**SMALL, "n_blocks": 1, "dropout": 0.2, "loss": "softmax"}
ATTREC = AttRecRecommender(loss="hinge", **SMALL)
SASREC, SSEPT = SASRecRecommender(**TRANSFORMER), SSEPTRecommender(**TRANSFORMER)


def attrec(**params):
    return clone(ATTREC).set_params(**params)


@pytest.fixture
def interactions():
    """30 users, 20 items, 12 rows per user, no two rows at the same time."""
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
    """Stop the workers of earlier tests.

    If psutil is installed and a worker imports TensorFlow after its first task, joblib
    takes the growth of its memory for a leak and replaces the worker.
    """
    get_reusable_executor().shutdown(wait=True)


def scores_by_hand(model, X, cv):
    return [
        clone(model).fit(X.iloc[train]).score(X.iloc[test])
        for train, test in cv.split(X)
    ]


ATTREC_GRID = {"omega": [0.2, 0.8], "L": [1, 3], "d": [3]}
TRANSFORMER_GRID = {"loss": ["softmax", "gbce"], "L": [2, 9], "n_heads": [1, 2]}


@pytest.mark.parametrize(
    ("model", "grid", "cv"),
    [
        (ATTREC, ATTREC_GRID, LeaveLastOut(n_splits=2)),
        (ATTREC, {"omega": [0.2, 0.8]}, LeaveLastOut(n_last=2, n_splits=2)),
        (ATTREC, {"omega": [0.2, 0.8]}, TimeCutoffSplit(n_splits=2)),
        (SASREC, TRANSFORMER_GRID, LeaveLastOut(n_splits=2)),
        (SSEPT, TRANSFORMER_GRID, LeaveLastOut(n_splits=2)),
    ],
    ids=["AttRec", "two last", "cutoffs", "SASRec", "SSEPT"],
)
def test_grid_search_equals_fits_by_hand(model, grid, cv, interactions):
    search = GridSearchCV(model, grid, cv=cv).fit(interactions)
    results = search.cv_results_
    assert len(set(results["mean_test_score"])) > 1
    for row in (0, len(results["params"]) - 1):
        one = clone(model).set_params(**results["params"][row])
        scores = [results[f"split{split}_test_score"][row] for split in (0, 1)]
        assert scores == scores_by_hand(one, interactions, cv)
    refitted = clone(model).set_params(**search.best_params_).fit(interactions)
    assert_array_equal(search.predict([1, 2]), refitted.predict([1, 2]))
    assert_array_equal(search.predict(1), refitted.predict(1))


@pytest.mark.case("F14")
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_two_jobs_find_what_one_finds(backend, interactions):
    searches = []
    for n_jobs in (1, 2):
        with joblib.parallel_config(backend, n_jobs=n_jobs):
            search = GridSearchCV(attrec(), ATTREC_GRID, cv=LeaveLastOut(n_splits=2))
            searches.append(search.fit(interactions))
    first, second = (search.cv_results_ for search in searches)
    assert first["params"] == second["params"]
    for split in (0, 1):
        name = f"split{split}_test_score"
        assert_array_equal(first[name], second[name])
    answers = [search.predict([1, 2]) for search in searches]
    assert_array_equal(*answers)


@pytest.mark.parametrize("model", [SASREC, SSEPT], ids=["SASRec", "SSEPT"])
def test_grid_search_compiles_each_structure_once(model, interactions):
    from sklearn_attrec._training.trainer import _run_steps  # imports TensorFlow

    clone(model).fit(interactions)
    count = _run_steps.experimental_get_tracing_count()
    grid = {"L": [1, 4], "d": [4, 6], "learning_rate": [0.1], "dropout": [0.1, 0.5]}
    GridSearchCV(model, grid, cv=LeaveLastOut()).fit(interactions)
    assert _run_steps.experimental_get_tracing_count() == count


@pytest.mark.filterwarnings("ignore::sklearn_attrec.exceptions.NoHistoryWarning")
@pytest.mark.parametrize("model", [ATTREC, PopularityRecommender(k=2)])
def test_default_cv(model, interactions):
    # Five rows per user: each of the five folds has users without training rows.
    search = GridSearchCV(model, {"k": [1, 20]})
    search.fit(interactions.groupby("user_id").head(5))
    scores = search.cv_results_["mean_test_score"]
    assert 0 <= scores[0] < scores[1] <= 1
    assert search.best_params_ == {"k": 20}
    # If rows are sorted by time, the first four folds train on later rows.
    with pytest.warns(LeakageWarning, match="LeaveLastOut"):
        GridSearchCV(model, {"k": [1]}).fit(interactions.sort_values("timestamp"))


@pytest.mark.filterwarnings("ignore::sklearn_attrec.exceptions.LeakageWarning")
@pytest.mark.filterwarnings("ignore::sklearn_attrec.exceptions.SeenItemWarning")
def test_halving_over_epochs(interactions):
    search = HalvingGridSearchCV(  # scores the training rows too
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
    assert search.best_estimator_.n_iter_ == 2


def test_cross_val_predict(interactions):
    cv = KFold(3, shuffle=True, random_state=0)
    answers = cross_val_predict(attrec(), interactions, interactions["item_id"], cv=cv)
    assert answers.shape == (len(interactions), 2)
    for train, test in cv.split(interactions):
        fitted = attrec().fit(interactions.iloc[train])
        assert_array_equal(answers[test], fitted.predict(interactions.iloc[test]))


def _hits(y_true, y_pred):
    return hit_rate(ranks_in_lists(y_true, y_pred), k=2)


@pytest.mark.parametrize("ids", ["int64", "str"])
def test_scorers_of_scikit_learn_and_of_rankings_agree(interactions, ids):
    X = interactions.astype({"item_id": ids})
    means = []
    for scoring in (None, make_scorer(_hits), make_ranking_scorer("hit_rate", k=2)):
        grid = {"omega": [0.2, 0.8]}
        search = GridSearchCV(attrec(), grid, cv=LeaveLastOut(), scoring=scoring)
        search.fit(X, X["item_id"])
        means.append(search.cv_results_["mean_test_score"].tolist())
    assert 0 < max(means[0]) < 1
    assert means[1:] == [means[0]] * 2


@pytest.mark.filterwarnings("ignore::sklearn_attrec.exceptions.NoHistoryWarning")
def test_pipeline(interactions):
    core = KCoreFilter(min_per_user=2, min_per_item=2)
    pipeline = make_pipeline(RatingThreshold(2), DropRepeats(), core, attrec())
    train, test = leave_last_out_split(interactions)
    pipeline.fit(train)
    kept = train
    for step in pipeline[:-1]:
        kept = clone(step).fit_transform(kept)
    assert 0 < len(kept) < len(train)
    alone = attrec().fit(kept)
    assert pipeline.score(test) == alone.score(test)  # no row of test is dropped
    for users in (test, [1, 2], 1):
        assert_array_equal(pipeline.predict(users), alone.predict(users))
        assert_frame_equal(pipeline[-1].recommend(users), alone.recommend(users))

    grid = {"ratingthreshold__threshold": [1, 4]}
    search = GridSearchCV(pipeline, grid, cv=LeaveLastOut()).fit(interactions)
    for row, params in enumerate(search.cv_results_["params"]):
        expected = clone(pipeline).set_params(**params).fit(train).score(test)
        assert search.cv_results_["mean_test_score"][row] == expected
    best = search.best_estimator_[-1]
    assert_array_equal(best.recommend([1], k=2)["item_id"], search.predict(1))


# scikit-learn's callbacks


class Recorder:
    """A callback that records tasks and rankings, and stops after some epochs."""

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
        assert fitted_estimator.n_iter_ == context.task_id + 1
        self.answers.append(fitted_estimator.recommend(k=1))
        return context.task_id + 1 >= self.max_epochs


@pytest.fixture
def callback():
    return pytest.importorskip("sklearn.callback")


@pytest.mark.parametrize(
    "model", [ATTREC, SASREC, SSEPT], ids=["AttRec", "SASRec", "SSEPT"]
)
def test_callback_sees_each_epoch_and_may_stop(model, callback, interactions):
    fits = {}
    for n_epochs in (1, 2, 3):
        recorder = Recorder(max_epochs=n_epochs)
        fitted = clone(model).set_params(max_iter=3).set_callbacks(recorder)
        fitted.fit(interactions)
        epochs = [("epoch", epoch) for epoch in range(n_epochs)]
        assert recorder.begun == [("fit", 0), *epochs]
        assert recorder.ended == [*epochs, ("fit", 0)]
        assert fitted.n_iter_ == n_epochs
        fits[n_epochs] = fitted.recommend(k=1)
    # The model after an epoch equals the one of a fit that stops there.
    assert not fits[1].equals(fits[3])
    for n_epochs, answers in enumerate(recorder.answers, start=1):
        assert_frame_equal(answers, fits[n_epochs])


@pytest.mark.parametrize("early_stopping", [False, True])
def test_scoring_monitor(early_stopping, callback, interactions):
    train, test = leave_last_out_split(interactions)

    def ndcg(fitted, X, y):
        assert X is train
        assert_array_equal(y, train["item_id"])
        return make_ranking_scorer("ndcg")(fitted, test)

    model = attrec(max_iter=3, early_stopping=early_stopping)
    monitor = callback.ScoringMonitor(scoring={"ndcg": ndcg})
    fitted = clone(model).set_callbacks(monitor).fit(train)
    log = monitor.get_logs().data_as_pandas
    assert log["task_name"].tolist() == ["fit", "epoch", "epoch", "epoch"]
    scores = log["ndcg"].tolist()
    assert scores[0] == ndcg(fitted, train, train["item_id"])
    assert scores[0] in scores[1:] if early_stopping else scores[0] == scores[3]
    assert len(set(scores)) > 1
    for name, weights in model.fit(train).weights_.items():
        assert_array_equal(fitted.weights_[name], weights)


def test_callbacks_get_the_frame_and_the_items_of_fit(callback, interactions):
    got = []
    scoring = {"score": lambda fitted, X, y: got.append((X, y)) or 0}
    categories = interactions.astype({"item_id": "category"})
    for X in in_library(interactions, "polars"), categories:
        monitor = callback.ScoringMonitor(scoring=scoring)
        PopularityRecommender().set_callbacks(monitor).fit(X)
        assert got[-1][0] is X
        assert_array_equal(got[-1][1], interactions["item_id"])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scoring_monitor_in_a_grid_search(n_jobs, callback, interactions):
    train, test = leave_last_out_split(interactions)
    scoring = {"hits": lambda fitted, X, y: fitted.score(test)}
    monitor = callback.ScoringMonitor(scoring=scoring)
    model = attrec(max_iter=2).set_callbacks(monitor)
    grid, cv = {"omega": [0.2, 0.8]}, LeaveLastOut()
    search = GridSearchCV(model, grid, cv=cv, n_jobs=n_jobs).fit(train)
    log = monitor.get_logs().data_as_pandas
    assert (log["task_name"] == "epoch").sum() == 2 * 3  # two candidates and the best
    assert log["hits"].notna().all()
    assert log["hits"].iloc[0] == search.score(test)


def test_progress_bar(callback, interactions, capsys):
    pytest.importorskip("rich")
    bar = callback.ProgressBar(max_propagation_depth=None)
    PopularityRecommender().set_callbacks(bar).fit(interactions)
    assert "PopularityRecommender - fit" in capsys.readouterr().out
    search = GridSearchCV(attrec(), {"omega": [0.2, 0.8]}, cv=LeaveLastOut())
    search.set_callbacks(bar).fit(interactions)
    shown = capsys.readouterr().out
    assert "GridSearchCV - fit" in shown
    assert "AttRecRecommender - fit" in shown


def test_model_with_callbacks_is_cloned_and_pickled(callback, interactions):
    model = attrec().set_callbacks(Recorder()).fit(interactions)
    copied = pickle.loads(pickle.dumps(model))
    assert_frame_equal(copied.recommend(), model.recommend())
    assert_frame_equal(clone(model).fit(interactions).recommend(), model.recommend())
