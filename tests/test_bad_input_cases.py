"""What the estimators and the command line do with bad or odd input.

Tables of bad frames, ids and times run in test_interactions.py, on the check itself;
here each estimator shows that it calls the check. The numbers in the markers are the
cases of bad input that .ci/evidence.py lists.
"""

import gzip
import itertools
import os
import re
import subprocess
import sys
import tracemalloc
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_input_helpers import (
    BASELINES,
    MODELS,
    NETWORKS,
    assert_finite,
    assert_refused,
    attrec,
    frame_of,
    good,
    name_of,
    numbered,
    sasrec,
    sse_pt,
)
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.model_selection import GridSearchCV

from sklearn_attrec import ItemKNNRecommender, PopularityRecommender, cli
from sklearn_attrec.datasets import read_interactions
from sklearn_attrec.exceptions import (
    InteractionsError,
    InvalidParameterError,
    LeakageWarning,
    TrainingDivergedError,
    UnknownUserError,
)
from sklearn_attrec.model_selection import LeaveLastOut, leave_last_out_split
from sklearn_attrec.utils._param_validation import validate_parameters

NAN, INF = float("nan"), float("inf")
LONG_AFTER = 10**6  # later than every row of `small_interactions`


@pytest.fixture
def model(request):
    return clone(request.param)


@pytest.fixture
def fitted(small_interactions):
    return ItemKNNRecommender(k=3).fit(small_interactions)


def each(*models):
    return pytest.mark.parametrize("model", models, ids=name_of, indirect=True)


# Frames


@each(*MODELS)
@pytest.mark.parametrize(
    ("params", "changed", "error", "parts"),
    [
        numbered(21, {}, {"item_id": 0.5}, InteractionsError, ["'item_id'", "0.5"]),
        numbered(18, {}, {"user_id": [1, None] * 3}, InteractionsError, ["3 missing"]),
        numbered(42, {}, {"timestamp": list("123456")}, TypeError, ["'timestamp'"]),
        ({"k": 0}, {}, InvalidParameterError, ["'k'", "Got 0"]),
    ],
)
def test_a_refused_fit_changes_nothing(model, params, changed, error, parts):
    X, kept = good().assign(**changed), good().assign(**changed)
    parts = [type(model).__name__, *parts]
    fresh = clone(model).set_params(**params)
    assert_refused(lambda: fresh.fit(X), error, *parts)
    assert not hasattr(fresh, "items_")
    fitted = {**vars(model.fit(good()))} | params
    assert_refused(lambda: model.set_params(**params).fit(X), error, *parts)
    assert all(vars(model)[name] is value for name, value in fitted.items())
    assert_frame_equal(X, kept)


@pytest.mark.parametrize("method", ["predict", "recommend", "score", "target_ranks"])
def test_other_methods_refuse_bad_frames_in_their_own_name(method, fitted):
    call, head = getattr(fitted, method), f"ItemKNNRecommender.{method}: "
    unknown, text = good().drop(columns="user_id"), good().astype({"timestamp": str})
    missing = good().astype({"user_id": object}).replace({"user_id": {1: None}})
    assert_refused(lambda: call(unknown), InteractionsError, head, "'user_id'")
    assert_refused(lambda: call(missing), InteractionsError, head, "'user_id'", "row 0")
    assert_refused(lambda: call(text), TypeError, head, "'timestamp'", "'3'")
    foreign = type("DataFrame", (), {"__module__": "duckdb"})()
    assert_refused(lambda: call(foreign), TypeError, head, "duckdb", ".df()")


# Little data and odd data


@pytest.mark.case(38)
@each(attrec(loss="softmax"), *MODELS[1:])
def test_one_user(model):
    model.set_params(exclude_seen=False).fit(frame_of([1] * 4, [5, 6, 5, 7]))
    assert set(model.predict(1)) == {5, 6, 7}
    assert model.users_.tolist() == [1]


ONE_EACH = frame_of([1, 2, 3], [5, 6, 5])
EARLY = {"early_stopping": True}


@pytest.mark.parametrize(
    ("model", "params", "frame", "parts"),
    [
        *(
            numbered(38, model, {}, frame_of([1, 1, 2], [7] * 3), ["least 2", "item 7"])
            for model in MODELS
        ),
        *(
            numbered(54, model, {}, ONE_EACH, ["longest history: 1", "2 or more"])
            for model in NETWORKS
        ),
        (attrec(), EARLY, ONE_EACH, ["early_stopping=False", "3 or more"]),
    ],
    ids=name_of,
    indirect=["model"],
)
def test_too_little_data(model, params, frame, parts):
    call, head = model.set_params(**params).fit, f"{type(model).__name__}.fit: "
    assert_refused(lambda: call(frame), InteractionsError, head, *parts)


@pytest.mark.case(54)
@each(*BASELINES)
def test_baselines_need_one_interaction_per_user(model):
    model.set_params(exclude_seen=False).fit(ONE_EACH)
    # Item kNN counts an item as its own neighbour; nothing else can be learned.
    second = [6, 5] if isinstance(model, ItemKNNRecommender) else [5, 6]
    assert model.predict([1, 2], k=2).tolist() == [[5, 6], second]


