"""Files are read exactly as they stand, or refused with the line and the remedy."""

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
FULL = {
    "user_id": [1, 1, 2],
    "item_id": ["a", "b", "a"],
    "rating": [4.0, 3.5, 5.0],
    "timestamp": [1600000012, 1600000010, 1600000011],
}


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


def fields(sep, header):
    rows = list(zip(*FULL.values(), strict=True))
    rows = [tuple(FULL), *rows] if header else rows
    return "".join(sep.join(map(str, row)) + "\n" for row in rows).encode()


JSON_LINES = "\n".join(map(json.dumps, pd.DataFrame(FULL).to_dict("records"))).encode()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", fields(",", header=True)),
        ("a.CSV", fields(",", header=True).replace(b"\n", b"\r\n")),
        ("a.tsv", fields("\t", header=True)),
        ("a.data", fields("\t", header=False)),
        ("a.dat", fields("::", header=False)),
        ("a.txt", fields(" ", header=False)),
        ("u.item.data", b"\n" + fields("\t", header=False) + b"\n  \n"),
        ("a.jsonl", JSON_LINES),
        ("a.ndjson", JSON_LINES + b"\r\n\n"),
        ("a.json", JSON_LINES),
    ],
)
@pytest.mark.usefixtures("storage")
def test_text_formats(name, content, compressed, read):
    if compressed:
        name, content = name + ".gz", gzip.compress(content)
    pd.testing.assert_frame_equal(read(name, content), pd.DataFrame(FULL))


@pytest.mark.parametrize("suffix", [".parquet", ".pq"])
def test_parquet(suffix, tmp_path):
    pytest.importorskip("pyarrow")
    frame, path = pd.DataFrame(FULL), tmp_path / f"a{suffix}"
    for index in (pd.RangeIndex(3), "user_id", pd.Index([7, 5, 6])):
        frame.set_index(index).to_parquet(path)
        pd.testing.assert_frame_equal(read_interactions(path), frame)
        pd.testing.assert_frame_equal(read_interactions(str(path)), frame)


def test_names_by_position(read):
    assert list(read("a.dat", b"1::2\n")) == ["user_id", "item_id"]
    timed = read("a.dat", b"1::2::1600000000\n")
    assert list(timed) == ["user_id", "item_id", "timestamp"]
    assert list(read("a.dat", b"1::2::3::1600000000\n")) == list(FULL)


TEXTS = "9223372036854775808 18446744073709551616 007 +5 -0 1_000 5.0 1e3 ٣ NA nan null"
TEXTS += " None N/A True José e\u0301 🎬 =1+1 ../../x #x '"


@pytest.mark.parametrize("name", ["a.csv", "a.dat"])
@pytest.mark.parametrize("value", [*TEXTS.split(), " 5", "9" * 5000])
@pytest.mark.usefixtures("storage")
def test_a_column_with_anything_but_plain_integers_stays_text(name, value, read):
    sep = "," if name == "a.csv" else "::"
    content = f"{value}{sep}7\n6{sep}7\n".encode()
    frame = read(name, content, columns=["user_id", "item_id"], header=False)
    assert frame["user_id"].to_list() == [value, "6"]
    text = pd.Series(["a"]).dtype  # object before pandas 3
    assert (frame["user_id"].dtype, frame["item_id"].dtype) == (text, np.int64)


def test_blanks_in_a_last_column_and_order_of_keys_are_free(read):
    frame = read("a.csv", b"user_id,item_id,note\n1,2,\n3,4,x\n")
    assert frame["note"].to_list() == ["", "x"]
    frame = read("a.jsonl", b'{"user_id":1,"item_id":2}\n{"item_id":4,"user_id":3}')
    assert frame.to_dict("list") == {"user_id": [1, 3], "item_id": [2, 4]}


