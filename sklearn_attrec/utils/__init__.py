"""Checks and small helpers that all other parts of the package may use."""
