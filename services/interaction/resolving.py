"""Whose event is it? Pure: what is known goes in, who gets what comes out.

The strongest identifier decides. An identifier never seen joins the customer that the event names; an event that
names nobody known makes a new customer; one that names two known customers goes to the strongest identifier's,
and the evidence that they may be one is told beside it.

Nobody has two member numbers or two user ids: where an event brings another one than the customer has whom its
weaker identifiers name, it is somebody else's. An anonymous identifier is from then on theirs; of others it is told
that they may be one. An identifier that too many customers share names nobody: alone it stands for a part of its own.

What came before somebody was erased, and is resolved after, is theirs if one of their identifiers decides. Nothing is
added to them: what came with it and is nobody's was theirs too, and is erased with the rest. If somebody else's
identifier decides, that one gets the event, and hears nothing of those that were erased.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.interaction.arrivals import CUSTOMER_ID
from shared.language.identifiers import NUMBERED, TYPES

Key = tuple[str, bytes]

EXCLUSIVE = ("member_no", "user_id")
"""Types of which a customer has one."""
ANONYMOUS = frozenset(TYPES) - NUMBERED
"""Types that say nothing about who somebody is."""


@dataclass(frozen=True, slots=True, order=True)
class Tombstone:
    """Whose an identifier was until they were erased."""

    erased_at: datetime
    customer: UUID


@dataclass(frozen=True, slots=True)
class Resolved:
    """The customer of one event, the identifiers it adds to them, other customers it named, and by which."""

    customer: UUID
    added: dict[str, str]
    parts: tuple[UUID, ...] = ()
    named: dict[str, UUID] = field(default_factory=dict)
    unsaid: frozenset[str] = frozenset()
    """Types of those of its identifiers that belonged to somebody who is erased."""


@dataclass(slots=True)
class Resolution:
    """All events of a batch, and the identifiers to be kept: in the order of the batch."""

    events: list[Resolved] = field(default_factory=list)
    new: dict[Key, UUID] = field(default_factory=dict)
    moved: dict[Key, UUID] = field(default_factory=dict)
    """Anonymous identifiers that are somebody else's from now on."""
    own: dict[Key, UUID] = field(default_factory=dict)
    """Shared identifiers that stood alone for the first time, and the part made for each."""
    erased: set[UUID] = field(default_factory=set)
    """Those customers of the events who are erased."""
    tombstones: dict[tuple[Key, UUID], datetime] = field(default_factory=dict)
    """Further identifiers of theirs, and when they were erased."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known before a batch."""

    owners: Mapping[Key, UUID]
    exclusive: Mapping[UUID, Collection[Key]] = field(default_factory=dict)
    """The exclusive identifiers of the customers whom the batch's identifiers name, with all that they are one with."""
    shared: Mapping[Key, UUID | None] = field(default_factory=dict)
    """Identifiers that name nobody, and the part that each stands for alone; None: it never stood alone."""
    tombstones: Mapping[Key, Collection[Tombstone]] = field(default_factory=dict)
    """Of those whom the identifiers named before: all that may matter to what is resolved."""
    erased: Mapping[UUID, datetime] = field(default_factory=dict)
    """When those were erased whom events name by our own id."""


def resolve(
    customers: Sequence[Mapping[str, str]],
    known: Mapping[Key, UUID] | Known,
    digest: Callable[[str, str], bytes],
    new_id: Callable[[Mapping[str, str]], str],
    received: Sequence[datetime],
) -> Resolution:
    """Resolve events, given by their identifiers (type -> normalised value), one after the other.

    `new_id` makes the id of a customer who is met for the first time, under these identifiers. `received`: when each
    event came (UTC)."""
    before = known if isinstance(known, Known) else Known(known)
    resolver = _Resolver(before, new_id)
    for identifiers, at in zip(customers, received, strict=True):
        keys = {t: (t, digest(t, identifiers[t])) for t in TYPES if t in identifiers}
        resolver.take(identifiers, keys, at)
    return resolver.result


