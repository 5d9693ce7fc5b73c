"""Helpers of the benchmarks: data sets, memory and time measurements, tables."""

import ast
import contextlib
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_attrec import AttRecRecommender
from sklearn_attrec._training.epoch_reports import EpochReports
from sklearn_attrec.datasets import fetch_movielens, get_data_home, make_interactions

DATA_SETS = {
    "ml-100k": "ml-100k/u.data",
    "ml-1m": "ml-1m/ml-1m.parquet",
    "beauty": "beauty/beauty.parquet",
    "sports": "sports/sports.parquet",
    "foursquare": "foursquare/foursquare.parquet",
    "online-retail": "online-retail/online-retail.parquet",
    "yoochoose": "yoochoose/clicks.parquet",
}


def load(name):
    """Read a data set from the data home; exit with a message if it is missing."""
    path = get_data_home() / DATA_SETS[name]
    if not path.is_file():
        raise SystemExit(
            f"The data set {name} is missing: there is no file {DATA_SETS[name]} in "
            f"the data home {get_data_home()}. Put it there, or set the environment "
            "variable SKLEARN_ATTREC_DATA to the folder that contains it."
        )
    if name == "ml-100k":
        return fetch_movielens("100k", download_if_missing=False)
    return pd.read_parquet(path, columns=["user_id", "item_id", "timestamp"])


def load_or_make(name):
    """Read a data set, or make one of the size of ML-100K; return it and its source."""
    if (get_data_home() / DATA_SETS[name]).is_file():
        return load(name), name
    made = make_interactions(
        943, 1682, n_per_user=(20, 192), repeats=False, random_state=0
    )
    return made, f"made data, because {name} is not in the data home"


def assignments(texts):
    """Parse ["name=value", ...]; a value that is not a Python literal is a string."""
    settings = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise SystemExit(f"--set must be followed by name=value. Got {text!r}.")
        try:
            settings[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[name] = value
    return settings


def markdown(frame):
    """Format a frame as a Markdown table."""
    rows = [list(map(str, frame.columns)), *frame.astype(str).to_numpy().tolist()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def resident_memory():
    """Return the resident memory of this process in bytes (Linux)."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def highest_memory():
    """Return the largest resident memory of this process so far, in bytes (Linux)."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def reset_highest_memory():
    """Reset `highest_memory` to the current resident memory."""
    Path("/proc/self/clear_refs").write_text("5")


@contextlib.contextmanager
def epoch_seconds():
    """Yield a list; each epoch of a fit in this context appends its seconds."""
    seconds, end_epoch = [], EpochReports.end_epoch

    def timed_end_epoch(self, run, windows_per_second):
        seconds.append(time.perf_counter() - self.started)
        return end_epoch(self, run, windows_per_second)

    begin_epoch = EpochReports.begin_epoch

    def timed_begin_epoch(self):
        self.started = time.perf_counter()
        return begin_epoch(self)

    EpochReports.begin_epoch = timed_begin_epoch
    EpochReports.end_epoch = timed_end_epoch
    try:
        yield seconds
    finally:
        EpochReports.begin_epoch, EpochReports.end_epoch = begin_epoch, end_epoch


def untrained(frame, kind=AttRecRecommender, **params):
    """Return a network with its initial weights; they suffice to measure rankings."""
    model = kind(**params)
    untrained = type(kind.__name__, (kind,), {"_learn": _initial_state})(**params)
    vars(model).update(vars(untrained.fit(frame)))
    return model


def _initial_state(model, sequences, state, task, strict):
    sizes = len(state["users_"]), len(state["items_"])
    random, settings = np.random.default_rng(0), state["settings_"]
    return {
        "weights_": model._network.initial_weights(random, settings, *sizes),
        "loss_curve_": [1.0],
        "validation_scores_": None,
        "n_iter_": 1,
        "n_users_skipped_": 0,
        "interrupted_": False,
    }
