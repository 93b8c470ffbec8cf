"""`python -m deploy.prometheus.targets`: tells Prometheus where the processes of the local run are.

It reads `.local/processes.json` and writes `.local/prometheus/targets.json`, which `prometheus.yml` beside this file
names. Prometheus notices by itself when it changes; processes that are started again keep their address. Exit codes:
0 written, 1 one sentence on standard error says why not.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.local.processes import alive
from deploy.local.state import local_folder, write_atomically

_KINDS = frozenset({"api", "worker"})
"""What has /metrics. The origin, the servers and the demo have none."""

Process = Mapping[str, Any]
"""An entry of `processes.json`: name, pid, address, log."""


def targets(processes: Sequence[Process]) -> list[dict[str, Any]]:
    """Prometheus' file_sd: one group for each process that has metrics, with the labels service and process."""
    groups = []
    for process in processes:
        service, _, kind = process["name"].rpartition("-")
        if process["address"] and service and kind in _KINDS:
            place = urlsplit(process["address"]).netloc
            groups.append({"targets": [place], "labels": {"service": service, "process": kind}})
    return groups


def running(path: Path) -> Sequence[Process]:
    """The processes of the run that is going on; none where there is no run, or it was killed."""
    try:
        listed: Sequence[Process] = json.loads(path.read_text())["processes"]
    except FileNotFoundError:
        return ()
    supervisors = [process["pid"] for process in listed if process["name"] == "supervisor"]
    return listed if any(map(alive, supervisors)) else ()


def main() -> int:
    local = local_folder()
    groups = targets(running(local / "processes.json"))
    if not groups:
        print("nothing runs here: start make run, then try again.", file=sys.stderr)
        return 1
    path = local / "prometheus" / "targets.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(groups, indent=1) + "\n")
    print(f"{path}: {len(groups)} processes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
