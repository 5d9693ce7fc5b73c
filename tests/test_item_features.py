"""Items with features: reading, training, cold items, updates and files."""

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from test_persistence import assert_same, state_of

from sklearn_attrec import (
    AttRecRecommender,
    HSTURecommender,
    SASRecRecommender,
    SSEPTRecommender,
    load_model,
    save_model,
)
from sklearn_attrec._interactions.item_features import (
    encode_features,
    learn_columns,
    read_features,
)
from sklearn_attrec._networks import numpy_ops
from sklearn_attrec._networks.item_features import (
    FeatureInputs,
    feature_vectors,
    item_rows,
)
from sklearn_attrec.exceptions import (
    InteractionsError,
    InvalidParameterError,
    ModelFileError,
)
from sklearn_attrec.metrics import evaluate
from sklearn_attrec.model_selection import LeaveLastOut
from sklearn_attrec.models._item_features import fill_untrained
from sklearn_attrec.preprocessing import KCoreFilter

NETWORKS = [AttRecRecommender, SASRecRecommender, SSEPTRecommender, HSTURecommender]
each = pytest.mark.parametrize("cls", NETWORKS)

TABLE = pd.DataFrame(
    {
        "item_id": [1, 2, 3, 4, 5],
        "genre": [["a", "b"], ["b"], ["a", "a"], ["x"], []],
        "brand": pd.Series(["p", "p", None, "q", ""], dtype=object),
        "price": [1.0, 3.0, np.nan, 2.0, 2.0],
        "text": [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0], None],
    }
)


# Reading ------------------------------------------------------------------------


def encode(table, rows=None):
    read = read_features(table, "f")
    rows = np.arange(len(table)) if rows is None else np.array(rows)
    return encode_features(learn_columns(read, rows, "f"), read)


def test_features_become_labels_and_numbers():
    features = encode(TABLE)
    genre, brand, price, text = features.columns
    assert genre.texts.tolist() == ["a", "b"]  # "x" belongs to one item
    assert brand.texts.tolist() == ["p"]
    assert_array_equal(features.first_labels, [1, 5, 8, 9, 10])
    labels = np.split(features.labels, features.indptr[1:-1])
    # 0 for every item; 1 missing, 2 other, 3 a, 4 b; 5 missing, 6 other, 7 p; 8 and 9
    # for missing numbers.
    expected = [[0, 3, 4, 7], [0, 4, 7], [0, 3, 5, 8], [0, 2, 6], [0, 5, 9]]
    assert [part.tolist() for part in labels] == expected
    assert (price.means, price.scale) == (2.0, np.sqrt(0.5))
    root = np.sqrt(2)
    assert_allclose(features.numbers[:, 0], [-root, root, 0, 0, 0], rtol=1e-6)
    assert text.scale == 1.0
    assert_allclose(features.numbers[4, 1:], 0)
    assert features.n_features == 10 + 3


def test_only_items_with_interactions_teach_values_and_scales():
    features = encode(TABLE, rows=[0, 1, 3])
    assert features.columns[0].texts.tolist() == ["b"]
    assert features.columns[2].means == pytest.approx(2.0)
    assert features.columns[2].scale == pytest.approx(np.sqrt(2 / 3))


def test_types_of_columns():
    plain = TABLE[["item_id", "brand", "price"]]
    expected = encode(plain.assign(flag=[0, 1, 0, 1, 1], code=[*"22334"]))
    other = encode(
        plain.assign(
            brand=plain["brand"].astype("category"),
            price=plain["price"].astype("Float64"),
            flag=[False, True, False, True, True],
            code=pd.Categorical([2, 2, 3, 3, 4]),
        )
    )
    assert [column.name for column in other.columns] == [
        "brand",
        "price",
        "flag",
        "code",
    ]
    assert_array_equal(other.labels, expected.labels)
    assert_array_equal(other.numbers, expected.numbers)


