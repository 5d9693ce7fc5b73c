"""Progress of a fit: counts of epochs and steps, losses, scores, random state."""

import json
from dataclasses import dataclass, field

import numpy as np

from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["Progress"]


@dataclass
class Progress:
    """State of a fit, except its weights and optimiser state.

    Attributes
    ----------
    entropy : int
        Seed of the fit's random generator; NumPy calls it entropy.
    random : dict or None
        State of the generator at the start of the current epoch.
    epoch : int
        Number of complete epochs.
    step : int
        Number of steps done in the current epoch.
    steps : int
        Number of steps done in all epochs.
    loss : float
        Sum of the losses of the windows of the current epoch.
    loss_curve, validation_scores : list of float
        One value per complete epoch; no scores without early stopping.
    """

    entropy: int
    random: dict | None = None
    epoch: int = 0
    step: int = 0
    steps: int = 0
    loss: float = 0.0
    loss_curve: list = field(default_factory=list)
    validation_scores: list = field(default_factory=list)

    def to_manifest(self):
        """Return all values except the curves, as JSON types."""
        return {
            # A string, because JSON readers may round a long integer.
            "entropy": str(self.entropy),
            "random": json.dumps(self.random),
            "epoch": self.epoch,
            "step": self.step,
            "steps": self.steps,
            "loss": self.loss,
        }

    def to_tensors(self):
        """Return the curves as arrays."""
        return {
            "loss_curve": np.array(self.loss_curve, np.float64),
            "validation_scores": np.array(self.validation_scores, np.float64),
        }

    @classmethod
    def from_file(cls, record, tensors):
        """Restore progress from `to_manifest` and `to_tensors`, and check it.

        Raises
        ------
        KeyError, OverflowError, RecursionError, TypeError or ValueError
            If a value is missing or not valid.
        """
        record = dict(record)
        record["entropy"] = int(record["entropy"])
        record["random"] = json.loads(record["random"])
        np.random.PCG64().state = record["random"]  # raises an error if not valid
        record["loss"] = float(record["loss"])
        curves = {
            name: tensors[name].tolist() for name in ("loss_curve", "validation_scores")
        }
        progress = cls(**record, **curves)
        for count in (progress.epoch, progress.step, progress.steps):
            if type(count) is not int or not 0 <= count < 2**63:
                raise ValueError(f"{short_repr(count)} is not a non-negative integer")
        n_scores = len(progress.validation_scores)
        if (
            progress.entropy < 0
            or len(progress.loss_curve) != progress.epoch
            or n_scores not in (0, progress.epoch)
        ):
            raise ValueError("its values are inconsistent")
        return progress
