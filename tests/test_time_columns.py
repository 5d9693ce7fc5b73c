"""Times under another name, or in the index, are asked for; other columns are not."""

import warnings
from datetime import date
from functools import partial

import numpy as np
import pandas as pd
import pytest
from bad_input_helpers import frame_of

from sklearn_attrec import MarkovRecommender, cli
from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec._interactions.date_text import is_date
from sklearn_attrec._interactions.time_columns import find_time_columns
from sklearn_attrec.exceptions import InteractionsError
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
    action_timestamp delivery_time_stamp date_played DATEKEY time_step
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
    time_period
"""

DATE_TEXTS = """
    2014-01-05|2014-1-5 3:04|2009-04-08T01:57:47Z|2014-01-05 10:00:00.123456+02:00
    05/01/2014|31.12.2014|12/1/10 8:26|12/1/2010 8:26|1/5/2014 3:04 PM|05 Jan 2014
    Jan 5, 2014|January 5 2014|Tue Apr 03 18:00:09 +0000 2012|20140105|20140105120000
    Tue, 03 Apr 2012 18:00:09 +0000|29/Aug/2023:10:00:00 +0000|2014/01/05 10:00|2014-01
    01-Jan-1995|2014年1月5日|5th January 2014|05.01.14 10:20|2014-W01|2014-01-05 10
""".replace("\n", "|")

OTHER_TEXTS = """
    Friday the 13th|Monday|May|1984|2001: A Space Odyssey|12 Angry Men|28 Days Later
    1.2.3|10.15.7|+1 212-555-1234|10115|SW1A 1AA|978-3-16-148410-0|3.50|3:45|12-34-56
    18:00:09|9/11|Marathon 10 2014|7 Days in May|Toy Story (1995)|192.168.1.1|12345678
    2014-2015|March of the Penguins|21 Jump Street|v2.0.1|10.1000/182|Fifth of May
""".replace("\n", "|")


TIME_NAMES, OTHER_NAMES = TIME_NAMES.split(), OTHER_NAMES.split()


def split(texts):
    return [text.strip() for text in texts.split("|") if text.strip()]


def rows(**columns):
    return frame_of([1, 1, 1], list("cab")).assign(**columns)


def found_of(names, value):
    return find_time_columns(pd.DataFrame(dict.fromkeys(names, value), index=[0, 1]))


def refusal(X, call=lambda X: check_interactions(X, caller="Model.fit")):
    with pytest.raises(InteractionsError, match="no column 'timestamp'") as raised:
        call(X)
    return str(raised.value)


def advised(message):
    """Return the calls that a message advises: to rename and to drop."""
    rename, drop = message.split("this column: ")[1].split(". If the rows are already")
    return rename, drop.split("drop it: ")[1].removesuffix(".")


def follow(call, X):
    """Do what a message advises."""
    return eval(call, {"X": X})  # noqa: S307


def times(X):
    return check_interactions(X, caller="Model.fit").times


def test_names_of_times_are_refused_and_other_names_are_not():
    assert len(TIME_NAMES) == 104 and len(OTHER_NAMES) == 81
    spaced = [name.replace("_", " ") for name in TIME_NAMES]
    for names in (TIME_NAMES, spaced):
        assert set(found_of(names, 3)) == set(names)
    for values in (3, 0.5, "Berlin", None):
        assert found_of(OTHER_NAMES, values) == []


@pytest.mark.parametrize("name", ["click_timestamp", "orderNo", "时间", ("a", "ts")])
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
    assert is_date(text)
    for dtype in (object, "str", "category"):
        X = rows(viewed=pd.Series([None, text, text], dtype=dtype))
        assert find_time_columns(X) == ["viewed"]


@pytest.mark.parametrize("text", split(OTHER_TEXTS))
def test_other_text_is_not_a_date(text):
    assert find_time_columns(rows(title=text, hosted_at=text)) == []


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


@pytest.mark.parametrize("name", ["watch_time", "updated", "last_visit", "read"])
def test_numbers_as_large_as_unix_times(name):
    for values in ([1.4e9, 1.5e9, 1.6e9], [1_400_000_000_000] * 3):
        assert find_time_columns(rows(**{name: values})) == [name]
    for values in ([30.5, 12, 7], [1.4e9, 3, 7], [np.nan] * 3):
        assert find_time_columns(rows(**{name: values})) == []
    assert find_time_columns(rows(ean=[4006381333931] * 3, phone=2125551234)) == []


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
        check_interactions(X, caller="Model.fit")
    call = str(raised.value).split("these names: ")[1].removesuffix(".")
    assert call.startswith("X.reset_index()")
    read = check_interactions(follow(call, X), caller="Model.fit")
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