def test_numbers_are_limited():
    table = pd.DataFrame({"item_id": range(4), "n": [0.1, 0.1, 0.1, 0.5]})
    constant = encode(table, rows=[0, 1, 2])
    assert constant.columns[0].scale == 1.0  # not the rounding error of the mean
    assert_allclose(constant.numbers[:3], 0, atol=1e-6)
    far = encode(table.assign(n=[1.0, 2.0, 3.0, 1e90]), rows=[0, 1, 2])
    assert far.numbers[3] == 10.0


def test_categories_with_missing_values():
    codes = pd.Series([1, 2, 1, 2, None]).astype("category")  # of floats
    table = pd.DataFrame({"item_id": range(5), "c": codes})
    assert encode(table).columns[0].texts.tolist() == ["1", "2"]


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_frames_of_other_libraries(library):
    pytest.importorskip(library)
    table = TABLE.assign(genre=TABLE["genre"].where(TABLE["item_id"] < 5, None))
    if library == "polars":
        import polars

        other = polars.DataFrame(table.to_dict("list"), strict=False)
        other = other.with_columns(polars.col("price").fill_nan(None))
    else:
        import pyarrow

        other = pyarrow.Table.from_pandas(table)
    expected, found = encode(table), encode(other)
    assert_array_equal(found.labels, expected.labels)
    assert_array_equal(found.numbers, expected.numbers)


DATES = pd.to_datetime(["2020-01-01"] * 5)
FAULTS = [
    (TABLE.rename(columns={"item_id": "movieId"}), r"rename\(columns=\{'movieId'"),
    (TABLE.set_index("item_id"), r"item_features\.reset_index\(\)"),
    (TABLE[["item_id"]], "a column beside 'item_id'. Got 5 rows"),
    (TABLE[:0], "at least one row"),
    (TABLE.assign(item_id=[1, 2, 3, 2, 2]), r"row 3 repeats the item 2 \(2 such"),
    (TABLE.assign(item_id=[1, 2, None, 4, 5]), "item_features.*missing"),
    (pd.concat([TABLE, TABLE["price"]], axis=1), "'price' appears more than once"),
    (TABLE.assign(price=[1, np.inf, 2, 2, 2]), "'price' contains numbers.*is row 1"),
    (TABLE.assign(price=[1, 1e300, 2, 2, 2]), "numbers above 1e.100.*row 1"),
    (TABLE.assign(price=pd.Series([1, 10**400, 2, 2, 2], dtype=object)), "Row 1 has 1"),
    (TABLE.assign(price=[1j, 2, 2, 2, 2]), r"Row 0 has .*\(complex"),
    (TABLE.assign(price=[{1.5, 2.5}] * 5), r"Row 0 has .*\(set\)"),
    (pd.concat({"a": TABLE}, axis=1), "MultiIndex of 2 levels"),
    (
        TABLE.assign(text=[[1.0], [1.0, 2.0]] + [None] * 3),
        "first has 1, and row 1 has 2",
    ),
    (TABLE.assign(text=[[1.0, None], [1.0, 2.0]] + [None] * 3), "None.*NoneType"),
    (TABLE.assign(text=[[1.0, np.nan], [1.0, 2.0]] + [None] * 3), "some numbers are"),
    (TABLE.assign(year=DATES), "Row 0 has .*Timestamp.*to its year"),
    (TABLE.assign(genre=["a", 1, "a", "a", "a"]), r"Row 1 has 1 \(int\)"),
    (TABLE.assign(genre=["a", {"b": 1}, "a", "a", "a"]), r"Row 1 has .*\(dict\)"),
    (TABLE.assign(title=[*"vwxyz"]), "'title' has no text that 2 items.*Tfidf"),
    (TABLE.assign(price=np.nan), "'price' has no value for any item"),
]


@pytest.mark.parametrize(("table", "message"), FAULTS)
def test_tables_that_cannot_be_used(table, message):
    with pytest.raises((InteractionsError, ValueError), match=f"(?s)f: .*{message}"):
        encode(table)


