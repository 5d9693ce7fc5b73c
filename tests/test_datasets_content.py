"""Files whose contents contradict their names are refused with the call that works."""

import bz2
import csv
import gzip
import io
import json
import lzma
import pathlib
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklearn_attrec.datasets import read_interactions
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Write a file under a name and read it."""
    monkeypatch.chdir(tmp_path)

    def read(name, content, **options):
        raw = content.encode() if isinstance(content, str) else content
        Path(name).write_bytes(raw)
        return read_interactions(name, **options)

    return read


def rows(frame):
    return [*frame.itertuples(index=False, name=None)]


def assert_advised(read, name, content, found, advice, expected, **options):
    """Expect an error with some text and advice, and that following it works."""
    with pytest.raises(InteractionsError) as raised:
        read(name, content, **options)
    for part in (name, found, advice):
        assert part in str(raised.value)
    options |= eval(f"dict({advice})")  # noqa: S307
    assert rows(read(name, content, **options)) == expected


TITLES = 'user_id\titem_id\tn\nu\t"Blue\t1\nv\tRed\t2\nw\tThe Sky"\t3\nx\tSea\t4\n'
TITLE_ROWS = [("u", '"Blue', 1), ("v", "Red", 2), ("w", 'The Sky"', 3), ("x", "Sea", 4)]
FIRST = [("a", "b"), ("c", "d"), ("a", "e")]
LONG = "x" * 200_000
TIMED = ["user_id", "item_id", "timestamp"]


# name, content, text of the error, advice in the error, rows after following it
SEPARATORS = [
    ("a.txt", "1, 2\n1, 3\n", "'1, 2'", "sep=', '", [(1, 2), (1, 3)]),
    ("a.txt", "1,a b\n2,c\n", "'1,a b'", "sep=','", [(1, "a b"), (2, "c")]),
    ("a.txt", "1\ta b\n2\tc d\n", "a b", r"sep='\t'", [(1, "a b"), (2, "c d")]),
    ("a.txt", "u;a b\nv;c d\n", "u;a b", "sep=';'", [("u", "a b"), ("v", "c d")]),
    ("a.dat", "1,2\n3,4\n", "1 column", "sep=','", [(1, 2), (3, 4)]),
    ("a.tsv", "u,i\n1,2\n", "1 column", "sep=','", [(1, 2)]),
    ("a.csv", "u;i\n1,5;2\n", "1 column", "sep=';'", [("1,5", 2)]),
    ("a.csv", "u;i;t,s\n1;2;3,5\n", "u;i;t,s", "sep=';'", [(1, 2, "3,5")]),
    ("a.csv", 'u, i\n"a", "b"\n', "'u, i'", "sep=', ', quotes=True", [("a", "b")]),
]
HEADERS = [
    (
        *("a.csv", "anna,B1,5.0,1700000000\nbert,B2,3.0,1700000001\n", "'5.0'"),
        "header=False",
        [("anna", "B1", 5.0, 1700000000), ("bert", "B2", 3.0, 1700000001)],
    ),
    ("a.csv", "u,7\nv,8\n", "'7'", "header=False", [("u", 7), ("v", 8)]),
    ("a.csv", "u,-1e3\nv,8\n", "'-1e3'", "header=True", [("v", 8)]),
    (
        *("a.csv", "u,2020-01-01,i\n", "'2020-01-01'"),
        "columns=['user_id', 'timestamp', 'item_id']",
        [("u", pd.Timestamp("2020-01-01"), "i")],
    ),
    ("a.tsv", "a\t.5\nb\t1\n", "'.5'", "header=False", [("a", ".5"), ("b", "1")]),
    ("a.csv", "a,b\nc,d\na,e\n", "line 3", "header=False", FIRST),
    *(
        (
            "a.csv",
            f"u,{value}\nv,x\n",
            value,
            "header=False",
            [("u", value), ("v", "x")],
        )
        for value in ("05/01/2014", "Jan 5 2014", "2014年1月5日", "10:20 PM")
        + ("$3.50", "2.5 €", "42%", "True")
    ),
    (
        *("a.csv", "item_id,item_id\ni,u\n", "unique"),
        *("columns=['item_id', 'item_id_2'], header=True", [("i", "u")]),
    ),
]
QUOTES = [
    ("a.tsv", TITLES, "line 2", "quotes=False", TITLE_ROWS),
    ("a.csv", TITLES.replace("\t", ","), "line 2", "quotes=False", TITLE_ROWS),
    ("a.tsv", 'u\ti\na\t"B" C\n', "line 2", "quotes=False", [("a", '"B" C')]),
    ("a.tsv", 'u\ti\n1\tx\n2\t"B\n', "line 3", "quotes=False", [(1, "x"), (2, '"B')]),
    ("a.tsv", 'u\ti\tn\na\t"B\t1"\n', "line 2", "quotes=False", [("a", '"B', '1"')]),
    ("a.txt", '1 "a b"\n2 "c"\n', "line 2", "quotes=True", [(1, "a b"), (2, "c")]),
    ("a.txt", '1 "a\rb"\n', "carriage return", "quotes=True", [(1, "a\rb")]),
    (
        *(
            "a.tsv",
            'user_id\titem_id\tn\nu\t"B\t1\nv\t\tw\tx\nw\tS"\t3\n',
            "2 of these",
        ),
        *("quotes=True", [("u", "B\t1\nv\t\tw\tx\nw\tS", 3)]),
    ),
]
COLUMNS = [
    *(
        (
            *("a.txt", f"1 10 {third}\n", f"[{third}]"),
            *(f"columns=['user_id', 'item_id', '{name}']", [(1, 10, third)]),
        )
        for third, name in ((4, "rating"), (153, "count"), (2, "timestamp"))
    ),
    (
        *("a.dat", "1::10::2::7\n", "column 4"),
        "columns=['user_id', 'item_id', 'rating', 'timestamp']",
        [(1, 10, 2, 7)],
    ),
    (
        *("a.txt", "1 1600000000 7\n", "column 3"),
        "columns=['user_id', 'timestamp', 'item_id']",
        [(1, 1600000000, 7)],
    ),
    (
        *("a.data", "1\t2014-04-07T10:51:09.277Z\t21\t0\n", "'item_id'"),
        "columns=['user_id', 'timestamp', 'item_id', 'rating']",
        [(1, pd.Timestamp("2014-04-07T10:51:09.277Z"), 21, 0)],
    ),
    (
        *("a.txt", "2014-04-07 u i\n", "'user_id'"),
        "columns=['timestamp', 'user_id', 'item_id']",
        [(pd.Timestamp("2014-04-07"), "u", "i")],
    ),
    (
        *("a.data", "0912345678\tB1\t7\n", "[7]"),
        *("columns=['user_id', 'item_id', 'rating']", [("0912345678", "B1", 7)]),
    ),
    (
        *("a.txt", "1 20140105 7\n", "[7]"),
        *("columns=['user_id', 'timestamp', 'item_id']", [(1, 20140105, 7)]),
    ),
    (
        *("a.txt", "1600000000 1700000000 7\n", "[7]"),
        *("columns=['user_id', 'timestamp', 'item_id']", [(1600000000, 1700000000, 7)]),
    ),
    (
        *("a.txt", "1 2 view\n", "'view'"),
        "columns=['user_id', 'item_id', 'column_3']",
        [(1, 2, "view")],
    ),
]
HISTORIES = [
    ("a.txt", text, part, "layout='histories'", expected)
    for text, part, expected in [
        ("1 2 3\n4 5\n", "line 2", [(1, 2), (1, 3), (4, 5)]),
        ("1 2\n4 5 6\n", "line 2", [(1, 2), (4, 5), (4, 6)]),
        ("1 2 3\n4 5 6\n", "column 3", [(1, 2), (1, 3), (4, 5), (4, 6)]),
        ("1 2 3 4\n", "column 4", [(1, 2), (1, 3), (1, 4)]),
        ("u a b c d\n", "5 columns", [("u", item) for item in "abcd"]),
    ]
]


@pytest.mark.parametrize(
    ("name", "content", "found", "advice", "expected"),
    [*SEPARATORS, *HEADERS, *QUOTES, *COLUMNS, *HISTORIES],
)
def test_refused_with_the_call_that_works(read, name, content, found, advice, expected):
    assert_advised(read, name, content, found, advice, expected)


NAMES = {"columns": ["user_id", "item_id"]}
USERS = {"layout": "histories"}
ABC = {"columns": ["user_id", "item_id", "n"]}


@pytest.mark.parametrize(
    ("name", "text", "expected", "options"),
    [
        ("a.csv", "user_id,item_id\nu,i\n", [("u", "i")], NAMES),
        ("a.csv", "item_id,user_id\ni,u\n", [("u", "i")], NAMES),
        ("a.csv", "user_id,item_id,n\nu,i,x\n", [("u", "i")], NAMES),
        ("a.csv", "who,what\nu,i\n", [("u", "i")], {"columns": ["who", "what"]}),
        ("a.dat", "who::what\nu::i\n", [("u", "i")], {"columns": {"who": "user_id"}}),
        ("a.dat", "userId::movieId\nu::i\n", [("u", "i")], {}),
        ("a.txt", "timestamp i\n2 i\n", [(2, "i")], {}),
        ("a.txt", "user item_id\nu i j\n", [("u", "i"), ("u", "j")], USERS),
        *(
            ("a.csv", f"a,b,c\nu,i,{value}\n", [("u", "i", value)], ABC)
            for value in ("2.5", "2020-01-01", "05/13/2014", "$2", "10:20")
        ),
        ("a.csv", "# u,i\nu,i\n", [("u", "i")], {}),
        ("a.txt", "users items\n1 2 3\n", [(1, 2), (1, 3)], USERS),
    ],
)
def test_headers_where_none_is_expected(read, name, text, expected, options):
    advised = (name, text, "line 1", "header=True", expected)
    assert_advised(read, *advised, **options)


def test_header_refused_by_the_caller(read):
    advised = ("a.csv", "a,b,c\n1,2,3\n", "2 names", "header=True", [(1, 2)])
    assert_advised(read, *advised, columns=["a", "b"], header=False)


def test_the_limit_of_csv_is_restored(read):
    limit = csv.field_size_limit()
    read("a.csv", f'user_id,item_id,n\n1,2,"{LONG}"\n2,3,\n')
    with pytest.raises(InteractionsError, match="line 3.*blank"):
        read("a.csv", f"user_id,item_id\n{LONG},1\n2,\n")
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("sep", [",", ";", "|", "::", "->"])
@pytest.mark.parametrize("options", [{}, USERS])
def test_spaces_after_a_given_separator(read, sep, options):
    text = "a, b\nc, d\n".replace(",", sep)
    advised = ("a.txt", text, f"'a{sep} b'", f"sep='{sep} '", FIRST[:2])
    assert_advised(read, *advised, sep=sep, **options)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "a.csv",
            "user_id,item_id,g\n1,2,a|b\n2,3,c|d\n",
            [(1, 2, "a|b"), (2, 3, "c|d")],
        ),
        (
            "a.csv",
            'user_id,item_id\n1,"x, y"\n2,"a\n\nb"\n',
            [(1, "x, y"), (2, "a\n\nb")],
        ),
        ("a.csv", 'user_id,item_id\n1,5" pipe\n2,x\n', [(1, '5" pipe'), (2, "x")]),
        ("a.csv", b'user_id,item_id\r\n1,"a\rb"\r\n2,c\r\n', [(1, "a\rb"), (2, "c")]),
        ("a.csv", b"user_id,item_id\r1,2\r3,4\r", [(1, 2), (3, 4)]),
        ("a.tsv", 'user_id\titem_id\n1\t"a\tb"\n', [(1, "a\tb")]),
        ("a.tsv", 'u\ti\tn\n1\t2\t"a\nb\tc"\n', [(1, 2, "a\nb\tc")]),
        (
            "a.tsv",
            "user_id\titem_id\n1\ta,b,c\n2\td,e,f\n",
            [(1, "a,b,c"), (2, "d,e,f")],
        ),
        ("a.csv", ",user_id,item_id\n0,1,2\n", [(0, 1, 2)]),
        ("a.csv", "user_id,item_id,2020,n\n1,2,3,n\n", [(1, 2, 3, "n")]),
        (
            "a.csv",
            f'user_id,item_id,n\n1,2,"{LONG}"\n2,3,\n',
            [(1, 2, LONG), (2, 3, "")],
        ),
        ("a.txt", "u a,b 1600000000\n", [("u", "a,b", 1600000000)]),
        ("a.txt", "20200101 20200102\n", [(20200101, 20200102)]),
        ("a.csv", "%pdf-1,user_id\n1,2\n", [(1, 2)]),
        ("a.csv", 'user_id,item_id\n1,"a, b"\n2,c\n', [(1, "a, b"), (2, "c")]),
        ("a.dat", "0912345678::i::1700000000\n", [("0912345678", "i", 1700000000)]),
        ("a.dat", "1::0000031887::1600000000000\n", [(1, "0000031887", 1600000000000)]),
    ],
)
def test_innocent_files_are_read(read, name, content, expected):
    assert rows(read(name, content)) == expected


def test_a_list_of_names_never_swaps_columns(read):
    text, names = "item_id,user_id,n\n1,2,3\n", ["user_id", "item_id"]
    assert rows(read("a.csv", text, columns=names, header=True)) == [(2, 1)]
    with pytest.raises(InteractionsError, match="'user_id', 'item_id'.*a dict"):
        read("a.csv", text, columns=[*names, "rating"], header=True)
    with pytest.raises(InteractionsError, match="line 3 repeats the header. Remove"):
        read("a.csv", "user_id,item_id\n1,2\nuser_id,item_id\n3,4\n")


SEVEN = [(1, 10), (1, 11), (2, 12)]
PAIR = [(1, "a"), (2, "b")]
NUL = "user_id,item_id\n1,\x002\n"


# text, options, the line that the error names, rows after the file is rewritten
@pytest.mark.parametrize(
    ("text", "options", "line", "expected"),
    [
        ("user_id,item_id\n1,2\r3,4\n", {}, "line 2", [(1, 2), (3, 4)]),
        (NUL, {}, "line 2", [(1, 2)]),
        ("5,6\n1,2\r3,4\n", USERS, "line 2", [(5, 6), (1, 2), (3, 4)]),
        ('5,6\n1,"2"\n', USERS, "line 2", [(5, 6), (1, 2)]),
        ('1,"10,11"\n2,"12"\n', USERS, "line 1", SEVEN),
        ("1,[10, 11]\n2,[12]\n", USERS, "line 1", SEVEN),
        ('1,"[10, 11]"\n2,"[12]"\n', USERS, "line 1", SEVEN),
        ("1, 10, 11\n2,12\n", USERS, "line 2", SEVEN),
        ("2, 12\n1, 10,11\n", USERS, "line 2", [SEVEN[2], *SEVEN[:2]]),
        ("user_id,item_id\n1, a\n2, b\n", {}, "below the first", PAIR),
        ('user_id,item_id\n1, "a"\n2, "b"\n', {}, "'1, \"a\"'", PAIR),
        ("user_id;item_id\n1; a\n2; b\n", {"sep": ";"}, "'1; a'", PAIR),
        ('"user_id,item_id"\r\n"1,a"\r\n"2,b"\r\n', {}, "line 1", PAIR),
        ('"user_id,item_id"\n"1,""a"""\n"2,b"\n', {}, "line 1", PAIR),
        ("sep=,\nuser_id,item_id\n1,a\n2,b\n", {}, "line 1", PAIR),
        ("# about, this\nuser_id,item_id\n1,a\n2,b\n", {}, "line 1", PAIR),
        ("#\n# x\nuser_id,item_id\n1,a\n2,b\n", {}, "line 1", PAIR),
        ("%% x\nuser_id,item_id\n1,a\n2,b\n", {}, "line 1", PAIR),
    ],
)
def test_files_to_rewrite(read, text, options, line, expected):
    with pytest.raises(InteractionsError, match=line) as raised:
        read("a.csv", text, **options)
    code = re.search(r"(path = .*?)(?:[;,] or|\. If|\. Then|\.$)", str(raised.value))[1]
    exec(code, {"pathlib": pathlib, "re": re})  # noqa: S102
    assert rows(read_interactions("a.csv", **options)) == expected


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.data"])
@pytest.mark.parametrize("options", [{}, USERS, {"sep": ","}])
@pytest.mark.parametrize(
    "text", ['{"user_id": 1, "item_id": 2}\n', '[\n{"user_id": 1}]']
)
def test_json_under_another_name(read, name, options, text):
    with pytest.raises(InteractionsError, match="JSON. Rename the file to 'a.jsonl'"):
        read(name, text, **options)
    with pytest.raises(InteractionsError, match="JSON. Omit sep="):
        read("a.jsonl", text, sep=",")


