"""Measure the training of AttRec: seconds per epoch, with its defaults.

    python benchmarks/attrec_training.py --old ../older-checkout
    python benchmarks/attrec_training.py --old ../older-checkout --threads 1

`--old` measures two checkouts in turns. An epoch of ML-100K has 99,057 windows, one of
ML-1M 993,169. Each measurement is the shortest of `--epochs` epochs, so that other
work on the machine disturbs little; its share of SGEMM is printed to stderr, by the
count of `train_speed.py`.
"""

import argparse
import os
import sys
from functools import partial

from _pairs import add_arguments, compare
from _shared import epoch_seconds, load_or_make

from sklearn_attrec import AttRecRecommender


def main():
    """Measure both losses on both data sets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--threads", help="threads of TensorFlow and BLAS")
    parser.add_argument("--epochs", type=int, default=2, help="epochs of each fit")
    arguments = parser.parse_args()
    if arguments.threads:
        os.environ["OMP_NUM_THREADS"] = arguments.threads  # `fit` passes it on
    compare(arguments, prepare)


def prepare(arguments):
    """Return the measurements."""
    return {
        f"{data}, {loss}, s per epoch": partial(
            fastest_epoch, load_or_make(data)[0], loss, arguments.epochs
        )
        for data in ("ml-100k", "ml-1m")
        for loss in ("softmax", "hinge")
    }


def fastest_epoch(interactions, loss, n_epochs):
    """Fit a model and return the seconds of its fastest epoch."""
    model = AttRecRecommender(loss=loss, max_iter=n_epochs, random_state=0)
    with epoch_seconds() as seconds:
        model.fit(interactions)
    from train_speed import multiply, operations  # imports TensorFlow

    lengths = interactions["user_id"].value_counts().to_numpy()
    rate = operations(model, lengths, None) / min(seconds)
    sgemm = max(multiply() for _ in range(3))
    print(f"{loss}: {rate / sgemm:.1%} of SGEMM", file=sys.stderr)
    return min(seconds)


if __name__ == "__main__":
    main()