@pytest.mark.case(55)
@each(*NETWORKS)
def test_users_with_one_interaction_are_skipped_and_counted(model):
    model.fit(pd.concat([good(), frame_of([3, 4], [5, 9], [7, 8])]))
    assert model.n_users_skipped_ == 2
    assert model.item_counts_.sum() == 8  # skipped in training, not dropped
    assert 9 in model.predict(1, k=5)
    assert 5 not in model.predict(3, k=5)
    assert_finite(model)


@pytest.mark.case(56)
@each(
    attrec(n_negatives=1, n_targets=1),
    sasrec(n_negatives=1, loss="bce"),
    sse_pt(n_negatives=1, loss="bce", sse_item=0.0),
)
def test_padding_is_not_trained(model):
    # Padding holds the first item. Its row moves by nothing else: it is nobody's
    # history or target, and one of so many items that it is never drawn as a negative.
    users, rest = np.repeat(np.arange(1, 4), 3), np.arange(100, 400)
    frames = [frame_of([0], [0]), frame_of(users, users * 10 + np.arange(9) % 3)]
    frame = pd.concat([*frames, frame_of(rest, rest)])
    still, moved = (
        clone(model).set_params(learning_rate=rate).fit(frame).weights_
        for rate in (1e-30, 1e-2)
    )
    table = "X" if "X" in still else "E"
    assert_array_equal(moved[table][0], still[table][0])
    assert (moved[table][1:3] != still[table][1:3]).any(axis=1).all()


@pytest.mark.parametrize(
    "changed",
    [
        numbered(56, {"L": 50}),
        numbered(77, {"L": 1}),
        *(numbered(80, {"d": d}) for d in (1, 2, 3)),
    ],
    ids=name_of,
)
@each(attrec(), attrec(loss="softmax"), sasrec(n_heads=1), sse_pt(n_heads=1, d_user=1))
def test_windows_and_vectors_of_any_size(model, changed):
    model.set_params(**changed).fit(good())
    assert_finite(model)
    assert model.predict([1, 2], k=1).tolist() == [[8], [5]]
    assert model.predict("new", [5], k=3).shape == (3,)
    assert model.predict("new", [5, 6, 7, 5, 6, 7], k=1).tolist() == [8]


@pytest.mark.case(57)
@each(attrec(dropout=0.0), attrec(loss="bpr", dropout=0.0))
def test_more_targets_than_a_user_has_items(model):
    model.set_params(max_iter=4, batch_size=2)
    one, two, fifty = (
        clone(model).set_params(n_targets=n).fit(good()).weights_ for n in (1, 2, 50)
    )
    for name, weight in two.items():
        assert_allclose(fifty[name], weight, rtol=1e-3, atol=1e-5)
    assert not np.allclose(one["U"], two["U"], atol=1e-5)


@pytest.mark.case(58)
@pytest.mark.parametrize("batch_size", [1, 2, 3, 16])
@each(attrec(), sasrec(loss="bce"))
def test_one_user_has_seen_everything(model, batch_size):
    frame = frame_of([1, 1, 1, 2, 2, 2, 2], [1, 2, 3, 1, 2, 1, 2])
    model.set_params(batch_size=batch_size).fit(frame)
    assert model.n_users_skipped_ == 1
    assert_finite(model)
    assert model.predict(2).tolist() == [3, -1, -1]


def all_have_seen_everything(model):
    """Also run by test_guards.py, without the check."""
    frame = frame_of([1, 1, 2, 2], [1, 2, 2, 1])
    head = f"{type(model).__name__}.fit: "
    parts = [head, "no negative item", "all 2 items", "loss='softmax'"]
    assert_refused(lambda: model.fit(frame), InteractionsError, *parts)
    assert_finite(clone(model).set_params(loss="softmax").fit(frame))  # the way out


@pytest.mark.case(59)
@each(attrec(), sasrec(loss="bce"))
def test_all_users_have_seen_everything(model):
    all_have_seen_everything(model)
    # Plain arrays may hold anything, as those of scikit-learn's own checks do.
    rows = np.array([[1, 1], [1, 2], [2, 2], [2, 1]])
    with pytest.warns(UserWarning, match="no negative item"):
        model.set_params(exclude_seen=False).fit(rows)
    assert set(model.predict(1, k=2)) == {1, 2}


@pytest.mark.case(59)
@pytest.mark.parametrize("n_negatives", [1, 50])
def test_negatives_by_popularity_need_no_unseen_item(n_negatives):
    params = {"loss": "sampled_softmax", "n_negatives": n_negatives, "max_iter": 5}
    # Some batches draw nothing but the target.
    assert_finite(sasrec(**params).fit(frame_of([1, 1, 2, 2], [1, 2, 2, 1])))


@pytest.mark.parametrize(
    ("users", "items", "n_negatives", "last"),
    [
        numbered(60, [1] * 9 + [2, 2], [*range(9), 9, 0], 10, 9),
        numbered(61, [1, 1, 1, 2], [0, 0, 0, 1], 100, 1),
    ],
)
@each(attrec(), sasrec(loss="bce"), sasrec(loss="sampled_softmax"))
def test_one_item_is_left_for_many_negatives(model, users, items, n_negatives, last):
    model.set_params(n_negatives=n_negatives).fit(frame_of(users, items))
    assert_finite(model)
    assert model.predict(1).tolist() == [last, -1, -1]


