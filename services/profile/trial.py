"""What a policy would change, were it published: nothing is written."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from services.profile import queries
from services.profile.projector import Profile, View, derive, needs_items, walk
from services.profile.tables import profile
from shared.database import Database, ReadConnection, fetch
from shared.policies import load_policies
from shared.projection import Policies, Policy

CHUNK = 200
MOST = 20_000
"""Customers that are tried, in the order of their ids; a bigger population is judged by these."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One customer with all child rows, its view and the policies it was derived by."""

    customer_id: UUID
    state: Profile
    view: View
    clock: datetime | None
    policies: Policies


@dataclass(slots=True)
class Trial:
    """How many would move: from one lifecycle state to another, or tags gained and dropped."""

    tried: int = 0
    moved: int = 0
    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    gained: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)

    def count(self, one: Tried, policies: Policies) -> None:
        """Derive one customer again."""
        state = walk(one.state, policies) if needs_items(one.state, policies) else one.state
        view = derive(state, one.clock, policies)
        before, after = one.view.lifecycle.state, view.lifecycle.state
        had = {tag.tag for tag in one.view.derived}
        has = {tag.tag for tag in view.derived}
        self.tried += 1
        self.moved += before != after or had != has
        if before != after:
            self.states[before, after] += 1
        self.gained.update(has - had)
        self.dropped.update(had - has)


async def _chunk(conn: ReadConnection, after: UUID) -> list[Tried]:
    """The next customers by id, each with all that its derivation reads."""
    rows = await fetch(
        conn,
        select(
            profile.c.customer_id,
            profile.c.parts,
            profile.c.partition,
            profile.c.view,
            queries.CLOCK_OF_ROW.label("clock"),
        )
        .where(*queries.Filters().where(), profile.c.customer_id > after)
        .order_by(profile.c.customer_id)
        .limit(CHUNK),
    )
    states = await queries.states_of(
        conn, [row["customer_id"] for row in rows if row["parts"] == 1]
    )
    several = [row["customer_id"] for row in rows if row["parts"] > 1]
    if several:
        states |= await queries.together(conn, several)
    policies = {
        partition: await load_policies(conn, partition)
        for partition in {row["partition"] for row in rows}
    }
    tried = []
    for row in rows:
        state = states.get(row["customer_id"]) or Profile()
        view = queries.decode_view(row["view"])
        in_force = policies[row["partition"]]
        tried.append(Tried(row["customer_id"], state, view, row["clock"], in_force))
    return tried


async def try_policy(database: Database, policy: Policy) -> Trial:
    """Derive the customers under a policy that is not published, beside the others in force."""
    trial = Trial()
    after = UUID(int=0)
    while trial.tried < MOST:
        async with database.snapshot() as conn:
            chunk = await _chunk(conn, after)
        if not chunk:
            break
        await asyncio.to_thread(_count, trial, chunk, policy)
        after = chunk[-1].customer_id
    return trial


def _count(trial: Trial, chunk: Sequence[Tried], policy: Policy) -> None:
    for one in chunk:
        trial.count(one, {**one.policies, policy.name: policy})
