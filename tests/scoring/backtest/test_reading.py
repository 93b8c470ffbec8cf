"""Files as people write them, and one clear sentence for what is none."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.backtest.bridge import money_of, visits_of
from services.scoring.backtest.data import Purchases
from services.scoring.backtest.errors import BacktestError
from services.scoring.backtest.money import read_amounts
from services.scoring.backtest.reading import Columns, Loaded, read_csv
from services.scoring.backtest.times import read_time, read_times, zone

UTC = zone("UTC")


def _read(folder: Path, text: str | bytes, columns: Columns | None = None) -> Loaded:
    path = folder / "purchases.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_csv(path, columns)


def _names(purchases: Purchases) -> list[str]:
    return [purchases.customers[code] for code in purchases.customer]


def test_ids_are_texts(tmp_path: Path) -> None:
    found = _read(
        tmp_path,
        'customer,time,amount\n00017,2017-01-01,1\n17,2017-01-02,2\n"a,b",2017-01-03,3\n'
        "李,2017-01-04,4\n17.0,2017-01-05,5\nTrue,2017-01-06,6\nNA,2017-01-07,7\n",
    ).purchases
    assert _names(found) == ["00017", "17", "a,b", "李", "17.0", "True", "NA"]
    assert found.amount.tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_lines_are_put_in_order_of_time(tmp_path: Path) -> None:
    found = _read(tmp_path, "customer,time,amount\nb,2017-02-01,1\na,2017-01-01,2\n").purchases
    assert _names(found) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("2017-01-01T04:30:00Z", "2016-12-31T23:30:00"),
        ("2017-01-01 04:30:00+00:00", "2016-12-31T23:30:00"),
        ("2017-01-01T12:30:00+08:00", "2016-12-31T23:30:00"),
        ("2017-01-01 04:30:00 UTC", "2016-12-31T23:30:00"),
        ("1483245000", "2016-12-31T23:30:00"),
        ("1483245000000", "2016-12-31T23:30:00"),
        ("2017-01-01T04:30:00", "2017-01-01T04:30:00"),
        ("2017-01-01", "2017-01-01T00:00:00"),
        ("20170101", "2017-01-01T00:00:00"),
        ("2017/1/5 8:26", "2017-01-05T08:26:00"),
        ("2017年1月5日", "2017-01-05T00:00:00"),
        ("31/12/2017", "2017-12-31T00:00:00"),
        ("12/31/2017 1:05 PM", "2017-12-31T13:05:00"),
        ("31.12.17", "2017-12-31T00:00:00"),
        ("5 Jan 2017", "2017-01-05T00:00:00"),
        ("0017-01-05", "NaT"),
        ("soon", "NaT"),
        ("2017-02-30", "NaT"),
    ],
)
def test_times(text: str, local: str) -> None:
    found = read_times([text], zone("America/New_York"))[0]
    assert str(found) == str(np.datetime64(local, "us"))


def test_the_order_of_day_and_month_is_that_of_the_whole_column() -> None:
    found = read_times(["03/04/2017", "25/04/2017"], UTC)
    assert found[0] == np.datetime64("2017-04-03")
    with pytest.raises(BacktestError, match="--date-order"):
        read_times(["03/04/2017"], UTC)
    assert read_times(["03/04/2017"], UTC, "mdy")[0] == np.datetime64("2017-03-04")


def test_a_cut_must_be_a_time() -> None:
    assert read_time("2017-10-01", UTC).isoformat() == "2017-10-01T00:00:00"
    with pytest.raises(BacktestError, match="not a time"):
        read_time("autumn", UTC)
    with pytest.raises(BacktestError, match="no time zone"):
        zone("Mars/Olympus")


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1", "2.5", "-3", "1e3"], [1, 2.5, -3, 1000]),
        (["1,234.50", "12.00"], [1234.5, 12]),
        (["1.234,50", "12,00"], [1234.5, 12]),
        (["12,50", "3,5"], [12.5, 3.5]),
        (["1,234", "2,345,678"], [1234, 2345678]),
        (["$1,200.00", "€ 5.00", "¥7", "USD 8.5"], [1200, 5, 7, 8.5]),
        (["(12.00)", "12.00-", "−3"], [-12, -12, -3]),
        (["", "n/a", "inf", "nan"], [np.nan] * 4),
    ],
)
def test_amounts(texts: list[str], numbers: list[float]) -> None:
    np.testing.assert_allclose(read_amounts(texts), numbers)


@given(st.lists(st.floats(-1e9, 1e9).map(lambda value: round(value, 2)), min_size=1))
def test_plain_numbers_come_back(values: list[float]) -> None:
    np.testing.assert_array_equal(read_amounts([str(value) for value in values]), values)


@pytest.mark.parametrize(
    "text",
    [
        "household_id;transaction_timestamp;sales_value\na;2017-01-01;1,50\n",
        "Customer ID\tInvoiceDate\tTotal\na\t2017-01-01\t1.5\n",
        "客户编号,购买日期,金额\na,2017年1月1日,¥1.50\n",
        "\ufeffcustomer,time,amount\r\na,2017-01-01,1.5\r\n",
        "customer,time,amount\na,2017-01-01,1.5,\n",
        "CustomerID,InvoiceDate,Quantity,UnitPrice\na,2017-01-01,3,0.5\n",
        "user,day,price\na,2017-01-01,1.5\n",
    ],
    ids=["semicolon", "tab", "Chinese", "mark", "trailing", "times", "price"],
)
def test_headings_and_signs_of_others(tmp_path: Path, text: str) -> None:
    found = _read(tmp_path, text).purchases
    assert _names(found) == ["a"]
    assert found.amount.tolist() == [1.5]
    assert str(found.time[0].astype("datetime64[D]")) == "2017-01-01"


def test_other_encodings(tmp_path: Path) -> None:
    for encoding in ("gb18030", "utf-16"):
        found = _read(tmp_path, "客户,日期,金额\n李,2017-01-01,5\n".encode(encoding)).purchases
        assert _names(found) == ["李"]


def test_columns_by_name(tmp_path: Path) -> None:
    text = "who,x,how much,amount\na,2017-01-01,7,0\n"
    names = {"customer": "who", "time": "x", "amount": "how much"}
    assert _read(tmp_path, text, Columns(names)).purchases.amount.tolist() == [7]
    with pytest.raises(BacktestError, match="no column 'whom'"):
        _read(tmp_path, text, Columns({"customer": "whom"}))


def test_what_is_missing_is_counted_and_said(tmp_path: Path) -> None:
    rows = "".join(f"c{index},2017-01-{index + 10},5\n" for index in range(20))
    found = _read(
        tmp_path,
        f"customer,time,amount\n{rows},2017-01-01,5\nb,2017-02-01,\nc,soon,5\nd,2017-03-01,-4\n",
    )
    assert len(found.purchases) == 22
    assert len(found.notes) == 4
    for word in ("customer", "time", "amount", "refund"):
        assert any(word in note for note in found.notes)
    assert np.isnan(found.purchases.amount).sum() == 1
    days = visits_of(found.purchases)
    assert len(days) == 21  # the refund is no purchase, the missing amount is one of 0
    assert days.money.sum() == 100
    assert days.refunds.value.tolist() == [-4]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("  \n\n", "is empty"),
        ("customer,time,amount\n", "no line below"),
        ("a,b,c\n1,2,3\n", "--customer-column"),
        ("customer,time\na,2017-01-01\n", "--amount-column"),
        ("customer,time,amount\na,x,1\nb,y,2\n", "0% of the column 'time'"),
        ("customer,time,amount\n,2017-01-01,1\n", "both a customer and a time"),
        ("customer,time,amount\na,2017-01-01,free\n", "has no number"),
        ("customer,time,amount\na,2017-01-01,1,2\n", "Line 2 .* 4 fields"),
        ("customer,time,amount\na,2017-01-01,1\nb,2017-01-01,1,2\n", "line 3, saw 4"),
    ],
)
def test_what_is_no_file_of_purchases(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(BacktestError, match=why):
        _read(tmp_path, text)


def test_currencies_are_never_added(tmp_path: Path) -> None:
    text = (
        "customer,time,amount,currency\na,2017-01-01,5,EUR\na,2017-01-02,7,eur\n"
        "a,2017-01-03,1000,JPY\nb,2017-02-01,9,JPY\nb,2017-02-02,9,JPY\n"
    )
    purchases = _read(tmp_path, text).purchases
    past, notes = money_of(purchases.before(np.datetime64("2017-01-31")))
    assert past.main_currency() == "EUR"  # of what is known at the cut, not of the file
    assert "JPY (1 lines)" in notes[0]
    assert visits_of(past).money.tolist() == [5, 7, 0]
    assert visits_of(money_of(purchases)[0]).money.tolist() == [0, 0, 1000, 9, 9]


def test_a_frame_has_names(tmp_path: Path) -> None:
    text = "customer,time,amount,category,product\na,2017-01-01,5,fruit,apple\nb,2017-01-02,6,,\n"
    frame = _read(tmp_path, text).purchases.frame()
    assert list(frame.columns) == ["customer", "time", "amount", "category", "product", "quantity"]
    assert frame["category"].astype(object).where(frame["category"].notna(), None).tolist() == [
        "fruit",
        None,
    ]


def test_days_begin_with_the_cut(tmp_path: Path) -> None:
    text = "customer,time,amount\na,2017-01-01T11:59:00,5\na,2017-01-01T12:00:00,6\n"
    days = visits_of(_read(tmp_path, text).purchases, read_time("2017-05-05T12:00", UTC))
    assert (days.day - np.datetime64("2017-01-01").astype(int)).tolist() == [-1, 0]
