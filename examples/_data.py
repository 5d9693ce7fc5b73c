"""The data of the examples: real where it can be had, made where not."""

import numpy as np

from sklearn_attrec.datasets import fetch_movielens, get_data_home, make_interactions


def load_interactions():
    """Return interactions with ratings, and a sentence that says where from and why."""
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
        # They say nothing, but the examples about ratings need some.
        made["rating"] = np.random.default_rng(0).integers(1, 6, len(made))
        return made, (
            "made by make_interactions, since MovieLens 100K is not in the data home "
            f"and cannot be downloaded.\n({error})"
        )
