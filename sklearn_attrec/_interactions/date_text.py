"""Recognition of dates and times of day in text.

The patterns are compiled when they are first used; `re` keeps them. Compiling them and
those of `time_names.py` took a tenth of the time of `import sklearn_attrec`.
"""

import re

__all__ = ["is_clock", "is_date", "is_day", "mentions_date"]

_YEAR, _MONTH = r"(?:19|20)\d\d", "(?:0?[1-9]|1[0-2])"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_DD, _MM = r"(?:0[1-9]|[12]\d|3[01])", "(?:0[1-9]|1[0-2])"
_NTH = rf"{_DAY}(?:st|[nr]d|th)?"
_NAME = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
# Beginnings of the names of months in European languages.
_LOCAL_NAME = (
    "(?:jan|ene|gen|feb|fév|fev|mar|mär|mrt|apr|abr|avr|may|mai|mag|mei|maj|jun|jui|giu"
    r"|jul|lug|aug|ago|aoû|sep|set|oct|okt|ott|out|nov|dec|dez|déc|dic)[^\W\d_]{0,7}"
)
_WEEKDAY = "(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*"
_CLOCK = (
    r"(?:\d\d?(?:[:.h-]\d\d?\b.*|:?\d\d(?:\d\d)?(?:\.\d+)?Z?| ?[時时点시].*"
    r"| ?[ap]\.?m\.?)?)"
)

_WRITTEN_DATES = [
    rf"{_YEAR}(?P<a>[-/]){_MM}(?P=a){_DD}",  # 2014-01-05
    rf"{_NTH}[-/ ]{_NAME}[-/., ]+{_YEAR}",  # 5 Jan 2014
    rf"{_NAME}[-/. ]+{_NTH}[-/, ]+{_YEAR}",  # Jan 5, 2014
]
_FORMATS = [
    rf"{_YEAR}(?P<b>[-/.]){_MONTH}(?P=b){_DAY}",  # 2014-1-5
    rf"{_YEAR}\. ?{_MONTH}\. ?{_DAY}\.?",  # 2014. 1. 5.
    rf"{_YEAR}-{_MM}",  # 2014-01
    rf"{_YEAR}-?W[0-5]\d(?:-?[1-7])?",  # 2014-W01
    rf"{_YEAR}{_MM}{_DD}(?:\d{{4}}|\d{{6}})?",  # 20140105
    rf"{_YEAR} ?[年년] ?{_MONTH} ?[月월] ?{_DAY} ?[日일号]",
    rf"{_YEAR}[-/ ]{_NAME}[-/ ]{_DAY}",  # 2014 Jan 5
    rf"{_DAY}(?P<c>[-/.]){_DAY}(?P=c){_YEAR}",  # 05/01/2014, day or month first
    rf"{_DAY}/{_DAY}/\d\d",  # 1/5/14
    rf"{_DD}(?P<d>[-.]){_MM}(?P=d)\d\d",  # 05.01.14
    rf"{_DAY}(?P<e>[-.]){_DAY}(?P=e)\d\d(?= \d\d?:)",  # 5.1.14 10:20
    rf"{_NTH}[-/ ]{_NAME}[-/., ]+\d\d",  # 5 Jan 14
    rf"{_DAY}{_NAME}{_YEAR}",  # 05JAN2014
    rf"{_DAY}\.? (?:de )?{_LOCAL_NAME}\.?(?: de)? {_YEAR}",  # 5. März 2014
    rf"{_NAME}[-/. ]+{_YEAR}",  # Jan 2014
    rf"{_NAME} +{_DAY} \d\d?:\d\d[:\d]* .*{_YEAR}",  # Jan 5 18:00:09 +0000 2014
]
_DATE = (
    rf"(?:{_WEEKDAY}[., ]+)?(?:{'|'.join(_WRITTEN_DATES + _FORMATS)})"
    rf" ?(?:\(?(?:{_WEEKDAY}|[日月火水木金土일월화수목금토])\)?)?"
    rf"(?P<clock>[T ,:_-]+(?:(?:at|um) )?{_CLOCK})?"
)
_DATE_IN_WORDS = rf"\D*\b(?:{'|'.join(_WRITTEN_DATES)})\b\D*"
_TIME_OF_DAY = (
    r"(?:[01]?\d|2[0-3])(?:[:h][0-5]\d){1,2}(?:\.\d+)?(?: ?[ap]\.?m\.?)?"
    r"|(?:0?[1-9]|1[0-2]) ?[ap]\.?m\.?"
)


def is_date(text):
    """Return whether a text is a date in a common format, possibly with a time."""
    return re.fullmatch(_DATE, text[:80], re.IGNORECASE) is not None


def is_day(text):
    """Return whether a text is a date without a time of day."""
    match = re.fullmatch(_DATE, text[:80], re.IGNORECASE)
    return match is not None and match["clock"] is None and ":" not in text


def mentions_date(text):
    """Return whether a text contains a date and no other number."""
    return re.fullmatch(_DATE_IN_WORDS, text[:120], re.IGNORECASE) is not None


def is_clock(text):
    """Return whether a text is a time of day without a date."""
    return re.fullmatch(_TIME_OF_DAY, text[:80], re.IGNORECASE) is not None
