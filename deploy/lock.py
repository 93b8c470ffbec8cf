"""`make lock`: pyproject.toml's dependencies as exact versions with hashes, for every platform."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
_COMMON = [
    "uv", "pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes",
    "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--upgrade",
]  # fmt: skip


def main() -> int:
    """Writes requirements.txt (what runs), requirements-dev.txt (that and what checks it) and
    requirements-peers.txt (what the benchmark measures it beside).

    The second takes the versions of the first, so that tests see what runs; the third is an environment apart."""
    run, dev = ROOT / "requirements.txt", ROOT / "requirements-dev.txt"
    for sources, lock in (
        (["pyproject.toml"], run),
        (["pyproject.toml", "--group", "dev", "--constraint", str(run)], dev),
        (["--group", "pyproject.toml:peers"], ROOT / "requirements-peers.txt"),
    ):
        command = [sys.executable, "-m", *_COMMON, *sources, "--output-file", str(lock), "--quiet"]
        done = subprocess.run(command, cwd=ROOT, check=False)
        if done.returncode != 0:
            return done.returncode
        print(f"{lock.name}: {lock.read_text().count('==')} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
