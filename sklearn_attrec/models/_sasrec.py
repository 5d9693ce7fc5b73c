"""SASRecRecommender: self-attentive sequential recommendation."""

import os

import numpy as np

from sklearn_attrec._networks import sasrec
from sklearn_attrec.models._transformer import ENCODER, BaseTransformerRecommender
from sklearn_attrec.utils._types import Frame

__all__ = ["SASRecRecommender"]


class SASRecRecommender(BaseTransformerRecommender):
    """Recommend the next item by causal self-attention over the user's history.

    SASRec [1]_ reads the last `L` items of a user with a transformer. Each item attends
    to itself and to earlier items. The output at the last item, h, is the query vector,
    and the score of item i is h · E_i, where E are the item embeddings,
    which are also the input. In training, the output at each item predicts the next
    item. There are no user embeddings, so for a user not seen in `fit`, recommendations
    are computed from its history, as for any other user.

    The default loss, the cross-entropy over all items, gives much better rankings than
    the loss of the paper [2]_, which is ``loss="bce"``. ``loss="gbce"`` gives gSASRec
    [3]_. ``norm="post", positions="sinusoidal"`` gives the encoder of the original
    transformer.

    Parameters
    ----------
    L : int, default=200
        Number of most recent items of a history that the model reads. Larger values
        use older items too and take more time.
    d : int, default=64
        Size of the item embeddings. Larger values fit more patterns and need more data.
        All layers have this width.
    n_blocks : int, default=2
        Number of attention blocks, 1 to 1000.
    n_heads : int, default=1
        Number of attention heads. It must divide `d`.
    dropout : float, default=0.2
        Probability of setting a value to 0 in training, 0 to below 1, rounded to a
        multiple of 1/256 (at most 255/256). Larger values reduce overfitting and need
        more epochs.
    loss : {'softmax', 'sampled_softmax', 'gbce', 'bce'}, default='softmax'
        'softmax' is the cross-entropy over all items. 'sampled_softmax' draws
        `n_negatives` items per batch in proportion to their popularity and subtracts
        the logarithm of their probabilities from the scores (logQ correction). The
        memory for the scores then does not depend on the number of items. 'gbce' is the
        calibrated binary cross-entropy of gSASRec [3]_ with `n_negatives` items per
        window. 'bce' is the binary cross-entropy of the paper with `n_negatives` items
        per position. 'gbce' and 'bce' draw from the items that the user never
        interacted with.
    n_negatives : int or None, default=None
        Number of items drawn as negatives. None means 1 for 'bce', 256 for 'gbce' and
        512 for 'sampled_softmax'. At most n_items - 1 items are drawn. Not used by
        'softmax'.
    calibration : float, default=0.75
        How strongly 'gbce' corrects for the small number of negatives, 0 to 1. 0 means
        no correction. At 1 the sigmoid of a score estimates the probability of the
        item. Used only by 'gbce'.
    positions : {'learned', 'sinusoidal'}, default='learned'
        'learned' trains one vector per position, counted from the latest item.
        'sinusoidal' uses fixed vectors of sines and cosines.
    norm : {'pre', 'post'}, default='pre'
        'pre' applies layer normalisation to the input of each layer. 'post' applies it
        to the sum of the input and the output of the layer.
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
    learning_rate : float, default=0.004
        Largest learning rate of the Adam optimiser, above 0. In AttRec it decreases
        linearly to 0. In the transformers it increases during the first 5 % of the
        training and then decreases to 0 along a cosine. With `early_stopping`
        see there.
    batch_size : int, default=32
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
        Item embeddings `E` of shape (n_items, d). If positions are learned, position
        vectors `P` (L, d); the last row belongs to the latest item. For each block the
        arrays `0.W_Q`, `0.W_K`, `0.W_V`, `0.W_O`, `0.W_1`, `0.W_2`, `0.b_1`, `0.b_2`
        and the gains and biases of its layer normalisations, `0.g_att`, `0.s_att`,
        `0.g_ff` and `0.s_ff`; the prefix is the number of the block. With norm='pre'
        also `g_out` and `s_out` of the final layer normalisation; with `time_bias` for
        each block also the biases by time, `0.b_time` (128,); with `item_features` also
        the embeddings of features, `B_E` (n_features, d), which E contains. All are
        float32.
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
    SSEPTRecommender : The same encoder with user embeddings.
    AttRecRecommender : Metric learning over fewer items; trains faster.

    Notes
    -----
    In each epoch histories longer than `L` are cut into windows at random positions. If
    `L` is larger than the length of the longest history minus one, that smaller value
    is used; see `settings_`. Dropout applies to the input of the encoder, the attention
    weights and the outputs of all layers.

    References
    ----------
    .. [1] W.-C. Kang, J. McAuley, "Self-Attentive Sequential Recommendation", ICDM
       2018, arXiv:1808.09781.
    .. [2] A. Klenitskiy, A. Vasilev, "Turning Dross Into Gold Loss: is BERT4Rec really
       better than SASRec?", RecSys 2023, arXiv:2309.07602.
    .. [3] A. Petrov, C. Macdonald, "gSASRec: Reducing Overconfidence in Sequential
       Recommendation Trained with Negative Sampling", RecSys 2023, arXiv:2308.07192.

    Examples
    --------
    >>> from sklearn_attrec import SASRecRecommender
    >>> from sklearn_attrec.datasets import make_interactions
    >>> from sklearn_attrec.model_selection import leave_last_out_split
    >>> interactions = make_interactions(
    ...     100, 20, n_per_user=8, predictability=1, repeats=False, random_state=0
    ... )
    >>> train, test = leave_last_out_split(interactions)
    >>> model = SASRecRecommender(d=16, k=1, random_state=0).fit(train)
    >>> model.score(test) > 0.3  # the chance is 0.05
    True
    >>> model.predict("new", history=[4, 8, 15], k=3).shape
    (3,)
    """

    _parameter_constraints = {
        **BaseTransformerRecommender._parameter_constraints,
        **ENCODER,
    }

    _network = sasrec

    def __init__(
        self,
        *,
        L: int = 200,
        d: int = 64,
        n_blocks: int = 2,
        n_heads: int = 1,
        dropout: float = 0.2,
        loss: str = "softmax",
        n_negatives: int | None = None,
        calibration: float = 0.75,
        positions: str = "learned",
        norm: str = "pre",
        time_bias: str | None = None,
        item_features: Frame | None = None,
        learning_rate: float = 4e-3,
        batch_size: int = 32,
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
        self.n_blocks = n_blocks
        self.n_heads = n_heads
        self.dropout = dropout
        self.loss = loss
        self.n_negatives = n_negatives
        self.calibration = calibration
        self.positions = positions
        self.norm = norm
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
