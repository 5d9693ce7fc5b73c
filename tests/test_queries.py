"""Queries, histories and rules in every form, on models whose answers are known.

In `small_interactions` item i is followed by item i + 1, from 10 to 17 and around. A
Markov chain therefore recommends the item after the last one of a history.
"""

import inspect
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_attrec import MarkovRecommender
from sklearn_attrec.exceptions import InteractionsError, TimeUnitWarning
from sklearn_attrec.model_selection import LeaveLastOut
from sklearn_attrec.preprocessing import DropRepeats


@pytest.fixture
def model(small_interactions):
    return MarkovRecommender(k=1).fit(small_interactions)


def lists(*values, **index):
    return pd.Series(list(values), **index, dtype=object)


def log(users, items, times=None):
    frame = pd.DataFrame({"user_id": users, "item_id": items})
    return frame if times is None else frame.assign(timestamp=times)


# Histories


# Users 2, 1 and 2 again have the histories [10, 11] and [12, 14]: 12, 15 and 12 follow.
QUERIES = pd.DataFrame({"user_id": [2, 1, 2]}, index=[7, 1, 5])
LABELLED = log([1, 2, 1, 2], [14, 11, 12, 10], [4, 3, 2, 1]).sample(4, random_state=1)
GROUPED = lists([12, 14], [10, 11], index=pd.Index([1, 2], name="user_id"))
IN_ORDER = [[10, 11], [12, 14], [10, 11]]


@pytest.mark.parametrize(
    "history",
    [
        IN_ORDER,
        lists(*IN_ORDER),  # user 2 has no row 2 and 1 is in row 1: cannot be users
        lists(*IN_ORDER, index=QUERIES.index),
        np.array(IN_ORDER),
        GROUPED,
        GROUPED[::-1],
        pd.concat([GROUPED, lists([10], index=[0])]),
        GROUPED.set_axis([1, 2]),
        GROUPED.to_dict(),
        GROUPED.to_dict() | {99: ["x"]},
        {1: np.array([12, 14]), 2: (10, 11)},
        LABELLED,
        pd.concat([LABELLED, log([9], [98], [0])]),
        log([2, 1, 1, 2], [10, 12, 14, 11]),
    ],
)
@pytest.mark.parametrize("users", [QUERIES, [2, 1, 2]], ids=["frame", "list"])
def test_each_user_gets_its_own_history(history, users, model):
    if users == [2, 1, 2] if isinstance(users, list) else False:
        if isinstance(history, pd.Series) and history.index.equals(QUERIES.index):
            history = history.tolist()
    assert model.predict(users, history).ravel().tolist() == [12, 15, 12]
