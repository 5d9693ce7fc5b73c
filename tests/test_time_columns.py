"""Times under another name, or in the index, are asked for; other columns are not."""

import re
import warnings
from datetime import date, time
from functools import partial

import numpy as np
import pandas as pd
import pytest
from bad_input_helpers import frame_of

from sklearn_attrec import MarkovRecommender, cli
from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.time_columns import find_time_columns
from sklearn_attrec.exceptions import InteractionsError, SeenItemWarning
from sklearn_attrec.metrics import evaluate, make_ranking_scorer
from sklearn_attrec.model_selection import (
    LeaveLastOut,
    TimeCutoffSplit,
    leave_last_out_split,
)
from sklearn_attrec.preprocessing import DropRepeats, KCoreFilter

# Names in public data sets: MovieLens, Amazon, Yelp, Olist, Instacart, Dunnhumby, H&M,
# Kaggle, RetailRocket, Taobao, Tmall, Diginetica, KuaiRand, Last.fm, Spotify, others.
TIME_NAMES = """
    rating_timestamp click_timestamp created_utc started_at timestamp:float order_number
    order_no orderNumber seq_no 时间戳 时间 日期 時間 下单时间 fecha fecha_dato datum
    zeit дата heure order_purchase_timestamp order_approved_at shipping_limit_date
    order_delivered_carrier_date order_estimated_delivery_date review_creation_date
    review_answer_timestamp event_time eventTime EVENT_TS t_dat InvoiceDate dateAdded
    unixReviewTime reviewTime date_added read_at TRANS_TIME TRANSACTION_DT time_stamp
    date_time utcTimestamp UTC_time visited_on server_time dteday yyyymmdd dt ts day
    DAY SHOP_DATE WEEK_NO eventtime orderdate createdat CreationDate tstamp epoch_ms
    unix_timestamp time_ms start_timestamp timeframe eventdate purchase_date visit_date
    checkin_time check_in_time listened_at last_played_at ts_listen TimeStamp DateTime
    Date Time tpep_pickup_datetime trip_start_timestamp Start_Time log_time request_time
    click_time impression_time sale_date transactionDate trans_date_trans_time time_id
    date_id read_date watch_date played_at playedAt submission_time event_timestamp_utc
    ModifiedDate bestelldatum visitNumber visitStartTime session_start_time publish_time
    action_timestamp delivery_time_stamp date_played DATEKEY time_step week seq_id
    session_position order_seq event_seq creationdate dateandtime 購買日 t
"""

OTHER_NAMES = """
    runtime runtime_minutes times_played update_count updated datebook sometimes
    sentiment lifetime_value playtime_forever watch_time_seconds dwell_time time_spent
    time_on_page prep_time cook_time time_zone timezone utc_offset candidate mandate
    validated holiday weekday birthday_club latitude category format platform estimated
    step position quantity price rating count at_home data state status real_time
    full_time first_time_buyer overtime bedtime year delivery_time date_format events
    up_to_date time_of_day order_dow order_hour_of_day days_since_prior_order order_id
    add_to_cart_order attributes duration_ms playing_time watch_ratio InvoiceNo hour
    month release_year tempo timedelta time_signature consolidated tags created_by
    on_sale rated reordered watched is_updated based_on stats parts total_time uptime
    time_period view_time exposure_time scroll_time engaged_time game_time time_sec
    transit_time time_viewed time_listened time_mean time_total time_ratio time_weight
    first_date on_time_delivery is_time has_date date_type session_start check_in ctime
    arrival gmt_create mtime ds data_compra clicked_item_id seed_id
"""

DATE_TEXTS = """
    2014-01-05|2014-1-5 3:04|2009-04-08T01:57:47Z|2014-01-05 10:00:00.123456+02:00
    05/01/2014|31.12.2014|12/1/10 8:26|12/1/2010 8:26|1/5/2014 3:04 PM|05 Jan 2014
    Jan 5, 2014|January 5 2014|Tue Apr 03 18:00:09 +0000 2012|20140105|20140105120000
    Tue, 03 Apr 2012 18:00:09 +0000|29/Aug/2023:10:00:00 +0000|2014/01/05 10:00|2014-01
    01-Jan-1995|2014年1月5日|5th January 2014|05.01.14 10:20|2014-W01|2014-01-05 10
    05.01.14|5. März 2014|2014. 1. 5.|05JAN2014:10:20:30|2014-01-05_10-20-30
    2014 Jan 5|2014-1-5 9:5|2014-01-05 (Sun)|2014年1月5日 10時20分|2014년 1월 5일
    5 de enero de 2014|05.01.2014 um 10:20|2014/01/05(日)|Posted November 5, 2013.
    Reviewed in the United States on January 5, 2014|on 2014-01-05
""".replace("\n", "|")

