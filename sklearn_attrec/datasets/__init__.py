"""Data sets of interactions: downloaded, read from a file or simulated."""

from sklearn_attrec.datasets._data_home import get_data_home
from sklearn_attrec.datasets._encode_interactions import encode_interactions
from sklearn_attrec.datasets._movielens import fetch_movielens
from sklearn_attrec.datasets._read_interactions import read_interactions
from sklearn_attrec.datasets._synthetic import best_hit_rate, make_interactions

__all__ = [
    "best_hit_rate",
    "encode_interactions",
    "fetch_movielens",
    "get_data_home",
    "make_interactions",
    "read_interactions",
]
