"""The segments in force: a policy told to every partition, compiled once and kept."""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.campaign.projector.rules import Rule, Turn, compile_rule
from services.campaign.projector.together import together
from services.campaign.projector.view import Member
from shared.moments import micros
from shared.projection import Policies, Policy

NAME = "segments"
UTC = "UTC"
_KEPT = 64
"""Compiled versions that are kept: one for each partition that a process may have at work."""


class Segment:
    """One segment, ready to be asked."""

    __slots__ = ("id", "name", "rule", "version")

    def __init__(self, id_: str, name: str, version: int, rule: Any) -> None:
        self.id = id_
        self.name = name
        self.version = version
        self.rule: Rule = compile_rule(rule)


class Segments:
    """All segments of one version of the policy."""

    def __init__(self, version: int, body: Mapping[str, Any]) -> None:
        self.version = version
        self.label = f"{NAME}@{version}"
        self.timezone: str = body.get("timezone", UTC)
        at = body.get("at")
        self.at: int | None = micros(datetime.fromisoformat(at)) if at else None
        """When it was published."""
        self.segments = tuple(
            Segment(one["id"], one["name"], one["version"], one["rule"])
            for one in body.get("segments", ())
        )
        self.members = together(
            (one.rule, Member(one.id, one.name, one.version)) for one in self.segments
        )
        """To which of them a customer belongs."""
        turns: dict[tuple[Any, ...], Turn] = {}
        for segment in self.segments:
            for condition in segment.rule.conditions:
                if condition.turn is not None:
                    turns.setdefault(condition.turn_key, condition.turn)
        self.turns = tuple(turns.values())
        """What time alone changes, each once however many rules ask for it."""


NONE = Segments(0, {})
_compiled: OrderedDict[int, tuple[Mapping[str, Any], Segments]] = OrderedDict()


def segments_in_force(policies: Policies) -> Segments:
    """The compiled segments of the newest version that is known."""
    policy = policies.get(NAME)
    return NONE if policy is None else _of(policy)


def _of(policy: Policy) -> Segments:
    """Found by the identity of the body, which is kept with it, so that no other body has the same."""
    key = id(policy.body)
    kept = _compiled.get(key)
    if kept is not None:
        return kept[1]
    made = Segments(policy.version, policy.body)
    _compiled[key] = (policy.body, made)
    while len(_compiled) > _KEPT:
        _compiled.popitem(last=False)
    return made
