"""Files are read exactly as they stand, or refused with the line and the way out."""

import codecs
import gzip
import json
import sys

import numpy as np
import pandas as pd
import pytest

from sklearn_attrec.datasets import read_interactions
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError

IDS = b"user_id,item_id\n"
TIMED = b"user_id,item_id,timestamp\n"


@pytest.fixture
def read(tmp_path):
    """Write bytes under a name and read them."""

    def read(name, content, **options):
        path = tmp_path / name
        path.write_bytes(content)
        return read_interactions(path, **options)

    return read


@pytest.fixture
def refuse(read):
    """Expect an error that names the file and each of some texts."""

    def refuse(name, content, *parts, **options):
        with pytest.raises(InteractionsError) as raised:
            read(name, content, **options)
        for part in (name, *parts):
            assert part in str(raised.value)

    return refuse


@pytest.fixture(params=["python", "pyarrow"])
def storage(request):
    """Keep text as pandas does with and without pyarrow."""
    if request.param == "pyarrow":
        pytest.importorskip("pyarrow")
    with pd.option_context("mode.string_storage", request.param):
        yield


FULL = {
    "user_id": [1, 1, 2],
    "item_id": ["a", "b", "a"],
    "rating": [4.0, 3.5, 5.0],
    "timestamp": [12, 10, 11],
}


def lines(sep, header):
    rows = list(zip(*FULL.values(), strict=True))
    rows = [tuple(FULL), *rows] if header else rows
    return "".join(sep.join(map(str, row)) + "\n" for row in rows).encode()


def json_lines():
    records = pd.DataFrame(FULL).to_dict("records")
    return "\n".join(map(json.dumps, records)).encode()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", lines(",", header=True)),
        ("a.CSV", lines(",", header=True).replace(b"\n", b"\r\n")),
        ("a.tsv", lines("\t", header=True)),
        ("a.data", lines("\t", header=False)),
        ("a.dat", lines("::", header=False)),
        ("a.txt", lines(" ", header=False)),
        ("u.item.data", b"\n" + lines("\t", header=False) + b"\n  \n"),
        ("a.jsonl", json_lines()),
        ("a.ndjson", json_lines() + b"\r\n\n"),
        ("a.json", json_lines()),
    ],
)
@pytest.mark.usefixtures("storage")
def test_formats(name, content, compressed, read):
    if compressed:
        name, content = name + ".gz", gzip.compress(content)
    pd.testing.assert_frame_equal(read(name, content), pd.DataFrame(FULL))


