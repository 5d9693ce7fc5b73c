"""Names of columns that suggest times, and names that do not.

All functions but `words_of` take the words of a name. The patterns are compiled when
they are first used, as in `date_text.py`.
"""

import re
import unicodedata

__all__ = [
    "is_duration",
    "is_id",
    "is_of_other_time",
    "is_ordinal",
    "may_be_unix",
    "names_event",
    "names_time",
    "names_time_of_day",
    "time_rank",
    "words_of",
]


def _any_of(words):
    return "(?:" + "|".join(words.split()).replace("_", " ") + ")"


# Words for a point in time, the most likely one first.
_TIME_WORDS = (  # noqa: SIM905
    "timestamp timestamps datetime ts dt time date dtm dttm tm tms tstamp dat dte utc "
    "epoch when fecha hora datum dato zeit zeitpunkt zeitstempel uhrzeit heure "
    "horodatage tijd tijdstip czas tarih tanggal waktu дата время ημερομηνία"
).split()
_TIME_SIGNS = (
    "[时時][间間刻]|日[期時付时]|(?<![曜祝休平])日$|날짜|시간|일시|วันที่|تاريخ|תאריך"
)

# Words for times of a user or an item, or of what follows an interaction.
_OTHER_TIMES = r"\b(?:birth|dob\b|end|estimated|expir|limit|modif|release|update)|生日"

# Beside these words, "time" is a duration or something else: "screen time".
_BEFORE_TIME = _any_of(
    "active air average avg bake baking bed cook cooking cost cumulative delivery "
    "dwell elapsed engaged engagement exposure first free full game half idle lead "
    "leisure life listening load loading max mean median min on one over part play "
    "playing prep preparation prime process processing read reading real remaining "
    "response run running screen scroll scrolling session shipping some spare spend "
    "spent stay sum total transit travel usage view viewing wait waiting watch watching"
)
_AFTER_TIME = _any_of(
    "avg budget count decay elapsed hours lag left limit listened max mean min minutes "
    "of_day offset on out per played ratio saved score sec seconds secs series "
    "signature since slot spent std sum taken to total unit until viewed watched "
    "weight zone"
)
_AFTER_ANY = _any_of(
    "bin delta diff difference format gap interval offset period range span type "
    "window zone"
)
_NOT_A_TIME = (
    rf"\b{_BEFORE_TIME} time\b(?! stamp)|\btime {_AFTER_TIME}\b|\bup to date\b"
    rf"|\b(?:time|date|utc) {_AFTER_ANY}\b|\bfirst date\b|^(?:has|is|was) .*"
)
_DURATIONS = (
    r"\b(?:age|delay|delta|diff|difference|duration|elapsed|gap|interval|lag|latency"
    r"|length|period|(?:play|run|screen|watch)time|since (?:last|prev|prior)|span)\b"
)

# Words that may be written as one with "time", "date" and the like.
_EVENTS = _any_of(
    "access action add arrival begin booking borrow buy check(?:in)? click create "
    "creation end event finish insert interaction invoice listen local log login "
    "modify order pay payment pickup played post pub publish purchase rate rating "
    "record release rent rental request return review sale sales sell server ship "
    "start submit trade trans transaction txn unix update upload utc view visit"
)
_COMPOUND_NAMES = (
    rf"(?:{_EVENTS}+|\w\w+ed)(?:time|date|ts|dt)|(?:\w+ed|read)at"
    r"|\w*(?:timestamps?|datetime|datum|fecha)|y{2,4}mm(?:dd)?\w*|dteday|yearmonth"
    r"|time(?:frame|steps?|idx|id|index|ms|sec|utc)|date(?:(?:and)?time\w*|id|key|utc)"
)

# Whole numbers under these names put events in order.
_ORDINALS = (
    r"day|t|week|.*\b(?:seq|sequence)"
    r"|.*\b(?:click|day|event|interaction|order|seq|sequence|visit|week)"
    r" ?(?:idx|index|no|nr|num|number)\b.*"
    r"|.*\b(?:event|interaction|seq|sequence|session) ?(?:pos|position)"
    r"|.*\bsession number"
    r"|.*\b(?:click|event|interaction|sequence) order\b.*"
    r"|.*\b(?:day|seq|sequence|week) ?(?:id|key)"
)

_TIME_OF_DAY = r"\b(?:hora|heure|hhmm|hour|time|tm|uhrzeit|zeit)\b"

_DONE = _any_of(
    "(?!based|hosted|located)\\w+ed begun bought done left made paid read seen sent "
    "sold taken written create end log_in publish sign_up start update"
)
_DONE_AT = rf"\b{_DONE} (?:at|on)\b"

# Under such a name, numbers as large as Unix times are times.
_MAY_BE_UNIX = (
    rf"\b(?:{_DONE}|at|last|on|times?|[acmr]time|arrival|begin|check ?in|check ?out"
    r"|data|departure|ds|gmt|log ?in|signup)\b"
)
_ID_AT_END = r"\b(?:by|ids?)$"
_ID_WORDS = (
    r"\b(?:(?!paid)\w*ids?|"
    + _any_of(
        "account asin barcode booking by card cell code comment cookie customer device "
        "ean fingerprint gtin hash household imei invoice ip isbn issn item key lat "
        "latitude lng lon longitude member message mobile no nr num number order phone "
        "post product record ref reference row seed serial session shop sku status "
        "store tel telephone ticket transaction tweet upc user vat visitor zip"
    )
    + r")\b"
)


def words_of(name):
    """Return the words of a name in lower case, separated by spaces."""
    name = unicodedata.normalize("NFKC", str(name)[:80])
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.findall(r"[^\W\d_]+", name.lower()))


def names_time(words):
    """Return whether a name contains a word for a time or a date."""
    rest = re.sub(_NOT_A_TIME, " ", words)
    return re.search(_TIME_SIGNS, words) is not None or any(
        word in _TIME_WORDS or re.fullmatch(_COMPOUND_NAMES, word)
        for word in rest.split()
    )


def names_event(words):
    """Return whether a name says that something happened at a time: "started at"."""
    return re.search(_DONE_AT, words) is not None


def names_time_of_day(words):
    """Return whether hours and minutes may stand under a name."""
    return re.search(_TIME_OF_DAY, words) is not None


def is_ordinal(words):
    """Return whether whole numbers under a name put events in order."""
    return re.fullmatch(_ORDINALS, words) is not None


def is_duration(words):
    """Return whether a name is one of a duration."""
    return any(re.search(pattern, words) for pattern in (_NOT_A_TIME, _DURATIONS))


def is_of_other_time(words):
    """Return whether a time is probably not that of the interaction."""
    return re.search(_OTHER_TIMES, words) is not None


def may_be_unix(words):
    """Return whether numbers as large as Unix times are times under a name."""
    return re.search(_MAY_BE_UNIX, words) is not None and not re.search(
        _ID_AT_END, words
    )


def is_id(words):
    """Return whether a name contains a word for an id, a code or the like."""
    return re.search(_ID_WORDS, words) is not None


def time_rank(words):
    """Return a sort key: the most likely name of a time comes first."""
    words = words.split()
    ranks = [_TIME_WORDS.index(word) for word in words if word in _TIME_WORDS]
    return min(ranks, default=len(_TIME_WORDS)), len(words)
