"""Recommenders, one per file, and their base classes."""

from sklearn_attrec.models._attrec import AttRecRecommender
from sklearn_attrec.models._hstu import HSTURecommender
from sklearn_attrec.models._item_knn import ItemKNNRecommender
from sklearn_attrec.models._markov import MarkovRecommender
from sklearn_attrec.models._popularity import PopularityRecommender
from sklearn_attrec.models._sasrec import SASRecRecommender
from sklearn_attrec.models._sse_pt import SSEPTRecommender

__all__ = [
    "RECOMMENDERS",
    "AttRecRecommender",
    "HSTURecommender",
    "ItemKNNRecommender",
    "MarkovRecommender",
    "PopularityRecommender",
    "SASRecRecommender",
    "SSEPTRecommender",
]

# All recommenders by short name. Model files, the command line, benchmarks and tests
# read this dictionary.
RECOMMENDERS = {
    "attrec": AttRecRecommender,
    "hstu": HSTURecommender,
    "item-knn": ItemKNNRecommender,
    "markov": MarkovRecommender,
    "popularity": PopularityRecommender,
    "sasrec": SASRecRecommender,
    "sse-pt": SSEPTRecommender,
}