@pytest.mark.parametrize("suffix", [".parquet", ".pq"])
def test_parquet(suffix, tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(FULL)
    path = tmp_path / f"a{suffix}"
    frame.to_parquet(path)
    pd.testing.assert_frame_equal(read_interactions(path), frame)
    pd.testing.assert_frame_equal(read_interactions(str(path)), frame)
    frame.set_index("user_id").to_parquet(path)
    pd.testing.assert_frame_equal(read_interactions(path), frame)
    frame.set_index(pd.Index([7, 5, 6])).to_parquet(path)
    pd.testing.assert_frame_equal(read_interactions(path), frame)


@pytest.mark.parametrize(
    ("n_columns", "names"),
    [
        (2, ["user_id", "item_id"]),
        (3, ["user_id", "item_id", "timestamp"]),
        (4, ["user_id", "item_id", "rating", "timestamp"]),
    ],
)
def test_names_by_position(n_columns, names, read):
    line = "::".join("1234"[:n_columns]).encode() + b"\n"
    assert list(read("a.dat", line)) == names


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2", "0"], [1, -2, 0]),
        (["9223372036854775807"], [9223372036854775807]),
        (["1234567890123456789"], [1234567890123456789]),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"]),
        (["18446744073709551616"], ["18446744073709551616"]),
        (["007", "8"], ["007", "8"]),
        (["+5", "6"], ["+5", "6"]),
        (["-0", "6"], ["-0", "6"]),
        ([" 5", "6"], [" 5", "6"]),
        (["1_000", "6"], ["1_000", "6"]),
        (["5.0", "6"], ["5.0", "6"]),
        (["1e3", "6"], ["1e3", "6"]),
        (["٣", "6"], ["٣", "6"]),
        (["9" * 5000, "6"], ["9" * 5000, "6"]),
        (["NA", "1"], ["NA", "1"]),
        (
            ["nan", "null", "None", "N/A", "True"],
            ["nan", "null", "None", "N/A", "True"],
        ),
        (["José", "e\u0301", "🎬"], ["José", "e\u0301", "🎬"]),
        (["=1+1", "../../x", "#x", "'"], ["=1+1", "../../x", "#x", "'"]),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.dat"])
@pytest.mark.usefixtures("storage")
def test_ids_stay_as_they_are(name, values, expected, read):
    sep = "," if name == "a.csv" else "::"
    text = "".join(f"{value}{sep}7\n" for value in values)
    frame = read(name, text.encode(), columns=["user_id", "item_id"], header=False)
    assert frame["user_id"].to_list() == expected
    assert frame["user_id"].dtype == (np.int64 if expected != values else "str")
    assert frame["item_id"].dtype == np.int64


def test_a_column_of_any_name_is_read_exactly(read):
    frame = read("a.csv", b"who,what\n007,9007199254740993\n8,9\n")
    assert frame["who"].to_list() == ["007", "8"]
    assert frame["what"].to_list() == [9007199254740993, 9]


def test_quoted_fields(read):
    frame = read("a.csv", IDS + b'"a,b",1\n"say ""x""",2\n"two\nlines",3\n')
    assert frame["user_id"].to_list() == ["a,b", 'say "x"', "two\nlines"]


def test_quotation_marks_are_plain_text_where_there_is_no_quoting(read):
    assert read("a.dat", b'"a::1\n')["user_id"].to_list() == ['"a']
    assert read("a.csv", b'x||y\n"a||1\n', sep="||")["x"].to_list() == ['"a']


def test_columns_by_position_and_by_name(read):
    content = b"5\t1\t9\n6\t2\t8\n"
    frame = read("a.data", content, columns=["item_id", "user_id", "stars"])
    assert frame.iloc[0].to_dict() == {"item_id": 5, "user_id": 1, "stars": 9}
    content = b"userId,movieId\n1,2\n"
    names = {"userId": "user_id", "movieId": "item_id"}
    assert list(read("a.csv", content)) == ["userId", "movieId"]
    assert list(read("a.csv", content, columns=names)) == ["user_id", "item_id"]
    named = read("a.csv", content, columns=["user_id", "item_id"], header=True)
    assert named.to_dict("list") == {"user_id": [1], "item_id": [2]}
    assert list(read("a.dat", b"1::2\n", columns={"item_id": "x"})) == ["user_id", "x"]
    assert list(read("a.jsonl", b'{"a":1,"b":2}', columns=["x", "y"])) == ["x", "y"]


def test_header_can_be_given_and_taken_away(read):
    assert read("a.csv", b"1,2\n3,4\n", header=False).shape == (2, 2)
    assert list(read("a.dat", b"u::i\n3::4\n", header=True)) == ["u", "i"]


@pytest.mark.parametrize("sep", [";", "|", "\t", " ", "::", "§", "->", ".*"])
def test_separators_are_taken_literally(sep, read):
    frame = read("a.log", f"user_id{sep}item_id\nx{sep}y\n".encode(), sep=sep)
    assert frame.to_dict("list") == {"user_id": ["x"], "item_id": ["y"]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(encoding, read):
    content = "user_id,item_id\nJosé,1\n".encode(encoding)
    frame = read("a.csv", content, encoding=encoding)
    assert frame.to_dict("list") == {"user_id": ["José"], "item_id": [1]}


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_byte_order_mark_is_accepted(name, read):
    content = IDS + b"1,2\n" if name == "a.csv" else b'{"user_id":1,"item_id":2}'
    frame = read(name, codecs.BOM_UTF8 + content)
    assert list(frame) == ["user_id", "item_id"]


def test_other_encodings_are_named_in_the_error(refuse):
    text = "user_id,item_id\n1,2\nJosé,1\n"
    refuse("a.csv", text.encode("latin-1"), "line 3", "encoding='latin-1'")
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        refuse("a.csv", text.encode(encoding), "encoding='utf-16'")
    refuse("a.jsonl", '{"user_id":"é"}'.encode("latin-1"), "line 1", "encoding=")


@pytest.mark.parametrize(
    ("text", "dtype", "first"),
    [
        ("12\n10\n", "int64", 12),
        ("12.5\n10\n", "float64", 12.5),
        ("1e9\n10\n", "float64", 1e9),
        ("2020-01-02\n2020-01-01\n", "datetime64", "2020-01-02"),
        (
            "2020-01-02T03:04:05\n2020-01-01 10:00\n",
            "datetime64",
            "2020-01-02T03:04:05",
        ),
        ("2020-01-02T03:04:05.678Z\n2020-07-01T00:00+02:00\n", "UTC", "2020-01-02T03:"),
    ],
)
@pytest.mark.usefixtures("storage")
def test_timestamps(text, dtype, first, read):
    rows = "".join(f"1,2,{time}\n" for time in text.split())
    if " " in text:
        rows = "".join(f"1,2,{time}\n" for time in text.splitlines())
    times = read("a.csv", TIMED + rows.encode())["timestamp"]
    assert dtype in str(times.dtype)
    if isinstance(first, str):
        assert times[0].isoformat().startswith(first)
    else:
        assert times[0] == first


def test_offsets_become_utc(read):
    rows = b"1,2,2020-01-01T00:00:00+01:00\n1,2,2020-07-01T00:00:00+02:00\n"
    times = read("a.csv", TIMED + rows)["timestamp"]
    assert str(times[0]) == "2019-12-31 23:00:00+00:00"
    assert str(times[1]) == "2020-06-30 22:00:00+00:00"


@pytest.mark.parametrize(
    "second",
    [
        "",
        "soon",
        "now",
        "today",
        "nan",
        "inf",
        "NaT",
        "2020-13-01",
        "2020-01-01",
        "0x1",
    ],
)
@pytest.mark.usefixtures("storage")
def test_what_is_no_time_among_numbers(second, refuse):
    content = TIMED + f"1,2,3\n1,2,{second}\n1,2,{second}\n".encode()
    refuse("a.csv", content, "line 3", "'timestamp'", repr(second), "2 such row(s)")


@pytest.mark.parametrize("second", ["3", "now", "2020-01-01T00:00:00Z", "2020-02-30"])
def test_what_is_no_time_among_dates(second, refuse):
    content = TIMED + f"1,2,2020-01-01\n1,2,{second}\n".encode()
    refuse("a.csv", content, "line 3", repr(second), "ISO 8601", "UTC")


@pytest.mark.parametrize("value", ["", "good", "NA", "nan", "inf", "4,5"])
def test_what_is_no_rating(value, refuse):
    content = f'user_id,item_id,rating\n1,2,3\n1,2,"{value}"\n'.encode()
    refuse("a.csv", content, "line 3", "'rating'", repr(value), "finite number")


@pytest.mark.parametrize("blank", ["", " ", '""', "\t"])
@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.usefixtures("storage")
def test_blank_ids(blank, position, refuse):
    row = ["7", "7"]
    row[position] = blank
    content = IDS + f"1,2\n\n{','.join(row)}\n3,4\n".encode()
    name = ["user_id", "item_id"][position]
    refuse("a.csv", content, "line 4", repr(name), "blank", "1 such row(s)")


def test_line_numbers_count_lines_and_not_records(refuse):
    refuse("a.csv", IDS + b'"x\ny",1\r\n\r\n"two\nlines",\r\n', "line 5", "'item_id'")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (IDS + b"1,2,3\n4,5,6\n", ["line 2", "3 field(s)", "2"]),
        (IDS + b"1,2\n4,5,6\n", ["line 3", "3 field(s)"]),
        (IDS + b"1,2\n4\n5,6\n", ["line 3", "1 field(s)"]),
        (TIMED + b"1,2,3\n4,5\n", ["line 3", "2 field(s)"]),
        (IDS + b'1,"2\n3,4\n', ["line 2", "quotation mark"]),
        (IDS + b'1,"' + b"2\n" * 100_000, ["line 2", "quotation mark"]),
        (IDS + b'1,2\n"3"x,4,5\n', ["line 3"]),
        (IDS + b"1,2\n3,\x004\n", ["line 3", "NUL"]),
        (IDS, ["line 2", "no row"]),
        (IDS + b"\n  \n", ["no row"]),
        (b"", ["line 1", "empty"]),
        (b"\n \r\n", ["line 1", "empty"]),
        (codecs.BOM_UTF8, ["line 1", "empty"]),
        (b'""\n', ["line 1", "1 column"]),
        (IDS + b"1,2\r3,4\r", ["line 2", "carriage return"]),
        (b"1,2\n3,4\n", ["line 1", "header=False"]),
        (b"item_id,item_id\n1,2\n", ["item_id", "name of its own"]),
        (b"user_id\n1\n", ["1 column"]),
        (b"user_id;item_id\n1;2\n", ["1 column", "try sep=';'"]),
        (b"user_id;item_id;rating\n1;2;3,5\n", ["1 column", "try sep=';'"]),
        (b"user_id\titem_id\n1\t2\n", [r"try sep='\t'"]),
        (b"user_id::item_id\n1::2\n", ["try sep='::'"]),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_text(content, parts, compressed, refuse):
    if compressed:
        refuse("a.csv.gz", gzip.compress(content), *parts)
    else:
        refuse("a.csv", content, *parts)


def test_blanks_in_a_last_column_are_no_short_rows(read):
    frame = read("a.csv", b"user_id,item_id,note\n1,2,\n3,4,x\n")
    assert frame["note"].to_list() == ["", "x"]


def test_header_taken_for_a_record(refuse, read):
    content = b"user::item::time\n1::2::3\n"
    refuse("a.dat", content, "line 1", "'user'", "header=True")
    refuse("a.csv", IDS + b"1,2\n", "line 1", "header=True", columns=["u", "i"])
    assert len(read("a.dat", b"NA::2\n1::2\n", header=False)) == 2


def test_columns_that_do_not_fit(refuse):
    refuse("a.data", b"1\t2\t3\t4\t5\n", "5 columns", "columns=")
    refuse("a.data", b"1\t2\t3\n", "names 2", columns=["user_id", "item_id"])
    refuse("a.csv", IDS + b"1,2\n", "none named ['x']", columns={"x": "item_id"})
    refuse("a.csv", IDS + b"1,2\n", "item_id", columns={"user_id": "item_id"})


@pytest.mark.parametrize("cut", [1, 5, 11, 25, -8, -1])
def test_truncated_gzip(cut, refuse):
    content = gzip.compress(IDS + b"1,2\n" * 1000)
    refuse("a.csv.gz", content[:cut], "gzip")


def test_what_is_not_gzip(refuse):
    refuse("a.csv.gz", IDS + b"1,2\n", "not a whole gzip file", ".gz off")
    content = bytearray(gzip.compress(IDS + b"1,2\n" * 1000))
    content[20:30] = bytes(10)
    refuse("a.csv.gz", bytes(content), "gzip")


GOOD = '{"user_id": 1, "item_id": "a", "timestamp": 1}\n'


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ('{"user_id": 2, "item_id": "b", "timestamp": NaN}', "NaN is not JSON"),
        ('{"user_id": 2, "item_id": "b", "timestamp": -Infinity}', "not JSON"),
        ('{"user_id": 2, "item_id": "b", "timestamp": 1e999}', "'timestamp'"),
        ('{"user_id": 2, "user_id": 3, "item_id": "b"}', "twice"),
        ('{"user_id": 2, "item_id": "b", "timestamp": {"a": 1, "a": 2}}', "twice"),
        ("[" * 100_000, "recursion"),
        ('{"user_id":' * 100_000, "recursion"),
        ('{"user_id": 2, "item_id": "b"}', "its keys"),
        ('{"user_id": 2, "item_id": "b", "timestamp": 1, "x": 0}', "its keys"),
        ('{"user_id": null, "item_id": "b", "timestamp": 1}', "holds None"),
        ('{"user_id": true, "item_id": "b", "timestamp": 1}', "holds True"),
        ('{"user_id": 2.5, "item_id": "b", "timestamp": 1}', "'user_id'"),
        ('{"user_id": "2", "item_id": "b", "timestamp": 1}', "holds '2'"),
        ('{"user_id": [2], "item_id": "b", "timestamp": 1}', "holds [2]"),
        ('{"user_id": 2, "item_id": "", "timestamp": 1}', "blank"),
        ('{"user_id": 2, "item_id": 3, "timestamp": 1}', "all be text"),
        ('{"user_id": 2, "item_id": "\\ud800", "timestamp": 1}', "surrogate"),
        ('{"user_id": 2, "item_id": "b", "timestamp": null}', "'timestamp'"),
        ('{"user_id": 2, "item_id": "b", "timestamp": true}', "'timestamp'"),
        ('{"user_id": ' + "1" * 5000 + ', "item_id": "b", "timestamp": 1}', "digits"),
        ('{"user_id": 2, "item_id": "b"', "line 3"),
        ("[1, 2]", "one JSON object"),
        ("7", "one JSON object"),
        ("user_id,item_id", "one JSON object"),
    ],
)
def test_damaged_json_lines(line, part, refuse):
    content = (GOOD + "\n" + line + "\n" + GOOD.replace("1", "4", 1)).encode()
    refuse("a.jsonl", content, "line 3", part)


