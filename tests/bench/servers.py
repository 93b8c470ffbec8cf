"""A PostgreSQL and a Kafka of the benchmark's own, in a temporary folder, gone afterwards."""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.account import ELSEWHERE
from deploy.local.kafka import KafkaServer
from deploy.local.postgres import PostgresServer

SHARED_BUFFERS = "1GB"
"""A million customers' rows and their index fit: what is measured is our work, not a small cache."""


@dataclass
class Servers:
    """Real servers with the settings of the local run: fsync and full-page writes on, commits synchronous."""

    folder: Path
    """For whatever a measurement leaves lying about."""
    postgres: PostgresServer
    kafka: KafkaServer
    kept: dict[str, Any] = field(default_factory=dict)
    """What one measurement leaves for another of the same run: preloaded topics, figures."""
    _named: int = 0

    def name(self, prefix: str = "b") -> str:
        """A name that nobody has used here: of a database, a namespace (it fits one), a topic."""
        self._named += 1
        return f"{prefix}{self._named}{secrets.token_hex(3)}"

    def database(self, prefix: str = "b") -> str:
        """The address of a new, empty database."""
        name = self.name(prefix)
        self.postgres.create_database(name)
        return self.postgres.url(name)

    async def copy(self, template: str) -> str:
        """The address of a new database that is a copy of the one at `template`, to which nobody is connected."""
        name = self.name()
        conn = await asyncpg.connect(self.postgres.url("postgres"))
        try:
            await conn.execute(
                f'CREATE DATABASE "{name}" TEMPLATE "{_name_of(template)}" STRATEGY FILE_COPY'
            )
        finally:
            await conn.close()
        return self.postgres.url(name)

    def drop(self, url: str) -> None:
        """Remove a database by its address, whoever is connected."""
        self.postgres.drop_database(_name_of(url))

    def pids(self) -> dict[str, int]:
        """The servers' own processes (PostgreSQL's backends are children of its own)."""
        return {
            name: pid
            for name, pid in (("postgres", self.postgres.pid), ("kafka", self.kafka.pid))
            if pid is not None
        }

    async def topic(self, name: str, partitions: int) -> None:
        """Make a plain topic that keeps what it is given."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap)
        await admin.start()
        try:
            await admin.create_topics(
                [
                    NewTopic(
                        name,
                        partitions,
                        1,
                        topic_configs={
                            "retention.ms": "-1",
                            "message.timestamp.type": "LogAppendTime",
                        },
                    )
                ]
            )
        finally:
            await admin.close()


@contextlib.asynccontextmanager
async def open_servers() -> AsyncIterator[Servers]:
    """Both servers while the block runs."""
    folder = _folder()
    postgres = PostgresServer(folder / "pg", shared_buffers=SHARED_BUFFERS)
    kafka = KafkaServer(folder / "kafka")
    try:
        postgres.start()
        kafka.start()
        yield Servers(folder, postgres, kafka)
    finally:
        with contextlib.suppress(Exception):
            kafka.stop()
        postgres.stop()
        named = folder / "pg" / ELSEWHERE
        if named.exists():
            shutil.rmtree(named.read_text().strip(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _name_of(url: str) -> str:
    return unquote(urlsplit(url).path.removeprefix("/"))


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tenure-bench-"))
    folder.chmod(0o711)  # the server's account goes through it
    return folder


def cores() -> int:
    return len(os.sched_getaffinity(0))