# -- Histories ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "1 2 3 \n4 2\n",
        "1 2 3\r4 2\r",
        "1\t2\t3\r\n\r\n4\t2",
        "1,2,3\n4,2\n",
        "1, 2, 3\n4, 2\n",
    ],
)
def test_histories_keep_the_order_of_the_items(read, text):
    frame = read("a.txt", text, layout="histories")
    assert (list(frame), rows(frame)) == (TIMED[:2], [(1, 2), (1, 3), (4, 2)])
    assert rows(
        read("a.csv", "u;i\n1;2;3\n", layout="histories", sep=";", header=True)
    ) == [
        (1, 2),
        (1, 3),
    ]


@pytest.mark.parametrize("sep", ["\t", ",", ", "])
@pytest.mark.parametrize("text", ["u;i;", "u;i;;j", ";i;j", "u;", "u"])
def test_blank_ids_of_histories(read, sep, text):
    text = f"v;i;j\n{text}\nw;j\n".replace(";", sep)
    with pytest.raises(InteractionsError, match="line 2.*blank.*drop_blank_ids=True"):
        read("a.txt", text, **USERS)
    with pytest.warns(UserWarning, match="line 2"):
        found = rows(read("a.txt", text, **USERS, drop_blank_ids=True))
    assert (found[:2], found[-1]) == ([("v", "i"), ("v", "j")], ("w", "j"))
    assert {user for user, _ in found[2:-1]} <= {"u"}


