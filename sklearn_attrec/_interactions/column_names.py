"""Names of the columns of interactions, and their names in other data sets."""

from datetime import date

import pandas as pd

__all__ = ["ITEM", "TIME", "USER", "WEIGHT", "find_column", "find_time_columns"]

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
    TIME: "timestamp timestamps time ts datetime date eventtime eventtimestamp "
    "eventdate unixtime unixtimestamp epoch unixreviewtime reviewtime reviewdate "
    "ratingtime ratedat createdat clicktime visittime checkintime playedat playtime "
    "orderdate purchasedate invoicedate transactiondate utctime timems tdat",
}


def find_column(columns, name):
    """Return the column that most likely contains `name`, or None."""
    found = {_normalise(column): column for column in reversed(columns)}
    synonyms = _SYNONYMS[name].split()
    return next((found[synonym] for synonym in synonyms if synonym in found), None)


def find_time_columns(X):
    """Return the columns whose name or values suggest times, the most likely first."""
    ranks = {synonym: rank for rank, synonym in enumerate(_SYNONYMS[TIME].split())}
    found = [
        (ranks.get(_normalise(column), len(ranks)), position)
        for position, column in enumerate(X.columns)
        if column not in {USER, ITEM}
        and (_normalise(column) in ranks or _contains_dates(X.iloc[:, position]))
    ]
    return [X.columns[position] for _, position in sorted(found)]


def _normalise(column):
    """Return the letters and digits of a column name, in lower case."""
    return "".join(filter(str.isalnum, str(column)[:80].lower()))


def _contains_dates(column):
    if column.dtype.kind != "O":
        return column.dtype.kind == "M"
    present = column[column.notna().to_numpy()]
    return len(present) > 0 and isinstance(present.iloc[0], (date, pd.Period))
