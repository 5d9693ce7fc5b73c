"""Metrics agree with trec_eval and with hand calculation; scorers are the metrics."""

import pickle

import numpy as np
import pandas as pd
import pytest
import pytrec_eval
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline

from sklearn_attrec import PopularityRecommender
from sklearn_attrec.datasets import make_interactions
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

METRICS = {m.__name__: m for m in (hit_rate, mrr, ndcg, recall, precision)}
METRICS["map"] = mean_average_precision
INF = np.inf


@pytest.fixture
def interactions():
    return make_interactions(30, 15, n_per_user=8, repeats=False, random_state=0)


@pytest.fixture
def rankings(monkeypatch):
    """Record in a list the number of rows that each call ranks."""
    rank, calls = PopularityRecommender._rank_rows, []

    def count(self, X, *args, **kwargs):
        calls.append(len(X))
        return rank(self, X, *args, **kwargs)

    monkeypatch.setattr(PopularityRecommender, "_rank_rows", count)
    return calls


def trec_eval(measures, lists, relevant):
    """Mean of trec_eval's measures; `relevant` holds a set for each list."""
    run = {
        str(q): {str(item): float(-place) for place, item in enumerate(items)}
        for q, items in enumerate(lists)
    }
    qrel = {str(q): {str(i): 1 for i in items} for q, items in enumerate(relevant)}
    results = pytrec_eval.RelevanceEvaluator(qrel, measures).evaluate(run).values()
    return pd.DataFrame(results).mean().to_dict()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("max_relevant", [1, 4, 30])
def test_metrics_agree_with_trec_eval(seed, max_relevant):
    rng = np.random.default_rng(seed)
    lists = np.array([rng.permutation(60)[:20] for _ in range(40)])
    relevant = [
        set(rng.permutation(60)[: rng.integers(1, max_relevant + 1)]) for _ in lists
    ]
    rows = pd.Series(relevant).explode().sample(frac=1, random_state=seed)
    ranks, users = ranks_in_lists(rows, lists[rows.index]), rows.index
    found = {
        "success.5": hit_rate(ranks, 5, users=users),
        "recip_rank": mrr(ranks, users=users),
        "ndcg_cut.5": ndcg(ranks, 5, users=users),
        "recall.5": recall(ranks, 5, users=users),
        "P.5": precision(ranks, 5, users=users),
        "map_cut.5": mean_average_precision(ranks, 5, users=users),
        "map": mean_average_precision(ranks, None, users=users),
        "ndcg": ndcg(ranks, None, users=users),
    }
    expected = trec_eval(set(found), lists, relevant)
    found = {name.replace(".", "_"): value for name, value in found.items()}
    assert found == pytest.approx(expected)


def test_values_by_hand():
    ranks, users = [4, 3, INF, 1], ["a", "b", "a", "a"]
    assert mrr(ranks, 2) == 1 / 4
    assert mrr(ranks, 2, users=users) == 1 / 2
    assert hit_rate(ranks, None) == 3 / 4
    assert type(hit_rate(ranks)) is type(recall(ranks)) is float


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
def test_best_and_worst_values(metric):
    assert metric([1, 1, 1], k=1) == 1
    assert metric([1, 2, 1, 2], k=2, users=[0, 0, 1, 1]) == 1
    assert metric([INF, INF], k=5) == 0


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("ranks", "users", "message"),
    [
        ([], None, r"'ranks'.* \(0,\)"),
        ([[1, 2]], None, r"'ranks'.* \(1, 2\)"),
        ([3, 0, -1], None, r"'ranks'.* 0\.0 at position 1.* 2 invalid"),
        ([1, np.nan], None, "'ranks'.* nan at position 1"),
        (["x"], None, "'ranks'.*ranks_in_lists"),
        ([1, 2], ["a"], r"'users'.* 2\b.* 1\b"),
        ([1, 2], ["a", None], "'users'.* 1 missing.*position 1"),
        ([1, 1, 1], ["a", "b", "b"], "'users'.*user b has 2 items .* 1"),
    ],
)
def test_invalid_ranks_and_users(name, ranks, users, message):
    with pytest.raises(InteractionsError, match=message):
        METRICS[name](ranks, 10, users=users)


@pytest.mark.parametrize("metric", METRICS.values())
@pytest.mark.parametrize("k", [0, -1, 2.5, True, "10"])
def test_invalid_k(metric, k):
    with pytest.raises(InvalidParameterError, match=f"'k'.*{metric.__name__}.*{k!r}"):
        metric([1, 2], k)
    with pytest.raises(InvalidParameterError, match="'k'.*precision.*None"):
        precision([1], k=None)


@pytest.mark.parametrize("convert", [list, np.array, pd.Series, pd.Categorical])
def test_users_of_any_kind(convert):
    assert recall([1, INF, INF], users=convert(["a", "b", "a"])) == 0.25


