"""scikit-learn-compatible next-item recommendation."""

from sklearn_attrec._attrec import AttRecRecommender
from sklearn_attrec._item_knn import ItemKNNRecommender
from sklearn_attrec._markov import MarkovRecommender
from sklearn_attrec._popularity import PopularityRecommender
from sklearn_attrec._sasrec import SASRecRecommender
from sklearn_attrec._sse_pt import SSEPTRecommender
from sklearn_attrec.persistence import load_model, save_model

__all__ = [
    "AttRecRecommender",
    "ItemKNNRecommender",
    "MarkovRecommender",
    "PopularityRecommender",
    "SASRecRecommender",
    "SSEPTRecommender",
    "load_model",
    "save_model",
]

__version__ = "0.1.0"
