"""What publishers send: the stories of the end-to-end tests, and people who are met before one knows who they are."""

from datetime import timedelta

from tests.chaos.ledger import USER, Event
from tests.e2e.workload import Person, Workload

STRANGERS = 20
REPEATED, LATE = 0.2, 0.1
CANARIES = 24


class Stream(Workload):
    """Endless; no two events have the same time."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.people = self.people[:110]
        self._weights = [1 / (rank + 1) for rank in range(len(self.people))]
        self.strangers = [
            Person({"anonymous_id": f"a-{n}"}, f"anonymous_id:a-{n}", "CNY", 480)
            for n in range(STRANGERS)
        ]
        self.canaries = [
            Person({"member_no": f"K{n}"}, f"member_no:K{n}", "CNY", 480) for n in range(CANARIES)
        ]
        self._late: list[Event] = []
        self._told: list[Event] = []

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
