"""explain: contributions that add up, items left out, and whether they are faithful."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec import (
    AttRecRecommender,
    HSTURecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
)
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.exceptions import InteractionsError, UnknownUserError
from sklearn_attrec.models._explanations import ExplanationsMixin

SMALL = {"d": 8, "max_iter": 3, "random_state": 0}
BLOCK = SMALL | {"n_blocks": 1, "L": 6}
COUNTING = [PopularityRecommender(), MarkovRecommender(), ItemKNNRecommender()]
ATTREC = [
    AttRecRecommender(loss=loss, aggregation=aggregation, **SMALL)
    for loss in ("softmax", "bpr")
    for aggregation in ("mean", "sum", "max", "min")
] + [AttRecRecommender(time_bias="request", **SMALL)]
TRANSFORMERS = [
    SASRecRecommender(**BLOCK),
    SSEPTRecommender(d_user=4, n_heads=2, **BLOCK),
    HSTURecommender(time_bias="request", **BLOCK),
]
MODELS = COUNTING + ATTREC[:1] + TRANSFORMERS
COLUMNS = ["user_id", "item_id", "score", "cause", "cause_item_id", "contribution"]


@pytest.fixture(scope="module")
def rows():
    return make_interactions(60, 40, n_per_user=(4, 16), random_state=0)


@pytest.fixture(scope="module")
def fitted(rows):
    models = {}

    def fit(model):
        if repr(model) not in models:
            models[repr(model)] = model.fit(rows)
        return models[repr(model)]

    return fit


def each(models):
    return pytest.mark.parametrize("model", models, ids=repr)


@each(COUNTING + ATTREC)
def test_contributions_add_up_to_the_score(model, fitted):
    model = fitted(model)
    lists = [[3, 1, 3, 7, 5, 2, 3], [8]]
    for users, history in (([0, 5, 9], None), (["a", "b"], lists)):
        if history:
            users = [1000, 1001]
        reasons = model.explain(users, history, k=4)
        groups = reasons.groupby(["user_id", "item_id"], sort=False)
        total = groups.agg({"score": "first", "contribution": "sum"})
        assert_allclose(total["contribution"], total["score"], rtol=1e-5, atol=1e-6)
        expected = model.recommend(users, history, k=4)
        assert_array_equal(total.index.to_frame()["item_id"], expected["item_id"])
        assert_array_equal(total["score"], expected["score"])


@each(TRANSFORMERS)
def test_transformers_are_scored_without_each_item(model, fitted):
    model, history = fitted(model), [9, 4, 8, 3, 4, 7, 5, 2]
    reasons = model.explain(1000, history, items=[1, 6])
    causes = reasons[reasons["cause"] == "history"].set_index("cause_item_id")
    assert {*causes.index} == {8, 3, 4, 7, 5, 2}  # the last L items
    for item, score in reasons.groupby("item_id")["score"].first().items():
        of_item = causes[causes["item_id"] == item]["contribution"]
        for left_out in of_item.index:
            shorter = [one for one in history if one != left_out]
            without = model.explain(1000, shorter, items=item)["score"].iloc[0]
            assert of_item[left_out] == pytest.approx(score - without, abs=1e-6)


def test_times_stay_those_of_the_request(rows):
    model = HSTURecommender(time_bias="request", **BLOCK).fit(rows)
    history = pd.DataFrame({"item_id": [3, 4, 5], "timestamp": [1, 2, 5]})
    implied = model.explain(1000, history, items=6)
    history["user_id"], asked = (
        1000,
        pd.DataFrame({"user_id": [1000], "timestamp": [5]}),
    )
    stated = model.explain(asked, history, items=6)
    assert_allclose(implied["contribution"], stated["contribution"], rtol=1e-5)
    (last,) = implied.loc[implied["cause_item_id"] == 5, "contribution"]
    shorter = history[:2]
    without = model.explain(asked, shorter, items=6)["score"].iloc[0]
    assert last == pytest.approx(implied["score"].iloc[0] - without, abs=1e-6)


def test_long_term_taste_of_sse_pt(fitted):
    model = fitted(TRANSFORMERS[1])
    known, unseen = (model.explain(user, [3, 4], items=6) for user in (0, 1000))
    (taste,) = known.loc[known["cause"] == "long-term taste", "contribution"]
    assert taste == pytest.approx(known["score"].iloc[0] - unseen["score"].iloc[0])
    assert (unseen.loc[unseen["cause"] == "long-term taste", "contribution"] == 0).all()


def test_terms_of_item_knn_are_similarities():
    rows = pd.DataFrame({"user_id": [*"aabbcc"], "item_id": [*"xyxyxz"]})
    model = ItemKNNRecommender(shrinkage=0).fit(rows)
    reasons = model.explain("new", ["y", "z"], items="x")
    assert reasons["cause_item_id"].tolist()[:2] == ["y", "z"]
    assert pd.isna(reasons["cause_item_id"].iloc[2])
    expected = [2 / np.sqrt(6), 1 / np.sqrt(3), 1e-6 * 3 / 6]
    assert_allclose(reasons["contribution"], expected, rtol=1e-6)


def test_attention_decides_what_an_item_of_attrec_contributes(fitted):
    model, history = fitted(ATTREC[0]), [3, 1, 7, 5, 2]
    reasons = model.explain(1000, history, items=6).set_index("cause_item_id")
    attention = model.attention(1000, history)
    shares = attention.mean()  # of each item in m
    X, counts = model.weights_["X"].astype(float), model.item_counts_
    place = model.items_.tolist().index
    average = counts @ X / counts.sum()
    vectors = X[[place(item) for item in shares.index]]
    m = shares.to_numpy() @ vectors
    towards = 2 * X[place(6)] - m - average
    expected = 0.7 * shares.to_numpy() * ((vectors - average) @ towards)
    assert_allclose(reasons.loc[shares.index, "contribution"], expected, rtol=1e-4)
    U, V = (model.weights_[name].astype(float) for name in "UV")
    popularity = -0.3 * np.square(U.mean(axis=0) - V[place(6)]).sum()
    popularity -= 0.7 * np.square(average - X[place(6)]).sum()
    (found,) = reasons.loc[reasons["cause"] == "popularity", "contribution"]
    assert found == pytest.approx(popularity, rel=1e-4)


@each(MODELS)
def test_form_of_the_table(model, fitted):
    model = fitted(model)
    reasons = model.explain([4, 2], k=3)
    assert reasons.columns.tolist() == COLUMNS
    pairs = reasons[["user_id", "item_id"]].drop_duplicates()
    expected = model.recommend([4, 2], k=3)[["user_id", "item_id"]]
    assert_array_equal(pairs, expected)
    steps = reasons.groupby(["user_id", "item_id"], sort=False)["contribution"]
    assert (steps.diff().dropna() <= 0).all()
    is_item = reasons["cause"] == "history"
    assert (reasons.loc[~is_item, "cause_item_id"] == model.missing_item_).all()
    assert is_item.any() or isinstance(model, PopularityRecommender)
    one = model.explain(2, k=3)
    pd.testing.assert_frame_equal(one, reasons[-len(one) :].reset_index(drop=True))
    empty = model.explain([], k=3)
    assert empty.columns.tolist() == COLUMNS and len(empty) == 0


@each(MODELS)
def test_without_history_popularity_is_the_only_cause(model, fitted):
    reasons = fitted(model).explain(1000, [], k=2)
    assert reasons["cause"].tolist() == ["popularity"] * 2
    assert_array_equal(reasons["contribution"], reasons["score"])


def test_explained_together_or_alone(fitted, monkeypatch):
    model, users = fitted(TRANSFORMERS[0]), [3, 1, 4, 15, 9]
    whole = model.explain(users, k=2)
    monkeypatch.setattr("sklearn_attrec.models._explanations.BLOCK_SIZE", 2)
    monkeypatch.setattr("sklearn_attrec.models._explanations.LEFT_OUT_SIZE", 3)
    pd.testing.assert_frame_equal(model.explain(users, k=2), whole)


@each(TRANSFORMERS)
def test_the_only_item_of_a_history_contributes_the_whole_score(model, fitted):
    reasons = fitted(model).explain(1000, [3, 3], items=[5, 5])
    reasons = reasons[reasons["cause"] == "history"]
    assert len(reasons) == 1
    assert_allclose(reasons["contribution"], reasons["score"])


def test_polars(fitted):
    polars = pytest.importorskip("polars")
    reasons = fitted(COUNTING[1]).explain(polars.Series("user_id", [1, 2]), k=2)
    assert isinstance(reasons, polars.DataFrame)
    assert reasons.columns == COLUMNS


def test_items_that_cannot_be_explained(fitted):
    model = fitted(COUNTING[1])
    with pytest.raises(InteractionsError, match="explain: 'items'.*999"):
        model.explain(0, items=[3, 999])
    with pytest.raises(UnknownUserError, match="1000"):
        model.set_params(handle_unknown="error").explain(1000)
    model.set_params(handle_unknown="popular")


def test_attention_of_several_users(fitted):
    model = fitted(ATTREC[0])
    with pytest.raises(InteractionsError, match="one user.*Got 2 users"):
        model.attention([1, 2])
    with pytest.raises(InteractionsError, match="Got 1 users with 0 items"):
        model.attention(1000, [])


def test_attention_of_a_short_window(fitted):
    model = fitted(ATTREC[0])
    attention = model.attention(1000, [3, 1, 7])
    assert attention.index.tolist() == attention.columns.tolist() == [3, 1, 7]
    assert_allclose(attention.sum(axis=1), 1, rtol=1e-6)
    assert_array_equal(np.diag(attention), 0)


# Real data ----------------------------------------------------------------------

REAL = {
    "item-knn": ItemKNNRecommender(),
    "markov": MarkovRecommender(),
    "attrec": AttRecRecommender(d=32, max_iter=4, random_state=0),
    "sasrec": SASRecRecommender(L=20, d=32, max_iter=3, random_state=0),
    "sse-pt": SSEPTRecommender(L=20, d=32, max_iter=3, random_state=0),
    "hstu": HSTURecommender(L=20, d=32, max_iter=3, random_state=0),
}


@pytest.mark.parametrize("name", REAL)
def test_the_first_cause_matters_more_than_a_random_one(name, movielens_100k):
    model = REAL[name].fit(movielens_100k)
    random, decreases = np.random.default_rng(0), []
    for user in random.choice(model.users_, 60, replace=False):
        reasons = model.explain(user, k=1)
        item, score = reasons["item_id"].iloc[0], reasons["score"].iloc[0]
        causes = reasons.loc[reasons["cause"] == "history", "cause_item_id"].tolist()
        history = movielens_100k.query("user_id == @user")
        history = history.sort_values("timestamp", kind="stable")["item_id"].tolist()
        others = causes[1:] or sorted({*history} - {*causes})
        if not causes:
            continue
        decrease = []
        for removed in (causes[0], random.choice(others)):
            shorter = [one for one in history if one != removed]
            without = model.explain(user, shorter, items=item)["score"].iloc[0]
            decrease.append(score - without)
        decreases.append(decrease)
    first, other = np.array(decreases).T
    difference = first - other
    error = difference.std() / np.sqrt(len(difference))
    assert difference.mean() > 3 * error
    assert (difference > 0).mean() > 0.75


def test_a_model_with_dense_vectors_needs_its_own_causes(fitted, monkeypatch):
    """The default would leave them out, and the contributions would not add up."""
    monkeypatch.setattr(AttRecRecommender, "_causes", ExplanationsMixin._causes)
    with pytest.raises(NotImplementedError, match="AttRecRecommender needs its own"):
        fitted(ATTREC[0]).explain(1)
