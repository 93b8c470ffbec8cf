"""What a policy would change, were it published: nothing is written."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import func, select

from services.scoring import queries
from services.scoring.projector import State, View, derive
from services.scoring.tables import metadata, score
from shared.database import Database, ReadConnection, fetch
from shared.policies import load_policies
from shared.projection import Policies, Policy

CHUNK = 500
MOST = 20_000
"""Customers that are tried, in the order of their ids; a bigger population is judged by these."""

Class = str | None
_CHECKPOINT = metadata.tables["checkpoint"]


@dataclass(frozen=True, slots=True)
class Tried:
    """One customer as they are kept."""

    customer_id: UUID
    state: State
    view: View
    clock: datetime | None
    policies: Policies


@dataclass(slots=True)
class Trial:
    """How many would move, from one class to another."""

    tried: int = 0
    moved: int = 0
    bands: Counter[tuple[Class, Class]] = field(default_factory=Counter)
    classes: Counter[tuple[Class, Class]] = field(default_factory=Counter)
    cells: Counter[tuple[Class, Class]] = field(default_factory=Counter)

    def count(self, one: Tried, policies: Policies) -> None:
        """Derive one customer again."""
        before, after = _classes(one.view), _classes(derive(one.state, one.clock, policies))
        self.tried += 1
        self.moved += before != after
        for kept, was, now in zip(
            (self.bands, self.classes, self.cells), before, after, strict=True
        ):
            if was != now:
                kept[was, now] += 1


def _classes(view: View) -> tuple[Class, Class, Class]:
    return (
        view.churn.band if view.churn else None,
        view.rfm.rfm_class if view.rfm else None,
        view.matrix.cell if view.matrix else None,
    )


async def _chunk(conn: ReadConnection, after: UUID) -> list[Tried]:
    """The next customers by id."""
    clock = (
        select(func.max(_CHECKPOINT.c.clock))
        .where(_CHECKPOINT.c.topic == "customers", _CHECKPOINT.c.partition == score.c.partition)
        .scalar_subquery()
    )
    columns = (score.c.customer_id, score.c.partition, score.c.parts, score.c.state, score.c.view)
    rows = await fetch(
        conn,
        select(*columns, clock.label("clock"))
        .where(*queries.Filters().where(), score.c.customer_id > after)
        .order_by(score.c.customer_id)
        .limit(CHUNK),
    )
    in_force = {
        partition: await load_policies(conn, partition)
        for partition in {row["partition"] for row in rows}
    }
    states = await queries.states_of(conn, rows)
    return [
        Tried(
            row["customer_id"],
            state,
            queries.view_of(row["view"]),
            row["clock"],
            in_force[row["partition"]],
        )
        for row, state in zip(rows, states, strict=True)
    ]


async def try_policy(database: Database, policy: Policy) -> Trial:
    """Derive the customers under a policy that is not published, beside the others in force."""
    trial = Trial()
    wire = msgspec.json.decode(msgspec.json.encode(policy.body))
    published = Policy(policy.name, policy.version, wire)
    after = UUID(int=0)
    while trial.tried < MOST:
        async with database.snapshot() as conn:
            chunk = await _chunk(conn, after)
        if not chunk:
            break
        await asyncio.to_thread(_count, trial, chunk, published)
        after = chunk[-1].customer_id
    return trial


def _count(trial: Trial, chunk: Sequence[Tried], policy: Policy) -> None:
    for one in chunk:
        trial.count(one, {**one.policies, policy.name: policy})
