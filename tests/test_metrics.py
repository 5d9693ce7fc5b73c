import pickle

import numpy as np
import pandas as pd
import pytest
import pytrec_eval
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline

from sklearn_attrec import PopularityRecommender
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError
from sklearn_attrec.metrics import (
    catalogue_coverage,
    evaluate,
    hit_rate,
    make_multi_ranking_scorer,
    make_ranking_scorer,
    mean_average_precision,
    mrr,
    ndcg,
    novelty,
    precision,
    ranks_in_lists,
    recall,
)
from sklearn_attrec.model_selection import LeaveLastOut, leave_last_out_split
from sklearn_attrec.preprocessing import DropRepeats, KCoreFilter

METRICS = {
    "hit_rate": hit_rate,
    "mrr": mrr,
    "ndcg": ndcg,
    "recall": recall,
    "precision": precision,
    "map": mean_average_precision,
}
INF = np.inf


class ByCount(BaseEstimator):
    """Ranks items by their count in fit, or the other way round."""

    n_rankings = 0

    def __init__(self, rare_first=False):
        self.rare_first = rare_first

    def fit(self, X, y=None):
        counts = X["item_id"].value_counts(ascending=self.rare_first, sort=True)
        self.items_, self.item_counts_ = counts.index.to_numpy(), counts.to_numpy()
        return self

    def target_ranks(self, X):
        type(self).n_rankings += 1
        places = pd.Series(np.arange(1.0, len(self.items_) + 1), self.items_)
        return places.reindex(X["item_id"]).fillna(INF).to_numpy()

    def predict(self, X, k=10):
        padded = np.full(max(k, len(self.items_)), None, dtype=object)
        padded[: len(self.items_)] = self.items_
        return np.tile(padded[:k], (len(X), 1))


@pytest.fixture
def interactions():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "user_id": np.repeat(np.arange(30), 6),
            "item_id": rng.zipf(1.5, size=180).clip(max=40),
            "timestamp": np.tile(np.arange(6), 30),
        }
    )


def trec(measures, lists, relevant):
    """Mean of trec_eval's measures; `relevant` holds a set for each list."""
    run = {
        str(q): {str(item): float(-place) for place, item in enumerate(items)}
        for q, items in enumerate(lists)
    }
    qrel = {str(q): {str(i): 1 for i in items} for q, items in enumerate(relevant)}
    results = pytrec_eval.RelevanceEvaluator(qrel, measures).evaluate(run).values()
    return pd.DataFrame(results).mean().to_dict()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("max_relevant", [1, 4, 30])
def test_agrees_with_trec_eval(seed, max_relevant):
    rng = np.random.default_rng(seed)
    lists = np.array([rng.permutation(60)[:20] for _ in range(40)])
    relevant = [
        set(rng.permutation(60)[: rng.integers(1, max_relevant + 1)]) for _ in lists
    ]
    rows = pd.Series(relevant).explode().sample(frac=1, random_state=seed)
    ranks = ranks_in_lists(rows, lists[rows.index])
    expected = trec(
        {"success.5", "recip_rank", "ndcg_cut.5", "recall.5", "P.5", "map_cut.5"}
        | {"map", "ndcg"},
        lists,
        relevant,
    )
    users = rows.index
    found = {
        "success_5": hit_rate(ranks, 5, users=users),
        "recip_rank": mrr(ranks, users=users),
        "ndcg_cut_5": ndcg(ranks, 5, users=users),
        "recall_5": recall(ranks, 5, users=users),
        "P_5": precision(ranks, 5, users=users),
        "map_cut_5": mean_average_precision(ranks, 5, users=users),
        "map": mean_average_precision(ranks, None, users=users),
        "ndcg": ndcg(ranks, None, users=users),
    }
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    "metric, k, expected",
    [
        (hit_rate, 3, 2 / 5),
        (hit_rate, 4, 3 / 5),
        (hit_rate, None, 4 / 5),
        (mrr, None, (1 + 1 / 3 + 1 / 4 + 1 / 11) / 5),
        (mrr, 3, (1 + 1 / 3) / 5),
        (ndcg, 3, (1 + 1 / 2) / 5),
        (ndcg, 10, (1 + 1 / 2 + 1 / np.log2(5)) / 5),
        (recall, 3, 2 / 5),
        (precision, 4, 3 / 20),
        (mean_average_precision, 3, (1 + 1 / 3) / 5),
    ],
)
def test_one_relevant_item_by_hand(metric, k, expected):
    value = metric([1, 3, 4, 11, INF], k)
    assert value == pytest.approx(expected)
    assert type(value) is float


