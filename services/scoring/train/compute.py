"""The work of one training in a process of its own: `python -m services.scoring.train.compute`.

One line of JSON comes in (`Order`); lines go out: how far it is (`{"progress": 0.4}`), then the model
or why there is none. It touches no database but the log, and ends when its parent does. Whoever starts
it sees to it that numbers are summed by one thread (`running.compute`): the order of many would change
the last digits from run to run.
"""

import asyncio
import os
import sys
import threading
from typing import Any

import msgspec
import orjson

from services.scoring.train.candidate import train
from services.scoring.train.errors import CannotTrain
from services.scoring.train.order import Order
from services.scoring.train.reading import Progress, gather
from shared.failpoints import hit
from shared.log import open_log

NICE = 10
READING = 0.4
"""The share of the work that is done when the log is read."""


class _Reading(Progress):
    def tell(self) -> None:
        if self.total:
            _say(progress=round(READING * min(self.done / self.total, 1.0), 3))


def _say(**what: Any) -> None:
    sys.stdout.write(orjson.dumps(what).decode() + "\n")
    sys.stdout.flush()


async def _candidate(order: Order) -> bytes:
    log = open_log(
        order.event_log_url,
        namespace=order.namespace,
        partitions=order.partitions,
        replication=order.replication,
        client="scoring-train",
    )
    try:
        ends = await log.ends("customers")
        if order.position is not None:
            ends = {int(partition): offset for partition, offset in order.position.items()}
        gathering = await gather(log, ends, _Reading())
    finally:
        await log.close()
    hit("train.read")
    facts = gathering.facts()
    return train(facts, order.seed, ends, lambda share, _: _say(progress=round(share, 3)))


def _end_with_parent() -> None:
    """The parent holds the other end of our standard input: where it is gone, so is whoever asked."""
    sys.stdin.buffer.read()
    os._exit(3)


def main() -> int:
    """0 with a model; 2 where there cannot be one, and why on standard output."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICE)
    try:
        made = asyncio.run(_candidate(order))
    except CannotTrain as error:
        _say(code=error.code, context=error.context)
        return 2
    _say(model=made.decode())
    return 0


if __name__ == "__main__":
    sys.stdout.flush()
    status = main()
    sys.stdout.flush()
    os._exit(status)
