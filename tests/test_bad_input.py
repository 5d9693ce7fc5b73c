"""Bad input beside the numbered cases of test_bad_input_cases.py, and any input."""

import functools
import warnings

import numpy as np
import pandas as pd
import pytest
from bad_input_helpers import (
    MODELS,
    NETWORKS,
    assert_finite,
    assert_refused,
    attrec,
    frame_of,
    good,
    name_of,
    sasrec,
    sse_pt,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec import PopularityRecommender
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError

networks = pytest.mark.parametrize("network", NETWORKS, ids=lambda m: type(m).__name__)


# Data from which little is learned


@pytest.mark.parametrize("n_negatives", [1, 50])
def test_popular_negatives_need_no_untouched_item(n_negatives):
    frame = frame_of([1, 1, 2, 2], [1, 2, 2, 1])
    params = {"loss": "sampled_softmax", "n_negatives": n_negatives, "max_iter": 5}
    assert_finite(sasrec(**params).fit(frame))  # some batches draw the target alone


@pytest.mark.parametrize(("make", "loss"), [(attrec, "hinge"), (sasrec, "bce")])
def test_plain_array_from_which_nothing_is_learned(make, loss):
    # Arrays may hold anything, as those of scikit-learn's own checks do.
    rows = np.array([[1, 1], [1, 2], [2, 2], [2, 1]])
    with pytest.warns(UserWarning, match="fit: no negative item.*weights stay random"):
        model = make(loss=loss, exclude_seen=False).fit(rows)
    assert set(model.predict(1, k=2)) == {1, 2}
    assert len(model.predict([1, 99], k=1)) == 2


# Parameters


NAN = float("nan")
BAD_PARAMETERS = [
    ("n_targets", [0, "all"], "None or an int in the range [1, inf)"),
    ("tol", [-1, NAN], "a float in the range [0, inf)"),
    ("alpha", [-1, NAN, np.inf], "a float in the range [0, inf)"),
    ("dropout", [-0.1, 1, NAN], "a float in the range [0, 1)"),
    ("temperature", [0, -1, NAN], "a float in the range (0, inf)"),
    ("max_norm", [0, -1, "1"], "None or a float in the range (0, inf)"),
    ("aggregation", ["median", None, 1], "one of 'mean', 'sum', 'max', 'min'"),
    ("similarity", ["cosine", 0], "one of 'euclidean', 'inner'"),
    ("loss", ["log", None], "one of "),
    ("n_blocks", [0, -1, 1.5, None], "an int in the range [1, inf)"),
    ("n_heads", [0, 1.0, None], "an int in the range [1, inf)"),
    ("calibration", [-0.1, 1.1, NAN, None], "a float in the range [0, 1]"),
    ("positions", ["rotary", None, True], "one of 'learned', 'sinusoidal'"),
    ("norm", ["layer", None, True], "one of 'pre', 'post'"),
    ("windows", ["first", None, 3], "one of 'all', 'last'"),
    ("d_user", [0, -1, 2.0, None], "an int in the range [1, inf)"),
    ("sse_user", [-0.1, 1.1, NAN, None], "a float in the range [0, 1]"),
    ("sse_item", [-0.1, 1.1, NAN, None], "a float in the range [0, 1]"),
    ("optimizer", ["sgd", None], "one of "),
    ("schedule", ["cyclic", None], "one of 'constant', 'linear', 'cosine'"),
    ("scoring", ["mrr", None, max], "one of 'hit_rate', 'ndcg'"),
    ("share_projection", ["yes", 1], "True or False"),
    ("early_stopping", ["yes", None], "True or False"),
    ("warm_start", [1], "True or False"),
    ("checkpoint", ["", 3, b"", True], "None or a path"),
    ("checkpoint_every", [0, -1, 2.5, "often", "10", "-1s", None], "such as '10min'"),
    ("resume", [1, "yes"], "True or False"),
    ("keep_interrupted", [1, None], "True or False"),
    ("exclude_seen", ["no", 0], "True or False"),
    ("handle_unknown", ["ignore", None], "one of 'popular', 'error'"),
    ("k", [0, -1, 2.5, "3", None], "an int in the range [1, inf)"),
    ("verbose", [-1, "loud"], "an int in the range [0, inf)"),
]
IN_THE_CASES = [  # numbers 70 to 85
    *("omega", "gamma", "L", "d", "learning_rate", "max_iter", "batch_size"),
    *("n_negatives", "n_iter_no_change", "validation_fraction", "random_state"),
]


@networks
@pytest.mark.parametrize(("name", "values", "allowed"), BAD_PARAMETERS)
def test_parameters_out_of_range(network, name, values, allowed):
    if name not in network.get_params():
        return
    for value in values:
        model = clone(network).set_params(**{name: value})
        with pytest.raises(InvalidParameterError) as caught:
            model.fit(good())
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, TypeError)
        message = str(caught.value)
        assert message.startswith(
            f"The '{name}' parameter of {type(model).__name__} must be"
        )
        assert allowed in message
        assert f"Got {value!r} instead." in message
        with pytest.raises(NotFittedError):
            check_is_fitted(model)


