"""What the benchmarks share: data sets, readings of memory, and printed tables."""

import ast
import resource
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_attrec import AttRecRecommender
from sklearn_attrec.datasets import fetch_movielens, get_data_home, make_interactions

DATA_SETS = {
    "ml-100k": "ml-100k/u.data",
    "ml-1m": "ml-1m/ml-1m.txt.gz",
    "beauty": "beauty/Beauty.txt",
}


def load(name):
    """Read a data set from the data home; end the script where it is not there."""
    path = get_data_home() / DATA_SETS[name]
    if not path.is_file():
        raise SystemExit(
            f"{name} is not in the data home: there is no {DATA_SETS[name]} in "
            f"{get_data_home()}. Put it there, or set SKLEARN_ATTREC_DATA to the "
            "folder that holds it."
        )
    if name == "ml-100k":
        return fetch_movielens("100k", download_if_missing=False)
    if name == "ml-1m":  # a line an interaction, in the order of time
        return pd.read_csv(path, sep=" ", names=["user_id", "item_id"])
    # A line a user: the user, then the items in the order of time.
    users, items = zip(
        *(line.split(" ", 1) for line in path.read_text().splitlines()), strict=True
    )
    frame = pd.DataFrame({"user_id": users, "item_id": map(str.split, items)})
    return frame.explode("item_id", ignore_index=True).astype("int64")


def load_or_make(name):
    """Read a data set, or make one of about the size of ML-100K; say which."""
    if (get_data_home() / DATA_SETS[name]).is_file():
        return load(name), name
    made = make_interactions(
        943, 1682, n_per_user=(20, 192), repeats=False, random_state=0
    )
    return made, f"made, as {name} is not in the data home"


def assignments(texts):
    """Turn ["name=value", ...] into a dict; what is no Python value is a string."""
    settings = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise SystemExit(f"--set wants name=value, got {text!r}")
        try:
            settings[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[name] = value
    return settings


def markdown(frame):
    """Lay a frame of strings out as a Markdown table."""
    rows = [list(map(str, frame.columns)), *frame.astype(str).to_numpy().tolist()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def resident_memory():
    """Bytes of memory this process holds now; Linux alone tells."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def highest_memory():
    """Bytes of memory this process held at most; Linux alone tells."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def forget_highest_memory():
    """Let `highest_memory` begin with what is held now."""
    Path("/proc/self/clear_refs").write_text("5")


class _Untrained(AttRecRecommender):
    def _fit(self, sequences, state, task, strict):
        settings, random = self._settings(), np.random.default_rng(0)
        sizes = len(state["users_"]), len(state["items_"])
        weights = self._initial_weights(random, settings, *sizes)
        weights.setdefault("W_K", weights["W_Q"])
        history = [{"epoch": 1, "loss": 1.0, "seconds": 1.0}]
        fitted = {"n_iter_": 1, "n_users_skipped_": 0, "interrupted_": False}
        fitted |= {"weights_": weights, "history_": history}
        return fitted | {"settings_": settings._asdict()}


def untrained(frame, **params):
    """AttRec with its first weights: ranking takes as long whatever was learned."""
    model = AttRecRecommender(**params)
    vars(model).update(vars(_Untrained(**params).fit(frame)))
    return model