def test_integers_of_any_column_are_read_exactly(read):
    frame = read("a.csv", b"who,what\n007,9007199254740993\n8,9\n-2,0\n")
    assert frame["who"].to_list() == ["007", "8", "-2"]
    assert frame["what"].to_list() == [9007199254740993, 9, 0]
    frame = read("a.csv", IDS + b"-2,9223372036854775807\n0,1234567890123456789\n")
    assert frame["user_id"].to_list() == [-2, 0]
    assert frame["item_id"].to_list() == [2**63 - 1, 1234567890123456789]


def test_quotation_marks_have_a_meaning_in_csv_only(read):
    frame = read("a.csv", IDS + b'"a,b",1\n"say ""x""",2\n"two\nlines",3\n')
    assert frame["user_id"].to_list() == ["a,b", 'say "x"', "two\nlines"]
    assert read("a.dat", b'"a::1\n')["user_id"].to_list() == ['"a']
    assert read("a.csv", b'x||y\n"a||1\n', sep="||")["x"].to_list() == ['"a']


def test_names_and_headers_can_be_given(read):
    names = ["item_id", "user_id", "stars"]
    frame = read("a.data", b"5\t1\t9\n6\t2\t8\n", columns=names)
    assert frame.iloc[0].to_dict() == {"item_id": 5, "user_id": 1, "stars": 9}
    content = b"userId,movieId\n1,2\n"
    assert list(read("a.csv", content)) == ["userId", "movieId"]
    names = {"userId": "user_id", "movieId": "item_id"}
    assert list(read("a.csv", content, columns=names)) == ["user_id", "item_id"]
    named = read("a.csv", content, columns=["user_id", "item_id"], header=True)
    assert named.to_dict("list") == {"user_id": [1], "item_id": [2]}
    assert list(read("a.dat", b"1::2\n", columns={"item_id": "x"})) == ["user_id", "x"]
    assert list(read("a.jsonl", b'{"a":1,"b":2}', columns=["b", "a"])) == ["b", "a"]
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
    if encoding == "utf-8-sig":  # a byte order mark is accepted in any case
        assert read("a.csv", content).equals(frame)
        assert list(read("a.json", codecs.BOM_UTF8 + JSON_LINES)) == list(FULL)


def test_other_encodings_are_named_in_the_error(refuse):
    text = "user_id,item_id\n1,2\nJosé,1\n"
    refuse("a.csv", text.encode("latin-1"), "line 3", "encoding='latin-1'")
    names = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
    for encoding in names:
        refuse("a.csv", text.encode(encoding), f"encoding={encoding!r}")
    refuse("a.jsonl", '{"user_id":"é"}'.encode("latin-1"), "line 1", "encoding=")


@pytest.mark.parametrize(
    ("first", "second", "dtype", "expected"),
    [
        ("12", "10", "int64", 12),
        ("12.5", "10", "float64", 12.5),
        ("1e9", "10", "float64", 1e9),
        ("2020-01-02", "2020-01-01", "datetime64", "2020-01-02"),
        ("2020-01-02T03:04:05", "2020-01-01 10:00", "datetime64", "2020-01-02T03:04"),
        ("2020-01-02T03:04:05.6Z", "2020-07-01T00:00+02:00", "UTC", "2020-01-02T03:04"),
        ("2020-01-01T00:00+01:00", "2020-07-01T00:00Z", "UTC", "2019-12-31T23:00"),
        ("2020-07-01T00:00+02:00", "2020-07-01T00:00Z", "UTC", "2020-06-30T22:00"),
    ],
)
@pytest.mark.usefixtures("storage")
def test_timestamps(first, second, dtype, expected, read):
    content = TIMED + f"1,2,{first}\n1,2,{second}\n".encode()
    times = read("a.csv", content)["timestamp"]
    assert dtype in str(times.dtype)
    if isinstance(expected, str):
        assert times[0].isoformat().startswith(expected)
    else:
        assert times[0] == expected


NO_TIMES = "soon now today nan inf NaT 2020-13-01 2020-01-01 0x1"


@pytest.mark.parametrize("value", ["", *NO_TIMES.split()])
@pytest.mark.usefixtures("storage")
def test_invalid_time_among_numbers(value, refuse):
    content = TIMED + f"1,2,3\n1,2,{value}\n1,2,{value}\n".encode()
    refuse("a.csv", content, "line 3", "'timestamp'", repr(value), "2 such row(s)")


@pytest.mark.parametrize("value", ["3", "now", "2020-01-01T00:00:00Z", "2020-02-30"])
def test_invalid_time_among_dates(value, refuse):
    content = TIMED + f"1,2,2020-01-01\n1,2,{value}\n".encode()
    refuse("a.csv", content, "line 3", repr(value), "ISO 8601", "UTC")


@pytest.mark.parametrize("value", ["", "good", "NA", "nan", "inf", "4,5"])
def test_invalid_rating(value, refuse):
    content = f'user_id,item_id,rating\n1,2,3\n1,2,"{value}"\n'.encode()
    refuse("a.csv", content, "line 3", "'rating'", repr(value), "finite number")


@pytest.mark.parametrize("blank", ["", " ", '""', "\t"])
@pytest.mark.parametrize("row", ["{},7", "7,{}"])
@pytest.mark.usefixtures("storage")
def test_blank_ids(blank, row, refuse):
    name = "user_id" if row[0] == "{" else "item_id"
    content = IDS + f"1,2\n\n{row.format(blank)}\n3,4\n".encode()
    refuse("a.csv", content, "line 4", repr(name), "blank", "1 such row(s)")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (IDS + b"1,2,3\n4,5,6\n", ["line 2", "3 field(s)", "2"]),
        (IDS + b"1,2\n4,5,6\n", ["line 3", "3 field(s)"]),
        (IDS + b"1,2\n4\n5,6\n", ["line 3", "1 field(s)"]),
        (IDS + b'"x\ny",1\r\n\r\n"two\nlines",\r\n', ["line 5", "'item_id'"]),
        (IDS + b'1,"2\n3,4\n', ["line 2", "quotation mark"]),
        (IDS + b'1,"' + b"2\n" * 100_000, ["line 2", "quotation mark"]),
        (IDS + b'1,2\n"3"x,4,5\n', ["line 3"]),
        (IDS + b"1,2\n3,\x004\n", ["line 3", "NUL"]),
        (IDS, ["line 1", "no row"]),
        (b"a,b\n", ["line 1", "no row"]),
        (IDS + b"\n  \n", ["no row"]),
        (b"", ["line 1", "empty"]),
        (codecs.BOM_UTF8, ["line 1", "empty"]),
        (b'""\n', ["line 1", "1 column"]),
        (IDS + b"1,2\r3,4\r", ["line 2", "carriage return"]),
        (b"1,2\n3,4\n", ["line 1", "header=False"]),
        (b"item_id,item_id\n1,2\n", ["'item_id', 'item_id'", "columns="]),
        (b"user_id;item_id\n1;2\n", ["1 column", "sep=';'"]),
        (b"user_id\titem_id\n1\t2\n", [r"sep='\t'"]),
        (b"user_id::item_id\n1::2\n", ["sep='::'"]),
    ],
)
def test_damaged_text(content, parts, refuse):
    refuse("a.csv", content, *parts)


def test_header_taken_for_a_record(refuse, read):
    refuse("a.dat", b"user::item\n1::2\n", "line 1", "'user'", "header=True")
    refuse("a.csv", IDS + b"1,2\n", "line 1", "header=True", columns=["u", "i"])
    assert len(read("a.dat", b"NA::2\n1::2\n", header=False)) == 2


