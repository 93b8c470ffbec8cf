"""What a message says and to which address, each encrypted with a customer's key and bound to the message.

The text is the customer's to whom it goes. The address is that one's of several who are one customer who has it: it
goes with them when they are erased.
"""

from uuid import UUID

import msgspec

from shared.kernel import Kernel


class Content(msgspec.Struct, frozen=True):
    """As it was written."""

    subject: str
    text: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Content).decode


async def lock(
    kernel: Kernel, customer_id: UUID, message_id: UUID, content: Content
) -> bytes | None:
    """As it is kept; None where the customer was erased."""
    return await kernel.keyring.lock(customer_id, _encode(content), f"message {message_id}")


async def unlock(
    kernel: Kernel, customer_id: UUID, message_id: UUID, kept: bytes | None
) -> Content | None:
    """What was kept; None where it is gone. Raises Unreadable."""
    if kept is None:
        return None
    found = await kernel.keyring.unlock(customer_id, kept, f"message {message_id}")
    return None if found is None else _decode(found)


async def lock_address(kernel: Kernel, owner: UUID, message_id: UUID, address: str) -> bytes | None:
    """As it is kept; None where its owner was erased."""
    return await kernel.keyring.lock(owner, address.encode(), f"address {message_id}")


async def unlock_address(
    kernel: Kernel, owner: UUID, message_id: UUID, kept: bytes | None
) -> str | None:
    """What was kept; None where it is gone. Raises Unreadable."""
    if kept is None:
        return None
    found = await kernel.keyring.unlock(owner, kept, f"address {message_id}")
    return None if found is None else found.decode()
