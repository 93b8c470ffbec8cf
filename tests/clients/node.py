"""Segment's client for Node, where there is Node."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local.processes import one_at_a_time

HERE = Path(__file__).parent
KEPT = HERE.parents[1] / ".local" / "clients"


def node_folder() -> Path:
    """A folder with the client, kept between runs; without Node the test is skipped, but not where CI is set."""
    found = node_or_why()
    if isinstance(found, Path):
        return found
    if os.environ.get("CI"):
        pytest.fail(f"CI needs Segment's client for Node: {found}")
    pytest.skip(f"NO NODE, THE TEST OF SEGMENT'S CLIENT IS SKIPPED: {found}")


def node_or_why() -> Path | str:
    """The folder, or what is missing."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        return f"there is no {' and no '.join(missing)}"
    names = ("package.json", "package-lock.json", ".npmrc")
    lock = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in names)).hexdigest()
    folder = KEPT / f"node-{lock[:12]}"
    with one_at_a_time(folder.with_suffix(".lock")):
        if not (folder / "complete").exists():
            folder.mkdir(parents=True, exist_ok=True)
            for name in names:
                shutil.copy(HERE / name, folder / name)
            done = subprocess.run(
                ["npm", "ci", "--ignore-scripts"],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                return f"npm ci: {done.stderr.strip()[-300:]}"
            (folder / "complete").touch()
    return folder
