"""A service small enough to be checked by hand: it tallies the surveys that customers answer.

What is folded twice, never, or out of order shows in three places: a child row a survey (`times`), the order in
the state, and a journal without a key.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Column, MetaData, Table, Text

from shared import codec
from shared.codec import Event
from shared.ids import new_id
from shared.language import (
    ClockTicked,
    CustomerRegrouped,
    HistoryClosed,
    IdentifiersAdded,
    LifecycleChanged,
    PolicyPublished,
    SurveyAnswered,
    TagAdded,
)
from shared.log import Entry, Record
from shared.projection import Announcement, Policies, Projection
from shared.service import Journal, Service
from shared.tables import item_table, kernel_tables, row_table

DAY0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUIET_AFTER = timedelta(days=30)
HIGH = 3
"""Answers that make the level high where no policy says otherwise."""

EXTENDED = "tally.extended"
"""A type that no version of the published language knows, until a test teaches it."""

metadata = MetaData()
kernel_tables(metadata)
tally = row_table(
    metadata, "tally", Column("level", Text), Column("marker", Text), Column("count", BigInteger)
)
tally_item = item_table(metadata, "tally_item")
folded = Table(
    "folded",
    metadata,
    Column("event_id", Text),
    Column("origin", Text),
    Column("sequence", BigInteger),
    Column("log_offset", BigInteger),
)


class Extended(msgspec.Struct, frozen=True):
    survey_id: str


class Answer(msgspec.Struct):
    times: int = 0


class Tally(msgspec.Struct):
    count: int = 0
    last: datetime | None = None
    order: list[str] = []
    tags: list[str] = []
    items: dict[str, Answer] = {}


class Told(msgspec.Struct, frozen=True):
    level: str | None = None


class TallyView(msgspec.Struct, frozen=True):
    level: str
    since: datetime | None
    count: int
    marker: str
    due_at: datetime | None


def is_broken(survey: str) -> bool:
    """Our own bug: replaced by tests that mend it."""
    return survey.startswith("boom")


def evolve(state: Tally, event: Event) -> Tally:
    match event.data:
        case SurveyAnswered(survey_id=survey) | Extended(survey_id=survey):
            if is_broken(survey):
                raise ArithmeticError("our own bug")
            state.count += 1
            state.last = max(state.last, event.time) if state.last else event.time
            state.order.append(survey)
            state.items.setdefault(survey, Answer()).times += 1
        case TagAdded(tag=tag):
            state.tags.append(tag)
        case _:
            pass
    return state


def merge(left: Tally, right: Tally) -> Tally:
    lasts = [state.last for state in (left, right) if state.last is not None]
    items = {name: Answer(answer.times) for name, answer in left.items.items()}
    for name, answer in right.items.items():
        items.setdefault(name, Answer()).times += answer.times
    return Tally(
        count=left.count + right.count,
        last=max(lasts, default=None),
        order=[*left.order, *right.order],
        tags=[*left.tags, *right.tags],
        items=items,
    )


def derive(state: Tally, clock: datetime | None, policies: Policies) -> TallyView:
    policy = policies.get("tally")
    high = policy.body["high"] if policy else HIGH
    level, since, due_at = "none", state.last, None
    if state.last is not None:
        level = "high" if state.count >= high else "low"
        due_at = state.last + QUIET_AFTER
        if clock is not None and due_at <= clock:
            level, since, due_at = "quiet", due_at, None
    nul = any(survey.startswith("nul") for survey in state.order)
    return TallyView(level, since, state.count, "\0" if nul else "plain", due_at)


def announce(told: Told, view: TallyView, _at: datetime | None = None) -> list[Announcement]:
    if view.level in ("none", told.level):
        return []
    assert view.since is not None
    data = LifecycleChanged(view.level, told.level, view.since, {}, [], "tally@1")
    return [Announcement("lifecycle.changed", data, view.since)]


def tell(told: Told, announcement: Announcement) -> Told:
    assert isinstance(announcement.data, LifecycleChanged)
    return Told(announcement.data.state)


def item_keys(event: Event) -> tuple[str, ...]:
    match event.data:
        case SurveyAnswered(survey_id=survey) | Extended(survey_id=survey):
            return (survey,)
        case _:
            return ()


TALLY: Projection[Tally, Told, TallyView] = Projection(
    name="tally",
    version=1,
    consumes=frozenset({"survey.answered", "tag.added", EXTENDED}),
    emits=frozenset({"lifecycle.changed"}),
    policies=frozenset({"tally"}),
    state=Tally,
    told=Told,
    view=TallyView,
    item=Answer,
    evolve=evolve,
    merge=merge,
    derive=derive,
    announce=announce,
    tell=tell,
    item_keys=item_keys,
    table=tally,
    items_table=tally_item,
    columns=("level", "marker", "count"),
    row=lambda view: (view.level, view.marker, view.count),
    leave=lambda told, at: (
        [
            Announcement(
                "lifecycle.changed", LifecycleChanged("left", told.level, at, {}, [], ""), at
            )
        ]
        if told.level not in (None, "left")
        else []
    ),
)

SERVICE = Service(
    name="campaign",  # one of the names that `seen` knows, and no other service's here
    metadata=metadata,
    projections=(TALLY,),
    journals=(
        Journal(
            table=folded,
            columns=("event_id", "origin", "sequence", "log_offset"),
            row=lambda event, _value: (event.id, event.origin, event.sequence, event.offset),
        ),
    ),
)


def event(
    type_: str, data: Any, *, customer: UUID | None, at: datetime = DAY0, **more: Any
) -> bytes:
    id_ = new_id()
    return codec.encode(
        id=id_,
        type=type_,
        subject=str(customer) if customer else "",
        time=at,
        receivedtime=at,
        source="tests",
        sourceid=id_,
        data=data,
        **more,
    )


def answered(
    customer: UUID, survey: str, at: datetime = DAY0, *, history: str | None = None
) -> bytes:
    data = SurveyAnswered(survey_id=survey, kind="form")
    return event("survey.answered", data, customer=customer, at=at, history=history)


def regrouped(part: UUID, group: Iterable[UUID], head: UUID, revision: int) -> bytes:
    """What profile decides about one part."""
    parts = [str(one) for one in sorted(group)]
    data = CustomerRegrouped(
        str(head), parts, revision, new_id(), undone=False, by="tests", reason=""
    )
    return event("customer.regrouped", data, customer=part)


def tagged(customer: UUID, tag: str) -> bytes:
    return event("tag.added", TagAdded(tag=tag, by="tests"), customer=customer)


def identified(customer: UUID, phone: str) -> bytes:
    return event("identifiers.added", IdentifiersAdded({"phone": phone}), customer=customer)


def ticked(at: datetime) -> bytes:
    return event("clock.ticked", ClockTicked(at), customer=None, at=at)


def closed(history: str) -> bytes:
    return event("history.closed", HistoryClosed(history), customer=None)


def published(high: int, version: int = 1, name: str = "tally") -> bytes:
    return event("policy.published", PolicyPublished(name, version, {"high": high}), customer=None)


def extended(customer: UUID, survey: str) -> bytes:
    """What a newer version of another service writes."""
    body = msgspec.json.decode(answered(customer, survey))
    body |= {"type": EXTENDED, "dataschema": f"{EXTENDED}/1", "data": {"survey_id": survey}}
    return msgspec.json.encode(body)


def records(
    values: Iterable[bytes],
    *,
    offset: int = 0,
    sequence: int = 1,
    origin: str | None = "interaction",
    partition: int = 0,
) -> list[Record]:
    """Values as the log holds them: numbered by their origin from `sequence` on."""
    return [
        Record(
            partition=partition,
            offset=offset + n,
            recorded_at=DAY0,
            key="",
            value=value,
            origin=origin,
            sequence=sequence + n if origin else None,
            signature=None,
        )
        for n, value in enumerate(values)
    ]


def entries(
    values: Iterable[bytes], *, sequence: int = 1, partition: int = 0
) -> list[tuple[int, Entry]]:
    """The same, to be appended."""
    return [
        (partition, Entry(key="", value=value, origin="interaction", sequence=sequence + n))
        for n, value in enumerate(values)
    ]
