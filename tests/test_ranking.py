"""Top k and ranks equal a full sort, whatever ties there are."""

from concurrent.futures import thread
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, issparse

from sklearn_attrec import PopularityRecommender
from sklearn_attrec._ranking import blocks
from sklearn_attrec._ranking import scores as scores_module
from sklearn_attrec._ranking.blocks import map_blocks
from sklearn_attrec._ranking.exclusions import Exclusions, Pairs
from sklearn_attrec._ranking.scores import Catalogue, scan
from sklearn_attrec._ranking.similar_items import _unit_rows
from sklearn_attrec._ranking.target_ranks import TargetRanks
from sklearn_attrec._ranking.top_k import TopK
from sklearn_attrec.datasets import make_interactions

INF = np.inf


def sorted_items(scores, k):
    """The k best of one row by a full sort, ties to the lower code."""
    order = sorted(range(len(scores)), key=lambda item: (-scores[item], item))
    best = [item for item in order if scores[item] > -INF][:k]
    return best + [-1] * (k - len(best))


def rank_of(scores, target):
    """1 plus the number of other items with no lower score."""
    return sum(score >= scores[target] for score in scores)


def exact_scores(queries, items):
    """Scores in double precision, pair by pair, rounded to float32 numbers."""
    largest = np.finfo(np.float32).max
    scores = [[sum(q * i) for i in items] for q in queries.astype(np.float64)]
    return np.clip(scores, -largest, largest).astype(np.float32)


def searched(catalogue, queries, k, exclusions, targets=()):
    """Top k of each query, and the ranks of (query, target) pairs."""
    scores = catalogue.scores(queries)
    top, ranks = TopK(scores, k), TargetRanks(scores, *pairs_of(targets))
    scan(scores, exclusions, top, ranks)
    return *top.best(), ranks.ranks


def pairs_of(places):
    return Pairs(*np.array(places, dtype=int).reshape(-1, 2).T)


def dense(vectors):
    """Parts of which the last one is a single column."""
    return np.split(vectors, [2, 4], axis=1)


def sparse(vectors):
    return [csr_array(vectors[:, :4]), vectors[:, 4:]]


def float32(*numbers):
    return st.sampled_from(np.array(numbers, np.float32).tolist())


# Products of whole numbers are exact, and have many ties.
whole = st.sampled_from([-2, -1, 0, 0, 1])
# Sums of these depend on the order in which they are rounded: many scores are nearly
# equal, and BLAS gets some of them wrong.
rounded = float32(0.1, 0.1 + 2**-25, -0.3, 0.2, 1e4, -1e4)
# The scores overflow float32.
huge = float32(-2e30, 0, 1e30, 3e-30)
KINDS = {"dense": (dense, whole), "sparse": (sparse, whole)}
KINDS |= {"rounded": (dense, rounded), "huge": (dense, huge)}


@pytest.mark.case("P4")
@pytest.mark.parametrize("kind", KINDS)
@given(st.data(), st.integers(1, 5), st.integers(1, 25), st.integers(1, 30))
def test_search_equals_a_full_sort(kind, data, n, n_items, k):
    parts, numbers = KINDS[kind]

    def drawn(n_rows):
        rows = hnp.arrays(np.float32, (n_rows, 5), elements=numbers)
        return data.draw(rows)

    queries, items = drawn(n), drawn(n_items)
    queries[:, -1] = np.abs(queries[:, -1])
    places = [(row, item) for row in range(n) for item in range(n_items)]
    some = st.lists(st.sampled_from(places), unique=True)
    rules = {name: data.draw(some) for name in ("seen", "candidates", "excluded")}
    for_all = data.draw(hnp.arrays(bool, n_items))
    chunk = data.draw(st.integers(1, n * n_items))
    joined_up_to = data.draw(st.sampled_from([0, 2**22]))  # numbers of a catalogue

    expected = exact_scores(queries, items)
    expected[:, for_all] = -INF
    for place in places:
        is_kept = not rules["candidates"] or place in rules["candidates"]
        if not is_kept or place in rules["seen"] + rules["excluded"]:
            expected[place] = -INF
    targets = [place for place in places if expected[place] > -INF]

    pairs = {name: pairs_of(places) for name, places in rules.items()}
    candidates = pairs["candidates"] if rules["candidates"] else None
    per_query = pairs["seen"], pairs["excluded"]
    exclusions = Exclusions(for_all, candidates, per_query)
    by_column = [part.tocsc() if issparse(part) else part for part in parts(items)]
    with patch.object(scores_module, "FEW_NUMBERS", joined_up_to):
        catalogue = Catalogue(by_column)
    with patch.object(scores_module, "CHUNK_SCORES", chunk):
        vectors = parts(queries) if kind == "sparse" else [queries]
        best, scores, ranks = searched(catalogue, vectors, k, exclusions, targets)
    assert best.tolist() == [sorted_items(row, k) for row in expected]
    for row in range(n):
        found = best[row][best[row] >= 0]
        assert_array_equal(scores[row, : len(found)], expected[row, found])
        assert (scores[row, len(found) :] == -INF).all()
    assert ranks.tolist() == [rank_of(expected[row], item) for row, item in targets]


