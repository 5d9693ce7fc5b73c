"""Recommendations for DataFrames of Spark, in batches of Arrow."""

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import IntegralType, NullType, StringType, StructType

from sklearn_attrec._interactions.column_names import ITEM, USER
from sklearn_attrec.distributed._request import ORDER, ModelFile

__all__ = ["recommend"]


def recommend(model, frame, request):
    """Recommend to all users of a DataFrame; see `distributed.recommend`."""
    frame = frame.select(request.columns(frame.columns))
    request.check_kinds(model, {x.name: _kind(x.dataType) for x in frame.schema})
    # Without rows, wrong arguments raise their errors here.
    empty = frame.limit(0).toArrow()
    meta = _spark_items(request.answer(model, empty, empty[USER]))
    if request.has_histories:
        frame = frame.repartition(USER).sortWithinPartitions(ORDER)
    session = frame.sparkSession
    if not isinstance(model, ModelFile):
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
        users = None
        if request.has_histories:
            request.refuse_missing_users(table[USER].null_count)
            users = table[USER].unique()
        answer = _spark_items(request.answer(model, table, users))
        users = answer[USER].cast(table.schema.field(USER).type)
        yield from answer.set_column(0, USER, users).to_batches()


def _kind(data_type):
    """Return what ids of a type are; None if it does not tell."""
    if isinstance(data_type, IntegralType):
        return "integers"
    if isinstance(data_type, NullType):
        return None
    is_text = isinstance(data_type, StringType)
    return "text" if is_text else data_type.simpleString()


def _spark_items(answer):
    """Convert unsigned integers, which Spark does not have."""
    items = answer[ITEM]
    if pa.types.is_unsigned_integer(items.type):
        items = items.cast(pa.int64())
    return answer.set_column(1, ITEM, items)


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
