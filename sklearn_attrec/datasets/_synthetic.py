"""Simulated interactions for which the best possible hit rate is known."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import check_random_state

from sklearn_attrec._interactions.column_names import ITEM, TIME, USER
from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.utils._param_validation import (
    Boolean,
    Integer,
    Predicate,
    RandomState,
    Real,
    check_arguments,
)

__all__ = ["best_hit_rate", "make_interactions"]

_PAIR = Predicate(
    "a tuple (low, high) of ints with 1 <= low <= high",
    lambda value: (
        isinstance(value, tuple)
        and len(value) == 2
        and all(map(Integer(1).allows, value))
        and value[0] <= value[1]
    ),
)


def make_interactions(
    n_users: int = 200,
    n_items: int = 50,
    *,
    n_per_user: int | tuple[int, int] = 20,
    predictability: float = 0.8,
    repeats: bool = True,
    random_state: int | np.random.RandomState | None = None,
) -> pd.DataFrame:
    """Make interactions in which each item has one preferred successor.

    The items form a cycle in random order; the successor of an item is the next item on
    the cycle. A user starts at a random item. With probability `predictability` the
    next item is the successor of the last one; otherwise it is drawn uniformly from
    the other items. The best possible hit rate is therefore known: see `best_hit_rate`.

    Parameters
    ----------
    n_users : int, default=200
        Number of users, at least 1. Their ids are 0, 1, ...
    n_items : int, default=50
        Number of items, at least 2. Their ids are 0, 1, ...; some items may not occur.
    n_per_user : int or tuple (low, high), default=20
        Number of interactions per user. With a tuple, the number of each user is drawn
        uniformly from low to high, both included.
    predictability : float, default=0.8
        Probability that the successor comes next, from 0 to 1. At 1 the last item
        determines the next one; at `1 / n_items` it carries no information; below that
        the successor is less likely than any other item.
    repeats : bool, default=True
        Whether a user may interact with an item more than once. If True, the items of a
        user form a first-order Markov chain. If False, the items that the user has seen
        are removed from the cycle, so the successor is the next unseen item, and
        `n_per_user` must not exceed `n_items`.
    random_state : int, RandomState or None, default=None
        Seed of the random numbers; pass an int for reproducible interactions. The cycle
        depends only on the seed and `n_items`.

    Returns
    -------
    DataFrame
        Columns `user_id`, `item_id` and `timestamp`, all int64, sorted by time. The
        rows of the users are interleaved, and no two rows have the same time.

    Raises
    ------
    InvalidParameterError
        If an argument has an invalid value.

    See Also
    --------
    best_hit_rate : The best possible expected hit rate on these interactions.

    Examples
    --------
    >>> from sklearn_attrec.datasets import make_interactions
    >>> make_interactions(2, 4, n_per_user=3, predictability=1, random_state=0)
       user_id  item_id  timestamp
    0        1        2          0
    1        0        1          1
    2        0        3          2
    3        1        1          3
    4        0        0          4
    5        1        3          5

    The cycle is 2, 1, 3, 0: user 1 interacts with the items 2, 1, 3 and user 0 with the
    items 1, 3, 0.
    """
    check_arguments(
        "make_interactions",
        n_users=(n_users, Integer(1)),
        n_items=(n_items, Integer(2)),
        n_per_user=(n_per_user, Integer(1), _PAIR),
        predictability=(predictability, Real(0, 1)),
        repeats=(repeats, Boolean()),
        random_state=(random_state, RandomState()),
    )
    low, high = n_per_user if isinstance(n_per_user, tuple) else (n_per_user,) * 2
    if high > n_items and not repeats:
        raise InvalidParameterError(
            "The 'n_per_user' argument of make_interactions must be at most "
            f"n_items={n_items} if repeats=False. Got {n_per_user!r} instead."
        )
    rng = _generator(random_state)
    cycle = rng.permutation(n_items)
    shape = n_users, high
    items = cycle[_walk(rng, shape, n_items, predictability, repeats)]
    # Times are drawn from all rows and sorted per user, which interleaves the users.
    times = np.sort(rng.permutation(n_users * high).reshape(shape), axis=1)
    lengths = rng.integers(low, high, size=(n_users, 1), endpoint=True)
    kept = np.arange(high) < lengths  # (n_users, high)
    users = np.broadcast_to(np.arange(n_users)[:, None], shape)
    frame = pd.DataFrame({USER: users[kept], ITEM: items[kept], TIME: times[kept]})
    return frame.sort_values(TIME, ignore_index=True)


def best_hit_rate(
    k: int | npt.ArrayLike,
    n_items: int,
    predictability: float,
    *,
    n_seen: int | npt.ArrayLike = 0,
) -> float | np.ndarray:
    """Return the best possible expected hit rate at k on simulated interactions.

    The value is exact for data of `make_interactions` where the last item of each user
    is held out and one or more items before it are known. Let p be the predictability,
    n the number of items that can come next, and q = (1 - p) / (n - 1) the probability
    of each item but the successor. The best ranking puts the successor first if p >= q,
    otherwise last. For k < n its expected hit rate is ::

        max(p + (k - 1) q, k q)

    The value assumes that the model knows all successors. A model that learns them from
    data comes close to this value from below; on a small test set it may exceed it by
    chance.

    - `repeats=True`: every item can come next, so n is `n_items`. Keep seen items in
      the ranking (`exclude_seen=False`), because each may be the held-out item.
    - `repeats=False`: seen items cannot come next, so n is `n_items - n_seen`. The
      value is the same whether seen items are excluded or not, because the best model
      ranks them last.

    Parameters
    ----------
    k : int or array-like of int
        Length of the ranking, at least 1.
    n_items : int
        Number of items, as passed to `make_interactions`.
    predictability : float
        Probability of the successor, as passed to `make_interactions`.
    n_seen : int or array-like of int, default=0
        For `repeats=False`: number of items that each user has seen before the held-out
        item, `n_per_user - 1`. If the users differ, pass one number per user and
        average the result.

    Returns
    -------
    float or ndarray
        One value per element of `k` and `n_seen`, which are broadcast.

    Raises
    ------
    InvalidParameterError
        If an argument has an invalid value.

    See Also
    --------
    make_interactions : Simulate these interactions.

    Examples
    --------
    >>> from sklearn_attrec.datasets import best_hit_rate
    >>> best_hit_rate(1, n_items=50, predictability=0.8)
    0.8
    >>> best_hit_rate([1, 11, 50], n_items=41, predictability=0.8)
    array([0.8 , 0.85, 1.  ])

    Without repeats, after the user has seen 9 of 50 items:

    >>> best_hit_rate(11, n_items=50, predictability=0.8, n_seen=9)
    0.85
    """
    check_arguments(
        "best_hit_rate",
        n_items=(n_items, Integer(2)),
        predictability=(predictability, Real(0, 1)),
    )
    check_arguments(
        "best_hit_rate",
        k=(k, _integers(1, None)),
        n_seen=(n_seen, _integers(0, n_items - 1)),
    )
    k, n_candidates = np.asarray(k), n_items - np.asarray(n_seen)
    others = (1 - predictability) / np.maximum(n_candidates - 1, 1)
    best = np.maximum(predictability + (k - 1) * others, k * others)
    best = np.where(k >= n_candidates, 1.0, best)
    return float(best) if best.ndim == 0 else best


def _integers(low, high):
    """Return a constraint: an int or an array of ints between two bounds."""
    integer = Integer(low, high)
    return Predicate(
        f"{integer}, or an array of such ints",
        lambda value: all(map(integer.allows, np.ravel(value))),
    )


def _generator(random_state):
    """Return a generator that never uses NumPy's global random state."""
    if random_state is None:
        return np.random.default_rng()
    return np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))


def _walk(rng, shape, n_items, predictability, repeats):
    """Return the positions on the cycle of each user, of shape (n_users, length)."""
    n_users, length = shape
    n_left = n_items - np.arange(length) * (not repeats)  # items on the cycle, per step
    # The bound must exceed 1. On a cycle of one item every step leads to this item.
    steps = rng.integers(1, np.maximum(n_left, 2), size=shape)
    steps[rng.random(shape) < predictability] = 0
    if repeats:
        # Without repeats the last item was removed, so its successor has its position.
        steps[:, 1:] += 1
    steps[:, 0] = rng.integers(n_items, size=n_users)
    positions = steps  # computed in place, column by column
    for t in range(1, length):
        positions[:, t] = (positions[:, t - 1] + steps[:, t]) % n_left[t]
    if not repeats:
        _undo_removals(positions)
    return positions


def _undo_removals(positions):
    """Convert positions on the shrinking cycle to the full cycle, in place.

    Step s removes its position, so later positions at or after it increase by one. The
    loop goes backwards so that each `positions[:, s]` is read before it changes.
    """
    for s in reversed(range(positions.shape[1] - 1)):
        positions[:, s + 1 :] += positions[:, s + 1 :] >= positions[:, [s]]
