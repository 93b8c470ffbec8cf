"""Bring databases to the schema of this code, or check that the migrations and the tables agree.

    python -m shared.migrations upgrade [NAME...]   log access keyring interaction profile scoring campaign
    python -m shared.migrations check [NAME...]     in databases that have been upgraded
    python -m shared.migrations revision NAME TEXT  write a new migration from the tables
    python -m shared.migrations versions            the versions of all folds, as JSON

Without names: all whose address is known (EVENT_LOG_URL, ACCESS_URL, KEYRING_URL, <NAME>_DATABASE_URL).
"""

import asyncio
import importlib
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import orjson
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

SERVICES = ("interaction", "profile", "scoring", "campaign")
NAMES = ("log", "access", "keyring", *SERVICES)
ROOT = Path(__file__).resolve().parent.parent
_LOCK = 7_203_114


def address(name: str) -> str | None:
    """Where a database is, by the environment; None where there is none (the log may be Kafka)."""
    if name == "log":
        url = os.environ.get("EVENT_LOG_URL", "")
        return url if url.startswith("postgres") else None
    suffix = "DATABASE_URL" if name in SERVICES else "URL"
    return os.environ.get(f"{name.upper()}_{suffix}") or None


def home(name: str) -> Path:
    """The folder of a database's migrations."""
    return ROOT / ("services" if name in SERVICES else "shared") / name / "migrations"


def metadata_of(name: str) -> MetaData:
    """The tables as the code has them."""
    package = "services" if name in SERVICES else "shared"
    found: MetaData = importlib.import_module(f"{package}.{name}.tables").metadata
    return found


def configure(name: str, connection: Connection | None = None) -> Config:
    """Alembic's configuration for one database."""
    config = Config(stdout=sys.stderr)
    config.set_main_option("script_location", str(home(name)))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = metadata_of(name)
    return config


async def _with_connection(url: str, action: Callable[[Connection], None]) -> None:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(url, timeout=5),
        poolclass=NullPool,
    )
    try:
        async with engine.begin() as conn:
            await conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await conn.run_sync(action)
    finally:
        await engine.dispose()


async def upgrade(name: str, url: str) -> None:
    """Bring one database to the newest schema. One process at a time, all or nothing."""
    await _with_connection(url, lambda conn: command.upgrade(configure(name, conn), "head"))


async def check(name: str, url: str) -> None:
    """Raise CommandError where the tables differ from what the migrations make."""
    await _with_connection(url, lambda conn: command.check(configure(name, conn)))


async def revision(name: str, url: str, words: str) -> None:
    """Write a migration that makes the tables what the code says."""
    stamp = datetime.now(UTC).strftime("%Y%m%d_%H%M")
    await _with_connection(
        url,
        lambda conn: _write(name, conn, stamp, words),
    )


def _write(name: str, conn: Connection, stamp: str, words: str) -> None:
    command.revision(configure(name, conn), words, autogenerate=True, rev_id=stamp)


def head(name: str) -> str | None:
    """The newest migration of one database."""
    return ScriptDirectory.from_config(configure(name)).get_current_head()


def versions() -> dict[str, int]:
    """The version of every projection's folds: an installation made with others must be rebuilt."""
    found = {}
    for name in SERVICES:
        service = importlib.import_module(f"services.{name}.service").SERVICE
        found[name] = service.version
        found |= {f"{name}.{one.name}": one.version for one in service.projections}
    return found


async def _each(names: list[str], action: Callable[[str, str], "asyncio.Future[None]"]) -> None:
    for name in names:
        url = address(name)
        if url is not None:
            await action(name, url)
            print(f"{name}: {action.__name__} done", file=sys.stderr)


def main(arguments: list[str]) -> int:
    """Run one of the commands; 0, or 1 with a sentence."""
    match arguments:
        case ["versions"]:
            print(orjson.dumps(versions()).decode())
            return 0
        case ["revision", name, words] if name in NAMES:
            url = address(name)
            assert url is not None, "name the database in the environment"
            asyncio.run(revision(name, url, words))
            return 0
        case ["upgrade" | "check" as what, *names] if set(names) <= set(NAMES):
            try:
                asyncio.run(_each(names or list(NAMES), upgrade if what == "upgrade" else check))  # type: ignore[arg-type]
            except (CommandError, OSError, asyncpg.PostgresError) as error:
                print(f"{what} failed: {error}", file=sys.stderr)
                return 1
            return 0
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
