"""Recommendations on Dask and Spark equal those of one process."""

import os
import shutil
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

from sklearn_attrec import MarkovRecommender, distributed, save_model
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.exceptions import (
    InteractionsError,
    InvalidParameterError,
    ModelFileError,
)


class Dask:
    name = "dask"

    def frame(self, X):
        dd = pytest.importorskip("dask.dataframe")
        return dd.from_pandas(X.reset_index(drop=True), npartitions=3)

    def collect(self, table):
        return table.compute(scheduler="synchronous")


class Spark:
    name = "spark"

    def __init__(self):
        sql = pytest.importorskip("pyspark.sql")
        if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
            pytest.skip("Spark needs Java, for example openjdk-17-jre-headless")
        settings = {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            # The rows of a user are in several partitions and batches.
            "spark.sql.adaptive.enabled": "false",
            "spark.sql.execution.arrow.maxRecordsPerBatch": "7",
            "spark.sql.shuffle.partitions": "3",
            "spark.ui.enabled": "false",
        }
        os.environ["PYSPARK_PYTHON"] = sys.executable
        builder = sql.SparkSession.builder.master("local[2]")
        self.session = builder.config(map=settings).getOrCreate()
        self.session.sparkContext.setLogLevel("OFF")

    def frame(self, X):
        # Missing values of pandas are null in Arrow.
        return self.session.createDataFrame(pa.Table.from_pandas(X))

    def collect(self, table):
        return table.toArrow().to_pandas()


@pytest.fixture(scope="module")
def spark():
    engine = Spark()
    yield engine
    engine.session.stop()


# The tests of Spark share a session, so they run in the same process.
@pytest.fixture(
    params=["dask", pytest.param("spark", marks=pytest.mark.xdist_group("spark"))]
)
def engine(request):
    return Dask() if request.param == "dask" else request.getfixturevalue("spark")


@pytest.fixture(params=["integers", "text"])
def interactions(request):
    X = make_interactions(40, 30, n_per_user=(3, 20), repeats=False, random_state=0)
    if request.param == "text":
        X = X.assign(user_id="u" + X["user_id"].astype(str))
        X["item_id"] = "i" + X["item_id"].astype(str)
    return X.assign(colour="red")


@pytest.fixture
def model(interactions):
    return MarkovRecommender(k=4).fit(interactions)


def assert_same_rows(found, expected):
    order = ["user_id", "rank"]
    found = found.sort_values(order).reset_index(drop=True)
    assert_frame_equal(found, expected.sort_values(order).reset_index(drop=True))


@pytest.mark.parametrize("kept", ["object", "file"])
def test_users_get_the_recommendations_of_one_process(
    engine, interactions, model, kept, tmp_path, monkeypatch
):
    users = interactions[["user_id"]].drop_duplicates()
    options = {"k": 3, "exclude": model.items_[:2].tolist(), "exclude_seen": False}
    source = model
    if kept == "file":
        monkeypatch.chdir(tmp_path)
        save_model(model, "relative.attrec")
        source = "relative.attrec"
    table = distributed.recommend(source, engine.frame(users), **options)
    monkeypatch.undo()
    assert_same_rows(engine.collect(table), model.recommend(users, **options))


def test_queries_are_answered_as_of_their_times(engine, interactions, model):
    queries = interactions[["user_id", "timestamp"]][::5]
    found = engine.collect(distributed.recommend(model, engine.frame(queries)))
    expected = model.recommend(queries)
    columns = ["user_id", "item_id", "score", "rank"]
    found, expected = (X.sort_values(columns)[columns] for X in (found, expected))
    assert found.to_numpy().tolist() == expected.to_numpy().tolist()


