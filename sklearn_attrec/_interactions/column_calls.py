"""Calls that rename or drop columns and index levels, for messages."""

from sklearn_attrec._interactions.column_names import level_names

__all__ = ["drop_call", "rename_call"]


def rename_call(X, renames, name):
    """Return a call that renames columns and index levels of the argument `name`."""
    in_index = set(level_names(X)) & (set(renames) - set(X.columns))
    renames = {old: new for old, new in renames.items() if old != new}
    call = f"{name}.reset_index()" if in_index else name
    return f"{call}.rename(columns={renames})" if renames else call


def drop_call(X, names, name):
    """Return a call that drops columns and index levels of the argument `name`."""
    columns = [column for column in names if column in X.columns]
    call = name if len(columns) == len(names) else f"{name}.reset_index(drop=True)"
    return f"{call}.drop(columns={columns})" if columns else call
