"""What evidence means: pure.

An event named several customers by its identifiers. An identifier that is blocked, or has linked more customers than
its limit, speaks for nobody. A customer for whom nothing else speaks is left out.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.profile.merging.groups import MOST_PARTS, Group
from services.profile.merging.rules import MergingRules

Key = tuple[str, bytes]
"""Type and keyed hash of an identifier."""


@dataclass(frozen=True, slots=True)
class Link:
    """Customers that one event named, the strongest identifier's first."""

    parts: tuple[UUID, ...]
    named: Mapping[Key, UUID]
    """Whom each of its identifiers named. Our own id or number may have named the others."""
    anonymous: frozenset[UUID] = frozenset()
    """Those that had only identifiers of anonymous types then."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Customers that become one at once, and customers that people are asked about; both may be empty."""

    merge: tuple[UUID, ...] = ()
    propose: tuple[UUID, ...] = ()


def supported(link: Link, silent: Collection[Key]) -> tuple[UUID, ...]:
    """The customers for whom an identifier speaks that is not among those that speak for nobody."""
    by_identifier = set(link.named.values())
    speaking = {part for key, part in link.named.items() if key not in silent}
    return tuple(part for part in link.parts if part in speaking or part not in by_identifier)


def judge(
    link: Link,
    rules: MergingRules,
    *,
    groups: Mapping[UUID, Group],
    known: Collection[UUID],
    silent: Collection[Key],
    apart: Iterable[Collection[UUID]],
) -> Verdict:
    """What becomes of a link. `groups`: of all its parts as they are now; `known`: parts of these groups that are not
    anonymous; `silent`: identifiers that speak for nobody; `apart`: customers about whom a person decided that they
    are not one.

    An anonymous customer who is one with somebody known counts as known. What would make a customer of too many
    parts is left alone.
    """
    parts = _different(supported(link, silent), groups)
    if len(parts) < 2:
        return Verdict()
    parted = [frozenset(one) for one in apart]

    def strangers(one: UUID, other: UUID) -> bool:
        mine, theirs = groups[one].parts, groups[other].parts
        return any(
            not decided.isdisjoint(mine) and not decided.isdisjoint(theirs) for decided in parted
        )

    free = {part for part in parts if _is_free(part, link, groups[part], known)}
    base = next((part for part in parts if part not in free), None)
    joined: list[UUID] = []
    asked: list[UUID] = []
    for part in parts:
        if base is None or part == base:
            continue
        if not strangers(base, part):
            at_once = part in free or _strong(link, base, part, rules, silent)
            (joined if at_once else asked).append(part)
    if base is None:
        base, *others = parts
        asked = [part for part in others if not strangers(base, part)]
    return Verdict(_bounded(base, joined, groups), _bounded(base, asked, groups))


def _different(parts: Sequence[UUID], groups: Mapping[UUID, Group]) -> list[UUID]:
    """The first of each customer."""
    first: dict[UUID, UUID] = {}
    for part in parts:
        first.setdefault(groups[part].head, part)
    return list(first.values())


def _is_free(part: UUID, link: Link, group: Group, known: Collection[UUID]) -> bool:
    """Whether all that is known of a customer is anonymous."""
    return part in link.anonymous and not any(one in known for one in group.parts if one != part)


def _strong(
    link: Link, base: UUID, part: UUID, rules: MergingRules, silent: Collection[Key]
) -> bool:
    """Whether either is named by an identifier that makes customers one without asking."""

    def named(one: UUID) -> bool:
        return any(
            type_ in rules.at_once
            for (type_, digest), whom in link.named.items()
            if whom == one and (type_, digest) not in silent
        )

    return named(base) and named(part)


def _bounded(base: UUID, others: Sequence[UUID], groups: Mapping[UUID, Group]) -> tuple[UUID, ...]:
    """The base and as many others as one customer may have parts; nothing where that is nobody."""
    size, kept = len(groups[base].parts), [base]
    for other in others:
        more = len(groups[other].parts)
        if size + more <= MOST_PARTS:
            size += more
            kept.append(other)
    return tuple(kept) if len(kept) > 1 else ()
