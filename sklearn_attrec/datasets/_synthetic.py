"""Interactions of which it is known how well they can be predicted."""

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from sklearn_attrec.exceptions import InvalidParameterError
from sklearn_attrec.utils._param_validation import (
    Boolean,
    Having,
    Integer,
    RandomState,
    Real,
    check_arguments,
)
from sklearn_attrec.utils._validation import ITEM, TIME, USER

__all__ = ["best_hit_rate", "make_interactions"]

_PAIR = Having(
    "a tuple (low, high) of ints with 1 <= low <= high",
    lambda value: (
        isinstance(value, tuple)
        and len(value) == 2
        and all(map(Integer(1).allows, value))
        and value[0] <= value[1]
    ),
)


def make_interactions(
    n_users=200,
    n_items=50,
    *,
    n_per_user=20,
    predictability=0.8,
    repeats=True,
    random_state=None,
):
    """Make interactions in which every item has a favoured successor.

    The items lie on one cycle in random order. A user starts anywhere. With
    probability `predictability` the next item is the successor of the last one, the
    item after it on the cycle; otherwise it is any other item, each as likely. How
    well the next item can be predicted is thus known: see `best_hit_rate`.

    Parameters
    ----------
    n_users : int, default=200
        Number of users, at least 1. Their ids are 0, 1, ...
    n_items : int, default=50
        Number of items, at least 2. Their ids are 0, 1, ...; not every item needs to
        come up.
    n_per_user : int or tuple (low, high), default=20
        Interactions of each user; with a tuple a number is drawn for each user, from
        low to high, both included, each as likely.
    predictability : float, default=0.8
        Probability that the successor comes next, from 0 to 1. At 1 the last item
        tells the next one; at `1 / n_items` it tells nothing; below that it tells
        which item not to expect.
    repeats : bool, default=True
        Whether a user may meet an item again. If True, the items of a user form a
        first-order Markov chain. If False, items that the user has seen drop out of
        the cycle: the successor is the next unseen item, and jumps lead to unseen
        items only. `n_per_user` may then not exceed `n_items`.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same interactions every time. For the same int and
        `n_items` the cycle is the same, whatever the other parameters.

    Returns
    -------
    DataFrame
        The columns `user_id`, `item_id` and `timestamp`, all int64, sorted by time.
        The users' rows are interleaved and no two rows share a time.

    See Also
    --------
    best_hit_rate : The hit rate that no model beats on average.

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

    The cycle is 2, 1, 3, 0: user 1 saw 2, 1, 3 and user 0 saw 1, 3, 0.
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
            f"The 'n_per_user' argument of make_interactions must be at most n_items, "
            f"{n_items}, where repeats=False. Got {n_per_user!r} instead."
        )
    rng = _generator(random_state)
    cycle = rng.permutation(n_items)
    shape = n_users, high
    items = cycle[_walk(rng, shape, n_items, predictability, repeats)]
    # One time per row, drawn among all rows: sorted per user, they interleave users.
    times = np.sort(rng.permutation(n_users * high).reshape(shape), axis=1)
    lengths = rng.integers(low, high, size=(n_users, 1), endpoint=True)
    kept = np.arange(high) < lengths  # (n_users, high)
    users = np.broadcast_to(np.arange(n_users)[:, None], shape)
    frame = pd.DataFrame({USER: users[kept], ITEM: items[kept], TIME: times[kept]})
    return frame.sort_values(TIME, ignore_index=True)


def best_hit_rate(k, n_items, predictability, *, n_seen=0):
    """Return the hit rate at k that no model beats on interactions that were made.

    It is exact for data of `make_interactions`, for one protocol: the last item of
    every user is held out and the items before it, at least one, are known. With p the
    predictability, n the items that can come next and q = (1 - p) / (n - 1) the
    probability of each but the successor, the best ranking begins with the successor
    if p >= q and ends with it otherwise. The share of hits among the first k < n items
    is then expected to be ::

        max(p + (k - 1) q, k q)

    It presumes that the successors are known. A model that learns them from the data
    comes close from below; on few held-out users it may exceed the figure by chance.

    - `repeats=True`: all items can come next, so n is `n_items`. Seen items must stay
      in the ranking (`exclude_seen=False`), as each may be the one held out.
    - `repeats=False`: an item seen before cannot come next, so n is `n_items` less
      `n_seen`. The figure is the same whether seen items are left out of the ranking
      or are merely ranked last, as the best model would.

    Parameters
    ----------
    k : int or array-like of int
        Length of the ranking, at least 1.
    n_items : int
        Number of items, as given to `make_interactions`.
    predictability : float
        Probability of the successor, as given to `make_interactions`.
    n_seen : int or array-like of int, default=0
        For `repeats=False`: items each user has seen before the one held out, which is
        `n_per_user - 1`. If users differ, pass each user's number and average.

    Returns
    -------
    float or ndarray
        One value for every element of `k` and `n_seen`, broadcast.

    See Also
    --------
    make_interactions : Make interactions in which every item has a favoured successor.

    Examples
    --------
    >>> from sklearn_attrec.datasets import best_hit_rate
    >>> best_hit_rate(1, n_items=50, predictability=0.8)
    0.8
    >>> best_hit_rate([1, 11, 50], n_items=41, predictability=0.8)
    array([0.8 , 0.85, 1.  ])

    Without repeats, after 9 of 50 items seen:

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
    """Allow an int, or an array of ints, within two bounds."""
    each = Integer(low, high)
    return Having(
        f"{each}, or an array of such",
        lambda value: all(map(each.allows, np.ravel(value))),
    )


def _generator(random_state):
    """Return a generator that leaves NumPy's global state alone when given None."""
    if random_state is None:
        return np.random.default_rng()
    return np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))


def _walk(rng, shape, n_items, predictability, repeats):
    """Walk along the cycle; return places on it, of shape (n_users, length)."""
    n_users, length = shape
    left = n_items - np.arange(length) * (not repeats)  # items in the cycle, per step
    # The bound matters to a cycle of one item, where every step leads to it.
    steps = rng.integers(1, np.maximum(left, 2), size=shape)
    steps[rng.random(shape) < predictability] = 0
    if repeats:
        steps[:, 1:] += 1  # without repeats the last item left, and this one took over
    steps[:, 0] = rng.integers(n_items, size=n_users)
    places = steps  # one column after the other
    for t in range(1, length):
        places[:, t] = (places[:, t - 1] + steps[:, t]) % left[t]
    if not repeats:
        _undo_removals(places)
    return places


def _undo_removals(places):
    """Turn places on the shrinking cycle into places on the whole cycle, in place.

    Step s removed its place, so a later place at or beyond it lies one further on.
    Undone from the last removal to the first, each `places[:, s]` is read before it is
    changed.
    """
    for s in reversed(range(places.shape[1] - 1)):
        places[:, s + 1 :] += places[:, s + 1 :] >= places[:, [s]]
