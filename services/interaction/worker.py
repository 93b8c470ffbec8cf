"""The worker process of interaction: resolves `inbound` and `backfill`, keeps the timeline, ticks the clock."""

from services.interaction.resolver import Resolver
from services.interaction.service import SERVICE
from services.interaction.settings import Settings
from shared.kernel import Kernel
from shared.loop.worker import MakeHandler
from shared.roots import run_worker


def resolving(kernel: Kernel) -> MakeHandler:
    """The handler of `inbound` and of `backfill`."""
    return lambda leases, company: Resolver(kernel, leases, company)


if __name__ == "__main__":
    run_worker(SERVICE, Settings(), inbound=resolving)
