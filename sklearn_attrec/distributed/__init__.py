"""Recommendations for all users of a Dask or Spark DataFrame."""

from sklearn_attrec.distributed._recommend import recommend

__all__ = ["recommend"]
