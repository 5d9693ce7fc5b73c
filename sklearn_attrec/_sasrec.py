"""SASRec: self-attentive sequential recommendation."""

from sklearn_attrec._networks import sasrec
from sklearn_attrec._transformer_base import BaseTransformerRecommender

__all__ = ["SASRecRecommender"]


class SASRecRecommender(BaseTransformerRecommender):
    r"""Recommend the next item by causal self-attention over a user's items.

    SASRec [1]_ reads the last `L` items of a user, each with its position, through
    blocks of self-attention in which an item sees itself and those before it. What
    comes out at the last item, h, is the query: the score of item i is
    :math:`h \cdot E_i`, with E the embeddings that the items went in with. In training
    every item of a history asks for the one after it. The user as such is not known to
    the model, so that a new user with a history is answered like any other.

    Trained with the cross-entropy over all items, as here by default, it ranks far
    better than with the one negative of the paper [2]_. The paper's own is
    ``SASRecRecommender(loss="bce", windows="last")``; gSASRec [3]_ is ``loss="gbce"``;
    ``norm="post", positions="sinusoidal"`` is the encoder of the first transformer.

    Parameters
    ----------
    L : int, default=200
        How many of the last items are read. Larger sees further back. What is longer
        than every history costs nothing.
    d : int, default=64
        Size of the embeddings and of all layers. Larger fits more and needs more data.
    n_blocks : int, default=2
        Blocks of attention and feed-forward, one upon the other.
    n_heads : int, default=1
        Parts of a row that attend on their own; they must divide `d` evenly.
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
        `E` (n_items, d) items; `P` (L, d) positions, if learned, the last of which
        belongs to the latest item, with L not more than the longest history; and for
        each block b `b.W_Q`, `b.W_K`, `b.W_V`, `b.W_O`, `b.W_1`, `b.W_2`, `b.b_1`,
        `b.b_2` and the gains and shifts of its norms; float32.
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
    SSEPTRecommender : The same encoder, told whose items it reads.
    AttRecRecommender : Metric learning, with fewer items and in less time.

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
    >>> interactions = make_interactions(random_state=0)
    >>> model = SASRecRecommender(d=8, max_iter=2, random_state=0).fit(interactions)
    >>> model.predict(0).shape
    (10,)
    >>> model.predict("new", history=[4, 8, 15], k=3).shape
    (3,)
    """

    _network = sasrec

    def __init__(
        self,
        *,
        L=200,
        d=64,
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

    def _initial_weights(self, random, settings, n_users, n_items):
        return sasrec.initial_weights(random, settings, n_items, self.d, self.n_blocks)
