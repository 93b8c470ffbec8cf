"""The command line of the demo."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from deploy.demo.display import Display
from deploy.demo.errors import ReplayError
from deploy.demo.replay import Options, run
from shared.clock import edge_clock
from shared.settings import KernelSettings


def _origin(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError("an origin begins with http:// or https://")
    return text.rstrip("/")


def _count(most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text)
        if not 1 <= number <= most:
            raise argparse.ArgumentTypeError(f"must be from 1 to {most}")
        return number

    return parse


def options(arguments: Sequence[str] | None = None) -> Options:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description=__doc__)
    parser.add_argument("--origin", required=True, type=_origin, help="where the API is")
    parser.add_argument("--key-file", required=True, type=Path, help="a file with an API key")
    parser.add_argument("--mode", choices=("full", "small"), default="full")
    parser.add_argument("--state", required=True, type=Path, help="folder for shift and progress")
    parser.add_argument("--processes", required=True, type=Path, help="file naming the processes")
    parser.add_argument("--in-flight", type=_count(64), default=4, help="requests at a time")
    parser.add_argument("--batch", type=_count(2500), default=500, help="most events a request")
    return Options(**vars(parser.parse_args(arguments)))


def main(arguments: Sequence[str] | None = None, now: datetime | None = None) -> int:
    """Replay; returns the exit status."""
    chosen = options(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    display = Display(sys.stdout)
    try:
        run(chosen, now or edge_clock(KernelSettings())(), display)
    except ReplayError as error:
        display.say(f"The replay stopped. {error}")
        return 1
    except KeyboardInterrupt:
        display.say("The replay was interrupted; the next start goes on from there.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
