"""Columns and index levels that may contain the times of interactions."""

import re
import unicodedata
from datetime import date

import pandas as pd

from sklearn_attrec._interactions.column_names import ITEM, USER

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

# "time" after or before one of these words is a duration, and so on.
_BEFORE_TIME = (
    "active air average avg bake baking bed cook cooking cost cumulative delivery "
    "dwell elapsed engagement first free full half idle lead leisure life listening "
    "load loading max mean median min one over part play playing prep preparation "
    "prime process processing read reading real remaining response run running screen "
    "session shipping some spare spend spent stay sum total travel usage viewing wait "
    "waiting watch watching"
)
_AFTER_TIME = (
    "budget decay elapsed lag left limit of_day offset on out per played saved series "
    "signature since slot spent taken to unit until watched zone"
)
_AFTER_ANY = "delta diff difference format gap interval offset range span window zone"
_INNOCENT = re.compile(
    rf"\b(?:{_BEFORE_TIME.replace(' ', '|')}) time\b(?! stamp)|\bup to date\b"
    rf"|\btime (?:{_AFTER_TIME.replace(' ', '|').replace('_', ' ')})\b"
    rf"|\b(?:time|date|utc) (?:{_AFTER_ANY.replace(' ', '|')})\b"
)

# Words written as one with "time", "date" and the like.
_EVENTS = (
    "access action add arrival begin booking borrow buy check(?:in)? click create "
    "end event finish insert interaction invoice listen local log login modify order "
    "pay payment pickup played post pub publish purchase rate rating record release "
    "rent rental request return review sale sales sell server ship start submit trade "
    "trans transaction txn unix update upload utc view visit"
)
_GLUED = re.compile(
    rf"\w*(?:timestamps?|datetime|datum|fecha)|y{{2,4}}mm(?:dd)?\w*|dteday"
    rf"|(?:(?:{_EVENTS.replace(' ', '|')})+|\w\w+ed)(?:time|date|ts|dt)"
    r"|(?:\w+ed|read)at|time(?:frame|steps?|idx|id|index|ms|sec|utc)|date(?:time\w+|id|key|utc)"
)
_ORDER_NUMBER = re.compile(
    r"\b(?:click|day|event|interaction|order|seq|sequence|visit|week)"
    r" ?(?:idx|index|no|nr|num|number)\b|\b(?:click|event|interaction|sequence) order\b"
)
_DONE_AT = re.compile(
    r"\b(?:(?!based|hosted|located)\w+ed|begun|bought|done|left|made|paid|read|seen|sent|sold|taken|written"
    r"|create|end|log in|publish|sign up|start|update) (?:at|on)\b"
)
# Under such a name, numbers as large as Unix times are times.
_WEAK = re.compile(r"\b(?:at|last|on|read|times?|\w+ed)\b")

# Formats of dates, in text.
_YEAR, _MONTH = r"(?:19|20)\d\d", "(?:0?[1-9]|1[0-2])"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
    "(?:19|20)\\d\\d",
    "(?:0?[1-9]|1[0-2])",
    "(?:0?[1-9]|[12]\\d|3[01])",
)
_TH = f"{_DAY}(?:st|[nr]d|th)?"
_NAME = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_CLOCK = r"\d\d?(?:[:.h]\d\d.*|:?\d\d(?:\d\d)?(?:\.\d+)?Z?)?"
_DATE = re.compile(
    rf"(?:{_YEAR}([-/.]){_MONTH}\1{_DAY}"  # 2014-01-05
    rf"|{_YEAR}年{_MONTH}月{_DAY}日"
    rf"|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{{4}}|\d{{6}})?"  # 20140105
    rf"|{_YEAR}-(?:0[1-9]|1[0-2])|{_YEAR}-?W[0-5]\d(?:-?[1-7])?"  # 2014-01, 2014-W01
    rf"|{_DAY}([-/.]){_DAY}\2{_YEAR}"  # 05/01/2014, day or month first
    rf"|{_DAY}/{_DAY}/\d\d|{_DAY}([-.]){_DAY}\3\d\d(?= \d\d?:)"  # 1/5/14
    rf"|{_TH}[-/ ]{_NAME}[-/., ]+(?:{_YEAR}|\d\d)"  # 5 Jan 2014
    rf"|{_NAME}[-/. ]+(?:{_TH}[-/, ]+)?{_YEAR}"  # Jan 5, 2014
    rf"|{_NAME} +{_DAY} \d\d?:\d\d[:\d]* .*{_YEAR})"  # Jan 5 18:00:09 +0000 2014
    rf"(?:[T ,:_-]+{_CLOCK})?",
    re.IGNORECASE,
)
_WEEKDAY = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[., ]+", re.IGNORECASE)


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
    """Return a number that is smaller the more likely a name is to mean the time."""
    words = _words(name)
    ranks = [_TIME_WORDS.index(w) for w in words.split() if w in _TIME_WORDS]
    is_other = _OTHER_TIMES.search(words) is not None
    return is_other, min(ranks, default=len(_TIME_WORDS)), len(words.split())


def _may_be_time(words, values):
    if values.dtype.kind in "bM":
        return values.dtype.kind == "M"
    if _names_time(words):
        return True
    done_at = _DONE_AT.search(words) is not None
    if values.dtype.kind in "iuf" and not done_at and not _WEAK.search(words):
        return False
    values = list(values.dropna())[:_N_VALUES]
    if values and all(isinstance(value, str) for value in values):
        texts = [text.strip(" []\"'") for text in values if text.strip()]
        n_dates = sum(map(_is_date, texts))
        has_digits = any(map(str.isdigit, "".join(texts)))
        return 2 * n_dates > len(texts) or (done_at and has_digits)
    if values and isinstance(values[0], (date, pd.Period)):
        return True
    large = all(isinstance(v, (int, float)) and v >= _UNIX_TIME for v in values)
    return done_at or (large and len(values) > 0 and _WEAK.search(words) is not None)


def _names_time(words):
    """Return whether a name contains a word for a time, a date or an order number."""
    rest = _INNOCENT.sub(" ", words)
    return (
        words in _WHOLE_NAMES
        or any(word in _TIME_WORDS or _GLUED.fullmatch(word) for word in rest.split())
        or _TIME_SIGNS.search(words) is not None
        or _ORDER_NUMBER.search(words) is not None
    )


def _is_date(text):
    return _DATE.fullmatch(_WEEKDAY.sub("", text[:80], count=1)) is not None
