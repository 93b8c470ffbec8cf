import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.account import ELSEWHERE


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory that every account may enter; pytest's own are private."""
    directory = Path(tempfile.mkdtemp(prefix="tenure-test-"))
    directory.chmod(0o711)
    yield directory
    for named in directory.rglob(ELSEWHERE):
        shutil.rmtree(named.read_text().strip(), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def until() -> Callable[..., None]:
    """Waits for something to become true."""

    def wait(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if condition():
                    return
            time.sleep(0.02)
        pytest.fail(f"{what}: not within {seconds} s")

    return wait
