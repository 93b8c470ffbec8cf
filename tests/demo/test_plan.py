"""Cutting into request bodies."""

import orjson
import pyarrow as pa
import pytest

from deploy.demo import baskets, plan, shift
from deploy.demo.errors import ReplayError
from deploy.demo.source import cents


def test_the_same_year_gives_the_same_bytes(small, weeks):
    again = plan.prepare(baskets.load(small=True), weeks, batch_events=500)
    assert [batch.checksum for batch in again.batches] == [b.checksum for b in small.batches]


def test_another_size_of_batches_gives_the_same_events(small, weeks):
    other = plan.prepare(baskets.load(small=True), weeks, batch_events=77)
    assert max(batch.events for batch in other.batches) == 77
    events = [event for batch in small.batches for event in orjson.loads(batch.body)]
    assert [event for batch in other.batches for event in orjson.loads(batch.body)] == events


def test_households_are_described_before_they_buy(small):
    events = [event for batch in small.batches for event in orjson.loads(batch.body)]
    bought, described = set(), 0
    for event in events:
        if event["type"] == "purchase.completed":
            bought.add(event["customer"]["member_no"])
        elif event["type"] == "customer.described":
            described += 1
            assert event["customer"]["member_no"] not in bought
    assert described > 50


def test_bodies_stay_below_the_doors_limit(monkeypatch):
    monkeypatch.setattr(plan, "BODY_BYTES", 10)
    texts = pa.array(["1", "22", "333", "4444444444444", "5"])
    assert list(plan._cut(texts, 3)) == [(3, b"[1,22,333]"), (1, b"[4444444444444]"), (1, b"[5]")]


def test_another_shift_moves_nothing_but_times(small, weeks):
    later = shift.Shift(weeks.weeks + 1)
    first = orjson.loads(small.batches[0].body)[0]
    moved = orjson.loads(
        plan.prepare(baskets.load(small=True), later, batch_events=500).batches[0].body
    )[0]
    assert moved["id"] == first["id"]
    assert moved["time"] > first["time"]
    assert moved["data"] == first["data"]


def test_parts_of_cents_are_refused():
    with pytest.raises(ReplayError, match="not whole cents"):
        cents(pa.table({"sales_value": [1.005]}), "sales_value")


def test_floats_become_the_cents_they_mean():
    table = pa.table({"sales_value": [0.29, 1.15, 840.0, 130.02]})
    assert cents(table, "sales_value").tolist() == [29, 115, 84000, 13002]
