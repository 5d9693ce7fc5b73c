"""How fast each model trains, as a share of what the machine can multiply.

Fits the data (or data made to the size of ML-100K) again and again, an epoch each, and
multiplies two float32 matrices of 2048 x 2048 in NumPy between the fits. The products
of matrices that an epoch cannot do without, forward and backward, over its time is its
rate; their rate over that of the large product is the share. Both are medians of the
same run. Other work slows the two down unequally: where the share of the fastest epoch
in the fastest product differs much from it, the machine was busy.

Before that, what a fit costs beyond its epochs: of the first fit of a process, which
imports TensorFlow and traces the compiled step, and of the second, of the same
shapes, which should do neither.

    python benchmarks/train_speed.py
    python benchmarks/train_speed.py --models attrec-hinge --batch-sizes 1024 2048
    python benchmarks/train_speed.py --data ml-1m --models sasrec --rectools

`--rectools` trains the SASRec of RecTools (PyTorch) on the same windows, with the same
width, blocks, loss and batches, in the same run, and prints how many times longer its
epoch takes. It installs RecTools in an environment of its own first.
"""

import argparse
import statistics
import time

import numpy as np
import pandas as pd
from _rectools import ENVIRONMENT, epoch_seconds
from _shared import DATA_SETS, assignments, load_or_make, markdown
from sklearn.base import clone

from sklearn_attrec import AttRecRecommender, SASRecRecommender, SSEPTRecommender
from sklearn_attrec._transformer_base import DEFAULT_NEGATIVES
from sklearn_attrec.utils._tensorflow import import_tensorflow

MODELS = {
    "attrec-hinge": AttRecRecommender(loss="hinge"),
    "attrec": AttRecRecommender(loss="softmax"),
    "sasrec": SASRecRecommender(windows="last"),
    "sasrec-sampled": SASRecRecommender(windows="last", loss="sampled_softmax"),
    "gsasrec": SASRecRecommender(windows="last", loss="gbce"),
    "sasrec-bce": SASRecRecommender(windows="last", loss="bce"),
    "sse-pt": SSEPTRecommender(windows="last"),
}

# The configuration that both libraries are timed with.
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
    """Measure start-up, then throughput of each model and batch size."""
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
        compare(interactions, arguments)


def operations(model, lengths, n_items):
    """Floating-point operations of an epoch's products of matrices, three passes each.

    A product is counted once forward and twice backward. AttRec: the two projections
    of L vectors. The transformers: projections and feed-forward of each item, half the
    square of attention, and the scores of all items or of the negatives.
    """
    if isinstance(model, AttRecRecommender):
        return 12 * model.L * model.d**2 * (lengths - 1).sum()
    read = np.minimum(lengths[lengths > 1] - 1, model.L)
    width = model.d + getattr(model, "d_user", 0)
    of_block = 2 * 6 * width**2 * read.sum() + 2 * width * (read**2).sum()
    negatives = DEFAULT_NEGATIVES | {"softmax": n_items}
    scored = model.n_negatives or negatives[model.loss]
    scores = 2 * model.d * scored * read.sum()
    return 3 * (model.n_blocks * of_block + scores)


def start_up(model, interactions):
    """Print what the first and the second fit cost beyond their epochs."""
    start = time.perf_counter()
    import_tensorflow()
    print(f"import TensorFlow: {time.perf_counter() - start:.2f} s")
    from sklearn_attrec._training import _run_steps

    for which in ("first", "second", "third"):
        before = _run_steps.experimental_get_tracing_count()
        start = time.perf_counter()
        model.fit(interactions)
        total = time.perf_counter() - start
        traced = _run_steps.experimental_get_tracing_count() - before
        epoch = model.history_[0]["seconds"]
        print(
            f"{which} fit: {total:.2f} s, of which its one epoch {epoch:.2f} s and "
            f"all else {total - epoch:.2f} s; traced {traced} time(s)",
            flush=True,
        )
    print()


def throughput(model, interactions, needed, repeats):
    """Take epochs and matrix products in turns, after an epoch that may trace."""
    model.fit(interactions)
    multiply()
    seconds, rates = [], []
    for _ in range(repeats):
        rates += [multiply() for _ in range(3)]
        seconds.append(model.fit(interactions).history_[0]["seconds"])
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
    """Return floating-point operations a second of a float32 matrix product."""
    left, right = np.ones((2, n, n), np.float32)
    start = time.perf_counter()
    left @ right
    return 2 * n**3 / (time.perf_counter() - start)


def compare(interactions, arguments):
    """Print how many times longer the same epoch takes in RecTools."""
    ours = SASRecRecommender(windows="last", random_state=0, **EQUAL)
    ours.set_params(max_iter=arguments.repeats + 1).fit(interactions)
    seconds = [record["seconds"] for record in ours.history_][1:]
    theirs = epoch_seconds(
        interactions,
        **EQUAL,
        n_epochs=arguments.rectools_epochs,
        environment=arguments.rectools_venv,
    )
    print(f"\nSASRec, softmax, {EQUAL}")
    print(f"here: {statistics.median(seconds):.2f} s an epoch {rounded(seconds)}")
    if theirs:
        ratio = statistics.median(theirs) / statistics.median(seconds)
        print(f"RecTools: {statistics.median(theirs):.1f} s {rounded(theirs)}")
        print(f"RecTools takes {ratio:.1f} times as long.")


def rounded(seconds):
    """Round for printing."""
    return [round(value, 2) for value in seconds]


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA_SETS, default="ml-100k")
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=list(MODELS), metavar="NAME"
    )
    parser.add_argument("--repeats", type=int, default=5, help="epochs to time of each")
    parser.add_argument(
        "--batch-sizes",
        type=int,
        nargs="*",
        default=[],
        metavar="N",
        help="besides the default",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="name=value",
        help="further parameters of the models",
    )
    parser.add_argument(
        "--rectools", action="store_true", help="time RecTools' SASRec as well"
    )
    parser.add_argument("--rectools-epochs", type=int, default=1, metavar="N")
    parser.add_argument(
        "--rectools-venv",
        default=ENVIRONMENT,
        metavar="FOLDER",
        help="environment to install RecTools in",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
