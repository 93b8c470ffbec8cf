"""The audit trail: who changed what. One row a change, in the database of the service that made it.

Commands that remember their outcome (`shared.commands`) write the row in the transaction that did the work. What is
left, `Auditing` writes behind the answer: no change goes unnoticed because somebody forgot to say it, and none waits
or fails for the sake of its row.

A row says nothing about a customer but the id. Of a path's values, what might be a person's is a keyed digest.
"""

import asyncio
import re
from collections.abc import Mapping
from hashlib import blake2b, sha256
from typing import Any
from uuid import UUID

from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.access import Caller
from shared.database import Connection
from shared.errors import NotFound
from shared.http.routes import Templates
from shared.identity import find_customer
from shared.ids import new_id
from shared.kernel import Kernel
from shared.language.identifiers import TYPES
from shared.logging import get_logger, reason

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
EVENTS = frozenset(
    f"/v1/{name}"
    for name in ("events", "identify", "track", "page", "screen", "group", "alias", "batch")
)
"""Publishing events is no change by a person: the events themselves say who sent them."""

_PATIENCE = 5.0
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._:-]{0,63}|\d{1,6}", re.ASCII)
_NUMBER = re.compile(r"[Cc]\d{10,16}", re.ASCII)
_MANY_DIGITS = re.compile(r"(?:\d[._:-]?){7}", re.ASCII)
_YES = frozenset({"true", "1", "on", "yes", "t", "y"})
_INSERT = """
INSERT INTO audit (id, at, caller_id, caller, method, route, path, subject, status, request_id, key_hash, position)
VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10, $11, $12)
"""

log = get_logger(__name__)


def masked(value: str, secret: str) -> str:
    """A value of a path as the trail may have it: our ids, codes and small numbers as they are; anything else, which
    might be a person's name, address or number, as `digest:` and 16 hexadecimal digits."""
    if _is_id(value) or _NUMBER.fullmatch(value):
        return value
    identifier = value.partition(":")[0] in TYPES and ":" in value
    if _CODE.fullmatch(value) and not identifier and not _MANY_DIGITS.search(value):
        return value
    text = value.encode("utf-8", "surrogatepass")
    return "digest:" + blake2b(text, digest_size=8, key=secret.encode()[:64]).hexdigest()


def _is_id(value: str) -> bool:
    try:
        return str(UUID(value)) == value.lower()
    except ValueError:
        return False


def hash_of_key(key: str) -> bytes:
    """What stands for an Idempotency-Key: its SHA-256."""
    return sha256(key.encode()).digest()


async def keep(
    conn: Connection,
    scope: Scope,
    *,
    status: int,
    subject: str | None,
    position: str | None,
    key: str | None,
) -> None:
    """Write the row of a change, in the transaction of `conn`. What no caller of ours did leaves none."""
    state: dict[str, Any] = scope["state"]
    caller: Caller | None = state.get("caller")
    if caller is None or scope["method"] not in CHANGING:
        return
    kernel: Kernel = scope["app"].state.kernel
    templates: Templates = scope["app"].state.templates
    secret = kernel.settings.inbound_secret
    path = await _path(conn, scope.get("path_params", {}), secret)
    await conn.execute(
        _INSERT,
        new_id(),
        kernel.clock(),
        caller.id,
        caller.name,
        scope["method"],
        templates.of(scope),
        path,
        masked(subject, secret) if subject else path.get("customer"),
        status,
        state.get("request_id"),
        None if key is None else hash_of_key(key),
        position or None,
    )
    state["audited"] = True


async def _path(conn: Connection, params: Mapping[str, Any], secret: str) -> dict[str, str]:
    """The values of a path, the customer's as the id."""
    found = {name: masked(str(value), secret) for name, value in params.items()}
    if "customer" in params:
        try:
            found["customer"] = str(await find_customer(conn, str(params["customer"])))
        except NotFound:
            found["customer"] = masked(f"customer {params['customer']}", secret)
    return found


class Auditing:
    """A layer around everything: what changed something and left no row yet, leaves one when it is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _concerns(scope):
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def sender(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            await send(message)

        try:
            await self._app(scope, receive, sender)
        finally:
            if start is not None and _changed(scope, start):
                await _keep_late(scope, start)


def _concerns(scope: Scope) -> bool:
    """Whether a request may change something that the trail speaks of: no event, no trial, no preview."""
    if scope["method"] not in CHANGING or scope["path"] in EVENTS:
        return False
    trial = QueryParams(scope["query_string"]).get("dry_run", "").lower() in _YES
    return not trial and not scope["path"].endswith("/preview")


def _changed(scope: Scope, start: Message) -> bool:
    state = scope.get("state", {})
    replayed = Headers(raw=start["headers"]).get("idempotent-replay") == "true"
    return 200 <= start["status"] < 300 and not replayed and not state.get("audited")


async def _keep_late(scope: Scope, start: Message) -> None:
    """Write the row in a transaction of its own. Never raises: the change is made and answered."""
    headers = Headers(raw=start["headers"])
    made = headers.get("location", "").rpartition("/")[2]
    state = scope.get("state", {})
    try:
        kernel: Kernel = scope["app"].state.kernel
        async with asyncio.timeout(_PATIENCE), kernel.database.transaction() as conn:
            await keep(
                conn,
                scope,
                status=start["status"],
                subject=made if _is_id(made) else None,
                position=headers.get("tenure-position"),
                key=Headers(scope=scope).get("idempotency-key"),
            )
    except Exception as exc:  # noqa: BLE001  (whatever it is, it comes too late to matter)
        caller: Caller | None = state.get("caller")
        log.error(  # noqa: TRY400  (where it was raised says nothing)
            "audit_row_lost",
            error=reason(exc),
            request_id=state.get("request_id"),
            key=str(caller.id) if caller else None,
        )