@pytest.mark.parametrize(
    "n_windows",
    [*(numbered(63, n) for n in (1, 15)), *(numbered(64, n) for n in (16, 17, 33))],
)
def test_every_window_is_trained_in_batches_of_16(n_windows):
    # One window per user; all loss terms count, so each user's row moves.
    users = np.repeat(np.arange(n_windows), 2)
    frame = pd.concat([frame_of(users, np.arange(len(users)) % 5), frame_of([99], [9])])
    still, moved = (
        attrec(gamma=50.0, dropout=0.0, learning_rate=rate).fit(frame).weights_["U"]
        for rate in (1e-12, 1e-3)
    )
    assert (np.abs(moved - still)[:n_windows].max(axis=1) > 1e-4).all()


@pytest.mark.case(65)
def test_repeated_rows_are_kept():
    model = ItemKNNRecommender().fit(good().loc[[0, 0, 0, 1, 2, 3, 4, 5]])
    assert model.item_counts_.sum() == 8
    assert model.items_[model.history_items_[:5]].tolist() == [6, 5, 5, 5, 7]
    assert model.predict(99, k=1) == [5]


@pytest.mark.case(66)
@each(*NETWORKS)
def test_one_item_ten_thousand_times(model):
    frame = frame_of([1] * 10_000 + [2, 2], [1] * 10_000 + [2, 3])
    model.set_params(batch_size=2_048).fit(frame)
    assert_finite(model)
    assert 1 not in model.predict(1, k=2)


LARGE = """
import sys
from pathlib import Path
import numpy as np
import pandas as pd
from sklearn_attrec import AttRecRecommender, PopularityRecommender

def megabytes():
    # Of this program alone: getrusage begins with the parent's figure.
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) / 2**10

network = AttRecRecommender(
    loss="hinge", d=4, n_targets=1, n_negatives=1, max_iter=1, batch_size=8_192
)
network.fit(pd.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 3]}))
n = 1_000_000
if sys.argv[1] == "one user":
    users, items = np.zeros(n + 1, int), np.arange(n + 1) % 1_000
    users[-1], items[-1] = 1, 1_000
else:
    users, items = np.repeat(np.arange(n), 2), np.arange(2 * n) * 7 % 1_000
X = pd.DataFrame({"user_id": users, "item_id": items})
before = megabytes()
for model in (PopularityRecommender(), network):
    model.fit(X)
    assert len(model.history_items_) == len(X)
    assert model.predict([0, 1]).shape == (2, 10)
    print(round(megabytes() - before))
"""


@pytest.mark.timeout(120)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("kind", "bounds"),
    [numbered(67, "one user", (60, 250)), numbered(68, "users", (200, 800))],
)
def test_megabytes_for_a_million_rows(kind, bounds):
    command = [sys.executable, "-c", LARGE, kind]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert answer.returncode == 0, answer.stderr
    used = [int(line) for line in answer.stdout.split()]
    assert used[0] < bounds[0]
    assert used[1] < bounds[1]


@pytest.mark.case(69)
@each(*MODELS)
def test_items_that_are_only_first_or_last(model):
    # Item 5 is nobody's target, and item 8 in nobody's history before a target.
    model.fit(good().drop(columns="timestamp"))
    for item in (5, 8):
        table = model.recommend([1, 2, 99], candidates=[item], exclude_seen=False)
        assert table["item_id"].tolist() == [item] * 3
        assert np.isfinite(table["score"]).all()


# Parameters