OTHER_TEXTS = """
    Friday the 13th|Monday|May|1984|2001: A Space Odyssey|12 Angry Men|28 Days Later
    1.2.3|10.15.7|+1 212-555-1234|10115|SW1A 1AA|978-3-16-148410-0|3.50|3:45|12-34-56
    18:00:09|9/11|Marathon 10 2014|7 Days in May|Toy Story (1995)|192.168.1.1|12345678
    2014-2015|March of the Penguins|21 Jump Street|v2.0.1|10.1000/182|Fifth of May
    5 May|Set 12 2014 x|10.04.99.1|SO-1|20141305|1 2014-01-05 2|45-67-89|12:30
""".replace("\n", "|")


TIME_NAMES, OTHER_NAMES = TIME_NAMES.split(), OTHER_NAMES.split()


def split(texts):
    return [text.strip() for text in texts.split("|") if text.strip()]


def rows(**columns):
    return frame_of([1, 1, 1], list("cab")).assign(**columns)


def found_of(names, value):
    return find(pd.DataFrame(dict.fromkeys(names, value), index=[0, 1]))


def find(X):
    return [column.name for column in find_time_columns(X)]


def check(X, **arguments):
    return check_interactions(X, caller="Model.fit", **arguments)


def refusal(X, call=check):
    with pytest.raises(InteractionsError, match="no column 'timestamp'") as raised:
        call(X)
    return str(raised.value)


def advised(message):
    """Return the calls that a message advises: to make the times, and to drop."""
    patterns = ["make it this column", "drop it"]
    found = [re.search(rf"{text}: (X.*?\))\.(?= |$)", message) for text in patterns]
    return [match and match[1] for match in found]


def follow(call, X):
    """Do what a message advises."""
    return eval(call, {"X": X, "pd": pd})  # noqa: S307


def times(X):
    return check(X).times


def test_names_of_times_are_refused_and_other_names_are_not():
    assert len(TIME_NAMES) == 113 and len(OTHER_NAMES) == 109
    spaced = [name.replace("_", " ") for name in TIME_NAMES]
    for names in (TIME_NAMES, spaced):
        assert set(found_of(names, 3)) == set(names)
    for values in (3, 0.5, "Berlin", None):
        assert found_of(OTHER_NAMES, values) == []


@pytest.mark.parametrize(
    "name", ["click_timestamp", "orderNo", "时间", ("a", "ts"), "t (UTC) {x} 'y'"]
)
def test_the_advice_works(name):
    X = rows()
    X[name] = [30, 10, 20]
    rename, drop = advised(refusal(X))
    assert times(follow(rename, X)).tolist() == [30, 10, 20]
    assert times(follow(drop, X)) is None
    train, test = leave_last_out_split(follow(rename, X))
    assert (train.item_id.tolist(), test.item_id.tolist()) == (["a", "b"], ["c"])


@pytest.mark.parametrize("text", split(DATE_TEXTS))
def test_dates_in_text_are_found_under_any_name(text):
    for dtype in (object, "str", "category"):
        X = rows(viewed=pd.Series([None, text, text], dtype=dtype))
        assert find(X) == ["viewed"]


@pytest.mark.parametrize("text", split(OTHER_TEXTS))
def test_other_text_is_not_a_date(text):
    assert find(rows(title=text, hosted_at=text)) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2014-01-05", "2014-01-03", "2014-01-04"], None),
        (pd.to_datetime(["2014-01-05", "2014-01-03", "2014-01-04"], utc=True), None),
        (pd.PeriodIndex(["2014-01-05", "2014-01-03", "2014-01-04"], freq="D"), None),
        ([date(2014, 1, 5), date(2014, 1, 3), date(2014, 1, 4)], None),
        (["05.01.2014", "03.01.2014", "04.01.2014"], "%d.%m.%Y"),
    ],
)
def test_dates_are_sorted_by_after_the_advice(values, expected):
    X = rows(seen=values)
    renamed = follow(advised(refusal(X))[0], X)
    if isinstance(values[0], str):
        with pytest.raises(TypeError, match="pd.to_datetime.*format="):
            times(renamed)
        parsed = pd.to_datetime(renamed.timestamp, format=expected)
        renamed = renamed.assign(timestamp=parsed)
    days = times(renamed).astype("datetime64[D]").astype(str)
    assert days.tolist() == ["2014-01-05", "2014-01-03", "2014-01-04"]


