"""Fetching: good archives arrive whole, bad ones leave nothing behind.

Archives are made here and served on a loopback port; nothing is fetched from outside.
"""

import hashlib
import io
import os
import re
import socket
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.error import URLError
from urllib.request import Request

import numpy as np
import pandas as pd
import pytest

from sklearn_attrec.datasets import _movielens, fetch_movielens, get_data_home
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError

LINES = {
    "100k": b"196\t242\t3\t881250949\n22\t377\t1\t878887116\n",
    "1m": b"196::242::3::881250949\n22::377::1::878887116\n",
    "20m": b"userId,movieId,rating,timestamp\n196,242,3.0,881250949\n"
    b"22,377,1.0,878887116\n",
}
NAMES = ["100k", "1m", "20m", "25m", "32m", "latest-small"]


def lines_of(name):
    return LINES.get(name, LINES["20m"])


def zip_of(members):
    """Return a zip archive; members are pairs of a name or ZipInfo and content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


class Site:
    """A server of bytes, and what it was asked for."""

    def __init__(self):
        self.files, self.asked, self.promised = {}, [], 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.asked.append(self.path)
                content = site.files.get(self.path)
                if content is None:
                    self.send_error(404)
                elif isinstance(content, str):
                    self.send_response(302)
                    self.send_header("Location", content)
                    self.end_headers()
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", len(content) + site.promised)
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False  # so that closing it waits for answers
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Site() as site:
        monkeypatch.setattr(_movielens, "_BASE_URL", site.url)
        yield site


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def publish(site, monkeypatch):
    """Put bytes on the site as the archive of a data set, with their true hash."""

    def publish(name, content):
        archive = _movielens._ARCHIVES[name]
        site.files["/" + archive.name] = content
        known = archive._replace(
            n_bytes=len(content), sha256=hashlib.sha256(content).hexdigest()
        )
        if known.ratings_sha256:
            digest = hashlib.sha256(lines_of(name)).hexdigest()
            known = known._replace(ratings_sha256=digest)
        monkeypatch.setitem(_movielens._ARCHIVES, name, known)
        return known

    return publish


def ratings_member(name):
    return _movielens._ARCHIVES[name].ratings


def put_by_hand(name, home, content=None):
    path = home / ratings_member(name)
    path.parent.mkdir(parents=True)
    path.write_bytes(lines_of(name) if content is None else content)
    return path


def files_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


@pytest.mark.parametrize("name", NAMES)
def test_download_keeps_the_ratings_only_and_the_order_of_the_file(
    name, home, site, publish
):
    member = ratings_member(name)
    folder = member.split("/")[0]
    content = [(f"{folder}/README", b"terms"), (member, lines_of(name))]
    publish(name, zip_of(content))
    frame = fetch_movielens(name, data_home=home)
    rating = np.int64 if name in ("100k", "1m") else np.float64
    expected = pd.DataFrame(
        {
            "user_id": [196, 22],
            "item_id": [242, 377],
            "rating": np.array([3, 1], rating),
            "timestamp": [881250949, 878887116],
        }
    )
    pd.testing.assert_frame_equal(frame, expected)
    assert files_in(home) == [folder, member]
    assert (home / member).read_bytes() == lines_of(name)
    pd.testing.assert_frame_equal(fetch_movielens(name, data_home=home), expected)
    assert len(site.asked) == 1


@pytest.mark.parametrize("name", ["1m", "20m", "latest-small"])
def test_ratings_put_there_by_hand_are_used_and_nothing_is_asked_for(name, home, site):
    put_by_hand(name, home)
    assert len(fetch_movielens(name, data_home=home, download_if_missing=False)) == 2
    assert site.asked == []


def test_another_file_in_the_folder_is_kept_and_does_not_count(home, site, publish):
    publish("1m", zip_of([("ml-1m/ratings.dat", lines_of("1m"))]))
    other = home / "ml-1m" / "ml-1m.txt.gz"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"mine")
    assert len(fetch_movielens("1m", data_home=home)) == 2
    assert other.read_bytes() == b"mine"


@pytest.mark.case("S14")
def test_changed_100k_in_the_data_home_is_refused(home):
    path = put_by_hand("100k", home)
    known = _movielens._ARCHIVES["100k"].ratings_sha256
    with pytest.raises(InteractionsError, match=f"{known}.*Remove") as raised:
        fetch_movielens("100k", data_home=home)
    assert str(path) in str(raised.value)
    assert hashlib.sha256(lines_of("100k")).hexdigest() in str(raised.value)


@pytest.mark.parametrize(
    "content", [b"", b"\0\0", b"1::2::3\n", b"a::b::c::d\n", b"1::2::3::\n", b"\xff::1"]
)
def test_damaged_ratings_in_the_data_home(content, home):
    put_by_hand("1m", home, content)
    with pytest.raises(InteractionsError, match=r"ratings\.dat.*Remove the file"):
        fetch_movielens("1m", data_home=home)


def test_missing_and_not_to_be_downloaded(home, site):
    with pytest.raises(FileNotFoundError, match="download_if_missing") as raised:
        fetch_movielens("1m", data_home=home, download_if_missing=False)
    assert f"{site.url}ml-1m.zip" in str(raised.value)
    assert str(home) in str(raised.value)
    assert site.asked == []
    assert not home.exists()


def assert_fails_and_leaves_nothing(home, *parts, name="1m"):
    with pytest.raises(OSError, match=r"could not be fetched") as raised:
        fetch_movielens(name, data_home=home)
    message = str(raised.value)
    for part in (
        _movielens._BASE_URL + "ml-1m.zip",
        str(home),
        "ml-1m/ratings.dat",
        "SKLEARN_ATTREC_DATA",
        *parts,
    ):
        assert part in message
    assert not home.exists() or files_in(home) == []


@pytest.mark.case("S14")
def test_wrong_hash(home, site, publish):
    known = publish("1m", zip_of([("ml-1m/ratings.dat", lines_of("1m"))]))
    other = zip_of([("ml-1m/ratings.dat", lines_of("1m")[::-1])])
    site.files["/ml-1m.zip"] = other
    actual = hashlib.sha256(other).hexdigest()
    assert_fails_and_leaves_nothing(home, known.sha256, actual)


@pytest.mark.case("S14")
@pytest.mark.parametrize("promised", [True, False])
def test_truncated_download(promised, home, site, publish):
    content = zip_of([("ml-1m/ratings.dat", lines_of("1m"))])
    known = publish("1m", content)
    site.files["/ml-1m.zip"] = content[:-10]
    site.promised = 10 * promised
    assert_fails_and_leaves_nothing(home, known.sha256)


@pytest.mark.case("S14")
def test_endless_download_stops_early(home, site, publish, monkeypatch):
    monkeypatch.setattr(_movielens, "_CHUNK", 100)
    content = zip_of([("ml-1m/ratings.dat", lines_of("1m"))])
    publish("1m", content)
    site.files["/ml-1m.zip"] = content + b"x" * 10**6
    with pytest.raises(OSError, match=r"\((\d+) bytes\)") as raised:
        fetch_movielens("1m", data_home=home)
    saved = int(re.search(r"\((\d+) bytes\)", str(raised.value))[1])
    assert len(content) < saved <= len(content) + 100


def test_not_found(home, site):
    assert_fails_and_leaves_nothing(home, "404")


def test_offline(home, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as taken:
        # Bound but not listening: the port is closed, and no one else can take it.
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        monkeypatch.setattr(_movielens, "_BASE_URL", url)
        assert_fails_and_leaves_nothing(home, "refused")
    assert not home.exists()


def symlink_named(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


MEMBER = "ml-1m/ratings.dat"


@pytest.mark.case("S14")
@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([("ml-1m/README", b"")], f"0 members are {MEMBER}"),
        ([("ml-1m/../ml-1m/ratings.dat", b"")], "0 members"),
        ([("/ml-1m/ratings.dat", b"")], "0 members"),
        ([("../ml-1m/ratings.dat", b"")], "0 members"),
        ([("ml-1m/ratings.dat/", b"")], "0 members"),
        ([(symlink_named(MEMBER), b"/etc/passwd")], "expected one plain file"),
    ],
)
def test_archive_without_the_ratings(members, reason, home, publish):
    publish("1m", zip_of(members))
    assert_fails_and_leaves_nothing(home, reason)


@pytest.mark.case("S14")
def test_archive_with_the_ratings_twice(home, publish):
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = zip_of([(MEMBER, lines_of("1m"))] * 2)
    publish("1m", content)
    assert_fails_and_leaves_nothing(home, "2 members")


@pytest.mark.case("S14")
def test_hostile_members_beside_the_ratings_are_never_written(home, publish, tmp_path):
    content = [
        ("../escaped", b"x"),
        (str(tmp_path / "absolute"), b"x"),
        (symlink_named("ml-1m/link"), b"/etc/passwd"),
        (MEMBER, lines_of("1m")),
    ]
    publish("1m", zip_of(content))
    assert len(fetch_movielens("1m", data_home=home)) == 2
    assert files_in(tmp_path) == ["home", "home/ml-1m", f"home/{MEMBER}"]


@pytest.mark.case("S14")
def test_oversized_member(home, publish, monkeypatch):
    monkeypatch.setattr(_movielens, "_MAX_RATINGS_BYTES", 10**6)
    publish("1m", zip_of([(MEMBER, bytes(10**6 + 1))]))
    assert_fails_and_leaves_nothing(home, "1,000,001 bytes, more than 1,000,000")


@pytest.mark.case("S14")
def test_member_larger_than_it_declares(home, publish):
    """What a member declares bounds what is read of it, and its checksum fails."""
    true, false = (100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    publish("1m", zip_of([(MEMBER, bytes(100_000))]).replace(true, false))
    assert_fails_and_leaves_nothing(home, "CRC")


@pytest.mark.case("S14")
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive"])
def test_no_archive_at_all(content, home, publish):
    publish("1m", content)
    assert_fails_and_leaves_nothing(home, "zip")


@pytest.mark.case("S14")
def test_redirect_is_followed_within_http(home, site, publish):
    publish("1m", zip_of([(MEMBER, lines_of("1m"))]))
    site.files["/elsewhere"] = site.files["/ml-1m.zip"]
    site.files["/ml-1m.zip"] = site.url + "elsewhere"
    assert len(fetch_movielens("1m", data_home=home)) == 2
    assert site.asked == ["/ml-1m.zip", "/elsewhere"]


@pytest.mark.case("S14")
@pytest.mark.parametrize(
    "target", ["http://x.org/a", "HTTP://x.org/a", "ftp://x.org/a"]
)
def test_redirect_away_from_https_is_refused(target):
    request = Request("https://files.grouplens.org/a")
    handler, answer = _movielens._KeepHttps(), io.BytesIO()
    with pytest.raises(URLError, match="not https"):
        handler.redirect_request(request, answer, 302, "Found", {}, target)
    assert answer.closed
    followed = handler.redirect_request(
        request, None, 302, "Found", {}, "https://x.org/a"
    )
    assert followed.full_url == "https://x.org/a"


@pytest.mark.case("S14")
def test_all_addresses_are_https():
    assert _movielens._BASE_URL.startswith("https://files.grouplens.org/")
    for archive in _movielens._ARCHIVES.values():
        assert re.fullmatch("[0-9a-f]{64}", archive.sha256)
        assert archive.ratings.startswith(archive.name.removesuffix(".zip") + "/")


@pytest.mark.case("S14")
def test_failing_rename_leaves_no_file(home, publish, monkeypatch):
    publish("1m", zip_of([(MEMBER, lines_of("1m"))]))

    def replace(source, target):
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr(_movielens.Path, "replace", replace)
    with pytest.raises(OSError, match="could not be fetched.*Permission denied"):
        fetch_movielens("1m", data_home=home)
    assert not [path for path in home.rglob("*") if path.is_file()]


@pytest.mark.case("S14")
def test_data_home_that_is_a_file(home, publish):
    publish("1m", zip_of([(MEMBER, lines_of("1m"))]))
    home.write_bytes(b"mine")
    with pytest.raises(OSError, match="could not be fetched"):
        fetch_movielens("1m", data_home=home)
    assert home.read_bytes() == b"mine"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_data_home_that_may_not_be_written(home, publish):
    publish("1m", zip_of([(MEMBER, lines_of("1m"))]))
    home.mkdir(mode=0o500)
    with pytest.raises(OSError, match="Permission denied"):
        fetch_movielens("1m", data_home=home)
    assert files_in(home) == []


@pytest.mark.case("S14")
def test_fetching_at_the_same_time(home, publish):
    publish("1m", zip_of([(MEMBER, lines_of("1m"))]))
    with ThreadPoolExecutor(8) as pool:
        frames = [pool.submit(fetch_movielens, "1m", data_home=home) for _ in range(16)]
    for frame in frames:
        pd.testing.assert_frame_equal(frame.result(), frames[0].result())
    assert files_in(home) == ["ml-1m", MEMBER]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "10m"}, "'name'.*'100k'.*Got '10m'"),
        ({"name": None}, "'name'"),
        ({"data_home": 3}, "'data_home'.*path"),
        ({"data_home": ""}, "'data_home'"),
        ({"download_if_missing": "no"}, "'download_if_missing'.*True or False"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InvalidParameterError, match=message):
        fetch_movielens(**arguments)


def test_data_home_order(monkeypatch, tmp_path):
    monkeypatch.setenv("SKLEARN_ATTREC_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "me"))
    assert get_data_home(tmp_path / "given") == tmp_path / "given"
    assert get_data_home("~/given") == tmp_path / "me" / "given"
    assert get_data_home() == tmp_path / "data"
    monkeypatch.setenv("SKLEARN_ATTREC_DATA", "")
    assert get_data_home() == tmp_path / "cache" / "sklearn_attrec"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert get_data_home() == tmp_path / "me" / ".cache" / "sklearn_attrec"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert get_data_home() == tmp_path / "me" / ".cache" / "sklearn_attrec"
    assert files_in(tmp_path) == []


def test_real_100k():
    """The real file, where the data home has it: nothing is downloaded for a test."""
    if not (get_data_home() / "ml-100k" / "u.data").is_file():
        pytest.skip("no ml-100k/u.data in the data home (SKLEARN_ATTREC_DATA)")
    frame = fetch_movielens("100k", download_if_missing=False)
    assert frame.shape == (100_000, 4)
    assert frame["user_id"].nunique() == 943
    assert frame["item_id"].nunique() == 1682
    assert frame.iloc[0].to_list() == [196, 242, 3, 881250949]
    assert not frame["timestamp"].is_monotonic_increasing
