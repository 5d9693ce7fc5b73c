"""Import of optional dependencies, at the place where they are used."""

import importlib
from types import ModuleType

__all__ = ["import_optional"]


def import_optional(name: str, *, extra: str, needed_for: str) -> ModuleType:
    """Import a module of an optional dependency.

    Parameters
    ----------
    name : str
        Full name of the module, for example "matplotlib.pyplot".
    extra : str
        Name of the extra of this package that installs it.
    needed_for : str
        The feature that needs the module, for the error message.

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
            f"({error}). Install it: pip install 'sklearn-attrec-core[{extra}]'"
        ) from error
