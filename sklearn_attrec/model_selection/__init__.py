"""Splits of interactions into training rows and test rows."""

from sklearn_attrec.model_selection._leave_last_out import (
    LeaveLastOut,
    leave_last_out_split,
)
from sklearn_attrec.model_selection._time_cutoff import TimeCutoffSplit
from sklearn_attrec.model_selection._user_k_fold import UserKFold

__all__ = ["LeaveLastOut", "TimeCutoffSplit", "UserKFold", "leave_last_out_split"]