def test_histories_that_are_unclear(read):
    advised = ("1 2 3\n4\n", "line 2", "drop_blank_ids=True", [(1, 2), (1, 3)])
    with pytest.warns(UserWarning, match="line 2.* 1 of 3 "):
        assert_advised(read, "a.txt", *advised, **USERS)
    with pytest.raises(InteractionsError, match=r"'\\t' and ' '.*replace") as raised:
        read("a.txt", "1\t2 3\n4\t5 6\n", **USERS)
    assert "sep='\\t'" in str(raised.value)
    with pytest.raises(InteractionsError, match="one separator.*sep="):
        read("a.txt", "1;2;3\n", **USERS)
    for text in ("1\t2\t3\t881250949\n", "1,2,2014-01-05\n1,3,2014-01-06\n"):
        with pytest.raises(InteractionsError, match=r"line 1.*time.*Omit layout="):
            read("u.data", text, **USERS)
    assert len(read("a.txt", "1 1600000000 1700000000\n", **USERS)) == 2
    assert rows(read("a.csv", '1,"a"\n', **USERS, quotes=False)) == [(1, '"a"')]
    with pytest.raises(InteractionsError, match="named columns"):
        read("a.json", "{}", **USERS)
    for options in ({"columns": ["a", "b"]}, {"time_format": "%Y"}, {"quotes": True}):
        with pytest.raises(InvalidParameterError, match=f"omit.*{[*options][0]}"):
            read("a.txt", "1 2\n", **USERS, **options)


