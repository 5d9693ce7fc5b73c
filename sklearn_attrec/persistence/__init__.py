"""Save fitted recommenders to files that contain arrays and text, but no code."""

from sklearn_attrec.persistence._model_files import (
    inspect_model,
    load_model,
    save_model,
)

__all__ = ["inspect_model", "load_model", "save_model"]
