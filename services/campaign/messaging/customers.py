"""Whom a message is for: held while it is decided about them, and what is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.campaign import queries
from services.campaign.messaging.addresses import usable
from services.campaign.messaging.deciding import COUNTED, MARKETING, Facts
from services.campaign.messaging.writing import PLACEHOLDERS
from services.campaign.projector import Audience
from shared.database import Connection
from shared.erasing import erased_among
from shared.errors import Conflict
from shared.kernel import Kernel

EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a customer."""

    facts: Facts
    owner: UUID | None
    """The part who has the address, as far as that can be told at this moment."""
    values: Mapping[str, str]
    """Of placeholders."""


async def living(conn: Connection, parts: Sequence[UUID]) -> UUID:
    """The part that stands for the customer: the first that was not erased. Raises Conflict("customer_erased")."""
    gone = await erased_among(conn, parts)
    for part in parts:
        if part not in gone:
            return part
    raise Conflict("customer_erased")


async def known(
    conn: Connection,
    kernel: Kernel,
    customer_id: UUID,
    parts: Sequence[UUID],
    *,
    besides: UUID,
    since: timedelta,
    now: datetime,
) -> Known:
    """What is known of the customer to whom this part belongs. `besides`: the message that is not counted among those
    within `since`."""
    asked = await queries.find_asked(conn, str(customer_id), kernel.service.version)
    lately = await conn.fetchval(
        "SELECT count(*) FROM message WHERE customer_id = ANY($1) AND purpose = $2 AND status = ANY($3)"
        " AND decided_at > $4 AND id <> $5",
        parts,
        MARKETING,
        COUNTED,
        now - since,
        besides,
    )
    facts = Facts(
        erased=bool(await erased_among(conn, [customer_id])),
        address=address_of(asked.state),
        consents=asked.state.consents,
        open_complaints=asked.state.open,
        sent_lately=lately,
        as_of=asked.clock,
    )
    owner = await _owner(conn, customer_id, parts, facts.address)
    return Known(facts, owner, values_of(asked.state))


async def _owner(
    conn: Connection, customer_id: UUID, parts: Sequence[UUID], address: str | None
) -> UUID | None:
    """Who of these has the address: this part, if it does. None where nobody has: who is one with whom has changed
    since the parts were looked up."""
    if address is None:
        return None
    states = await queries.find_states(conn, parts)
    having = [part for part in parts if part in states and address in _addresses(states[part])]
    return customer_id if customer_id in having else next(iter(having), None)


def address_of(state: Audience) -> str | None:
    """Where the customer's mail goes: the attribute `email`, as it was written last; else the first of the
    identifiers, by the alphabet."""
    return next(iter(_addresses(state)), None)


def _addresses(state: Audience) -> list[str]:
    """All that can be written to."""
    written = state.fields.get(EMAIL)
    attribute = written.value if written is not None and isinstance(written.value, str) else ""
    prefix = f"{EMAIL}:"
    names = sorted(key.removeprefix(prefix) for key in state.identifiers if key.startswith(prefix))
    return [found for found in map(usable, (attribute, *names)) if found is not None]


def values_of(state: Audience) -> dict[str, str]:
    """What placeholders stand for, where it is known."""
    found = {name: state.fields[name].value for name in PLACEHOLDERS if name in state.fields}
    return {
        name: str(value)
        for name, value in found.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }
