"""`python -m tests.chaos --faults 20 --seed 7 [--kinds 1,3,5] [--log kafka|postgresql] [--report FILE] [--port N]
[--workers N] [--check-every N] [--keep FOLDER]`

Exit code 0: every oracle is content. 1: what is wrong stands on standard output and in the report.
"""

import argparse
import asyncio
import dataclasses
import json
import random
import signal
import sys
from pathlib import Path

from tests.chaos.run import CHECK_EVERY, drawn, run, summary


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.chaos")
    options.add_argument("--faults", type=int, default=20)
    options.add_argument("--seed", type=int, default=random.randrange(10**6))
    options.add_argument("--kinds", default="", help="numbers of the faults, by commas")
    options.add_argument("--log", choices=("kafka", "postgresql"), default="kafka")
    options.add_argument("--report", type=Path, help="a line of JSON about the run is put there")
    options.add_argument("--port", type=int, default=0, help="the first of 100 ports; free ones")
    options.add_argument("--workers", type=int, default=2, help="workers of each service")
    options.add_argument("--check-every", type=int, default=CHECK_EVERY, help="in faults")
    options.add_argument(
        "--keep",
        type=Path,
        help="where anything is wrong: logs, what was sent and databases go there",
    )
    chosen = options.parse_args()
    kinds = [int(number) for number in chosen.kinds.split(",") if number] or None
    print(f"seed {chosen.seed}", flush=True)
    # Servers, folders and disks in memory go when it is ended, however that is done.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    numbers = drawn(chosen.seed, chosen.faults, kinds)
    report = asyncio.run(
        run(
            chosen.seed,
            numbers,
            log=chosen.log,
            first_port=chosen.port,
            workers=chosen.workers,
            check_every=chosen.check_every,
            keep=chosen.keep,
        )
    )
    print(summary(report))
    if chosen.report is not None:
        with chosen.report.open("a") as file:
            file.write(json.dumps(dataclasses.asdict(report)) + "\n")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
