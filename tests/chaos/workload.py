"""What publishers send: the stories of the end-to-end tests, and people who are met before one knows who they are.
Whatever says who somebody is has a mark in it that stands nowhere else."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.chaos.ledger import USER, Event, name_of
from tests.chaos.marks import new_mark, new_phone
from tests.e2e.workload import Person, Workload

STRANGERS = 20
REPEATED, LATE = 0.2, 0.1
CANARIES = 24
WORDS = {
    "interaction.recorded": ("subject", "content", "feedback", "x_note"),
    "complaint.opened": ("description", "x_note"),
    "complaint.resolved": ("resolution", "note"),
    "complaint.answered": ("note",),
    "complaint.escalated": ("note", "x_note"),
    "complaint.reopened": ("note",),
    "survey.answered": ("comment", "answers", "x_note"),
    "consent.changed": ("evidence", "x_note"),
    "purchase.completed": ("x_note",),
    "purchase.refunded": ("x_note",),
    "purchase.cancelled": ("x_note",),
}
"""Where people say who they are, by type; nobody but its publisher knows of an `x_note`."""
TRAITS = ("remark", "address", "phone", "email", "birthday", "x_trait")


class Stream(Workload):
    """Endless; no two events have the same time."""

    def __init__(self, seed: int) -> None:
        self.marks = Random(seed + 3)  # so that the stories of a seed are what they always were
        self._telling = 0.5
        super().__init__(seed)
        self.people = [self._marked(person) for person in self.people[:110]]
        self._weights = [1 / (rank + 1) for rank in range(len(self.people))]
        self.strangers = [
            self._marked(Person({"anonymous_id": f"a-{n}"}, f"anonymous_id:a-{n}", "CNY", 480))
            for n in range(STRANGERS)
        ]
        self.canaries = [
            Person({"member_no": f"K{n}"}, f"member_no:K{n}", "CNY", 480) for n in range(CANARIES)
        ]
        self._late: list[Event] = []
        self._told: list[Event] = []

    def _marked(self, person: Person) -> Person:
        """The same with identifiers that are nobody else's, nor a part of one."""
        customer = {}
        for type_, value in person.customer.items():
            at_sign = value.find("@")
            mark = f"{value[:at_sign]}-{new_mark(self.marks)}{value[at_sign:]}"
            plain = f"{value}-{new_mark(self.marks)}"
            customer[type_] = {"phone": new_phone(self.marks), "email": mark}.get(type_, plain)
        type_, value = next(iter(customer.items()))
        return replace(person, customer=customer, name=f"{type_}:{value}")

    def _event(
        self, person: Person, type_: str, at: datetime, data: dict[str, Any], source: str
    ) -> Event:
        if type_ == "customer.described":
            data["traits"]["name"] = f"Anna {new_mark(self.marks)}"
            data["traits"][self.marks.choice(TRAITS)] = new_mark(self.marks)
        elif type_ in WORDS and self.marks.random() < self._telling:
            data[self.marks.choice(WORDS[type_])] = f"Says {new_mark(self.marks)}, and no more."
        return super()._event(person, type_, at, data, source)

    def lose(self, name: str) -> None:
        """Whoever is called so is never heard of again."""
        self.people = [person for person in self.people if person.name != name]
        self._weights = [1 / (rank + 1) for rank in range(len(self.people))]
        self._late = [event for event in self._late if name_of(event) != name]
        self._told = [event for event in self._told if name_of(event) != name]

    def person(self, name: str) -> Person | None:
        return next((person for person in self.people if person.name == name), None)

    def said_by(self, person: Person) -> list[Event]:
        """A few events of one person, all of which say who that is; in one the person has a new address besides."""
        self._telling = 1.0
        told = [
            *self._described(person),
            *self._interaction(person),
            *self._complaint(person),
            *(self.survey(person) for _ in range(2)),
        ]
        self._telling = 0.5
        address = {"email": f"{new_mark(self.marks)}@example.com"}
        return [*told[:-1], {**told[-1], "customer": {**person.customer, **address}}]

    def batch(self, most: int) -> list[Event]:
        """New events, some that come late, some that were sent before."""
        made: list[Event] = []
        while len(made) < self.random.randint(1, most):
            made += self._next()
        fresh = [event for event in made if not self._held_back(event)]
        while self._late and self.random.random() < 0.3:
            fresh.append(self._late.pop(self.random.randrange(len(self._late))))
        self._told += fresh
        repeats = sum(self.random.random() < REPEATED / (1 - REPEATED) for _ in fresh)
        return fresh + self.random.choices(self._told, k=repeats) if self._told else fresh

    def _held_back(self, event: Event) -> bool:
        late = self.random.random() < LATE
        if late:
            self._late.append(event)
        return late

    def _next(self) -> list[Event]:
        chance = self.random.random()
        if chance < 0.05:
            return self._linked()
        if chance < 0.15:
            stranger = self.random.choice(self.strangers)
            return self._purchase(stranger) if chance < 0.08 else self._interaction(stranger)
        (person,) = self.random.choices(self.people, self._weights)
        return self._story(person)

    def _linked(self) -> list[Event]:
        """A stranger turns out to be one of the people; or somebody says how else they are called."""
        (person,) = self.random.choices(self.people, self._weights)
        more = dict(self.random.choice(self.strangers).customer)
        if self.random.random() < 0.5:
            more = {"user_id": f"{USER}{person.name}"}
        identifiers = {**person.customer, **more}
        event = self._event(
            person, "customer.identified", self._time(), {"identifiers": identifiers}, "web"
        )
        return [{**event, "customer": identifiers}]

    def bought(self, person: Person) -> Event:
        """One plain purchase."""
        data = self._basket(f"o{self._made}", person.currency)
        return self._event(person, "purchase.completed", self._time(), data, "shop")

    def survey(self, person: Person) -> Event:
        """One answer."""
        return self._survey(person)[0]

    def soon(self) -> timedelta:
        return timedelta(seconds=self.random.uniform(0.02, 0.2))