@pytest.mark.usefixtures("storage")
def test_json_lines_keep_ids_exactly(read):
    large = [9007199254740993, 2**63 - 1, 2**63 - 2]
    texts = ["007", "NA", "a\u2028b"]
    rows = [
        json.dumps({"user_id": a, "item_id": b}, ensure_ascii=i == 1)
        for i, (a, b) in enumerate(zip(large, texts, strict=True))
    ]
    frame = read("a.jsonl", "\n".join(rows).encode())
    assert frame.to_dict("list") == {"user_id": large, "item_id": texts}
    frame = read("a.jsonl", b'{"user_id": 18446744073709551616, "item_id": "5"}')
    assert frame.to_dict("list") == {"user_id": [str(2**64)], "item_id": ["5"]}


def test_json_lines_with_keys_in_another_order(read):
    frame = read("a.jsonl", b'{"user_id":1,"item_id":2}\n{"item_id":4,"user_id":3}')
    assert frame.to_dict("list") == {"user_id": [1, 3], "item_id": [2, 4]}


@pytest.fixture
def refuse_parquet(tmp_path, refuse):
    """Expect an error for a frame written as Parquet."""
    pytest.importorskip("pyarrow")

    def refuse_parquet(columns, *parts):
        pd.DataFrame(columns).to_parquet(tmp_path / "written")
        refuse("a.parquet", (tmp_path / "written").read_bytes(), *parts)

    return refuse_parquet


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ([1, 2.5], "row 0"),
        ([1, None], "row 1"),
        (["a", None], "row 1"),
        (pd.Categorical(["a", None]), "row 1"),
        ([b"a", b"b"], "row 0"),
        ([[1], [2]], "row 0"),
        ([True, False], "row 0"),
        (pd.to_datetime(["2020-01-01", "2020-01-02"]), "row 0"),
        (["a", " "], "row 1"),
    ],
)
@pytest.mark.parametrize("name", ["user_id", "item_id"])
def test_parquet_with_ids_of_a_wrong_type(name, values, part, refuse_parquet):
    columns = {"user_id": [1, 2], "item_id": [1, 2]} | {name: values}
    refuse_parquet(columns, part, repr(name))