# -- JSON --------------------------------------------------------------------------

REVIEWS = [
    {"user_id": "u", "asin": "a", "timestamp": 5, "vote": 1},
    {"asin": "b", "timestamp": 4, "user_id": "v", "image": [1]},
]
RENAMED = {"columns": {"asin": "item_id"}}


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(map(json.dumps, REVIEWS)),
        json.dumps(REVIEWS),
        json.dumps(REVIEWS, indent=2),
        " [\n" + ",\n".join(map(json.dumps, REVIEWS)) + "\n]\n",
    ],
)
def test_json_with_optional_keys(read, text):
    expected = [("u", "a", 5), ("v", "b", 4)]
    assert rows(read("a.json", text, **RENAMED)[TIMED]) == expected
    assert rows(read("a.json", text, columns=["user_id", "asin"])) == [
        ("u", "a"),
        ("v", "b"),
    ]
    assert list(read("a.json", text)) == [
        "user_id",
        "asin",
        "timestamp",
        "vote",
        "image",
    ]


@pytest.mark.parametrize(
    ("key", "options", "advice", "n_rows"),
    [
        ("asin", RENAMED, {"drop_blank_ids": True}, 1),
        ("user_id", RENAMED, {"drop_blank_ids": True}, 1),
        ("user_id", {}, {"drop_blank_ids": True}, 1),
        ("timestamp", {}, {"columns": ["user_id", "item_id"]}, 2),
        ("vote", {"columns": {"vote": "item_id"}}, {"drop_blank_ids": True}, 1),
    ],
)
@pytest.mark.filterwarnings("ignore:.*id is blank:UserWarning")
def test_json_without_a_needed_key(read, key, options, advice, n_rows):
    records = [dict(record) for record in REVIEWS]
    if "columns" in advice:
        records = [record | {"item_id": 1} for record in records]
    records[1].pop(key, None)
    text = "\n".join(map(json.dumps, records))
    with pytest.raises(InteractionsError, match=f"line 2.*no key '{key}'") as raised:
        read("a.jsonl", text, **options)
    assert all(f"{k}={v!r}" in str(raised.value) for k, v in advice.items())
    assert len(read("a.jsonl", text, **options | advice)) == n_rows


