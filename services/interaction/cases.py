"""Complaint cases: what their steps come to, and which step may come next. No I/O.

A case is a customer's (complaint id), as publishers name it. Steps may arrive late and in any order: a case is the
same whatever comes first.
"""

from bisect import insort
from datetime import datetime
from uuid import UUID, uuid5

import msgspec

from services.interaction.arrivals import Arrival
from shared.language.personal import split

COMPLAINT = "complaint."
MOST_STEPS = 500
"""What lies between the first steps and the latest ones is on the timeline only."""

OPEN, ANSWERED, ESCALATED, RESOLVED, REOPENED = STATUSES = (
    "open",
    "answered",
    "escalated",
    "resolved",
    "reopened",
)
_STATUS = {"opened": OPEN} | {status: status for status in STATUSES[1:]}

TRANSITIONS: dict[str, frozenset[str]] = {
    "assign": frozenset(STATUSES) - {RESOLVED},
    "answer": frozenset(STATUSES) - {RESOLVED},
    "escalate": frozenset(STATUSES) - {RESOLVED, ESCALATED},
    "resolve": frozenset(STATUSES) - {RESOLVED},
    "reopen": frozenset({RESOLVED}),
}
"""Statuses from which a person may do something."""

_NAMESPACE = UUID("5a3d1c7e-6f2b-5d8a-9c4e-1b7f3a9d2e60")


class Step(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, order=True):
    """One step of a complaint. Ordered by time, then by event."""

    at: datetime
    event_id: str
    what: str
    """opened, assigned, answered, escalated, resolved, reopened."""
    complaint_id: str
    source: str
    by: str = ""
    note: str = ""
    to: str = ""
    category: str = ""
    severity: str = ""
    order_id: str = ""
    product_ids: tuple[str, ...] = ()


class Case(msgspec.Struct, frozen=True, gc=False):
    """A complaint with all of its steps, oldest first."""

    steps: tuple[Step, ...] = ()

    @property
    def status(self) -> str:
        """What the latest step made of it."""
        for step in reversed(self.steps):
            if step.what in _STATUS:
                return _STATUS[step.what]
        return OPEN

    @property
    def opening(self) -> Step | None:
        """The latest word on what it is about; None where only later steps are known."""
        return next((step for step in reversed(self.steps) if step.what == "opened"), None)

    @property
    def assigned_to(self) -> str:
        """Who takes care of it; empty where nobody does."""
        return next((step.to for step in reversed(self.steps) if step.what == "assigned"), "")

    def with_step(self, step: Step) -> "Case":
        """The case once a step is known, whenever it was taken."""
        steps = list(self.steps)
        if any(known.event_id == step.event_id for known in steps):
            return self
        insort(steps, step)
        if len(steps) > MOST_STEPS:
            del steps[MOST_STEPS // 2]
        return Case(tuple(steps))


_SAID = ("by", "note", "to", "category", "severity", "order_id", "product_ids")
"""What a step has from its event's data. What it calls a note is personal under each of its names there."""


def blank_case(case: Case) -> Case:
    """What is left of it once its customer is erased: as if its steps had been read without what was sealed."""
    return Case(tuple(_blank(step) for step in case.steps))


def _blank(step: Step) -> Step:
    _, hidden = split(f"{COMPLAINT}{step.what}", {name: getattr(step, name) for name in _SAID})
    return msgspec.structs.replace(step, **{name: type(hidden[name])() for name in hidden})


class _Data(msgspec.Struct, gc=False):
    complaint_id: str
    by: str | None = None
    note: str | None = None
    resolution: str | None = None
    description: str | None = None
    to: str | None = None
    category: str | None = None
    severity: str | None = None
    order_id: str | None = None
    product_ids: tuple[str, ...] = ()


_data = msgspec.json.Decoder(_Data).decode


def read_step(event_id: str, arrival: Arrival) -> Step:
    """The step that an event of a complaint is."""
    data = _data(bytes(arrival.data))
    return Step(
        at=arrival.time,
        event_id=event_id,
        what=arrival.type.removeprefix(COMPLAINT),
        complaint_id=data.complaint_id,
        source=arrival.source,
        by=data.by or "",
        note=data.note or data.resolution or data.description or "",
        to=data.to or "",
        category=data.category or "",
        severity=data.severity or "",
        order_id=data.order_id or "",
        product_ids=data.product_ids,
    )


def case_of(customer_id: UUID, complaint_id: str) -> UUID:
    """Our own id of a customer's complaint."""
    return uuid5(_NAMESPACE, f"{customer_id}\0{complaint_id}")
