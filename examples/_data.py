"""Data for the examples: MovieLens 100K if it is available, otherwise made data."""

import numpy as np

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
