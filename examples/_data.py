"""Data for the examples: real data if they are available, otherwise made data."""

import numpy as np
import pandas as pd

from sklearn_attrec.datasets import fetch_movielens, get_data_home, make_interactions


def load_interactions():
    """Return interactions with ratings, and a sentence that names their source."""
    home = get_data_home()
    try:
        ratings = fetch_movielens("100k", download_if_missing=False)
        return ratings, f"MovieLens 100K, found in the data home {home}."
    except FileNotFoundError:
        pass
    try:
        print(
            "MovieLens 100K is not in the data home: downloading 5 MB ...", flush=True
        )
        ratings = fetch_movielens("100k")
        return ratings, f"MovieLens 100K, downloaded into the data home {home}."
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
    path = get_data_home() / "ml-100k" / "items.parquet"
    if path.is_file():
        return pd.read_parquet(path).set_index("item_id")["title"]
    items = np.sort(interactions["item_id"].unique())
    return pd.Series([f"film {item}" for item in items], index=items, name="title")


def load_titles():
    """Return interactions, a table of titles, and a sentence that names their source.

    In the made data, users buy from three of 30 shelves, and titles consist of words
    of a shelf.
    """
    folder = get_data_home() / "beauty"
    if (folder / "items.parquet").is_file():
        rows = pd.read_parquet(folder / "beauty.parquet")
        titles = pd.read_parquet(folder / "items.parquet", columns=["item_id", "title"])
        return rows, titles, f"Amazon Beauty, found in the data home {folder.parent}."
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
    return rows, titles, "made, because Amazon Beauty is not in the data home."
