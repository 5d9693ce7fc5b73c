"""Event weights scale what a row counts as a target, in every model."""

import pickle
from pathlib import Path
from types import SimpleNamespace

import hostile
import numpy as np
import pandas as pd
import pytest
from frame_helpers import ARROW_FLOATS
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
    load_model,
    save_model,
)
from sklearn_attrec._interactions.weights import check_weights
from sklearn_attrec._networks import losses, numpy_ops
from sklearn_attrec._networks.negative_sampling import index_popularity, index_untouched
from sklearn_attrec._networks.window_batches import read_batch
from sklearn_attrec.cli import main
from sklearn_attrec.datasets import make_interactions, read_interactions
from sklearn_attrec.exceptions import (
    CheckpointMismatchError,
    InteractionsError,
    ModelFileError,
)
from sklearn_attrec.model_selection import LeaveLastOut
from sklearn_attrec.models import RECOMMENDERS
from sklearn_attrec.preprocessing import KCoreFilter

# The data have repeated items, which is what scores are warned of.
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn_attrec.exceptions.SeenItemWarning"
)

# Three users; u has a twice. Each next item and each pair of items is different.
USERS, ITEMS, WEIGHTS = [*"uuuvvvww"], [*"abaabcac"], [1, 4, 2, 3, 0, 5, 2, 3]
FRAME = pd.DataFrame({"user_id": USERS, "item_id": ITEMS, "weight": WEIGHTS})
SMALL = {"d": 8, "max_iter": 2, "random_state": 0}


@pytest.fixture(params=["numpy", "keras"])
def ops(request):
    if request.param == "numpy":
        return numpy_ops
    from sklearn_attrec._networks import keras_ops  # imports TensorFlow

    return keras_ops.ops


def random_weights(interactions, seed=0):
    weights = np.random.default_rng(seed).integers(0, 4, len(interactions))
    return interactions.assign(weight=weights)


def small(name):
    """Return a recommender with parameters for a quick fit."""
    model, params = RECOMMENDERS[name](), {**SMALL, "shrinkage": 2.0}
    names = params.keys() & model.get_params()
    return model.set_params(**{name: params[name] for name in names})


# Counts -------------------------------------------------------------------------


def test_popularity_counts_a_row_as_often_as_its_weight():
    repeated = FRAME.loc[FRAME.index.repeat(FRAME["weight"])].drop(columns="weight")
    model = PopularityRecommender().fit(FRAME)
    expected = PopularityRecommender().fit(repeated).item_vectors()
    assert_array_equal(model.item_vectors(), expected)
    assert model.item_counts_.tolist() == [4, 2, 2]  # interactions
    assert model.feature_names_in_.tolist() == ["user_id", "item_id"]


def test_a_transition_has_the_weight_of_its_second_row():
    model = MarkovRecommender(smoothing=1e-9).fit(FRAME)
    # a → b of weight 4 (and 0), a → c of weight 3; b → a of weight 2, b → c of 5.
    by_hand = [[0, 4 / 7, 3 / 7], [2 / 7, 0, 5 / 7], [0, 0, 0]]
    assert_allclose(model.item_vectors().toarray()[:, :3].T, by_hand, rtol=1e-6)
    nothing = model.fit(FRAME.assign(weight=[1, 0, 0, 1, 0, 0, 1, 0]))
    assert nothing.recommend("x", ["a"])["score"].max() < 1e-6  # popularity only


