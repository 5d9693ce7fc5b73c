"""Splitters: each fold trains on what came before the rows that it tests on."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError
from sklearn_attrec.model_selection import (
    LeaveLastOut,
    TimeCutoffSplit,
    leave_last_out_split,
)


def frame(users, times=None):
    X = pd.DataFrame({"user_id": list(users), "item_id": range(len(users))})
    return X if times is None else X.assign(timestamp=times)


def folds(splitter, X):
    return [(train.tolist(), test.tolist()) for train, test in splitter.split(X)]


def interactions(last_time):
    pairs = st.tuples(st.integers(0, 4), st.integers(0, last_time))
    lists = st.lists(pairs, min_size=5, max_size=60)
    return lists.map(lambda rows: frame(*zip(*rows, strict=True)))


def last_rows_by_loop(X, n_last):
    """Positions of each user's last rows, by a loop over users and a stable sort."""
    test = []
    for user in X["user_id"].unique():
        rows = [r for r in range(len(X)) if X["user_id"].iloc[r] == user]
        rows.sort(key=lambda r: X["timestamp"].iloc[r])
        test += rows[-n_last:] if len(rows) > n_last else []
    return sorted(test)


@pytest.mark.case("P12")
@given(X=interactions(6), n_last=st.integers(1, 4))
def test_one_fold_is_all_rows_and_respects_time(X, n_last):
    expected = last_rows_by_loop(X, n_last)
    assume(expected)
    ((train, test),) = LeaveLastOut(n_last).split(X)
    assert test.tolist() == expected
    assert sorted([*train, *test]) == list(range(len(X)))
    before = X.iloc[train].groupby("user_id")["timestamp"].max()
    after = X.iloc[test].groupby("user_id")["timestamp"].min()
    assert (before.reindex(after.index) <= after).all()


@pytest.mark.case("P12")
@given(X=interactions(6), n_last=st.integers(1, 3), n_splits=st.integers(1, 4))
def test_a_fold_is_the_last_fold_of_what_later_folds_leave(X, n_last, n_splits):
    if X["user_id"].value_counts().max() <= n_last * n_splits:
        with pytest.raises(InteractionsError, match="n_last.*n_splits"):
            list(LeaveLastOut(n_last, n_splits).split(X))
        return
    rows = np.arange(len(X))
    for train, test in reversed(list(LeaveLastOut(n_last, n_splits).split(X))):
        ((inner_train, inner_test),) = LeaveLastOut(n_last).split(X.iloc[rows])
        assert train.tolist() == rows[inner_train].tolist()
        assert test.tolist() == rows[inner_test].tolist()
        rows = train


@pytest.mark.case("P12")
@given(X=interactions(40), n_splits=st.integers(1, 3), test_size=st.floats(0.1, 0.3))
def test_cutoffs_divide_time_and_never_ties(X, n_splits, test_size):
    times = X["timestamp"].to_numpy()
    try:
        split = list(TimeCutoffSplit(n_splits=n_splits, test_size=test_size).split(X))
    except InteractionsError:
        assume(False)
    assert len(split) == n_splits
    _, last = split[-1]
    assert last.tolist() == np.flatnonzero(times >= times[last].min()).tolist()
    assert len(last) >= round(len(X) * test_size)
    for train, test in split:
        assert times[train].max() < times[test].min()
    for (train, test), (next_train, _) in zip(split, split[1:], strict=False):
        assert sorted([*train, *test]) == next_train.tolist()


def test_time_decides_before_row_order():
    X = frame("aaabbb", [3, 1, 2, 5, 5, 4])
    assert folds(LeaveLastOut(), X) == [([1, 2, 3, 5], [0, 4])]
    dates = X.assign(timestamp=pd.to_datetime(X["timestamp"], unit="D", utc=True))
    assert folds(LeaveLastOut(), dates) == folds(LeaveLastOut(), X)


def test_many_tied_rows_keep_their_order():
    rng = np.random.default_rng(0)
    X = frame(rng.integers(0, 3, 2000), np.zeros(2000, dtype=int))
    without = X.drop(columns="timestamp")
    assert folds(LeaveLastOut(7, 20), X) == folds(LeaveLastOut(7, 20), without)
    _, test = leave_last_out_split(X)
    assert test.equals(X.groupby("user_id").tail(1))


