"""Pipeline steps that drop interactions from the training data only."""

from sklearn_attrec.preprocessing._drop_repeats import DropRepeats
from sklearn_attrec.preprocessing._k_core import KCoreFilter
from sklearn_attrec.preprocessing._rating_threshold import RatingThreshold

__all__ = ["DropRepeats", "KCoreFilter", "RatingThreshold"]
