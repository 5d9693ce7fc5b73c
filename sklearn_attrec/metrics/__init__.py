"""Ranking metrics over ranks, and the scorers made from them.

A rank is the place of a row's item among all items, 1 for the first and `inf` for an
item that is not ranked at all. `target_ranks` of every recommender gives them, and
`ranks_in_lists` reads them off recommended lists. One row is one relevant item; pass
`users` to the metrics to pool the rows of each user into one query with several.
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
