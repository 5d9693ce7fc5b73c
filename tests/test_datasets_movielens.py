"""Fetching MovieLens: a sound archive is unpacked, a bad one leaves nothing behind.

Archives are made here and served on a loopback port; nothing is fetched from outside.
"""

import hashlib
import io
import re
import socket
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from urllib.error import URLError
from urllib.request import Request

import numpy as np
import pandas as pd
import pytest

from sklearn_attrec.datasets import _movielens, fetch_movielens, get_data_home
from sklearn_attrec.exceptions import InteractionsError, InvalidParameterError

RATINGS = {
    ".data": b"196\t242\t3\t881250949\n22\t377\t1\t878887116\n",
    ".dat": b"196::242::3::881250949\n22::377::1::878887116\n",
    ".csv": b"userId,movieId,rating,timestamp\n196,242,3.0,881250949\n"
    b"22,377,1.0,878887116\n",
}
ML_1M, MEMBER = RATINGS[".dat"], "ml-1m/ratings.dat"


def zip_of(*members):
    """Return a zip archive; members are pairs of a name or ZipInfo and content."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", 8) as archive:
        warnings.simplefilter("ignore")  # some archives hold a name twice
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def symlink(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info, b"/etc/passwd"


def files_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        site = self.server.site
        site.requests.append(self.path)
        content = site.files.get(self.path)
        if content is None:
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", len(content) + site.n_missing)
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def site(monkeypatch):
    """What a server at the address of GroupLens holds, and the requests it got."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that closing it waits for answers
    url = f"http://127.0.0.1:{server.server_port}/"
    server.site = SimpleNamespace(url=url, files={}, requests=[], n_missing=0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(_movielens, "_BASE_URL", url)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def publish(site, monkeypatch):
    """Put an archive on the site and make its hash the expected one."""

    def publish(content, name="1m"):
        archive = _movielens._ARCHIVES[name]
        site.files["/" + archive.name] = content
        ratings = archive.ratings_sha256 and sha256(
            RATINGS[Path(archive.ratings).suffix]
        )
        known = archive._replace(
            n_bytes=len(content), sha256=sha256(content), ratings_sha256=ratings
        )
        monkeypatch.setitem(_movielens._ARCHIVES, name, known)
        return known

    return publish


@pytest.fixture
def ml_1m(publish):
    return publish(zip_of((MEMBER, ML_1M)))


def write_ratings(path, content):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


@pytest.mark.parametrize("name", _movielens._ARCHIVES)
def test_download_keeps_only_the_ratings_and_their_order(name, home, site, publish):
    member = _movielens._ARCHIVES[name].ratings
    folder, content = member.split("/")[0], RATINGS[Path(member).suffix]
    publish(zip_of((f"{folder}/README", b"terms"), (member, content)), name)
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
    assert (home / member).read_bytes() == content
    pd.testing.assert_frame_equal(fetch_movielens(name, data_home=home), expected)
    assert len(site.requests) == 1


def test_only_the_ratings_in_the_data_home_stop_a_download(home, site, ml_1m):
    other = home / "ml-1m" / "ml-1m.txt.gz"
    write_ratings(other, b"mine")
    assert len(fetch_movielens("1m", data_home=home)) == 2
    assert other.read_bytes() == b"mine"
    assert len(fetch_movielens("1m", data_home=home, download_if_missing=False)) == 2
    assert site.requests == [f"/{ml_1m.name}"]


@pytest.mark.case("S14")
def test_changed_100k_in_the_data_home_is_refused(home):
    known, content = _movielens._ARCHIVES["100k"], RATINGS[".data"]
    write_ratings(home / known.ratings, content)
    with pytest.raises(InteractionsError, match="Remove") as raised:
        fetch_movielens("100k", data_home=home)
    for part in (known.ratings_sha256, sha256(content), str(home / known.ratings)):
        assert part in str(raised.value)


@pytest.mark.parametrize(
    "content", [b"", b"\0\0", b"1::2::3\n", b"a::b::c::d\n", b"1::2::3::\n", b"\xff::1"]
)
def test_damaged_ratings_in_the_data_home_are_refused(content, home):
    write_ratings(home / MEMBER, content)
    with pytest.raises(InteractionsError, match=r"ratings\.dat.*Remove"):
        fetch_movielens("1m", data_home=home)


def test_missing_ratings_with_downloads_off_name_address_and_folder(home, site):
    with pytest.raises(FileNotFoundError, match="download_if_missing") as raised:
        fetch_movielens("1m", data_home=home, download_if_missing=False)
    assert f"{site.url}ml-1m.zip" in str(raised.value)
    assert str(home) in str(raised.value)
    assert site.requests == []
    assert not home.exists()


def assert_fails_and_leaves_nothing(home, *parts):
    """Expect an error that says what happened and how to fetch by hand."""
    with pytest.raises(OSError, match=_movielens._BASE_URL + "ml-1m.zip") as raised:
        fetch_movielens("1m", data_home=home)
    for part in (str(home), MEMBER, "SKLEARN_ATTREC_DATA", *parts):
        assert part in str(raised.value)
    assert not home.exists() or files_in(home) == []


@pytest.mark.case("S14")
@pytest.mark.parametrize(
    ("cut", "n_missing"), [(None, 0), (-10, 0), (-10, 10)], ids=str
)
def test_wrong_and_truncated_archives_are_refused(cut, n_missing, home, site, publish):
    served = zip_of((MEMBER, ML_1M))[:cut]
    site.n_missing = n_missing
    known = publish(zip_of((MEMBER, ML_1M[::-1])))
    site.files["/ml-1m.zip"] = served
    assert_fails_and_leaves_nothing(home, known.sha256, sha256(served))


@pytest.mark.case("S14")
def test_endless_download_stops_soon_after_the_expected_size(
    home, site, ml_1m, monkeypatch
):
    monkeypatch.setattr(_movielens, "_CHUNK", 100)
    site.files["/ml-1m.zip"] += b"x" * 10**6
    with pytest.raises(OSError, match=r"\((\d+) bytes\)") as raised:
        fetch_movielens("1m", data_home=home)
    saved = int(re.search(r"\((\d+) bytes\)", str(raised.value))[1])
    assert ml_1m.n_bytes < saved <= ml_1m.n_bytes + 100


@pytest.mark.usefixtures("site")
def test_missing_archive_on_the_server(home):
    assert_fails_and_leaves_nothing(home, "404")


def test_closed_port(home, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as taken:
        # Bound but not listening: the port is closed, and no one else can take it.
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        monkeypatch.setattr(_movielens, "_BASE_URL", url)
        assert_fails_and_leaves_nothing(home, "refused")
    assert not home.exists()


def with_false_size(size, declared):
    """Return an archive whose member is larger than the size it declares."""
    true, false = size.to_bytes(4, "little"), declared.to_bytes(4, "little")
    return zip_of((MEMBER, bytes(size))).replace(true, false)


@pytest.mark.case("S14")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zip_of(("ml-1m/README", b"")), f"{MEMBER} once, as a regular file; 0"),
        (zip_of(("ml-1m/../ml-1m/ratings.dat", b"")), "0 members"),
        (zip_of(("/ml-1m/ratings.dat", b"")), "0 members"),
        (zip_of(("../ml-1m/ratings.dat", b"")), "0 members"),
        (zip_of(("ml-1m/ratings.dat/", b"")), "0 members"),
        (zip_of((MEMBER, ML_1M), (MEMBER, ML_1M)), "2 members"),
        (zip_of(symlink(MEMBER)), "regular file; 1 members"),
        (zip_of((MEMBER, bytes(10**6 + 1))), "1,000,001 bytes, more than"),
        # What a member declares bounds what is read of it, and its checksum fails.
        (with_false_size(100_000, declared=10), "CRC"),
        (b"", "zip"),
        (b"PK\x03\x04 no archive", "zip"),
    ],
)
def test_unusable_archives_are_refused(content, reason, home, publish, monkeypatch):
    monkeypatch.setattr(_movielens, "_MAX_RATINGS_BYTES", 10**6)
    publish(content)
    assert_fails_and_leaves_nothing(home, reason)