@pytest.mark.parametrize(
    "metric, k, of_a, of_b",
    [
        (hit_rate, 2, 1, 0),
        (mrr, None, 1, 1 / 3),
        (mrr, 2, 1, 0),
        (recall, 2, 1 / 3, 0),
        (recall, 4, 2 / 3, 1),
        (precision, 4, 2 / 4, 1 / 4),
        (mean_average_precision, 4, (1 / 1 + 2 / 4) / 3, 1 / 3),
        (ndcg, 2, 1 / (1 + 1 / np.log2(3)), 0),
        (
            ndcg,
            4,
            (1 + 1 / np.log2(5)) / (1 + 1 / np.log2(3) + 1 / 2),
            1 / 2,
        ),
    ],
)
def test_several_relevant_items_by_hand(metric, k, of_a, of_b):
    ranks, users = [4, 3, INF, 1], ["a", "b", "a", "a"]
    assert metric(ranks, k, users=users) == pytest.approx((of_a + of_b) / 2)


@pytest.mark.case("P11")
@given(st.lists(st.integers(1, 20) | st.just(INF), min_size=1, max_size=30))
def test_hit_rate_counts_hits_and_grows_with_k(ranks):
    found = [hit_rate(ranks, k) for k in range(1, 22)]
    by_hand = [sum(rank <= k for rank in ranks) / len(ranks) for k in range(1, 22)]
    assert found == pytest.approx(by_hand)
    assert found == sorted(found)
    assert 0 <= found[0] <= found[-1] <= 1
    assert (found[-1] == 1) == (INF not in ranks)  # of 20 items all are in the list


@pytest.mark.parametrize("metric", METRICS.values())
def test_perfect_and_hopeless(metric):
    assert metric([1, 1, 1], k=1) == 1
    assert metric([1, 2, 1, 2], k=2, users=[0, 0, 1, 1]) == 1
    assert metric([INF, INF], k=5) == 0


def test_one_relevant_item_makes_metrics_meet():
    ranks = np.random.default_rng(0).integers(1, 30, size=200)
    assert recall(ranks, 7) == pytest.approx(hit_rate(ranks, 7))
    assert precision(ranks, 7) == pytest.approx(hit_rate(ranks, 7) / 7)
    assert mean_average_precision(ranks, 7) == pytest.approx(mrr(ranks, 7))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    "ranks, message",
    [
        ([], r"'ranks' argument of .* non-empty 1-D array. Got shape \(0,\)"),
        ([[1, 2]], r"Got shape \(1, 2\)"),
        ([3, 0, -1], "Got 0.0 at position 1, and 2 invalid"),
        ([1, np.nan], "Got nan at position 1"),
        (["x"], "must hold numbers.*ranks_in_lists"),
    ],
)
def test_invalid_ranks(name, ranks, message):
    with pytest.raises(InteractionsError, match=message):
        METRICS[name](ranks, 10)


@pytest.mark.parametrize("metric", METRICS.values())
@pytest.mark.parametrize("k", [0, -1, 2.5, True, "10"])
def test_invalid_k(metric, k):
    message = rf"The 'k' argument of {metric.__name__} must be .*Got {k!r} instead"
    with pytest.raises(InvalidParameterError, match=message):
        metric([1, 2], k)


