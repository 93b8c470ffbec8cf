"""Everything that is written down anywhere, and which marks are in it. Of tables every column of every row, as the
server itself writes them: texts and bytes as they are."""

import asyncio
import io
from collections import defaultdict
from urllib.parse import quote

import asyncpg
import orjson

from deploy.local.databases import SERVICES
from tests.chaos.marks import marks_in
from tests.chaos.plant import Plant

NOT_OURS = ("pg_catalog", "information_schema", "chaos")
FOR_SEVEN_DAYS = {("log", "inbound"), ("log", "backfill")}
"""What publishers sent, as they sent it: kept for so long, and no longer, as the receipt says."""
QUARANTINED = " WHERE kind <> 'quarantined'"
"""What nobody could use says nobody whose it is; the receipt has a date for it."""
LISTED = "limit=200"
MOST_PAGES = 100
BY_NAME = {
    "profile": "/v1/customers/",
    "scoring": "/v1/scores/",
    "interaction": "/v1/timelines/",
}

Found = dict[str, set[str]]
"""Marks by the place where they stand."""


async def in_databases(here: Plant) -> Found:
    """By database and table."""
    found: Found = {}
    for name in here.urls:
        if name == "log" and here.kafka is not None:
            continue
        conn = await here.connect(name)
        try:
            for schema, table in await _tables(conn):
                if (name, table) in FOR_SEVEN_DAYS:
                    continue
                where = QUARANTINED if (name, table) == ("interaction", "quarantine") else ""
                text = io.BytesIO()
                await conn.copy_from_query(
                    f'SELECT * FROM "{schema}"."{table}"{where}', output=text, format="binary"
                )
                marks = await asyncio.to_thread(marks_in, text.getvalue())
                found[f"{name}: {table}"] = marks | found.get(f"{name}: {table}", set())
        finally:
            await conn.close()
    return found


async def _tables(conn: asyncpg.Connection) -> list[tuple[str, str]]:
    """But for temporary ones: they are empty after each transaction, and gone when their server fell, though it still
    names them."""
    rows = await conn.fetch(
        "SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname <> ALL($1)"
        " AND n.nspname NOT LIKE 'pg_toast%'",
        list(NOT_OURS),
    )
    return [(row["nspname"], row["relname"]) for row in rows]


def in_logs(here: Plant) -> Found:
    """What the processes have said, by process."""
    return {
        f"log of {path.stem}": marks_in(path.read_bytes())
        for path in (here.folder / "logs").glob("*.log")
    }


class Answers:
    """What the APIs answer: every list there is, and all that may be asked of one customer."""

    def __init__(self, here: Plant) -> None:
        self._here = here
        self.wrong: list[str] = []
        """Errors of ours."""

    async def of_lists(self) -> Found:
        """By path."""
        found: Found = defaultdict(set)
        for service in SERVICES:
            for path in await self._paths(service):
                if "{" not in path:
                    async for text in self._pages(service, path):
                        found[path] |= marks_in(text)
        return dict(found)

    async def of_customer(self, customer: str, *, as_of: str) -> Found:
        """By path; where one may ask how it was, at that time too."""
        found: Found = defaultdict(set)
        for service in SERVICES:
            for path, parameters in (await self._paths(service)).items():
                if path.count("{") != 1 or "{customer}" not in path:
                    continue
                asked = path.replace("{customer}", quote(customer, safe=":@"))
                async for text in self._pages(service, asked):
                    found[path] |= marks_in(text)
                if "as_of" in parameters:
                    for basis in ("business", "recorded"):
                        then = f"{asked}?as_of={quote(as_of)}&basis={basis}"
                        found[f"{path} as of"] |= marks_in((await self._get(service, then))[1])
        return dict(found)

    async def finds(self, identifier: str, *, may_be_others: bool) -> list[str]:
        """Where somebody is found who is called so, though nobody should be; who is called so now must not be one who
        was erased."""
        found = []
        for service, path in BY_NAME.items():
            status, text = await self._get(service, path + quote(identifier, safe=":@"))
            others = may_be_others and status == 200
            if status != 404 and not (others and orjson.loads(text)["erased"] is False):
                found.append(f"{path}: {status} {text[:300]!r}")
        return found

    async def misses(self, identifier: str) -> list[str]:
        """Where nobody is found who is called so, though somebody should be."""
        answers = {
            path: await self._get(service, path + quote(identifier, safe=":@"))
            for service, path in BY_NAME.items()
        }
        return [f"{path}: {status}" for path, (status, _) in answers.items() if status != 200]

    async def _paths(self, service: str) -> dict[str, set[str]]:
        """What can be read, with the names of its parameters."""
        answer = await self._here.http.get(f"{self._here.address(f'{service}-api')}/openapi.json")
        return {
            path: {one.get("name", "") for one in operations["get"].get("parameters", ())}
            for path, operations in answer.json()["paths"].items()
            if "get" in operations and path.startswith("/v1/")
        }

    async def _pages(self, service: str, path: str):
        cursor = ""
        for _ in range(MOST_PAGES):
            status, text = await self._get(
                service, f"{path}?{LISTED}{f'&cursor={quote(cursor)}' if cursor else ''}"
            )
            if status == 422 and not cursor:
                status, text = await self._get(service, path)
            yield text
            if status != 200 or not (cursor := _next(text)):
                return

    async def _get(self, service: str, path: str) -> tuple[int, bytes]:
        answer = await self._here.http.get(f"{self._here.address(f'{service}-api')}{path}")
        if answer.status_code >= 500:
            self.wrong.append(f"O6: GET {path}: {answer.status_code} {answer.text[:300]}")
        return answer.status_code, answer.content


def _next(text: bytes) -> str | None:
    """Where the page after this one begins."""
    said = orjson.loads(text)
    return said.get("next_cursor") if isinstance(said, dict) else None
