"""The calls of docs/reading.md read small files of the layouts that they are for."""

import gzip
import re
from pathlib import Path

import pandas as pd
import pytest

from sklearn_attrec._interactions.columns import check_interactions
from sklearn_attrec.datasets import read_interactions

PAGE = (Path(__file__).parents[1] / "docs" / "reading.md").read_text("utf-8")
CALLS = re.findall(r"`(read_interactions\(\".*\))` \|", PAGE)
CALLS = {call.split('"')[1]: call for call in CALLS}
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
RETAIL = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID\n"
# The contents of each file, the number of rows, and the first user, item and time.
FILES = {
    "u.data": ("196\t242\t3\t881250949\n186\t302\t3\t891717742\n", 2, 196, 242, 1997),
    "ratings.dat": ("1::1193::5::978300760\n1::661::3::978302109\n", 2, 1, 1193, 2000),
    "ratings.csv": (
        "userId,movieId,rating,timestamp\n1,17,4.0,944249077\n1,25,0.5,944250228\n",
        *(2, 1, 17, 1999),
    ),
    "All_Beauty.csv": (
        "0143026860,A1V6B6TNIC10QE,1.0,1424304000\n0143026860,A2,4.0,1418860800\n",
        *(2, "A1V6B6TNIC10QE", "0143026860", 2015),
    ),
    "All_Beauty.jsonl.gz": (
        '{"rating": 5.0, "text": "Nice", "images": [], "asin": "B00YQ6X8EO", '
        '"parent_asin": "B0", "user_id": "AGK", "timestamp": 1588687728923}\n'
        '{"rating": 4.0, "parent_asin": "B1", "user_id": "AGK", '
        '"timestamp": 1588615855070, "helpful_vote": 0}\n',
        *(2, "AGK", "B0", 2020),
    ),
    "events.csv": (
        "timestamp,visitorid,event,itemid,transactionid\n"
        "1433221332117,257597,view,355908,\n1433224214164,99,transaction,2,14\n",
        *(2, 257597, 355908, 2015),
    ),
    "yoochoose-clicks.dat": (
        "1,2014-04-07T10:51:09.277Z,214536502,0\n1,2014-04-07T10:54:09.868Z,21,S\n",
        *(2, 1, 214536502, 2014),
    ),
    "OnlineRetail.csv": (
        RETAIL + "536365,85123A,HEART £,6,12/1/2010 8:26,2.55,17850\n"
        "536366,22139,,56,12/1/2010 11:52,0,\n536367,22,X,1,12/13/2010 9:41,1,13047\n",
        *(2, 17850, "85123A", 2010),
    ),
    "export.csv": (
        "order;customer;sku;ordered_at\n7;C1;S1;03.01.2024 10:05\n"
        "8;;S2;04.01.2024 10:05\n9;C2;S1;31.12.2024 10:05\n",
        *(2, "C1", "S1", 2024),
    ),
    "2019-Oct.csv.gz": (
        "event_time,event_type,product_id,category_id,user_id,user_session\n"
        "2019-10-01 00:00:00 UTC,view,44600062,2103807459595387,541312140,72d7\n",
        *(1, 541312140, 44600062, 2019),
    ),
    "userid-timestamp-artid-artname-traid-traname.tsv": (
        'u1\t2009-05-04T23:08:57Z\tf1b1\tDeep Dish\t9c02\t"Blue" Mix\n'
        "u1\t2009-05-04T13:54:10Z\ta7f7\tSakamoto\t\tComposition 0919\n"
        'u2\t2009-05-04T13:52:04Z\ta7f7\tSakamoto\t77\t12" Live\n',
        *(2, "u1", "9c02", 2009),
    ),
    "dataset_TSMC2014_NYC.txt": (
        "470\t49bbd6c0\t4bf58dd8\tCafé\t40.7\t-74.0\t-240\t"
        "Tue Apr 03 18:00:09 +0000 2012\n",
        *(1, 470, "49bbd6c0", 2012),
    ),
    "Gowalla_totalCheckins.txt": (
        "0\t2010-10-19T23:55:27Z\t30.2359091167\t-97.7951395833\t22847\n",
        *(1, 0, 22847, 2010),
    ),
    "Beauty.txt": ("1 10 2 3\n2 10 4\n", 5, 1, 10, None),
    "Online Retail.xlsx": (None, 2, 17850, "85123A", 2010),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("ignore:.*id is blank:UserWarning")
@pytest.mark.parametrize("name", CALLS)
def test_each_call_of_the_table_reads_its_layout(name):
    content, n_rows, user, item, year = FILES[name]
    if content is None:
        table = pd.DataFrame({"CustomerID": [17850, None, 13047]})
        table["StockCode"] = ["85123A", 22139, 22]
        table["InvoiceDate"] = pd.Timestamp("2010-12-01 08:26")
        table.to_excel(name, index=False)
    else:
        raw = content.encode("latin-1" if "latin-1" in CALLS[name] else "utf-8")
        Path(name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    namespace = {"read_interactions": read_interactions}
    exec(f"frame = {CALLS[name]}", namespace)  # noqa: S102
    frame = namespace["frame"]
    assert (len(frame), frame.user_id[0], frame.item_id[0]) == (n_rows, user, item)
    times = check_interactions(frame, caller=name).times
    assert (times is None) == (year is None)
    if year is not None:
        unit = "ms" if times.dtype == "int64" and times[0] > 1e12 else "s"
        assert pd.to_datetime(frame.timestamp, unit=unit)[0].year == year


TABLES = {
    "orders.csv": "order_id,user_id,order_number\n11,1,2\n10,1,1\n",
    "order_products__prior.csv": "order_id,product_id,add_to_cart_order\n"
    "11,7,1\n10,9,2\n10,8,1\n",
    "olist_orders_dataset.csv": "order_id,customer_id,order_purchase_timestamp\n"
    "o1,c1,2017-10-02 10:56:33\no2,c2,2018-07-24 20:41:37\n",
    "olist_order_items_dataset.csv": "order_id,order_item_id,product_id\n"
    "o1,1,p1\no2,1,p2\no2,2,p3\n",
    "olist_customers_dataset.csv": "customer_id,customer_unique_id\nc1,u\nc2,u\n",
}


@pytest.mark.parametrize(
    ("block", "user", "items"), [(0, 1, [8, 9, 7]), (1, "u", ["p1", "p2", "p3"])]
)
def test_the_merges_give_interactions(block, user, items):
    for name, content in TABLES.items():
        Path(name).write_text(content)
    namespace = {"pd": pd}
    exec(BLOCKS[block], namespace)  # noqa: S102
    frame = namespace["interactions"]
    found = check_interactions(frame, caller="page")
    assert set(found.users) == {user}
    assert found.items.tolist() == items
    assert (found.times[1:] >= found.times[:-1]).all()
