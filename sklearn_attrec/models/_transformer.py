"""BaseTransformerRecommender: base class of SASRec, SSE-PT and HSTU."""

from functools import partial

import numpy as np

from sklearn_attrec._interactions.target_weights import any_positive, scale_weights
from sklearn_attrec._interactions.times import in_seconds
from sklearn_attrec._interactions.windows import cut_windows, training_targets
from sklearn_attrec._networks.negative_sampling import (
    index_popularity,
    index_untouched,
)
from sklearn_attrec._training.loop import TrainingPlan
from sklearn_attrec._training.schedules import warm_up_cosine
from sklearn_attrec._training.updates import with_rehearsal
from sklearn_attrec.models._explanations import left_out
from sklearn_attrec.models._network import BaseNetworkRecommender
from sklearn_attrec.utils._param_validation import Integer, OneOf, Optional, Real

__all__ = ["BaseTransformerRecommender"]

# Number of items that are encoded together. Their activations should fit in the cache.
ROWS_AT_ONCE = 1024

# Parameters of the encoder of SASRec and SSE-PT.
ENCODER = {
    "positions": OneOf("learned", "sinusoidal"),
    "norm": OneOf("pre", "post"),
}

DEFAULT_NEGATIVES = {"bce": 1, "gbce": 256, "sampled_softmax": 512, "softmax": 0}


def _groups(lengths, size):
    """Group histories of equal length; a group has at most `size` items, if possible.

    Parameters
    ----------
    lengths : ndarray of shape (n,)
    size : int

    Yields
    ------
    ndarray
        The histories of a group. Empty histories are in no group.
    """
    order = np.argsort(lengths, kind="stable")
    values, starts = np.unique(lengths[order], return_index=True)
    for length, rows in zip(values, np.split(order, starts)[1:], strict=True):
        if length > 0:
            n = max(1, size // length)
            yield from (rows[start : start + n] for start in range(0, len(rows), n))


class BaseTransformerRecommender(BaseNetworkRecommender):
    """Base class of recommenders that encode a history with a causal transformer.

    A subclass sets `_network`, a module of `_networks` with the function
    `query_vectors`, and adds its own parameters to `_settings`.
    """

    _parameter_constraints = {
        **BaseNetworkRecommender._parameter_constraints,
        "L": Integer(1),
        "d": Integer(1),
        "n_blocks": Integer(1, 1_000),
        "n_heads": Integer(1),
        "dropout": Real(0, 1, high_open=True),
        "loss": OneOf(*DEFAULT_NEGATIVES),
        "n_negatives": Optional(Integer(1)),
        "calibration": Real(0, 1),
    }

    # Whether an epoch cuts whole histories into windows at random positions. If False,
    # it reads the last L items of each user, as the papers do. Only benchmarks set it.
    _random_cuts = True

    def _settings(self, n_items, longest):
        n_negatives = int(self.n_negatives or DEFAULT_NEGATIVES[self.loss])
        encoder = [name for name in ENCODER if name in self._parameter_constraints]
        return {
            # Windows have at most longest - 1 items; later positions would never be
            # trained.
            "L": int(min(self.L, longest - 1)),
            "d": int(self.d),
            "n_blocks": int(self.n_blocks),
            "n_heads": int(self.n_heads),
            "dropout": float(self.dropout),
            "loss": str(self.loss),
            "n_negatives": min(n_negatives, n_items - 1),
            "calibration": float(self.calibration),
            "time_bias": None if self.time_bias is None else str(self.time_bias),
            **{name: str(getattr(self, name)) for name in encoder},
        }

    def _training_plan(self, sequences, settings, parameters, n_items, is_new=None):
        lengths = np.diff(sequences.indptr)
        trainable = np.flatnonzero(lengths >= 2)
        data = {
            "items": sequences.items,
            "users": sequences.users,
        }
        if self.time_bias:
            data["times"] = in_seconds(sequences.times)
        if self.loss in ("bce", "gbce"):
            data["untouched"] = index_untouched(sequences, n_items)
            trainable = trainable[data["untouched"].counts[trainable] > 0]
        if (weights := sequences.weights) is not None:
            targets = training_targets(sequences)
            users = data["users"][targets]
            trainable = np.intersect1d(trainable, users[weights[targets] > 0])
            is_read = np.isin(users, trainable)
            data["weights"] = scale_weights(weights, targets[is_read])
        if self.loss == "sampled_softmax":
            data["popularity"] = index_popularity(sequences, n_items)
        draw = partial(
            self._draw_windows, sequences, trainable, parameters["L"], is_new
        )
        return TrainingPlan(
            self._network.batch_loss,
            settings,
            data,
            draw,
            np.setdiff1d(np.arange(len(lengths)), trainable),
            schedule=warm_up_cosine,
            # As in the paper. With 0.999 the very large first gradients of some losses
            # (gBCE) would slow down thousands of steps.
            beta_2=0.98,
        )

    def _draw_windows(self, sequences, users, L, is_new, random):
        cuts = random if self._random_cuts else None
        windows = cut_windows(sequences, users, L, cuts)
        # The targets come one row later.
        if sequences.weights is not None:
            windows = windows[any_positive(sequences.weights, *(windows.T + 1))]
        if is_new is not None:
            predicts_new = any_positive(is_new, *(windows.T + 1))
            return with_rehearsal(windows, predicts_new, random)
        return random.permutation(windows)

    # Vectors of items and queries -----------------------------------------------

    def _item_parts(self):
        return (self.weights_["E"],)

    def _causes(self, users, histories, times, items):
        L = self.settings_["L"]
        return [left_out(self, users, histories, times, items, L)]

    def _query_parts(self, users, histories, times):
        settings, L = self._network_settings(), self.settings_["L"]
        lengths = np.minimum(np.diff(histories.indptr), L)
        vectors = np.zeros((len(users), self.settings_["d"]), dtype=np.float32)
        seconds, query_seconds = self._times_in_seconds(histories, times)
        for rows in _groups(lengths, ROWS_AT_ONCE):
            offsets = np.arange(-lengths[rows[0]], 0)
            places = histories.indptr[rows + 1][:, None] + offsets  # (n, W)
            items, window_times = histories.items[places], None
            if seconds is not None:  # (n, W + 1)
                window_times = np.column_stack([seconds[places], query_seconds[rows]])
            vectors[rows] = self._network.query_vectors(
                self.weights_, settings, items, users[rows], window_times
            )
        return (vectors,)
