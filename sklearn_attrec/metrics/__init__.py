"""Ranking metrics, and scorers made from them.

The metrics take ranks: the position of a row's item in the ranking of all items, 1 for
the first and `inf` for an item that is not ranked. `target_ranks` of a recommender
computes ranks, and `ranks_in_lists` finds them in recommended lists. By default each
row is one query with one relevant item; with `users`, the rows of each user are one
query with several relevant items.
"""

from sklearn_attrec.metrics._lists import catalogue_coverage, novelty, ranks_in_lists
from sklearn_attrec.metrics._ranks import (
    hit_rate,
    mean_average_precision,
    mrr,
    ndcg,
    precision,
    recall,
)
from sklearn_attrec.metrics._scorers import (
    evaluate,
    make_multi_ranking_scorer,
    make_ranking_scorer,
)

__all__ = [
    "catalogue_coverage",
    "evaluate",
    "hit_rate",
    "make_multi_ranking_scorer",
    "make_ranking_scorer",
    "mean_average_precision",
    "mrr",
    "ndcg",
    "novelty",
    "precision",
    "ranks_in_lists",
    "recall",
]