def test_precision_needs_k():
    with pytest.raises(InvalidParameterError, match="of precision must be an int"):
        precision([1], k=None)


def test_invalid_users():
    with pytest.raises(InteractionsError, match="one user a rank, 2. Got 1"):
        recall([1, 2], users=["a"])
    with pytest.raises(InteractionsError, match="1 missing value.s., first at pos.* 1"):
        recall([1, 2], users=["a", None])
    with pytest.raises(InteractionsError, match="user b has 2 items among the first 1"):
        recall([1, 1, 1], users=["a", "b", "b"])


@pytest.mark.parametrize("convert", [list, np.array, pd.Series, pd.Categorical])
def test_users_of_any_kind(convert):
    users = convert(["a", "b", "a"])
    assert recall([1, INF, INF], users=users) == 0.25


def test_ranks_in_lists():
    lists = [["a", "b", "c"], ["c", "b", "a"], ["b", "b", "c"], ["a", None, None]]
    expected = [1, 3, 1, INF]
    for y_pred in [
        lists,
        np.array(lists),
        np.array(lists, object),
        pd.DataFrame(lists),
    ]:
        assert ranks_in_lists(["a", "a", "b", "b"], y_pred).tolist() == expected
    ragged = [["a", "b"], [], ["b"]]
    assert ranks_in_lists(["b", "b", "b"], ragged).tolist() == [2, INF, 1]
    same_ints = pd.Series([2, 3], index=[9, 9])
    assert ranks_in_lists(same_ints, [[1, 2], [1, 2]]).tolist() == [2, INF]


def test_ranks_in_lists_errors():
    with pytest.raises(InteractionsError, match=r"Got \(3,\) and \(2, 1\)"):
        ranks_in_lists([1, 2, 3], [[1], [2]])
    with pytest.raises(InteractionsError, match="numbers and those of 'y_pred' text"):
        ranks_in_lists([1, 2], [["1"], ["2"]])


def test_coverage_and_novelty_by_hand():
    items, counts = np.array([10, 20, 30, 40]), [4, 2, 1, 1]
    lists = [[10, 20], [10, -1]]  # -1 is padding
    assert catalogue_coverage(lists, items) == 0.5
    assert novelty(lists, items, counts) == pytest.approx((1 + 2 + 1) / 3)
    assert novelty([[30, 40]], items, counts) == 3
    assert catalogue_coverage(np.array([[40, None]], object), items) == 0.25
    assert catalogue_coverage([[1], [2, 3]], items=[1, 2, 3]) == 1


def test_coverage_and_novelty_errors():
    with pytest.raises(InteractionsError, match="None of the 2 items .* of the 1 of"):
        catalogue_coverage([["a", "b"]], items=["c"])
    with pytest.raises(InteractionsError, match="'c' is there more than once"):
        catalogue_coverage([["c"]], items=["c", "c"])
    with pytest.raises(InteractionsError, match="1 count.s. not positive"):
        novelty([["c"]], items=["c", "d"], item_counts=[1, 0])
    with pytest.raises(InteractionsError, match=r"each of the 2 items. Got shape \(1,"):
        novelty([["c"]], items=["c", "d"], item_counts=[1])


@pytest.mark.parametrize("name", METRICS)
def test_scorer_is_the_metric(name, interactions):
    train, test = leave_last_out_split(interactions)
    model = ByCount().fit(train)
    scorer = pickle.loads(pickle.dumps(make_ranking_scorer(name, k=3)))
    expected = METRICS[name](model.target_ranks(test), 3)
    assert 0 < expected < 1
    assert scorer(model, test) == scorer(model, test, test["item_id"]) == expected
    assert repr(scorer) == f"make_ranking_scorer({name!r}, k=3)"
    assert scorer == make_ranking_scorer(name, k=3)


