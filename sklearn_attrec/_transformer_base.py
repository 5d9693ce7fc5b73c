"""BaseTransformerRecommender: what recommenders with a causal encoder share."""

from functools import partial

import numpy as np

from sklearn_attrec._network_base import BaseNetworkRecommender, TrainingInputs
from sklearn_attrec._networks.positions import sinusoids
from sklearn_attrec._sampling import index_popularity, index_untouched
from sklearn_attrec._sequences import cut_windows
from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.utils import _numpy_ops as ops
from sklearn_attrec.utils._blas import one_blas_thread
from sklearn_attrec.utils._param_validation import Integer, OneOf, Optional, Real

__all__ = ["BaseTransformerRecommender"]

DEFAULT_NEGATIVES = {"bce": 1, "gbce": 256, "sampled_softmax": 512, "softmax": 0}


class BaseTransformerRecommender(BaseNetworkRecommender):
    """Base class of recommenders that read a history with causal self-attention.

    A subclass names its network, a module of `_networks`, and the width of its rows.
    """

    _parameter_constraints = {
        **BaseNetworkRecommender._parameter_constraints,
        "L": Integer(1),
        "d": Integer(1),
        "n_blocks": Integer(1),
        "n_heads": Integer(1),
        "dropout": Real(0, 1, high_open=True),
        "loss": OneOf(*DEFAULT_NEGATIVES),
        "n_negatives": Optional(Integer(1)),
        "calibration": Real(0, 1),
        "positions": OneOf("learned", "sinusoidal"),
        "norm": OneOf("pre", "post"),
        "windows": OneOf("all", "last"),
    }

    # Blanks for subclasses ------------------------------------------------------

    # As in the paper. Losses that start with very large gradients, such as gBCE, would
    # otherwise be remembered for thousands of steps, in which nothing moves.
    _beta_2 = 0.98

    def _width(self):
        """Numbers in a row that the encoder reads."""
        return self.d

    # What training needs --------------------------------------------------------

    def _n_weights(self, n_users, n_items, longest):
        width = self._width()
        of_blocks = self.n_blocks * (6 * width + 6) + 2
        return n_items * self.d + width * (min(self.L, longest) + of_blocks)

    def _training_inputs(self, sequences, n_items, strict):
        self._check_heads()
        lengths = np.diff(sequences.indptr)
        trainable = np.flatnonzero(lengths >= 2)
        data = {
            "items": sequences.items.astype(np.int64),
            "users": np.repeat(np.arange(len(lengths)), lengths),
        }
        if self.loss in ("bce", "gbce"):
            data["untouched"] = index_untouched(sequences, n_items)
            trainable = trainable[data["untouched"].counts[trainable] > 0]
            self._check_negatives(len(trainable), n_items, strict)
        if self.loss == "sampled_softmax":
            data["popularity"] = index_popularity(sequences, n_items)
        # No window is longer: positions before it would never be trained.
        L = min(self.L, lengths.max() - 1)
        draw = partial(self._draw_windows, sequences, trainable, L)
        untrained = np.setdiff1d(np.arange(len(lengths)), trainable)
        return TrainingInputs(
            self._network.batch_loss, self._settings(L, n_items), data, draw, untrained
        )

    def _draw_windows(self, sequences, users, L, random):
        places = random if self.windows == "all" else None
        return random.permutation(cut_windows(sequences, users, L, places))

    def _settings(self, L, n_items):
        n_negatives = int(self.n_negatives or DEFAULT_NEGATIVES[self.loss])
        return self._network.Settings(
            loss=self.loss,
            positions=self.positions,
            norm=self.norm,
            with_dropout=self.dropout > 0,
            dropout=float(self.dropout),
            n_heads=int(self.n_heads),
            n_negatives=min(n_negatives, n_items - 1),
            calibration=float(self.calibration),
            signal=sinusoids(L, self._width()),
            **self._more_settings(),
        )

    def _more_settings(self):
        return {}

    def _row_kind(self, name):
        return {"E": "items_", "U": "users_", "P": "positions"}.get(name)

    def _weight_layout(self, settings, names):
        n_blocks = sum(name.endswith(".W_Q") for name in names)
        return self._network.weight_layout(settings, n_blocks)

    def _check_fitted(self):
        settings = self._fitted()
        if not settings.n_heads or settings.signal.shape[1] % settings.n_heads:
            raise ValueError(f"'settings': n_heads is {settings.n_heads}")

    def _check_heads(self):
        if self._width() % self.n_heads:
            raise InvalidParameterError(
                f"The 'n_heads' parameter of {type(self).__name__} must divide the "
                f"{self._width()} numbers of a row evenly. Got {self.n_heads!r}."
            )

    # The two sides of the inner products ----------------------------------------

    def _item_parts(self):
        return (self.weights_["E"],)

    def _query_parts(self, users, histories):
        settings = self._fitted()
        L, d = len(settings.signal), self.weights_["E"].shape[1]
        found = np.zeros((len(users), d), dtype=np.float32)
        # One history after the other: nothing is padded, and no query's last bit
        # depends on which others it is asked with.
        with one_blas_thread():
            for row, user in enumerate(users):
                begin, end = histories.indptr[row], histories.indptr[row + 1]
                if end > begin:
                    items = histories.items[max(begin, end - L) : end]
                    found[row] = self._network.query_vector(
                        ops, self.weights_, settings, items, user
                    )
        return (found,)