def test_columns_that_do_not_fit(refuse):
    refuse("a.data", b"1\t2\t3\t4\t5\n", "5 columns", "columns=")
    refuse("a.data", b"1\t2\t3\n", "3 column", columns=["user_id", "item_id"])
    refuse("a.csv", IDS + b"1,2\n", "['x']", columns={"x": "item_id"})
    refuse("a.csv", IDS + b"1,2\n", "item_id", columns={"user_id": "item_id"})


def test_damaged_gzip(refuse):
    content = gzip.compress(IDS + b"1,2\n" * 1000)
    for cut in (1, 5, 11, 25, -8, -1):
        refuse("a.csv.gz", content[:cut], "gzip")
    refuse("a.csv.gz", content[:20] + bytes(10) + content[30:], "gzip")
    refuse("a.csv.gz", IDS + b"1,2\n", "gzip", "remove .gz")


GOOD = '{"user_id": 1, "item_id": "a", "timestamp": 1}\n'


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ('{"user_id": 2, "item_id": "b", "timestamp": NaN}', "NaN is not JSON"),
        ('{"user_id": 2, "item_id": "b", "timestamp": 1e999}', "'timestamp'"),
        ('{"user_id": 2, "user_id": 3, "item_id": "b"}', "twice"),
        ("[" * 100_000, "recursion"),
        ('{"user_id": 2, "item_id": "b"}', "no key 'timestamp'"),
        ('{"user_id": null, "item_id": "b", "timestamp": 1}', "None"),
        ('{"user_id": true, "item_id": "b", "timestamp": 1}', "True"),
        ('{"user_id": 2.5, "item_id": "b", "timestamp": 1}', "'user_id'"),
        ('{"user_id": "2", "item_id": "b", "timestamp": 1}', "'2'"),
        ('{"user_id": 2, "item_id": "", "timestamp": 1}', "blank"),
        ('{"user_id": 2, "item_id": 3, "timestamp": 1}', "'item_id'"),
        ('{"user_id": 2, "item_id": "\\ud800", "timestamp": 1}', "surrogate"),
        ('{"user_id": 2, "item_id": "b", "timestamp": null}', "'timestamp'"),
        ('{"user_id": 2, "item_id": "b", "timestamp": true}', "'timestamp'"),
        ('{"user_id": ' + "1" * 5000 + ', "item_id": "b", "timestamp": 1}', "digits"),
        ('{"user_id": 2, "item_id": "b"', "line 3"),
        ("[1, 2]", "one JSON object"),
        ("user_id,item_id", "one JSON object"),
    ],
)
def test_damaged_json_lines(line, part, refuse):
    content = (GOOD + "\n" + line + "\n" + GOOD.replace("1", "4", 1)).encode()
    refuse("a.jsonl", content, "line 3", part)


@pytest.mark.usefixtures("storage")
def test_json_lines_keep_ids_exactly(read):
    large, texts = [9007199254740993, 2**63 - 1, 2**63 - 2], ["007", "NA", "a\u2028b"]
    for ensure_ascii in (True, False):
        rows = [
            json.dumps({"user_id": user, "item_id": item}, ensure_ascii=ensure_ascii)
            for user, item in zip(large, texts, strict=True)
        ]
        frame = read("a.jsonl", "\n".join(rows).encode())
        assert frame.to_dict("list") == {"user_id": large, "item_id": texts}
    frame = read("a.jsonl", b'{"user_id": 18446744073709551616, "item_id": "5"}')
    assert frame.to_dict("list") == {"user_id": [str(2**64)], "item_id": ["5"]}


@pytest.fixture
def refuse_parquet(tmp_path, refuse):
    """Expect an error for a frame written as Parquet."""
    pytest.importorskip("pyarrow")

    def refuse_parquet(columns, *parts):
        pd.DataFrame(columns).to_parquet(tmp_path / "written")
        refuse("a.parquet", (tmp_path / "written").read_bytes(), *parts)

    return refuse_parquet