class _Resolver:
    """Resolves one event after the other, each knowing what those before it brought."""

    def __init__(self, known: Known, new_id: Callable[[Mapping[str, str]], str]) -> None:
        self._known = known
        self._new_id = new_id
        self._exclusive: dict[UUID, set[Key]] = {}
        self._tombstones = {key: list(stones) for key, stones in known.tombstones.items()}
        self._erased = dict(known.erased) | {
            stone.customer: stone.erased_at
            for stones in known.tombstones.values()
            for stone in stones
        }
        self.result = Resolution()

    def take(
        self, identifiers: Mapping[str, str], keys: Mapping[str, Key], received: datetime
    ) -> None:
        plain = {type_: key for type_, key in keys.items() if key not in self._known.shared}
        buried = self._buried(keys, received) if self._tombstones else {}
        if not plain and CUSTOMER_ID not in identifiers and keys:
            self._stand_alone(identifiers, keys, buried)
            return
        named = {
            type_: owner
            for type_, key in plain.items()
            if (owner := buried.get(type_) or self._owner(key)) is not None
        }
        customer = self._customer(identifiers, plain, named)
        if buried:
            plain = {type_: key for type_, key in plain.items() if type_ not in buried}
            named = {type_: owner for type_, owner in named.items() if type_ not in buried}
        if customer in self._erased:
            self._leave(customer, plain, received)
        else:
            self._give(customer, identifiers, plain, named, frozenset(buried))

    def _give(
        self,
        customer: UUID,
        identifiers: Mapping[str, str],
        plain: Mapping[str, Key],
        named: dict[str, UUID],
        unsaid: frozenset[str],
    ) -> None:
        """The event is this customer's, and so are those of its identifiers that are nobody's."""
        for type_ in EXCLUSIVE:
            if named.get(type_) == customer:
                self._exclusive.setdefault(customer, set()).add(plain[type_])
        for type_ in [t for t in named if t in ANONYMOUS and named[t] != customer]:
            if self._other_person(named[type_], plain):
                self.result.moved[plain[type_]] = customer
                del named[type_]
        added = {t: identifiers[t] for t, key in plain.items() if self._owner(key) is None}
        for type_ in added:
            self.result.new[plain[type_]] = customer
            if type_ in EXCLUSIVE:
                self._exclusive.setdefault(customer, set()).add(plain[type_])
        parts = tuple(dict.fromkeys((customer, *named.values())))
        several = len(parts) > 1
        if several:
            named |= dict.fromkeys(added, customer)
        self.result.events.append(
            Resolved(customer, added, parts if several else (), named if several else {}, unsaid)
        )

    def _leave(self, customer: UUID, plain: Mapping[str, Key], received: datetime) -> None:
        """The event is of somebody who is erased."""
        erased_at = self._erased[customer]
        nobodys = [key for key in plain.values() if self._owner(key) is None]
        for key in nobodys if received <= erased_at else ():
            self.result.tombstones[key, customer] = erased_at
            self._tombstones.setdefault(key, []).append(Tombstone(erased_at, customer))
            if key[0] in EXCLUSIVE:
                self._exclusive.setdefault(customer, set()).add(key)
        self.result.erased.add(customer)
        self.result.events.append(Resolved(customer, {}))

    def _buried(self, keys: Mapping[str, Key], received: datetime) -> dict[str, UUID]:
        """Those of the identifiers that belonged to somebody who was erased since the event came: of several who had
        one after the other, to the first of them to be erased after that."""
        found = {}
        for type_, key in keys.items():
            later = [one for one in self._tombstones.get(key, ()) if received <= one.erased_at]
            if later:
                found[type_] = min(later).customer
        return found

    def _owner(self, key: Key) -> UUID | None:
        result = self.result
        return result.moved.get(key) or self._known.owners.get(key) or result.new.get(key)

    def _customer(
        self, identifiers: Mapping[str, str], keys: Mapping[str, Key], named: Mapping[str, UUID]
    ) -> UUID:
        """Our own id's; else the strongest identifier's whose customer this may be; else a new one."""
        if CUSTOMER_ID in identifiers:
            return UUID(identifiers[CUSTOMER_ID])
        for type_, owner in named.items():
            if type_ in EXCLUSIVE or not self._other_person(owner, keys):
                return owner
        return UUID(self._new_id(identifiers))

    def _other_person(self, customer: UUID, keys: Mapping[str, Key]) -> bool:
        """Whether the event brings a member number or user id, and the customer has another one."""
        has = {*self._known.exclusive.get(customer, ()), *self._exclusive.get(customer, ())}
        return any(
            keys[type_] not in has and any(of == type_ for of, _ in has)
            for type_ in EXCLUSIVE
            if type_ in keys
        )

    def _stand_alone(
        self, identifiers: Mapping[str, str], keys: Mapping[str, Key], buried: Mapping[str, UUID]
    ) -> None:
        """The event is the part's for which the strongest of identifiers stands that all name nobody."""
        type_, key = next(iter(keys.items()))
        part = buried.get(type_) or self._known.shared[key] or self.result.own.get(key)
        if part is None:
            part = self.result.own[key] = UUID(self._new_id(identifiers))
        if part in self._erased:
            self.result.erased.add(part)
        self.result.events.append(Resolved(part, {}))