def test_every_parameter_is_in_one_list():
    every = {name for network in NETWORKS for name in network.get_params()}
    assert sorted([*IN_THE_CASES, *(row[0] for row in BAD_PARAMETERS)]) == sorted(every)


@pytest.mark.parametrize(
    ("make", "losses"),
    [
        (attrec, "'hinge', 'bpr', 'softmax'"),
        (sasrec, "'bce', 'gbce', 'sampled_softmax', 'softmax'"),
    ],
)
def test_losses_are_listed(make, losses):
    model = make(loss="log")
    assert_refused(lambda: model.fit(good()), InvalidParameterError, f"of {losses}")


@pytest.mark.parametrize(
    ("make", "params", "width"),
    [
        (sasrec, {"n_heads": 3}, 4),
        (sasrec, {"n_heads": 8}, 4),
        (sse_pt, {"n_heads": 4, "d_user": 3}, 7),
    ],
)
def test_heads_share_a_row_evenly(make, params, width):
    assert_refused(
        lambda: make(**params).fit(good()),
        InvalidParameterError,
        "'n_heads'",
        f"divide the {width} numbers",
        f"Got {params['n_heads']}",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tol", 0),
        ("k", np.int64(2)),
        ("verbose", 1),
        ("exclude_seen", np.bool_(True)),
        ("early_stopping", True),
    ],
)
def test_parameters_at_the_edge(name, value):
    model = attrec(**{name: value}).fit(good())
    assert_finite(model)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("L", 10**6),
        ("calibration", 0),
        ("calibration", np.float32(1)),
        ("d_user", 4),
        ("n_heads", np.int64(3)),
        ("n_negatives", np.int64(4)),
        ("sse_item", 0),
        ("sse_item", 1),
        ("sse_user", np.float32(0)),
        ("sse_user", 1),
        ("validation_fraction", 1),
        ("windows", "last"),
    ],
)
def test_parameters_of_transformers_at_the_edge(name, value):
    model = sse_pt(loss="gbce", early_stopping=True, **{name: value}).fit(good())
    assert_finite(model)


@networks
def test_early_stopping_without_anything_to_hold_out(network):
    frame = frame_of([1, 1, 2, 2, 3], [5, 6, 6, 7, 8])
    assert_refused(
        lambda: clone(network).set_params(early_stopping=True).fit(frame),
        InteractionsError,
        "early_stopping=True",
        "3 or more",
        "longest history: 2",
        "early_stopping=False",
    )


# predict, recommend and score


@pytest.fixture(params=MODELS, ids=lambda model: type(model).__name__)
def fitted(request, small_interactions):
    return clone(request.param).fit(small_interactions)


@pytest.mark.parametrize("user", [None, np.nan, pd.NA])
def test_missing_users(fitted, user):
    assert_refused(
        lambda: fitted.predict(user), InteractionsError, "'user'", "1 missing id"
    )