def test_similarities_are_cosines_of_the_largest_weights():
    similar = (
        ItemKNNRecommender()
        .fit(FRAME)
        .similar_items("a")
        .set_index("similar_item_id")["score"]
    )
    # Columns of users u, v and w: a (2, 3, 2), b (4, 0, 0), c (0, 5, 3).
    norms = np.sqrt(17), 4, np.sqrt(34)
    by_hand = {"b": 8 / norms[0] / norms[1], "c": 21 / norms[0] / norms[2]}
    assert similar.to_dict() == pytest.approx(by_hand, rel=1e-6)
    model = ItemKNNRecommender(shrinkage=2.0).fit(FRAME)
    scores = model.recommend("x", ["a"], exclude_seen=False).set_index("item_id")
    mean = np.mean([w for w in WEIGHTS if w])  # to which shrinkage is relative
    expected = 21 / (norms[0] * norms[2] + 2 * mean**2)
    assert scores.loc["c", "score"] == pytest.approx(expected, rel=1e-4)
    model.fit(FRAME.assign(weight=10 * FRAME["weight"]))
    again = model.recommend("x", ["a"], exclude_seen=False).set_index("item_id")
    assert_allclose(again["score"], scores["score"], rtol=1e-5)


# Losses -------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["hinge", "bpr", "softmax"])
def test_integer_weights_equal_repeated_windows(loss, ops):
    random = np.random.default_rng(0)
    positive, negative = (random.standard_normal((4, n)).astype("f4") for n in (1, 3))
    weights, mask = np.array([[2], [0], [1], [3]], "f4"), np.ones((4, 1), "f4")

    def total(rows, weights):
        given = ops, positive[rows], negative[rows]
        if loss == "softmax":
            sums = negative[rows, 0]  # logarithms of sums over negatives
            return losses.softmax(*given[:2], sums, mask[rows], weights, 0.5, 0.2)
        margin = {"hinge": (0.5,), "bpr": ()}[loss]
        return getattr(losses, loss)(*given, weights, *margin)

    repeated = np.repeat(np.arange(4), weights[:, 0].astype(int))
    expected = np.sum(total(repeated, mask[:1]))
    assert_allclose(np.sum(total(np.arange(4), weights)), expected, rtol=1e-5)


class Constant:
    """Every window draws the same negatives."""

    def uniform(self, shape):
        return np.broadcast_to([0.2, 0.5, 0.9], [int(n) for n in shape])


@pytest.mark.parametrize("loss", ["softmax", "sampled_softmax", "gbce", "bce"])
def test_the_loss_of_a_position_has_the_weight_of_its_target(loss, ops):
    random = np.random.default_rng(0)
    sequences = (
        MarkovRecommender().fit(random_weights(make_interactions(1)))._sequences()
    )
    n = len(sequences.items)
    table = random.standard_normal((n + 9, 2)).astype("f4")
    queries = random.standard_normal((n - 1, 2)).astype("f4")
    data = {
        "untouched": index_untouched(sequences, n + 9),
        "popularity": index_popularity(sequences, n + 9),
    }
    settings = SimpleNamespace(loss=loss, n_negatives=3, calibration=0.75, time_bias="")
    rows = {"items": sequences.items.astype(int), "users": np.zeros(n, int)}
    batch = read_batch(ops, settings, rows, np.array([[0, n - 1]]))
    weights = sequences.weights.astype("f4")

    def loss_of(**more):
        given = settings, data | more, queries, batch
        return np.asarray(losses.next_item(ops, Constant(), table, *given))

    if "softmax" in loss:  # a mean
        one = np.eye(n, dtype="f4") * n
        found = [loss_of(weights=one[row]) for row in range(1, n)]
        mean = np.dot(found, weights[1:]) / n
        assert loss_of(weights=weights) == pytest.approx(mean, rel=1e-5)
        assert loss_of() == pytest.approx(np.sum(found) / n, rel=1e-5)
    else:
        expected = loss_of() * weights[1:, None]
        assert_allclose(loss_of(weights=weights), expected, rtol=1e-6)


