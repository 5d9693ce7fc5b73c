"""Units of Unix times."""

__all__ = ["UNIX_UNITS"]

# Number of each unit per second.
UNIX_UNITS = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}
