"""interaction and profile, APIs and workers, in one process that logs everything it can to standard error.

python -m tests.api.logged_process INTERACTION_PORT PROFILE_PORT
"""

import asyncio
import importlib
import sys

from shared import logging
from shared.http.serving import run, serve, stop_on_signals
from shared.kernel import open_kernel
from shared.loop.worker import Worker
from shared.settings import KernelSettings


async def _service(name: str, port: int, stop: asyncio.Event) -> None:
    settings = KernelSettings()
    own = importlib.import_module(f"services.{name}.settings").Settings()
    service = importlib.import_module(f"services.{name}.service").SERVICE
    app = importlib.import_module(f"services.{name}.app").build(own, settings)
    kernel = open_kernel(service, "worker", settings, own)
    inbound = None
    if name == "interaction":
        inbound = importlib.import_module("services.interaction.worker").resolving(kernel)
    working = asyncio.create_task(Worker(kernel, inbound=inbound).run())
    try:
        await serve(app, "127.0.0.1", port, stop=stop)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await kernel.close()


async def main() -> None:
    stop = stop_on_signals()
    ports = zip(("interaction", "profile"), sys.argv[1:], strict=True)
    async with asyncio.TaskGroup() as group:
        for name, port in ports:
            group.create_task(_service(name, int(port), stop))


if __name__ == "__main__":
    logging.configure(service="all", process="all", level="DEBUG")
    run(main())
