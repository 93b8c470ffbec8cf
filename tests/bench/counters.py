"""The plain projection that peers are measured beside: what each customer bought, how often, when last.

In the shape of the services' own: a state, a view, typed columns that lists filter and sort by; no child rows, nothing
announced.
"""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, MetaData, Table, Text

from shared.codec import Event
from shared.language.purchase import effect
from shared.projection import Announcement, Policies, Projection
from shared.service import Service
from shared.tables import Time, kernel_tables, row_table

metadata = MetaData()
kernel_tables(metadata)
counters: Table = row_table(
    metadata,
    "counters",
    Column("events", BigInteger),
    Column("orders", BigInteger),
    Column("spend", BigInteger),
    Column("last_at", Time),
    Column("last_kind", Text),
)


class Counters(msgspec.Struct):
    """The empty fold is nobody."""

    events: int = 0
    orders: int = 0
    spend: int = 0
    """Minor units; one currency."""
    last: datetime | None = None
    last_kind: str = ""


class Told(msgspec.Struct, frozen=True):
    """Nothing is."""


class CountersView(msgspec.Struct, frozen=True):
    """What lists show."""

    events: int
    orders: int
    spend: int
    last: datetime | None
    last_kind: str
    due_at: datetime | None = None


def evolve(state: Counters, event: Event) -> Counters:
    """One event more; what an order counted for before is taken off."""
    state.events += 1
    if state.last is None or event.time > state.last:
        state.last, state.last_kind = event.time, event.type
    settled = effect(event)
    if settled.after is not None:
        state.orders += settled.after.orders
        state.spend += settled.after.spend.get("CNY", 0)
    if settled.before is not None:
        state.orders -= settled.before.orders
        state.spend -= settled.before.spend.get("CNY", 0)
    return state


def merge(left: Counters, right: Counters) -> Counters:
    """Both."""
    later = max((left, right), key=lambda one: (one.last is not None, one.last))
    return Counters(
        left.events + right.events,
        left.orders + right.orders,
        left.spend + right.spend,
        later.last,
        later.last_kind,
    )


def derive(state: Counters, _clock: datetime | None, _policies: Policies) -> CountersView:
    return CountersView(state.events, state.orders, state.spend, state.last, state.last_kind)


def announce(_told: Told, _view: CountersView, _at: datetime | None = None) -> list[Announcement]:
    return []


def tell(told: Told, _announcement: Announcement) -> Told:
    return told


COLUMNS = ("events", "orders", "spend", "last_at", "last_kind")


def row(view: CountersView) -> tuple[Any, ...]:
    """Values of `COLUMNS`."""
    return view.events, view.orders, view.spend, view.last, view.last_kind


COUNTERS: Projection[Counters, Told, CountersView] = Projection(
    name="counters",
    version=1,
    consumes=frozenset({"purchase.completed", "interaction.recorded", "survey.answered"}),
    state=Counters,
    told=Told,
    view=CountersView,
    evolve=evolve,
    merge=merge,
    derive=derive,
    announce=announce,
    tell=tell,
    table=counters,
    columns=COLUMNS,
    row=row,
)

SERVICE = Service(
    name="campaign",  # one of the names that `seen` knows
    metadata=metadata,
    projections=(COUNTERS,),
)
