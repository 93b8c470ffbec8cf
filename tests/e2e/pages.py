"""The pages as a reader meets them: every command typed as it stands, from top to bottom, and every answer that is
shown compared with the one that comes.

A block of `json` or `http` is the answer to the last request of the block before it. `...` in it stands for what was
left out. What cannot be typed here is named in `ELSEWHERE`, with the reason.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deploy.local.state import ROOT
from tests.clients.node import node_or_why

PAGES = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
JS = frozenset(("js", "javascript"))
COMMANDS, ANSWERS, OTHERS = (
    {"sh", "bash", "console", "python", *JS},
    {"json", "http"},
    {"text", "mermaid"},
)
_BLOCKS = "it stops with its reader's Ctrl-C; this test runs in one that was started so"
_PROMETHEUS = (
    "Prometheus and Grafana are not here; tests/deploy/test_prometheus.py reads their files"
)
ELSEWHERE = {
    "README.md: make run": _BLOCKS,
    "docs/publishing.md: import asyncio": "no Kafka in this run; tests/clients/test_docs.py types it",
    "docs/callers.md: OIDC_ISSUER=https": "settings of processes, with an issuer that is nobody's",
    "docs/operating.md: WORKER_NAME=profile-2": "a worker runs until it is stopped",
    "docs/operating.md: echo '[{": _PROMETHEUS,
    "docs/operating.md: python -m shared.keys create": "as in docs/callers.md, where it is typed",
    'docs/operating.md: {"ready": true': "no command before it; `type_everything` asks a worker",
    "docs/operating.md: make prometheus-targets": _PROMETHEUS,
    "docs/operating.md: make backup TO=": "it ends with nothing; tests/e2e/test_backup.py does it",
    "docs/operating.md: python -m shared.repair": (
        "with the settings of every process; tests/shared/test_restored.py runs it"
    ),
    "docs/training.md: python -m services.scoring.train": (
        "a small installation has too little to learn from; tests/scoring/train runs it"
    ),
    "docs/performance.md: make bench": "it takes an hour; tests/bench/test_bench.py runs a small one",
    "docs/science.md: python -m services.scoring.backtest": (
        "about a file of the reader's; tests/scoring/backtest/test_command.py has some"
    ),
    "docs/science.md: python -m services.scoring.recommend.journey": "it takes minutes",
    "docs/operating.md: TENURE_GRAFANA=": _PROMETHEUS,
    'docs/operating.md: curl -H "$AUTH" "$URL/v1/quarantine/interaction?status=open': (
        "nothing is quarantined in a run that goes well; tests/api/test_quarantine.py takes these steps"
    ),
}
"""Blocks by page and the beginning of their first line."""
EXACT = frozenset(("code", "status", "type", "state", "band", "pointer", "accepted", "rejected"))
"""Names whose values are compared, too: they do not change from run to run."""
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CURL = """#!/bin/sh
exec {curl} "$@" --write-out '%{{stderr}}@@status %{{http_code}}\\n'
"""


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: str
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page}: {self.text.strip().splitlines()[0]}"

    @property
    def is_elsewhere(self) -> bool:
        return any(self.name.startswith(one) for one in ELSEWHERE)


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, in their order."""
    text = (ROOT / page).read_text()
    found = [Block(page, *match.groups()) for match in _FENCE.finditer(text)]
    assert 2 * len(found) == len(re.findall("^ *```", text, re.MULTILINE)), f"{page}: open fences"
    return found


def typed(page: str) -> list[tuple[Block, Block | None]]:
    """What is to be typed, each with the answer that the page shows to it."""
    found: list[tuple[Block, Block | None]] = []
    before: Block | None = None
    for block in blocks(page):
        assert block.language in COMMANDS | ANSWERS | OTHERS, f"{block.name}: which language?"
        if not block.is_elsewhere:
            if block.language in COMMANDS:
                found.append((block, None))
            elif block.language in ANSWERS:
                assert found, f"{block.name}: the answer to what?"
                assert found[-1] == (before, None), f"{block.name}: the answer to what?"
                found[-1] = (found[-1][0], block)
        before = block
    return found