@pytest.mark.parametrize(
    "index", [list("zyxwvu"), [7, 7, 7, 0, 0, 0], pd.CategoricalIndex(list("aabbcc"))]
)
def test_index_is_kept_and_never_read(index):
    X = frame("aababa", [1, 2, 3, 3, 1, 2]).set_axis(index)
    assert folds(LeaveLastOut(), X) == [([0, 1, 4, 5], [2, 3])]
    train, test = leave_last_out_split(X)
    assert train.equals(X.iloc[[0, 1, 4, 5]])
    assert test.equals(X.iloc[[2, 3]])


def test_arrays_and_lists():
    X = np.array([[1, 7, 2], [1, 8, 1], [2, 9, 0]])
    train, test = leave_last_out_split(X)
    assert train.tolist() == [[1, 8, 1], [2, 9, 0]] and test.tolist() == [[1, 7, 2]]
    assert train.dtype == X.dtype
    train, test = leave_last_out_split([[1, "x"], [1, "y"], [2, "x"]])
    assert train.tolist() == [[1, "x"], [2, "x"]] and test.tolist() == [[1, "y"]]


def test_time_cutoffs_by_hand():
    X = frame("abcabcabcd", [0, 1, 2, 2, 3, 5, 5, 7, 8, 9])
    assert folds(TimeCutoffSplit([2, 5, 7]), X) == [
        ([0, 1], [2, 3, 4]),
        ([0, 1, 2, 3, 4], [5, 6]),
        ([0, 1, 2, 3, 4, 5, 6], [7, 8, 9]),
    ]
    assert folds(TimeCutoffSplit(6.5), X) == [([0, 1, 2, 3, 4, 5, 6], [7, 8, 9])]
    # The row at 5 that the chosen cutoff would leave in train is tested too.
    tied = [([0, 1, 2, 3, 4], [5, 6, 7, 8, 9])]
    assert folds(TimeCutoffSplit(test_size=0.4), X) == tied
    assert folds(TimeCutoffSplit(n_splits=2, test_size=0.2), X.iloc[::-1]) == [
        ([5, 6, 7, 8, 9], [2, 3, 4]),
        ([2, 3, 4, 5, 6, 7, 8, 9], [0, 1]),
    ]


CUTOFF = "2024-01-03"
CUTOFFS = [
    CUTOFF,
    [CUTOFF],
    [pd.Timestamp(CUTOFF)],
    np.array([CUTOFF], "datetime64[D]"),
]


@pytest.mark.parametrize(
    "cutoffs", [*CUTOFFS, pd.Timestamp("2024-01-03 01:00", tz="Europe/Paris")], ids=str
)
@pytest.mark.parametrize("tz", [None, "UTC", "Asia/Tokyo"])
def test_cutoffs_of_dates(cutoffs, tz):
    times = pd.date_range("2024-01-01", periods=4, tz="UTC")
    times = times.tz_localize(None) if tz is None else times.tz_convert(tz)
    splitter = TimeCutoffSplit(cutoffs)
    assert folds(splitter, frame("aabb", times)) == [([0, 1], [2, 3])]
    assert splitter.get_n_splits() == 1


def test_cutoffs_without_timestamps_cut_by_row():
    assert folds(TimeCutoffSplit(test_size=0.25), frame("abab")) == [([0, 1, 2], [3])]
    with pytest.raises(InteractionsError, match="timestamps.*n_splits and test_size"):
        list(TimeCutoffSplit([3]).split(frame("abab")))


PARAMETER, DATA = InvalidParameterError, InteractionsError


