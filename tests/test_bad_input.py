"""Random input: a documented error, or an answer of finite numbers and known ids."""

import functools
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from bad_input_helpers import assert_finite, attrec, good
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from sklearn_attrec import PopularityRecommender

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
USERS, ITEMS = st.integers(0, 3), st.integers(4, 9)  # those of `good`, and others
DTYPES = [object, object, None, "category", "string", "Int64", "f4"]
COLUMNS = ["user_id", "item_id", "timestamp", "rating", "when"]


def column_of(values, dtype):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # overflows, tuples of many lengths
            return pd.Series(values, dtype=dtype)
    except (TypeError, ValueError, OverflowError):
        return pd.Series(values, dtype=object)


@st.composite
def any_frames(draw):
    n_rows = draw(st.integers(0, 6))
    kinds = [USERS, st.sampled_from("abc"), st.floats(), st.datetimes(), ANYTHING]
    values = st.sampled_from(kinds).flatmap(
        lambda kind: st.lists(kind, min_size=n_rows, max_size=n_rows)
    )
    names = draw(st.lists(st.sampled_from(COLUMNS), max_size=4) | st.just(COLUMNS[:3]))
    columns = [column_of(draw(values), draw(st.sampled_from(DTYPES))) for _ in names]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame()
    return frame.set_axis(names, axis=1)


@st.composite
def likely_frames(draw):
    """Frames that may well be accepted: three columns, each of one kind."""
    rows = draw(st.lists(st.tuples(USERS, ITEMS), min_size=1, max_size=12))
    time = draw(st.integers(0, 5) | st.datetimes() | st.floats(0, 9))
    kind = draw(st.sampled_from([int, str]))
    rows = [(kind(user), item, time) for user, item in rows]
    return pd.DataFrame(rows, columns=COLUMNS[:3])


FRAMES = any_frames() | likely_frames()
ITEM_LISTS = st.lists(ITEMS, max_size=5) | st.lists(ITEMS | ANYTHING, max_size=5)
HISTORIES = st.none() | ITEM_LISTS | st.lists(ITEM_LISTS, max_size=4) | ANYTHING
HISTORIES |= st.dictionaries(USERS, ITEM_LISTS) | FRAMES
HISTORIES |= st.lists(ITEM_LISTS, max_size=4).map(lambda x: pd.Series(x, dtype=object))
QUERIES = ANYTHING | USERS | st.lists(USERS | ANYTHING, max_size=4) | FRAMES
# No large integers: predict fills up its rows to as many as k.
K = st.none() | st.integers(-1, 20) | st.floats() | st.text(max_size=2)
RULES = st.none() | ITEM_LISTS | ANYTHING | st.dictionaries(USERS, ITEM_LISTS) | FRAMES
ARGUMENTS = {
    "predict": {"user": QUERIES, "history": HISTORIES, "k": K, "exclude": RULES},
    "recommend": {
        "users": QUERIES,
        "history": HISTORIES,
        "k": K,
        "candidates": RULES,
        "exclude_seen": st.none() | st.booleans() | ANYTHING,
    },
    "query_vectors": {"users": QUERIES, "history": HISTORIES},
    "similar_items": {"items": ITEM_LISTS | ANYTHING, "k": K},
    "score": {"X": FRAMES},
    "target_ranks": {"X": FRAMES},
}
CALLS = st.sampled_from(sorted(ARGUMENTS)).flatmap(
    lambda method: st.tuples(st.just(method), st.fixed_dictionaries(ARGUMENTS[method]))
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


@given(frame=FRAMES)
@within_five_seconds
def test_fit_accepts_or_refuses_any_frame(model, frame):
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
@given(call=CALLS)
@within_five_seconds
def test_methods_answer_or_refuse_any_arguments(model, kind, call):
    model = model_on(model, kind)
    method, arguments = call
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # unknown items, leaks
            answer = getattr(model, method)(**arguments)
    except (ValueError, TypeError) as error:
        # scikit-learn's own words, for lists that are read as rows of an array
        rows, name = "X has |Expected 2D array|Found array with", type(model).__name__
        assert re.match(rf"{rows}|(The .* of )?{name}\.{method}\b", str(error)), error
        return
    assert_answers(model, method, answer)
