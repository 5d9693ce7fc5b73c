"""Interactions of Parquet files, encoded on disk."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import dataset
from test_common import fitted_state

from sklearn_attrec import AttRecRecommender
from sklearn_attrec.datasets import encode_interactions, make_interactions
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError


def write(frame, folder, n_files=3):
    folder.mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(frame)), n_files)):
        frame.iloc[rows].to_parquet(folder / f"{number}.parquet", index=False)


def text_ids(X):
    return X.assign(user_id="u" + X["user_id"].astype(str))


@pytest.mark.parametrize(
    "change",
    {
        "integers": lambda X: X,
        "text": text_ids,
        "categories": lambda X: text_ids(X).astype({"user_id": "category"}),
        "dates": lambda X: X.assign(
            timestamp=pd.to_datetime(X["timestamp"], unit="s", utc=True)
        ),
        "weights, no times": lambda X: X.drop(columns="timestamp").assign(weight=2.5),
    }.items(),
    ids=lambda item: item[0],
)
def test_fit_gives_the_model_of_the_frame(change, tmp_path):
    X = make_interactions(30, 20, random_state=0)
    X = change[1](X.sample(frac=1, random_state=0).assign(colour="red"))
    write(X, tmp_path / "rows")
    table = encode_interactions(tmp_path / "rows", tmp_path / "encoded.arrow")
    assert table.column_names == [name for name in X if name != "colour"]
    model = AttRecRecommender(L=2, d=4, max_iter=1, random_state=0)
    expected = fitted_state(model.fit(X.drop(columns="colour")))
    with pa.memory_map(str(tmp_path / "encoded.arrow")) as file:
        for encoded in table, pa.ipc.open_file(file).read_all():
            found = fitted_state(model.fit(encoded))
            assert found.keys() == expected.keys()
            for name, value in expected.items():
                np.testing.assert_equal(found[name], value, err_msg=name)


def test_columns_are_renamed_and_sources_can_be_data_sets(tmp_path):
    frame = pd.DataFrame({"customer": ["a", "b"], "sku": [3, 4], "user_id": [9, 9]})
    source = dataset.dataset(pa.Table.from_pandas(frame))
    names = {"customer": "user_id", "sku": "item_id", "user_id": "other"}
    table = encode_interactions(source, tmp_path / "x.arrow", columns=names)
    assert table.to_pydict() == {"user_id": ["a", "b"], "item_id": [3, 4]}


@pytest.mark.parametrize(
    ("columns", "change", "message"),
    [
        (
            None,
            {"user_id": ["a", None, "b"]},
            "'user_id' has missing.* row 1.*is_valid",
        ),
        (None, {"timestamp": ["1", "2", "3"]}, "'timestamp'.*string.*numbers or dates"),
        (None, {"user_id": [0.5, 1, 2]}, "'user_id'.*double.*integers or text"),
        (None, {"item_id": [[1], [2], [3]]}, "'item_id'.*list.*integers or text"),
        ({"item_id": "x"}, {}, "Pass columns={'item_id': 'item_id'}"),
        ({"timestamp": "user_id"}, {}, r"\['user_id', 'timestamp'\].*all named 'user"),
    ],
)
def test_unusable_columns_are_refused_and_nothing_is_written(
    columns, change, message, tmp_path
):
    frame = {"user_id": [1, 2, 3], "item_id": [4, 5, 6], "timestamp": [7, 8, 9]}
    write(pd.DataFrame(frame | change), tmp_path / "rows")
    path = tmp_path / "encoded.arrow"
    with pytest.raises(InteractionsError, match=message):
        encode_interactions(tmp_path / "rows", path, columns=columns)
    assert not path.exists()


def test_missing_ids_of_dictionaries_are_found(tmp_path):
    ids = pa.DictionaryArray.from_arrays([0, 1, 1], pa.array(["a", None]))
    source = dataset.dataset(pa.table({"user_id": ids, "item_id": [1, 2, 3]}))
    with pytest.raises(InteractionsError, match="'user_id'.*first at row 1"):
        encode_interactions(source, tmp_path / "x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"timestamp": 7}, "2.parquet' has a column 'timestamp'"),
        ({"item_id": ["a", "b"]}, "'item_id' contains text in the file.*2.parquet"),
        ({"user_id": None}, "2.parquet' has no column 'user_id'"),
    ],
)
def test_files_must_have_the_same_columns(change, message, tmp_path):
    frame = pd.DataFrame({"user_id": [1, 2], "item_id": [4, 5]})
    frame.to_parquet(tmp_path / "1.parquet")
    changed = frame.assign(**change, colour=1)  # the others may differ
    changed.dropna(axis=1).to_parquet(tmp_path / "2.parquet")
    with pytest.raises(InteractionsError, match=message):
        encode_interactions(tmp_path, tmp_path / "x")


def test_wider_integers_and_other_files_and_hive_folders_are_read(tmp_path):
    for name, dtype in {"a": "int32", "b": "int64"}.items():
        folder = tmp_path / "rows" / f"user_id={name}"
        folder.mkdir(parents=True)
        frame = pd.DataFrame({"item_id": [4, 5]}, dtype=dtype)
        frame.to_parquet(folder / "1.parquet")
    (tmp_path / "rows" / "README.md").write_text("not a table")
    table = encode_interactions(tmp_path / "rows", tmp_path / "x")
    expected = {"user_id": ["a", "a", "b", "b"], "item_id": [4, 5, 4, 5]}
    assert table.to_pydict() == expected


def test_a_time_of_another_name_is_not_dropped(tmp_path):
    rows = {"user_id": [1, 1], "item_id": [2, 3], "event_time": [9, 8]}
    write(pd.DataFrame(rows), tmp_path / "rows", 1)
    arguments = tmp_path / "rows", tmp_path / "x"
    with pytest.raises(InteractionsError, match="columns={'event_time': 'timestamp'}"):
        encode_interactions(*arguments)
    table = encode_interactions(*arguments, columns={"event_time": "other"})
    assert table.column_names == ["user_id", "item_id"]


def test_files_are_not_overwritten_and_folders_must_exist(tmp_path):
    write(pd.DataFrame({"user_id": [1], "item_id": [4]}), tmp_path / "rows", 1)
    file = tmp_path / "rows" / "0.parquet"
    for source in file, tmp_path / "rows", dataset.dataset(file):
        with pytest.raises(InteractionsError, match="would be overwritten"):
            encode_interactions(source, file)
    with pytest.raises(FileNotFoundError, match="no folder for"):
        encode_interactions(file, tmp_path / "missing" / "x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InteractionsError, match=r"contains no file \*.parquet"):
        encode_interactions(tmp_path / "empty", tmp_path / "x")


def test_arguments_of_other_types_are_refused(tmp_path):
    with pytest.raises(TypeError, match=r"Got list.*dataset\(files\)"):
        encode_interactions([tmp_path / "1.parquet"], tmp_path / "x")
    with pytest.raises(InvalidParameterError, match="'columns'.*dict"):
        encode_interactions(tmp_path, tmp_path / "x", columns=["user_id"])
