"""One process of an installation under chaos: a service's own module, with the waits that are no settings made short.

    python -m tests.chaos.process services.profile.worker

`CHAOS_WITHOUT` names a type of events that this process does not know, as an older version would not.
"""

import asyncio
import faulthandler
import os
import runpy
import signal
import sys
from datetime import timedelta

import shared.database
import shared.log.kafka
import shared.loop.relaying
import shared.loop.runner
from shared import codec
from shared.language import EVENT_TYPES

REQUEST_MS = 2500
PAUSES = timedelta(seconds=1), timedelta(seconds=3)


def _shorten() -> None:
    kafka = shared.log.kafka
    kafka.APPEND_SECONDS = 4.0
    kafka.READ_SECONDS = 4.0
    kafka.START_SECONDS = 4.0
    kafka.IDLE_SECONDS = 4.0
    for name in ("AIOKafkaProducer", "AIOKafkaConsumer"):
        setattr(kafka, name, _quick(getattr(kafka, name)))
    shared.loop.runner.BACKOFF_MOST = 1.0
    shared.loop.runner.STOPPED_SECONDS = 1.0
    shared.loop.relaying.BACKOFF_MOST = 1.0
    shared.database.READ_SECONDS = 3.0
    shared.database.CONNECT_SECONDS = 2.0
    shared.database.ACQUIRE_SECONDS = 2.0


def _hasten(service: str) -> None:
    """What is sent again is so after seconds."""
    if service == "campaign":
        from services.campaign.messaging import deciding

        deciding.PAUSES = PAUSES
        deciding.BEHIND_PAUSE = PAUSES[0]
    elif service == "interaction":
        from services.interaction.webhooks import trying

        trying.DELAYS = (PAUSES[0], *(PAUSES[1] for _ in trying.DELAYS[1:]))


def _quick(client):
    return lambda **options: client(**options | {"request_timeout_ms": REQUEST_MS})


def _forget(type_: str) -> None:
    kind = EVENT_TYPES.pop(type_)
    codec._decoders.pop(kind.dataschema)


def _say_tasks(_signal, _frame) -> None:
    """Where each task waits: what does so for ever says nothing of it."""
    for task in asyncio.all_tasks():
        waits = task.get_coro()
        print(f"{task.get_name()}:", file=sys.stderr)
        while (frame := getattr(waits, "cr_frame", None)) is not None:
            code = frame.f_code
            print(f"  {code.co_filename}:{frame.f_lineno} {code.co_name}", file=sys.stderr)
            waits = waits.cr_await


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1)  # where it stands, where it answers nobody
    signal.signal(signal.SIGUSR2, _say_tasks)
    _shorten()
    _hasten(sys.argv[1].split(".")[1])
    if os.environ.get("CHAOS_WITHOUT"):
        _forget(os.environ["CHAOS_WITHOUT"])
    runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