def test_gradients_of_the_full_softmax_have_weights():
    import tensorflow as tf

    from sklearn_attrec._networks import keras_ops

    random = np.random.default_rng(0)
    table = tf.constant(random.standard_normal((6, 2)), tf.float32)
    queries = tf.constant(random.standard_normal((4, 2)), tf.float32)
    targets, weights = np.array([1, 3, 3, 5]), np.array([2, 0, 1, 3])

    def gradients(rows, *weights):
        with tf.GradientTape() as tape:
            tape.watch([queries, table])
            chosen = tf.gather(queries, rows)
            loss = keras_ops.ops.softmax_loss(chosen, table, targets[rows], *weights)
            loss *= len(rows)  # a sum
        return map(tf.convert_to_tensor, tape.gradient(loss, [queries, table]))

    weighted = gradients(np.arange(4), weights.astype("f4"))
    repeated = gradients(np.repeat(np.arange(4), weights))
    for value, other in zip(weighted, repeated, strict=True):
        assert_allclose(value, other, rtol=1e-4, atol=1e-5)


# Fits ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECOMMENDERS)
def test_equal_weights_change_nothing(name):
    model, interactions = small(name), make_interactions(30, random_state=0)
    expected = model.fit(interactions).recommend()
    weighted = model.fit(interactions.assign(weight=0.1)).recommend()
    pd.testing.assert_frame_equal(weighted, expected, check_exact=True)


