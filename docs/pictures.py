"""Draw the pictures that show figures: from the code of README.md and tables of pages.

    python docs/pictures.py

`quickstart.svg` is what the first code of README.md draws on MovieLens 100K. The others
show tables of choosing.md and tuning.md. The diagrams in `images/` are drawn by hand.
"""

import re
from itertools import cycle
from pathlib import Path

import matplotlib.pyplot as plt

DOCS = Path(__file__).parent
BLUE, GREY = "#0072B2", "#777777"
plt.rcParams |= {
    "figure.figsize": (4.8, 3.3),  # a phone shows it in a readable size
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "sklearn_attrec",
}


def rows_below(page, heading):
    """Return the rows of the first table below a heading, as dicts."""
    text = (DOCS / page).read_text("utf-8").partition(f"\n## {heading}\n")[2]
    lines = re.findall(r"^\|(.*)\|$", text.partition("\n## ")[0], re.MULTILINE)
    table = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [dict(zip(table[0], row, strict=True)) for row in table[2:]]


def number(text):
    """Return the number at the beginning of a cell such as '0.1505 ± 0.0028'."""
    return float(text.split()[0].replace(",", ""))


def save(name):
    """Write the current figure."""
    plt.savefig(
        DOCS / "images" / f"{name}.svg", metadata={"Creator": None, "Date": None}
    )
    plt.close("all")


def quickstart():
    """Run the first code of README.md, which draws a figure."""
    text = (DOCS.parent / "README.md").read_text("utf-8")
    exec(re.search(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[1], {})  # noqa: S102
    save("quickstart")


def costs():
    """Show the quality of each model and the time of its fit."""
    axes = plt.figure().subplots()
    rows = rows_below("choosing.md", "What each model costs and gives")
    for height, row in zip(cycle([7, -16]), rows, strict=False):  # above, below
        seconds, quality = number(row["fit, s"]), number(row["NDCG@10"])
        axes.plot(seconds, quality, "o", color=BLUE if row["epochs"] else GREY)
        place = {"xytext": (0, height), "textcoords": "offset points", "ha": "center"}
        axes.annotate(row["model"], (seconds, quality), **place)
    axes.set(xscale="log", xlabel="Time of the fit (lower is better)")
    axes.set_xticks([1, 10, 60, 600], ["1 s", "10 s", "1 min", "10 min"])
    axes.set(ylabel="NDCG@10 (higher is better)")
    axes.set_title("MovieLens 1M: counting (grey), networks (blue)")
    axes.margins(0.16)
    save("costs")


def parameters():
    """Show the score for each value of each parameter, with its spread over seeds."""
    rows = rows_below("tuning.md", "omega, gamma, L and d of AttRec")
    names = list(dict.fromkeys(row["parameter"] for row in rows))
    figure = plt.figure(figsize=(4.8, 4.6))
    places = figure.subplots(2, 2, sharey=True).ravel()
    for axes, name in zip(places, names, strict=True):
        own = [row for row in rows if row["parameter"] == name]
        values = [row["value"] for row in own]
        scores = [number(row["NDCG@10"]) for row in own]
        spread = [float(row["NDCG@10"].split("±")[1]) for row in own]
        axes.errorbar(values, scores, spread, fmt="o-", color=BLUE, ms=4, capsize=3)
        label = "gamma (hinge loss)" if name == "`gamma`" else name.strip("`")
        axes.set(xlabel=label)
    figure.supylabel("NDCG@10 (higher is better)", size="medium")
    figure.suptitle("AttRec on MovieLens 100K: one parameter at a time", size="large")
    save("parameters")


if __name__ == "__main__":
    quickstart()
    costs()
    parameters()
