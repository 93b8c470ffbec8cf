"""Which processes make up an installation, and what each is told."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.databases import SERVICES


@dataclass(frozen=True, slots=True)
class Program:
    """One process of a service: `python -m <module>`, with its port in a variable."""

    name: str
    module: str
    port_variable: str

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", self.module]


def _programs() -> tuple[Program, ...]:
    made: list[Program] = []
    for service in SERVICES:
        upper = service.upper()
        made.append(Program(f"{service}-api", f"services.{service}.app", f"{upper}_PORT"))
        made.append(
            Program(f"{service}-worker", f"services.{service}.worker", f"{upper}_WORKER_PORT")
        )
    return tuple(made)


PROGRAMS = _programs()
ORIGIN = Program("origin", "deploy.local.origin", "ORIGIN_PORT")


def address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def variables(ports: Mapping[str, int], secret: str) -> dict[str, str]:
    """What all children are told besides the databases: ports, addresses, the shared secret."""
    told = {program.port_variable: str(ports[program.name]) for program in PROGRAMS}
    return {
        **told,
        **{f"{service.upper()}_URL": address(ports[f"{service}-api"]) for service in SERVICES},
        "INBOUND_SECRET": secret,
        "PYTHONUNBUFFERED": "1",
        # The processes are the parallelism; numeric libraries would each take every core.
        "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }


def own_variables(program: Program) -> dict[str, str]:
    """A worker's stable name: started again, it takes its own leases back at once."""
    service, _, kind = program.name.partition("-")
    return {"WORKER_NAME": f"local-{service}"} if kind == "worker" else {}


def origin_variables(host: str, port: int, local: Path) -> dict[str, str]:
    return {
        "ORIGIN_HOST": host,
        "ORIGIN_PORT": str(port),
        "ORIGIN_KEY_FILE": str(local / "key"),
        "ORIGIN_PROCESSES_FILE": str(local / "processes.json"),
    }
