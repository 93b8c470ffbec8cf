"""Sending what is due.

A delivery is `sending` before the socket opens, and says who sends it and how long that may take. What became of it is
written by whoever is named there, and nobody else. Of whom nothing is heard in time (a crash), the delivery is due
again, under the same `webhook-id`: at least once.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import cast
from uuid import UUID, uuid4

import structlog

from services.interaction.settings import Settings
from services.interaction.webhooks.bodies import MOST_BYTES, bodies_of
from services.interaction.webhooks.endpoints import FAILING, GONE
from services.interaction.webhooks.patterns import TEST
from services.interaction.webhooks.posting import Post
from services.interaction.webhooks.signing import signed
from services.interaction.webhooks.trying import (
    DELAYS,
    GIVEN_UP,
    TESTED_AT,
    Answer,
    judge,
    most_attempts,
)
from shared import metrics
from shared.database import Connection, Row
from shared.failpoints import hit
from shared.kernel import Kernel
from shared.loop.read_back import ALL_READ_BACK
from shared.service import Task

SECONDS = 0.5
AT_ONCE = 8
"""Of one endpoint: one that is slow holds up nobody else."""
SETTLED_AT_ONCE = 4
"""Transactions: the pool is there for those who fold."""
LOOK_SECONDS = 0.2
TOGETHER_SECONDS = 0.01
OVERDUE = 500

for _why in (GONE, FAILING):  # so that the first one is seen to come
    metrics.webhooks_disabled.labels(_why)

_logger = structlog.get_logger(__name__)

_INTERRUPTED = f"""
WITH late AS (
  SELECT id FROM webhook_delivery WHERE status = 'sending' AND until < now()
  ORDER BY id LIMIT {OVERDUE} FOR UPDATE SKIP LOCKED)
UPDATE webhook_delivery AS d SET
  status = CASE WHEN failed THEN 'failed' ELSE 'pending' END, done_at = CASE WHEN failed THEN $1::timestamptz END,
  next_at = $1, why = 'interrupted', answered = NULL, owner = NULL, until = NULL
FROM (SELECT id, attempts >= CASE WHEN type = '{TEST}' THEN {most_attempts(TEST)} ELSE {len(DELAYS) + 1} END AS failed
      FROM webhook_delivery JOIN late USING (id)) AS one
WHERE d.id = one.id RETURNING failed
"""
_UPTO = f"CASE WHEN w.enabled THEN $1 ELSE timestamptz '{TESTED_AT.isoformat()}' END"
"""Of an endpoint that is disabled only tests, which come before everything else."""
_CLAIM = f"""
WITH due AS (
  SELECT one.id, w.url, w.secrets FROM webhook AS w
  CROSS JOIN LATERAL (
    SELECT count(*) AS under_way FROM webhook_delivery WHERE webhook_id = w.id AND status = 'sending') AS busy
  CROSS JOIN LATERAL (
    SELECT id FROM webhook_delivery
    WHERE webhook_id = w.id AND status = 'pending' AND next_at <= {_UPTO}
    ORDER BY next_at, created_at LIMIT greatest(0, {AT_ONCE} - under_way) FOR UPDATE SKIP LOCKED) AS one
  WHERE w.deleted_at IS NULL AND {ALL_READ_BACK})
UPDATE webhook_delivery AS d SET
  status = 'sending', attempts = attempts + 1, tried_at = $1, owner = $2, until = now() + make_interval(secs => $3)
FROM due WHERE d.id = due.id RETURNING d.*, due.url, due.secrets
"""
_GIVE_BACK = """
UPDATE webhook_delivery SET status = 'pending', attempts = attempts - 1, owner = NULL, until = NULL
WHERE id = ANY($1) AND owner = $2 AND status = 'sending'
"""
_SETTLE = """
UPDATE webhook_delivery SET
  status = $3, next_at = coalesce($4, next_at), done_at = CASE WHEN $3 <> 'pending' THEN $5::timestamptz END,
  answered = $6, why = $7, owner = NULL, until = NULL
WHERE id = $1 AND owner = $2 AND status = 'sending' RETURNING 1
"""
_PENDING = f"""
SELECT EXISTS (SELECT FROM webhook AS w JOIN webhook_delivery AS d ON d.webhook_id = w.id
  WHERE d.status = 'pending' AND d.next_at <= {_UPTO} AND w.deleted_at IS NULL)
 OR EXISTS (SELECT FROM webhook_delivery WHERE status = 'sending')
