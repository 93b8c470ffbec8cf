"""One rebuild, in a process of its own, over the first records of a topic.

    python -m tests.bench.rebuild_program '{"service": "profile", "log": ..., "database": ..., ...}'

Prints one line of JSON: seconds from the start until the new rows serve, and those of the swap.
"""

import json
import sys
import time
from dataclasses import replace
from typing import Any

from shared import logging
from shared.http.serving import run
from shared.kernel import open_kernel
from shared.rebuild import Rebuild
from shared.settings import KernelSettings, ServiceSettings
from tests.bench.events import PARTITIONS
from tests.bench.loop_program import Bounded, service_of


async def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Until the new rows serve."""
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
    kernel = replace(kernel, log=log)
    said: list[tuple[str, float]] = []
    began = time.perf_counter()
    try:
        await Rebuild(kernel, lambda words: said.append((words, time.perf_counter()))).run()
    finally:
        await kernel.close()
    at = dict(said)
    return {
        "events": sum(task["limits"]),
        "seconds": at["the new rows serve"] - began,
        "swap": at["the new rows serve"] - at["taking over"],
    }


if __name__ == "__main__":
    logging.configure(service="bench", process="rebuild", level="WARNING")

    async def main() -> None:
        print(json.dumps(await measure(json.loads(sys.argv[1]))))

    run(main())