UNIX = np.array([1_389_000_123, 1_388_880_000, 1_391_234_567])
UNIX_NAMES = """
    watch_time updated last_visit read session_start check_in arrival gmt_create ctime
    mtime rtime ds data_compra created last_seen rated
"""


@pytest.mark.parametrize("unit", [1, 1_000, 10**6, 10**9])
def test_numbers_as_large_as_unix_times(unit):
    for name in UNIX_NAMES.split():
        for values in (UNIX, UNIX[:1].repeat(3), [UNIX[0], 0, -1]):
            values = np.multiply(values, unit)
            for form in (values, values.astype(float), values.clip(0).astype(str)):
                assert find(rows(**{name: form})) == [name]
        for values in ([30.5, 12, 7], [1.4e9 * unit, 3, 7], [np.nan] * 3, [5e9] * 3):
            assert find(rows(**{name: values})) == []
    assert find(rows(col=UNIX * unit)) == ["col"]
    assert find(rows(**{"0": pd.array(UNIX * unit, dtype="Int64")})) == ["0"]
    assert find(rows().set_axis(UNIX * unit)) == ["index"]


@pytest.mark.parametrize(
    ("names", "values"),
    [
        ("clicked_item_id followed_user_id related_id seed_id liked_by", UNIX),
        ("created_by feed_id last_item_id purchased_item_id", UNIX * 1_000),
        ("orderid phone sku invoice_no upc code longitudeE7 zip", UNIX),
        ("ean isbn", [4006381333931, 9783161484100, 4006381333948]),
        ("col", UNIX // 1_000_000 * 1_000_000),  # prices
        ("col", [1_388_880_000, 1_388_880_001, 1_388_880_007]),
        ("col", [12_345_678, 20_141_305, 20_140_230]),
        ("order", [20_140_105, 20_140_106, 20_140_107]),
        ("is_time has_date", [0, 1, 1]),
        ("t", [20.5, 3, 4]),
        ("order_no title", ["SO-1", "SO-2", "SO-3"]),
        ("day week", ["Monday", "Friday", "Sunday"]),
        ("col", pd.Series([10**400, 1, 2], dtype=object)),
        ("watch_time duration since_last_visit", pd.to_timedelta([3, 1, 2], unit="s")),
    ],
)
def test_innocent_values(names, values):
    for name in names.split():
        assert find(rows(**{name: pd.Series(values)})) == []


@pytest.mark.parametrize(
    "values",
    [
        ["-"] * 12 + ["2020-01-01"] * 500,
        ["N/A", "", "null", "0000-00-00", "2020-01-01"],
        [20_140_105, 20_140_106, 20_140_107],
        pd.to_timedelta([3, 1, 2], unit="s"),
    ],
)
def test_values_found_under_any_name(values):
    assert find(pd.DataFrame({"col": values})) == ["col"]


def test_durations_are_sorted_by_after_the_advice():
    X = rows(since_start=pd.to_timedelta([3, 1, 2], unit="s"))
    made = times(follow(advised(refusal(X))[0], X))
    assert np.argsort(made).tolist() == [1, 2, 0]


CLOCKS = ["12:00:00", "11:30:00", "09:05:00"]


@pytest.mark.parametrize(
    ("columns", "order"),
    [
        ({"date": "2014-01-05", "time": CLOCKS}, [2, 1, 0]),
        ({"date": pd.Categorical(["2014-01-05"] * 3), "time": CLOCKS}, [2, 1, 0]),
        ({"date": 20_140_105, "time": CLOCKS}, [2, 1, 0]),
        ({"date": pd.Timestamp("2014-01-05"), "time": [9, 23, 1]}, [2, 0, 1]),
        ({"date": "2014-01-05", "time": [905, 1631, 5]}, [2, 0, 1]),
        ({"date": [date(2014, 1, 5)] * 3, "time": [time(3), time(2), time(1)]}, None),
        ({"time": [1631, 5, 2359], "DAY": [3, 1, 2], "WEEK_NO": 1}, [1, 2, 0]),
        ({"DAY": ["3", "1", "2"], "TRANS_TIME": ["1631", "5", "2359"]}, [1, 2, 0]),
        ({"day": [1, 2, 1], "Time": CLOCKS}, [2, 0, 1]),
        ({"Year": 2014, "Month": 1, "Day": [5, 4, 6], "Time": CLOCKS}, [1, 0, 2]),
        ({"Year": 2014, "Month": [2, 1, 3], "Day": [1, 30, 2]}, [1, 0, 2]),
    ],
)
def test_days_and_times_of_day_are_joined(columns, order):
    X = rows(**columns)
    message = refusal(X)
    make, drop = advised(message)
    assert np.argsort(times(follow(make, X))).tolist() == (order or [2, 1, 0])
    assert times(follow(drop, X)) is None
    with pytest.raises(InteractionsError) as raised:
        check(X.rename(columns={"user_id": "uid"}))
    assert "X.rename(columns={'uid': 'user_id'})" in str(raised.value)


def test_days_in_an_unclear_order_need_a_format():
    X = rows(date="05.01.2014", time=CLOCKS)
    call = advised(refusal(X))[0]
    made = follow(call.replace("<your format>", "%d.%m.%Y %H:%M:%S"), X).timestamp
    assert made.min() == pd.Timestamp("2014-01-05 09:05")


@pytest.mark.parametrize("clocks", [CLOCKS, [time(12), time(11), time(9)]])
def test_times_of_day_alone_are_no_times(clocks):
    message = refusal(rows(time=clocks))
    assert "times of day without a date" in message and "rename" not in message
    with pytest.raises(TypeError, match="has no date. Join it.*'<your date>'"):
        check(rows(timestamp=clocks))


def test_infinite_numbers_are_no_times_of_day():
    assert "rename" in refusal(rows(when=[np.inf, 1, 2]))


@pytest.mark.parametrize("name", ["release_date", "birth_date", "date_of_birth"])
def test_times_of_items_and_users_are_dropped_first(name):
    X = rows(**{name: "1995-01-05"})
    make, drop = advised(message := refusal(X))
    assert message.index(drop) < message.index(make)
    assert "If it is not the time of the interaction, drop" in message
    assert times(follow(drop, X)) is None
    assert list(follow(make, X).timestamp) == ["1995-01-05"] * 3


DAYS = pd.to_datetime(["2014-01-05", "2014-01-03", "2014-01-04"])


@pytest.mark.parametrize(
    "index",
    [
        DAYS,
        DAYS.rename("seen"),
        DAYS.to_period("D"),
        pd.Index([30, 10, 20], name="timestamp"),
        pd.Index([30, 10, 20], name="event_time"),
        pd.Index(["2014-01-05", "2014-01-03", "2014-01-04"]),
        pd.MultiIndex.from_arrays([[0, 1, 2], DAYS]),
        pd.MultiIndex.from_arrays([list("xyz"), [30, 10, 20]], names=["k", "ts"]),
    ],
)
def test_times_in_the_index(index):
    for extra in ({}, {"index": 7}):
        X = rows(**extra).set_axis(index)
        rename, drop = advised(refusal(X))
        assert rename.startswith("X.reset_index()") and "drop=True" in drop
        assert list(follow(rename, X)["timestamp"]) == list(index.get_level_values(-1))
        assert times(follow(drop, X)) is None


def test_all_times_are_named_the_most_likely_first():
    X = rows(release_date="1995", updated_at=3, date=2, rating_ts=1).set_axis(DAYS)
    rename, drop = advised(refusal(X))
    assert rename == "X.rename(columns={'rating_ts': 'timestamp'})"
    names = ["rating_ts", "date", "release_date", "updated_at"]
    assert all(repr(name) in drop for name in names) and "drop=True" in drop
    assert times(follow(drop, X)) is None


@pytest.mark.parametrize(
    ("index", "columns"),
    [
        ("user_id", {}),
        (["user_id", "item_id"], {}),
        ("uid", {"user_id": "uid"}),
        (["user_id", "ts"], {"timestamp": "ts"}),
        ("user_id", {"item_id": "sku", "timestamp": "ts"}),
    ],
)
def test_columns_in_the_index(index, columns):
    X = rows(timestamp=[3, 1, 2]).rename(columns=columns).set_index(index)
    with pytest.raises(InteractionsError, match="index levels.*'u") as raised:
        check(X)
    call = str(raised.value).split("these names: ")[1].removesuffix(".")
    assert call.startswith("X.reset_index()")
    read = check(follow(call, X))
    assert [column.tolist() for column in read] == [[1, 1, 1], list("cab"), [3, 1, 2]]


FITTED = MarkovRecommender(k=1).fit(rows(timestamp=[3, 1, 2]))


@pytest.mark.parametrize(
    "call",
    [
        MarkovRecommender().fit,
        FITTED.predict,
        FITTED.score,
        FITTED.target_ranks,
        partial(evaluate, FITTED),
        partial(make_ranking_scorer(), FITTED),
        leave_last_out_split,
        lambda X: next(LeaveLastOut().split(X)),
        lambda X: next(TimeCutoffSplit().split(X)),
        DropRepeats().fit,
        KCoreFilter().fit_transform,
    ],
)
def test_times_are_asked_for_wherever_interactions_are_read(call):
    assert "'eventTime': 'timestamp'" in refusal(rows(eventTime=[3, 1, 2]), call)


def test_times_are_asked_for_by_the_command_line(tmp_path, capsys):
    path = tmp_path / "x.csv"
    rows(eventTime=[3, 1, 2]).to_csv(path, index=False)
    command = ["fit", str(path), "--model", "popularity", "--out", str(tmp_path / "m")]
    assert cli.main(command) != 0
    message = capsys.readouterr().err
    assert "--columns eventTime=timestamp. " in message
    assert message.endswith("remove it from the file.\n")
    assert cli.main([*command, "--columns", "eventTime=timestamp"]) == 0


def test_innocent_data_cause_no_warning():
    X = rows(timestamp=[3, 1, 2], date="2014-01-05", ts=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert times(X).tolist() == [3, 1, 2]  # nothing else is looked at
        assert times(rows(tags=[[], {}, np.zeros(2)], year=1995)) is None


def test_times_of_queries_are_asked_for_only_if_they_can_be_used():
    users = pd.DataFrame({"user_id": [2], "created_at": "2014-01-05", "birth_date": 3})
    message = refusal(users, FITTED.predict)
    assert "If it is the time of the query, make" in message
    make, drop = advised(message)
    assert "created_at" in make
    assert FITTED.predict(follow(drop, users)).shape == (1, 1)
    FITTED.predict(users, [["a"]])  # such histories have no times
    refusal(users, partial(FITTED.predict, history=rows(timestamp=1)))
    model = MarkovRecommender(k=1).fit(rows())
    assert model.predict(users).shape == (1, 1)
    with pytest.warns(SeenItemWarning):
        make_ranking_scorer(per_user=True)(model, rows(created_at="2014-01-05"))
    refusal(rows(ts=3), partial(model.target_ranks, context="earlier"))


UDATA = [[1, 10, 5, 881_250_949], [1, 11, 3, 881_250_950], [2, 10, 4, 881_250_951]]


@pytest.mark.parametrize(
    ("X", "place"),
    [
        (np.array(UDATA), 3),
        (np.array(UDATA, dtype=float), 3),
        (np.array(UDATA, dtype=str), 3),
        (UDATA, 3),
        ([tuple(row) for row in UDATA], 3),
        ([["u", "i", 5, "x", 1_389_000_123_000]] * 2, 4),
        ([["u", "i", "music", "2014-01-05"]] * 2, 3),
        (np.array([["u", "i", 5, date(2014, 1, 5)]] * 2, dtype=object), 3),
    ],
)
def test_ratings_in_an_array_are_not_read_as_times(X, place):
    with pytest.raises(InteractionsError, match=f"column {place} looks like") as raised:
        check(X)
    calls = re.findall(r"[Pp]ass (.+?)\.(?= |$)", str(raised.value))
    chosen, first = (follow(call, X) for call in calls)
    wanted = [[row[0], row[1], row[place]] for row in X]
    assert np.array_equal(chosen, wanted) and len(first[0]) == 3
    if not isinstance(wanted[0][2], str) or wanted[0][2].isdigit():
        check(chosen)


@pytest.mark.parametrize(
    "X",
    [
        [[1, 10, 881_250_949, 5]],
        [[1, 10, 5, 4_006_381_333_931]],
        [[1, 10, 5, 0.5], [1, 11, 6, 0.7]],
        np.array(UDATA)[:, [0, 1, 3, 2]],
        np.array(UDATA)[:, [0, 1, 3, 3]],
    ],
)
def test_other_columns_of_an_array_are_not_looked_at(X):
    assert check(X).times[0] == X[0][2]
