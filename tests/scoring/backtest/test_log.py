"""The installation's own log as the source."""

from datetime import UTC, datetime, timedelta

import pytest

from services.scoring.backtest import log
from services.scoring.backtest.bridge import visits_of
from services.scoring.backtest.errors import BacktestError
from services.scoring.backtest.times import zone
from shared.log import open_log
from tests.world import World, world

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
async def town(postgres):
    async with world(
        postgres, services=["interaction"], clock_now=NOW, clock_tick_seconds=0.2
    ) as made:
        yield made


def _event(member: str, kind: str, number: int, **data: object) -> dict:
    return {
        "id": f"{member}-{kind}-{number}",
        "source": "shop",
        "type": kind,
        "time": (NOW - timedelta(days=10 - number)).isoformat(),
        "customer": {"member_no": member},
        "data": {"order_id": f"{member}-{number}", **data},
    }


async def _read(town: World) -> log.Orders:
    settings = town.settings
    return await log._read(
        open_log(
            settings.event_log_url,
            namespace=settings.namespace,
            partitions=settings.partitions,
            replication=settings.replication,
            client="test",
        )
    )


async def test_orders_net_of_their_refunds(town: World) -> None:
    total = {"amount": "30.00", "currency": "CNY"}
    items = [
        {"product_id": "tea", "category": "drinks", "quantity": 2},
        {"product_id": "rice", "category": "food", "quantity": 1},
    ]
    back = {"amount": {"amount": "10.00", "currency": "CNY"}, "refund_id": "r1"}
    answer = await town.post_events(
        [
            _event("m1", "purchase.completed", 1, total=total, items=items),
            _event("m1", "purchase.completed", 3, total=total),
            _event("m2", "purchase.completed", 2, total={"amount": "900", "currency": "JPY"}),
            _event("m1", "purchase.refunded", 1, **back),
            _event("m2", "purchase.completed", 5, total=total),
            _event("m2", "purchase.cancelled", 5),
        ]
    )
    assert answer.status_code < 300, answer.text
    await town.settled()
    found = log.purchases_of(await _read(town), zone("Asia/Shanghai"))
    assert len(found.customers) == 2
    assert list(found.products) == ["rice", "tea"]
    assert list(found.categories) == ["drinks", "food"]
    assert found.amount.tolist() == [20, 0, 900, 30]
    assert found.quantity.tolist() == [2, 1, 1, 1]
    assert [found.currencies[code] for code in found.currency] == ["CNY", "CNY", "JPY", "CNY"]
    assert str(found.time[0]) == "2026-11-11T20:00:00.000000"
    days = visits_of(found.in_currency("CNY"))
    assert len(days) == 3
    assert sorted(days.money.tolist()) == [0, 20, 30]


def test_a_log_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENT_LOG_URL", "nowhere://")
    with pytest.raises(BacktestError, match="log cannot be read"):
        log.read_log("UTC")
