"""The public HTTP API, as a publisher meets it."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import orjson

from deploy.demo.errors import ReplayError
from deploy.demo.plan import Batch

PATIENCE_SECONDS = 300.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LONGEST_ASKED_SECONDS = 0.25, 10.0, 60.0
ANSWER_SECONDS, CONNECT_SECONDS = 120.0, 10.0
REJECTIONS_NAMED = 3
JSON = {"Content-Type": "application/json"}


class Door:
    """Sends batches of one history and closes it. What may pass by itself is tried again."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        history: str,
        notice: Callable[[str], None],
        *,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._client = client
        self._history = history
        self._notice = notice
        self._patience = patience

    async def send(self, batch: Batch) -> None:
        """Return once every event of the batch is accepted or known. Raises ReplayError."""
        answer = await self._post(f"/v1/events?history={self._history}", batch.body)
        if answer.get("rejected"):
            raise ReplayError(f"The door rejected {answer['rejected']} events{_named(answer)}.")
        taken = answer.get("accepted", 0) + answer.get("duplicate", 0)
        if taken != batch.events:
            raise ReplayError(f"The door answered for {taken} of {batch.events} events.")

    async def close(self) -> None:
        """Say that the history is complete: from now on its customers are announced."""
        await self._post(f"/v1/history/{self._history}/close", b"")

    async def _post(self, path: str, body: bytes) -> dict[str, Any]:
        deadline, pause = time.monotonic() + self._patience, FIRST_PAUSE_SECONDS
        while True:
            asked = 0.0
            try:
                answer = await self._client.post(path, content=body)
            except httpx.TransportError as error:
                trouble = f"POST {path}: no answer ({str(error) or type(error).__name__})"
            else:
                if answer.is_success:
                    return _object(answer)
                trouble = f"POST {path}: {_problem(answer)}"
                if not _may_pass(answer.status_code):
                    raise ReplayError(f"{trouble}.")
                asked = _retry_after(answer)
            if time.monotonic() + max(pause, asked) > deadline:
                raise ReplayError(f"{trouble}; tried for {self._patience:.0f} s.")
            self._notice(trouble)
            await asyncio.sleep(max(pause, asked))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def client(origin: str, key: str, in_flight: int) -> httpx.AsyncClient:
    """A client that talks to the origin directly, whatever proxies the environment names."""
    return httpx.AsyncClient(
        base_url=origin,
        headers={"Authorization": f"Bearer {key}", **JSON},
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=in_flight),
        trust_env=False,
    )


def _may_pass(status: int) -> bool:
    return status in {408, 425, 429} or status >= 500


def _retry_after(answer: httpx.Response) -> float:
    """Seconds that the answer asks for; a date is not worth parsing, the backoff does."""
    text = answer.headers.get("Retry-After", "")
    return min(float(text), LONGEST_ASKED_SECONDS) if text.isdecimal() else 0.0


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = orjson.loads(answer.content) if answer.content else {}
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ReplayError(f"{answer.request.url} did not answer with a JSON object.")
    return found


def _problem(answer: httpx.Response) -> str:
    """A problem document in one line; the status alone where there is none."""
    try:
        problem = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        problem = {}
    known = problem if isinstance(problem, dict) else {}
    words = [known.get("code"), known.get("message") or known.get("detail")]
    return f"answered {answer.status_code}" + "".join(f", {word}" for word in words if word)


def _named(answer: dict[str, Any]) -> str:
    """The first rejected events with their reasons."""
    rejected = [item for item in answer.get("items", []) if item.get("status") == "rejected"]
    reasons = [
        f"{item.get('id')} ({item.get('code')}: {item.get('message')})"
        for item in rejected[:REJECTIONS_NAMED]
    ]
    return ", first " + ", ".join(reasons) if reasons else ""
