"""The policy `merging`: version 1 is built in."""

from collections.abc import Mapping
from typing import Any

import msgspec

from shared.language.identifiers import LINK_LIMITS, NUMBERED, TYPES

NAME = "merging"
ANONYMOUS = frozenset(TYPES) - NUMBERED
"""Types of identifiers that say nothing about who somebody is."""


class MergingRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which evidence makes customers one, and which is only shown to people."""

    version: int = 1
    at_once: tuple[str, ...] = ()
    """Types of identifiers that make two known customers one without asking: each must be named by one of them.
    An anonymous customer becomes one with a known one at once, always."""
    limits: dict[str, int] = {}
    """By type: once an identifier has linked more customers than this, it speaks for nobody any more."""
    blocked: tuple[str, ...] = ()
    """Identifiers (`type:value`, normalised) that never speak for anybody."""

    def limit(self, type_: str) -> int:
        """How many customers an identifier of a type may link."""
        return self.limits[type_] if type_ in self.limits else LINK_LIMITS[type_]


BUILT_IN = MergingRules(limits=dict(LINK_LIMITS))


def rules_of(version: int, body: Mapping[str, Any]) -> MergingRules:
    """A version as it was published."""
    return msgspec.convert({**body, "version": version}, MergingRules)


def body(rules: MergingRules) -> dict[str, Any]:
    """All of it by name, without the version; every type has its limit."""
    limits = {type_: rules.limit(type_) for type_ in TYPES}
    return {"at_once": list(rules.at_once), "limits": limits, "blocked": list(rules.blocked)}
