"""Prometheus for tests: its own programs, what a query names, and a server that scrapes what it is given."""

import contextlib
import functools
import http.server
import json
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from deploy.local.ports import free_port
from deploy.local.processes import end, spawn
from deploy.local.state import ROOT
from deploy.prometheus.targets import targets
from shared import metrics

FOLDER = ROOT / "deploy" / "prometheus"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
_KEPT = ROOT / ".local" / "promtool"
_SECONDS = 60

# Programs ----------------------------------------------------------------------------------------


def program(name: str) -> Path:
    """promtool or prometheus: from PATH, else out of Debian's package, which is kept. Skips the test without."""
    found = shutil.which(name)
    path = Path(found) if found else _KEPT / "usr" / "bin" / name
    lacking = None if path.exists() else _fetch()
    if lacking or not path.exists():
        pytest.skip(
            f"NO {name.upper()}, ITS TESTS ARE SKIPPED (with CI=true, too: a machine without Debian's packages"
            f" cannot have it): {lacking}"
        )
    return path


@functools.cache
def _fetch() -> str | None:
    """Unpack Debian's package without installing it; a sentence where that cannot be done."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return "it is not on PATH, and there is no apt-get here"
    _KEPT.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_KEPT.parent, prefix="promtool-") as made:
        fresh = Path(made)
        limits = ("-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=15")
        try:
            _run(["apt-get", *limits, "download", "prometheus"], fresh)
            [package] = fresh.glob("*.deb")
            _run(["dpkg-deb", "-x", str(package), "unpacked"], fresh)
            with contextlib.suppress(OSError):  # another run of the tests was faster
                (fresh / "unpacked").rename(_KEPT)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            return f"it is not on PATH, and apt-get download prometheus failed ({error})"
    return None


def _run(command: Sequence[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_SECONDS)


# Rules and queries -------------------------------------------------------------------------------


def rules(kind: str) -> list[dict[str, Any]]:
    """All rules of a kind: `alert` or `record`."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


class Selector(NamedTuple):
    """One metric in a query, as it stands there: its name, its matchers, and the labels in them."""

    name: str
    matchers: str
    labels: frozenset[str]


_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"(?<![\w:])([a-zA-Z_:][\w:]*)(\{[^}]*\})?(?!\s*\()(?![\w:])")
_LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
_WORDS = frozenset({"and", "or", "unless"})


def groupings(query: str) -> list[frozenset[str]]:
    """The labels of every `by (...)` and the like, from the outermost on."""
    return [frozenset(re.findall(r"\w+", inside)) for inside in _GROUPING.findall(query)]


def selectors(query: str) -> list[Selector]:
    """The metrics that a query asks for. Strings in it must not contain braces."""
    bare = re.sub(r"\[[^\]]*\]", "", _GROUPING.sub("", query))
    return [
        Selector(name, matchers, frozenset(_LABEL.findall(matchers)))
        for name, matchers in _SELECTOR.findall(bare)
        if name not in _WORDS
    ]


TARGET = frozenset({"job", "instance", "service", "process"})
"""What every sample has from where it was scraped."""


def known() -> dict[str, frozenset[str]]:
    """The labels of everything that a query may name: our glossary, recording rules, Prometheus' own."""
    found = {"up": TARGET, "ALERTS": TARGET | {"alertname", "alertstate", "severity"}}
    for entry in metrics.glossary():
        labels = TARGET | set(entry.labels)
        if entry.type == "histogram":
            found[f"{entry.name}_bucket"] = labels | {"le"}
            found |= {f"{entry.name}_{part}": labels for part in ("sum", "count")}
        else:
            found[entry.name] = labels
    for family in metrics.registry.collect():
        if family.name.startswith("process_"):
            found |= {sample.name: TARGET for sample in family.samples}
    for rule in rules("record"):
        found[rule["record"]] = groupings(rule["expr"])[0] - {"le"}
    return found


def unknown(query: str) -> list[str]:
    """What the query names and nobody has: metrics, and labels of metrics."""
    have = known()
    asked = selectors(query)
    missing = [one.name for one in asked if one.name not in have]
    missing += [
        f"{one.name}: {label}" for one in asked for label in one.labels - have.get(one.name, set())
    ]
    labels = frozenset().union(*(have.get(one.name, frozenset()) for one in asked))
    return missing + [label for group in groupings(query) for label in group - labels]


# A server ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def exposing(text: bytes) -> Iterator[str]:
    """The address of a server that answers every request with these samples."""

    class Samples(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", metrics.CONTENT_TYPE)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Samples) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@contextlib.contextmanager
def prometheus(folder: Path, processes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The address of a Prometheus with our configuration, in a hurry, that scrapes these processes."""
    server = program("prometheus")
    copy = folder / "deploy" / "prometheus"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__", "tests"))
    config = copy / "prometheus.yml"
    config.write_text(
        re.sub(r"(scrape|evaluation)_interval: 15s", r"\1_interval: 1s", config.read_text())
    )
    named = folder / ".local" / "prometheus" / "targets.json"
    named.parent.mkdir(parents=True)
    named.write_text(json.dumps(targets(processes)))
    port = free_port()
    command = [
        str(server), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
    ]  # fmt: skip
    process = spawn(command, log_path=folder / "prometheus.log", env={}, cwd=folder)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process, [(signal.SIGKILL, 10)])