COUNT, UNIT = "an int in the range [1, inf)", "a float in the range [0, 1]"
FEW = "an int in the range [1, 1000]"
POSITIVE, AT_LEAST_0 = "a float in the range (0, inf)", "range [0, inf)"
FLAG = ("True or False", ["no", None, 0, 1], [True, np.bool_(False)])
# Cases, name, constraint, values refused, values allowed.
TABLE = pd.DataFrame({"item_id": [1], "price": [2]})
PARAMETERS = [
    (range(70, 74), "omega", UNIT, [-0.1, 1.1, INF, NAN, "0.5", None], [0, 1]),
    (range(74, 77), "gamma", POSITIVE, [0, -1, INF, NAN, "1"], [np.float64(2), 1e-9]),
    (range(77, 80), "L", "range [1, ", [0, -1, 2.5, "5", True, None], [1, np.int64(9)]),
    ((81,), "d", COUNT, [0, -3, 8.0, None], [np.int32(4)]),
    ((82,), "learning_rate", POSITIVE, [0, -1, NAN, INF, "x"], [1e-12]),
    ((83,), "max_iter", COUNT, [0, -1, 2.5], [1]),
    ((83,), "batch_size", COUNT, [0, -1, 2.5], [1]),
    (
        (84,),
        "random_state",
        "None, an int in the range [0, 4294967295] or a numpy RandomState",
        ["a", -1, 2**32, 1.5, np.random.default_rng(0), "a" * 10_000, 10**5_000],
        [None, 0, 2**32 - 1, np.int64(3), np.random.RandomState(0)],
    ),
    ((85,), "n_negatives", f"None or {COUNT}", [0, -1, 1.5], [None, np.int64(4)]),
    (
        (85,),
        "validation_fraction",
        "None or a float in the range (0, 1]",
        [0, -0.1, 1.5, NAN],
        [None, 1],
    ),
    ((), "n_targets", f"None or {FEW}", [0, 1_001, "all"], [None, 1_000]),
    ((), "alpha", AT_LEAST_0, [-1, NAN, INF], [0]),
    ((), "dropout", "range [0, 1)", [-0.1, 1, NAN], [0]),
    ((), "temperature", POSITIVE, [0, -1, NAN], [1]),
    ((), "max_norm", f"None or {POSITIVE}", [0, -1, "1"], [None, 1]),
    ((), "aggregation", "'mean', 'sum', 'max', 'min'", ["median", None, 1], ["max"]),
    ((), "loss", "one of ", ["log", None], ["softmax"]),
    ((), "n_blocks", FEW, [0, -1, 1.5, 1_001, None], [1_000]),
    ((), "n_heads", COUNT, [0, 1.0, None], [np.int64(3)]),
    ((), "calibration", UNIT, [-0.1, 1.1, NAN, None], [0, np.float32(1)]),
    ((), "positions", "'learned', 'sinusoidal'", ["rotary", None, True], ["learned"]),
    ((), "norm", "'pre', 'post'", ["layer", None, True], ["post"]),
    ((), "time_bias", "None or one of 'history', 'request'", ["past", 1, True], [None]),
    ((), "d_user", COUNT, [0, -1, 2.0, None], [4]),
    ((), "sse_user", UNIT, [-0.1, 1.1, NAN, None], [0, 1]),
    ((), "sse_item", UNIT, [-0.1, 1.1, NAN, None], [0, 1]),
    *(
        ((), name, *FLAG)
        for name in ("share_projection", "early_stopping", "exclude_seen")
    ),
    ((), "item_features", "None or a DataFrame", [{}, "x", 3], [None, TABLE]),
    ((), "checkpoint", "None or a path", ["", 3, b"", True], [None, Path("x"), "x"]),
    ((), "handle_unknown", "'popular', 'error'", ["ignore", None], ["error"]),
    ((), "k", COUNT, [0, -1, 2.5, "3", None], [np.int64(2)]),
    ((), "verbose", AT_LEAST_0, [-1, "loud"], [0, 2]),
]


@pytest.mark.parametrize(
    ("model", "name", "words", "refused", "allowed"),
    [
        numbered(tuple(cases), model, *row)
        for cases, *row in PARAMETERS
        for model in NETWORKS
        if row[0] in model.get_params()
    ],
    ids=name_of,
    indirect=["model"],
)
def test_parameters_are_checked(model, name, words, refused, allowed):
    head = f"The {name!r} parameter of {type(model).__name__} must be "
    for value in refused:
        model.set_params(**{name: value})
        shown = "<int object" if value == 10**5_000 else f"{value!r}"[:77]
        with pytest.raises(InvalidParameterError) as caught:
            validate_parameters(model)
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, TypeError)
        message = str(caught.value)
        assert message.startswith(head)
        assert words in message
        assert f"Got {shown}" in message
        assert len(message) < 300  # long values are cut
    for value in allowed:
        validate_parameters(model.set_params(**{name: value}))


def test_every_parameter_has_a_row():
    names = {name for network in NETWORKS for name in network.get_params()}
    assert names == {name for _, name, *_ in PARAMETERS}


@pytest.mark.case(70, 71, 73, 74, 79, 81)
@pytest.mark.parametrize(
    ("model", "typed"),
    [
        (attrec(), {"omega": np.float32(0.5), "gamma": np.float64(2)}),
        (attrec(), {"omega": 0, "L": np.int64(1), "d": np.int32(4), "k": np.int64(2)}),
        (attrec(), {"omega": 1, "dropout": 0}),
        (sse_pt(), {"n_heads": np.int64(3), "sse_user": 1, "sse_item": np.float32(0)}),
        (sasrec(loss="gbce"), {"calibration": np.float32(1), "L": 10**6}),
    ],
    ids=name_of,
    indirect=["model"],
)
def test_numbers_of_other_types_mean_the_plain_number(model, typed):
    plain = {name: np.asarray(value).item() for name, value in typed.items()}
    first, second = (clone(model).set_params(**v).fit(good()) for v in (typed, plain))
    assert_finite(first)
    for name, weight in first.weights_.items():
        assert_array_equal(second.weights_[name], weight)


@pytest.mark.case(81)
@pytest.mark.parametrize("d", [10**6, 10**15])
@each(*NETWORKS)
def test_vectors_larger_than_the_memory_are_refused(model, d):
    parts = [f"The 'd' parameter of {type(model).__name__}", f"Got {d}", "GiB"]
    model.set_params(d=d)
    assert_refused(lambda: model.fit(good()), InvalidParameterError, *parts)


@pytest.mark.parametrize(
    ("model", "width"),
    [(sasrec(n_heads=3), 4), (sasrec(n_heads=8), 4), (sse_pt(n_heads=4, d_user=3), 7)],
    indirect=["model"],
)
def test_heads_must_divide_a_row_evenly(model, width):
    parts = ["'n_heads'", f"Got {model.n_heads}", f"divisor of {width}"]
    assert_refused(lambda: model.fit(good()), InvalidParameterError, *parts)


