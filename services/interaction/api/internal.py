"""What other processes of the installation ask; never on the public origin."""

import hmac
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict
from starlette.responses import Response

from services.interaction.minting import mint
from services.interaction.past import past_of
from services.interaction.queries import latest, recent_types
from shared.access import require
from shared.as_of import Basis
from shared.http.answers import answer
from shared.kernel import Kernel
from shared.reading import read_manners

router = APIRouter(include_in_schema=False)


@router.get("/internal/recent")
async def get_recent(request: Request) -> Response:
    """What came lately, by type; nothing about whom."""
    kernel: Kernel = request.app.state.kernel
    async with kernel.database.read() as conn:
        return answer({"types": await recent_types(conn), "latest": await latest(conn, 20)})


async def trusted(request: Request) -> None:
    """Let another process of the installation pass, which knows its secret, or a person with an admin's key."""
    kernel: Kernel = request.app.state.kernel
    secret = kernel.settings.inbound_secret
    said = request.headers.get("tenure-secret", "")
    if not (secret and hmac.compare_digest(said.encode(), secret.encode())):
        await require("admin")(request)


class Until(BaseModel):
    """Up to when, counted how, and which types of events."""

    model_config = ConfigDict(extra="forbid")

    at: AwareDatetime
    basis: Basis
    types: list[str]


@router.post("/internal/past/{customer}", dependencies=[Depends(trusted), Depends(read_manners)])
async def post_past(request: Request, customer: UUID, body: Until) -> Response:
    """Every event of a customer up to a moment, as the log has it."""
    kernel: Kernel = request.app.state.kernel
    past = await past_of(kernel, customer, body.at, body.basis, body.types)
    return Response(msgspec.json.encode(past), media_type="application/json")


class Identities(BaseModel):
    """Identifiers of one customer."""

    model_config = ConfigDict(extra="forbid")

    identifiers: dict[str, str] = {}
    customer_id: UUID | None = None


@router.post("/internal/identities", dependencies=[Depends(trusted)])
async def post_identities(request: Request, body: Identities) -> Response:
    """The customer of these identifiers; a new one where nobody has them. The same question again gets the
    same answer."""
    kernel: Kernel = request.app.state.kernel
    customer_id, positions = await mint(kernel, body.identifiers, body.customer_id)
    return answer({"customer_id": str(customer_id), "position": positions})
