"""What the benchmarks share: data sets, readings of memory, and printed tables."""

import ast
import resource
from pathlib import Path

import pandas as pd

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
    """Bytes of memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
