"""A small HTTP server that stands for the whole system: the door, and one worker."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

CAUGHT_UP = {"caught_up": True, "lag": {"events": 0, "seconds": 0.0}, "outbox": 0, "due": 0}


def trouble(status: int, retry_after: str | None = None, **problem: Any) -> tuple[int, dict, dict]:
    headers = {"Retry-After": retry_after} if retry_after else {}
    return status, headers, {"status": status, **problem}


class FakeDoor(ThreadingHTTPServer):
    """Remembers what it took; answers with what is queued before it takes anything."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.taken: dict[tuple[str, str], dict] = {}
        self.repeated: Counter = Counter()
        self.paths: Counter = Counter()
        self.keys: set[str | None] = set()
        self.queued: list[tuple[int, dict, dict]] = []
        self.fails_after: int | None = None
        self.standings: list[dict] = []

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is what some tests are about."""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, path: str, body: bytes) -> tuple[int, dict, dict]:
        with self.lock:
            self.paths[path] += 1
            if self.queued:
                return self.queued.pop(0)
            if path.endswith("/close"):
                return 200, {}, {}
            if self.fails_after is not None and len(self.taken) >= self.fails_after:
                return trouble(403, code="missing_scope", message="The key may not publish.")
            return 200, {}, self._take(orjson.loads(body))

    def _take(self, events: list[dict]) -> dict:
        before = len(self.taken)
        for event in events:
            key = (event["source"], event["id"])
            self.repeated[key] += key in self.taken
            self.taken[key] = event
        accepted = len(self.taken) - before
        return {"accepted": accepted, "duplicate": len(events) - accepted, "rejected": 0}

    def standing(self) -> dict:
        with self.lock:
            return self.standings.pop(0) if self.standings else CAUGHT_UP


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeDoor

    def do_POST(self) -> None:
        self.server.keys.add(self.headers["Authorization"])
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._say(*self.server.answer(self.path, body))

    def do_GET(self) -> None:
        standing = self.server.standing()
        self._say(200 if standing.get("caught_up") else 503, {}, standing)

    def _say(self, status: int, headers: dict, answer: dict) -> None:
        body = orjson.dumps(answer)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def fake_door() -> Iterator[FakeDoor]:
    with FakeDoor() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
