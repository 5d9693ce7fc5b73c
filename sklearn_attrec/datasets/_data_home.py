"""The folder that holds fetched data sets."""

import os
from pathlib import Path

from sklearn_attrec.utils._param_validation import FilePath, check_arguments

__all__ = ["get_data_home"]


def get_data_home(data_home=None):
    """Return the folder in which fetched data sets are looked for and kept.

    It is the first of these that is given: the argument, the environment variable
    `SKLEARN_ATTREC_DATA`, the folder `sklearn_attrec` in `$XDG_CACHE_HOME`,
    `~/.cache/sklearn_attrec`. Nothing is created or written.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The folder to use in place of the default; `~` stands for the home folder.

    Returns
    -------
    Path
        The folder; it need not exist.

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
    # The XDG specification has a relative path ignored.
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "sklearn_attrec"
