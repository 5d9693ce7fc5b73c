"""Recommendations for DataFrames of Dask."""

from copy import copy

import pandas as pd
from dask import delayed

from sklearn_attrec._interactions.column_names import USER
from sklearn_attrec.distributed._request import ORDER, ModelFile

__all__ = ["recommend"]


def recommend(model, frame, request):
    """Recommend to all users of a DataFrame; see `distributed.recommend`."""
    frame = frame[request.columns(frame.columns)]
    request.check_kinds(model, {name: _kind(x) for name, x in frame.dtypes.items()})
    # Without rows, wrong arguments raise their errors here.
    meta = _answer(frame._meta, model, request)
    kinds = _kind(frame.dtypes[USER]), _kind(meta.dtypes[USER])
    if "integers" in kinds and kinds[0] is not None:
        # That of the ids in answers with rows; text has the same dtype in both.
        meta = meta.astype({USER: frame.dtypes[USER]})
    if request.has_histories:
        frame = frame.shuffle(on=USER)
    # Tasks of their own: each worker gets model and request once, and they are made
    # again if all workers that had them are gone.
    if not isinstance(model, ModelFile):
        model = delayed(copy(model))  # which another fit does not change
    request = delayed(request, traverse=False)
    return frame.map_partitions(_answer, model, request, meta=meta)


def _answer(frame, model, request):
    if not request.has_histories:
        return request.answer(model, frame)
    # Categories are sorted in an order of their own.
    types = {
        name: dtype.categories.dtype
        for name, dtype in frame.dtypes.items()
        if isinstance(dtype, pd.CategoricalDtype)
    }
    frame = frame.reset_index(drop=True).astype(types).sort_values(ORDER)
    request.refuse_missing_users(frame[USER].isna().sum())
    return request.answer(model, frame, frame[USER].drop_duplicates())


def _kind(dtype):
    """Return what ids of a dtype are; None if it does not tell."""
    if pd.api.types.is_integer_dtype(dtype):
        return "integers"
    return "text" if isinstance(dtype, pd.StringDtype) else None
