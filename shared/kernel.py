"""What a process of a service holds: its database, the log, the clock, the settings."""

from dataclasses import dataclass

from shared.access import Access
from shared.access.tokens import open_tokens
from shared.clock import Clock, edge_clock
from shared.database import Database
from shared.keyring import Keyring
from shared.log import Log, open_log
from shared.service import Service
from shared.settings import KernelSettings, ServiceSettings
from shared.wake import Hint

WORKER_POOL = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """Made once in a composition root, handed to whatever needs it."""

    service: Service
    process: str
    settings: KernelSettings
    own: ServiceSettings
    database: Database
    log: Log
    clock: Clock
    access: Access
    keyring: Keyring
    outbox_hint: Hint

    async def close(self) -> None:
        """Let go of everything."""
        await self.outbox_hint.close()
        await self.log.close()
        await self.access.close()
        await self.keyring.close()
        await self.database.close()


def open_kernel(
    service: Service, process: str, settings: KernelSettings, own: ServiceSettings
) -> Kernel:
    """Nothing is connected yet: a process starts, and says what is missing, while the world is away."""
    worker = process == "worker"
    limits = None
    if worker:
        # A frozen owner must not keep its row locks: the server ends its transaction.
        limits = {
            "statement_timeout": str(int(settings.statement_seconds * 1000)),
            "idle_in_transaction_session_timeout": str(
                int(settings.idle_in_transaction_seconds * 1000)
            ),
            "lock_timeout": "5000",
            "tcp_keepalives_idle": "10",
        }
    database = Database(
        own.database_url,
        name=f"{service.name} {process}",
        size=WORKER_POOL if worker else own.pool_size,
        limits=limits,
    )
    return Kernel(
        service=service,
        process=process,
        settings=settings,
        own=own,
        database=database,
        log=open_log(
            settings.event_log_url,
            namespace=settings.namespace,
            partitions=settings.partitions,
            replication=settings.replication,
            client=f"{service.name}-{process}",
        ),
        clock=edge_clock(settings),
        access=Access(settings.access_url, tokens=open_tokens(settings)),
        keyring=Keyring(
            settings.keyring_url,
            seconds=settings.keyring_seconds,
            name=f"{service.name} {process} keyring",
        ),
        outbox_hint=Hint(database, "outbox"),
    )


async def caught_up(kernel: Kernel) -> bool:
    """Whether everything that stands on the log is folded."""
    ends = await kernel.log.ends("customers")
    async with kernel.database.read() as conn:
        rows = await conn.fetch(
            "SELECT partition, next_offset FROM checkpoint WHERE topic = 'customers' AND version = $1",
            kernel.service.version,
        )
    return all(row["next_offset"] >= ends[row["partition"]] for row in rows)
