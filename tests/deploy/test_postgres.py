import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from deploy.local.account import ELSEWHERE
from deploy.local.errors import AlreadyRunning, StartFailed
from deploy.local.postgres import PostgresServer
from deploy.local.processes import alive
from deploy.local.state import forget

SMALL = {"shared_buffers": "16MB", "settings": {"fsync": "off"}}


@pytest.fixture
def server(open_dir):
    made = PostgresServer(open_dir / "pg", **SMALL)
    made.start()
    yield made
    made.stop()


def _add(server: PostgresServer, value: int) -> None:
    server.query("kept", f"CREATE TABLE IF NOT EXISTS t (v int); INSERT INTO t VALUES ({value})")


def _kept(server: PostgresServer) -> str:
    return server.query("kept", "SELECT string_agg(v::text, ' ' ORDER BY v) FROM t")


async def test_url_suits_asyncpg_and_libpq_whatever_the_name(server):
    for name in ("plain", "x.log", "Odd näme"):
        server.create_database(name)
        server.create_database(name)  # again: nothing happens
        connection = await asyncpg.connect(server.url(name))
        assert await connection.fetchval("SELECT current_database()") == name
        await connection.close()
        assert server.query(name, "SELECT current_database()") == name


def test_copy_of_a_database_and_its_end(server):
    server.create_database("kept")
    _add(server, 7)
    server.create_database("copy", template="kept")
    assert server.query("copy", "SELECT v FROM t") == "7"
    server.drop_database("copy")
    with pytest.raises(StartFailed, match="copy"):
        server.query("copy", "SELECT 1")


def test_loses_nothing_for_speed(open_dir):
    server = PostgresServer(open_dir / "pg", shared_buffers="16MB")
    server.start()
    shown = [
        server.query("postgres", f"SHOW {name}")
        for name in ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "jit")
    ]
    server.stop()
    assert shown == ["on", "on", "on", "", "off"]


def test_goes_on_after_every_kill(server):
    server.create_database("kept")
    for value in range(3):
        _add(server, value)
        server.process.kill()
        server.process.wait()
        assert not server.running()
        server.start()
    assert _kept(server) == "0 1 2"


def test_goes_on_after_a_stop(server):
    server.create_database("kept")
    _add(server, 1)
    server.stop()
    assert not server.running()
    server.stop()
    server.start()
    assert _kept(server) == "1"


def test_a_pid_file_whose_number_is_somebody_elses(server):
    server.process.kill()
    server.process.wait()
    pid_file = server.socket_dir / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        server.start()
        assert stranger.poll() is None
        stranger.kill()
    assert server.query("postgres", "SELECT 1") == "1"


def test_dies_with_a_killed_owner_and_starts_again(open_dir, until):
    program = (
        "import time; from pathlib import Path; from deploy.local.postgres import PostgresServer\n"
        f"server = PostgresServer(Path({str(open_dir / 'pg')!r}), shared_buffers='16MB')\n"
        "server.start(); server.create_database('kept'); print(server.pid, flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as owner:
        pid = int(owner.stdout.readline())
        with pytest.raises(AlreadyRunning):
            PostgresServer(open_dir / "pg", **SMALL).start()
        owner.kill()
        server = PostgresServer(open_dir / "pg", **SMALL)
        owner.wait()
        server.start()  # at once, while the old one may still be on its way out
        until(lambda: not alive(pid), "the end of the old server")
        _add(server, 1)
        assert _kept(server) == "1"
        server.stop()


def test_a_making_cut_short_is_made_again(open_dir):
    server = PostgresServer(open_dir / "pg", **SMALL)
    server.start()
    server.stop()
    (open_dir / "pg" / "PG_VERSION").unlink()  # as if killed before the last move
    (open_dir / "pg" / "initdb").mkdir()
    server.start()
    assert server.query("postgres", "SELECT 1") == "1"
    server.stop()


def test_a_long_path_has_its_socket_elsewhere(open_dir):
    deep = open_dir / ("a" * 60) / ("b" * 60)
    server = PostgresServer(deep / "pg", **SMALL)
    deep.parent.mkdir(mode=0o711)
    deep.mkdir(mode=0o711)
    server.start()
    short = server.socket_dir
    assert len(os.fsencode(short)) < 85
    assert short.stat().st_mode & 0o077 == 0
    assert server.query("postgres", "SELECT 1") == "1"
    server.stop()
    assert not short.exists()


def test_says_why_it_does_not_start(open_dir):
    server = PostgresServer(open_dir / "pg", settings={"shared_buffers": "nonsense"})
    with pytest.raises(StartFailed, match=r"nonsense.*pg\.log"):
        server.start()
    server.stop()


@pytest.mark.skipif(os.getuid() != 0, reason="only root hands the server to another account")
def test_data_that_the_account_cannot_reach_lie_elsewhere(open_dir):
    local = open_dir / "private" / ".local"
    local.mkdir(parents=True)
    local.parent.chmod(0o700)
    server = PostgresServer(local / "log" / "pg", **SMALL)
    server.start()
    server.create_database("kept")
    _add(server, 1)
    place = Path((local / "log" / "pg" / ELSEWHERE).read_text().strip())
    assert server.socket_dir.is_relative_to(place)
    server.process.kill()
    server.process.wait()
    server.stop()
    again = PostgresServer(local / "log" / "pg", **SMALL)
    again.start()
    assert _kept(again) == "1"
    again.stop()
    forget(local)
    assert not place.exists()
    assert not local.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root hands the server to another account")
def test_programs_that_the_account_cannot_reach_are_copied(open_dir, monkeypatch):
    from deploy.local import account

    real = account.Account.executes
    monkeypatch.setattr(
        account.Account, "executes", lambda self, path: "site-packages" not in str(path)
    )
    server = PostgresServer(open_dir / "pg", **SMALL)
    server.start()
    command = Path(f"/proc/{server.pid}/exe").resolve()
    assert "site-packages" not in str(command)
    assert real(server._who(), command)
    server.stop()
    again = PostgresServer(open_dir / "pg", **SMALL)
    again.start()
    assert again.socket_dir == open_dir / "pg"
    again.stop()
