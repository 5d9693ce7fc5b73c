"""Checks and small helpers that stand below everything else."""
