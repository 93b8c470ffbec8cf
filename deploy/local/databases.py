"""The databases of one installation and the variables that name them."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from deploy.local.errors import StartFailed

SERVICES = ("interaction", "profile", "scoring", "campaign")
DATABASES = ("log", "access", "keyring", *SERVICES)


def database_name(name: str, namespace: str) -> str:
    return f"{namespace}.{name}" if namespace else name


def database_variables(urls: Mapping[str, str]) -> dict[str, str]:
    """Environment of a child, from the addresses of `DATABASES`; the log is PostgreSQL's."""
    variables = {f"{service.upper()}_DATABASE_URL": urls[service] for service in SERVICES}
    return {
        "EVENT_LOG_URL": urls["log"],
        "ACCESS_URL": urls["access"],
        "KEYRING_URL": urls["keyring"],
        **variables,
    }


def url_of(server: str, database: str) -> str:
    """The server's address with another database's name; user, password and options stay."""
    return urlunsplit(urlsplit(server)._replace(path="/" + quote(database, safe="")))


def create_databases(server: str, names: Sequence[str]) -> None:
    """Makes those that are missing, on a server that somebody else runs.

    `server` names a database that exists (usually `postgres`). Raises StartFailed."""
    try:
        asyncio.run(_create(server, names))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        place = urlsplit(server).hostname or "there"
        raise StartFailed(f"DATABASE_URL: no databases could be made at {place}: {error}") from None


async def _create(server: str, names: Sequence[str]) -> None:
    connection = await asyncpg.connect(server, timeout=10)
    try:
        for name in names:
            found = "SELECT 1 FROM pg_database WHERE datname = $1"
            if await connection.fetchval(found, name) is None:
                quoted = name.replace('"', '""')
                with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                    await connection.execute(f'CREATE DATABASE "{quoted}"')
    finally:
        await connection.close()
