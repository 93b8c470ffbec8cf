"""A customer's row as it stands, by its id: bare ASGI, asyncpg with its default pool, the packed view as JSON."""

import sys
from typing import Any

import asyncpg
import msgspec
import uvicorn

QUERY = "SELECT customer_id, head, parts, view, told, orders FROM profile WHERE customer_id = $1"


class App:
    """GET /<id>."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self._pool = await asyncpg.create_pool(self._url)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self._pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        assert self._pool is not None, "started"
        row = await self._pool.fetchrow(QUERY, scope["path"].rpartition("/")[2])
        fields = dict(row) | {
            "customer_id": str(row["customer_id"]),
            "head": str(row["head"]),
            "view": msgspec.msgpack.decode(row["view"]),
            "told": msgspec.msgpack.decode(row["told"]),
        }
        body = msgspec.json.encode(fields)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        App(sys.argv[2]), port=int(sys.argv[1]), loop="uvloop", http="httptools", lifespan="on",
        access_log=False, log_level="warning",
    )  # fmt: skip
