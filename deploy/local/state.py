"""Everything the local run keeps, under `.local/`."""

import contextlib
import json
import os
import secrets
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.local.account import ELSEWHERE
from deploy.local.ports import free_port, is_free

ROOT = Path(__file__).parent.parent.parent


def local_folder() -> Path:
    """`.local/` of this checkout; LOCAL_DIR names another one, for a second run beside it."""
    named = os.environ.get("LOCAL_DIR")
    return Path(named).absolute() if named else ROOT / ".local"


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """The file has the old content or the new one, also when we are killed in between."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)


def kept_secret(path: Path) -> str:
    """A random text that is made once and readable for its owner only."""
    with contextlib.suppress(FileNotFoundError):
        kept = path.read_text().strip()
        if kept:
            return kept
    made = f"tn_{secrets.token_urlsafe(24)}"  # an API key by its looks
    write_atomically(path, f"{made}\n", mode=0o600)
    return made


def kept_ports(path: Path, names: Sequence[str], taken: Sequence[int]) -> dict[str, int]:
    """A loopback port for each name, the same as last time where nobody else has it now."""
    kept: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    ports: dict[str, int] = {}
    for name in names:
        port = kept.get(name, 0)
        used = {*taken, *ports.values()}
        ports[name] = port if port and port not in used and is_free(port) else free_port(used)
    write_atomically(path, json.dumps(ports, indent=1))
    return ports


def write_processes(path: Path, origin: str, processes: Sequence[Mapping[str, Any]]) -> None:
    """Names every process with its pid, address and log, for people and for tests."""
    write_atomically(path, json.dumps({"origin": origin, "processes": processes}, indent=1) + "\n")


def write_environment(path: Path, variables: Mapping[str, str]) -> None:
    """The addresses of log and databases, for a shell: `. .local/environment`. For its owner only."""
    told = {name: variables[name] for name in sorted(variables) if name.endswith("_URL")}
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in told.items()]
    write_atomically(path, "".join(lines), mode=0o600)


def changed_versions(path: Path, now: Mapping[str, int]) -> list[str]:
    """Names of the projections whose fold is not the one that the kept rows were made with."""
    if not path.exists():
        return []
    kept: dict[str, int] = json.loads(path.read_text())
    return sorted(name for name in {*kept, *now} if kept.get(name) != now.get(name))


def forget(local: Path) -> None:
    """Removes `.local` and what lies elsewhere because its account could not reach it."""
    for named in local.glob(f"*/*/{ELSEWHERE}"):
        place = Path(named.read_text().strip())
        if place.parent.name == "tenure" and place.is_absolute():
            shutil.rmtree(place, ignore_errors=True)
    if local.exists():
        shutil.rmtree(local)
