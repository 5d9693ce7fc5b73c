"""Measure the time per epoch of SASRec and HSTU of RecTools, for comparison.

RecTools is a PyTorch library that requires older versions of NumPy and pandas, so it is
installed in a separate virtual environment, once, with the user's settings of pip. This
can download several GB, because PyTorch may include CUDA. This file is also the script
that runs in that environment: it receives the interactions as a file and the settings
as JSON, and prints its results as JSON.
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

# Versions that work together on Python 3.11.
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
    model,
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
    """Train a model of RecTools on all CPU cores and measure its epochs.

    A sequence is the last L + 1 items of a user with at least two items. All but the
    last item are inputs, and all but the first are targets. Each batch is padded to
    length L. Older items of a user are not used.

    Parameters
    ----------
    model : {"SASRec", "HSTU"}
        HSTU has biases by position and by time.
    interactions : DataFrame
        Columns `user_id` and `item_id`; sorted by time, or with a `timestamp` column,
        which HSTU needs.
    L, d, n_blocks, n_heads, dropout, batch_size, learning_rate
        Parameters of RecTools' models, there named `session_max_len`,
        `n_factors` and so on.
    loss : {"softmax", "BCE", "gBCE", "sampled_softmax"}, default="softmax"
        Loss function, as named by RecTools.
    n_epochs, n_warm_up : int
        Number of measured epochs, and of epochs before them that are not measured.
    environment : path
        Folder of the virtual environment, which is created if it does not exist. Delete
        the folder to create it again.

    Returns
    -------
    list of float or None
        Seconds of each epoch, without the preparation of the data. None, with a printed
        message, if RecTools cannot be installed or run.
    """
    settings = {
        "model": model,
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
    except Exception as error:  # the benchmark continues without the comparison
        print(f"RecTools is not measured: {error}", flush=True)
        return None
    print(
        f"RecTools: {found['n_sequences']:,} sequences with {found['n_targets']:,} "
        f"targets per epoch, {found['n_items']:,} items",
        flush=True,
    )
    return found["epoch_seconds"][n_warm_up:]


def install(environment):
    """Return the Python of the environment; install RecTools if needed."""
    folder = Path(environment).expanduser()
    python = Path(sysconfig.get_path("scripts", "venv", {"base": folder}), "python")
    if not python.exists():
        print(f"Installing RecTools into {folder} (only once)", flush=True)
        EnvBuilder(symlinks=os.name != "nt", with_pip=True).create(folder)
    # Takes a second or two if all is installed; completes an interrupted installation.
    call(python, "-m", "pip", "install", "--quiet", *REQUIREMENTS)
    return python


def run_in(python, interactions, settings):
    """Run this file in the environment; return its results."""
    if "timestamp" in interactions:
        interactions = interactions.sort_values("timestamp", kind="stable")
    columns = {
        name: pd.factorize(interactions[name])[0] for name in ("user_id", "item_id")
    }
    columns["datetime"] = interactions.get("timestamp", np.arange(len(interactions)))
    with TemporaryDirectory() as folder:
        path = Path(folder, "interactions.npz")
        np.savez(path, **columns)
        output = call(python, __file__, path, json.dumps(settings))
    return json.loads(output.splitlines()[-1])


def call(python, *arguments):
    """Run another Python, isolated from this one; return its output."""
    command = [str(python), "-I", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise RuntimeError(f"{' '.join(command[:5])} failed:\n{last}")
    return done.stdout


def main(path, settings):
    """Fit in the environment of RecTools; return the time per epoch and sizes."""
    import torch
    from rectools import models
    from rectools.dataset import Dataset
    from rectools.models.nn.item_net import IdEmbeddingsItemNet

    torch.set_num_threads(os.cpu_count())
    with np.load(path) as columns:
        frame = pd.DataFrame(dict(columns))
    frame["weight"] = 1
    frame["datetime"] = pd.to_datetime(frame["datetime"], unit="s")
    name = settings.pop("model")
    with_time = ("relative_time_attention", "relative_pos_attention")
    variant = dict.fromkeys(with_time, True) if name == "HSTU" else {}
    model = getattr(models, f"{name}Model")(
        **settings,
        **variant,
        use_pos_emb=name == "SASRec",
        item_net_block_types=(IdEmbeddingsItemNet,),
        train_min_user_interactions=2,
        get_trainer_func=make_trainer,
        get_trainer_func_kwargs={"epochs": settings["epochs"]},
    )
    model.fit(Dataset.construct(frame))
    # Taken from the model, because fit trains with a copy of the trainer.
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
    """Return the default trainer of RecTools, on the CPU, with a stopwatch."""
    from pytorch_lightning import Callback, Trainer

    class Stopwatch(Callback):
        """Measure each epoch, from its first batch to its last update."""

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
