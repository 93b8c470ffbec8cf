"""What a request carries: one event, or a list of them.

In a list, an event that is JSON and yet cannot be taken (a NUL character, half a surrogate pair, a number beyond 64
bits, too many levels) is refused by itself; the others are judged as if it were not there.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from shared.errors import BadRequest, TooLarge
from shared.http.json_text import DEPTH, parse_json

MOST_EVENTS = 2500

_OF_ONE_EVENT = frozenset({"invalid_text", "number_out_of_range", "too_deep"})
_OUT_OF_RANGE = 10**30


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An event of a list that cannot be taken, and why."""

    id: str | None
    problem: BadRequest


def read_events(body: bytes) -> tuple[Sequence[Any], bool]:
    """The events of a body, and whether they came as a list. Raises BadRequest, TooLarge."""
    try:
        sent = parse_json(body)
    except BadRequest as problem:
        if problem.code not in _OF_ONE_EVENT:
            raise
        events = _list_in(body)
        if events is None:
            raise
        return [_one(event) for event in _bounded(events)], True
    return (_bounded(sent), True) if isinstance(sent, list) else ([sent], False)


def _bounded(events: list[Any]) -> list[Any]:
    if len(events) > MOST_EVENTS:
        raise TooLarge("too_many_events", params={"limit": MOST_EVENTS})
    return events


def _list_in(body: bytes) -> list[Any] | None:
    """The list that a body is, whatever is in it; None where it is none, or no JSON at all."""
    try:
        sent = json.loads(
            body.decode(), parse_int=_integer, parse_float=_number, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        return None
    return sent if isinstance(sent, list) else None


def _one(event: Any) -> Any:
    try:
        return parse_json(json.dumps(event).encode())
    except BadRequest as refusal:
        problem = refusal
    except RecursionError:
        problem = BadRequest("too_deep", params={"limit": DEPTH})
    id_ = event.get("id") if isinstance(event, dict) else None
    shown = isinstance(id_, str) and id_.isprintable()  # neither NUL nor surrogates
    return Unreadable(id_ if shown else None, problem)


def _integer(text: str) -> int:
    return int(text) if len(text) <= 20 else _OUT_OF_RANGE


def _number(text: str) -> float | int:
    number = float(text)
    return number if math.isfinite(number) else _OUT_OF_RANGE


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
