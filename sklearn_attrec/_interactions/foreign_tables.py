"""Tables of other libraries, which must be converted to pandas."""

__all__ = ["refuse_foreign_table"]

# How tables of each library are converted to pandas.
_CONVERSIONS = {
    "bigframes": "to_pandas",
    "cudf": "to_pandas",
    "dask": "compute",
    "dask_expr": "compute",
    "datasets": "to_pandas",
    "duckdb": "df",
    "ibis": "to_pandas",
    "narwhals": "to_pandas",
    "polars": "to_pandas",
    "pyarrow": "to_pandas",
    "pyspark": "toPandas",
}


def refuse_foreign_table(values, prefix):
    """Raise an error for tables of other libraries, with the way to convert them.

    The libraries need not be installed.
    """
    library, name = type(values).__module__.partition(".")[0], type(values).__name__
    if library in _CONVERSIONS:
        collect = "collect()." if name == "LazyFrame" else ""
        raise TypeError(
            f"{prefix} is a {library} {name}, which is not supported; convert it to "
            f"pandas first with .{collect}{_CONVERSIONS[library]}()."
        )
