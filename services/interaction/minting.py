"""Only interaction mints customer ids: when an event names somebody new, or when a person creates a customer."""

import contextlib
from uuid import UUID

from services.interaction.erasing import refuse_erased, undisturbed
from shared.errors import Conflict, FieldError, Unprocessable
from shared.grouping import head_of
from shared.identity import digest, known
from shared.ids import new_id, partition_of
from shared.kernel import Kernel
from shared.language import IdentifiersAdded
from shared.language.identifiers import TYPES, normalise
from shared.outbox import OUTBOX
from shared.own_events import own_event
from shared.positions import Position, render

ATTEMPTS = 5


class _RacedError(Exception):
    """An event gave one of the identifiers to somebody meanwhile: ask again whose they are."""


async def mint(
    kernel: Kernel, identifiers: dict[str, str], customer_id: UUID | None
) -> tuple[UUID, str | None]:
    """The customer who has these identifiers, or to whom they are given, and the position of what was written.

    Raises Unprocessable for worthless identifiers, Conflict("identifier_taken") where they are somebody else's,
    Conflict("customer_erased") for a customer who is.
    """
    wanted = _normalised(identifiers)
    for _ in range(ATTEMPTS):
        with contextlib.suppress(_RacedError):
            return await _attempt(kernel, wanted, customer_id)
    raise Conflict("identifier_taken")


async def _attempt(
    kernel: Kernel, wanted: dict[str, str], customer_id: UUID | None
) -> tuple[UUID, str | None]:
    keys = {type_: (type_, digest(type_, value)) for type_, value in wanted.items()}
    now = kernel.clock()
    async with kernel.database.transaction() as conn:
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('mint', 8))")
        await undisturbed(conn)
        if customer_id is not None:
            await refuse_erased(conn, customer_id)
        found = await known(conn, keys.values())
        owners = [*([customer_id] if customer_id else []), *found.values()]
        if len({await head_of(conn, owner) for owner in owners}) > 1:
            raise Conflict("identifier_taken")
        owner = owners[0] if owners else UUID(new_id())
        added = {type_: value for type_, value in wanted.items() if keys[type_] not in found}
        if not added:
            return owner, None
        rows = sorted(keys[type_] for type_ in added)
        made = await conn.fetch(
            "INSERT INTO identity SELECT t, d, $3 FROM unnest($1::text[], $2::bytea[]) AS u(t, d)"
            " ON CONFLICT DO NOTHING RETURNING 1",
            [key[0] for key in rows],
            [key[1] for key in rows],
            owner,
        )
        if len(made) < len(rows):
            raise _RacedError
        partition = partition_of(str(owner), kernel.settings.partitions)
        added_event = IdentifiersAdded(identifiers=added)
        entry = own_event("interaction", "identifiers.added", added_event, now, subject=str(owner))
        sealed = await kernel.keyring.seal([(partition, entry)])
        numbers = await OUTBOX.append(conn, sealed, now)
    kernel.outbox_hint.give()
    return owner, render([Position("interaction", partition, numbers[0])])


def _normalised(identifiers: dict[str, str]) -> dict[str, str]:
    wanted: dict[str, str] = {}
    errors = []
    for type_, value in identifiers.items():
        pointer = f"/identifiers/{type_}"
        if type_ not in TYPES:
            errors.append(FieldError(pointer, "unknown_identifier_type", {}))
            continue
        normal = normalise(type_, value)
        if normal is None:
            errors.append(FieldError(pointer, "worthless_identifier", {}))
        else:
            wanted[type_] = normal
    if errors:
        raise Unprocessable("validation_failed", errors=errors)
    return wanted
