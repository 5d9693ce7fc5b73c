"""How long RecTools' SASRec takes an epoch: what our own is compared with.

RecTools is a PyTorch library that wants older versions of NumPy and pandas, so it lives
in a virtual environment of its own. pip fills that once, the way the user has set pip
up: where PyTorch comes with CUDA, with several GB. This file is also the script that
runs there: the interactions are handed over as a file, settings and answer as JSON.
"""

import json
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from venv import EnvBuilder

import numpy as np
import pandas as pd

# Versions that were seen to work together, on Python 3.11.
REQUIREMENTS = [
    "rectools[torch]==0.19.0",
    "torch==2.13.0",
    "pytorch-lightning==2.5.2",
    "torchmetrics==1.9.0",
    "pm-implicit==0.7.3",
    "pydantic==2.14.3",
    "pandas==2.3.3",
    "scipy==1.17.1",
    "numpy==1.26.4; python_version < '3.13'",
]

ENVIRONMENT = Path("~/.cache/sklearn_attrec/rectools-0.19.0")


def epoch_seconds(
    interactions,
    *,
    L=200,
    d=64,
    n_blocks=2,
    n_heads=1,
    dropout=0.2,
    batch_size=128,
    loss="softmax",
    learning_rate=1e-3,
    n_epochs=1,
    n_warm_up=0,
    environment=ENVIRONMENT,
):
    """Train RecTools' SASRec on all cores of the CPU and time its epochs.

    A sequence is the last L + 1 items of a user who has at least two: all but the last
    go in, and each but the first is a target. Every batch is padded to L. What comes
    before these items is never trained on.

    Parameters
    ----------
    interactions : DataFrame
        Columns `user_id` and `item_id`, in the order of time, or with a `timestamp`.
    L, d, n_blocks, n_heads, dropout, batch_size, learning_rate
        `session_max_len`, `n_factors` and so on of RecTools.
    loss : {"softmax", "BCE", "gBCE", "sampled_softmax"}, default="softmax"
        As RecTools calls it.
    n_epochs, n_warm_up : int
        Epochs to time, and epochs before these that are not.
    environment : path
        Folder of the virtual environment, made where it is not there. Delete it to have
        it made anew.

    Returns
    -------
    list of float or None
        Seconds of each epoch, without preparing the data; None where RecTools could
        not be installed or run, which is printed.
    """
    settings = {
        "session_max_len": L,
        "n_factors": d,
        "n_blocks": n_blocks,
        "n_heads": n_heads,
        "dropout_rate": dropout,
        "batch_size": batch_size,
        "loss": loss,
        "lr": learning_rate,
        "epochs": n_warm_up + n_epochs,
    }
    try:
        found = run_in(install(environment), interactions, settings)
    except Exception as error:  # whatever goes wrong here costs the comparison alone
        print(f"RecTools is left out: {error}", flush=True)
        return None
    print(
        f"RecTools: {found['n_sequences']:,} sequences with {found['n_targets']:,} "
        f"targets an epoch, {found['n_items']:,} items",
        flush=True,
    )
    return found["epoch_seconds"][n_warm_up:]


def install(environment):
    """Return the Python of an environment that has RecTools; make it if need be."""
    folder = Path(environment).expanduser()
    python = Path(sysconfig.get_path("scripts", "venv", {"base": folder}), "python")
    if not python.exists():
        print(f"Installing RecTools in {folder}, once", flush=True)
        EnvBuilder(symlinks=os.name != "nt", with_pip=True).create(folder)
    # Done in a second or two where all is there, and mends what was interrupted.
    call(python, "-m", "pip", "install", "--quiet", *REQUIREMENTS)
    return python


def run_in(python, interactions, settings):
    """Run this file in the environment; return what it found."""
    if "timestamp" in interactions:
        interactions = interactions.sort_values("timestamp", kind="stable")
    columns = {
        name: pd.factorize(interactions[name])[0] for name in ("user_id", "item_id")
    }
    with TemporaryDirectory() as folder:
        path = Path(folder, "interactions.npz")
        np.savez(path, **columns)
        output = call(python, __file__, path, json.dumps(settings))
    return json.loads(output.splitlines()[-1])


def call(python, *arguments):
    """Run a Python that sees nothing of this one's; return what it prints."""
    command = [str(python), "-I", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise RuntimeError(f"{' '.join(command[:5])} ended with this:\n{last}")
    return done.stdout


def main(path, settings):
    """Fit in the environment of RecTools; return the seconds of each epoch."""
    import torch
    from rectools.dataset import Dataset
    from rectools.models import SASRecModel
    from rectools.models.nn.item_net import IdEmbeddingsItemNet

    torch.set_num_threads(os.cpu_count())
    with np.load(path) as columns:
        frame = pd.DataFrame(dict(columns))
    frame["weight"] = 1
    frame["datetime"] = pd.to_datetime(np.arange(len(frame)), unit="s")
    model = SASRecModel(
        **settings,
        use_pos_emb=True,
        item_net_block_types=(IdEmbeddingsItemNet,),
        train_min_user_interactions=2,
        get_trainer_func=make_trainer,
        get_trainer_func_kwargs={"epochs": settings["epochs"]},
    )
    model.fit(Dataset.construct(frame))
    # From the model, as fit trains with a copy of the trainer.
    stopwatch = model.fit_trainer.callbacks[0]
    trained_on = model.data_preparator.train_dataset.interactions.df
    lengths = trained_on["user_id"].value_counts()
    return {
        "epoch_seconds": stopwatch.seconds,
        "n_items": len(model.data_preparator.get_known_item_ids()),
        "n_sequences": len(lengths),
        "n_targets": int((lengths - 1).sum()),
    }


def make_trainer(epochs):
    """Make the trainer RecTools makes by default, on the CPU, with a stopwatch."""
    from pytorch_lightning import Callback, Trainer

    class Stopwatch(Callback):
        """Time of each epoch, from its first batch to its last update."""

        def __init__(self):
            self.seconds = []

        def on_train_epoch_start(self, trainer, module):
            self.start = time.perf_counter()

        def on_train_epoch_end(self, trainer, module):
            self.seconds.append(time.perf_counter() - self.start)

    return Trainer(
        min_epochs=epochs,
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        callbacks=[Stopwatch()],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], json.loads(sys.argv[2]))))
