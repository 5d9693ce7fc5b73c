"""Recommendations for DataFrames of Dask."""

from dask import delayed

from sklearn_attrec._interactions.column_names import USER
from sklearn_attrec.distributed._request import ORDER

__all__ = ["recommend"]


def recommend(model, frame, request):
    """Recommend to all users of a DataFrame; see `distributed.recommend`."""
    # Without rows, wrong columns and arguments raise their errors here.
    meta = request.answer(model, frame._meta)
    frame = frame[request.columns(frame.columns)]
    if request.has_histories:
        frame = frame.shuffle(on=USER)
    # A task of its own: each worker gets the model once, and it is computed again if
    # all workers that had it are gone.
    model = model if isinstance(model, str) else delayed(model)
    return frame.map_partitions(_answer, model, request, meta=meta)


def _answer(frame, model, request):
    if request.has_histories:
        frame = frame.sort_values(ORDER)
    return request.answer(model, frame)
