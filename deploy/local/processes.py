"""Starting, ending and owning operating-system processes, as all of the local run needs it."""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from deploy.local.errors import AlreadyRunning
from deploy.local.lifeline import die_with_parent

Signals = Sequence[tuple[signal.Signals, float]]
"""Signals to send one after the other, each with the seconds it gets to work."""


def spawn(
    command: Sequence[str],
    *,
    log_path: Path | None,
    env: Mapping[str, str],
    cwd: Path | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    **options: Any,
) -> subprocess.Popen[bytes]:
    """A child in a session of its own (Ctrl-C is for us, who end it in our own order).

    It dies with us, reads nothing, and appends what it says to its log (to our own output where
    it has none)."""
    with contextlib.ExitStack() as files:
        log: IO[bytes] | None = None
        if log_path is not None:
            log_path.parent.mkdir(parents=True, exist_ok=True)
            log = files.enter_context(log_path.open("ab"))
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_parent(death_signal),  # noqa: PLW1509 - two system calls
            **options,
        )


def end(process: subprocess.Popen[bytes] | None, steps: Signals) -> None:
    """Sends the signals in turn until the process has ended."""
    if process is None:
        return
    for sign, seconds in steps:
        if process.poll() is not None:
            return
        process.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def end_stranger(pid: int, steps: Signals) -> None:
    """The same for a process that is not a child of ours."""
    for sign, seconds in steps:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
        until = time.monotonic() + seconds
        while alive(pid) and time.monotonic() < until:
            time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process has this number (whoever owns it)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def command_of(pid: int) -> list[str] | None:
    """The arguments a process was started with; None where the system does not tell (no /proc)."""
    if not Path("/proc/self").exists():
        return None
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(part) for part in raw.split(b"\0")]


def hold(path: Path, otherwise: str) -> IO[str]:
    """A lock that the kernel frees when we die, with our pid in it.

    Raises AlreadyRunning (`otherwise` is its sentence) when a living process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise AlreadyRunning(otherwise) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Wait for whoever of this machine does the same; the lock is free again when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def said_since(log_path: Path, position: int) -> str:
    """What a log has got since it had `position` bytes."""
    if not log_path.exists():
        return ""
    with log_path.open("rb") as log:
        log.seek(position)
        return log.read().decode(errors="replace")


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
