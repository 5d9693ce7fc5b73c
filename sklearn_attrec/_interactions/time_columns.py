"""Columns and index levels that may contain the times of interactions."""

import re
import unicodedata
from datetime import date
from numbers import Real

import pandas as pd

from sklearn_attrec._interactions.column_names import ITEM, USER
from sklearn_attrec._interactions.date_text import is_date

__all__ = ["find_time_columns", "level_names"]

# Number of rows and of values to look at.
_N_ROWS, _N_VALUES = 1_000, 10

# Smaller numbers are not Unix times, or times before 1973.
_UNIX_TIME = 1e8

# Words for a point in time, the most likely one first.
_TIME_WORDS = (  # noqa: SIM905
    "timestamp timestamps datetime ts dt time date dtm dttm tm tms tstamp dat dte utc "
    "epoch when fecha hora datum dato zeit zeitpunkt zeitstempel uhrzeit heure "
    "horodatage tijd tijdstip czas tarih tanggal waktu дата время ημερομηνία"
).split()
_TIME_SIGNS = re.compile("[时時][间間刻]|日[期時付时]|날짜|시간|일시|วันที่|تاريخ|תאריך")
_WHOLE_NAMES = {"day", "t", "seq", "sequence"}

# Words for times of a user or an item, or of what follows an interaction.
_OTHER_TIMES = re.compile(r"\b(?:birth|end|estimated|expir|limit|modif|release|update)")


def _any_of(words):
    return "(?:" + words.replace(" ", "|").replace("_", " ") + ")"


# Beside these words, "time" is a duration or something else: "screen time".
_BEFORE_TIME = _any_of(
    "active air average avg bake baking bed cook cooking cost cumulative delivery "
    "dwell elapsed engagement first free full half idle lead leisure life listening "
    "load loading max mean median min one over part play playing prep preparation "
    "prime process processing read reading real remaining response run running screen "
    "session shipping some spare spend spent stay sum total travel usage viewing wait "
    "waiting watch watching"
)
_AFTER_TIME = _any_of(
    "budget decay elapsed lag left limit of_day offset on out per played saved series "
    "signature since slot spent taken to unit until watched zone"
)
_AFTER_ANY = _any_of(
    "bin delta diff difference format gap interval offset period range span window zone"
)
_NOT_A_TIME = re.compile(
    rf"\b{_BEFORE_TIME} time\b(?! stamp)|\btime {_AFTER_TIME}\b"
    rf"|\b(?:time|date|utc) {_AFTER_ANY}\b|\bup to date\b"
)

# Words that may be written as one with "time", "date" and the like.
_EVENTS = _any_of(
    "access action add arrival begin booking borrow buy check(?:in)? click create "
    "end event finish insert interaction invoice listen local log login modify order "
    "pay payment pickup played post pub publish purchase rate rating record release "
    "rent rental request return review sale sales sell server ship start submit trade "
    "trans transaction txn unix update upload utc view visit"
)
_COMPOUND_NAMES = re.compile(
    rf"(?:{_EVENTS}+|\w\w+ed)(?:time|date|ts|dt)|(?:\w+ed|read)at"
    r"|\w*(?:timestamps?|datetime|datum|fecha)|y{2,4}mm(?:dd)?\w*|dteday|yearmonth"
    r"|time(?:frame|steps?|idx|id|index|ms|sec|utc)|date(?:time\w+|id|key|utc)"
)
_ORDER_NUMBER = re.compile(
    r"\b(?:click|day|event|interaction|order|seq|sequence|visit|week)"
    r" ?(?:idx|index|no|nr|num|number)\b|\b(?:click|event|interaction|sequence) order\b"
)
_DONE = _any_of(
    "(?!based|hosted|located)\\w+ed begun bought done left made paid read seen sent "
    "sold taken written create end log_in publish sign_up start update"
)
_DONE_AT = re.compile(rf"\b{_DONE} (?:at|on)\b")

# Under such a name, numbers as large as Unix times are times.
_MAY_BE_UNIX = re.compile(r"\b(?:at|last|on|read|times?|\w+ed)\b")


def find_time_columns(X):
    """Return the names of columns and index levels that may contain times.

    The most likely one comes first. An index level has the name that it gets by
    `X.reset_index()`.
    """
    sample = X.iloc[:: max(1, len(X) // _N_ROWS)]
    index = sample.index
    values = [sample.iloc[:, i] for i in range(sample.shape[1])]
    values += [index.get_level_values(i).to_series() for i in range(index.nlevels)]
    names = [*X.columns, *level_names(X)]
    found = [
        (_rank(names[i]), i)
        for i in range(len(names))
        if names[i] not in {USER, ITEM} and _may_be_time(_words(names[i]), values[i])
    ]
    return [names[i] for _, i in sorted(found)]


def level_names(X):
    """Return the names that the index levels of X get by `X.reset_index()`."""
    unnamed = "level_{}" if X.index.nlevels > 1 or "index" in X else "index"
    names = enumerate(X.index.names)
    return [unnamed.format(i) if name is None else name for i, name in names]


def _words(name):
    """Return the words of a name in lower case, separated by spaces."""
    name = unicodedata.normalize("NFKC", str(name)[:80])
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.findall(r"[^\W\d_]+", name.lower()))


def _rank(name):
    """Return a sort key: the most likely name of the time comes first."""
    words = _words(name)
    ranks = [_TIME_WORDS.index(w) for w in words.split() if w in _TIME_WORDS]
    is_other = _OTHER_TIMES.search(words) is not None
    return is_other, min(ranks, default=len(_TIME_WORDS)), len(words.split())


def _may_be_time(words, values):
    """Return whether a column may contain times, by its name and first values."""
    kind = values.dtype.kind
    if kind == "b":
        return False
    if kind == "M" or _names_time(words):
        return True
    done_at = _DONE_AT.search(words) is not None
    may_be_unix = _MAY_BE_UNIX.search(words) is not None
    if kind in "iuf" and not may_be_unix:
        return False
    values = list(values.dropna())[:_N_VALUES]
    if not values:
        return False
    if isinstance(values[0], str):
        return _may_be_dates(values, done_at)
    are_large = all(isinstance(v, Real) and v >= _UNIX_TIME for v in values)
    are_dates = isinstance(values[0], (date, pd.Period))
    return are_dates or done_at or (may_be_unix and are_large)


def _may_be_dates(values, done_at):
    texts = [str(value).strip(" []\"'") for value in values]
    texts = [text for text in texts if text]
    has_digit = any(map(str.isdigit, "".join(texts)))
    return 2 * sum(map(is_date, texts)) > len(texts) or (done_at and has_digit)


def _names_time(words):
    """Return whether a name contains a word for a time, a date or an order number."""
    rest = _NOT_A_TIME.sub(" ", words)
    return (
        words in _WHOLE_NAMES
        or any(
            word in _TIME_WORDS or _COMPOUND_NAMES.fullmatch(word)
            for word in rest.split()
        )
        or _TIME_SIGNS.search(words) is not None
        or _ORDER_NUMBER.search(words) is not None
    )