@pytest.mark.parametrize("name", ["timestamp", "rating"])
@pytest.mark.parametrize(
    "values",
    [
        [1.0, np.inf],
        [1.0, np.nan],
        pd.array([1, None], dtype="Int64"),
        ["1", "x"],
        ["1", None],
        [True, False],
        pd.to_timedelta([1, 2], unit="s"),
    ],
)
def test_parquet_with_numbers_of_a_wrong_type(name, values, refuse_parquet):
    refuse_parquet({"user_id": [1, 2], "item_id": [1, 2], name: values}, repr(name))


def test_parquet_with_too_little(refuse_parquet):
    refuse_parquet({"user_id": [], "item_id": []}, "no rows")
    refuse_parquet({"item_id": [1]}, "at least 2")
    times = pd.to_datetime(["2020-01-01", None])
    refuse_parquet({"user_id": [1, 2], "item_id": [1, 2], "timestamp": times}, "row 1")


def test_parquet_types_that_are_fine(tmp_path):
    pytest.importorskip("pyarrow")
    dates = pd.to_datetime(["2020-01-02", "2020-01-01"])
    frame = pd.DataFrame(
        {
            "user_id": pd.Categorical(["b", "a"]),
            "item_id": np.array([2**64 - 1, 1], dtype=np.uint64),
            "rating": pd.array([5, 4], dtype="Int64"),
        }
    )
    for times in (
        dates,
        dates.date,
        dates.strftime("%Y-%m-%d"),
        dates.tz_localize("UTC"),
    ):
        frame.assign(timestamp=times).to_parquet(tmp_path / "a.parquet")
        found = read_interactions(tmp_path / "a.parquet")
        assert found["user_id"].to_list() == ["b", "a"]
        assert found["item_id"].to_list() == [2**64 - 1, 1]
        assert found["rating"].dtype == np.int64
        assert found["timestamp"].dt.day.to_list() == [2, 1]