def test_numbers_as_text_are_warned_of():
    texts = TABLE.assign(price=["9,90", "9,90", "10", "10", None])
    with pytest.warns(UserWarning, match="'price'.*'10'.*replace"):
        encode(texts)
    encode(texts.assign(price=["1999", "1999", "10", "10", None]))  # maybe years
    encode(texts.assign(price=["9,90", "9,90", "free", "free", None]))


def test_texts_that_are_not_unicode():
    table = TABLE.astype({"brand": object})
    table["brand"] = pd.Series(["p", "\ud800", "p", "p", "p"], dtype=object)
    with pytest.raises(InteractionsError, match="'brand'.* in row 1 is not valid"):
        encode(table)
    table.columns = pd.Index([*TABLE.columns[:4], "\ud800"], dtype=object)
    with pytest.raises(InteractionsError, match="names of the columns.*not valid"):
        encode(table)


# Networks -----------------------------------------------------------------------


def make_inputs():
    features = encode(TABLE)
    inputs = FeatureInputs(features.indptr, features.labels, features.numbers)
    table = np.random.default_rng(0).standard_normal((13, 3)).astype("f4")
    return features, inputs, table


def dense(features, n_labels):
    matrix = np.zeros((len(features.indptr) - 1, n_labels), np.float32)
    matrix[np.repeat(np.arange(5), np.diff(features.indptr)), features.labels] = 1
    return np.concatenate([matrix, features.numbers], axis=1)


def test_vectors_are_sums_of_feature_rows():
    from sklearn_attrec._networks.keras_ops import ops  # imports TensorFlow

    features, inputs, table = make_inputs()
    expected = dense(features, 10) @ table
    assert_allclose(feature_vectors(numpy_ops, table, inputs), expected, rtol=1e-5)
    assert_allclose(feature_vectors(ops, table, inputs), expected, rtol=1e-5)


def test_own_rows_are_left_out_at_random_unless_an_item_has_no_features():
    features, _, table = make_inputs()
    features = features.select(np.array([0, 1, -1, 2]))
    inputs = FeatureInputs(features.indptr, features.labels, features.numbers)
    own = np.ones((4, 3), np.float32)
    weights, data = {"E": own, "B_E": table}, {"features": inputs}
    draws = iter([np.array([0.0, 0.9, 0.0, 0.0]), np.array([0.9, 0.0])])
    random = SimpleNamespace(uniform=lambda shape: next(draws))
    (rows,) = item_rows(numpy_ops, random, weights, data, ("E",), 0.5)
    vectors = feature_vectors(numpy_ops, table, inputs)
    kept = np.array([[0], [1], [1], [0]])
    assert_allclose(rows, kept * own + vectors, rtol=1e-6)
    assert_allclose(rows[2], own[2])
    (some,) = item_rows(numpy_ops, random, weights, data, ("E",), 0.5, np.array([3, 1]))
    assert_allclose(some, [own[3] + vectors[3], vectors[1]], rtol=1e-6)


def test_texts_without_training_items_count_as_the_average():
    features = encode(TABLE, rows=[0, 1, 2]).select(np.arange(3))
    table = np.random.default_rng(0).standard_normal((features.n_features, 2))
    before = table.copy()
    fill_untrained(table, features)
    # Of the genre, a and b occur twice each; no item has another or none.
    assert_allclose(table[1:3], before[3:5].mean(axis=0)[None].repeat(2, axis=0))
    changed = np.flatnonzero((table != before).any(axis=1))
    assert changed.tolist() == [1, 2, 6]  # and the other brand: p and None occur


# Made data: histories stay in one half of the items, and `half` says which.
ITEMS = pd.DataFrame({"item_id": np.arange(48)})
ITEMS["half"] = np.where(ITEMS["item_id"] % 2, "odd", "even")


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    users = np.repeat(np.arange(80), 12)
    items = 2 * random.integers(0, 20, len(users)) + users % 2
    times = np.tile(np.arange(12), 80)
    return pd.DataFrame({"user_id": users, "item_id": items, "timestamp": times})