@pytest.mark.parametrize(
    ("record", "columns", "advice"),
    [
        ("u i", NAMES["columns"], "columns={'u': 'user_id', 'i': 'item_id'}"),
        ("user_id i", NAMES["columns"], "columns={'i': 'item_id'}"),
        ("item_id u n", {"uid": "user_id"}, "columns={'u': 'user_id'}"),
        ("user_id movie", RENAMED["columns"], "columns={'movie': 'item_id'}"),
        ("u item_id timestamp", NAMES["columns"], "columns={'u': 'user_id'}"),
    ],
)
def test_json_keys_that_no_record_has(read, record, columns, advice):
    record = dict.fromkeys(record.split(), 1)
    advised = ("a.jsonl", json.dumps(record), "Name the keys", advice)
    assert_advised(read, *advised, [tuple(record.values())], columns=columns)


JSON_NUMBERS = '{"user_id": 1, "item_id": 2, "rating": 3}\n{"user_id": 1, "item_id": 4}'
CSV_NUMBERS = "user_id,item_id,{}\n1,2,3\n1,4,\n"
IDS = ["user_id", "item_id"]


@pytest.mark.parametrize(
    ("name", "text", "advice", "options"),
    [
        ("a.jsonl", JSON_NUMBERS, "columns={'rating': 'other'}", {}),
        (
            *("a.jsonl", JSON_NUMBERS.replace("rating", "weight")),
            *("columns={'weight': 'other'}", {}),
        ),
        ("a.csv", CSV_NUMBERS.format("weight"), "columns={'weight': 'other'}", {}),
        (
            *("a.csv", CSV_NUMBERS.format("stars"), "columns={'stars': 'other'}"),
            {"columns": {"stars": "rating"}},
        ),
        (
            *("a.csv", "1,2,3\n1,4,\n", "columns=['user_id', 'item_id', 'other']"),
            {"columns": [*IDS, "rating"]},
        ),
    ],
)
def test_ratings_of_some_rows(read, name, text, advice, options):
    with pytest.raises(InteractionsError, match="line 2|line 3") as raised:
        read(name, text, **options)
    assert advice in str(raised.value)
    options |= eval(f"dict({advice})")  # noqa: S307
    frame = read(name, text, **options)
    assert rows(frame[IDS]) == [(1, 2), (1, 4)]
    assert "other" in frame


def test_json_key_that_the_first_record_lacks(read):
    text = '{"user_id": 1}\n{"user_id": 2, "asin": 3}'
    advised = ("a.jsonl", text, "line 1", "drop_blank_ids=True", [(2, 3)])
    with pytest.warns(UserWarning, match="line 1.* 1 of 2 "):
        assert_advised(read, *advised, **RENAMED)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[]", "line 1"),
        ('[{"user_id": 1},\n{"user_id": NaN}]', "line 2: NaN"),
        ('[{"user_id": 1}\n', "line 1: a comma or ']' is missing"),
        ('[{"user_id": 1},\n\n 7]', "line 3: it contains 7"),
        ('[{"user_id": 1}] x', "more text after"),
        ('{"data":\n[]}', "one array of objects"),
    ],
)
def test_damaged_json(read, text, match):
    with pytest.raises(InteractionsError, match=match):
        read("a.json", text)


# -- Compression and binary formats ------------------------------------------------

CSV = b"user_id,item_id\n1,2\n"


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return file.getvalue()


def zstandard(raw):
    pyarrow = pytest.importorskip("pyarrow")
    return pyarrow.compress(raw, codec="zstd", asbytes=True)


def written(suffix):
    pytest.importorskip("pyarrow")
    file = io.BytesIO()
    frame = pd.DataFrame({"user_id": [1], "item_id": [2]})
    (frame.to_parquet if suffix == ".parquet" else frame.to_feather)(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("suffix", "make"),
    [
        (".csv.gz", lambda: gzip.compress(CSV)),
        (".csv.bz2", lambda: bz2.compress(CSV)),
        (".csv.xz", lambda: lzma.compress(CSV)),
        (".csv.zip", lambda: zipped("ratings.csv", "__MACOSX/._ratings.csv")),
        (".zip", lambda: zipped("ml/", "ml/ratings.csv")),
        (".csv.zst", lambda: zstandard(CSV)),
        (".csv.gz", lambda: gzip.compress(gzip.compress(CSV))),
        (".csv.zip", lambda: zipped("ratings")),
        (".parquet", lambda: written(".parquet")),
        (".feather", lambda: written(".feather")),
        (".arrow", lambda: written(".feather")),
    ],
)
def test_binary_files_are_known_by_suffix_and_contents(read, suffix, make):
    raw = make()
    for name in (f"a{suffix}", "a.csv"):
        assert rows(read(name, raw)) == [(1, 2)]
    with pytest.raises((InteractionsError, UnicodeError)) as raised:
        read(f"a{suffix}", raw[:-9])
    assert "encoding" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "raw", "match"),
    [
        ("a.pkl", b"\x80\x04.", "pickle.*read_pickle"),
        ("a.csv", b"\x80\x05\x95.", "pickle.*trust"),
        ("a.csv", b"\x89HDF\r\n\x1a\n", "HDF5.*read_hdf"),
        ("a.db", b"SQLite format 3\0", "SQLite.*read_sql"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"old Excel.*\.xlsx"),
        ("a.rds", gzip.compress(b"X\n\0\0\0\3", mtime=0), r"an R file.*write\.csv"),
        (
            "a.tar.gz",
            gzip.compress(bytes(257) + b"ustar", mtime=0),
            "tar archive.*Unpack",
        ),
        ("a.csv", b"<!DOCTYPE html>", "web page.*Download"),
        ("a.csv", b"\n<html>", "web page"),
        ("a.csv", b"version https://git-lfs.github.com", "git lfs pull"),
        ("a.zip", zipped("a.csv", "b.csv"), r"2 files.*ZipFile\('a\.zip'\).extract"),
        ("a.csv.zip", CSV, "zip.*remove .zip"),
        ("a.csv.xz", CSV, "xz.*remove .xz"),
        ("a.csv.bz2", CSV, "bzip2.*remove .bz2"),
        ("a.csv", bytes(range(256)) * 9, "not text"),
        ("a.csv", b"404: Not Found", "error message of a web server.*Download"),
        ("a.csv", b"503 Service Unavailable\n", "error message of a web server"),
        ("a.csv", b'<?xml version="1.0"?>\n<a/>', "XML.*read_xml"),
        ("a.txt", b"<Error><Code>x, y</Code></Error>", "XML.*download"),
        ("a.zip", zipped("ratings"), "contains 'ratings'"),
    ],
)
def test_other_formats_are_named(read, name, raw, match):
    for options in ({}, {"sep": ","} if name.endswith(".csv") else {}):
        with pytest.raises(ValueError, match=match) as raised:
            read(name, raw, **options)
        assert "encoding=" not in str(raised.value)


