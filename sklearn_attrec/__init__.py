"""scikit-learn-compatible next-item recommendation."""

from sklearn_attrec.models import (
    AttRecRecommender,
    HSTURecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
)
from sklearn_attrec.persistence import load_model, save_model

__all__ = [
    "AttRecRecommender",
    "HSTURecommender",
    "ItemKNNRecommender",
    "MarkovRecommender",
    "PopularityRecommender",
    "SASRecRecommender",
    "SSEPTRecommender",
    "load_model",
    "save_model",
]

__version__ = "0.1.0"
