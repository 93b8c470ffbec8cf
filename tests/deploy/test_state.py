import json
import socket
import stat
import subprocess

import pytest

from deploy.local.errors import AlreadyRunning
from deploy.local.ports import free_port, is_free
from deploy.local.processes import hold
from deploy.local.state import (
    changed_versions,
    forget,
    kept_ports,
    kept_secret,
    write_atomically,
    write_environment,
    write_processes,
)


def test_a_secret_is_made_once_and_for_the_owner_only(tmp_path):
    first = kept_secret(tmp_path / "key")
    assert kept_secret(tmp_path / "key") == first
    assert len(first) > 20
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert kept_secret(tmp_path / "secret") != first


def test_ports_stay_unless_somebody_took_one(tmp_path):
    path = tmp_path / "ports.json"
    first = kept_ports(path, ["a", "b"], [])
    assert kept_ports(path, ["a", "b", "c"], [])["b"] == first["b"]
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", first["a"]))
        taken.listen()
        again = kept_ports(path, ["a", "b"], [])
    assert again["a"] != first["a"]
    assert again["b"] == first["b"]
    moved = kept_ports(path, ["a", "b"], [again["a"]])
    assert moved["a"] != again["a"]


def test_a_port_in_use_is_seen():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not is_free(taken.getsockname()[1])
    assert is_free(free_port())
    with pytest.raises(OSError, match=r"assign|resol|known"):
        is_free(8000, "203.0.113.1")


def test_files_are_written_whole(tmp_path):
    write_atomically(tmp_path / "file", "one")
    write_atomically(tmp_path / "file", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "two"


def test_processes_are_named(tmp_path):
    entry = {"name": "profile-api", "pid": 1, "address": "http://127.0.0.1:1", "log": "x.log"}
    write_processes(tmp_path / "processes.json", "http://127.0.0.1:8000", [entry])
    found = json.loads((tmp_path / "processes.json").read_text())
    assert found == {"origin": "http://127.0.0.1:8000", "processes": [entry]}


def test_a_changed_fold_is_found(tmp_path):
    path = tmp_path / "versions.json"
    now = {"profile.profile": 2, "scoring.score": 1}
    assert changed_versions(path, now) == []
    path.write_text(json.dumps(now))
    assert changed_versions(path, now) == []
    assert changed_versions(path, now | {"scoring.score": 2}) == ["scoring.score"]
    assert changed_versions(path, now | {"extra": 1}) == ["extra"]
    assert changed_versions(path, {"profile.profile": 2}) == ["scoring.score"]


def test_one_holds_the_lock_and_a_dead_one_frees_it(tmp_path):
    with hold(tmp_path / "lock", "no"), pytest.raises(AlreadyRunning, match="two is one too many"):
        hold(tmp_path / "lock", "two is one too many")
    hold(tmp_path / "lock", "no").close()


def test_forgetting_takes_only_what_is_ours(tmp_path):
    (tmp_path / ".local" / "postgresql-log" / "postgres").mkdir(parents=True)
    innocent = tmp_path / "innocent"
    innocent.mkdir()
    named = tmp_path / ".local" / "postgresql-log" / "postgres" / "elsewhere"
    named.write_text(f"{innocent}\n")
    forget(tmp_path / ".local")
    assert innocent.exists()
    assert not (tmp_path / ".local").exists()
    forget(tmp_path / ".local")


def test_a_shell_can_read_the_addresses_and_nobody_else(tmp_path):
    path = tmp_path / "environment"
    odd = "postgresql://u@/x?host=/tmp/it's $HOME"
    write_environment(path, {"ACCESS_URL": odd, "PATH": "/bin", "PROFILE_DATABASE_URL": "b"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    asked = f'. {path}; printf "%s|%s|%s" "$ACCESS_URL" "$PROFILE_DATABASE_URL" "$(env | grep -c ^PATH=)"'
    said = subprocess.run(["sh", "-c", asked], capture_output=True, text=True, check=True).stdout
    assert said == f"{odd}|b|1"
    assert "PATH" not in path.read_text()