def test_histories_are_gathered_from_all_partitions(engine, interactions, model):
    unseen = interactions.assign(timestamp=lambda X: X["timestamp"] // 3)  # with ties
    suffix = 1000 if unseen["user_id"].dtype == np.int64 else "x"
    unseen["user_id"] += suffix
    shuffled = unseen.sample(frac=1, random_state=0)
    table = distributed.recommend(model, history=engine.frame(shuffled))
    ordered = unseen.sort_values(["user_id", "timestamp", "item_id"])
    expected = model.recommend(ordered["user_id"].unique(), history=ordered)
    assert_same_rows(engine.collect(table), expected)


def test_no_rows_get_no_recommendations(engine, interactions, model):
    for argument in ("users", "history"):
        frame = engine.frame(interactions[:0])
        table = engine.collect(distributed.recommend(model, **{argument: frame}))
        expected = model.recommend(interactions[:0])
        assert_frame_equal(table.reset_index(drop=True), expected)


@pytest.mark.parametrize("interactions", ["text"], indirect=True)
def test_errors_are_raised_before_any_work(engine, interactions, model):
    call = {"dask": "rename(columns=", "spark": "withColumnsRenamed("}[engine.name]
    renamed = interactions.rename(columns={"user_id": "customer", "item_id": "sku"})
    frame, history = engine.frame(renamed), engine.frame(interactions[["user_id"]])
    with pytest.raises(InteractionsError) as error:
        distributed.recommend(model, frame)
    assert f"users.{call}{{'customer': 'user_id'}})" in str(error.value)
    with pytest.raises(InteractionsError, match="no column 'item_id' and no column 't"):
        distributed.recommend(model, history=history)
    twice = engine.frame(interactions)[["user_id", "user_id"]]
    with pytest.raises(InteractionsError, match="'user_id' appears 2 times"):
        distributed.recommend(model, twice)
    with pytest.raises(InvalidParameterError, match="'k'"):
        distributed.recommend(model, history, k=0)
    with pytest.raises(InteractionsError, match="'candidates' must contain item ids"):
        distributed.recommend(model, history, candidates=["never seen"])


@pytest.mark.parametrize("interactions", ["text"], indirect=True)
def test_ids_of_another_type_are_refused_at_once(engine, interactions, model):
    numbers = interactions.assign(item_id=1)
    with pytest.raises(InteractionsError, match="'item_id' contains integers.* str"):
        distributed.recommend(model, history=engine.frame(numbers))
    numbers = interactions[:20].assign(user_id=1)
    with pytest.raises(InteractionsError, match="'user_id' contains integers.* str"):
        distributed.recommend(model, engine.frame(numbers))
    table = distributed.recommend(model, history=engine.frame(numbers))
    assert engine.collect(table)["user_id"].tolist() == [1] * 4


@pytest.mark.parametrize("interactions", ["text"], indirect=True)
def test_later_changes_have_no_effect(engine, interactions, model):
    excluded, expected = model.items_[:2].tolist(), model.recommend()
    users = engine.frame(interactions[["user_id"]].drop_duplicates())
    table = distributed.recommend(model, users, exclude=excluded)
    expected = model.recommend(exclude=excluded)
    excluded.clear()
    model.fit(interactions[:60])
    assert_same_rows(engine.collect(table), expected)


def test_models_of_arrays_and_indexes_with_names(interactions):
    columns = ["user_id", "item_id", "timestamp"]
    model = MarkovRecommender(k=4).fit(interactions[columns].to_numpy())
    dd = pytest.importorskip("dask.dataframe")
    rows = interactions.set_index("user_id", drop=False).sort_index()
    frame = dd.from_pandas(rows, npartitions=2)
    found = Dask().collect(distributed.recommend(model, history=frame))
    users = interactions["user_id"].unique().tolist()
    assert_same_rows(found, model.recommend(users, history=interactions[columns]))
    frame = dd.from_pandas(rows.drop(columns="user_id"), npartitions=2)
    with pytest.raises(InteractionsError, match=r"users.reset_index\(\)"):
        distributed.recommend(model, frame)


@pytest.mark.parametrize("interactions", ["text"], indirect=True)
def test_missing_users_are_refused(engine, interactions, model):
    for column, argument in ("user_id", "users"), ("user_id", "history"):
        missing = interactions.assign(**{column: None})
        table = distributed.recommend(model, **{argument: engine.frame(missing)})
        message = "missing id.*'user_id'" if argument == "history" else "missing id"
        with pytest.raises(Exception, match=message):  # of the engine
            engine.collect(table)


@pytest.mark.parametrize("interactions", ["text"], indirect=True)
def test_arguments_of_other_types_are_refused(interactions, model):
    frame = Dask().frame(interactions)
    for users in interactions, frame["user_id"], [1, 2]:
        with pytest.raises(TypeError, match="DataFrame of Dask or Spark.*recommend"):
            distributed.recommend(model, users)
    on_spark = type("DataFrame", (), {"__module__": "pyspark.pandas.frame"})()
    with pytest.raises(TypeError, match=r"Pass .to_spark\(\)"):
        distributed.recommend(model, on_spark)
    for arguments in {}, {"users": frame, "history": frame}:
        with pytest.raises(TypeError, match="either 'users' or 'history'"):
            distributed.recommend(model, **arguments)
    with pytest.raises(TypeError, match="best_estimator_"):
        distributed.recommend(MarkovRecommender, frame)


def test_all_recommendations_are_of_one_model(tmp_path):
    frame = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [5, 6, 7]})
    users, path = Dask().frame(frame[["user_id"]]), tmp_path / "model.attrec"
    model = MarkovRecommender(k=1, exclude_seen=False).fit(frame)
    save_model(model, path)
    old = distributed.recommend(path, users)
    save_model(model.set_params(k=2), path)
    with pytest.raises(ModelFileError, match="was replaced"):
        Dask().collect(old)
    new = distributed.recommend(path, users)
    assert new.compute(scheduler="threads")["rank"].max() == 2


def test_ties_of_categories_are_in_the_order_of_the_ids():
    frame = pd.DataFrame({"user_id": [1] * 3, "item_id": [3, 2, 9], "timestamp": 0})
    model = MarkovRecommender(exclude_seen=False, k=1).fit(
        pd.DataFrame({"user_id": [5] * 6, "item_id": [9, 1, 2, 4, 3, 6]})
    )
    categories = pd.CategoricalDtype([9, 3, 2])  # 2 is the last one in this order
    dask_frame = Dask().frame(frame.astype({"item_id": categories}))
    table = Dask().collect(distributed.recommend(model, history=dask_frame))
    assert table["item_id"].tolist() == [1]  # what comes after 9


@pytest.mark.xdist_group("spark")
@pytest.mark.parametrize("interactions", ["integers"], indirect=True)
def test_unsigned_items_become_integers_of_spark(spark, interactions):
    model = MarkovRecommender(k=4).fit(interactions.astype({"item_id": "uint32"}))
    users = spark.frame(interactions[["user_id"]].drop_duplicates())
    found = spark.collect(distributed.recommend(model, users))
    expected = model.recommend().astype({"item_id": "int64"})
    assert_same_rows(found, expected)