def test_scorer_per_user(interactions):
    train, test = leave_last_out_split(interactions, n_last=3)
    model = ByCount().fit(train)
    scorer = make_ranking_scorer("recall", k=3, per_user=True)
    once = test.drop_duplicates(["user_id", "item_id"])
    assert len(once) < len(test)
    expected = recall(model.target_ranks(once), 3, users=once["user_id"])
    assert scorer(model, test) == expected
    assert expected != make_ranking_scorer("recall", k=3)(model, test)
    assert repr(scorer) == "make_ranking_scorer('recall', k=3, per_user=True)"


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("y", [None, "item_id"])
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_scorer_in_searches(interactions, in_pipeline, y, routing):
    model, grid = ByCount(), {"rare_first": [True, False]}
    if in_pipeline:
        model = Pipeline(
            [("core", KCoreFilter(min_per_user=2, min_per_item=2)), ("model", model)]
        )
        grid = {"model__rare_first": [True, False]}
    y = y and interactions[y]
    with sklearn.config_context(enable_metadata_routing=routing):
        scorer = make_ranking_scorer("ndcg", k=5)
        search = GridSearchCV(model, grid, cv=LeaveLastOut(), scoring=scorer)
        search.fit(interactions, y)
        assert not any(search.best_params_.values())
        assert search.best_score_ > search.cv_results_["mean_test_score"].min() >= 0
        scores = cross_val_score(
            clone(model), interactions, y, cv=LeaveLastOut(), scoring=scorer
        )
    assert scores.tolist() == [search.best_score_]
    inner = search.best_estimator_[-1] if in_pipeline else search.best_estimator_
    assert scorer(search, interactions) == scorer(inner, interactions)
    assert search.score(interactions) == scorer(inner, interactions)


def test_scorer_sees_every_test_row(interactions):
    train, test = leave_last_out_split(interactions)
    alone = ByCount().fit(DropRepeats().fit_transform(train))
    pipeline = make_pipeline(DropRepeats(), "passthrough", ByCount()).fit(train)
    scorer = make_ranking_scorer()
    assert scorer(pipeline, test) == scorer(alone, test)
    nested = make_pipeline("passthrough", make_pipeline(ByCount())).fit(train)
    assert scorer(nested, test) == scorer(ByCount().fit(train), test)


@pytest.mark.parametrize("routing", [False, True])
def test_multi_metric_scorer_ranks_once(interactions, routing):
    train, test = leave_last_out_split(interactions)
    model = ByCount().fit(train)
    scorer = make_multi_ranking_scorer(("hit_rate", "mrr"), k=(2, 5, None))
    before = ByCount.n_rankings
    scores = pickle.loads(pickle.dumps(scorer))(model, test)
    assert ByCount.n_rankings == before + 1
    ranks = model.target_ranks(test)
    assert scores == {
        "hit_rate@2": hit_rate(ranks, 2),
        "hit_rate@5": hit_rate(ranks, 5),
        "hit_rate": hit_rate(ranks, None),
        "mrr@2": mrr(ranks, 2),
        "mrr@5": mrr(ranks, 5),
        "mrr": mrr(ranks),
    }
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(
            ByCount(),
            {"rare_first": [True, False]},
            cv=LeaveLastOut(),
            scoring=scorer,
            refit="hit_rate@5",
        ).fit(interactions)
        result = cross_validate(
            ByCount(), interactions, cv=LeaveLastOut(), scoring=scorer
        )
    assert search.best_params_ == {"rare_first": False}
    assert set(result) >= {f"test_{name}" for name in scores}
    assert result["test_mrr"] == [scores["mrr"]]


def test_multi_metric_scorer_takes_single_values():
    scorer = make_multi_ranking_scorer("map", k=5)
    assert repr(scorer) == "make_multi_ranking_scorer(('map',), k=(5,))"
    per_user = make_multi_ranking_scorer(["map"], k=[5], per_user=True)
    assert (
        repr(per_user) == "make_multi_ranking_scorer(('map',), k=(5,), per_user=True)"
    )