def test_an_arrow_stream_is_named(read):
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"user_id": [1], "item_id": [2]})
    with pyarrow.ipc.new_stream(file := io.BytesIO(), table.schema) as writer:
        writer.write_table(table)
    for name in ("a.arrow", "a.csv"):
        with pytest.raises(InteractionsError, match="Arrow stream") as raised:
            read(name, file.getvalue())
        code = str(raised.value).split("Convert it: ")[1].rstrip(".")
        exec(f"import pathlib, pyarrow.feather; {code}", {"pyarrow": pyarrow})  # noqa: S102
        assert rows(read_interactions("interactions.feather")) == [(1, 2)]


IDS_FRAME = pd.DataFrame({"user_id": [1, 2], "item_id": [3, 4]})
DATES = pd.to_datetime(["2020-01-02", "2020-01-01"])


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
@pytest.mark.parametrize(
    ("index", "names"),
    [
        (pd.RangeIndex(2), []),
        (pd.Index([7, 5]), []),
        (DATES, ["index"]),
        (pd.Index(["a", "b"]), ["index"]),
        (pd.Index([0.5, 1.5]), ["index"]),
        (pd.MultiIndex.from_tuples([(1, 2), (3, 4)]), ["level_0", "level_1"]),
        (pd.Index([1, 2], name="user_id"), []),
    ],
)
def test_only_row_numbers_of_an_index_are_dropped(read, suffix, index, names):
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.Table.from_pandas(IDS_FRAME.set_index(index))
    file = io.BytesIO()
    if suffix == ".parquet":
        pytest.importorskip("pyarrow.parquet").write_table(table, file)
    else:
        with pyarrow.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    frame = read(f"a{suffix}", file.getvalue())
    assert list(frame) == [*names, *IDS_FRAME]
    assert rows(frame[[*IDS_FRAME]]) == [(1, 3), (2, 4)]


def test_an_index_and_a_column_of_one_name(read):
    pytest.importorskip("pyarrow")
    index = pd.Index([5, 6], name="user_id")
    IDS_FRAME.set_index(index).to_parquet(file := io.BytesIO())
    with pytest.raises(InteractionsError, match="both.*'user_id'.*reset_index"):
        read("a.parquet", file.getvalue())


def workbook(*sheets):
    file = io.BytesIO()
    with pd.ExcelWriter(file, engine="openpyxl") as writer:
        for number, sheet in enumerate(sheets):
            frame = pd.DataFrame(sheet)
            frame.to_excel(writer, sheet_name=f"S{number}", index=False, header=False)
    return file.getvalue()


RECORDS = [["anna", "B1"], ["bert", "B2"]]
NAMED = [["user_id", "item_id"], ["anna", "B1"]]


@pytest.mark.parametrize(
    ("sheets", "options", "expected"),
    [
        ([RECORDS], {"columns": ["user_id", "item_id"]}, [*map(tuple, RECORDS)]),
        ([RECORDS], {"header": False}, [*map(tuple, RECORDS)]),
        ([NAMED, [["note"], ["x"]]], {}, [("anna", "B1")]),
        ([[*NAMED, [None, None], ["c", "d"]]], {}, [("anna", "B1"), ("c", "d")]),
        (
            [[["item_id", "user_id"], ["i", "u"]]],
            {**NAMES, "header": True},
            [("u", "i")],
        ),
    ],
)
def test_rows_of_a_sheet(read, sheets, options, expected):
    assert rows(read("a.xlsx", workbook(*sheets), **options)) == expected


@pytest.mark.parametrize(
    ("sheets", "found", "advice", "expected"),
    [
        ([[[1, "B1"], [2, "B2"]]], "row 1", "header=False", [(1, "B1"), (2, "B2")]),
        (
            *([[["item_id", "item_id"], [1, 2]]], "unique"),
            *("columns=['item_id', 'item_id_2'], header=True", [(1, 2)]),
        ),
    ],
)
def test_sheets_that_are_unclear(read, sheets, found, advice, expected):
    assert_advised(read, "a.xlsx", workbook(*sheets), found, advice, expected)


def test_other_sheets_are_not_ignored_without_a_word(read):
    with pytest.raises(InteractionsError, match="'S0' and 'S1'") as raised:
        read("a.xlsx", workbook(NAMED, NAMED))
    exec(str(raised.value).split("Join them: ")[1].rstrip("."), {"pd": pd})  # noqa: S102
    assert len(read_interactions("interactions.csv")) == 2
    with pytest.warns(UserWarning, match="'S0', is read, but 'S1' has 2 rows"):
        assert len(read("a.xlsx", workbook(NAMED, RECORDS))) == 1
    with pytest.raises(InteractionsError, match="row 4.*'item_id'.*blank"):
        read("a.xlsx", workbook([*NAMED, [None, None], ["c", None]]))


