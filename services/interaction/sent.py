"""What a request carries: one event, or a list of them, in our spelling or another.

In a list, an event that is JSON and yet cannot be taken (a NUL character, half a surrogate pair, a number beyond 64
bits, too many levels) is refused by itself; the others are judged as if it were not there.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from services.interaction.judging import Refused
from services.interaction.plain import Plain, read_plain
from shared.errors import BadRequest, TooLarge
from shared.http.json_text import DEPTH, parse_json

MOST_EVENTS = 2500

_OF_ONE_EVENT = frozenset({"invalid_text", "number_out_of_range", "too_deep"})
_OUT_OF_RANGE = 10**30


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An event that cannot be taken, and why."""

    id: str | None
    problem: BadRequest | Refused

    def __post_init__(self) -> None:
        # With a traceback it, or what led to it, would keep the request in memory until the collector comes by.
        self.problem.__cause__ = self.problem.__context__ = self.problem.__traceback__ = None


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """An event that came as a CloudEvent: its attributes, and `data` or `data_base64`."""

    sent: Any


@dataclass(frozen=True, slots=True)
class Translated:
    """An event that came in another spelling, in ours. A repeat is known by `content`, what was sent; `place`
    turns a pointer into our event to one into it."""

    event: dict[str, Any]
    content: Mapping[str, Any]
    place: Callable[[str], str]


Sent = Any | CloudEvent | Translated | Plain | Unreadable
"""What the door judges. Any: the JSON of an event in our own spelling."""


def read_sent(body: bytes) -> tuple[Sequence[Sent], bool]:
    """The events of a body in our own spelling, those in their plain form as `Plain`, and whether they came as a
    list. Raises BadRequest, TooLarge."""
    plain = read_plain(body)
    if plain and None not in plain and len(plain) <= MOST_EVENTS:
        return plain, body[:1] == b"["
    sent, listed = read_events(body)
    if plain:
        sent = [one or other for one, other in zip(plain, sent, strict=True)]
    return sent, listed


def read_events(body: bytes) -> tuple[Sequence[Any], bool]:
    """The events of a body, and whether they came as a list. Raises BadRequest, TooLarge."""
    try:
        sent = parse_json(body)
    except BadRequest as problem:
        if problem.code not in _OF_ONE_EVENT:
            raise
        events = _leniently(body)
        if not isinstance(events, list):
            raise
        return [_one(event, "id") for event in _bounded(events)], True
    return (_bounded(sent), True) if isinstance(sent, list) else ([sent], False)


def read_batch(body: bytes, events: str, id_: str) -> Any:
    """A body whose list of events stands in its field `events`; `id_` is what they call their ids. The rest of
    the body is strict JSON. Raises BadRequest, TooLarge."""
    try:
        sent = parse_json(body)
    except BadRequest as problem:
        sent = _leniently(body) if problem.code in _OF_ONE_EVENT else None
        if not isinstance(sent, dict) or not isinstance(sent.get(events), list):
            raise
        parse_json(json.dumps({name: sent[name] for name in sent if name != events}).encode())
        sent[events] = [_one(event, id_) for event in _bounded(sent[events])]
        return sent
    if isinstance(sent, dict) and isinstance(sent.get(events), list):
        _bounded(sent[events])
    return sent


def _bounded(events: list[Any]) -> list[Any]:
    if len(events) > MOST_EVENTS:
        raise TooLarge("too_many_events", params={"limit": MOST_EVENTS})
    return events


def _leniently(body: bytes) -> Any:
    """The value of a body, whatever is in it; None where it is no JSON at all."""
    try:
        return json.loads(
            body.decode(), parse_int=_integer, parse_float=_number, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        return None


def _one(event: Any, id_: str) -> Any:
    try:
        return parse_json(json.dumps(event).encode())
    except BadRequest as refusal:
        problem = refusal
    except RecursionError:
        problem = BadRequest("too_deep", params={"limit": DEPTH})
    named = event.get(id_) if isinstance(event, dict) else None
    shown = isinstance(named, str) and named.isprintable()  # neither NUL nor surrogates
    return Unreadable(named if shown else None, problem)


def _integer(text: str) -> int:
    return int(text) if len(text) <= 20 else _OUT_OF_RANGE


def _number(text: str) -> float | int:
    number = float(text)
    return number if math.isfinite(number) else _OUT_OF_RANGE


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
