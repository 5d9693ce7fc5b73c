"""Small models and frames for the tests of bad input, and what a refusal is."""

import numpy as np
import pandas as pd
import pytest

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
    return AttRecRecommender(**{**SMALL, "loss": "hinge", **params})


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


def name_of(value):
    """Name a parameter of a test, shortly; None leaves the name to pytest."""
    if isinstance(value, (str, bytes)):
        return f"{value!r:.40}"
    if not hasattr(value, "get_params"):
        return None
    loss = value.get_params().get("loss")
    return type(value).__name__ + (f"-{loss}" if loss else "")


def numbered(cases, *values):
    """Make a row of a table that proves one or several numbered cases of bad input."""
    cases = cases if isinstance(cases, tuple) else (cases,)
    return pytest.param(*values, marks=pytest.mark.case(*cases))


def frame_of(users, items, times=None):
    frame = pd.DataFrame({"user_id": users, "item_id": items})
    return frame if times is None else frame.assign(timestamp=times)


def good():
    """Two users with three of four items each, not in the order of time."""
    return frame_of([1, 1, 1, 2, 2, 2], [5, 6, 7, 6, 7, 8], [3, 1, 5, 4, 2, 6])


def assert_refused(call, error, *parts):
    """Expect this very type of error, in a short message with each of these parts."""
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert caught.type is error, f"{caught.type.__name__}: {message}"
    for part in parts:
        assert part in message, f"{part!r} is not in {message!r}"
    assert len(message) < 1_000, message  # long values are cut


def assert_finite(model):
    """Weights and scores are finite numbers."""
    assert all(np.isfinite(value).all() for value in model.weights_.values())
    assert np.isfinite(model.recommend(exclude_seen=False)["score"]).all()
