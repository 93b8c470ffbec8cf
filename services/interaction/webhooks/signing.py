"""Secrets and signatures, as https://www.standardwebhooks.com has them.

No secret is stored: it is made of the installation's own, the endpoint and a nonce, whenever it is needed. So a copy of
the database signs nothing.
"""

import hmac
import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from standardwebhooks import Webhook

OVERLAP = timedelta(hours=24)
"""So long an old secret signs beside a new one."""
MOST_SECRETS = 5

Secrets = Sequence[Mapping[str, Any]]
"""Nonces, the newest first; of the older ones until when they sign (RFC 3339)."""


def _new() -> dict[str, Any]:
    return {"nonce": os.urandom(16).hex(), "until": None}


def first() -> list[dict[str, Any]]:
    """Of a new endpoint."""
    return [_new()]


def rotated(secrets: Secrets, now: datetime) -> list[dict[str, Any]]:
    """A new one before the others, which end in a while."""
    newest, *older = valid(secrets, now)
    until = (now + OVERLAP).isoformat()
    return [_new(), {**newest, "until": until}, *map(dict, older)][:MOST_SECRETS]


def valid(secrets: Secrets, now: datetime) -> list[Mapping[str, Any]]:
    """Those that sign now; the newest always does."""
    return [one for one in secrets if one["until"] is None or _time(one["until"]) > now]


def until(secrets: Secrets, now: datetime) -> datetime | None:
    """Until when an older one signs, too."""
    ends = [_time(one["until"]) for one in valid(secrets, now) if one["until"]]
    return max(ends, default=None)


def secret_of(installation: str, webhook: UUID, nonce: str) -> bytes:
    """32 bytes. `installation`: the secret that all processes share."""
    return hmac.digest(installation.encode(), f"webhook\0{webhook}\0{nonce}".encode(), "sha256")


def shown(secret: bytes) -> str:
    """As people copy it."""
    return "whsec_" + b64encode(secret).decode()


def signed(
    installation: str, webhook: UUID, secrets: Secrets, message: str, body: bytes, now: datetime
) -> dict[str, str]:
    """The three headers. `message`: the same for every attempt."""
    now = now.astimezone(UTC)
    signatures = [
        Webhook(secret_of(installation, webhook, one["nonce"])).sign(message, now, body.decode())
        for one in valid(secrets, now)
    ]
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
