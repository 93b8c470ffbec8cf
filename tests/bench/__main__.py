"""`make bench`: measure, and write what was found into docs/performance.md.

    python -m tests.bench                QUICK=1: a few minutes instead of an hour. ONLY=P1,P4: some of it.

ONLY leaves the page as it is and prints; so does NOWRITE=1. KEEP=1 leaves the measured figures as JSON beside it.
"""

import asyncio
import importlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared import logging
from tests.bench.runner import Measured, Sizes, load, say
from tests.bench.servers import Servers, open_servers
from tests.bench.table import about, table, write_page

MODULES = {
    "P1": "p01_loop",
    "P2": "p02_quix",
    "P3": "p03_faststream",
    "P4": "p04_ingest_batches",
    "P5": "p05_ingest_single",
    "P6": "p06_reads",
    "P7": "p07_latency",
    "P8": "p08_rebuild",
    "P9": "p09_models",
    "P10": "p10_growth",
    "P11": "p11_whole_way",
}
PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "performance.md"


def chosen(only: str) -> list[str]:
    """The keys that ONLY names, in their order. Raises SystemExit for one that there is not."""
    wanted = {key.strip().upper() for key in only.split(",") if key.strip()}
    unknown = wanted - MODULES.keys()
    if unknown:
        raise SystemExit(f"ONLY knows {', '.join(MODULES)}; not {', '.join(sorted(unknown))}.")
    return [key for key in MODULES if not wanted or key in wanted]


async def run(
    bench: Servers, sizes: Sizes, keys: Sequence[str]
) -> tuple[list[Measured], dict[str, str]]:
    """What was measured, and what failed with which words: one that fails does not end the others."""
    found: list[Measured] = []
    failed: dict[str, str] = {}
    for key in keys:
        say(f"{key} (load {load():.1f})")
        started = time.monotonic()
        try:
            module = importlib.import_module(f"tests.bench.{MODULES[key]}")
            measured: list[Measured] = await module.measure(bench, sizes)
            say(table(measured, {}))
            found += measured
        except Exception as error:  # noqa: BLE001 - said in the table
            failed[key] = f"{type(error).__name__}: {error}".strip().splitlines()[-1]
            say(f"  {key} failed: {failed[key]}")
        say(f"{key} took {time.monotonic() - started:.0f} s")
    return found, failed


async def main(environment: Mapping[str, str], page: Path = PAGE) -> int:
    """0 where everything could be measured; goals that were missed are said, and are no failure."""
    name = "tiny" if environment.get("TINY") else "quick" if environment.get("QUICK") else "full"
    sizes = Sizes("tiny" if name == "tiny" else "quick" if name == "quick" else "full")
    only = environment.get("ONLY", "")
    keys = chosen(only)
    started = time.monotonic()
    async with open_servers() as bench:
        found, failed = await run(bench, sizes, keys)
    said = about(sizes, time.monotonic() - started)
    text = table(found, failed)
    print(f"\n{said}\n\n{text}")
    if not only and not environment.get("NOWRITE"):
        write_page(page, said, text)
        print(f"\nWritten to {page}.")
    return 1 if failed else 0


if __name__ == "__main__":
    logging.configure(service="bench", process="bench", level="WARNING")
    sys.exit(asyncio.run(main(os.environ)))