@pytest.mark.case("S14")
def test_hostile_members_beside_the_ratings_are_never_written(home, publish, tmp_path):
    hostile = [("../escaped", b"x"), (str(tmp_path / "absolute"), b"x")]
    publish(zip_of(*hostile, symlink("ml-1m/link"), (MEMBER, ML_1M)))
    assert len(fetch_movielens("1m", data_home=home)) == 2
    assert files_in(tmp_path) == ["home", "home/ml-1m", f"home/{MEMBER}"]


@pytest.mark.case("S14")
@pytest.mark.parametrize("target", ["http://x.org", "HTTP://x.org", "ftp://x.org"])
def test_redirect_away_from_https_is_refused(target):
    request = Request("https://files.grouplens.org/a")
    redirect, answer = _movielens._KeepHttps().redirect_request, io.BytesIO()
    with pytest.raises(URLError, match="https"):
        redirect(request, answer, 302, "Found", {}, target)
    assert answer.closed
    followed = redirect(request, None, 302, "Found", {}, "https://x.org")
    assert followed.full_url == "https://x.org"


@pytest.mark.case("S14")
def test_addresses_use_https_and_hashes_are_sha256():
    assert _movielens._BASE_URL.startswith("https://files.grouplens.org/")
    for archive in _movielens._ARCHIVES.values():
        assert re.fullmatch("[0-9a-f]{64}", archive.sha256)
        assert archive.ratings.startswith(archive.name.removesuffix(".zip") + "/")


