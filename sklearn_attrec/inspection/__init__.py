"""Plots of recommendations, models, training and searches, as Display classes."""

from sklearn_attrec.inspection._attention import AttentionDisplay
from sklearn_attrec.inspection._explanation import ExplanationDisplay
from sklearn_attrec.inspection._loss_curve import LossCurveDisplay
from sklearn_attrec.inspection._ranking_curve import RankingCurveDisplay
from sklearn_attrec.inspection._search_heatmap import SearchHeatmapDisplay

__all__ = [
    "AttentionDisplay",
    "ExplanationDisplay",
    "LossCurveDisplay",
    "RankingCurveDisplay",
    "SearchHeatmapDisplay",
]