def test_an_exact_score_does_not_depend_on_the_other_pairs():
    # The halves of each sum cancel out, so what is left shows the order of the sum.
    random = np.random.default_rng(0)
    half, items = random.standard_normal((2, 300, 35)).astype(np.float32)
    queries = np.concatenate([half, -half], axis=1)
    scores = Catalogue([items, items]).scores([queries])
    rows, codes = random.integers(300, size=(2, 2_000))
    together = scores.exact(rows, codes)
    alone = [scores.exact(rows[i : i + 1], codes[i : i + 1])[0] for i in range(2_000)]
    assert together.any()
    assert_array_equal(together, alone)


def test_unit_rows_of_dense_and_sparse_vectors():
    vectors = np.array([[3, 4, 0], [0, 0, 0], [0, 0, -2]], dtype=np.float32)
    unit = _unit_rows(csr_array(vectors))
    assert_allclose(_unit_rows(vectors), [[0.6, 0.8, 0], [0, 0, 0], [0, 0, -1]])
    assert_array_equal(unit.toarray(), _unit_rows(vectors))


@pytest.mark.filterwarnings("ignore::sklearn_attrec.exceptions.SeenItemWarning")
@pytest.mark.case("P4")
@settings(max_examples=40)
@given(st.integers(1, 80), st.integers(1, 40), st.booleans(), st.integers(1, 3))
def test_blocks_of_any_size_equal_one_full_sort(size, k, exclude_seen, n_threads):
    # Popularity has many ties.
    interactions = make_interactions(70, 30, n_per_user=8, random_state=0)
    rows = interactions.drop(columns="timestamp")
    model = PopularityRecommender(k=k, exclude_seen=exclude_seen).fit(rows)
    users, items = pd.Index(model.users_), pd.Index(model.items_)
    users, items = (
        users.get_indexer(rows["user_id"]),
        items.get_indexer(rows["item_id"]),
    )
    scores = model.query_vectors() @ model.item_vectors().T
    if exclude_seen:
        scores[users, items] = -INF
    best = np.array([sorted_items(row, k) for row in scores])
    expected = np.where(best < 0, model.missing_item_, model.items_[best])
    ranks = [
        rank_of(scores[user], item) if scores[user, item] > -INF else INF
        for user, item in zip(users, items, strict=True)
    ]
    with (
        patch.object(scores_module, "BLOCK_SIZE", size),
        patch.object(blocks, "n_blas_threads", lambda: n_threads),
    ):
        assert_array_equal(model.predict(model.users_), expected)
        assert_array_equal(model.target_ranks(rows), ranks)


@pytest.mark.parametrize(
    ("owner", "product"), [(PopularityRecommender, "_query_parts"), (np, "matmul")]
)
def test_false_alarms_of_matrix_products_warn_nobody(owner, product, monkeypatch):
    computed = getattr(owner, product)

    def with_false_alarm(*args, **kwargs):
        np.subtract(INF, INF)
        return computed(*args, **kwargs)

    model = PopularityRecommender(exclude_seen=False, k=2)
    model.fit(make_interactions(5, 4, random_state=0))
    best = model.predict(model.users_)
    monkeypatch.setattr(owner, product, with_false_alarm)
    assert_array_equal(model.predict(model.users_), best)


def test_queries_are_ranked_while_python_ends_and_starts_no_threads(monkeypatch):
    monkeypatch.setattr(thread, "_shutdown", True)
    monkeypatch.setattr(blocks, "n_blas_threads", lambda: 2)
    catalogue = SimpleNamespace(n_items=10**6, largest_block=lambda k: 20)
    ranked = []
    map_blocks(ranked.append, 50, catalogue, 3)
    assert ranked == [slice(0, 20), slice(20, 40), slice(40, 50)]


def test_a_block_of_many_best_items_has_few_queries():
    # A chunk of its scores then has several times as many items.
    catalogue = Catalogue([np.ones((2, 2), np.float32)])
    sizes = [catalogue.largest_block(k) for k in (0, 10, 2**12, 2**30)]
    assert sizes == [scores_module.BLOCK_SIZE, scores_module.BLOCK_SIZE, 32, 1]