@pytest.fixture(scope="module")
def model(rows):
    return AttRecRecommender(
        d=8, max_iter=15, learning_rate=0.02, item_features=ITEMS, random_state=0
    ).fit(rows)


SETTINGS = {
    AttRecRecommender: {"learning_rate": 0.02, "max_iter": 15},
    SASRecRecommender: {"n_blocks": 1, "learning_rate": 0.01},
    SSEPTRecommender: {"n_blocks": 1, "n_heads": 1, "learning_rate": 0.01},
    HSTURecommender: {"n_blocks": 1, "learning_rate": 0.01},
}


def unfitted(cls, **params):
    params = {"d": 8, "max_iter": 10, "random_state": 0} | SETTINGS[cls] | params
    return cls(item_features=ITEMS, **params)


@each
def test_items_without_interactions_are_ranked_by_their_features(cls, rows):
    model = unfitted(cls).fit(rows)
    assert_array_equal(model.items_[-8:], np.arange(40, 48))
    assert_array_equal(model.item_counts_[-8:], 0)
    assert all(len(model.weights_[name]) == 48 for name in model._network.ITEM_TABLES)
    lists = model.predict(
        ["new", "other"], history=[[0, 2, 4], [1, 3, 5]], candidates=range(40, 48), k=4
    )
    assert (lists % 2 == [[0], [1]]).all()
    similar = model.similar_items(46, k=3, candidates=range(40, 48))
    assert (similar["similar_item_id"] % 2 == 0).all()
    test = pd.DataFrame({"user_id": [0], "item_id": [46], "timestamp": [99]})
    assert np.isfinite(model.target_ranks(test)).all()
    assert np.isfinite(evaluate(model, test)).all(axis=None)


def test_items_of_equal_features_are_not_tied(model):
    lists = model.predict(model.users_, candidates=range(40, 48, 2), k=1)
    assert len({*lists.ravel()}) > 1


@each
def test_a_cold_item_in_a_history_is_read(cls, rows):
    model = unfitted(cls).fit(rows)
    vectors = model.query_vectors(["a", "b"], history=[[44], [45]])
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3


def test_features_of_items_without_a_row(rows):
    table = ITEMS[(ITEMS["item_id"] > 1)]
    model = unfitted(SASRecRecommender, max_iter=1).set_params(item_features=table)
    model.fit(rows)
    known = model.item_features_.indptr
    has_row = np.diff(known) > 0
    assert_array_equal(has_row, model.items_ > 1)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (ITEMS["item_id"].astype(str), "ids of another type, str.*those of X, int64"),
        (ITEMS["item_id"] + 1000, "has a row for none of the 40 items of X.*1000"),
    ],
)
def test_tables_of_other_items(rows, ids, message):
    model = unfitted(AttRecRecommender)
    model.set_params(item_features=ITEMS.assign(item_id=ids))
    with pytest.raises(InteractionsError, match=message):
        model.fit(rows)


def test_other_values_of_the_parameter(rows):
    lazy = pytest.importorskip("polars").from_pandas(ITEMS).lazy()
    for value in (ITEMS.to_numpy(), {"item_id": [1]}, ITEMS["item_id"], "genre", lazy):
        with pytest.raises(InvalidParameterError, match="'item_features'.*DataFrame"):
            AttRecRecommender(item_features=value).fit(rows)


# scikit-learn -------------------------------------------------------------------


