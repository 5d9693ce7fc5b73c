"""scikit-learn-compatible next-item recommendation."""

from sklearn_attrec._attrec import AttRecRecommender
from sklearn_attrec._popularity import PopularityRecommender

__all__ = ["AttRecRecommender", "PopularityRecommender"]

__version__ = "0.1.0"
