"""Splits of interactions into earlier training rows and later test rows."""

from sklearn_attrec.model_selection._leave_last_out import (
    LeaveLastOut,
    leave_last_out_split,
)
from sklearn_attrec.model_selection._time_cutoff import TimeCutoffSplit

__all__ = ["LeaveLastOut", "TimeCutoffSplit", "leave_last_out_split"]