@pytest.mark.parametrize(
    ("users", "error", "parts"),
    [
        (True, TypeError, ["bool"]),
        (1.0, TypeError, ["1 float id", "1.0"]),
        (1.5, InteractionsError, ["fractional", "1.5"]),
        ({1: 2}, TypeError, ["dict"]),
        ({1, 2}, TypeError, ["set"]),
        ((u for u in [1]), TypeError, ["generator"]),
        ([1, "1"], TypeError, ["1 int", "1 str"]),
    ],
    ids=name_of,
)
def test_unusable_users(fitted, users, error, parts):
    head = f"{type(fitted).__name__}.predict: "
    assert_refused(lambda: fitted.predict(users), error, head, *parts)


def test_ragged_rows_of_users(fitted):
    with pytest.raises((TypeError, ValueError)) as caught:
        fitted.predict([[1, 10], [2]])
    assert "inhomogeneous" not in str(caught.value)


def test_times_that_cannot_be_compared(fitted):
    rows = frame_of([1], [10], pd.to_datetime(["2020-01-01"]))
    for call in (fitted.predict, fitted.score):
        assert_refused(
            lambda call=call: call(rows), InteractionsError, "datetime64", "int64"
        )
    timeless = clone(fitted).fit(frame_of([1, 1, 2, 2, 2], [1, 2, 2, 3, 4]))
    for call in (timeless.predict, timeless.score):
        assert_refused(
            lambda call=call: call(frame_of([1], [3], 5)),
            InteractionsError,
            "'timestamp'",
            "fit saw none",
            "drop the column",
        )


def test_exclude_seen_is_a_boolean(fitted):
    assert_refused(
        lambda: fitted.recommend(1, exclude_seen="no"),
        InvalidParameterError,
        "'exclude_seen'",
        "True or False",
        "'no'",
    )


@pytest.mark.parametrize(
    ("items", "parts"),
    [
        ([10, 99], ["99 at position 1", "1 of 2"]),
        (99, ["99 at position 0"]),
        ([], ["none"]),
        ("10", ["'10' at position 0", "int64"]),
    ],
)
def test_unknown_items_are_similar_to_nothing(fitted, items, parts):
    head = ".similar_items: "
    assert_refused(
        lambda: fitted.similar_items(items), InteractionsError, head, "'items'", *parts
    )


# Anything at all

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 9),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=2),
    st.datetimes(),
    st.timedeltas(),
    st.tuples(st.integers()),
    st.lists(st.integers(), max_size=1),
    st.just(pd.NA),
)
# Those that `good` holds, and others.
USERS, ITEMS = st.integers(0, 3), st.integers(4, 9)
DTYPES = [object, object, None, "category", "string", "Int64", "f4"]


def _column(n_rows):
    kinds = [USERS, st.sampled_from("abc"), st.floats(), st.datetimes(), ANYTHING]
    alike = st.sampled_from(kinds).flatmap(
        lambda kind: st.lists(kind, min_size=n_rows, max_size=n_rows)
    )
    return st.tuples(alike, st.sampled_from(DTYPES))


@st.composite
def frames(draw):
    n_rows = draw(st.integers(0, 6))
    names = draw(
        st.lists(
            st.sampled_from(["user_id", "item_id", "timestamp", "rating", "when"]),
            max_size=4,
        )
        | st.just(["user_id", "item_id", "timestamp"])
    )
    columns = []
    for _ in names:
        values, dtype = draw(_column(n_rows))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # overflows, tuples of many lengths
                columns.append(pd.Series(values, dtype=dtype))
        except (TypeError, ValueError, OverflowError):
            columns.append(pd.Series(values, dtype=object))
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame()
    return frame.set_axis(names, axis=1)


def likely_frames():
    """Frames that may well be accepted: three columns, each of one kind."""
    times = st.integers(0, 5) | st.datetimes() | st.floats(0, 9)
    row = st.tuples(USERS, ITEMS)
    rows = st.lists(row, min_size=1, max_size=12)
    return st.builds(
        lambda rows, time, text: pd.DataFrame(
            [(str(u) if text else u, i, time) for u, i in rows],
            columns=["user_id", "item_id", "timestamp"],
        ),
        rows,
        times,
        st.booleans(),
    )


