"""The version of this package, for model files and checkpoints."""

import sys

__all__ = ["package_version"]


def package_version() -> str:
    """Return the version; it is available after the package is imported."""
    return sys.modules[__package__.partition(".")[0]].__version__
