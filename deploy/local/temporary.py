"""A throw-away PostgreSQL: for tests, and for commands that need one.

    python -m deploy.local.temporary -- python -m shared.migrations check

sets ACCESS_URL, EVENT_LOG_URL and <SERVICE>_DATABASE_URL for the command and answers with its
exit code.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from deploy.local.account import ELSEWHERE
from deploy.local.postgres import PostgresServer

_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
}  # survives kill -9, not a power cut: nothing is kept


@contextlib.contextmanager
def temporary_postgres(
    *,
    shared_buffers: str = "128MB",
    max_wal_size: str = "1GB",
    settings: Mapping[str, str] | None = None,
    within: Path | None = None,
) -> Iterator[PostgresServer]:
    """A running server in a directory of its own (in `within`, else where temporary files are), both gone
    afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="tenure-", dir=within))
    directory.chmod(0o711)  # the server's account goes through it
    options = {**_FAST, **(settings or {})}
    server = PostgresServer(
        directory / "pg", shared_buffers=shared_buffers, max_wal_size=max_wal_size, settings=options
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()
        named = directory / "pg" / ELSEWHERE
        if named.exists():
            shutil.rmtree(named.read_text().strip(), ignore_errors=True)
        shutil.rmtree(directory, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Runs the command after `--` with the addresses of fresh, empty databases."""
    from deploy.local.databases import DATABASES, database_variables

    command = arguments[arguments.index("--") + 1 :] if "--" in arguments else arguments
    if not command:
        print("usage: python -m deploy.local.temporary -- COMMAND...", file=sys.stderr)
        return 2
    with temporary_postgres() as server:
        for name in DATABASES:
            server.create_database(name)
        variables = database_variables({name: server.url(name) for name in DATABASES})
        return subprocess.run(command, env={**os.environ, **variables}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