@pytest.mark.case(82)
@each(
    attrec(learning_rate=1e8, max_norm=None),
    attrec(learning_rate=1e8, max_norm=None, loss="softmax"),
    sasrec(learning_rate=1e8, max_iter=2),
    sse_pt(learning_rate=1e8, max_iter=2, loss="bce"),
)
def test_divergence_is_an_error_that_names_the_remedy(model):
    parts = [f"{type(model).__name__}.fit: ", "epoch 1", "Pass a smaller learning_rate"]
    parts += [f"learning_rate={model.learning_rate}"]
    assert_refused(lambda: model.fit(good()), TrainingDivergedError, *parts)
    assert not hasattr(model, "items_")
    assert_finite(model.set_params(learning_rate=1e-3).fit(good()))


@pytest.mark.case(86)
def test_unknown_parameter():
    parts = ["'epochs'", "PopularityRecommender", "'exclude_seen'"]
    model = PopularityRecommender()
    assert_refused(lambda: model.set_params(epochs=3), ValueError, *parts)
    assert_refused(lambda: type(model)(epochs=3), TypeError, *parts[:2])


RATES = {"learning_rate": [1e8, 1e-3]}


@pytest.mark.case(87)
def test_search_with_one_point_that_diverges():
    frame = pd.concat([good(), good().assign(user_id=lambda X: X["user_id"] + 2)])
    search = GridSearchCV(attrec(max_norm=None), RATES, cv=LeaveLastOut())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(frame)
    (told,) = [str(w.message) for w in caught if w.category is FitFailedWarning]
    assert "TrainingDivergedError" in told
    assert "Pass a smaller learning_rate." in told
    assert search.best_params_ == {"learning_rate": 1e-3}
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [True, False]
    assert_finite(search.best_estimator_)


@pytest.mark.case(88, 100)
def test_folds_that_ignore_time_are_warned_of():
    frame = pd.concat([good(), good().assign(timestamp=lambda X: X["timestamp"] + 6)])
    frame = frame.sort_values("timestamp")
    model = ItemKNNRecommender(exclude_seen=False)
    with pytest.warns(LeakageWarning, match="6 of 6 .*row 0 .user 1.*LeaveLastOut"):
        GridSearchCV(model, {"k": [1]}, cv=2).fit(frame)
    # The way out: a warning would be an error.
    GridSearchCV(model, {"k": [1]}, cv=LeaveLastOut()).fit(frame)


# predict, recommend and score


@pytest.mark.case(89)
@each(*MODELS)
def test_before_fit(model):
    for call in (model.recommend, model.item_vectors, lambda: model.score(good())):
        assert_refused(call, NotFittedError, type(model).__name__, "'fit'")


@pytest.mark.case(90)
@pytest.mark.parametrize("method", ["predict", "recommend", "score"])
def test_users_without_a_history(method, fitted, small_interactions):
    rows = frame_of([1, 99, 98], [10, 10, 10], LONG_AFTER)
    popular = PopularityRecommender(k=3).fit(small_interactions)
    assert_array_equal(fitted.predict(99), popular.predict(99))
    call = getattr(fitted.set_params(handle_unknown="error"), method)
    parts = [f".{method}: ", "2 user(s)", "99 at row 1", "int64", "e.g. 1"]
    parts += ["handle_unknown='popular'"]
    assert_refused(lambda: call(rows), UnknownUserError, *parts)
    with pytest.raises(LookupError):
        call(rows)


@pytest.mark.case(28, 91)
def test_numbers_are_not_text():
    model = ItemKNNRecommender().fit(
        good().assign(user_id=list("000111"), item_id=list("abcbcd"))
    )
    parts = ["0 at row 0", "str", "e.g. '0'", "ids of that type"]
    assert_refused(lambda: model.predict(0), UnknownUserError, *parts)
    parts = ["'items'", "5 at position 0", "str", "e.g. 'b'"]
    assert_refused(lambda: model.similar_items(5), InteractionsError, *parts)


@pytest.mark.case(92)
def test_unknown_items_of_histories_are_ignored_with_a_warning(fitted):
    expected = fitted.predict([1, 2], [[10], [11]])
    histories = [[10], [99, 98, 97, 96, 11]]
    with pytest.warns(UserWarning, match="user 2 .*99, 98, 97 .4.*int64.*11"):
        assert_array_equal(fitted.predict([1, 2], histories), expected)
    fitted.set_params(handle_unknown="error")
    parts = [".predict: ", "'history' of user 2", "99, 98, 97 (4", "int64"]
    parts += ["handle_unknown='popular'"]
    call = partial(fitted.predict, [1, 2], histories)
    assert_refused(call, InteractionsError, *parts)


@pytest.mark.case(93)
def test_histories_without_a_known_item_get_popular_items(fitted):
    popular = fitted.predict(-1)
    for nothing in ([], np.array([])):
        assert_array_equal(fitted.predict(1, nothing), popular)
    for unknown in ([99], ["10"]):
        with pytest.warns(UserWarning, match=f"{unknown[0]!r} .*int64 .*ignored"):
            assert_array_equal(fitted.predict(1, unknown), popular)


@pytest.mark.case(94)
@each(*NETWORKS)
def test_only_the_last_items_of_a_long_history_are_read(model, small_interactions):
    model.set_params(exclude_seen=False).fit(small_interactions)
    whole = [17, 10, 11, 12, 13, 14]  # windows are three items long
    expected = model.recommend(1, whole[-3:], k=8)
    assert_frame_equal(model.recommend(1, whole, k=8), expected)
    other = model.recommend(1, [17, *whole[-2:]], k=8)
    assert not np.array_equal(other["score"], expected["score"])


