"""`recommend` with an index of the item vectors."""

from copy import copy

import faiss
import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from sklearn_attrec import AttRecRecommender, MarkovRecommender, SASRecRecommender
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.models import _base

N_ITEMS = 400


@pytest.fixture(scope="module", params=[AttRecRecommender, SASRecRecommender])
def model(request):
    X = make_interactions(60, N_ITEMS, n_per_user=(10, 30), random_state=0)
    return request.param(d=8, L=5, max_iter=1, k=4, random_state=0).fit(X)


@pytest.fixture
def unchecked(monkeypatch):
    monkeypatch.setattr(_base, "check_index", lambda *arguments: None)


class FixedIndex:
    """Returns the same items for all queries, and −1 if they are too few."""

    def __init__(self, model, items):
        self.ntotal, self.d = len(model.items_), model.item_vectors().shape[1] + 1
        self.codes = np.flatnonzero(np.isin(model.items_, items))
        self.widths = []

    def search(self, queries, width):
        self.widths.append((len(queries), width))
        codes = np.full((len(queries), width), -1)
        codes[:, : len(self.codes)] = self.codes[:width]
        return None, codes


def with_ties(model):
    """Return the model with pairs of equal items."""
    tied = copy(model)
    tied.weights_ = dict(model.weights_)
    for name in model._network.ITEM_TABLES:
        tied.weights_[name] = model.weights_[name].copy()
        tied.weights_[name][1::2] = tied.weights_[name][:-1:2]
    tied._cache = {}
    return tied


@pytest.mark.parametrize("change", [copy, with_ties])
def test_an_exact_index_gives_the_exact_recommendations(model, change):
    model = change(model)
    index = model.to_index("Flat")
    users = [*model.users_[:20].tolist(), -5]  # the last one was not seen in fit
    excluded = {user: model.predict(user).tolist() for user in users[:5]}
    few = {user: model.items_[:9].tolist() for user in users}
    rules = [
        {},
        {"exclude_seen": False},
        {"exclude": model.items_[:200].tolist()},
        {"exclude": excluded, "k": 2},
        {"candidates": model.items_[100:300].tolist()},
        {"candidates": few, "exclude_seen": False},
        {"k": 1000},
        {"history": [model.items_[:n].tolist() for n in range(21)]},
    ]
    for options in rules:
        found = model.recommend(users, index=index, **options)
        assert_frame_equal(found, model.recommend(users, **options))


@pytest.mark.usefixtures("unchecked")
def test_candidates_come_from_the_index_and_get_exact_scores(model):
    index = FixedIndex(model, model.items_[model.items_ % 2 == 0])
    found = model.recommend(index=index, exclude_seen=False)
    returned = model.items_[index.codes[:8]]  # twice as many as needed
    expected = model.recommend(candidates=returned.tolist(), exclude_seen=False)
    assert_frame_equal(found, expected)
    assert {width for _, width in index.widths} == {8}


@pytest.mark.usefixtures("unchecked")
def test_more_is_requested_where_too_many_items_are_excluded(model):
    index = FixedIndex(model, model.items_)
    first, returned = (model.items_[index.codes[:n]].tolist() for n in (6, 32))
    user, other = model.users_[:2].tolist()
    options = {"exclude": {user: first}, "exclude_seen": False}
    found = model.recommend([user, other], index=index, **options)
    assert index.widths == [(2, 8), (1, 32)]
    expected = model.recommend(user, candidates=returned, **options)
    assert_frame_equal(found[:4], expected)


@pytest.mark.usefixtures("unchecked")
def test_the_rest_is_searched_exactly(model):
    index = FixedIndex(model, model.items_[:3])  # fewer than k
    assert_frame_equal(model.recommend(index=index), model.recommend())
    assert max(width for _, width in index.widths) <= len(model.items_) / 8


def test_a_graph_finds_most_of_the_best_items(model):
    best, found = model.recommend(), model.recommend(index=model.to_index())
    pairs = ["user_id", "item_id"]
    assert len(best.merge(found, on=pairs)) >= 0.95 * len(best)
    assert len(found) == len(best)


def test_indexes_of_other_vectors_are_refused(model):
    X = make_interactions(20, 50, random_state=0)
    smaller = AttRecRecommender(d=4, L=2, max_iter=1).fit(X).to_index("Flat")
    other = copy(model)
    other.weights_ = {name: value[::-1] for name, value in model.weights_.items()}
    other._cache = {}
    numbers, vectors = model.items_ + 7, model.item_vectors()
    ids = faiss.IndexIDMap(faiss.IndexFlatL2(vectors.shape[1] + 1))
    ids.add_with_ids(np.column_stack([vectors, vectors[:, 0]]), numbers)
    for index in smaller, other.to_index("Flat"), other.to_index(), ids, "HNSW32":
        with pytest.raises(InvalidParameterError, match="Build it again after each"):
            model.recommend(index=index)
    for kind in "HNSW32", "IVF4,Flat", "IVF4,SQ8", "PCA4,HNSW16":
        model.recommend(index=model.to_index(kind))
    with pytest.raises(InvalidParameterError, match="'kind'.*'none'"):
        model.to_index("none")
    with pytest.raises(InvalidParameterError, match="'kind'"):
        model.to_index(32)
    sparse = MarkovRecommender().fit(X)
    for call in sparse.to_index, lambda: sparse.recommend(index=index):
        with pytest.raises(TypeError, match="exact search"):
            call()