def test_excel(read, monkeypatch):
    frame = pd.DataFrame({"user_id": [1, 2], "item_id": ["007", "a"]})
    frame.to_excel(workbook := io.BytesIO(), index=False)
    raw = workbook.getvalue()
    assert rows(read("a.xlsx", raw)) == [(1, "007"), (2, "a")]
    with (
        zipfile.ZipFile(workbook) as archive,
        zipfile.ZipFile(damaged := io.BytesIO(), "w") as copy,
    ):
        for name in archive.namelist():
            copy.writestr(name, archive.read(name)[:200])
    for content in (raw[:500], raw.replace(b"PK\1\2", b"PK\1\3"), damaged.getvalue()):
        with pytest.raises(
            InteractionsError, match=r"'a\.xlsx' is not a (valid Excel|complete zip)"
        ):
            read("a.xlsx", content)

    def fail(*args, **kwargs):
        raise ImportError("no openpyxl")

    monkeypatch.setattr(pd, "read_excel", fail)
    with pytest.raises(ImportError, match=r"'a\.xlsx'.*pip install .*\[excel\]"):
        read("a.xlsx", b"")


# -- Times and blank ids -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "time_format", "expected"),
    [
        ("13/12/2010 8:26", "%d/%m/%Y %H:%M", "2010-12-13 08:26"),
        ("12/13/2010 8:26", "%m/%d/%Y %H:%M", "2010-12-13 08:26"),
        (
            "Tue Apr 03 18:00:09 +0100 2012",
            "%a %b %d %H:%M:%S %z %Y",
            "2012-04-03 17:00:09Z",
        ),
        ("2019-10-01 00:00:00 UTC", "%Y-%m-%d %H:%M:%S %Z", "2019-10-01T00Z"),
        ("31.12.19", "%d.%m.%y", "2019-12-31"),
        ("1/31/2018 3:04 PM", "%m/%d/%Y %I:%M %p", "2018-01-31 15:04"),
        ("05 31, 2018", "%m %d, %Y", "2018-05-31"),
        ("2018/05/31", "%Y/%m/%d", "2018-05-31"),
        ("2014-1-5 3:04", "%Y-%m-%d %H:%M", "2014-01-05 03:04"),
        ("2014-1-5", "%Y-%m-%d", "2014-01-05"),
        ("2012-04", "%Y-%m", "2012-04-01"),
        ("2014年1月5日", "%Y年%m月%d日", "2014-01-05"),
        ("15/01/2014 10:20:30 +0100", "%d/%m/%Y %H:%M:%S %z", "2014-01-15 09:20:30Z"),
        ("Sun, 05 Jan 2014", "%a, %d %b %Y", "2014-01-05"),
        (
            "Sun, 05 Jan 2014 10:20:30 GMT",
            "%a, %d %b %Y %H:%M:%S %Z",
            "2014-01-05 10:20:30Z",
        ),
        ("2014-01-05 03:04 PM", "%Y-%m-%d %I:%M %p", "2014-01-05 15:04"),
    ],
)
def test_other_dates(read, text, time_format, expected):
    content = f'user_id,item_id,timestamp\n1,2,"{text}"\n'
    advice = f"time_format={time_format!r}"
    row = (1, 2, pd.Timestamp(expected))
    assert_advised(read, "a.csv", content, "line 2", advice, [row])


@pytest.mark.parametrize(
    ("text", "options", "parts"),
    [
        ("1/2/2018", {}, ["'%m/%d/%Y'", "'%d/%m/%Y'", "not clear"]),
        ("soon", {}, ["'soon'", "time_format='%d/%m/%Y %H:%M'", "to_datetime"]),
        ("31/12/2018", {"time_format": "%m/%d/%Y"}, ["time_format='%d/%m/%Y'"]),
        ("now", {"time_format": "%m/%d/%Y"}, ["line 2", "must match"]),
        ("today", {"time_format": "%m/%d/%Y"}, ["line 2", "must match"]),
        ("31/12/2018 ", {"time_format": "%d/%m/%Y"}, ["must match"]),
    ],
)
def test_unclear_dates(read, text, options, parts):
    with pytest.raises(InteractionsError) as raised:
        read("a.csv", f"user_id,item_id,timestamp\n1,2,{text}\n", **options)
    for part in parts:
        assert part in str(raised.value)


