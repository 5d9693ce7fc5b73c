"""The version of this package, for files that outlast it."""

import sys

__all__ = ["package_version"]


def package_version():
    """Return the version, which is known once all of the package is imported."""
    return sys.modules[__package__.partition(".")[0]].__version__