@pytest.mark.parametrize("make", [make_ranking_scorer, make_multi_ranking_scorer])
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"k": 0}, "'k' argument of {} must be .*Got 0 instead"),
        ({"per_user": 1}, "'per_user' argument of {} must be True or False. Got 1"),
    ],
)
def test_invalid_scorers(make, arguments, message):
    with pytest.raises(InvalidParameterError, match=message.format(make.__name__)):
        make(**arguments)


def test_invalid_scorer_metrics():
    with pytest.raises(InvalidParameterError, match="one of 'hit_rate', 'mrr', 'ndcg'"):
        make_ranking_scorer("accuracy")
    with pytest.raises(InvalidParameterError, match="Got 'accuracy' instead"):
        make_multi_ranking_scorer(["mrr", "accuracy"])
    with pytest.raises(InvalidParameterError, match="'metrics' argument .* is empty"):
        make_multi_ranking_scorer([])
    with pytest.raises(InvalidParameterError, match="'k' argument .* Got None instead"):
        make_ranking_scorer("precision", k=None)


def test_scorer_needs_a_fitted_recommender(interactions):
    scorer = make_ranking_scorer()
    with pytest.raises(InvalidParameterError, match="'target_ranks'. Got KCoreFilter"):
        scorer(KCoreFilter(), interactions)
    with pytest.raises(NotFittedError):
        scorer(GridSearchCV(ByCount(), {}), interactions)


def test_evaluate(interactions):
    train, test = leave_last_out_split(interactions)
    model = make_pipeline(DropRepeats(), ByCount()).fit(train)
    before = ByCount.n_rankings
    table = evaluate(model, test, k=(2, 5))
    assert ByCount.n_rankings == before + 1
    inner = model[-1]
    ranks, lists = inner.target_ranks(test), inner.predict(test, k=5)
    items, counts = inner.items_, inner.item_counts_
    assert table.index.tolist() == ["ByCount"]
    assert table.iloc[0].to_dict() == {
        "hit_rate@2": hit_rate(ranks, 2),
        "hit_rate@5": hit_rate(ranks, 5),
        "ndcg@2": ndcg(ranks, 2),
        "ndcg@5": ndcg(ranks, 5),
        "mrr": mrr(ranks),
        "coverage@2": 2 / len(items),
        "coverage@5": 5 / len(items),
        "novelty@2": novelty(lists[:, :2], items, counts),
        "novelty@5": novelty(lists, items, counts),
    }


def test_with_a_recommender(small_interactions):
    train, test = leave_last_out_split(small_interactions)
    model = make_pipeline(KCoreFilter(min_per_item=2), PopularityRecommender(k=2))
    model.fit(train, train["item_id"])
    scorer = make_ranking_scorer("hit_rate", k=2)
    assert 0 < scorer(model, test) < 1
    assert scorer(model, test) == model.score(test)
    lists = model.predict(test, k=3)
    assert hit_rate(ranks_in_lists(test["item_id"], lists), 2) == model.score(test)
    table = evaluate(model, test, k=(2, 8))
    assert table.loc["PopularityRecommender", "hit_rate@2"] == model.score(test)
    # Of 8 items a user has seen 5: the lists of 8 end in padding, which is no item.
    assert table.loc["PopularityRecommender", "coverage@8"] == 1
    assert model.predict([1, 2]).tolist() == model[-1].predict([1, 2]).tolist()


def test_evaluate_with_a_k_beyond_the_catalogue(interactions):
    train, test = leave_last_out_split(interactions)
    table = evaluate(ByCount().fit(train), test, k=1000)
    assert table.loc["ByCount", "coverage@1000"] == 1


def test_evaluate_errors(interactions):
    model = ByCount().fit(interactions)
    with pytest.raises(InvalidParameterError, match="'k' argument of evaluate.*Got 0"):
        evaluate(model, interactions, k=(0, 10))
    with pytest.raises(
        InvalidParameterError, match="'k' argument of evaluate is empty"
    ):
        evaluate(model, interactions, k=())
