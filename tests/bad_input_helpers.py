"""Small models and frames for the tests of bad input, and what refusing means."""

import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import clone

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
)

SMALL = {"d": 4, "L": 3, "max_iter": 1, "batch_size": 16, "k": 3, "random_state": 0}
TINY = {**SMALL, "n_blocks": 1, "n_heads": 2, "loss": "softmax", "dropout": 0.2}


def attrec(**params):
    return AttRecRecommender(**{**SMALL, **params})


def sasrec(**params):
    return SASRecRecommender(**{**TINY, **params})


def sse_pt(**params):
    return SSEPTRecommender(**{**TINY, "d_user": 2, **params})


NETWORKS = [attrec(), sasrec(), sse_pt()]
BASELINES = [
    ItemKNNRecommender(k=3),
    MarkovRecommender(k=3),
    PopularityRecommender(k=3),
]
MODELS = [*NETWORKS, *BASELINES]
# Each network with each of its losses.
VARIANTS = [
    *(attrec(loss=loss) for loss in ("hinge", "bpr", "softmax")),
    *(sasrec(loss=loss) for loss in ("bce", "gbce", "softmax", "sampled_softmax")),
]


def name_of(value):
    """Name a parameter alike in every process: not by its address."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


def frame_of(users, items, times=None):
    frame = pd.DataFrame({"user_id": users, "item_id": items})
    return frame if times is None else frame.assign(timestamp=times)


def good():
    """Two users with three of four items each, not in the order of time."""
    return frame_of([1, 1, 1, 2, 2, 2], [5, 6, 7, 6, 7, 8], [3, 1, 5, 4, 2, 6])


def assert_refused(call, error, *parts):
    """Expect this very type of error, in a message with each of these parts."""
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert caught.type is error, f"{caught.type.__name__}: {message}"
    for part in parts:
        assert part in message, f"{part!r} is not in {message!r}"
    assert len(message) < 1_000, message  # long values are cut


def assert_same_model(model, frame, other):
    """Two forms of the same interactions make the same model."""
    first, second = clone(model).fit(frame), clone(model).fit(other)
    assert_frame_equal(
        first.recommend(), second.recommend(), check_dtype=False, check_exact=True
    )
    for name in ("users_", "items_", "history_indptr_", "history_items_"):
        assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    if hasattr(first, "history_"):
        losses = [[row["loss"] for row in each.history_] for each in (first, second)]
        assert losses[0] == losses[1]


def assert_finite(model):
    """What was learned is numbers, and so is every score."""
    assert all(np.isfinite(value).all() for value in model.weights_.values())
    assert all(np.isfinite(record["loss"]) for record in model.history_)
    table = model.recommend(exclude_seen=False)
    assert np.isfinite(table["score"]).all()
