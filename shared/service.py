"""What a service hands to the kernel: values, not subclasses."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import MetaData, Table

from shared.codec import Event
from shared.database import Connection
from shared.projection import Projection

if TYPE_CHECKING:
    from shared.kernel import Kernel

Claims = Callable[[Connection, Sequence[UUID], int], Awaitable[dict[UUID, str]]]
"""Claim a number for each customer that has none yet, in the given year; answer only the new ones."""


Recall = Callable[[Connection, Sequence[tuple[Event, bytes]]], Awaitable[None]]
"""Put back what a service knew beside its rows, from events of its own and their bytes, as they stand on the log."""


Forget = Callable[[Connection, Sequence[Event]], Awaitable[dict[UUID, datetime]]]
"""Forget those who were erased (`customer.erased`), in what a service keeps beside its folds; answer until when
something of theirs is still kept at most, of those of whom anything is."""


After = Callable[[Connection, Sequence[tuple[Event, bytes]]], Awaitable[None]]
"""Do something about events, once their rows are written: these and their bytes on the log, of one transaction. Of what
is folded again (after a restore) it hears again, of what a rebuild folds it does not."""


@dataclass(frozen=True, kw_only=True)
class Journal:
    """A table with one row an event, only ever appended to."""

    table: Table
    columns: tuple[str, ...]
    row: Callable[[Event, bytes], tuple[Any, ...] | None]
    """The values of `columns` for an event and its bytes on the log; None: not kept."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Something that one worker of a service does every `seconds`, while it owns partition 0."""

    name: str
    seconds: float
    run: "Callable[[Kernel], Awaitable[None]]"
    pending: "Callable[[Kernel], Awaitable[bool]] | None" = None
    """Whether there is something to do now: then the service has not caught up yet."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service as the kernel sees it."""

    name: str
    metadata: MetaData
    projections: tuple[Projection[Any, Any, Any], ...] = ()
    journals: tuple[Journal, ...] = ()
    claims: Claims | None = None
    tasks: tuple[Task, ...] = ()
    recall: Recall | None = None
    forget: Forget | None = None
    after: After | None = None
    opens: frozenset[str] = frozenset()
    """Event types of which it reads what is personal."""
    version: int = 1
    """Raised with every change of a fold: a worker leases only the checkpoints of its own version."""