@pytest.mark.parametrize("routing", [False, True])
def test_searches_and_pipelines_pass_features_on(rows, routing):
    quick = AttRecRecommender(d=4, max_iter=1, exclude_seen=False, random_state=0)
    with config_context(enable_metadata_routing=routing):
        pipeline = make_pipeline(KCoreFilter(min_per_user=2), quick)
        name = "attrecrecommender__item_features"
        search = GridSearchCV(
            pipeline, {name: [None, ITEMS]}, cv=LeaveLastOut(), error_score="raise"
        )
        search.fit(rows)
        assert len(search.cv_results_["params"]) == 2
        fixed = clone(pipeline).set_params(**{name: ITEMS}).fit(rows)
    assert fixed[-1].items_[-1] == 47
    assert fixed.predict([0]).shape == (1, 10)
    copied = clone(fixed[-1])
    assert copied.item_features.equals(ITEMS)
    assert_same(state_of(copied.fit(rows)), state_of(fixed[-1]))


# Updates ------------------------------------------------------------------------


@each
def test_new_items_arrive_with_their_features(cls, rows):
    model = unfitted(cls).fit(rows)
    before = model.item_vectors()
    later = pd.DataFrame({"item_id": [50, 51], "half": ["even", "odd"]})
    model.set_params(item_features=later).partial_fit(rows[:0])
    assert_array_equal(model.items_[-2:], [50, 51])
    assert_allclose(model.item_vectors()[:-2], before, rtol=1e-2, atol=1e-2)
    vectors = model._similarity_vectors()
    place = model.items_.tolist().index
    assert_allclose(vectors[place(50)], vectors[place(46)], rtol=1e-2, atol=1e-2)
    assert_allclose(vectors[place(51)], vectors[place(47)], rtol=1e-2, atol=1e-2)


@each
def test_an_item_gets_its_first_interactions(cls, rows, tmp_path):
    model = unfitted(cls).fit(rows)
    save_model(model, tmp_path / "model")
    new = rows.assign(timestamp=rows["timestamp"] + 20)[:24]
    new = new.assign(item_id=np.where(new["user_id"] % 2, 47, 60))
    model.partial_fit(new)
    # Item 60 has no row; the others keep their features.
    assert model.items_[:42].tolist()[-2:] == [60, 47]
    assert set(model.items_[42:]) == {*range(40, 47)}
    assert (np.diff(model.item_features_.indptr) > 0).tolist() == (
        model.items_ != 60
    ).tolist()
    loaded = load_model(tmp_path / "model")
    assert loaded.item_features is None
    loaded.set_params(random_state=0).partial_fit(new)
    for name, value in model.weights_.items():
        assert_array_equal(value, loaded.weights_[name], err_msg=name)


def test_new_items_without_values(rows):
    table = ITEMS.assign(price=ITEMS["item_id"] % 7)
    model = unfitted(AttRecRecommender, max_iter=2).set_params(item_features=table)
    model.fit(rows)
    new = pd.DataFrame({"item_id": [50], "half": [np.nan], "price": [None]})
    model.set_params(item_features=new).partial_fit(rows[:0])
    found = model.item_features_
    assert model.items_[-1] == 50
    # The label of a row, and those of the two missing values.
    assert found.labels[found.indptr[-2] :].tolist() == [0, 1, 5]
    assert found.numbers[-1] == 0
    # No item with interactions lacks a text, so a missing one is the average of both.
    B = model.weights_["B_V"]
    assert_allclose(B[1], B[3:5].mean(axis=0), rtol=1e-5)
    assert_allclose(model.weights_["V"][-1], B[0] + B[1] + B[5], atol=1e-2)


def test_columns_without_any_text_after_an_update(model, rows):
    before = model.weights_["B_V"].copy()
    nothing = ITEMS.assign(half=None)
    model = copy.deepcopy(model).set_params(item_features=nothing)
    model.partial_fit(rows[:0])
    assert_array_equal(model.weights_["B_V"], before)
    assert np.ptp(model.weights_["V"][40:], axis=0).max() < 1e-2


