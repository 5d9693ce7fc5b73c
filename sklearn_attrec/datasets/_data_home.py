"""The folder that contains downloaded data sets."""

import os
from pathlib import Path

from sklearn_attrec.utils._param_validation import FilePath, check_arguments

__all__ = ["get_data_home"]


def get_data_home(data_home: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder in which downloaded data sets are stored.

    Returns the first one that is defined: the argument; the environment variable
    `SKLEARN_ATTREC_DATA`; the folder `sklearn_attrec` in `$XDG_CACHE_HOME`;
    `~/.cache/sklearn_attrec`. The folder is not created.

    Parameters
    ----------
    data_home : str or PathLike, default=None
        Folder to use instead of the default; `~` is the home folder of the user.

    Returns
    -------
    Path
        The folder, which may not exist.

    Raises
    ------
    InvalidParameterError
        If `data_home` is not a non-empty path.

    Examples
    --------
    >>> from sklearn_attrec.datasets import get_data_home
    >>> get_data_home("movies").name
    'movies'
    """
    if data_home is not None:
        check_arguments("get_data_home", data_home=(data_home, FilePath()))
        return Path(data_home).expanduser()
    if home := os.environ.get("SKLEARN_ATTREC_DATA"):
        return Path(home).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification says to ignore a relative path.
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "sklearn_attrec"