@pytest.mark.parametrize(
    ("present", "missing", "options"),
    [
        ("1700000000", "", {}),
        ("1700000000.5", "NULL", {}),
        ("2020-01-02", "0000-00-00", {}),
        ("2020-01-02T03:04Z", "n/a", {}),
        ("13/01/2020", r"\N", {"time_format": "%d/%m/%Y"}),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_rows_without_a_time_can_be_dropped(read, present, missing, options, first):
    header, columns = "user_id,item_id,t", {"columns": {"t": "timestamp"}}
    values = [missing, present] if first else [present, missing]
    text = "\n".join([header, *(f"7,{i},{v}" for i, v in enumerate(values))])
    with pytest.raises(InteractionsError, match=f"line {3 - first}.*a time") as raised:
        read("a.csv", text, **columns, **options)
    code = re.search(r"(frame = .*)\. There are 1 such", str(raised.value))[1]
    names = {"pd": pd, "read_interactions": read_interactions}
    exec(code.replace("...", "'a.csv'"), names)  # noqa: S102
    (row,) = rows(names["frame"][TIMED])
    kept = header + f"\n7,{int(first)},{present}\n"
    assert row == rows(read("a.csv", kept, **columns, **options))[0]


@pytest.mark.parametrize(
    "value", ["", "%", "%Q", "mixed", "%H:%M", 3, "%d/%m/%Y %H:%M %p"]
)
def test_time_format_needs_a_year_and_a_clear_hour(read, value):
    with pytest.raises(InvalidParameterError, match=r"'time_format'.*%d/%m/%Y.*%I"):
        read("a.csv", CSV, time_format=value)


@pytest.mark.parametrize("columns", [None, {"when": "t"}, ["user_id", "item_id", "t"]])
def test_time_format_without_a_timestamp(read, columns):
    text = "user_id,item_id,when\n1,2,31/12/2018\n"
    options = {"time_format": "%d/%m/%Y", "header": True}
    with pytest.raises(InvalidParameterError, match="'time_format'.*a.csv.*columns="):
        read("a.csv", text, columns=columns, **options)
    frame = read("a.csv", text, columns={"when": "timestamp"}, **options)
    assert rows(frame) == [(1, 2, pd.Timestamp("2018-12-31"))]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "user_id,item_id\n1,2\n,3\n4,\n5,6\n"),
        ("a.csv", 'user_id,item_id\n1,2\n" ",3\n4,""\n5,6\n'),
        ("a.data", "1\t2\n\t3\n4\t\n5\t6\n"),
        ("a.jsonl", '{"user_id":1,"item_id":2}\n{"item_id":3}\n{"user_id":4}\n'
         '{"user_id":5,"item_id":6}'),
        ("a.parquet", None),
    ],
)  # fmt: skip
def test_blank_ids_can_be_dropped(read, name, content):
    if content is None:
        pytest.importorskip("pyarrow")
        file = io.BytesIO()
        ids = {"user_id": [1, None, 4, 5], "item_id": [2, 3, np.nan, 6]}
        pd.DataFrame(ids).to_parquet(file)
        content = file.getvalue()
    with pytest.raises(InteractionsError, match="drop_blank_ids=True"):
        read(name, content)
    with pytest.warns(UserWarning, match=r"2 of 4 rows \(50\.00%\)"):
        frame = read(name, content, drop_blank_ids=True)
    assert rows(frame) == [(1, 2), (5, 6)]
    assert set(frame.dtypes) == {np.dtype("int64")}


def test_times_are_exact_if_blank_ones_are_dropped(read):
    text = (
        '{"user_id":1,"item_id":2,"timestamp":1600000000123456789}\n{"timestamp":null}'
    )
    with pytest.warns(UserWarning, match="line 2"):
        frame = read("a.jsonl", text, drop_blank_ids=True)
    assert rows(frame) == [(1, 2, 1600000000123456789)]


def test_lines_are_right_after_blank_ids_are_dropped(read):
    text = "user_id,item_id,timestamp\n,1,2\n1,2,3\n1,2,x\n"
    with (
        pytest.warns(UserWarning, match="line 2"),
        pytest.raises(InteractionsError, match="line 4.*'x'"),
    ):
        read("a.csv", text, drop_blank_ids=True)
    with pytest.raises(InteractionsError, match="leaves none"):
        read("a.csv", "user_id,item_id\n,1\n", drop_blank_ids=True)


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
@pytest.mark.parametrize(
    ("ids", "dtype"),
    [
        ([2**53 + 1, None, 2**53], "int64"),
        ([-(2**53) - 1, None, 5], "int64"),
        ([2**63 - 1, None, 2**63 - 2], "int64"),
        ([2**64 - 1, None, 2**64 - 2], "uint64"),
        ([7, None, 5], "int64"),
    ],
)
@pytest.mark.parametrize("name", ["user_id", "id"])
def test_large_ids_are_exact_if_blank_ones_are_dropped(read, suffix, ids, dtype, name):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    others = {
        "timestamp": pd.to_datetime(["2020-01-02"] * 3),
        "n": [1, None, 3],
        "text": ["a", None, "c"],
        "flag": [True, None, False],
        "share": [1e300, 0.5, None],
    }
    ids = pyarrow.array(ids, dtype)
    table = pyarrow.table({name: ids, "item_id": [1, 2, 3], **others})
    plain = table.to_pandas()
    file = io.BytesIO()
    if suffix == ".parquet":
        parquet.write_table(table, file)
    else:
        with pyarrow.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    options = {"columns": {name: "user_id"}, "drop_blank_ids": True}
    with pytest.warns(UserWarning, match="row 1.* 1 of 3 "):
        frame = read(f"a{suffix}", file.getvalue(), **options)
    assert frame.user_id.tolist() == [ids[0].as_py(), ids[2].as_py()]
    assert frame.user_id.dtype == dtype
    plain = plain.iloc[[0, 2]].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame[[*others]], plain[[*others]])


@pytest.mark.parametrize("value", [2.0**53, -(2.0**53), 1e19, np.inf, 1.5])
def test_floats_that_are_no_exact_ids_are_refused(read, value):
    pytest.importorskip("pyarrow")
    ids = {"user_id": [value, None], "item_id": [1, 2]}
    pd.DataFrame(ids).to_parquet(file := io.BytesIO())
    with (
        pytest.warns(UserWarning, match="row 1"),
        pytest.raises(InteractionsError, match="row 0.*'user_id'.*integers"),
    ):
        read("a.parquet", file.getvalue(), drop_blank_ids=True)
