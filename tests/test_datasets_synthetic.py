"""The generator keeps its promises, and the best hit rate is what it says."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec.datasets import best_hit_rate, make_interactions
from sklearn_attrec.exceptions import InvalidParameterError


def histories(frame):
    """Return the items of each user, oldest first."""
    by_user = frame.sort_values(["user_id", "timestamp"]).groupby("user_id")["item_id"]
    return [items.to_numpy() for _, items in by_user]


def cycle_of(n_items, random_state):
    """Return the items in the order of the cycle, as a predictable walk shows them."""
    walk = make_interactions(
        1, n_items, n_per_user=n_items, predictability=1, random_state=random_state
    )
    return walk["item_id"].to_numpy()


def best_ranking(history, cycle, predictability, repeats):
    """Rank the items that can come next as one who knows how the data were made."""
    after = np.roll(cycle, -1 - list(cycle).index(history[-1]))
    if not repeats:
        after = after[~np.isin(after, history)]
    n = len(after)
    likely_first = predictability >= (1 - predictability) / max(n - 1, 1)
    return after if likely_first else np.roll(after, -1)


def hit_rate(frame, cycle, k, predictability, repeats):
    hits = [
        items[-1] in best_ranking(items[:-1], cycle, predictability, repeats)[:k]
        for items in histories(frame)
    ]
    return np.mean(hits)


@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("n_per_user", [1, 7, (3, 9)])
def test_columns_dtypes_and_counts(n_per_user, repeats):
    frame = make_interactions(
        40, 12, n_per_user=n_per_user, repeats=repeats, random_state=0
    )
    low, high = n_per_user if isinstance(n_per_user, tuple) else (n_per_user,) * 2
    counts = frame["user_id"].value_counts()
    assert list(frame.columns) == ["user_id", "item_id", "timestamp"]
    assert set(frame.dtypes) == {np.dtype("int64")}
    assert sorted(counts.index) == list(range(40))
    assert (counts.min(), counts.max()) == (low, high)
    assert frame["item_id"].between(0, 11).all()


def test_times_increase_and_users_interleave():
    frame = make_interactions(30, 20, n_per_user=10, random_state=0)
    assert frame["timestamp"].is_monotonic_increasing
    assert frame["timestamp"].is_unique
    assert isinstance(frame.index, pd.RangeIndex)
    assert (frame["user_id"].diff() == 0).mean() < 0.2


def test_every_item_has_one_successor_where_all_is_predictable():
    n_items = 9
    cycle = cycle_of(n_items, random_state=3)
    assert sorted(cycle) == list(range(n_items))
    successor = dict(zip(cycle, np.roll(cycle, -1), strict=True))
    frame = make_interactions(50, n_items, predictability=1, random_state=3)
    for items in histories(frame):
        assert [successor[i] for i in items[:-1]] == list(items[1:])


def test_the_successor_never_comes_where_predictability_is_zero():
    cycle = cycle_of(6, random_state=3)
    successor = dict(zip(cycle, np.roll(cycle, -1), strict=True))
    frame = make_interactions(100, 6, predictability=0, random_state=3)
    pairs = [
        pair
        for items in histories(frame)
        for pair in zip(items, items[1:], strict=False)
    ]
    assert all(successor[before] != after for before, after in pairs)
    assert any(before == after for before, after in pairs)


def test_no_item_twice_without_repeats():
    frame = make_interactions(
        100, 8, n_per_user=8, predictability=0.3, repeats=False, random_state=0
    )
    assert not frame.duplicated(["user_id", "item_id"]).any()


def test_frequency_of_the_successor():
    cycle = cycle_of(10, random_state=0)
    place = np.argsort(cycle)
    frame = make_interactions(
        2000, 10, n_per_user=11, predictability=0.4, random_state=0
    )
    steps = np.concatenate([np.diff(place[items]) % 10 for items in histories(frame)])
    shares = np.bincount(steps, minlength=10) / len(steps)
    assert_allclose(shares[1], 0.4, atol=0.015)
    assert_allclose(np.delete(shares, 1), 0.6 / 9, atol=0.01)


@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("predictability", [0, 0.02, 0.5, 0.8, 1])
@pytest.mark.parametrize("k", [1, 3, 11, 12])
def test_best_hit_rate_is_that_of_the_best_ranking(predictability, repeats, k):
    n_items, n_per_user = 16, 6
    frame = make_interactions(
        4000,
        n_items,
        n_per_user=n_per_user,
        predictability=predictability,
        repeats=repeats,
        random_state=1,
    )
    measured = hit_rate(frame, cycle_of(n_items, 1), k, predictability, repeats)
    n_seen = 0 if repeats else n_per_user - 1
    expected = best_hit_rate(k, n_items, predictability, n_seen=n_seen)
    # Four standard errors of the mean of 4000 hits; none where the outcome is sure.
    assert_allclose(
        measured, expected, atol=4 * np.sqrt(expected * (1 - expected) / 4000) + 1e-12
    )


def test_best_hit_rate_of_users_with_histories_of_different_length():
    frame = make_interactions(
        4000, 12, n_per_user=(2, 12), predictability=0.5, repeats=False, random_state=2
    )
    n_seen = frame["user_id"].value_counts().to_numpy() - 1
    expected = best_hit_rate(2, 12, 0.5, n_seen=n_seen)
    assert expected.shape == (4000,)
    measured = hit_rate(frame, cycle_of(12, 2), 2, 0.5, repeats=False)
    assert_allclose(measured, expected.mean(), atol=0.03)


def test_no_other_ranking_beats_the_best():
    """Popularity and a wrong cycle stay below."""
    frame = make_interactions(2000, 20, predictability=0.6, random_state=4)
    wrong = cycle_of(20, 5)
    best = best_hit_rate(3, 20, 0.6)
    assert hit_rate(frame, wrong, 3, 0.6, repeats=True) < best / 2
    popular = frame["item_id"].value_counts().index[:3]
    last = [items[-1] for items in histories(frame)]
    assert np.isin(last, popular).mean() < best / 2


def test_best_hit_rate_by_hand():
    assert best_hit_rate(1, 50, 0.8) == 0.8
    assert best_hit_rate(1, 50, 1) == 1
    assert_allclose(best_hit_rate(1, 5, 0), 1 / 4)
    assert_allclose(best_hit_rate(4, 5, 0), 1)
    assert_allclose(best_hit_rate(2, 5, 1 / 5), 2 / 5)
    assert best_hit_rate(9, 5, 0.1) == 1
    assert best_hit_rate(1, 5, 0.1, n_seen=4) == 1


@pytest.mark.parametrize("predictability", [0, 0.01, 0.1, 0.7, 1])
def test_best_hit_rate_grows_with_k_up_to_one(predictability):
    rates = best_hit_rate(np.arange(1, 31), 30, predictability)
    assert (np.diff(rates) >= -1e-12).all()
    assert (rates <= 1 + 1e-12).all()
    assert rates[-1] == 1


def test_random_state():
    same = [make_interactions(random_state=7) for _ in range(2)]
    pd.testing.assert_frame_equal(*same)
    assert not same[0].equals(make_interactions(random_state=8))
    state = np.random.RandomState(7)
    first, second = (
        make_interactions(random_state=state),
        make_interactions(random_state=state),
    )
    pd.testing.assert_frame_equal(first, same[0])
    assert not first.equals(second)
    assert not make_interactions().equals(make_interactions())


@pytest.mark.parametrize("random_state", [None, 0])
def test_global_random_state_stays_untouched(random_state):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_interactions(random_state=random_state)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize(
    ("argument", "value", "range_"),
    [
        ("n_users", 0, r"\[1, inf\)"),
        ("n_users", True, "int"),
        ("n_items", 1, r"\[2, inf\)"),
        ("n_items", "many", "int"),
        ("n_per_user", 0, r"\[1, inf\) or a tuple"),
        ("n_per_user", (5, 2), "1 <= low <= high"),
        ("n_per_user", (1, 2, 3), "1 <= low <= high"),
        ("predictability", 1.1, r"\[0, 1\]"),
        ("predictability", float("nan"), r"\[0, 1\]"),
        ("repeats", "no", "True or False"),
        ("random_state", "seed", "None"),
    ],
)
def test_bad_arguments_of_make_interactions(argument, value, range_):
    with pytest.raises(
        InvalidParameterError, match=f"'{argument}'.*{range_}"
    ) as raised:
        make_interactions(**{argument: value})
    assert repr(value) in str(raised.value)


def test_more_interactions_than_items_without_repeats():
    with pytest.raises(InvalidParameterError, match=r"n_per_user.* 4.*Got \(2, 5\)"):
        make_interactions(n_items=4, n_per_user=(2, 5), repeats=False)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"k": 0}, "'k'"),
        ({"k": [1, 0]}, "'k'"),
        ({"k": 1.5}, "'k'"),
        ({"n_items": 1}, "'n_items'"),
        ({"predictability": -0.1}, "'predictability'"),
        ({"n_seen": 5}, r"'n_seen'.*\[0, 4\]"),
        ({"n_seen": -1}, "'n_seen'"),
    ],
)
def test_bad_arguments_of_best_hit_rate(arguments, named):
    with pytest.raises(InvalidParameterError, match=named):
        best_hit_rate(**{"k": 1, "n_items": 5, "predictability": 0.5} | arguments)
