"""Made interactions have the promised structure, and the best hit rate is exact."""

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


def steps_along(cycle, frame):
    """Return how many places on the cycle lie between each item and the next."""
    place = np.argsort(cycle)
    steps = [np.diff(place[items]) for items in histories(frame)]
    return np.concatenate(steps) % len(cycle)


def best_ranking(history, cycle, predictability, repeats):
    """Rank the items that can come next, knowing how the data were made."""
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
@pytest.mark.parametrize("n_per_user", [1, 7, (3, 12)])
def test_form_of_the_frame(n_per_user, repeats):
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
    assert isinstance(frame.index, pd.RangeIndex)
    assert frame["timestamp"].is_monotonic_increasing
    assert frame["timestamp"].is_unique
    assert (frame["user_id"].diff() == 0).mean() < 0.2  # users interleave
    assert repeats or not frame.duplicated(["user_id", "item_id"]).any()


@pytest.mark.parametrize("predictability", [0, 0.4, 1])
def test_frequency_of_the_successor(predictability):
    cycle = cycle_of(10, random_state=0)
    assert sorted(cycle) == list(range(10)) != list(cycle)
    frame = make_interactions(
        2000, 10, n_per_user=11, predictability=predictability, random_state=0
    )
    frequencies = np.bincount(steps_along(cycle, frame), minlength=10) / 20_000
    tolerance = 0.015 if predictability == 0.4 else 0  # where nothing is left to draw
    assert_allclose(frequencies[1], predictability, atol=tolerance)
    others = np.delete(frequencies, 1)
    assert_allclose(others, (1 - predictability) / 9, atol=0.01)
    first = np.bincount([items[0] for items in histories(frame)])
    assert_allclose(first / 2000, 0.1, atol=0.03)


@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("predictability", [0, 0.02, 0.5, 0.8, 1])
def test_best_hit_rate_is_that_of_the_best_ranking(predictability, repeats):
    frame = make_interactions(
        4000,
        16,
        n_per_user=(2, 8),
        predictability=predictability,
        repeats=repeats,
        random_state=1,
    )
    n_seen = 0 if repeats else frame["user_id"].value_counts().to_numpy() - 1
    for k in (1, 3, 11, 12):
        measured = hit_rate(frame, cycle_of(16, 1), k, predictability, repeats)
        best = best_hit_rate(k, 16, predictability, n_seen=n_seen)
        assert np.shape(best) == np.shape(n_seen)
        best = np.mean(best)
        # Four standard errors of a mean of 4000 hits; none where the outcome is sure.
        tolerance = 4 * np.sqrt(max(best * (1 - best), 0) / 4000) + 1e-12
        assert_allclose(measured, best, atol=tolerance)


def test_best_hit_rate_by_hand():
    assert best_hit_rate(1, 50, 0.8) == 0.8
    assert best_hit_rate(1, 50, 1) == 1
    assert_allclose(best_hit_rate(1, 5, 0), 1 / 4)
    assert_allclose(best_hit_rate(4, 5, 0), 1)
    assert_allclose(best_hit_rate(2, 5, 1 / 5), 2 / 5)
    assert best_hit_rate(9, 5, 0.1) == 1
    assert best_hit_rate(1, 5, 0.1, n_seen=4) == 1


def test_random_state():
    expected = make_interactions(random_state=7)
    assert make_interactions(random_state=7).equals(expected)
    assert not make_interactions(random_state=8).equals(expected)
    state = np.random.RandomState(7)
    assert make_interactions(random_state=state).equals(expected)
    assert not make_interactions(random_state=state).equals(expected)
    assert not make_interactions().equals(make_interactions())


@pytest.mark.parametrize("random_state", [None, 0])
def test_global_random_state_stays_untouched(random_state):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_interactions(random_state=random_state)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize(
    ("argument", "value", "expected"),
    [
        ("n_users", 0, r"\[1, inf\)"),
        ("n_items", 1, r"\[2, inf\)"),
        ("n_per_user", 0, r"\[1, inf\).*tuple"),
        ("n_per_user", (5, 2), "low <= high"),
        ("n_per_user", (1, 2, 3), "low <= high"),
        ("predictability", 1.1, r"\[0, 1\]"),
        ("predictability", float("nan"), r"\[0, 1\]"),
        ("repeats", "no", "True or False"),
        ("random_state", "seed", "None"),
    ],
)
def test_bad_arguments_of_make_interactions(argument, value, expected):
    with pytest.raises(InvalidParameterError, match=f"'{argument}'.*{expected}") as got:
        make_interactions(**{argument: value})
    assert repr(value) in str(got.value)


def test_more_interactions_than_items_without_repeats():
    with pytest.raises(InvalidParameterError, match=r"n_per_user.*\b4\b.*\(2, 5\)"):
        make_interactions(n_items=4, n_per_user=(2, 5), repeats=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
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
def test_bad_arguments_of_best_hit_rate(arguments, message):
    with pytest.raises(InvalidParameterError, match=message):
        best_hit_rate(**{"k": 1, "n_items": 5, "predictability": 0.5} | arguments)