def test_ranks_in_lists():
    lists = [["a", "b", "c"], ["c", "b", "a"], ["b", "b", "c"], ["a", None, None]]
    for convert in (list, np.array, lambda x: np.array(x, object), pd.DataFrame):
        ranks = ranks_in_lists(["a", "a", "b", "b"], convert(lists))
        assert ranks.tolist() == [1, 3, 1, INF]
    ragged = [["a", "b"], [], ["b"]]
    assert ranks_in_lists(["b", "b", "b"], ragged).tolist() == [2, INF, 1]
    labelled = pd.Series([2, 3], index=[9, 9])
    assert ranks_in_lists(labelled, [[1, 2], [1, 2]]).tolist() == [2, INF]


def test_coverage_and_novelty_by_hand():
    items, counts = np.array([10, 20, 30, 40]), [4, 2, 1, 1]
    lists = [[10, 20], [10, -1]]  # -1 is padding
    assert catalogue_coverage(lists, items) == 0.5
    assert novelty(lists, items, counts) == pytest.approx((1 + 2 + 1) / 3)
    assert novelty([[30, 40]], items, counts) == 3
    assert novelty([[30, 10]], items, [1, 1, 0, 0]) == 1
    assert np.isnan(novelty([[30, 40]], items, [1, 1, 0, 0]))
    assert catalogue_coverage(np.array([[40, None]], object), items) == 0.25
    assert catalogue_coverage([[1], [2, 3]], items=[1, 2, 3]) == 1


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (ranks_in_lists, ([1, 2, 3], [[1], [2]]), r"\(3,\) and \(2, 1\)"),
        (ranks_in_lists, ([1, 2], [["1"], ["2"]]), "numbers.*'y_pred'.*astype"),
        (catalogue_coverage, ([["a", "b"]], ["c"]), "'recommended'.* 1 .*'items'"),
        (catalogue_coverage, ([["c"]], ["c", "c"]), "'items'.*'c'"),
        (novelty, ([["c"]], ["c", "d"], [1, -1]), "'item_counts'.* none negative"),
        (novelty, ([["c"]], ["c", "d"], [1, np.nan]), "'item_counts'.* sum nan"),
        (novelty, ([["c"]], ["c", "d"], [0, 0]), "'item_counts'.* not all 0"),
        (novelty, ([["c"]], ["c", "d"], [1]), r"'item_counts'.* 2 items.* \(1,"),
    ],
)
def test_invalid_lists(function, arguments, message):
    with pytest.raises(InteractionsError, match=message):
        function(*arguments)


LISTS = pd.Series([["c"], ["a"], ["b"]], index=[3, 1, 2])


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        (["x"], {"u": ["x"]}, r"'y_pred'.*list\(y_pred.values\(\)\)"),
        (["tea"], ["tea"], r"'y_pred'.*\[y_pred\]"),
        ([["x"], ["y", "z"]], [["x"], ["y"]], "'y_true'.*explode"),
        (pd.Series([{"x"}]), [["x"]], "'y_true'.*explode"),
        (pd.Series(list("abc"), index=[1, 2, 3]), LISTS, r"y_pred.loc\[y_true.index\]"),
    ],
)
def test_lists_that_would_be_misread(y_true, y_pred, message):
    with pytest.raises(InteractionsError, match=message):
        ranks_in_lists(y_true, y_pred)


def test_tables_and_labelled_counts(interactions):
    model = PopularityRecommender(k=2).fit(interactions)
    users, table = model.users_, model.recommend()
    lists = model.predict(users)
    expected = catalogue_coverage(lists, model.items_)
    assert catalogue_coverage(table, model.items_) == expected
    counts = interactions["item_id"].value_counts()
    expected = novelty(lists, model.items_, model.item_counts_)
    assert novelty(table, model.items_, counts) == pytest.approx(expected)


@pytest.mark.parametrize("name", METRICS)
def test_scorer_is_the_metric(name, interactions):
    train, test = leave_last_out_split(interactions)
    model = PopularityRecommender().fit(train)
    scorer = pickle.loads(pickle.dumps(make_ranking_scorer(name, k=3)))
    expected = METRICS[name](model.target_ranks(test), 3)
    assert 0 < expected < 1
    assert scorer(model, test) == scorer(model, test, test["item_id"]) == expected
    assert repr(scorer) == f"make_ranking_scorer({name!r}, k=3)"
    assert scorer == make_ranking_scorer(name, k=3)


def test_scorer_per_user_counts_a_repeated_item_once(interactions):
    train, once = leave_last_out_split(interactions, n_last=3)
    test = pd.concat([once, once.iloc[::3]])
    model = PopularityRecommender().fit(train)
    expected = recall(model.target_ranks(once), 3, users=once["user_id"])
    scorer = make_ranking_scorer("recall", k=3, per_user=True)
    assert scorer(model, test) == expected
    assert expected != make_ranking_scorer("recall", k=3)(model, test)
    assert repr(scorer) == "make_ranking_scorer('recall', k=3, per_user=True)"
    several = make_multi_ranking_scorer("recall", k=3, per_user=True)
    assert several(model, test) == {"recall@3": expected}
    assert repr(several).endswith("(('recall',), k=(3,), per_user=True)")


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("y", [None, "item_id"])
def test_scorer_in_searches(interactions, y, routing):
    train, test = leave_last_out_split(interactions)
    model = make_pipeline(KCoreFilter(), PopularityRecommender())
    grid = {"popularityrecommender__exclude_seen": [False, True]}
    scorer, y = make_ranking_scorer("ndcg", k=5), y and train[y]
    with sklearn.config_context(enable_metadata_routing=routing):
        options = {"cv": LeaveLastOut(), "scoring": scorer}
        search = GridSearchCV(model, grid, **options).fit(train, y)
        scores = cross_val_score(search.best_estimator_, train, y, **options)
    assert all(search.best_params_.values())
    assert search.best_score_ > search.cv_results_["mean_test_score"].min() > 0
    assert scores.tolist() == [search.best_score_]
    expected = scorer(search.best_estimator_[-1], test)
    assert scorer(search, test) == search.score(test) == expected


