"""Top k and ranks equal a full sort, whatever ties there are."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from scipy.sparse import csr_array

from sklearn_attrec import PopularityRecommender, _base, _ranking
from sklearn_attrec._ranking import (
    BLOCK_SIZE,
    inner_products,
    mask_items,
    ranks_of,
    top_k,
    unit_rows,
)
from sklearn_attrec._sequences import Sequences
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


@given(tied_scores, st.integers(1, 11))
def test_a_shorter_list_is_the_beginning_of_a_longer_one(scores, k):
    assert_array_equal(top_k(scores, k)[0], top_k(scores, k + 1)[0][:, :k])


def test_top_k_of_a_long_row_without_ties():
    scores = np.random.default_rng(0).permutation(5_000).astype(np.float32)[None]
    items, best = top_k(scores, 20)
    assert_array_equal(best[0], np.arange(4_999, 4_979, -1))
    assert_array_equal(scores[0, items[0]], best[0])


def test_top_k_where_all_items_tie():
    items, _ = top_k(np.zeros((3, 1_000), np.float32), 4)
    assert_array_equal(items, np.tile(np.arange(4), (3, 1)))


def test_what_is_left_out_is_never_recommended():
    scores = np.array([[-INF, 1.0, -INF], [-INF] * 3])
    items, best = top_k(scores, 2)
    assert_array_equal(items, [[1, -1], [-1, -1]])
    assert_array_equal(best, [[1.0, -INF], [-INF, -INF]])


@given(tied_scores, st.data())
def test_a_rank_counts_all_items_that_are_not_worse(scores, data):
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


@given(tied_scores, st.integers(1, 12))
def test_a_rank_up_to_k_is_a_place_in_the_list(scores, k):
    items, _ = top_k(scores, k)
    for target in range(scores.shape[1]):
        ranks = ranks_of(scores, np.full(len(scores), target))
        assert (items[ranks <= k] == target).any(axis=1).all()


def test_mask_items_takes_each_rows_own_items_out():
    scores = np.zeros((3, 4))
    mask_items(
        scores, Sequences(np.array([0, 2, 2, 5]), np.array([1, 3, 0, 0, 2]), None)
    )
    assert_array_equal(
        scores == -INF,
        [[False, True, False, True], [False] * 4, [True, False, True, False]],
    )


@pytest.mark.parametrize("n_items", [1, 9, 200])
def test_inner_products_of_a_query_do_not_depend_on_the_others(n_items):
    random = np.random.default_rng(0)
    queries = random.standard_normal((BLOCK_SIZE, 25)).astype(np.float32)
    items = random.standard_normal((n_items, 25)).astype(np.float32)
    parts = np.split(items, [17, 24], axis=1)  # 17, 7 and 1 wide

    def scores_of(queries):
        return inner_products(np.split(queries, [17, 24], axis=1), parts)

    scores = scores_of(queries)
    assert (scores.dtype, scores.flags.c_contiguous) == (np.float32, True)
    assert_allclose(scores, queries @ items.T, rtol=1e-4, atol=1e-5)
    for n in (1, 2, BLOCK_SIZE - 1):
        assert_array_equal(scores_of(queries[:n]), scores[:n])
    for row in range(BLOCK_SIZE):
        assert_array_equal(scores_of(queries[[row]])[0], scores[row])


@pytest.mark.parametrize("n_items", [1, 9, 200])
def test_sparse_inner_products_do_not_depend_on_the_others_either(n_items):
    random = np.random.default_rng(0)
    queries = random.standard_normal((BLOCK_SIZE, 300)).astype(np.float32)
    items = random.standard_normal((n_items, 300)).astype(np.float32)
    queries[random.random(queries.shape) < 0.8] = 0
    items[random.random(items.shape) < 0.5] = 0
    parts = csr_array(items[:, :-1]).tocsc(), items[:, -1:]  # a dense column beside

    def scores_of(queries):
        return inner_products((csr_array(queries[:, :-1]), queries[:, -1:]), parts)

    scores = scores_of(queries)
    assert (scores.dtype, type(scores)) == (np.float32, np.ndarray)
    assert_allclose(scores, queries @ items.T, rtol=1e-4, atol=1e-5)
    for n in (1, 2, BLOCK_SIZE - 1):
        assert_array_equal(scores_of(queries[:n]), scores[:n])
    for row in range(BLOCK_SIZE):
        assert_array_equal(scores_of(queries[[row]])[0], scores[row])


def test_sparse_vectors_are_treated_as_others():
    vectors = np.array([[3, 4, 0], [0, 0, 0], [0, 0, -2]], dtype=np.float32)
    unit = unit_rows(csr_array(vectors))
    assert_allclose(unit_rows(vectors), [[0.6, 0.8, 0], [0, 0, 0], [0, 0, -1]])
    assert_array_equal(unit.toarray(), unit_rows(vectors))


@pytest.mark.case("P4")
@pytest.mark.parametrize("k", [1, 3, 10, 40])
def test_many_blocks_of_queries_equal_one_full_sort(k):
    # Popularity has many ties, and 150 users fill more than one block.
    interactions = make_interactions(150, 30, n_per_user=8, random_state=0)
    model = PopularityRecommender(k=k).fit(interactions)
    assert BLOCK_SIZE < 150
    scores = model.query_vectors() @ model.item_vectors().T
    for row, user in enumerate(model.users_):
        seen = interactions.loc[interactions["user_id"] == user, "item_id"]
        scores[row, np.isin(model.items_, seen)] = -INF
    items = model.predict(model.users_.tolist())
    for row in range(len(scores)):
        expected = [
            model.items_[item] if item >= 0 else model.missing_item_
            for item in sorted_items(scores[row], k)
        ]
        assert items[row].tolist() == expected


@pytest.mark.case("P4")
@settings(derandomize=True, max_examples=40)
@given(st.integers(1, 80), st.integers(1, 35), st.booleans())
def test_blocks_of_any_size_give_the_same_lists(size, k, exclude_seen):
    interactions = make_interactions(70, 30, n_per_user=8, random_state=0)
    rows = interactions.drop(columns="timestamp")
    model = PopularityRecommender(exclude_seen=exclude_seen).fit(rows)
    expected, ranks = model.recommend(k=k), model.target_ranks(rows)
    with (
        patch.object(_base, "BLOCK_SIZE", size),
        patch.object(_ranking, "BLOCK_SIZE", size),
    ):
        answers = model.recommend(k=k)
        assert_array_equal(model.target_ranks(rows), ranks)
    assert_frame_equal(answers, expected, check_exact=True)
