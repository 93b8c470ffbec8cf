"""What the person who types `make run` may choose, read from the environment."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from deploy.local.errors import LocalRunError

Log = Literal["postgresql", "kafka"]
Demo = Literal["full", "small", "none"]


@dataclass(frozen=True, slots=True)
class Options:
    """One run: where it listens, which log and which servers it uses, what it replays."""

    host: str
    port: int
    log: Log
    event_log_url: str
    """A log that runs already; empty: our own."""
    database_url: str
    """A PostgreSQL that runs already; empty: our own."""
    demo: Demo
    namespace: str

    @property
    def url(self) -> str:
        """The origin, as a browser on this machine reaches it."""
        host = "127.0.0.1" if self.host in {"", "0.0.0.0", "::"} else self.host  # noqa: S104 - compared
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def folder(self, local: Path) -> Path:
        """Where this run keeps its state: each log has a folder, so that no two are mixed up."""
        others = (self.event_log_url, self.database_url, self.namespace)
        if not any(others):
            return local / f"{self.log}-log"
        digest = hashlib.sha256("\n".join(others).encode()).hexdigest()[:8]
        return local / f"{self.log}-log-{digest}"


def options(environment: Mapping[str, str]) -> Options:
    """Raises LocalRunError naming the variable that makes no sense."""
    event_log_url = environment.get("EVENT_LOG_URL", "")
    return Options(
        host=environment.get("HOST") or "127.0.0.1",
        port=_port(environment.get("PORT") or "8000"),
        log=_log(environment.get("LOG", ""), event_log_url),
        event_log_url=event_log_url,
        database_url=_database(environment.get("DATABASE_URL", "")),
        demo=cast(
            "Demo", _one_of("DEMO", environment.get("DEMO") or "full", ("full", "small", "none"))
        ),
        namespace=environment.get("NAMESPACE", ""),
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise LocalRunError(f"PORT={text} is no port: a number from 1 to 65535.")
    return int(text)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise LocalRunError(f"{name}={value} is unknown: {name} is one of {', '.join(allowed)}.")
    return value


def _log(name: str, url: str) -> Log:
    chosen = _one_of("LOG", name, ("postgresql", "kafka")) if name else ""
    scheme = url.partition("://")[0]
    meant = {"kafka": "kafka", "postgresql": "postgresql", "postgres": "postgresql"}.get(scheme, "")
    if url and not meant:
        raise LocalRunError("EVENT_LOG_URL starts with kafka:// or with postgresql://.")
    if chosen and meant and chosen != meant:
        raise LocalRunError(f"LOG={chosen} contradicts EVENT_LOG_URL, which is a {meant} log.")
    return cast("Log", meant or chosen or "postgresql")


def _database(url: str) -> str:
    if url and url.partition("://")[0] not in {"postgresql", "postgres"}:
        raise LocalRunError("DATABASE_URL starts with postgresql://.")
    return url
