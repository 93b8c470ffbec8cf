"""What the generator has done, written down by itself: all that the oracle believes."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Event = dict[str, Any]
Key = tuple[str, str]


@dataclass
class Command:
    """One thing that was asked for. `mark` is a text that no other command has: it stands in its event."""

    kind: str
    name: str
    mark: str
    body: Event
    attempts: int = 0
    done: bool = False
    keyed: bool = False
    """Sent with an Idempotency-Key."""


@dataclass
class Merge:
    """Two customers that were asked to be one, and perhaps to be two again."""

    names: tuple[str, ...]
    state: str = "asked"
    """asked (outcome unknown), made, refused, splitting, split."""
    id: str = ""


@dataclass
class Erasure:
    """Somebody whom somebody asked to forget. Times are the harness' own, in seconds."""

    name: str
    wanted: tuple[str, ...]
    """Our ids of the parts that are to be erased."""
    at: datetime
    asked: float
    attempts: int = 0
    state: str = "asked"
    """asked (outcome unknown), made, refused."""
    id: str = ""
    done: float | None = None
    """When the receipt said so."""


@dataclass
class Letter:
    """A message that somebody asked for."""

    command: Command
    purpose: str
    id: str = ""
    """Ours, once it was acknowledged."""
    at: float = 0.0
    """When that was, as in `Erasure`."""


@dataclass
class Restored:
    """A database was put back to what it was before: what was done until then may be gone."""

    service: str
    until: float


@dataclass
class Ledger:
    """Grows for as long as a run takes."""

    sent: dict[Key, Event] = field(default_factory=dict)
    acknowledged: set[Key] = field(default_factory=set)
    first_sent: dict[Key, float] = field(default_factory=dict)
    first_acknowledged: dict[Key, float] = field(default_factory=dict)
    commands: list[Command] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    erasures: list[Erasure] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    restored: list[Restored] = field(default_factory=list)
    races: list[list[Command]] = field(default_factory=list)
    """Commands that many gave at the same moment, of which only one could be done."""
    poison: dict[bytes, str] = field(default_factory=dict)
    """Bytes put on `inbound` that nobody can use, with what is wrong with them."""
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    """What no answer may say (O6)."""


def key_of(event: Event) -> Key:
    return event["source"], event["id"]


STRENGTH = ("member_no", "cookie", "anonymous_id")
"""Types of the identifiers that name a customer in this workload, strongest first."""
USER = "u-"
"""The user id of a person is this and the name."""


def names_in(identifiers: dict[str, str]) -> list[str]:
    """The names of customers among identifiers, strongest first."""
    return [f"{type_}:{identifiers[type_]}" for type_ in STRENGTH if type_ in identifiers]


def name_of(event: Event) -> str:
    """Whose event it is."""
    return names_in(event["customer"])[0]