"""


async def send_due(kernel: Kernel) -> None:
    """Until nothing is due and nothing under way."""
    sending = Sending(kernel)
    first = await sending.claim()
    if first:
        await sending.run(first)


class Sending:
    """One run: whatever it claims is its own."""

    def __init__(self, kernel: Kernel) -> None:
        own = cast("Settings", kernel.own)
        self._kernel = kernel
        self._token = uuid4()
        self._seconds = own.webhooks_seconds
        self._private = own.webhooks_private
        self._settling = asyncio.Semaphore(SETTLED_AT_ONCE)

    async def claim(self) -> Sequence[Row]:
        """What is due now, of every endpoint as much as it may have at once."""
        now = self._kernel.clock()
        async with self._kernel.database.transaction() as conn:
            for row in await conn.fetch(_INTERRUPTED, now):
                outcome = "failed" if row["failed"] else "interrupted"
                metrics.webhook_attempts.labels(outcome).inc()
            claimed = await conn.fetch(_CLAIM, now, self._token, 2 * self._seconds)
        if claimed:
            hit("webhook.claimed")
        return claimed

    async def run(self, claimed: Sequence[Row]) -> None:
        """Send these, and what becomes due meanwhile."""
        error: Exception | None = None
        async with (
            Post(private=self._private, seconds=self._seconds) as post,
            asyncio.TaskGroup() as group,
        ):
            under_way: set[asyncio.Task[None]] = set()
            while claimed or under_way:
                try:
                    bodies = await self._bodies(claimed)
                    under_way |= {
                        group.create_task(self._do(post, one, bodies.get(one["id"])))
                        for one in claimed
                    }
                    _, under_way = await asyncio.wait(
                        under_way, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                    )
                    # Who came back with others makes room for several.
                    await asyncio.sleep(TOGETHER_SECONDS)
                    claimed = await self.claim()
                except Exception as found:  # noqa: BLE001 - what is under way comes to its end first
                    error = found
                    break
        if error is not None:
            raise error

    async def _bodies(self, claimed: Sequence[Row]) -> dict[UUID, bytes]:
        if not claimed:
            return {}
        try:
            return await bodies_of(self._kernel, claimed)
        except Exception:
            async with self._kernel.database.connection() as conn:
                await conn.execute(_GIVE_BACK, [one["id"] for one in claimed], self._token)
            raise

    async def _do(self, post: Post, one: Row, body: bytes | None) -> None:
        """One attempt, and what becomes of it. Who cannot write that down has crashed, as far as others know."""
        began = time.monotonic()
        answer = await self._try(post, one, body)
        hit("webhook.answered")
        try:
            async with self._settling, self._kernel.database.transaction() as conn:
                outcome = await self._settle(conn, one, answer)
        except Exception as error:
            _logger.warning("webhook_not_settled", delivery=str(one["id"]), exc_info=error)
            return
        metrics.webhook_attempts.labels(outcome).inc()
        metrics.webhook_seconds.labels(outcome).observe(time.monotonic() - began)

    async def _try(self, post: Post, one: Row, body: bytes | None) -> Answer:
        if body is None:
            return Answer("not_there")
        if len(body) > MOST_BYTES:
            return Answer("body_too_large")
        installation = self._kernel.settings.inbound_secret
        headers = signed(
            installation,
            one["webhook_id"],
            one["secrets"],
            str(one["id"]),
            body,
            self._kernel.clock(),
        )
        return await post.send(one["url"], body, headers)

    async def _settle(self, conn: Connection, one: Row, answer: Answer) -> str:
        now = self._kernel.clock()
        verdict = judge(one["type"], one["attempts"], answer, now, random.random())  # noqa: S311 - jitter
        mine = await conn.fetchval(
            _SETTLE,
            one["id"],
            self._token,
            verdict.status,
            verdict.next_at,
            now,
            answer.status,
            answer.why,
        )
        if mine is None:
            return "interrupted"
        await self._note(conn, one, answer)
        return "retried" if verdict.status == "pending" else verdict.status

    async def _note(self, conn: Connection, one: Row, answer: Answer) -> None:
        """What it says of the endpoint, as long as that is the one that was tried. A test that fails says nothing."""
        webhook, url, now = one["webhook_id"], one["url"], self._kernel.clock()
        if answer.taken:
            await conn.execute(
                "UPDATE webhook SET failing_since = NULL"
                " WHERE id = $1 AND url = $2 AND failing_since IS NOT NULL",
                webhook,
                url,
            )
        elif answer.gone:
            await self._disable(conn, one, GONE, "true")
        elif one["type"] != TEST:
            await conn.execute(
                "UPDATE webhook SET failing_since = $3"
                " WHERE id = $1 AND url = $2 AND failing_since IS NULL",
                webhook,
                url,
                now,
            )
            await self._disable(conn, one, FAILING, "failing_since <= $5", now - GIVEN_UP)

    async def _disable(
        self, conn: Connection, one: Row, why: str, where: str, *arguments: object
    ) -> None:
        done = await conn.fetchval(
            "UPDATE webhook SET enabled = false, disabled_at = $3::timestamptz, disabled_why = $4"
            f" WHERE id = $1 AND url = $2 AND enabled AND {where} RETURNING 1",
            one["webhook_id"],
            one["url"],
            self._kernel.clock(),
            why,
            *arguments,
        )
        if done is not None:
            metrics.webhooks_disabled.labels(why).inc()
            _logger.warning("webhook_disabled", webhook=str(one["webhook_id"]), reason=why)


async def pending(kernel: Kernel) -> bool:
    """Whether anything is due or under way."""
    async with kernel.database.read() as conn:
        return bool(await conn.fetchval(_PENDING, kernel.clock()))


SENDING = Task(name="webhooks", seconds=SECONDS, run=send_due, pending=pending)
