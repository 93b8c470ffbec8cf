"""Asking interaction whose identifiers these are: only interaction mints customer ids."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import httpx

from shared.errors import Conflict, FieldError, Unavailable, Unprocessable


@dataclass(frozen=True, slots=True)
class Minted:
    """A customer, and the position of what was written; "" where nothing was."""

    customer_id: UUID
    position: str


class Identities:
    """Asks interaction's API process, as another process of the same installation."""

    def __init__(self, client: httpx.AsyncClient | None, secret: str) -> None:
        self._client = client
        self._headers = {"Tenure-Secret": secret}

    async def mint(self, identifiers: Mapping[str, str], customer_id: UUID | None = None) -> Minted:
        """The customer of these identifiers, or a new one; or give them to `customer_id`.

        Raises Conflict("identifier_taken"), Conflict("customer_erased"), Unprocessable, and
        Unavailable while interaction is away.
        """
        body: dict[str, object] = {"identifiers": dict(identifiers)}
        if customer_id is not None:
            body["customer_id"] = str(customer_id)
        if self._client is None:
            raise Unavailable(detail="INTERACTION_URL is not set")
        try:
            response = await self._client.post(
                "/internal/identities", json=body, headers=self._headers
            )
            answer = response.json()
        except (httpx.HTTPError, ValueError):
            raise Unavailable(detail="interaction does not answer") from None
        if response.status_code == httpx.codes.OK:
            return Minted(UUID(answer["customer_id"]), answer["position"] or "")
        if response.status_code == httpx.codes.CONFLICT:
            erased = answer.get("code") == "customer_erased"
            raise Conflict("customer_erased") if erased else Conflict("identifier_taken")
        if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            errors = [
                FieldError(error["pointer"], error["code"]) for error in answer.get("errors", [])
            ]
            raise Unprocessable("validation_failed", errors=errors)
        raise Unavailable(detail=f"interaction answers {response.status_code}")