def test_scorer_scores_all_test_rows_of_a_pipeline(interactions):
    train, test = leave_last_out_split(interactions)
    test = pd.concat([test, test.iloc[:7]])
    scorer, expected = make_ranking_scorer("mrr"), PopularityRecommender().fit(train)
    pipeline = make_pipeline(DropRepeats(), "passthrough", PopularityRecommender())
    nested = make_pipeline("passthrough", make_pipeline(PopularityRecommender()))
    for model in (pipeline, nested):
        assert scorer(model.fit(train), test) == scorer(expected, test)


@pytest.mark.parametrize("routing", [False, True])
def test_multi_metric_scorer_ranks_once(interactions, routing, rankings):
    train, test = leave_last_out_split(interactions)
    model = PopularityRecommender().fit(train)
    scorer = make_multi_ranking_scorer(("hit_rate", "mrr"), k=(2, 5, None))
    scores = pickle.loads(pickle.dumps(scorer))(model, test)
    assert len(rankings) == 1
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
        options = {"cv": LeaveLastOut(), "scoring": scorer}
        result = cross_validate(model, interactions, **options)
        grid = {"exclude_seen": [False, True]}
        search = GridSearchCV(model, grid, refit="hit_rate@5", **options)
        search.fit(interactions)
    assert search.best_params_ == {"exclude_seen": True}
    assert set(result) >= {f"test_{name}" for name in scores}
    assert result["test_mrr"] == [scores["mrr"]]


@pytest.mark.parametrize("make", [make_ranking_scorer, make_multi_ranking_scorer])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mrr", 0), "'k'.*{}.* 0"),
        (("precision", None), "'k'.*{}.* None"),
        (("accuracy",), "'metrics?'.*{}.*'hit_rate', 'mrr', 'ndcg'.*'accuracy'"),
    ],
)
def test_invalid_scorers(make, arguments, message):
    with pytest.raises(InvalidParameterError, match=message.format(make.__name__)):
        make(*arguments)
    with pytest.raises(InvalidParameterError, match="'per_user'.*True or False.* 1"):
        make(per_user=1)
    with pytest.raises(InvalidParameterError, match="'metrics'.*empty"):
        make_multi_ranking_scorer([])


def test_scorer_needs_a_fitted_recommender(interactions):
    scorer = make_ranking_scorer()
    with pytest.raises(InvalidParameterError, match="'target_ranks'.*KCoreFilter"):
        scorer(KCoreFilter(), interactions)
    with pytest.raises(NotFittedError):
        scorer(GridSearchCV(PopularityRecommender(), {}), interactions)


def test_evaluate(interactions, rankings):
    train, test = leave_last_out_split(interactions)
    pipeline = make_pipeline(DropRepeats(), PopularityRecommender(k=2)).fit(train)
    table = evaluate(pipeline, test, k=(2, 5))
    assert len(rankings) == 1
    model = pipeline[-1]
    ranks, lists = model.target_ranks(test), model.predict(test, k=5)
    items, counts = model.items_, model.item_counts_
    assert table.index.tolist() == ["PopularityRecommender"]
    assert table.iloc[0].to_dict() == {
        "hit_rate@2": hit_rate(ranks, 2),
        "hit_rate@5": hit_rate(ranks, 5),
        "ndcg@2": ndcg(ranks, 2),
        "ndcg@5": ndcg(ranks, 5),
        "mrr": mrr(ranks),
        "coverage@2": catalogue_coverage(lists[:, :2], items),
        "coverage@5": catalogue_coverage(lists, items),
        "novelty@2": novelty(lists[:, :2], items, counts),
        "novelty@5": novelty(lists, items, counts),
    }
    assert 0 < table["hit_rate@2"].item() == pipeline.score(test) < 1
    # Items of equal popularity, which a list has to order, count against the target.
    listed = ranks_in_lists(test["item_id"], lists)
    assert hit_rate(listed, 2) >= pipeline.score(test)
    # Users have seen items, so that these lists end in padding, which is no item.
    assert evaluate(pipeline, test, k=1000)["coverage@1000"].item() == 1


@pytest.mark.parametrize(("k", "message"), [((0, 10), " 0"), ((), "empty")])
def test_evaluate_checks_k(k, message, interactions):
    with pytest.raises(InvalidParameterError, match=f"'k'.*evaluate.*{message}"):
        evaluate(PopularityRecommender().fit(interactions), interactions, k=k)
