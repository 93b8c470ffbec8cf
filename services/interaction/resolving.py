"""Whose event is it? Pure: what is known goes in, who gets what comes out.

The strongest identifier decides. An identifier never seen joins the customer that the event names; an event that
names nobody known makes a new customer; one that names two known customers goes to the strongest identifier's,
and the evidence that they may be one is told beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.interaction.arrivals import CUSTOMER_ID
from shared.language.identifiers import TYPES

Key = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The customer of one event, the identifiers it adds to them, and other customers it named."""

    customer: UUID
    added: dict[str, str]
    parts: tuple[UUID, ...] = ()


@dataclass(slots=True)
class Resolution:
    """All events of a batch, and the identifiers to be kept: in the order of the batch."""

    events: list[Resolved] = field(default_factory=list)
    new: dict[Key, UUID] = field(default_factory=dict)


def resolve(
    customers: Sequence[Mapping[str, str]],
    known: Mapping[Key, UUID],
    digest: Callable[[str, str], bytes],
    new_id: Callable[[Mapping[str, str]], str],
) -> Resolution:
    """Resolve events, given by their identifiers (type -> normalised value), one after the other.

    `new_id` makes the id of a customer who is met for the first time, under these identifiers."""
    result = Resolution()
    for identifiers in customers:
        result.events.append(_one(identifiers, known, result.new, digest, new_id))
    return result


def _one(
    identifiers: Mapping[str, str],
    known: Mapping[Key, UUID],
    new: dict[Key, UUID],
    digest: Callable[[str, str], bytes],
    new_id: Callable[[Mapping[str, str]], str],
) -> Resolved:
    keys = {t: (t, digest(t, identifiers[t])) for t in TYPES if t in identifiers}
    named: list[UUID] = []
    if CUSTOMER_ID in identifiers:
        named.append(UUID(identifiers[CUSTOMER_ID]))
    for key in keys.values():
        customer = known.get(key) or new.get(key)
        if customer is not None:
            named.append(customer)
    owner = named[0] if named else UUID(new_id(identifiers))
    added = {
        type_: identifiers[type_]
        for type_, key in keys.items()
        if key not in known and key not in new
    }
    for type_ in added:
        new[keys[type_]] = owner
    parts = tuple(dict.fromkeys(named))
    return Resolved(owner, added, parts if len(parts) > 1 else ())
