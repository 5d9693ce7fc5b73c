"""Check that fitted models can be exchanged between versions of other packages.

`write` fits each recommender on integer and text ids, with and without times, and
writes the models and their answers. `check`, run with other versions, loads the models
and compares the answers.

    python .ci/exchange.py write FOLDER
    python .ci/exchange.py check FOLDER
"""

import argparse
import itertools
import pickle
import platform
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_attrec import load_model, save_model
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.models import RECOMMENDERS

SMALL = {"d": 4, "L": 3, "n_blocks": 1, "max_iter": 2, "batch_size": 32}
SMALL |= {"n_neighbors": 5, "random_state": 0}
CASES = list(itertools.product(RECOMMENDERS, ("integer", "text"), ("times", "order")))


def fit(name, ids, times):
    """Fit a recommender, with those of the small settings that it has.

    With text ids, times are dates.
    """
    X = make_interactions(40, 30, n_per_user=(3, 12), random_state=0)
    if ids == "text":
        X = X.assign(
            user_id="ü" + X["user_id"].astype(str),
            item_id="i" + X["item_id"].astype(str),
            timestamp=pd.to_datetime(X["timestamp"], unit="s"),
        )
    if times == "order":
        X = X.sort_values("timestamp").drop(columns="timestamp")
    model = RECOMMENDERS[name]()
    settings = {key: SMALL[key] for key in SMALL if key in model.get_params()}
    return model.set_params(**settings).fit(X)


def answers(model):
    """Return the ids and scores that a loaded model must find again."""
    users, items = model.users_[:5].tolist(), model.items_[:5].tolist()
    top = model.recommend(k=4)
    similar = model.similar_items(items, k=3)
    ids = [top["user_id"], top["item_id"], similar.iloc[:, 1]]
    new = model.predict(users, history=[[item] for item in items], k=4)
    return {
        "ids": np.concatenate([new.ravel(), *ids]).astype(str),
        "scores": np.concatenate([top["score"], similar["score"]]),
    }


def write(folder):
    """Write each model as a model file and as a pickle, and its answers."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        model, path = fit(*case), folder / "-".join(case)
        save_model(model, path.with_suffix(".attrec"))
        path.with_suffix(".pickle").write_bytes(pickle.dumps(model))
        np.savez(path.with_suffix(".npz"), **answers(model))


def check(folder):
    """Load each model and compare its answers with those that were written."""
    for case in CASES:
        path = folder / "-".join(case)
        expected = np.load(path.with_suffix(".npz"))
        unpickled = pickle.loads(path.with_suffix(".pickle").read_bytes())
        for model in (load_model(path.with_suffix(".attrec")), unpickled):
            found = answers(model)
            np.testing.assert_array_equal(found["ids"], expected["ids"], str(case))
            np.testing.assert_allclose(
                found["scores"], expected["scores"], rtol=0, atol=1e-6
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("write", "check"))
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("error")
    {"write": write, "check": check}[options.action](options.folder)
    done = {"write": "written", "check": "loaded, with equal answers"}
    print(
        f"{len(CASES)} model files and pickles {done[options.action]}: "
        f"Python {platform.python_version()}, NumPy {np.__version__}"
    )


if __name__ == "__main__":
    main()
