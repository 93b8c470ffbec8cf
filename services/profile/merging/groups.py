"""Groups of customers that are one: pure.

A group is a connected component of the merges in force: each merge joins the customers that it names. So undoing one
leaves what the others join, and undoing all of them in any order leads back through the same groups.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

MOST_PARTS = 50
"""Of one customer: each event of one part derives the whole again from all of them."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides under whose id a group is known."""

    serial: int | None = None
    """Of the customer number that the part has claimed; None: it has none."""
    known: bool = False
    """Whether it has an identifier other than a cookie's, a device's or an anonymous one."""
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """The parts of one customer, sorted, and the one under whose id they are known."""

    head: UUID
    parts: tuple[UUID, ...]


def alone(part: UUID) -> Group:
    """A customer who was never merged."""
    return Group(part, (part,))


def head_of(parts: Iterable[UUID], standings: Mapping[UUID, Standing]) -> UUID:
    """Whoever has the smallest customer number; else a known one before an anonymous one, the smallest id first. One
    who was erased only where all are: what is said of the head is sealed with the head's key."""

    def rank(part: UUID) -> tuple[bool, bool, int, bool, UUID]:
        one = standings.get(part, Standing())
        return one.erased, one.serial is None, one.serial or 0, not one.known, part

    return min(parts, key=rank)


def components(parts: Iterable[UUID], merges: Iterable[Collection[UUID]]) -> list[tuple[UUID, ...]]:
    """The connected components, each sorted, in the order of their first parts."""
    leader: dict[UUID, UUID] = {part: part for part in parts}

    def find(part: UUID) -> UUID:
        leader.setdefault(part, part)
        while leader[part] != part:
            leader[part] = leader[leader[part]]
            part = leader[part]
        return part

    for merge in merges:
        first, *others = merge
        for other in others:
            leader[find(other)] = find(first)
    found: dict[UUID, list[UUID]] = {}
    for part in sorted(leader):
        found.setdefault(find(part), []).append(part)
    return sorted(map(tuple, found.values()))


def regroup(
    before: Mapping[UUID, Group],
    merges: Iterable[Collection[UUID]],
    standings: Mapping[UUID, Standing],
) -> list[tuple[UUID, Group]]:
    """The parts whose group is another one under these merges, each with it. `before`: the groups of all parts that
    the merges name, by part. A group that stays as it was keeps its head, unless that one alone was erased."""
    changes = []
    for parts in components(before, merges):
        group, head = before[parts[0]], head_of(parts, standings)
        if group.parts != parts or _is_erased(group.head, standings) > _is_erased(head, standings):
            group = Group(head, parts)
        changes += [(part, group) for part in parts if before[part] != group]
    return sorted(changes, key=lambda change: change[0])


def _is_erased(part: UUID, standings: Mapping[UUID, Standing]) -> bool:
    return standings.get(part, Standing()).erased


def heads(parts: Sequence[UUID], groups: Mapping[UUID, Group]) -> list[UUID]:
    """The customers that these parts belong to, each once, in the order in which they were named."""
    return list(dict.fromkeys(groups[part].head for part in parts))


def one_of_each(parts: Sequence[UUID], groups: Mapping[UUID, Group]) -> list[UUID]:
    """The first named part of each customer: what a merge of these parts joins."""
    first: dict[UUID, UUID] = {}
    for part in parts:
        first.setdefault(groups[part].head, part)
    return list(first.values())
