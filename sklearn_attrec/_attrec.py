"""AttRec: next-item recommendation with self-attention and metric learning."""

import numpy as np
from scipy.sparse import csr_array

from sklearn_attrec._network_base import BaseNetworkRecommender, TrainingInputs
from sklearn_attrec._networks import attrec
from sklearn_attrec._networks.positions import sinusoids
from sklearn_attrec._sampling import index_untouched
from sklearn_attrec._sequences import last_items, training_windows
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
    r"""Recommend the next item by short-term attention and long-term taste.

    AttRec [1]_ looks at a user's last `L` items through one self-attention layer and
    at the user's and the items' embeddings as points: what lies near is liked. An item
    i is the better for user u the smaller

    .. math:: y(u, i) = \omega \lVert U_u - V_i \rVert^2
              + (1 - \omega) \lVert m_u - X_i \rVert^2,

    where m aggregates the attention over the window. The score of an item is −y. A
    user that fit did not see is answered from a history alone.

    Parameters
    ----------
    L : int, default=5
        How many of the last items the attention reads. Larger sees further back and
        costs more.
    d : int, default=100
        Size of the embeddings. Larger fits more and needs more data.
    omega : float, default=0.3
        Weight of the long-term taste, 0 to 1. 0 leaves the last items alone to
        decide, 1 ignores their order.
    gamma : float, default=0.5
        Margin, above 0, by which a target should lie nearer than a negative. Larger
        pushes harder. Not used by ``loss='bpr'``.
    n_targets : int, default=None
        How many of the next items of a window are targets (T in the paper). None
        means 3 for the pairwise losses and 1 for 'softmax'.
    n_negatives : int, default=None
        How many items are drawn as negatives: for the pairwise losses a window's own,
        from what its user never touched; for 'softmax' shared by the batch, from the
        whole catalogue. None means 10 and 512.
    aggregation : {'mean', 'sum', 'max', 'min'}, default='mean'
        How the attended items of the window become one vector.
    similarity : {'euclidean', 'inner'}, default='euclidean'
        Score by distance as above, or by the inner products
        :math:`\omega U_u \cdot V_i + (1 - \omega) m_u \cdot X_i`.
    share_projection : bool, default=False
        Whether query and key share one projection, as in the author's program.
    loss : {'hinge', 'bpr', 'softmax'}, default='hinge'
        'hinge' is the paper's. 'bpr' is the usual loss for ``similarity='inner'``.
        'softmax' is the cross-entropy of the target against shared negatives; it
        ranks better on every data set measured so far.
    temperature : float, default=0.2
        Divides the scores in 'softmax', above 0. Smaller looks harder at the nearest
        negatives.
    dropout : float, default=0.2
        Share of queries and keys set to zero in training, 0 to below 1.
    alpha : float, default=0.0
        Weight of the sum of all squared weights in the loss.
    max_norm : float or None, default=1.0
        Largest length of a row of U, V and X; None leaves them free. Not used by
        ``similarity='inner'``.
    optimizer : {'adam', 'adagrad'}, default='adam'
        Update rule.
    learning_rate : float, default=0.003
        Step size, above 0.
    schedule : {'linear', 'cosine', 'constant'}, default='linear'
        Whether the step size falls to 0 over `max_iter` epochs in a straight line,
        rises over the first twentieth of the steps and then falls to 0 along a
        cosine, or stays.
    batch_size : int, default=512
        Windows a step.
    max_iter : int, default=20
        Epochs.
    early_stopping : bool, default=False
        Whether to hold out the last item of some users, watch `scoring` on them, stop
        when it no longer grows and keep the best weights.
    scoring : {'ndcg', 'hit_rate'}, default='ndcg'
        What `early_stopping` watches, at `k`, by full ranking.
    validation_fraction : float, default=0.1
        Share of users held out by `early_stopping`, of those with 3 or more items,
        above 0 to 1.
    n_iter_no_change : int, default=3
        Epochs without growth before `early_stopping` stops.
    tol : float, default=0.0001
        By how much the score must grow to count.
    k : int, default=10
        How many items `predict` returns and `score` looks at.
    exclude_seen : bool, default=True
        Whether to leave out items that the user had before. Set it to False where
        people buy again.
    handle_unknown : {'popular', 'error'}, default='popular'
        What to do about a user without history that fit never saw: recommend popular
        items, or raise `UnknownUserError`. Items of a history that fit never saw are
        ignored with a warning, or raise.
    warm_start : bool, default=False
        Whether `fit` starts from the weights of the fit before, for the users and
        items that are still there.
    checkpoint : str, PathLike or None, default=None
        File in which `fit` keeps its state, to go on after a crash; the one before it
        stays in a second file that ends in '.previous'. Both are removed when `fit` is
        finished. Each fit needs its own: leave it None in a search.
    checkpoint_every : int or str, default=1
        How often: a number of epochs, or a time such as '10min', which is kept within
        epochs, too.
    resume : bool, default=False
        Whether `fit` goes on from `checkpoint`, if that is there, to the same bits as
        if it had never stopped. Other data, parameters, seeds or versions of this
        package are refused; a RandomState must be as it was when the fit began.
    keep_interrupted : bool, default=False
        Whether a fit that ends with Ctrl-C or `TrainingDivergedError` leaves the model
        of the last epoch it completed (when stopping early, of the best one), with
        `interrupted_` True. The exception is raised all the same.
    random_state : int, RandomState or None, default=None
        Seed. The same data, seed, versions and number of threads give the same bits.
    verbose : int, default=0
        Above 0 prints a line an epoch.

    Attributes
    ----------
    users_ : ndarray of shape (n_users,)
        User ids, by first appearance in time.
    items_ : ndarray of shape (n_items,)
        Item ids, by first appearance in time.
    weights_ : dict of ndarray
        `U` (n_users, d), `V` and `X` (n_items, d), `W_Q` and `W_K` (d, d), float32.
    history_ : list of dict
        One record an epoch: `epoch`, `loss`, `seconds` and, when stopping early,
        `validation_score`.
    n_iter_ : int
        Epochs run.
    interrupted_ : bool
        Whether the fit was stopped before its end; see `keep_interrupted`.
    n_users_skipped_ : int
        Users that gave nothing to train on: those with one interaction and, for the
        pairwise losses, those who touched every item.
    settings_ : dict
        Parameters as `fit` used them, with what it derived from them.
    item_counts_ : ndarray of shape (n_items,)
        How often each item occurred.
    missing_item_ : object
        What fills a row of `predict` when fewer than k items remain.
    history_indptr_, history_items_, history_times_ : ndarray
        The fitted interactions, encoded and sorted by user and time.
    n_features_in_ : int
        Number of columns read in fit.
    feature_names_in_ : ndarray of str
        Their names, if X was a DataFrame.

    See Also
    --------
    SASRecRecommender : Self-attention over longer histories, with the same methods.
    PopularityRecommender : The baseline, with the same methods.

    References
    ----------
    .. [1] S. Zhang, Y. Tay, L. Yao, A. Sun, "Next Item Recommendation with
       Self-Attention", 2018, arXiv:1808.06414.

    Examples
    --------
    >>> from sklearn_attrec import AttRecRecommender
    >>> from sklearn_attrec.datasets import make_interactions
    >>> interactions = make_interactions(random_state=0)
    >>> model = AttRecRecommender(d=8, max_iter=2, random_state=0).fit(interactions)
    >>> model.predict(0).shape
    (10,)
    >>> model.predict("new", history=[4, 8, 15], k=3).shape
    (3,)
    """

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

    _network = attrec

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
        dropout=0.2,
        alpha=0.0,
        max_norm=1.0,
        optimizer="adam",
        learning_rate=3e-3,
        schedule="linear",
        batch_size=512,
        max_iter=20,
        early_stopping=False,
        scoring="ndcg",
        validation_fraction=0.1,
        n_iter_no_change=3,
        tol=1e-4,
        k=10,
        exclude_seen=True,
        handle_unknown="popular",
        warm_start=False,
        checkpoint=None,
        checkpoint_every=1,
        resume=False,
        keep_interrupted=False,
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
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.scoring = scoring
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.k = k
        self.exclude_seen = exclude_seen
        self.handle_unknown = handle_unknown
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.resume = resume
        self.keep_interrupted = keep_interrupted
        self.random_state = random_state
        self.verbose = verbose

    # What training needs --------------------------------------------------------

    def _n_weights(self, n_users, n_items, longest):
        return self.d * (n_users + 2 * n_items + 2 * self.d + self.L)

    def _initial_weights(self, random, settings, n_users, n_items):
        d = self.d

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

    def _training_inputs(self, sequences, n_items, strict):
        windows = training_windows(sequences)
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
            self._check_negatives(len(trainable), n_items, strict)
        users = np.arange(len(sequences.indptr) - 1)
        untrained = np.setdiff1d(users, windows.users[trainable])
        return TrainingInputs(
            attrec.batch_loss,
            self._settings(),
            data,
            lambda random: random.permutation(trainable),
            untrained,
        )

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
            time_signal=sinusoids(self.L, self.d),
            before=np.arange(-self.L, 0),
            ahead=np.arange(n_targets),
        )

    def _finish(self, sequences, weights, unlearned):
        lengths = np.delete(np.linalg.norm(weights["U"], axis=1), unlearned)
        if len(lengths):
            weights["U"][unlearned] = strangers(
                weights, sequences.select(unlearned), lengths.mean()
            )
        weights.setdefault("W_K", weights["W_Q"])

    def _length(self):
        """How long trained users' vectors are on the average."""
        U = self.weights_["U"]
        return self._cached("length", lambda: np.linalg.norm(U, axis=1).mean())

    def _clipped_weights(self):
        bounded = self.similarity == "euclidean" and self.max_norm is not None
        return ("U", "V", "X") if bounded else ()

    def _weight_layout(self, settings, names):
        return attrec.weight_layout()

    def _row_kind(self, name):
        return {"U": "users_", "V": "items_", "X": "items_"}.get(name)

    # The two sides of the inner products ----------------------------------------

    def _item_parts(self):
        weights = self.weights_
        return attrec.item_parts(ops, self._fitted(), weights["V"], weights["X"])

    def _likeness_matrix(self):
        weights = self.weights_
        return attrec.item_embeddings(ops, self._fitted(), weights["V"], weights["X"])

    def _query_parts(self, users, histories):
        weights, settings = self.weights_, self._fitted()
        items, real = last_items(histories, len(settings.before))
        real[:, -1] = True  # a query without history is answered elsewhere
        window = weights["X"][items]  # (n, L, d)
        short = attrec.short_term(ops, weights, settings, window, real)
        long = weights["U"][users]  # (n, d)
        if (users < 0).any():
            stranger = strangers(weights, histories, self._length())
            long = np.where((users < 0)[:, None], stranger, long)
        return attrec.query_parts(ops, settings, long, short)


def strangers(weights, histories, length):
    """Long-term vectors of users without a trained one, from their histories.

    Of all vectors of a length, the mean of V over a user's items, scaled to it, is the
    nearest to these items in the sense of least squares.

    Parameters
    ----------
    weights : dict of ndarray
        `V`, (n_items, d).
    histories : Sequences
        n sequences.
    length : float
        As long as trained users' vectors are: 1 on the unit sphere, where they end.

    Returns
    -------
    ndarray of shape (n, d), float32
        Zero without history.
    """
    V = weights["V"]
    ones = np.ones(len(histories.items), dtype=V.dtype)
    shape = (len(histories.indptr) - 1, len(V))
    total = csr_array((ones, histories.items, histories.indptr), shape) @ V
    norm = np.linalg.norm(total, axis=1, keepdims=True)
    return total * np.float32(length) / np.where(norm > 0, norm, 1)
