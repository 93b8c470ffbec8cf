"""Backing up a server that runs, and bringing everything back."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import backup
from deploy.local.errors import LocalRunError
from deploy.local.options import options
from deploy.local.postgres import PostgresServer

SMALL = {"shared_buffers": "16MB", "max_wal_size": "64MB"}


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="tenure-backup-"))
    made.chmod(0o711)  # the database's account goes through it
    yield made
    shutil.rmtree(made, ignore_errors=True)


def kept(local: Path) -> Path:
    """What a run keeps, without its servers."""
    run = local / "kafka-log"
    (run / "demo").mkdir(parents=True)
    (run / "logs").mkdir()
    (run / "logs" / "x.log").write_text("long")
    (run / "demo" / "progress").write_text("7")
    (run / "versions.json").write_text("{}")
    (run / "kafka" / "log").mkdir(parents=True)
    (run / "kafka" / "log" / "customers-0").write_text("records")
    (run / "kafka" / "log" / ".kafka_cleanshutdown").write_text("yes")
    for name in ("key", "secret"):
        (local / name).write_text(f"the {name}")
        (local / name).chmod(0o600)
    return run


def test_what_is_destroyed_comes_back(folder: Path):
    local, target = folder / "local", folder / "kept"
    run = kept(local)
    server = PostgresServer(run / "postgres", log_path=run / "logs" / "pg.log", **SMALL)
    server.start()
    try:
        server.create_database("profile")
        server.query("profile", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
        chosen = options({"LOG": "kafka"})
        assert backup.create(chosen, local, target) == target  # while the server runs
        server.query("profile", "DELETE FROM t")
        with pytest.raises(LocalRunError, match="exists already"):
            backup.create(chosen, local, target)
        with pytest.raises(LocalRunError, match="clean-local"):
            backup.restore(local, target)
    finally:
        server.stop()
    assert {path.stat().st_mode & 0o77 for path in (target, *target.iterdir())} == {0}
    shutil.rmtree(local)

    assert backup.restore(local, target)["log"] == "kafka"
    assert (local / "key").read_text() == "the key"
    assert (local / "secret").stat().st_mode & 0o77 == 0
    assert (run / "demo" / "progress").read_text() == "7"
    assert not (run / "logs").exists()
    assert (run / "kafka" / "log" / "customers-0").read_text() == "records"
    assert not (run / "kafka" / "log" / ".kafka_cleanshutdown").exists()
    server = PostgresServer(run / "postgres", log_path=folder / "pg.log", **SMALL)
    server.start()
    try:
        assert server.query("profile", "SELECT count(*), sum(n) FROM t") == "1000|500500"
    finally:
        server.stop()


def test_a_stopped_server_is_backed_up_too(folder: Path):
    local, target = folder / "local", folder / "kept"
    run = kept(local)
    server = PostgresServer(run / "postgres", log_path=run / "logs" / "pg.log", **SMALL)
    server.start()
    server.stop()
    backup.create(options({"LOG": "kafka"}), local, target)
    assert (target / "about.json").exists()


def test_what_is_no_backup_is_refused(folder: Path):
    local = folder / "local"
    with pytest.raises(LocalRunError, match="no complete backup"):
        backup.restore(local, folder)
    with pytest.raises(LocalRunError, match="never run"):
        backup.create(options({}), local, folder / "kept")
    elsewhere = options({"DATABASE_URL": "postgresql://db.example/postgres"})
    with pytest.raises(LocalRunError, match="DATABASE_URL"):
        backup.create(elsewhere, local, folder / "kept")
