"""The MovieLens data sets, downloaded once from GroupLens to the data home."""

import hashlib
import os
import shutil
import stat
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, build_opener
from zipfile import BadZipFile, ZipFile

import numpy as np
import pandas as pd

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER
from sklearn_attrec.datasets._data_home import get_data_home
from sklearn_attrec.datasets._reading.columns import RATING
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._param_validation import (
    Boolean,
    FilePath,
    OneOf,
    Optional,
    check_arguments,
)
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["fetch_movielens"]

_BASE_URL = "https://files.grouplens.org/datasets/movielens/"
_TIMEOUT = 60  # seconds without a response
_CHUNK = 2**20
_MAX_RATINGS_BYTES = 2**30  # the largest ratings file has about 0.9e9 bytes


class _Archive(NamedTuple):
    """An archive of GroupLens, and the path of the ratings in it."""

    name: str
    n_bytes: int
    sha256: str
    ratings: str
    ratings_sha256: str | None = None


_ARCHIVES = {
    "100k": _Archive(
        "ml-100k.zip",
        4_924_029,
        "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        "ml-100k/u.data",
        "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
    ),
    "1m": _Archive(
        "ml-1m.zip",
        5_917_549,
        "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        "ml-1m/ratings.dat",
    ),
    "20m": _Archive(
        "ml-20m.zip",
        198_702_078,
        "96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
        "ml-20m/ratings.csv",
    ),
    "25m": _Archive(
        "ml-25m.zip",
        261_978_986,
        "8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
        "ml-25m/ratings.csv",
    ),
    "32m": _Archive(
        "ml-32m.zip",
        238_950_008,
        "e4a68655d7386b8f95f2f2424b2ff975dfdd15ffd59e0d864a14dca43e99d6ee",
        "ml-32m/ratings.csv",
    ),
    "latest-small": _Archive(
        "ml-latest-small.zip",
        978_202,
        "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
        "ml-latest-small/ratings.csv",
    ),
}

# Format of the ratings by file extension. The C parser of pandas needs a separator of
# one byte, so "::" in .dat files is read as two separators with an empty field between.
_FORMATS = {
    ".data": {"sep": "\t", "header": None, "usecols": [0, 1, 2, 3]},
    ".dat": {"sep": ":", "header": None, "usecols": [0, 2, 4, 6]},
    ".csv": {"sep": ",", "header": 0, "usecols": [0, 1, 2, 3]},
}


def fetch_movielens(
    name: str = "100k",
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
) -> pd.DataFrame:
    r"""Load the ratings of a MovieLens data set; download them if necessary.

    The data home stores the ratings under their path in the archive of GroupLens:
    `ml-100k/u.data`, `ml-1m/ratings.dat`, `ml-20m/ratings.csv` and so on. If this file
    exists, nothing is downloaded, so an archive can also be unpacked there by hand.
    Otherwise the archive is downloaded, its SHA-256 is compared with the expected one,
    and only this file is extracted. After an error no part of it is left on disk.

    The SHA-256 of a downloaded archive is always verified. For a file that already
    exists in the data home, the SHA-256 is verified only for "100k".

    Parameters
    ----------
    name : {"100k", "1m", "20m", "25m", "32m", "latest-small"}, default="100k"
        The data set, named after its number of ratings; "latest-small" has about
        100,000. The archives of "100k", "1m" and "latest-small" have 1 to 6 MB. The
        other archives have 200 to 260 MB, and their ratings take 0.5 to 0.9 GB on disk.
    data_home : str or PathLike, default=None
        The data home; None means the folder that `get_data_home` returns.
    download_if_missing : bool, default=True
        If False, raise an error if the file is not in the data home.

    Returns
    -------
    DataFrame
        Columns `user_id`, `item_id`, `rating` and `timestamp` (seconds since 1970), in
        the order of the file, which is not sorted by time. All columns are int64,
        except that `rating` is float64 in data sets with half stars: all but "100k"
        and "1m".

    Raises
    ------
    OSError
        If the ratings cannot be downloaded, checked or written. The message contains
        the URL and where to put the file by hand.
    FileNotFoundError
        If the file is missing and `download_if_missing` is False.
    InteractionsError
        If the file in the data home does not contain the ratings of this data set.
    InvalidParameterError
        If an argument has an invalid value.

    Notes
    -----
    The README in each archive states the terms of use. Among others: cite [1]_ and do
    not redistribute the data.

    References
    ----------
    .. [1] F. Maxwell Harper and Joseph A. Konstan. The MovieLens Datasets: History and
       Context. ACM Transactions on Interactive Intelligent Systems 5(4), 2015.

    Examples
    --------
    >>> from sklearn_attrec.datasets import fetch_movielens
    >>> fetch_movielens("100k").shape  # doctest: +SKIP
    (100000, 4)

    Read ratings that were put into the data home by hand:

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as home:
    ...     Path(home, "ml-1m").mkdir()
    ...     _ = Path(home, "ml-1m", "ratings.dat").write_text("1::1193::5::978300760\n")
    ...     fetch_movielens("1m", data_home=home)
       user_id  item_id  rating  timestamp
    0        1     1193       5  978300760
    """
    check_arguments(
        "fetch_movielens",
        name=(name, OneOf(*_ARCHIVES)),
        data_home=(data_home, Optional(FilePath())),
        download_if_missing=(download_if_missing, Boolean()),
    )
    archive = _ARCHIVES[name]
    home = get_data_home(data_home)
    path = home / archive.ratings
    if not path.is_file():
        if not download_if_missing:
            raise FileNotFoundError(
                f"{path} does not exist. Pass download_if_missing=True to download it. "
                + _by_hand(archive, home)
            )
        _download(archive, home)
    return _read(archive, path)