@st.composite
def questions(draw):
    """The name of a method, and arguments for it."""
    users = draw(
        st.one_of(ANYTHING, USERS, st.lists(USERS | ANYTHING, max_size=4))
        | frames()
        | likely_frames()
    )
    items = st.lists(ITEMS, max_size=5) | st.lists(ITEMS | ANYTHING, max_size=5)
    history = draw(st.none() | items | st.lists(items, max_size=4) | ANYTHING)
    # No large integers: predict fills up its rows to as many as it is asked for.
    k = draw(st.none() | st.integers(-1, 20) | st.floats() | st.text(max_size=2))
    candidates = draw(st.none() | items | ANYTHING)
    exclude_seen = draw(st.none() | st.booleans() | ANYTHING)
    rows = draw(frames() | likely_frames())
    return draw(
        st.sampled_from(
            [
                ("predict", {"user": users, "history": history, "k": k}),
                (
                    "recommend",
                    {
                        "users": users,
                        "history": history,
                        "k": k,
                        "candidates": candidates,
                        "exclude_seen": exclude_seen,
                    },
                ),
                ("query_vectors", {"users": users, "history": history}),
                ("similar_items", {"items": draw(items | ANYTHING), "k": k}),
                ("score", {"X": rows}),
                ("target_ranks", {"X": rows}),
            ]
        )
    )


@functools.cache
def model_on(model, kind):
    """The model fitted on `good`, or on it with other ids or times."""
    frame = {
        "integers": good(),
        "text": good().assign(user_id=list("111222"), item_id=list("567678")),
        "dates": good().astype({"timestamp": "M8[s]"}),
        "no times": good().drop(columns="timestamp"),
    }[kind]
    return clone(model).fit(frame)


def assert_answers(model, method, answer):
    if method == "predict":
        assert set(answer.ravel()) <= {*model.items_, model.missing_item_}
    elif method in ("recommend", "similar_items"):
        assert np.isfinite(answer["score"]).all()
        assert (answer["rank"] > 0).all()
        assert set(answer.iloc[:, 1]) <= set(model.items_)
    elif method == "query_vectors":
        assert np.isfinite(answer).all()
    elif method == "target_ranks":
        assert (answer >= 1).all()
    else:
        assert 0 <= answer <= 1


@pytest.fixture(scope="module", params=["Popularity", "AttRec"])
def model(request):
    model = attrec(k=2) if request.param == "AttRec" else PopularityRecommender(k=2)
    model_on(model, "integers")  # compiling takes its time, once
    return model


within_five_seconds = settings(
    max_examples=200, deadline=5_000, suppress_health_check=list(HealthCheck)
)


@given(frame=frames() | likely_frames())
@within_five_seconds
def test_anything(model, frame):
    model = clone(model)
    try:
        model.fit(frame)
    except (ValueError, TypeError) as error:
        assert str(error).startswith(f"{type(model).__name__}.fit: "), error
        assert not hasattr(model, "items_")
        return
    if hasattr(model, "weights_"):
        assert_finite(model)
    table = model.recommend(exclude_seen=False)
    assert_answers(model, "recommend", table)
    assert len(table) == 2 * len(model.users_)


@pytest.mark.parametrize("kind", ["integers", "text", "dates", "no times"])
@given(question=questions())
@within_five_seconds
def test_any_question(model, kind, question):
    model = model_on(model, kind)
    method, arguments = question
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # unknown items, leaks
            answer = getattr(model, method)(**arguments)
    except (ValueError, TypeError) as error:
        # scikit-learn's own words, for lists that are read as rows of an array
        rows = ("X has ", "Expected 2D array", "Found array with")
        name = type(model).__name__
        assert str(error).startswith((f"{name}.{method}: ", *rows)), error
        return
    assert_answers(model, method, answer)
