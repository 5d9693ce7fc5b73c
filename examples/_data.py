"""Data for the examples: real data if they are available, otherwise made data."""

import numpy as np
import pandas as pd

from sklearn_attrec.datasets import fetch_movielens, get_data_home, make_interactions


def sample_users(interactions, n):
    """Return all rows of n users drawn at random, or all rows if there are fewer."""
    users = interactions["user_id"].drop_duplicates()
    users = users.sample(min(n, len(users)), random_state=0)
    return interactions[interactions["user_id"].isin(users)]


def load_interactions():
    """Return interactions with ratings, and a sentence that names their source."""
    try:
        ratings = fetch_movielens("100k", download_if_missing=False)
        return ratings, "MovieLens 100K, found in the data home."
    except FileNotFoundError:
        pass
    try:
        print(
            "MovieLens 100K is not in the data home: downloading 5 MB ...", flush=True
        )
        ratings = fetch_movielens("100k")
        return (
            ratings,
            f"MovieLens 100K, downloaded into the data home {get_data_home()}.",
        )
    except OSError as error:
        made = make_interactions(
            n_users=1000,
            n_items=500,
            n_per_user=(20, 80),
            predictability=0.6,
            repeats=False,
            random_state=0,
        )
        # Random ratings, because the pipeline example needs a column of ratings.
        made["rating"] = np.random.default_rng(0).integers(1, 6, len(made))
        return made, (
            "made by make_interactions, because MovieLens 100K is not in the data home "
            f"and the download failed.\n({error})"
        )


def load_names(interactions):
    """Return titles by item id; numbers of films where there are no titles."""
    titles = _stored("ml-100k/items.parquet")
    if titles is not None:
        return titles.set_index("item_id")["title"]
    items = np.sort(interactions["item_id"].unique())
    return pd.Series([f"film {item}" for item in items], index=items, name="title")


def load_titles():
    """Return interactions, a table of titles, and a sentence that names their source.

    In the made data, users buy from three of 30 shelves, and titles consist of words
    of a shelf.
    """
    rows = _stored("beauty/beauty.parquet")
    if rows is not None:
        titles = _stored("beauty/items.parquet", ["item_id", "title"])
        return rows, titles, _found("Amazon Beauty")
    random, n_items = np.random.default_rng(0), 1500
    shelf, words = random.integers(30, size=n_items), random.integers(8, size=n_items)
    titles = pd.DataFrame({"item_id": np.arange(n_items)})
    titles["title"] = [
        f"shelf{one} word{one}x{word}" for one, word in zip(shelf, words, strict=True)
    ]
    rows = []
    for user in range(2000):
        start = random.integers(500)  # later users see more items
        liked = np.isin(shelf, random.choice(30, 3, replace=False))
        bought = random.choice(np.flatnonzero(liked[: 1000 + start]), 20)
        rows += [(user, item, start + step) for step, item in enumerate(bought)]
    rows = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    return rows, titles, _missing("Amazon Beauty")


def load_sessions():
    """Return clicks of anonymous sessions, and a sentence that names their source."""
    clicks = _stored("yoochoose/clicks.parquet", ["user_id", "item_id", "timestamp_ms"])
    if clicks is not None:
        clicks = clicks.rename(columns={"timestamp_ms": "timestamp"})
        return clicks, _found("Yoochoose")
    made = make_interactions(
        5000, 500, n_per_user=(2, 10), predictability=0.5, random_state=0
    )
    return made, _missing("Yoochoose")


def load_baskets():
    """Return orders of several items each, and a sentence that names their source.

    In the made data, items follow each other within a basket, but the baskets of a user
    have nothing in common.
    """
    columns = ["user_id", "item_id", "timestamp"]
    rows = _stored("online-retail/online-retail.parquet", columns)
    if rows is not None:
        return rows, _found("Online Retail")
    made = make_interactions(
        6000, 300, n_per_user=(3, 12), predictability=0.6, random_state=0
    )
    basket = made["user_id"]
    made = made.assign(user_id=basket % 1000, timestamp=basket // 1000)
    return made, _missing("Online Retail")


def load_check_ins():
    """Return visits to places, and a sentence that names their source.

    In the made data, every second visit is to a place where the user was before.
    """
    rows = _stored("foursquare/foursquare.parquet")
    if rows is not None:
        return rows, _found("Foursquare")
    random, n_users, n_visits = np.random.default_rng(0), 1500, 30
    made = make_interactions(
        n_users, 800, n_per_user=n_visits, predictability=0.3, random_state=0
    ).sort_values(["user_id", "timestamp"])
    places = made["item_id"].to_numpy().reshape(n_users, n_visits).copy()
    for visit in range(1, n_visits):
        again = random.random(n_users) < 0.5
        places[again, visit] = places[again, random.integers(visit)]
    return made.assign(item_id=places.ravel()), _missing("Foursquare")


def _stored(path, columns=None):
    """Read a Parquet file of the data home; return None if it is not there."""
    path = get_data_home() / path
    return pd.read_parquet(path, columns=columns) if path.is_file() else None


def _found(name):
    return f"{name}, found in the data home."


def _missing(name):
    return f"made, because {name} is not in the data home."
