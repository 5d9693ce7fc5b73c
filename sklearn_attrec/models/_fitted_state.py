"""Fitted attributes that do not depend on the model."""

import numpy as np

from sklearn_attrec._ranking.known_ids import missing_id

__all__ = ["encoded_state"]


def encoded_state(sequences, users, items):
    """Return the fitted attributes that do not depend on the model."""
    return {
        "users_": users,
        "items_": items,
        "missing_item_": missing_id(items),
        "item_counts_": np.bincount(sequences.items, minlength=len(items)),
        "history_indptr_": sequences.indptr,
        "history_items_": sequences.items,
        "history_times_": sequences.times,
        "history_weights_": sequences.weights,
    }
