"""Asks processes whether they can serve."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Past a proxy that the environment may name for the world outside.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def missing(address: str) -> str | None:
    """What a process still lacks, in its own words; None when it is ready."""
    try:
        with _DIRECT.open(f"{address}/readyz", timeout=5):
            return None
    except urllib.error.HTTPError as error:
        return _words(error.read()) or f"status {error.code}"
    except (OSError, ValueError):
        return "no answer yet"


def unready(
    addresses: Mapping[str, str], ask: Callable[[str], str | None] = missing
) -> dict[str, str]:
    """Names of the processes that are not ready, each with what it lacks."""
    answers = {name: ask(address) for name, address in addresses.items()}
    return {name: lacks for name, lacks in answers.items() if lacks is not None}


def _words(body: bytes) -> str:
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return ""
    lacking = answer.get("missing") if isinstance(answer, dict) else None
    if isinstance(lacking, Sequence) and not isinstance(lacking, str):
        return ", ".join(str(item) for item in lacking)
    return ""
