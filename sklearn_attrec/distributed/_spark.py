"""Recommendations for DataFrames of Spark, in batches of Arrow."""

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import StructType

from sklearn_attrec._interactions.column_names import USER
from sklearn_attrec.distributed._request import ORDER

__all__ = ["recommend"]


def recommend(model, frame, request):
    """Recommend to all users of a DataFrame; see `distributed.recommend`."""
    # Without rows, wrong columns and arguments raise their errors here.
    meta = request.answer(model, frame.limit(0).toArrow())
    frame = frame.select(request.columns(frame.columns))
    if request.has_histories:
        frame = frame.repartition(USER).sortWithinPartitions(ORDER)
    session = frame.sparkSession
    if not isinstance(model, str):
        model = session.sparkContext.broadcast(model)
    fields = session.createDataFrame(meta).schema.fields
    schema = StructType([frame.schema[USER], *fields[1:]])

    def answer(batches):
        return _answer(batches, model, request)

    return frame.mapInArrow(answer, schema)


def _answer(batches, model, request):
    """Yield the recommendations for the rows of a partition."""
    model = getattr(model, "value", model)  # of a broadcast
    tables = (pa.Table.from_batches([batch]) for batch in batches if batch.num_rows)
    if request.has_histories:
        tables = _whole_histories(tables)
    for table in tables:
        answer = request.answer(model, table)
        users = answer[USER].cast(table.schema.field(USER).type)
        yield from answer.set_column(0, USER, users).to_batches()


def _whole_histories(tables):
    """Divide sorted rows so that all rows of a user are in the same table."""
    kept = None
    for table in tables:
        table = table if kept is None else pa.concat_tables([kept, table])
        # A missing user is in no table; it is refused later.
        start = max(pc.index(table[USER], table[USER][-1]).as_py(), 0)
        if start:
            yield table.slice(0, start)
        kept = table.slice(start)
    if kept is not None:
        yield kept
