"""Packages that only some features need, imported where they are used."""

import importlib

__all__ = ["import_optional"]


def import_optional(name, *, extra, needed_for):
    """Import a module that a plain installation may lack.

    Parameters
    ----------
    name : str
        Dotted name of the module, such as "matplotlib.pyplot".
    extra : str
        Name of the extra of this package that installs it.
    needed_for : str
        What cannot go on without it, for the message.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If the module cannot be imported; the message says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{needed_for} needs {name.partition('.')[0]}, which cannot be imported "
            f"({error}): pip install sklearn_attrec[{extra}]"
        ) from error
