"""What the log says about customers, as columns: one row for each thing that an event changes.

Every row has the day on which it became known: the local day of its event. So a table of a morning
is made of the rows of earlier days, and is what the projection would have derived then.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from services.scoring.projector.complaints import SEVERITIES, severity_of
from services.scoring.projector.purchases import local_day
from services.scoring.projector.state import month_of
from services.scoring.projector.surveys import points_of
from services.scoring.projector.touches import touch_of
from shared.codec import Event
from shared.language import (
    ClockTicked,
    ComplaintAnswered,
    ComplaintEscalated,
    ComplaintOpened,
    ComplaintReopened,
    ComplaintResolved,
    Contribution,
    CustomerRegrouped,
    InteractionRecorded,
    InteractionRetracted,
    MessageClicked,
    MessageDelivered,
    PurchaseCancelled,
    PurchaseCompleted,
    PurchaseCorrected,
    PurchaseRefunded,
    SurveyAnswered,
    effect,
)
from shared.language.purchase import orders_by_currency
from shared.moments import micros

Integers = NDArray[np.int64]
ComplaintStep = (
    ComplaintOpened | ComplaintAnswered | ComplaintEscalated | ComplaintReopened | ComplaintResolved
)

EVERYWHERE = timedelta(hours=12)
"""After so long a day of UTC is over wherever customers live."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Customers are numbers from 0, in the order of the ids of their heads; days are ordinals.

    Each table has one column a row: `customer` and `known` (the day) first.
    """

    customers: int
    end: int
    """The first day that is not over."""
    clock: datetime
    """Up to when everything is on the log, UTC."""
    purchases: Integers
    """customer, known, moment (a number for each), day, time, number (1, or -1 where taken back)."""
    money: Integers
    """customer, known, month, currency (a number for each), orders, net, promoted orders, discount:
    differences."""
    complaints: Integers
    """customer, known, complaint (a number for each), rank (later events are greater), open (1 or 0),
    time, severity (its number where the event opens it; else -1)."""
    answers: Integers
    """customer, known, month, points (0 to 1000)."""
    touches: Integers
    """customer, known, month, came, sent, answered: differences."""
    currencies: Sequence[str]
    unread: int

    def of(self, customers: Integers) -> "Facts":
        """Only some customers, by their numbers (sorted); numbered anew."""
        place = np.full(self.customers, -1, dtype=np.int64)
        place[customers] = np.arange(len(customers))

        def kept(table: Integers) -> Integers:
            rows = table[place[table[:, 0]] >= 0].copy()
            rows[:, 0] = place[rows[:, 0]]
            return rows

        return Facts(
            len(customers),
            self.end,
            self.clock,
            kept(self.purchases),
            kept(self.money),
            kept(self.complaints),
            kept(self.answers),
            kept(self.touches),
            self.currencies,
            self.unread,
        )


@dataclass(slots=True)
class Numbers:
    """A number for each name, in the order in which they come."""

    known: dict[str, int] = field(default_factory=dict)

    def of(self, name: str) -> int:
        return self.known.setdefault(name, len(self.known))


@dataclass(slots=True)
class Gathering:
    """Takes in events of `customers`, each once, those of a partition in their order."""

    parts: Numbers = field(default_factory=Numbers)
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By part: revision and head."""
    moments: Numbers = field(default_factory=Numbers)
    cases: Numbers = field(default_factory=Numbers)
    currencies: Numbers = field(default_factory=Numbers)
    purchases: "array[int]" = field(default_factory=lambda: array("q"))
    money: "array[int]" = field(default_factory=lambda: array("q"))
    complaints: "array[int]" = field(default_factory=lambda: array("q"))
    complaint_ids: list[str] = field(default_factory=list)
    answers: "array[int]" = field(default_factory=lambda: array("q"))
    touches: "array[int]" = field(default_factory=lambda: array("q"))
    clocks: dict[int, datetime] = field(default_factory=dict)
    latest: datetime | None = None
    unread: int = 0

    def take(self, event: Event) -> None:
        """Fold one event."""
        match event.data:
            case (
                PurchaseCompleted() | PurchaseCorrected() | PurchaseCancelled() | PurchaseRefunded()
            ):
                self._trade(event)
            case (
                ComplaintOpened()
                | ComplaintAnswered()
                | ComplaintEscalated()
                | ComplaintReopened()
                | ComplaintResolved()
            ) as step:
                self._complain(event, step)
            case SurveyAnswered() as answered:
                points = points_of(answered)
                if points is not None:
                    known = local_day(event.time, event.utcoffset)
                    self.answers.extend(
                        (self.parts.of(event.subject), known, month_of(event.local), points)
                    )
            case (
                InteractionRecorded()
                | InteractionRetracted()
                | MessageDelivered()
                | MessageClicked()
            ):
                self._touch(event)
            case CustomerRegrouped(head=head, revision=revision):
                if revision > self.heads.get(event.subject, (-1, ""))[0]:
                    self.heads[event.subject] = revision, head
            case ClockTicked(at=at):
                self.clocks[event.partition] = max(self.clocks.get(event.partition, at), at)
            case _:
                pass

    def _trade(self, event: Event) -> None:
        settled = effect(event)
        known = local_day(event.time, event.utcoffset)
        self.latest = event.time if self.latest is None else max(self.latest, event.time)
        customer = self.parts.of(event.subject)
        for part, sign in ((settled.before, -1), (settled.after, 1)):
            if part is not None:
                self._count(customer, known, part, sign)

    def _count(self, customer: int, known: int, part: Contribution, sign: int) -> None:
        if part.orders:
            day, time = local_day(part.time, part.utcoffset), micros(part.time)
            moment = self.moments.of(f"{customer}|{time}|{part.utcoffset}|{part.event_id}")
            self.purchases.extend((customer, known, moment, day, time, sign * part.orders))
        month = month_of(part.time + timedelta(minutes=part.utcoffset))
        for currency, number in orders_by_currency(part).items():
            code, amount = self.currencies.of(currency), part.spend[currency]
            promoted = number if part.promoted else 0
            counted = (number, amount, promoted, part.discount.get(currency, 0))
            self.money.extend((customer, known, month, code, *(sign * one for one in counted)))

    def _touch(self, event: Event) -> None:
        found = touch_of(event)
        if found is not None:
            customer, known = self.parts.of(event.subject), local_day(event.time, event.utcoffset)
            counted = (found.came, found.sent, found.answered)
            self.touches.extend((customer, known, found.month, *counted))

    def _complain(self, event: Event, step: ComplaintStep) -> None:
        customer = self.parts.of(event.subject)
        case = self.cases.of(f"{customer}|{step.complaint_id}")
        known = local_day(event.time, event.utcoffset)
        time, is_open = micros(event.time), not isinstance(step, ComplaintResolved)
        severity = -1
        if isinstance(step, ComplaintOpened):
            severity = SEVERITIES.index(severity_of(step.severity))
        self.complaints.extend((customer, known, case, time, int(is_open), time, severity))
        self.complaint_ids.append(event.id)

    def facts(self) -> Facts:
        """Everything taken in so far; parts are put together under their heads."""
        whole = [self.heads.get(part, (0, part))[1] for part in self.parts.known]
        heads = {head: number for number, head in enumerate(sorted(set(whole)))}
        customer = np.array([heads[head] for head in whole], dtype=np.int64)
        purchases, money = _table(self.purchases, 6), _table(self.money, 8)
        complaints, answers = _table(self.complaints, 7), _table(self.answers, 4)
        touches = _table(self.touches, 6)
        # Ids ascend with time only within one process: ties of time are broken as the fold does.
        order = np.lexsort((np.array(self.complaint_ids, dtype="U36"), complaints[:, 3]))
        complaints[order, 3] = np.arange(len(order))
        codes = sorted(self.currencies.known)
        number = np.array([codes.index(code) for code in self.currencies.known], dtype=np.int64)
        if len(money):
            money[:, 3] = number[money[:, 3]]
        for table in (purchases, money, complaints, answers, touches):
            if len(table):
                table[:, 0] = customer[table[:, 0]]
        latest = self.latest or datetime(1970, 1, 2, tzinfo=UTC)
        clock = min(self.clocks.values(), default=latest)
        return Facts(
            customers=len(heads),
            end=(clock - EVERYWHERE).toordinal(),
            clock=clock.astimezone(UTC),
            purchases=purchases,
            money=money,
            complaints=complaints,
            answers=answers,
            touches=touches,
            currencies=codes,
            unread=self.unread,
        )


def _table(values: "array[int]", width: int) -> Integers:
    return np.frombuffer(values, dtype=np.int64).reshape(-1, width).copy()