@pytest.mark.case("S14")
@pytest.mark.usefixtures("ml_1m")
def test_failing_rename_leaves_no_file(home, monkeypatch):
    def replace(source, target):
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr(_movielens.Path, "replace", replace)
    with pytest.raises(OSError, match="ml-1m.zip.*Permission denied"):
        fetch_movielens("1m", data_home=home)
    assert not [path for path in home.rglob("*") if path.is_file()]


@pytest.mark.case("S14")
@pytest.mark.usefixtures("ml_1m")
def test_data_home_that_is_a_file(home):
    home.write_bytes(b"mine")
    with pytest.raises(OSError, match="SKLEARN_ATTREC_DATA"):
        fetch_movielens("1m", data_home=home)
    assert home.read_bytes() == b"mine"


@pytest.mark.case("S14")
@pytest.mark.usefixtures("ml_1m")
def test_concurrent_fetches_all_read_the_whole_file(home):
    with ThreadPoolExecutor(8) as pool:
        frames = [pool.submit(fetch_movielens, "1m", data_home=home) for _ in range(16)]
    for frame in frames:
        pd.testing.assert_frame_equal(frame.result(), frames[0].result())
    assert files_in(home) == ["ml-1m", MEMBER]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "10m"}, "'name'.*'100k'.*'10m'"),
        ({"name": None}, "'name'"),
        ({"data_home": 3}, "'data_home'.*path"),
        ({"data_home": ""}, "'data_home'"),
        ({"download_if_missing": "no"}, "'download_if_missing'.*True or False"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InvalidParameterError, match=message):
        fetch_movielens(**arguments)


def test_order_of_the_data_homes(monkeypatch, tmp_path):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "me"))
    monkeypatch.setenv("SKLEARN_ATTREC_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
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


def test_real_100k(movielens_100k):
    frame = movielens_100k  # skipped where the data home does not have it
    assert frame.shape == (100_000, 4)
    assert frame[["user_id", "item_id"]].nunique().to_list() == [943, 1682]
    assert frame.iloc[0].to_list() == [196, 242, 3, 881250949]
    assert not frame["timestamp"].is_monotonic_increasing
