"""Which log a database belongs to, and whose database it is: written down at the first start, compared at every one.

A worker that was given the address of another service's database, or of another installation's log, would fold
strangers' events into it and send what it makes of them to everybody. It refuses instead, before it writes anything.
"""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.audit import CHANGING
from shared.database import Connection
from shared.errors import Unavailable, is_passing
from shared.kernel import Kernel
from shared.log import Misconfigured
from shared.logging import get_logger

START_SECONDS = 5.0
ASK_SECONDS = 15.0
"""Less than an answer may take: the first change at a log that is being made waits for it."""

DOCUMENT = "docs/operating.md#going-back-in-time"

_log = get_logger(__name__)


async def belong(kernel: Kernel, *, with_log: bool = True) -> None:
    """Write down what this database belongs to, or raise `Misconfigured` where it belongs to something else.

    A database that was in use before anybody asked is taken for what it says now. `with_log`: only who writes to
    the log, or sends to it, has to know which it is.
    """
    told = {"service": kernel.service.name, "partitions": str(kernel.settings.partitions)}
    if with_log:
        made = await kernel.log.genesis()
        told |= {"log": made.uuid, "partitions": str(made.partitions)}
    if kernel.settings.keyring_url:
        told["keyring"] = await kernel.keyring.uuid()
    async with kernel.database.transaction() as conn:
        known = await _known(conn, told)
    for name, value in told.items():
        if known[name] != value:
            raise Misconfigured(_sentence(name, database=known[name], found=value))


async def _known(conn: Connection, told: dict[str, str]) -> dict[str, str]:
    """What the database says; what it did not say yet it says now."""
    rows = await conn.fetch("SELECT name, value FROM meta")
    known = {row["name"]: row["value"] for row in rows}
    if any(known.get(name, value) != value for name, value in told.items()):
        return told | known  # nothing is written into a stranger's database
    if told.keys() - known.keys():
        await conn.execute(
            "INSERT INTO meta SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING",
            list(told),
            list(told.values()),
        )
        rows = await conn.fetch("SELECT name, value FROM meta")
    return {row["name"]: row["value"] for row in rows}


def _sentence(name: str, *, database: str, found: str) -> str:
    words = {
        "log": f"this database belongs to the log {database}, but the log here is {found}",
        "keyring": f"this database belongs to the keyring {database}, but the one here is {found}",
        "service": f"this database is that of {database}, not that of {found}",
        "partitions": f"this database was made for {database} partitions, PARTITIONS says {found}",
    }
    return f"{words[name]}: nothing was written; see {DOCUMENT}"


async def _ask(kernel: Kernel, seconds: float) -> None:
    """Of the APIs only that with the door writes to the log; the others leave it to their workers."""
    door = kernel.service.name == "interaction"
    async with asyncio.timeout(seconds):
        if door:
            await kernel.log.check()
        await belong(kernel, with_log=door)


async def refuse(kernel: Kernel) -> None:
    """End an API that was started with a wrong address, with one sentence. What is away now is asked again later,
    before the first change (`Belonging`)."""
    try:
        await _ask(kernel, START_SECONDS)
    except Misconfigured as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from error
    except Exception as error:  # noqa: BLE001 - the process starts, and says what is missing
        _log.warning("belonging unknown", error=type(error).__name__)


class Belonging:
    """The innermost layer of an API: nothing is changed before it is known whose database this is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._known = False
        self._asking = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._known and scope["type"] == "http" and scope["method"] in CHANGING:
            async with self._asking:
                await self._learn(scope["app"].state.kernel)
        await self._app(scope, receive, send)

    async def _learn(self, kernel: Kernel) -> None:
        """Raises `Unavailable`."""
        if self._known:
            return
        try:
            await _ask(kernel, ASK_SECONDS)
        except Misconfigured as error:
            _log.critical("wrong database", reason=str(error))
            raise Unavailable("unavailable") from error
        except Exception as error:
            if not is_passing(error):
                raise
            raise Unavailable("unavailable") from error
        self._known = True
