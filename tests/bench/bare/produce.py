"""aiokafka's `send_batch` of lines of a file, 500 a batch, four batches in flight; prints the seconds.

A record has a key and the two headers that ours have on `inbound`: the same bytes, of which none is looked at.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import AIOKafkaProducer

SIZE = 500
IN_FLIGHT = 4
KEY = b"member_no:M1234"
HEADERS = [
    ("content-type", b"application/cloudevents+json; charset=UTF-8"),
    ("signature", bytes(16)),
]


async def main(servers: str, topic: str, partitions: int, lines: list[bytes]) -> float:
    producer = AIOKafkaProducer(
        bootstrap_servers=servers,
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        max_batch_size=900_000,
    )
    await producer.start()
    await producer.send_and_wait(topic, b"{}", partition=0)  # connected, and the topic known
    batches = enumerate([lines[n : n + SIZE] for n in range(0, len(lines), SIZE)])

    async def fill() -> None:
        for number, batch in batches:
            building: Any = producer.create_batch()
            for line in batch:
                building.append(key=KEY, value=line, timestamp=None, headers=HEADERS)
            sent = await producer.send_batch(building, topic, partition=number % partitions)
            await sent

    began = time.perf_counter()
    await asyncio.gather(*(fill() for _ in range(IN_FLIGHT)))
    seconds = time.perf_counter() - began
    await producer.stop()
    return seconds


if __name__ == "__main__":
    servers, topic, partitions, file = sys.argv[1:]
    lines = Path(file).read_bytes().splitlines()
    print(json.dumps(uvloop.run(main(servers, topic, int(partitions), lines))))
