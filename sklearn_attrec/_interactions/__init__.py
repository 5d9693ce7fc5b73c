"""Checks and encoding of interactions: from a table to sequences and windows."""
