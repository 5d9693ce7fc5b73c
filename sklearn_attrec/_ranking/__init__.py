"""Ranking: queries, scores, top-k items and ranks of target items."""
