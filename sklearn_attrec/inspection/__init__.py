"""Plots of training and of searches, as scikit-learn's Display classes."""

from sklearn_attrec.inspection._loss_curve import LossCurveDisplay
from sklearn_attrec.inspection._search_heatmap import SearchHeatmapDisplay

__all__ = ["LossCurveDisplay", "SearchHeatmapDisplay"]
