"""AttRecRecommender: short-term self-attention and long-term embeddings."""

import os
from functools import partial

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.utils.validation import check_is_fitted

from sklearn_attrec._interactions.column_names import ITEM
from sklearn_attrec._interactions.target_weights import any_positive, scale_weights
from sklearn_attrec._interactions.times import in_seconds
from sklearn_attrec._interactions.windows import last_items, training_targets
from sklearn_attrec._networks import attrec
from sklearn_attrec._networks import numpy_ops as ops
from sklearn_attrec._networks.negative_sampling import index_untouched
from sklearn_attrec._ranking.queries import read_queries
from sklearn_attrec._training.loop import TrainingPlan
from sklearn_attrec._training.updates import with_rehearsal
from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.models._explanations import HISTORY, POPULARITY, TASTE, Causes
from sklearn_attrec.models._network import BaseNetworkRecommender
from sklearn_attrec.utils._param_validation import (
    Boolean,
    Integer,
    OneOf,
    Optional,
    Real,
)
from sklearn_attrec.utils._types import Frame, History, Users

__all__ = ["AttRecRecommender"]


class AttRecRecommender(BaseNetworkRecommender):
    """Recommend the next item by self-attention and metric learning.

    AttRec [1]_ adds two scores: a short-term score, from self-attention over the last
    `L` items of a user, and a long-term score, from embeddings of users and items.
    ``AttRecRecommender(loss="hinge", share_projection=True)`` is the model of the
    paper.

    With ``loss="softmax"`` and ``loss="hinge"`` users and items are points, and the
    score of item i for user u is a negative squared distance::

        score(u, i) = −omega ‖U_u − V_i‖² − (1 − omega) ‖m_u − X_i‖²

    With ``loss="bpr"`` it is an inner product::

        score(u, i) = omega U_u · V_i + (1 − omega) m_u · X_i

    U are the long-term embeddings of users, V and X the long-term and the short-term
    embeddings of items, and m is the mean (see `aggregation`) of the attention outputs
    over the rows of X for the last `L` items. For a user not seen in `fit`, a history
    is sufficient: the row of U is replaced by the mean of the rows of V of its items,
    scaled to the mean norm of the rows of U.

    A training window is up to `L` consecutive items of one user. Its targets are the
    items that follow. Negatives are items drawn at random.

    Parameters
    ----------
    L : int, default=5
        Number of most recent items of a history that the model reads, 1 to 1000. Larger
        values use older items too and take more time.
    d : int, default=100
        Size of the item embeddings. Larger values fit more patterns and need more data.
        The user embeddings have the same size.
    omega : float, default=0.3
        Weight of the long-term score, 0 to 1. At 0 only the short-term score counts, at
        1 only the long-term score.
    gamma : float, default=0.5
        Margin, above 0, by which the score of a target should exceed the score of a
        negative. Larger values require a larger difference between the two scores. Not
        used by 'bpr'.
    n_targets : int or None, default=None
        Number of items that follow a window and are its targets (T in the paper), 1 to
        1000. None means 3 for 'hinge' and 'bpr' and 1 for 'softmax'.
    n_negatives : int or None, default=None
        Number of items drawn as negatives. None means 10 for 'hinge' and 'bpr' and 512
        for 'softmax'. 'hinge' and 'bpr' draw per window, from the items that the user
        never interacted with; 'softmax' draws per batch, from all items.
    aggregation : {'mean', 'sum', 'max', 'min'}, default='mean'
        How the attention outputs of a window are combined into one vector.
    share_projection : bool, default=False
        Whether queries and keys use the same projection, as in the paper.
    loss : {'hinge', 'bpr', 'softmax'}, default='softmax'
        'hinge' is the pairwise loss of the paper and 'bpr' the pairwise loss of
        Bayesian personalised ranking. 'softmax' is the cross-entropy of a target and
        the negatives of its batch. It gives better rankings than 'hinge' on MovieLens
        and Amazon Beauty.
    temperature : float, default=0.2
        Divisor of the scores in 'softmax', above 0. Smaller values give more weight to
        the negatives with the largest scores. Used only by 'softmax'.
    dropout : float, default=0.2
        Probability of setting a value to 0 in training, 0 to below 1, rounded to a
        multiple of 1/256 (at most 255/256). Larger values reduce overfitting and need
        more epochs.
    alpha : float, default=0.0
        Strength of the L2 penalty: the factor of the sum of all squared weights in the
        loss, 0 or more.
    max_norm : float or None, default=1.0
        Maximum Euclidean norm of the rows of U, V and X, above 0; with
        `item_features`, of the own embeddings of items, before those of the features
        are added. None means no maximum. Not used by 'bpr'.
    time_bias : {'history', 'request'} or None, default=None
        Adds to the attention learned biases for the time between interactions, in
        logarithmic buckets, two per doubling, as in HSTU (Zhai et al. 2024,
        arXiv:2402.17152). 'history' reads the times of the user's items. 'request' also
        reads the time of the item to be predicted, which in prediction is the
        `timestamp` of the query, and without one the time of the user's latest item. A
        history without times has no bias. Numbers count as seconds. `fit` needs the
        column `timestamp`. None uses times for the order alone.
    item_features : DataFrame of pandas or polars, or Table of pyarrow, default=None
        Features of items: a column `item_id` and any columns of texts, lists of texts,
        numbers or lists of numbers. The vector of an item is then the sum of its own
        embedding and those of its features, so that items without interactions are
        recommended, too; see Notes of `AttRecRecommender`.
    learning_rate : float, default=0.003
        Largest learning rate of the Adam optimiser, above 0. In AttRec it decreases
        linearly to 0. In the transformers it increases during the first 5 % of the
        training and then decreases to 0 along a cosine. With `early_stopping`
        see there.
    batch_size : int, default=512
        Number of windows per step.
    max_iter : int, default=20
        Number of epochs; with early stopping the maximum.
    early_stopping : bool, default=False
        Whether to end the training by a validation score: NDCG@k for the last item of
        some users, held out and ranked after each epoch as by `score`: with
        `exclude_seen=True`, a held-out item that is in the history, too, has the score
        0. The learning rate is constant after the first epoch. When the score has not
        improved by more than 0.0001 for two epochs, or after two thirds of `max_iter`,
        it decreases linearly to 0, in half as many epochs as there were before. The
        weights of the best epoch are kept. `max_iter` can then be large.
    validation_fraction : float or None, default=None
        Fraction of users whose last item is held out, among the users with 3 or more
        interactions; above 0 and at most 1. None means 2,000 users, or all if there are
        fewer. Used only by `early_stopping`.
    k : int, default=10
        Number of items that `predict` returns and `score` considers.
    exclude_seen : bool, default=True
        Whether to leave out the items of the user's history. Set it to False if
        users interact with the same items repeatedly.
    handle_unknown : {'popular', 'error'}, default='popular'
        How to handle ids that `fit` did not see. 'popular' recommends popular items
        to an unseen user without a history, and ignores unseen items in a history
        with a warning. 'error' raises an error in both cases.
    checkpoint : str, PathLike or None, default=None
        File in which `fit` saves its state after each epoch and at least every ten
        minutes. If the file exists and was written by a fit with the same data,
        parameters, seed and package version, `fit` continues from it. The result is
        bit-identical to that of an uninterrupted fit. Parameters that training does not
        use, for example `verbose`, may differ. With random_state=None `fit` continues
        with the saved seed. If any other file exists at this path, `fit` raises an
        error and does not overwrite it. The second-to-last checkpoint is kept in a file
        with the suffix '.previous'. Both are removed when `fit` is complete. Each fit
        needs its own path, so keep the default in a grid search.
    random_state : int, RandomState or None, default=None
        Seed of all random numbers. The same data, parameters, seed, package versions
        and number of threads give the same weights, bit for bit.
    verbose : int, default=0
        If above 0, `fit` prints one line per epoch.

    Attributes
    ----------
    weights_ : dict of ndarray
        `U` of shape (n_users, d), `V` and `X` (n_items, d), and the query and key
        projections `W_Q` and `W_K` (d, d); with `time_bias` also the biases of the
        attention by the time between two items, `b_pair`, and by the age of the item
        attended to, `b_age` (128,); with `item_features` also the embeddings of
        features, `B_V` and `B_X` (n_features, d), which V and X contain; float32.
    users_ : ndarray of shape (n_users,)
        User ids, in the order of their first interaction.
    items_ : ndarray of shape (n_items,)
        Item ids, in the order of their first interaction; those without interactions,
        if there are any, come last.
    item_counts_ : ndarray of shape (n_items,)
        Number of interactions of each item.
    missing_item_ : object
        Value with which `predict` pads a row if it can recommend fewer than k items.
    history_indptr_ : ndarray of shape (n_users + 1,)
        Start of each user's rows in `history_items_`; the last element is the end.
    history_items_ : ndarray of shape (n_rows,)
        Training items as positions in `items_`, sorted by user, then time.
    history_times_ : ndarray of shape (n_rows,) or None
        Timestamps of these rows; None if `fit` saw no timestamps.
    history_weights_ : ndarray of shape (n_rows,) or None
        Weights of these rows; None without a column `weight`.
    settings_ : dict
        Values that `fit` used for the parameters that define the model: None and values
        above a limit are replaced.
    item_features_ : ItemFeatures or None
        Features of the items, as labels and numbers; None without `item_features`.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of these columns. Defined only if X was a DataFrame.
    loss_curve_ : list of float
        Mean training loss of each epoch. In AttRec it includes the L2 penalty. With a
        column `weight`, each loss is multiplied by its weight; the weights are scaled
        to a mean of about 1, so that values with and without weights can be compared.
    validation_scores_ : list of float or None
        NDCG@k on the held-out items after each epoch, where each item counts once,
        whatever its weight; None without early stopping.
    n_iter_ : int
        Number of complete epochs.
    n_users_skipped_ : int
        Number of users without a training example: users with one interaction, or
        whose interactions after the first all have weight 0. For losses that draw
        negatives from the items that the user never interacted with ('hinge', 'bpr',
        'bce' and 'gbce'), also users who interacted with all items.
    interrupted_ : bool
        Whether Ctrl-C or divergence stopped the training. If True, the weights are
        those of an unfinished training; see `fit`.

    See Also
    --------
    SASRecRecommender : Self-attention over longer histories.
    PopularityRecommender : The baseline.

    Notes
    -----
    Dropout applies to the queries and keys of the attention.

    With `item_features`, the vector of an item (the rows of V and X in AttRec, that of
    E in the transformers) is its own embedding plus the sum of the embeddings of its
    features [2]_: one for each text, one for each number times the number, and one for
    having a row in the table. In training, a step leaves out the own embeddings of some
    items at random (AttRec 5 %, the transformers 1 %), so that features alone learn to
    represent an item [3]_. An item without interactions is then ranked like an item of
    average popularity with these features.

    - Columns of texts, also of categories, have one text or a list of texts per item;
      columns of numbers one number or a list of as many numbers for all items, such as
      the vector of a title. Numbers are centred and divided by the root of their mean
      square; a list is divided as a whole.
    - Items without interactions are part of the catalogue: they are ranked and
      recommended by their features alone, and come last in `items_`. Nothing is learned
      from them.
    - Items of X without a row are represented by their own embeddings alone.
    - A missing value, NaN, None or an empty text, has its own embedding. Texts of a
      single item share one per column. If no item with interactions has such a value,
      it counts as the average of the column.

    References
    ----------
    .. [1] S. Zhang, Y. Tay, L. Yao, A. Sun, "Next Item Recommendation with
       Self-Attention", 2018, arXiv:1808.06414.
    .. [2] M. Kula, "Metadata Embeddings for User and Item Cold-start Recommendations",
       2015, arXiv:1507.08439.
    .. [3] M. Volkovs, G. Yu, T. Poutanen, "DropoutNet: Addressing Cold Start in
       Recommender Systems", NeurIPS 2017.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_attrec import AttRecRecommender
    >>> from sklearn_attrec.datasets import make_interactions
    >>> from sklearn_attrec.model_selection import leave_last_out_split
    >>> interactions = make_interactions(
    ...     100, 20, n_per_user=8, predictability=1, repeats=False, random_state=0
    ... )
    >>> train, test = leave_last_out_split(interactions)
    >>> model = AttRecRecommender(d=16, k=1, random_state=0).fit(train)
    >>> model.score(test) > 0.3  # the chance is 0.05
    True
    >>> model.predict("new", history=[4, 8, 15], k=3).shape
    (3,)

    Items 20 to 29 have no interactions yet, but features:

    >>> items = pd.DataFrame({"item_id": range(30), "colour": ["red", "blue"] * 15})
    >>> model = AttRecRecommender(d=8, max_iter=2, item_features=items, random_state=0)
    >>> model.fit(interactions).predict(0, candidates=range(20, 30), k=3).shape
    (3,)
    """

    _parameter_constraints = {
        **BaseNetworkRecommender._parameter_constraints,
        "L": Integer(1, 1_000),
        "d": Integer(1),
        "omega": Real(0, 1),
        "gamma": Real(0, low_open=True),
        "n_targets": Optional(Integer(1, 1_000)),
        "n_negatives": Optional(Integer(1)),
        "aggregation": OneOf("mean", "sum", "max", "min"),
        "share_projection": Boolean(),
        "loss": OneOf("hinge", "bpr", "softmax"),
        "temperature": Real(0, low_open=True),
        "dropout": Real(0, 1, high_open=True),
        "alpha": Real(0),
        "max_norm": Optional(Real(0, low_open=True)),
    }

    _network = attrec

    def __init__(
        self,
        *,
        L: int = 5,
        d: int = 100,
        omega: float = 0.3,
        gamma: float = 0.5,
        n_targets: int | None = None,
        n_negatives: int | None = None,
        aggregation: str = "mean",
        share_projection: bool = False,
        loss: str = "softmax",
        temperature: float = 0.2,
        dropout: float = 0.2,
        alpha: float = 0.0,
        max_norm: float | None = 1.0,
        time_bias: str | None = None,
        item_features: Frame | None = None,
        learning_rate: float = 3e-3,
        batch_size: int = 512,
        max_iter: int = 20,
        early_stopping: bool = False,
        validation_fraction: float | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        handle_unknown: str = "popular",
        checkpoint: str | os.PathLike[str] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.L = L
        self.d = d
        self.omega = omega
        self.gamma = gamma
        self.n_targets = n_targets
        self.n_negatives = n_negatives
        self.aggregation = aggregation
        self.share_projection = share_projection
        self.loss = loss
        self.temperature = temperature
        self.dropout = dropout
        self.alpha = alpha
        self.max_norm = max_norm
        self.time_bias = time_bias
        self.item_features = item_features
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.k = k
        self.exclude_seen = exclude_seen
        self.handle_unknown = handle_unknown
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.verbose = verbose

    def _settings(self, n_items, longest):
        softmax = self.loss == "softmax"
        return {
            "L": int(self.L),
            "d": int(self.d),
            "omega": float(self.omega),
            "gamma": float(self.gamma),
            "n_targets": int(self.n_targets or (1 if softmax else 3)),
            "n_negatives": int(self.n_negatives or (512 if softmax else 10)),
            "aggregation": str(self.aggregation),
            "share_projection": bool(self.share_projection),
            "loss": str(self.loss),
            "temperature": float(self.temperature),
            "dropout": float(self.dropout),
            "time_bias": None if self.time_bias is None else str(self.time_bias),
        }

    def _training_plan(self, sequences, settings, parameters, n_items, is_new=None):
        users, indptr = sequences.users, sequences.indptr
        data = {"items": sequences.items, "indptr": indptr, "users": users}
        if self.time_bias:
            data["times"] = in_seconds(sequences.times)
        windows = training_targets(sequences)
        if self.loss != "softmax":
            data["untouched"] = index_untouched(sequences, n_items)
            windows = windows[data["untouched"].counts[users[windows]] > 0]

        def predict_any(rows):
            stop = windows + len(settings.ahead)
            stop = np.minimum(stop, indptr[users[windows] + 1])
            return any_positive(rows, windows, stop)

        if (weights := sequences.weights) is not None:
            windows = windows[predict_any(weights)]
            data["weights"] = scale_weights(weights, windows)

        def draw_windows(random):
            return random.permutation(windows)

        if is_new is not None:
            draw_windows = partial(with_rehearsal, windows, predict_any(is_new))
        is_untrained = np.ones(len(indptr) - 1, dtype=bool)
        is_untrained[users[windows]] = False
        is_bounded = self.max_norm is not None and not settings.is_inner
        return TrainingPlan(
            attrec.batch_loss,
            settings,
            data,
            draw_windows,
            np.flatnonzero(is_untrained),
            partial(_complete_weights, sequences),
            # Of a NumPy float, `alpha > 0` would be a tensor in the compiled step.
            alpha=float(self.alpha),
            bounded=("U", "V", "X") if is_bounded else (),
            max_norm=float(self.max_norm or 1.0),
        )

    # Vectors of items and queries -----------------------------------------------

    def _item_parts(self):
        V, X = self.weights_["V"], self.weights_["X"]
        return attrec.item_parts(ops, self._network_settings(), V, X)

    def _similarity_vectors(self):
        V, X = self.weights_["V"], self.weights_["X"]
        return attrec.item_embeddings(ops, self._network_settings(), V, X)

    def _query_parts(self, users, histories, times):
        weights, settings = self.weights_, self._network_settings()
        window = self._windows(histories, times)
        short_term = attrec.short_term(ops, weights, settings, weights["X"], **window)
        long_term = self._long_term(users, histories)
        return attrec.query_parts(ops, settings, long_term, short_term)

    def _windows(self, histories, times):
        """Return the last L items of histories, as arguments of the network."""
        L = self.settings_["L"]
        items, padding_mask = last_items(histories, L)
        seconds, query_seconds = self._times_in_seconds(histories, times)
        window_times = None
        if seconds is not None:
            item_seconds, _ = last_items(histories._replace(items=seconds), L)  # (n, L)
            window_times = np.column_stack([item_seconds, query_seconds])
        # Avoids NaN for an empty history; the result of such a row is not read.
        padding_mask[:, -1] = True
        return {"codes": items, "padding_mask": padding_mask, "times": window_times}

    def _long_term(self, users, histories):
        """Return the row of U of each user, inferred from the history if unseen."""
        weights = self.weights_
        long_term = weights["U"][users]  # (n, d)
        is_unseen = (users < 0)[:, None]
        if is_unseen.any():
            length = self._cached("length", lambda: _mean_length(weights["U"]))
            inferred = infer_user_vectors(weights["V"], histories, length)
            long_term = np.where(is_unseen, inferred, long_term)
        return long_term

    def attention(self, user: Users, history: History | None = None) -> pd.DataFrame:
        """Return the weights of attention between the last items of a user.

        Parameters
        ----------
        user : id, or DataFrame with one row
            A single user, as in `predict`.
        history : list of item ids, default=None
            As in `predict`.

        Returns
        -------
        DataFrame of shape (n, n), float32
            Up to L items, oldest first: index and columns are item ids. Row i says how
            much item i attends to each other item, and sums to 1; an item attends to
            itself only if it is alone.

        Raises
        ------
        InteractionsError
            As in `predict`, or if there are several users or no items.
        UnknownUserError
            As in `predict`.

        Warns
        -----
        TimeUnitWarning, UserWarning
            As in `predict`.

        References
        ----------
        .. [1] S. Zhang, Y. Tay, L. Yao, A. Sun, "Next Item Recommendation with
           Self-Attention", 2018, arXiv:1808.06414.

        Examples
        --------
        >>> from sklearn_attrec import AttRecRecommender
        >>> from sklearn_attrec.datasets import make_interactions
        >>> rows = make_interactions(random_state=0)
        >>> model = AttRecRecommender(d=8, max_iter=2, random_state=0).fit(rows)
        >>> model.attention("new", history=[4, 8, 15]).shape
        (3, 3)
        """
        check_is_fitted(self)
        caller = self._caller("attention")
        queries, _ = read_queries(self, user, history, caller)
        if not self._uses_times():
            queries = queries.without_times()
        _, histories, times = queries.block(slice(None))
        if len(queries.ids) != 1 or len(histories.items) == 0:
            raise InteractionsError(
                f"{caller}: needs one user with at least one item. Got "
                f"{len(queries.ids)} users with {len(histories.items)} items in total."
            )
        attention_weights, window = self._attention(histories, times)
        (is_item,) = window["padding_mask"]
        ids = pd.Index(self.items_[window["codes"][0, is_item]], name=ITEM)
        attention_weights = attention_weights[0][is_item][:, is_item]
        return pd.DataFrame(attention_weights, index=ids, columns=ids)

    def _attention(self, histories, times):
        """Return the attention between the last L items, and what `_windows` returns.

        Returns
        -------
        attention_weights : ndarray of shape (n, L, L)
        window : dict
        """
        weights, window = self.weights_, self._windows(histories, times)
        settings = self._network_settings()
        return attrec.attention(ops, weights, settings, weights["X"], **window), window

    def _average_user(self):
        """Return the mean row of U, and that of X by number of interactions."""
        U, X, counts = self.weights_["U"], self.weights_["X"], self.item_counts_
        return U.mean(axis=0, dtype=np.float64), counts @ X / counts.sum()

    def _causes(self, users, histories, times, items):
        settings = self._network_settings()
        average_u, average_m = self._cached("average user", self._average_user)
        attention_weights, window = self._attention(histories, times)
        codes, padding_mask = window["codes"], window["padding_mask"]
        V, X, read = (
            self.weights_[name][rows].astype(np.float64)
            for name, rows in (("V", items), ("X", items), ("X", codes))
        )  # (n, m, d), (n, m, d), (n, L, d)
        factors = attrec.window_factors(settings, attention_weights, read, padding_mask)
        shares = factors / factors.sum(axis=1, keepdims=True) * average_m
        shares = factors * read - shares  # (n, L, d), whose sum is m − average_m
        u = self._long_term(users, histories).astype(np.float64)
        m_vectors = average_m + shares.sum(axis=1)
        omega = settings.omega
        popularity = omega * _scores(settings, average_u, V)
        popularity += (1 - omega) * _scores(settings, average_m, X)
        taste = omega * _scores(settings, u[:, None], V)
        taste -= omega * _scores(settings, average_u, V)
        # Linear in the shares, so that those of each item can be told apart.
        direction = X if settings.is_inner else 2 * X - m_vectors[:, None] - average_m
        parts = (1 - omega) * np.einsum("nld,nmd->nlm", shares, direction)
        queries, places = np.nonzero(padding_mask)
        # An item that occurs several times in a window is one cause.
        pairs = queries * len(self.items_) + codes[queries, places]
        pairs, which = np.unique(pairs, return_inverse=True)
        contributions = np.zeros((len(pairs), items.shape[1]))
        np.add.at(contributions, which, parts[queries, places])
        return [
            Causes(HISTORY, *np.divmod(pairs, len(self.items_)), contributions),
            Causes.of_queries(TASTE, taste),
            Causes.of_queries(POPULARITY, popularity),
        ]


def _scores(settings, query, vectors):
    """Return the inner products or negative squared distances."""
    if settings.is_inner:
        return (query * vectors).sum(axis=-1)
    return -np.square(query - vectors).sum(axis=-1)


def _complete_weights(sequences, weights, untrained):
    """Fill in the rows of untrained users and a shared key projection, in place."""
    trained = np.delete(weights["U"], untrained, axis=0)
    if len(trained):
        weights["U"][untrained] = infer_user_vectors(
            weights["V"], sequences.select(untrained), _mean_length(trained)
        )
    weights.setdefault("W_K", weights["W_Q"])


def _mean_length(vectors):
    return np.linalg.norm(vectors, axis=1).mean()


def infer_user_vectors(V, histories, length):
    """Infer the long-term vectors of users from their histories.

    The result is the mean of V over a user's items, scaled to a given length. No other
    vector of this length has a smaller sum of squared distances to these rows of V.

    Parameters
    ----------
    V : ndarray of shape (n_items, d)
        Long-term item embeddings.
    histories : Sequences
        n sequences of item codes.
    length : float
        Length of the result: the mean length of the vectors of trained users.

    Returns
    -------
    ndarray of shape (n, d), float32
        A vector of zeros for an empty history.
    """
    ones = np.ones(len(histories.items), dtype=V.dtype)
    shape = (len(histories.indptr) - 1, len(V))
    sums = csr_array((ones, histories.items, histories.indptr), shape) @ V
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return sums * np.float32(length) / np.where(norms > 0, norms, 1)
