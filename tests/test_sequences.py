"""Encoding, windows and histories equal what plain loops over rows give."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec._sequences import (
    Sequences,
    count_until,
    cut_windows,
    encode,
    hold_out_last,
    last_items,
    training_windows,
)
from sklearn_attrec.utils._validation import check_interactions

# (user, item, time) with many repeated users, items and times.
tables = st.lists(
    st.tuples(st.integers(-2, 3), st.integers(-1, 6), st.integers(0, 4)),
    min_size=1,
    max_size=40,
)
histories = st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=8)


def encoded(rows, timed=True):
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    frame = frame if timed else frame.drop(columns="timestamp")
    return encode(check_interactions(frame, caller="test"))


def sequences_of(lists, times=None):
    indptr = np.cumsum([0, *map(len, lists)])
    items = np.array([item for items in lists for item in items], dtype=np.int32)
    return Sequences(indptr, items, times)


def lists_of(sequences):
    bounds = zip(sequences.indptr[:-1], sequences.indptr[1:], strict=True)
    return [sequences.items[start:end].tolist() for start, end in bounds]


@given(tables, st.booleans())
def test_encode_is_a_stable_sort_by_user_and_time(rows, timed):
    sequences, users, items = encoded(rows, timed)
    by_time = sorted(rows, key=lambda row: row[2]) if timed else rows
    assert users.tolist() == list(dict.fromkeys(user for user, _, _ in by_time))
    assert items.tolist() == list(dict.fromkeys(item for _, item, _ in by_time))
    for code, user in enumerate(users):
        expected = [item for other, item, _ in by_time if other == user]
        assert items[lists_of(sequences)[code]].tolist() == expected
    if timed:
        expected = [time for user in users for u, _, time in by_time if u == user]
        assert sequences.times.tolist() == expected
    else:
        assert sequences.times is None
    assert sequences.indptr[-1] == len(sequences.items) == len(rows)


def test_encode_keeps_the_order_of_many_equal_times():
    # pandas' sort by one column is unstable from a few rows on.
    n = 2_000
    sequences, _, items = encoded([(7, item, 5) for item in range(n)])
    assert_array_equal(items[sequences.items], np.arange(n))


def test_encode_gives_ids_back_in_their_dtype():
    frame = pd.DataFrame(
        {"user_id": np.array([300, 0], np.uint16), "item_id": ["b", "-1"]}
    )
    _, users, items = encode(check_interactions(frame, caller="test"))
    assert users.dtype == np.uint16
    assert users.tolist() == [300, 0]
    assert items.tolist() == ["b", "-1"]


@given(histories, st.data())
def test_select_takes_the_beginning_of_each_history(lists, data):
    codes = st.integers(-1, len(lists) - 1)
    users = np.array(data.draw(st.lists(codes, max_size=10)), dtype=int)
    sequences = sequences_of(lists)
    whole = [lists[user] if user >= 0 else [] for user in users]
    assert lists_of(sequences.select(users)) == whole
    kept = [data.draw(st.integers(0, len(items))) for items in whole]
    begin = np.where(users >= 0, sequences.indptr[users], 0)
    some = sequences.select(users, begin + np.array(kept, dtype=int))
    assert lists_of(some) == [items[:n] for items, n in zip(whole, kept, strict=True)]


def test_pad_appends_sequences_without_items():
    padded = sequences_of([[3, 4], [5]]).pad(2)
    assert lists_of(padded) == [[3, 4], [5], [], []]


@given(tables, st.data())
def test_count_until_counts_the_rows_not_later(rows, data):
    sequences, users, _ = encoded(rows)
    sequences = sequences.pad(1)  # a user without rows
    codes = st.integers(-1, len(users))
    asked = data.draw(st.lists(st.tuples(codes, st.integers(-1, 5)), max_size=20))
    asked = np.array(asked, dtype=int).reshape(-1, 2)
    ends = count_until(sequences, asked[:, 0], asked[:, 1])
    for (user, time), end in zip(asked, ends, strict=True):
        if user < 0:
            assert end == 0
        else:
            start, stop = sequences.indptr[user : user + 2]
            until = np.sum(sequences.times[start:stop] <= time)  # ties are counted in
            assert end == start + until


@given(histories)
def test_every_item_but_a_users_first_is_one_window(lists):
    sequences = sequences_of(lists)
    windows = training_windows(sequences)
    expected = [
        (user, sequences.indptr[user] + place)
        for user, items in enumerate(lists)
        for place in range(1, len(items))
    ]
    found = zip(windows.users.tolist(), windows.positions.tolist(), strict=True)
    assert list(found) == expected


def test_the_last_windows_of_histories():
    sequences = sequences_of([[1, 2, 3, 4, 5, 6, 7, 8], [9, 1, 2], [3], [4, 5]])
    windows = cut_windows(sequences, np.array([0, 1, 3]), 4)
    assert windows.dtype == np.int64
    # The last item is a target only, and the one before each window is not read.
    assert windows.tolist() == [[3, 7], [8, 10], [12, 13]]
    assert cut_windows(sequences, np.array([1]), 1).tolist() == [[9, 10]]


long_histories = st.lists(st.integers(2, 25), min_size=1, max_size=6)


@given(long_histories, st.integers(1, 9), st.integers(0, 99))
def test_cut_windows_ask_for_each_item_once(lengths, L, seed):
    sequences = sequences_of([list(range(n)) for n in lengths])
    users = np.arange(len(lengths))
    windows = cut_windows(sequences, users, L, np.random.default_rng(seed))
    assert windows.dtype == np.int64
    size = windows[:, 1] - windows[:, 0]
    assert (size >= 1).all()
    assert (size <= L).all()
    # Places of the targets, one after each item that is read: all but a user's first.
    targets = [p + 1 for begin, end in windows for p in range(begin, end)]
    firsts = set(sequences.indptr[:-1].tolist())
    assert sorted(targets) == [p for p in range(sum(lengths)) if p not in firsts]
    # No window reads two users' items, and a history that fits is one window.
    owner = np.repeat(users, lengths)
    assert (owner[windows[:, 0]] == owner[windows[:, 1]]).all()
    for user, n in enumerate(lengths):
        if n - 1 <= L:
            begin, end = sequences.indptr[user : user + 2]
            assert [begin, end - 1] in windows.tolist()


@given(long_histories, st.integers(1, 9))
def test_the_last_window_alone_asks_for_the_last_items(lengths, L):
    sequences = sequences_of([list(range(n)) for n in lengths])
    windows = cut_windows(sequences, np.arange(len(lengths)), L)
    ends = sequences.indptr[1:] - 1
    assert windows[:, 1].tolist() == ends.tolist()
    size = np.minimum(np.array(lengths) - 1, L)
    assert (windows[:, 1] - windows[:, 0]).tolist() == size.tolist()


def test_windows_are_cut_elsewhere_each_time():
    # Over many draws a boundary falls on every place alike, so that each item is read
    # at every distance from a window's end.
    sequences, user = sequences_of([list(range(31))]), np.array([0])
    random = np.random.default_rng(0)
    counts = np.zeros(31)
    for _ in range(2_000):
        begins = cut_windows(sequences, user, 5, random)[:, 0]
        counts[begins] += 1
    assert counts[0] == 2_000
    assert counts[30] == 0
    assert_allclose(counts[1:30] / 2_000, 1 / 5, atol=0.04)


def test_no_user_has_no_windows():
    nobody = np.array([], dtype=int)
    for random in (None, np.random.default_rng(0)):
        assert cut_windows(sequences_of([[1, 2]]), nobody, 3, random).shape == (0, 2)


def test_last_items_of_the_docstring():
    items, real = last_items(sequences_of([[5, 6], [1, 2, 3, 4, 5]]), 4)
    assert_array_equal(items, [[0, 0, 5, 6], [2, 3, 4, 5]])
    assert_array_equal(real, [[False, False, True, True], [True] * 4])


@given(histories, st.integers(1, 8))
def test_last_items_are_left_padded(lists, L):
    items, real = last_items(sequences_of(lists), L)
    assert items.shape == real.shape == (len(lists), L)
    for row, history in enumerate(lists):
        kept = history[-L:]
        assert real[row].tolist() == [False] * (L - len(kept)) + [True] * len(kept)
        assert items[row][real[row]].tolist() == kept
        assert not items[row][~real[row]].any()


@given(histories, st.data())
def test_hold_out_last_takes_the_last_item_of_some_users(lists, data):
    some = [user for user, items in enumerate(lists) if items]
    picked = data.draw(st.sets(st.sampled_from(some))) if some else ()
    users = np.array(sorted(picked), dtype=int)
    times = np.arange(sum(map(len, lists)))
    shorter, items = hold_out_last(sequences_of(lists, times), users)
    assert items.tolist() == [lists[user][-1] for user in users]
    expected = [
        history[:-1] if user in users else history for user, history in enumerate(lists)
    ]
    assert lists_of(shorter) == expected
    # Each time stays beside its item.
    flat = [item for history in lists for item in history]
    assert [flat[time] for time in shorter.times] == shorter.items.tolist()


@pytest.mark.parametrize("timed", [True, False])
def test_hold_out_last_keeps_times_or_their_absence(timed):
    times = np.arange(3) if timed else None
    shorter, _ = hold_out_last(sequences_of([[1, 2, 3]], times), np.array([0]))
    assert (shorter.times is not None) == timed
