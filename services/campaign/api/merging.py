"""To which segments customers would belong if they were one; asked by profile, never on the public origin."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.campaign.api.reads import READS
from services.campaign.projection import AUDIENCE
from services.campaign.projector import View
from shared.http.answers import answer
from shared.together import Together, asked

router = APIRouter(include_in_schema=False, dependencies=READS)


def _segments(view: View) -> list[dict[str, Any]]:
    return [{"id": one.id, "name": one.name} for one in view.members]


@router.post("/internal/merges/preview")
async def preview_merge(request: Request, body: Together) -> Response:
    """The segments of each, and of all together."""
    found = await asked(request, AUDIENCE, body)
    before = {str(part): _segments(view) for part, view in found.before.items()}
    return answer({"before": before, "after": _segments(found.view)})
