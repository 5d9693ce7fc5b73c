"""The command line, `sklearn-attrec` or `python -m sklearn_attrec`."""

from sklearn_attrec.cli._main import main

__all__ = ["main"]
