"""One rebuild, in a process of its own, over the first records of a topic.

    python -m tests.bench.rebuild_program '{"service": "profile", "log": ..., "database": ..., ...}' [ORDER]

With an order it is one of the processes that help. Prints one line of JSON: seconds from the start until the new rows
serve, and those of the swap.
"""

import json
import os
import sys
import time
from dataclasses import replace
from typing import Any

import msgspec

from shared import logging
from shared.filling import Help, Order, help_fill
from shared.http.serving import run
from shared.kernel import Kernel, open_kernel
from shared.rebuild import Rebuild, collecting_rarely
from shared.settings import KernelSettings, ServiceSettings
from tests.bench.events import PARTITIONS
from tests.bench.loop_program import Bounded, service_of


def opened(task: dict[str, Any]) -> Kernel:
    """What a rebuild needs."""
    settings = KernelSettings(
        event_log_url=task["log"],
        namespace=task["namespace"],
        partitions=PARTITIONS,
        inbound_secret="bench",
        log_level="WARNING",
    )
    own = ServiceSettings(database_url=task["database"])
    kernel = open_kernel(service_of(task["service"]), "rebuild", settings, own)
    log = Bounded(kernel.log, task["limits"])
    return replace(kernel, log=log)


async def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Until the new rows serve."""
    kernel = opened(task)
    command = (sys.executable, "-m", "tests.bench.rebuild_program", json.dumps(task))
    helped = Help(min(os.cpu_count() or 1, PARTITIONS) - 1, command)
    said: list[tuple[str, float]] = []
    began = time.perf_counter()
    try:
        await Rebuild(kernel, lambda words: said.append((words, time.perf_counter())), helped).run()
    finally:
        await kernel.close()
    at = dict(said)
    return {
        "events": sum(task["limits"]),
        "seconds": at["the new rows serve"] - began,
        "swap": at["the new rows serve"] - at["taking over"],
    }


async def help_(task: dict[str, Any], order: str) -> None:
    """Fold a share."""
    kernel = opened(task)
    try:
        async with collecting_rarely():
            await help_fill(kernel, msgspec.json.decode(order, type=Order))
    finally:
        await kernel.close()


if __name__ == "__main__":
    logging.configure(service="bench", process="rebuild", level="WARNING")

    async def main() -> None:
        task = json.loads(sys.argv[1])
        if len(sys.argv) > 2:
            await help_(task, sys.argv[2])
        else:
            print(json.dumps(await measure(task)))

    run(main())
