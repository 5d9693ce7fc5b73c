"""Memory of the machine."""

import os

__all__ = ["physical_memory"]


def physical_memory() -> int | None:
    """Return the physical memory in bytes, or None if it cannot be determined."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
