"""Measure how fast each model trains, relative to the speed of matrix products.

Fits each model for one epoch several times on the data set (or made data of the size of
ML-100K). Between the fits NumPy multiplies two float32 matrices of shape 2048 × 2048.
The rate of an epoch is the number of floating-point operations in its matrix products,
forward and backward, divided by its time. The share in the table is this rate divided
by the rate of the large product (SGEMM); both are medians of the same run. Other
processes slow down the two rates differently: if the share of the fastest epoch in the
fastest product ("of fastest") is much different, the machine was busy.

Before that, the script measures the time that a fit takes in addition to its epochs.
The first fit of a process traces the compiled step; later fits of the same shapes
should not.

    python benchmarks/train_speed.py
    python benchmarks/train_speed.py --models attrec-hinge --batch-sizes 1024 2048
    python benchmarks/train_speed.py --data ml-1m --models sasrec --rectools

`--rectools` also trains SASRec and HSTU of RecTools (PyTorch) on the same windows, with
the same width, blocks, loss, batch size and, for HSTU, biases by position and time, and
prints how many times as long their epochs take. It first installs RecTools in a
separate virtual environment.
"""

import argparse
import statistics
import time

import numpy as np
import pandas as pd
from _rectools import ENVIRONMENT
from _rectools import epoch_seconds as rectools_epoch_seconds
from _shared import DATA_SETS, assignments, epoch_seconds, load_or_make, markdown
from sklearn.base import clone

from sklearn_attrec import (
    AttRecRecommender,
    HSTURecommender,
    SASRecRecommender,
    SSEPTRecommender,
)
from sklearn_attrec.models._transformer import DEFAULT_NEGATIVES
from sklearn_attrec.utils._tensorflow import import_tensorflow


class _SASRec(SASRecRecommender):
    _random_cuts = False  # reads the last L items of each user, as other libraries do


class _SSEPT(SSEPTRecommender):
    _random_cuts = False


class _HSTU(HSTURecommender):
    _random_cuts = False


MODELS = {
    "attrec-hinge": AttRecRecommender(loss="hinge"),
    "attrec": AttRecRecommender(),
    "sasrec": _SASRec(),
    "sasrec-sampled": _SASRec(loss="sampled_softmax"),
    "gsasrec": _SASRec(loss="gbce"),
    "sasrec-bce": _SASRec(loss="bce"),
    "sse-pt": _SSEPT(),
    "hstu": _HSTU(),
    "hstu-request": _HSTU(time_bias="request"),
}

# The parameters with which both libraries are measured.
EQUAL = {
    "L": 200,
    "d": 64,
    "n_blocks": 2,
    "n_heads": 1,
    "dropout": 0.2,
    "batch_size": 128,
    "learning_rate": 1e-3,
}


def main():
    """Measure the start-up, then the throughput of each model and batch size."""
    arguments = parse_arguments()
    interactions, source = load_or_make(arguments.data)
    lengths = interactions["user_id"].value_counts().to_numpy()
    n_items = interactions["item_id"].nunique()
    print(f"Data: {source}, {lengths.sum():,} interactions\n", flush=True)

    models = {}
    for name in arguments.models:
        model = clone(MODELS[name]).set_params(random_state=0, max_iter=1)
        model.set_params(**assignments(arguments.set))
        for size in dict.fromkeys([model.batch_size, *arguments.batch_sizes]):
            models[name, size] = clone(model).set_params(batch_size=size)
    start_up(clone(next(iter(models.values()))), interactions)
    rows = []
    for (name, size), model in models.items():
        needed = operations(model, lengths, n_items)
        measured = throughput(model, interactions, needed, arguments.repeats)
        rows.append({"model": name, "batch size": size} | measured)
        print(f"{name}, batches of {size}: done", flush=True)
    print(f"\n{markdown(pd.DataFrame(rows))}")
    if arguments.rectools:
        compare("SASRec", _SASRec(), interactions, arguments)
        if "timestamp" in interactions:
            compare("HSTU", _HSTU(time_bias="request"), interactions, arguments)


