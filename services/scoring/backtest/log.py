"""The installation's own log as the source of purchases."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from services.scoring.backtest.data import Purchases, coded
from services.scoring.backtest.errors import BacktestError
from services.scoring.backtest.reading import Loaded
from services.scoring.backtest.times import zone
from shared.codec import Event, decode
from shared.errors import Pause, Poison, UnknownType, is_pause
from shared.language import Contribution, PurchaseCompleted, PurchaseCorrected, effect
from shared.language.money import major
from shared.log import Log, Misconfigured, open_log
from shared.settings import KernelSettings

READ_EVENTS = 5_000
READ_BYTES = 8 << 20
READ_SECONDS = 10.0

Line = tuple[str | None, str | None, float]
"""Product, category, quantity."""


@dataclass(slots=True)
class Orders:
    """What all orders count for, net of their refunds, as of the last event folded."""

    counted: dict[tuple[str, str], Contribution] = field(default_factory=dict)
    """By customer and by the event that an order began with."""
    lines: dict[tuple[str, str], tuple[Line, ...]] = field(default_factory=dict)
    unread: int = 0
    """Events that this version cannot read."""

    def fold(self, event: Event) -> None:
        """Take off what an order counted for, add what it counts for now."""
        settled = effect(event)
        if settled.before is not None:
            self.counted.pop((event.subject, settled.before.event_id), None)
        if settled.after is not None:
            key = (event.subject, settled.after.event_id)
            self.counted[key] = settled.after
            if isinstance(event.data, PurchaseCompleted | PurchaseCorrected) and event.data.items:
                self.lines[key] = tuple(
                    (item.product_id, item.category, item.quantity or 1.0)
                    for item in event.data.items
                )


def read_log(timezone: str) -> Loaded:
    """All purchases on the topic `customers` now. Raises BacktestError where the log is away."""
    settings = KernelSettings()
    local = zone(timezone)
    try:
        log = open_log(
            settings.event_log_url,
            namespace=settings.namespace,
            partitions=settings.partitions,
            replication=settings.replication,
            client="backtest",
        )
        orders = asyncio.run(_read(log))
    except Misconfigured as error:
        raise BacktestError(f"The log cannot be read: {error}.") from None
    except Exception as error:
        if isinstance(error, Pause) or is_pause(error):
            raise BacktestError(f"The log cannot be read: {error}.") from None
        raise
    if not orders.counted:
        raise BacktestError("There is no purchase on the log; name a file with --csv.")
    notes = [f"{orders.unread:,} events cannot be read by this version."] if orders.unread else []
    return Loaded(purchases_of(orders, local), tuple(notes))


async def _read(log: Log) -> Orders:
    orders = Orders()
    try:
        for partition, end in sorted((await log.ends("customers")).items()):
            offset = 0
            while offset < end:
                records = await log.read(
                    "customers",
                    partition,
                    offset,
                    events=READ_EVENTS,
                    size=READ_BYTES,
                    wait=READ_SECONDS,
                )
                if not records:
                    raise BacktestError(f"The log ends early in partition {partition}.")
                for record in records:
                    try:
                        event = decode(
                            record.value,
                            origin=record.origin or "",
                            sequence=record.sequence or 0,
                            partition=record.partition,
                            offset=record.offset,
                            recordedtime=record.recorded_at,
                        )
                    except (UnknownType, Poison):
                        orders.unread += 1
                        continue
                    orders.fold(event)
                offset = records[-1].offset + 1
    finally:
        await log.close()
    return orders


def purchases_of(orders: Orders, local: ZoneInfo) -> Purchases:
    """One line for each line of a basket; the order's money stands on the first of them.

    An order in several currencies has a first line in each.
    """
    rows = sorted(_rows(orders, local), key=lambda row: (row[1], row[0], row[2]))
    customer, customers = coded([row[0] for row in rows])
    currency, currencies = coded([row[3] for row in rows])
    product, products = coded([row[4] for row in rows])
    category, categories = coded([row[5] for row in rows])
    return Purchases(
        customer=customer,
        time=np.array([row[1] for row in rows], dtype="datetime64[us]"),
        amount=np.array([row[6] for row in rows], dtype=np.float64),
        category=category,
        product=product,
        quantity=np.array([row[7] for row in rows], dtype=np.float64),
        currency=currency,
        customers=customers,
        categories=categories,
        products=products,
        currencies=currencies,
    )


_Row = tuple[str, datetime, str, str | None, str | None, str | None, float, float]


def _rows(orders: Orders, local: ZoneInfo) -> Iterable[_Row]:
    for key, counted in orders.counted.items():
        who, event_id = key
        moment = counted.time.replace(tzinfo=counted.time.tzinfo or UTC)
        time = moment.astimezone(local).replace(tzinfo=None)
        money = [
            (currency, float(major(amount, currency)))
            for currency, amount in sorted(counted.spend.items())
        ]
        if not counted.orders:  # a refund whose order is not known
            for currency, amount in money:
                yield who, time, event_id, currency, None, None, amount, -1.0
            continue
        lines = orders.lines.get(key) or tuple(
            (None, category, float(count)) for category, count in sorted(counted.categories.items())
        )
        lines = lines or ((None, None, 1.0),)
        for index, (product, category, quantity) in enumerate(lines):
            main, amount = money[0] if money else (None, 0.0)
            spent = max(amount, 0.0) if index == 0 else 0.0
            yield who, time, event_id, main, product, category, spent, max(quantity, 0.0)
        for currency, amount in money[1:]:
            yield who, time, event_id, currency, None, None, max(amount, 0.0), 0.0
