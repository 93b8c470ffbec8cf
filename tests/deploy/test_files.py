import re
import subprocess
import sys
import tomllib

import pytest

from deploy.local.state import ROOT

LOCKS = ("requirements.txt", "requirements-dev.txt")
_TARGETS = {
    "setup", "run", "test", "check", "format", "lock", "clean-local", "docs", "help", "prometheus-targets",
    "rebuild", "backup", "restore", "chaos", "bench",
}  # fmt: skip


def _locked(name: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / name).read_text(), re.MULTILINE))


def _named(dependencies: list[str]) -> set[str]:
    return {re.split(r"[\[<>=; ]", wanted)[0].lower() for wanted in dependencies}


@pytest.mark.parametrize("name", LOCKS)
def test_locks_have_hashes_and_name_no_host(name):
    text = (ROOT / name).read_text()
    pins = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in pin for pin in pins)
    assert not re.search(r"https?://|--index|--find-links|file:", text)


def test_the_lock_names_all_that_its_packages_want():
    """They are installed without asking what they want."""
    check = [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_locks_hold_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = _named(project["project"]["dependencies"])
    assert needed - _locked("requirements.txt") == set()
    groups = project["dependency-groups"]
    assert needed | _named(groups["dev"]) <= _locked("requirements-dev.txt")
    assert _named(groups["peers"]) <= _locked("requirements-peers.txt")


def test_what_is_tested_is_what_runs():
    pins = [
        set(re.findall(r"^\S+==\S+", (ROOT / name).read_text(), re.MULTILINE)) for name in LOCKS
    ]
    assert pins[0] <= pins[1]


def test_make_explains_itself():
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(re.findall(r"make ([a-z-]+) ", said.stdout)) == _TARGETS


def test_an_old_python_is_one_sentence(tmp_path):
    old = tmp_path / "python-old"
    old.write_text('#!/bin/sh\n[ "$2" = "import platform; print(platform.python_version())" ] '
                   "&& echo 3.9.2 && exit 0\nexit 1\n")  # fmt: skip
    old.chmod(0o755)
    script = ROOT / "deploy" / "local" / "environment.sh"
    for python, sentence in ((str(old), "is 3.9.2"), ("no-such-python", "no no-such-python here")):
        done = subprocess.run(
            ["sh", str(script), python, str(tmp_path / "venv"), "requirements.txt"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "Tenure needs Python 3.11 or newer" in done.stderr
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1
