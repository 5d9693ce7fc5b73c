"""AttRec: next-item recommendation with self-attention and metric learning."""

import numpy as np

from sklearn_attrec._network_base import BaseNetworkRecommender
from sklearn_attrec._networks import attrec
from sklearn_attrec._sampling import index_untouched
from sklearn_attrec._sequences import last_items, training_windows
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils import _numpy_ops as ops
from sklearn_attrec.utils._param_validation import (
    Boolean,
    Integer,
    OneOf,
    Optional,
    Real,
)

__all__ = ["AttRecRecommender"]


class AttRecRecommender(BaseNetworkRecommender):
    """AttRec."""

    _parameter_constraints = {
        **BaseNetworkRecommender._parameter_constraints,
        "L": Integer(1),
        "d": Integer(1),
        "omega": Real(0, 1),
        "gamma": Real(0, low_open=True),
        "n_targets": Optional(Integer(1)),
        "n_negatives": Optional(Integer(1)),
        "aggregation": OneOf("mean", "sum", "max", "min"),
        "similarity": OneOf("euclidean", "inner"),
        "share_projection": Boolean(),
        "loss": OneOf("hinge", "bpr", "softmax"),
        "temperature": Real(0, low_open=True),
        "dropout": Real(0, 1, high_open=True),
        "max_norm": Optional(Real(0, low_open=True)),
    }

    def __init__(
        self,
        *,
        L=5,
        d=100,
        omega=0.3,
        gamma=0.5,
        n_targets=None,
        n_negatives=None,
        aggregation="mean",
        similarity="euclidean",
        share_projection=False,
        loss="hinge",
        temperature=0.2,
        dropout=0.0,
        alpha=0.0,
        max_norm=1.0,
        optimizer="adam",
        learning_rate=1e-3,
        batch_size=256,
        max_iter=20,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=3,
        tol=1e-4,
        k=10,
        exclude_seen=True,
        handle_unknown="popular",
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.L = L
        self.d = d
        self.omega = omega
        self.gamma = gamma
        self.n_targets = n_targets
        self.n_negatives = n_negatives
        self.aggregation = aggregation
        self.similarity = similarity
        self.share_projection = share_projection
        self.loss = loss
        self.temperature = temperature
        self.dropout = dropout
        self.alpha = alpha
        self.max_norm = max_norm
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.k = k
        self.exclude_seen = exclude_seen
        self.handle_unknown = handle_unknown
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # What training needs --------------------------------------------------------

    def _initial_weights(self, random, n_users, n_items):
        d = self.d
        # Weights, two moments and a gradient each.
        self._check_memory(16.0 * d * (n_users + 2 * n_items + 2 * d), "d")

        def table(n):
            # Rows of length about 0.5 lie inside the unit ball, in all directions.
            return (random.standard_normal((n, d)) * (0.5 / np.sqrt(d))).astype("f4")

        def projection():
            bound = np.sqrt(6 / (2 * d))  # Glorot, Bengio 2010
            return random.uniform(-bound, bound, (d, d)).astype("f4")

        weights = {"U": table(n_users), "V": table(n_items), "X": table(n_items)}
        weights["W_Q"] = projection()
        if not self.share_projection:
            weights["W_K"] = projection()
        return weights

    def _training_inputs(self, sequences, n_items):
        windows = training_windows(sequences)
        if not len(windows.users):
            lengths = np.diff(sequences.indptr)
            raise InteractionsError(
                f"{self._caller('fit')}: no user has 2 or more interactions to learn "
                f"from (n_samples = {len(sequences.items)}, longest history: "
                f"{lengths.max()}). Give longer histories."
            )
        data = {
            "items": sequences.items.astype(np.int64),
            "indptr": sequences.indptr,
            "users": windows.users.astype(np.int64),
            "positions": windows.positions,
        }
        trainable = np.arange(len(windows.users))
        if self.loss != "softmax":
            data["untouched"] = index_untouched(sequences, n_items)
            trainable = np.flatnonzero(data["untouched"].counts[windows.users] > 0)
            if not len(trainable):
                raise InteractionsError(
                    f"{self._caller('fit')}: no negative item exists, because every "
                    f"user touched all {n_items} items. Pass loss='softmax', or give "
                    "more items."
                )
        n_users = len(sequences.indptr) - 1
        skipped = n_users - len(np.unique(windows.users[trainable]))
        return attrec.batch_loss, self._settings(), data, trainable, skipped

    def _settings(self):
        softmax = self.loss == "softmax"
        n_targets = self.n_targets or (1 if softmax else 3)
        n_negatives = self.n_negatives or (512 if softmax else 10)
        return attrec.Settings(
            aggregation=self.aggregation,
            similarity=self.similarity,
            share_projection=bool(self.share_projection),
            loss=self.loss,
            with_dropout=self.dropout > 0,
            omega=float(self.omega),
            gamma=float(self.gamma),
            temperature=float(self.temperature),
            dropout=float(self.dropout),
            n_negatives=int(n_negatives),
            time_signal=attrec.time_signal(self.L, self.d),
            before=np.arange(-self.L, 0),
            ahead=np.arange(n_targets),
        )

    def _clipped_weights(self):
        bounded = self.similarity == "euclidean" and self.max_norm is not None
        return ("U", "V", "X") if bounded else ()

    def _row_kind(self, name):
        return {"U": "users_", "V": "items_", "X": "items_"}.get(name)

    # The two sides of the inner product -----------------------------------------

    def _item_matrix(self):
        weights = self.weights_
        return attrec.item_vectors(ops, self._settings(), weights["V"], weights["X"])

    def _likeness_matrix(self):
        weights = self.weights_
        return attrec.item_embeddings(ops, self._settings(), weights["V"], weights["X"])

    def _query_matrix(self, users, histories):
        weights, settings = self.weights_, self._settings()
        items, real = last_items(histories, self.L)
        real[:, -1] = True  # a query without history is answered elsewhere
        window = weights["X"][items]  # (n, L, d)
        short = attrec.short_term(ops, weights, settings, window, real)
        long = np.where(
            (users >= 0)[:, None], weights["U"][users], self._stranger(histories)
        )
        return attrec.query_vectors(ops, settings, long, short)

    def _stranger(self, histories):
        """Stand in for the embedding of users that fit did not see.

        Of all vectors of the length that trained users have, the mean of V over a
        user's items, scaled to it, is nearest to these items in the sense of least
        squares.
        """
        V, U = self.weights_["V"], self.weights_["U"]
        rows = np.repeat(np.arange(len(histories.indptr) - 1), np.diff(histories.indptr))
        total = np.zeros((len(histories.indptr) - 1, V.shape[1]), dtype=V.dtype)
        np.add.at(total, rows, V[histories.items])
        norm = np.linalg.norm(total, axis=1, keepdims=True)
        length = self._cached("length", lambda: np.linalg.norm(U, axis=1).mean())
        return total * (length / np.where(norm > 0, norm, 1))