def _by_hand(archive, home):
    """Return how to provide the file by hand, for error messages."""
    return (
        f"To add the file by hand, unpack {_BASE_URL}{archive.name} in {home}, so that "
        f"it contains {archive.ratings}. To use another folder, pass data_home= or set "
        "the environment variable SKLEARN_ATTREC_DATA."
    )


def _read(archive, path):
    try:
        if archive.ratings_sha256:
            _check_sha256(path, archive.ratings_sha256)
        frame = pd.read_csv(
            path,
            names=[USER, ITEM, RATING, TIME],
            dtype=dict.fromkeys([USER, ITEM, TIME], np.int64),
            **_FORMATS[path.suffix],
        )
        if frame.empty:
            raise ValueError("the file has no rows")
    except ValueError as error:
        raise InteractionsError(
            f"{path} does not contain the ratings of {archive.name}: {error}. Remove "
            "the file to download it again."
        ) from error
    return frame


def _download(archive, home):
    """Download the archive and store its ratings; store nothing after an error."""
    url = _BASE_URL + archive.name
    try:
        with build_opener(_KeepHttps).open(url, timeout=_TIMEOUT) as response:
            home.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix=".movielens-", dir=home) as folder:
                zipped, ratings = Path(folder, "archive"), Path(folder, "ratings")
                _save(response, zipped, archive.n_bytes)
                _check_sha256(zipped, archive.sha256)
                _extract(zipped, archive.ratings, ratings)
                path = home / archive.ratings
                path.parent.mkdir(exist_ok=True)
                # Atomic: other processes see the complete file or no file.
                ratings.replace(path)
    except (OSError, HTTPException, BadZipFile, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()  # closes the connection
        raise OSError(
            f"{url} could not be downloaded to {home}: {error}. Try again. "
            + _by_hand(archive, home)
        ) from error


class _KeepHttps(HTTPRedirectHandler):
    """Follow redirects, but never from https to an insecure scheme."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if req.type == "https" and not newurl.lower().startswith("https:"):
            fp.close()
            raise URLError(
                f"the redirect to {short_repr(newurl, 200)} is refused: it is not https"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _save(response, path, n_bytes):
    """Write the response to path; stop soon after the expected number of bytes."""
    with path.open("xb") as file:
        while file.tell() <= n_bytes and (chunk := response.read(_CHUNK)):
            file.write(chunk)


def _check_sha256(path, expected):
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != expected:
        raise ValueError(
            f"its SHA-256 must be {expected}, got {actual} "
            f"({path.stat().st_size:,} bytes)"
        )


def _extract(zipped, member, path):
    """Write one member of an archive to path; paths in the archive are never used."""
    with ZipFile(zipped) as archive:
        found = [info for info in archive.infolist() if info.filename == member]
        if len(found) != 1 or stat.S_ISLNK(found[0].external_attr >> 16):
            raise BadZipFile(
                f"the archive must contain {member} once, as a regular file; "
                f"{len(found)} members have this name"
            )
        # ZipFile never reads more than the declared size of a member.
        if found[0].file_size > _MAX_RATINGS_BYTES:
            raise BadZipFile(
                f"{member} has {found[0].file_size:,} bytes, more than the allowed "
                f"{_MAX_RATINGS_BYTES:,}"
            )
        with archive.open(found[0]) as source, path.open("xb") as file:
            shutil.copyfileobj(source, file)
