"""Names of the columns of interactions, and their names in other data sets."""

__all__ = ["ITEM", "TIME", "USER", "WEIGHT", "find_column", "level_names", "renames_of"]

USER, ITEM, TIME = "user_id", "item_id", "timestamp"
WEIGHT = "weight"  # optional; read by `fit` only

# Names of the columns in other data sets, in the form that `_normalise` returns, the
# most likely name first.
_SYNONYMS = {
    USER: "userid user uid users username customerid customer memberid accountid "
    "clientid visitorid buyerid reviewerid listenerid personid userno useridx usernum "
    "msno sessionid session",
    ITEM: "itemid item iid items movieid movie productid product sku asin parentasin "
    "trackid track songid song artistid bookid isbn gameid appid articleid newsid "
    "videoid adid offerid businessid venueid locationid poiid stockcode contentid "
    "itemno itemidx itemnum",
}


def find_column(columns, name):
    """Return the column that most likely contains `name`, or None."""
    found = {_normalise(column): column for column in reversed(columns)}
    synonyms = _SYNONYMS.get(name, "").split()
    return next((found[synonym] for synonym in synonyms if synonym in found), None)


def renames_of(columns, missing):
    """Return new names of the columns that most likely are the missing ones.

    Parameters
    ----------
    columns : sequence
    missing : list of str
        `user_id`, `item_id` or `timestamp`.

    Returns
    -------
    dict
        From old to new names; "<your user_id>" stands for a column that is not found.
    """
    return {find_column(columns, new) or f"<your {new}>": new for new in missing}


def level_names(X):
    """Return the names that the index levels of X get by `X.reset_index()`."""
    unnamed = "level_{}" if X.index.nlevels > 1 or "index" in X else "index"
    names = enumerate(X.index.names)
    return [unnamed.format(i) if name is None else name for i, name in names]


def _normalise(column):
    """Return the letters and digits of a column name, in lower case."""
    return "".join(filter(str.isalnum, str(column)[:80].lower()))
