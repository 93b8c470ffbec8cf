"""A load generator in a process of its own: raw HTTP/1.1 over keep-alive connections, as many requests at once as it
has connections, or so many a second whatever the answers take.

It knows just enough of HTTP to be no bottleneck: a request is bytes that were made beforehand, an answer is its
status and its length. Latency is counted from the moment at which a request is sent, or, at a given rate, at which it
should have been: who waits for a slow answer waits longer, not less often.
"""

import asyncio
import contextlib
import json
import signal
import statistics
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import uvloop

ROOT = Path(__file__).parent.parent.parent
MOST_CONNECTIONS = 256
_LENGTH = struct.Struct("<I")
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of it. Milliseconds; `seconds` from the first request sent to the last answer."""

    requests: int
    seconds: float
    p50: float
    p99: float
    statuses: Mapping[str, int]

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def all_good(self) -> "Answered":
        """Itself; raises where an answer was not 200, for then nothing was measured."""
        if set(self.statuses) != {"200"}:
            raise RuntimeError(f"not every answer was 200: {dict(self.statuses)}")
        return self


def request(
    method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> bytes:
    """The bytes of one request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + _END + body


@contextlib.asynccontextmanager
async def sending(
    port: int,
    requests: Iterable[bytes],
    *,
    connections: int,
    total: int | None = None,
    rate: float | None = None,
) -> AsyncIterator["Sending"]:
    """Requests on their way while the block runs: in order, from the start again after the last one.

    `total`: each of them once, where it is not given. `rate`: a second; else as fast as they are answered.
    """
    with tempfile.NamedTemporaryFile(prefix="tenure-bench-") as file:
        count = 0
        for one in requests:
            file.write(_LENGTH.pack(len(one)) + one)
            count += 1
        file.flush()
        plan = {
            "port": port,
            "file": file.name,
            "connections": connections,
            "total": count if total is None else total,
            "rate": rate,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.client", json.dumps(plan), cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            yield Sending(process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


class Sending:
    """Requests on their way."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def done(self) -> Answered:
        """When the last one is answered."""
        said, _ = await self._process.communicate()
        if self._process.returncode:
            raise RuntimeError("the load generator failed")
        return Answered(**json.loads(said))

    async def stop(self) -> Answered:
        """Send no more; those that are out are answered still."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        return await self.done()


async def send(port: int, requests: Iterable[bytes], **how: Any) -> Answered:
    """Send them all, and answer what came of it. Raises where one is not answered with 200."""
    async with sending(port, requests, **how) as on_their_way:
        return (await on_their_way.done()).all_good()


# The process itself ------------------------------------------------------------------------------


class _Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._missing = -1
        self._status = ""
        self._answered: asyncio.Future[str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result("lost")

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._buffer += data
            end = self._buffer.find(_END)
            if end < 0:
                return
            head = self._buffer[:end].lower()
            self._status = head[9:12].decode()
            at = head.find(b"content-length:")
            if at < 0:
                raise RuntimeError("an answer without its length")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            self._missing = length - (len(self._buffer) - end - len(_END))
            self._buffer = b""
        else:
            self._missing -= len(data)
        if self._missing == 0:
            self._missing = -1
            if self._answered is not None and not self._answered.done():
                self._answered.set_result(self._status)

    async def ask(self, sent: bytes) -> str:
        """The status of the answer."""
        assert self._transport is not None, "connected"
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(sent)
        return await self._answered


class _Generator:
    """What the connections have in common: which request is next, when it is due, how long the answers took."""

    def __init__(self, requests: Sequence[bytes], total: int, rate: float | None) -> None:
        self._requests = requests
        self._total = total
        self._rate = rate
        self._next = 0
        self._stopped = False
        self.times: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.began = self.ended = 0.0

    def stop(self) -> None:
        self._stopped = True

    async def run(self, port: int, connections: int) -> None:
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(_Connection, "127.0.0.1", port) for _ in range(connections)
        ]
        self.began = loop.time()
        await asyncio.gather(*(self._work(connection) for _, connection in made))
        self.ended = loop.time()

    async def _work(self, connection: _Connection) -> None:
        loop = asyncio.get_running_loop()
        while self._next < self._total and not self._stopped:
            number = self._next
            self._next += 1
            begun = loop.time()
            if self._rate is not None:
                begun = self.began + number / self._rate
                await asyncio.sleep(begun - loop.time())
            status = await connection.ask(self._requests[number % len(self._requests)])
            self.times.append(loop.time() - begun)
            self.statuses[status] += 1
            if status == "lost":
                return


def percentile(times: Sequence[float], percent: int) -> float:
    """Of at least one."""
    return times[0] if len(times) == 1 else statistics.quantiles(times, n=100)[percent - 1]


def _read(path: str) -> list[bytes]:
    data = Path(path).read_bytes()
    found, at = [], 0
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        found.append(data[at : at + length])
        at += length
    return found


async def _main(plan: Mapping[str, Any]) -> None:
    generator = _Generator(_read(plan["file"]), plan["total"], plan["rate"])
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, generator.stop)
    await generator.run(plan["port"], min(plan["connections"], MOST_CONNECTIONS))
    times = [1000 * seconds for seconds in generator.times]
    told = {
        "requests": len(times),
        "seconds": generator.ended - generator.began,
        "p50": percentile(times, 50),
        "p99": percentile(times, 99),
        "statuses": generator.statuses,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    uvloop.run(_main(json.loads(sys.argv[1])))
