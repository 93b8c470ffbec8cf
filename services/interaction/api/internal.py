"""What other processes of the installation ask; never on the public origin."""

from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from services.interaction.minting import mint
from services.interaction.queries import latest, recent_types
from shared.http.answers import answer
from shared.kernel import Kernel

router = APIRouter(include_in_schema=False)


@router.get("/internal/recent")
async def get_recent(request: Request) -> Response:
    """What came lately, by type; nothing about whom."""
    kernel: Kernel = request.app.state.kernel
    async with kernel.database.read() as conn:
        return answer({"types": await recent_types(conn), "latest": await latest(conn, 20)})


class Identities(BaseModel):
    """Identifiers of one customer."""

    model_config = ConfigDict(extra="forbid")

    identifiers: dict[str, str] = {}
    customer_id: UUID | None = None


@router.post("/internal/identities")
async def post_identities(request: Request, body: Identities) -> Response:
    """The customer of these identifiers; a new one where nobody has them. The same question again gets the
    same answer."""
    kernel: Kernel = request.app.state.kernel
    customer_id, positions = await mint(kernel, body.identifiers, body.customer_id)
    return answer({"customer_id": str(customer_id), "position": positions})
