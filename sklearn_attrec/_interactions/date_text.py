"""Recognition of dates in text."""

import re

__all__ = ["is_date"]

_YEAR, _MONTH = r"(?:19|20)\d\d", "(?:0?[1-9]|1[0-2])"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_NAME = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_CLOCK = r"\d\d?(?:[:.h]\d\d.*|:?\d\d(?:\d\d)?(?:\.\d+)?Z?)?"

_FORMATS = [
    rf"{_YEAR}(?P<a>[-/.]){_MONTH}(?P=a){_DAY}",  # 2014-01-05
    rf"{_YEAR}-(?:0[1-9]|1[0-2])",  # 2014-01
    rf"{_YEAR}-?W[0-5]\d(?:-?[1-7])?",  # 2014-W01
    rf"{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{{4}}|\d{{6}})?",  # 20140105
    rf"{_YEAR}年{_MONTH}月{_DAY}日",
    rf"{_DAY}(?P<b>[-/.]){_DAY}(?P=b){_YEAR}",  # 05/01/2014, day or month first
    rf"{_DAY}/{_DAY}/\d\d",  # 1/5/14
    rf"{_DAY}(?P<c>[-.]){_DAY}(?P=c)\d\d(?= \d\d?:)",  # 05.01.14 10:20
    rf"{_DAY}(?:st|[nr]d|th)?[-/ ]{_NAME}[-/., ]+(?:{_YEAR}|\d\d)",  # 5 Jan 2014
    rf"{_NAME}[-/. ]+(?:{_DAY}(?:st|[nr]d|th)?[-/, ]+)?{_YEAR}",  # Jan 5, 2014
    rf"{_NAME} +{_DAY} \d\d?:\d\d[:\d]* .*{_YEAR}",  # Jan 5 18:00:09 +0000 2014
]
_DATE = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[., ]+)?"
    rf"(?:{'|'.join(_FORMATS)})(?:[T ,:_-]+{_CLOCK})?",
    re.IGNORECASE,
)


def is_date(text):
    """Return whether a text is a date in a common format, possibly with a time."""
    return _DATE.fullmatch(text[:80]) is not None
