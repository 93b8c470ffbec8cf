"""A seeded stream of what publishers send: few customers with much, many with little; orders that are corrected,
cancelled and refunded; complaints; late events and repeats."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

Event = dict[str, Any]
Key = tuple[str, str]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""The wall clock of the installations while the events come."""
LATER = NOW + timedelta(hours=36)
"""The wall clock when all have come."""

CUSTOMERS = 160
SPAN = timedelta(days=400)
SOURCES = ("store-7/pos", "shop", "crm")
DECIMALS = {"CNY": 2, "USD": 2, "JPY": 0, "KWD": 3}
OFFSETS = (8 * 60, 8 * 60, 0, -5 * 60, 5 * 60 + 30)
CATEGORIES = ("Dairy", "Fruit", "Meat", "Toys")
STEPS = ("complaint.answered", "complaint.escalated", "complaint.resolved", "complaint.reopened")


@dataclass(frozen=True, slots=True)
class Person:
    """One customer: how publishers name them, and what they are like."""

    customer: dict[str, str]
    name: str
    currency: str
    offset: int


def key_of(event: Event) -> Key:
    return event["source"], event["id"]


class Workload:
    """Makes events one story at a time; no two have the same time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._times: set[datetime] = set()
        self._made = 0
        self.people = [self._person(number) for number in range(CUSTOMERS)]
        self._weights = [1 / (rank + 1) ** 0.9 for rank in range(CUSTOMERS)]

    def _person(self, number: int) -> Person:
        """Most have a member number and perhaps more; some are strangers with a cookie."""
        main = {"cookie": f"ck-{number}"} if number % 16 == 15 else {"member_no": f"M{number}"}
        more = {}
        if number % 3 == 0:
            more["email"] = f"customer{number}@example.com"
        if number % 5 == 0:
            more["phone"] = f"+86138001{number:05d}"
        type_, value = next(iter(main.items()))
        currency = self.random.choice(("CNY", "CNY", "CNY", "USD", "JPY", "KWD"))
        return Person({**main, **more}, f"{type_}:{value}", currency, self.random.choice(OFFSETS))

    def events(self, count: int) -> list[Event]:
        """`count` different events, about in the order of their times."""
        made: list[Event] = []
        for person in self.people[: CUSTOMERS * 9 // 10]:
            made += self._purchase(person)
        while len(made) < count:
            person = self.random.choices(self.people, self._weights)[0]
            made += self._story(person)
        made = made[:count]
        return sorted(made, key=self._arrival)

    def _arrival(self, event: Event) -> datetime:
        """When it comes: one in ten is late, by up to a hundred days."""
        at = datetime.fromisoformat(event["time"])
        late = self.random.random() < 0.1
        return at + timedelta(days=self.random.uniform(0, 100)) if late else at

    def _story(self, person: Person) -> list[Event]:
        stories = (
            (self._purchase, 55),
            (self._complaint, 12),
            (self._survey, 8),
            (self._interaction, 15),
            (self._described, 6),
            (self._consent, 4),
        )
        (story,) = self.random.choices([s for s, _ in stories], [w for _, w in stories])
        return story(person)

    def _time(self, after: datetime | None = None, within: timedelta = SPAN) -> datetime:
        """A moment that no other event has, before NOW."""
        start = after or NOW - SPAN
        room = min(within, NOW - start)
        while True:
            at = start + timedelta(
                seconds=self.random.randint(1, max(2, int(room.total_seconds())))
            )
            if at not in self._times:
                self._times.add(at)
                return at

    def _event(
        self, person: Person, type_: str, at: datetime, data: dict[str, Any], source: str
    ) -> Event:
        self._made += 1
        customer = dict(person.customer)
        if len(customer) > 1 and self.random.random() < 0.5:
            customer = dict([next(iter(customer.items()))])
        zone = timezone(timedelta(minutes=person.offset))
        return {
            "id": f"e{self._made}",
            "source": source,
            "type": type_,
            "time": at.astimezone(zone).isoformat(),
            "customer": customer,
            "data": data,
        }

    def _money(self, currency: str, most: int = 20_000) -> dict[str, str]:
        minor = self.random.randint(100, most)
        places = DECIMALS[currency]
        amount = f"{minor / 10**places:.{places}f}"
        return {"amount": amount, "currency": currency}

    def _basket(self, order: str, currency: str) -> dict[str, Any]:
        lines = [
            {"category": self.random.choice(CATEGORIES), "quantity": self.random.randint(1, 3)}
            for _ in range(self.random.randint(0, 3))
        ]
        data: dict[str, Any] = {
            "order_id": order,
            "total": self._money(currency),
            "items": lines,
        }
        if self.random.random() < 0.2:
            data["discount"] = self._money(currency, 500)
        if self.random.random() < 0.1:
            data["coupons"] = ["WELCOME"]
        return data

    def _purchase(self, person: Person) -> list[Event]:
        """An order, and what becomes of it: about a third are corrected, cancelled or refunded."""
        chance = self.random.random
        source = self.random.choice(SOURCES)
        order = f"o{self._made}"
        currency = person.currency if chance() < 0.85 else self.random.choice(tuple(DECIMALS))
        at = self._time()
        made = [
            self._event(person, "purchase.completed", at, self._basket(order, currency), source)
        ]
        soon = timedelta(days=5)
        while chance() < 0.15:
            at = self._time(at, soon)
            corrected = currency if chance() < 0.8 else self.random.choice(tuple(DECIMALS))
            made.append(
                self._event(
                    person, "purchase.completed", at, self._basket(order, corrected), source
                )
            )
        while chance() < 0.15:
            data = {"order_id": order, "amount": self._money(currency, 2000)}
            if chance() < 0.5:
                data["refund_id"] = f"r{self._made}"
            at = self._time(at, soon)
            made.append(self._event(person, "purchase.refunded", at, data, source))
        if chance() < 0.12:
            at = self._time(at, soon)
            made.append(self._event(person, "purchase.cancelled", at, {"order_id": order}, source))
        return made

    def _complaint(self, person: Person) -> list[Event]:
        complaint, at = f"k{self._made}", self._time()
        opened = {"complaint_id": complaint, "category": self.random.choice(("quality", "service"))}
        made = [self._event(person, "complaint.opened", at, opened, "crm")]
        for _ in range(self.random.randint(0, 3)):
            at = self._time(at, timedelta(days=20))
            step = self.random.choice(STEPS)
            made.append(self._event(person, step, at, {"complaint_id": complaint}, "crm"))
        return made

    def _survey(self, person: Person) -> list[Event]:
        data = {"survey_id": "after-delivery", "kind": "nps", "score": self.random.randint(0, 10)}
        return [self._event(person, "survey.answered", self._time(), data, "crm")]

    def _interaction(self, person: Person) -> list[Event]:
        kind = self.random.choice(("call", "chat", "service", "campaign_response", "page_view"))
        data = {"kind": kind, "direction": "inbound", "channel": "phone"}
        return [self._event(person, "interaction.recorded", self._time(), data, "crm")]

    def _described(self, person: Person) -> list[Event]:
        region = self.random.choice(("Shanghai", "Chengdu", "Xi'an"))
        data = {"traits": {"region": region, "industry": self.random.choice(("food", "steel"))}}
        return [self._event(person, "customer.described", self._time(), data, "crm")]

    def _consent(self, person: Person) -> list[Event]:
        data = {"channel": "sms", "granted": self.random.random() < 0.5}
        return [self._event(person, "consent.changed", self._time(), data, "crm")]


def with_repeats(workload: Workload, events: list[Event], share: float) -> list[Event]:
    """The stream with repeats of earlier events strewn in: `share` of all that is sent."""
    chance = workload.random
    stream: list[Event] = []
    for n, event in enumerate(events):
        stream.append(event)
        while chance.random() < share:
            stream.append(events[chance.randint(max(0, n - 300), n)])
    return stream


def in_batches(workload: Workload, stream: list[Event], most: int) -> list[list[Event]]:
    """Cut into batches of 1 to `most`."""
    batches, start = [], 0
    while start < len(stream):
        size = workload.random.randint(1, most)
        batches.append(stream[start : start + size])
        start += size
    return batches
