"""The embedded PostgreSQL: a server of our own in the foreground, on a Unix socket only."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from urllib.parse import quote

from deploy.local.account import Account, Home, account, home_for
from deploy.local.errors import StartFailed
from deploy.local.processes import (
    alive,
    command_of,
    end,
    end_stranger,
    hold,
    said_since,
    size_of,
    spawn,
)

USER = "postgres"
_SOCKET_FILE = ".s.PGSQL.5432"
_SOCKET_PATH_LIMIT = 100  # bytes; the kernel takes 107, macOS 103
_STILL_DYING = ("is still in use", "lock file", "already exists")
"""What the server says while processes of a killed predecessor are on their way out."""

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "400",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "off",  # costs more time than it saves, and the wheel has only pglz
    "wal_buffers": "16MB",
    "min_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",  # the cores are busy, and /dev/shm may be small
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %d ",
}
"""For one machine; nothing here gives up durability."""


class PostgresServer:
    """One PostgreSQL server, owned by this process and ending with it.

    `start` and `stop` may be repeated. Errors: `StartFailed` (the sentence has the last line of
    the log), `AlreadyRunning` (another process owns the data directory).
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        shared_buffers: str = "512MB",
        max_wal_size: str = "4GB",
        settings: Mapping[str, str] | None = None,
        log_path: Path | None = None,
    ) -> None:
        self._data_dir = data_dir.absolute()
        sizes = {"shared_buffers": shared_buffers, "max_wal_size": max_wal_size}
        self._settings = {**SETTINGS, **sizes, **(settings or {})}
        self.log_path = log_path or self._data_dir.with_name(f"{self._data_dir.name}.log")
        self._account: Account | None = None
        self._home: Home | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The postmaster, once started."""
        return self._process

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def socket_dir(self) -> Path:
        """Where the socket lies: in the data directory, or in a short one under /tmp.

        Raises StartFailed when somebody else sits on that name."""
        data = self._place().data
        if len(os.fsencode(data / _SOCKET_FILE)) < _SOCKET_PATH_LIMIT:
            return data
        name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
        return self._private(Path(f"/tmp/tenure-{self._who().uid}-{name}"))  # noqa: S108 - checked there

    def url(self, database: str) -> str:
        """Address of a database, understood by asyncpg and by libpq."""
        host = quote(str(self.socket_dir), safe="/")
        return f"postgresql://{USER}@/{quote(database, safe='')}?host={host}"

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, seconds: float = 60) -> None:
        """Makes the data directory if need be; returns when the server takes connections."""
        if self.running():
            return
        if self._lock is None:
            lock = self._data_dir.with_name(f"{self._data_dir.name}.lock")
            self._lock = hold(lock, f"another process uses the database in {self._data_dir}.")
        if not (self._place().data / "PG_VERSION").exists():
            self._initialise()
        self._end_orphan()
        deadline = time.monotonic() + seconds
        while not self._started(deadline):
            time.sleep(0.2)

    def stop(self) -> None:
        """Ends the server: politely, then at once, then by force. Within 30 seconds."""
        end(self._process, ((signal.SIGINT, 20), (signal.SIGQUIT, 7), (signal.SIGKILL, 3)))
        if self._process is not None and self.socket_dir != self._place().data:
            with contextlib.suppress(OSError):
                self.socket_dir.rmdir()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def create_database(self, name: str, *, template: str | None = None) -> None:
        """Makes the database unless it is there."""
        if self.query("postgres", f"SELECT 1 FROM pg_database WHERE datname = {_literal(name)}"):
            return
        copied = f" TEMPLATE {_identifier(template)}" if template else ""
        self.query("postgres", f"CREATE DATABASE {_identifier(name)}{copied}")

    def drop_database(self, name: str) -> None:
        """Removes the database and throws out who is connected to it."""
        self.query("postgres", f"DROP DATABASE IF EXISTS {_identifier(name)} WITH (FORCE)")

    def query(self, database: str, sql: str) -> str:
        """What psql prints for one statement: rows by line, columns separated by `|`."""
        program = self._place().bin / "psql"
        command = [
            str(program),
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            self.url(database),
            "-c",
            sql,
        ]
        done = subprocess.run(
            command, env=_environment(), check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise StartFailed(f"PostgreSQL refused: {done.stderr.strip()}")
        return done.stdout.strip()

    def back_up(self, target: Path) -> None:
        """Writes the running server, as of one moment, into a tar file (for its owner only). Raises StartFailed."""
        command = [str(self._place().bin / "pg_basebackup"), "-h", str(self.socket_dir)]
        command += ["-U", USER, "-D", "-", "-F", "tar", "-X", "fetch", "--checkpoint=fast"]
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            done = subprocess.run(
                command, env=_environment(), check=False, stdout=file, stderr=subprocess.PIPE
            )
        if done.returncode != 0:
            raise StartFailed(f"PostgreSQL could not be backed up: {done.stderr.decode().strip()}")

    def bring_back(self, source: Path) -> None:
        """Makes the data directory, which must not be there yet, from what `back_up` wrote. Raises StartFailed."""
        home, who = self._place(), self._who()
        if (home.data / "PG_VERSION").exists():
            raise StartFailed(f"there is a database in {home.data} already.")
        home.data.chmod(0o700)
        with tarfile.open(source) as tar:
            tar.extractall(home.data, filter="data")
        for path in (home.data, *home.data.rglob("*")):
            who.own(path)

    def _who(self) -> Account:
        if self._account is None:
            self._account = account()
        return self._account

    def _place(self) -> Home:
        if self._home is None:
            self._home = home_for(self._data_dir, self._who())
        return self._home

    def _initialise(self) -> None:
        """initdb into a folder of its own, moved when complete: a kill leaves nothing half made."""
        home, who = self._place(), self._who()
        # Inside the data directory: the account may not write to the one above.
        data, fresh = home.data, home.data / "initdb"
        home.data.chmod(0o700)
        who.own(home.data)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        who.own(fresh)
        options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command = [str(home.bin / "initdb"), "-D", str(fresh), *options]
        done = subprocess.run(
            command,
            cwd=data,
            env=_environment(),
            check=False,
            capture_output=True,
            text=True,
            **who.popen,
        )
        if done.returncode != 0:
            raise StartFailed(
                f"PostgreSQL could not make its data directory {data}: {done.stderr.strip()}"
            )
        for made in sorted(fresh.iterdir(), key=lambda path: path.name == "PG_VERSION"):
            if (data / made.name).is_dir():  # left by a move that was cut short
                shutil.rmtree(data / made.name)
            made.rename(data / made.name)  # PG_VERSION last: it says that all is there
        fresh.rmdir()

    def _started(self, deadline: float) -> bool:
        """Spawns the server and waits for it; False: a dying predecessor was still in its way."""
        before = size_of(self.log_path)
        self._process = self._spawn()
        while self._process.poll() is None:
            if self._ready():
                return True
            if time.monotonic() > deadline:
                self.stop()
                raise StartFailed(f"PostgreSQL did not come up in time; see {self.log_path}.")
            time.sleep(0.02)
        said = said_since(self.log_path, before).strip()
        if any(word in said for word in _STILL_DYING) and time.monotonic() < deadline - 1:
            return False
        last = said.splitlines()[-1] if said else f"exit code {self._process.returncode}"
        raise StartFailed(f"PostgreSQL did not start ({last}); see {self.log_path}.")

    def _spawn(self) -> subprocess.Popen[bytes]:
        home, who = self._place(), self._who()
        settings = {**self._settings, "unix_socket_directories": f'"{self.socket_dir}"'}
        command = [str(home.bin / "postgres"), "-D", str(home.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return spawn(
            command,
            log_path=self.log_path,
            env=_environment(),
            cwd=home.data,
            death_signal=signal.SIGQUIT,  # the postmaster takes its own children with it
            **who.popen,
        )

    def _ready(self) -> bool:
        """The postmaster writes its state into the last line of its pid file."""
        with contextlib.suppress(OSError):
            lines = (self._place().data / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"
        return False

    def _end_orphan(self) -> None:
        """Ends a postmaster that outlived its owner; forgets a pid that is somebody else's now."""
        pid_file = self._place().data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return
        if not alive(pid):
            return  # PostgreSQL finds that out for itself, and looks after its shared memory
        if self._is_ours(pid):
            end_stranger(pid, ((signal.SIGQUIT, 10), (signal.SIGKILL, 3)))
            return
        pid_file.unlink(missing_ok=True)
        (self.socket_dir / f"{_SOCKET_FILE}.lock").unlink(missing_ok=True)

    def _is_ours(self, pid: int) -> bool:
        command = command_of(pid)  # where the system does not tell: trust the pid file
        return command is None or str(self._place().data) in command

    def _private(self, directory: Path) -> Path:
        """A directory that nobody but the server's account can have put something into."""
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=0o700)
            self._who().own(directory)
        status = directory.lstat()
        if directory.is_symlink() or status.st_uid != self._who().uid or status.st_mode & 0o077:
            raise StartFailed(
                f"{directory} belongs to somebody else; PostgreSQL's socket cannot lie there."
            )
        return directory


def _environment() -> dict[str, str]:
    """No PG* variables of the caller, no locale of the machine."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
