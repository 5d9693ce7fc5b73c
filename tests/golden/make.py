"""Make the files that every later version must read: `python tests/golden/make.py`.

One small model of each estimator, with ids and times of different kinds, and its
recommendations. Run it for a new version of the format and for a new estimator:
it makes the files that are missing, and never changes one.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_attrec import (
    AttRecRecommender,
    HSTURecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
    load_model,
    save_model,
)
from sklearn_attrec.models import RECOMMENDERS
from sklearn_attrec.utils._tensor_file import FORMAT

SMALL = {"d": 4, "L": 3, "max_iter": 2, "batch_size": 16, "random_state": 0, "k": 4}
BLOCK = SMALL | {"n_blocks": 1, "n_heads": 2}
N_ANSWERED = 5


def cycle(user_ids, item_ids, times=None):
    """Make users who walk along a cycle of items, each from another start."""
    user, step = np.divmod(np.arange(5 * len(user_ids)), 5)
    frame = pd.DataFrame(
        {
            "user_id": np.asarray(user_ids)[user],
            "item_id": np.asarray(item_ids)[(user + step) % len(item_ids)],
        }
    )
    return frame if times is None else frame.assign(timestamp=times(user, step))


def models():
    """Return a fitted model of each estimator."""
    numbers, words = np.arange(9), ["tea", "milk", "jam", "é", "e\u0301", "a\0", "🫖"]
    words = np.array(words, dtype=object)
    names = [f"user {n}" for n in numbers]
    wide = numbers.astype(np.uint64) + 2**63
    days = pd.Timestamp("2020-01-01", tz="Europe/Paris") + pd.to_timedelta(
        np.arange(45) * 9, "D"
    )
    early = {"early_stopping": True, "validation_fraction": 0.5}
    features = pd.DataFrame({"item_id": np.arange(11, dtype=np.int16)})
    features["colours"] = [["red"], ["red", "é"], None, ["é"]] * 2 + [[], ["é"], ["x"]]
    features["price"] = [1.0, 2.0, np.nan] * 3 + [4.0, 5.0]

    def dates(user, step):
        return days[user + step]

    def steps(user, step):
        return step

    def quarters(user, step):
        return step / 4

    return [
        AttRecRecommender(loss="hinge", **SMALL).fit(cycle(names, words, dates)),
        SASRecRecommender(item_features=features, **BLOCK).fit(
            cycle(numbers - 3, numbers.astype(np.int16), steps)
        ),
        SSEPTRecommender(d_user=4, **BLOCK, **early).fit(cycle(wide, numbers)),
        HSTURecommender(time_bias="request", **BLOCK).fit(cycle(names, numbers, dates)),
        ItemKNNRecommender(n_neighbors=3, k=4).fit(
            cycle(numbers, numbers, steps).to_numpy(np.float32)
        ),
        MarkovRecommender(k=4).fit(cycle(numbers.astype(np.uint8), words, quarters)),
        PopularityRecommender(k=4, exclude_seen=False).fit(
            cycle(words, numbers.astype(np.int8)).iloc[:-1]
        ),
    ]


def answers(model):
    """Return the recommendations for the first users, as JSON can hold them."""
    found = model.recommend(model.users_[:N_ANSWERED].tolist())
    return {
        "users": found["user_id"].tolist(),
        "items": found["item_id"].tolist(),
        "scores": found["score"].tolist(),
    }


def main():
    folder = Path(__file__).parent / ".".join(map(str, FORMAT))
    names = {cls.__name__ for cls in RECOMMENDERS.values()}
    missing = names - {path.stem for path in folder.glob("*.attrec")}
    if not missing:
        sys.exit("no file is missing, and a released file never changes")
    folder.mkdir(exist_ok=True)
    listed = folder / "answers.json"
    expected = json.loads(listed.read_text("utf-8")) if listed.exists() else {}
    for model in models():
        if type(model).__name__ in missing:
            path = folder / f"{type(model).__name__}.attrec"
            save_model(model, path)
            expected[path.stem] = answers(load_model(path))
    text = json.dumps(expected, indent=1, sort_keys=True)
    listed.write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    main()
