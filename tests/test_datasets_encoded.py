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


def test_columns_must_be_a_dict(tmp_path):
    with pytest.raises(InvalidParameterError, match="'columns'.*dict"):
        encode_interactions(tmp_path, tmp_path / "x", columns=["user_id"])