def operations(model, lengths, n_items):
    """Count the floating-point operations in the matrix products of an epoch.

    Each product counts three times: once forward and twice backward. AttRec: the two
    projections of L vectors. The transformers: the projections of each item, here 4 and
    2 in the feed-forward layer and 5 in HSTU, half of the attention matrix, which is
    causal, and the scores of all items or of the negatives.
    """
    if isinstance(model, AttRecRecommender):
        return 12 * model.L * model.d**2 * (lengths - 1).sum()
    read = np.minimum(lengths[lengths > 1] - 1, model.L)
    width = model.d + getattr(model, "d_user", 0)
    n_projections = 5 if isinstance(model, HSTURecommender) else 6
    per_block = 2 * n_projections * width**2 * read.sum()
    per_block += 2 * width * (read**2).sum()
    negatives = DEFAULT_NEGATIVES | {"softmax": n_items}
    scored = model.n_negatives or negatives[model.loss]
    scores = 2 * model.d * scored * read.sum()
    return 3 * (model.n_blocks * per_block + scores)


def start_up(model, interactions):
    """Print the time that three fits take in addition to their epoch."""
    start = time.perf_counter()
    import_tensorflow()
    print(f"import TensorFlow: {time.perf_counter() - start:.2f} s")
    from sklearn_attrec._training.trainer import _run_steps

    for which in ("first", "second", "third"):
        before = _run_steps.experimental_get_tracing_count()
        start = time.perf_counter()
        with epoch_seconds() as epochs:
            model.fit(interactions)
        total = time.perf_counter() - start
        traced = _run_steps.experimental_get_tracing_count() - before
        (epoch,) = epochs
        print(
            f"{which} fit: {total:.2f} s in total, {epoch:.2f} s in its epoch, "
            f"{total - epoch:.2f} s in the rest; traced {traced} time(s)",
            flush=True,
        )
    print()


def throughput(model, interactions, needed, repeats):
    """Alternate epochs and matrix products, after a first fit that may trace."""
    model.fit(interactions)
    multiply()
    rates = []
    with epoch_seconds() as seconds:
        for _ in range(repeats):
            rates += [multiply() for _ in range(3)]
            model.fit(interactions)
    epoch, sgemm = statistics.median(seconds), statistics.median(rates)
    return {
        "epoch, s": f"{epoch:.2f}",
        "fastest, s": f"{min(seconds):.2f}",
        "items/s": f"{len(interactions) / epoch:,.0f}",
        "GFLOP/s": f"{needed / epoch / 1e9:.1f}",
        "SGEMM, GFLOP/s": f"{sgemm / 1e9:.1f}",
        "share": f"{needed / epoch / sgemm:.1%}",
        "of fastest": f"{needed / min(seconds) / max(rates):.1%}",
    }


def multiply(n=2048):
    """Return the floating-point operations per second of a float32 matrix product."""
    left, right = np.ones((2, n, n), np.float32)
    start = time.perf_counter()
    left @ right
    return 2 * n**3 / (time.perf_counter() - start)


def compare(name, ours, interactions, arguments):
    """Print how many times as long the same epoch of a model takes in RecTools."""
    ours.set_params(random_state=0, max_iter=arguments.repeats + 1, **EQUAL)
    with epoch_seconds() as seconds:
        ours.fit(interactions)
    del seconds[0]  # the first epoch may trace
    rectools = rectools_epoch_seconds(
        name,
        interactions,
        **EQUAL,
        n_epochs=arguments.rectools_epochs,
        environment=arguments.rectools_venv,
    )
    print(f"\n{name}, softmax, {EQUAL}")
    print(f"Here: {statistics.median(seconds):.2f} s per epoch {rounded(seconds)}")
    if rectools:
        ratio = statistics.median(rectools) / statistics.median(seconds)
        print(f"RecTools: {statistics.median(rectools):.1f} s {rounded(rectools)}")
        print(f"RecTools takes {ratio:.1f} times as long.")


def rounded(seconds):
    """Round seconds for printing."""
    return [round(value, 2) for value in seconds]


def parse_arguments():
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA_SETS, default="ml-100k")
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=list(MODELS), metavar="NAME"
    )
    parser.add_argument(
        "--repeats", type=int, default=5, help="measured epochs per model"
    )
    parser.add_argument(
        "--batch-sizes",
        type=int,
        nargs="*",
        default=[],
        metavar="N",
        help="batch sizes to measure besides the default",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="name=value",
        help="other parameters of the models",
    )
    parser.add_argument("--rectools", action="store_true", help="also measure RecTools")
    parser.add_argument("--rectools-epochs", type=int, default=1, metavar="N")
    parser.add_argument(
        "--rectools-venv",
        default=ENVIRONMENT,
        metavar="FOLDER",
        help="virtual environment for RecTools",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