NETWORKS = {
    "hinge": AttRecRecommender(loss="hinge", n_targets=1),
    "hinge, 3 targets": AttRecRecommender(loss="hinge"),
    "bpr": AttRecRecommender(loss="bpr", n_targets=1),
    "softmax": AttRecRecommender(),
    "SASRec": SASRecRecommender(),
    "SASRec, gbce": SASRecRecommender(loss="gbce"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_next_item_of_larger_weight_is_ranked_first(name):
    # After item 0 half of the users take item 1, the others item 2, which is bought.
    steps = [(u, i, t) for u in range(60) for t, i in enumerate([0, 1 + u % 2, 3, 4])]
    X = pd.DataFrame(steps, columns=["user_id", "item_id", "timestamp"])
    params = {"d": 8, "learning_rate": 0.02, "batch_size": 32, "random_state": 0}
    model = NETWORKS[name].set_params(**params)
    for bought, other in [(1, 2), (2, 1)]:
        weight = X["item_id"].map({bought: 1, other: 0.02}).fillna(1)
        model.fit(X.assign(weight=weight))
        scores = model.recommend("new", [0]).set_index("item_id")["score"]
        assert scores[bought] > scores[other]
    assert model.n_users_skipped_ == 0


@pytest.mark.parametrize("name", RECOMMENDERS)
def test_rows_of_weight_zero_stay_in_the_history(name):
    X = make_interactions(30, random_state=0)
    last = X.groupby("user_id").cumcount(ascending=False) == 0
    model = small(name).fit(X.assign(weight=~(last | (X["user_id"] == 3)) * 1.0))
    assert getattr(model, "n_users_skipped_", 1) == 1  # user 3
    for user in (3, 4):
        history = X.loc[X["user_id"] == user, "item_id"].tolist()
        answer = model.predict(user, k=10)
        assert not set(answer) & set(history)  # excluded as seen
        assert_array_equal(answer, model.predict(user, history, k=10))


def test_neighbours_do_not_depend_on_the_scale_of_weights():
    X = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": list("ABABC")})
    model = RECOMMENDERS["item-knn"]().fit(X.assign(weight=[1e-24] * 4 + [1]))
    assert model.predict("new", ["A"], k=1) == "B"
    assert model.similar_items("A", k=1)["score"].item() == pytest.approx(1)


def test_a_grid_search_hands_weights_on():
    X = random_weights(make_interactions(30, random_state=0))
    pipeline = make_pipeline(KCoreFilter(), AttRecRecommender(**SMALL))
    grid = {"attrecrecommender__omega": [0.2, 0.4]}
    search = GridSearchCV(pipeline, grid, cv=LeaveLastOut(), error_score="raise").fit(X)
    model = search.best_estimator_[-1]
    assert model.history_weights_.sum() == X["weight"].sum()


def test_early_stopping_validates_with_rows_of_any_weight():
    X = make_interactions(30, random_state=0)
    last = X.groupby("user_id").cumcount(ascending=False) == 0
    options = {"early_stopping": True, "validation_fraction": 1.0}
    first, second = (
        AttRecRecommender(**SMALL, **options).fit(X.assign(weight=np.where(last, w, 1)))
        for w in (0, 1)
    )
    assert first.validation_scores_ == second.validation_scores_


# Files --------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [[], ["timestamp"]])
@pytest.mark.parametrize("name", ["markov", "attrec"])
def test_saved_models_keep_weights(name, columns, tmp_path):
    X = random_weights(make_interactions(30, random_state=0))
    model = small(name).fit(X[["user_id", "item_id", *columns, "weight"]])
    save_model(model, tmp_path / "model")
    for copy in (load_model(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert_array_equal(copy.history_weights_, model.history_weights_)
        assert_array_equal(copy.feature_names_in_, model.feature_names_in_)
        pd.testing.assert_frame_equal(copy.recommend(), model.recommend())


def set_manifest(**entries):
    return lambda manifest, arrays: manifest.update(entries)


def set_weights(change):
    def apply(manifest, arrays):
        arrays["history.weights"] = change(arrays["history.weights"])

    return apply


HOSTILE = {
    "NaN": set_weights(lambda w: np.where(w == 4, np.nan, w)),
    "negative": set_weights(lambda w: np.where(w == 4, -4, w)),
    "infinite": set_weights(lambda w: w + np.inf),
    "infinite sum": set_weights(lambda w: w * 0 + 1e308),
    "zeros": set_weights(lambda w: w * 0),
    "float32": set_weights(lambda w: w.astype("f4")),
    "short": set_weights(lambda w: w[1:]),
    "matrix": set_weights(lambda w: w[:, None]),
    "of an array": set_manifest(from_frame=False),
    "with one more column": set_manifest(n_features=4),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_weights_are_refused(name, tmp_path):
    path = tmp_path / "model"
    save_model(PopularityRecommender().fit(FRAME), path)
    path.write_bytes(hostile.changed(path.read_bytes(), HOSTILE[name]))
    with pytest.raises(ModelFileError, match=r"history\.(weights|times)|n_features"):
        load_model(path)


def test_a_checkpoint_of_other_weights_is_refused(tmp_path, monkeypatch):
    X = random_weights(make_interactions(30, random_state=0))
    path = tmp_path / "checkpoint"
    model = AttRecRecommender(**SMALL, checkpoint=path)
    whole = AttRecRecommender(**SMALL).fit(X)
    with monkeypatch.context() as patch:  # the fit ends, but its checkpoint stays
        patch.setattr("sklearn_attrec.models._network.remove_checkpoints", Path)
        model.fit(X)
    for other in (X.drop(columns="weight"), X.assign(weight=1)):
        with pytest.raises(CheckpointMismatchError, match="other interactions"):
            model.fit(other)
    assert_array_equal(model.fit(X).weights_["V"], whole.weights_["V"])


def test_weights_of_a_file_are_numbers(tmp_path, capsys):
    path, out = tmp_path / "x.csv", str(tmp_path / "model")
    FRAME.astype({"weight": "str"}).to_csv(path, index=False)
    assert read_interactions(path)["weight"].tolist() == WEIGHTS
    path.write_text("user_id,item_id,weight\n1,2,3\n1,3,5 kg\n2,2,1\n")
    with pytest.raises(InteractionsError, match="line 3: column 'weight'.*'5 kg'"):
        read_interactions(path)
    assert read_interactions(path, columns={"weight": "other"})["other"][1] == "5 kg"
    command = ["fit", str(path), "--model", "markov", "--out", out]
    assert main(command) != 0
    assert "--columns weight=other" in capsys.readouterr().err
    assert main([*command, "--columns", "weight=other"]) == 0


# Refusals -----------------------------------------------------------------------


def renamed(X):
    return X.rename(columns={"weight": "other"})


BAD = {
    "None": ([1, None, 2], "1 missing weight, first at row 1: nan", None),
    "NA": (pd.array([1, 2, None], "Int64"), "row 2: <NA>.*dropna", lambda X: X.dropna(
        subset=["weight"])),
    "NaN": (ARROW_FLOATS.take([0, 0, 2]), "row 2: nan.*float64.*dropna",
        lambda X: X.astype({"weight": "float64"}).dropna(subset=["weight"])),
    "negative": ([1, -2.5, -3], r"2 negative weights, first at row 1: -2\.5.*clip",
        lambda X: X.assign(weight=X["weight"].clip(lower=0))),
    "infinite": ([1, 2, np.inf], "row 2: inf.*clip",
        lambda X: X.assign(weight=X["weight"].clip(upper=1e6))),
    "infinite sum": ([1, 1e308, 1e308], "row 1: 1e\\+308.*sum.*clip",
        lambda X: X.assign(weight=X["weight"].clip(upper=1e6))),
    "huge integer": (pd.Series([1, 10**400, 2], dtype=object),
        "row 1: 1000.*sum", renamed),
    "text": (["1", "2", "3"], "3 str .first at row 0: '1'.*astype",
        lambda X: X.assign(weight=X["weight"].astype("float64"))),
    "units": (["5 kg", "6 kg", "7 kg"], "row 0: '5 kg'.*rename", renamed),
    "mixed": ([1, 2, "x"], "1 str .first at row 2: 'x'.*rename", renamed),
    "boolean": ([True, False, True], "3 bool .*astype",
        lambda X: X.assign(weight=X["weight"].astype("float64"))),
    "durations": (pd.to_timedelta([1, 2, 3], "D"), "row 0: 86400.*rename",
        lambda X: X.rename(columns={"weight": "duration"})),
    "zeros": ([0, 0, 0], "all 3 weights are 0.*drop",
        lambda X: X.drop(columns="weight")),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_weights_are_refused_with_a_way_out(name):
    weights, message, remedy = BAD[name]
    X = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [5, 6, 5]}).assign(
        weight=weights
    )
    message = f"MarkovRecommender.fit: column 'weight'.*{message}"
    with pytest.raises(InteractionsError, match=message):
        MarkovRecommender().fit(X)
    MarkovRecommender().fit((remedy or renamed)(X))
    MarkovRecommender().fit(X.drop(columns="weight")).score(X)  # fit alone reads it


@pytest.mark.parametrize(
    "weights",
    [
        [2, 0, 1],
        np.array([2, 0, 1], "u1"),
        pd.array([2, 0, 1], "Float64"),
        pd.array([2, 0, 1], pd.SparseDtype("f8")),
        pd.Categorical([2, 0, 1]),
        np.array([2, 0.0, np.float32(1)], object),
    ],
)
def test_weights_of_any_numeric_type(weights):
    X = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [5, 6, 5]}).assign(
        weight=weights
    )
    assert check_weights(X, "f").tolist() == [2, 0, 1]


def test_a_repeated_column_is_refused_and_arrays_have_no_weights():
    twice = pd.concat([FRAME, FRAME["weight"]], axis=1)
    with pytest.raises(
        InteractionsError, match=r"'weight' appears 2 times.*duplicated"
    ):
        MarkovRecommender().fit(twice)
    MarkovRecommender().fit(twice.loc[:, ~twice.columns.duplicated()])
    assert check_weights([[1, 2, 3, 4]], "f") is None


def test_training_needs_a_target_of_positive_weight():
    X = make_interactions(30, random_state=0)
    is_first = X.groupby("user_id").cumcount() == 0
    message = "'weight': all .* rows .*training target.*drop"
    with pytest.raises(InteractionsError, match=message):
        AttRecRecommender(**SMALL).fit(X.assign(weight=is_first * 1))
    # The only users with a positive weight have no negative items.
    everything = pd.DataFrame({"user_id": 1, "item_id": range(4), "weight": 1})
    rest = pd.DataFrame({"user_id": 2, "item_id": range(3), "weight": 0})
    for model in (AttRecRecommender(loss="hinge"), SASRecRecommender(loss="bce")):
        with pytest.raises(InteractionsError, match="no negative item exists"):
            model.fit(pd.concat([everything, rest]))
