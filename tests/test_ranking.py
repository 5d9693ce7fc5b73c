"""Top k and ranks equal a full sort, whatever ties there are."""

from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from sklearn_attrec import PopularityRecommender
from sklearn_attrec._interactions.sequences import Sequences
from sklearn_attrec._ranking import scores as scores_module
from sklearn_attrec._ranking import vectors as vectors_module
from sklearn_attrec._ranking.scores import inner_products, mask_items
from sklearn_attrec._ranking.similar_items import _unit_rows
from sklearn_attrec._ranking.target_ranks import ranks_of
from sklearn_attrec._ranking.top_k import top_k
from sklearn_attrec._ranking.vectors import BLOCK_SIZE
from sklearn_attrec.datasets import make_interactions

INF = np.inf
# Few different values, so that most rows hold ties.
tied_scores = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 12)),
    elements=st.sampled_from([-INF, -1.5, 0.0, 0.5, 2.0]),
)


def sorted_items(scores, k):
    """The k best of one row by a full sort, ties to the lower code."""
    order = sorted(range(len(scores)), key=lambda item: (-scores[item], item))
    best = [item for item in order if scores[item] > -INF][:k]
    return best + [-1] * (k - len(best))


@pytest.mark.case("P4")
@given(tied_scores, st.integers(1, 15))
def test_top_k_is_the_beginning_of_a_full_sort(scores, k):
    before = scores.tobytes()
    items, best = top_k(scores, k)
    assert scores.tobytes() == before
    assert items.shape == best.shape == (len(scores), k)
    for row in range(len(scores)):
        expected = sorted_items(scores[row], k)
        assert items[row].tolist() == expected
        assert best[row].tolist() == [
            scores[row, item] if item >= 0 else -INF for item in expected
        ]


@pytest.mark.parametrize("n_values", [1, 50, 10**6])
def test_top_k_of_long_rows(n_values):
    # Where NumPy partitions in another way than in short ones.
    scores = np.random.default_rng(0).integers(n_values, size=(3, 5_000)).astype("f4")
    items, _ = top_k(scores, 20)
    assert items.tolist() == [sorted_items(row, 20) for row in scores]


@given(tied_scores, st.data())
def test_a_rank_counts_all_items_with_no_lower_score(scores, data):
    n_items = scores.shape[1]
    targets = np.array([data.draw(st.integers(-1, n_items - 1)) for _ in scores])
    ranks = ranks_of(scores, targets)
    for row, target in enumerate(targets):
        if target < 0 or scores[row, target] == -INF:
            assert ranks[row] == INF
        else:
            better = [
                item
                for item in range(n_items)
                if item != target and scores[row, item] >= scores[row, target]
            ]
            assert ranks[row] == 1 + len(better)


def test_equal_scores_rank_each_target_last():
    # Ranked first, a model that knows nothing would score 1.
    ranks = ranks_of(np.zeros((4, 30)), np.array([0, 7, 29, -1]))
    assert ranks.tolist() == [30, 30, 30, INF]


def test_mask_items_takes_out_the_items_of_each_row():
    scores = np.zeros((3, 4))
    items = Sequences(np.array([0, 2, 2, 5]), np.array([1, 3, 0, 0, 2]), None)
    mask_items(scores, items)
    masked = [[False, True, False, True], [False] * 4, [True, False, True, False]]
    assert_array_equal(scores == -INF, masked)


def dense_parts(queries, items):
    """Parts 200, 99 and 1 wide; the last one is handled separately."""
    return tuple(np.split(x, [200, 299], axis=1) for x in (queries, items))


def sparse_parts(queries, items):
    """A sparse part and a dense column."""
    query = csr_array(queries[:, :-1]), queries[:, -1:]
    return query, (csr_array(items[:, :-1]).tocsc(), items[:, -1:])


@pytest.mark.parametrize("n_items", [1, 9, 200])
@pytest.mark.parametrize("split", [dense_parts, sparse_parts])
def test_inner_products_of_a_query_do_not_depend_on_other_queries(split, n_items):
    random = np.random.default_rng(0)
    queries = random.standard_normal((BLOCK_SIZE, 300)).astype(np.float32)
    items = random.standard_normal((n_items, 300)).astype(np.float32)
    if split is sparse_parts:
        queries[random.random(queries.shape) < 0.8] = 0
        items[random.random(items.shape) < 0.5] = 0

    def scores_of(queries):
        return inner_products(*split(queries, items))

    scores = scores_of(queries)
    assert type(scores) is np.ndarray
    assert (scores.dtype, scores.flags.c_contiguous) == (np.float32, True)
    assert_allclose(scores, queries @ items.T, rtol=1e-4, atol=1e-5)
    for n in (1, 2, BLOCK_SIZE - 1):
        assert_array_equal(scores_of(queries[:n]), scores[:n])
    for row in range(BLOCK_SIZE):
        assert_array_equal(scores_of(queries[[row]])[0], scores[row])


def test_unit_rows_of_dense_and_sparse_vectors():
    vectors = np.array([[3, 4, 0], [0, 0, 0], [0, 0, -2]], dtype=np.float32)
    unit = _unit_rows(csr_array(vectors))
    assert_allclose(_unit_rows(vectors), [[0.6, 0.8, 0], [0, 0, 0], [0, 0, -1]])
    assert_array_equal(unit.toarray(), _unit_rows(vectors))


@pytest.mark.filterwarnings("ignore::sklearn_attrec.exceptions.SeenItemWarning")
@pytest.mark.case("P4")
@settings(max_examples=40)
@given(st.integers(1, 80), st.integers(1, 40), st.booleans())
def test_blocks_of_any_size_equal_one_full_sort(size, k, exclude_seen):
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
    with (
        patch.object(scores_module, "BLOCK_SIZE", size),
        patch.object(vectors_module, "BLOCK_SIZE", size),
    ):
        assert_array_equal(model.predict(model.users_), expected)
        assert_array_equal(model.target_ranks(rows), ranks_of(scores[users], items))