ID_NAMES, NUMBER_NAMES = ("user_id", "item_id"), ("timestamp", "rating")


@pytest.mark.parametrize(
    ("names", "values", "row"),
    [
        (ID_NAMES, [1, 2.5], "row 0"),
        (ID_NAMES, [1, None], "row 1"),
        (ID_NAMES, ["a", None], "row 1"),
        (ID_NAMES, pd.Categorical(["a", None]), "row 1"),
        (ID_NAMES, [b"a", b"b"], "row 0"),
        (ID_NAMES, [[1], [2]], "row 0"),
        (ID_NAMES, [True, False], "row 0"),
        (ID_NAMES, pd.to_datetime(["2020-01-01", "2020-01-02"]), "row 0"),
        (ID_NAMES, ["a", " "], "row 1"),
        (NUMBER_NAMES, [1.0, np.inf], "row 1"),
        (NUMBER_NAMES, [1.0, np.nan], "row 1"),
        (NUMBER_NAMES, pd.array([1, None], dtype="Int64"), "row 1"),
        (NUMBER_NAMES, ["1", "x"], "row 1"),
        (NUMBER_NAMES, ["1", None], "row 1"),
        (NUMBER_NAMES, [True, False], "row 0"),
        (NUMBER_NAMES, pd.to_timedelta([1, 2], unit="s"), "row 0"),
        (["timestamp"], pd.to_datetime(["2020-01-01", None]), "row 1"),
    ],
)
def test_parquet_with_unusable_values(names, values, row, refuse_parquet):
    for name in names:
        columns = {"user_id": [1, 2], "item_id": [1, 2]} | {name: values}
        refuse_parquet(columns, row, repr(name))


def test_parquet_with_too_little(refuse_parquet):
    refuse_parquet({"user_id": [], "item_id": []}, "no rows")
    refuse_parquet({"item_id": [1]}, "at least 2")


def test_parquet_types_that_are_read(tmp_path):
    pytest.importorskip("pyarrow")
    dates = pd.to_datetime(["2020-01-02", "2020-01-01"])
    frame = pd.DataFrame(
        {
            "user_id": pd.Categorical(["b", "a"]),
            "item_id": np.array([2**64 - 1, 1], dtype=np.uint64),
            "rating": pd.array([5, 4], dtype="Int64"),
        }
    )
    texts, aware = dates.strftime("%Y-%m-%d"), dates.tz_localize("UTC")
    for times in (dates, dates.date, texts, aware):
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
    changed = content[:-60] + b"\xff" * 10 + content[-50:]
    half = content[: len(content) // 2]
    for damaged in (content[:-1], half, content[4:], changed, b"", b"x"):
        refuse("a.parquet", damaged, "Parquet")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(
        ImportError, match=r"pip install 'sklearn-attrec-core\[parquet\]'"
    ):
        read_interactions(tmp_path / "a.parquet")


def test_missing_path_and_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.csv"):
        read_interactions(tmp_path / "a.csv")
    (tmp_path / "a.parquet").mkdir()
    with pytest.raises(OSError, match=r"a\.parquet"):
        read_interactions(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sep": ""}, "'sep'"),
        ({"sep": "\n"}, "'sep'"),
        ({"sep": 1}, "'sep'"),
        ({"header": 0}, "'header'.*'infer'.*True or False.*0"),
        ({"columns": "user_id"}, "'columns'"),
        ({"columns": ["a", "a"]}, "'columns'.*different"),
        ({"columns": [0, 1]}, "'columns'"),
        ({"columns": {"a": 1}}, "'columns'"),
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
        read("a.log", b"1 2")


def test_long_values_are_cut_in_messages(read):
    content = TIMED + b"1,2,3\n1,2," + b"x" * 10_000 + b"\n"
    with pytest.raises(InteractionsError) as raised:
        read("a.csv", content)
    assert "x" * 70 in str(raised.value)
    assert len(str(raised.value)) < 500
