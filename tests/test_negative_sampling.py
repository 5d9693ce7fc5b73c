"""Negatives are exactly uniform over untouched items, or drawn by popularity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec._interactions.sequences import Sequences
from sklearn_attrec._networks import numpy_ops
from sklearn_attrec._networks.negative_sampling import (
    draw_popular,
    draw_untouched,
    index_popularity,
    index_untouched,
)

ALMOST_ONE = np.nextafter(1.0, 0.0)
HUGE = 10**9


@pytest.fixture(params=["numpy", "keras"])
def ops(request):
    if request.param == "numpy":
        return numpy_ops
    from sklearn_attrec._networks import keras_ops  # imports TensorFlow

    return keras_ops.ops


def sequences_of(histories):
    items = np.concatenate([np.asarray(history, np.int32) for history in histories])
    return Sequences(np.cumsum([0, *map(len, histories)]), items, None)


def draw(histories, n_items, users, uniforms, ops=numpy_ops):
    untouched = index_untouched(sequences_of(histories), n_items)
    drawn = draw_untouched(
        ops, untouched, n_items, np.asarray(users), np.asarray(uniforms)
    )
    return np.asarray(drawn)


def untouched_items(history, n_items):
    return sorted(set(range(n_items)) - set(history))


def grid(n_cells, each):
    """Uniform numbers, `each` of them in every one of n_cells equal cells."""
    n = n_cells * each
    return (np.arange(n) + 0.5) / n


HISTORIES = [
    [0, 1, 2],  # the first items
    [7, 8, 9],  # the last items
    [5, 0, 9, 3],
    [4, 4, 4, 2],  # a repeated item
    [],
    [0, 1, 2, 3, 4, 6, 7, 8, 9],  # one left, in the middle
    [1, 2, 3, 4, 5, 6, 7, 8, 9],  # one left, the first
    [8, 7, 6, 5, 4, 3, 2, 1, 0],  # one left, the last
    [1, 3, 5, 7, 9],
]


@pytest.mark.parametrize("user", range(len(HISTORIES)))
def test_each_untouched_item_is_reached_by_its_share_of_the_uniforms(user, ops):
    left = untouched_items(HISTORIES[user], 10)
    uniforms = grid(len(left), each=7)
    drawn = draw(HISTORIES, 10, [user], [uniforms], ops)[0]
    assert_array_equal(drawn, np.repeat(left, 7))


def test_a_batch_of_users_is_drawn_at_once(ops):
    # With both ends of the unit interval: the first and the last untouched item.
    users = np.array([8, 0, 5, 0, 4, 1, 2, 3, 6, 7])
    uniforms = np.random.default_rng(0).random((10, 11))
    uniforms[:, [0, -1]] = 0.0, ALMOST_ONE
    drawn = draw(HISTORIES, 10, users, uniforms, ops)
    for row, user in enumerate(users):
        left = np.array(untouched_items(HISTORIES[user], 10))
        assert_array_equal(drawn[row], left[(uniforms[row] * len(left)).astype(int)])
        assert (drawn[row, 0], drawn[row, -1]) == (left[0], left[-1])


def test_a_huge_catalogue_neither_overflows_nor_is_rounded(ops):
    # User codes times items exceed 32 bits by far.
    n = 5_000
    histories = [[]] * (n - 2) + [[0, HUGE // 2, HUGE - 1], [HUGE - 2]]
    drawn = draw(histories, HUGE, [n - 2, n - 1], [[0.0, 0.5, ALMOST_ONE]] * 2, ops)
    assert drawn.dtype == np.int64
    # 10⁹ − 3 are left: 1, 2, … without the one in the middle.
    assert drawn[0].tolist() == [1, HUGE // 2 - 1, HUGE - 2]
    assert drawn[1].tolist() == [0, HUGE // 2 - 1, HUGE - 1]
    first_hundred = (np.arange(100) + 0.5) / HUGE
    assert_array_equal(draw(histories, HUGE, [0], [first_hundred], ops)[0], range(100))


def test_counts_of_untouched_items():
    untouched = index_untouched(sequences_of([*HISTORIES, range(10)]), 10)
    assert untouched.counts.tolist() == [7, 7, 6, 8, 10, 1, 1, 1, 5, 0]
    assert (np.diff(untouched.keys) >= 0).all()


@given(st.data())
def test_all_untouched_items_and_no_others_are_drawn(data):
    n_items = data.draw(st.integers(1, 12))
    history = st.lists(st.integers(0, n_items - 1), max_size=15).filter(
        lambda items: len(set(items)) < n_items
    )
    histories = data.draw(st.lists(history, min_size=1, max_size=6))
    user = data.draw(st.integers(0, len(histories) - 1))
    left = untouched_items(histories[user], n_items)
    drawn = draw(histories, n_items, [user], [grid(len(left), each=3)])[0]
    assert_array_equal(drawn, np.repeat(left, 3))


def test_popular_items_are_drawn_by_their_share_of_the_rows(ops):
    # Item 1 has no row, and counts as if it had one.
    popularity = index_popularity(sequences_of([[2, 2, 0, 2, 4], [0, 2, 3, 0, 2]]), 5)
    shares = np.array([3, 1, 5, 1, 1]) / 11
    assert_allclose(popularity.probabilities, shares, rtol=1e-6)
    items, log_ratios = draw_popular(ops, popularity, grid(11, each=7)[::-1])
    assert np.asarray(items).dtype == np.int64
    assert_array_equal(items, [0, 1, 2, 3, 4])
    assert_allclose(log_ratios, 0, atol=1e-6)  # each as often as expected
    items, log_ratios = draw_popular(ops, popularity, np.array([0.5, 0.99, 0.6, 0.8]))
    assert_array_equal(items, [2, 4])
    expected = np.log([3 / (4 * 5 / 11), 1 / (4 * 1 / 11)])
    assert_allclose(log_ratios, expected, rtol=1e-5)


@pytest.mark.parametrize("n_items", [1, 3, 7, 1_000, 99_999])
def test_the_largest_uniform_draws_the_last_item(n_items, ops):
    # Shares that add up to a little less than 1 would lead past the catalogue.
    random = np.random.default_rng(n_items)
    rows = (n_items * random.random(3 * n_items) ** 3).astype("i4")
    popularity = index_popularity(sequences_of([rows]), n_items)
    items, _ = draw_popular(ops, popularity, np.array([0.0, ALMOST_ONE]))
    assert np.asarray(items).tolist() == sorted({0, n_items - 1})
    assert popularity.cumulated[-1] == 1
    assert (np.diff(popularity.cumulated) > 0).all()