UNKNOWN_USER = frame_of(["1"], [10], LONG_AFTER)
UNKNOWN_ITEMS = frame_of([1, 2], [98, 99], LONG_AFTER)
OTHER_TYPE = UNKNOWN_ITEMS.astype({"item_id": str})
DATED = frame_of([1], [10], pd.to_datetime(["2020-01-01"]))
TWO = {"users": [1, 2]}
NOT_BOOLEAN = ["'exclude_seen'", "True or False", "'no'"]


@pytest.mark.parametrize(
    ("method", "arguments", "error", "parts"),
    [
        ("predict", {"user": None}, InteractionsError, ["'user' is None", "'visitor'"]),
        ("predict", {"user": np.nan}, InteractionsError, ["'user'", "1 missing"]),
        ("predict", {"user": pd.NA}, InteractionsError, ["'user'", "1 missing"]),
        ("predict", {"user": [1, None]}, InteractionsError, ["row 1: None"]),
        ("predict", {"user": True}, TypeError, ["'user'", "1 bool"]),
        ("predict", {"user": 1.0}, TypeError, ["'user'", "1 float", "1.0"]),
        ("predict", {"user": 1.5}, InteractionsError, ["fractional", "1.5"]),
        ("predict", {"user": {1: 2}}, TypeError, ["'user'", "dict"]),
        ("predict", {"user": {1, 2}}, TypeError, ["'user'", "set"]),
        ("predict", {"user": (u for u in [1])}, TypeError, ["'user'", "generator"]),
        ("recommend", {"users": [1, "1"]}, TypeError, ["'user'", "1 int", "1 str"]),
        # Whatever `handle_unknown` says: hardly anybody means another user.
        numbered(91, "predict", {"user": "1"}, UnknownUserError, ["'1'", "int64"]),
        numbered(91, "recommend", {"users": ["1"]}, UnknownUserError, ["'1'", "int64"]),
        numbered(91, "score", {"X": UNKNOWN_USER}, UnknownUserError, ["'1'", "int64"]),
        *(
            numbered(95, method, TWO | {"history": history}, error, parts)
            for method in ("recommend", "query_vectors")
            for history, error, parts in [
                ("ab", TypeError, ["'history'", "list of lists", "'ab'"]),
                (["ab", "c"], TypeError, ["history of user 1", "['ab']"]),
                ([[10], None], TypeError, ["history of user 2", "NoneType"]),
                ([[10]], InteractionsError, ["'history'", "2 users", "Got 1"]),
                ([10, 11, 12], InteractionsError, ["one list", "2 user(s)"]),
                ((i for i in [[10]]), TypeError, ["list of lists", "<generator"]),
            ]
        ),
        numbered(95, "predict", {"history": "ab"}, TypeError, ["user 1", "['ab']"]),
        *(
            numbered(96, method, {"k": k}, InvalidParameterError, ["'k'", f"Got {k!r}"])
            for method in ("predict", "recommend", "similar_items")
            for k in (0, -1, 2.5, "3", True)
        ),
        *(
            numbered(98, method, {name: items}, InteractionsError, [repr(name), *parts])
            for method, name in [
                ("recommend", "candidates"),
                ("similar_items", "items"),
            ]
            for items, parts in [
                ([10, 99, 98], ["99 at position 1", "2 of 3", "int64", "e.g. 11"]),
                (["10"], ["'10' at position 0", "1 of 1", "int64"]),
                ([], ["no ids", "at least one"]),
                ([10, None], ["1 missing", "row 1: None"]),
            ]
        ),
        numbered(98, "recommend", {"candidates": "10"}, TypeError, ["'10'", "['10']"]),
        numbered(98, "recommend", {"candidates": [1, "1"]}, TypeError, ["1 str"]),
        ("similar_items", {"items": "10"}, InteractionsError, ["'10' at position 0"]),
        numbered(99, "score", {"X": good().iloc[:0]}, InteractionsError, ["0 rows"]),
        numbered(
            99, "score", {"X": UNKNOWN_ITEMS}, InteractionsError, ["0 of 2", "98"]
        ),
        ("score", {"X": OTHER_TYPE}, InteractionsError, ["0 of 2", "'98'", "11"]),
        ("predict", {"user": DATED}, InteractionsError, ["datetime64", "int64"]),
        ("score", {"X": DATED}, InteractionsError, ["datetime64", "int64"]),
        ("recommend", {"exclude_seen": "no"}, InvalidParameterError, NOT_BOOLEAN),
    ],
)
def test_unusable_arguments(method, arguments, error, parts, fitted):
    first = {"predict": {"user": 1}, "similar_items": {"items": 10}}.get(method, {})
    call = partial(getattr(fitted, method), **first | arguments)
    assert_refused(call, error, f"ItemKNNRecommender.{method}", *parts)


def test_rows_of_users_of_different_lengths(fitted):
    with pytest.raises(ValueError, match="Reshape your data"):
        fitted.predict([[1, 10], [2]])


