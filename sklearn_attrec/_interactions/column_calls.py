"""Calls that correct a frame or column, in its own library, for messages."""

import pandas as pd

from sklearn_attrec._interactions.column_names import level_names
from sklearn_attrec._interactions.frames import is_foreign, is_lazy, library_of

__all__ = [
    "cast_call",
    "drop_call",
    "drop_missing_advice",
    "pandas_name",
    "rename_call",
    "unique_call",
]

# By library, and whether the values are floats: NaN then counts as missing, which it
# does not in these libraries. "arrow" is a column of pandas with a dtype of Arrow.
_DROP_AND_FILL = {
    ("arrow", True): (
        ".astype({...: 'float64'}).dropna(subset=...)",
        ".astype('float64').fillna",
    ),
    ("polars", False): (".drop_nulls(subset=...)", ".fill_null"),
    ("polars", True): (
        ".fill_nan(None).drop_nulls(subset=...)",
        ".fill_nan(None).fill_null",
    ),
    ("pyarrow", False): (
        ".filter(pyarrow.compute.is_valid(...))",
        "pyarrow.compute.fill_null",
    ),
    ("pyarrow", True): (
        ".filter(pyarrow.compute.is_finite(...))",
        ".to_pandas().fillna",
    ),
}

# By library; %s stands for names of columns.
_CALLS = {
    "pandas": {
        "rename": ".rename(columns=%s)",
        "drop": ".drop(columns=%s)",
        "text": ".astype(str)",
        "integers": ".astype('Int64')",
        "floats": ".astype('float64')",
    },
    "polars": {
        "rename": ".rename(%s)",
        "drop": ".drop(%s)",
        "text": ".cast(polars.String)",
        "integers": ".cast(polars.Int64)",
        "floats": ".cast(polars.Float64)",
    },
    "pyarrow": {
        "rename": ".rename_columns(%s)",
        "drop": ".drop_columns(%s)",
        "text": ".cast('string')",
        "integers": ".cast('int64')",
        "floats": ".cast('float64')",
    },
}


def pandas_name(X, name):
    """Return an expression of the argument `name` as an object of pandas."""
    if not is_foreign(X):
        return name
    return f"{name}{'.collect()' if is_lazy(X) else ''}.to_pandas()"


def rename_call(X, renames, name):
    """Return a call that renames columns and index levels of the argument `name`."""
    in_index = set(level_names(X)) & (set(renames) - set(X.columns))
    renames = {old: new for old, new in renames.items() if old != new}
    call = f"{name}.reset_index()" if in_index else name
    return call + (_CALLS[library_of(X)]["rename"] % renames if renames else "")


def drop_call(X, names, name):
    """Return a call that drops columns and index levels of the argument `name`."""
    columns = [column for column in names if column in X.columns]
    call = name if len(columns) == len(names) else f"{name}.reset_index(drop=True)"
    return call + (_CALLS[library_of(X)]["drop"] % columns if columns else "")


def unique_call(X, name):
    """Return an expression that keeps the first of columns with the same name."""
    if library_of(X) == "pyarrow":
        names = f"{name}.column_names"
        return f"{name}.select([*map({names}.index, dict.fromkeys({names}))])"
    return f"{name}.loc[:, ~{name}.columns.duplicated()]"


def drop_missing_advice(values, subset="..."):
    """Return the advice to drop or fill in the rows of missing values."""
    library, is_float = library_of(values), values.dtype.kind == "f"
    library = "arrow" if isinstance(values.dtype, pd.ArrowDtype) else library
    of_pandas = ".dropna(subset=...)", ".fillna"
    drop, fill = _DROP_AND_FILL.get((library, is_float), of_pandas)
    drop = drop.replace("subset=...", f"subset={subset}")
    return f"Drop these rows, as in {drop}, or fill them in, as in {fill}."


def cast_call(values, kind):
    """Return a call that converts a column to 'text', 'integers' or 'floats'."""
    return _CALLS[library_of(values) or "pandas"][kind]
