"""A TCP proxy on loopback before one server. What it does to the connections, it does to all of them at once."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_RESET = struct.pack("ii", 1, 0)
_AT_ONCE = 65536


class Proxy:
    """`frozen`: nothing passes, either way. `deaf`: requests pass, answers are thrown away. `delay`: seconds that
    each piece waits."""

    def __init__(self, name: str, connect: Callable[[], Awaitable[Streams]]) -> None:
        self.name = name
        self.port = 0
        self.deaf = False
        self.delay = 0.0
        self._connect = connect
        self._moving = asyncio.Event()
        self._moving.set()
        self._server: asyncio.Server | None = None
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._abandoned: list[asyncio.StreamWriter] = []

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.heal()
        self.reset()
        for client in self._abandoned:
            client.transport.abort()
        if self._server is not None:
            self._server.close()

    def freeze(self) -> None:
        self._moving.clear()

    def heal(self) -> None:
        """From now on everything passes as it comes."""
        self.deaf, self.delay = False, 0.0
        self._moving.set()

    def reset(self) -> None:
        """End every connection with RST."""
        for pair in list(self._pairs):
            for writer in pair:
                with contextlib.suppress(OSError):
                    raw = writer.get_extra_info("socket")
                    if raw is not None and raw.family != socket.AF_UNIX:
                        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
        self._pairs.clear()

    def half_open(self) -> None:
        """The server's ends are closed, and the clients are not told: what they send goes nowhere."""
        for client, server in list(self._pairs):
            self._abandoned.append(client)
            server.transport.abort()
        self._pairs.clear()

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        await self._moving.wait()
        try:
            answers, server = await self._connect()
        except OSError:
            client.transport.abort()
            return
        pair = client, server
        self._pairs.add(pair)
        pumps = [
            asyncio.create_task(self._pump(reader, server, pair, answers=False)),
            asyncio.create_task(self._pump(answers, client, pair, answers=True)),
        ]
        with contextlib.suppress(Exception):
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if pair not in self._pairs and client in self._abandoned:
                await pumps[0]  # it goes on sending, and nobody hears it
        for pump in pumps:
            pump.cancel()
        self._pairs.discard(pair)
        for writer in pair:
            writer.transport.abort() if client in self._abandoned else writer.close()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        *,
        answers: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_AT_ONCE):
                await self._moving.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                if (answers and self.deaf) or pair not in self._pairs:
                    continue
                writer.write(data)
                await writer.drain()
