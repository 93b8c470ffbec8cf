"""Learn from all orders, once: started by the worker, which waits for it to end."""

import asyncio
import ctypes
import os
import signal
import sys

from services.scoring.offering.task import learn_all
from services.scoring.service import SERVICE
from services.scoring.settings import Settings
from shared import logging
from shared.kernel import Kernel, open_kernel
from shared.settings import KernelSettings

STATEMENT_SECONDS = 600.0
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """Whoever waits for this may be killed: then nobody wants it any more (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    parent = os.environ.get("TENURE_PARENT")
    if parent is not None and os.getppid() != int(parent):
        raise SystemExit(1)


async def _learn(kernel: Kernel) -> None:
    try:
        await learn_all(kernel)
    finally:
        await kernel.close()


def main() -> None:
    """Ends with 0 once what was learnt is kept."""
    _die_with_parent()
    os.nice(10)
    settings = KernelSettings(
        statement_seconds=STATEMENT_SECONDS, idle_in_transaction_seconds=STATEMENT_SECONDS
    )
    logging.configure(service=SERVICE.name, process="offering", level=settings.log_level)
    asyncio.run(_learn(open_kernel(SERVICE, "worker", settings, Settings())))


if __name__ == "__main__":
    main()