def test_damaged_parquet(tmp_path, refuse):
    pytest.importorskip("pyarrow")
    pd.DataFrame(FULL).to_parquet(tmp_path / "written")
    content = (tmp_path / "written").read_bytes()
    for damaged in (content[:-1], content[: len(content) // 2], content[4:], b"", b"x"):
        refuse("a.parquet", damaged, "Parquet")
    damaged = bytearray(content)
    damaged[-60:-50] = b"\xff" * 10
    refuse("a.parquet", bytes(damaged), "Parquet")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(ImportError, match=r"pip install sklearn_attrec\[parquet\]"):
        read_interactions(tmp_path / "a.parquet")


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.jsonl", "a.csv.gz"])
def test_missing_path_and_directory(name, tmp_path):
    path = tmp_path / name
    with pytest.raises(FileNotFoundError, match=name):
        read_interactions(path)
    path.mkdir()
    with pytest.raises(OSError, match=name):
        read_interactions(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sep": ""}, "'sep'"),
        ({"sep": "\n"}, "'sep'"),
        ({"sep": 1}, "'sep'"),
        ({"header": 0}, "'header'.*'infer' or True or False.*Got 0"),
        ({"header": None}, "'header'"),
        ({"columns": "user_id"}, "'columns'"),
        ({"columns": ["a", "a"]}, "'columns'.*different"),
        ({"columns": [0, 1]}, "'columns'"),
        ({"columns": {"a": 1}}, "'columns'"),
        ({"encoding": None}, "'encoding'"),
        ({"encoding": "klingon"}, "'encoding'.*'klingon'"),
        ({"encoding": "hex"}, "'encoding'"),
    ],
)
def test_bad_arguments(options, message, read):
    with pytest.raises(InvalidParameterError, match=message):
        read("a.csv", IDS + b"1,2\n", **options)


def test_bad_paths(read):
    for path in (None, 3, ""):
        with pytest.raises(InvalidParameterError, match="'path'"):
            read_interactions(path)
    with pytest.raises(InvalidParameterError, match=r"\.csv.*sep="):
        read("a.xlsx", b"PK")


def test_long_values_are_cut_in_messages(refuse, read):
    content = TIMED + b"1,2,3\n1,2," + b"x" * 10_000 + b"\n"
    refuse("a.csv", content, "x" * 70)
    with pytest.raises(InteractionsError) as raised:
        read("a.csv", content)
    assert len(str(raised.value)) < 500
