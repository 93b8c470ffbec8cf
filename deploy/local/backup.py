"""Back up what `make run` keeps, also while it runs, and bring it back.

    python -m deploy.local.backup create [TO]      LOG= as for make run; prints where it is
    python -m deploy.local.backup restore FROM     where nothing is kept yet (make clean-local first)

A backup is a folder: `postgresql.tar` (the whole server as of one moment: all databases, and the log where that is
PostgreSQL's), `kafka.tar` (the broker's data, of a later moment, where the log is Kafka's), `files.tar` (keys,
secret, ports, what the demo has replayed) and `about.json`, written last: without it a backup is not complete.
The order matters: databases that are behind their log catch up from it, a log behind its databases does not.
It holds secrets and customers' data, and is readable for its owner only.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from deploy.local.errors import AlreadyRunning, LocalRunError
from deploy.local.options import Options, options
from deploy.local.postgres import PostgresServer
from deploy.local.processes import hold
from deploy.local.state import ROOT, local_folder, write_atomically

KEPT = ("key", "secret")
"""Files beside the folder of a run."""
SERVERS = frozenset({"postgres", "kafka", "logs", "postgres.lock", "kafka.lock"})
"""What of a run's folder is no plain file of ours."""
_RECOVERED = ("recovery-point-offset-checkpoint", ".kafka_cleanshutdown")
"""Without these a broker looks through all of its data at the start, as after a crash: and so it is."""


def create(chosen: Options, local: Path, target: Path) -> Path:
    """Write a backup to `target`, which must not exist. Raises LocalRunError."""
    folder = _own_folder(chosen, local)
    if not folder.is_dir():
        raise LocalRunError(f"there is nothing to back up in {folder}: it was never run.")
    if target.exists():
        raise LocalRunError(f"{target} exists already; name another place.")
    target.mkdir(mode=0o700, parents=True)
    _back_up_postgres(folder / "postgres", target / "postgresql.tar")
    if chosen.log == "kafka":
        with _frozen(_pid(local, "kafka")):
            _pack(folder / "kafka", target / "kafka.tar")
    _pack_files(local, folder, target / "files.tar")
    about = {"log": chosen.log, "folder": folder.name, "made_at": datetime.now(UTC).isoformat()}
    write_atomically(target / "about.json", json.dumps(about, indent=1) + "\n", mode=0o600)
    return target


def restore(local: Path, source: Path) -> dict[str, Any]:
    """Bring a backup back; answer what it says of itself. Raises LocalRunError."""
    try:
        about: dict[str, Any] = json.loads((source / "about.json").read_text())
    except (OSError, ValueError):
        raise LocalRunError(f"{source} is no complete backup: it has no about.json.") from None
    folder = local / about["folder"]
    local.mkdir(parents=True, exist_ok=True)
    with hold(local / "lock", "make run is running: stop it first (Ctrl-C there)."):
        if folder.exists():
            raise LocalRunError(f"{folder} exists: run make clean-local first, or move it away.")
        fresh = folder.with_name(f"{folder.name}.restored")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        _unpack(source / "files.tar", fresh / "files")
        for name in KEPT:
            if (fresh / "files" / name).exists():
                shutil.move(fresh / "files" / name, local / name)
        for one in (fresh / "files" / "run").iterdir():
            shutil.move(one, fresh / one.name)
        shutil.rmtree(fresh / "files")
        if (source / "kafka.tar").exists():
            _unpack(source / "kafka.tar", fresh / "kafka")
            for name in _RECOVERED:
                (fresh / "kafka" / "log" / name).unlink(missing_ok=True)
        fresh.rename(folder)
        PostgresServer(folder / "postgres").bring_back(source / "postgresql.tar")
    return about


def _own_folder(chosen: Options, local: Path) -> Path:
    if chosen.database_url or chosen.event_log_url:
        raise LocalRunError(
            "DATABASE_URL or EVENT_LOG_URL is set: back up those servers as docs/operating.md says."
        )
    return chosen.folder(local)


def _back_up_postgres(data: Path, target: Path) -> None:
    """Of a running server by its own means; of one that is stopped, started for as long as it takes."""
    server = PostgresServer(data, log_path=data.with_name("logs") / "postgresql.log")
    with contextlib.ExitStack() as stack:
        try:
            server.start()
            stack.callback(server.stop)
        except AlreadyRunning:
            pass  # the better: then it is backed up as it runs
        server.back_up(target)


@contextlib.contextmanager
def _frozen(pid: int | None) -> Iterator[None]:
    """Nothing is written inside the block: the files are those of one moment, as if the machine had lost power."""
    if pid is None:
        yield
        return
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _pid(local: Path, name: str) -> int | None:
    with contextlib.suppress(OSError, ValueError, StopIteration):
        processes = json.loads((local / "processes.json").read_text())["processes"]
        return next(int(one["pid"]) for one in processes if one["name"] == name)
    return None


def _pack(folder: Path, target: Path) -> None:
    with _new_file(target) as file, tarfile.open(fileobj=file, mode="w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)


def _pack_files(local: Path, folder: Path, target: Path) -> None:
    with _new_file(target) as file, tarfile.open(fileobj=file, mode="w") as tar:
        for name in KEPT:
            if (local / name).exists():
                tar.add(local / name, name)
        tar.addfile(_folder("run"))
        for path in sorted(folder.iterdir()):
            if path.name not in SERVERS:
                tar.add(path, f"run/{path.name}")


def _folder(name: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.mode = tarfile.DIRTYPE, 0o700
    return made


def _new_file(target: Path) -> BinaryIO:
    """A file for its owner's eyes only."""
    return os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _unpack(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(source) as tar:
        tar.extractall(target, filter="data")


def main(arguments: list[str]) -> int:
    """0; 1 with a sentence; 2 with how it is used."""
    local = local_folder()
    try:
        match arguments:
            case ["create", *where] if len(where) < 2:
                stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
                target = Path(where[0]) if where and where[0] else ROOT / "backups" / stamp
                print(create(options(os.environ), local, target.absolute()))
            case ["restore", source] if source:
                about = restore(local, Path(source).absolute())
                print(f"restored what was kept at {about['made_at']}: LOG={about['log']} make run")
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except (LocalRunError, subprocess.CalledProcessError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
