"""Copies of all keys that there ever were, which nobody else has: what stands sealed on the log can still be read, and
checked, when the product cannot any more. Written from the format alone; shares no code with what it checks."""

import base64
from collections import defaultdict
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.chaos.plant import Plant

_NONCE = 12
_KEEP = """
CREATE SCHEMA chaos;
CREATE TABLE chaos.kept (customer_id uuid, key bytea, PRIMARY KEY (customer_id, key));
CREATE FUNCTION chaos.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos.kept VALUES (NEW.customer_id, NEW.key) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER keep AFTER INSERT OR UPDATE ON customer_key FOR EACH ROW WHEN (NEW.key IS NOT NULL)
EXECUTE FUNCTION chaos.keep();
"""


class Keys:
    """What a trigger in the keyring's database has kept beside its own table."""

    def __init__(self, here: Plant) -> None:
        self._here = here
        self._kept: defaultdict[str, set[bytes]] = defaultdict(set)
        self.held: dict[str, bytes | None] = {}
        """What the product has of each customer now; None: destroyed."""

    async def begin(self) -> None:
        conn = await self._here.connect("keyring")
        try:
            await conn.execute(_KEEP)
        finally:
            await conn.close()

    async def read(self) -> None:
        """Take over what is new; before the keyring is put back, too, or it is gone."""
        conn = await self._here.connect("keyring")
        try:
            for row in await conn.fetch("SELECT customer_id, key FROM chaos.kept"):
                self._kept[str(row["customer_id"])].add(row["key"])
            rows = await conn.fetch("SELECT customer_id, key FROM customer_key")
            self.held = {str(row["customer_id"]): row["key"] for row in rows}
        finally:
            await conn.close()

    def lost(self) -> set[str]:
        """Those of whom something was sealed with a key that nobody has any more, though nobody destroyed it."""
        return {
            customer
            for customer, keys in self._kept.items()
            if self.held.get(customer, b"") is not None and keys != {self.held.get(customer)}
        }

    def opened(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event with what was sealed back in its place; as it is where no key fits."""
        if "sealed" not in event:
            return event
        text = base64.b64decode(event["sealed"])
        about = f"{event['subject']}\0{event['id']}".encode()
        for key in self._kept.get(event["subject"], ()):
            try:
                hidden = AESGCM(key).decrypt(text[:_NONCE], text[_NONCE:], about)
            except InvalidTag:
                continue
            whole = {name: value for name, value in event.items() if name != "sealed"}
            return whole | {"data": _joined(event["data"], orjson.loads(hidden))}
        return event


def _joined(clear: dict[str, Any], hidden: dict[str, Any]) -> dict[str, Any]:
    whole = dict(clear)
    for name, value in hidden.items():
        inner = whole.get(name)
        both = isinstance(inner, dict) and isinstance(value, dict)
        whole[name] = _joined(inner, value) if both else value
    return whole