def test_times_need_a_fit_with_times():
    model = ItemKNNRecommender().fit(good().drop(columns="timestamp"))
    parts = ["'timestamp'", "in fit had none", "drop the column 'timestamp'"]
    for call in (model.predict, model.score):
        assert_refused(partial(call, good()), InteractionsError, *parts)


@pytest.mark.case(62, 96)
def test_k_beyond_the_catalogue_costs_nothing(fitted):
    assert set(fitted.predict(1, k=100)[:2]) == {10, 17}
    assert fitted.predict(1, k=100)[2:].tolist() == [-1] * 98
    tracemalloc.start()
    tables = [fitted.recommend(1, k=10**6), fitted.similar_items(10, k=10**6)]
    tables += [fitted.recommend(1, k=10**6, exclude_seen=False)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [len(table) for table in tables] == [2, 7, 8]
    assert peak < 4_000_000


@pytest.mark.case(97)
def test_nothing_is_left_to_recommend(fitted):
    everything = list(range(10, 18))
    told = pytest.warns(UserWarning, match=r"1 user.* 2: .*exclude_seen=False")
    with told:
        predicted = fitted.predict([1, 2], [[10], everything])
    assert predicted[1].tolist() == [-1] * 3
    with told:
        table = fitted.recommend([1, 2], [[10], everything])
    assert set(table["user_id"]) == {1}
    assert len(fitted.recommend(2, everything, k=8, exclude_seen=False)) == 8


@pytest.mark.case(101)
def test_constant_scores_are_no_hits(small_interactions):
    train, test = leave_last_out_split(small_interactions)
    model = attrec(exclude_seen=False, k=7).fit(train)
    model.weights_ = {name: 0 * value for name, value in model.weights_.items()}
    assert_array_equal(model.target_ranks(test), 8)
    assert model.score(test) == 0
    assert model.set_params(k=8).score(test) == 1


def weights_of_no_numbers(name, value):
    """Also run by test_guards.py, without the check."""

    def check(model, X):
        train, test = leave_last_out_split(X)
        model.fit(train)
        model.weights_[name] = np.full_like(model.weights_[name], value)
        calls = [lambda: model.predict(1), model.recommend, lambda: model.score(test)]
        if name in ("V", "X", "E"):
            calls += [lambda: model.similar_items(10), model.item_vectors]
        for call in calls:
            with np.errstate(all="ignore"):
                parts = [type(model).__name__, "finite", "Fit"]
                assert_refused(call, ValueError, *parts)

    return check


@pytest.mark.case(102)
@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize(
    ("model", "name"),
    [
        *((attrec(), name) for name in ("U", "V", "X", "W_Q")),
        *((sse_pt(), name) for name in ("E", "P", "0.W_V", "0.b_1", "g_out")),
        *((model, "data") for model in BASELINES[:2]),  # of a sparse array
    ],
    ids=name_of,
    indirect=["model"],
)
def test_weights_that_are_not_finite(model, name, value, small_interactions):
    weights_of_no_numbers(name, value)(model, small_interactions)


# Files and the command line


POPULAR = ["--model", "popularity", "--all-users"]
IDS = b"user_id,item_id\n"
SOUND = "user_id,item_id\n1,5\n1,6\n2,6\n2,7\n3,Jos\u00e9\n"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Recommend from a file in an empty folder: exit code, output, messages."""
    monkeypatch.chdir(tmp_path)

    def run(name, *options):
        code = cli.main(["recommend", name, *POPULAR, *options])
        return code, *capsys.readouterr()

    return run


def assert_fails(run, name, *parts, out="out.csv"):
    """The command ends with one line and code 2, and leaves no file behind."""
    before = sorted(Path().rglob("*"))
    code, printed, told = run(name, "--out", out)
    assert (code, printed) == (2, "")
    assert re.fullmatch(r"sklearn_attrec: error: [^\n]*\n", told), told
    for part in parts:
        assert part in told, f"{part!r} is not in {told!r}"
    assert sorted(Path().rglob("*")) == before


# What else is wrong with files, test_datasets_readers.py tries.
@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        numbered(103, "a.csv", IDS + b"1,2,3\n4,5,6\n", ["line 2", "3 field", "2"]),
        numbered(104, "a.csv", IDS + b"1,2\n4,5,6\n", ["line 3", "3 field"]),
        numbered(104, "a.csv", IDS + b'1,2\n1,"2\n3,4\n', ["line 3", "quotation"]),
        numbered(
            104, "a.csv", IDS + b"1,2\n3,\x004\n", ["NUL", r"replace(b'\0', b'')"]
        ),
        numbered(104, "a.csv", IDS, ["line 1", "no row"]),
        numbered(104, "a.csv", b"", ["line 1", "empty"]),
        numbered(105, "a.csv", SOUND.encode("utf-16"), ["--encoding='utf-16'"]),
        numbered(105, "a.csv", SOUND.encode("latin-1"), ["--encoding='latin-1'"]),
        numbered(106, "a.csv", IDS + b"1,2\n,3\n", ["line 3", "'user_id'", "blank"]),
        numbered(107, "a.csv", b"user_id;item_id\n1;2\n", ["line 1", "--sep=';'"]),
        numbered(108, "none.csv", None, ["No such file", "'none.csv'"]),
        numbered(110, "a.csv.gz", IDS + b"1,2\n", ["'a.csv.gz'", "not", "remove .gz"]),
        numbered(
            110,
            "a.csv.gz",
            gzip.compress(IDS * 99, mtime=0)[:-8],
            ["'a.csv.gz'", "gzip"],
        ),
        numbered(111, "a.parquet", IDS, ["'a.parquet'", "Parquet"]),
        numbered(112, "a.jsonl", b'{"user_id": NaN}\n', ["line 1", "NaN"]),
        numbered(112, "a.jsonl", b'{"a": 2, "a": 3}\n', ["line 1", "'a', 'a'"]),
        numbered(112, "a.jsonl", b"[" * 100_000, ["line 1", "recursion"]),
    ],
    ids=name_of,
)
def test_bad_files_end_in_one_line(name, content, parts, run):
    if content is not None:
        Path(name).write_bytes(content)
    assert_fails(run, name, *parts)


@pytest.mark.case(111)
def test_parquet_of_wrong_types_ends_in_one_line(run):
    pytest.importorskip("pyarrow")
    frame_of([1, 2], [1.0, 2.5]).to_parquet("a.parquet")
    assert_fails(run, "a.parquet", "row 0", "'item_id'", "1.0")
    Path("b.parquet").write_bytes(Path("a.parquet").read_bytes()[:-100])
    assert_fails(run, "b.parquet", "'b.parquet'", "Parquet")


@pytest.mark.case(105)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1", "utf-16"])
def test_encodings_of_files(encoding, run):
    Path("plain.csv").write_text(SOUND, "utf-8")
    Path("other.csv").write_text(SOUND, encoding)
    # A byte order mark needs no option.
    option = [] if encoding == "utf-8-sig" else [f"--encoding={encoding}"]
    code, printed, told = run("plain.csv")
    assert "Jos\u00e9" in printed
    assert run("other.csv", *option) == (code, printed, told) == (0, printed, "")


@pytest.mark.parametrize(
    "ids",
    [
        numbered(33, ["\N{PILE OF POO}", "\u05e9\u05dc\u05d5\u05dd", "two\nlines"]),
        numbered(33, ['comma, "quote"', "=cmd()", "'; DROP TABLE x; --"]),
        numbered(106, ["NA", "nan", "NULL", "None", "N/A"]),
        numbered(106, ["007", "07", "7"]),
        numbered(106, [9007199254740993, 2**63 - 1, -1]),
        numbered(106, [str(2**64), str(2**64 - 1), str(2**63), "1"]),
    ],
    ids=repr,
)
def test_ids_survive_the_command_line(ids, run):
    # Each user had all items but the one of the same name, which is recommended.
    pairs = list(itertools.permutations(ids, 2))
    frame_of(*zip(*pairs, strict=True)).to_csv("in.csv", index=False)
    found = read_interactions("in.csv")[["user_id", "item_id"]]
    assert [*found.itertuples(index=False, name=None)] == pairs
    assert run("in.csv", "--out", "out.csv") == (0, "", "")
    found = read_interactions("out.csv")
    assert sorted(found["user_id"]) == sorted(ids)
    assert found["item_id"].tolist() == found["user_id"].tolist()


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX alone")
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")


@pytest.mark.case(108)
@pytest.mark.parametrize(
    ("out", "told"),
    [
        pytest.param("/dev/full", "No space left on device", marks=FULL),
        ("no/out.csv", "--out must be a file in a folder"),
        (".", "--out must be a file in a folder"),
        ("locked/out.csv", "--out must be a file in a folder"),
    ],
)
def test_output_that_cannot_be_written(out, told, run, monkeypatch):
    Path("in.csv").write_text(SOUND, "utf-8")
    Path("locked").mkdir()
    # Root may write anywhere, so the permission is refused by hand.
    may_write = lambda path, mode: Path(path).name != "locked"  # noqa: E731
    monkeypatch.setattr(os, "access", may_write)
    assert_fails(run, "in.csv", told, repr(out), out=out)


def start(name, *options, stdout):
    command = [sys.executable, "-m", "sklearn_attrec", "recommend", name, *POPULAR]
    # Unbuffered, Python takes no notice of what a broken pipe has not taken.
    env = {name: os.environ[name] for name in os.environ if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [*command, *options], stdout=stdout, stderr=subprocess.PIPE, text=True, env=env
    )


@FULL
@pytest.mark.case(108)
def test_standard_output_to_a_full_device(run):
    Path("in.csv").write_text(SOUND, "utf-8")
    with Path("/dev/full").open("w") as full, start("in.csv", stdout=full) as ended:
        told = ended.stderr.read()
        assert ended.wait(60) == 2
    assert told == "sklearn_attrec: error: [Errno 28] No space left on device\n"


@POSIX
@pytest.mark.case(109)
@pytest.mark.parametrize("n_lines", [0, 1])
def test_reader_that_stops_early(n_lines, run):
    """As `head -1` does while there is much to write, or with nobody reading at all."""
    users = np.repeat(np.arange(5_000 if n_lines else 5), 2)
    frame_of(users, np.arange(len(users)) % 77).to_csv("in.csv", index=False)
    with start("in.csv", "--k", "50", stdout=subprocess.PIPE) as ended:
        for _ in range(n_lines):
            assert ended.stdout.readline() == "user_id,item_id,score,rank\n"
        ended.stdout.close()
        assert ended.stderr.read() == ""
        assert ended.wait(60) == 0
