"""What a message says and to which address, encrypted with the customer's key and bound to the message."""

from uuid import UUID

import msgspec

from shared.kernel import Kernel


class Content(msgspec.Struct, omit_defaults=True, frozen=True):
    """As it was written; `to`: the address of the last try."""

    subject: str
    text: str
    to: str | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Content).decode


async def lock(
    kernel: Kernel, customer_id: UUID, message_id: UUID, content: Content
) -> bytes | None:
    """As it is kept; None where the customer was erased."""
    return await kernel.keyring.lock(customer_id, _encode(content), _about(message_id))


async def unlock(
    kernel: Kernel, customer_id: UUID, message_id: UUID, kept: bytes | None
) -> Content | None:
    """What was kept; None where it is gone. Raises Unreadable."""
    if kept is None:
        return None
    found = await kernel.keyring.unlock(customer_id, kept, _about(message_id))
    return None if found is None else _decode(found)


def _about(message_id: UUID) -> str:
    return f"message {message_id}"