@pytest.mark.parametrize(
    ("splitter", "error", "message"),
    [
        (LeaveLastOut(0), PARAMETER, "'n_last' parameter of LeaveLastOut.* 0"),
        (LeaveLastOut(n_splits=1.5), PARAMETER, r"'n_splits'.* 1\.5"),
        (TimeCutoffSplit(n_splits=0), PARAMETER, "'n_splits'.*TimeCutoffSplit.* 0"),
        (TimeCutoffSplit(test_size=1), PARAMETER, r"'test_size'.* \(0, 1\).* 1"),
        (TimeCutoffSplit([3, 3]), PARAMETER, r"'cutoffs'.* \[3, 3\]"),
        (TimeCutoffSplit([]), PARAMETER, r"'cutoffs'.* \[\]"),
        (TimeCutoffSplit(["2024-01-03"]), PARAMETER, "'cutoffs'.* int64.*2024"),
        (LeaveLastOut(2), DATA, r"n_last=2.* 3 .* 2\b.*n_last"),
        (LeaveLastOut(2, 2), DATA, r"n_splits=2.* 5 .* 2\b.*n_splits"),
        (TimeCutoffSplit([0]), DATA, r"up to 0\b.* 1 and 4.*cutoffs"),
        (TimeCutoffSplit([2, 9]), DATA, "from 9 up to the last row"),
        (TimeCutoffSplit([2.2, 2.5]), DATA, r"from 2\.2 up to 2\.5"),
        (TimeCutoffSplit(n_splits=4, test_size=0.3), DATA, r"4 fold.* 4\b"),
        (TimeCutoffSplit(test_size=0.01), DATA, r"1 fold.* 0 row.* 4\b"),
    ],
)
def test_invalid_parameters_and_too_little_data(splitter, error, message):
    with pytest.raises(error, match=message):
        list(splitter.split(frame("aabb", [1, 2, 3, 4])))


def test_numbers_do_not_cut_dates():
    dates = pd.date_range("2024-01-01", periods=2)
    with pytest.raises(InvalidParameterError, match="'cutoffs'.*datetime64.* 3"):
        list(TimeCutoffSplit(3).split(frame("ab", dates)))


@pytest.mark.parametrize(
    "cutoffs", ["03/02/2024", "x", ["2024-01-03", "soon"], object()]
)
def test_cutoffs_that_are_no_dates(cutoffs):
    dates = pd.date_range("2024-01-01", periods=2)
    with pytest.raises(InvalidParameterError, match="'cutoffs'"):
        list(TimeCutoffSplit(cutoffs).split(frame("ab", dates)))


def test_dates_of_different_units():
    dates = np.array(["2023-01-01", "2023-02-01", "9999-12-31"], "datetime64[us]")
    cutoff = pd.Timestamp("2023-01-15").as_unit("ns")
    assert folds(TimeCutoffSplit(cutoff), frame("aaa", dates)) == [([0], [1, 2])]
    period = pd.Period("2023-02", "M")
    assert folds(TimeCutoffSplit(period), frame("aaa", dates)) == [([0], [1, 2])]


def test_unusable_interactions():
    with pytest.raises(InteractionsError, match="LeaveLastOut.*'user_id'"):
        list(LeaveLastOut().split(pd.DataFrame({"user": [1], "item": [2]})))


def test_repr_and_n_splits():
    expected = "TimeCutoffSplit(cutoffs=[1, 2], n_splits=1, test_size=0.1)"
    assert repr(TimeCutoffSplit([1, 2])) == expected
    assert LeaveLastOut(n_splits=3).get_n_splits() == 3
    assert TimeCutoffSplit(n_splits=3).get_n_splits("X", "y", "groups") == 3


class LastTime(BaseEstimator):
    """Scores how much later than the training rows the test rows begin."""

    def __init__(self, sign=1):
        self.sign = sign

    def fit(self, X, y=None):
        self.last_ = X["timestamp"].max()
        return self

    def score(self, X, y=None):
        return self.sign * (X["timestamp"].min() - self.last_)


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("y", [None, "item_id"])
def test_splitters_as_cv_of_a_search(y, routing):
    X = frame("aabbaabbab", range(10))
    y = y and X[y]
    with sklearn.config_context(enable_metadata_routing=routing):
        scores = cross_val_score(LastTime(), X, y, cv=LeaveLastOut(n_splits=2))
        assert len(scores) == 2
        cv = TimeCutoffSplit([4, 6])
        search = GridSearchCV(LastTime(), {"sign": [-1, 1]}, cv=cv).fit(X, y)
        scores = cross_val_score(LastTime(), X, y, cv=cv)
    assert scores.tolist() == [1, 1]
    assert search.n_splits_ == 2
    assert search.best_params_ == {"sign": 1}
