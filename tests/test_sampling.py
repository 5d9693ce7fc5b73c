"""Negatives are exactly uniform over what is untouched, or as popular as they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec._sampling import (
    draw_popular,
    draw_untouched,
    index_popularity,
    index_untouched,
)
from sklearn_attrec._sequences import Sequences
from sklearn_attrec.utils import _numpy_ops

ALMOST_ONE = np.nextafter(1.0, 0.0)
HUGE = 10**9


@pytest.fixture(params=["numpy", "keras"])
def ops(request):
    if request.param == "numpy":
        return _numpy_ops
    from sklearn_attrec import _training_ops  # imports TensorFlow

    return _training_ops.ops


def sequences_of(histories):
    items = np.concatenate([np.asarray(history, np.int32) for history in histories])
    return Sequences(np.cumsum([0, *map(len, histories)]), items, None)


def draw(histories, n_items, users, uniforms, ops=_numpy_ops):
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
    [0, 1, 2],  # from the beginning on
    [7, 8, 9],  # up to the end
    [5, 0, 9, 3],
    [4, 4, 4, 2],  # the same item again
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
    users = np.array([8, 0, 5, 0, 4])
    uniforms = np.random.default_rng(0).random((5, 11))
    drawn = draw(HISTORIES, 10, users, uniforms, ops)
    for row, user in enumerate(users):
        left = np.array(untouched_items(HISTORIES[user], 10))
        assert_array_equal(drawn[row], left[(uniforms[row] * len(left)).astype(int)])


def test_the_ends_of_the_unit_interval_are_the_first_and_the_last_item(ops):
    users = np.arange(len(HISTORIES))
    uniforms = np.tile([0.0, ALMOST_ONE], (len(users), 1))
    drawn = draw(HISTORIES, 10, users, uniforms, ops)
    for user, history in enumerate(HISTORIES):
        left = untouched_items(history, 10)
        assert drawn[user].tolist() == [left[0], left[-1]]


def test_a_huge_catalogue_does_not_overflow(ops):
    # User codes times items exceed 32 bits by far.
    users = 5_000
    histories = [[]] * (users - 2) + [[0, HUGE // 2, HUGE - 1], [HUGE - 2]]
    uniforms = [[0.0, 0.5, ALMOST_ONE]] * 2
    drawn = draw(histories, HUGE, [users - 2, users - 1], uniforms, ops)
    assert drawn.dtype == np.int64
    # 10⁹ − 3 are left: 1, 2, … without the one in the middle.
    assert drawn[0].tolist() == [1, HUGE // 2 - 1, HUGE - 2]
    assert drawn[1].tolist() == [0, HUGE // 2 - 1, HUGE - 1]


def test_a_huge_catalogue_is_covered_finely(ops):
    uniforms = (np.arange(100) + 0.5) / HUGE  # the first hundred cells
    drawn = draw([[]], HUGE, [0], [uniforms], ops)
    assert_array_equal(drawn[0], np.arange(100))


def test_numbers_of_untouched_items():
    untouched = index_untouched(sequences_of([*HISTORIES, range(10)]), 10)
    assert untouched.counts.tolist() == [7, 7, 6, 8, 10, 1, 1, 1, 5, 0]
    assert (np.diff(untouched.keys) >= 0).all()


@given(st.data())
def test_never_a_touched_item_and_every_other_one(data):
    n_items = data.draw(st.integers(1, 12))
    history = st.lists(st.integers(0, n_items - 1), max_size=15).filter(
        lambda items: len(set(items)) < n_items
    )
    histories = data.draw(st.lists(history, min_size=1, max_size=6))
    user = data.draw(st.integers(0, len(histories) - 1))
    left = untouched_items(histories[user], n_items)
    drawn = draw(histories, n_items, [user], [grid(len(left), each=3)])[0]
    assert_array_equal(drawn, np.repeat(left, 3))


# By popularity ------------------------------------------------------------------


def test_items_are_drawn_by_their_share_of_the_rows(ops):
    # Five rows of 2, three of 0, one of 3 and of 4; item 1 counts as if it had one.
    popularity = index_popularity(sequences_of([[2, 2, 0, 2, 4], [0, 2, 3, 0, 2]]), 5)
    shares = np.array([3, 1, 5, 1, 1]) / 11
    assert_allclose(popularity.chances, shares, rtol=1e-6)
    items, chances = draw_popular(ops, popularity, grid(11, each=7))
    items = np.asarray(items)
    assert items.dtype == np.int64
    assert_array_equal(items, np.repeat([0, 0, 0, 1, 2, 2, 2, 2, 2, 3, 4], 7))
    assert_allclose(np.asarray(chances), shares[items], rtol=1e-6)


@pytest.mark.parametrize("n_items", [1, 3, 7, 1_000, 99_999])
def test_the_largest_uniform_draws_the_last_item(n_items, ops):
    # Shares that add up to a little less than 1 would lead past the catalogue.
    random = np.random.default_rng(n_items)
    rows = (n_items * random.random(3 * n_items) ** 3).astype("i4")
    popularity = index_popularity(sequences_of([rows]), n_items)
    items, _ = draw_popular(ops, popularity, np.array([0.0, ALMOST_ONE]))
    assert np.asarray(items).tolist() == [0, n_items - 1]
    assert popularity.cumulated[-1] == 1
    assert (np.diff(popularity.cumulated) > 0).all()
