import asyncio
import signal
import sys

import httpx
import pytest

from shared.http.health import health_app
from shared.http.serving import listen, serve

PROGRAM = """
import asyncio, sys
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from shared.http.serving import run, serve

async def slow(request):
    await asyncio.sleep(float(request.query_params["seconds"]))
    return Response("done")

async def main():
    await serve(Starlette(routes=[Route("/slow", slow)]), "127.0.0.1", int(sys.argv[1]))
    print("stopped", flush=True)

run(main())
"""


def free_port() -> int:
    with listen("127.0.0.1", 0) as sock:
        return sock.getsockname()[1]


async def until_it_answers(url: str) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(20):
        while True:
            try:
                await client.get(url)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_inside_a_worker_until_told_to_stop():
    async def readiness():
        return {"ready": True}

    stop, port = asyncio.Event(), free_port()
    before = signal.getsignal(signal.SIGTERM)
    task = asyncio.create_task(serve(health_app(readiness), "127.0.0.1", port, stop=stop))
    await until_it_answers(f"http://127.0.0.1:{port}/healthz")
    assert signal.getsignal(signal.SIGTERM) is before
    stop.set()
    async with asyncio.timeout(10):
        await task


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_requests_finish(number):
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(port), stdout=asyncio.subprocess.PIPE
    )
    url = f"http://127.0.0.1:{port}/slow"
    await until_it_answers(f"{url}?seconds=0")
    async with httpx.AsyncClient() as client, asyncio.timeout(15):
        request = asyncio.create_task(client.get(f"{url}?seconds=1"))
        hopeless = asyncio.create_task(client.get(f"{url}?seconds=60", timeout=60))
        await asyncio.sleep(0.5)
        process.send_signal(number)
        assert (await request).text == "done"
        out, _ = await process.communicate()
        await asyncio.gather(hopeless, return_exceptions=True)
    assert (process.returncode, out) == (0, b"stopped\n")


def test_a_port_in_use_is_one_sentence():
    with listen("127.0.0.1", 0) as sock:
        sock.listen()
        port = sock.getsockname()[1]
        with pytest.raises(SystemExit) as caught:
            listen("127.0.0.1", port)
    assert caught.value.code == f"Cannot listen on 127.0.0.1:{port}: Address already in use."


def test_an_address_that_is_not_ours():
    with pytest.raises(SystemExit):
        listen("203.0.113.1", 0)
