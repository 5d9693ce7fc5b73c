"""Encoding, windows and histories equal what plain loops over rows give."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.sequences import (
    Sequences,
    count_until,
    encode,
    hold_out_last,
)
from sklearn_attrec._interactions.windows import (
    cut_windows,
    last_items,
    training_targets,
)

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


def sequences_of(lists):
    items = np.array([item for items in lists for item in items], dtype=np.int32)
    return Sequences(np.cumsum([0, *map(len, lists)]), items, None)


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


def test_encode_distinguishes_all_text():
    ids = ["a", "a\0", "a\0b", "a"]  # one id in `factorize` of pandas 2
    frame = pd.DataFrame({"user_id": ids, "item_id": ids})
    _, users, items = encode(check_interactions(frame, caller="test"))
    assert users.tolist() == items.tolist() == ids[:3]


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


@given(tables, st.data())
def test_count_until_counts_the_rows_not_later(rows, data):
    sequences, users, _ = encoded(rows)
    indptr = np.append(sequences.indptr, sequences.indptr[-1])
    sequences = sequences._replace(indptr=indptr)  # adds a user without rows
    codes = st.integers(-1, len(users))
    queries = data.draw(st.lists(st.tuples(codes, st.integers(-1, 5)), max_size=20))
    queries = np.array(queries, dtype=int).reshape(-1, 2)
    ends = count_until(sequences, queries[:, 0], queries[:, 1])
    for (user, time), end in zip(queries, ends, strict=True):
        expected = 0
        if user >= 0:
            start, stop = sequences.indptr[user : user + 2]
            expected = start + np.sum(sequences.times[start:stop] <= time)
        assert end == expected


@given(histories)
def test_each_item_but_the_first_of_a_user_is_a_target(lists):
    sequences = sequences_of(lists)
    rows = [
        (user, place) for user, items in enumerate(lists) for place in range(len(items))
    ]
    assert sequences.users.tolist() == [user for user, _ in rows]
    expected = [position for position, (_, place) in enumerate(rows) if place > 0]
    assert training_targets(sequences).tolist() == expected


def test_without_random_the_last_window_of_each_user_is_cut():
    sequences = sequences_of([[1, 2, 3, 4, 5, 6, 7, 8], [9, 1, 2], [3], [4, 5]])
    windows = cut_windows(sequences, np.array([0, 1, 3]), 4)
    assert windows.dtype == np.int64
    # The last item is a target only.
    assert windows.tolist() == [[3, 7], [8, 10], [12, 13]]
    assert cut_windows(sequences, np.array([1]), 1).tolist() == [[9, 10]]


long_histories = st.lists(st.integers(2, 25), min_size=1, max_size=6)


@given(long_histories, st.integers(1, 9), st.integers(0, 99))
def test_windows_cut_at_random_have_each_target_once(lengths, L, seed):
    sequences = sequences_of([list(range(n)) for n in lengths])
    users = np.arange(len(lengths))
    windows = cut_windows(sequences, users, L, np.random.default_rng(seed))
    assert windows.dtype == np.int64
    size = windows[:, 1] - windows[:, 0]
    assert (size >= 1).all()
    assert (size <= L).all()
    # Each item that is read has the next one as its target.
    targets = [p + 1 for begin, end in windows for p in range(begin, end)]
    firsts = set(sequences.indptr[:-1].tolist())
    assert sorted(targets) == [p for p in range(sum(lengths)) if p not in firsts]
    # No window reads items of two users, and a history that fits is one window.
    owner = np.repeat(users, lengths)
    assert (owner[windows[:, 0]] == owner[windows[:, 1]]).all()
    for user, n in enumerate(lengths):
        if n - 1 <= L:
            begin, end = sequences.indptr[user : user + 2]
            assert [begin, end - 1] in windows.tolist()


def test_windows_are_cut_at_uniformly_random_places():
    # So that each item is read at each distance from the end of a window.
    sequences, user = sequences_of([list(range(31))]), np.array([0])
    random = np.random.default_rng(0)
    counts = np.zeros(31)
    for _ in range(2_000):
        begins = cut_windows(sequences, user, 5, random)[:, 0]
        counts[begins] += 1
    assert counts[0] == 2_000
    assert counts[30] == 0
    assert_allclose(counts[1:30] / 2_000, 1 / 5, atol=0.04)


def test_no_users_give_no_windows():
    users = np.array([], dtype=int)
    for random in (None, np.random.default_rng(0)):
        assert cut_windows(sequences_of([[1, 2]]), users, 3, random).shape == (0, 2)


@given(histories, st.integers(1, 8))
def test_last_items_are_left_padded(lists, L):
    items, mask = last_items(sequences_of(lists), L)
    assert items.shape == mask.shape == (len(lists), L)
    for row, history in enumerate(lists):
        kept = history[-L:]
        assert mask[row].tolist() == [False] * (L - len(kept)) + [True] * len(kept)
        assert items[row][mask[row]].tolist() == kept
        assert not items[row][~mask[row]].any()


@given(histories, st.booleans(), st.data())
def test_hold_out_last_takes_the_last_item_of_some_users(lists, timed, data):
    some = [user for user, items in enumerate(lists) if items]
    picked = data.draw(st.sets(st.sampled_from(some))) if some else ()
    users = np.array(sorted(picked), dtype=int)
    sequences = sequences_of(lists)
    if timed:
        sequences = sequences._replace(times=np.arange(len(sequences.items)))
    shorter, items, removed_times = hold_out_last(sequences, users)
    assert items.tolist() == [lists[user][-1] for user in users]
    expected = [
        history[:-1] if user in users else history for user, history in enumerate(lists)
    ]
    assert lists_of(shorter) == expected
    if timed:  # each time stays beside its item
        assert_array_equal(sequences.items[shorter.times], shorter.items)
        assert_array_equal(sequences.items[removed_times], items)
    else:
        assert shorter.times is removed_times is None
