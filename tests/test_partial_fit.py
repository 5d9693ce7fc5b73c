"""partial_fit: appended rows, exact baselines, updated networks."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from test_persistence import assert_same, state_of

from sklearn_attrec import (
    AttRecRecommender,
    HSTURecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
    load_model,
    save_model,
)
from sklearn_attrec._interactions.sequences import Sequences
from sklearn_attrec._training.updates import start_items, with_rehearsal
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.exceptions import (
    InteractionsError,
    InvalidParameterError,
    TimeUnitWarning,
)

BASELINES = [PopularityRecommender(), MarkovRecommender(), ItemKNNRecommender()]
NETWORKS = [AttRecRecommender, SASRecRecommender, SSEPTRecommender, HSTURecommender]


def make_rows(seed, kind):
    """Return made rows: by time, late and with equal times, or without times."""
    random = np.random.default_rng(seed)
    frame = make_interactions(20, 15, n_per_user=(2, 12), random_state=seed)
    frame["timestamp"] = random.integers(0, 40, len(frame))
    if kind == "in order":
        return frame.sort_values("timestamp", kind="stable")
    if kind == "without times":
        frame = frame.sample(frac=1, random_state=seed).drop(columns="timestamp")
    if kind == "weights":
        frame["weight"] = random.integers(0, 3, len(frame)) + 0.1
    return frame


@pytest.mark.parametrize("kind", ["in order", "late", "without times", "weights"])
@pytest.mark.parametrize("model", BASELINES, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("seed", range(4))
def test_baselines_become_what_fit_makes_of_all_rows(seed, model, kind):
    rows = make_rows(seed, kind)
    expected = clone(model).fit(rows)
    model = clone(model).fit(rows[:60]).partial_fit(rows[60:64]).partial_fit(rows[64:])
    assert_same(state_of(model), state_of(expected))


@pytest.mark.parametrize("seed", range(8))
def test_neighbours_that_cannot_change_are_kept(seed):
    rows = make_interactions(60, 120, n_per_user=(2, 12), random_state=seed)
    rows = rows.sort_values("timestamp", kind="stable")
    expected = ItemKNNRecommender(n_neighbors=2).fit(rows)
    model = ItemKNNRecommender(n_neighbors=2).fit(rows[:-4]).partial_fit(rows[-4:])
    assert_same(state_of(model), state_of(expected))


def test_finer_times_and_longer_integers_are_kept():
    rows = make_rows(0, "late").astype({"user_id": "int32"})
    more = rows[60:].astype({"user_id": "int64"})
    more = more.assign(
        timestamp=more["timestamp"] + 0.5, user_id=more["user_id"] * 2**40
    )
    model = MarkovRecommender().fit(rows[:60]).partial_fit(more)
    expected = MarkovRecommender().fit(pd.concat([rows[:60], more]))
    assert_same(state_of(model), state_of(expected))


def test_a_changed_parameter_of_a_baseline_counts():
    rows = make_rows(0, "in order")
    model = ItemKNNRecommender().fit(rows[:60]).set_params(n_neighbors=2)
    expected = ItemKNNRecommender(n_neighbors=2).fit(rows)
    assert_same(state_of(model.partial_fit(rows[60:])), state_of(expected))


def test_an_unfitted_estimator_is_fitted():
    rows = make_rows(0, "in order")
    found = MarkovRecommender().partial_fit(rows)
    assert_same(state_of(found), state_of(MarkovRecommender().fit(rows)))


def cycle_rows(items, users, n=8):
    """Users who go round a cycle of items, one step per unit of time."""
    user, step = np.divmod(np.arange(len(users) * n), n)
    columns = {
        "user_id": np.asarray(users)[user],
        "item_id": np.asarray(items)[(user + step) % len(items)],
        "timestamp": step + 100 * np.asarray(users)[user],
    }
    return pd.DataFrame(columns).sort_values("timestamp", kind="stable")


@pytest.fixture(scope="module")
def fitted():
    """Return a function that fits a network on a cycle of the items 0 to 5."""
    fits = {}

    def fit(cls, **parameters):
        key = cls, *parameters.items()
        if key not in fits:
            model = cls(
                d=16,
                L=5,
                learning_rate=0.02,
                batch_size=16,
                max_iter=15,
                random_state=0,
                **parameters,
            )
            fits[key] = model.fit(cycle_rows(range(6), range(30)))
        model = cls(**fits[key].get_params())
        vars(model).update(vars(fits[key]), _cache={})
        return model

    return fit


MORE = cycle_rows([6, 7, 8], range(40, 140))


@pytest.mark.parametrize("cls", NETWORKS)
def test_a_network_learns_new_items_and_keeps_the_others(cls, fitted):
    model = fitted(cls).partial_fit(MORE)
    assert_array_equal(model.items_, range(9))
    assert_array_equal(model.users_, [*range(30), *range(40, 140)])
    assert_array_equal(model.predict(-1, [6, 7], k=1), [8])
    assert 4 in model.predict(-1, [2, 3], k=2)  # AttRec does not tell it from item 1


@pytest.mark.parametrize("cls", NETWORKS)
def test_updates_are_deterministic_and_survive_files(cls, fitted, tmp_path):
    time_bias = "request" if cls is HSTURecommender else None
    save_model(fitted(cls, time_bias=time_bias), tmp_path / "model")
    loaded = (
        load_model(tmp_path / "model").partial_fit(MORE[:40]).partial_fit(MORE[40:])
    )
    model = fitted(cls, time_bias=time_bias).partial_fit(MORE[:40])
    model.partial_fit(MORE[40:])
    assert_same(model.weights_, loaded.weights_)
    save_model(model, tmp_path / "again")  # consistent, or it would be refused
    assert_same(load_model(tmp_path / "again").recommend(), model.recommend())


@pytest.mark.parametrize("cls", [AttRecRecommender, SSEPTRecommender])
def test_users_without_a_window_keep_their_vectors(cls, fitted):
    model, few = fitted(cls), MORE[:2]  # at most two windows in each of six epochs
    before = model.weights_["U"]
    after = model.partial_fit(few).weights_["U"][: len(before)]
    assert (before == after).all(axis=1).sum() >= len(before) - 12


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_exception_leaves_the_model_unchanged(error, fitted, monkeypatch):
    from sklearn_attrec._training.trainer import Trainer

    model = fitted(AttRecRecommender)
    before, steps = state_of(model), iter([1.0])

    def fail(self, *arguments):
        self.steps += 1
        for loss in steps:
            return loss
        raise error

    monkeypatch.setattr(Trainer, "run", fail)
    with pytest.raises(error):
        model.partial_fit(MORE)
    assert_same(state_of(model), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"timestamp": None}, "X has no column 'timestamp', but the rows in fit had"),
        ({"weight": 1.0}, "X has a column 'weight', but the rows in fit had none"),
        ({"item_id": "tea"}, "column 'item_id' contains ids of another type, str"),
        ({"user_id": "ann"}, "column 'user_id' contains ids of another type, str"),
        ({"user_id": np.uint64(5)}, "column 'user_id' contains ids of another type"),
    ],
)
def test_rows_unlike_those_of_fit_are_refused(change, message):
    model = MarkovRecommender().fit(cycle_rows(range(6), range(5)))
    before = state_of(model)
    rows = MORE.assign(**change).dropna(axis=1)
    with pytest.raises(InteractionsError, match=message):
        model.partial_fit(rows)
    assert_same(state_of(model), before)


def test_floats_are_not_added_to_integer_ids():
    rows = cycle_rows(range(6), range(5)).to_numpy()
    model = MarkovRecommender().fit(rows)
    with pytest.raises(InteractionsError, match="ids of another type, float64"):
        model.partial_fit(rows.astype(float))


def test_no_rows_change_nothing():
    rows = cycle_rows(range(6), range(5))
    model = MarkovRecommender().fit(rows)
    before = state_of(model)
    for empty in (rows[:0], rows[:0].assign(weight=0.0), rows[:0].to_numpy()):
        assert model.partial_fit(empty) is model
    assert_same(state_of(model), before)


def test_rows_of_weight_0_are_added():
    rows = make_rows(0, "weights")
    rows.loc[rows.index[60:], "weight"] = 0.0
    model = MarkovRecommender().fit(rows[:60]).partial_fit(rows[60:])
    assert_same(state_of(model), state_of(MarkovRecommender().fit(rows)))


def test_times_in_another_unit_are_named():
    rows = MORE.assign(timestamp=MORE["timestamp"] + 1_700_000_000)
    model = MarkovRecommender().fit(rows)
    more = rows.assign(timestamp=rows["timestamp"] * 1_000)
    with pytest.warns(TimeUnitWarning, match="milliseconds"):
        model.partial_fit(more)


def test_a_changed_parameter_of_a_network_is_refused(fitted):
    model = fitted(AttRecRecommender).set_params(loss="hinge")  # implies n_negatives
    with pytest.raises(InvalidParameterError, match="'loss' parameter of AttRec"):
        model.partial_fit(MORE)
    model.set_params(loss="softmax", omega=0.9)
    with pytest.raises(
        InvalidParameterError, match="'omega'.* must be that of fit, 0.3"
    ):
        model.partial_fit(MORE)
    model.set_params(omega=0.3, learning_rate=0.001, max_iter=1).partial_fit(MORE)


@pytest.mark.parametrize("cls", [AttRecRecommender, SASRecRecommender])
def test_an_epoch_has_the_new_windows_and_as_many_others(cls, fitted, monkeypatch):
    from sklearn_attrec._training.trainer import Trainer

    model, drawn, run = fitted(cls), [], Trainer.run

    def count(self, windows, *arguments):
        drawn.append(len(windows))
        return run(self, windows, *arguments)

    monkeypatch.setattr(Trainer, "run", count)
    model.partial_fit(MORE[MORE["user_id"] < 50])  # ten users of eight rows
    assert len(drawn) == 6
    if cls is AttRecRecommender:
        assert set(drawn) == {2 * 70}  # one per row that has a row before it
    else:  # whole histories, cut at random places
        assert all(n % 2 == 0 and 2 * 10 <= n <= 2 * 30 for n in drawn)


def test_rehearsal_takes_as_many_others():
    windows, is_new = np.arange(20), np.arange(20) >= 17
    drawn = [with_rehearsal(windows, is_new, np.random.default_rng(s)) for s in (0, 1)]
    for found in drawn:
        assert len(set(found)) == 6
        assert {17, 18, 19} < set(found)
    assert set(drawn[0]) != set(drawn[1])
    everything = with_rehearsal(windows, is_new | True, np.random.default_rng(0))
    assert_array_equal(np.sort(everything), windows)


def test_new_items_start_beside_their_neighbours():
    # 0 3 1 and 3 2 | 4: item 3 is next to 0, 1 and 2; item 4 has no neighbour.
    items, indptr = np.array([0, 3, 1, 3, 2, 4]), np.array([0, 3, 5, 6])
    table = np.zeros((5, 200), np.float32)
    table[:3, :2] = [[6, 0], [0, 6], [6, 6]]
    random = np.random.default_rng(0)
    beside, alone = start_items(random, table, Sequences(indptr, items, None), [3, 4])
    length = (6 + 6 + 72**0.5) / 3
    assert_allclose(np.linalg.norm([beside, alone], axis=1), length, rtol=1e-6)
    towards = np.array([12, 12]) / 288**0.5  # the sum of the neighbours, as a direction
    assert beside[:2] @ towards == pytest.approx(length / 2**0.5, rel=0.1)
    assert abs(alone[:2] @ towards) < length / 5