@each
def test_new_items_with_interactions_start_from_their_features(cls, rows):
    model = unfitted(cls).fit(rows)
    new = pd.DataFrame({"user_id": [0, 0], "item_id": [50, 52], "timestamp": [20, 21]})
    table = pd.DataFrame({"item_id": [50], "half": "even"})  # 52 has no row
    model.set_params(item_features=table, learning_rate=1e-12).partial_fit(new)
    place = model.items_.tolist().index
    for name in model._network.ITEM_TABLES:
        vectors = model.weights_[name]
        assert_allclose(vectors[place(50)], vectors[place(46)], rtol=1e-2, atol=1e-2)
        norms = np.linalg.norm(vectors, axis=1)
        assert norms[place(52)] == pytest.approx(norms[:40].mean(), rel=0.1)


def test_features_can_be_corrected(model, rows):
    model = copy.deepcopy(model)
    corrected = ITEMS.assign(half=ITEMS["half"].mask(ITEMS["item_id"] == 46, "odd"))
    model.set_params(item_features=corrected).partial_fit(rows[:0])
    vectors, place = model._similarity_vectors(), model.items_.tolist().index
    assert_allclose(vectors[place(46)], vectors[place(47)], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (ITEMS.assign(year=1), r"not known: \['year'\]"),
        (ITEMS.rename(columns={"half": "side"}), r"Missing: \['half'\]"),
        (ITEMS.assign(half=1.0), "'half' contains a number, but contained texts"),
    ],
)
def test_updates_need_the_columns_of_fit(model, rows, table, message):
    model = copy.deepcopy(model).set_params(item_features=table)
    before = pickle.dumps(model)
    with pytest.raises(InteractionsError, match=message):
        model.partial_fit(rows)
    assert pickle.dumps(model) == before


def test_updates_need_ids_of_the_type_of_fit(model, rows):
    table = pd.DataFrame({"item_id": ["50"], "half": "even"})
    model = copy.deepcopy(model).set_params(item_features=table)
    with pytest.raises(InteractionsError, match="another type, str.*those of fit, int"):
        model.partial_fit(rows[:0])


def test_features_cannot_be_added_after_fit(rows):
    model = unfitted(AttRecRecommender, max_iter=1).set_params(item_features=None)
    model.fit(rows).set_params(item_features=ITEMS)
    with pytest.raises(InvalidParameterError, match="must be None, as in fit"):
        model.partial_fit(rows)


# Files --------------------------------------------------------------------------


def test_features_are_saved(model, tmp_path):
    save_model(model, tmp_path / "a")
    loaded = load_model(tmp_path / "a")
    for name, value in model.item_features_.arrays().items():
        assert_array_equal(loaded.item_features_.arrays()[name], value)
    assert_array_equal(loaded.predict([0, 1]), model.predict([0, 1]))
    save_model(loaded, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("features.labels", np.array([10**6]), "outside the range"),
        ("features.scales", np.array([0.0]), "must be positive"),
        ("features.scales", np.array([1.0, 1.0]), "'item_features' describes"),
        ("features.indptr", np.array([0, 1]), "must have shape"),
        ("weights.B_V", np.zeros((2, 8), np.float32), "must have"),
        ("features.labels", None, "is missing"),
        ("item_features", [["half", 2, 1]], "must list the name"),
        ("item_features", [["half", 1, 0]], "describes"),
        ("item_features", [["half", 2, 0]] * 2, "must list the name"),
        ("item_features", "half", "must list the name"),
        ("item_features", None, "is not an array of this model"),
    ],
)
def test_files_with_other_features_are_refused(model, name, value, message):
    from sklearn_attrec.persistence._deserialize import deserialize
    from sklearn_attrec.persistence._serialize import serialize

    manifest, tensors = serialize(model)
    if name == "item_features":
        manifest[name] = value
    elif value is None:
        del tensors[name]
    else:
        if name == "features.labels":
            value = np.where(tensors[name] == 0, value, tensors[name])
        tensors[name] = value
    with pytest.raises(ModelFileError, match=message):
        deserialize(manifest, tensors)