def type_everything(checkout: Path, origin: str) -> None:
    """All pages, beside the `make run` of a checkout."""
    _operations_exist(httpx.get(f"{origin}/openapi.json", trust_env=False).json()["paths"])
    node = node_or_why()
    if isinstance(node, str):
        assert not os.environ.get("CI"), f"CI needs Segment's client for Node: {node}"
        print(f"NO NODE, ITS EXAMPLES ARE LEFT OUT: {node}")
    listed = json.loads((checkout / ".local/processes.json").read_text())["processes"]
    apis = [one for one in listed if one["name"].endswith("-api")]
    for page in PAGES:
        before = {one["log"]: Path(one["log"]).stat().st_size for one in apis}
        wanted = work(page, checkout, origin, node)
        refused = [line for one in apis for line in _refused(Path(one["log"]), before[one["log"]])]
        assert len(refused) <= wanted, f"{page}: {refused}"
    _arrived(checkout, origin, isinstance(node, Path))
    [worker] = [one["address"] for one in listed if one["name"] == "profile-worker"]
    matches(parsed(_readiness().text), httpx.get(f"{worker}/readyz", trust_env=False).json(), "")


def _operations_exist(paths: dict[str, Any]) -> None:
    """Every operation that a page names, such as `GET /v1/tags`."""
    known = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    for page in PAGES:
        text = (ROOT / page).read_text()
        for named in re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /v1/[^`?]+)", text):
            wanted = re.compile(re.sub(r"<[^>]*>|{[^}]*}", "[^/]+", named))
            assert any(map(wanted.fullmatch, known)), f"{page}: {named}"


def _refused(log: Path, before: int) -> list[str]:
    """Requests that came since then and were answered with 4xx or 5xx, whoever sent them."""
    lines = log.read_bytes()[before:].decode().splitlines()
    return [line for line in lines if re.search(r'"status":[45]', line)]


def _arrived(checkout: Path, origin: str, with_node: bool) -> None:
    """What docs/publishing.md sends by clients that say nothing themselves."""
    headers = {"Authorization": f"Bearer {(checkout / '.local/key').read_text().strip()}"}
    wanted = {"search", *(["page_view"] if with_node else [])}
    limit, kinds = time.monotonic() + 60, set[str]()
    while not wanted <= kinds:
        assert time.monotonic() < limit, f"{wanted - kinds} did not arrive"
        url = f"{origin}/v1/timelines/user_id:u-8812?limit=100"
        items = httpx.get(url, headers=headers, trust_env=False).json()["items"]
        kinds = {one["data"]["kind"] for one in items if one["type"] == "interaction.recorded"}
        time.sleep(0.1)


def work(page: str, checkout: Path, origin: str, node: Path | str) -> int:
    """Type a page in a checkout in which `make run` runs; how many refusals it shows. `node`: a folder with
    Segment's client; where there is none, blocks for Node are left out."""
    asked = [one for one in typed(page) if isinstance(node, Path) or one[0].language not in JS]
    if not asked:
        return 0
    refusals = 0
    said, errors = _type(page, [block for block, _ in asked], checkout, origin, node)
    for (block, answer), out, err in zip(asked, said, errors, strict=True):
        statuses = [int(code) for code in re.findall(r"^@@status (\d+)$", err, re.MULTILINE)]
        wanted = _status(answer)
        refusals += wanted >= 400
        expected = [200] * (len(statuses) - 1) + [wanted] if statuses else []
        fits = [
            status == one if one >= 300 else 200 <= status < 300
            for status, one in zip(statuses, expected, strict=True)
        ]
        assert all(fits), f"{block.name}: {statuses}\n{out}\n{err}"
        if not _says_rejected(answer):
            assert "rejected" not in re.sub(r"""["']?rejected["']?: ?0""", "", out), out
        if answer is not None:
            _compare(answer, out)
    return refusals


def _type(
    page: str,
    asked: Sequence[Block],
    checkout: Path,
    origin: str,
    node: Path | str,
) -> tuple[list[str], list[str]]:
    """What each block wrote, on standard output and standard error. One shell, as one person has it."""
    tools = checkout / ".local" / "typed"
    tools.mkdir(parents=True, exist_ok=True)
    (tools / "curl").write_text(_CURL.format(curl=shutil.which("curl")))
    (tools / "curl").chmod(0o755)
    if isinstance(node, Path) and not (checkout / "node_modules").exists():
        (checkout / "node_modules").symlink_to(node / "node_modules")
    script = ["set -e"]
    for number, block in enumerate(asked):
        script.append("printf '@@block\\n' | tee /dev/stderr")
        text = block.text.replace("http://127.0.0.1:8000", origin)
        if block.language == "python":
            (tools / f"{number}.py").write_text(text)
            script.append(f"python .local/typed/{number}.py")
        elif block.language in JS:
            (checkout / f"typed-{number}.mjs").write_text(text)
            script.append(f"node typed-{number}.mjs")
        else:
            script.append(text)
    path = os.pathsep.join((str(tools), str(checkout / ".venv/bin"), os.environ["PATH"]))
    done = subprocess.run(
        ["sh", "-c", "\n".join(script)],
        cwd=checkout,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    said, errors = (text.split("@@block\n")[1:] for text in (done.stdout, done.stderr))
    at = asked[len(said) - 1].name
    assert done.returncode == 0, f"{at}: exit code {done.returncode}\n{said[-1]}\n{errors[-1]}"
    return said, errors


def _readiness() -> Block:
    """What docs/operating.md shows of a worker's /readyz."""
    shown = blocks("docs/operating.md")
    [found] = [block for block in shown if block.text.startswith('{"ready": true')]
    return found


def _says_rejected(answer: Block | None) -> bool:
    return answer is not None and '"rejected": 1' in answer.text


def _status(answer: Block | None) -> int:
    """The status that an answer shows: its first line, or that of a problem document. 200: any that is fine."""
    if answer is None:
        return 200
    line = re.match(r"HTTP/1.1 (\d+)", answer.text)
    if line is not None:
        return int(line[1])
    shown = parsed(answer.text)
    problem = isinstance(shown, dict) and str(shown.get("type", "")).startswith("/docs/errors#")
    return int(shown["status"]) if problem else 200


def _compare(answer: Block, out: str) -> None:
    shown = answer.text
    if answer.language == "http":
        head, _, shown = shown.partition("\n\n")
        came = out[out.rindex("HTTP/1.1 ") :].replace("\r", "")
        headers, _, out = came.partition("\n\n")
        assert head.splitlines()[0] == headers.splitlines()[0], answer.name
        names = {line.partition(":")[0].lower() for line in headers.splitlines()[1:]}
        assert {line.partition(":")[0].lower() for line in head.splitlines()[1:]} <= names
    if shown.strip():
        *_, last = _documents(out)
        try:
            matches(parsed(shown), last, "")
        except AssertionError as error:
            raise AssertionError(f"{answer.name}\n{error}\n{out[:4000]}") from error


def _documents(text: str) -> Iterator[Any]:
    """JSON documents that stand one behind the other, with anything between them."""
    decoder, at = json.JSONDecoder(), 0
    while (match := re.compile(r"[\[{]").search(text, at)) is not None:
        found, at = decoder.raw_decode(text, match.start())
        yield found


MORE = "\N{HORIZONTAL ELLIPSIS}"
"""What stands for `...` in a document that was read."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\.\.\.|[{}\[\],:]|[^\s{}\[\],:]+')


def parsed(text: str) -> Any:
    """JSON in which `...` may stand for members, items or a value that are left out."""
    return _value(iter(_TOKEN.findall(text)))


def _value(tokens: Iterator[str], token: str = "") -> Any:
    token = token or next(tokens)
    if token == "{":
        members: dict[str, Any] = {}
        while (token := next(tokens)) != "}":
            if token == "...":
                members[MORE] = None
            elif token != ",":
                assert next(tokens) == ":", token
                members[json.loads(token)] = _value(tokens)
        return members
    if token == "[":
        items: list[Any] = []
        while (token := next(tokens)) != "]":
            if token != ",":
                items.append(_value(tokens, token))
        return items
    return MORE if token == "..." else json.loads(token)


def matches(shown: Any, came: Any, at: str) -> None:
    """The same names, and values of the same kinds."""
    if shown == MORE:
        return
    if isinstance(shown, dict):
        assert isinstance(came, dict), f"{at}: {came!r}"
        names = shown.keys() - {MORE}
        assert names <= came.keys(), f"{at}: shown, but not there: {names - came.keys()}"
        if MORE not in shown:
            assert names == came.keys(), f"{at}: there, but not shown: {came.keys() - names}"
        for name in names:
            matches(shown[name], came[name], f"{at}/{name}")
    elif isinstance(shown, list):
        assert isinstance(came, list), f"{at}: {came!r}"
        _items(shown, came, at)
    else:
        assert _kind(shown) is _kind(came), f"{at}: {shown!r} is shown, {came!r} came"
        if at.rpartition("/")[2] in EXACT:
            assert shown == came, f"{at}: {shown!r} is shown, {came!r} came"


def _items(shown: list[Any], came: list[Any], at: str) -> None:
    wanted = [one for one in shown if one != MORE]
    if len(wanted) == len(shown):
        assert len(shown) == len(came), f"{at}: {len(shown)} are shown, {len(came)} came"
        for place, (one, other) in enumerate(zip(shown, came, strict=True)):
            matches(one, other, f"{at}/{place}")
        return
    for place, one in enumerate(wanted):
        faults = []
        for other in came:
            try:
                matches(one, other, f"{at}/{place}")
            except AssertionError as error:
                faults.append(str(error))
        assert len(faults) < len(came), f"{at}/{place}: none is like it: {faults[:3]}"


def _kind(value: Any) -> type:
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)
