"""The policy decides: a task of the worker, under the same lock as people's decisions.

What it decides follows from what stands in the database, so an event that is read twice changes nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from services.profile.merging import keeping
from services.profile.merging.groups import heads
from services.profile.merging.journal import NOBODY
from services.profile.merging.judging import Key, Link, Verdict, judge, supported
from services.profile.merging.keeping import Decider, Evidence
from services.profile.merging.rules import BUILT_IN, NAME, MergingRules, rules_of
from shared.database import Connection, ReadConnection, Row
from shared.errors import is_pause
from shared.identity import digest, known
from shared.kernel import Kernel
from shared.log import Entry
from shared.outbox import OUTBOX
from shared.service import Task

CHUNK = 20
"""Links, or proposals, of one transaction: people wait for the lock no longer than that takes."""
SECONDS = 0.1
_DECIDED = 500
"""Decisions about the same customers that are looked at."""
_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Proposal:
    """An open one, and what speaks for it."""

    id: UUID
    link: Link
    evidence: Sequence[Evidence]


async def rules_in_force(conn: Connection | ReadConnection) -> MergingRules:
    """The newest version of the policy, as it was published."""
    note = await conn.fetchval("SELECT note FROM task WHERE name = $1", f"policy {NAME}")
    return rules_of(note["version"], note["body"]) if note else BUILT_IN


async def run(kernel: Kernel) -> None:
    """Decide until nothing is left."""
    while await _chunk(kernel):
        pass


async def pending(kernel: Kernel) -> bool:
    """Whether there is something to decide."""
    async with kernel.database.read() as conn:
        return bool(
            await conn.fetchval(
                "SELECT EXISTS (SELECT FROM link) OR EXISTS (SELECT FROM merge WHERE status = 'proposed'"
                " AND judged < coalesce((SELECT (note ->> 'version')::bigint FROM task WHERE name = $1), 1))",
                f"policy {NAME}",
            )
        )


TASK = Task(name="merging", seconds=SECONDS, run=run, pending=pending)


async def _chunk(kernel: Kernel) -> bool:
    """Decide some; answer whether there may be more."""
    if not await pending(kernel):
        return False
    async with kernel.database.transaction() as conn:
        await keeping.lock(conn)
        now = kernel.clock()
        rules = await rules_in_force(conn)
        entries: list[tuple[int, Entry]] = []
        rows = await conn.fetch("SELECT * FROM link ORDER BY at, event_id LIMIT $1", CHUNK)
        for row in rows:
            entries += await _safely(conn, kernel, row, rules, now)
        await conn.execute(
            "DELETE FROM link WHERE event_id = ANY($1)", [row["event_id"] for row in rows]
        )
        if not rows:
            entries += await _again(conn, kernel, rules, now)
        await OUTBOX.append(conn, await kernel.keyring.seal(entries), now)
    if entries:
        kernel.outbox_hint.give()
    return True


async def _safely(
    conn: Connection, kernel: Kernel, row: Row, rules: MergingRules, now: datetime
) -> list[tuple[int, Entry]]:
    """One link; what it trips over never stands in the way of the others."""
    try:
        async with conn.transaction():
            return await _link(conn, kernel, row, rules, now)
    except Exception as error:
        if is_pause(error):
            raise
        _logger.exception("link_not_judged", event_id=str(row["event_id"]), exc_info=error)
        return []


async def _link(
    conn: Connection, kernel: Kernel, row: Row, rules: MergingRules, now: datetime
) -> list[tuple[int, Entry]]:
    link = await _read(conn, row)
    silent = await _silent(conn, rules, link.named)
    loud = await _count(conn, rules, link)
    verdict = await _judged(conn, link, rules, silent | loud)
    evidence = [
        Evidence(key, part, row["event_id"], row["at"])
        for key, part in link.named.items()
        if key not in silent and key not in loud
    ]
    by = f"{NAME}@{rules.version}"
    entries: list[tuple[int, Entry]] = []
    if verdict.merge:
        anonymous = set(verdict.merge[1:]) & link.anonymous
        reason = "anonymous" if anonymous else "trusted"
        decider = Decider(by, now, reason, person=False)
        entries = await _merge(conn, kernel, verdict.merge, evidence, decider, rules)
    if verdict.propose:
        decider = Decider(by, now, "named_together", person=False)
        await _propose(conn, verdict.propose, evidence, decider, rules)
    if loud:
        await _withdraw_unsupported(
            conn, rules, loud, Decider(by, now, "unsupported", person=False)
        )
    return entries


async def _read(conn: Connection, row: Row) -> Link:
    """A link as it was kept, without those who were erased since; what an older event did not say is looked up."""
    keys: list[Key] = list(zip(row["types"], row["digests"], strict=True))
    named = dict(zip(keys, row["named"], strict=True))
    if NOBODY in named.values():
        named = await known(conn, keys)
    erased = await keeping.erased_parts(conn, row["parts"])
    parts = tuple(part for part in row["parts"] if part not in erased)
    named = {key: part for key, part in named.items() if part in parts}
    return Link(parts, named, frozenset(row["anonymous"]) - erased)


def blocked(rules: MergingRules) -> set[Key]:
    """Identifiers that the policy blocks."""
    pairs = (text.partition(":") for text in rules.blocked)
    return {(type_, digest(type_, value)) for type_, _, value in pairs}


async def _silent(
    conn: Connection | ReadConnection, rules: MergingRules, keys: Iterable[Key]
) -> set[Key]:
    """Those that are blocked, or have linked more customers than their limit."""
    wanted = sorted(set(keys))
    rows = await conn.fetch(
        "SELECT type, digest, count(*) AS linked FROM identifier_link"
        " JOIN unnest($1::text[], $2::bytea[]) AS w (type, digest) USING (type, digest)"
        " GROUP BY type, digest",
        [type_ for type_, _ in wanted],
        [value for _, value in wanted],
    )
    over = {
        (row["type"], row["digest"]) for row in rows if row["linked"] > rules.limit(row["type"])
    }
    return over | (blocked(rules) & set(wanted))


async def _count(conn: Connection, rules: MergingRules, link: Link) -> set[Key]:
    """Note whom each identifier has linked; answer those that have gone over their limit by this. Anonymous
    customers do not count: somebody may use many browsers."""
    silent = await _silent(conn, rules, link.named)
    parts = [part for part in link.parts if part not in link.anonymous]
    rows = [
        (type_, value, part)
        for type_, value in sorted(link.named)
        if (type_, value) not in silent
        for part in sorted(parts)
    ]
    await conn.executemany(
        "INSERT INTO identifier_link VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", rows
    )
    return await _silent(conn, rules, link.named) - silent


async def _judged(
    conn: Connection | ReadConnection, link: Link, rules: MergingRules, silent: Collection[Key]
) -> Verdict:
    groups = await keeping.groups_of(conn, link.parts)
    everybody = list(groups)
    rows = await conn.fetch(
        "SELECT parts FROM merge WHERE status IN ('split', 'dismissed') AND by_person AND id IN"
        " (SELECT merge_id FROM merge_part WHERE customer_id = ANY($1)) ORDER BY decided_at DESC LIMIT $2",
        everybody,
        _DECIDED,
    )
    return judge(
        link,
        rules,
        groups=groups,
        known=await keeping.known_among(conn, everybody),
        silent=silent,
        apart=[row["parts"] for row in rows],
    )


async def _merge(
    conn: Connection,
    kernel: Kernel,
    parts: Sequence[UUID],
    evidence: Iterable[Evidence],
    decider: Decider,
    rules: MergingRules,
) -> list[tuple[int, Entry]]:
    groups = await keeping.groups_of(conn, parts)
    asked = await keeping.matching_proposal(conn, parts, groups)
    merge_id = asked or await keeping.propose(conn, parts, decider, judged=rules.version)
    await keeping.add_evidence(
        conn, merge_id, [one for one in evidence if one.customer_id in parts]
    )
    entries = await keeping.decide(conn, kernel, merge_id, "merged", decider, parts=parts)
    settled = Decider(decider.by, decider.at, "settled", person=False)
    await keeping.withdraw_settled(conn, groups, settled, beside=merge_id)
    return entries


async def _propose(
    conn: Connection,
    parts: Sequence[UUID],
    evidence: Iterable[Evidence],
    decider: Decider,
    rules: MergingRules,
) -> None:
    groups = await keeping.groups_of(conn, parts)
    if len(set(heads(parts, groups))) < len(parts):
        return  # the same event has made some of them one
    merge_id = await keeping.matching_proposal(conn, parts, groups)
    if merge_id is None:
        merge_id = await keeping.propose(conn, parts, decider, judged=rules.version)
    await keeping.add_evidence(
        conn, merge_id, [one for one in evidence if one.customer_id in parts]
    )


async def _withdraw_unsupported(
    conn: Connection, rules: MergingRules, keys: Collection[Key], decider: Decider
) -> None:
    """Withdraw the open proposals for which too little speaks, now that these identifiers speak for nobody."""
    rows = await conn.fetch(
        "SELECT DISTINCT merge_id FROM merge_evidence AS e"
        " JOIN unnest($1::text[], $2::bytea[]) AS w (type, digest) USING (type, digest)"
        " JOIN merge AS m ON m.id = e.merge_id AND m.status = 'proposed' LIMIT 1000",
        [type_ for type_, _ in keys],
        [value for _, value in keys],
    )
    unsupported = []
    for one in await proposals(conn, [row["merge_id"] for row in rows]):
        silent = await _silent(conn, rules, one.link.named)
        if len(supported(one.link, silent)) < 2:
            unsupported.append(one.id)
    await keeping.withdraw(conn, unsupported, decider)


async def proposals(conn: Connection | ReadConnection, merges: Sequence[UUID]) -> list[Proposal]:
    """Open proposals, with what speaks for each."""
    rows = await conn.fetch(
        "SELECT id, parts FROM merge WHERE id = ANY($1) AND status = 'proposed' ORDER BY id",
        list(merges),
    )
    found = await conn.fetch(
        "SELECT * FROM merge_evidence WHERE merge_id = ANY($1)", [row["id"] for row in rows]
    )
    evidence: defaultdict[UUID, list[Evidence]] = defaultdict(list)
    for one in found:
        key = (one["type"], one["digest"])
        said = Evidence(key, one["customer_id"], one["event_id"], one["seen_at"])
        evidence[one["merge_id"]].append(said)
    made = []
    for row in rows:
        named = {one.key: one.customer_id for one in evidence[row["id"]]}
        made.append(Proposal(row["id"], Link(tuple(row["parts"]), named), evidence[row["id"]]))
    return made


async def judged_again(
    conn: Connection | ReadConnection, one: Proposal, rules: MergingRules
) -> str:
    """What becomes of an open proposal under a policy: merged, withdrawn, or it stays proposed."""
    silent = await _silent(conn, rules, one.link.named)
    verdict = await _judged(conn, one.link, rules, silent)
    if set(verdict.merge) == set(one.link.parts):
        return "merged"
    return "proposed" if verdict.merge or verdict.propose else "withdrawn"


async def _again(
    conn: Connection, kernel: Kernel, rules: MergingRules, now: datetime
) -> list[tuple[int, Entry]]:
    """Judge some of the proposals that an older version of the policy left open."""
    rows = await conn.fetch(
        "SELECT id FROM merge WHERE status = 'proposed' AND judged < $1 ORDER BY id LIMIT $2",
        rules.version,
        CHUNK,
    )
    by = f"{NAME}@{rules.version}"
    entries: list[tuple[int, Entry]] = []
    for one in await proposals(conn, [row["id"] for row in rows]):
        match await judged_again(conn, one, rules):
            case "merged":
                decider = Decider(by, now, "trusted", person=False)
                entries += await _merge(conn, kernel, one.link.parts, one.evidence, decider, rules)
            case "withdrawn":
                decider = Decider(by, now, "unsupported", person=False)
                await keeping.withdraw(conn, [one.id], decider)
            case _:
                pass
    await conn.execute(
        "UPDATE merge SET judged = $2 WHERE id = ANY($1)",
        [row["id"] for row in rows],
        rules.version,
    )
    return entries
