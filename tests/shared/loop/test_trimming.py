"""A year goes by: what grows has an end, and every table has an owner who knows of it."""

import importlib
import re

from deploy.local.state import ROOT
from shared import migrations
from shared.log import Entry
from shared.log.postgres import PostgresLog
from shared.log.tables import metadata as log_metadata
from shared.loop.trimming import trim
from shared.outbox import OUTBOX
from tests.shared.loop.bench import Bench
from tests.shared.loop.tally import DAY0

DAYS = 365
PARTITIONS = 2
OF_A_DAY = 3


async def a_year_of(bench: Bench) -> None:
    """So many rows a day in everything that is trimmed, a year of them."""
    day = "now() - make_interval(days => d, mins => 1)"
    days = f"generate_series(0, {DAYS - 1}) AS d, generate_series(1, {OF_A_DAY}) AS n"
    await bench.execute(
        "INSERT INTO idempotency SELECT 'p', 'r', d || '-' || n, '', 200, 's', '', " + day +
        f" FROM {days}"
    )  # fmt: skip
    await bench.execute(
        f"INSERT INTO audit SELECT gen_random_uuid(), {day}, gen_random_uuid(), 'c', 'POST', 'r',"
        f" '{{}}', NULL, 200, NULL, NULL, NULL FROM {days}"
    )
    for kind, status in (("quarantined", "open"), ("quarantined", "discarded"), ("parked", "open")):
        resolved = "NULL" if status == "open" else day
        await bench.execute(
            "INSERT INTO quarantine (id, kind, reason, stage, detail, status, topic, partition,"
            " log_offset, received_at, resolved_at, value)"
            f" SELECT gen_random_uuid(), $1, 'r', 's', '{{}}', $2, 'inbound', 0, d, {day}, {resolved}, ''"
            f" FROM {days}",
            kind,
            status,
        )
    for partition in range(PARTITIONS):
        await bench.execute(
            "INSERT INTO policy SELECT $1, 'p', $2 - d, '{}', now() - make_interval(days => d)"
            f" FROM generate_series(0, {DAYS - 1}) AS d",
            partition,
            DAYS,
        )


async def a_year_of_numbers(bench: Bench, table: str, number: str = "sequence") -> None:
    """Rows that are numbered; the newest is of today."""
    await bench.execute(
        f"UPDATE {table} SET recorded_at = now() - make_interval(days => {DAYS} - {number}::int)"
    )


async def count(bench: Bench, what: str) -> int:
    found: int = await bench.value(f"SELECT count(*) FROM {what}")
    return found


async def test_after_a_year_everything_that_is_trimmed_has_its_size(bench: Bench):
    kernel = bench.kernel(partitions=PARTITIONS)
    await bench.leases(partitions=PARTITIONS).prepare()
    await a_year_of(bench)
    async with bench.database.transaction() as conn:
        await OUTBOX.append(conn, [(0, Entry("k", b"x"))] * DAYS, DAY0)
        await OUTBOX.append(conn, [(1, Entry("k", b"x"))] * DAYS, DAY0)
    await a_year_of_numbers(bench, "outbox")
    await bench.execute("UPDATE relay SET acked_sequence = $1 WHERE partition = 0", DAYS)
    log = PostgresLog(bench.url, partitions=PARTITIONS, client="tests")
    for topic in ("inbound", "backfill", "customers"):
        await log.append(topic, [(0, Entry("k", b"x"))] * DAYS)
        await a_year_of_numbers(bench, topic)
    for _ in range(2):  # the second time nothing is left to be done
        await trim(kernel)
        await log.trim_inbound(10_000)
    assert await count(bench, "idempotency") == 3 * OF_A_DAY
    assert await count(bench, "audit") == DAYS * OF_A_DAY
    assert await count(bench, "quarantine WHERE kind = 'parked'") == DAYS * OF_A_DAY
    assert await count(bench, "quarantine WHERE status = 'discarded'") == 90 * OF_A_DAY
    assert await count(bench, "quarantine WHERE kind = 'quarantined'") == 2 * 90 * OF_A_DAY
    assert await count(bench, "policy WHERE partition = 0") == DAYS
    assert await count(bench, "policy WHERE partition = 1") <= 2
    assert await bench.value("SELECT max(version) FROM policy WHERE partition = 1") == DAYS
    assert await count(bench, "outbox WHERE partition = 0") in {7, 8}
    assert await count(bench, "outbox WHERE partition = 1") == DAYS, "not sent yet"
    assert await count(bench, "inbound") in {7, 8}
    assert await count(bench, "backfill") in {7, 8}
    assert await count(bench, "customers") == DAYS, "the truth"
    await log.close()
    await kernel.close()


async def test_the_audit_trail_ends_where_it_is_told_to(bench: Bench):
    kernel = bench.kernel(partitions=PARTITIONS, audit_days=30, quarantine_days=10)
    await a_year_of(bench)
    await trim(kernel)
    assert await count(bench, "audit") == 30 * OF_A_DAY
    assert await count(bench, "quarantine WHERE status = 'discarded'") == 10 * OF_A_DAY
    await kernel.close()


def test_every_table_stands_in_the_list_of_what_grows():
    tables = set(log_metadata.tables)
    for name in (*migrations.SERVICES, "access"):
        package = "shared" if name == "access" else "services"
        tables |= set(importlib.import_module(f"{package}.{name}.tables").metadata.tables)
    page = (ROOT / "docs/operating.md").read_text()
    [listed] = re.findall(r"## What grows\n(.*?)\n## ", page, re.DOTALL)
    named = set(re.findall(r"`([a-z_]+)`", listed))
    assert tables - named == set()
