"""SSE-PT: sequential recommendation via a personalised transformer."""

import numpy as np

from sklearn_attrec._networks import sse_pt
from sklearn_attrec._transformer_base import BaseTransformerRecommender
from sklearn_attrec.utils._param_validation import Integer, Real

__all__ = ["SSEPTRecommender"]


class SSEPTRecommender(BaseTransformerRecommender):
    r"""Recommend the next item by a transformer that knows whose items it reads.

    SSE-PT [1]_ is the encoder of SASRec over rows that hold an item's embedding beside
    its user's. What comes out at the last item is split in two halves; the score of
    item i is the item half's inner product with :math:`E_i`, plus that of the user half
    with :math:`U_u`, which is the same for all items and changes no ranking. So many
    numbers for each user would be learned by heart: *stochastic shared embeddings*
    [2]_ put another user's embedding in the place of the user's own for a share
    `sse_user` of the windows, and another item's for a share `sse_item` of the items,
    targets too.

    A user that fit did not see is answered from a history with the mean of all rows of
    U. Training has put the rows of strangers in the place of most users, so the answers
    are hardly worse; the README shows by how much.

    Parameters
    ----------
    L : int, default=200
        How many of the last items are read. Larger sees further back. What is longer
        than every history costs nothing.
    d : int, default=50
        Size of the item embeddings. Larger fits more and needs more data.
    d_user : int, default=50
        Size of the user embeddings. All layers are ``d + d_user`` wide.
    sse_user : float, default=0.92
        Chance of a window to be read with a random user, 0 to 1. Smaller lets users
        differ more; 0 learns them by heart.
    sse_item : float, default=0.01
        Chance of each item and each target to be a random one, 0 to 1. The authors'
        0.1 ranked worse on MovieLens 1M.
    n_blocks : int, default=2
        Blocks of attention and feed-forward, one upon the other.
    n_heads : int, default=1
        Parts of a row that attend on their own; they must divide ``d + d_user`` evenly.
    dropout : float, default=0.2
        Share of inputs, attention weights and outputs set to zero in training, 0 to
        below 1. Larger keeps small data from being learned by heart, and takes more
        epochs.
    loss : {'softmax', 'sampled_softmax', 'gbce', 'bce'}, default='softmax'
        'softmax' is the cross-entropy against all items. 'sampled_softmax' draws
        `n_negatives` items a batch, the popular ones more often, and corrects for it
        (logQ); its memory does not grow with the catalogue. 'gbce' is the calibrated
        binary cross-entropy of gSASRec [3]_, with `n_negatives` items a window. 'bce'
        is the paper's: binary, with `n_negatives` items for each place. The negatives
        of both are items that the user never had.
    n_negatives : int, default=None
        How many items are drawn. None means 1 for 'bce', 256 for 'gbce' and 512 for
        'sampled_softmax'; more than the other items there are is as many as there are.
        Not used by 'softmax'.
    calibration : float, default=0.75
        How far 'gbce' corrects for the negatives being few, 0 to 1. 0 does not; 1
        gives scores that are true chances. Not used otherwise.
    positions : {'learned', 'sinusoidal'}, default='learned'
        Whether the vector of each position, counted from the latest item, is trained
        or given by sines.
    norm : {'pre', 'post'}, default='pre'
        Whether each layer's input is normalised, or the sum of input and output.
    windows : {'all', 'last'}, default='all'
        What an epoch trains on: every item of every history, cut into windows of `L`
        at places that change with each epoch, or, as in the paper, the last `L` items
        of each user alone. Costs are alike where histories are shorter than `L`.
    alpha : float, default=0.0
        Weight of the sum of all squared weights in the loss.
    optimizer : {'adam', 'adagrad'}, default='adam'
        Update rule; Adam with a second moment of 0.98, as in the paper.
    learning_rate : float, default=0.004
        Largest step size, above 0.
    schedule : {'cosine', 'linear', 'constant'}, default='cosine'
        Whether the step size rises over the first twentieth of the steps and then
        falls to 0 along a cosine, falls to 0 in a straight line, or stays.
    batch_size : int, default=32
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
        `E` (n_items, d) items; `U` (n_users, d_user) users; `P` (L, d + d_user)
        positions, if learned, the last of which belongs to the latest item, with L not
        more than the longest history; and for each block b `b.W_Q`, `b.W_K`, `b.W_V`,
        `b.W_O`, `b.W_1`, `b.W_2`, `b.b_1`, `b.b_2` and the gains and shifts of its
        norms; float32.
    history_ : list of dict
        One record an epoch: `epoch`, `loss`, `seconds` and, when stopping early,
        `validation_score`.
    n_iter_ : int
        Epochs run.
    interrupted_ : bool
        Whether the fit was stopped before its end; see `keep_interrupted`.
    n_users_skipped_ : int
        Users that gave nothing to train on: those with one interaction and, for 'bce'
        and 'gbce', those who touched every item.
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
    SASRecRecommender : The encoder without users.

    References
    ----------
    .. [1] L. Wu, S. Li, C.-J. Hsieh, J. Sharpnack, "SSE-PT: Sequential Recommendation
       Via Personalized Transformer", RecSys 2020.
    .. [2] L. Wu, S. Li, C.-J. Hsieh, J. Sharpnack, "Stochastic Shared Embeddings:
       Data-driven Regularization of Embedding Layers", NeurIPS 2019, arXiv:1905.10630.
    .. [3] A. Petrov, C. Macdonald, "gSASRec: Reducing Overconfidence in Sequential
       Recommendation Trained with Negative Sampling", RecSys 2023, arXiv:2308.07192.

    Examples
    --------
    >>> from sklearn_attrec import SSEPTRecommender
    >>> from sklearn_attrec.datasets import make_interactions
    >>> interactions = make_interactions(random_state=0)
    >>> model = SSEPTRecommender(d=8, d_user=4, max_iter=2, random_state=0)
    >>> model.fit(interactions).predict(0).shape
    (10,)
    >>> model.predict("new", history=[4, 8, 15], k=3).shape
    (3,)
    """

    _parameter_constraints = {
        **BaseTransformerRecommender._parameter_constraints,
        "d_user": Integer(1),
        "sse_user": Real(0, 1),
        "sse_item": Real(0, 1),
    }

    _network = sse_pt

    def __init__(
        self,
        *,
        L=200,
        d=50,
        d_user=50,
        sse_user=0.92,
        sse_item=0.01,
        n_blocks=2,
        n_heads=1,
        dropout=0.2,
        loss="softmax",
        n_negatives=None,
        calibration=0.75,
        positions="learned",
        norm="pre",
        windows="all",
        alpha=0.0,
        optimizer="adam",
        learning_rate=4e-3,
        schedule="cosine",
        batch_size=32,
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
        self.d_user = d_user
        self.sse_user = sse_user
        self.sse_item = sse_item
        self.n_blocks = n_blocks
        self.n_heads = n_heads
        self.dropout = dropout
        self.loss = loss
        self.n_negatives = n_negatives
        self.calibration = calibration
        self.positions = positions
        self.norm = norm
        self.windows = windows
        self.alpha = alpha
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

    def _width(self):
        return self.d + self.d_user

    def _n_weights(self, n_users, n_items, longest):
        users = n_users * self.d_user
        return super()._n_weights(n_users, n_items, longest) + users

    def _more_settings(self):
        return {"sse_user": float(self.sse_user), "sse_item": float(self.sse_item)}

    def _initial_weights(self, random, settings, n_users, n_items):
        return sse_pt.initial_weights(
            random, settings, n_users, n_items, self.d, self.d_user, self.n_blocks
        )

    def _finish(self, sequences, weights, unlearned):
        # A row that was never trained answers like the average of those that were.
        learned = np.delete(weights["U"], unlearned, axis=0)
        if len(learned):
            weights["U"][unlearned] = learned.mean(axis=0)
