"""How it all is: what runs, how fresh it is, how many customers are where. No personal data."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from deploy.local.origin.settings import OriginSettings
from shared.words import Language, label

Json = dict[str, Any]
_STATES = ("prospect", "new", "growing", "mature", "silent", "lost", "won_back")
_BANDS = ("low", "medium", "high")
_KEPT_SECONDS = 1.0
_TIMEOUT = httpx.Timeout(4, connect=1)
_OWN = "origin"


class Status:
    """Asks the processes, at most once a second however many look at the page."""

    def __init__(self, settings: OriginSettings) -> None:
        self._settings = settings
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False)
        self._locks: dict[Language, asyncio.Lock] = {"zh": asyncio.Lock(), "en": asyncio.Lock()}
        self._kept: dict[Language, tuple[float, Json]] = {}

    async def close(self) -> None:
        await self._client.aclose()

    async def readiness(self) -> Json:
        """The whole is ready when every process is; `lag` sums the workers' events."""
        processes = await asyncio.gather(*map(self._process, self._listed()))
        missing = [
            f"{process['name']}: {', '.join(process['missing']) or 'not ready'}"
            for process in processes
            if not process["ready"]
        ]
        return {
            "ready": not missing,
            "missing": missing,
            "caught_up": all(process["caught_up"] for process in processes),
            "lag": {
                "events": sum(process["lag"]["events"] for process in processes),
                "seconds": max((process["lag"]["seconds"] for process in processes), default=0),
            },
            "processes": processes,
        }

    async def everything(self, language: Language) -> Json:
        """What the page shows, not older than a second."""
        async with self._locks[language]:
            made, kept = self._kept.get(language, (0.0, {}))
            if not kept or time.monotonic() - made > _KEPT_SECONDS:
                kept = await self._everything(language)
                self._kept[language] = (time.monotonic(), kept)
            return kept

    async def _everything(self, language: Language) -> Json:
        ready, customers, scores, recent = await asyncio.gather(
            self.readiness(),
            self._ask("profile", "/v1/customers/summary", language),
            self._ask("scoring", "/v1/scores/summary", language),
            self._ask("interaction", "/internal/recent", language),
        )
        bands = _list(scores, "churn_bands") or _list(customers, "churn_bands")
        return {
            **ready,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "customers": _number(customers, "total"),
            "states": _counted(_list(customers, "states"), "state", _STATES, "lifecycle", language),
            "churn_bands": _counted(bands, "band", _BANDS, "churn_band", language),
            "types": _list(recent, "types")[:50],
        }

    def _listed(self) -> list[Json]:
        """The processes as the supervisor names them; the services alone where there is none."""
        path = self._settings.processes_file
        listed = _read(path) if path is not None else {}
        processes = [p for p in _list(listed, "processes") if p.get("name") not in _UNWATCHED]
        if processes:
            return processes
        return [
            {"name": f"{name}-api", "address": url, "pid": 0}
            for name, url in self._settings.services.items()
        ]

    async def _process(self, listed: Mapping[str, Any]) -> Json:
        """One process: a server of somebody else's make is ready when it runs."""
        told: Json = {}
        if listed.get("address"):
            told = await self._get(f"{listed['address']}/readyz", {}) or {"missing": ["no answer"]}
        elif listed.get("pid") is not None:
            told = {"ready": True}
        lag = told.get("lag") or {}
        return {
            "name": listed["name"],
            "ready": bool(told.get("ready")),
            "missing": [str(word) for word in _list(told, "missing")],
            "caught_up": bool(told.get("caught_up", True)),
            "lag": {"events": _number(lag, "events") or 0, "seconds": _number(lag, "seconds") or 0},
        }

    async def _ask(self, service: str, path: str, language: Language) -> Json:
        base = self._settings.services.get(service)
        if base is None:
            return {}
        headers: dict[str, str] = {"Accept-Language": language}
        key = _text(self._settings.key_file)
        if key and path.startswith("/v1/"):
            headers["Authorization"] = f"Bearer {key}"
        return await self._get(base + path, headers)

    async def _get(self, url: str, headers: Mapping[str, str]) -> Json:
        """The JSON object there; an empty one when there is none to be had."""
        try:
            response = await self._client.get(url, headers=headers)
            answer = response.json()
        except (httpx.HTTPError, ValueError):
            return {}
        return answer if isinstance(answer, dict) else {}


_UNWATCHED = frozenset({_OWN, "supervisor", "demo"})


def _read(path: Path) -> Json:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(path: Path | None) -> str:
    try:
        return path.read_text().strip() if path is not None else ""
    except OSError:
        return ""


def _list(answer: Mapping[str, Any], name: str) -> list[Any]:
    found = answer.get(name)
    return found if isinstance(found, list) else []


def _number(answer: Mapping[str, Any], name: str) -> float | int | None:
    found = answer.get(name)
    return found if isinstance(found, int | float) else None


def _counted(
    found: Sequence[Any], name: str, order: Sequence[str], kind: str, language: Language
) -> list[Json]:
    """All classes in their order, those without anybody too; unknown ones come last."""
    given = {row[name]: row for row in found if isinstance(row, dict) and row.get(name)}
    codes = [*order, *(code for code in given if code not in order)]
    return [
        {
            "code": code,
            "label": given.get(code, {}).get("label") or label(kind, code, language),
            "count": _number(given.get(code, {}), "count") or 0,
        }
        for code in codes
    ]
